/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a guest ends by itself: it powers off, is reset, or crashes, and the definition says what becomes of
 * it. Lane of the domain.
 */
#include "drivers/qemu/monitor-private.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

static bool is_action(const char *action, const char *name, bool is_default)
{
        return action ? strcmp(action, name) == 0 : is_default;
}

/* ---- power ---- */

static void fail_restart(struct guest *guest, const GError *error)
{
        log_gerror(LOG_LEVEL_ERROR, error, "%s cannot be restarted and is stopped", guest->who);
        guest_end(guest, DOMAIN_SHUTOFF_FAILED, DOMAIN_EVENT_STOPPED_FAILED);
}

/* The guest starts over in the same emulator: it is reset, and goes on when the reset has happened. */
static void restart(struct guest *guest, int reason)
{
        g_autoptr(GError) error = NULL;

        guest->restarting = true;
        guest->restart_reason = reason;
        if (!qmp_execute(guest->qmp, "system_reset", NULL, QMP_TIMEOUT_MS, NULL, &error))
                fail_restart(guest, error);
}

static bool is_asleep(const struct guest *guest)
{
        return domain_get_current(guest->domain)->state == DOMAIN_PMSUSPENDED;
}

/*
 * Only PCs sleep in QEMU. When one does, QEMU writes into the memory of its clock (byte 15, the shutdown
 * status) that firmware is to wake it up, and would find it woken up after a reset, too. It has been reset,
 * and no CPU runs that could be at those ports.
 */
static void forget_sleep(struct guest *guest)
{
        static const char *const lines[] = { "o /b 0x70 0xf", "o /b 0x71 0" };
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                if (qmp_execute(guest->qmp, "human-monitor-command",
                                json_pack("{s:s}", "command-line", lines[i]), QMP_TIMEOUT_MS, NULL, &error))
                        continue;
                log_gerror(LOG_LEVEL_WARNING, error, "%s may wake up rather than start over", guest->who);
                return;
        }
}

