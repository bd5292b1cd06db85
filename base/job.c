/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs. The work runs in the job's lane and counts in two atomic numbers; one timer of the list carries them
 * to the listeners while jobs run. All else belongs to the loop.
 */
#include "base/job.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/listeners.h"
#include "base/loop.h"
#include "base/managed.h"

#include <stdatomic.h>

struct job_list {
        /* const */
        struct loop *loop; /* borrowed */
        struct pool *pool; /* borrowed */
        /* loop */
        GQueue jobs;                /* of struct job, owned */
        GQueue waiting;             /* of struct job, borrowed from jobs: not in their lanes yet */
        struct listeners listeners; /* job_listener */
        unsigned running;           /* in their lanes, with those that were cancelled while they waited */
        struct loop_timer *timer;   /* owned; set while jobs run */
        unsigned last_id;
};

struct job {
        /* const */
        struct job_list *list; /* borrowed */
        unsigned id;
        char *operation;        /* owned */
        struct managed *object; /* ref, may be NULL */
        struct lane *lane;      /* ref */
        uint64_t started_s;
        lane_fn main; /* what its lane runs, around the work */
        job_work work;
        job_done done;
        void *data; /* owned by done */
        /* atomic */
        _Atomic uint64_t now_processed, now_total;
        atomic_bool cancelled;
        /* lane, then loop */
        GError *error; /* owned */
        /* loop */
        enum job_state state;
        bool deferred, waiting;
        uint64_t processed, total;
};

struct job_list *job_list_new(struct loop *loop, struct pool *pool)
{
        struct job_list *list = g_new0(struct job_list, 1);

        list->loop = loop;
        list->pool = pool;
        g_queue_init(&list->jobs);
        g_queue_init(&list->waiting);
        return list;
}

void job_list_free(struct job_list *list)
{
        if (!list)
                return;
        g_assert(!list->jobs.head);
        loop_timer_free(list->timer);
        listeners_done(&list->listeners);
        g_free(list);
}

void job_list_listen(struct job_list *list, job_listener listener, void *data)
{
        listeners_add(&list->listeners, LISTENER(listener), data);
}

void job_list_unlisten(struct job_list *list, job_listener listener, void *data)
{
        listeners_remove(&list->listeners, LISTENER(listener), data);
}

static void tell(struct job *job, enum job_change change)
{
        LISTENERS_TELL(&job->list->listeners, job_listener, job, change);
}

unsigned job_list_get_count(const struct job_list *list)
{
        return list->jobs.length;
}

GPtrArray *job_list_get_all(const struct job_list *list)
{
        GPtrArray *all = g_ptr_array_sized_new(list->jobs.length);

        for (GList *link = list->jobs.head; link; link = link->next)
                g_ptr_array_add(all, link->data);
        return all;
}

struct job *job_list_find(const struct job_list *list, unsigned id)
{
        for (GList *link = list->jobs.head; link; link = link->next) {
                struct job *job = link->data;

                if (job->id == id)
                        return job;
        }
        return NULL;
}

void job_list_cancel_all(struct job_list *list)
{
        for (GList *link = list->jobs.head; link; link = link->next)
                job_cancel(link->data);
}

/* True when the published numbers changed. */
static bool take_progress(struct job *job)
{
        uint64_t processed = atomic_load(&job->now_processed), total = atomic_load(&job->now_total);

        if (processed == job->processed && total == job->total)
                return false;
        job->processed = processed;
        job->total = total;
        return true;
}

static void publish_progress(void *data)
{
        struct job_list *list = data;

        for (GList *link = list->jobs.head; link; link = link->next) {
                if (take_progress(link->data))
                        tell(link->data, JOB_UPDATED);
        }
        if (list->jobs.head)
                loop_timer_set(list->timer, JOB_UPDATE_MS);
}

static void job_free(struct job *job)
{
        g_clear_error(&job->error);
        lane_unref(job->lane);
        managed_unref(job->object);
        g_free(job->operation);
        g_free(job);
}

static void set_final_state(struct job *job)
{
        if (!job->error)
                job->state = JOB_COMPLETED;
        else
                job->state = atomic_load(&job->cancelled) ? JOB_CANCELLED : JOB_FAILED;
}

/* In its lane, from where it comes back to the loop. */
static void begin(struct job *job)
{
        if (job->waiting)
                g_queue_remove(&job->list->waiting, job);
        job->waiting = false;
        job->list->running++;
        lane_post(job->lane, job->main, job);
}

static void announce_end(struct job *job)
{
        struct job_list *list = job->list;

        tell(job, JOB_ENDED);
        g_queue_remove(&list->jobs, job);
        job_free(job);
        list->running--;
        if (list->waiting.head && list->running < JOB_MAX)
                begin(list->waiting.head->data);
}

