/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A stream to a socket of another host, by the way on which its agent is spoken to: ssh and `virtbusd
 * --stdio-bridge --bridge-to=PATH` there, or the socket itself on this host. What is sent there needs no
 * network but that.
 */

#include "base/cleanup.h"

#include <glib.h>

struct remote_place;
struct remote_tunnel;

/*
 * path: of the socket there, absolute. Whether it can be reached is seen when something is sent. Errors:
 * ERROR_RPC, it is no plain path; ERROR_OPERATION_FAILED, of what is this host's. Any thread.
 */
struct remote_tunnel *remote_tunnel_open(const struct remote_place *place, const char *path, GError **error);
/* Our end, for somebody who sends; borrowed. */
int remote_tunnel_get_fd(const struct remote_tunnel *tunnel);
/* Our end is somebody else's now. */
void remote_tunnel_close_fd(struct remote_tunnel *tunnel);
/* What the way itself says is wrong; owned. NULL: nothing. */
char *remote_tunnel_get_complaint(const struct remote_tunnel *tunnel);
/* Whatever has not arrived is lost. Any thread; waits for nobody. NULL is fine. */
void remote_tunnel_free(struct remote_tunnel *tunnel);

DEFINE_CLEANUP(struct remote_tunnel, remote_tunnel_free);
