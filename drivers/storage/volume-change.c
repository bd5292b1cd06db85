/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of volumes that are there: delete, resize, wipe; which of them are at work, and what all changes of
 * one share. Entry points run on the loop, *_begin and *_end in the pool's lane, *_work in a job's.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"
#include "drivers/storage/wipe.h"

#include <string.h>

/* ---- volumes at work; lane ---- */

/* In the place of a number of readers. */
#define WRITTEN UINT_MAX

static unsigned count_jobs(const struct storage_pool *pool, const char *name)
{
        return GPOINTER_TO_UINT(g_hash_table_lookup(pool->busy, name));
}

bool storage_volume_is_busy(const struct storage_pool *pool, const char *name)
{
        return count_jobs(pool, name) > 0;
}

bool storage_volume_is_written(const struct storage_pool *pool, const char *name)
{
        return count_jobs(pool, name) == WRITTEN;
}

void storage_volume_hold(struct storage_pool *pool, const char *name)
{
        g_assert(!storage_volume_is_busy(pool, name));
        g_hash_table_insert(pool->busy, g_strdup(name), GUINT_TO_POINTER(WRITTEN));
}

void storage_volume_hold_to_read(struct storage_pool *pool, const char *name)
{
        g_assert(!storage_volume_is_written(pool, name));
        g_hash_table_insert(pool->busy, g_strdup(name), GUINT_TO_POINTER(count_jobs(pool, name) + 1));
}

void storage_volume_release(struct storage_pool *pool, const char *name)
{
        unsigned count = count_jobs(pool, name);

        if (count > 1 && count != WRITTEN)
                g_hash_table_insert(pool->busy, g_strdup(name), GUINT_TO_POINTER(count - 1));
        else
                g_hash_table_remove(pool->busy, name);
}

bool storage_volume_refuse_missing(const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                         "no storage vol with matching name '%s'", quoted);
}

bool storage_volume_refuse_use(const char *name, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID, "volume '%s' is still in use.",
                         name);
}

bool storage_operation_find_volume_to_read(struct storage_operation *op, GError **error)
{
        struct volume *volume;

        if (!storage_pool_require_active(op->pool, error))
                return false;
        volume = object_set_find(storage_pool_get_current(op->pool)->volumes, op->name);
        if (!volume)
                return storage_volume_refuse_missing(op->name, error);
        if (storage_volume_is_written(op->pool, op->name))
                return storage_volume_refuse_use(op->name, error);
        op->volume = volume_ref(volume);
        return true;
}

bool storage_operation_find_volume(struct storage_operation *op, GError **error)
{
        return storage_operation_find_volume_to_read(op, error) &&
               storage_volume_require_unused(op->pool, op->name, error) &&
               (!storage_volume_is_busy(op->pool, op->name) || storage_volume_refuse_use(op->name, error)) &&
               storage_volume_require_unlocked(op->volume, error);
}

const struct backend *storage_operation_get_backend(const struct storage_operation *op)
{
        return storage_get_backend(op->pool->storage, op->def->type, NULL);
}

void storage_operation_get_lane_context(const struct storage_operation *op, struct backend_context *context)
{
        storage_pool_get_context(op->pool, op->pool->base.lane, NULL, op->def, op->secret, context);
}

/* The end of every change of one volume: it may be used again, and is published as it is now. */
bool storage_operation_end_change(struct storage_operation *op, const GError *failure, GError **error)
{
        g_autoptr(GError) problem = NULL;

        storage_volume_release(op->pool, op->name);
        if (!op->pool->base.current || !op->pool->base.current->active)
                return true;
        /* What failed may have changed something, too; that failure is the answer then. */
        if (storage_pool_rescan_volume(op->pool, op->name, op->volume, &problem) || failure)
                return true;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
}

struct storage_operation *storage_operation_new_change(const struct storage_kind *kind,
                                                       struct storage_pool *pool, const char *name,
                                                       unsigned flags, storage_volume_done done, void *data)
{
        struct storage_operation *op = storage_operation_new(kind, pool);

        op->name = g_strdup(name);
        op->flags = flags;
        op->volume_done = done;
        op->data = data;
        return op;
}

/* ---- changes of one volume ---- */

/* The operation on the pool of volume; NULL after done was called with an error. */
static struct storage_operation *on_volume(const struct storage_kind *kind, struct storage *storage,
                                           struct volume *volume, unsigned flags, unsigned allowed,
                                           const char *function, storage_volume_done done, void *data)
{
        struct storage_pool *pool = NULL;
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, allowed, ERROR_FROM_STORAGE, function, &error))
                pool = storage_volume_get_pool(storage, volume, &error);
        if (pool)
                return storage_operation_new_change(kind, pool, volume->name, flags, done, data);
        done(NULL, NULL, error, data);
        return NULL;
}

/* ---- delete ---- */

static bool delete_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);
        struct backend_context context;

        if (!storage_operation_find_volume(op, error))
                return false;
        if (!backend->destroy)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support vol deletion");
        if (!flags_check(op->flags, backend->flags.destroy, ERROR_FROM_STORAGE, "Delete", error))
                return false;
        storage_operation_get_lane_context(op, &context);
        operation_skip_rest(&op->base);
        return backend->destroy(&context, op->volume, op->flags, error) &&
               storage_pool_rescan_volume(op->pool, op->name, op->volume, error);
}

static const struct storage_kind delete_kind = {
        .base = STORAGE_KIND(struct storage_operation, "delete"),
        .begin = delete_begin,
};

