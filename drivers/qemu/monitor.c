/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events of the emulator: what they mean for the domain's state and what is announced. Numbers of states,
 * reasons and details are libvirt's. Events come from a process that its guest may have taken over: every
 * value is checked, and what makes no sense is ignored. Lane of the domain.
 */
#include "drivers/qemu/monitor-private.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/guest-agent.h"
#include "drivers/qemu/guest-job.h"
#include "drivers/qemu/guest-rx.h"
#include "drivers/qemu/memory-bases.h"
#include "drivers/qemu/monitor-graphics.h"
#include "drivers/qemu/plug-private.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/qmp-value.h"
#include "drivers/qemu/vcpu.h"

#include <signal.h>
#include <string.h>

/* ---- helpers ---- */

/* The position of the argument's value in names, or -1. */
int monitor_get_choice(const json_t *arguments, const char *name, const char *const *names, unsigned count)
{
        const char *value = qmp_get_string(arguments, name);

        for (unsigned i = 0; value && i < count; i++) {
                if (strcmp(names[i], value) == 0)
                        return (int)i;
        }
        return -1;
}

void monitor_emit(struct guest *guest, struct domain_event *event)
{
        managed_emit(&guest->domain->base, &event->base);
}

static void emit_detail(struct guest *guest, enum domain_event_id id, int detail)
{
        struct domain_event *event = domain_event_new(id);

        event->base.detail = detail;
        monitor_emit(guest, event);
}

const struct domain_def *monitor_get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* Takes edit. */
void monitor_commit(struct guest *guest, struct domain_edit *edit)
{
        g_autoptr(GError) error = NULL;
        struct domain_def *def = domain_edit_commit(edit, &error);

        if (def)
                domain_update_active(guest->domain, def);
        else
                log_gerror(LOG_LEVEL_ERROR, error, "the active definition of %s does not change", guest->who);
}

/* ---- the CPUs ---- */

/* For the switch of a migration whose agent is gone: it goes on when it is known that the guest is here. */
static void stop_for_migration(struct guest *guest)
{
        if (domain_get_current(guest->domain)->state == DOMAIN_RUNNING)
                domain_transition(guest->domain, DOMAIN_PAUSED, DOMAIN_PAUSED_MIGRATION,
                                  DOMAIN_EVENT_SUSPENDED, DOMAIN_EVENT_SUSPENDED_MIGRATED);
}

static void on_stop(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_state *state = domain_get_current(guest->domain);
        /* It stops for that, although whoever began it is gone: whether it goes on is found out. */
        bool leaves = guest->status->departure.cookie && guest->status->departure.postcopy;

        if (guest->ends_migration && !leaves)
                stop_for_migration(guest);
        else if (state->state == DOMAIN_RUNNING)
                domain_transition(guest->domain, DOMAIN_PAUSED,
                                  leaves ? DOMAIN_PAUSED_POSTCOPY : DOMAIN_PAUSED_UNKNOWN,
                                  DOMAIN_EVENT_SUSPENDED,
                                  leaves ? DOMAIN_EVENT_SUSPENDED_POSTCOPY : DOMAIN_EVENT_SUSPENDED_PAUSED);
}

