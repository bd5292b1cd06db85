/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual functions by rtnetlink(7). No state; in the lane of the caller. */
#include "interfaces/vf.h"

#include "base/error.h"
#include "interfaces/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

struct search {
        int index;       /* of the physical function's link */
        unsigned number; /* of the virtual function */
        struct vf_config config;
        bool found;
};

static void read_function(struct search *search, struct nlattr *function)
{
        const struct nlattr *mac = nla_find(nla_data(function), nla_len(function), IFLA_VF_MAC);
        const struct nlattr *vlan = nla_find(nla_data(function), nla_len(function), IFLA_VF_VLAN);
        struct ifla_vf_vlan tag = { 0 };
        struct ifla_vf_mac address;

        if (!mac || nla_len(mac) < (int)sizeof(address))
                return;
        memcpy(&address, nla_data(mac), sizeof(address));
        if (address.vf != search->number)
                return;
        if (vlan && nla_len(vlan) >= (int)sizeof(tag))
                memcpy(&tag, nla_data(vlan), sizeof(tag));
        memcpy(search->config.mac, address.mac, sizeof(search->config.mac));
        search->config.vlan = tag.vlan;
        search->config.qos = tag.qos;
        search->found = true;
}

static void take_link(struct nlmsghdr *header, void *data)
{
        const struct ifinfomsg *info = nlmsg_data(header);
        struct search *search = data;
        struct nlattr *list, *function;
        int rest;

        if (header->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(header, sizeof(*info)) ||
            info->ifi_index != search->index)
                return;
        list = nlmsg_find_attr(header, sizeof(*info), IFLA_VFINFO_LIST);
        if (!list)
                return;
        nla_for_each_nested(function, list, rest)
        {
                if (nla_type(function) == IFLA_VF_INFO)
                        read_function(search, function);
        }
}

static int find_index(const char *physical, GError **error)
{
        int index = (int)if_nametoindex(physical);

        if (index == 0)
                error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                          "the host has no interface '%s'", physical);
        return index;
}

bool vf_read(struct lane *lane, const char *physical, unsigned number, struct vf_config *config,
             GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        struct search search = { .index = netlink ? find_index(physical, error) : 0, .number = number };
        const struct netlink_dump dump = {
                .type = RTM_GETLINK,
                .family = AF_UNSPEC,
                .fn = take_link,
                .data = &search,
                .extra = RTEXT_FILTER_VF,
        };

        if (!search.index || !netlink_dump(netlink, &dump, error))
                return false;
        *config = search.config;
        return search.found ||
               error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                         "interface '%s' has no virtual function %u whose MAC address can be set", physical,
                         number);
}

bool vf_write(struct lane *lane, const char *physical, unsigned number, const struct vf_config *config,
              GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
        struct ifla_vf_mac mac = { .vf = number };
        const struct ifla_vf_vlan vlan = { .vf = number, .vlan = config->vlan, .qos = config->qos };
        g_autofree char *what = g_strdup_printf("set up virtual function %u of '%s'", number, physical);
        struct nlattr *list, *function;
        struct nl_msg *message;

        info.ifi_index = netlink ? find_index(physical, error) : 0;
        if (!info.ifi_index)
                return false;
        memcpy(mac.mac, config->mac, sizeof(config->mac));
        message = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_REQUEST);
        nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO);
        list = nla_nest_start(message, IFLA_VFINFO_LIST);
        function = nla_nest_start(message, IFLA_VF_INFO);
        nla_put(message, IFLA_VF_MAC, sizeof(mac), &mac);
        nla_put(message, IFLA_VF_VLAN, sizeof(vlan), &vlan);
        nla_nest_end(message, function);
        nla_nest_end(message, list);
        return netlink_request(netlink, message, what, NULL, error);
}
