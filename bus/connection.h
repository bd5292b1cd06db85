/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The connection to the bus: libdbus on the loop. It says Hello, owns the name, and does both again, with
 * growing pauses of at most CONNECTION_RETRY_MAX_MS, when the bus goes away. Nothing here waits: even the
 * handshake goes through the loop. Loop thread.
 */

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>

struct connection;
struct loop;

#define CONNECTION_RETRY_MIN_MS 50
#define CONNECTION_RETRY_MAX_MS 1000
/* How long one attempt to connect and to own the name may take. */
#define CONNECTION_ATTEMPT_MS 8000

struct connection_events {
        /* The name is owned: calls arrive, signals leave. */
        void (*ready)(void *data);
        /* The bus is gone, with every peer on it. Only after ready. */
        void (*lost)(void *data);
        /* A call or a signal; borrowed. */
        void (*message)(DBusMessage *message, void *data);
        /* The messages that had come together are delivered. */
        void (*delivered)(void *data);
        /*
         * What waited to be written has become little again; see connection_is_clogged() and
         * connection_is_busy().
         */
        void (*unclogged)(void *data);
};

/* Does not connect yet. */
struct connection *connection_new(struct loop *loop, const char *address, const char *name,
                                  const struct connection_events *events, void *data);
/* Closes at once; replies that are awaited come as NULL. */
void connection_free(struct connection *connection);

/*
 * Connects and owns the name before it returns: runs the loop meanwhile, for at most CONNECTION_ATTEMPT_MS.
 * Fails when there is no bus or the name is owned by another process; only a connection that was ready once
 * retries.
 */
bool connection_start(struct connection *connection, GError **error);

bool connection_is_ready(const struct connection *connection);

/* Gives up the name: calls to it fail from now on; those that are here can still be answered. */
void connection_release_name(struct connection *connection);

/* Sends; message stays the caller's. Dropped when the bus is gone. */
void connection_send(struct connection *connection, DBusMessage *message);

/* Is anything waiting to be written? */
bool connection_has_unsent(const struct connection *connection);

/*
 * Does more wait to be written than a bus that reads should let come together? Then no further calls should
 * be answered before events->unclogged.
 */
bool connection_is_clogged(struct connection *connection);

/*
 * Is there enough to write for now? Then who has many signals to send should go on at events->unclogged: a
 * reply stands behind what waits here.
 */
bool connection_is_busy(struct connection *connection);

/*
 * Reads what has come meanwhile, up to limit bytes, and delivers it. For fairness between senders under
 * load.
 */
void connection_read_ahead(struct connection *connection, size_t limit);

/*
 * reply is borrowed, a method return or an error; NULL when the bus went away first. Called exactly once,
 * later.
 */
typedef void (*connection_reply)(DBusMessage *reply, void *data);
void connection_call(struct connection *connection, DBusMessage *message, connection_reply fn, void *data);