static void on_resume(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_state *state = domain_get_current(guest->domain);

        if (state->state == DOMAIN_PAUSED || state->state == DOMAIN_CRASHED)
                domain_transition(guest->domain, DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED,
                                  DOMAIN_EVENT_RESUMED, DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static void on_suspend(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        domain_transition(guest->domain, DOMAIN_PMSUSPENDED, DOMAIN_PMSUSPENDED_UNKNOWN,
                          DOMAIN_EVENT_PMSUSPENDED, DOMAIN_EVENT_PMSUSPENDED_MEMORY);
        emit_detail(guest, DOMAIN_EVENT_PM_SUSPEND, 0);
}

static void on_suspend_disk(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        domain_transition(guest->domain, DOMAIN_PMSUSPENDED, DOMAIN_PMSUSPENDED_UNKNOWN,
                          DOMAIN_EVENT_PMSUSPENDED, DOMAIN_EVENT_PMSUSPENDED_DISK);
        emit_detail(guest, DOMAIN_EVENT_PM_SUSPEND_DISK, 0);
}

static void on_wakeup(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        if (domain_get_current(guest->domain)->state == DOMAIN_PMSUSPENDED)
                domain_transition(guest->domain, DOMAIN_RUNNING, DOMAIN_RUNNING_WAKEUP, DOMAIN_EVENT_STARTED,
                                  DOMAIN_EVENT_STARTED_WAKEUP);
        emit_detail(guest, DOMAIN_EVENT_PM_WAKEUP, 0);
}

static void on_watchdog(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        /* In the order of virDomainEventWatchdogAction. */
        static const char *const actions[] = { "none",     "pause", "reset",     "poweroff",
                                               "shutdown", "debug", "inject-nmi" };
        int action = monitor_get_choice(arguments, "action", actions, G_N_ELEMENTS(actions));

        if (action < 0)
                return;
        if (strcmp(actions[action], "pause") == 0)
                domain_transition(guest->domain, DOMAIN_PAUSED, DOMAIN_PAUSED_WATCHDOG,
                                  DOMAIN_EVENT_SUSPENDED, DOMAIN_EVENT_SUSPENDED_WATCHDOG);
        emit_detail(guest, DOMAIN_EVENT_WATCHDOG, action);
}

/* ---- other devices ---- */

static void on_device_deleted(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const char *alias = qmp_get_string(arguments, "device");
        const char *path = qmp_get_string(arguments, "path");

        if (alias)
                plug_forget(guest, alias);
        if (path)
                vcpu_forget(guest, path);
}

static void on_unplug_error(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const char *alias = qmp_get_string(arguments, "device");
        g_autofree char *quoted = alias ? error_quote(alias) : NULL;

        if (quoted)
                plug_refused(guest, quoted);
}

static const struct domain_char *find_channel(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; alias && i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];

                if (chr->kind == DOMAIN_CHAR_CHANNEL && g_strcmp0(chr->info.alias, alias) == 0)
                        return chr;
        }
        return NULL;
}

static void set_channel_state(struct guest *guest, const struct domain_char *channel, bool connected)
{
        /* virConnectDomainEventAgentLifecycleState and -Reason: channel event */
        enum { CONNECTED = 1, DISCONNECTED = 2, BY_CHANNEL = 2 };
        bool is_agent = g_strcmp0(channel->target_name, GUEST_AGENT_CHANNEL) == 0;
        struct domain_event *event = NULL;
        struct domain_edit *edit;

        if (is_agent)
                guest_agent_set_present(guest, connected);
        if (g_strcmp0(channel->target_state, connected ? "connected" : "disconnected") == 0)
                return;
        if (is_agent) {
                event = domain_event_new(DOMAIN_EVENT_AGENT);
                event->base.type = connected ? CONNECTED : DISCONNECTED;
                event->base.detail = BY_CHANNEL;
        }
        edit = domain_edit_new(monitor_get_def(guest), NULL);
        if (edit) {
                domain_edit_set_channel_state(edit, channel->info.alias, connected);
                monitor_commit(guest, edit);
        }
        if (event)
                monitor_emit(guest, event);
}

static void on_port_change(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_char *channel =
                find_channel(monitor_get_def(guest), qmp_get_string(arguments, "id"));
        const json_t *open = json_object_get(arguments, "open");

        if (channel && json_is_boolean(open))
                set_channel_state(guest, channel, json_is_true(open));
}

static void on_rtc(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_clock *clock = &monitor_get_def(guest)->clock;
        const json_t *offset = json_object_get(arguments, "offset");
        struct domain_event *event;

        if (!json_is_integer(offset))
                return;
        event = domain_event_new(DOMAIN_EVENT_RTC_CHANGE);
        event->number = json_integer_value(offset);
        /* QEMU counts from the time that the guest was started with. */
        if (clock->offset == DOMAIN_CLOCK_VARIABLE && ABS(event->number) < INT32_MAX)
                event->number += clock->adjustment_s;
        monitor_emit(guest, event);
}

