/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations: steps strung together on the loop, which owns all of it but for what is marked.
 */
#include "base/operation.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/operation-private.h"
#include "base/registry-private.h"

/* One object that OPERATION_OTHERS goes to. */
struct visit {
        unsigned refs;          /* loop; the way there, the way back, the operation's list */
        struct operation *op;   /* ref */
        struct managed *object; /* ref */
        unsigned step, index;   /* const */
        bool abandoned;         /* loop; nobody waits for it any more */
        bool stays;             /* its lane; to be taken back */
};

static struct loop *loop_of(const struct operation *op)
{
        return lane_get_loop(op->object->lane);
}

static const struct operation_step *step_of(const struct operation *op)
{
        return &op->kind->steps[op->step];
}

struct operation *operation_new(const struct operation_kind *kind, struct managed *object,
                                struct job_list *jobs)
{
        struct operation *op = g_malloc0(kind->size);

        g_assert(kind->size >= sizeof(*op));
        op->kind = kind;
        op->object = managed_ref(object);
        op->jobs = jobs;
        op->others_ms = OPERATION_OTHERS_MS;
        op->refs = 1;
        op->visits = g_ptr_array_new();
        return op;
}

static void operation_unref(void *data)
{
        struct operation *op = data;

        if (--op->refs > 0)
                return;
        if (op->kind->clear)
                op->kind->clear(op);
        g_ptr_array_unref(op->visits);
        g_clear_error(&op->failure);
        managed_unref(op->object);
        g_free(op);
}

/* ---- the end ---- */

static void report(struct operation *op)
{
        struct operation_report *result = g_new0(struct operation_report, 1);

        *result = (struct operation_report){
                .kind = op->kind,
                .state = JOB_COMPLETED,
                .progress = *job_get_latest(op->job),
                .elapsed_ms = job_get_elapsed_ms(op->job),
                .error = g_strdup(op->failure ? op->failure->message : ""),
        };
        if (op->failure)
                result->state = operation_is_cancelled(op) ? JOB_CANCELLED : JOB_FAILED;
        operation_report_free(op->object->report);
        op->object->report = result;
}

static void visit_unref(struct visit *visit)
{
        if (--visit->refs > 0)
                return;
        operation_unref(visit->op);
        managed_unref(visit->object);
        g_free(visit);
}

static void begin(void *data);

/* One behind the other, should several wait. */
static void begin_waiting(struct managed *object)
{
        struct operation *op = object->operation ? NULL : g_queue_pop_head(&object->waiting);

        if (op)
                operation_take_turn(object, false, begin, op);
}

static void end(struct operation *op)
{
        struct managed *object = op->object;

        if (object->operation == op) {
                object->operation = NULL;
                if (op->job)
                        report(op);
        }
        if (op->job)
                job_end(g_steal_pointer(&op->job), op->failure);
        object->pending--;
        op->kind->done(op, op->failure);
        if (object->keeper == op)
                operation_open_object(object);
        registry_settle(object);
        /* What they took is kept, and somebody else's now. */
        while (op->visits->len > 0)
                visit_unref(g_ptr_array_steal_index_fast(op->visits, op->visits->len - 1));
        begin_waiting(object);
        operation_unref(op);
}

/* ---- undoing ---- */

static bool leave_work(struct managed *object, void *data, GError **error)
{
        struct visit *visit = data;
        const struct operation_step *step = &visit->op->kind->steps[visit->step];

        lane_shield(object->lane);
        if (visit->stays && step->leave)
                step->leave(visit->op, visit->index);
        return true;
}

static void leave_done(struct managed *object, const GError *error, void *data)
{
        visit_unref(data);
}

/* Takes a reference. Behind the visit itself, if that is still on its way. */
static void leave(struct visit *visit)
{
        managed_continue(visit->object, leave_work, leave_done, visit);
}

static void leave_all(struct operation *op)
{
        while (op->visits->len > 0) {
                struct visit *visit = g_ptr_array_index(op->visits, op->visits->len - 1);

                if (visit->step != op->step)
                        return;
                g_ptr_array_set_size(op->visits, (int)op->visits->len - 1);
                leave(visit);
        }
}

static bool undo_work(struct managed *object, void *data, GError **error)
{
        struct operation *op = data;

        lane_shield(object->lane);
        step_of(op)->undo(op);
        return true;
}

static void undo(struct operation *op);

static void undo_done(struct managed *object, const GError *error, void *data)
{
        undo(data);
}

/* From the step before op->step on. */
static void undo(struct operation *op)
{
        while (op->step > 0) {
                const struct operation_step *step = &op->kind->steps[--op->step];

                if (!op->failure && !step->temporary)
                        continue;
                if (step->place == OPERATION_OTHERS) {
                        leave_all(op);
                } else if (step->undo && step->place == OPERATION_LOOP) {
                        step->undo(op);
                } else if (step->undo) {
                        managed_continue(op->object, undo_work, undo_done, op);
                        return;
                }
        }
        end(op);
}

static void succeed(struct operation *op)
{
        op->undoing = true;
        undo(op);
}

