/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Long work on a pool, as steps of operations: what is checked and reserved in the pool's lane, done in a
 * job's lane, so that the pool stays free meanwhile, and published in the pool's lane again.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"

static const struct storage_kind *kind_of(const struct storage_operation *op)
{
        return (const struct storage_kind *)op->base.kind;
}

struct storage_operation *storage_operation_new(const struct storage_kind *kind, struct storage_pool *pool)
{
        struct storage_operation *op =
                storage_operation_of(operation_new(&kind->base, &pool->base, pool->storage->jobs));

        op->pool = pool;
        return op;
}

void storage_operation_clear(struct operation *base)
{
        struct storage_operation *op = storage_operation_of(base);

        if (op->def)
                pool_def_unref(op->def);
        if (op->secret)
                g_bytes_unref(op->secret);
        secret_ref_clear(&op->secret_ref);
        volume_unref(op->volume);
        g_free(op->name);
}

void storage_operation_done(struct operation *base, const GError *error)
{
        struct storage_operation *op = storage_operation_of(base);
        const struct storage_pool_state *state = storage_pool_get_published(op->pool);
        struct volume *volume = NULL;

        if (op->done) {
                op->done(&op->pool->base, error, op->data);
                return;
        }
        if (!error && op->name && state)
                volume = object_set_find(state->volumes, op->name);
        op->volume_done(op->pool, volume, error, op->data);
}

void storage_operation_run(struct storage_operation *op)
{
        operation_run(&op->base);
}

void storage_operation_refuse(struct storage_operation *op, GError *error)
{
        operation_refuse(&op->base, error);
}

/* ---- the steps ---- */

/* All at once, for backends that keep nobody waiting. */
static bool do_immediately(struct storage_operation *op, GError **error)
{
        struct backend_context context;
        g_autoptr(GError) failure = NULL;
        bool good;

        operation_skip_rest(&op->base);
        storage_operation_get_lane_context(op, &context);
        good = kind_of(op)->work(op, &context, &failure);
        if (kind_of(op)->end(op, failure, good ? error : NULL) && good)
                return true;
        if (failure)
                g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

bool storage_operation_begin(struct operation *base, GError **error)
{
        struct storage_operation *op = storage_operation_of(base);

        if (!op->def) {
                if (!managed_require_known(&op->pool->base, error))
                        return false;
                op->def = pool_def_ref(storage_pool_get_def(op->pool));
        }
        if (!kind_of(op)->begin(op, error))
                return false;
        if (operation_skips_rest(base))
                return true;
        if (storage_get_backend(op->pool->storage, op->def->type, NULL)->immediate)
                return do_immediately(op, error);
        op->pool->jobs++;
        op->begun = true;
        return true;
}

void storage_operation_undo(struct operation *base)
{
        struct storage_operation *op = storage_operation_of(base);

        if (!op->begun)
                return;
        op->begun = false;
        op->pool->jobs--;
        kind_of(op)->end(op, base->failure, NULL);
}

bool storage_operation_gather(struct operation *base, GError **error)
{
        struct storage_operation *op = storage_operation_of(base);
        const struct storage_kind *kind = kind_of(op);

        if (!op->secret && !storage_get_secret(op->pool->storage, &op->secret_ref, &op->secret, error))
                return false;
        if ((kind->gather && !kind->gather(op, error)) || !operation_announce(base, error))
                return false;
        if (kind->started)
                kind->started(op);
        return true;
}

bool storage_operation_work(struct operation *base, GError **error)
{
        struct storage_operation *op = storage_operation_of(base);
        struct backend_context context;

        storage_pool_get_context(op->pool, job_get_lane(base->job), base->job, op->def, op->secret, &context);
        return kind_of(op)->work(op, &context, error);
}

bool storage_operation_end(struct operation *base, GError **error)
{
        struct storage_operation *op = storage_operation_of(base);

        op->begun = false;
        op->pool->jobs--;
        return kind_of(op)->end(op, NULL, error);
}

const struct operation_step storage_steps[STORAGE_N_STEPS] = { STORAGE_STEPS };
