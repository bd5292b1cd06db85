/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in a pool: scanning it, looking at single volumes again, and following what changes behind its
 * back. In the pool's lane.
 */
#include "base/lane.h"
#include "base/log.h"
#include "drivers/storage/model.h"

#include <string.h>

/* Changes are collected for this long before they are looked at. */
#define CHANGES_DELAY_MS 50
/* More names than this are not looked up one by one. */
#define CHANGES_MAX 256

static void lane_context(struct storage_pool *pool, const struct pool_def *def,
                         struct backend_context *context)
{
        storage_pool_get_context(pool, pool->base.lane, NULL, def, NULL, context);
}

static const struct backend *backend_of(const struct storage_pool *pool, const struct pool_def *def,
                                        GError **error)
{
        return storage_get_backend(pool->storage, def->type, error);
}

static void set_problem(struct storage_pool_state *state, const char *problem)
{
        g_free(state->problem);
        state->problem = g_strdup(problem);
}

/* ---- files that cannot be read ---- */

struct left_out {
        char *why;     /* owned; the text that was logged */
        unsigned scan; /* the last that came upon it */
};

void storage_left_out_free(void *data)
{
        struct left_out *left_out = data;

        g_free(left_out->why);
        g_free(left_out);
}

void backend_left_out(const struct backend_context *context, const char *name, const GError *why)
{
        struct storage_pool *pool = context->pool;
        struct left_out *known = g_hash_table_lookup(pool->left_out, name);

        if (known && strcmp(known->why, why->message) == 0) {
                known->scan = pool->scans;
                return;
        }
        log_gerror(LOG_LEVEL_WARNING, why, "file '%s' in storage pool '%s' is left out", name,
                   context->def->base.name);
        known = g_new(struct left_out, 1);
        *known = (struct left_out){ g_strdup(why->message), pool->scans };
        g_hash_table_replace(pool->left_out, g_strdup(name), known);
}

static gboolean was_not_met(gpointer name, gpointer left_out, gpointer pool)
{
        return ((const struct left_out *)left_out)->scan != ((const struct storage_pool *)pool)->scans;
}

/* ---- scanning ---- */

static void scan_init(struct pool_scan *scan, const struct object_set *before)
{
        *scan = (struct pool_scan){
                .volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref),
                .permissions = { .mode = -1, .owner = -1, .group = -1 },
                .before = before,
        };
}

/* The active definition shows the target's permissions as they are, and knows where it led to at first. */
static struct pool_def *show_target(const struct pool_def *def, const struct pool_scan *scan)
{
        const struct storage_permissions *now = &scan->permissions, *shown = &def->permissions;
        struct storage_permissions permissions = now->mode < 0 ? *shown : *now;

        if ((def->directory || !scan->directory) && permissions.mode == shown->mode &&
            permissions.owner == shown->owner && permissions.group == shown->group)
                return NULL;
        permissions.label = shown->label;
        return pool_def_with_target(def, &permissions, def->directory ? NULL : scan->directory, NULL);
}

static void take_scan(struct storage_pool_state *state, struct pool_scan *scan)
{
        struct pool_def *def = show_target(pool_def_of(state->base.active), scan);

        if (def)
                managed_state_take_active(&state->base, &def->base);
        object_set_unref(state->volumes);
        state->volumes = object_set_new(&volume_set_kind, scan->volumes);
        state->numbers = scan->numbers;
        state->state = STORAGE_POOL_RUNNING;
        set_problem(state, NULL);
}

bool storage_pool_fill(struct storage_pool_state *state, const struct backend *backend,
                       const struct backend_context *context, GError **error)
{
        struct pool_scan scan;
        bool found;

        scan_init(&scan, state->volumes);
        context->pool->scans++;
        found = backend->refresh(context, &scan, error);
        if (found) {
                take_scan(state, &scan);
                g_hash_table_foreach_remove(context->pool->left_out, was_not_met, context->pool);
        }
        g_ptr_array_unref(scan.volumes);
        g_free(scan.directory);
        return found;
}

/* Keeps what was known: a file server that is away for a while has not lost its files. */
static void publish_problem(struct storage_pool *pool, const GError *problem)
{
        struct storage_pool_state *state = storage_pool_edit(pool);

        state->state = STORAGE_POOL_INACCESSIBLE;
        set_problem(state, problem->message);
        storage_pool_publish(pool, state, NULL);
}

bool storage_pool_scan(struct storage_pool *pool, struct managed_event *event, GError **error)
{
        const struct pool_def *def = storage_pool_get_def(pool);
        const struct backend *backend = backend_of(pool, def, error);
        struct storage_pool_state *state;
        struct backend_context context;
        g_autoptr(GError) problem = NULL;

        if (!backend)
                return false;
        lane_context(pool, def, &context);
        state = storage_pool_edit(pool);
        if (storage_pool_fill(state, backend, &context, &problem)) {
                storage_pool_publish(pool, state, event);
                return true;
        }
        managed_state_unref(&state->base);
        g_free(event);
        publish_problem(pool, problem);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
}

