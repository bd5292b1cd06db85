/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters of macvtaps by rtnetlink(7). No state; in the lane of the caller. */
#include "interfaces/rx-filter.h"

#include "base/error.h"
#include "interfaces/change.h"
#include "interfaces/link.h"
#include "interfaces/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define MAC_BYTES 6

static bool set_flags(struct netlink *netlink, const struct link *link, const struct rx_filter *wanted,
                      GError **error)
{
        struct ifinfomsg header = { .ifi_family = AF_UNSPEC,
                                    .ifi_index = link->index,
                                    .ifi_change = IFF_PROMISC | IFF_ALLMULTI };
        struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST);
        g_autofree char *what = g_strdup_printf("set what '%s' receives", link->name);

        if (wanted->promiscuous)
                header.ifi_flags |= IFF_PROMISC;
        if (wanted->all_groups)
                header.ifi_flags |= IFF_ALLMULTI;
        nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
        return netlink_request(netlink, message, what, NULL, error);
}

static bool set_mac(struct netlink *netlink, const struct link *link, const struct rx_filter *wanted,
                    const struct rx_filter *applied, GError **error)
{
        static const uint8_t none[MAC_BYTES];
        const uint8_t *mac = wanted->mac;
        g_autofree char *text = NULL;

        if (memcmp(mac, none, MAC_BYTES) == 0 || memcmp(mac, applied->mac, MAC_BYTES) == 0)
                return true;
        text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                               mac[5]);
        return link_change_set_mac(netlink, link, text, error);
}

/* ---- groups ---- */

static bool has_group(const struct rx_filter *filter, const uint8_t *group)
{
        for (unsigned i = 0; i < filter->n_groups; i++)
                if (memcmp(filter->groups[i], group, MAC_BYTES) == 0)
                        return true;
        return false;
}

static bool change_group(struct netlink *netlink, const struct link *link, bool add, const uint8_t *group,
                         int *errnum, GError **error)
{
        const struct ndmsg header = { .ndm_family = AF_BRIDGE,
                                      .ndm_ifindex = link->index,
                                      .ndm_state = NUD_PERMANENT,
                                      .ndm_flags = NTF_SELF };
        int type = add ? RTM_NEWNEIGH : RTM_DELNEIGH, flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
        struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
        g_autofree char *what = g_strdup_printf("change the groups of '%s'", link->name);

        nlmsg_append(message, (void *)&header, sizeof(header), NLMSG_ALIGNTO);
        nla_put(message, NDA_LLADDR, MAC_BYTES, group);
        return netlink_request(netlink, message, what, errnum, error);
}

static bool drop_groups(struct netlink *netlink, const struct link *link, const struct rx_filter *wanted,
                        struct rx_filter *applied, GError **error)
{
        for (unsigned i = applied->n_groups; i-- > 0;) {
                g_autoptr(GError) failure = NULL;
                int errnum = 0;

                if (has_group(wanted, applied->groups[i]))
                        continue;
                if (!change_group(netlink, link, false, applied->groups[i], &errnum, &failure) &&
                    errnum != ENOENT) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                applied->n_groups--;
                memcpy(applied->groups[i], applied->groups[applied->n_groups], MAC_BYTES);
        }
        return true;
}

static bool add_groups(struct netlink *netlink, const struct link *link, const struct rx_filter *wanted,
                       struct rx_filter *applied, GError **error)
{
        for (unsigned i = 0; i < wanted->n_groups && applied->n_groups < RX_GROUPS_MAX; i++) {
                g_autoptr(GError) failure = NULL;
                int errnum = 0;

                if (has_group(applied, wanted->groups[i]))
                        continue;
                if (change_group(netlink, link, true, wanted->groups[i], &errnum, &failure)) {
                        memcpy(applied->groups[applied->n_groups++], wanted->groups[i], MAC_BYTES);
                } else if (errnum != EEXIST) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
        }
        return true;
}

bool rx_filter_apply(struct lane *lane, const char *device, const struct rx_filter *wanted,
                     struct rx_filter *applied, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        CLEANUP(link_unref) struct link *link = link_new((int)if_nametoindex(device));

        g_strlcpy(link->name, device, sizeof(link->name));
        if (netlink && link->index == 0)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                                 "the host has no interface '%s'", device);
        if (!netlink || !set_mac(netlink, link, wanted, applied, error) ||
            !set_flags(netlink, link, wanted, error) || !drop_groups(netlink, link, wanted, applied, error) ||
            !add_groups(netlink, link, wanted, applied, error))
                return false;
        memcpy(applied->mac, wanted->mac, MAC_BYTES);
        applied->promiscuous = wanted->promiscuous;
        applied->all_groups = wanted->all_groups;
        return true;
}
