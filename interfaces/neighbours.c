/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Neighbours by rtnetlink(7). In the lane of the socket.
 */
#include "interfaces/neighbours.h"

#include "interfaces/netlink.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* States in which the kernel knows an address that it has learnt. */
#define KNOWN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

static bool read_ip(struct link_ip *ip, uint8_t family, const struct nlattr *attribute)
{
        int length = family == AF_INET ? 4 : 16;

        if ((family != AF_INET && family != AF_INET6) || !attribute || nla_len(attribute) != length)
                return false;
        *ip = (struct link_ip){ .family = family, .prefix = (uint8_t)(length * 8) };
        memcpy(ip->bytes, nla_data(attribute), (size_t)length);
        return true;
}

static void take(struct nlmsghdr *header, void *data)
{
        const struct ndmsg *message = NLMSG_DATA(header);
        struct nlattr *attributes[NDA_MAX + 1], *mac;
        GArray *neighbours = data;
        struct neighbour neighbour;

        if (header->nlmsg_type != RTM_NEWNEIGH || neighbours->len >= NEIGHBOURS_MAX ||
            nlmsg_parse(header, sizeof(*message), attributes, NDA_MAX, NULL) < 0 ||
            !(message->ndm_state & KNOWN))
                return;
        mac = attributes[NDA_LLADDR];
        if (!mac || nla_len(mac) != sizeof(neighbour.mac) ||
            !read_ip(&neighbour.ip, message->ndm_family, attributes[NDA_DST]))
                return;
        memcpy(neighbour.mac, nla_data(mac), sizeof(neighbour.mac));
        neighbour.link = message->ndm_ifindex;
        g_array_append_val(neighbours, neighbour);
}

static void reset(void *data)
{
        g_array_set_size(data, 0);
}

GArray *neighbours_read(struct netlink *netlink, GError **error)
{
        g_autoptr(GArray) neighbours = g_array_new(FALSE, FALSE, sizeof(struct neighbour));
        const struct netlink_dump dump = {
                .type = RTM_GETNEIGH, .family = AF_UNSPEC, .fn = take, .reset = reset, .data = neighbours
        };

        return netlink_dump(netlink, &dump, error) ? g_steal_pointer(&neighbours) : NULL;
}
