/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/vcpu.h"

#include "base/lane.h"
#include "base/log.h"
#include "drivers/domain/vcpu-list.h"
#include "drivers/qemu/affinity.h"
#include "drivers/qemu/plug.h"

#include <string.h>

/* Its guest has to take it out of use first. */
#define UNPLUG_MS 10000

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* ---- what QEMU has ---- */

/* QEMU lists places, the last one first, with the number of vCPUs that come to each. Takes listed. */
static json_t *spread(json_t *listed, unsigned group_size)
{
        json_t *places = json_array();

        for (size_t i = json_array_size(listed); i-- > 0;) {
                json_t *place = json_array_get(listed, i);

                if (json_integer_value(json_object_get(place, "vcpus-count")) != group_size)
                        break;
                for (unsigned j = 0; j < group_size; j++)
                        json_array_append(places, place);
        }
        json_decref(listed);
        return places;
}

/* The place of each vCPU, by its number; those of a group have the same one. NULL with an error. */
static json_t *query_places(struct guest *guest, const struct domain_def *def, GError **error)
{
        unsigned group_size = domain_vcpu_get_group_size(def);
        json_t *places = NULL;

        if (!qmp_execute(guest->qmp, "query-hotpluggable-cpus", NULL, QMP_TIMEOUT_MS, &places, error))
                return NULL;
        places = spread(places, group_size);
        if (json_array_size(places) == def->max_vcpus)
                return places;
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                  "the machine of %s has places for %zu of its %u vCPUs in groups of %u", guest->who,
                  json_array_size(places), (unsigned)def->max_vcpus, group_size);
        json_decref(places);
        return NULL;
}

static json_t *get_place(const json_t *places, unsigned id)
{
        return json_array_get(places, id);
}

/* Where the vCPU is in QEMU's tree; NULL: it is not there. Borrowed. */
static const char *get_path(const json_t *places, unsigned id)
{
        return json_string_value(json_object_get(get_place(places, id), "qom-path"));
}

/* ---- the definition ---- */

void vcpu_number(const struct domain_def *def, struct domain_edit *edit)
{
        g_autofree struct domain_vcpu *list = NULL;

        if (def->n_vcpu_list == 0)
                return;
        list = domain_vcpu_list_new(def, def->max_vcpus);
        domain_vcpu_list_number(list, def->max_vcpus, domain_vcpu_get_group_size(def));
        domain_edit_set_vcpu_list(edit, list, def->max_vcpus);
}

static struct domain_def *with_list(const struct domain_def *def, const struct domain_vcpu *list,
                                    GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_vcpu_list(edit, list, def->max_vcpus);
        return domain_edit_commit(edit, error);
}

static void publish(struct guest *guest, struct domain_vcpu *list)
{
        unsigned max = get_def(guest)->max_vcpus;
        g_autoptr(GError) failure = NULL;
        struct domain_def *def;

        domain_vcpu_list_number(list, max, domain_vcpu_get_group_size(get_def(guest)));
        def = with_list(get_def(guest), list, &failure);
        if (def)
                domain_update_active(guest->domain, def);
        else
                log_gerror(LOG_LEVEL_ERROR, failure, "%s has %u vCPUs, which its definition does not say",
                           guest->who, domain_vcpu_list_count(list, max));
}

/* ---- they come ---- */

/* With it comes its group, of which it is the first. */
static bool plug(struct guest *guest, const json_t *places, unsigned id, GError **error)
{
        const json_t *place = get_place(places, id);
        const char *type = json_string_value(json_object_get(place, "type"));
        json_t *arguments;

        if (get_path(places, id))
                return true;
        if (!type)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "the emulator of %s does not say what vCPU %u is", guest->who, id);
        arguments = json_pack("{s:s}", "driver", type);
        json_object_set_new(arguments, "id", json_sprintf("vcpu%u", id));
        json_object_update(arguments, json_object_get(place, "props"));
        return qmp_execute(guest->qmp, "device_add", arguments, QMP_TIMEOUT_MS, NULL, error);
}

