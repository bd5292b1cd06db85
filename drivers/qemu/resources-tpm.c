/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TPMs: swtpm is started before the emulator, on a socket that listens already. It ends by itself when the
 * emulator's connection does. The host's own TPM is opened here, so that its file need not change hands. Lane
 * of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/store.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/secret/secret-ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_TPM "/dev/tpm0"
#define SETUP_MS    30000 /* swtpm_setup takes a second on an idle host */

/* What is there has the label of the last start. */
static bool label_state(const struct guest *guest, const char *path, GError **error)
{
        GDir *dir = guest->context ? g_dir_open(path, 0, NULL) : NULL;
        bool ok = guest_label_own(guest, path, error);
        const char *name;

        while (ok && dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);

                ok = guest_label_own(guest, file, error);
        }
        if (dir)
                g_dir_close(dir);
        return ok;
}

static bool make_state_dir(const struct guest *guest, const char *path, GError **error)
{
        const struct account *account = guest->account;

        if (!store_make_dir(path, error))
                return false;
        if (!account->is_own && chown(path, account->uid, account->gid) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' to user '%s'", path,
                                       account->name);
        return label_state(guest, path, error);
}

/* Of the logs' directory. */
static char *get_log_name(const struct guest *guest)
{
        return g_strconcat("swtpm-", guest->domain->base.uuid_text, NULL);
}

static char *get_state_dir(const struct guest *guest)
{
        return g_build_filename(guest->driver->tpm_dir, guest->domain->base.uuid_text, NULL);
}

char *resources_advise_tpm(const struct guest *guest)
{
        g_autofree char *name = get_log_name(guest), *state = get_state_dir(guest);

        return g_strdup_printf(" (see the log of swtpm, %s/%s.log; the TPM's state is in %s)",
                               guest->driver->log_dir, name, state);
}

/* ---- swtpm ---- */

/* Descriptors for the programs: the listening socket, and those of struct launch; -1: none. */
struct descriptors {
        int socket, log, pid;
        int key, migration_key, setup_key; /* the passphrase of the state, to be read once each */
};

/* A program of swtpm's that is about to run. */
struct program {
        GPtrArray *argv; /* owned strings */
        GPtrArray *env;  /* owned strings */
        GArray *fds;     /* int; what it inherits */
};

static void program_clear(struct program *program)
{
        g_clear_pointer(&program->argv, g_ptr_array_unref);
        g_clear_pointer(&program->env, g_ptr_array_unref);
        g_clear_pointer(&program->fds, g_array_unref);
}

G_GNUC_PRINTF(2, 3)
static void add(struct program *program, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_ptr_array_add(program->argv, g_strdup_vprintf(format, args));
        va_end(args);
}

static bool program_init(struct program *program, const struct guest *guest, const char *name, GError **error)
{
        g_autofree char *path = g_find_program_in_path(name), *home = guest_get_io_dir(guest);

        program->argv = g_ptr_array_new_with_free_func(g_free);
        program->env = g_ptr_array_new_with_free_func(g_free);
        program->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_ptr_array_add(program->env, g_strdup("LC_ALL=C"));
        g_ptr_array_add(program->env, g_strdup("PATH=/usr/bin:/bin"));
        g_ptr_array_add(program->env, g_strconcat("HOME=", home, NULL));
        g_ptr_array_add(program->env, NULL);
        if (!path)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the TPM of %s needs the program '%s', which is not installed", guest->who,
                                 name);
        g_ptr_array_add(program->argv, g_steal_pointer(&path));
        return true;
}

static struct launch program_get_launch(const struct program *program, const struct guest *guest,
                                        const struct descriptors *fds)
{
        const char *context = guest_get_helper_context(guest, program->argv->pdata[0]);

        return (struct launch){
                .argv = (char *const *)program->argv->pdata,
                .env = (char *const *)program->env->pdata,
                .account = guest->account,
                .output_fd = fds->log,
                .pid_fd = -1,
                .fds = (const int *)(const void *)program->fds->data,
                .n_fds = program->fds->len,
                .label_file = context ? SVIRT_EXEC_FILE : NULL,
                .label = context,
        };
}

static bool is_old(const struct domain_tpm *tpm)
{
        return g_strcmp0(tpm->version, "1.2") == 0;
}

/* ---- PCR banks ---- */

