/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signals to those who may see what they are about. Each caller has a queue of what waits for an answer, so
 * that its signals keep their order, and its replies stay behind them. Owns these queues in struct caller.
 * Loop thread.
 */
#include "bus/sight-signals.h"

#include "base/log.h"
#include "bus/bus-private.h"
#include "bus/caller.h"

/* Messages of one caller that wait; what is more is dropped. */
#define OUTBOX_MAX 4096
/* Of these, so many are asked about at a time. */
#define OUTBOX_AHEAD 4

enum state {
        UNASKED,
        ASKED,
        ALLOWED,
        DENIED,
};

struct outgoing {
        struct caller *caller; /* borrowed: answers come before it is freed */
        DBusMessage *message;  /* ref */
        const struct branch *branch;
        void *object; /* ref; NULL: a reply */
        enum state state;
};

struct subject sight_begin(const struct branch *branch, void *object)
{
        struct bus *bus = branch->connect->bus;
        const struct subject before = bus->about;

        sight_find_subject(&branch, &object);
        bus->about = (struct subject){ object ? branch : NULL, object };
        return before;
}

void sight_end(struct bus *bus, struct subject before)
{
        bus->about = before;
}

bool sight_limits_signals(const struct bus *bus)
{
        return bus->about.object && authorization_tells_apart(models_get_authorization(bus->models));
}

/* ---- what waits ---- */

static void outgoing_free(struct outgoing *outgoing)
{
        if (outgoing->object)
                outgoing->branch->kind->unref(outgoing->branch, outgoing->object);
        dbus_message_unref(outgoing->message);
        g_free(outgoing);
}

static void transmit(struct caller *caller, DBusMessage *message)
{
        if (!caller->identity->gone && connection_is_ready(caller->bus->connection))
                connection_send(caller->bus->connection, message);
}

/* Sends from the front what may go. */
static void flush(struct caller *caller)
{
        struct outgoing *outgoing;

        while ((outgoing = g_queue_peek_head(&caller->outbox)) && outgoing->state >= ALLOWED) {
                g_queue_pop_head(&caller->outbox);
                if (outgoing->state == ALLOWED)
                        transmit(caller, outgoing->message);
                outgoing_free(outgoing);
        }
}

static void advance(struct caller *caller);

static void answered(enum authorization_answer answer, void *data)
{
        struct outgoing *outgoing = data;
        struct caller *caller = outgoing->caller;

        outgoing->state = answer == AUTHORIZATION_ALLOWED ? ALLOWED : DENIED;
        caller->outbox_open--;
        flush(caller);
        advance(caller);
        caller_unref(caller);
}

static void ask(struct outgoing *outgoing)
{
        struct caller *caller = outgoing->caller;
        const struct authorization *authorization = models_get_authorization(caller->bus->models);
        struct authorization_question question;
        enum authorization_answer answer = AUTHORIZATION_ALLOWED;

        if (caller->identity->gone)
                answer = AUTHORIZATION_DENIED;
        else if (sight_fill_question(&question, caller->identity, outgoing->branch, outgoing->object))
                answer = authorization_check(authorization, &question);
        if (answer == AUTHORIZATION_PENDING) {
                caller_ref(caller);
                outgoing->state = ASKED;
                caller->outbox_open++;
                answer = authorization_begin(authorization, &question, answered, outgoing);
                if (answer == AUTHORIZATION_PENDING)
                        return;
                caller->outbox_open--;
                caller_unref(caller);
        }
        outgoing->state = answer == AUTHORIZATION_ALLOWED ? ALLOWED : DENIED;
}

/* Asks about what has waited longest. */
static void advance(struct caller *caller)
{
        for (GList *link = caller->outbox.head; link && caller->outbox_open < OUTBOX_AHEAD;
             link = link->next) {
                struct outgoing *outgoing = link->data;

                if (outgoing->state == UNASKED)
                        ask(outgoing);
        }
        flush(caller);
}

static bool push(struct caller *caller, DBusMessage *message, enum state state, const struct subject *about)
{
        struct outgoing *outgoing;

        if (caller->outbox.length >= OUTBOX_MAX) {
                log_info("%s: more waits for it than it may see; a message is dropped", caller->name);
                return false;
        }
        outgoing = g_new0(struct outgoing, 1);
        *outgoing =
                (struct outgoing){ .caller = caller, .message = dbus_message_ref(message), .state = state };
        if (about) {
                outgoing->branch = about->branch;
                outgoing->object = about->branch->kind->ref(about->branch, about->object);
        }
        g_queue_push_tail(&caller->outbox, outgoing);
        return true;
}

bool sight_keep_behind(struct caller *caller, DBusMessage *message)
{
        return !g_queue_is_empty(&caller->outbox) && push(caller, message, ALLOWED, NULL);
}

/* ---- sending ---- */

static void send_to(struct caller *caller, DBusMessage *message, const struct subject *about)
{
        struct authorization_question question;
        enum authorization_answer answer = AUTHORIZATION_ALLOWED;
        DBusMessage *copy;

        if (caller->identity->gone)
                return;
        if (sight_fill_question(&question, caller->identity, about->branch, about->object))
                answer = authorization_check(models_get_authorization(caller->bus->models), &question);
        if (answer != AUTHORIZATION_ALLOWED && answer != AUTHORIZATION_PENDING)
                return;
        copy = dbus_message_copy(message);
        if (!copy || !dbus_message_set_destination(copy, caller->name))
                g_error("out of memory while writing a signal");
        if (answer == AUTHORIZATION_ALLOWED && g_queue_is_empty(&caller->outbox)) {
                transmit(caller, copy);
        } else {
                push(caller, copy, answer == AUTHORIZATION_ALLOWED ? ALLOWED : UNASKED, about);
                advance(caller);
        }
        dbus_message_unref(copy);
}

void sight_send(struct bus *bus, DBusMessage *message, const GPtrArray *callers)
{
        GHashTableIter iter;
        gpointer caller;

        for (unsigned i = 0; callers && i < callers->len; i++)
                send_to(g_ptr_array_index(callers, i), message, &bus->about);
        if (callers)
                return;
        g_hash_table_iter_init(&iter, bus->callers);
        while (g_hash_table_iter_next(&iter, NULL, &caller))
                send_to(caller, message, &bus->about);
}
