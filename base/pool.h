/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The worker pool that lanes run on: `slots` jobs run at once. A job that waits lends its slot (lane_wait()), and
 * another thread takes it: any number of waiting jobs leaves the slots free. Threads in excess end when idle.
 */

#include <glib.h>
#include <stdbool.h>

struct pool;

/* Most threads that a pool makes, waiting jobs included; a job beyond waits for one to end. */
#define POOL_THREADS_MAX 1024

struct pool *pool_new(unsigned slots);

/* Runs what is queued, then joins the threads. Lanes must be idle or interrupted. Loop thread. */
void pool_free(struct pool *pool);

/* Is the caller one of the pool's threads? */
bool pool_is_worker(const struct pool *pool);
