/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage at the start of the agent: definitions, pools that were active when the last agent ended,
 * autostart. Every pool is looked at in its own lane, so that one on a dead server delays nobody. Loop, but
 * for *_work.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/storage/model.h"

/* The pool of a status file: active as far as the last agent knew. */
static bool adopt_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        struct storage_pool_state *state = storage_pool_edit(pool);
        struct pool_def *def = data;

        state->state = STORAGE_POOL_BUILDING;
        managed_state_take_active(&state->base, &pool_def_ref(def)->base);
        storage_pool_publish(pool, state, NULL);
        return true;
}

static void adopt_done(struct managed *object, const GError *error, void *data)
{
        pool_def_unref(data);
}

/* Is it still? */
static bool takeover_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        const struct pool_def *def = storage_pool_get_def(pool);
        const struct backend *backend = storage_get_backend(pool->storage, def->type, error);
        struct backend_context context;
        bool active = true, checked = backend != NULL;

        storage_pool_get_context(pool, pool->base.lane, NULL, def, NULL, &context);
        if (backend && backend->check)
                checked = backend->check(&context, &active, error);
        if (checked && active)
                return storage_pool_scan(pool, NULL, error);
        storage_pool_publish_stopped(pool);
        return checked;
}

static void takeover_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "storage pool '%s' could not be taken over",
                           object->name);
}

/* A transient pool, which no definition has made an object yet. */
static struct managed *install(struct storage *storage, struct pool_def *def, GError **error)
{
        struct storage_pool_state *state = (struct storage_pool_state *)managed_state_new(&storage_pool_kind);

        state->state = STORAGE_POOL_BUILDING;
        managed_state_take_active(&state->base, &pool_def_ref(def)->base);
        return registry_install(storage->pools, &state->base, error);
}

static bool load_active(struct storage *storage, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(storage->runtime_dir, name, NULL);
        g_autofree char *text = store_read(path, error);
        CLEANUP(pool_def_unref) struct pool_def *def = text ? pool_def_parse(text, error) : NULL;
        struct managed *object;

        if (!def)
                return false;
        object = registry_find_uuid(storage->pools, &def->base.uuid);
        if (object)
                managed_run(object, MANAGED_IN_TURN, adopt_work, adopt_done, pool_def_ref(def));
        else
                object = install(storage, def, error);
        if (!object)
                return false;
        managed_run(object, MANAGED_IN_TURN, takeover_work, takeover_done, NULL);
        return true;
}

bool storage_load(struct storage *storage, GError **error)
{
        g_autoptr(GPtrArray) names = NULL;

        if (!registry_load(storage->pools, error))
                return false;
        if (!storage->runtime_dir)
                return true;
        names = store_list(storage->runtime_dir, ".xml", error);
        if (!names)
                return false;
        for (unsigned i = 0; i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autoptr(GError) failure = NULL;

                if (!load_active(storage, name, &failure))
                        log_gerror(LOG_LEVEL_WARNING, failure, "status of storage pool %s/%s is left out",
                                   storage->runtime_dir, name);
        }
        return true;
}

/* ---- autostart ---- */

#define BOOT_MARK "autostarted"

/* True for the first time since boot, which empties the runtime directory. */
static bool claim_boot(const struct storage *storage)
{
        g_autoptr(GError) error = NULL;

        if (!storage->runtime_dir)
                return true;
        if (store_is_marked(storage->runtime_dir, BOOT_MARK))
                return false;
        if (!store_make_dir(storage->runtime_dir, &error) ||
            !store_mark(storage->runtime_dir, BOOT_MARK, true, &error))
                log_gerror(LOG_LEVEL_WARNING, error,
                           "the next start of the agent will autostart storage pools again");
        return true;
}

/* Longer than the deadlines of tools; what is slower is a directory on a file system that does not answer. */
#define PATIENCE_MS (120 * 1000)

/* The pools that are on their way, and who waits for them. */
struct autostart {
        unsigned pending;
        struct loop_timer *timer; /* owned; NULL: nobody waits any more */
        loop_fn done;
        void *data; /* borrowed */
};

static void autostart_end(struct autostart *autostart)
{
        g_clear_pointer(&autostart->timer, loop_timer_free);
        autostart->done(autostart->data);
}

static void autostart_late(void *data)
{
        struct autostart *autostart = data;

        log_warning("%u storage pools have not started yet: not waiting for them", autostart->pending);
        autostart_end(autostart);
}

static void autostart_settle(struct autostart *autostart)
{
        if (--autostart->pending > 0)
                return;
        if (autostart->timer)
                autostart_end(autostart);
        g_free(autostart);
}

static void autostart_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "cannot autostart storage pool '%s'", object->name);
        autostart_settle(data);
}

static void start_marked(struct storage *storage, struct autostart *autostart)
{
        g_autoptr(GPtrArray) pools = registry_list(storage->pools);

        for (unsigned i = 0; i < pools->len; i++) {
                struct storage_pool *pool = g_ptr_array_index(pools, i);

                if (!pool->base.published->autostart || storage_pool_is_active(pool))
                        continue;
                autostart->pending++;
                storage_pool_create(pool, 0, autostart_done, autostart);
        }
}

void storage_autostart(struct storage *storage, loop_fn done, void *data)
{
        struct autostart *autostart = g_new(struct autostart, 1);

        *autostart = (struct autostart){
                .pending = 1,
                .timer = loop_timer_new(storage->loop, PATIENCE_MS, autostart_late, autostart),
                .done = done,
                .data = data,
        };
        if (claim_boot(storage))
                start_marked(storage, autostart);
        autostart_settle(autostart);
}

/* ---- the end of the agent ---- */

static bool quiesce_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        const struct pool_def *def;
        const struct backend *backend;
        struct backend_context context;

        storage_pool_forget_changes(pool);
        storage_pool_forget_news(pool);
        pool->quiesced = true;
        if (!object->current || !pool->live)
                return true;
        def = storage_pool_get_def(pool);
        backend = storage_get_backend(pool->storage, def->type, error);
        if (backend && backend->forget) {
                storage_pool_get_context(pool, object->lane, NULL, def, NULL, &context);
                backend->forget(&context);
        }
        return backend != NULL;
}

void storage_quiesce(struct storage *storage)
{
        g_autoptr(GPtrArray) pools = registry_list(storage->pools);

        job_list_cancel_all(storage->jobs);
        for (unsigned i = 0; i < pools->len; i++)
                managed_run(g_ptr_array_index(pools, i), MANAGED_IN_TURN, quiesce_work, NULL, NULL);
}
