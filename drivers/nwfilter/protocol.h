/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What rules of network filters may match: protocols, their attributes in libvirt's order, and the types of
 * values. Constant tables and functions of values; any thread.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum nwfilter_type {
        NWFILTER_NUMBER,   /* decimal or 0x.., between min and max; or one of names */
        NWFILTER_MAC,      /* 00:11:22:33:44:55 */
        NWFILTER_MAC_MASK, /* the same, ones before zeros */
        NWFILTER_IP,
        NWFILTER_IP_MASK, /* /n, or dotted */
        NWFILTER_IPV6,
        NWFILTER_IPV6_MASK,
        NWFILTER_BOOL,
        NWFILTER_TCP_FLAGS, /* mask/flags */
        NWFILTER_STATE,
        NWFILTER_IPSET,
        NWFILTER_IPSET_FLAGS,
        NWFILTER_COMMENT,
};

/* What an attribute is about, whatever its protocol: how it becomes a match of nft (match.c). */
enum nwfilter_field {
        NWFILTER_SRC_MAC,
        NWFILTER_SRC_MAC_MASK,
        NWFILTER_DST_MAC,
        NWFILTER_DST_MAC_MASK,
        NWFILTER_ETHER_TYPE,
        NWFILTER_VLAN_ID,
        NWFILTER_VLAN_TYPE,
        NWFILTER_BITS, /* size bits at offset in the frame; a range up to the next attribute */
        NWFILTER_BITS_HI,
        NWFILTER_BITS_MASK, /* of the one before it */
        NWFILTER_ARP_SRC_MAC,
        NWFILTER_ARP_DST_MAC,
        NWFILTER_ARP_SRC_IP,
        NWFILTER_ARP_SRC_IP_MASK,
        NWFILTER_ARP_DST_IP,
        NWFILTER_ARP_DST_IP_MASK,
        NWFILTER_ARP_BITS, /* size bits at offset behind the header of the link */
        NWFILTER_ARP_GRATUITOUS,
        NWFILTER_SRC_IP,
        NWFILTER_SRC_IP_MASK,
        NWFILTER_DST_IP,
        NWFILTER_DST_IP_MASK,
        NWFILTER_SRC_IP_FROM,
        NWFILTER_SRC_IP_TO,
        NWFILTER_DST_IP_FROM,
        NWFILTER_DST_IP_TO,
        NWFILTER_IP_PROTOCOL,
        NWFILTER_SRC_PORT,
        NWFILTER_SRC_PORT_END,
        NWFILTER_DST_PORT,
        NWFILTER_DST_PORT_END,
        NWFILTER_DSCP,
        NWFILTER_ICMP_TYPE,
        NWFILTER_ICMP_TYPE_END,
        NWFILTER_ICMP_CODE,
        NWFILTER_ICMP_CODE_END,
        NWFILTER_TCP_OPTION,
        NWFILTER_FLAGS,
        NWFILTER_CONNECTIONS,
        NWFILTER_CT_STATE,
        NWFILTER_SET,
        NWFILTER_SET_FLAGS,
        NWFILTER_COMMENTED,
        NWFILTER_FIELD_COUNT,
};

struct nwfilter_name {
        const char *name; /* NULL ends a table */
        uint32_t number;
};

struct nwfilter_attribute {
        const char *name; /* NULL ends a table */
        enum nwfilter_type type;
        enum nwfilter_field field;
        uint32_t min, max;                 /* of NWFILTER_NUMBER */
        const struct nwfilter_name *names; /* of NWFILTER_NUMBER; NULL: none */
        uint16_t offset, size;             /* of NWFILTER_BITS.. and NWFILTER_ARP_BITS, in bits */
};

/* Where a rule is applied: all that passes the first is seen by the second. */
enum nwfilter_layer {
        NWFILTER_LINK,    /* mac, vlan, stp, arp, rarp, ip, ipv6: without connections, in chains */
        NWFILTER_NETWORK, /* the others: with connections, in one list */
};

struct nwfilter_protocol {
        const char *name; /* "tcp-ipv6"; NULL ends the table */
        enum nwfilter_layer layer;
        const char *match;                                  /* what of nft tells its packets; NULL: all */
        bool ipv6;                                          /* of those with addresses */
        const struct nwfilter_attribute *const *attributes; /* tables in order; NULL ends */
};

/* NULL: there is none. */
const struct nwfilter_protocol *nwfilter_protocol_find(const char *name);
/* Also by other names that libvirt's documentation has for it. NULL: there is none. */
const struct nwfilter_attribute *nwfilter_protocol_find_attribute(const struct nwfilter_protocol *protocol,
                                                                  const char *name);

/* ---- values ---- */

struct nwfilter_value {
        char *text;      /* owned; canonical, as documents have it */
        uint32_t number; /* of numbers, names, masks of IP addresses (bits), booleans, flags (mask << 8 |
                            flags) */
        uint64_t mac;
        uint8_t address[16]; /* in the order of the network; of IPv4 addresses the first four bytes */
};

/* False, and nothing to clear, when text is no value of that attribute. */
bool nwfilter_value_parse(const struct nwfilter_attribute *attribute, const char *text,
                          struct nwfilter_value *value);
void nwfilter_value_clear(struct nwfilter_value *value);

/* "$NAME", "$NAME[3]", "$NAME[@3]" */
struct nwfilter_variable {
        char *name;     /* owned */
        bool has_index; /* that element; else all, by the iterator of that number */
        unsigned number;
};

#define NWFILTER_ITERATORS_MAX 256
#define NWFILTER_VARIABLE_MAX  64

static inline bool nwfilter_is_variable(const char *text)
{
        return text[0] == '$';
}

/* May a variable stand for it? */
bool nwfilter_attribute_takes_variables(const struct nwfilter_attribute *attribute);
/* False, and nothing to clear, when text is none. */
bool nwfilter_variable_parse(const char *text, struct nwfilter_variable *variable);
void nwfilter_variable_clear(struct nwfilter_variable *variable);
/* Canonical; owned. */
char *nwfilter_variable_format(const struct nwfilter_variable *variable);
bool nwfilter_is_variable_name(const char *name);
