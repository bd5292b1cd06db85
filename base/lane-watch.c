/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watches of lanes: the loop waits for a descriptor, the lane acts. A watch is the lane's; the loop counts a
 * reference while it may still call.
 */
#include "base/lane.h"

#include "base/loop.h"

struct lane_watch {
        struct loop_oneshot oneshot;
        /* atomic */
        gint refs;
        gint due; /* fn is to be called by a job that is posted: armed again at its end */
        /* const */
        struct lane *lane; /* ref */
        int fd;            /* borrowed */
        short events;
        lane_fn fn;
        void *data; /* borrowed */
        /* lane */
        bool freed;
};

static void watch_unref(void *data)
{
        struct lane_watch *watch = data;

        if (!g_atomic_int_dec_and_test(&watch->refs))
                return;
        lane_unref(watch->lane);
        g_free(watch);
}

static void watch_job(void *data)
{
        struct lane_watch *watch = data;

        if (!watch->freed)
                watch->fn(watch->data);
        g_atomic_int_set(&watch->due, 0);
        if (!watch->freed)
                loop_oneshot_rearm(lane_get_loop(watch->lane), watch->fd, watch->events, &watch->oneshot);
        watch_unref(watch);
}

static void watch_ready(struct loop_oneshot *oneshot)
{
        struct lane_watch *watch = (struct lane_watch *)oneshot;

        g_atomic_int_set(&watch->due, 1);
        g_atomic_int_inc(&watch->refs);
        lane_post(watch->lane, watch_job, watch);
}

struct lane_watch *lane_watch_new(struct lane *lane, int fd, short events, lane_fn fn, void *data,
                                  GError **error)
{
        struct lane_watch *watch = g_new0(struct lane_watch, 1);

        g_assert(in_lane(lane));
        *watch = (struct lane_watch){
                .oneshot.fn = watch_ready,
                .refs = 1,
                .lane = lane_ref(lane),
                .fd = fd,
                .events = events,
                .fn = fn,
                .data = data,
        };
        if (!loop_oneshot_add(lane_get_loop(lane), fd, events, &watch->oneshot, error)) {
                watch_unref(watch);
                return NULL;
        }
        return watch;
}

void lane_watch_free(struct lane_watch *watch)
{
        if (!watch)
                return;
        g_assert(in_lane(watch->lane));
        watch->freed = true;
        loop_oneshot_remove(lane_get_loop(watch->lane), watch->fd);
        /* The loop may be about to call watch_ready(): the last reference goes after that. */
        loop_post(lane_get_loop(watch->lane), watch_unref, watch);
}

static void set_events(struct lane_watch *watch, short events)
{
        g_assert(in_lane(watch->lane));
        if (!g_atomic_int_get(&watch->due))
                loop_oneshot_rearm(lane_get_loop(watch->lane), watch->fd, events, &watch->oneshot);
}

void lane_watch_pause(struct lane_watch *watch)
{
        set_events(watch, 0);
}

void lane_watch_resume(struct lane_watch *watch)
{
        set_events(watch, watch->events);
}
