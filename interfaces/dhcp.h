/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Addresses by DHCP: a client of the host, dhcpcd(8) or udhcpc(8), that lives on its own and outlives the
 * agent. The first that is installed is taken. In a lane.
 */

#include "interfaces/definition.h"

struct lane;

/*
 * Is there a client that can do what def asks for? ERROR_OPERATION_FAILED when none is installed;
 * ERROR_CONFIG_UNSUPPORTED for what the one that is there cannot do. Any thread.
 */
bool dhcp_check(const struct interface_def *def, GError **error);

/*
 * Starts a client for each family of def that asks for DHCP; none is asked for: fine. It goes on in the
 * background, whether or not a server answers; one that was started before makes room. runtime_dir is where
 * its files are. Errors of dhcp_check(), and the client's.
 */
bool dhcp_start(struct lane *lane, const char *runtime_dir, const struct interface_def *def, GError **error);

/*
 * Ends the clients that dhcp_start() left for the link of that name, which give their leases back, and waits
 * for their ends. Never an error.
 */
void dhcp_stop(struct lane *lane, const char *runtime_dir, const char *name);

/* Was one started for the link of that name, and not stopped? Any thread. */
bool dhcp_is_started(const char *runtime_dir, const char *name);
