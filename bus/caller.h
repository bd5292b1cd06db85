/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who calls, as the bus sees it: a queue of calls per unique name, from its first call until it leaves. Loop
 * thread.
 */

#include "base/error.h"
#include "bus/tree.h"
#include "drivers/identity.h"

/* Calls of one caller that wait or run, and bytes of those that wait, unless bus_set_limits() says otherwise.
 */
#define CALLER_CALLS_MAX 32768
#define CALLER_BYTES_MAX (16 * 1024 * 1024)

struct subscription;

struct waiting_call {
        DBusMessage *message; /* ref */
        size_t size;          /* counts against CALLER_BYTES_MAX */
};

/* What a caller has on one connection object. */
struct caller_slot {
        GError *last_error;                /* owned */
        bool follows;                      /* is in the followers of the connection */
        struct subscription *subscription; /* owned; to statistics, NULL: none */
};

struct caller {
        unsigned refs;
        /* const */
        struct bus *bus;           /* borrowed */
        struct identity *identity; /* ref; what the model knows of it */
        const char *name;          /* borrowed from identity; unique on the bus */
        /* loop */
        GQueue queue; /* of struct waiting_call, owned: calls that wait for their turn */
        size_t queued_bytes;
        unsigned in_flight;        /* calls that are being served */
        unsigned holds;            /* of these, those that later ones must not overtake */
        bool ready;                /* in bus->ready */
        GQueue outbox;             /* messages that wait for what the caller may see; of sight-signals.c */
        unsigned outbox_open;      /* questions about these */
        GError *last_error;        /* owned; on any object */
        struct caller_slot *slots; /* owned; by index of the connection object; NULL before the first use */
};

/* The caller of that unique name, made when it is new; borrowed. */
struct caller *caller_get(struct bus *bus, const char *name);
struct caller *caller_ref(struct caller *caller);
void caller_unref(struct caller *caller);

void caller_push(struct caller *caller, DBusMessage *message, size_t size);
/* The next call; the reference is the taker's. NULL: none. */
DBusMessage *caller_pop(struct caller *caller);

/* It left the bus: its calls are served, for the sake of those who send and leave, but not answered. */
void caller_leave(struct bus *bus, const char *name);
/* All left, as the bus did; what waits is dropped. */
void caller_leave_all(struct bus *bus);
/* The agent ends: callers stay where they are, and so does what is theirs. */
void caller_forget_all(struct bus *bus);

struct caller_slot *caller_get_slot(struct caller *caller, const struct connect *connect);
/* Signals about which objects there are on this connection go to the caller from now on, until it leaves. */
void caller_follow(struct caller *caller, const struct connect *connect);

/* Keeps a copy of error as the last one, and on the connection object unless that is NULL. */
void caller_set_error(struct caller *caller, const struct connect *connect, const GError *error);
/* Forgets the last errors, on all objects. */
void caller_reset_errors(struct caller *caller);
