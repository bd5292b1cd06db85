/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.StorageVol. A call keeps the description of the volume that it found; what changes the volume
 * is looked up by the model again. Loop thread.
 */
#include "bus/storage-vol.h"

#include "bus/call.h"
#include "bus/collected-object.h"
#include "bus/interface.h"
#include "introspection/storage-vol.h"

static struct volume *target_get_volume(const struct target *target)
{
        return target->object;
}

static struct volume *call_get_volume(const struct call *call)
{
        return target_get_volume(&call->target);
}

/* ---- the kind ---- */

static void *lookup(const struct connect *connect, const char *key, GError **error)
{
        return storage_volume_lookup_key(model_get_storage(connect->model), key, error);
}

static uint64_t bit_if(bool changed, enum interface_storage_vol_property property)
{
        return changed ? UINT64_C(1) << property : 0;
}

static uint64_t compare(const void *before, const void *after)
{
        const struct volume *old = before, *new = after;

        return bit_if(old->allocation != new->allocation, INTERFACE_STORAGE_VOL_PROPERTY_ALLOCATION) |
               bit_if(old->capacity != new->capacity, INTERFACE_STORAGE_VOL_PROPERTY_CAPACITY) |
               bit_if(g_strcmp0(old->path, new->path) != 0, INTERFACE_STORAGE_VOL_PROPERTY_PATH);
}

const struct object_kind storage_vol_object_kind = {
        .branch = "storagevol",
        .model = MODEL_VOLUMES,
        .interface = &interface_storage_vol,
        COLLECTED_OBJECT_HOOKS,
        .key = VOLUME_KEY,
        .lookup = lookup,
        .compare = compare,
};

/* ---- properties ---- */

bool get_storage_vol_allocation(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", target_get_volume(target)->allocation);
}

bool get_storage_vol_capacity(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", target_get_volume(target)->capacity);
}

bool get_storage_vol_key(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_volume(target)->key);
}

bool get_storage_vol_name(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_volume(target)->name);
}

bool get_storage_vol_path(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_volume(target)->path);
}

/* ---- ends of work ---- */

static void done(struct storage_pool *pool, struct volume *volume, const GError *error, void *data)
{
        call_done_collected(error, data);
}

void storage_vol_created(struct storage_pool *pool, struct volume *volume, const GError *error, void *data)
{
        g_autoptr(GError) vanished = NULL;
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else if (storage_volume_require_made(volume, &vanished))
                call_reply_object(call, &call->target.connect->branches[TREE_VOLUMES], volume);
        else
                call_fail(call, vanished);
}

static void done_with_info(const struct storage_volume_info *info, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "(itt)", (int)info->type, info->capacity, info->allocation);
}

static void done_with_stream(int fd, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply_fd(call, fd);
}

/* ---- descriptions ---- */

void on_storage_vol_get_info(struct call *call)
{
        storage_volume_get_info(call_get_storage(call), call_get_volume(call), call_read_flags(call),
                                done_with_info, call);
}

void on_storage_vol_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        text = storage_volume_get_xml(call_get_storage(call), call_get_volume(call), call_read_flags(call),
                                      &error);
        call_done_with_text(text, error, call);
}

void on_storage_vol_storage_pool_lookup_by_volume(struct call *call)
{
        const struct storage_pool *pool;
        g_autoptr(GError) error = NULL;

        pool = storage_volume_get_pool(call_get_storage(call), call_get_volume(call), &error);
        call_reply_found(call, TREE_POOLS, pool, error);
}

/* ---- changes ---- */

void on_storage_vol_delete(struct call *call)
{
        storage_volume_delete(call_get_storage(call), call_get_volume(call), call_read_flags(call), done,
                              call);
}

void on_storage_vol_download(struct call *call)
{
        uint64_t offset, length;
        uint32_t flags;

        call_read(call, "ttu", &offset, &length, &flags);
        storage_volume_download(call_get_storage(call), call_get_volume(call), offset, length, flags,
                                done_with_stream, call);
}

void on_storage_vol_resize(struct call *call)
{
        uint64_t capacity;
        uint32_t flags;

        call_read(call, "tu", &capacity, &flags);
        storage_volume_resize(call_get_storage(call), call_get_volume(call), capacity, flags, done, call);
}

void on_storage_vol_upload(struct call *call)
{
        uint64_t offset, length;
        uint32_t flags;

        call_read(call, "ttu", &offset, &length, &flags);
        storage_volume_upload(call_get_storage(call), call_get_volume(call), offset, length, flags,
                              done_with_stream, call);
}

void on_storage_vol_wipe(struct call *call)
{
        uint32_t algorithm, flags;

        call_read(call, "uu", &algorithm, &flags);
        storage_volume_wipe(call_get_storage(call), call_get_volume(call), algorithm, flags, done, call);
}
