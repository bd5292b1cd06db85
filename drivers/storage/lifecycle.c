/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools, running side: start, stop, refresh, delete. Entry points run on the loop; *_work functions and what
 * they call in the pool's lane.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/storage/model.h"

/* How long after a change of the content it is announced. */
#define NEWS_DELAY_MS 300

/* ---- in the lane: context, requirements ---- */

void storage_pool_get_context(struct storage_pool *pool, struct lane *lane, struct job *job,
                              const struct pool_def *def, GBytes *secret, struct backend_context *context)
{
        *context = (struct backend_context){
                .lane = lane,
                .def = def,
                .runtime_dir = pool->storage->runtime_dir,
                .secret = secret,
                .job = job,
                .live = job ? NULL : &pool->live,
                .pool = job ? NULL : pool,
        };
}

bool storage_pool_require_active(const struct storage_pool *pool, GError **error)
{
        const struct storage_pool_state *state = storage_pool_get_current(pool);

        if (!managed_require_known(&pool->base, error))
                return false;
        if (!state->base.active)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                 "storage pool '%s' is not active", managed_get_current_name(&pool->base));
        return true;
}

bool storage_pool_require_inactive(const struct storage_pool *pool, const char *still, GError **error)
{
        if (!managed_require_known(&pool->base, error))
                return false;
        if (!pool->base.current->active)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID, "storage pool '%s' is %s active",
                         managed_get_current_name(&pool->base), still);
}

bool storage_pool_require_idle(const struct storage_pool *pool, GError **error)
{
        if (!pool->jobs)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                         "storage pool '%s' has jobs running", managed_get_current_name(&pool->base));
}

/* ---- publishing ---- */

static void save_status(struct storage_pool *pool, const struct definition *active)
{
        const struct storage *storage = pool->storage;
        g_autofree char *name = g_strconcat(pool->base.uuid_text, ".xml", NULL);
        g_autoptr(GError) error = NULL;
        bool saved;

        if (!storage->runtime_dir)
                return;
        if (active)
                saved = store_write(storage->runtime_dir, name, active->xml, false, &error);
        else
                saved = store_remove(storage->runtime_dir, name, false, &error);
        if (!saved)
                log_gerror(LOG_LEVEL_WARNING, error,
                           "a restarted agent will not know whether storage pool '%s' is active",
                           managed_get_current_name(&pool->base));
}

static struct managed_event *refresh_event_new(void)
{
        struct managed_event *event = managed_event_new(0, 0);

        event->id = STORAGE_POOL_EVENT_REFRESH;
        return event;
}

void storage_pool_forget_news(struct storage_pool *pool)
{
        if (pool->news_timer)
                lane_timer_free(g_steal_pointer(&pool->news_timer));
}

static void announce_news(void *data)
{
        struct storage_pool *pool = data;

        storage_pool_forget_news(pool);
        managed_emit(&pool->base, refresh_event_new());
}

/*
 * Who hears that the content has changed reads all of it, so it is told once for many changes, and late: not
 * in the midst of them, nor of a pool that is on its way to be stopped.
 */
static void announce_later(struct storage_pool *pool)
{
        if (!pool->news_timer && !pool->quiesced)
                pool->news_timer = lane_timer_new(pool->base.lane, NEWS_DELAY_MS, announce_news, pool);
}

void storage_pool_publish(struct storage_pool *pool, struct storage_pool_state *state,
                          struct managed_event *event)
{
        const struct managed_state *before = pool->base.current;

        if ((before ? before->active : NULL) != state->base.active)
                save_status(pool, state->base.active);
        if (!state->base.active || (event && event->id == STORAGE_POOL_EVENT_REFRESH))
                storage_pool_forget_news(pool);
        else if (!event && before && storage_pool_get_current(pool)->volumes != state->volumes)
                announce_later(pool);
        managed_publish(&pool->base, &state->base, event);
}

/* ---- start and stop ---- */

