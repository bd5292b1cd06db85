/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of protocols and attributes, in the order in which libvirt writes them. Offsets of bridge
 * protocol data units are those of IEEE 802.1D behind the three bytes of LLC, those of ARP of RFC 826.
 */
#include "drivers/nwfilter/protocol.h"

#include <string.h>

#define TABLE static const struct nwfilter_attribute

/* ---- names of numbers ---- */

static const struct nwfilter_name ether_types[] = {
        { "arp", 0x806 }, { "rarp", 0x8035 }, { "ipv4", 0x800 }, { "ipv6", 0x86dd }, { "vlan", 0x8100 }, {},
};

static const struct nwfilter_name opcodes[] = {
        { "Request", 1 },         { "Reply", 2 },
        { "Request_Reverse", 3 }, { "Reply_Reverse", 4 },
        { "DRARP_Request", 5 },   { "DRARP_Reply", 6 },
        { "DRARP_Error", 7 },     { "InARP_Request", 8 },
        { "ARP_NAK", 9 },         {},
};

static const struct nwfilter_name ip_protocols[] = {
        { "tcp", 6 },  { "udp", 17 }, { "udplite", 136 }, { "esp", 50 },    { "ah", 51 },
        { "icmp", 1 }, { "igmp", 2 }, { "sctp", 132 },    { "icmpv6", 58 }, {},
};

/* ---- attributes ---- */

#define NUMBER(name_, field_, max_)                                                                          \
        {                                                                                                    \
                .name = name_, .type = NWFILTER_NUMBER, .field = field_, .max = max_                         \
        }
#define VALUE(name_, type_, field_)                                                                          \
        {                                                                                                    \
                .name = name_, .type = type_, .field = field_                                                \
        }
#define BITS(name_, offset_, size_)                                                                          \
        {                                                                                                    \
                .name = name_, .type = NWFILTER_NUMBER, .field = NWFILTER_BITS,                              \
                .max = (uint32_t)((UINT64_C(1) << (size_)) - 1), .offset = offset_, .size = size_            \
        }
#define BITS_RANGE(name_, offset_, size_)                                                                    \
        BITS(name_, offset_, size_),                                                                         \
        {                                                                                                    \
                .name = name_ "-hi", .type = NWFILTER_NUMBER, .field = NWFILTER_BITS_HI,                     \
                .max = (uint32_t)((UINT64_C(1) << (size_)) - 1), .offset = offset_, .size = size_            \
        }
#define BITS_MAC(name_, offset_)                                                                             \
        { .name = name_, .type = NWFILTER_MAC, .field = NWFILTER_BITS, .offset = offset_, .size = 48 },      \
        {                                                                                                    \
                .name = name_ "-mask", .type = NWFILTER_MAC_MASK, .field = NWFILTER_BITS_MASK,               \
                .offset = offset_, .size = 48                                                                \
        }

TABLE src_mac[] = { VALUE("srcmacaddr", NWFILTER_MAC, NWFILTER_SRC_MAC), {} };
TABLE src_mac_mask[] = { VALUE("srcmacmask", NWFILTER_MAC_MASK, NWFILTER_SRC_MAC_MASK), {} };
TABLE dst_mac[] = {
        VALUE("dstmacaddr", NWFILTER_MAC, NWFILTER_DST_MAC),
        VALUE("dstmacmask", NWFILTER_MAC_MASK, NWFILTER_DST_MAC_MASK),
        {},
};

TABLE mac[] = {
        { .name = "protocolid",
          .type = NWFILTER_NUMBER,
          .field = NWFILTER_ETHER_TYPE,
          .min = 0x600,
          .max = 0xffff,
          .names = ether_types },
        {},
};
TABLE vlan[] = {
        NUMBER("vlanid", NWFILTER_VLAN_ID, 0xfff),
        { .name = "encap-protocol",
          .type = NWFILTER_NUMBER,
          .field = NWFILTER_VLAN_TYPE,
          .min = 0x3c,
          .max = 0xffff,
          .names = ether_types },
        {},
};

/* In the frame: 14 bytes of Ethernet, 3 of LLC, then the unit. */
#define UNIT(byte) (8 * (17 + (byte)))

