/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VLANs of a port of a bridge by rtnetlink(7) (IFLA_BRIDGE_VLAN_INFO of include/uapi/linux/if_bridge.h). In
 * the lane of the socket.
 */
#include "interfaces/vlan.h"

#include "base/error.h"
#include "interfaces/link.h"
#include "interfaces/netlink.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

/* All that a bridge can have; 0 and 4095 are no VLANs (IEEE 802.1Q). */
#define FIRST_ID 1
#define LAST_ID  4094

bool vlan_equal(const struct vlan *a, const struct vlan *b)
{
        if (a->trunk != b->trunk || a->n_tags != b->n_tags)
                return false;
        for (unsigned i = 0; i < a->n_tags; i++)
                if (a->tags[i].id != b->tags[i].id || a->tags[i].native != b->tags[i].native)
                        return false;
        return true;
}

/* ---- does the bridge care? ---- */

struct search {
        int index;
        bool filters;
};

static void take_link(struct nlmsghdr *header, void *data)
{
        const struct ifinfomsg *info = nlmsg_data(header);
        struct search *search = data;
        struct nlattr *attr;

        if (header->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(header, sizeof(*info)) ||
            info->ifi_index != search->index)
                return;
        attr = nlmsg_find_attr(header, sizeof(*info), IFLA_LINKINFO);
        attr = attr ? nla_find(nla_data(attr), nla_len(attr), IFLA_INFO_DATA) : NULL;
        attr = attr ? nla_find(nla_data(attr), nla_len(attr), IFLA_BR_VLAN_FILTERING) : NULL;
        search->filters = attr && nla_len(attr) >= 1 && nla_get_u8(attr);
}

static bool require_filtering(struct netlink *netlink, const char *bridge, const char *port, GError **error)
{
        struct search search = { .index = (int)if_nametoindex(bridge) };
        const struct netlink_dump dump = {
                .type = RTM_GETLINK, .family = AF_UNSPEC, .fn = take_link, .data = &search
        };

        if (search.index == 0)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                                 "the host has no interface '%s'", bridge);
        if (!netlink_dump(netlink, &dump, error))
                return false;
        return search.filters ||
               error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                         "the tags of VLANs of '%s' need a bridge that tells VLANs apart: vlan_filtering of "
                         "bridge '%s' is off",
                         port, bridge);
}

/* ---- its port ---- */

static bool change(struct netlink *netlink, int type, const struct link *port,
                   const struct bridge_vlan_info *infos, unsigned n, GError **error)
{
        struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = port->index };
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST);
        g_autofree char *what = g_strdup_printf("set the VLANs of '%s'", port->name);
        struct nlattr *list;

        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        list = nla_nest_start(message, IFLA_AF_SPEC);
        for (unsigned i = 0; i < n; i++)
                nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof(infos[i]), &infos[i]);
        nla_nest_end(message, list);
        return netlink_request(netlink, message, what, NULL, error);
}

/* Without a trunk the tag comes and goes at the port. */
static uint16_t get_flags(const struct vlan *vlan, const struct vlan_tag *tag)
{
        if (!vlan->trunk || tag->native == VLAN_NATIVE_UNTAGGED)
                return BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
        return tag->native == VLAN_NATIVE_TAGGED ? BRIDGE_VLAN_INFO_PVID : 0;
}

bool vlan_set_port(struct netlink *netlink, const struct link *port, const char *bridge,
                   const struct vlan *vlan, GError **error)
{
        /* Whatever the bridge gave it by itself. */
        static const struct bridge_vlan_info all[] = {
                { BRIDGE_VLAN_INFO_RANGE_BEGIN, FIRST_ID },
                { BRIDGE_VLAN_INFO_RANGE_END, LAST_ID },
        };
        struct bridge_vlan_info infos[VLAN_TAGS_MAX];

        if (!vlan_is_set(vlan))
                return true;
        for (unsigned i = 0; i < vlan->n_tags; i++) {
                const struct vlan_tag *tag = &vlan->tags[i];

                if (tag->id < FIRST_ID || tag->id > LAST_ID)
                        return error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                         "a bridge has no VLAN %u", (unsigned)tag->id);
                infos[i] = (struct bridge_vlan_info){ get_flags(vlan, tag), tag->id };
        }
        return require_filtering(netlink, bridge, port->name, error) &&
               change(netlink, RTM_DELLINK, port, all, G_N_ELEMENTS(all), error) &&
               change(netlink, RTM_SETLINK, port, infos, vlan->n_tags, error);
}
