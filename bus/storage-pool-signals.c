/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage pools: from changes and events of the model to signals. Loop thread.
 */
#include "base/registry.h"
#include "bus/interface.h"
#include "bus/signal.h"
#include "bus/storage-pool.h"
#include "introspection/connect.h"
#include "introspection/storage-pool.h"

static uint64_t bit_if(bool changed, enum interface_storage_pool_property property)
{
        return changed ? UINT64_C(1) << property : 0;
}

uint64_t storage_pool_signals_get_changed(const struct registry_change *change)
{
        const struct storage_pool_state *before = (const struct storage_pool_state *)change->before;
        const struct storage_pool_state *after = (const struct storage_pool_state *)change->after;

        return bit_if(!before->base.active != !after->base.active, INTERFACE_STORAGE_POOL_PROPERTY_ACTIVE) |
               bit_if(before->base.autostart != after->base.autostart,
                      INTERFACE_STORAGE_POOL_PROPERTY_AUTOSTART) |
               bit_if(!before->base.persistent != !after->base.persistent,
                      INTERFACE_STORAGE_POOL_PROPERTY_PERSISTENT) |
               bit_if(g_strcmp0(before->problem, after->problem) != 0,
                      INTERFACE_STORAGE_POOL_PROPERTY_PROBLEM) |
               bit_if(storage_pool_state_get(before) != storage_pool_state_get(after),
                      INTERFACE_STORAGE_POOL_PROPERTY_STATE);
}

void storage_pool_signals_announce(const struct branch *branch, const char *path,
                                   const struct registry_change *change)
{
        const struct managed_event *event = change->event;

        if (event->id == MANAGED_EVENT_LIFECYCLE)
                signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                            INTERFACE_CONNECT_SIGNAL_STORAGE_POOL_EVENT, "oii", path, event->type,
                            event->detail);
        else if (event->id == STORAGE_POOL_EVENT_REFRESH)
                signal_send(branch->connect->bus, path, &interface_storage_pool,
                            INTERFACE_STORAGE_POOL_SIGNAL_REFRESH, "");
}
