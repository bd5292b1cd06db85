/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of events. No state but the struct's.
 */
#include "drivers/qemu/qmp-events.h"

#include <string.h>

void qmp_event_free(struct qmp_event *event)
{
        if (!event)
                return;
        g_free(event->name);
        json_decref(event->data);
        g_free(event);
}

void qmp_events_done(struct qmp_events *events)
{
        struct qmp_event *event;

        while ((event = g_queue_pop_head(&events->queue)))
                qmp_event_free(event);
        g_clear_pointer(&events->last, qmp_event_free);
}

static bool says_the_same(const struct qmp_event *event, const struct qmp_message *message)
{
        if (!event || !event->name || strcmp(event->name, message->name) != 0)
                return false;
        return event->data == message->body || json_equal(event->data, message->body);
}

static bool merge(struct qmp_events *events, const struct qmp_message *message)
{
        struct qmp_event *before = g_queue_peek_tail(&events->queue);

        if (!events->flood && events->queue.length < QMP_EVENTS_MERGE)
                return false;
        if (!before)
                before = events->last;
        return says_the_same(before, message);
}

static void drop_link(struct qmp_events *events, GList *link)
{
        struct qmp_event *event = link->data;

        events->cost -= event->cost;
        qmp_event_free(event);
        g_queue_delete_link(&events->queue, link);
}

/* The oldest event; places of replies stay. */
static void drop_oldest(struct qmp_events *events)
{
        GList *link = events->queue.head;

        while (link && ((struct qmp_event *)link->data)->reply_id)
                link = link->next;
        if (link)
                drop_link(events, link);
        events->lost = true;
}

bool qmp_events_push(struct qmp_events *events, const struct qmp_message *message, uint64_t sent_id)
{
        bool lost_before = events->lost;
        struct qmp_event *event;

        if (merge(events, message))
                return false;
        event = g_new0(struct qmp_event, 1);
        event->name = g_strdup(message->name);
        event->data = json_incref((json_t *)message->body);
        event->time_us = message->time_us;
        event->cost = message->cost;
        g_queue_push_tail(&events->queue, event);
        events->cost += event->cost;
        event->sent_id = sent_id;
        while (g_queue_get_length(&events->queue) > QMP_EVENTS_MAX || events->cost > QMP_EVENTS_COST_MAX)
                drop_oldest(events);
        return events->lost && !lost_before;
}

void qmp_events_push_reply(struct qmp_events *events, uint64_t id)
{
        struct qmp_event *place = g_new0(struct qmp_event, 1);

        place->reply_id = id;
        g_queue_push_tail(&events->queue, place);
}

struct qmp_event *qmp_events_pop(struct qmp_events *events)
{
        struct qmp_event *event = g_queue_pop_head(&events->queue);

        if (event)
                events->cost -= event->cost;
        return event;
}

void qmp_events_finish(struct qmp_events *events, struct qmp_event *event)
{
        qmp_event_free(events->last);
        events->last = event;
}

void qmp_events_set_flood(struct qmp_events *events, bool flood)
{
        events->flood = flood;
        if (!flood)
                g_clear_pointer(&events->last, qmp_event_free);
}

struct qmp_event *qmp_events_take(struct qmp_events *events, qmp_accept_fn accept, void *data)
{
        for (GList *link = events->queue.head; link; link = link->next) {
                struct qmp_event *event = link->data;

                if (!event->name || !accept(event->name, event->data, data))
                        continue;
                events->cost -= event->cost;
                g_queue_delete_link(&events->queue, link);
                return event;
        }
        return NULL;
}

void qmp_events_claim(struct qmp_events *events, const char *name, uint64_t id)
{
        GList *next;

        for (GList *link = events->queue.head; link; link = next) {
                struct qmp_event *event = link->data;

                next = link->next;
                if (event->name && event->sent_id >= id && strcmp(event->name, name) == 0)
                        drop_link(events, link);
        }
}
