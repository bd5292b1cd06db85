/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker threads with slots. `busy` counts the slots in use; a thread that lends its slot is not busy, and a
 * thread that wants its slot back goes before queued tasks. The mutex is a leaf.
 */
#include "base/pool.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long a thread beyond the slots stays idle before it ends. */
#define IDLE_SECONDS 5
/* Jobs are shallow; libxml2 and jansson are bounded in depth. */
#define STACK_BYTES (512 * 1024)

struct pool {
        /* const */
        unsigned slots;
        pthread_key_t key; /* the calling worker's struct worker */
        /* atomic */
        gint interrupted;
        /* mutex */
        pthread_mutex_t mutex;
        GQueue workers;       /* of struct worker by their link */
        pthread_cond_t work;  /* a task may run: signalled to idle threads */
        pthread_cond_t slot;  /* a slot came free: signalled to reclaiming threads */
        pthread_cond_t ended; /* a thread ended */
        struct pool_task *first, *last;
        unsigned busy;
        unsigned threads;
        unsigned idle;
        unsigned reclaiming;
        unsigned helpers; /* tasks of crews, queued or running */
        bool stopping;
};

struct worker {
        GList link;
        struct pool *pool; /* borrowed */
        int wake_fd;       /* owned */
        unsigned lent;     /* the thread's: pool_lend() calls that were not reclaimed yet */
};

static bool may_run(const struct pool *pool)
{
        return pool->first && pool->busy < pool->slots && !pool->reclaiming;
}

static void worker_free(struct worker *worker)
{
        close(worker->wake_fd);
        g_free(worker);
}

/* Waits for a task; false when the thread is to end. Called and returns with the mutex held. */
static bool wait_for_task(struct pool *pool)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        while (!may_run(pool)) {
                int result;

                if (pool->stopping && !pool->first)
                        return false;
                pool->idle++;
                result = pthread_cond_timedwait(&pool->work, &pool->mutex, &until);
                pool->idle--;
                if (result == ETIMEDOUT && !may_run(pool)) {
                        if (pool->threads > pool->slots)
                                return false;
                        clock_gettime(CLOCK_MONOTONIC, &until);
                        until.tv_sec += IDLE_SECONDS;
                }
        }
        return true;
}

static void run_task(struct pool *pool)
{
        struct pool_task *task = pool->first;

        pool->first = task->next;
        if (!pool->first)
                pool->last = NULL;
        task->next = NULL;
        pool->busy++;
        pthread_mutex_unlock(&pool->mutex);
        task->run(task->data);
        pthread_mutex_lock(&pool->mutex);
        pool->busy--;
        if (pool->reclaiming)
                pthread_cond_signal(&pool->slot);
}

static void *worker_main(void *data)
{
        struct worker *worker = data;
        struct pool *pool = worker->pool;

        pthread_setspecific(pool->key, worker);
        pthread_mutex_lock(&pool->mutex);
        while (wait_for_task(pool))
                run_task(pool);
        pthread_setspecific(pool->key, NULL);
        g_queue_unlink(&pool->workers, &worker->link);
        worker_free(worker);
        pool->threads--;
        pthread_cond_signal(&pool->ended);
        pthread_mutex_unlock(&pool->mutex);
        return NULL;
}

/* With the mutex held. */
static bool add_thread(struct pool *pool)
{
        struct worker *worker = g_new0(struct worker, 1);
        pthread_attr_t attributes;
        pthread_t thread;
        int result = EMFILE;

        worker->pool = pool;
        worker->link.data = worker;
        worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (worker->wake_fd >= 0) {
                pthread_attr_init(&attributes);
                pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
                pthread_attr_setstacksize(&attributes, STACK_BYTES);
                result = pthread_create(&thread, &attributes, worker_main, worker);
                pthread_attr_destroy(&attributes);
        }
        if (result != 0) {
                worker_free(worker);
                return false;
        }
        g_queue_push_tail_link(&pool->workers, &worker->link);
        pool->threads++;
        return true;
}

