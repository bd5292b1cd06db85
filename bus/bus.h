/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent on D-Bus: the view of the model that libvirt-dbus's clients know. It authorizes, unpacks, calls
 * the model and packs; what an operation means is the model's. Loop thread.
 *
 *     bus = bus_new(loop, BUS_SESSION, models);
 *     if (!bus_start(bus, &error)) ...
 *     loop_run(loop);                       until SIGTERM
 *     bus_stop(bus);
 *     bus_free(bus);
 */

#include "base/error.h"
#include "base/loop.h"

#include <stdbool.h>

struct bus;
struct models;

#define BUS_NAME "org.libvirt"

enum bus_type {
        BUS_SYSTEM,
        BUS_SESSION,
};

/* What one client may have waiting; more is refused (LimitsExceeded). */
struct bus_limits {
        unsigned calls; /* that wait or run */
        size_t bytes;   /* of those that wait */
};

/* Shows each model as a connection object of its name. models is borrowed and outlives the bus. */
struct bus *bus_new(struct loop *loop, enum bus_type type, struct models *models);
/*
 * Answers what is in flight with an error and closes the connection. Work in lanes may still end afterwards,
 * unheard. NULL is fine.
 */
void bus_free(struct bus *bus);

/*
 * Connects and owns the name; runs the loop while it waits. Fails with an error that says why when there is
 * no bus or another process owns the name. From then on a bus that goes away is connected to again without
 * further ado.
 */
bool bus_start(struct bus *bus, GError **error);

/* From now on, in place of CALLER_CALLS_MAX and CALLER_BYTES_MAX (caller.h). */
void bus_set_limits(struct bus *bus, const struct bus_limits *limits);

/*
 * The beginning of the end: gives up the name and takes no more calls. Those that are here are still served;
 * run the loop until bus_is_idle(), for as long as there is time, then call bus_free(), which answers what
 * remains with an error.
 */
void bus_stop(struct bus *bus);
/* Is every call answered, and everything written? */
bool bus_is_idle(const struct bus *bus);
