/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The queue of events between the socket and those who handle them: bounded, and merging in a flood what says
 * the same again and again. Belongs to one client; no thread of its own.
 */

#include "drivers/qemu/qmp-stream.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* So many in the queue are a flood, too. */
#define QMP_EVENTS_MERGE    64
#define QMP_EVENTS_MAX      1024              /* kept while a job waits; beyond it the oldest are lost */
#define QMP_EVENTS_COST_MAX (8 * 1024 * 1024) /* memory for them in bytes, estimated */

struct qmp_event {
        uint64_t reply_id; /* not an event: the place of the reply to that command; 0: an event */
        uint64_t sent_id;  /* the last command that was sent when it came */
        char *name;        /* owned */
        json_t *data;      /* ref; NULL none */
        int64_t time_us;
        size_t cost; /* estimated memory in bytes */
};

void qmp_event_free(struct qmp_event *event);

struct qmp_events {
        GQueue queue;           /* struct qmp_event, owned */
        struct qmp_event *last; /* owned; the one popped last, while a flood goes on */
        size_t cost;            /* of all in the queue */
        bool flood;             /* there are always more */
        bool lost;              /* some had to be dropped, and nobody has been told */
};

void qmp_events_done(struct qmp_events *events);

/*
 * Adds the event of message, unless a flood goes on and it says what the one before it said. Beyond
 * QMP_EVENTS_COST_MAX or QMP_EVENTS_MAX the oldest are dropped; true when that happens for the first time
 * since `lost` was cleared. sent_id: of the last command that was sent.
 */
bool qmp_events_push(struct qmp_events *events, const struct qmp_message *message, uint64_t sent_id);
/* The reply to that command has its place here; such places are never dropped. */
void qmp_events_push_reply(struct qmp_events *events, uint64_t id);

/* The oldest, NULL when there is none; free it with qmp_events_finish(). */
struct qmp_event *qmp_events_pop(struct qmp_events *events);
void qmp_events_finish(struct qmp_events *events, struct qmp_event *event);

/* A flood begins or has ended. */
void qmp_events_set_flood(struct qmp_events *events, bool flood);

/*
 * The oldest event that fn takes, out of the queue; NULL: none. Free it with qmp_event_free(). arguments may
 * be NULL.
 */
typedef bool (*qmp_accept_fn)(const char *name, const json_t *arguments, void *data);
struct qmp_event *qmp_events_take(struct qmp_events *events, qmp_accept_fn accept, void *data);

/* Drops the events of that name that came after the command of that id was sent. */
void qmp_events_claim(struct qmp_events *events, const char *name, uint64_t id);
