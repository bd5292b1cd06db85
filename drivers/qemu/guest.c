/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's directory, processes and monitor connection, and how it ends. Lane of its domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"
#include "base/store.h"
#include "drivers/qemu/console.h"
#include "drivers/qemu/guest-agent.h"
#include "drivers/qemu/guest-rx.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/perf.h"
#include "drivers/qemu/hooks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MONITOR_SOCKET "monitor.sock"

/* How long an emulator that was told to end may write out its images. */
#define END_KINDLY_MS 30000
/* How long the monitor's last words may take after the process has ended. */
#define LAST_WORDS_MS 1000
#define RETRY_MS      2000

/* ---- making and freeing ---- */

static void socket_free(void *data)
{
        struct guest_socket *socket = data;

        g_free(socket->alias);
        g_free(socket->path);
        g_free(socket);
}

struct guest *guest_new(struct domain *domain, struct status *status)
{
        struct guest *guest = g_new0(struct guest, 1);

        guest->domain = domain;
        guest->driver = qemu_driver_of(domain);
        guest->account = account_ref(guest->driver->account);
        guest->dir = g_build_filename(guest->driver->runtime_dir, domain->base.uuid_text, NULL);
        guest->who = g_strdup_printf("domain '%s'", status->name);
        guest->status = status;
        guest->emulator = (struct process)PROCESS_NONE;
        guest->tpm = (struct process)PROCESS_NONE;
        guest->helpers = g_ptr_array_new_with_free_func(helper_free);
        guest->consoles = g_ptr_array_new_with_free_func(console_end);
        guest->ports = g_array_new(FALSE, FALSE, sizeof(int));
        guest->perf = g_array_new(FALSE, FALSE, sizeof(struct perf_counter));
        g_array_set_clear_func(guest->perf, perf_counter_clear);
        guest->sockets = g_ptr_array_new_with_free_func(socket_free);
        routes_init(&guest->routes);
        guest->restart_reason = DOMAIN_RUNNING_BOOTED;
        guest->shutoff_reason = DOMAIN_SHUTOFF_CRASHED;
        guest->stopped_detail = DOMAIN_EVENT_STOPPED_FAILED;
        return guest;
}

void guest_free(struct guest *guest)
{
        if (!guest)
                return;
        guest_agent_set_present(guest, false);
        guest_end_questions(guest);
        guest_rx_free(guest->rx);
        routes_done(&guest->routes);
        lane_watch_free(guest->exit_watch);
        lane_timer_free(guest->end_timer);
        lane_timer_free(guest->closed_timer);
        lane_timer_free(guest->retry_timer);
        qmp_free(guest->qmp);
        process_close(&guest->emulator);
        process_close(&guest->tpm);
        qemu_caps_unref(guest->caps);
        g_ptr_array_unref(guest->helpers);
        g_ptr_array_unref(guest->consoles);
        cgroup_free(guest->cgroup);
        status_free(guest->status);
        g_array_unref(guest->ports);
        g_array_unref(guest->perf);
        g_clear_pointer(&guest->counter_kinds, g_hash_table_unref);
        json_decref(guest->vcpus);
        json_decref(guest->borrowed);
        g_ptr_array_unref(guest->sockets);
        account_unref(guest->account);
        g_free(guest->profile);
        g_free(guest->profile_text);
        g_clear_pointer(&guest->devices, g_array_unref);
        g_free(guest->context);
        g_free(guest->image_context);
        g_free(guest->dir);
        g_free(guest->who);
        g_free(guest);
}

void guest_add_socket(struct guest *guest, const char *alias, const char *path)
{
        struct guest_socket *socket = g_new(struct guest_socket, 1);

        *socket = (struct guest_socket){ g_strdup(alias), g_strdup(path) };
        g_ptr_array_add(guest->sockets, socket);
}

/* ---- files ---- */

