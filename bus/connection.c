/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection to the bus. Loop thread.
 *
 * Messages are taken from libdbus one by one (dbus_connection_pop_message()), not through its dispatcher: all
 * of them go to dispatch.c, replies to our own few calls are found by their serial. libdbus would close the
 * connection on a message that is longer than dbus_connection_set_max_message_size(), so that limit stays at
 * what the bus itself lets through, or anybody could throw us off the bus; what is too large is refused,
 * message by message, when it is here.
 */
#include "bus/connection.h"

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"

#include <poll.h>
#include <sys/ioctl.h>

/* Reading stops while the messages that are here have more than this. */
#define RECEIVED_MAX (128L * 1024 * 1024)
/* Bytes that wait to be written: calls wait from here on ... */
#define CLOG_BYTES   (128L * 1024)
#define BUSY_BYTES   (32L * 1024) /* many signals wait from here on */
#define UNCLOG_BYTES (16L * 1024) /* and both no more from here on */
/* ... and signals, which nobody can hold back, are dropped from here on. */
#define SIGNALS_MAX (64L * 1024 * 1024)
/* What libdbus reads at once. */
#define READ_CHUNK 2048

enum connection_state {
        CONNECTION_IDLE,
        CONNECTION_ATTEMPT, /* authenticating, saying Hello, asking for the name */
        CONNECTION_READY,
};

struct connection {
        /* const */
        struct loop *loop; /* borrowed */
        char *address;     /* owned */
        char *name;        /* owned */
        const struct connection_events *events;
        void *data; /* borrowed; for events */
        /* loop */
        enum connection_state state;
        DBusConnection *bus;             /* ref; NULL while there is none */
        struct watch *reader;            /* borrowed from bus; its enabled watch for reading */
        GHashTable *replies;             /* serial -> struct pending_reply */
        GQueue received;                 /* DBusMessage, ref: not handed over before the name is ours */
        struct loop_timer *timer;        /* owned; see on_timer() */
        struct loop_timer *unclog_timer; /* owned; see connection_send() */
        unsigned retry_ms;
        bool started; /* retry when it fails */
        bool clogged;
        bool busy;
        bool dropping;   /* signals */
        GError *failure; /* owned; of the attempt that connection_start() waits for */
};

struct pending_reply {
        connection_reply fn;
        void *data; /* borrowed */
};

/* ---- watches ---- */

struct watch {
        struct connection *connection; /* borrowed */
        DBusWatch *watch;              /* borrowed */
        struct loop_watch *loop_watch; /* owned; NULL while disabled */
};

static void route_reply(struct connection *connection, DBusMessage *message)
{
        gpointer key = GUINT_TO_POINTER(dbus_message_get_reply_serial(message));
        gpointer found;
        struct pending_reply *reply;

        if (!g_hash_table_steal_extended(connection->replies, key, NULL, &found))
                return;
        reply = found;
        reply->fn(message, reply->data);
        g_free(reply);
}

/* False when there was nothing to hand over, or it is not time yet. */
static bool hand_over(struct connection *connection)
{
        DBusMessage *message;
        bool some = false;

        while (connection->state == CONNECTION_READY && (message = g_queue_pop_head(&connection->received))) {
                connection->events->message(message, connection->data);
                dbus_message_unref(message);
                some = true;
        }
        return some;
}

/*
 * Hands over what has come. A bus that starts the agent for somebody's call passes the call on before it
 * answers the agent's request for the name, so what comes early waits for that. Leaves a bus that turns out
 * to be gone to on_timer(): callers are in the middle of something.
 */
static void deliver(struct connection *connection)
{
        DBusMessage *message;
        bool some = false;

        while (connection->bus && (message = dbus_connection_pop_message(connection->bus))) {
                int type = dbus_message_get_type(message);

                if (type == DBUS_MESSAGE_TYPE_METHOD_RETURN || type == DBUS_MESSAGE_TYPE_ERROR)
                        route_reply(connection, message);
                else
                        g_queue_push_tail(&connection->received, dbus_message_ref(message));
                dbus_message_unref(message);
                some |= hand_over(connection);
        }
        if (some)
                connection->events->delivered(connection->data);
        if (connection->bus && !dbus_connection_get_is_connected(connection->bus))
                loop_timer_set(connection->timer, 0);
}

