/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns: they keep the order of what is asked of an object while an operation has it to itself. Loop thread.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "base/operation-private.h"
#include "base/registry-private.h"

struct turn {
        loop_fn fn;
        void *data;
        bool urgent;
};

/* Exists only to interrupt what waits in the lane. */
static void interruption(void *data)
{
}

/* The lane's job may wait for a guest: it is not waited for, whatever the operation is at. */
static void hurry(struct managed *object)
{
        lane_post_urgent(object->lane, interruption, NULL);
        operation_cancel(object->keeper);
}

void operation_open_object(struct managed *object)
{
        struct turn *turn;

        object->keeper = NULL;
        if (object->taking_turns)
                return;
        object->taking_turns = true;
        while (!object->keeper && (turn = g_queue_pop_head(&object->turns))) {
                object->urgent_turns -= turn->urgent;
                turn->fn(turn->data);
                g_free(turn);
        }
        object->taking_turns = false;
}

void operation_take_turn(struct managed *object, bool urgent, loop_fn fn, void *data)
{
        struct turn *turn;

        g_assert(on_loop(lane_get_loop(object->lane)));
        if (!object->keeper && !object->taking_turns) {
                fn(data);
                return;
        }
        turn = g_new(struct turn, 1);
        *turn = (struct turn){ fn, data, urgent };
        g_queue_push_tail(&object->turns, turn);
        object->urgent_turns += urgent;
        if (urgent && object->keeper)
                hurry(object);
}
