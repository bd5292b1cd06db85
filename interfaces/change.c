/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of links by rtnetlink(7). In the lane of the socket.
 */
#include "interfaces/change.h"

#include "base/error.h"
#include "interfaces/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <netinet/in.h>
#include <string.h>

#define MAC_BYTES 6

/* ---- messages ---- */

static struct nl_msg *link_message(int type, int flags, int index)
{
        struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = index };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        return message;
}

/* Sends message (taken); what is "set the MTU of". */
static bool request(struct netlink *netlink, struct nl_msg *message, const char *what, const char *name,
                    GError **error)
{
        g_autofree char *text = g_strdup_printf("%s '%s'", what, name);

        return netlink_request(netlink, message, text, NULL, error);
}

static bool put_mac(struct nl_msg *message, const char *mac, GError **error)
{
        unsigned values[MAC_BYTES];
        uint8_t bytes[MAC_BYTES];
        char end;

        if (sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%c", &values[0], &values[1], &values[2], &values[3],
                   &values[4], &values[5], &end) != MAC_BYTES) {
                g_autofree char *quoted = error_quote(mac);

                return error_set(error, ERROR_FROM_INTERFACE, ERROR_INVALID_ARG, "malformed MAC address '%s'",
                                 quoted);
        }
        for (unsigned i = 0; i < MAC_BYTES; i++)
                bytes[i] = (uint8_t)values[i];
        nla_put(message, IFLA_ADDRESS, sizeof(bytes), bytes);
        return true;
}

/* ---- new links ---- */

static void put_bridge(struct nl_msg *message, const struct link *link)
{
        nla_put_u32(message, IFLA_BR_STP_STATE, link->bridge.stp);
        nla_put_u32(message, IFLA_BR_FORWARD_DELAY, link->bridge.delay_cs);
}

static void put_vlan(struct nl_msg *message, const struct link *link)
{
        nla_put_u16(message, IFLA_VLAN_ID, (uint16_t)link->vlan_id);
}

static void put_if_set(struct nl_msg *message, int type, unsigned value)
{
        if (value)
                nla_put_u32(message, type, value);
}

/* The order counts: the kernel refuses a delay without a monitor, and targets without an interval. */
static void put_bond(struct nl_msg *message, const struct link *link)
{
        const struct link_bond *bond = &link->bond;
        struct nlattr *targets;

        nla_put_u8(message, IFLA_BOND_MODE, bond->mode);
        put_if_set(message, IFLA_BOND_MIIMON, bond->miimon_ms);
        put_if_set(message, IFLA_BOND_UPDELAY, bond->up_delay_ms);
        put_if_set(message, IFLA_BOND_DOWNDELAY, bond->down_delay_ms);
        if (bond->miimon_ms)
                nla_put_u8(message, IFLA_BOND_USE_CARRIER, bond->use_carrier);
        put_if_set(message, IFLA_BOND_ARP_INTERVAL, bond->arp_interval_ms);
        if (bond->n_arp_targets == 0)
                return;
        targets = nla_nest_start(message, IFLA_BOND_ARP_IP_TARGET);
        for (unsigned i = 0; i < bond->n_arp_targets; i++)
                nla_put(message, (int)i, 4, bond->arp_targets[i].bytes);
        nla_nest_end(message, targets);
        put_if_set(message, IFLA_BOND_ARP_VALIDATE, bond->arp_validate);
}

static void put_kind(struct nl_msg *message, const struct link *link)
{
        static const struct {
                const char *kind;
                void (*put)(struct nl_msg *message, const struct link *link);
        } kinds[] = { { "bridge", put_bridge }, { "vlan", put_vlan }, { "bond", put_bond } };
        struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO), *data;

        nla_put_string(message, IFLA_INFO_KIND, link->kind);
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                if (!link_is(link, kinds[i].kind))
                        continue;
                data = nla_nest_start(message, IFLA_INFO_DATA);
                kinds[i].put(message, link);
                nla_nest_end(message, data);
        }
        nla_nest_end(message, info);
}

bool link_change_add(struct netlink *netlink, const struct link *link, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
        g_autofree char *what = g_strdup_printf("make %s", link->kind);

        nla_put_string(message, IFLA_IFNAME, link->name);
        if (link->mtu)
                nla_put_u32(message, IFLA_MTU, link->mtu);
        if (link->lower)
                nla_put_u32(message, IFLA_LINK, (uint32_t)link->lower);
        if (*link->mac && !put_mac(message, link->mac, error)) {
                nlmsg_free(message);
                return false;
        }
        put_kind(message, link);
        return request(netlink, message, what, link->name, error);
}

