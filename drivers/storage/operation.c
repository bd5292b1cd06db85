/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Long work on a pool: what is checked and reserved in the pool's lane, done in a job's lane, so that the
 * pool stays free meanwhile, and published in the pool's lane again. The loop strings the steps together, and
 * tells of the job's end when what it made can be seen.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/storage/model.h"

struct storage_operation *storage_operation_new(const struct storage_operation_steps *steps,
                                                struct storage_pool *pool)
{
        struct storage_operation *op = g_new0(struct storage_operation, 1);

        op->steps = steps;
        op->pool = storage_pool_from(managed_ref(&pool->base));
        op->fd = op->pipe[0] = op->pipe[1] = -1;
        return op;
}

static void storage_operation_free(struct storage_operation *op)
{
        op->pool->storage->transfers -= op->counted;
        if (op->def)
                pool_def_unref(op->def);
        if (op->secret)
                g_bytes_unref(op->secret);
        if (op->source_secret)
                g_bytes_unref(op->source_secret);
        secret_ref_clear(&op->secret_ref);
        secret_ref_clear(&op->source_secret_ref);
        volume_unref(op->source);
        if (op->chain)
                g_ptr_array_unref(op->chain);
        volume_unref(op->volume);
        fd_cleanup(&op->fd);
        fd_cleanup(&op->pipe[0]);
        fd_cleanup(&op->pipe[1]);
        g_clear_error(&op->failure);
        g_free(op->xml);
        g_free(op->name);
        managed_unref(&op->pool->base);
        g_free(op);
}

static void answer(struct storage_operation *op, const GError *error)
{
        struct volume *volume = NULL;

        if (op->volume_done) {
                const struct storage_pool_state *state = storage_pool_get_published(op->pool);

                if (!error && op->name && state)
                        volume = object_set_find(state->volumes, op->name);
                op->volume_done(op->pool, volume, error, op->data);
        } else if (op->stream_done) {
                op->stream_done(-1, error, op->data);
        } else if (op->done) {
                op->done(&op->pool->base, error, op->data);
        }
        storage_operation_free(op);
}

/* At the end of a run of the object, which settles its registration. */
static void finish(struct storage_operation *op, const GError *error)
{
        op->pool->base.pending--;
        answer(op, error);
}

static bool end_work(struct managed *object, void *data, GError **error)
{
        struct storage_operation *op = data;
        bool good;

        op->pool->jobs--;
        good = op->steps->end(op, op->failure, op->failure ? NULL : error);
        if (!op->failure)
                return good;
        g_propagate_error(error, g_steal_pointer(&op->failure));
        return false;
}

static void ended(struct managed *object, const GError *error, void *data)
{
        struct storage_operation *op = data;

        if (op->job)
                job_end(op->job, error);
        finish(op, error);
}

static void job_is_done(struct job *job, const GError *error, void *data)
{
        struct storage_operation *op = data;

        op->failure = error ? g_error_copy(error) : NULL;
        managed_run(&op->pool->base, MANAGED_IN_TURN, end_work, ended, op);
}

static bool job_does(struct job *job, void *data, GError **error)
{
        struct storage_operation *op = data;
        struct backend_context context;

        storage_pool_get_context(op->pool, job_get_lane(job), job, op->def, op->secret, &context);
        context.source_secret = op->source_secret;
        context.chain = op->chain;
        return op->steps->work(op, &context, error);
}

static bool gather_secrets(struct storage_operation *op, GError **error)
{
        struct storage *storage = op->pool->storage;

        return (op->secret || storage_get_secret(storage, &op->secret_ref, &op->secret, error)) &&
               storage_get_secret(storage, &op->source_secret_ref, &op->source_secret, error);
}

static void begun(struct managed *object, const GError *error, void *data)
{
        struct storage_operation *op = data;

        if (error || op->finished) {
                finish(op, error);
                return;
        }
        if (gather_secrets(op, &op->failure) && (!op->steps->gather || op->steps->gather(op, &op->failure)))
                op->job = job_new(op->pool->storage->jobs, op->steps->name, &op->pool->base, NULL, NULL,
                                  &op->failure);
        if (op->job)
                job_work(op->job, job_does, job_is_done, op);
        if (op->job && op->steps->started)
                op->steps->started(op);
        if (!op->job)
                managed_run(&op->pool->base, MANAGED_IN_TURN, end_work, ended, op);
}

/* All at once, for backends that keep nobody waiting. */
static bool do_immediately(struct storage_operation *op, GError **error)
{
        struct backend_context context;
        bool good;

        op->finished = true;
        storage_pool_get_context(op->pool, op->pool->base.lane, NULL, op->def, op->secret, &context);
        good = op->steps->work(op, &context, &op->failure);
        if (op->steps->end(op, op->failure, good ? error : NULL) && good)
                return true;
        if (op->failure)
                g_propagate_error(error, g_steal_pointer(&op->failure));
        return false;
}

static bool begin_work(struct managed *object, void *data, GError **error)
{
        struct storage_operation *op = data;

        if (!op->def) {
                if (!managed_require_known(object, error))
                        return false;
                op->def = pool_def_ref(storage_pool_get_def(op->pool));
        }
        if (!op->steps->begin(op, error))
                return false;
        if (op->finished)
                return true;
        if (storage_get_backend(op->pool->storage, op->def->type, NULL)->immediate)
                return do_immediately(op, error);
        op->pool->jobs++;
        return true;
}

void storage_operation_run(struct storage_operation *op)
{
        /* Also while a job works and no run is on the way: a pool that is not known yet stays registered. */
        op->pool->base.pending++;
        managed_run(&op->pool->base, MANAGED_IN_TURN, begin_work, begun, op);
}

void storage_operation_refuse(struct storage_operation *op, GError *error)
{
        answer(op, error);
        g_error_free(error);
}
