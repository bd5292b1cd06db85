/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New volumes, empty ones and copies of others. Entry points run on the loop; *_begin, *_end and *_turn_work
 * in the pool's lane, *_work in a job's.
 */
#include "drivers/storage/model.h"
#include <string.h>

/* ---- create ---- */

#define CREATE_FLAGS (VOLUME_CREATE_PREALLOC_METADATA | VOLUME_CREATE_REFLINK | VOLUME_CREATE_VALIDATE)

static bool check_name_free(const struct storage_operation *op, const char *name, GError **error)
{
        if (!object_set_find(storage_pool_get_current(op->pool)->volumes, name) &&
            !storage_volume_is_busy(op->pool, name))
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'", name);
}

static bool check_capacity(const struct storage_operation *op, const struct volume_given *given,
                           GError **error)
{
        if (given->capacity || op->source || op->volume->backing.path)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "missing capacity element");
}

/* A copy is at least as large as its source, and like it where nothing else is said. */
static void inherit(struct storage_operation *op, const struct volume_given *given)
{
        struct volume *volume = op->volume;
        const struct volume *source = op->source;

        if (!source)
                return;
        if (volume->capacity < source->capacity)
                volume->capacity = source->capacity;
        /* Room for the beginning of a copy with holes would only be taken from what comes behind. */
        if (!given->allocation)
                volume->allocation = source->sparse ? 0 : volume->capacity;
}

static bool parse_volume(struct storage_operation *op, GError **error)
{
        struct volume_given given;

        if ((op->flags & VOLUME_CREATE_VALIDATE) && !volume_validate(op->xml, error))
                return false;
        op->volume = volume_parse(op->xml, op->def->type, &given, error);
        if (!op->volume || !check_capacity(op, &given, error) ||
            !check_name_free(op, op->volume->name, error))
                return false;
        inherit(op, &given);
        op->name = g_strdup(op->volume->name);
        secret_ref_copy(&op->secret_ref, &op->volume->encryption.secret);
        return true;
}

static bool create_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);
        struct backend_context context;
        bool slow = false;

        if (!storage_pool_require_active(op->pool, error))
                return false;
        if (!backend->prepare || !backend->create)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support volume creation");
        storage_operation_get_lane_context(op, &context);
        if (!storage_check_flags(op->flags, backend->flags.create | VOLUME_CREATE_VALIDATE,
                                 "StorageVolCreateXML", error) ||
            !parse_volume(op, error) || !backend->prepare(&context, op->volume, op->flags, &slow, error))
                return false;
        if (slow || op->volume->encryption.format) {
                storage_volume_hold(op->pool, op->name);
                return true;
        }
        op->finished = true;
        return backend->create(&context, op->volume, op->flags, error) &&
               storage_pool_rescan_volume(op->pool, op->name, op->volume, error);
}

static bool create_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        return storage_operation_get_backend(op)->create(context, op->volume, op->flags, error);
}

static const struct storage_operation_steps create_steps = {
        .name = "create",
        .begin = create_begin,
        .work = create_work,
        .end = storage_operation_end_change,
};

void storage_volume_create_xml(struct storage_pool *pool, const char *xml, unsigned flags,
                               storage_volume_done done, void *data)
{
        struct storage_operation *op =
                storage_operation_new_change(&create_steps, pool, NULL, flags, done, data);
        GError *error = NULL;

        op->xml = g_strdup(xml);
        if (storage_check_flags(flags, CREATE_FLAGS, "StorageVolCreateXML", &error))
                storage_operation_run(op);
        else
                storage_operation_refuse(op, error);
}

static bool clone_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);
        struct backend_context context;
        bool slow = false;

        if (!storage_pool_require_active(op->pool, error))
                return false;
        if (!backend->prepare || !backend->clone)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support volume creation from an existing volume");
        storage_operation_get_lane_context(op, &context);
        if (!storage_check_flags(op->flags, backend->flags.clone | VOLUME_CREATE_VALIDATE,
                                 "StorageVolCreateXMLFrom", error) ||
            !parse_volume(op, error) || !backend->prepare(&context, op->volume, op->flags, &slow, error))
                return false;
        if (op->source->encryption.format)
                volume_copy_secret_ref(op->source, &op->source_secret_ref);
        storage_volume_hold(op->pool, op->name);
        return true;
}

/* The volume below in the format that the one above says: what its own header says does not count. */
static bool add_below(GPtrArray *chain, const struct volume *above, struct volume *below, GError **error)
{
        struct volume *raw;

        if (below->type == VOLUME_BLOCK || below->format == above->backing.format) {
                g_ptr_array_add(chain, volume_ref(below));
                return true;
        }
        if (above->backing.format != VOLUME_FORMAT_RAW)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                 "volume '%s' below '%s' is not in the format that the latter says",
                                 below->name, above->name);
        raw = volume_copy(below);
        g_clear_pointer(&raw->backing.path, g_free);
        raw->format = VOLUME_FORMAT_RAW;
        g_ptr_array_add(chain, raw);
        return true;
}

static struct volume *find_below(const struct storage *storage, const struct volume *above, GError **error)
{
        struct volume *below = collection_find_by(storage->volumes, VOLUME_PATH, above->backing.path, NULL);
        g_autofree char *quoted = NULL;

        if (below)
                return below;
        quoted = error_quote(above->backing.path);
        error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                  "backing file '%s' of volume '%s' is not a volume of an active storage pool", quoted,
                  above->name);
        return NULL;
}

/*
 * What a guest writes at the beginning of a raw disk can make it look like an image whose backing file is any
 * file of the host. A clone follows a chain only through volumes of active pools. What a device is a snapshot
 * of is not qemu-img's business.
 */
