/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plugging and unplugging. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/guest-agent.h"
#include "drivers/qemu/hostdev.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/memory-bases.h"
#include "drivers/qemu/plug-private.h"
#include "drivers/qemu/reservations.h"
#include "drivers/qemu/resources.h"

#include <string.h>
#include <sys/resource.h>

/* How long DetachDevice waits for the guest: as long as libvirt, whose tools count on it. */
#define UNPLUG_MS 5000

/* ---- finding ---- */

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

static bool find_alias(const struct domain_def *def, const char *alias, struct domain_edit_device *device)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                unsigned count = domain_devices_get_count(&def->devices, kind);

                for (unsigned i = 0; i < count; i++) {
                        const struct domain_device_info *info =
                                domain_device_get_info(kind, domain_devices_get(&def->devices, kind, i));

                        if (info && g_strcmp0(info->alias, alias) == 0) {
                                *device = (struct domain_edit_device){ kind, i };
                                return true;
                        }
                }
        }
        return false;
}

static const void *device_at(const struct domain_def *def, const struct domain_edit_device *device)
{
        return domain_devices_get(&def->devices, device->kind, device->index);
}

static const char *alias_at(const struct domain_def *def, const struct domain_edit_device *device)
{
        const struct domain_device_info *info = domain_device_get_info(device->kind, device_at(def, device));

        return info && info->alias ? info->alias : "";
}

/* ---- attach ---- */

struct plug {
        struct guest *guest;          /* borrowed */
        const GArray *devices;        /* borrowed */
        const struct qemu_caps *caps; /* ref */
        struct domain_def *def;       /* ref; what the guest comes to */
        char *terminal;               /* owned; what QEMU has made for the device; NULL: none */
        struct resources resources;
        unsigned plugged; /* devices that the guest has */
};

static const struct domain_edit_device *get_device(const struct plug *plug, unsigned i)
{
        return &g_array_index(plug->devices, struct domain_edit_device, i);
}

static bool prepare_devices(struct plug *plug, GError **error)
{
        const struct domain_def *def = plug->resources.def;

        if (!resources_resume(&plug->resources, error))
                return false;
        for (unsigned i = 0; i < plug->devices->len; i++) {
                const struct domain_edit_device *device = get_device(plug, i);

                if (!device_require_pluggable(device->kind, device_at(def, device), error) ||
                    (device->kind == DOMAIN_DEVICE_MEMORY &&
                     !plug_check_memory(plug->guest, device_at(def, device), error)) ||
                    !resources_prepare_device(&plug->resources, device->kind, device_at(def, device), error))
                        return false;
        }
        return true;
}

static bool is_missing(const struct domain_def *def, const struct domain_edit_device *device)
{
        return device->kind == DOMAIN_DEVICE_HOSTDEV && def->devices.hostdevs[device->index].usb_missing;
}

/* What is optional and not there is left out of a guest that starts; asked for now, it is missed. */
static bool check_complete(const struct plug *plug, const struct domain_def *before, GError **error)
{
        struct domain_edit_device found;

        for (unsigned i = 0; i < plug->devices->len; i++) {
                const char *alias = alias_at(before, get_device(plug, i));

                if (!find_alias(plug->def, alias, &found) || is_missing(plug->def, &found))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                         "what device '%s' stands for is not there", alias);
        }
        return true;
}

static bool prepare(struct plug *plug, struct domain_def *live, const struct domain_start *how,
                    GError **error)
{
        struct domain_edit *edit = domain_edit_new_lazy(live);

        resources_init(&plug->resources, plug->guest, live, edit, how);
        if (!prepare_devices(plug, error)) {
                domain_edit_free(edit);
                return false;
        }
        plug->def = domain_edit_commit(edit, error);
        plug->resources.def = plug->def;
        plug->resources.edit = NULL;
        return plug->def && check_complete(plug, live, error);
}