uint64_t monitor_get_balloon(const struct domain_def *def, const json_t *answer)
{
        json_int_t bytes = json_integer_value(json_object_get(answer, "actual"));

        return bytes > 0 ? MIN((uint64_t)bytes / 1024, def->memory_kib) : 0;
}

/* The active definition's current memory is what the guest has now. */
static void set_balloon(struct guest *guest, const json_t *answer)
{
        const struct domain_def *def = monitor_get_def(guest);
        uint64_t kib = monitor_get_balloon(def, answer);
        struct domain_edit *edit = NULL;
        struct domain_event *event;

        if (kib == 0 || kib == def->current_memory_kib)
                return;
        edit = domain_edit_new(def, NULL);
        if (!edit)
                return;
        domain_edit_set_current_memory(edit, kib);
        monitor_commit(guest, edit);
        event = domain_event_new(DOMAIN_EVENT_BALLOON_CHANGE);
        event->number = (int64_t)kib;
        monitor_emit(guest, event);
}

void monitor_ask_balloon(struct guest *guest)
{
        json_t *answer = NULL;

        if (!guest_get_monitor(guest, NULL) ||
            !qmp_execute(guest->qmp, "query-balloon", NULL, QMP_TIMEOUT_MS, &answer, NULL))
                return;
        set_balloon(guest, answer);
        json_decref(answer);
}

static void on_balloon(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        set_balloon(guest, arguments);
}

static void on_memory_failure(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        /* In the order of virDomainMemoryFailureRecipientType and -ActionType. */
        static const char *const recipients[] = { "hypervisor", "guest" };
        static const char *const actions[] = { "ignore", "inject", "fatal", "reset" };
        enum { ACTION_REQUIRED = 1, RECURSIVE = 2 };
        const json_t *flags = json_object_get(arguments, "flags");
        int recipient = monitor_get_choice(arguments, "recipient", recipients, G_N_ELEMENTS(recipients));
        int action = monitor_get_choice(arguments, "action", actions, G_N_ELEMENTS(actions));
        struct domain_event *event;

        if (recipient < 0 || action < 0)
                return;
        event = domain_event_new(DOMAIN_EVENT_MEMORY_FAILURE);
        event->base.type = recipient;
        event->base.detail = action;
        if (json_is_true(json_object_get(flags, "action-required")))
                event->number |= ACTION_REQUIRED;
        if (json_is_true(json_object_get(flags, "recursive")))
                event->number |= RECURSIVE;
        monitor_emit(guest, event);
}

static void on_migration_pass(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const json_t *pass = json_object_get(arguments, "pass");
        struct domain_event *event;

        if (!json_is_integer(pass))
                return;
        event = domain_event_new(DOMAIN_EVENT_MIGRATION_ITERATION);
        event->number = CLAMP(json_integer_value(pass), 0, INT32_MAX);
        monitor_emit(guest, event);
}

static void on_dump(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        guest_jobs_heed_dump(guest);
}

/* ---- graphics ---- */

/* virDomainEventGraphicsPhase */
enum { PHASE_CONNECT, PHASE_INITIALIZE, PHASE_DISCONNECT };

static void on_graphics(struct guest *guest, const json_t *arguments, int phase)
{
        struct domain_event *event = monitor_graphics_event(arguments, phase);

        if (event)
                monitor_emit(guest, event);
}

static void on_graphics_connected(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        on_graphics(guest, arguments, PHASE_CONNECT);
}

static void on_graphics_initialized(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        on_graphics(guest, arguments, PHASE_INITIALIZE);
}

static void on_graphics_disconnected(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        on_graphics(guest, arguments, PHASE_DISCONNECT);
}

static void on_rx_filter(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        guest_rx_note(guest, qmp_get_string(arguments, "name"));
}

/* ---- the table ---- */

typedef void (*event_handler)(struct guest *guest, const json_t *arguments, int64_t time_us);

