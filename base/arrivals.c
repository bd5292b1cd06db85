/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes to the loop from one lane. Loop thread. */
#include "base/arrivals.h"

struct arrival {
        loop_fn fn;
        void *data;
};

static struct arrival *arrival_new(loop_fn fn, void *data)
{
        struct arrival *arrival = g_new(struct arrival, 1);

        *arrival = (struct arrival){ fn, data };
        return arrival;
}

void arrivals_enter(struct arrivals *arrivals, loop_fn fn, void *data)
{
        if (!arrivals->held && g_queue_is_empty(&arrivals->waiting))
                fn(data);
        else
                g_queue_push_tail(&arrivals->waiting, arrival_new(fn, data));
}

void arrivals_resume_with(struct arrivals *arrivals, loop_fn fn, void *data)
{
        g_queue_push_head(&arrivals->waiting, arrival_new(fn, data));
}

void arrivals_hold(struct arrivals *arrivals)
{
        arrivals->held++;
}

void arrivals_release(struct arrivals *arrivals)
{
        struct arrival *arrival;

        g_assert(arrivals->held > 0);
        arrivals->held--;
        while (!arrivals->held && (arrival = g_queue_pop_head(&arrivals->waiting))) {
                arrival->fn(arrival->data);
                g_free(arrival);
        }
}