bool plug_write_down(struct guest *guest, struct domain_def *def, GError **error)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&guest->domain->base);
        bool saved;

        if (def)
                managed_state_take_active(&state->base, &domain_def_ref(def)->base);
        guest->changed = true;
        saved = guest_save(guest, state, error);
        managed_state_unref(&state->base);
        return saved;
}

/* Memory that a device of the host reads and writes by itself must stay where it is. */
static bool raise_lock_limit(const struct guest *guest, const struct domain_def *def, GError **error)
{
        uint64_t bytes = resources_get_lock_bytes(def);
        const struct rlimit limit = { bytes, bytes };

        if (bytes == resources_get_lock_bytes(get_def(guest)) ||
            prlimit(guest->emulator.pid, RLIMIT_MEMLOCK, &limit, NULL) == 0)
                return true;
        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot raise the limit on locked memory of %s",
                               guest->who);
}

/* What a process has dropped it never gets again. */
static bool check_raw_io(const struct guest *guest, const struct domain_def *def, GError **error)
{
        return !domain_def_wants_raw_io(def) || domain_def_wants_raw_io(get_def(guest)) ||
               error_set(
                       error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                       "rawio='yes' of a device that is plugged into %s: its emulator has CAP_SYS_RAWIO only "
                       "if a device had that when it started",
                       guest->who);
}

static bool try_checks(const struct resources *resources, GError **error)
{
        return launch_try_checks(resources->guest->account,
                                 (const struct launch_check *)(const void *)resources->checks->data,
                                 resources->checks->len, error);
}

bool plug_hand_over(struct resources *resources, struct domain_def *written, const struct domain_def *def,
                    GError **error)
{
        struct guest *guest = resources->guest;

        if (!check_raw_io(guest, def, error) || !reservations_start(guest, def, error) ||
            !plug_write_down(guest, written, error))
                return false;
        if (guest->status->pci->len > 0 &&
            (!resources_take_hostdevs(resources, error) || !plug_write_down(guest, written, error)))
                return false;
        if (!resources_take_links(resources, error))
                return false;
        return resources_take_files(resources, error) && guest_confine(guest, def, error) &&
               raise_lock_limit(guest, def, error) && (resources->opened || try_checks(resources, error));
}

void plug_explain(const struct resources *resources, GError **error)
{
        g_autoptr(GError) reason = NULL;

        if (!resources->opened || !error || !error_is(*error, ERROR_OPERATION_FAILED) ||
            try_checks(resources, &reason))
                return;
        g_clear_error(error);
        g_propagate_error(error, g_steal_pointer(&reason));
}