bool link_change_set_bridge(struct netlink *netlink, const struct link *link,
                            const struct link_bridge *bridge, GError **error)
{
        CLEANUP(link_unref) struct link *wish = link_copy(link);
        struct nl_msg *message = link_message(RTM_NEWLINK, 0, link->index);

        wish->bridge = *bridge;
        put_kind(message, wish);
        return request(netlink, message, "set spanning tree and delay of", link->name, error);
}

bool link_change_add_pair(struct netlink *netlink, const char *name, const char *peer, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
        const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
        struct nlattr *info, *data, *other;

        nla_put_string(message, IFLA_IFNAME, name);
        info = nla_nest_start(message, IFLA_LINKINFO);
        nla_put_string(message, IFLA_INFO_KIND, "veth");
        data = nla_nest_start(message, IFLA_INFO_DATA);
        other = nla_nest_start(message, VETH_INFO_PEER);
        nlmsg_append(message, (void *)&header, sizeof(header), NLMSG_ALIGNTO);
        nla_put_string(message, IFLA_IFNAME, peer);
        nla_nest_end(message, other);
        nla_nest_end(message, data);
        nla_nest_end(message, info);
        return request(netlink, message, "make veth", name, error);
}

bool link_change_add_macvtap(struct netlink *netlink, const char *name, const struct link *lower,
                             unsigned mode, const char *mac, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
        g_autofree char *what = g_strdup_printf("make on '%s' macvtap", lower->name);
        struct nlattr *info, *data;

        nla_put_string(message, IFLA_IFNAME, name);
        nla_put_u32(message, IFLA_LINK, (uint32_t)lower->index);
        if (mac && !put_mac(message, mac, error)) {
                nlmsg_free(message);
                return false;
        }
        info = nla_nest_start(message, IFLA_LINKINFO);
        nla_put_string(message, IFLA_INFO_KIND, "macvtap");
        data = nla_nest_start(message, IFLA_INFO_DATA);
        nla_put_u32(message, IFLA_MACVLAN_MODE, mode);
        nla_nest_end(message, data);
        nla_nest_end(message, info);
        return request(netlink, message, what, name, error);
}

bool link_change_delete(struct netlink *netlink, const struct link *link, GError **error)
{
        return request(netlink, link_message(RTM_DELLINK, 0, link->index), "delete link", link->name, error);
}

/* ---- links that are there ---- */

bool link_change_set_up(struct netlink *netlink, const struct link *link, bool up, GError **error)
{
        struct ifinfomsg header = {
                .ifi_family = AF_UNSPEC,
                .ifi_index = link->index,
                .ifi_flags = up ? IFF_UP : 0,
                .ifi_change = IFF_UP,
        };
        struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST);

        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        return request(netlink, message, up ? "set up link" : "set down link", link->name, error);
}

static bool set_number(struct netlink *netlink, const struct link *link, int attribute, unsigned value,
                       const char *what, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, 0, link->index);

        nla_put_u32(message, attribute, value);
        return request(netlink, message, what, link->name, error);
}

bool link_change_set_master(struct netlink *netlink, const struct link *link, const struct link *master,
                            GError **error)
{
        g_autofree char *what = master ? g_strdup_printf("add to %s '%s' the port",
                                                         master->kind ? master->kind : "link", master->name)
                                       : g_strdup("release the port");

        return set_number(netlink, link, IFLA_MASTER, master ? (unsigned)master->index : 0, what, error);
}

bool link_change_set_isolated(struct netlink *netlink, const struct link *link, bool isolated, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, 0, link->index);
        struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO), *data;

        nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge");
        data = nla_nest_start(message, IFLA_INFO_SLAVE_DATA);
        nla_put_u8(message, IFLA_BRPORT_ISOLATED, isolated);
        nla_nest_end(message, data);
        nla_nest_end(message, info);
        return request(netlink, message, isolated ? "isolate port" : "end the isolation of port", link->name,
                       error);
}

bool link_change_set_mtu(struct netlink *netlink, const struct link *link, unsigned mtu, GError **error)
{
        return set_number(netlink, link, IFLA_MTU, mtu, "set the MTU of link", error);
}

bool link_change_set_mac(struct netlink *netlink, const struct link *link, const char *mac, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, 0, link->index);

        if (put_mac(message, mac, error))
                return request(netlink, message, "set the MAC address of link", link->name, error);
        nlmsg_free(message);
        return false;
}

bool link_change_rename(struct netlink *netlink, const struct link *link, const char *name, GError **error)
{
        struct nl_msg *message = link_message(RTM_NEWLINK, 0, link->index);

        nla_put_string(message, IFLA_IFNAME, name);
        return request(netlink, message, "rename link", link->name, error);
}