static bool rescan_one(const struct backend *backend, const struct backend_context *context,
                       struct storage_pool_state *state, const char *name, const struct volume *known,
                       GError **error)
{
        struct object_set *before = state->volumes;
        struct volume *volume = NULL;

        if (!backend->probe(context, name, known, &volume, error))
                return false;
        if (volume)
                g_hash_table_remove(context->pool->left_out, name);
        if (volume && object_set_find(before, name) == volume) {
                volume_unref(volume);
                return true;
        }
        if (!volume && !object_set_find(before, name))
                return true;
        state->volumes = volume ? object_set_with(&volume_set_kind, before, volume)
                                : object_set_without(&volume_set_kind, before, name);
        object_set_unref(before);
        volume_unref(volume);
        return true;
}

bool storage_pool_rescan_volume(struct storage_pool *pool, const char *name, const struct volume *known,
                                GError **error)
{
        const struct pool_def *def = storage_pool_get_def(pool);
        const struct backend *backend = backend_of(pool, def, error);
        struct storage_pool_state *state;
        struct backend_context context;

        if (!backend)
                return false;
        if (!backend->probe)
                return storage_pool_scan(pool, NULL, error);
        lane_context(pool, def, &context);
        state = storage_pool_edit(pool);
        if (rescan_one(backend, &context, state, name, known, error) &&
            backend->measure(&context, &state->numbers, error)) {
                storage_pool_publish(pool, state, NULL);
                return true;
        }
        managed_state_unref(&state->base);
        return false;
}

/* ---- changes behind the pool ---- */

void storage_pool_forget_changes(struct storage_pool *pool)
{
        if (pool->timer)
                lane_timer_free(g_steal_pointer(&pool->timer));
        g_hash_table_remove_all(pool->changed);
        pool->all_changed = false;
}

static bool is_news(const struct storage_pool_state *now, const struct storage_pool_state *before)
{
        return now->volumes != before->volumes || now->numbers.available != before->numbers.available ||
               now->numbers.capacity != before->numbers.capacity;
}

/* One publication for all of them. */
static bool rescan_names(struct storage_pool *pool, GHashTable *names, GError **error)
{
        const struct pool_def *def = storage_pool_get_def(pool);
        const struct backend *backend = backend_of(pool, def, error);
        struct storage_pool_state *state = storage_pool_edit(pool);
        struct backend_context context;
        bool good = backend != NULL;
        GHashTableIter iter;
        gpointer name;

        lane_context(pool, def, &context);
        g_hash_table_iter_init(&iter, names);
        while (good && g_hash_table_iter_next(&iter, &name, NULL)) {
                if (!storage_volume_is_written(pool, name))
                        good = rescan_one(backend, &context, state, name,
                                          object_set_find(state->volumes, name), error);
        }
        good = good && backend->measure(&context, &state->numbers, error);
        if (good && is_news(state, storage_pool_get_current(pool)))
                storage_pool_publish(pool, state, NULL);
        else
                managed_state_unref(&state->base);
        return good;
}

static void look_at_changes(void *data)
{
        struct storage_pool *pool = data;
        g_autoptr(GHashTable) names = g_steal_pointer(&pool->changed);
        g_autoptr(GError) error = NULL;
        bool all = pool->all_changed, good;

        pool->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        storage_pool_forget_changes(pool);
        if (!pool->base.current || !pool->base.current->active)
                return;
        if (all || g_hash_table_size(names) > CHANGES_MAX)
                good = storage_pool_scan(pool, NULL, &error);
        else
                good = rescan_names(pool, names, &error);
        if (!good)
                log_gerror(LOG_LEVEL_WARNING, error, "cannot look at the changes in storage pool '%s'",
                           managed_get_current_name(&pool->base));
}

static void look_later(struct storage_pool *pool)
{
        if (!pool->timer)
                pool->timer = lane_timer_new(pool->base.lane, CHANGES_DELAY_MS, look_at_changes, pool);
}

void backend_changed(struct storage_pool *pool)
{
        g_assert(in_lane(pool->base.lane));
        pool->all_changed = true;
        look_later(pool);
}

void backend_changed_name(struct storage_pool *pool, const char *name)
{
        g_assert(in_lane(pool->base.lane));
        if (g_hash_table_size(pool->changed) > CHANGES_MAX)
                pool->all_changed = true;
        else
                g_hash_table_add(pool->changed, g_strdup(name));
        look_later(pool);
}
