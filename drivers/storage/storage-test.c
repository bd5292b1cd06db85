/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage in memory, of test:///default: pools of every type, whose volumes are their descriptions and
 * nothing else. Operations run in the pool's lane; live is what the pool holds, also while it is inactive.
 */
#include "base/lane.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/model.h"

#include <string.h>

#define POOL_BYTES (UINT64_C(100) << 30)

/* Name and uuid are part of the wire, as tools and tests know them. */
static const char default_pool[] = "<pool type='dir'>\n"
                                   "  <name>default-pool</name>\n"
                                   "  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>\n"
                                   "  <target>\n"
                                   "    <path>/default-pool</path>\n"
                                   "  </target>\n"
                                   "</pool>\n";

static GHashTable *get_volumes(const struct backend_context *context)
{
        if (!*context->live)
                *context->live =
                        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)volume_unref);
        return *context->live;
}

static void forget(const struct backend_context *context)
{
        g_hash_table_unref(g_steal_pointer(context->live));
}

static bool measure(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        GHashTableIter iter;
        gpointer volume;

        *numbers = (struct pool_numbers){ .capacity = POOL_BYTES };
        g_hash_table_iter_init(&iter, get_volumes(context));
        while (g_hash_table_iter_next(&iter, NULL, &volume))
                numbers->allocation += ((const struct volume *)volume)->allocation;
        numbers->available = POOL_BYTES - MIN(numbers->allocation, POOL_BYTES);
        return true;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        GHashTableIter iter;
        gpointer volume;

        g_hash_table_iter_init(&iter, get_volumes(context));
        while (g_hash_table_iter_next(&iter, NULL, &volume))
                g_ptr_array_add(scan->volumes, volume_ref(volume));
        return measure(context, &scan->numbers, error);
}

static bool probe(const struct backend_context *context, const char *name, const struct volume *before,
                  struct volume **volume, GError **error)
{
        *volume = g_hash_table_lookup(get_volumes(context), name);
        if (*volume)
                volume_ref(*volume);
        return true;
}

static bool succeed(const struct backend_context *context, GError **error)
{
        return true;
}

static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        return true;
}

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        struct pool_numbers numbers;

        measure(context, &numbers, NULL);
        if (volume->allocation > numbers.available)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "Not enough free space in pool for volume '%s'", volume->name);
        if (volume->format == VOLUME_FORMAT_NONE && !volume->format_name)
                volume->format = VOLUME_FORMAT_RAW;
        volume->type = volume->format == VOLUME_FORMAT_DIR ? VOLUME_DIR : VOLUME_FILE;
        volume->path = g_strconcat(context->def->path ? context->def->path : "", "/", volume->name, NULL);
        volume->key = g_strdup(volume->path);
        return true;
}

static bool create(const struct backend_context *context, struct volume *volume, unsigned flags,
                   GError **error)
{
        g_hash_table_replace(get_volumes(context), volume->name, volume_ref(volume));
        return true;
}

static bool copy(const struct backend_context *context, struct volume *volume, const struct volume *source,
                 unsigned flags, GError **error)
{
        return create(context, volume, flags, error);
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        g_hash_table_remove(get_volumes(context), volume->name);
        return true;
}

static bool resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                   unsigned flags, GError **error)
{
        struct volume *resized = volume_copy(volume);

        resized->capacity = capacity;
        resized->allocation = (flags & VOLUME_RESIZE_ALLOCATE) ? capacity : MIN(volume->allocation, capacity);
        g_hash_table_replace(get_volumes(context), resized->name, resized);
        return true;
}

static bool wipe(const struct backend_context *context, const struct volume *volume,
                 enum volume_wipe_algorithm algorithm, GError **error)
{
        return true;
}

static bool remove_pool(const struct backend_context *context, GError **error)
{
        return true;
}

static bool find(const struct backend_context *context, bool has_source, GPtrArray *sources, GError **error)
{
        return true;
}

static const struct backend backend_test = {
        .immediate = true,
        /* What would be there already, be allocated or overwritten: in memory all of that comes to the same.
         */
        .flags = { .build = POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE, DIRECTORY_FLAGS },
        .start = succeed,
        .stop = succeed,
        .forget = forget,
        .remove = remove_pool,
        .refresh = refresh,
        .build = build,
        .find = find,
        .prepare = prepare,
        .create = create,
        .clone = copy,
        .destroy = destroy,
        .resize = resize,
        .wipe = wipe,
        .probe = probe,
        .measure = measure,
};

static bool install_default_pool(struct storage *storage, GError **error)
{
        struct pool_def *def = pool_def_parse(default_pool, error);
        struct storage_pool_state *state;

        if (!def)
                return false;
        state = (struct storage_pool_state *)managed_state_new(&storage_pool_kind);
        state->base.persistent = &def->base;
        state->base.active = definition_ref(&def->base);
        state->state = STORAGE_POOL_RUNNING;
        state->numbers = (struct pool_numbers){ .capacity = POOL_BYTES, .available = POOL_BYTES };
        return registry_install(storage->pools, &state->base, error) != NULL;
}

struct storage *storage_new_test(struct loop *loop, struct pool *pool, struct job_list *jobs, GError **error)
{
        struct storage *storage = storage_new(loop, pool, jobs, NULL, NULL);

        storage->backend = &backend_test;
        if (install_default_pool(storage, error))
                return storage;
        storage_free(storage);
        return NULL;
}
