/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What maps of nftables have in them. In the lane of the socket. */
#include "interfaces/netlink.h"
#include "interfaces/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* What is read of a set. */
struct reading {
        GHashTable *found;                               /* borrowed */
        char *(*format)(const void *key, size_t length); /* owned; NULL: it is no such key */
};

static char *format_link(const void *key, size_t length)
{
        return g_strndup(key, MIN(length, IFNAMSIZ));
}

static char *format_address(const void *key, size_t length)
{
        char text[INET_ADDRSTRLEN];

        return length == sizeof(struct in_addr) && inet_ntop(AF_INET, key, text, sizeof(text))
                       ? g_strdup(text)
                       : NULL;
}

static void take_element(const struct nlattr *element, const struct reading *reading)
{
        const struct nlattr *key, *value;
        char *text;

        key = nla_find(nla_data(element), nla_len(element), NFTA_SET_ELEM_KEY);
        value = key ? nla_find(nla_data(key), nla_len(key), NFTA_DATA_VALUE) : NULL;
        text = value ? reading->format(nla_data(value), (size_t)nla_len(value)) : NULL;
        if (text)
                g_hash_table_add(reading->found, text);
}

static void take_elements(struct nlmsghdr *header, void *data)
{
        const struct nlattr *elements, *element;
        int rest;

        if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
                return;
        elements = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
        if (!elements)
                return;
        nla_for_each_nested(element, elements, rest) take_element(element, data);
}

static void forget_elements(void *data)
{
        g_hash_table_remove_all(((const struct reading *)data)->found);
}

/* format: see struct reading. */
static GHashTable *list(struct netlink *netlink, unsigned family, const char *table, const char *set,
                        char *(*format)(const void *key, size_t length), GError **error)
{
        GHashTable *found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        struct reading reading = { found, format };
        const struct netlink_dump dump = {
                .type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM,
                .family = (int)family,
                .attr = NFTA_SET_ELEM_LIST_TABLE,
                .value = table,
                .second_attr = NFTA_SET_ELEM_LIST_SET,
                .second_value = set,
                .fn = take_elements,
                .reset = forget_elements,
                .data = &reading,
                .exact = true,
                .may_be_absent = true,
        };

        if (!netlink_dump(netlink, &dump, error))
                g_clear_pointer(&found, g_hash_table_unref);
        return found;
}

GHashTable *nft_list_links(struct netlink *netlink, unsigned family, const char *table, const char *map,
                           GError **error)
{
        return list(netlink, family, table, map, format_link, error);
}

GHashTable *nft_list_addresses(struct netlink *netlink, unsigned family, const char *table, const char *set,
                               GError **error)
{
        return list(netlink, family, table, set, format_address, error);
}
