/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What calls to other services have in common; between base/system-call.c, base/systemd.c and
 * base/logind.c. In a lane. */

#include "base/lane.h"

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * Sends message (taken; NULL counts as no memory) and waits for its answer, which *reply gets (may be NULL;
 * to be unreferenced). An answer that is an error leaves its name in *name, if that is asked for (to be
 * freed). service and member are for messages; errors as those of system_call_run().
 */
bool system_call_exchange(struct lane *lane, sd_bus *bus, sd_bus_message *message, lane_deadline deadline,
                          sd_bus_message **reply, char **name, GError **error);

/* Works off what comes on bus until *done is set by a handler. Errors as above, about service and member. */
bool system_call_wait(struct lane *lane, sd_bus *bus, const bool *done, lane_deadline deadline,
                      const char *service, const char *member, GError **error);
