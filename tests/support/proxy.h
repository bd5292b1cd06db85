/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A socket of the test's in front of a bus, that holds what one agent says to another at a certain call: to
 * look at a moment for as long as one likes. Threads of the test's own process do the work.
 */

#include <glib.h>
#include <stdbool.h>

struct proxy;

/*
 * Listens at the address "unix:path=..." or "tcp:IPV4:PORT" for who wants to talk to the bus at the address
 * of the same form; or to anything else, where there is nothing to hold.
 */
struct proxy *proxy_new(const char *address, const char *bus);
/* Cuts all connections. */
void proxy_free(struct proxy *proxy);

/* The next call of that member is held, or, reply, what comes back after it. */
void proxy_hold(struct proxy *proxy, const char *member, bool reply);
/* Is it, by now? */
bool proxy_is_held(struct proxy *proxy);
/* What is held goes on its way; nothing is held from now on. */
void proxy_release(struct proxy *proxy);
/*
 * Of the connections but for the first so many: when they have carried that many bytes to the bus, nothing is
 * taken from them any more, and nothing given; they stay open. Until proxy_go_on(), proxy_cut() or
 * proxy_free().
 */
void proxy_stall(struct proxy *proxy, unsigned after_connections, size_t after_bytes);
/* Do they, by now? */
bool proxy_is_stalled(struct proxy *proxy);
/* Nothing is stalled any more, nor will it be. */
void proxy_go_on(struct proxy *proxy);
/* The connections that there are end; new ones are fine. */
void proxy_cut(struct proxy *proxy);
