/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ports of virtual networks: where guests are plugged in. A port is an immutable, counted description (struct
 * network_port, any thread); those that a network has are an immutable set in its published state. What has a
 * port, holds a struct network_use: it is taken and given back in the network's lane.
 *
 * A port outlives what the network does: one that is stopped keeps its ports, and plugs their taps in again
 * when it starts. They are not written down: whoever finds the guest makes them again
 * (network_use_restore()).
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "base/object-set.h"
#include "base/params.h"
#include "drivers/network/network-def.h"
#include "interfaces/traffic.h"
#include "interfaces/vlan.h"

#include <glib.h>
#include <stdbool.h>

struct managed;
struct network;
struct networks;

/* What a guest is plugged into. */
enum network_plug {
        NETWORK_PLUG_NETWORK, /* the network's own bridge */
        NETWORK_PLUG_BRIDGE,  /* a bridge of the host */
        NETWORK_PLUG_DIRECT,  /* a macvtap on a device of the host */
        NETWORK_PLUG_HOSTDEV, /* a PCI device of the host */
        NETWORK_PLUG_COUNT,
};

struct network_port {
        /* atomic */
        gint refs;
        /* const */
        char *uuid;               /* owned; text */
        char *owner, *owner_uuid; /* owned; the domain */
        char *mac;                /* owned; of the guest's interface */
        char *group;              /* owned; the port group that counts; NULL: none */
        enum network_plug plug;
        char *bridge;                     /* owned; NULL unless there is one */
        char *device, *mode;              /* owned; DIRECT: on which, and how ("bridge", "vepa" ...) */
        char *pci;                        /* owned; HOSTDEV: its address, "0000:3b:00.1" */
        char *driver;                     /* owned; HOSTDEV: "vfio"; NULL: not said */
        bool managed;                     /* HOSTDEV: it leaves its driver for the guest's time */
        char *target;                     /* owned; the tap on the host; NULL: none yet */
        unsigned mtu;                     /* 0: the default */
        struct traffic bandwidth;         /* of the interface, else of its port group */
        struct traffic group_bandwidth;   /* of its port group */
        uint16_t floor_class;             /* of what it is guaranteed (interfaces/traffic.h); 0: nothing */
        struct vlan vlan;                 /* of the interface, else of its port group, else of the network */
        enum network_trust trust;         /* found out likewise */
        struct virtual_port virtual_port; /* of all three; complete */
        bool isolated;                    /* from the network's other isolated ports */
        char *xml;                        /* owned; libvirt's <networkport> */
};

struct network_port *network_port_ref(struct network_port *port);
/* NULL is fine. */
void network_port_unref(struct network_port *port);

/* "network", "bridge", "direct", "hostdev-pci" */
const char *network_plug_get_name(enum network_plug plug);

extern const struct object_set_kind network_port_kind;

/* ---- having one ---- */

/* What asks for a port. The strings are borrowed during the call. */
struct network_port_request {
        const char *network;            /* its name */
        const char *group;              /* NULL: the one that is the default */
        const char *owner, *owner_uuid; /* name and uuid of the domain */
        const char *mac;
        struct traffic bandwidth;
        struct vlan vlan;         /* of the interface itself */
        enum network_trust trust; /* likewise */
        struct virtual_port virtual_port;
        /* Of a guest that was found running, as its document says; uuid NULL: a new port. */
        const char *uuid, *bridge, *device, *mode, *target, *pci, *driver;
        bool managed;
        enum network_plug plug;
};

struct network_use;

/* Loop. NULL with ERROR_NO_NETWORK when there is no network of that name. */
struct network_use *network_use_new(struct networks *networks, const struct network_port_request *request,
                                    GError **error);
/* Any thread; gives nothing back. NULL is fine. */
void network_use_free(struct network_use *use);
/* Const, borrowed: the network, in whose lane it is taken. */
struct managed *network_use_get_network(const struct network_use *use);
/*
 * In its lane: makes the port. A network that is defined and not active is started for it, unless the
 * configuration forbids that. ERROR_OPERATION_INVALID when it is not active then, or what the start
 * says.
 */
bool network_use_take(struct network_use *use, GError **error);
/* In its lane: takes it back. */
void network_use_drop(struct network_use *use);
/* Any thread: it goes back, in the network's lane. Takes use; NULL is fine. */
void network_use_give_back(struct network_use *use);
/* Loop: a guest that was found running has it, whatever the network says. */
void network_use_restore(struct network_use *use);
/* Any thread, after it was taken: the tap on the host is target, with limits of its own or none. */
void network_use_note(struct network_use *use, const char *target, const struct traffic *bandwidth);
/* What was taken; borrowed. After network_use_take(), or of one that was restored. */
const struct network_port *network_use_get_port(const struct network_use *use);

/* ---- reads ---- */

/* Loop: *ports is those of the network now; borrowed from the published state, NULL: none. flags: none. */
bool network_list_ports(const struct network *network, unsigned flags, const struct object_set **ports,
                        GError **error);

/* Loop: borrowed from the published state; NULL with ERROR_NO_NETWORK_PORT. */
const struct network_port *network_find_port(const struct network *network, const char *uuid, GError **error);

/* virNetworkPortGetParameters(): inbound.average ... (kB/s, KiB); owned. flags: none. */
struct params *network_port_get_params(const struct network_port *port, unsigned flags, GError **error);

/* ---- changes ---- */

/* What a port's parameters are, for params_accept(). */
extern const struct param_table network_port_param_table;

/*
 * Loop: virNetworkPortSetParameters(). As with libvirt the tap's own limits are the guest's to change: this
 * is what the network knows, and guarantees (inbound.floor). Takes params, which went through the table.
 * flags: none.
 */
void network_port_set_params(struct network *network, const char *uuid, struct params *params, unsigned flags,
                             managed_done done, void *data);

/*
 * Loop: where the host is in an active network, for what is to listen there: its first address, as text and
 * owned, or in *device, owned, the link of the host that has one. NULL with an error when it is not active,
 * or the host has no part in it.
 */
char *network_find_address(struct networks *networks, const char *name, char **device, GError **error);

DEFINE_CLEANUP(struct network_port, network_port_unref);