void monitor_finish_restart(struct guest *guest)
{
        bool crashed = domain_get_current(guest->domain)->state == DOMAIN_CRASHED;
        g_autoptr(GError) error = NULL;
        uint64_t cont;

        /* An agent that is gone has had it reset, or somebody who has another monitor. */
        if (!guest->restarting)
                guest->restart_reason = crashed ? DOMAIN_RUNNING_CRASHED : DOMAIN_RUNNING_BOOTED;
        guest->restarting = false;
        if (is_asleep(guest))
                forget_sleep(guest);
        cont = qmp_send(guest->qmp, "cont", NULL);
        if (!qmp_receive(guest->qmp, cont, lane_deadline_in(QMP_TIMEOUT_MS), NULL, &error)) {
                fail_restart(guest, error);
                return;
        }
        qmp_claim_events(guest->qmp, cont, "RESUME");
        guest->status->shutdown_seen = guest->status->fake_reboot = false;
        guest->changed = true;
        domain_transition(guest->domain, DOMAIN_RUNNING, guest->restart_reason, DOMAIN_EVENT_RESUMED,
                          DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static void shut_down(struct guest *guest, int detail, bool for_good)
{
        const struct domain_def *def = monitor_get_def(guest);
        bool again =
                !for_good && (guest->status->fake_reboot || is_action(def->on_poweroff, "restart", false));

        if (guest->status->shutdown_seen)
                return;
        guest->status->shutdown_seen = true;
        guest->changed = true;
        domain_transition(guest->domain, DOMAIN_SHUTDOWN, DOMAIN_SHUTDOWN_UNKNOWN, DOMAIN_EVENT_SHUTDOWN,
                          detail);
        if (again)
                restart(guest, DOMAIN_RUNNING_BOOTED);
        else
                guest_end(guest, DOMAIN_SHUTOFF_SHUTDOWN, DOMAIN_EVENT_STOPPED_SHUTDOWN);
}

/* A reset that the definition makes a shutdown: the end, whatever is to become of one that powers off. */
static bool is_reset(const json_t *arguments)
{
        const char *reason = qmp_get_string(arguments, "reason");

        return reason && (strcmp(reason, "guest-reset") == 0 || strcmp(reason, "host-qmp-system-reset") == 0);
}

void monitor_on_shutdown(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const json_t *by_guest = json_object_get(arguments, "guest");
        int detail = DOMAIN_EVENT_SHUTDOWN_FINISHED;

        if (guest->ending)
                return;
        if (by_guest)
                detail = json_is_true(by_guest) ? DOMAIN_EVENT_SHUTDOWN_GUEST : DOMAIN_EVENT_SHUTDOWN_HOST;
        shut_down(guest, detail, is_reset(arguments));
}

bool monitor_is_reset(const struct guest *guest, const char *status)
{
        const char *action = monitor_get_def(guest)->on_crash;

        if (strcmp(status, "prelaunch") != 0)
                return false;
        switch (domain_get_current(guest->domain)->state) {
        case DOMAIN_PMSUSPENDED:
                return true;
        case DOMAIN_CRASHED:
                /* Else somebody has reset it, who will let it go on. */
                return is_action(action, "restart", false) || is_action(action, "coredump-restart", false);
        default:
                return false;
        }
}

/* The event may be that of a reset before it fell asleep. */
static bool is_reset_asleep(struct guest *guest)
{
        json_t *answer = NULL;
        const char *status;
        bool is_reset;

        if (!is_asleep(guest) ||
            !qmp_execute(guest->qmp, "query-status", NULL, QMP_TIMEOUT_MS, &answer, NULL))
                return false;
        status = qmp_get_string(answer, "status");
        is_reset = status && monitor_is_reset(guest, status);
        json_decref(answer);
        return is_reset;
}

void monitor_on_reset(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        monitor_emit(guest, domain_event_new(DOMAIN_EVENT_REBOOT));
        if (guest->restarting || is_reset_asleep(guest))
                monitor_finish_restart(guest);
}

/* ---- a guest that sleeps ---- */

static bool is_reset_event(const char *name, const json_t *arguments, void *data)
{
        return strcmp(name, "RESET") == 0;
}

bool monitor_reset_asleep(struct guest *guest, GError **error)
{
        if (!guest_get_monitor(guest, error))
                return false;
        guest->restarting = true;
        guest->restart_reason = DOMAIN_RUNNING_BOOTED;
        if (!qmp_execute(guest->qmp, "system_reset", NULL, QMP_TIMEOUT_MS, NULL, error)) {
                guest->restarting = false;
                return false;
        }
        if (!qmp_wait_event(guest->qmp, is_reset_event, NULL, lane_deadline_in(QMP_TIMEOUT_MS), error))
                return false;
        monitor_on_reset(guest, NULL, 0);
        return true;
}

/* ---- crashes ---- */

static bool is_dumped(const char *action)
{
        return action && g_str_has_prefix(action, "coredump-");
}

void monitor_end_crash(struct guest *guest)
{
        const char *action = monitor_get_def(guest)->on_crash;

        guest->dumping = false;
        /* Somebody may have paused it meanwhile, or let it go on. */
        if (guest->ending || domain_get_current(guest->domain)->state != DOMAIN_CRASHED)
                return;
        if (is_action(action, "restart", false) || is_action(action, "coredump-restart", false))
                restart(guest, DOMAIN_RUNNING_CRASHED);
        else if (!is_action(action, "preserve", false))
                guest_end(guest, DOMAIN_SHUTOFF_CRASHED, DOMAIN_EVENT_STOPPED_CRASHED);
}

static void heed_crash(struct guest *guest)
{
        if (guest->dumping || guest->restarting)
                return;
        if (is_dumped(monitor_get_def(guest)->on_crash)) {
                guest->dumping = true;
                domain_dump_crash(guest->domain);
        } else
                monitor_end_crash(guest);
}

void monitor_on_panicked(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        if (guest->ending || domain_get_current(guest->domain)->state == DOMAIN_CRASHED)
                return;
        domain_transition(guest->domain, DOMAIN_CRASHED, DOMAIN_CRASHED_PANICKED, DOMAIN_EVENT_CRASHED,
                          DOMAIN_EVENT_CRASHED_PANICKED);
        heed_crash(guest);
}

void monitor_on_crashloaded(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        managed_emit(&guest->domain->base,
                     managed_event_new(DOMAIN_EVENT_CRASHED, DOMAIN_EVENT_CRASHED_CRASHLOADED));
}

/* ---- asked ---- */

bool monitor_see_end(struct guest *guest, const char *status)
{
        bool crashed = domain_get_current(guest->domain)->state == DOMAIN_CRASHED;

        if (strcmp(status, "shutdown") == 0)
                shut_down(guest, DOMAIN_EVENT_SHUTDOWN_FINISHED, false);
        else if (strcmp(status, "guest-panicked") != 0)
                return false;
        /* Whoever saw it crash may not have come to what was to be done then. */
        else if (crashed)
                heed_crash(guest);
        else
                monitor_on_panicked(guest, NULL, 0);
        return true;
}
