/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of the host as values. No state; any thread.
 */
#include "interfaces/host-interface.h"

#include <stdlib.h>
#include <string.h>

/* ---- one ---- */

struct host_interface *host_interface_new(struct link *link, struct interface_def *def, bool active)
{
        struct host_interface *interface = g_new0(struct host_interface, 1);

        interface->refs = 1;
        interface->active = link ? link_is_up(link) : active;
        interface->link = link ? link_ref(link) : NULL;
        interface->def = def ? interface_def_ref(def) : NULL;
        memcpy(interface->name, link ? link->name : def->name, sizeof(interface->name));
        memcpy(interface->mac, link ? link->mac : def->mac, sizeof(interface->mac));
        return interface;
}

struct host_interface *host_interface_ref(struct host_interface *interface)
{
        g_atomic_int_inc(&interface->refs);
        return interface;
}

void host_interface_unref(struct host_interface *interface)
{
        if (!interface || !g_atomic_int_dec_and_test(&interface->refs))
                return;
        link_unref(interface->link);
        interface_def_unref(interface->def);
        g_free(interface);
}

const char *host_interface_get_key(const struct host_interface *interface)
{
        return interface->keeps_mac ? interface->mac : interface->name;
}

/* ---- sets ---- */

static void *set_ref(void *object)
{
        return host_interface_ref(object);
}

static void set_unref(void *object)
{
        host_interface_unref(object);
}

static const char *get_name(const void *object)
{
        return ((const struct host_interface *)object)->name;
}

static const char *get_key(const void *object, unsigned key)
{
        return host_interface_get_key(object);
}

const struct object_set_kind host_interface_set_kind = {
        .ref = set_ref,
        .unref = set_unref,
        .get_name = get_name,
        .n_keys = 1,
        .get_key = get_key,
};

static int by_index(const void *a, const void *b)
{
        const struct host_interface *one = *(struct host_interface *const *)a,
                                    *two = *(struct host_interface *const *)b;
        int first = one->link ? one->link->index : INT_MAX, second = two->link ? two->link->index : INT_MAX;

        return first != second ? (first > second) - (first < second) : strcmp(one->name, two->name);
}

static int by_name(const void *a, const void *b)
{
        return strcmp((*(struct host_interface *const *)a)->name, (*(struct host_interface *const *)b)->name);
}

/* Of what we make, the MAC comes and goes with the link, unless the definition says which it is. */
static bool has_lasting_mac(const struct host_interface *interface)
{
        const struct interface_def *def = interface->def;

        return *interface->mac && !(def && interface_def_get_kind(def) && !*def->mac);
}

static void give_macs(GPtrArray *list)
{
        g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);

        g_ptr_array_sort(list, by_index);
        for (unsigned i = 0; i < list->len; i++) {
                struct host_interface *interface = g_ptr_array_index(list, i);

                interface->keeps_mac = has_lasting_mac(interface) && g_hash_table_add(taken, interface->mac);
        }
}

/* What has not changed stays the same struct, by which it is known to be the same. */
static void reuse(const struct object_set *before, GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                struct host_interface *interface = g_ptr_array_index(list, i);
                struct host_interface *old = object_set_find(before, interface->name);

                if (!old || old->link != interface->link || old->def != interface->def ||
                    old->active != interface->active || old->keeps_mac != interface->keeps_mac)
                        continue;
                list->pdata[i] = host_interface_ref(old);
                host_interface_unref(interface);
        }
}

struct object_set *host_interface_make_set(const struct object_set *before, const struct link_set *links,
                                           GHashTable *defs, GHashTable *active)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)host_interface_unref);
        GHashTableIter iter;
        void *def;

        for (unsigned i = 0; links && i < links->count; i++) {
                struct link *link = links->links[i];

                g_ptr_array_add(list, host_interface_new(link, g_hash_table_lookup(defs, link->name), false));
        }
        g_hash_table_iter_init(&iter, defs);
        while (g_hash_table_iter_next(&iter, NULL, &def)) {
                const char *name = ((const struct interface_def *)def)->name;

                if (!links || !link_set_find_name(links, name))
                        g_ptr_array_add(
                                list,
                                host_interface_new(NULL, def, active && g_hash_table_contains(active, name)));
        }
        give_macs(list);
        g_ptr_array_sort(list, by_name);
        reuse(before, list);
        return object_set_new(&host_interface_set_kind, list);
}

/* ---- events ---- */

unsigned host_interface_get_events(const struct host_interface *before, const struct host_interface *after,
                                   enum host_interface_event events[HOST_INTERFACE_EVENTS_MAX])
{
        bool was_defined = before && before->def, is_defined = after && after->def;
        bool was_active = before && before->active, is_active = after && after->active;
        unsigned count = 0;

        if (was_active && !is_active)
                events[count++] = HOST_INTERFACE_STOPPED;
        if (was_defined != is_defined || (is_defined && before->def != after->def))
                events[count++] = is_defined ? HOST_INTERFACE_DEFINED : HOST_INTERFACE_UNDEFINED;
        if (!was_active && is_active)
                events[count++] = HOST_INTERFACE_STARTED;
        return count;
}
