/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New volumes, empty ones and copies of others. Entry points run on the loop; *_begin, *_end and *_turn_work
 * in the pool's lane, *_work in a job's.
 */
#include "drivers/storage/model.h"
#include <limits.h>
#include <string.h>

/* ---- create ---- */

#define CREATE_FLAGS (VOLUME_CREATE_PREALLOC_METADATA | VOLUME_CREATE_REFLINK | VOLUME_CREATE_VALIDATE)

struct creation {
        struct storage_operation base;
        char *xml; /* owned; const */
};

/* Of what else than nothing: the source is held in its own pool, before the copy's pool begins. */
struct clone {
        struct creation base;
        char *key;                           /* owned; const */
        struct storage_pool *source_pool;    /* ref */
        struct volume *source;               /* ref */
        GPtrArray *chain;                    /* owned; of struct volume: the source and what is below it */
        struct secret_ref source_secret_ref; /* owned; what begin found is needed */
        GBytes *source_secret;               /* ref */
};

static struct creation *creation_of(struct storage_operation *op)
{
        return (struct creation *)op;
}

static struct clone *clone_of(void *op)
{
        return op;
}

static bool check_name_free(const struct storage_operation *op, const char *name, GError **error)
{
        if (!object_set_find(storage_pool_get_current(op->pool)->volumes, name) &&
            !storage_volume_is_busy(op->pool, name))
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'", name);
}

static bool check_capacity(const struct volume *volume, const struct volume *source,
                           const struct volume_given *given, GError **error)
{
        if (given->capacity || source || volume->backing.path)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "missing capacity element");
}

/* A copy is at least as large as its source, and like it where nothing else is said. */
static void inherit(struct volume *volume, const struct volume *source, const struct volume_given *given)
{
        if (volume->capacity < source->capacity)
                volume->capacity = source->capacity;
        /* Room for the beginning of a copy with holes would only be taken from what comes behind. */
        if (!given->allocation)
                volume->allocation = source->sparse ? 0 : volume->capacity;
}

/* source NULL: the volume is no copy. */
static bool parse_volume(struct storage_operation *op, const struct volume *source, GError **error)
{
        const char *xml = creation_of(op)->xml;
        struct volume_given given;

        if ((op->flags & VOLUME_CREATE_VALIDATE) && !volume_validate(xml, error))
                return false;
        op->volume = volume_parse(xml, op->def->type, &given, error);
        if (!op->volume || !check_capacity(op->volume, source, &given, error) ||
            !check_name_free(op, op->volume->name, error))
                return false;
        if (source)
                inherit(op->volume, source, &given);
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
        if (!flags_check(op->flags, backend->flags.create | VOLUME_CREATE_VALIDATE, ERROR_FROM_STORAGE,
                         "StorageVolCreateXML", error) ||
            !parse_volume(op, NULL, error) ||
            !backend->prepare(&context, op->volume, op->flags, &slow, error))
                return false;
        if (slow || op->volume->encryption.format) {
                storage_volume_hold(op->pool, op->name);
                return true;
        }
        operation_skip_rest(&op->base);
        return backend->create(&context, op->volume, op->flags, error) &&
               storage_pool_rescan_volume(op->pool, op->name, op->volume, error);
}

static bool create_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        return storage_operation_get_backend(op)->create(context, op->volume, op->flags, error);
}

static void creation_clear(struct operation *op)
{
        g_free(((struct creation *)op)->xml);
        storage_operation_clear(op);
}

static const struct storage_kind create_kind = {
        .base = { .name = "create",
                  .steps = storage_steps,
                  .n_steps = STORAGE_N_STEPS,
                  .size = sizeof(struct creation),
                  .done = storage_operation_done,
                  .clear = creation_clear },
        .begin = create_begin,
        .work = create_work,
        .end = storage_operation_end_change,
};

void storage_volume_create_xml(struct storage_pool *pool, const char *xml, unsigned flags,
                               storage_volume_done done, void *data)
{
        struct storage_operation *op =
                storage_operation_new_change(&create_kind, pool, NULL, flags, done, data);
        GError *error = NULL;

        creation_of(op)->xml = g_strdup(xml);
        if (flags_check(flags, CREATE_FLAGS, ERROR_FROM_STORAGE, "StorageVolCreateXML", &error))
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
        if (!flags_check(op->flags, backend->flags.clone | VOLUME_CREATE_VALIDATE, ERROR_FROM_STORAGE,
                         "StorageVolCreateXMLFrom", error) ||
            !parse_volume(op, clone_of(op)->source, error) ||
            !backend->prepare(&context, op->volume, op->flags, &slow, error))
                return false;
        if (clone_of(op)->source->encryption.format)
                volume_copy_secret_ref(clone_of(op)->source, &clone_of(op)->source_secret_ref);
        storage_volume_hold(op->pool, op->name);
        return true;
}

/*
 * The volume below in the format that the one above says: what its own header says does not count, unless
 * nothing is said (and image_check_backing() finds that it leads nowhere).
 */
