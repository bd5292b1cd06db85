/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A method of another service on the system bus, called from a lane: connected, called and answered before it
 * returns, for what is done seldom. The bus's address is that of DBUS_SYSTEM_BUS_ADDRESS, else the usual one.
 */

#include <glib.h>
#include <stdbool.h>

struct lane;

struct system_call {
        const char *service, *path, *interface, *member;
        const char *const *arguments; /* strings, NULL-terminated */
};

/*
 * In the lane. False with ERROR_DBUS_SERVICE and what the service says, ERROR_OPERATION_TIMEOUT, or
 * ERROR_OPERATION_ABORTED when the lane was interrupted.
 */
bool system_call_run(struct lane *lane, const struct system_call *call, unsigned timeout_ms, GError **error);
