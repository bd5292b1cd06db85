/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From messages of rtnetlink(7) to values, every length checked. No state; any thread.
 */

#include "interfaces/link.h"

#include <linux/netlink.h>

/*
 * RTM_NEWLINK: what the message says of the link, as a new description without addresses, routes and speed.
 * NULL: it is no such message, or is about a bridge's port only (AF_BRIDGE).
 */
struct link *parse_link(const struct nlmsghdr *header);
/* RTM_DELLINK: the index; 0: the link is not gone, only a bridge's port. */
int parse_link_index(const struct nlmsghdr *header);

/* RTM_NEWADDR, RTM_DELADDR: the index of the link; 0: nothing of use. */
int parse_address(const struct nlmsghdr *header, struct link_address *address);

/*
 * RTM_NEWROUTE, RTM_DELROUTE: the index of the link; 0: not a unicast route of the main table out of one
 * link.
 */
int parse_route(const struct nlmsghdr *header, struct link_route *route);
