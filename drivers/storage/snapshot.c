/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The published states of all pools, held together for a guest that starts: which volume a disk of type
 * volume means is settled by what the loop knew when the start was asked for. Taken on the loop, read
 * anywhere.
 */
#include "drivers/storage/model.h"

#include <string.h>

struct storage_snapshot {
        GPtrArray *states; /* of struct managed_state, refs */
};

struct storage_snapshot *storage_snapshot_take(const struct storage *storage)
{
        struct storage_snapshot *snapshot = g_new(struct storage_snapshot, 1);
        g_autoptr(GPtrArray) pools = registry_list(storage_get_registry(storage));

        snapshot->states = g_ptr_array_new_with_free_func((GDestroyNotify)managed_state_unref);
        for (unsigned i = 0; i < pools->len; i++) {
                const struct managed *pool = g_ptr_array_index(pools, i);

                g_ptr_array_add(snapshot->states, managed_state_ref(pool->published));
        }
        return snapshot;
}

void storage_snapshot_free(struct storage_snapshot *snapshot)
{
        if (!snapshot)
                return;
        g_ptr_array_unref(snapshot->states);
        g_free(snapshot);
}

static const struct managed_state *find_pool(const struct storage_snapshot *snapshot, const char *name)
{
        for (unsigned i = 0; i < snapshot->states->len; i++) {
                const struct managed_state *state = g_ptr_array_index(snapshot->states, i);

                if (strcmp(managed_state_get_name(state), name) == 0)
                        return state;
        }
        return NULL;
}

const struct volume *storage_snapshot_find(const struct storage_snapshot *snapshot, const char *pool,
                                           const char *volume, const struct pool_def **def, GError **error)
{
        const struct managed_state *state = find_pool(snapshot, pool);
        const struct storage_pool_state *found = (const struct storage_pool_state *)state;
        const struct volume *result;

        if (!state) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_POOL,
                          "no storage pool with matching name '%s'", pool);
                return NULL;
        }
        if (!state->active) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                          "storage pool '%s' is not active", pool);
                return NULL;
        }
        *def = pool_def_of(state->active);
        result = found->volumes ? object_set_find(found->volumes, volume) : NULL;
        if (!result)
                error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                          "no storage vol with matching name '%s' in pool '%s'", volume, pool);
        return result;
}