TABLE stp[] = {
        BITS("type", UNIT(3), 8),
        BITS("flags", UNIT(4), 8),
        BITS_RANGE("root-priority", UNIT(5), 16),
        BITS_MAC("root-address", UNIT(7)),
        BITS_RANGE("root-cost", UNIT(13), 32),
        BITS_RANGE("sender-priority", UNIT(17), 16),
        BITS_MAC("sender-address", UNIT(19)),
        BITS_RANGE("port", UNIT(25), 16),
        BITS_RANGE("age", UNIT(27), 16),
        BITS_RANGE("max-age", UNIT(29), 16),
        BITS_RANGE("hello-time", UNIT(31), 16),
        BITS_RANGE("forward-delay", UNIT(33), 16),
        {},
};

TABLE arp[] = {
        { "hwtype", NWFILTER_NUMBER, NWFILTER_ARP_BITS, .max = 0xffff, .offset = 0, .size = 16 },
        { "protocoltype", NWFILTER_NUMBER, NWFILTER_ARP_BITS, .max = 0xffff, .offset = 16, .size = 16 },
        { "opcode", NWFILTER_NUMBER, NWFILTER_ARP_BITS, .max = 0xffff, .names = opcodes, .offset = 48,
          .size = 16 },
        VALUE("arpsrcmacaddr", NWFILTER_MAC, NWFILTER_ARP_SRC_MAC),
        VALUE("arpdstmacaddr", NWFILTER_MAC, NWFILTER_ARP_DST_MAC),
        VALUE("arpsrcipaddr", NWFILTER_IP, NWFILTER_ARP_SRC_IP),
        VALUE("arpsrcipmask", NWFILTER_IP_MASK, NWFILTER_ARP_SRC_IP_MASK),
        VALUE("arpdstipaddr", NWFILTER_IP, NWFILTER_ARP_DST_IP),
        VALUE("arpdstipmask", NWFILTER_IP_MASK, NWFILTER_ARP_DST_IP_MASK),
        VALUE("gratuitous", NWFILTER_BOOL, NWFILTER_ARP_GRATUITOUS),
        {},
};

#define ADDRESSES(type_, mask_)                                                                              \
        VALUE("srcipaddr", type_, NWFILTER_SRC_IP), VALUE("srcipmask", mask_, NWFILTER_SRC_IP_MASK),         \
                VALUE("dstipaddr", type_, NWFILTER_DST_IP), VALUE("dstipmask", mask_, NWFILTER_DST_IP_MASK)
#define RANGES(type_)                                                                                        \
        VALUE("srcipfrom", type_, NWFILTER_SRC_IP_FROM), VALUE("srcipto", type_, NWFILTER_SRC_IP_TO),        \
                VALUE("dstipfrom", type_, NWFILTER_DST_IP_FROM), VALUE("dstipto", type_, NWFILTER_DST_IP_TO)

TABLE ip_addresses[] = { ADDRESSES(NWFILTER_IP, NWFILTER_IP_MASK), {} };
TABLE ipv6_addresses[] = { ADDRESSES(NWFILTER_IPV6, NWFILTER_IPV6_MASK), {} };
TABLE ip_ranges[] = { RANGES(NWFILTER_IP), {} };
TABLE ipv6_ranges[] = { RANGES(NWFILTER_IPV6), {} };

TABLE ip_protocol[] = {
        { "protocol", NWFILTER_NUMBER, NWFILTER_IP_PROTOCOL, .max = 0xff, .names = ip_protocols },
        {},
};
TABLE ports[] = {
        NUMBER("srcportstart", NWFILTER_SRC_PORT, 0xffff),
        NUMBER("srcportend", NWFILTER_SRC_PORT_END, 0xffff),
        NUMBER("dstportstart", NWFILTER_DST_PORT, 0xffff),
        NUMBER("dstportend", NWFILTER_DST_PORT_END, 0xffff),
        {},
};
TABLE dscp[] = { NUMBER("dscp", NWFILTER_DSCP, 0x3f), {} };
TABLE connections[] = {
        NUMBER("connlimit-above", NWFILTER_CONNECTIONS, 0xffff),
        VALUE("state", NWFILTER_STATE, NWFILTER_CT_STATE),
        {},
};
TABLE icmp[] = {
        NUMBER("type", NWFILTER_ICMP_TYPE, 0xff),
        NUMBER("code", NWFILTER_ICMP_CODE, 0xff),
        {},
};
TABLE icmp_ranges[] = {
        NUMBER("type", NWFILTER_ICMP_TYPE, 0xff),
        NUMBER("typeend", NWFILTER_ICMP_TYPE_END, 0xff),
        NUMBER("code", NWFILTER_ICMP_CODE, 0xff),
        NUMBER("codeend", NWFILTER_ICMP_CODE_END, 0xff),
        {},
};
TABLE tcp[] = {
        NUMBER("option", NWFILTER_TCP_OPTION, 0xff),
        VALUE("flags", NWFILTER_TCP_FLAGS, NWFILTER_FLAGS),
        {},
};
TABLE ipset[] = {
        VALUE("ipset", NWFILTER_IPSET, NWFILTER_SET),
        VALUE("ipsetflags", NWFILTER_IPSET_FLAGS, NWFILTER_SET_FLAGS),
        {},
};
TABLE comment[] = { VALUE("comment", NWFILTER_COMMENT, NWFILTER_COMMENTED), {} };

