/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The links of the host as the events of the kernel add up, one message at a time. Belongs to one thread at a
 * time; the descriptions in it are immutable.
 */

#include "interfaces/link.h"

#include <linux/netlink.h>

struct link_table;

/* get_speed says how fast a link with a carrier is, in Mbit/s, 0: unknown; NULL: none is asked for. */
struct link_table *link_table_new(unsigned (*get_speed)(const char *name, void *data), void *data);
/* NULL is fine. */
void link_table_free(struct link_table *table);

enum link_table_change {
        LINK_TABLE_SAME,
        LINK_TABLE_CHANGED,
        /* Changed, and the kernel may have dropped routes that it does not announce: they are to be read
           again. */
        LINK_TABLE_ROUTES_STALE,
};
/* Takes in a message, of a dump or an event; what is of no interest changes nothing. */
enum link_table_change link_table_take(struct link_table *table, const struct nlmsghdr *header);

/* Forgets the routes of all links: a dump of them follows. */
void link_table_drop_routes(struct link_table *table);

/* A set of all. */
struct link_set *link_table_get_set(const struct link_table *table);

DEFINE_CLEANUP(struct link_table, link_table_free);