void storage_volume_delete(struct storage *storage, struct volume *volume, unsigned flags,
                           storage_volume_done done, void *data)
{
        struct storage_operation *op =
                on_volume(&delete_kind, storage, volume, flags,
                          VOLUME_DELETE_ZEROED | VOLUME_DELETE_WITH_SNAPSHOTS, "Delete", done, data);

        if (op)
                storage_operation_run(op);
}

/* ---- resize ---- */

struct resize {
        struct storage_operation base;
        uint64_t capacity; /* bytes; with DELTA the difference, until begin */
};

static struct resize *resize_of(struct storage_operation *op)
{
        return (struct resize *)op;
}

static bool resize_check(struct storage_operation *op, GError **error)
{
        struct resize *resize = resize_of(op);
        const struct volume *volume = op->volume;
        uint64_t available = storage_pool_get_current(op->pool)->numbers.available;
        bool shrink = op->flags & VOLUME_RESIZE_SHRINK;

        if (op->flags & VOLUME_RESIZE_DELTA) {
                if (!shrink && resize->capacity > VOLUME_BYTES_MAX - volume->capacity)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OVERFLOW,
                                         "capacity of volume '%s' would exceed %" G_GUINT64_FORMAT " bytes",
                                         volume->name, VOLUME_BYTES_MAX);
                resize->capacity = shrink ? volume->capacity - MIN(resize->capacity, volume->capacity)
                                          : volume->capacity + resize->capacity;
                op->flags &= ~(unsigned)VOLUME_RESIZE_DELTA;
        }
        if (resize->capacity > VOLUME_BYTES_MAX)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OVERFLOW,
                                 "capacity of volume '%s' would exceed %" G_GUINT64_FORMAT " bytes",
                                 volume->name, VOLUME_BYTES_MAX);
        if (resize->capacity < volume->capacity && !shrink)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "Can't shrink capacity below current capacity unless shrink flag explicitly "
                                 "specified");
        if ((op->flags & VOLUME_RESIZE_ALLOCATE) && resize->capacity > volume->allocation &&
            resize->capacity - volume->allocation > available)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "Not enough space left in storage pool");
        return true;
}

static bool resize_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);

        if (!storage_operation_find_volume(op, error))
                return false;
        if (!backend->resize)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support changing of volume capacity");
        if (!flags_check(op->flags, backend->flags.resize | VOLUME_RESIZE_DELTA, ERROR_FROM_STORAGE, "Resize",
                         error) ||
            !resize_check(op, error))
                return false;
        if (op->volume->encryption.format)
                volume_copy_secret_ref(op->volume, &op->secret_ref);
        storage_volume_hold(op->pool, op->name);
        return true;
}

static bool resize_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        return storage_operation_get_backend(op)->resize(context, op->volume, resize_of(op)->capacity,
                                                         op->flags, error);
}

/* A raw volume is one of its new size now, whatever its first bytes say; or of its old one. */
static bool resize_end(struct storage_operation *op, const GError *failure, GError **error)
{
        struct volume *resized;

        if (!failure) {
                resized = volume_copy(op->volume);
                resized->physical = resize_of(op)->capacity;
                volume_unref(op->volume);
                op->volume = resized;
        }
        return storage_operation_end_change(op, failure, error);
}

static const struct storage_kind resize_kind = {
        .base = STORAGE_KIND(struct resize, "resize"),
        .begin = resize_begin,
        .work = resize_work,
        .end = resize_end,
};

void storage_volume_resize(struct storage *storage, struct volume *volume, uint64_t capacity, unsigned flags,
                           storage_volume_done done, void *data)
{
        struct storage_operation *op = on_volume(
                &resize_kind, storage, volume, flags,
                VOLUME_RESIZE_ALLOCATE | VOLUME_RESIZE_DELTA | VOLUME_RESIZE_SHRINK, "Resize", done, data);

        if (!op)
                return;
        resize_of(op)->capacity = capacity;
        storage_operation_run(op);
}

/* ---- wipe ---- */

struct wipe {
        struct storage_operation base;
        enum volume_wipe_algorithm algorithm;
};

static struct wipe *wipe_of(struct storage_operation *op)
{
        return (struct wipe *)op;
}

static bool wipe_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);

        if (!storage_operation_find_volume(op, error))
                return false;
        if (!backend->wipe && !backend->open)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "storage pool does not support volume wiping");
        storage_volume_hold(op->pool, op->name);
        return true;
}

static bool wipe_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        const struct backend *backend = storage_operation_get_backend(op);
        enum volume_wipe_algorithm algorithm = wipe_of(op)->algorithm;
        CLEANUP_FD int fd = -1;
        uint64_t length;

        if (backend->wipe)
                return backend->wipe(context, op->volume, algorithm, error);
        fd = backend->open(context, op->volume, true, &length, error);
        return fd >= 0 && wipe_run(context, fd, op->volume->path, length, algorithm, error);
}

static const struct storage_kind wipe_kind = {
        .base = STORAGE_KIND(struct wipe, "wipe"),
        .begin = wipe_begin,
        .work = wipe_work,
        .end = storage_operation_end_change,
};

void storage_volume_wipe(struct storage *storage, struct volume *volume, unsigned algorithm, unsigned flags,
                         storage_volume_done done, void *data)
{
        struct storage_operation *op = on_volume(&wipe_kind, storage, volume, flags, 0, "Wipe", done, data);
        GError *error = NULL;

        if (!op)
                return;
        wipe_of(op)->algorithm = (enum volume_wipe_algorithm)algorithm;
        if (algorithm < VOLUME_WIPE_COUNT)
                storage_operation_run(op);
        else {
                error_set(&error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG, "wiping algorithm %u not supported",
                          algorithm);
                storage_operation_refuse(op, error);
        }
}
