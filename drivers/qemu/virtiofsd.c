/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtiofsd(1), which serves a directory of the host: one process for each, as root, which it needs for the
 * files of the guest's users and confines itself (sandbox). It gets a listening socket whose only client is
 * connected already and is the emulator's, so it ends when that is closed, whoever has it. No state but the
 * guest's; lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/helper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Where distributions have it, which is in no path. */
static const char *const places[] = { "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd",
                                      "/usr/lib/qemu/virtiofsd" };

static const char *find_program(const struct domain_filesystem *fs, GError **error)
{
        if (fs->binary)
                return fs->binary;
        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
                if (access(places[i], X_OK) == 0)
                        return places[i];
        }
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                  "file system '%s' needs the program 'virtiofsd', which is not installed (on Debian it is "
                  "in the "
                  "package virtiofsd or qemu-system-common)",
                  fs->target);
        return NULL;
}

/* ---- options ---- */

static void add_switch(GString *options, enum domain_switch value, const char *name)
{
        if (value != DOMAIN_SWITCH_ABSENT)
                g_string_append_printf(options, ",%s%s", value == DOMAIN_SWITCH_ON ? "" : "no_", name);
}

/* Both virtiofsd of QEMU's and that which came after it know these. */
static char *make_options(const struct domain_filesystem *fs)
{
        GString *options = g_string_new(NULL);

        g_string_append_printf(options, "source=%s", fs->source);
        if (fs->cache)
                g_string_append_printf(options, ",cache=%s", fs->cache);
        if (fs->sandbox)
                g_string_append_printf(options, ",sandbox=%s", fs->sandbox);
        add_switch(options, fs->xattr, "xattr");
        add_switch(options, fs->flock, "flock");
        add_switch(options, fs->posix_lock, "posix_lock");
        return g_string_free(options, FALSE);
}

static bool check(const struct guest *guest, const struct domain_filesystem *fs, GError **error)
{
        struct stat st;

        if (geteuid() != 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "file system '%s': virtiofsd needs root, and the agent is not", fs->target);
        if (strpbrk(fs->source, ",\\"))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "file system '%s': virtiofsd cannot be told of a directory with a comma or "
                                 "backslash in its name",
                                 fs->target);
        if (stat(fs->source, &st) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot share '%s', file system '%s' of %s", fs->source, fs->target,
                                       guest->who);
        return S_ISDIR(st.st_mode) ||
               error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "cannot share '%s', file system '%s' of %s: it is not a directory", fs->source,
                         fs->target, guest->who);
}

/* ---- its start ---- */

static int connect_to(const struct guest *guest, const char *path, GError **error)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int fd = guest_make_socket(guest, error);

        if (fd < 0)
                return -1;
        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot connect to '%s'", path);
                return -1;
        }
        return fd_steal(&fd);
}

/* Without a name as soon as it is connected. *client is the emulator's. */
static int make_sockets(const struct guest *guest, const char *alias, int *client, GError **error)
{
        g_autofree char *name = g_strconcat(alias, "-fs.sock", NULL), *path = guest_get_io_path(guest, name);
        CLEANUP_FD int fd = guest_listen(guest, path, 0600, error);

        if (fd < 0)
                return -1;
        *client = connect_to(guest, path, error);
        unlink(path);
        return *client < 0 ? -1 : fd_steal(&fd);
}

/* Owned strings, NULL at the end. */
static GPtrArray *make_arguments(const char *program, const struct domain_filesystem *fs, int socket)
{
        GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(arguments, g_strdup(program));
        g_ptr_array_add(arguments, g_strdup_printf("--fd=%d", socket));
        g_ptr_array_add(arguments, g_strdup("-o"));
        g_ptr_array_add(arguments, make_options(fs));
        if (fs->thread_pool >= 0)
                g_ptr_array_add(arguments, g_strdup_printf("--thread-pool-size=%d", fs->thread_pool));
        if (fs->open_files)
                g_ptr_array_add(arguments, g_strdup_printf("--rlimit-nofile=%u", (unsigned)fs->open_files));
        g_ptr_array_add(arguments, NULL);
        return arguments;
}

static bool run(struct guest *guest, const struct domain_filesystem *fs, int socket, int log_fd,
                struct process *process, GError **error)
{
        const char *program = find_program(fs, error);
        g_autoptr(GPtrArray) arguments = make_arguments(program, fs, socket);
        char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
        GArray *groups = cgroup_open_fds(guest->cgroup);
        const struct launch what = {
                .argv = (char *const *)(void *)arguments->pdata,
                .env = env,
                .account = guest->driver->account,
                .privileged = true,
                .output_fd = log_fd,
                .pid_fd = -1,
                .fds = &socket,
                .n_fds = 1,
                .group_fds = (const int *)(const void *)groups->data,
                .n_group_fds = groups->len,
        };
        bool ok = program && launch_run(&what, process, error);

        cgroup_close_fds(groups);
        return ok;
}

static bool start(struct guest *guest, const struct domain_filesystem *fs, int socket, GError **error)
{
        g_autofree char *name =
                g_strdup_printf("virtiofsd-%s-%s", guest->domain->base.uuid_text, fs->info.alias);
        struct guest_log log = GUEST_LOG_NONE;
        struct process process;
        bool ok;

        if (!guest_log_open(&log, guest->driver->log_dir, name, "virtiofsd", error))
                return false;
        ok = run(guest, fs, socket, log.fd, &process, error) &&
             helper_watch(helper_add(guest, "virtiofsd", fs->info.alias, &process), error);
        guest_log_close(&log);
        return ok;
}

static bool start_virtiofsd(struct resources *resources, const struct domain_filesystem *fs, GError **error)
{
        struct device_resources *device = resources_get(resources, fs->info.alias);
        int client = -1;
        CLEANUP_FD int socket = -1;

        if (!check(resources->guest, fs, error))
                return false;
        socket = make_sockets(resources->guest, fs->info.alias, &client, error);
        if (socket < 0)
                return false;
        resources_add_fd(resources, client);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, client);
        return start(resources->guest, fs, socket, error);
}

/* ---- all file systems ---- */

char *resources_advise_virtiofs(const struct guest *guest)
{
        return g_strdup_printf(" (see the log of virtiofsd, %s/virtiofsd-%s-*.log)", guest->driver->log_dir,
                               guest->domain->base.uuid_text);
}

bool resources_prepare_filesystem(struct resources *resources, const void *device, GError **error)
{
        const struct domain_filesystem *fs = device;

        if (g_strcmp0(fs->type, "mount") != 0 || !fs->source || *fs->source != '/')
                return true; /* whoever describes it says why not */
        if (g_strcmp0(fs->driver, "virtiofs") == 0)
                return start_virtiofsd(resources, fs, error);
        resources_add_check(resources, fs->source, false, "directory '%s' of file system '%s'", fs->source,
                            fs->target);
        return true;
}
