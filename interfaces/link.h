/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel says of a network link of the host (rtnetlink(7), include/uapi/linux/if_link.h): a
 * description that never changes once it is published, counted, for any thread; and all links of the host at
 * one moment.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Addresses and routes of one link that are kept; more are counted only. */
#define LINK_ADDRESSES_MAX 1024
#define LINK_ROUTES_MAX    256
/* ARP targets of a bond, as in the kernel (BOND_MAX_ARP_TARGETS). */
#define LINK_BOND_TARGETS_MAX 16

#define LINK_MAC_LENGTH 17
/* With the end: IFNAMSIZ, INET6_ADDRSTRLEN. */
#define LINK_NAME_SIZE 16
#define LINK_IP_SIZE   46

struct link_ip {
        uint8_t family;    /* AF_INET, AF_INET6 */
        uint8_t prefix;    /* in bits */
        uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct link_address {
        struct link_ip ip;
        struct link_ip peer; /* the other end's, of a link between two; family 0: there is none */
        uint8_t scope;       /* RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST */
        bool is_dynamic;     /* it expires: from DHCP or a router advertisement */
};

/* A unicast route of the main table out of the link. */
struct link_route {
        struct link_ip destination; /* prefix 0: the default route */
        struct link_ip gateway;     /* family 0: none, it is on the link */
        uint32_t metric;
        uint8_t protocol; /* RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC, RTPROT_RA, RTPROT_DHCP ... */
};

struct link_bridge {
        bool stp;
        unsigned delay_cs; /* forward delay, in hundredths of a second (USER_HZ) */
};

/* Documentation/networking/bonding.rst has the meaning of each. */
struct link_bond {
        uint8_t mode; /* 0 balance-rr ... 6 balance-alb */
        unsigned miimon_ms, up_delay_ms, down_delay_ms;
        bool use_carrier;
        unsigned arp_interval_ms;
        unsigned arp_validate; /* 0 none, 1 active, 2 backup, 3 all */
        unsigned n_arp_targets;
        struct link_ip arp_targets[LINK_BOND_TARGETS_MAX];
};

struct link {
        /* atomic */
        gint refs;
        /* const */
        int index;  /* the kernel's number, never used twice while it is up */
        int master; /* index of the bridge or bond that it is a port of; 0: none */
        int lower;  /* index of the link below a VLAN, macvtap ...; 0: none */
        char name[LINK_NAME_SIZE];
        char mac[LINK_MAC_LENGTH + 1]; /* "52:54:00:12:34:56"; "": it has none of six bytes */
        char *kind;          /* owned; "bridge", "bond", "vlan", "veth" ...; NULL: hardware, loopback */
        unsigned type;       /* ARPHRD_ETHER, ARPHRD_LOOPBACK ... */
        unsigned flags;      /* IFF_UP, IFF_RUNNING ... */
        unsigned mtu;        /* bytes */
        unsigned speed_mbps; /* 0: not known */
        uint8_t state;       /* IF_OPER_UP, IF_OPER_DOWN ... (RFC 2863) */
        unsigned vlan_id;
        struct link_bridge bridge;
        struct link_bond bond;
        GArray *addresses; /* ref, struct link_address, in the kernel's order; shared, never changed */
        GArray *routes;    /* ref, struct link_route, in the kernel's order; shared, never changed */
};

/* Any thread. */
struct link *link_ref(struct link *link);
/* NULL is fine. */
void link_unref(struct link *link);
/* With one reference, to be filled in before it is published; without addresses and routes. */
struct link *link_new(int index);
/* The same for one that begins as a copy; a changed array takes the place of a shared one. */
struct link *link_copy(const struct link *link);

/* Is it of that kind ("bridge")? */
bool link_is(const struct link *link, const char *kind);
bool link_is_up(const struct link *link);
/* Would a client see no difference? The order of addresses counts. */
bool link_equal(const struct link *a, const struct link *b);

/* All links of the host at one moment, sorted by name. Immutable, counted. */
struct link_set {
        /* atomic */
        gint refs;
        /* const */
        unsigned count;
        struct link **links; /* owned array of ref */
};

/* Takes a reference of each. */
struct link_set *link_set_new(struct link *const links[], unsigned count);
struct link_set *link_set_ref(struct link_set *set);
void link_set_unref(struct link_set *set);
/* Borrowed from the set; NULL when there is none. */
const struct link *link_set_find_name(const struct link_set *set, const char *name);
const struct link *link_set_find_index(const struct link_set *set, int index);

/* Fills in family and bytes, and the prefix with that of one host; false when text is no address. */
bool link_ip_parse(struct link_ip *ip, const char *text);
/* text has at least INET6_ADDRSTRLEN bytes; without the prefix. Returns text. */
const char *link_ip_format(const struct link_ip *ip, char *text);
/* Does the network that network stands for (its prefix) contain the address? */
bool link_ip_contains(const struct link_ip *network, const struct link_ip *ip);

DEFINE_CLEANUP(struct link, link_unref);
DEFINE_CLEANUP(struct link_set, link_set_unref);
