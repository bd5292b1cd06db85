/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One rule as expressions of nft, for one direction. Any thread. */
#include "base/error.h"
#include "drivers/nwfilter/rules.h"

#include <string.h>

#define PROTOCOL_TCP    6
#define PROTOCOL_UDP    17
#define PROTOCOL_DCCP   33
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_SCTP   132

static const struct nwfilter_bound *find(const struct nwfilter_reading *reading, enum nwfilter_field field)
{
        for (unsigned i = 0; i < reading->n_bounds; i++)
                if (reading->bounds[i].match->attribute->field == field)
                        return &reading->bounds[i];
        return NULL;
}

bool nwfilter_has_field(const struct nwfilter_reading *reading, enum nwfilter_field field)
{
        return find(reading, field) != NULL;
}

/* The one that belongs to it: the same bits of a protocol's data. */
static const struct nwfilter_bound *find_bits(const struct nwfilter_reading *reading,
                                              enum nwfilter_field field, unsigned offset)
{
        for (unsigned i = 0; i < reading->n_bounds; i++) {
                const struct nwfilter_attribute *attribute = reading->bounds[i].match->attribute;

                if (attribute->field == field && attribute->offset == offset)
                        return &reading->bounds[i];
        }
        return NULL;
}

static bool refuse(GError **error, const struct nwfilter_bound *bound, const char *why)
{
        return error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED, "attribute '%s' of a rule: %s",
                         bound->match->attribute->name, why);
}

static const char *get_not(const struct nwfilter_bound *bound)
{
        return bound->match->negated ? "!= " : "";
}

static const char *get_relation(const struct nwfilter_bound *bound)
{
        return bound->match->negated ? "!=" : "==";
}

static const char *get_ip(const struct nwfilter_reading *reading)
{
        return reading->rule->protocol->ipv6 ? "ip6" : "ip";
}

/* ---- both ends ---- */

/* The name of an end as this reading has it. */
static const char *get_end(const struct nwfilter_reading *reading, bool source, const char *if_source,
                           const char *if_destination)
{
        return source != reading->swapped ? if_source : if_destination;
}

/* Bridge protocol data units are sent to one address, whoever sends them; there is nothing to swap. */
static bool has_ends(const struct nwfilter_reading *reading)
{
        return strcmp(reading->rule->protocol->name, "stp") != 0;
}

/* The network layer knows who sent a packet, not to whom: with libvirt a MAC address counts one way only. */
static void put_mac(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                    enum nwfilter_field mask_field, bool source, GString *out)
{
        const struct nwfilter_bound *mask = find(reading, mask_field);
        const char *end = has_ends(reading) ? get_end(reading, source, "saddr", "daddr") : "saddr";

        if (reading->rule->protocol->layer == NWFILTER_NETWORK && reading->swapped)
                return;
        if (mask)
                g_string_append_printf(out, "ether %s & %s %s %s ", end, mask->value.text,
                                       get_relation(bound), bound->value.text);
        else
                g_string_append_printf(out, "ether %s %s%s ", end, get_not(bound), bound->value.text);
}

static bool put_address(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                        enum nwfilter_field mask_field, bool source, GString *out, GError **error)
{
        const struct nwfilter_bound *mask = find(reading, mask_field);

        if (mask && bound->set)
                return refuse(error, bound, "addresses that are learned cannot have a mask");
        g_string_append_printf(out, "%s %s %s%s", get_ip(reading), get_end(reading, source, "saddr", "daddr"),
                               get_not(bound), bound->set ? bound->set : bound->value.text);
        g_string_append_printf(out, mask ? "/%s " : "%s ", mask ? mask->value.text : "");
        return true;
}

static bool put_range(const struct nwfilter_reading *reading, const struct nwfilter_bound *from,
                      enum nwfilter_field to_field, bool source, GString *out, GError **error)
{
        const struct nwfilter_bound *to = find(reading, to_field);

        if (from->set || (to && to->set))
                return refuse(error, from, "addresses that are learned cannot be the ends of a range");
        if (to && memcmp(from->value.address, to->value.address, sizeof(from->value.address)) > 0)
                return refuse(error, from, "the range ends before it begins");
        g_string_append_printf(out, "%s %s %s%s", get_ip(reading), get_end(reading, source, "saddr", "daddr"),
                               get_not(from), from->value.text);
        g_string_append_printf(out, to ? "-%s " : "%s ", to ? to->value.text : "");
        return true;
}

