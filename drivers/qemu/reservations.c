/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper for persistent reservations: its start, end and new start. Lane of the domain.
 */
#include "drivers/qemu/reservations.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/resources.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_NAME "pr-helper0.sock"
#define PROGRAM     "qemu-pr-helper"
/* It wants to know of multipath devices. */
#define MAPPER_CONTROL "/dev/mapper/control"
/* One that has run for less has failed, and after that many in a row there will be no other. */
#define SHORT_US     (10 * G_USEC_PER_SEC)
#define FAILURES_MAX 5

static bool is_managed(const struct domain_disk *disk)
{
        return disk->source.reservations && disk->source.reservations->managed == DOMAIN_SWITCH_ON;
}

/* except: alias of a disk that does not count; NULL: all do. */
static bool is_needed(const struct domain_def *def, const char *except)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (is_managed(disk) && g_strcmp0(disk->info.alias, except) != 0)
                        return true;
        }
        return false;
}

static bool is_there(const struct guest *guest)
{
        for (unsigned i = 0; i < guest->helpers->len; i++) {
                const struct helper *helper = g_ptr_array_index(guest->helpers, i);

                if (strcmp(helper->program, HELPER_RESERVATIONS) == 0)
                        return true;
        }
        return false;
}

/* In the path, or where Fedora has it; owned. */
static char *find_program(void)
{
        static const char elsewhere[] = "/usr/libexec/" PROGRAM;
        char *program = g_find_program_in_path(PROGRAM);

        if (program || access(elsewhere, X_OK) < 0)
                return program;
        return g_strdup(elsewhere);
}

bool reservations_prepare(struct resources *resources, const struct domain_disk *disk, GError **error)
{
        const struct domain_reservations *reservations = disk->source.reservations;
        g_autofree char *path = NULL, *program = NULL;

        if (!reservations)
                return true;
        if (!is_managed(disk)) {
                resources_allow(resources, reservations->path, true, false);
                return true;
        }
        program = find_program();
        if (!program)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<reservations managed='yes'> of disk '%s' need the program '" PROGRAM
                                 "', which is not installed (on Debian it is in the package "
                                 "qemu-system-common, on Fedora in qemu-pr-helper)",
                                 disk->target);
        if (geteuid() != 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<reservations managed='yes'> of disk '%s': " PROGRAM
                                 " needs root, and the agent is not",
                                 disk->target);
        path = guest_get_io_path(resources->guest, SOCKET_NAME);
        domain_edit_set_reservations(resources->edit, disk->info.alias, path);
        resources_allow(resources, path, true, false);
        if (access(MAPPER_CONTROL, F_OK) == 0)
                resources_allow(resources, MAPPER_CONTROL, true, false);
        return true;
}

static bool run(struct guest *guest, int socket, int pid_fd, struct process *process, GError **error)
{
        g_autofree char *program = find_program();
        char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
        char *argv[] = { program, NULL };
        CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        GArray *groups = cgroup_open_fds(guest->cgroup);
        const struct launch what = {
                .argv = argv,
                .env = env,
                .account = guest->driver->account,
                .privileged = true,
                .output_fd = null,
                .pid_fd = pid_fd,
                .listen_fd = socket,
                .group_fds = (const int *)(const void *)groups->data,
                .n_group_fds = groups->len,
        };
        bool ok = program ? launch_run(&what, process, error)
                          : error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                      "the program '" PROGRAM "' has been removed");

        cgroup_close_fds(groups);
        return ok;
}

/* It gets a socket that listens already, so that nobody waits for it. */
static bool start(struct guest *guest, GError **error)
{
        g_autofree char *path = guest_get_io_path(guest, SOCKET_NAME);
        CLEANUP_FD int socket = guest_listen(guest, path, 0600, error), pid_fd = -1;
        struct process process;

        if (socket < 0)
                return false;
        pid_fd = guest_open_pid_file(guest, STATUS_RESERVATIONS_PID_FILE, error);
        if (pid_fd < 0 || !run(guest, socket, pid_fd, &process, error))
                return false;
        guest->helper_us = g_get_monotonic_time();
        return helper_watch(helper_add(guest, HELPER_RESERVATIONS, HELPER_RESERVATIONS, &process), error);
}

bool reservations_start(struct guest *guest, const struct domain_def *def, GError **error)
{
        return !is_needed(def, NULL) || is_there(guest) || start(guest, error);
}

void reservations_drop(struct guest *guest, const struct domain_def *def, const char *alias)
{
        g_autofree char *path = guest_get_io_path(guest, SOCKET_NAME);

        if (!is_there(guest) || is_needed(def, alias))
                return;
        helper_end(guest, HELPER_RESERVATIONS);
        unlink(path);
}

/* The number of those in a row that have not lived; 0: this one has. */
static unsigned count_failures(struct guest *guest)
{
        gint64 lived_us = g_get_monotonic_time() - guest->helper_us;

        guest->helper_failures = lived_us < SHORT_US ? guest->helper_failures + 1 : 0;
        return guest->helper_failures;
}

void reservations_restart(struct guest *guest)
{
        struct domain_state *state;
        g_autoptr(GError) failure = NULL;

        helper_end(guest, HELPER_RESERVATIONS);
        if (count_failures(guest) > FAILURES_MAX) {
                log_warning(PROGRAM
                            " of %s ends again and again: its guest has no persistent reservations until "
                            "its disk is plugged in again",
                            guest->who);
                return;
        }
        state = (struct domain_state *)managed_edit(&guest->domain->base);
        guest->changed = true;
        if (!start(guest, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, PROGRAM " of %s has ended and is not there again",
                           guest->who);
        else
                log_notice(PROGRAM " of %s had ended, and is there again", guest->who);
        g_clear_error(&failure);
        if (!guest_save(guest, state, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
        managed_state_unref(&state->base);
}