/* QEMU makes links that are up; a moment later this one is not. */
static void set_link(const struct plug *plug, const struct domain_edit_device *device)
{
        const struct domain_interface *interface = device_at(plug->def, device);
        g_autoptr(GError) failure = NULL;

        if (device->kind != DOMAIN_DEVICE_INTERFACE || interface->link_up != DOMAIN_SWITCH_OFF)
                return;
        if (!qmp_execute(plug->guest->qmp, "set_link",
                         json_pack("{s:s, s:b}", "name", interface->info.alias, "up", 0), QMP_TIMEOUT_MS,
                         NULL, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "the link of '%s' of %s is not taken down",
                           interface->info.alias, plug->guest->who);
}

/* The machine has one action for all watchdogs, which it was started with when it had one. */
static bool set_watchdog_action(const struct plug *plug, const struct domain_edit_device *device,
                                GError **error)
{
        const struct domain_watchdog *watchdog = device_at(plug->def, device);

        if (device->kind != DOMAIN_DEVICE_WATCHDOG || !watchdog->action)
                return true;
        return qmp_execute(plug->guest->qmp, "set-action",
                           json_pack("{s:s}", "watchdog", device_get_watchdog_action(watchdog)),
                           QMP_TIMEOUT_MS, NULL, error);
}

static bool plug_devices(struct plug *plug, GError **error)
{
        const struct device_context context = { .def = plug->def,
                                                .caps = plug->caps,
                                                .resources = plug->resources.by_alias,
                                                .tls_dir = plug->guest->driver->tls_dir,
                                                .hot = true };
        lane_deadline deadline = plug_begin_call();

        for (; plug->plugged < plug->devices->len; plug->plugged++) {
                CLEANUP(device_list_free) struct device_list *list = device_list_new();
                const struct domain_edit_device *device = get_device(plug, plug->plugged);

                if (!device_row_get(device->kind)
                             ->describe(list, &context, device_at(plug->def, device), error) ||
                    !set_watchdog_action(plug, device, error) ||
                    !plug_make_parts(plug->guest, list, device_list_get_length(list), deadline,
                                     &plug->terminal, error)) {
                        plug_explain(&plug->resources, error);
                        return false;
                }
                set_link(plug, device);
        }
        return true;
}

/* What the guest has come to, with what QEMU has found for what was plugged in last: a terminal, a place.
 * NULL with an error. */
static struct domain_def *finish(const struct plug *plug, GError **error)
{
        const struct domain_edit_device *last = get_device(plug, plug->devices->len - 1);
        struct domain_edit *edit;

        if (!plug->terminal && last->kind != DOMAIN_DEVICE_MEMORY)
                return domain_def_ref(plug->def);
        edit = domain_edit_new(plug->def, error);
        if (!edit)
                return NULL;
        if (plug->terminal)
                domain_edit_set_pty(edit, alias_at(plug->def, last), plug->terminal);
        if (last->kind == DOMAIN_DEVICE_MEMORY)
                memory_ask_bases(plug->guest->qmp, edit, plug->def);
        return domain_edit_commit(edit, error);
}

/* What has come nevertheless, a controller, stays: it could only be asked back. */
static void keep_plugged(struct plug *plug)
{
        struct domain_edit *edit = domain_edit_new(plug->def, NULL);
        struct domain_edit_device device;
        g_autoptr(GError) failure = NULL;
        struct domain_def *def;

        for (unsigned i = plug->plugged; i < plug->devices->len; i++)
                domain_edit_detach_alias(edit, alias_at(plug->def, get_device(plug, i)), &device);
        def = domain_edit_commit(edit, &failure);
        if (def)
                domain_update_active(plug->guest->domain, def);
        else
                log_gerror(LOG_LEVEL_ERROR, failure, "the active definition of %s does not change",
                           plug->guest->who);
}

static void take_back(struct plug *plug, const struct domain_def *live)
{
        struct guest *guest = plug->guest;
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        for (unsigned i = plug->plugged; i < plug->devices->len; i++) {
                guest_release_device(guest, alias_at(live, get_device(plug, i)));
                reservations_drop(guest, live, alias_at(live, get_device(plug, i)));
        }
        if (plug->plugged > 0)
                keep_plugged(plug);
        else if (!plug_write_down(guest, NULL, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
}

static void plug_clear(struct plug *plug, bool ok)
{
        if (plug->resources.by_alias) {
                if (!ok)
                        resources_undo(&plug->resources);
                resources_done(&plug->resources);
        }
        g_free(plug->terminal);
        domain_def_unref(plug->def);
        qemu_caps_unref(plug->caps);
}

static bool run(struct plug *plug, struct domain_def **live, const struct domain_start *how, GError **error)
{
        struct domain_def *def;

        plug->caps = guest_get_caps(plug->guest, error);
        if (!plug->caps || !guest_get_monitor(plug->guest, error) ||
            !device_require_spice(&(*live)->devices, error) || !prepare(plug, *live, how, error) ||
            !plug_hand_over(&plug->resources, plug->def, plug->def, error) || !plug_devices(plug, error))
                return false;
        def = finish(plug, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

bool plug_attach(struct domain *domain, const GArray *devices, const struct domain_takings *takings,
                 struct domain_def **live, GError **error)
{
        const struct domain_start how = { 0, takings };
        struct plug plug = { .guest = guest_of(domain), .devices = devices };
        bool ok = run(&plug, live, &how, error);

        if (!ok)
                take_back(&plug, *live);
        plug_clear(&plug, ok);
        return ok;
}

/* ---- detach ---- */

/* device_describe_removal() or device_describe_rest() */
typedef bool (*describe_device)(struct device_list *list, const struct domain_def *def,
                                const struct qemu_caps *caps, enum domain_device_kind kind,
                                const void *device, GError **error);

/* What made a device of the active definition; NULL with an error when it cannot go. */
static struct device_list *describe(struct guest *guest, const struct domain_edit_device *device,
                                    describe_device what, GError **error)
{
        const struct domain_def *def = get_def(guest);
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = NULL;
        CLEANUP(device_list_free) struct device_list *list = device_list_new();

        if (!device_require_pluggable(device->kind, device_at(def, device), error))
                return NULL;
        caps = guest_get_caps(guest, error);
        if (!caps || !what(list, def, caps, device->kind, device_at(def, device), error))
                return NULL;
        return g_steal_pointer(&list);
}

static void give_back(struct guest *guest, const char *alias)
{
        guest_agent_forget(guest, alias);
        guest_release_device(guest, alias);
        reservations_drop(guest, get_def(guest), alias);
}

/* The device itself has gone already. */
static void clear_away(struct guest *guest, const struct device_list *list, const char *alias)
{
        lane_shield(guest->domain->base.lane);
        plug_undo_parts(guest, list, device_list_get_length(list) - 1, LANE_FOREVER);
        give_back(guest, alias);
}

struct waiting {
        const char *id; /* borrowed */
        bool refused;
};

static bool is_answer(const char *name, const json_t *arguments, void *data)
{
        const char *id = json_string_value(json_object_get(arguments, "device"));
        struct waiting *waiting = data;

        if (!id || strcmp(id, waiting->id) != 0)
                return false;
        waiting->refused =
                strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0 || strcmp(name, "MEM_UNPLUG_ERROR") == 0;
        return waiting->refused || strcmp(name, "DEVICE_DELETED") == 0;
}

bool plug_ask_guest(struct guest *guest, const char *id, GError **error)
{
        struct waiting waiting = { .id = id };
        json_t *arguments = json_pack("{s:s}", "id", id);
        struct qmp *qmp = guest->qmp;
        g_autoptr(GError) failure = NULL;

        if (!qmp_execute(qmp, "device_del", arguments, QMP_TIMEOUT_JOB_MS, NULL, &failure)) {
                /* It has gone, and nobody was told. */
                if (error_is(failure, ERROR_DEVICE_MISSING))
                        return true;
                if (error_is(failure, ERROR_OPERATION_TIMEOUT))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "%s",
                                         failure->message);
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        if (!qmp_wait_event(qmp, is_answer, &waiting, lane_deadline_in(UNPLUG_MS), error))
                return false;
        if (!waiting.refused)
                return true;
        plug_refused(guest, id);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "the guest of %s refuses to let go of device '%s'", guest->who, id);
}

bool plug_detach(struct domain *domain, const struct domain_edit_device *device, bool *gone, GError **error)
{
        struct guest *guest = guest_of(domain);
        CLEANUP(device_list_free)
        struct device_list *list = describe(guest, device, device_describe_removal, error);
        const char *alias = alias_at(get_def(guest), device);
        g_autoptr(GError) failure = NULL;

        if (!list || !guest_get_monitor(guest, error))
                return false;
        /* It has nothing of QEMU: it is missing, or takes part in nothing. */
        if (device->kind == DOMAIN_DEVICE_HOSTDEV && device_list_get_length(list) == 0) {
                guest_release_device(guest, alias);
                *gone = true;
                return true;
        }
        *gone = plug_get_id(list) ? plug_ask_guest(guest, plug_get_id(list), &failure)
                                  : plug_take_apart(guest, list, &failure);
        if (*gone) {
                clear_away(guest, list, alias);
        } else if (error_is(failure, ERROR_OPERATION_TIMEOUT)) {
                log_notice("%s has not let go of device '%s' yet", guest->who, alias);
        } else {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        return true;
}

/* ---- by itself ---- */

static struct domain_def *leave_out(const struct domain_def *def, const char *alias, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);
        struct domain_edit_device device;

        if (!edit)
                return NULL;
        domain_edit_detach_alias(edit, alias, &device);
        return domain_edit_commit(edit, error);
}

/*
 * The event may be that of one that had the name before: QEMU takes a device out of its tree, which whoever
 * asks sees, and tells of it when it has taken it apart.
 */
static bool is_there_again(const struct guest *guest, const struct device_list *list)
{
        json_t *peripherals = NULL;
        bool there;

        /* What is no device has another's name. */
        if (!plug_get_id(list))
                return true;
        if (!guest->qmp ||
            !qmp_execute(guest->qmp, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"),
                         QMP_TIMEOUT_MS, &peripherals, NULL))
                return false;
        there = plug_is_listed(peripherals, plug_get_id(list));
        json_decref(peripherals);
        return there;
}

/* told: by QEMU, which has taken it apart by then. */
static void forget(struct guest *guest, const char *alias, bool told)
{
        CLEANUP(device_list_free) struct device_list *list = NULL;
        struct domain_edit_device device;
        g_autoptr(GError) failure = NULL;
        struct domain_def *def;

        if (!find_alias(get_def(guest), alias, &device)) {
                plug_undo_astray(guest, alias);
                return;
        }
        if (is_missing(get_def(guest), &device))
                return;
        list = describe(guest, &device, told ? device_describe_removal : device_describe_rest, &failure);
        if (told && list && is_there_again(guest, list))
                return;
        def = list ? leave_out(get_def(guest), alias, &failure) : NULL;
        if (!def) {
                log_gerror(LOG_LEVEL_ERROR, failure, "device '%s' of %s has gone and is not cleared away",
                           alias, guest->who);
                return;
        }
        lane_shield(guest->domain->base.lane);
        if (told || !plug_get_id(list))
                plug_undo_parts(guest, list, device_list_get_length(list) - 1, LANE_FOREVER);
        else
                plug_undo_parts_of(guest, list, device_list_get_length(list) - 1, plug_get_id(list));
        give_back(guest, alias);
        domain_device_removed(guest->domain, def, alias);
}

void plug_forget(struct guest *guest, const char *alias)
{
        forget(guest, alias, true);
}

void plug_forget_rest(struct guest *guest, const char *alias)
{
        forget(guest, alias, false);
}

void plug_refused(struct guest *guest, const char *alias)
{
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_DEVICE_REMOVAL_FAILED);

        event->text[0] = g_strdup(alias);
        managed_emit(&guest->domain->base, &event->base);
}

/* Of the devices that can go, the aliases of those that QEMU does not have. */
static GPtrArray *list_missing(struct guest *guest, const json_t *peripherals)
{
        GPtrArray *missing = g_ptr_array_new_with_free_func(g_free);
        const struct domain_def *def = get_def(guest);

        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                unsigned count = domain_devices_get_count(&def->devices, kind);

                for (unsigned i = 0; i < count; i++) {
                        const struct domain_edit_device device = { kind, i };
                        CLEANUP(device_list_free) struct device_list *list = NULL;

                        if (plug_is_listed(peripherals, alias_at(def, &device)))
                                continue;
                        list = describe(guest, &device, device_describe_removal, NULL);
                        if (list && plug_get_id(list) && !plug_is_listed(peripherals, plug_get_id(list)))
                                g_ptr_array_add(missing, g_strdup(alias_at(def, &device)));
                }
        }
        return missing;
}

void plug_resync(struct guest *guest, const json_t *peripherals)
{
        g_autoptr(GPtrArray) missing = NULL;

        if (!json_is_array(peripherals))
                return;
        plug_resync_astray(guest, peripherals);
        missing = list_missing(guest, peripherals);
        for (unsigned i = missing->len; i-- > 0;) {
                /* What an agent that was killed was about to give back to it. */
                if (!hostdev_miss_usb(guest, g_ptr_array_index(missing, i)))
                        plug_forget_rest(guest, g_ptr_array_index(missing, i));
        }
}
