/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent of another host, spoken to over the bus that it serves: by way of ssh and `virtbusd
 * --stdio-bridge` there, or through a socket of this host.
 *
 *     qemu+ssh://root@host:2222/system         /session: the bus of that user
 *     qemu+unix:///system?bus=unix:path=/some/socket
 *
 * A connection is used in one lane at a time. ssh gets no terminal and asks nobody.
 */

#include "base/cleanup.h"
#include "base/params.h"

#include <glib.h>
#include <stdbool.h>

struct lane;
struct remote_bus;
struct remote_place;

/* Of a URI, in bytes. */
#define REMOTE_URI_MAX 1024

/* Where it is. Errors name what is wrong with the URI: ERROR_INVALID_ARG. Any thread. */
struct remote_place *remote_place_new(const char *uri, GError **error);
void remote_place_free(struct remote_place *place);
/* As it was given. */
const char *remote_place_get_uri(const struct remote_place *place);
/* The name of the host; NULL: this one. */
const char *remote_place_get_host(const struct remote_place *place);
/* The command that gets there, NULL-terminated, borrowed; NULL: none is needed. */
const char *const *remote_place_get_command(const struct remote_place *place);

/*
 * Begins to connect; whether that works is the first call's to say. Errors: ERROR_OPERATION_FAILED, of what
 * is this host's. Any thread.
 */
struct remote_bus *remote_bus_open(const struct remote_place *place, GError **error);
/* Hangs up. Any thread; waits for nobody. NULL is fine. */
void remote_bus_free(struct remote_bus *bus);

struct remote_call {
        const char *path, *interface, *member; /* of the service org.libvirt; signature sa{sv}u -> a{sv} */
        const char *text;
        const struct params *params; /* NULL: none */
        unsigned flags;
};

/*
 * Calls a method and waits for the answer, which *answer gets. *refused: the other agent itself says no, so
 * nothing of the kind has happened there; any other error leaves that open. Errors: ERROR_OPERATION_FAILED
 * with what the other side says, ERROR_RPC when the way there does not work, ERROR_OPERATION_TIMEOUT,
 * ERROR_OPERATION_ABORTED. In the lane.
 */
bool remote_bus_call(struct remote_bus *bus, struct lane *lane, const struct remote_call *call,
                     unsigned timeout_ms, struct params **answer, bool *refused, GError **error);

DEFINE_CLEANUP(struct remote_place, remote_place_free);
DEFINE_CLEANUP(struct remote_bus, remote_bus_free);
