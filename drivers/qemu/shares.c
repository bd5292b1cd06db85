/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups and monitors of resctrl for a guest. Which there are follows from its definition, number and name,
 * so nobody has to remember whose they are. No state.
 */
#include "drivers/qemu/shares.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/domain/measure.h"
#include "drivers/host/host.h"
#include "drivers/host/resctrl.h"

#include <string.h>

/* ---- names ---- */

/* All of them, <cachetune> first. */
static const struct domain_resource_share *get_share(const struct domain_def *def, unsigned i)
{
        const struct domain_cputune *tune = &def->cputune;

        return i < tune->n_cachetunes ? &tune->cachetunes[i] : &tune->memorytunes[i - tune->n_cachetunes];
}

static unsigned count_shares(const struct domain_def *def)
{
        return def->cputune.n_cachetunes + def->cputune.n_memorytunes;
}

static char *make_machine(int id, const char *name)
{
        return cgroup_make_machine_name("qemu", id, name);
}

/* "vcpus_0-1" */
static char *make_id(const struct domain_cpuset *vcpus)
{
        g_autofree char *list = domain_cpuset_format(vcpus);

        return g_strconcat("vcpus_", list, NULL);
}

static bool is_of(const struct domain_resource_share *share, const char *id)
{
        g_autofree char *own = make_id(&share->vcpus);

        return strcmp(own, id) == 0;
}

/* Who asks for nothing is in the default group. */
static char *make_group_path(const struct domain_def *def, const char *machine,
                             const struct domain_cpuset *vcpus)
{
        g_autofree char *id = make_id(vcpus);

        for (unsigned i = 0; i < count_shares(def); i++) {
                const struct domain_resource_share *share = get_share(def, i);

                if (share->n_caches + share->n_bandwidths > 0 && is_of(share, id))
                        return g_strconcat(machine, "-", id, NULL);
        }
        return g_strdup("");
}

static char *make_monitor_path(const char *group, const char *machine,
                               const struct domain_resource_share *share,
                               const struct domain_resource_monitor *monitor)
{
        g_autofree char *id = make_id(&monitor->vcpus);

        if (*group && is_of(share, id))
                return g_strdup(group);
        return g_strconcat(group, *group ? "/" : "", "mon_groups/", machine, "-", id, NULL);
}

/* A group, or a monitor, that is to be made. */
struct place {
        char *path;                        /* owned */
        const struct domain_cpuset *vcpus; /* borrowed; whose threads are in it */
        bool is_group;
};

static void place_clear(void *place)
{
        g_free(((struct place *)place)->path);
}

static void add_place(GArray *places, char *path, const struct domain_cpuset *vcpus, bool is_group)
{
        const struct place place = { path, vcpus, is_group };
        bool known = !*path;

        for (unsigned i = 0; !known && i < places->len; i++)
                known = strcmp(g_array_index(places, struct place, i).path, path) == 0;
        if (known)
                g_free(path);
        else
                g_array_append_val(places, place);
}

/* A group stands before what is in it. */
static GArray *list_places(const struct domain_def *def, int id, const char *name)
{
        g_autofree char *machine = make_machine(id, name);
        GArray *places = g_array_new(FALSE, FALSE, sizeof(struct place));

        g_array_set_clear_func(places, place_clear);
        for (unsigned i = 0; i < count_shares(def); i++) {
                const struct domain_resource_share *share = get_share(def, i);
                g_autofree char *group = make_group_path(def, machine, &share->vcpus);

                add_place(places, g_strdup(group), &share->vcpus, true);
                for (unsigned j = 0; j < share->n_monitors; j++)
                        add_place(places, make_monitor_path(group, machine, share, &share->monitors[j]),
                                  &share->monitors[j].vcpus, false);
        }
        return places;
}

static GArray *list_places_of(const struct guest *guest, const struct domain_def *def)
{
        return list_places(def, guest->status->id, guest->status->name);
}

static const char *get_root(const struct guest *guest)
{
        return host_get_root(guest->driver->base.host);
}

/* ---- before a start ---- */

/* Borrowed; NULL: nothing is asked for. */
static const char *find_element(const struct domain_def *def)
{
        for (unsigned i = 0; i < count_shares(def); i++) {
                const struct domain_resource_share *share = get_share(def, i);

                if (share->n_caches + share->n_bandwidths + share->n_monitors > 0)
                        return i < def->cputune.n_cachetunes ? "<cachetune>" : "<memorytune>";
        }
        return NULL;
}

bool shares_are_wanted(const struct domain_def *def)
{
        return find_element(def) != NULL;
}

bool shares_require(const struct guest *guest, const struct domain_def *def, GError **error)
{
        const char *element = find_element(def);
        g_autofree char *what =
                element ? g_strdup_printf("domain '%s': %s of <cputune>", def->base.name, element) : NULL;

        return !element || resctrl_require(get_root(guest), what, error);
}

bool shares_note(struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autoptr(GArray) places = list_places_of(guest, def);

        for (unsigned i = 0; i < places->len; i++) {
                const char *path = g_array_index(places, struct place, i).path;

                if (resctrl_exists(get_root(guest), path))
                        return error_set(error, ERROR_FROM_RESCTRL, ERROR_OPERATION_FAILED,
                                         "%s is to have the group '%s' of resctrl, which is there already: "
                                         "remove it (rmdir) if it is nobody's",
                                         guest->who, path);
        }
        for (unsigned i = 0; i < places->len; i++)
                g_ptr_array_add(guest->status->shares, g_strdup(g_array_index(places, struct place, i).path));
        guest->changed |= places->len > 0;
        return true;
}

