/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is the same for all helpers of a guest. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/helper.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/reservations.h"
#include "drivers/security/svirt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* An emulator that ends takes its helpers along; one that has not ended by then has lost this one. */
#define ALONE_MS 1000

/* ---- its start ---- */

bool helper_make_sockets(struct guest *guest, const char *alias, int *own, int *emulators, GError **error)
{
        int pair[2], errnum;

        if (!guest_begin_sockets(guest, error))
                return false;
        errnum = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? 0 : errno;
        guest_end_sockets(guest);
        if (errnum != 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errnum,
                                       "cannot make the sockets of device '%s'", alias);
        *own = pair[0];
        *emulators = pair[1];
        return true;
}

bool helper_run(struct guest *guest, const GPtrArray *argv, int fd, int log_fd, struct process *process,
                GError **error)
{
        char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/bin:/bin", NULL };
        GArray *groups = cgroup_open_fds(guest->cgroup);
        const char *context = guest_get_helper_context(guest, g_ptr_array_index(argv, 0));
        const struct launch what = {
                .argv = (char *const *)argv->pdata,
                .env = env,
                .account = guest->account,
                .output_fd = log_fd,
                .pid_fd = -1,
                .fds = &fd,
                .n_fds = 1,
                .group_fds = (const int *)(const void *)groups->data,
                .n_group_fds = groups->len,
                .label_file = context ? SVIRT_EXEC_FILE : NULL,
                .label = context,
        };
        bool ok = launch_run(&what, process, error);

        cgroup_close_fds(groups);
        return ok;
}

/* ---- its end ---- */

/* So that the guest knows. */
static void take_link_down(const struct helper *helper)
{
        struct guest *guest = helper->guest;
        g_autoptr(GError) failure = NULL;

        if (!guest->qmp ||
            qmp_execute(guest->qmp, "set_link", json_pack("{s:s, s:b}", "name", helper->alias, "up", 0),
                        QMP_TIMEOUT_MS, NULL, &failure))
                return;
        log_gerror(LOG_LEVEL_WARNING, failure, "the link of '%s' of %s stays up", helper->alias, guest->who);
}

static void see_end(void *data)
{
        struct helper *helper = data;
        struct guest *guest = helper->guest;

        g_clear_pointer(&helper->timer, lane_timer_free);
        if (guest->exited || process_has_ended(&guest->emulator))
                return;
        if (strcmp(helper->program, HELPER_RESERVATIONS) == 0) {
                reservations_restart(guest); /* frees helper */
        } else if (strcmp(helper->program, "passt") == 0) {
                log_warning(
                        "passt of interface '%s' of %s has ended: the interface has no network until it is "
                        "plugged in again",
                        helper->alias, guest->who);
                take_link_down(helper);
        } else if (strcmp(helper->program, HELPER_BUS) == 0) {
                log_warning("the bus of %s has ended: its display can be seen again after its next start",
                            guest->who);
        } else {
                log_warning(
                        "%s of device '%s' of %s has ended: the device does not work until it is plugged in "
                        "again",
                        helper->program, helper->alias, guest->who);
        }
}

static void miss(void *data)
{
        struct helper *helper = data;

        g_clear_pointer(&helper->watch, lane_watch_free);
        helper->timer = lane_timer_new(helper->guest->domain->base.lane, ALONE_MS, see_end, helper);
}

bool helper_watch(struct helper *helper, GError **error)
{
        helper->watch = lane_watch_new(helper->guest->domain->base.lane, helper->process.pidfd, POLLIN, miss,
                                       helper, error);
        return helper->watch != NULL;
}

void helper_free(void *data)
{
        struct helper *helper = data;

        lane_watch_free(helper->watch);
        lane_timer_free(helper->timer);
        process_close(&helper->process);
        g_free(helper->program);
        g_free(helper->alias);
        g_free(helper);
}

void helper_end(struct guest *guest, const char *alias)
{
        for (unsigned i = guest->helpers->len; i-- > 0;) {
                struct helper *helper = g_ptr_array_index(guest->helpers, i);

                if (alias && strcmp(helper->alias, alias) != 0)
                        continue;
                g_clear_pointer(&helper->watch, lane_watch_free);
                process_end(&helper->process, guest->domain->base.lane);
                g_ptr_array_remove_index(guest->helpers, i);
        }
        status_drop_helper(guest->status, alias);
}

/* ---- its life ---- */

/* Takes process. */
static struct helper *helper_new(struct guest *guest, const char *program, const char *alias,
                                 const struct process *process)
{
        struct helper *helper = g_new0(struct helper, 1);

        helper->guest = guest;
        helper->program = g_strdup(program);
        helper->alias = g_strdup(alias);
        helper->process = *process;
        g_ptr_array_add(guest->helpers, helper);
        return helper;
}

struct helper *helper_add(struct guest *guest, const char *program, const char *alias,
                          const struct process *process)
{
        status_add_helper(guest->status, program, alias,
                          &(struct status_process){ process->pid, process->start_time });
        return helper_new(guest, program, alias, process);
}

void helper_take_over(struct guest *guest)
{
        for (unsigned i = 0; i < guest->status->helpers->len; i++) {
                const struct status_helper *noted = g_ptr_array_index(guest->status->helpers, i);
                struct process process;
                struct helper *helper;
                g_autoptr(GError) failure = NULL;

                process_open(&process, noted->process.pid, noted->process.start_time, &failure);
                helper = helper_new(guest, noted->program, noted->alias, &process);
                /* What has ended while there was no agent is told as what ends now, once there is a monitor.
                 */
                if (!process_is_open(&process))
                        miss(helper);
                else
                        helper_watch(helper, &failure);
                if (failure)
                        log_gerror(LOG_LEVEL_WARNING, failure, "the end of %s of '%s' of %s is not seen",
                                   noted->program, noted->alias, guest->who);
        }
}
