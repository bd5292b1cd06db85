/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of rtnetlink(7). The attributes are those of include/uapi/linux/if_link.h, if_addr.h and
 * rtnetlink.h; libnl checks their lengths by the policies here. libnl-route-3 is not used for this: it knows
 * neither the options of bridges nor those of bonds.
 */
#include "interfaces/parse.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* Not in the headers of older kernels. */
#ifndef IFLA_PERM_ADDRESS
#define IFLA_PERM_ADDRESS 54
#endif

#define MAC_BYTES 6

static void copy_text(char *to, size_t size, struct nlattr *attribute)
{
        if (attribute)
                nla_strlcpy(to, attribute, size);
}

static bool read_ip(struct link_ip *ip, int family, unsigned prefix, struct nlattr *attribute)
{
        int length = family == AF_INET ? 4 : 16;

        if ((family != AF_INET && family != AF_INET6) || (attribute && nla_len(attribute) != length) ||
            prefix > (unsigned)length * 8)
                return false;
        *ip = (struct link_ip){ .family = (uint8_t)family, .prefix = (uint8_t)prefix };
        if (attribute)
                memcpy(ip->bytes, nla_data(attribute), (size_t)length);
        return true;
}

/* ---- links ---- */

static void read_vlan(struct link *link, struct nlattr *data)
{
        static struct nla_policy policy[IFLA_VLAN_MAX + 1] = { [IFLA_VLAN_ID] = { .type = NLA_U16 } };
        struct nlattr *values[IFLA_VLAN_MAX + 1];

        if (nla_parse_nested(values, IFLA_VLAN_MAX, data, policy) == 0 && values[IFLA_VLAN_ID])
                link->vlan_id = nla_get_u16(values[IFLA_VLAN_ID]);
}

static void read_bridge(struct link *link, struct nlattr *data)
{
        static struct nla_policy policy[IFLA_BR_MAX + 1] = {
                [IFLA_BR_FORWARD_DELAY] = { .type = NLA_U32 },
                [IFLA_BR_STP_STATE] = { .type = NLA_U32 },
        };
        struct nlattr *values[IFLA_BR_MAX + 1];

        if (nla_parse_nested(values, IFLA_BR_MAX, data, policy) < 0)
                return;
        if (values[IFLA_BR_FORWARD_DELAY])
                link->bridge.delay_cs = nla_get_u32(values[IFLA_BR_FORWARD_DELAY]);
        if (values[IFLA_BR_STP_STATE])
                link->bridge.stp = nla_get_u32(values[IFLA_BR_STP_STATE]) != 0;
}

static unsigned read_number(struct nlattr *const values[], int type)
{
        return values[type] ? nla_get_u32(values[type]) : 0;
}

static void read_arp_targets(struct link_bond *bond, struct nlattr *list)
{
        struct nlattr *target;
        int rest;

        if (!list)
                return;
        nla_for_each_nested(target, list, rest)
        {
                if (bond->n_arp_targets < LINK_BOND_TARGETS_MAX &&
                    read_ip(&bond->arp_targets[bond->n_arp_targets], AF_INET, 32, target))
                        bond->n_arp_targets++;
        }
}