void guest_remove_files(const char *path)
{
        DIR *dir = opendir(path);
        struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] != '.' || g_str_has_prefix(entry->d_name, ".tmp-"))
                        unlinkat(dirfd(dir), entry->d_name, 0);
        }
        closedir(dir);
        rmdir(path);
}

char *guest_get_io_dir(const struct guest *guest)
{
        return g_build_filename(guest->dir, STATUS_IO_DIR, NULL);
}

char *guest_get_io_path(const struct guest *guest, const char *name)
{
        return g_build_filename(guest->dir, STATUS_IO_DIR, name, NULL);
}

int guest_open_pid_file(const struct guest *guest, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(guest->dir, name, NULL);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make '%s'", path);
        return fd;
}

char *guest_get_memory_dir(const struct guest *guest)
{
        const struct qemu_driver *driver = guest->driver;

        if (guest->account->uid == driver->account->uid)
                return g_strdup(driver->memory_dir);
        return g_strdup_printf("%s-%u", driver->memory_dir, (unsigned)guest->account->uid);
}

char *guest_get_nvram_path(const struct qemu_driver *driver, const struct uuid *uuid, const char *format)
{
        char text[UUID_STRING_LENGTH + 1];

        return g_strdup_printf("%s/%s_VARS.%s", driver->nvram_dir, uuid_format(uuid, text),
                               strcmp(format, "raw") == 0 ? "fd" : format);
}

char *guest_get_pstore_path(const struct qemu_driver *driver, const struct uuid *uuid)
{
        char text[UUID_STRING_LENGTH + 1];

        return g_strdup_printf("%s/%s_PSTORE.raw", driver->nvram_dir, uuid_format(uuid, text));
}

static bool make_dir(const char *path, mode_t mode, GError **error)
{
        if ((mkdir(path, mode) < 0 && errno != EEXIST) || chmod(path, mode) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make directory '%s'", path);
        return true;
}

/* The outer directory is the agent's: what is in it is believed. The emulator's user may only pass through to
 * its own. */
/* A user of this guest's own has to pass through what no other guest's user has to. */
static bool open_dirs(const struct guest *guest, GError **error)
{
        const struct qemu_driver *driver = guest->driver;
        g_autofree char *state = g_path_get_dirname(driver->state_dir);
        g_autofree char *run = g_path_get_dirname(driver->runtime_dir);
        const char *const dirs[] = {
                state, run, driver->state_dir, driver->runtime_dir, driver->nvram_dir, driver->tpm_dir,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
                if (chmod(dirs[i], 0711) < 0)
                        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s' to user '%s'",
                                               dirs[i], guest->account->name);
        }
        return true;
}

bool guest_make_dirs(struct guest *guest, GError **error)
{
        const struct account *account = guest->account;
        g_autofree char *io = guest_get_io_dir(guest);

        if (!account->is_own && guest->driver->account->is_own && !open_dirs(guest, error))
                return false;

        guest_remove_files(io);
        guest_remove_files(guest->dir);
        if (!make_dir(guest->dir, account->is_own ? 0700 : 0711, error) || !make_dir(io, 0700, error))
                return false;
        if (!account->is_own && chown(io, account->uid, account->gid) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' to user '%s'", io,
                                       account->name);
        return guest_label_own(guest, io, error);
}

static bool is_saved(const struct guest *guest, const struct domain_state *state)
{
        const struct status *status = guest->status;

        return !guest->changed && status->xml && status->state == state->state &&
               status->reason == state->reason && status->sleeps == state->sleeps &&
               status->id == state->id && g_strcmp0(status->owner, state->owner) == 0 &&
               strcmp(status->xml, state->base.active->xml) == 0;
}

bool guest_save(struct guest *guest, const struct domain_state *state, GError **error)
{
        struct status *status = guest->status;

        if (is_saved(guest, state))
                return true;
        status->state = state->state;
        status->reason = state->reason;
        status->sleeps = state->sleeps;
        status->id = state->id;
        g_free(status->owner);
        status->owner = g_strdup(state->owner);
        g_free(status->xml);
        status->xml = g_strdup(state->base.active->xml);
        guest->changed = !status_write(guest->dir, status, error);
        return !guest->changed;
}

