/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storage pools as the bus shows them; see storage-pool.c, storage-pool-lifecycle.c and
 * storage-pool-signals.c.
 */

#include "bus/call.h"
#include "drivers/storage/storage.h"

extern const struct object_kind storage_pool_object_kind;

/* The kind's hooks, in storage-pool-signals.c. */
uint64_t storage_pool_signals_get_changed(const struct registry_change *change);
void storage_pool_signals_announce(const struct branch *branch, const char *path,
                                   const struct registry_change *change);

static inline struct storage_pool *target_get_pool(const struct target *target)
{
        return target->object;
}

static inline struct storage_pool *call_get_pool(const struct call *call)
{
        return target_get_pool(&call->target);
}