static void read_bond(struct link *link, struct nlattr *data)
{
        static struct nla_policy policy[IFLA_BOND_MAX + 1] = {
                [IFLA_BOND_MODE] = { .type = NLA_U8 },
                [IFLA_BOND_MIIMON] = { .type = NLA_U32 },
                [IFLA_BOND_UPDELAY] = { .type = NLA_U32 },
                [IFLA_BOND_DOWNDELAY] = { .type = NLA_U32 },
                [IFLA_BOND_USE_CARRIER] = { .type = NLA_U8 },
                [IFLA_BOND_ARP_INTERVAL] = { .type = NLA_U32 },
                [IFLA_BOND_ARP_IP_TARGET] = { .type = NLA_NESTED },
                [IFLA_BOND_ARP_VALIDATE] = { .type = NLA_U32 },
        };
        struct nlattr *values[IFLA_BOND_MAX + 1];

        if (nla_parse_nested(values, IFLA_BOND_MAX, data, policy) < 0)
                return;
        link->bond.mode = values[IFLA_BOND_MODE] ? nla_get_u8(values[IFLA_BOND_MODE]) : 0;
        link->bond.use_carrier =
                values[IFLA_BOND_USE_CARRIER] && nla_get_u8(values[IFLA_BOND_USE_CARRIER]) != 0;
        link->bond.miimon_ms = read_number(values, IFLA_BOND_MIIMON);
        link->bond.up_delay_ms = read_number(values, IFLA_BOND_UPDELAY);
        link->bond.down_delay_ms = read_number(values, IFLA_BOND_DOWNDELAY);
        link->bond.arp_interval_ms = read_number(values, IFLA_BOND_ARP_INTERVAL);
        link->bond.arp_validate = read_number(values, IFLA_BOND_ARP_VALIDATE);
        read_arp_targets(&link->bond, values[IFLA_BOND_ARP_IP_TARGET]);
}

static void read_kind(struct link *link, struct nlattr *info)
{
        static struct nla_policy policy[IFLA_INFO_MAX + 1] = {
                [IFLA_INFO_KIND] = { .type = NLA_STRING },
                [IFLA_INFO_DATA] = { .type = NLA_NESTED },
        };
        static const struct {
                const char *kind;
                void (*read)(struct link *link, struct nlattr *data);
        } kinds[] = { { "vlan", read_vlan }, { "bridge", read_bridge }, { "bond", read_bond } };
        struct nlattr *values[IFLA_INFO_MAX + 1];

        if (!info || nla_parse_nested(values, IFLA_INFO_MAX, info, policy) < 0 || !values[IFLA_INFO_KIND])
                return;
        link->kind = nla_strdup(values[IFLA_INFO_KIND]);
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds) && values[IFLA_INFO_DATA]; i++)
                if (link_is(link, kinds[i].kind))
                        kinds[i].read(link, values[IFLA_INFO_DATA]);
}

static void read_mac(struct link *link, struct nlattr *attribute)
{
        const uint8_t *bytes;

        if (!attribute || nla_len(attribute) != MAC_BYTES)
                return;
        bytes = nla_data(attribute);
        g_snprintf(link->mac, sizeof(link->mac), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                   bytes[2], bytes[3], bytes[4], bytes[5]);
}

static const struct ifinfomsg *get_link_message(const struct nlmsghdr *header)
{
        const struct ifinfomsg *message = nlmsg_data(header);

        if (!nlmsg_valid_hdr(header, sizeof(*message)) || message->ifi_family == AF_BRIDGE ||
            message->ifi_index <= 0)
                return NULL;
        return message;
}

struct link *parse_link(const struct nlmsghdr *header)
{
        static struct nla_policy policy[IFLA_MAX + 1] = {
                [IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = LINK_NAME_SIZE },
                [IFLA_MTU] = { .type = NLA_U32 },
                [IFLA_LINK] = { .type = NLA_U32 },
                [IFLA_MASTER] = { .type = NLA_U32 },
                [IFLA_OPERSTATE] = { .type = NLA_U8 },
                [IFLA_LINKINFO] = { .type = NLA_NESTED },
        };
        const struct ifinfomsg *message = get_link_message(header);
        struct nlattr *values[IFLA_MAX + 1];
        struct link *link;