static bool gather_chain(struct storage_operation *op, GError **error)
{
        const struct volume *last = op->source;

        op->chain = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);
        g_ptr_array_add(op->chain, volume_ref(op->source));
        while (last->backing.path && last->type != VOLUME_BLOCK) {
                struct volume *below = find_below(op->pool->storage, last, error);

                if (!below || !add_below(op->chain, last, below, error))
                        return false;
                if (op->chain->len > STORAGE_CHAIN_MAX)
                        return error_set(
                                error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                "the backing chain of volume '%s' is a loop or longer than %d volumes",
                                op->source->name, STORAGE_CHAIN_MAX);
                last = g_ptr_array_index(op->chain, op->chain->len - 1);
        }
        return true;
}

static bool clone_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        return storage_operation_get_backend(op)->clone(context, op->volume, op->source, op->flags, error);
}

static const struct storage_operation_steps clone_steps = {
        .name = "clone",
        .begin = clone_begin,
        .gather = gather_chain,
        .work = clone_work,
        .end = storage_operation_end_change,
};

/* ---- the source of a clone, held in its own pool's lane before, released after ---- */

/* Wraps the caller's done. */
struct clone {
        struct storage_operation *op;     /* owned until it runs */
        char *key;                        /* owned */
        struct storage_pool *source_pool; /* ref; NULL until it is known */
        bool has_turn;                    /* the pool of the copy counts a job since then */
        storage_volume_done done;
        void *data; /* owned by done */
};

static bool give_turn_back_work(struct managed *object, void *data, GError **error)
{
        storage_pool_from(object)->jobs--;
        return true;
}

/* While its operation is there. */
static void clone_free(struct clone *clone)
{
        if (clone->has_turn)
                managed_run(&clone->op->pool->base, MANAGED_IN_TURN, give_turn_back_work, NULL, NULL);
        if (clone->source_pool)
                managed_unref(&clone->source_pool->base);
        g_free(clone->key);
        g_free(clone);
}

static void clone_refuse(struct clone *clone, const GError *error)
{
        struct storage_operation *op = clone->op;

        clone_free(clone);
        storage_operation_refuse(op, g_error_copy(error));
}

static bool release_source_work(struct managed *object, void *data, GError **error)
{
        const struct volume *source = data;
        struct storage_pool *pool = storage_pool_from(object);

        storage_volume_release(pool, source->name);
        pool->jobs--;
        return true;
}

static void release_source_done(struct managed *object, const GError *error, void *data)
{
        volume_unref(data);
}

static void clone_done(struct storage_pool *pool, struct volume *volume, const GError *error, void *data)
{
        struct clone *clone = data;

        managed_run(&clone->source_pool->base, MANAGED_IN_TURN, release_source_work, release_source_done,
                    volume_ref(clone->op->source));
        clone->done(pool, volume, error, clone->data);
        clone_free(clone);
}

static bool hold_source_work(struct managed *object, void *data, GError **error)
{
        const struct clone *clone = data;
        struct storage_pool *pool = storage_pool_from(object);
        const char *name = clone->op->source->name;

        if (!storage_pool_require_active(pool, error))
                return false;
        if (!object_set_find(storage_pool_get_current(pool)->volumes, name))
                return storage_volume_refuse_missing(name, error);
        /* A copy of what is half written is of no use. */
        if (storage_volume_is_written(pool, name))
                return storage_volume_refuse_use(name, error);
        storage_volume_hold_to_read(pool, name);
        pool->jobs++;
        return true;
}

static void hold_source_done(struct managed *object, const GError *error, void *data)
{
        struct clone *clone = data;

        if (error) {
                clone_refuse(clone, error);
                return;
        }
        clone->op->volume_done = clone_done;
        clone->op->data = clone;
        storage_operation_run(clone->op);
}

/* What is asked of the pool from now on comes later, though the pool of the source is asked in between. */
static bool take_turn_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);

        if (!storage_pool_require_active(pool, error))
                return false;
        pool->jobs++;
        return true;
}

/* What was asked of the pool before is published by now: it may have made the source. */
static void take_turn_done(struct managed *object, const GError *failure, void *data)
{
        struct clone *clone = data;
        struct storage *storage = clone->op->pool->storage;
        struct storage_pool *pool = NULL;
        g_autoptr(GError) error = NULL;
        struct volume *source;

        if (failure) {
                clone_refuse(clone, failure);
                return;
        }
        clone->has_turn = true;
        source = storage_volume_lookup_key(storage, clone->key, &error);
        if (source)
                pool = storage_volume_get_pool(storage, source, &error);
        if (!pool) {
                clone_refuse(clone, error);
                return;
        }
        clone->op->source = volume_ref(source);
        clone->source_pool = storage_pool_from(managed_ref(&pool->base));
        managed_run(&pool->base, MANAGED_IN_TURN, hold_source_work, hold_source_done, clone);
}

void storage_volume_create_xml_from(struct storage_pool *pool, const char *xml, const char *key,
                                    unsigned flags, storage_volume_done done, void *data)
{
        struct storage_operation *op =
                storage_operation_new_change(&clone_steps, pool, NULL, flags, done, data);
        struct clone *clone;
        GError *error = NULL;

        op->xml = g_strdup(xml);
        if (!storage_check_flags(flags, CREATE_FLAGS, "StorageVolCreateXMLFrom", &error)) {
                storage_operation_refuse(op, error);
                return;
        }
        clone = g_new(struct clone, 1);
        *clone = (struct clone){ .op = op, .key = g_strdup(key), .done = done, .data = data };
        managed_run(&pool->base, MANAGED_IN_TURN, take_turn_work, take_turn_done, clone);
}
