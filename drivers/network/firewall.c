/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of a network: a table of nftables of its own, made, replaced and removed in one transaction. What
 * is accepted here may still be dropped by tables of others: that is how nftables works. In the network's
 * lane.
 */
#include "base/error.h"
#include "drivers/network/model.h"
#include "interfaces/netlink.h"
#include "interfaces/nftables.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <string.h>

/* Ports that mean something to others are not taken (CVE-2010-2242). */
#define PORT_MIN 1024
#define PORT_MAX 65535

struct rules {
        const struct network_def *def;
        struct nft_batch *batch;
};

/* ---- what is translated ---- */

static bool is_translated(const struct network_def *def, const struct network_ip *ip)
{
        return def->forward == NETWORK_FORWARD_NAT && (ip->address.family == AF_INET || def->nat.ipv6);
}

static bool has_translated(const struct network_def *def)
{
        for (unsigned i = 0; i < def->ips->len; i++)
                if (is_translated(def, g_ptr_array_index(def->ips, i)))
                        return true;
        return false;
}

/* ---- what is matched ---- */

enum side {
        FROM,    /* it comes from there */
        TO,      /* it goes there */
        OUTSIDE, /* it goes elsewhere */
};

static void match(const struct rules *rules, const struct network_address *address, unsigned prefix,
                  enum side side)
{
        struct nft_address matched = {
                .family = (uint8_t)address->family,
                .prefix = (uint8_t)prefix,
                .is_destination = side != FROM,
                .is_other = side == OUTSIDE,
        };

        memcpy(matched.bytes, address->bytes, sizeof(matched.bytes));
        nft_rule_match_address(rules->batch, &matched);
}

static void match_ip(const struct rules *rules, const struct network_ip *ip, enum side side)
{
        match(rules, &ip->address, ip->prefix, side);
}

/* ---- forwarding ---- */

/* Guests reach out. */
static void add_out(const struct rules *rules, const struct network_ip *ip)
{
        nft_rule_begin(rules->batch, "forward");
        nft_rule_match_input(rules->batch, rules->def->bridge);
        if (rules->def->forward_device)
                nft_rule_match_output(rules->batch, rules->def->forward_device);
        match_ip(rules, ip, FROM);
        nft_rule_accept(rules->batch);
        nft_rule_end(rules->batch);
}

/* They are reached: by answers only, where their addresses are translated. */
static void add_in(const struct rules *rules, const struct network_ip *ip)
{
        nft_rule_begin(rules->batch, "forward");
        nft_rule_match_output(rules->batch, rules->def->bridge);
        if (rules->def->forward_device)
                nft_rule_match_input(rules->batch, rules->def->forward_device);
        match_ip(rules, ip, TO);
        if (is_translated(rules->def, ip))
                nft_rule_match_answers(rules->batch);
        nft_rule_accept(rules->batch);
        nft_rule_end(rules->batch);
}

static void add_inside(const struct rules *rules)
{
        nft_rule_begin(rules->batch, "forward");
        nft_rule_match_input(rules->batch, rules->def->bridge);
        nft_rule_match_output(rules->batch, rules->def->bridge);
        nft_rule_accept(rules->batch);
        nft_rule_end(rules->batch);
}

static void add_rejects(const struct rules *rules)
{
        nft_rule_begin(rules->batch, "forward");
        nft_rule_match_input(rules->batch, rules->def->bridge);
        nft_rule_reject(rules->batch);
        nft_rule_end(rules->batch);
        nft_rule_begin(rules->batch, "forward");
        nft_rule_match_output(rules->batch, rules->def->bridge);
        nft_rule_reject(rules->batch);
        nft_rule_end(rules->batch);
}

static void add_forward(const struct rules *rules)
{
        const struct network_def *def = rules->def;

        nft_batch_add_chain(rules->batch, &(const struct nft_hook){ "forward", "filter", NF_INET_FORWARD,
                                                                    NF_IP_PRI_FILTER });
        add_inside(rules);
        for (unsigned i = 0; def->forward != NETWORK_FORWARD_NONE && i < def->ips->len; i++) {
                add_out(rules, g_ptr_array_index(def->ips, i));
                add_in(rules, g_ptr_array_index(def->ips, i));
        }
        add_rejects(rules);
}

/* ---- translation ---- */

