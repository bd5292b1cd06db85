/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a message to a handler. Owns the queues in struct bus and struct caller. Loop thread.
 */
#include "bus/dispatch.h"

#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/interface.h"
#include "bus/marshal.h"
#include "introspection/peer.h"

#include <malloc.h>
#include <string.h>

/*
 * How long calls are served before the loop gets its turn, and how much is read ahead under load to be
 * fair.
 */
#define TURN_US    2000
#define READ_AHEAD (256 * 1024)
/* After so many waiting calls of one caller, or a call of so many bytes, memory is given back to the system.
 */
#define CROWD      1000
#define CROWD_SIZE (1024 * 1024)

/* ---- from a call to its handler ---- */

/* D-Bus's own refusals; what the caller sent is quoted short and printable. */
static void refuse(struct call *call, const char *name, const char *what, const char *sent)
{
        g_autofree char *quoted = error_quote(sent);

        call_refuse(call, name, "%s '%s'", what, quoted);
}

/* Finds the method by interface, if the message names one, and member; refuses the call if there is none. */
static bool find_method(struct call *call)
{
        const char *name = dbus_message_get_interface(call->message);
        const char *member = dbus_message_get_member(call->message);
        const struct interface *interface;
        bool known = !name;

        for (unsigned n = 0; !call->method && (interface = tree_get_nth_interface(&call->target, n)); n++) {
                if (name && strcmp(name, interface->name) != 0)
                        continue;
                known = true;
                call->method = interface_find_method(interface, member);
        }
        if (call->method)
                return true;
        if (call->target.place == TREE_NOWHERE)
                refuse(call, DBUS_ERROR_UNKNOWN_OBJECT, "there is no object at",
                       dbus_message_get_path(call->message));
        else if (known)
                refuse(call, DBUS_ERROR_UNKNOWN_METHOD, "the object has no method", member);
        else
                refuse(call, DBUS_ERROR_UNKNOWN_INTERFACE, "the object has no interface", name);
        return false;
}

static bool check_signature(struct call *call)
{
        const char *sent = dbus_message_get_signature(call->message);
        g_autofree char *quoted = NULL;

        if (G_LIKELY(strcmp(sent, call->method->in) == 0))
                return true;
        quoted = error_quote(sent);
        call_refuse(call, DBUS_ERROR_INVALID_ARGS, "%s takes arguments of the signature '%s', not '%s'",
                    call->method->name, call->method->in, quoted);
        return false;
}

/*
 * Takes a reference to the object that the call is about. A call to a lane also finds one that is on its
 * way.
 */
static bool find_object(struct call *call)
{
        bool pending = call->method->run == INTERFACE_RUN_LANE;
        const struct branch *branch = call->target.branch;
        g_autoptr(GError) error = NULL;
        void *object;

        if (call->target.place != TREE_OBJECT || call->target.object)
                return true;
        object = branch->kind->find(branch, call->target.element, pending, &error);
        if (object)
                call->target.object = branch->kind->ref(branch, object);
        else
                call_fail(call, error);
        return object != NULL;
}

/* The argument that says what else the call needs access to; 0 when there is none. */
static uint32_t get_flags(struct call *call)
{
        DBusMessageIter iter = call->args;
        dbus_uint32_t flags = 0;

        if (call->method->flags_at < 0)
                return 0;
        for (int i = 0; i < call->method->flags_at; i++)
                dbus_message_iter_next(&iter);
        dbus_message_iter_get_basic(&iter, &flags);
        return flags;
}

static void begin(struct call *call)
{
        if (authorize(call, call->method->access, get_flags(call), begin))
                call->method->handler(call);
}

void dispatch_resume(struct call *call, authorize_next next)
{
        call_release(call);
        if (!find_object(call))
                return;
        dbus_message_iter_init(call->message, &call->args);
        next(call);
}

static bool is_about_path_only(const struct call *call)
{
        return call->method >= interface_peer.methods &&
               call->method < interface_peer.methods + interface_peer.n_methods;
}

