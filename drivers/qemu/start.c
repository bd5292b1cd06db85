/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a guest, in this order, so that a crash of the agent at any moment leaves something that its
 * successor understands:
 *
 *     its directory; what it needs of the host; the status document; images change hands; its control group,
 *     noted in the status document; what confines it; the emulator, which writes its own pid file; the monitor: setup and "go" in one write; the status document again.
 *
 * Until the second status document nobody has been told, and what is found is cleaned up. Lane of the domain;
 * an interrupt ends the start wherever it waits.
 */
#include "drivers/qemu/hooks.h"
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "drivers/domain/check.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/affinity.h"
#include "drivers/qemu/arrive-disks.h"
#include "drivers/qemu/command.h"
#include "drivers/qemu/depart.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/memory-bases.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/reservations.h"
#include "drivers/qemu/resources.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tuning.h"
#include "drivers/qemu/save.h"
#include "drivers/qemu/perf.h"
#include "drivers/qemu/placement.h"
#include "drivers/qemu/vcpu.h"
#include "drivers/security/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* How long an emulator may get nowhere before it answers, and how often it is looked at. */
#define STILL_MS 30000
/* ... and how long it may compute meanwhile without touching another page. */
#define SPIN_MS  60000
#define SLICE_MS 1000
/* How long the end of an emulator whose monitor has closed may take. */
#define EXIT_MS 1000

struct start {
        struct guest *guest;          /* borrowed */
        const struct qemu_caps *caps; /* ref */
        struct domain_def *def;       /* ref; the live one */
        struct resources resources;
        struct qemu_command *command; /* owned */
        struct guest_log log;
        int monitor_fd;                 /* borrowed from resources */
        struct domain_image *image;     /* borrowed; NULL: the guest boots */
        struct domain_arrival *arrival; /* borrowed; it comes from another host, NULL: no */
        struct process_patience patience;
        lane_deadline deadline;
};

/* ---- before the emulator ---- */

static bool check_action(const char *event, const char *action, const char *const *known, GError **error)
{
        if (!action || g_strv_contains(known, action))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, "<%s>%s</%s> is not supported",
                         event, action, event);
}

static bool check_actions(const struct domain_def *def, GError **error)
{
        static const char *const off[] = { "destroy", "restart", NULL };
        static const char *const crash[] = { "destroy",          "restart",          "preserve",
                                             "coredump-destroy", "coredump-restart", NULL };

        return check_action("on_poweroff", def->on_poweroff, off, error) &&
               check_action("on_reboot", def->on_reboot, off, error) &&
               check_action("on_crash", def->on_crash, crash, error);
}

bool guest_set_lifecycle_action(struct domain *domain, unsigned event, const struct domain_def *live,
                                GError **error)
{
        struct guest *guest = guest_of(domain);
        bool restarts = !live->on_reboot || strcmp(live->on_reboot, "restart") == 0;
        struct qmp *qmp;

        if (!check_actions(live, error))
                return false;
        /* The others are looked up when it happens. */
        if (event != DOMAIN_LIFECYCLE_REBOOT)
                return true;
        qmp = guest_get_monitor(guest, error);
        return qmp &&
               qmp_execute(qmp, "set-action", json_pack("{s:s}", "reboot", restarts ? "reset" : "shutdown"),
                           QMP_TIMEOUT_MS, NULL, error);
}

/* A directory whose emulator lives is somebody's guest, whatever the registry knows of it. */
static bool check_unused(const struct guest *guest, GError **error)
{
        struct status_process known;
        struct process process;
        g_autoptr(GError) failure = NULL;

        if (!status_read_pid(guest->dir, STATUS_PID_FILE, &known) ||
            !process_open(&process, known.pid, known.start_time, &failure))
                return true;
        process_close(&process);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                         "%s still has a running emulator (pid %d)", guest->who, (int)known.pid);
}

static bool prepare(struct start *start, const struct domain_def *activated, const struct domain_start *how,
                    GError **error)
{
        struct domain_edit *edit = domain_edit_new(activated, error);

        if (!edit)
                return false;
        domain_edit_align_memory(edit, qemu_command_get_memory_unit_kib(activated->os.arch));
        resources_init(&start->resources, start->guest, activated, edit, how);
        if (start->arrival && start->arrival->flags & DOMAIN_MIGRATE_TLS)
                resources_add_tls_check(&start->resources, start->guest->driver->tls_dir, true);
        if (start->guest->cgroup && !activated->partition)
                domain_edit_set_partition(edit, GUEST_PARTITION);
        vcpu_number(activated, edit);
        if (!placement_choose(start->guest, activated, edit, error) ||
            !resources_prepare(&start->resources, error)) {
                domain_edit_free(edit);
                return false;
        }
        start->def = domain_edit_commit(edit, error);
        /* The document that they were made from goes with the caller. */
        start->resources.def = start->def;
        start->resources.edit = NULL;
        return start->def != NULL;
}

