/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The turns of the QMP client: events and replies that somebody is called back with, in jobs of their own.
 * All in the client's lane.
 */
#include "drivers/qemu/qmp-private.h"

#include "base/error.h"

#include <poll.h>

#define LINGER_MS   2
#define FLOOD_STEPS 64 /* of QMP_EVENTS_PER_TURN messages each, in one turn */

/* ---- delivering ---- */

static unsigned position_of(const struct qmp *qmp, const struct qmp_slot *slot)
{
        unsigned position = 0;

        g_ptr_array_find(qmp->slots, slot, &position);
        return position;
}

/* Calls back with what a slot got, or with error; the slot is gone before. */
static void call_back(struct qmp *qmp, struct qmp_slot *slot, const GError *error)
{
        g_autoptr(GError) refused = g_steal_pointer(&slot->refused);

        g_ptr_array_steal_index(qmp->slots, position_of(qmp, slot));
        if (!error && !refused && slot->reply.kind == QMP_ERROR)
                qmp_set_reply_error(qmp, slot, &refused);
        error = error ? error : refused;
        slot->fn(error ? NULL : slot->reply.body, error, slot->data);
        qmp_slot_free(slot);
}

static void deliver_reply(struct qmp *qmp, uint64_t id)
{
        struct qmp_slot *slot = qmp_find_slot(qmp, id, NULL);

        if (slot && slot->fn)
                call_back(qmp, slot, NULL);
}

/* True when there may be more. */
static bool deliver(struct qmp *qmp)
{
        if (qmp->events.lost) {
                qmp->events.lost = false;
                qmp->event_fn(NULL, NULL, g_get_real_time(), qmp->data);
        }
        for (unsigned i = 0; i < QMP_EVENTS_PER_TURN; i++) {
                struct qmp_event *event = qmp->freed ? NULL : qmp_events_pop(&qmp->events);

                if (!event)
                        return false;
                if (event->reply_id)
                        deliver_reply(qmp, event->reply_id);
                else
                        qmp->event_fn(event->name, event->data, event->time_us, qmp->data);
                qmp_events_finish(&qmp->events, event);
        }
        return true;
}

static bool has_events(const struct qmp *qmp)
{
        return qmp->events.queue.length > 0 || qmp->events.lost;
}

bool qmp_has_work(struct qmp *qmp)
{
        if (has_events(qmp))
                return true;
        return qmp->broken ? !qmp->closed_told : qmp_stream_has_line(&qmp->stream);
}

/*
 * Reads what there is to deliver. In a flood, much is read, which will mostly be one event again and again;
 * true when that was not all.
 */
static bool fill_queue(struct qmp *qmp)
{
        unsigned steps = qmp->events.flood ? FLOOD_STEPS : 1;

        for (unsigned i = 0; i < steps; i++) {
                if (qmp->broken || has_events(qmp) || !qmp_progress(qmp))
                        return false;
        }
        return qmp->events.flood;
}

/* What nobody will answer any more. */
static void fail_calls(struct qmp *qmp)
{
        for (unsigned i = qmp->slots->len; i-- > 0 && !qmp->freed;) {
                struct qmp_slot *slot = g_ptr_array_index(qmp->slots, i);

                if (!slot->fn)
                        continue;
                call_back(qmp, slot, qmp->broken);
                /* It may have forgotten others. */
                i = qmp->slots->len;
        }
}

static void tell_end(struct qmp *qmp)
{
        if (!qmp->broken || qmp->closed_told || has_events(qmp))
                return;
        qmp->closed_told = true;
        fail_calls(qmp);
        if (!qmp->freed && qmp->closed_fn)
                qmp->closed_fn(qmp->broken, qmp->data);
}

static void run_turn(void *data);

/* Waits for what is to be read, and for room for what is to be written. */
static void wait_for_more(struct qmp *qmp)
{
        short events = POLLIN;

        if (qmp_output_is_ready(&qmp->output))
                events |= POLLOUT;
        if (qmp->watch && qmp->watched == events)
                return;
        g_clear_pointer(&qmp->watch, lane_watch_free);
        qmp->watched = events;
        qmp->watch = lane_watch_new(qmp->lane, qmp->fd, events, run_turn, qmp, NULL);
        if (!qmp->watch && !qmp->turn)
                qmp->turn = lane_timer_new(qmp->lane, QMP_FLOOD_PAUSE_MS, run_turn, qmp);
}

/* A call that QEMU has got and not answered. */
static bool awaits_answer(const struct qmp *qmp)
{
        for (unsigned i = 0; i < qmp->slots->len; i++) {
                const struct qmp_slot *slot = g_ptr_array_index(qmp->slots, i);

                if (slot->fn && !slot->answered)
                        return true;
        }
        return false;
}

/*
 * Most answers come within a millisecond, and one that is waited for here wakes this thread alone, where the
 * watch wakes the loop, which wakes a worker. False: none has come, or somebody wants the lane.
 */
static bool linger(struct qmp *qmp, lane_deadline deadline)
{
        if (qmp->freed || qmp->broken || qmp_has_work(qmp) || !awaits_answer(qmp) ||
            lane_deadline_in(0) >= deadline)
                return false;
        return qmp_wait(qmp, deadline) == LANE_READY;
}

/* What there is to read, and to tell; true when that was too much for a turn. */
static bool take_turn(struct qmp *qmp)
{
        bool busy = fill_queue(qmp);

        return deliver(qmp) || busy;
}

