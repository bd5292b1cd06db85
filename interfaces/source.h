/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The links of the host as they are now: read once, then followed by the kernel's events, never polled. What
 * the kernel says is collected in a lane; the loop gets whole immutable sets. When the kernel had to drop
 * events (ENOBUFS) everything is read again.
 */

#include "interfaces/link.h"

#include <stdbool.h>

struct lane;
struct link_source;
struct loop;
struct netlink;
struct pool;

/* Two sets are at least this far apart, so that a storm of events costs the loop little. */
#define LINK_SOURCE_PAUSE_MS 5

/* On the loop: set (borrowed) is the new one, before the one until now (NULL: the first). */
typedef void (*link_source_listener)(struct link_set *before, struct link_set *set, void *data);

/* Loop. Nothing is read before link_source_start(). */
struct link_source *link_source_new(struct loop *loop, struct pool *pool);
/* Loop. Ends the following in the lane, which may outlive it. NULL is fine. */
void link_source_free(struct link_source *source);

/*
 * Loop. Reading begins in the lane; listeners are told when it is done. A failure is logged and tried again.
 */
void link_source_start(struct link_source *source);

/* Loop. */
void link_source_listen(struct link_source *source, link_source_listener listener, void *data);
void link_source_unlisten(struct link_source *source, link_source_listener listener, void *data);

/* Loop: the newest set, borrowed until the next turn; NULL before the first. */
struct link_set *link_source_get(const struct link_source *source);

/*
 * Before the start, or in the lane: fn (NULL: nothing) is called in the lane with each new set (borrowed)
 * before that goes to the loop, for who publishes more than links from there.
 */
void link_source_set_hook(struct link_source *source, void (*fn)(struct link_set *set, void *data),
                          void *data);

/* The lane in which links are followed: who changes links does it there. Const, borrowed. */
struct lane *link_source_get_lane(const struct link_source *source);

/* In the lane: the socket for requests, borrowed; NULL with an error while the kernel cannot be asked. */
struct netlink *link_source_get_netlink(struct link_source *source, GError **error);

/*
 * In the lane: takes in all events that have come until now and sends the set to the loop, so that who is
 * answered after a change reads it (the kernel queues a change's events before it acknowledges the change).
 */
void link_source_settle(struct link_source *source);
/* In the lane: the links as they are known there, with a reference of the caller's. */
struct link_set *link_source_snapshot(struct link_source *source);
