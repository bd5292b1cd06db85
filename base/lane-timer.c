/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Timers of lanes: the loop waits, the lane acts. A timer is the lane's, but for the loop's part in it;
 * without a delay there is none.
 */
#include "base/lane.h"

#include "base/loop.h"

struct lane_timer {
        /* atomic */
        gint refs;
        /* const */
        struct lane *lane; /* ref */
        unsigned delay_ms;
        lane_fn fn;
        void *data; /* borrowed */
        /* loop */
        struct loop_timer *timer; /* owned */
        /* lane */
        bool freed;
};

static void timer_unref(struct lane_timer *timer)
{
        if (!g_atomic_int_dec_and_test(&timer->refs))
                return;
        lane_unref(timer->lane);
        g_free(timer);
}

static void timer_job(void *data)
{
        struct lane_timer *timer = data;

        if (!timer->freed)
                timer->fn(timer->data);
        timer_unref(timer);
}

static void timer_expired(void *data)
{
        struct lane_timer *timer = data;

        g_atomic_int_inc(&timer->refs);
        lane_post(timer->lane, timer_job, timer);
}

static void timer_arm(void *data)
{
        struct lane_timer *timer = data;

        timer->timer = loop_timer_new(lane_get_loop(timer->lane), timer->delay_ms, timer_expired, timer);
}

static void timer_disarm(void *data)
{
        struct lane_timer *timer = data;

        loop_timer_free(timer->timer);
        timer->timer = NULL;
        timer_unref(timer);
}

struct lane_timer *lane_timer_new(struct lane *lane, unsigned delay_ms, lane_fn fn, void *data)
{
        struct lane_timer *timer = g_new0(struct lane_timer, 1);

        g_assert(in_lane(lane));
        *timer = (struct lane_timer){
                .refs = 1,
                .lane = lane_ref(lane),
                .delay_ms = delay_ms,
                .fn = fn,
                .data = data,
        };
        if (delay_ms > 0)
                loop_post(lane_get_loop(lane), timer_arm, timer);
        else
                timer_expired(timer);
        return timer;
}

void lane_timer_free(struct lane_timer *timer)
{
        if (!timer)
                return;
        g_assert(in_lane(timer->lane));
        timer->freed = true;
        if (timer->delay_ms > 0)
                loop_post(lane_get_loop(timer->lane), timer_disarm, timer);
        else
                timer_unref(timer);
}