static char *format_banks(uint32_t banks)
{
        static const char *const names[] = { "sha1", "sha256", "sha384", "sha512" };
        GString *list = g_string_new(NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (banks & 1U << i)
                        g_string_append_printf(list, "%s%s", list->len ? "," : "", names[i]);
        }
        return g_string_free(list, FALSE);
}

/* The guest's banks may have been others when its state was made, so they are set before each start. */
static bool set_banks(struct guest *guest, const struct domain_tpm *tpm, const char *state,
                      const struct guest_log *log, const struct descriptors *fds, GError **error)
{
        g_autofree char *banks = format_banks(tpm->pcr_banks);
        g_autofree char *file = g_build_filename(state, "tpm2-00.permall", NULL), *tail = NULL;
        struct program program = { NULL, NULL, NULL };
        struct launch what;
        int status = -1;
        bool ok = program_init(&program, guest, "swtpm_setup", error);

        if (ok) {
                add(&program, "--tpm2");
                add(&program, "--tpmstate");
                add(&program, "%s", state);
                add(&program, "--pcr-banks");
                add(&program, "%s", banks);
                if (fds->setup_key >= 0) {
                        add(&program, "--pwdfile-fd");
                        add(&program, "%d", fds->setup_key);
                        add(&program, "--cipher");
                        add(&program, "aes-256-cbc");
                        g_array_append_val(program.fds, fds->setup_key);
                }
                if (g_file_test(file, G_FILE_TEST_EXISTS))
                        add(&program, "--reconfigure");
                g_ptr_array_add(program.argv, NULL);
                what = program_get_launch(&program, guest, fds);
                what.dies_with_agent = true;
                ok = launch_run_to_end(&what, guest->domain->base.lane, SETUP_MS, &status, error);
        }
        program_clear(&program);
        if (!ok || status == 0)
                return ok;
        tail = guest_log_read_tail(log);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "swtpm_setup could not activate the PCR banks %s of the TPM of %s: %s", banks,
                         guest->who, *tail ? tail : "it gave no reason");
}

/* ---- the emulator of a TPM ---- */

static bool launch(struct resources *resources, const struct domain_tpm *tpm, const char *state,
                   const struct descriptors *fds, GError **error)
{
        struct guest *guest = resources->guest;
        struct program program = { NULL, NULL, NULL };
        struct launch what;
        GArray *groups = cgroup_open_fds(guest->cgroup);
        bool ok = program_init(&program, guest, "swtpm", error);

        if (ok) {
                add(&program, "socket");
                add(&program, "--ctrl");
                add(&program, "type=unixio,fd=%d", fds->socket);
                add(&program, "--tpmstate");
                add(&program, "dir=%s,mode=0600", state);
                g_array_append_val(program.fds, fds->socket);
                if (tpm->debug > 0) {
                        add(&program, "--log");
                        /* Not its standard error, which it does not take. */
                        add(&program, "fd=%d,level=%u", fds->log, (unsigned)tpm->debug);
                        g_array_append_val(program.fds, fds->log);
                }
                if (fds->key >= 0) {
                        add(&program, "--key");
                        add(&program, "pwdfd=%d,mode=aes-256-cbc", fds->key);
                        add(&program, "--migration-key");
                        add(&program, "pwdfd=%d,mode=aes-256-cbc", fds->migration_key);
                        g_array_append_val(program.fds, fds->key);
                        g_array_append_val(program.fds, fds->migration_key);
                }
                /* TPM 1.2 is what it is without an option. */
                if (!is_old(tpm)) {
                        add(&program, "-t");
                        add(&program, "--tpm2");
                }
                g_ptr_array_add(program.argv, NULL);
                what = program_get_launch(&program, guest, fds);
                what.pid_fd = fds->pid;
                what.group_fds = (const int *)(const void *)groups->data;
                what.n_group_fds = groups->len;
                ok = launch_run(&what, &guest->tpm, error);
        }
        program_clear(&program);
        cgroup_close_fds(groups);
        if (ok)
                guest->status->tpm = (struct status_process){ guest->tpm.pid, guest->tpm.start_time };
        return ok;
}

/* The passphrase, as often as it is read. */
static bool open_keys(struct resources *resources, const struct domain_tpm *tpm, struct descriptors *fds,
                      GError **error)
{
        const struct secret_ref ref = { SECRET_USAGE_VTPM, (char *)tpm->secret, NULL };
        int *const keys[] = { &fds->key, &fds->migration_key, &fds->setup_key };

        if (!tpm->encrypted)
                return true;
        if (!tpm->secret)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the <encryption> of the TPM of %s names no secret", resources->guest->who);
        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                if (!resources_get_secret(resources, &ref, keys[i], error))
                        return false;
        }
        return true;
}