void job_defer_end(struct job *job)
{
        g_assert(on_loop(job->list->loop));
        job->deferred = true;
        job->state = JOB_RUNNING;
}

void job_end(struct job *job, const GError *error)
{
        g_assert(on_loop(job->list->loop) && job->deferred);
        if (error && !job->error)
                job->error = g_error_copy(error);
        set_final_state(job);
        announce_end(job);
}

static void job_finish(void *data)
{
        struct job *job = data;

        take_progress(job);
        set_final_state(job);
        if (job->done)
                job->done(job, job->error, job->data);
        if (!job->deferred)
                announce_end(job);
}

static void job_main(void *data)
{
        struct job *job = data;

        /* Cancelled before it began: an urgent post interrupts only what runs. */
        if (atomic_load(&job->cancelled))
                error_set(&job->error, ERROR_FROM_NONE, ERROR_OPERATION_ABORTED, "job %u (%s) was cancelled",
                          job->id, job->operation);
        else if (job->work(job, job->data, &job->error))
                g_clear_error(&job->error);
        else if (!job->error)
                error_set(&job->error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR,
                          "job %u (%s) failed without a reason", job->id, job->operation);
        loop_post(job->list->loop, job_finish, job);
}

static struct job *job_new(struct job_list *list, const char *operation, struct managed *object)
{
        struct job *job = g_new0(struct job, 1);
        g_autofree char *name = NULL;

        job->list = list;
        job->id = ++list->last_id;
        job->operation = g_strdup(operation);
        job->main = job_main;
        job->object = object ? managed_ref(object) : NULL;
        name = g_strdup_printf("job %u", job->id);
        job->lane = lane_new(list->pool, list->loop, name);
        lane_set_lending(job->lane);
        job->started_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
        return job;
}

struct job *job_run(struct job_list *list, const char *operation, struct managed *object, job_work work,
                    job_done done, void *data, GError **error)
{
        struct job *job;

        g_assert(on_loop(list->loop));
        if (list->jobs.length >= JOB_MAX + JOB_WAITING_MAX) {
                error_set(error, ERROR_FROM_NONE, ERROR_RESOURCE_BUSY,
                          "%d jobs run and %d wait already: '%s' cannot be one more", JOB_MAX,
                          JOB_WAITING_MAX, operation);
                return NULL;
        }
        job = job_new(list, operation, object);
        job->work = work;
        job->done = done;
        job->data = data;
        job->waiting = list->running >= JOB_MAX;
        g_queue_push_tail(&list->jobs, job);
        if (job->waiting)
                g_queue_push_tail(&list->waiting, job);
        tell(job, JOB_ADDED);
        if (!list->timer)
                list->timer = loop_timer_new(list->loop, JOB_UPDATE_MS, publish_progress, list);
        else if (list->jobs.length == 1)
                loop_timer_set(list->timer, JOB_UPDATE_MS);
        if (!job->waiting)
                begin(job);
        return job;
}

/* Exists only to interrupt the work where it waits. */
static void interruption(void *data)
{
}

void job_cancel(struct job *job)
{
        g_assert(on_loop(job->list->loop));
        atomic_store(&job->cancelled, true);
        /* It ends at once: it is seen to be cancelled before it does anything. */
        if (job->waiting)
                begin(job);
        lane_post_urgent(job->lane, interruption, NULL);
}

void job_set_progress(struct job *job, uint64_t processed, uint64_t total)
{
        atomic_store(&job->now_total, total);
        atomic_store(&job->now_processed, processed);
}

unsigned job_get_id(const struct job *job)
{
        return job->id;
}

const char *job_get_operation(const struct job *job)
{
        return job->operation;
}

struct managed *job_get_object(const struct job *job)
{
        return job->object;
}

struct lane *job_get_lane(const struct job *job)
{
        return job->lane;
}

uint64_t job_get_started(const struct job *job)
{
        return job->started_s;
}

enum job_state job_get_state(const struct job *job)
{
        return job->state;
}

void job_get_progress(const struct job *job, uint64_t *processed, uint64_t *total)
{
        *processed = job->processed;
        *total = job->total;
}

double job_get_fraction(const struct job *job)
{
        if (job->state == JOB_COMPLETED)
                return 1;
        if (!job->total)
                return -1;
        return MIN((double)job->processed / (double)job->total, 1);
}

const char *job_get_error(const struct job *job)
{
        /* While it runs that is its lane's. */
        return job->state != JOB_RUNNING && job->error ? job->error->message : "";
}
