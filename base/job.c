/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs. Progress is an immutable snapshot behind an atomic pointer, which whoever works puts there and the
 * loop takes; one timer of the list carries it to the listeners while jobs run. All else belongs to the loop.
 */
#include "base/job.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/listeners.h"
#include "base/loop.h"
#include "base/managed.h"

#include <stdatomic.h>
#include <string.h>

struct job_list {
        /* const */
        struct loop *loop; /* borrowed */
        struct pool *pool; /* borrowed */
        /* loop */
        GQueue jobs;                /* of struct job, owned */
        GQueue waiting;             /* of struct job, borrowed from jobs: not in their lanes yet */
        struct listeners listeners; /* job_listener */
        unsigned running;         /* work in their lanes, with those that were cancelled while they waited */
        struct loop_timer *timer; /* owned; set while jobs run */
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
        int64_t started_us; /* monotonic */
        job_cancelled on_cancel;
        void *cancel_data; /* borrowed */
        /* atomic */
        _Atomic(struct job_progress *) fresh; /* owned; not taken yet, may be NULL */
        atomic_bool cancelled;
        /* loop; but while it works its lane's */
        job_worker work;
        job_done done;
        void *data;         /* owned by done */
        GError *work_error; /* owned */
        /* loop */
        enum job_state state;
        GError *error; /* owned; of one that has ended */
        bool waiting;
        bool lasts;                           /* JOB_LASTS */
        bool ends_itself;                     /* job_run() */
        struct job_progress latest, progress; /* the second as published */
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
        GList *next;

        /* One may end at once. */
        for (GList *link = list->jobs.head; link; link = next) {
                struct job *job = link->data;

                next = link->next;
                /* Also what is about to complete, which may take its time. */
                job_interrupt(job);
                if (job->on_cancel)
                        job->on_cancel(job, job->cancel_data);
        }
}

const struct job_progress *job_get_latest(struct job *job)
{
        g_autofree struct job_progress *fresh = atomic_exchange(&job->fresh, NULL);

        if (fresh)
                job->latest = *fresh;
        return &job->latest;
}

/* True when there is another one than published. */
static bool take_progress(struct job *job)
{
        const struct job_progress *latest = job_get_latest(job);

        if (memcmp(latest, &job->progress, sizeof(*latest)) == 0)
                return false;
        job->progress = *latest;
        return true;
}

static void publish(struct job *job)
{
        bool news;

        if (!job->lasts && g_get_monotonic_time() - job->started_us < JOB_UPDATE_MS * INT64_C(1000))
                return;
        news = take_progress(job);
        if (!job->lasts) {
                job->lasts = true;
                tell(job, JOB_LASTS);
        }
        if (news)
                tell(job, JOB_UPDATED);
}

static void publish_progress(void *data)
{
        struct job_list *list = data;

        for (GList *link = list->jobs.head; link; link = link->next)
                publish(link->data);
        if (list->jobs.head)
                loop_timer_set(list->timer, JOB_UPDATE_MS);
}

static void job_free(struct job *job)
{
        g_free(atomic_load(&job->fresh));
        g_clear_error(&job->error);
        lane_unref(job->lane);
        managed_unref(job->object);
        g_free(job->operation);
        g_free(job);
}

/* ---- from its beginning to its end ---- */

struct job *job_new(struct job_list *list, const char *operation, struct managed *object,
                    job_cancelled cancelled, void *data, GError **error)
{
        struct job *job;
        g_autofree char *name = NULL;

        g_assert(on_loop(list->loop));
        if (list->jobs.length >= JOB_MAX + JOB_WAITING_MAX) {
                error_set(error, ERROR_FROM_NONE, ERROR_RESOURCE_BUSY,
                          "%d jobs run and %d wait already: '%s' cannot be one more", JOB_MAX,
                          JOB_WAITING_MAX, operation);
                return NULL;
        }
        job = g_new0(struct job, 1);
        job->list = list;
        job->id = ++list->last_id;
        job->operation = g_strdup(operation);
        job->object = object ? managed_ref(object) : NULL;
        name = g_strdup_printf("job %u", job->id);
        job->lane = lane_new(list->pool, list->loop, name);
        lane_set_lending(job->lane);
        job->started_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
        job->started_us = g_get_monotonic_time();
        job->on_cancel = cancelled;
        job->cancel_data = data;
        g_queue_push_tail(&list->jobs, job);
        tell(job, JOB_ADDED);
        if (!list->timer)
                list->timer = loop_timer_new(list->loop, JOB_UPDATE_MS, publish_progress, list);
        else if (list->jobs.length == 1)
                loop_timer_set(list->timer, JOB_UPDATE_MS);
        return job;
}