static bool is_coming(const struct domain_def *def, unsigned id)
{
        return def->n_vcpu_list > 0 && domain_vcpu_is_enabled(def, id) &&
               domain_vcpu_is_hotpluggable(def, id);
}

bool vcpu_has_coming(const struct domain_def *def)
{
        for (unsigned id = 0; id < def->max_vcpus; id++) {
                if (is_coming(def, id))
                        return true;
        }
        return false;
}

/* By vcpu_number() the orders are 1 to the number of groups that are there. */
bool vcpu_plug_coming(struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autofree unsigned *by_order = NULL;
        unsigned group_size = domain_vcpu_get_group_size(def);
        json_t *places;
        bool ok = true;

        if (!vcpu_has_coming(def))
                return true;
        places = query_places(guest, def, error);
        if (!places)
                return false;
        by_order = g_new0(unsigned, def->vcpus);
        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                const struct domain_vcpu *vcpu = &def->vcpu_list[i];

                if (is_coming(def, vcpu->id) && vcpu->id % group_size == 0 && vcpu->order > 0 &&
                    vcpu->order <= def->vcpus)
                        by_order[vcpu->order - 1] = vcpu->id;
        }
        for (unsigned i = 0; ok && i < def->vcpus; i++)
                ok = by_order[i] == 0 || plug(guest, places, by_order[i], error);
        json_decref(places);
        return ok;
}

/* ---- they go ---- */

struct waiting {
        const char *path;   /* borrowed */
        const char *device; /* borrowed; NULL: it has no name */
        bool refused;
};

/* "Ejection" in _OST of ACPI: not supported, in use, busy. */
static bool is_refusal(const json_t *info, const char *device)
{
        enum { EJECT = 3, EJECT_REQUEST = 0x103, UNSUPPORTED = 0x80, BUSY = 0x83 };
        json_int_t source = json_integer_value(json_object_get(info, "source"));
        json_int_t status = json_integer_value(json_object_get(info, "status"));

        return device && g_strcmp0(json_string_value(json_object_get(info, "device")), device) == 0 &&
               (source == EJECT || source == EJECT_REQUEST) && status >= UNSUPPORTED && status <= BUSY;
}

/*
 * Without KVM, QEMU tells the end of a PC's interrupt controller alone, "/machine/peripheral/vcpu2/lapic". Of
 * a core it tells those of its threads first, while it is still there.
 */
static bool is_of(const char *path, const char *vcpu)
{
        size_t length = strlen(vcpu);

        return path && strncmp(path, vcpu, length) == 0 &&
               (path[length] == '\0' || strcmp(path + length, "/lapic") == 0);
}

static bool is_answer(const char *name, const json_t *arguments, void *data)
{
        struct waiting *waiting = data;
        const char *path = json_string_value(json_object_get(arguments, "path"));

        if (strcmp(name, "ACPI_DEVICE_OST") == 0)
                return waiting->refused = is_refusal(json_object_get(arguments, "info"), waiting->device);
        if (!is_of(path, waiting->path))
                return false;
        waiting->refused = strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0;
        return waiting->refused || strcmp(name, "DEVICE_DELETED") == 0;
}

/* What was made for its thread alone. */
static void clear_away(struct guest *guest, unsigned id)
{
        g_autofree char *threads = g_strdup_printf("vcpu%u", id);

        if (guest->cgroup)
                cgroup_remove_threads(guest->domain->base.lane, guest->cgroup, threads);
}