/* ---- addresses ---- */

static int ip_length(const struct link_ip *ip)
{
        return ip->family == AF_INET ? 4 : 16;
}

/* peer: the other end of a link between two, which the prefix is of then; NULL: none */
static struct nl_msg *address_message(int type, int flags, const struct link *link, const struct link_ip *ip,
                                      const struct link_ip *peer)
{
        const struct link_ip *far_end = peer ? peer : ip;
        struct ifaddrmsg header = {
                .ifa_family = ip->family,
                .ifa_prefixlen = ip->prefix,
                .ifa_scope = RT_SCOPE_UNIVERSE,
                .ifa_index = (unsigned)link->index,
        };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        nla_put(message, IFA_LOCAL, ip_length(ip), ip->bytes);
        nla_put(message, IFA_ADDRESS, ip_length(far_end), far_end->bytes);
        return message;
}

/* The last address that the bits behind the prefix can make: only for IPv4, and not for prefixes without one.
 */
static void put_broadcast(struct nl_msg *message, const struct link_ip *ip)
{
        uint8_t bytes[4];

        if (ip->family != AF_INET || ip->prefix > 30)
                return;
        for (unsigned i = 0; i < sizeof(bytes); i++) {
                unsigned fixed = ip->prefix > i * 8 ? MIN(ip->prefix - i * 8, 8) : 0;

                bytes[i] = (uint8_t)(ip->bytes[i] | (0xff >> fixed));
        }
        nla_put(message, IFA_BROADCAST, sizeof(bytes), bytes);
}

static bool change_ip(struct netlink *netlink, struct nl_msg *message, const char *verb,
                      const struct link *link, const struct link_ip *ip, int harmless, GError **error)
{
        char text[LINK_IP_SIZE];
        g_autofree char *what = g_strdup_printf("%s %s/%u of link '%s'", verb, link_ip_format(ip, text),
                                                ip->prefix, link->name);
        g_autoptr(GError) problem = NULL;
        int errnum;

        if (netlink_request(netlink, message, what, &errnum, &problem) || (harmless && errnum == harmless))
                return true;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
}

bool link_change_add_address(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                             GError **error)
{
        struct nl_msg *message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, link, ip, NULL);

        put_broadcast(message, ip);
        return change_ip(netlink, message, "add the address", link, ip, 0, error);
}

bool link_change_delete_address(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                                GError **error)
{
        return change_ip(netlink, address_message(RTM_DELADDR, 0, link, ip, NULL), "remove the address", link,
                         ip, EADDRNOTAVAIL, error);
}

bool link_change_add_point(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                           const struct link_ip *peer, GError **error)
{
        return change_ip(netlink, address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, link, ip, peer),
                         "add the address", link, ip, 0, error);
}

bool link_change_delete_point(struct netlink *netlink, const struct link *link, const struct link_ip *ip,
                              const struct link_ip *peer, GError **error)
{
        return change_ip(netlink, address_message(RTM_DELADDR, 0, link, ip, peer), "remove the address", link,
                         ip, EADDRNOTAVAIL, error);
}

/* ---- routes ---- */

static struct nl_msg *route_message(int type, int flags, const struct link *link,
                                    const struct link_route *route)
{
        struct rtmsg header = {
                .rtm_family = route->destination.family,
                .rtm_dst_len = route->destination.prefix,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = route->protocol,
                .rtm_scope = route->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                .rtm_type = RTN_UNICAST,
        };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

        if (type == RTM_DELROUTE)
                header.rtm_scope = RT_SCOPE_NOWHERE;
        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        if (route->destination.prefix > 0)
                nla_put(message, RTA_DST, ip_length(&route->destination), route->destination.bytes);
        if (route->gateway.family)
                nla_put(message, RTA_GATEWAY, ip_length(&route->gateway), route->gateway.bytes);
        if (route->metric)
                nla_put_u32(message, RTA_PRIORITY, route->metric);
        nla_put_u32(message, RTA_OIF, (uint32_t)link->index);
        return message;
}

bool link_change_add_route(struct netlink *netlink, const struct link *link, const struct link_route *route,
                           GError **error)
{
        return change_ip(netlink, route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, link, route),
                         "add the route to", link, &route->destination, 0, error);
}

bool link_change_delete_route(struct netlink *netlink, const struct link *link,
                              const struct link_route *route, GError **error)
{
        return change_ip(netlink, route_message(RTM_DELROUTE, 0, link, route), "remove the route to", link,
                         &route->destination, ESRCH, error);
}