static const struct {
        const char *name;
        event_handler handler;
} handlers[] = {
        { "BALLOON_CHANGE", on_balloon },
        { "BLOCK_IO_ERROR", monitor_on_io_error },
        { "BLOCK_WRITE_THRESHOLD", monitor_on_write_threshold },
        { "DEVICE_DELETED", on_device_deleted },
        { "DEVICE_TRAY_MOVED", monitor_on_tray },
        { "DEVICE_UNPLUG_GUEST_ERROR", on_unplug_error },
        { "DUMP_COMPLETED", on_dump },
        { "GUEST_CRASHLOADED", monitor_on_crashloaded },
        { "GUEST_PANICKED", monitor_on_panicked },
        { "MEMORY_DEVICE_SIZE_CHANGE", plug_on_memory_size },
        { "MEMORY_FAILURE", on_memory_failure },
        { "MEM_UNPLUG_ERROR", on_unplug_error },
        { "MIGRATION_PASS", on_migration_pass },
        { "NIC_RX_FILTER_CHANGED", on_rx_filter },
        { "RESET", monitor_on_reset },
        { "RESUME", on_resume },
        { "RTC_CHANGE", on_rtc },
        { "SHUTDOWN", monitor_on_shutdown },
        { "SPICE_CONNECTED", on_graphics_connected },
        { "SPICE_DISCONNECTED", on_graphics_disconnected },
        { "SPICE_INITIALIZED", on_graphics_initialized },
        { "STOP", on_stop },
        { "SUSPEND", on_suspend },
        { "SUSPEND_DISK", on_suspend_disk },
        { "VNC_CONNECTED", on_graphics_connected },
        { "VNC_DISCONNECTED", on_graphics_disconnected },
        { "VNC_INITIALIZED", on_graphics_initialized },
        { "VSERPORT_CHANGE", on_port_change },
        { "WAKEUP", on_wakeup },
        { "WATCHDOG", on_watchdog },
};

void monitor_event(const char *name, const json_t *arguments, int64_t time_us, void *data)
{
        struct guest *guest = data;
        g_autoptr(GError) error = NULL;

        if (!name) {
                if (!monitor_resync(guest, &error))
                        log_gerror(LOG_LEVEL_WARNING, error, "the state of %s is not known", guest->who);
                return;
        }
        if (routes_deliver(&guest->routes, name, arguments))
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++) {
                if (strcmp(handlers[i].name, name) == 0) {
                        handlers[i].handler(guest, arguments, time_us);
                        return;
                }
        }
}

/* ---- asking ---- */

static void set_state(struct guest *guest, const char *status)
{
        static const struct {
                const char *status;
                enum domain_run_state state;
                int reason;
                int event_type;
                int event_detail;
        } states[] = {
                { "running", DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED, DOMAIN_EVENT_RESUMED,
                  DOMAIN_EVENT_RESUMED_UNPAUSED },
                { "io-error", DOMAIN_PAUSED, DOMAIN_PAUSED_IOERROR, DOMAIN_EVENT_SUSPENDED,
                  DOMAIN_EVENT_SUSPENDED_IOERROR },
                { "watchdog", DOMAIN_PAUSED, DOMAIN_PAUSED_WATCHDOG, DOMAIN_EVENT_SUSPENDED,
                  DOMAIN_EVENT_SUSPENDED_WATCHDOG },
                { "suspended", DOMAIN_PMSUSPENDED, DOMAIN_PMSUSPENDED_UNKNOWN, DOMAIN_EVENT_PMSUSPENDED,
                  DOMAIN_EVENT_PMSUSPENDED_MEMORY },
        };

        if (monitor_see_end(guest, status))
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
                if (strcmp(states[i].status, status) == 0) {
                        domain_transition(guest->domain, states[i].state, states[i].reason,
                                          states[i].event_type, states[i].event_detail);
                        return;
                }
        }
        /* paused, prelaunch, debug, internal-error, and what is in the midst of a migration */
        if (domain_get_current(guest->domain)->state == DOMAIN_SHUTDOWN || monitor_is_reset(guest, status))
                monitor_finish_restart(guest);
        else if (guest->inherited && !guest->status->departure.postcopy &&
                 (strcmp(status, "finish-migrate") == 0 || strcmp(status, "postmigrate") == 0))
                stop_for_migration(guest);
        else
                on_stop(guest, NULL, 0);
}

