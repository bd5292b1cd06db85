/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The definition of a virtual network (libvirt's formatnetwork, version 9.0): its canonical XML text and a
 * typed view of it. Immutable, counted, any thread. What the format does not know is not kept, as with
 * libvirt; metadata is. Absent strings are NULL.
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "drivers/network/network-address.h"
#include "interfaces/traffic.h"
#include "interfaces/virtual-port.h"
#include "interfaces/vlan.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds; more is refused by name. */
#define NETWORK_NAME_MAX   250     /* bytes */
#define NETWORK_DEVICE_MAX 15      /* bytes of the name of an interface: IFNAMSIZ without the NUL */
#define NETWORK_HOSTS_MAX  16384   /* <host> elements of one network, DHCP's and DNS's each */
#define NETWORK_PARTS_MAX  256     /* any other element that may be repeated */
#define NETWORK_RANGE_MAX  0x10000 /* addresses in one range */

enum network_forward {
        NETWORK_FORWARD_NONE, /* isolated: no <forward> */
        NETWORK_FORWARD_NAT,
        NETWORK_FORWARD_ROUTE,
        NETWORK_FORWARD_OPEN,
        NETWORK_FORWARD_BRIDGE,
        NETWORK_FORWARD_PRIVATE,
        NETWORK_FORWARD_VEPA,
        NETWORK_FORWARD_PASSTHROUGH,
        NETWORK_FORWARD_HOSTDEV,
        NETWORK_FORWARD_COUNT,
};

const char *network_forward_get_name(enum network_forward forward); /* "nat" ...; NULL: NONE */
/* Is there a bridge of our own below it: none, nat, route, open? */
bool network_forward_has_own_bridge(enum network_forward forward);

/* trustGuestRxFilters: may a guest say what it receives? */
enum network_trust {
        NETWORK_TRUST_UNSAID,
        NETWORK_TRUST_NO,
        NETWORK_TRUST_YES,
};

/* For how long an address is lent, in seconds. */
#define NETWORK_LEASE_DEFAULT  (-1) /* not given */
#define NETWORK_LEASE_INFINITE 0

struct network_range {
        struct network_address start, end;
        int64_t lease_s; /* or NETWORK_LEASE_... */
};

/* <dhcp><host> */
struct network_host {
        char *mac;                      /* owned; as given */
        char *id;                       /* owned; DHCPv6 client id */
        char *name;                     /* owned */
        struct network_address address; /* AF_UNSPEC: none given */
        int64_t lease_s;                /* or NETWORK_LEASE_... */
};

/* <ip> */
struct network_ip {
        struct network_address address;
        unsigned prefix;    /* also where neither prefix nor netmask is given: by the class; 64 */
        bool local_ptr;     /* reverse queries are not forwarded */
        char *tftp_root;    /* owned */
        char *bootp_file;   /* owned */
        char *bootp_server; /* owned */
        GPtrArray *ranges;  /* owned; of struct network_range */
        GPtrArray *hosts;   /* owned; of struct network_host */
        bool has_dhcp;
};

struct network_route {
        struct network_address address, gateway;
        unsigned prefix;
        unsigned metric; /* 0: not given */
};

struct network_forwarder {
        char *domain;                   /* owned; NULL: for all */
        struct network_address address; /* AF_UNSPEC: the domain is not forwarded elsewhere */
};

struct network_txt {
        char *name;  /* owned */
        char *value; /* owned */
};

struct network_srv {
        char *service, *protocol;        /* owned */
        char *domain, *target;           /* owned */
        unsigned port, priority, weight; /* 0: not given */
};

/* <dns><host> */
struct network_dns_host {
        struct network_address address;
        char **names; /* owned; at least one */
};

struct network_dns {
        bool disabled;
        bool keep_plain_names; /* forwardPlainNames='no' */
        GPtrArray *forwarders; /* owned; of struct network_forwarder */
        GPtrArray *txts;       /* owned; of struct network_txt */
        GPtrArray *srvs;       /* owned; of struct network_srv */
        GPtrArray *hosts;      /* owned; of struct network_dns_host */
};

/* <nat> */
struct network_nat {
        struct network_address start, end; /* AF_UNSPEC: not given */
        unsigned port_start, port_end;     /* 0: not given */
        bool ipv6;
};

/* <portgroup> */
struct network_portgroup {
        char *name; /* owned */
        bool is_default;
        struct traffic bandwidth; /* of each interface in it */
        struct vlan vlan;         /* likewise */
        enum network_trust trust; /* likewise */
        struct virtual_port virtual_port;
        const char *unsupported; /* what is in it and cannot be had; NULL: nothing */
};

struct network_def {
        struct definition base;
        enum network_forward forward;
        char *forward_device;          /* owned; out of which it goes; NULL: any */
        GPtrArray *forward_interfaces; /* owned; names; of modes other than NONE */
        GPtrArray *forward_functions;  /* owned; addresses of PCI devices, "0000:3b:00.1"; of mode HOSTDEV */
        char *forward_physical; /* owned; the interface whose virtual functions are the pool; NULL: none */
        char *forward_driver;   /* owned; of mode HOSTDEV; NULL: not said */
        bool forward_managed;   /* likewise */
        struct network_nat nat;
        char *bridge;      /* owned; name */
        char *bridge_zone; /* owned; of firewalld */
        bool bridge_stp;
        unsigned bridge_delay_s; /* seconds a port listens and learns, each */
        char *mac;               /* owned; of the bridge */
        unsigned mtu;            /* 0: not given */
        char *domain;            /* owned; of DNS */
        bool domain_local_only;
        bool ipv6; /* guests talk IPv6 with each other without an address of ours */
        bool isolated_ports;
        struct traffic bandwidth; /* of all that goes over the bridge */
        struct vlan vlan;         /* of each interface in it whose port group has none */
        enum network_trust trust; /* likewise, where that says nothing */
        struct virtual_port virtual_port;
        struct network_dns dns;
        GPtrArray *ips;          /* owned; of struct network_ip */
        GPtrArray *routes;       /* owned; of struct network_route */
        GPtrArray *portgroups;   /* owned; of struct network_portgroup */
        GPtrArray *options;      /* owned; lines for the file of dnsmasq */
        const char *unsupported; /* what is in it and cannot be run; NULL: nothing */
};

extern const struct managed_kind network_kind;

/*
 * A definition from a text: read, checked, completed (a uuid, the defaults of the bridge), put in libvirt's
 * order. Nothing that reaches a configuration file of dnsmasq has a control character in it. Errors:
 * ERROR_FROM_XML or ERROR_FROM_NETWORK, with element and line where the document is at fault.
 */
struct network_def *network_def_parse(const char *xml, GError **error);

/* An <ip> without an address: a network of that family and size is to be chosen for it. */
struct network_wish {
        const char *uuid; /* as it stands in the document, may be anything; NULL: none */
        unsigned index;   /* of the <ip> */
        int family;       /* AF_INET, AF_INET6 */
        unsigned prefix;
};
struct network_chooser {
        /* *first becomes its first address. */
        bool (*choose)(const struct network_wish *wish, struct network_address *first, void *data,
                       GError **error);
        void *data; /* borrowed */
};
/* The same of a text in which addresses may be left out; an empty <dhcp> gets a range then. */
struct network_def *network_def_parse_new(const char *xml, const struct network_chooser *chooser,
                                          GError **error);

/*
 * A new definition of the same with a bridge of that name and a MAC address for it, where it has none; either
 * may be NULL.
 */
struct network_def *network_def_with_bridge(const struct network_def *def, const char *bridge,
                                            const char *mac, GError **error);

/* virNetworkUpdateCommand */
enum network_update_command {
        NETWORK_UPDATE_MODIFY = 1,
        NETWORK_UPDATE_DELETE = 2,
        NETWORK_UPDATE_ADD_LAST = 3,
        NETWORK_UPDATE_ADD_FIRST = 4,
};

/* virNetworkUpdateSection */
enum network_update_section {
        NETWORK_SECTION_BRIDGE = 1,
        NETWORK_SECTION_DOMAIN = 2,
        NETWORK_SECTION_IP = 3,
        NETWORK_SECTION_IP_DHCP_HOST = 4,
        NETWORK_SECTION_IP_DHCP_RANGE = 5,
        NETWORK_SECTION_FORWARD = 6,
        NETWORK_SECTION_FORWARD_INTERFACE = 7,
        NETWORK_SECTION_FORWARD_PF = 8,
        NETWORK_SECTION_PORTGROUP = 9,
        NETWORK_SECTION_DNS_HOST = 10,
        NETWORK_SECTION_DNS_TXT = 11,
        NETWORK_SECTION_DNS_SRV = 12,
};

struct network_update {
        unsigned command; /* enum network_update_command, from a client */
        unsigned section; /* enum network_update_section, from a client */
        int parent_index; /* which <ip>; -1: the one that fits */
        const char *xml;  /* one element; with DELETE, what names the one that is meant */
};

/*
 * A new definition: def with one element changed, and checked as a whole. NULL with an error:
 * ERROR_OPERATION_INVALID when the element is not there, or there already; ERROR_OPERATION_UNSUPPORTED when
 * that section or command cannot be edited, as with libvirt.
 */
struct network_def *network_def_update(const struct network_def *def, const struct network_update *update,
                                       GError **error);

/* The port group of that name, the default one for NULL; borrowed, NULL: there is none. */
const struct network_portgroup *network_def_find_portgroup(const struct network_def *def, const char *name);

/* Does it lead to what can have tags of VLANs: a bridge of the host, PCI devices? */
bool network_forward_takes_vlan(const struct network_def *def);

/*
 * The PCI devices that a network of mode HOSTDEV has at the moment, addresses; owned. Reads sysfs.
 */
char **network_list_functions(const struct network_def *def);

/* virNetworkMetadataType */
enum network_metadata_type {
        NETWORK_METADATA_DESCRIPTION = 0,
        NETWORK_METADATA_TITLE = 1,
        NETWORK_METADATA_ELEMENT = 2,
};

struct network_metadata {
        int type;         /* enum network_metadata_type, from a client */
        const char *text; /* NULL removes what there is */
        const char *key;  /* of an element: its prefix */
        const char *uri;  /* of an element: its namespace */
};

/* A new definition with that in it; NULL with ERROR_INVALID_ARG, or the error of the text. */
struct network_def *network_def_with_metadata(const struct network_def *def,
                                              const struct network_metadata *metadata, GError **error);
/* Owned; NULL with ERROR_NO_NETWORK_METADATA, or ERROR_INVALID_ARG. uri is not NULL. */
char *network_def_get_metadata(const struct network_def *def, int type, const char *uri, GError **error);

/* For the kind. */
void network_def_free(struct definition *definition);

static inline struct network_def *network_def_of(struct definition *definition)
{
        return (struct network_def *)definition;
}

static inline void network_def_unref(struct network_def *def)
{
        if (def)
                definition_unref(&def->base);
}

DEFINE_CLEANUP(struct network_def, network_def_unref);
