/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Signals. They go to whoever asked the bus for them, so they carry only what listing reveals to any reader;
 * or to those who may see what they are about (sight.h). Loop thread.
 */

#include "base/error.h"
#include "bus/tree.h"

#include <dbus/dbus.h>

/* virErrorLevel: an error, not a warning. */
#define SIGNAL_ERROR_LEVEL 2

/* One signal from the table of interface, by its number there; the signature is repeated to be checked. */
void signal_send(struct bus *bus, const char *path, const struct interface *interface, unsigned number,
                 const char *signature, ...);

/* The same in two steps, for signals with arrays. */
DBusMessage *signal_begin(const char *path, const struct interface *interface, unsigned number,
                          DBusMessageIter *iter);
void signal_end(struct bus *bus, DBusMessage *message); /* takes message */
/* Instead of signal_end(): to those callers alone (struct caller). Takes message. */
void signal_end_to(struct bus *bus, DBusMessage *message, const GPtrArray *callers);

/*
 * ErrorEvent: of the connection object, or of the manager when connect is NULL. path: the object
 * concerned, NULL: that one.
 */
void signal_error(struct bus *bus, const struct connect *connect, const char *path, const GError *error);