static bool build_command(struct start *start, GError **error)
{
        struct guest *guest = start->guest;
        g_autofree char *home = guest_get_io_dir(guest), *memory = guest_get_memory_dir(guest);
        const struct host_cpu *host_cpu = host_get_cpu(guest->driver->base.host);
        struct qemu_command_context context = {
                .home = home,
                .host_cpu = host_cpu ? &host_cpu->features : NULL,
                .resources = start->resources.by_alias,
                .memory = memory,
                .dmi = "/sys/class/dmi/id",
                .tls_dir = guest->driver->tls_dir,
                .spice_tls = guest->driver->spice_tls_dir,
                .vnc_tls = guest->driver->vnc_tls_dir,
                .now_s = g_get_real_time() / G_USEC_PER_SEC,
                .incoming = start->image || start->arrival,
        };

        start->monitor_fd = guest_listen_monitor(guest, error);
        if (start->monitor_fd < 0)
                return false;
        resources_add_fd(&start->resources, start->monitor_fd);
        context.monitor_fd = start->monitor_fd;
        start->command = qemu_command_build(start->def, start->caps, &context, error);
        return start->command != NULL;
}

static bool open_log(struct start *start, GError **error)
{
        g_autoptr(GDateTime) now = g_date_time_new_now_utc();
        g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
        g_autofree char *command = qemu_command_format(start->command);
        g_autofree char *header =
                g_strdup_printf("%s starting up, agent %s\n%s", stamp, VIRTBUS_VERSION, command);

        if (!guest_log_open(&start->log, start->guest->driver->log_dir, start->guest->status->name, header,
                            error))
                return false;
        resources_allow(&start->resources, start->log.path, true, false);
        resources_label_file(&start->resources, start->log.path, true);
        return true;
}

/* ---- the emulator ---- */

static bool launch(struct start *start, GError **error)
{
        struct guest *guest = start->guest;
        const struct resources *resources = &start->resources;
        const struct domain_cpuset *cpus = affinity_get_process(start->def);
        CLEANUP_FD int pid_fd = guest_open_pid_file(guest, STATUS_PID_FILE, error);
        GArray *groups = cgroup_open_fds(guest->cgroup);
        g_autofree char *profile = guest->profile ? g_strconcat("exec ", guest->profile, NULL) : NULL;
        const struct launch what = {
                .argv = (char *const *)start->command->argv->pdata,
                .env = (char *const *)start->command->env->pdata,
                .account = guest->account,
                .output_fd = start->log.fd,
                .pid_fd = pid_fd,
                .fds = (const int *)(const void *)resources->fds->data,
                .n_fds = resources->fds->len,
                .group_fds = (const int *)(const void *)groups->data,
                .n_group_fds = groups->len,
                .raw_io = domain_def_wants_raw_io(start->def),
                .lock_bytes = resources_get_lock_bytes(start->def),
                .cpus = cpus->words,
                .n_cpu_words = cpus->n_words,
                .checks = (const struct launch_check *)(const void *)resources->checks->data,
                .n_checks = resources->checks->len,
                .label_file = profile          ? APPARMOR_EXEC_FILE
                              : guest->context ? SVIRT_EXEC_FILE
                                               : NULL,
                .label = profile ? profile : guest->context,
        };
        bool ok;

        ok = pid_fd >= 0 && launch_run(&what, &guest->emulator, error);
        cgroup_close_fds(groups);
        guest->status->emulator = (struct status_process){ guest->emulator.pid, guest->emulator.start_time };
        return ok;
}

/* An emulator that has to wait for somebody else does so before it answers. */
static void explain_silence(struct start *start, GError **error)
{
        g_autofree char *whom = resources_advise_vhostuser(start->def);

        if (!whom || !error || !error_is(*error, ERROR_OPERATION_TIMEOUT))
                return;
        g_clear_error(error);
        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT, "QEMU of %s waits for %s",
                  start->guest->who, whom);
}

