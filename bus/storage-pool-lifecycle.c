/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.StoragePool: what changes a pool and what is in it. The work runs in the pool's lane or as a
 * job, whose end replies. Loop thread.
 */
#include "bus/interface.h"
#include "bus/storage-pool.h"
#include "bus/storage-vol.h"
#include "introspection/storage-pool.h"

void on_storage_pool_build(struct call *call)
{
        storage_pool_build(call_get_pool(call), call_read_flags(call), call_done, call);
}

void on_storage_pool_create(struct call *call)
{
        storage_pool_create(call_get_pool(call), call_read_flags(call), call_done, call);
}

void on_storage_pool_delete(struct call *call)
{
        storage_pool_delete(call_get_pool(call), call_read_flags(call), call_done, call);
}

void on_storage_pool_destroy(struct call *call)
{
        storage_pool_destroy(call_get_pool(call), call_done, call);
}

void on_storage_pool_refresh(struct call *call)
{
        storage_pool_refresh(call_get_pool(call), call_read_flags(call), call_done, call);
}

void on_storage_pool_undefine(struct call *call)
{
        storage_pool_undefine(call_get_pool(call), call_done, call);
}

void on_storage_pool_storage_vol_create_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        storage_volume_create_xml(call_get_pool(call), xml, flags, storage_vol_created, call);
}

void on_storage_pool_storage_vol_create_xml_from(struct call *call)
{
        const char *xml, *key;
        uint32_t flags;

        call_read(call, "ssu", &xml, &key, &flags);
        storage_volume_create_xml_from(call_get_pool(call), xml, key, flags, storage_vol_created, call);
}