static void serve_call(struct bus *bus, struct caller *caller, DBusMessage *message)
{
        struct call *call = call_new(bus, caller, message);

        tree_locate(bus, dbus_message_get_path(message), &call->target);
        if (!find_method(call) || (!is_about_path_only(call) && !find_object(call)) || !check_signature(call))
                return;
        dbus_message_iter_init(message, &call->args);
        begin(call);
}

/* ---- queues ---- */

static void make_ready(struct bus *bus, struct caller *caller)
{
        if (caller->ready || caller->holds > 0 || g_queue_is_empty(&caller->queue))
                return;
        caller->ready = true;
        g_queue_push_tail(&bus->ready, caller_ref(caller));
}

static void serve_next(struct bus *bus)
{
        struct caller *caller = g_queue_pop_head(&bus->ready);
        DBusMessage *message = caller->holds == 0 ? caller_pop(caller) : NULL;

        caller->ready = false;
        if (message) {
                serve_call(bus, caller, message);
                dbus_message_unref(message);
        }
        make_ready(bus, caller);
        caller_unref(caller);
}

/* Nobody waits any more. */
static void relax(struct bus *bus)
{
        if (bus->crowded)
                malloc_trim(0);
        bus->crowded = false;
}

void dispatch_serve(struct bus *bus)
{
        gint64 end;

        if (bus->serving || g_queue_is_empty(&bus->ready))
                return;
        bus->serving = true;
        end = g_get_monotonic_time() + TURN_US;
        do {
                if (connection_is_clogged(bus->connection))
                        break;
                serve_next(bus);
        } while (!g_queue_is_empty(&bus->ready) && g_get_monotonic_time() < end);
        bus->serving = false;
        if (g_queue_is_empty(&bus->ready))
                relax(bus);
        else if (!connection_is_clogged(bus->connection))
                loop_timer_set(bus->serve_timer, 0);
}

void dispatch_continue(void *data)
{
        struct bus *bus = data;

        bus->serving = true;
        connection_read_ahead(bus->connection, READ_AHEAD);
        bus->serving = false;
        dispatch_serve(bus);
}

void dispatch_wake(struct bus *bus, struct caller *caller)
{
        make_ready(bus, caller);
        if (!bus->serving && !g_queue_is_empty(&bus->ready))
                loop_timer_set(bus->serve_timer, 0);
}

static void refuse_unqueued(struct bus *bus, DBusMessage *message, const char *name, const char *text)
{
        DBusMessage *reply;

        if (dbus_message_get_no_reply(message))
                return;
        reply = dbus_message_new_error(message, name, text);
        if (!reply)
                g_error("out of memory while writing a reply");
        connection_send(bus->connection, reply);
        dbus_message_unref(reply);
}

static void queue_call(struct bus *bus, DBusMessage *message)
{
        const char *sender = dbus_message_get_sender(message);
        struct caller *caller;
        size_t size;

        if (!sender)
                return;
        if (bus->stopping) {
                refuse_unqueued(bus, message, DBUS_ERROR_SERVICE_UNKNOWN, "the agent is being stopped");
                return;
        }
        caller = caller_get(bus, sender);
        size = marshal_estimate(message, bus->limits.bytes);
        if (caller->queue.length + caller->in_flight >= bus->limits.calls ||
            (caller->queue.length > 0 && caller->queued_bytes + size > bus->limits.bytes)) {
                refuse_unqueued(bus, message, DBUS_ERROR_LIMITS_EXCEEDED,
                                "too many calls are waiting already");
                return;
        }
        caller_push(caller, message, size);
        bus->crowded |= caller->queue.length > CROWD || size > CROWD_SIZE;
        make_ready(bus, caller);
}

static void note_departure(struct bus *bus, DBusMessage *message)
{
        const char *name, *old_owner, *new_owner;

        if (!dbus_message_has_sender(message, DBUS_SERVICE_DBUS) ||
            !dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged") ||
            !dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &old_owner,
                                   DBUS_TYPE_STRING, &new_owner, DBUS_TYPE_INVALID))
                return;
        if (!*new_owner)
                caller_leave(bus, name);
}

void dispatch_message(struct bus *bus, DBusMessage *message)
{
        if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_METHOD_CALL)
                queue_call(bus, message);
        else
                note_departure(bus, message);
}