/* ---- making ---- */

static void add_requests(GArray *requests, const struct domain_resource_share *share)
{
        for (unsigned i = 0; i < share->n_caches; i++) {
                const struct domain_cache *cache = &share->caches[i];
                const struct resctrl_request request = { cache->level, cache->id, cache->type,
                                                         cache->size_kib * 1024, 0 };

                g_array_append_val(requests, request);
        }
        for (unsigned i = 0; i < share->n_bandwidths; i++) {
                const struct resctrl_request request = { 0, share->bandwidths[i].id, NULL,
                                                         share->bandwidths[i].percent, 0 };

                g_array_append_val(requests, request);
        }
}

static GArray *list_requests(const struct domain_def *def, const struct domain_cpuset *vcpus)
{
        GArray *requests = g_array_new(FALSE, FALSE, sizeof(struct resctrl_request));
        g_autofree char *id = make_id(vcpus);

        for (unsigned i = 0; i < count_shares(def); i++) {
                if (is_of(get_share(def, i), id))
                        add_requests(requests, get_share(def, i));
        }
        return requests;
}

static bool make_place(const char *root, const struct domain_def *def, const struct place *place,
                       GError **error)
{
        g_autoptr(GArray) requests = NULL, entries = NULL;

        if (!place->is_group)
                return resctrl_make(root, place->path, error);
        requests = list_requests(def, place->vcpus);
        entries = resctrl_find_room(root, (struct resctrl_request *)(void *)requests->data, requests->len,
                                    error);
        return entries && resctrl_make(root, place->path, error) &&
               resctrl_assign(root, place->path, entries, error);
}

bool shares_make(struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autoptr(GArray) places = list_places_of(guest, def);
        const char *root = get_root(guest);
        CLEANUP_FD int lock = -1;

        if (places->len == 0)
                return true;
        lock = resctrl_lock(guest->domain->base.lane, root, error);
        for (unsigned i = 0; lock >= 0 && i < places->len; i++) {
                if (!make_place(root, def, &g_array_index(places, struct place, i), error))
                        return false;
        }
        return lock >= 0;
}

bool shares_add_vcpu(const struct guest *guest, const struct domain_def *def, unsigned id, pid_t thread,
                     GError **error)
{
        g_autoptr(GArray) places = NULL;

        if (!shares_are_wanted(def))
                return true;
        places = list_places_of(guest, def);
        for (unsigned i = 0; i < places->len; i++) {
                const struct place *place = &g_array_index(places, struct place, i);

                if (domain_cpuset_has(place->vcpus, id) &&
                    !resctrl_add_thread(get_root(guest), place->path, thread, error))
                        return false;
        }
        return true;
}

/* ---- afterwards ---- */

void shares_remove(struct guest *guest)
{
        GPtrArray *shares = guest->status->shares;

        for (unsigned i = shares->len; i-- > 0;) {
                resctrl_remove(get_root(guest), g_ptr_array_index(shares, i));
                g_ptr_array_remove_index(shares, i);
        }
}

void shares_adopt(struct status *status, const char *root, const struct domain_def *def)
{
        g_autoptr(GArray) places = list_places(def, status->id, status->name);

        for (unsigned i = 0; i < places->len; i++) {
                const char *path = g_array_index(places, struct place, i).path;

                if (resctrl_exists(root, path))
                        g_ptr_array_add(status->shares, g_strdup(path));
        }
}

/* ---- what is used ---- */

static void add_banks(GArray *banks, const char *root, const char *path)
{
        g_autoptr(GArray) readings = resctrl_read(root, path);

        for (unsigned i = 0; i < readings->len; i++) {
                const struct resctrl_reading *reading = &g_array_index(readings, struct resctrl_reading, i);
                const struct domain_bank_stats bank = { reading->id,        reading->has_occupancy,
                                                        reading->has_total, reading->has_local,
                                                        reading->occupancy, reading->total,
                                                        reading->local };

                g_array_append_val(banks, bank);
        }
}

void shares_measure(const char *root, const struct domain_state *state, struct domain_measure *measure)
{
        const struct domain_def *def = domain_state_get_def(state);
        g_autofree char *machine = make_machine(state->id, def->base.name);

        measure->monitors = g_array_new(FALSE, FALSE, sizeof(struct domain_monitor_stats));
        g_array_set_clear_func(measure->monitors, domain_monitor_stats_clear);
        for (unsigned i = 0; i < count_shares(def); i++) {
                const struct domain_resource_share *share = get_share(def, i);
                g_autofree char *group = make_group_path(def, machine, &share->vcpus);

                for (unsigned j = 0; j < share->n_monitors; j++) {
                        const struct domain_resource_monitor *monitor = &share->monitors[j];
                        g_autofree char *path = make_monitor_path(group, machine, share, monitor);
                        const struct domain_monitor_stats stats = {
                                .of_bandwidth = i >= def->cputune.n_cachetunes,
                                .name = make_id(&monitor->vcpus),
                                .vcpus = domain_cpuset_format(&monitor->vcpus),
                                .banks = g_array_new(FALSE, FALSE, sizeof(struct domain_bank_stats)),
                        };

                        add_banks(stats.banks, root, path);
                        g_array_append_val(measure->monitors, stats);
                }
        }
}