/* ---- sockets ---- */

/* A socket address holds 107 bytes of path; by way of the directory's descriptor any path will do. */
static bool make_address(struct sockaddr_un *address, const char *path, int *dir_fd, GError **error)
{
        g_autofree char *dir = g_path_get_dirname(path), *base = g_path_get_basename(path);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*dir_fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open directory '%s'", dir);
        if ((size_t)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", *dir_fd,
                             base) >= sizeof(address->sun_path))
                return error_set_errno(error, ERROR_FROM_QEMU, ENAMETOOLONG, "cannot use socket '%s'", path);
        return true;
}

int guest_make_socket(const struct guest *guest, GError **error)
{
        int fd, errnum;

        if (!guest_begin_sockets(guest, error))
                return -1;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        errnum = errno;
        guest_end_sockets(guest);
        if (fd < 0)
                error_set_errno(error, ERROR_FROM_QEMU, errnum, "cannot make a socket for %s", guest->who);
        return fd;
}

static int listen_at(const struct guest *guest, const char *path, mode_t mode, const struct account *owner,
                     GError **error)
{
        CLEANUP_FD int fd = guest_make_socket(guest, error);
        CLEANUP_FD int dir_fd = -1;
        struct sockaddr_un address;
        struct stat st;

        if (fd < 0 || !make_address(&address, path, &dir_fd, error))
                return -1;
        if (lstat(address.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
                unlink(address.sun_path);
        /* The mode of the descriptor is that of the file which bind makes. */
        if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            (owner && lchown(address.sun_path, owner->uid, owner->gid) < 0) || listen(fd, 8) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make socket '%s'", path);
                return -1;
        }
        return fd_steal(&fd);
}

int guest_listen(const struct guest *guest, const char *path, mode_t mode, GError **error)
{
        const struct account *account = guest->account;

        return listen_at(guest, path, mode, account->is_own ? NULL : account, error);
}

/* The agent's alone: the emulator has the descriptor, and other guests of its user have no business there. */
int guest_listen_monitor(struct guest *guest, GError **error)
{
        g_autofree char *path = g_build_filename(guest->dir, MONITOR_SOCKET, NULL);

        return listen_at(guest, path, 0600, NULL, error);
}

int guest_open_monitor(const char *path, const char *who, GError **error)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CLEANUP_FD int dir_fd = -1;
        struct sockaddr_un address;

        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a socket for the monitor of %s",
                                who);
                return -1;
        }
        if (!make_address(&address, path, &dir_fd, error))
                return -1;
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot connect to the monitor of %s", who);
                return -1;
        }
        return fd_steal(&fd);
}

bool guest_connect(struct guest *guest, GError **error)
{
        g_autofree char *own = g_build_filename(guest->dir, MONITOR_SOCKET, NULL);
        int fd = guest_open_monitor(guest->status->monitor ? guest->status->monitor : own, guest->who, error);

        if (fd < 0)
                return false;
        guest->qmp = qmp_new(guest->domain->base.lane, fd, guest->who);
        if (qmp_watch(guest->qmp, monitor_event, monitor_closed, guest, error))
                return true;
        g_clear_pointer(&guest->qmp, qmp_free);
        return false;
}

/* The emulator runs on, without us: commands will try to connect again. */
static void miss_monitor(void *data)
{
        struct guest *guest = data;

        g_clear_pointer(&guest->closed_timer, lane_timer_free);
        log_warning("lost the monitor of %s", guest->who);
        guest_end_questions(guest);
        managed_emit(&guest->domain->base, &domain_event_new(DOMAIN_EVENT_CONTROL_ERROR)->base);
}