/* With it goes its group, of which it is the first. */
static bool unplug(struct guest *guest, const json_t *places, unsigned id, unsigned group_size,
                   GError **error)
{
        const char *path = get_path(places, id);
        struct waiting waiting = { path, path ? strrchr(path, '/') + 1 : NULL, false };
        g_autoptr(GError) failure = NULL;

        if (!path)
                return true;
        if (!qmp_execute(guest->qmp, "device_del", json_pack("{s:s}", "id", path), QMP_TIMEOUT_JOB_MS, NULL,
                         error))
                return false;
        if (!qmp_wait_event(guest->qmp, is_answer, &waiting, lane_deadline_in(UNPLUG_MS), &failure)) {
                if (error_is(failure, ERROR_OPERATION_TIMEOUT))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                         "the guest of %s has not let go of vCPU %u yet", guest->who, id);
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        if (!waiting.refused) {
                for (unsigned i = 0; i < group_size; i++)
                        clear_away(guest, id + i);
                return true;
        }
        plug_refused(guest, waiting.device);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "the guest of %s refuses to let go of vCPU %u", guest->who, id);
}

/* id is the first one. */
static bool set_group(struct guest *guest, const struct domain_def *def, const json_t *places, unsigned id,
                      GError **error)
{
        bool was = domain_vcpu_is_enabled(get_def(guest), id), is = domain_vcpu_is_enabled(def, id), ok;
        unsigned group_size = domain_vcpu_get_group_size(def);

        if (is == was)
                return true;
        if (!is)
                return unplug(guest, places, id, group_size, error);
        ok = plug(guest, places, id, error);
        for (unsigned i = 0; ok && i < group_size; i++)
                ok = affinity_settle_vcpu(guest, def, id + i, error);
        return ok;
}

bool vcpu_set(struct domain *domain, struct domain_def **live, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_def *def = get_def(guest);
        unsigned max = def->max_vcpus, group_size = domain_vcpu_get_group_size(def);
        bool more = (*live)->vcpus > def->vcpus, ok;
        json_t *places = NULL;

        if (!guest_get_monitor(guest, error))
                return false;
        if (def->vcpus == (*live)->vcpus)
                return true;
        places = query_places(guest, def, error);
        ok = places != NULL;
        for (unsigned i = 0; ok && i < max; i += group_size)
                ok = set_group(guest, *live, places, more ? i : max - group_size - i, error);
        if (!ok && places)
                vcpu_resync(guest);
        json_decref(places);
        return ok;
}

/* ---- by itself ---- */

/* "/machine/peripheral/vcpu3"; what a core tells of its threads is said again of the core. */
void vcpu_forget(struct guest *guest, const char *path)
{
        if (strstr(path, "/thread["))
                return;
        if (g_str_has_prefix(path, "/machine/peripheral/vcpu") ||
            g_str_has_prefix(path, "/machine/unattached/"))
                vcpu_resync(guest);
}

/* What the guest really has, as the definition would say it; true: it says something else. */
static bool compare(struct guest *guest, struct domain_vcpu *list, const json_t *places)
{
        bool differs = false;

        for (unsigned id = 0; id < json_array_size(places); id++) {
                bool there = get_path(places, id) != NULL;

                if (there == list[id].enabled)
                        continue;
                differs = true;
                list[id] =
                        (struct domain_vcpu){ .id = id, .enabled = there, .hotpluggable = DOMAIN_SWITCH_ON };
                if (there)
                        list[id].order = DOMAIN_VCPU_ORDER_LAST;
                else
                        clear_away(guest, id);
        }
        return differs;
}

void vcpu_resync(struct guest *guest)
{
        const struct domain_def *def = get_def(guest);
        g_autofree struct domain_vcpu *list = NULL;
        g_autoptr(GError) failure = NULL;
        json_t *places;

        if (def->vcpus == def->max_vcpus && def->n_vcpu_list == 0)
                return;
        lane_shield(guest->domain->base.lane);
        places = query_places(guest, def, &failure);
        if (!places) {
                log_gerror(LOG_LEVEL_DEBUG, failure, "how many vCPUs %s has is not asked again", guest->who);
                return;
        }
        list = domain_vcpu_list_new(def, def->max_vcpus);
        if (compare(guest, list, places))
                publish(guest, list);
        json_decref(places);
}
