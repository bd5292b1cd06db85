/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of a network: a table of nftables of its own, made, replaced and removed in one transaction of
 * nft(8). It is a program rather than libnftables, which keeps state in the process: networks start in
 * parallel, each in its lane, and a transaction has a deadline. In the network's lane, but for the text.
 *
 * What is accepted here may still be dropped by tables of others: that is how nftables works.
 */
#include "base/error.h"
#include "base/spawn.h"
#include "drivers/network/model.h"

#include <string.h>

/* A transaction that another one overtakes begins again: many networks that start at once take their time. */
#define NFT_TIMEOUT_MS 60000

/* ---- text ---- */

static void append(GString *out, const struct network_def *def, const char *chain, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
static void append(GString *out, const struct network_def *def, const char *chain, const char *format, ...)
{
        va_list args;

        g_string_append_printf(out, "add rule inet virtbus_%s %s ", def->bridge, chain);
        va_start(args, format);
        g_string_append_vprintf(out, format, args);
        va_end(args);
        g_string_append_c(out, '\n');
}

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

/* "ip saddr 10.0.0.0/24"; owned. */
static char *match(const struct network_ip *ip, const char *direction)
{
        struct network_address first = network_address_get_first(&ip->address, ip->prefix);
        char text[NETWORK_ADDRESS_TEXT_MAX];

        return g_strdup_printf("%s %s %s/%u", ip->address.family == AF_INET6 ? "ip6" : "ip", direction,
                               network_address_format(&first, text), ip->prefix);
}

/* The device that the document says it goes out of; owned. */
static char *match_device(const struct network_def *def, const char *direction)
{
        return def->forward_device ? g_strdup_printf("%s \"%s\" ", direction, def->forward_device)
                                   : g_strdup("");
}

/* Guests reach out, and are reached: by answers only, where their addresses are translated. */
static void append_forward(GString *out, const struct network_def *def, const struct network_ip *ip)
{
        g_autofree char *source = match(ip, "saddr"), *target = match(ip, "daddr");
        g_autofree char *to = match_device(def, "oifname"), *from = match_device(def, "iifname");

        append(out, def, "forward", "iifname \"%s\" %s%s accept", def->bridge, to, source);
        append(out, def, "forward", "oifname \"%s\" %s%s%s accept", def->bridge, from, target,
               is_translated(def, ip) ? " ct state established,related" : "");
}

static char *format_ports(const struct network_nat *nat)
{
        if (nat->port_start)
                return g_strdup_printf(":%u-%u", nat->port_start, nat->port_end);
        return g_strdup(":1024-65535");
}

/* "masquerade to :1024-65535", "snat ip to 1.2.3.4-1.2.3.10:1024-65535"; owned. */
static char *format_action(const struct network_def *def, const struct network_ip *ip, bool has_ports)
{
        char start[NETWORK_ADDRESS_TEXT_MAX], end[NETWORK_ADDRESS_TEXT_MAX];
        g_autofree char *ports = has_ports ? format_ports(&def->nat) : g_strdup("");

        if (def->nat.start.family != AF_INET || ip->address.family != AF_INET)
                return g_strdup_printf("masquerade%s%s", has_ports ? " to " : "", ports);
        network_address_format(&def->nat.start, start);
        network_address_format(&def->nat.end, end);
        if (strcmp(start, end) == 0)
                return g_strdup_printf("snat ip to %s%s", start, ports);
        return g_strdup_printf("snat ip to %s-%s%s", start, end, ports);
}

/* Not of what stays in the network, or is for all on a link. Ports below 1024 mean something to others. */
static void append_nat(GString *out, const struct network_def *def, const struct network_ip *ip)
{
        bool is_ipv6 = ip->address.family == AF_INET6;
        g_autofree char *source = match(ip, "saddr"), *outside = match(ip, "daddr !=");
        g_autofree char *to = match_device(def, "oifname");
        g_autofree char *with_ports = format_action(def, ip, true), *plain = format_action(def, ip, false);

        if (is_ipv6) {
                append(out, def, "postrouting", "%s ip6 daddr ff00::/8 return", source);
        } else {
                append(out, def, "postrouting", "%s ip daddr 224.0.0.0/24 return", source);
                append(out, def, "postrouting", "%s ip daddr 255.255.255.255 return", source);
        }
        append(out, def, "postrouting", "%s%s %s meta l4proto tcp %s", to, source, outside, with_ports);
        append(out, def, "postrouting", "%s%s %s meta l4proto udp %s", to, source, outside, with_ports);
        append(out, def, "postrouting", "%s%s %s %s", to, source, outside, plain);
}

char *network_firewall_format(const struct network_def *def)
{
        GString *out = g_string_new(NULL);

        g_string_append_printf(out, "add table inet virtbus_%s\ndelete table inet virtbus_%s\n", def->bridge,
                               def->bridge);
        if (def->forward == NETWORK_FORWARD_OPEN)
                return g_string_free(out, FALSE);
        g_string_append_printf(out,
                               "add table inet virtbus_%s\n"
                               "add chain inet virtbus_%s forward { type filter hook forward priority 0; }\n",
                               def->bridge, def->bridge);
        append(out, def, "forward", "iifname \"%s\" oifname \"%s\" accept", def->bridge, def->bridge);
        for (unsigned i = 0; def->forward != NETWORK_FORWARD_NONE && i < def->ips->len; i++)
                append_forward(out, def, g_ptr_array_index(def->ips, i));
        append(out, def, "forward", "iifname \"%s\" reject", def->bridge);
        append(out, def, "forward", "oifname \"%s\" reject", def->bridge);
        if (has_translated(def))
                g_string_append_printf(
                        out,
                        "add chain inet virtbus_%s postrouting { type nat hook postrouting priority 100; }\n",
                        def->bridge);
        for (unsigned i = 0; i < def->ips->len; i++)
                if (is_translated(def, g_ptr_array_index(def->ips, i)))
                        append_nat(out, def, g_ptr_array_index(def->ips, i));
        return g_string_free(out, FALSE);
}

/* ---- nft ---- */

static bool run(struct network *network, const char *text, GError **error)
{
        static const char *const argv[] = { "nft", "-f", "-", NULL };
        struct spawn_result result = { 0 };
        bool done = spawn_run(network->base.lane, argv, text, NFT_TIMEOUT_MS, &result, error) &&
                    spawn_result_check("nft", &result, error);

        spawn_result_clear(&result);
        return done;
}

bool network_firewall_apply(struct network *network, const struct network_def *def, GError **error)
{
        g_autofree char *text = network_firewall_format(def);

        return run(network, text, error);
}

bool network_firewall_remove(struct network *network, const struct network_def *def, GError **error)
{
        g_autofree char *text = g_strdup_printf("add table inet virtbus_%s\ndelete table inet virtbus_%s\n",
                                                def->bridge, def->bridge);

        return run(network, text, error);
}
