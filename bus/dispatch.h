/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From a message to a handler, fairly: each caller has a queue, and the queues are served in turn, one call
 * at a time, for a bounded time per turn of the loop. Calls of one caller begin in the order sent; one that
 * holds (call_hold()) makes the later ones wait. Loop thread.
 */

#include "bus/authorize.h"

#include <dbus/dbus.h>

struct bus;
struct call;
struct caller;

/* Queues a call, or takes note that a peer left. The message is borrowed. */
void dispatch_message(struct bus *bus, DBusMessage *message);

/* Serves what is queued, for a while; the rest later, by dispatch_continue() (loop_fn; data is the bus). */
void dispatch_serve(struct bus *bus);
void dispatch_continue(void *data);

/* The caller is not held any more. */
void dispatch_wake(struct bus *bus, struct caller *caller);

/* What the call waited for is there: looks the object up again and runs next. */
void dispatch_resume(struct call *call, authorize_next next);
