/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lanes: a serial queue each, run one job at a time as a task of the pool. The mutex of a lane guards its
 * queues and the facts about the job that runs; it is a leaf but for the pool's, which is taken under it
 * never: tasks are submitted unlocked.
 */
#include "base/lane.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
        struct job *next;
        lane_fn fn;
        void *data;
        uint64_t number; /* in the order posted */
        bool urgent;
};

struct queue {
        struct job *first, *last;
};

struct lane {
        /* atomic */
        gint refs;
        /* const */
        struct pool *pool; /* borrowed */
        struct loop *loop; /* borrowed */
        char *name;        /* owned; for debuggers */
        bool lends;
        struct pool_task task;
        /* mutex */
        pthread_mutex_t mutex;
        struct queue queue;
        uint64_t last_number;
        uint64_t interrupt_below; /* jobs posted before the last urgent one have a lower number */
        bool scheduled;           /* in the pool's queue or running */
        bool running;             /* a job runs, on the thread `runner` */
        uint64_t running_number;
        bool running_urgent;
        bool shielded; /* the job cleans up: its waits work */
        int wake_fd;   /* borrowed from the waiting worker; -1 when the job does not wait */
        pthread_t runner;
};

static void queue_push(struct queue *queue, struct job *job)
{
        if (queue->last)
                queue->last->next = job;
        else
                queue->first = job;
        queue->last = job;
}

static struct job *queue_pop(struct queue *queue)
{
        struct job *job = queue->first;

        if (job) {
                queue->first = job->next;
                if (!queue->first)
                        queue->last = NULL;
        }
        return job;
}

static struct job *begin_job(struct lane *lane)
{
        struct job *job;

        pthread_mutex_lock(&lane->mutex);
        job = queue_pop(&lane->queue);
        lane->running = true;
        lane->running_number = job->number;
        lane->running_urgent = job->urgent;
        lane->shielded = false;
        lane->runner = pthread_self();
        pthread_mutex_unlock(&lane->mutex);
        return job;
}

/* True when there is more to run. */
static bool end_job(struct lane *lane)
{
        bool more;

        pthread_mutex_lock(&lane->mutex);
        lane->running = false;
        more = lane->queue.first != NULL;
        lane->scheduled = more;
        pthread_mutex_unlock(&lane->mutex);
        return more;
}

/* One job per task, so that lanes share the slots fairly. */
static void lane_run(void *data)
{
        struct lane *lane = data;
        struct job *job = begin_job(lane);

        if (lane->lends)
                pool_lend(lane->pool);
        job->fn(job->data);
        if (lane->lends)
                pool_reclaim(lane->pool);
        g_free(job);
        if (end_job(lane))
                pool_resubmit(lane->pool, &lane->task);
        else
                lane_unref(lane);
}

struct lane *lane_new(struct pool *pool, struct loop *loop, const char *name)
{
        struct lane *lane = g_new0(struct lane, 1);

        lane->refs = 1;
        lane->pool = pool;
        lane->loop = loop;
        lane->name = g_strdup(name);
        lane->task.run = lane_run;
        lane->task.data = lane;
        lane->wake_fd = -1;
        pthread_mutex_init(&lane->mutex, NULL);
        return lane;
}

void lane_set_lending(struct lane *lane)
{
        lane->lends = true;
}

struct lane *lane_ref(struct lane *lane)
{
        g_atomic_int_inc(&lane->refs);
        return lane;
}

void lane_unref(struct lane *lane)
{
        if (!lane || !g_atomic_int_dec_and_test(&lane->refs))
                return;
        pthread_mutex_destroy(&lane->mutex);
        g_free(lane->name);
        g_free(lane);
}

struct loop *lane_get_loop(const struct lane *lane)
{
        return lane->loop;
}

struct pool *lane_get_pool(const struct lane *lane)
{
        return lane->pool;
}

/* With the mutex held. */
static bool is_interrupted(const struct lane *lane)
{
        return !lane->running_urgent &&
               (lane->running_number < lane->interrupt_below || pool_is_stopping(lane->pool));
}

/* With the mutex held. */
static bool may_wait(const struct lane *lane)
{
        return lane->shielded || !is_interrupted(lane);
}

