/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What can be done to links of the host, one request of rtnetlink(7) each: it is done when the function
 * returns, or nothing has changed. Errors: ERROR_SYSTEM_ERROR, "cannot <do what> '<link>': <the kernel's
 * reason>". In the lane of the netlink socket.
 */

#include "interfaces/link.h"

struct netlink;

/*
 * Makes a link that is down: kind (bridge, bond, vlan, dummy), name, and what goes with the kind: lower and
 * vlan_id, bridge, bond (values that are 0 are left to the kernel). mac and mtu where they are given.
 */
bool link_change_add(struct netlink *netlink, const struct link *link, GError **error);
/* Spanning tree and delay of a bridge that is there. */
bool link_change_set_bridge(struct netlink *netlink, const struct link *link,
                            const struct link_bridge *bridge, GError **error);
/* Two ends of a virtual cable (veth(4)). */
bool link_change_add_pair(struct netlink *netlink, const char *name, const char *peer, GError **error);
/*
 * A macvtap(8) on lower, down: its character device is /dev/tap<index>. mode is MACVLAN_MODE_VEPA, _BRIDGE,
 * _PRIVATE or _PASSTHRU (include/uapi/linux/if_link.h); mac NULL: the kernel's choice.
 */
bool link_change_add_macvtap(struct netlink *netlink, const char *name, const struct link *lower,
                             unsigned mode, const char *mac, GError **error);
bool link_change_delete(struct netlink *netlink, const struct link *link, GError **error);

bool link_change_set_up(struct netlink *netlink, const struct link *link, bool up, GError **error);
/* master NULL: it is a port of nothing any more. A bond takes only ports that are down. */
bool link_change_set_master(struct netlink *netlink, const struct link *link, const struct link *master,
                            GError **error);
/* A port of a bridge: does it reach those that are isolated, too? It does not, when it is isolated itself. */
bool link_change_set_isolated(struct netlink *netlink, const struct link *link, bool isolated,
                              GError **error);
bool link_change_set_mtu(struct netlink *netlink, const struct link *link, unsigned mtu, GError **error);
bool link_change_set_mac(struct netlink *netlink, const struct link *link, const char *mac, GError **error);
/* A link must be down for this on kernels before 6.3. */
bool link_change_rename(struct netlink *netlink, const struct link *link, const char *name, GError **error);

/* An address that is there already is replaced; one that is gone already is fine. */
bool link_change_add_address(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                             GError **error);
bool link_change_delete_address(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                                GError **error);
/* The same for one end of a link between two; peer is the other one, and ip's prefix is of its network. */
bool link_change_add_point(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                           const struct link_ip *peer, GError **error);
bool link_change_delete_point(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                              const struct link_ip *peer, GError **error);
/* In the main table; protocol as in the route (RTPROT_STATIC). */
bool link_change_add_route(struct netlink *netlink, const struct link *link, const struct link_route *route,
                           GError **error);
bool link_change_delete_route(struct netlink *netlink, const struct link *link,
                              const struct link_route *route, GError **error);
