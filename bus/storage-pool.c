/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.StoragePool: properties, descriptions and what is in a pool, all answered from the published
 * state. Loop thread.
 */
#include "bus/storage-pool.h"

#include "bus/interface.h"
#include "bus/managed-object.h"
#include "introspection/storage-pool.h"

const struct object_kind storage_pool_object_kind = {
        .branch = "storagepool",
        .model = MODEL_POOLS,
        .interface = &interface_storage_pool,
        MANAGED_OBJECT_HOOKS,
        .get_changed = storage_pool_signals_get_changed,
        .announce = storage_pool_signals_announce,
};

static const struct storage_pool_state *get_state(const struct target *target)
{
        return storage_pool_get_published(target_get_pool(target));
}

/* ---- properties ---- */

void set_storage_pool_autostart(struct call *call, DBusMessageIter *value)
{
        bool autostart;

        marshal_read(value, "b", &autostart);
        storage_pool_set_autostart(call_get_pool(call), autostart, call_done, call);
}

bool get_storage_pool_problem(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", get_state(target)->problem);
}

bool get_storage_pool_state(const struct target *target, struct marshal_slot *slot, GError **error)
{
        struct storage_pool_info info;

        storage_pool_get_info(target_get_pool(target), &info);
        return marshal_slot_write(slot, "i", (int)info.state);
}

/* ---- descriptions ---- */

void on_storage_pool_get_info(struct call *call)
{
        struct storage_pool_info info;

        storage_pool_get_info(call_get_pool(call), &info);
        call_reply(call, "(ittt)", (int)info.state, info.numbers.capacity, info.numbers.allocation,
                   info.numbers.available);
}

void on_storage_pool_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        text = storage_pool_get_xml(call_get_pool(call), call_read_flags(call), &error);
        call_done_with_text(text, error, call);
}

/* ---- volumes ---- */

void on_storage_pool_list_storage_volumes(struct call *call)
{
        const struct object_set *set;
        g_autoptr(GError) error = NULL;

        set = storage_volume_list(call_get_pool(call), call_read_flags(call), &error);
        if (set)
                call_reply_objects(call, &call->target.connect->branches[TREE_VOLUMES],
                                   (const void *const *)set->objects, set->count);
        else
                call_fail(call, error);
}

void on_storage_pool_storage_vol_lookup_by_name(struct call *call)
{
        const struct volume *volume;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        volume = storage_volume_lookup_name(call_get_pool(call), name, &error);
        call_reply_found(call, TREE_VOLUMES, volume, error);
}
