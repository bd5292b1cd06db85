/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How an interface of the host is to be set up: libvirt's <interface> document (formatted by us in libvirt's
 * order) and a typed view of it. Immutable, counted; any thread.
 */

#include "base/error.h"
#include "interfaces/link.h"

struct interface_def;

enum interface_type {
        INTERFACE_ETHERNET,
        INTERFACE_BRIDGE,
        INTERFACE_BOND,
        INTERFACE_VLAN,
        INTERFACE_TYPES,
};
extern const char *const interface_type_names[INTERFACE_TYPES];

enum interface_start {
        INTERFACE_START_ABSENT,
        INTERFACE_START_NONE,
        INTERFACE_START_ONBOOT,
        INTERFACE_START_HOTPLUG, /* when the hardware appears, at start-up or later */
        INTERFACE_STARTS,
};
extern const char *const interface_start_names[INTERFACE_STARTS]; /* NULL: absent */

/* By the numbers of the kernel: BOND_MODE_*, BOND_ARP_VALIDATE_* (include/uapi/linux/if_bonding.h). */
#define INTERFACE_BOND_MODES    7
#define INTERFACE_ARP_VALIDATES 4
extern const char *const interface_bond_mode_names[INTERFACE_BOND_MODES];
extern const char *const interface_arp_validate_names[INTERFACE_ARP_VALIDATES];

/* <protocol family='ipv4'> or 'ipv6' */
struct interface_protocol {
        bool is_there;
        bool dhcp;
        bool no_peer_dns; /* the name servers that DHCP tells are not used */
        bool autoconf;    /* by router advertisements; IPv6 only */
        GArray *ips;      /* owned, struct link_ip; NULL: none */
        GArray *gateways; /* owned, struct link_ip: default routes; NULL: none */
};

#define INTERFACE_FAMILIES 2
/* At most this many of each in one document. */
#define INTERFACE_IPS_MAX   256
#define INTERFACE_PORTS_MAX 1024

struct interface_bridge {
        bool has_stp, stp;
        bool has_delay;
        unsigned delay_cs; /* hundredths of a second */
};

struct interface_def {
        /* atomic */
        gint refs;
        /* const */
        enum interface_type type;
        enum interface_start start;
        char name[LINK_NAME_SIZE];
        char mac[LINK_MAC_LENGTH + 1];                           /* "": none is asked for; lower case */
        unsigned mtu;                                            /* 0: none is asked for */
        struct interface_protocol protocols[INTERFACE_FAMILIES]; /* IPv4, IPv6 */
        struct interface_bridge bridge;
        struct link_bond bond;
        unsigned vlan_tag;
        char lower[LINK_NAME_SIZE]; /* what a VLAN is on */
        GPtrArray *ports; /* owned, struct interface_def, ref: of a bridge or bond, without protocols */
        char *xml;        /* owned; canonical text; NULL for a port */
};

/*
 * Reads and checks a document. Errors: ERROR_XML_ERROR naming element and line, ERROR_CONFIG_UNSUPPORTED for
 * what libvirt has no form for either (a bridge in a bridge).
 */
struct interface_def *interface_def_parse(const char *xml, GError **error);
/* Strict: unknown elements and attributes are refused (the VALIDATE flag). */
bool interface_def_validate(const char *xml, GError **error);
struct interface_def *interface_def_ref(struct interface_def *def);
void interface_def_unref(struct interface_def *def);

/* What kind of link it makes: "bridge", "bond", "vlan"; NULL: none, the link is there or it is not. */
const char *interface_def_get_kind(const struct interface_def *def);
/* Is the link of that name part of the definition: itself, a port at any depth, what it is on? */
bool interface_def_uses(const struct interface_def *def, const char *name);

/* Can the kernel have a link of that name (dev_valid_name())? Fills *error with what is wrong with it. */
bool interface_check_name(const char *name, GError **error);

/*
 * The document that describes link as it is now among all links: addresses, ports, link state and speed. What
 * is asked for and cannot be seen in the kernel (DHCP, start mode) comes from def; NULL: there is none.
 * config: the form that interface_def_parse() takes, to set it up as it is now; addresses that expire become
 * <dhcp/> or <autoconf/>, taps are left out. Owned.
 */
char *interface_format_live(const struct link *link, const struct link_set *set,
                            const struct interface_def *def, bool config);

DEFINE_CLEANUP(struct interface_def, interface_def_unref);