/* What is for all on a link stays as it is. */
static void add_untouched(const struct rules *rules, const struct network_ip *ip, const char *text,
                          unsigned prefix)
{
        struct network_address address;

        network_address_parse(text, &address);
        nft_rule_begin(rules->batch, "postrouting");
        match_ip(rules, ip, FROM);
        match(rules, &address, prefix, TO);
        nft_rule_return(rules->batch);
        nft_rule_end(rules->batch);
}

/* protocol 0: of any; of those that have ports, which ones. */
static void add_translation(const struct rules *rules, const struct network_ip *ip, uint8_t protocol)
{
        const struct network_nat *nat = &rules->def->nat;
        struct nft_ports ports = { 0 };

        if (protocol)
                ports = (struct nft_ports){ (uint16_t)(nat->port_start ? nat->port_start : PORT_MIN),
                                            (uint16_t)(nat->port_start ? nat->port_end : PORT_MAX) };
        nft_rule_begin(rules->batch, "postrouting");
        if (rules->def->forward_device)
                nft_rule_match_output(rules->batch, rules->def->forward_device);
        match_ip(rules, ip, FROM);
        match_ip(rules, ip, OUTSIDE);
        if (protocol)
                nft_rule_match_protocol(rules->batch, protocol);
        if (nat->start.family == AF_INET && ip->address.family == AF_INET)
                nft_rule_translate(rules->batch, nat->start.bytes, nat->end.bytes, &ports);
        else
                nft_rule_masquerade(rules->batch, &ports);
        nft_rule_end(rules->batch);
}

static void add_nat(const struct rules *rules, const struct network_ip *ip)
{
        if (!is_translated(rules->def, ip))
                return;
        if (ip->address.family == AF_INET6) {
                add_untouched(rules, ip, "ff00::", 8);
        } else {
                add_untouched(rules, ip, "224.0.0.0", 24);
                add_untouched(rules, ip, "255.255.255.255", 32);
        }
        add_translation(rules, ip, IPPROTO_TCP);
        add_translation(rules, ip, IPPROTO_UDP);
        add_translation(rules, ip, 0);
}

static void add_postrouting(const struct rules *rules)
{
        nft_batch_add_chain(
                rules->batch,
                &(const struct nft_hook){ "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC });
        for (unsigned i = 0; i < rules->def->ips->len; i++)
                add_nat(rules, g_ptr_array_index(rules->def->ips, i));
}

/* ---- the table ---- */

void network_firewall_format_table(const char *bridge, char table[NFT_NAME_SIZE])
{
        g_snprintf(table, NFT_NAME_SIZE, "virtbus_%s", bridge);
}

static void add_rules(struct nft_batch *batch, const struct network_def *def, const char *table)
{
        const struct rules rules = { def, batch };

        if (def->forward == NETWORK_FORWARD_OPEN)
                return;
        nft_batch_add_table(batch, table);
        add_forward(&rules);
        if (has_translated(def))
                add_postrouting(&rules);
}

/* One transaction that puts the rules in the place of those that there are; none without rules. */
static bool commit(struct network *network, const struct network_def *def, bool with_rules, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(network->base.lane, error);
        CLEANUP(nft_batch_free) struct nft_batch *batch = nft_batch_new();
        g_autofree char *what = g_strdup_printf("%s the rules of network '%s'",
                                                with_rules ? "apply" : "remove", def->base.name);
        char table[NFT_NAME_SIZE];

        network_firewall_format_table(def->bridge, table);
        nft_batch_delete_table(batch, table);
        if (with_rules)
                add_rules(batch, def, table);
        return netlink && nft_batch_commit(batch, netlink, what, error);
}

bool network_firewall_apply(struct network *network, const struct network_def *def, GError **error)
{
        return commit(network, def, true, error);
}

bool network_firewall_remove(struct network *network, const struct network_def *def, GError **error)
{
        return commit(network, def, false, error);
}

bool network_firewall_is_whole(struct network *network, const struct network_def *def, bool *whole,
                               GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(network->base.lane, error);
        CLEANUP(nft_batch_free) struct nft_batch *batch = nft_batch_new();
        char table[NFT_NAME_SIZE];
        unsigned count;

        network_firewall_format_table(def->bridge, table);
        add_rules(batch, def, table);
        if (!netlink || !nft_count_rules(netlink, table, &count, error))
                return false;
        *whole = count == nft_batch_get_rules(batch);
        return true;
}