static bool add_below(GPtrArray *chain, const struct volume *above, struct volume *below, GError **error)
{
        struct volume *raw;

        if (above->backing.guessed && below->backing.path && below->type != VOLUME_BLOCK)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                 "volume '%s' does not say the format of its backing file, which has a "
                                 "backing file itself",
                                 above->name);
        if (below->type == VOLUME_BLOCK || above->backing.guessed || below->format == above->backing.format) {
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
static bool gather_chain(struct clone *clone, struct storage *storage, GError **error)
{
        const struct volume *last = clone->source;

        clone->chain = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);
        g_ptr_array_add(clone->chain, volume_ref(clone->source));
        while (last->backing.path && last->type != VOLUME_BLOCK) {
                struct volume *below = find_below(storage, last, error);

                if (!below || !add_below(clone->chain, last, below, error))
                        return false;
                if (clone->chain->len > STORAGE_CHAIN_MAX)
                        return error_set(
                                error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                "the backing chain of volume '%s' is a loop or longer than %d volumes",
                                clone->source->name, STORAGE_CHAIN_MAX);
                last = g_ptr_array_index(clone->chain, clone->chain->len - 1);
        }
        return true;
}

static bool clone_gather(struct storage_operation *op, GError **error)
{
        struct clone *clone = clone_of(op);
        struct storage *storage = op->pool->storage;

        return storage_get_secret(storage, &clone->source_secret_ref, &clone->source_secret, error) &&
               gather_chain(clone, storage, error);
}

static bool clone_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        const struct clone *clone = clone_of(op);
        struct backend_context with_source = *context;

        with_source.source_secret = clone->source_secret;
        with_source.chain = clone->chain;
        return storage_operation_get_backend(op)->clone(&with_source, op->volume, clone->source, op->flags,
                                                        error);
}

/* ---- before that: the source ---- */

/* What is asked of the pool from now on comes later, though the pool of the source is asked in between. */
static bool take_turn(struct operation *op, GError **error)
{
        struct storage_pool *pool = storage_pool_from(op->object);

        if (!storage_pool_require_active(pool, error))
                return false;
        pool->jobs++;
        return true;
}

static void give_turn_back(struct operation *op)
{
        storage_pool_from(op->object)->jobs--;
}

/* What was asked of the pool before is published by now: it may have made the source. */
static bool find_source(struct operation *op, GError **error)
{
        struct clone *clone = clone_of(op);
        struct storage *storage = storage_pool_from(op->object)->storage;
        struct volume *source = storage_volume_lookup_key(storage, clone->key, error);
        struct storage_pool *pool = source ? storage_volume_get_pool(storage, source, error) : NULL;

        if (!pool)
                return false;
        clone->source = volume_ref(source);
        clone->source_pool = storage_pool_from(managed_ref(&pool->base));
        return true;
}

static struct managed *get_source_pool(struct operation *op, unsigned index)
{
        return index == 0 ? &clone_of(op)->source_pool->base : NULL;
}

static bool hold_source(struct operation *op, unsigned index, GError **error)
{
        struct storage_pool *pool = clone_of(op)->source_pool;
        const char *name = clone_of(op)->source->name;

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

static void release_source(struct operation *op, unsigned index)
{
        struct storage_pool *pool = clone_of(op)->source_pool;

        storage_volume_release(pool, clone_of(op)->source->name);
        pool->jobs--;
}

static void clone_clear(struct operation *op)
{
        struct clone *clone = clone_of(op);

        if (clone->source_pool)
                managed_unref(&clone->source_pool->base);
        volume_unref(clone->source);
        g_clear_pointer(&clone->chain, g_ptr_array_unref);
        g_clear_pointer(&clone->source_secret, g_bytes_unref);
        secret_ref_clear(&clone->source_secret_ref);
        g_free(clone->key);
        creation_clear(op);
}

static const struct operation_step clone_steps[] = {
        { .place = OPERATION_OBJECT, .run = take_turn, .undo = give_turn_back, .temporary = true },
        { .place = OPERATION_LOOP, .run = find_source },
        { .place = OPERATION_OTHERS,
          .other = get_source_pool,
          .visit = hold_source,
          .leave = release_source,
          .temporary = true },
        STORAGE_STEPS,
};

static const struct storage_kind clone_kind = {
        .base = { .name = "clone",
                  .steps = clone_steps,
                  .n_steps = G_N_ELEMENTS(clone_steps),
                  .size = sizeof(struct clone),
                  .done = storage_operation_done,
                  .clear = clone_clear },
        .begin = clone_begin,
        .gather = clone_gather,
        .work = clone_work,
        .end = storage_operation_end_change,
};

void storage_volume_create_xml_from(struct storage_pool *pool, const char *xml, const char *key,
                                    unsigned flags, storage_volume_done done, void *data)
{
        struct storage_operation *op =
                storage_operation_new_change(&clone_kind, pool, NULL, flags, done, data);
        GError *error = NULL;

        creation_of(op)->xml = g_strdup(xml);
        clone_of(op)->key = g_strdup(key);
        /* A pool that looks through its storage is waited for, as the copy's is. */
        op->base.others_ms = INT_MAX;
        if (flags_check(flags, CREATE_FLAGS, ERROR_FROM_STORAGE, "StorageVolCreateXMLFrom", &error))
                storage_operation_run(op);
        else
                storage_operation_refuse(op, error);
}