void job_end(struct job *job, const GError *error)
{
        struct job_list *list = job->list;

        g_assert(on_loop(list->loop) && !job->work);
        take_progress(job);
        if (error) {
                job->error = g_error_copy(error);
                job->state = atomic_load(&job->cancelled) ? JOB_CANCELLED : JOB_FAILED;
        } else {
                job->state = JOB_COMPLETED;
        }
        tell(job, JOB_ENDED);
        g_queue_remove(&list->jobs, job);
        job_free(job);
}

/* ---- work in its lane ---- */

static void work_finish(void *data);

static void work_main(void *data)
{
        struct job *job = data;

        /* Cancelled before it began: an urgent post interrupts only what runs. */
        if (atomic_load(&job->cancelled))
                error_set(&job->work_error, ERROR_FROM_NONE, ERROR_OPERATION_ABORTED,
                          "job %u (%s) was cancelled", job->id, job->operation);
        else if (job->work(job, job->data, &job->work_error))
                g_clear_error(&job->work_error);
        else if (!job->work_error)
                error_set(&job->work_error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR,
                          "job %u (%s) failed without a reason", job->id, job->operation);
        loop_post(job->list->loop, work_finish, job);
}

/* In its lane, from where it comes back to the loop. */
static void begin(struct job *job)
{
        if (job->waiting)
                g_queue_remove(&job->list->waiting, job);
        job->waiting = false;
        job->list->running++;
        lane_post(job->lane, work_main, job);
}

static void work_finish(void *data)
{
        struct job *job = data;
        struct job_list *list = job->list;
        g_autoptr(GError) error = g_steal_pointer(&job->work_error);
        bool ends = job->ends_itself;

        job->work = NULL;
        list->running--;
        if (job->done)
                job->done(job, error, job->data);
        if (ends)
                job_end(job, error);
        if (list->waiting.head && list->running < JOB_MAX)
                begin(list->waiting.head->data);
}

void job_work(struct job *job, job_worker work, job_done done, void *data)
{
        struct job_list *list = job->list;

        g_assert(on_loop(list->loop) && !job->work);
        job->work = work;
        job->done = done;
        job->data = data;
        job->waiting = list->running >= JOB_MAX && !atomic_load(&job->cancelled);
        if (job->waiting)
                g_queue_push_tail(&list->waiting, job);
        else
                begin(job);
}

struct job *job_run(struct job_list *list, const char *operation, struct managed *object, job_worker work,
                    job_done done, void *data, GError **error)
{
        struct job *job = job_new(list, operation, object, NULL, NULL, error);

        if (!job)
                return NULL;
        job->ends_itself = true;
        job_work(job, work, done, data);
        return job;
}

/* Exists only to interrupt the work where it waits. */
static void interruption(void *data)
{
}

void job_interrupt(struct job *job)
{
        g_assert(on_loop(job->list->loop));
        atomic_store(&job->cancelled, true);
        /* It ends at once: it is seen to be cancelled before it does anything. */
        if (job->waiting)
                begin(job);
        if (job->work)
                lane_post_urgent(job->lane, interruption, NULL);
}

void job_cancel(struct job *job)
{
        if (job->on_cancel)
                job->on_cancel(job, job->cancel_data);
        else
                job_interrupt(job);
}

void job_publish_progress(struct job *job, const struct job_progress *progress)
{
        g_free(atomic_exchange(&job->fresh, g_memdup2(progress, sizeof(*progress))));
}

void job_set_progress(struct job *job, uint64_t processed, uint64_t total)
{
        const struct job_progress progress = {
                .data = { total, processed, total > processed ? total - processed : 0, 0 },
        };

        job_publish_progress(job, &progress);
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

bool job_lasts(const struct job *job)
{
        return job->lasts;
}

enum job_state job_get_state(const struct job *job)
{
        return job->state;
}

const struct job_progress *job_get_progress(const struct job *job)
{
        return &job->progress;
}

uint64_t job_get_elapsed_ms(const struct job *job)
{
        return (uint64_t)(g_get_monotonic_time() - job->started_us) / 1000;
}

double job_get_fraction(const struct job *job)
{
        const struct job_amount *data = &job->progress.data;

        if (job->state == JOB_COMPLETED)
                return 1;
        if (!data->total)
                return -1;
        return MIN((double)data->processed / (double)data->total, 1);
}

const char *job_get_error(const struct job *job)
{
        return job->error ? job->error->message : "";
}