/* ---- protocols ---- */

#define TABLES(...)                                                                                          \
        (const struct nwfilter_attribute *const[])                                                           \
        {                                                                                                    \
                __VA_ARGS__, comment, NULL                                                                   \
        }
#define LINK(name_, match_, ipv6_, ...)                                                                      \
        {                                                                                                    \
                name_, NWFILTER_LINK, match_, ipv6_, TABLES(src_mac, src_mac_mask, __VA_ARGS__)              \
        }
#define NETWORK(name_, match_, ...)                                                                          \
        {                                                                                                    \
                name_, NWFILTER_NETWORK, "ether type ip" match_, false,                                      \
                        TABLES(src_mac, ip_addresses, ip_ranges, dscp, connections, __VA_ARGS__)             \
        }
#define NETWORK_IPV6(name_, match_, ...)                                                                     \
        {                                                                                                    \
                name_, NWFILTER_NETWORK, "ether type ip6" match_, true,                                      \
                        TABLES(src_mac, ipv6_addresses, ipv6_ranges, dscp, connections, __VA_ARGS__)         \
        }
#define BOTH(name_, name_ipv6_, match_, ...)                                                                 \
        NETWORK(name_, match_, __VA_ARGS__), NETWORK_IPV6(name_ipv6_, match_, __VA_ARGS__)

static const struct nwfilter_protocol protocols[] = {
        LINK("mac", NULL, false, dst_mac, mac),
        LINK("vlan", "ether type 0x8100", false, dst_mac, vlan),
        LINK("stp", "ether daddr 01:80:c2:00:00:00 @ll,112,24 0x424203", false, stp),
        LINK("arp", "ether type 0x0806", false, dst_mac, arp),
        LINK("rarp", "ether type 0x8035", false, dst_mac, arp),
        LINK("ip", "ether type ip", false, dst_mac, ip_addresses, ip_protocol, ports, dscp),
        LINK("ipv6", "ether type ip6", true, dst_mac, ipv6_addresses, ip_protocol, ports, icmp_ranges),
        BOTH("tcp", "tcp-ipv6", " meta l4proto 6", ports, tcp, ipset),
        BOTH("udp", "udp-ipv6", " meta l4proto 17", ports, ipset),
        BOTH("udplite", "udplite-ipv6", " meta l4proto 136", ipset),
        BOTH("esp", "esp-ipv6", " meta l4proto 50", ipset),
        BOTH("ah", "ah-ipv6", " meta l4proto 51", ipset),
        BOTH("sctp", "sctp-ipv6", " meta l4proto 132", ports, ipset),
        BOTH("all", "all-ipv6", "", ipset),
        NETWORK("icmp", " meta l4proto 1", icmp, ipset),
        NETWORK_IPV6("icmpv6", " meta l4proto 58", icmp, ipset),
        NETWORK("igmp", " meta l4proto 2", ipset),
        {},
};

const struct nwfilter_protocol *nwfilter_protocol_find(const char *name)
{
        for (const struct nwfilter_protocol *protocol = protocols; protocol->name; protocol++)
                if (strcmp(protocol->name, name) == 0)
                        return protocol;
        return NULL;
}

/* The documentation's names of attributes that documents have under another. */
static const char *translate(const char *name)
{
        static const char *const others[][2] = {
                { "msg-age", "age" },
                { "msg-age-hi", "age-hi" },
                { "port_hi", "port-hi" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
                if (strcmp(name, others[i][0]) == 0)
                        return others[i][1];
        return name;
}

const struct nwfilter_attribute *nwfilter_protocol_find_attribute(const struct nwfilter_protocol *protocol,
                                                                  const char *name)
{
        name = translate(name);
        for (unsigned i = 0; protocol->attributes[i]; i++)
                for (const struct nwfilter_attribute *row = protocol->attributes[i]; row->name; row++)
                        if (strcmp(row->name, name) == 0)
                                return row;
        return NULL;
}
