/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The worker pool that lanes run on: `slots` jobs run at once. A job that waits lends its slot (lane_wait()),
 * and another thread takes it: any number of waiting jobs leaves the slots free. Threads in excess end when
 * idle.
 */

#include <glib.h>
#include <stdbool.h>

struct pool;

/* Most threads that a pool makes, waiting jobs included; a job beyond waits for one to end. */
#define POOL_THREADS_MAX 1024
/* Most tasks that help with pool_for_each() at a time, all calls together. */
#define POOL_HELPERS_MAX 32

/* A task in the pool's queue; embedded in its owner, queued at most once at a time. */
struct pool_task {
        /* const */
        void (*run)(void *data);
        void *data;
        /* pool */
        struct pool_task *next;
};

/* slots >= 1. NULL with an error when threads or descriptors are short. */
struct pool *pool_new(unsigned slots, GError **error);

/* Runs what is queued, then ends the threads and waits for that. Loop thread. */
void pool_free(struct pool *pool);

/*
 * Ends all waiting, now and from now on, but for what is shielded (lane_shield()): jobs fail quickly and the
 * pool becomes idle. For the end of the agent. Any thread.
 */
void pool_interrupt(struct pool *pool);
/* Has pool_interrupt() been called? Any thread. */
bool pool_is_stopping(const struct pool *pool);

/* Queues task. Any thread. */
void pool_submit(struct pool *pool, struct pool_task *task);
/* The same as the last thing that a task does: its thread takes it, where nothing else waits. */
void pool_resubmit(struct pool *pool, struct pool_task *task);

/* From a task: its slot is free for others from lend to reclaim, which waits for a free one. They nest. */
void pool_lend(struct pool *pool);
void pool_reclaim(struct pool *pool);

/*
 * From a task: calls fn(index, data) once for each index below count, in any order, and returns when all have
 * returned. For work that waits for the kernel, a file system above all: the caller works through the indexes
 * itself, with its slot lent, and up to `helpers` other tasks work beside it, which lend theirs; so nobody
 * else's work waits for what fn waits for. A helper that has not begun when the last index is taken is
 * withdrawn: the call depends on no slot and no thread but its own. count is at most INT_MAX / 2.
 */
void pool_for_each(struct pool *pool, unsigned count, unsigned helpers,
                   void (*fn)(unsigned index, void *data), void *data);

/* The calling worker's eventfd, which ends its poll(2); -1 when the caller is no worker of this pool. */
int pool_get_wake_fd(const struct pool *pool);