static bool put_number_range(const char *what, const struct nwfilter_bound *from,
                             const struct nwfilter_bound *to, GString *out, GError **error)
{
        if (to && to->value.number < from->value.number)
                return refuse(error, from, "the range ends before it begins");
        g_string_append_printf(out, "%s %s%u", what, get_not(from), from->value.number);
        if (to && to->value.number != from->value.number)
                g_string_append_printf(out, "-%u", to->value.number);
        g_string_append_c(out, ' ');
        return true;
}

/* ---- protocols above IP ---- */

static bool has_ports(const struct nwfilter_reading *reading)
{
        const struct nwfilter_bound *bound = find(reading, NWFILTER_IP_PROTOCOL);

        if (reading->rule->protocol->layer == NWFILTER_NETWORK)
                return true;
        return bound && !bound->match->negated &&
               (bound->value.number == PROTOCOL_TCP || bound->value.number == PROTOCOL_UDP ||
                bound->value.number == PROTOCOL_DCCP || bound->value.number == PROTOCOL_SCTP);
}

static bool put_port(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                     enum nwfilter_field end_field, bool source, GString *out, GError **error)
{
        if (!has_ports(reading))
                return refuse(error, bound, "ports need protocol tcp, udp, dccp (33) or sctp");
        return put_number_range(get_end(reading, source, "th sport", "th dport"), bound,
                                find(reading, end_field), out, error);
}

static bool put_icmp(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                     const char *what, enum nwfilter_field end_field, GString *out, GError **error)
{
        const struct nwfilter_bound *protocol = find(reading, NWFILTER_IP_PROTOCOL);
        bool is_ipv6 = reading->rule->protocol->ipv6;
        g_autofree char *name = g_strdup_printf("%s %s", is_ipv6 ? "icmpv6" : "icmp", what);

        if (reading->rule->protocol->layer == NWFILTER_LINK &&
            (!protocol || protocol->match->negated || protocol->value.number != PROTOCOL_ICMPV6))
                return refuse(error, bound, "it needs protocol icmpv6");
        return put_number_range(name, bound, find(reading, end_field), out, error);
}

static void put_flags(const struct nwfilter_bound *bound, GString *out)
{
        g_string_append_printf(out, "tcp flags & 0x%x %s 0x%x ", bound->value.number >> 8,
                               get_relation(bound), bound->value.number & 0xff);
}

static void put_state(const struct nwfilter_bound *bound, GString *out)
{
        static const char *const names[] = { "new", "established", "related", "invalid" };
        const char *separator = "";

        if (bound->value.number >= 1U << G_N_ELEMENTS(names)) /* NONE */
                return;
        g_string_append(out, "ct state & (");
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (!(bound->value.number & 1U << i))
                        continue;
                g_string_append_printf(out, "%s%s", separator, names[i]);
                separator = "|";
        }
        g_string_append_printf(out, ") %s 0 ", bound->match->negated ? "==" : "!=");
}

/* ---- ARP ---- */

/* Ethernet and IPv4: only then the addresses are where they are looked for. */
static void put_arp_sizes(GString *out, bool *done)
{
        if (!*done)
                g_string_append(out, "@nh,32,16 0x0604 ");
        *done = true;
}

static void put_arp_mac(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                        bool source, GString *out)
{
        g_string_append_printf(out, "@nh,%s,48 %s0x%012" G_GINT64_MODIFIER "x ",
                               get_end(reading, source, "64", "144"), get_not(bound), bound->value.mac);
}