/* What the emulator wrote before it ended says more than that it did; but not more than that it lied. */
static void explain_end(struct start *start, GError **error)
{
        struct guest *guest = start->guest;
        g_autofree char *tail = NULL, *advice = NULL;
        enum lane_wake wake;

        if (!qmp_is_broken(guest->qmp) || (error && error_is(*error, ERROR_INTERNAL_ERROR)))
                return;
        if (lane_is_interrupted(guest->domain->base.lane))
                return;
        wake = process_wait(&guest->emulator, guest->domain->base.lane, lane_deadline_in(EXIT_MS));
        if (wake == LANE_INTERRUPTED)
                return;
        /* On a busy host one that has said why may take its time to be gone. */
        tail = guest_log_drop_chatter(guest_log_read_tail(&start->log));
        if (wake != LANE_READY && !*tail)
                return;
        g_clear_error(error);
        if (strstr(tail, "tpm-emulator: "))
                advice = resources_advise_tpm(guest);
        if (strstr(tail, "vhost-user-fs"))
                advice = resources_advise_virtiofs(guest);
        if (strstr(tail, "vhost-user-gpu") || strstr(tail, "vhost-user-vga"))
                advice = g_strdup_printf(" (see the log of vhost-user-gpu, %s/vhost-user-gpu-%s-*.log)",
                                         guest->driver->log_dir, guest->domain->base.uuid_text);
        if (strstr(tail, " -set ") && strstr(tail, "there is no device "))
                advice = g_strdup(": devices are described in JSON, which -set does not see; use "
                                  "<qemu:override>");
        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                  "the emulator of %s ended while it started: %s%s", guest->who,
                  *tail ? tail : "it gave no reason", advice ? advice : "");
}

/* ---- the monitor ---- */

static bool has_terminals(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                if (def->devices.chars[i].source.type == DOMAIN_CHAR_PTY)
                        return true;
        }
        return false;
}

/* Ids of the setup commands, in order. */
static GArray *send_setup(struct start *start)
{
        GArray *ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        const uint64_t speed = start->guest->domain->speed_mib_s;
        uint64_t limit;
        json_t *command;
        size_t i;

        json_array_foreach(start->command->setup, i, command)
        {
                const char *name = json_string_value(json_object_get(command, "execute"));
                uint64_t id =
                        qmp_send(start->guest->qmp, name, json_incref(json_object_get(command, "arguments")));

                g_array_append_val(ids, id);
        }
        /* Migrations have no limit of speed unless somebody sets one. */
        limit = qmp_send(start->guest->qmp, "migrate-set-parameters",
                         json_pack("{s:I}", "max-bandwidth",
                                   speed > 0 ? (json_int_t)(speed << 20) : (json_int_t)MIGRATION_NO_LIMIT));
        g_array_append_val(ids, limit);
        return ids;
}

static bool receive_setup(struct start *start, const GArray *ids, GError **error)
{
        for (unsigned i = 0; i < ids->len; i++) {
                if (!qmp_receive(start->guest->qmp, g_array_index(ids, uint64_t, i), start->deadline, NULL,
                                 error))
                        return false;
        }
        return true;
}

/* "charserial0" at "pty:/dev/pts/3" */
static void set_terminals(struct domain_edit *edit, const json_t *chardevs)
{
        const json_t *chardev;
        size_t i;

        json_array_foreach(chardevs, i, chardev)
        {
                const char *label = json_string_value(json_object_get(chardev, "label"));
                const char *place = json_string_value(json_object_get(chardev, "filename"));

                if (label && place && g_str_has_prefix(label, "char") && g_str_has_prefix(place, "pty:/dev/"))
                        domain_edit_set_pty(edit, label + strlen("char"), place + strlen("pty:"));
        }
}

/* Nobody in the guest has opened any yet; of one that was saved the emulator tells who had. */
static void set_channels(struct domain_edit *edit, const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];

                if (chr->kind == DOMAIN_CHAR_CHANNEL && g_strcmp0(chr->target_type, "virtio") == 0)
                        domain_edit_set_channel_state(edit, chr->info.alias, false);
        }
}

static bool has_channels(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                if (def->devices.chars[i].kind == DOMAIN_CHAR_CHANNEL)
                        return true;
        }
        return false;
}