static void stop_backend(struct storage_pool *pool, const struct backend *backend,
                         const struct backend_context *context)
{
        g_autoptr(GError) error = NULL;

        if (backend->stop && !backend->stop(context, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "storage pool '%s' did not end well",
                           context->def->base.name);
}

bool storage_pool_start(struct storage_pool *pool, struct pool_def *def, GBytes *secret, GError **error)
{
        const struct backend *backend = storage_get_backend(pool->storage, def->type, error);
        struct storage_pool_state *state;
        struct backend_context context;

        if (!backend)
                return false;
        storage_pool_get_context(pool, pool->base.lane, NULL, def, secret, &context);
        if (backend->start && !backend->start(&context, error))
                return false;
        state = storage_pool_edit(pool);
        managed_state_take_active(&state->base, &pool_def_ref(def)->base);
        if (storage_pool_fill(state, backend, &context, error)) {
                storage_pool_publish(pool, state, managed_event_new(STORAGE_POOL_EVENT_STARTED, 0));
                return true;
        }
        managed_state_unref(&state->base);
        lane_shield(pool->base.lane);
        stop_backend(pool, backend, &context);
        return false;
}

void storage_pool_publish_stopped(struct storage_pool *pool)
{
        struct storage_pool_state *state = storage_pool_edit(pool);

        storage_pool_forget_changes(pool);
        g_hash_table_remove_all(pool->left_out);
        managed_state_take_active(&state->base, NULL);
        g_clear_pointer(&state->volumes, object_set_unref);
        state->numbers = (struct pool_numbers){ 0 };
        state->state = STORAGE_POOL_INACTIVE;
        g_clear_pointer(&state->problem, g_free);
        storage_pool_publish(pool, state, managed_event_new(STORAGE_POOL_EVENT_STOPPED, 0));
}

static bool destroy_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        const struct backend *backend;
        struct backend_context context;
        const struct pool_def *def;

        if (!storage_pool_require_active(pool, error) || !storage_pool_require_idle(pool, error))
                return false;
        def = storage_pool_get_def(pool);
        backend = storage_get_backend(pool->storage, def->type, error);
        if (!backend)
                return false;
        storage_pool_get_context(pool, pool->base.lane, NULL, def, NULL, &context);
        if (backend->stop && !backend->stop(&context, error))
                return false;
        storage_pool_publish_stopped(pool);
        return true;
}

void storage_pool_destroy(struct storage_pool *pool, managed_done done, void *data)
{
        managed_run(&pool->base, MANAGED_IN_TURN, destroy_work, done, data);
}

/* ---- refresh and delete ---- */

static bool refresh_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);

        return storage_pool_require_active(pool, error) &&
               storage_pool_scan(pool, refresh_event_new(), error);
}

void storage_pool_refresh(struct storage_pool *pool, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_STORAGE, "Refresh", &error))
                managed_run(&pool->base, MANAGED_IN_TURN, refresh_work, done, data);
        else
                managed_fail(error, done, data);
}

static bool delete_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        const struct backend *backend;
        struct backend_context context;
        const struct pool_def *def;

        if (!storage_pool_require_inactive(pool, "still", error) || !storage_pool_require_idle(pool, error) ||
            !storage_pool_require_unused(pool, error))
                return false;
        def = storage_pool_get_def(pool);
        backend = storage_get_backend(pool->storage, def->type, error);
        if (!backend)
                return false;
        if (!backend->remove)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "pool does not support pool deletion");
        storage_pool_get_context(pool, pool->base.lane, NULL, def, NULL, &context);
        if (!backend->remove(&context, error))
                return false;
        managed_emit(object, managed_event_new(STORAGE_POOL_EVENT_DELETED, 0));
        return true;
}

void storage_pool_delete(struct storage_pool *pool, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_STORAGE, "Delete", &error))
                managed_run(&pool->base, MANAGED_IN_TURN, delete_work, done, data);
        else
                managed_fail(error, done, data);
}