/* Takes error. */
static void fail(struct operation *op, GError *error)
{
        op->undoing = true;
        op->failure = error;
        /* The visits that a step made before it failed. */
        if (op->step < op->kind->n_steps && step_of(op)->place == OPERATION_OTHERS)
                op->step++;
        undo(op);
}

static void fail_cancelled(struct operation *op)
{
        GError *error = NULL;

        error_set(&error, op->object->kind->from, ERROR_OPERATION_ABORTED, "'%s' of %s '%s' was cancelled",
                  op->kind->name, op->object->kind->noun, op->object->name);
        fail(op, error);
}

/* ---- steps ---- */

static void advance(struct operation *op);

static void next(struct operation *op)
{
        op->step++;
        op->index = 0;
        if (op->skips)
                succeed(op);
        else
                advance(op);
}

static bool object_work(struct managed *object, void *data, GError **error)
{
        struct operation *op = data;

        return step_of(op)->run(op, error);
}

static void object_done(struct managed *object, const GError *error, void *data)
{
        struct operation *op = data;

        if (error)
                fail(op, g_error_copy(error));
        else
                next(op);
}

static bool worker_work(struct job *job, void *data, GError **error)
{
        struct operation *op = data;

        return step_of(op)->run(op, error);
}

static void worker_done(struct job *job, const GError *error, void *data)
{
        object_done(NULL, error, data);
}

/* ---- steps in the lanes of other objects ---- */

static bool visit_work(struct managed *object, void *data, GError **error)
{
        struct visit *visit = data;

        visit->stays = visit->op->kind->steps[visit->step].visit(visit->op, visit->index, error);
        return visit->stays;
}

static void visit_done(struct managed *object, const GError *error, void *data)
{
        struct visit *visit = data;
        struct operation *op = visit->op;

        if (visit->abandoned) {
                visit_unref(visit);
                return;
        }
        op->visit = NULL;
        g_clear_pointer(&op->timer, loop_timer_free);
        if (error) {
                /* The operation's reference outlasts the visit's. */
                visit_unref(visit);
                fail(op, g_error_copy(error));
                return;
        }
        g_ptr_array_add(op->visits, visit);
        op->index++;
        advance(op);
}

static void abandon(struct operation *op)
{
        struct visit *visit = g_steal_pointer(&op->visit);

        g_clear_pointer(&op->timer, loop_timer_free);
        visit->abandoned = true;
        visit->refs++;
        leave(visit);
}

static void visit_is_late(void *data)
{
        struct operation *op = data;
        const struct managed *object = op->visit->object;
        GError *error = NULL;

        error_set(&error, object->kind->from, ERROR_OPERATION_TIMEOUT,
                  "%s '%s' is busy: '%s' of %s '%s' gave up", object->kind->noun, object->name,
                  op->kind->name, op->object->kind->noun, op->object->name);
        abandon(op);
        fail(op, error);
}

/* False: there is no more. */
static bool visit_next(struct operation *op)
{
        struct managed *object = step_of(op)->other(op, op->index);
        struct visit *visit;

        if (!object)
                return false;
        visit = g_new0(struct visit, 1);
        visit->refs = 1;
        visit->op = op;
        visit->object = managed_ref(object);
        visit->step = op->step;
        visit->index = op->index;
        op->refs++;
        op->visit = visit;
        op->timer = loop_timer_new(loop_of(op), op->others_ms, visit_is_late, op);
        managed_continue(object, visit_work, visit_done, visit);
        return true;
}

/* ---- passive steps ---- */

static bool passive_work(struct managed *object, void *data, GError **error)
{
        struct operation *op = data;

        op->passive = true;
        if (step_of(op)->run(op, error))
                return true;
        g_assert(op->passive);
        op->passive = false;
        return false;
}

static void passive_settle(struct operation *op)
{
        GError *error;

        if (!op->step_begun || !op->step_ended)
                return;
        error = g_steal_pointer(&op->step_error);
        if (error)
                fail(op, error);
        else
                next(op);
}

static void passive_begun(struct managed *object, const GError *error, void *data)
{
        struct operation *op = data;

        op->step_begun = true;
        if (error)
                fail(op, g_error_copy(error));
        else
                passive_settle(op);
}

static void passive_ended(void *data)
{
        struct operation *op = data;

        op->step_ended = true;
        passive_settle(op);
}

void operation_complete(struct operation *op, GError *error)
{
        g_assert(in_lane(op->object->lane) && op->passive);
        op->passive = false;
        op->step_error = error;
        managed_post(op->object, passive_ended, op);
}

static void passive_cancel(void *data)
{
        struct operation *op = data;

        if (op->passive && step_of(op)->cancel)
                step_of(op)->cancel(op);
        loop_post(loop_of(op), operation_unref, op);
}

/* ---- one after another ---- */

static void cancelled(struct job *job, void *data)
{
        operation_cancel(data);
}