/* What only the emulator knows: where its terminals and memory devices are, and what the balloon leaves. */
static bool learn(struct start *start, uint64_t chardevs_id, uint64_t balloon_id, GError **error)
{
        bool has_slots = memory_has_slots(start->def);
        struct qmp *qmp = start->guest->qmp;
        json_t *chardevs = NULL, *balloon = NULL;
        /* Of one that arrives the other host says it, until it is here. */
        uint64_t kib = start->arrival ? start->def->current_memory_kib : start->def->memory_kib;
        struct domain_edit *edit;
        struct domain_def *def;

        if (balloon_id && qmp_receive(qmp, balloon_id, start->deadline, &balloon, NULL))
                kib = monitor_get_balloon(start->def, balloon);
        json_decref(balloon);
        if (chardevs_id && !qmp_receive(qmp, chardevs_id, start->deadline, &chardevs, error))
                return false;
        if (!chardevs && kib == start->def->current_memory_kib && !has_channels(start->def) && !has_slots)
                return true;
        edit = domain_edit_new(start->def, error);
        if (edit)
                set_terminals(edit, chardevs);
        if (edit)
                set_channels(edit, start->def);
        if (edit && has_slots)
                memory_ask_bases(qmp, edit, start->def);
        if (edit && kib > 0)
                domain_edit_set_current_memory(edit, kib);
        json_decref(chardevs);
        def = edit ? domain_edit_commit(edit, error) : NULL;
        if (!def)
                return false;
        domain_def_unref(start->def);
        start->def = def;
        return true;
}

/* The emulator has work to do that may take long, before it answers what it has been asked. */
static void await(struct start *start)
{
        start->patience =
                (struct process_patience){ .process = &start->guest->emulator,
                                           .slice_ms = SLICE_MS,
                                           .still_max_ms = STILL_MS,
                                           .spin_max_ms = SPIN_MS,
                                           .total = lane_deadline_in(resources_get_start_ms(start->def)) };
        start->deadline = lane_deadline_in(SLICE_MS);
        qmp_set_patience(start->guest->qmp, process_go_on, &start->patience);
}

/* Everything is said in one write; only where threads are pinned or vCPUs come first must the go-ahead wait
 * for answers. */
static bool talk(struct start *start, bool paused, GError **error)
{
        struct qmp *qmp = start->guest->qmp;
        g_autoptr(GArray) setup = send_setup(start);
        /* These come before the guest's CPUs run, and after all else was answered. */
        bool waits = affinity_has_threads(start->def) || vcpu_has_coming(start->def) || start->image;
        uint64_t chardevs = has_terminals(start->def) ? qmp_send(qmp, "query-chardev", NULL) : 0;
        uint64_t balloon = start->image || start->arrival ? 0 : qmp_send(qmp, "query-balloon", NULL);
        uint64_t cont = paused || waits ? 0 : qmp_send(qmp, "cont", NULL);

        if (!qmp_handshake(qmp, start->deadline, error) || !receive_setup(start, setup, error) ||
            !vcpu_plug_coming(start->guest, start->def, error))
                return false;
        if (start->image) {
                /* It sees to its own. */
                qmp_set_patience(start->guest->qmp, NULL, NULL);
                if (!save_restore(start->guest, start->image, error))
                        return false;
                await(start);
                balloon = qmp_send(qmp, "query-balloon", NULL);
        }
        if (!learn(start, chardevs, balloon, error) ||
            (start->arrival && !arrive_listen(start->guest, start->arrival, start->def, error)))
                return false;
        if (affinity_has_threads(start->def) && !affinity_pin_threads(start->guest, start->def, error))
                return false;
        if (start->def->perf_events && !perf_set(start->guest, start->def->perf_events, error))
                return false;
        if (!paused && waits)
                cont = qmp_send(qmp, "cont", NULL);
        if (!paused && !qmp_receive(qmp, cont, start->deadline, NULL, error))
                return false;
        /* The model announces that the guest runs. */
        if (!paused)
                qmp_claim_events(qmp, cont, "RESUME");
        return true;
}

/* The administrator's programs hear of it, and may refuse. */
static bool tell(const struct start *start, const char *operation, const struct domain_def *def,
                 GError **error)
{
        const struct guest *guest = start->guest;

        return hooks_begin(guest->domain->base.lane, guest->driver->hooks_dir, guest->status->name, operation,
                           definition_get_public_xml(&def->base), error);
}