static bool is_drained(const struct connection *connection)
{
        return (connection->clogged || connection->busy) && connection->bus &&
               dbus_connection_get_outgoing_size(connection->bus) < UNCLOG_BYTES;
}

static void unclog(void *data)
{
        struct connection *connection = data;

        if (!is_drained(connection))
                return;
        connection->clogged = false;
        connection->busy = false;
        if (connection->dropping)
                log_warning("the bus reads again; signals were dropped meanwhile");
        connection->dropping = false;
        connection->events->unclogged(connection->data);
}

static void on_watch(int fd, short revents, void *data)
{
        struct watch *watch = data;
        struct connection *connection = watch->connection;
        unsigned flags = 0;

        if (revents & POLLIN)
                flags |= DBUS_WATCH_READABLE;
        if (revents & POLLOUT)
                flags |= DBUS_WATCH_WRITABLE;
        if (revents & POLLHUP)
                flags |= DBUS_WATCH_HANGUP;
        if (revents & (POLLERR | POLLNVAL))
                flags |= DBUS_WATCH_ERROR;
        /* When it is out of memory it does nothing, and poll says the same again. */
        dbus_watch_handle(watch->watch, flags);
        deliver(connection);
        unclog(connection);
}

static void watch_toggled(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = dbus_watch_get_data(dbus_watch);
        struct connection *connection = data;
        unsigned flags = dbus_watch_get_flags(dbus_watch);
        short events = 0;

        g_clear_pointer(&watch->loop_watch, loop_watch_free);
        if (flags & DBUS_WATCH_READABLE)
                connection->reader = dbus_watch_get_enabled(dbus_watch) ? watch : NULL;
        if (!dbus_watch_get_enabled(dbus_watch))
                return;
        if (flags & DBUS_WATCH_READABLE)
                events |= POLLIN;
        if (flags & DBUS_WATCH_WRITABLE)
                events |= POLLOUT;
        watch->loop_watch =
                loop_watch_new(connection->loop, dbus_watch_get_unix_fd(dbus_watch), events, on_watch, watch);
}

static dbus_bool_t watch_added(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = g_new0(struct watch, 1);

        watch->connection = data;
        watch->watch = dbus_watch;
        dbus_watch_set_data(dbus_watch, watch, NULL);
        watch_toggled(dbus_watch, data);
        return TRUE;
}

static void watch_removed(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = dbus_watch_get_data(dbus_watch);
        struct connection *connection = data;

        if (connection->reader == watch)
                connection->reader = NULL;
        if (watch->loop_watch)
                loop_watch_free(watch->loop_watch);
        g_free(watch);
}

/* ---- connecting ---- */

/* Drops the bus and tells those who await replies. */
static void disconnect(struct connection *connection)
{
        DBusConnection *bus = g_steal_pointer(&connection->bus);
        GHashTable *replies = connection->replies;
        DBusMessage *message;
        GHashTableIter iter;
        gpointer value;

        connection->state = CONNECTION_IDLE;
        connection->clogged = false;
        connection->busy = false;
        connection->dropping = false;
        while ((message = g_queue_pop_head(&connection->received)))
                dbus_message_unref(message);
        if (!bus)
                return;
        dbus_connection_close(bus);
        dbus_connection_unref(bus);
        connection->replies = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        g_hash_table_iter_init(&iter, replies);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                struct pending_reply *reply = value;

                reply->fn(NULL, reply->data);
        }
        g_hash_table_unref(replies);
}

/* Takes error. */
static void fail_attempt(struct connection *connection, GError *error)
{
        disconnect(connection);
        if (!connection->started) {
                connection->failure = error;
                return;
        }
        log_gerror(LOG_LEVEL_DEBUG, error, "no bus yet");
        g_error_free(error);
        loop_timer_set(connection->timer, connection->retry_ms);
        connection->retry_ms = MIN(connection->retry_ms * 2, CONNECTION_RETRY_MAX_MS);
}

/* The text of an error reply; NULL is a bus that went away. */
static void set_reply_error(GError **error, DBusMessage *reply, const char *what)
{
        const char *text = NULL;

        if (reply && !dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID))
                text = dbus_message_get_error_name(reply);
        error_set(error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "%s: %s", what,
                  text ? text : "the bus is gone");
}

static bool is_return(DBusMessage *reply)
{
        return reply && dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN;
}