static uint32_t get_number(const uint8_t address[4])
{
        return (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8 |
               address[3];
}

static bool put_arp_ip(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                       enum nwfilter_field mask_field, bool source, GString *out, GError **error)
{
        const struct nwfilter_bound *mask = find(reading, mask_field);
        const char *place = get_end(reading, source, "112", "192");
        uint32_t bits = mask && mask->value.number < 32 ? ~(UINT32_MAX >> mask->value.number) : UINT32_MAX;

        if (bound->set && (mask || strcmp(reading->rule->protocol->name, "arp") != 0))
                return refuse(error, bound, "an address that is learned is one of ARP, without a mask");
        if (bound->set)
                g_string_append_printf(out, "arp %s ip %s%s ", get_end(reading, source, "saddr", "daddr"),
                                       get_not(bound), bound->set);
        else if (bits == UINT32_MAX)
                g_string_append_printf(out, "@nh,%s,32 %s0x%08x ", place, get_not(bound),
                                       get_number(bound->value.address));
        else
                g_string_append_printf(out, "@nh,%s,32 & 0x%08x %s 0x%08x ", place, bits, get_relation(bound),
                                       get_number(bound->value.address) & bits);
        return true;
}

/*
 * Whoever announces itself says one address twice. nft(8) compares what is in a packet with values only, so
 * the other one has to be that value.
 */
static bool put_gratuitous(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                           GString *out, GError **error)
{
        const struct nwfilter_bound *source = find(reading, NWFILTER_ARP_SRC_IP),
                                    *known = source ? source : find(reading, NWFILTER_ARP_DST_IP);
        enum nwfilter_field mask = source ? NWFILTER_ARP_SRC_IP_MASK : NWFILTER_ARP_DST_IP_MASK;

        if (!bound->value.number)
                return true;
        if (bound->match->negated || !known || known->match->negated || known->set || find(reading, mask))
                return refuse(
                        error, bound,
                        "nftables cannot compare the two addresses of an ARP packet: the rule has to say "
                        "which it is, by 'arpsrcipaddr' or 'arpdstipaddr' without a mask");
        return put_arp_ip(reading, known, mask, !source, out, error);
}

/* ---- bits of a frame ---- */

static bool put_bits(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound, GString *out,
                     GError **error)
{
        const struct nwfilter_attribute *attribute = bound->match->attribute;
        const struct nwfilter_bound *mask = find_bits(reading, NWFILTER_BITS_MASK, attribute->offset);
        const struct nwfilter_bound *high = find_bits(reading, NWFILTER_BITS_HI, attribute->offset);
        g_autofree char *place = g_strdup_printf("@ll,%u,%u", attribute->offset, attribute->size);

        if (attribute->type != NWFILTER_MAC)
                return put_number_range(place, bound, high, out, error);
        g_string_append(out, place);
        if (mask)
                g_string_append_printf(out, " & 0x%012" G_GINT64_MODIFIER "x %s", mask->value.mac,
                                       get_relation(bound));
        g_string_append_printf(out, " %s0x%012" G_GINT64_MODIFIER "x ", mask ? "" : get_not(bound),
                               mask ? bound->value.mac & mask->value.mac : bound->value.mac);
        return true;
}

/* ---- a rule ---- */

/* What only means something beside another attribute. */
static bool check_leader(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound,
                         GError **error)
{
        static const enum nwfilter_field pairs[][2] = {
                { NWFILTER_SRC_MAC_MASK, NWFILTER_SRC_MAC },
                { NWFILTER_DST_MAC_MASK, NWFILTER_DST_MAC },
                { NWFILTER_ARP_SRC_IP_MASK, NWFILTER_ARP_SRC_IP },
                { NWFILTER_ARP_DST_IP_MASK, NWFILTER_ARP_DST_IP },
                { NWFILTER_SRC_IP_MASK, NWFILTER_SRC_IP },
                { NWFILTER_DST_IP_MASK, NWFILTER_DST_IP },
                { NWFILTER_SRC_IP_TO, NWFILTER_SRC_IP_FROM },
                { NWFILTER_DST_IP_TO, NWFILTER_DST_IP_FROM },
                { NWFILTER_SRC_PORT_END, NWFILTER_SRC_PORT },
                { NWFILTER_DST_PORT_END, NWFILTER_DST_PORT },
                { NWFILTER_ICMP_TYPE_END, NWFILTER_ICMP_TYPE },
                { NWFILTER_ICMP_CODE_END, NWFILTER_ICMP_CODE },
                { NWFILTER_SET_FLAGS, NWFILTER_SET },
        };
        const struct nwfilter_attribute *attribute = bound->match->attribute;

        if ((attribute->field == NWFILTER_BITS_HI || attribute->field == NWFILTER_BITS_MASK) &&
            find_bits(reading, NWFILTER_BITS, attribute->offset))
                return true;
        for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++)
                if (pairs[i][0] == attribute->field && find(reading, pairs[i][1]))
                        return true;
        return refuse(error, bound, "it stands without the attribute that it belongs to");
}

