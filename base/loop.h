/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The loop thread: it owns the bus, the registries and everything that DESIGN calls loop-owned, and it never
 * blocks. A GMainContext behind a hand-over queue made of pthread primitives. Unless said otherwise, call
 * from the loop thread.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_watch;
struct loop_timer;

typedef void (*loop_fn)(void *data);
/* revents is a mask of POLLIN, POLLOUT, POLLHUP, POLLERR. */
typedef void (*loop_watch_fn)(int fd, short revents, void *data);

/* The thread that calls loop_new() is the loop thread. NULL with an error when descriptors are short. */
struct loop *loop_new(GError **error);
void loop_free(struct loop *loop);

/* Runs until loop_quit() (any thread). */
void loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

/* Runs one turn; true when something ran. For tests and orderly shutdown. */
bool loop_step(struct loop *loop, bool may_block);

/*
 * Hands fn(data) to the loop. Any thread. First in, first out over all posters of one thread; at most
 * LOOP_BATCH run per turn, so that other sources get theirs.
 */
void loop_post(struct loop *loop, loop_fn fn, void *data);

/*
 * Watches fd for events (POLLIN, POLLOUT). The callback may free the watch. The descriptor stays the caller's
 * and must stay open until loop_watch_free().
 */
struct loop_watch *loop_watch_new(struct loop *loop, int fd, short events, loop_watch_fn fn, void *data);
void loop_watch_free(struct loop_watch *watch);

/*
 * Runs fn(data) once after delay_ms on the monotonic clock; the callback may free the timer or set it again.
 */
struct loop_timer *loop_timer_new(struct loop *loop, unsigned delay_ms, loop_fn fn, void *data);
void loop_timer_set(struct loop_timer *timer, unsigned delay_ms);
void loop_timer_free(struct loop_timer *timer);

/*
 * Calls fn(signal) on the loop for each of these signals, until loop_free(). Block them before making
 * threads.
 */
bool loop_add_signals(struct loop *loop, const int signals[], unsigned count,
                      void (*fn)(int signal, void *data), void *data, GError **error);

/*
 * One-shot readiness for many descriptors behind one poll (epoll(7), EPOLLONESHOT). All three may be called
 * from any thread; fn runs on the loop. After remove, fn may still be called until a function posted
 * afterwards (loop_post()) has run.
 */
struct loop_oneshot {
        void (*fn)(struct loop_oneshot *oneshot);
};
bool loop_oneshot_add(struct loop *loop, int fd, short events, struct loop_oneshot *oneshot, GError **error);
void loop_oneshot_rearm(struct loop *loop, int fd, short events, struct loop_oneshot *oneshot);
void loop_oneshot_remove(struct loop *loop, int fd);

/* Is this the loop thread? For assertions: g_assert(on_loop(loop)). Any thread. */
bool on_loop(const struct loop *loop);

/* The GMainContext, for libraries that bring their own GSource. */
GMainContext *loop_get_context(struct loop *loop);