static void close_keys(struct descriptors *fds)
{
        int *const keys[] = { &fds->key, &fds->migration_key, &fds->setup_key };

        for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
                if (*keys[i] >= 0)
                        close(*keys[i]);
                *keys[i] = -1;
        }
}

static bool run_emulator(struct resources *resources, const struct domain_tpm *tpm, const char *state,
                         const struct guest_log *log, struct descriptors *fds, GError **error)
{
        bool ok = open_keys(resources, tpm, fds, error) &&
                  (!tpm->pcr_banks || set_banks(resources->guest, tpm, state, log, fds, error)) &&
                  launch(resources, tpm, state, fds, error);

        close_keys(fds);
        return ok;
}

static bool prepare_emulator(struct resources *resources, const struct domain_tpm *tpm, GError **error)
{
        struct guest *guest = resources->guest;
        g_autofree char *socket = guest_get_io_path(guest, "swtpm.sock");
        g_autofree char *state = get_state_dir(guest);
        g_autofree char *log_name = get_log_name(guest);
        struct guest_log log = GUEST_LOG_NONE;
        CLEANUP_FD int fd = -1, pid_fd = -1;
        bool ok;

        if (strchr(state, ','))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "swtpm cannot keep its state in '%s', whose name has a comma", state);
        if (!make_state_dir(guest, state, error))
                return false;
        fd = guest_listen(guest, socket, 0600, error);
        if (fd < 0)
                return false;
        pid_fd = guest_open_pid_file(guest, STATUS_TPM_PID_FILE, error);
        if (pid_fd < 0 || !guest_log_open(&log, guest->driver->log_dir, log_name, "swtpm", error) ||
            !guest_label_own(guest, log.path, error)) {
                guest_log_close(&log);
                return false;
        }
        ok = run_emulator(resources, tpm, state, &log,
                          &(struct descriptors){ fd, log.fd, pid_fd, -1, -1, -1 }, error);
        guest_log_close(&log);
        if (ok)
                resources_get(resources, tpm->info.alias)->socket = g_steal_pointer(&socket);
        return ok;
}

/* ---- the host's own ---- */

#define NO_CANCEL "/dev/null"

/* Where the kernel takes the request to give up a command; NO_CANCEL where it does not. */
static char *find_cancel(const char *path)
{
        static const char *const dirs[] = { "/sys/class/tpm", "/sys/class/misc" };
        g_autofree char *name = g_path_get_basename(path);

        for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
                g_autofree char *cancel = g_build_filename(dirs[i], name, "device", "cancel", NULL);

                if (g_file_test(cancel, G_FILE_TEST_EXISTS))
                        return g_steal_pointer(&cancel);
        }
        return g_strdup(NO_CANCEL);
}

static bool open_for(struct resources *resources, const char *path, int flags, GArray *fds, GError **error)
{
        int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open %s for the TPM of %s",
                                       path, resources->guest->who);
        resources_add_fd(resources, fd);
        g_array_append_val(fds, fd);
        return true;
}

static bool prepare_passthrough(struct resources *resources, const struct domain_tpm *tpm, GError **error)
{
        struct device_resources *device = resources_get(resources, tpm->info.alias);
        const char *path = tpm->path ? tpm->path : DEFAULT_TPM;
        g_autofree char *cancel = find_cancel(path);

        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        if (!open_for(resources, path, O_RDWR, device->fds, error) ||
            !open_for(resources, cancel, O_WRONLY, device->fds, error))
                return false;
        resources_label_file(resources, path, true);
        if (strcmp(cancel, NO_CANCEL) != 0)
                resources_label_file(resources, cancel, true);
        return true;
}

bool resources_prepare_tpm(struct resources *resources, const void *device, GError **error)
{
        const struct domain_tpm *tpm = device;

        if (tpm->profile)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "<profile source='%s'> of the TPM of %s is not supported: profiles take swtpm "
                        "of version 0.10 or later, which is not asked for them",
                        tpm->profile, resources->guest->who);
        switch (tpm->backend) {
        case DOMAIN_TPM_PASSTHROUGH:
                return prepare_passthrough(resources, tpm, error);
        case DOMAIN_TPM_EMULATOR:
                return prepare_emulator(resources, tpm, error);
        default:
                return true;
        }
}