/* A process that ends closes its sockets a moment before its end is seen. */
static void wait_for_end(struct guest *guest)
{
        lane_timer_free(guest->closed_timer);
        guest->closed_timer = lane_timer_new(guest->domain->base.lane, LAST_WORDS_MS, miss_monitor, guest);
}

struct qmp *guest_get_monitor(struct guest *guest, GError **error)
{
        if (guest->qmp && qmp_is_broken(guest->qmp)) {
                guest_forget_calls(guest);
                g_clear_pointer(&guest->qmp, qmp_free);
                wait_for_end(guest);
        }
        if (guest->qmp)
                return guest->qmp;
        if (!guest_connect(guest, error))
                return NULL;
        g_clear_pointer(&guest->closed_timer, lane_timer_free);
        guest_end_questions(guest);
        return guest->qmp;
}

static void retry(void *data)
{
        struct guest *guest = data;

        g_clear_pointer(&guest->retry_timer, lane_timer_free);
        guest_reconnect(guest);
}

/*
 * An emulator that hangs has no room for one more connection, or does not answer; the state that was written
 * down holds until it does: the monitor says so when it is late (monitor_event() without a name).
 */
void guest_reconnect(struct guest *guest)
{
        g_autoptr(GError) error = NULL;

        if (guest->exited)
                return;
        if (!guest_get_monitor(guest, &error)) {
                guest->retry_timer = lane_timer_new(guest->domain->base.lane, RETRY_MS, retry, guest);
                return;
        }
        if ((!qmp_handshake(guest->qmp, lane_deadline_in(QMP_TIMEOUT_MS), &error) ||
             !monitor_resync(guest, &error)) &&
            !error_is(error, ERROR_OPERATION_ABORTED))
                log_gerror(LOG_LEVEL_WARNING, error, "the state of %s is not known", guest->who);
}

/* ---- the end ---- */

/* The process is gone and the monitor has said its last: the one place where a guest that ended by itself is
 * announced. */
static void announce_end(struct guest *guest)
{
        struct domain *domain = guest->domain;
        int reason = guest->shutoff_reason, detail = guest->stopped_detail;

        lane_shield(domain->base.lane);
        domain->live = NULL;
        guest_release(guest);
        domain_stopped(domain, reason, detail);
}

static void wait_enough(void *data)
{
        announce_end(data);
}

static void see_exit(void *data)
{
        struct guest *guest = data;

        guest->exited = true;
        g_clear_pointer(&guest->exit_watch, lane_watch_free);
        g_clear_pointer(&guest->end_timer, lane_timer_free);
        if (!guest->qmp || qmp_is_closed(guest->qmp))
                announce_end(guest);
        else
                guest->end_timer =
                        lane_timer_new(guest->domain->base.lane, LAST_WORDS_MS, wait_enough, guest);
}

bool guest_watch(struct guest *guest, GError **error)
{
        guest->exit_watch = lane_watch_new(guest->domain->base.lane, guest->emulator.pidfd, POLLIN, see_exit,
                                           guest, error);
        return guest->exit_watch != NULL;
}

void monitor_closed(const GError *error, void *data)
{
        struct guest *guest = data;

        log_debug("%s", error->message);
        if (guest->exited) {
                announce_end(guest);
                return;
        }
        wait_for_end(guest);
}

static void end_unkindly(void *data)
{
        struct guest *guest = data;

        log_warning("the emulator of %s takes too long to end and is killed", guest->who);
        process_signal(&guest->emulator, SIGKILL);
}

void guest_end(struct guest *guest, int shutoff_reason, int stopped_detail)
{
        if (guest->ending || guest->exited)
                return;
        guest->ending = true;
        guest->shutoff_reason = shutoff_reason;
        guest->stopped_detail = stopped_detail;
        process_signal(&guest->emulator, SIGTERM);
        guest->end_timer = lane_timer_new(guest->domain->base.lane, END_KINDLY_MS, end_unkindly, guest);
}
