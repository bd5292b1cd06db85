/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: its storage. Loop thread.
 */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/storage/storage.h"
#include "introspection/connect.h"

/* ---- pools ---- */

void on_connect_list_storage_pools(struct call *call)
{
        g_autoptr(GPtrArray) pools = NULL;
        g_autoptr(GError) error = NULL;

        pools = storage_pool_list(call_get_storage(call), call_read_flags(call), &error);
        call_reply_list(call, TREE_POOLS, pools, error);
}

void on_connect_storage_pool_create_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        storage_pool_create_xml(call_get_storage(call), xml, flags, call_done_with_object, call);
}

void on_connect_storage_pool_define_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        storage_pool_define_xml(call_get_storage(call), xml, flags, call_done_with_object, call);
}

void on_connect_storage_pool_lookup_by_name(struct call *call)
{
        const struct storage_pool *pool;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        pool = storage_pool_lookup_name(call_get_storage(call), name, &error);
        call_reply_found(call, TREE_POOLS, pool, error);
}

void on_connect_storage_pool_lookup_by_uuid(struct call *call)
{
        const struct storage_pool *pool;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        pool = storage_pool_lookup_uuid(call_get_storage(call), uuid, &error);
        call_reply_found(call, TREE_POOLS, pool, error);
}

void on_connect_find_storage_pool_sources(struct call *call)
{
        const char *type, *source;
        uint32_t flags;

        call_read(call, "ssu", &type, &source, &flags);
        storage_find_sources(call_get_storage(call), type, source, flags, call_done_with_text, call);
}

void on_connect_get_storage_pool_capabilities(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        text = storage_get_capabilities(call_get_storage(call), call_read_flags(call), &error);
        call_done_with_text(text, error, call);
}

/* ---- volumes ---- */

void on_connect_storage_vol_lookup_by_key(struct call *call)
{
        const struct volume *volume;
        g_autoptr(GError) error = NULL;
        const char *key;

        call_read(call, "s", &key);
        volume = storage_volume_lookup_key(call_get_storage(call), key, &error);
        call_reply_found(call, TREE_VOLUMES, volume, error);
}

void on_connect_storage_vol_lookup_by_path(struct call *call)
{
        const struct volume *volume;
        g_autoptr(GError) error = NULL;
        const char *path;

        call_read(call, "s", &path);
        volume = storage_volume_lookup_path(call_get_storage(call), path, &error);
        call_reply_found(call, TREE_VOLUMES, volume, error);
}