/* With the mutex held: nothing that was posted before the job of that number waits any more. */
static void interrupt_before(struct lane *lane, uint64_t number)
{
        lane->interrupt_below = number;
        if (lane->wake_fd >= 0 && !may_wait(lane))
                eventfd_write(lane->wake_fd, 1);
}

static void post(struct lane *lane, lane_fn fn, void *data, bool urgent)
{
        struct job *job = g_new(struct job, 1);
        bool submit;

        *job = (struct job){ .fn = fn, .data = data, .urgent = urgent };
        pthread_mutex_lock(&lane->mutex);
        job->number = ++lane->last_number;
        queue_push(&lane->queue, job);
        if (urgent)
                interrupt_before(lane, job->number);
        submit = !lane->scheduled;
        lane->scheduled = true;
        if (submit)
                lane_ref(lane);
        pthread_mutex_unlock(&lane->mutex);
        if (submit)
                pool_submit(lane->pool, &lane->task);
}

void lane_post(struct lane *lane, lane_fn fn, void *data)
{
        post(lane, fn, data, false);
}

void lane_post_urgent(struct lane *lane, lane_fn fn, void *data)
{
        post(lane, fn, data, true);
}

lane_deadline lane_deadline_in(unsigned timeout_ms)
{
        return g_get_monotonic_time() / 1000 + timeout_ms;
}

bool lane_is_interrupted(const struct lane *lane)
{
        struct lane *self = (struct lane *)lane;
        bool interrupted;

        pthread_mutex_lock(&self->mutex);
        interrupted = !may_wait(self);
        pthread_mutex_unlock(&self->mutex);
        return interrupted;
}

bool lane_was_interrupted(const struct lane *lane)
{
        struct lane *self = (struct lane *)lane;
        bool interrupted;

        pthread_mutex_lock(&self->mutex);
        interrupted = is_interrupted(self);
        pthread_mutex_unlock(&self->mutex);
        return interrupted;
}

void lane_shield(struct lane *lane)
{
        g_assert(in_lane(lane));
        pthread_mutex_lock(&lane->mutex);
        lane->shielded = true;
        pthread_mutex_unlock(&lane->mutex);
}

static int poll_timeout(lane_deadline deadline)
{
        int64_t left;

        if (deadline == LANE_FOREVER)
                return -1;
        left = deadline - g_get_monotonic_time() / 1000;
        return (int)CLAMP(left, 0, INT_MAX);
}

/* Registers the worker's descriptor with the lane, unless the job is interrupted already. */
static bool begin_wait(struct lane *lane, int wake_fd)
{
        bool allowed;

        pthread_mutex_lock(&lane->mutex);
        allowed = may_wait(lane);
        if (allowed)
                lane->wake_fd = wake_fd;
        pthread_mutex_unlock(&lane->mutex);
        return allowed;
}

static bool end_wait(struct lane *lane)
{
        eventfd_t count;
        bool interrupted;

        pthread_mutex_lock(&lane->mutex);
        interrupted = !may_wait(lane);
        eventfd_read(lane->wake_fd, &count);
        lane->wake_fd = -1;
        pthread_mutex_unlock(&lane->mutex);
        return interrupted;
}

enum lane_wake lane_wait(struct lane *lane, int fd, short events, short *revents, lane_deadline deadline)
{
        enum lane_wake wake = LANE_TIMEOUT;
        struct pollfd fds[] = {
                { .fd = pool_get_wake_fd(lane->pool), .events = POLLIN },
                { .fd = fd, .events = events },
        };
        int ready;

        g_assert(in_lane(lane));
        if (!begin_wait(lane, fds[0].fd))
                return LANE_INTERRUPTED;
        pool_lend(lane->pool);
        do
                ready = poll(fds, G_N_ELEMENTS(fds), poll_timeout(deadline));
        while (ready < 0 && errno == EINTR);
        pool_reclaim(lane->pool);
        if (fds[1].revents)
                wake = LANE_READY;
        if (end_wait(lane))
                wake = LANE_INTERRUPTED;
        if (revents)
                *revents = fds[1].revents;
        return wake;
}

bool in_lane(const struct lane *lane)
{
        struct lane *self = (struct lane *)lane;
        bool inside;

        pthread_mutex_lock(&self->mutex);
        inside = self->running && pthread_equal(self->runner, pthread_self());
        pthread_mutex_unlock(&self->mutex);
        return inside;
}