static bool run(struct start *start, struct domain_state *state, bool paused, GError **error)
{
        struct guest *guest = start->guest;
        bool ok;

        if (!guest_connect(guest, error))
                return false;
        if (guest->status->pci->len > 0) {
                guest->changed = true;
                if (!resources_take_hostdevs(&start->resources, error) || !guest_save(guest, state, error))
                        return false;
        }
        if (!tell(start, "start", start->def, error) || !resources_take_links(&start->resources, error))
                return false;
        if (!resources_take_files(&start->resources, error) ||
            !resources_start_bus(&start->resources, error) || !reservations_start(guest, start->def, error) ||
            !guest_save(guest, state, error) || !guest_confine_new(guest, start->def, error) ||
            !tuning_limit_guest(guest, start->def, error) || !shares_make(guest, start->def, error) ||
            !launch(start, error) || !tuning_limit_nodes(guest, start->def, error))
                return false;
        if (guest->cgroup)
                cgroup_settle(guest->cgroup);
        guest_register_machine(guest);
        /* The emulator's now: when it ends, the connection must. */
        g_array_set_size(start->resources.fds, 0);
        await(start);
        ok = talk(start, paused, error);
        qmp_set_patience(guest->qmp, NULL, NULL);
        if (!ok) {
                explain_silence(start, error);
                explain_end(start, error);
                return false;
        }
        /* One that arrives is not started yet. */
        if (!start->arrival && !tell(start, "started", start->def, error))
                return false;
        guest->status->phase = start->arrival ? STATUS_INCOMING : STATUS_RUNNING;
        guest->changed = true;
        state->pid = guest->emulator.pid;
        managed_state_take_active(&state->base, &domain_def_ref(start->def)->base);
        return guest_save(guest, state, error) && guest_watch(guest, error);
}

/* ---- all of it ---- */

static bool start_steps(struct start *start, struct domain_state *state, const struct domain_start *how,
                        GError **error)
{
        const struct domain_def *def = (const struct domain_def *)state->base.active;
        struct lane *lane = start->guest->domain->base.lane;
        CLEANUP(domain_def_unref) struct domain_def *activated = NULL;

        if (!check_actions(def, error) ||
            (def->partition && !cgroup_check_partition(def->partition, error)) ||
            !tuning_require_supported(def, error) || !shares_require(start->guest, def, error) ||
            !check_unused(start->guest, error) || !guest_choose_account(start->guest, def, error) ||
            !guest_choose_profile(start->guest, def, false, error) ||
            !guest_choose_context(start->guest, def, false, error) ||
            !guest_check_context(start->guest, def->devices.emulator, error) ||
            (start->arrival && params_find(start->arrival->params, "whole_cpu") &&
             !arrive_check_cpu(start->guest, def, error)))
                return false;
        start->caps = probe_cache_get(start->guest->driver->probes, lane, def->devices.emulator, error);
        if (!start->caps)
                return false;
        start->guest->caps = qemu_caps_ref(start->caps);
        if (!state->base.persistent)
                guest_keep_state(start->guest);
        domain_def_tell_leftovers(def, start->guest->who);
        activated = domain_def_activate(def, state->id, error);
        /* The group before those who work for the guest: they begin in it. */
        if (!activated || !guest_make_dirs(start->guest, error) ||
            !guest_make_cgroup(start->guest, activated, error) ||
            !shares_note(start->guest, activated, error) || !guest_save(start->guest, state, error) ||
            !hooks_wait_end(start->guest->domain, error) || !tell(start, "prepare", activated, error) ||
            (start->arrival && !arrive_make_images(start->guest, start->arrival, activated, state, error)) ||
            !prepare(start, activated, how, error) || !build_command(start, error) || !open_log(start, error))
                return false;
        managed_state_take_active(&state->base, &domain_def_ref(start->def)->base);
        return guest_save(start->guest, state, error) &&
               run(start, state, how->flags & DOMAIN_START_PAUSED, error);
}

static void start_clear(struct start *start, bool ok)
{
        if (start->resources.by_alias) {
                if (!ok)
                        resources_undo(&start->resources);
                resources_done(&start->resources);
        }
        qemu_caps_unref(start->caps);
        domain_def_unref(start->def);
        qemu_command_free(start->command);
        guest_log_close(&start->log);
}

static struct status *make_status(const struct domain *domain, const struct domain_state *state)
{
        struct status *status = status_new();

        status->phase = STATUS_STARTING;
        status->uuid = domain->base.uuid;
        status->name = g_strdup(state->base.active->name);
        status->id = state->id;
        return status;
}

bool guest_start(struct domain *domain, struct domain_state *state, const struct domain_start *how,
                 GError **error)
{
        struct start start = { .guest = guest_new(domain, make_status(domain, state)),
                               .log = GUEST_LOG_NONE,
                               .image = how->image,
                               .arrival = how->arrival };
        bool ok;

        if (how->arrival)
                start.guest->status->arrival = g_strdup(how->arrival->cookie);
        ok = start_steps(&start, state, how, error);

        start_clear(&start, ok);
        if (ok) {
                domain->live = start.guest;
                return true;
        }
        lane_shield(domain->base.lane);
        guest_release(start.guest);
        return false;
}