static void on_name(DBusMessage *reply, void *data)
{
        struct connection *connection = data;
        dbus_uint32_t result = 0;
        GError *error = NULL;

        if (connection->state != CONNECTION_ATTEMPT)
                return;
        if (!is_return(reply) ||
            !dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &result, DBUS_TYPE_INVALID))
                set_reply_error(&error, reply, "asking for the bus name");
        else if (result != DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER)
                error_set(&error, ERROR_FROM_DBUS, ERROR_RESOURCE_BUSY,
                          "another process on the bus owns the name '%s'", connection->name);
        if (error) {
                fail_attempt(connection, error);
                return;
        }
        if (connection->started)
                log_notice("back on the bus as '%s'", connection->name);
        connection->state = CONNECTION_READY;
        connection->started = true;
        connection->retry_ms = CONNECTION_RETRY_MIN_MS;
        connection->events->ready(connection->data);
}

static DBusMessage *bus_call_new(const char *member)
{
        return dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, member);
}

/*
 * Peers that leave the bus: one match for all of them, so none can leave unnoticed between a call and its
 * match.
 */
static void watch_peers(struct connection *connection)
{
        const char *rule = "type='signal',sender='" DBUS_SERVICE_DBUS "',interface='" DBUS_INTERFACE_DBUS
                           "',member='NameOwnerChanged',arg2=''";
        DBusMessage *message = bus_call_new("AddMatch");

        dbus_message_append_args(message, DBUS_TYPE_STRING, &rule, DBUS_TYPE_INVALID);
        dbus_message_set_no_reply(message, TRUE);
        connection_send(connection, message);
        dbus_message_unref(message);
}

static void on_hello(DBusMessage *reply, void *data)
{
        const dbus_uint32_t flags = DBUS_NAME_FLAG_DO_NOT_QUEUE;
        struct connection *connection = data;
        const char *unique = NULL;
        GError *error = NULL;
        DBusMessage *message;

        if (connection->state != CONNECTION_ATTEMPT)
                return;
        if (!is_return(reply) ||
            !dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &unique, DBUS_TYPE_INVALID)) {
                set_reply_error(&error, reply, "greeting the bus");
                fail_attempt(connection, error);
                return;
        }
        dbus_bus_set_unique_name(connection->bus, unique);
        watch_peers(connection);
        message = bus_call_new("RequestName");
        dbus_message_append_args(message, DBUS_TYPE_STRING, &connection->name, DBUS_TYPE_UINT32, &flags,
                                 DBUS_TYPE_INVALID);
        connection_call(connection, message, on_name, connection);
        dbus_message_unref(message);
}

static void attempt(struct connection *connection)
{
        DBusError failure = DBUS_ERROR_INIT;
        GError *error = NULL;
        DBusMessage *message;

        connection->bus = dbus_connection_open_private(connection->address, &failure);
        if (!connection->bus) {
                error_set(&error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "no bus at %s: %s",
                          connection->address, failure.message);
                dbus_error_free(&failure);
                fail_attempt(connection, error);
                return;
        }
        connection->state = CONNECTION_ATTEMPT;
        loop_timer_set(connection->timer, CONNECTION_ATTEMPT_MS);
        dbus_connection_set_max_received_size(connection->bus, RECEIVED_MAX);
        if (!dbus_connection_set_watch_functions(connection->bus, watch_added, watch_removed, watch_toggled,
                                                 connection, NULL))
                g_error("out of memory while connecting to the bus");
        message = bus_call_new("Hello");
        connection_call(connection, message, on_hello, connection);
        dbus_message_unref(message);
}

static void on_lost(struct connection *connection)
{
        log_warning("the bus is gone; guests and their state are not touched, trying to connect again");
        disconnect(connection);
        connection->events->lost(connection->data);
        loop_timer_set(connection->timer, connection->retry_ms);
}

/* What is due depends on the state: a bus that is gone, an attempt that took too long, the next attempt. */
static void on_timer(void *data)
{
        struct connection *connection = data;
        bool connected = connection->bus && dbus_connection_get_is_connected(connection->bus);
        GError *error = NULL;

        switch (connection->state) {
        case CONNECTION_READY:
                if (!connected)
                        on_lost(connection);
                break;
        case CONNECTION_ATTEMPT:
                error_set(&error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "the bus at %s %s",
                          connection->address, connected ? "does not answer" : "closed the connection");
                fail_attempt(connection, error);
                break;
        case CONNECTION_IDLE:
                if (connection->started)
                        attempt(connection);
                break;
        }
}