/*
 * Lets go of the mutex, and makes sure that somebody takes the next task: who is woken while it is held runs
 * into it, and sleeps again. What cannot be had now is tried at the next occasion.
 */
static void unlock_and_wake(struct pool *pool)
{
        bool runs = may_run(pool), idle = pool->idle > 0;

        if (runs && !idle && pool->threads < POOL_THREADS_MAX)
                add_thread(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (runs && idle)
                pthread_cond_signal(&pool->work);
}

struct pool *pool_new(unsigned slots, GError **error)
{
        struct pool *pool = g_new0(struct pool, 1);
        pthread_condattr_t attributes;
        bool started;

        g_assert(slots > 0);
        pool->slots = slots;
        pthread_mutex_init(&pool->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&pool->work, &attributes);
        pthread_condattr_destroy(&attributes);
        pthread_cond_init(&pool->slot, NULL);
        pthread_cond_init(&pool->ended, NULL);
        pthread_key_create(&pool->key, NULL);
        /* One thread always exists, so that a shortage later cannot stop the queue. */
        pthread_mutex_lock(&pool->mutex);
        started = add_thread(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (!started) {
                error_set(error, ERROR_FROM_THREAD, ERROR_SYSTEM_ERROR, "cannot make a worker thread");
                pool_free(pool);
                return NULL;
        }
        return pool;
}

void pool_free(struct pool *pool)
{
        if (!pool)
                return;
        pthread_mutex_lock(&pool->mutex);
        pool->stopping = true;
        pthread_cond_broadcast(&pool->work);
        while (pool->threads > 0)
                pthread_cond_wait(&pool->ended, &pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
        pthread_key_delete(pool->key);
        pthread_cond_destroy(&pool->ended);
        pthread_cond_destroy(&pool->slot);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->mutex);
        g_free(pool);
}

void pool_interrupt(struct pool *pool)
{
        g_atomic_int_set(&pool->interrupted, 1);
        pthread_mutex_lock(&pool->mutex);
        for (GList *link = pool->workers.head; link; link = link->next)
                eventfd_write(((struct worker *)link->data)->wake_fd, 1);
        pthread_mutex_unlock(&pool->mutex);
}

bool pool_is_stopping(const struct pool *pool)
{
        return g_atomic_int_get(&pool->interrupted);
}

/* With the mutex held. */
static void push_task(struct pool *pool, struct pool_task *task)
{
        g_assert(!task->next && task != pool->last);
        if (pool->last)
                pool->last->next = task;
        else
                pool->first = task;
        pool->last = task;
}

void pool_submit(struct pool *pool, struct pool_task *task)
{
        pthread_mutex_lock(&pool->mutex);
        push_task(pool, task);
        unlock_and_wake(pool);
}

void pool_resubmit(struct pool *pool, struct pool_task *task)
{
        bool next;

        pthread_mutex_lock(&pool->mutex);
        next = !pool->first;
        push_task(pool, task);
        if (next)
                pthread_mutex_unlock(&pool->mutex);
        else
                unlock_and_wake(pool);
}

static struct worker *get_worker(const struct pool *pool)
{
        struct worker *worker = pthread_getspecific(pool->key);

        g_assert(worker);
        return worker;
}

/* Lets go of the mutex: who wants a slot back goes before a new task. */
static void pass_slot_on(struct pool *pool)
{
        if (!pool->reclaiming) {
                unlock_and_wake(pool);
                return;
        }
        pthread_cond_signal(&pool->slot);
        pthread_mutex_unlock(&pool->mutex);
}

void pool_lend(struct pool *pool)
{
        if (get_worker(pool)->lent++ > 0)
                return;
        pthread_mutex_lock(&pool->mutex);
        pool->busy--;
        pass_slot_on(pool);
}

void pool_reclaim(struct pool *pool)
{
        struct worker *worker = get_worker(pool);

        g_assert(worker->lent > 0);
        if (--worker->lent > 0)
                return;
        pthread_mutex_lock(&pool->mutex);
        pool->reclaiming++;
        while (pool->busy >= pool->slots)
                pthread_cond_wait(&pool->slot, &pool->mutex);
        pool->reclaiming--;
        pool->busy++;
        pass_slot_on(pool);
}

/* ---- work that is divided ---- */

/* On the stack of the task that called for it. */
struct crew {
        /* const */
        struct pool *pool; /* borrowed */
        unsigned count;
        void (*fn)(unsigned index, void *data);
        void *data; /* borrowed */
        /* atomic */
        gint next; /* the first index that nobody has taken */
        /* the pool's mutex */
        struct pool_task tasks[POOL_HELPERS_MAX];
        unsigned helpers;    /* tasks, queued or running */
        pthread_cond_t left; /* the last of them */
};

static void crew_work(struct crew *crew)
{
        unsigned index;

        while ((index = (unsigned)g_atomic_int_add(&crew->next, 1)) < crew->count)
                crew->fn(index, crew->data);
}

/* With the mutex held. */
static void crew_remove_helper(struct crew *crew)
{
        crew->pool->helpers--;
        crew->helpers--;
}

static void help(void *data)
{
        struct crew *crew = data;
        struct pool *pool = crew->pool;

        pool_lend(pool);
        crew_work(crew);
        /* The crew is gone as soon as the caller can see that we left. */
        pthread_mutex_lock(&pool->mutex);
        crew_remove_helper(crew);
        if (crew->helpers == 0)
                pthread_cond_signal(&crew->left);
        pthread_mutex_unlock(&pool->mutex);
        pool_reclaim(pool);
}

/* Each task is queued once: a helper may be done and gone before the next is called. */
static void crew_call_helpers(struct crew *crew, unsigned wanted)
{
        struct pool *pool = crew->pool;
        bool called = true;

        for (unsigned i = 0; called && i < MIN(wanted, POOL_HELPERS_MAX); i++) {
                pthread_mutex_lock(&pool->mutex);
                called = pool->helpers < POOL_HELPERS_MAX;
                if (called) {
                        crew->tasks[i] = (struct pool_task){ .run = help, .data = crew };
                        crew->helpers++;
                        pool->helpers++;
                        push_task(pool, &crew->tasks[i]);
                }
                unlock_and_wake(pool);
        }
}

/* With the mutex held: takes the crew's tasks out of the queue. */
static void crew_withdraw(struct crew *crew)
{
        struct pool *pool = crew->pool;
        struct pool_task **link = &pool->first;

        pool->last = NULL;
        while (*link) {
                struct pool_task *task = *link;

                if (task->data == crew) {
                        *link = task->next;
                        crew_remove_helper(crew);
                } else {
                        pool->last = task;
                        link = &task->next;
                }
        }
}

static void crew_end(struct crew *crew)
{
        pthread_mutex_lock(&crew->pool->mutex);
        crew_withdraw(crew);
        while (crew->helpers > 0)
                pthread_cond_wait(&crew->left, &crew->pool->mutex);
        pthread_mutex_unlock(&crew->pool->mutex);
        pthread_cond_destroy(&crew->left);
}

void pool_for_each(struct pool *pool, unsigned count, unsigned helpers,
                   void (*fn)(unsigned index, void *data), void *data)
{
        struct crew crew = { .pool = pool, .count = count, .fn = fn, .data = data };

        g_assert(pool_get_wake_fd(pool) >= 0 && count <= INT_MAX / 2);
        pthread_cond_init(&crew.left, NULL);
        pool_lend(pool);
        crew_call_helpers(&crew, MIN(helpers, count));
        crew_work(&crew);
        crew_end(&crew);
        pool_reclaim(pool);
}

int pool_get_wake_fd(const struct pool *pool)
{
        const struct worker *worker = pthread_getspecific(pool->key);

        return worker ? worker->wake_fd : -1;
}