static bool put(const struct nwfilter_reading *reading, const struct nwfilter_bound *bound, GString *out,
                bool *arp_sizes, GError **error)
{
        switch (bound->match->attribute->field) {
        case NWFILTER_SRC_MAC:
                put_mac(reading, bound, NWFILTER_SRC_MAC_MASK, true, out);
                return true;
        case NWFILTER_DST_MAC:
                put_mac(reading, bound, NWFILTER_DST_MAC_MASK, false, out);
                return true;
        case NWFILTER_ETHER_TYPE:
                g_string_append_printf(out, "ether type %s0x%04x ", get_not(bound), bound->value.number);
                return true;
        case NWFILTER_VLAN_ID:
                g_string_append_printf(out, "vlan id %s%u ", get_not(bound), bound->value.number);
                return true;
        case NWFILTER_VLAN_TYPE:
                g_string_append_printf(out, "vlan type %s0x%04x ", get_not(bound), bound->value.number);
                return true;
        case NWFILTER_BITS:
                return put_bits(reading, bound, out, error);
        case NWFILTER_ARP_SRC_MAC:
                put_arp_sizes(out, arp_sizes);
                put_arp_mac(reading, bound, true, out);
                return true;
        case NWFILTER_ARP_DST_MAC:
                put_arp_sizes(out, arp_sizes);
                put_arp_mac(reading, bound, false, out);
                return true;
        case NWFILTER_ARP_SRC_IP:
                put_arp_sizes(out, arp_sizes);
                return put_arp_ip(reading, bound, NWFILTER_ARP_SRC_IP_MASK, true, out, error);
        case NWFILTER_ARP_DST_IP:
                put_arp_sizes(out, arp_sizes);
                return put_arp_ip(reading, bound, NWFILTER_ARP_DST_IP_MASK, false, out, error);
        case NWFILTER_ARP_BITS:
                g_string_append_printf(out, "@nh,%u,%u %s%u ", bound->match->attribute->offset,
                                       bound->match->attribute->size, get_not(bound), bound->value.number);
                return true;
        case NWFILTER_ARP_GRATUITOUS:
                put_arp_sizes(out, arp_sizes);
                return put_gratuitous(reading, bound, out, error);
        case NWFILTER_SRC_IP:
                return put_address(reading, bound, NWFILTER_SRC_IP_MASK, true, out, error);
        case NWFILTER_DST_IP:
                return put_address(reading, bound, NWFILTER_DST_IP_MASK, false, out, error);
        case NWFILTER_SRC_IP_FROM:
                return put_range(reading, bound, NWFILTER_SRC_IP_TO, true, out, error);
        case NWFILTER_DST_IP_FROM:
                return put_range(reading, bound, NWFILTER_DST_IP_TO, false, out, error);
        case NWFILTER_IP_PROTOCOL:
                g_string_append_printf(out, "meta l4proto %s%u ", get_not(bound), bound->value.number);
                return true;
        case NWFILTER_SRC_PORT:
                return put_port(reading, bound, NWFILTER_SRC_PORT_END, true, out, error);
        case NWFILTER_DST_PORT:
                return put_port(reading, bound, NWFILTER_DST_PORT_END, false, out, error);
        case NWFILTER_DSCP:
                g_string_append_printf(out, "%s dscp %s%u ", get_ip(reading), get_not(bound),
                                       bound->value.number);
                return true;
        case NWFILTER_ICMP_TYPE:
                return put_icmp(reading, bound, "type", NWFILTER_ICMP_TYPE_END, out, error);
        case NWFILTER_ICMP_CODE:
                return put_icmp(reading, bound, "code", NWFILTER_ICMP_CODE_END, out, error);
        case NWFILTER_TCP_OPTION:
                g_string_append_printf(out, "tcp option %u %s ", bound->value.number,
                                       bound->match->negated ? "missing" : "exists");
                return true;
        case NWFILTER_FLAGS:
                put_flags(bound, out);
                return true;
        case NWFILTER_CT_STATE:
                put_state(bound, out);
                return true;
        case NWFILTER_SET:
                return refuse(error, bound,
                              "nftables has sets of its own, and cannot look into those of ipset(8)");
        case NWFILTER_CONNECTIONS: /* last of all, as it counts what gets there */
        case NWFILTER_COMMENTED:
                return true;
        default:
                return check_leader(reading, bound, error);
        }
}

/* The protocol comes first: what is above it means nothing without. */
static const struct nwfilter_bound *get_first(const struct nwfilter_reading *reading, unsigned index)
{
        const struct nwfilter_bound *protocol = find(reading, NWFILTER_IP_PROTOCOL);

        if (!protocol)
                return &reading->bounds[index];
        if (index == 0)
                return protocol;
        index--;
        return &reading->bounds[reading->bounds + index >= protocol ? index + 1 : index];
}

bool nwfilter_match_format(const struct nwfilter_reading *reading, GString *out, GError **error)
{
        const struct nwfilter_protocol *protocol = reading->rule->protocol;
        const struct nwfilter_bound *connections = find(reading, NWFILTER_CONNECTIONS);
        bool arp_sizes = false;

        if (protocol && protocol->match)
                g_string_append_printf(out, "%s ", protocol->match);
        for (unsigned i = 0; i < reading->n_bounds; i++)
                if (!put(reading, get_first(reading, i), out, &arp_sizes, error))
                        return false;
        if (reading->state)
                g_string_append_printf(out, "%s ", reading->state);
        /* Of packets that begin one: the kernel may count others of a connection twice. */
        if (connections)
                g_string_append_printf(out, "ct state new ct count %s%u ",
                                       connections->match->negated ? "" : "over ", connections->value.number);
        return true;
}