/* Also run by the watch, when there is something to read or room to write. */
static void run_turn(void *data)
{
        struct qmp *qmp = data;
        lane_deadline deadline = lane_deadline_in(LINGER_MS);
        bool busy;

        qmp->refs++;
        g_clear_pointer(&qmp->turn, lane_timer_free);
        do {
                qmp_flush(qmp);
                busy = take_turn(qmp);
        } while (!busy && linger(qmp, deadline));
        qmp_stop_waiting(qmp);
        if (!qmp->freed)
                tell_end(qmp);
        if (!qmp->freed) {
                qmp_events_set_flood(&qmp->events, busy);
                if (busy || qmp_has_work(qmp)) {
                        /* Without a watch, what is sent meanwhile costs nobody anything. */
                        g_clear_pointer(&qmp->watch, lane_watch_free);
                        g_clear_pointer(&qmp->turn, lane_timer_free);
                        qmp->turn = lane_timer_new(qmp->lane, busy ? QMP_FLOOD_PAUSE_MS : 0, run_turn, qmp);
                } else if (!qmp->broken) {
                        wait_for_more(qmp);
                }
        }
        qmp_release(qmp);
}

void qmp_post_turn(struct qmp *qmp)
{
        if (!qmp->turn && qmp->event_fn)
                qmp->turn = lane_timer_new(qmp->lane, 0, run_turn, qmp);
}

/* ---- calling back ---- */

/* The call that is due first of those that nobody has answered; NULL: there is none. */
static struct qmp_slot *find_earliest(const struct qmp *qmp)
{
        struct qmp_slot *earliest = NULL;

        for (unsigned i = 0; i < qmp->slots->len; i++) {
                struct qmp_slot *slot = g_ptr_array_index(qmp->slots, i);

                if (slot->fn && !slot->answered && (!earliest || slot->deadline < earliest->deadline))
                        earliest = slot;
        }
        return earliest;
}

static void give_up(struct qmp *qmp, struct qmp_slot *slot)
{
        qmp_reply_fn fn = slot->fn;
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT, "QEMU of %s did not answer %s", qmp->who,
                  slot->command);
        slot->fn = NULL;
        slot->forgotten = true;
        fn(NULL, error, slot->data);
}

static void look_for_late_calls(void *data);

/*
 * One timer for all calls, which is not ended with the call that it was made for: that would cost the loop
 * two wakes for each.
 */
static void watch_deadline(struct qmp *qmp, lane_deadline deadline)
{
        if (qmp->late && qmp->late_at <= deadline)
                return;
        g_clear_pointer(&qmp->late, lane_timer_free);
        qmp->late_at = deadline;
        qmp->late = lane_timer_new(qmp->lane, (unsigned)MAX(deadline - lane_deadline_in(0), 0),
                                   look_for_late_calls, qmp);
}

static void look_for_late_calls(void *data)
{
        struct qmp *qmp = data;
        struct qmp_slot *slot;

        qmp->refs++;
        g_clear_pointer(&qmp->late, lane_timer_free);
        while ((slot = qmp->freed ? NULL : find_earliest(qmp)) && slot->deadline <= lane_deadline_in(0))
                give_up(qmp, slot);
        if (slot)
                watch_deadline(qmp, slot->deadline);
        qmp_release(qmp);
}

/* A slot for what cannot be sent, whose reply is the reason. */
static struct qmp_slot *refuse_call(struct qmp *qmp, uint64_t id)
{
        struct qmp_slot *slot = g_new0(struct qmp_slot, 1);

        slot->id = id;
        slot->answered = true;
        if (qmp->broken)
                slot->refused = g_error_copy(qmp->broken);
        else
                qmp_set_too_many(qmp, &slot->refused);
        g_ptr_array_add(qmp->slots, slot);
        qmp_events_push_reply(&qmp->events, id);
        qmp_post_turn(qmp);
        return slot;
}

uint64_t qmp_queue_call(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                        qmp_reply_fn fn, void *data)
{
        uint64_t id = qmp_send(qmp, command, arguments);
        struct qmp_slot *slot = qmp_find_slot(qmp, id, NULL);

        g_assert(qmp->event_fn);
        if (!slot)
                slot = refuse_call(qmp, id);
        else
                watch_deadline(qmp, lane_deadline_in(timeout_ms));
        slot->fn = fn;
        slot->data = data;
        slot->deadline = lane_deadline_in(timeout_ms);
        return id;
}

/* False: what is to be sent has to wait. */
static bool send_calls(struct qmp *qmp)
{
        qmp_flush(qmp);
        if (qmp->broken || !qmp_output_is_ready(&qmp->output))
                return true;
        wait_for_more(qmp);
        return false;
}

void qmp_flush_calls(struct qmp *qmp)
{
        if (send_calls(qmp) && !qmp->turn)
                run_turn(qmp);
}

uint64_t qmp_call(struct qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                  qmp_reply_fn fn, void *data)
{
        uint64_t id = qmp_queue_call(qmp, command, arguments, timeout_ms, fn, data);

        if (send_calls(qmp))
                qmp_post_turn(qmp);
        return id;
}

/* ---- */

bool qmp_watch(struct qmp *qmp, qmp_event_fn event, qmp_closed_fn closed, void *data, GError **error)
{
        g_assert(in_lane(qmp->lane) && !qmp->event_fn);
        if (!qmp->broken) {
                qmp->watch = lane_watch_new(qmp->lane, qmp->fd, POLLIN, run_turn, qmp, error);
                qmp->watched = POLLIN;
                if (!qmp->watch)
                        return false;
        }
        qmp->event_fn = event;
        qmp->closed_fn = closed;
        qmp->data = data;
        if (qmp_has_work(qmp))
                qmp_post_turn(qmp);
        return true;
}