/* The channels' states: "charchannel0" is the back end of the device "channel0". */
static void set_channels(struct guest *guest, const json_t *chardevs)
{
        const json_t *chardev;
        size_t i;

        json_array_foreach(chardevs, i, chardev)
        {
                const char *label = qmp_get_string(chardev, "label");
                const json_t *open = json_object_get(chardev, "frontend-open");
                const struct domain_char *channel = NULL;

                if (label && g_str_has_prefix(label, "char"))
                        channel = find_channel(monitor_get_def(guest), label + strlen("char"));
                if (channel && g_strcmp0(channel->target_type, "virtio") == 0 && json_is_boolean(open))
                        set_channel_state(guest, channel, json_is_true(open));
        }
}

/* Of a guest that an earlier agent started. */
static void set_bases(struct guest *guest)
{
        const struct domain_def *def = monitor_get_def(guest);
        struct domain_edit *edit = memory_has_slots(def) ? domain_edit_new(def, NULL) : NULL;

        if (edit && memory_ask_bases(guest->qmp, edit, def))
                monitor_commit(guest, edit);
        else if (edit)
                domain_edit_free(edit);
}

/* Jobs and the migration; what is not known yet is asked for again by whoever waits for it. */
static void resync_work(struct guest *guest, uint64_t jobs_id, uint64_t migration_id, lane_deadline deadline)
{
        json_t *jobs = NULL, *migration = NULL;

        if (!qmp_receive(guest->qmp, jobs_id, deadline, &jobs, NULL))
                jobs = NULL;
        if (!qmp_receive(guest->qmp, migration_id, deadline, &migration, NULL))
                migration = NULL;
        guest_jobs_resync(guest, jobs, migration);
        json_decref(jobs);
        json_decref(migration);
}

bool monitor_resync(struct guest *guest, GError **error)
{
        lane_deadline deadline = lane_deadline_in(QMP_TIMEOUT_MS);
        uint64_t status = qmp_send(guest->qmp, "query-status", NULL);
        uint64_t balloon = qmp_send(guest->qmp, "query-balloon", NULL);
        uint64_t chardevs = qmp_send(guest->qmp, "query-chardev", NULL);
        uint64_t jobs = qmp_send(guest->qmp, "query-jobs", NULL);
        uint64_t devices =
                qmp_send(guest->qmp, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"));
        uint64_t migration = qmp_send(guest->qmp, "query-migrate", NULL);
        json_t *answer = NULL;

        if (qmp_receive(guest->qmp, devices, deadline, &answer, NULL)) {
                plug_resync(guest, answer);
                json_decref(answer);
        }
        if (guest->inherited || guest->status->medium || guest->status->limits)
                plug_resync_disks(guest);
        vcpu_resync(guest);
        if (qmp_receive(guest->qmp, chardevs, deadline, &answer, NULL)) {
                if (guest->inherited)
                        plug_resync_forwards(guest, answer);
                set_channels(guest, answer);
                json_decref(answer);
        }
        if (qmp_receive(guest->qmp, balloon, deadline, &answer, NULL)) {
                set_balloon(guest, answer);
                json_decref(answer);
        }
        if (guest->inherited)
                set_bases(guest);
        if (!qmp_receive(guest->qmp, status, deadline, &answer, error)) {
                qmp_heed_late(guest->qmp, status);
                qmp_forget(guest->qmp, jobs);
                qmp_forget(guest->qmp, migration);
                return false;
        }
        if (qmp_get_string(answer, "status"))
                set_state(guest, qmp_get_string(answer, "status"));
        json_decref(answer);
        resync_work(guest, jobs, migration, deadline);
        guest_rx_resync(guest);
        return true;
}
