/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports and snapshots: what lanes are given of the loop's. Any thread. */
#include "drivers/nwfilter/snapshot.h"

#include "drivers/nwfilter/port.h"

#include <string.h>

/* ---- ports ---- */

struct nwfilter_port *nwfilter_port_new(const char *device, const uint8_t mac[6], const char *filter,
                                        const struct nwfilter_params *params, const char *guest)
{
        struct nwfilter_port *port = g_new0(struct nwfilter_port, 1);

        port->refs = 1;
        port->device = g_strdup(device);
        memcpy(port->mac, mac, sizeof(port->mac));
        port->filter = g_strdup(filter);
        port->params = params ? nwfilter_params_copy(params) : nwfilter_params_new();
        port->guest = g_strdup(guest);
        return port;
}

struct nwfilter_port *nwfilter_port_ref(struct nwfilter_port *port)
{
        g_atomic_int_inc(&port->refs);
        return port;
}

void nwfilter_port_unref(struct nwfilter_port *port)
{
        if (!port || !g_atomic_int_dec_and_test(&port->refs))
                return;
        g_free(port->device);
        g_free(port->filter);
        nwfilter_params_free(port->params);
        g_free(port->guest);
        g_free(port);
}

/* ---- snapshots ---- */

static void free_def(void *def)
{
        nwfilter_def_unref(def);
}

struct nwfilter_snapshot *nwfilter_snapshot_new(unsigned generation)
{
        struct nwfilter_snapshot *snapshot = g_new(struct nwfilter_snapshot, 1);

        snapshot->refs = 1;
        snapshot->generation = generation;
        snapshot->defs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_def);
        return snapshot;
}

void nwfilter_snapshot_add(struct nwfilter_snapshot *snapshot, struct nwfilter_def *def)
{
        definition_ref(&def->base);
        g_hash_table_replace(snapshot->defs, def->base.name, def);
}

struct nwfilter_snapshot *nwfilter_snapshot_ref(struct nwfilter_snapshot *snapshot)
{
        g_atomic_int_inc(&snapshot->refs);
        return snapshot;
}

void nwfilter_snapshot_unref(struct nwfilter_snapshot *snapshot)
{
        if (!snapshot || !g_atomic_int_dec_and_test(&snapshot->refs))
                return;
        g_hash_table_unref(snapshot->defs);
        g_free(snapshot);
}

const struct nwfilter_def *nwfilter_snapshot_find(const struct nwfilter_snapshot *snapshot, const char *name)
{
        return g_hash_table_lookup(snapshot->defs, name);
}

/* Each filter is looked at once, however many ways lead to it. */
static bool reaches(const struct nwfilter_snapshot *snapshot, const char *name, const char *used,
                    GHashTable *seen)
{
        const struct nwfilter_def *def = nwfilter_snapshot_find(snapshot, name);

        if (strcmp(name, used) == 0)
                return true;
        if (!def || !g_hash_table_add(seen, (void *)name))
                return false;
        for (unsigned i = 0; i < def->entries->len; i++) {
                const struct nwfilter_entry *entry = g_ptr_array_index(def->entries, i);

                if (entry->filter && reaches(snapshot, entry->filter, used, seen))
                        return true;
        }
        return false;
}

bool nwfilter_snapshot_uses(const struct nwfilter_snapshot *snapshot, const char *name, const char *used)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        return reaches(snapshot, name, used, seen);
}