bool connection_start(struct connection *connection, GError **error)
{
        g_assert(on_loop(connection->loop) && connection->state == CONNECTION_IDLE);
        attempt(connection);
        while (connection->state != CONNECTION_READY && !connection->failure)
                loop_step(connection->loop, true);
        if (!connection->failure)
                return true;
        g_propagate_error(error, g_steal_pointer(&connection->failure));
        return false;
}

/* ---- in use ---- */

bool connection_is_ready(const struct connection *connection)
{
        return connection->state == CONNECTION_READY;
}

void connection_release_name(struct connection *connection)
{
        DBusMessage *message = bus_call_new("ReleaseName");

        dbus_message_append_args(message, DBUS_TYPE_STRING, &connection->name, DBUS_TYPE_INVALID);
        dbus_message_set_no_reply(message, TRUE);
        connection_send(connection, message);
        dbus_message_unref(message);
}

static bool may_send(struct connection *connection, DBusMessage *message)
{
        if (!connection->bus)
                return false;
        if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_SIGNAL ||
            dbus_connection_get_outgoing_size(connection->bus) < SIGNALS_MAX)
                return true;
        if (!connection->dropping)
                log_warning("the bus does not read: dropping signals");
        connection->dropping = true;
        return false;
}

void connection_send(struct connection *connection, DBusMessage *message)
{
        g_assert(on_loop(connection->loop));
        if (may_send(connection, message) && !dbus_connection_send(connection->bus, message, NULL))
                g_error("out of memory while sending a message");
        /* libdbus may have written all that waited, and has no more use for our watch. */
        if (is_drained(connection))
                loop_timer_set(connection->unclog_timer, 0);
}

bool connection_has_unsent(const struct connection *connection)
{
        return connection->bus && dbus_connection_has_messages_to_send(connection->bus);
}

bool connection_is_clogged(struct connection *connection)
{
        if (!connection->clogged && connection->bus &&
            dbus_connection_get_outgoing_size(connection->bus) > CLOG_BYTES)
                connection->clogged = true;
        return connection->clogged;
}

bool connection_is_busy(struct connection *connection)
{
        if (!connection->busy && connection->bus &&
            dbus_connection_get_outgoing_size(connection->bus) > BUSY_BYTES)
                connection->busy = true;
        return connection->busy;
}

void connection_read_ahead(struct connection *connection, size_t limit)
{
        int fd, available = 0;

        if (!connection->reader)
                return;
        fd = dbus_watch_get_unix_fd(connection->reader->watch);
        for (size_t done = 0; done < limit; done += READ_CHUNK) {
                if (!connection->reader || ioctl(fd, FIONREAD, &available) < 0 || available <= 0)
                        return;
                dbus_watch_handle(connection->reader->watch, DBUS_WATCH_READABLE);
                deliver(connection);
        }
}

void connection_call(struct connection *connection, DBusMessage *message, connection_reply fn, void *data)
{
        struct pending_reply *reply;
        dbus_uint32_t serial = 0;

        g_assert(connection->bus);
        if (!dbus_connection_send(connection->bus, message, &serial))
                g_error("out of memory while sending a message");
        reply = g_new(struct pending_reply, 1);
        *reply = (struct pending_reply){ fn, data };
        g_hash_table_insert(connection->replies, GUINT_TO_POINTER(serial), reply);
}

struct connection *connection_new(struct loop *loop, const char *address, const char *name,
                                  const struct connection_events *events, void *data)
{
        struct connection *connection = g_new0(struct connection, 1);

        connection->loop = loop;
        connection->address = g_strdup(address);
        connection->name = g_strdup(name);
        connection->events = events;
        connection->data = data;
        connection->replies = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        g_queue_init(&connection->received);
        connection->timer = loop_timer_new(loop, CONNECTION_ATTEMPT_MS, on_timer, connection);
        connection->unclog_timer = loop_timer_new(loop, G_MAXINT, unclog, connection);
        connection->retry_ms = CONNECTION_RETRY_MIN_MS;
        return connection;
}

void connection_free(struct connection *connection)
{
        if (!connection)
                return;
        disconnect(connection);
        loop_timer_free(connection->timer);
        loop_timer_free(connection->unclog_timer);
        g_hash_table_unref(connection->replies);
        g_clear_error(&connection->failure);
        g_free(connection->address);
        g_free(connection->name);
        g_free(connection);
}
