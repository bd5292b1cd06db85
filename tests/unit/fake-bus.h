/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A bus of one's own for tests of the agent's side: it speaks just enough of org.freedesktop.DBus, runs on
 * the test's loop, and plays all the clients, so that a test says exactly what comes in which order.
 */

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>

struct fake_bus;
struct loop;

struct fake_bus *fake_bus_new(struct loop *loop);
void fake_bus_free(struct fake_bus *bus);
const char *fake_bus_get_address(const struct fake_bus *bus);

/* What RequestName answers; 1 (primary owner) at first. */
void fake_bus_set_name_reply(struct fake_bus *bus, unsigned reply);
/* Who every client is; 0 at first. answer false: the question stays open. */
void fake_bus_set_uid(struct fake_bus *bus, unsigned uid, bool answer);
/* What NameHasOwner answers; true at first. */
void fake_bus_set_owned(struct fake_bus *bus, bool owned);
/* How often the agent asked who a client is; how often it asked for the name. */
unsigned fake_bus_get_questions(const struct fake_bus *bus);
unsigned fake_bus_get_requests(const struct fake_bus *bus);

/* A call by the client of that unique name. fake_bus_send() returns its serial. */
DBusMessage *fake_bus_call_new(const char *path, const char *interface, const char *member);
dbus_uint32_t fake_bus_send(struct fake_bus *bus, const char *client, DBusMessage *call); /* takes call */
void fake_bus_leave(struct fake_bus *bus, const char *client);

/* Drops the agent's connection; it may come again. */
void fake_bus_disconnect(struct fake_bus *bus);

/* Everything that the agent sent, in order: replies, errors and signals. Owned by the bus. */
const GPtrArray *fake_bus_get_sent(const struct fake_bus *bus);
/* The answer to a call and its place in the order; NULL: none yet. */
DBusMessage *fake_bus_find_reply(const struct fake_bus *bus, dbus_uint32_t serial, unsigned *place);
/* Runs the loop until the answer is there. */
DBusMessage *fake_bus_await(struct fake_bus *bus, dbus_uint32_t serial);
