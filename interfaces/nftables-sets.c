/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What maps of nftables have in them. In the lane of the socket. */
#include "interfaces/netlink.h"
#include "interfaces/nftables.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

static void take_element(const struct nlattr *element, GHashTable *links)
{
        const struct nlattr *key, *value;

        key = nla_find(nla_data(element), nla_len(element), NFTA_SET_ELEM_KEY);
        value = key ? nla_find(nla_data(key), nla_len(key), NFTA_DATA_VALUE) : NULL;
        if (value)
                g_hash_table_add(links, g_strndup(nla_data(value), MIN((gsize)nla_len(value), IFNAMSIZ)));
}

static void take_elements(struct nlmsghdr *header, void *data)
{
        const struct nlattr *list, *element;
        int rest;

        if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
                return;
        list = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
        if (!list)
                return;
        nla_for_each_nested(element, list, rest) take_element(element, data);
}

static void forget_elements(void *data)
{
        g_hash_table_remove_all(data);
}

GHashTable *nft_list_links(struct netlink *netlink, unsigned family, const char *table, const char *map,
                           GError **error)
{
        GHashTable *links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        const struct netlink_dump dump = {
                .type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM,
                .family = (int)family,
                .attr = NFTA_SET_ELEM_LIST_TABLE,
                .value = table,
                .second_attr = NFTA_SET_ELEM_LIST_SET,
                .second_value = map,
                .fn = take_elements,
                .reset = forget_elements,
                .data = links,
                .exact = true,
                .may_be_absent = true,
        };

        if (!netlink_dump(netlink, &dump, error))
                g_clear_pointer(&links, g_hash_table_unref);
        return links;
}