bool operation_announce(struct operation *op, GError **error)
{
        if (!op->job)
                op->job = job_new(op->jobs, op->kind->name, op->object, cancelled, op, error);
        /* By whoever was told of it just now. */
        if (op->job && operation_is_cancelled(op))
                job_interrupt(op->job);
        return op->job != NULL;
}

static bool needs_job(const struct operation_step *step)
{
        return step->place == OPERATION_WORKER || step->place == OPERATION_PASSIVE;
}

/* Begins the step; true when it is over already. */
static bool take_step(struct operation *op, const struct operation_step *step, GError **error)
{
        if (needs_job(step) && !operation_announce(op, error))
                return true;
        switch (step->place) {
        case OPERATION_LOOP:
                step->run(op, error);
                return true;
        case OPERATION_OBJECT:
                managed_continue(op->object, object_work, object_done, op);
                return false;
        case OPERATION_OTHERS:
                return !visit_next(op);
        case OPERATION_WORKER:
                job_work(op->job, worker_work, worker_done, op);
                return false;
        case OPERATION_PASSIVE:
                op->step_begun = op->step_ended = false;
                managed_continue(op->object, passive_work, passive_begun, op);
                return false;
        }
        return true;
}

static void advance(struct operation *op)
{
        GError *error = NULL;

        while (op->step < op->kind->n_steps) {
                const struct operation_step *step = step_of(op);

                if (operation_is_cancelled(op) && !step->final) {
                        fail_cancelled(op);
                        return;
                }
                if (!take_step(op, step, &error))
                        return;
                if (error) {
                        fail(op, error);
                        return;
                }
                op->step++;
                op->index = 0;
        }
        succeed(op);
}

static void begin(void *data)
{
        struct operation *op = data;
        struct managed *object = op->object;
        GError *error = NULL;

        if (op->kind->waits && object->operation) {
                g_queue_push_tail(&object->waiting, op);
                return;
        }
        op->begun = true;
        if (op->kind->alone) {
                object->keeper = op;
                /* Somebody asked for it to be over before it began. */
                if (object->urgent_turns > 0)
                        g_atomic_int_set(&op->cancelled, OPERATION_CANCELLED);
        }
        if (op->kind->exclusive && !operation_require_none(object, &error)) {
                fail(op, error);
                return;
        }
        if (op->kind->exclusive)
                object->operation = op;
        advance(op);
}

void operation_run(struct operation *op)
{
        g_assert(on_loop(loop_of(op)));
        /* Also while no run is on the way: an object that nobody knows yet stays registered. */
        op->object->pending++;
        operation_take_turn(op->object, false, begin, op);
}

void operation_refuse(struct operation *op, GError *error)
{
        op->failure = error;
        op->kind->done(op, error);
        operation_unref(op);
}

bool operation_can_cancel(const struct operation *op)
{
        return !op->undoing && !(op->begun && step_of(op)->final) &&
               g_atomic_int_get(&op->cancelled) != OPERATION_FINAL;
}

void operation_cancel(struct operation *op)
{
        g_assert(on_loop(loop_of(op)));
        if (!operation_can_cancel(op) ||
            !g_atomic_int_compare_and_exchange(&op->cancelled, OPERATION_OPEN, OPERATION_CANCELLED))
                return;
        if (op->job)
                job_interrupt(op->job);
        if (op->visit) {
                abandon(op);
                fail_cancelled(op);
        } else if (op->begun && step_of(op)->place == OPERATION_PASSIVE) {
                op->refs++;
                lane_post(op->object->lane, passive_cancel, op);
        }
}

bool operation_set_final(struct operation *op, bool final)
{
        g_assert(in_lane(op->object->lane) && op->passive);
        return g_atomic_int_compare_and_exchange(&op->cancelled, final ? OPERATION_OPEN : OPERATION_FINAL,
                                                 final ? OPERATION_FINAL : OPERATION_OPEN);
}

bool operation_is_cancelled(const struct operation *op)
{
        return g_atomic_int_get(&op->cancelled) == OPERATION_CANCELLED;
}

void operation_skip_rest(struct operation *op)
{
        g_assert(in_lane(op->object->lane));
        op->skips = true;
}

bool operation_skips_rest(const struct operation *op)
{
        g_assert(in_lane(op->object->lane));
        return op->skips;
}

void operation_set_progress(struct operation *op, const struct job_progress *progress)
{
        if (op->job)
                job_publish_progress(op->job, progress);
}

/* ---- of an object ---- */

struct operation *operation_get(const struct managed *object)
{
        return object->operation;
}

bool operation_require_none(const struct managed *object, GError **error)
{
        if (!object->operation)
                return true;
        return error_set(error, object->kind->from, ERROR_OPERATION_INVALID, "%s '%s' is busy with '%s'",
                         object->kind->noun, object->name, object->operation->kind->name);
}

const struct operation_report *operation_get_report(const struct managed *object)
{
        return object->report;
}

void operation_forget_report(struct managed *object)
{
        operation_report_free(object->report);
        object->report = NULL;
}

void operation_report_free(struct operation_report *result)
{
        if (!result)
                return;
        g_free(result->error);
        g_free(result);
}
