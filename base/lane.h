/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A lane: a serial queue on the pool. At most one job of a lane runs at a time, in the order posted; what is
 * lane-owned is touched by its lane's jobs only and needs no lock. A job may wait for its own object (a QMP
 * answer, a child), always with a deadline, always interruptible, through lane_wait(); never for another job
 * or lane.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;
struct lane_timer;
struct lane_watch;
struct loop;
struct pool;

typedef void (*lane_fn)(void *data);

/* name is for debuggers, copied. Any thread. */
struct lane *lane_new(struct pool *pool, struct loop *loop, const char *name);
/*
 * Before the first job: jobs of this lane lend their slots from their beginning to their end. For lanes whose
 * jobs do little but wait for file systems, disks and tools: a kernel call on a dead file server cannot be
 * interrupted, and copying takes hours; neither may keep other lanes from their work.
 */
void lane_set_lending(struct lane *lane);
/* Any thread. A lane with queued jobs lives until they ran. */
struct lane *lane_ref(struct lane *lane);
void lane_unref(struct lane *lane);

struct loop *lane_get_loop(const struct lane *lane);
struct pool *lane_get_pool(const struct lane *lane);

/* Queues fn(data). Any thread. */
void lane_post(struct lane *lane, lane_fn fn, void *data);

/*
 * Queues fn(data), in turn, and lets nothing before it wait any longer: in the job that runs now and in those
 * queued already, but for urgent ones, lane_wait() returns LANE_INTERRUPTED at once. They fail quickly, fn
 * gets its turn soon, and the order posted is kept. Any thread. For Destroy: it cancels a start and needs no
 * answer from a hung guest.
 */
void lane_post_urgent(struct lane *lane, lane_fn fn, void *data);

enum lane_wake {
        LANE_READY,
        LANE_TIMEOUT,
        LANE_INTERRUPTED,
};

/* A point on the monotonic clock, in ms; LANE_FOREVER is none (only where an interrupt is sure to come). */
typedef int64_t lane_deadline;
#define LANE_FOREVER INT64_MAX
lane_deadline lane_deadline_in(unsigned timeout_ms);

/*
 * In the lane: waits until fd is ready for events (POLLIN, POLLOUT; *revents, if not NULL, gets the result)
 * or until the deadline. fd -1 only waits. The slot is lent to the pool meanwhile. An urgent job ends the
 * wait of one that is not urgent itself.
 */
enum lane_wake lane_wait(struct lane *lane, int fd, short events, short *revents, lane_deadline deadline);

/*
 * In the lane: the rest of this job cannot be interrupted, and its waits work again although it was: for
 * cleaning up.
 */
void lane_shield(struct lane *lane);

/* Would a wait of this job end at once? In the lane, and in what its job divides (pool_for_each()). */
bool lane_is_interrupted(const struct lane *lane);
/* Has this job been interrupted, whether or not it shielded itself since? In the lane. */
bool lane_was_interrupted(const struct lane *lane);

/*
 * Posts fn(data) to the lane when fd becomes ready for events (POLLIN, POLLOUT); a watch is disarmed from
 * then until that job has returned, so that at most one is queued. The loop does the polling. Call new and
 * free in the lane; after free fn is not called any more, even if it was queued already. fd stays the
 * caller's, must stay open until free, and has at most one watch. NULL with an error when resources are
 * short.
 */
struct lane_watch *lane_watch_new(struct lane *lane, int fd, short events, lane_fn fn, void *data,
                                  GError **error);
void lane_watch_free(struct lane_watch *watch);
/*
 * In the lane: the watch is disarmed while the job waits for its descriptor by itself (lane_wait()), which
 * would wake the loop and a worker beside it for nothing. What is ready at the end still counts.
 */
void lane_watch_pause(struct lane_watch *watch);
void lane_watch_resume(struct lane_watch *watch);

/*
 * Posts fn(data) to the lane once after delay_ms; 0: behind what is queued now. Call new and free in the
 * lane; after free fn is not called any more.
 */
struct lane_timer *lane_timer_new(struct lane *lane, unsigned delay_ms, lane_fn fn, void *data);
void lane_timer_free(struct lane_timer *timer);

/* Is the caller a job of this lane? For assertions: g_assert(in_lane(lane)). */
bool in_lane(const struct lane *lane);
