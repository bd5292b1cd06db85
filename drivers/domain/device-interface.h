/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Network interfaces, as a definition names them. Part of device.h, which says what holds for
 * all of them.
 */

#include "drivers/domain/address.h"
#include "interfaces/traffic.h"
#include "interfaces/virtual-port.h"
#include "interfaces/vlan.h"

#include <stdbool.h>
#include <stdint.h>

enum domain_interface_type {
        DOMAIN_INTERFACE_USER,
        DOMAIN_INTERFACE_ETHERNET,
        DOMAIN_INTERFACE_VHOSTUSER,
        DOMAIN_INTERFACE_SERVER,
        DOMAIN_INTERFACE_CLIENT,
        DOMAIN_INTERFACE_MCAST,
        DOMAIN_INTERFACE_NETWORK,
        DOMAIN_INTERFACE_BRIDGE,
        DOMAIN_INTERFACE_INTERNAL,
        DOMAIN_INTERFACE_DIRECT,
        DOMAIN_INTERFACE_HOSTDEV,
        DOMAIN_INTERFACE_UDP,
        DOMAIN_INTERFACE_VDPA,
        DOMAIN_INTERFACE_NULL,
        DOMAIN_INTERFACE_VDS,
        DOMAIN_INTERFACE_LAST,
} __attribute__((packed));

/* <ip family= address= prefix=> */
struct domain_ip {
        const char *family; /* "ipv4", "ipv6" */
        const char *address;
        const char *peer;
        uint32_t prefix; /* 0: none */
};

/* <route>: to a network by way of a gateway, as written. */
struct domain_route {
        const char *family; /* "ipv4", "ipv6"; NULL: ipv4 */
        const char *address;
        const char *netmask; /* NULL: none */
        const char *gateway;
        uint32_t prefix; /* 0: none */
        uint32_t metric; /* 0: none */
};

/* <ip> and <route> of the <source>: what the host has on the tap, and out of it. */
struct domain_host_ips {
        const struct domain_ip *ips;
        const struct domain_route *routes;
        uint32_t n_ips, n_routes;
};

/* <portForward>: ports of the host that lead to the guest, of the user network. */
struct domain_port_range {
        uint32_t start, end;        /* end 0: start alone */
        uint32_t to;                /* the guest's, for start; 0: the same */
        enum domain_switch exclude; /* these do not */
};
struct domain_port_forward {
        const char *proto;   /* "tcp", "udp" */
        const char *address; /* where the host listens; NULL: everywhere */
        const char *dev;     /* on which device of the host; NULL: on all */
        const struct domain_port_range *ranges;
        uint32_t n_ranges; /* 0: all ports */
};

/* A value for a variable of the filter; several of one name are a list. */
struct domain_filter_param {
        const char *name;
        const char *value;
};

/* <driver><host> and <guest>: what of the work on packets the other side does. */
enum domain_offload {
        DOMAIN_OFFLOAD_CSUM,
        DOMAIN_OFFLOAD_TSO4,
        DOMAIN_OFFLOAD_TSO6,
        DOMAIN_OFFLOAD_ECN,
        DOMAIN_OFFLOAD_UFO,
        DOMAIN_OFFLOAD_GSO,       /* host alone */
        DOMAIN_OFFLOAD_MRG_RXBUF, /* host alone */
        DOMAIN_OFFLOADS,
};

/* The <backend> of an interface of type user that is served by passt. */
struct domain_passt {
        const char *log_file;         /* logFile= */
        const char *host_name, *fqdn; /* what it tells the guest that it is called */
};

struct domain_interface {
        struct domain_device_info info;
        enum domain_interface_type type;
        bool has_mac;
        bool managed; /* hostdev: it leaves its driver for the guest's time */
        uint8_t mac[6];
        enum domain_switch link_up;        /* <link state='up|down'> */
        enum domain_switch target_managed; /* ethernet */
        enum domain_switch ioeventfd;
        enum domain_switch event_idx;
        enum domain_switch isolated; /* <port isolated=> */
        enum domain_switch trust_guest_rx_filters;
        struct domain_virtio virtio;
        enum domain_switch host_offloads[DOMAIN_OFFLOADS];
        enum domain_switch guest_offloads[DOMAIN_OFFLOADS];
        enum domain_switch rss;             /* receive side scaling */
        enum domain_switch rss_hash_report; /* and what it has computed for it */
        enum domain_switch reconnect;       /* vhostuser, as client */
        uint32_t reconnect_timeout_s;
        bool persistent;             /* <teaming type='persistent'>: it stays when its partner goes */
        bool listens;                /* vhostuser: the other side connects */
        const char *teaming_partner; /* <teaming type='transient' persistent=>: alias of the other one */
        const char *path;            /* vhostuser: socket */
        const char *host;            /* mcast, server, client, udp: NULL: this one, or all of it */
        const char *local_host;      /* udp: <local address=> */
        uint32_t port, local_port;
        const char *source;                 /* bridge, network or device, as the type says */
        const char *source_mode;            /* direct: "bridge", "vepa", "private", "passthrough" */
        struct domain_address_pci host_pci; /* hostdev: which PCI device of the host */
        const char *portgroup;
        const char *network;        /* active, not of type network: the network that has led there */
        const char *network_bridge; /* active, type network: the bridge in use */
        const char *port_id;        /* active: that of the network */
        const char *model;          /* "virtio", "e1000e" ...; NULL: normalisation fills it in */
        const char *target;         /* <target dev=>: the tap's name on the host */
        const char *script;         /* ethernet: run when the tap has come */
        const char *downscript;     /* the same when it has gone */
        const char *tap_device,
                *vhost_device; /* <backend>: other files than the kernel's usual ones; NULL: those */
        const char *driver;    /* <driver name=>: "qemu", "vhost"; hostdev: "vfio" */
        const char *txmode;    /* "iothread", "timer" */
        const char *backend;   /* <backend type=>, user: "default" (QEMU's own), "passt" */
        const struct domain_passt *passt; /* user: what is said of it; NULL: nothing */
        const struct domain_ip *ips;
        const struct domain_host_ips *host_ips; /* ethernet; NULL: none */
        const struct domain_port_forward *forwards;
        uint32_t n_ips;
        uint32_t n_forwards;
        const char *filter; /* <filterref filter=>: what it may send and receive; NULL: everything */
        const struct domain_filter_param *filter_params;
        uint32_t n_filter_params;
        uint32_t coalesce_frames; /* <coalesce>: that many packets come at once at most; 0: as the kernel has
                                     it */
        uint32_t mtu;             /* 0: the default, as with those below */
        uint32_t queues;
        uint32_t rx_queue_size;
        uint32_t tx_queue_size;
        uint32_t sndbuf;
        struct traffic bandwidth;
        struct virtual_port virtual_port; /* its own; active: also its network's and port group's */
        struct vlan vlan;                 /* its own; those of its network and port group are the port's */
};