        if (!message ||
            nlmsg_parse((struct nlmsghdr *)header, sizeof(*message), values, IFLA_MAX, policy) < 0 ||
            !values[IFLA_IFNAME])
                return NULL;
        link = link_new(message->ifi_index);
        link->type = message->ifi_type;
        link->flags = message->ifi_flags;
        copy_text(link->name, sizeof(link->name), values[IFLA_IFNAME]);
        link->mtu = read_number(values, IFLA_MTU);
        /* In another network namespace the number below means another link. */
        if (!values[IFLA_LINK_NETNSID])
                link->lower = (int)read_number(values, IFLA_LINK);
        link->master = (int)read_number(values, IFLA_MASTER);
        link->state = values[IFLA_OPERSTATE] ? nla_get_u8(values[IFLA_OPERSTATE]) : 0;
        if (link->lower == link->index)
                link->lower = 0;
        read_mac(link, values[IFLA_ADDRESS]);
        read_kind(link, values[IFLA_LINKINFO]);
        return link;
}

int parse_link_index(const struct nlmsghdr *header)
{
        const struct ifinfomsg *message = get_link_message(header);

        return message ? message->ifi_index : 0;
}

/* ---- addresses and routes ---- */

int parse_address(const struct nlmsghdr *header, struct link_address *address)
{
        static struct nla_policy policy[IFA_MAX + 1] = { [IFA_FLAGS] = { .type = NLA_U32 } };
        const struct ifaddrmsg *message = nlmsg_data(header);
        struct nlattr *values[IFA_MAX + 1];
        unsigned flags;

        if (!nlmsg_valid_hdr(header, sizeof(*message)) ||
            nlmsg_parse((struct nlmsghdr *)header, sizeof(*message), values, IFA_MAX, policy) < 0)
                return 0;
        memset(address, 0, sizeof(*address));
        /* IFA_LOCAL is the link's own where IFA_ADDRESS is the other end's (rtnetlink(7)). */
        if (!read_ip(&address->ip, message->ifa_family, message->ifa_prefixlen,
                     values[IFA_LOCAL] ? values[IFA_LOCAL] : values[IFA_ADDRESS]))
                return 0;
        if (values[IFA_LOCAL] && values[IFA_ADDRESS] &&
            (!read_ip(&address->peer, message->ifa_family, message->ifa_prefixlen, values[IFA_ADDRESS]) ||
             memcmp(address->peer.bytes, address->ip.bytes, sizeof(address->ip.bytes)) == 0))
                memset(&address->peer, 0, sizeof(address->peer));
        flags = values[IFA_FLAGS] ? nla_get_u32(values[IFA_FLAGS]) : message->ifa_flags;
        address->scope = message->ifa_scope;
        address->is_dynamic = !(flags & IFA_F_PERMANENT);
        return (int)message->ifa_index;
}

int parse_route(const struct nlmsghdr *header, struct link_route *route)
{
        static struct nla_policy policy[RTA_MAX + 1] = {
                [RTA_OIF] = { .type = NLA_U32 },
                [RTA_PRIORITY] = { .type = NLA_U32 },
                [RTA_TABLE] = { .type = NLA_U32 },
        };
        const struct rtmsg *message = nlmsg_data(header);
        struct nlattr *values[RTA_MAX + 1];

        if (!nlmsg_valid_hdr(header, sizeof(*message)) || message->rtm_type != RTN_UNICAST ||
            (message->rtm_flags & RTM_F_CLONED) ||
            nlmsg_parse((struct nlmsghdr *)header, sizeof(*message), values, RTA_MAX, policy) < 0)
                return 0;
        if ((values[RTA_TABLE] ? nla_get_u32(values[RTA_TABLE]) : message->rtm_table) != RT_TABLE_MAIN)
                return 0;
        memset(route, 0, sizeof(*route));
        if (!read_ip(&route->destination, message->rtm_family, message->rtm_dst_len, values[RTA_DST]))
                return 0;
        if (values[RTA_GATEWAY] && !read_ip(&route->gateway, message->rtm_family,
                                            (unsigned)nla_len(values[RTA_GATEWAY]) * 8, values[RTA_GATEWAY]))
                return 0;
        route->metric = read_number(values, RTA_PRIORITY);
        route->protocol = message->rtm_protocol;
        return (int)read_number(values, RTA_OIF);
}
