/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ports of Open vSwitch, by way of ovs-vsctl(8), which knows where its database is ($OVS_RUNDIR). What is put
 * into the database stays there, whatever becomes of the link, until somebody takes it out. In the lane that
 * is handed in, which waits.
 */

#include "interfaces/vlan.h"

#include <glib.h>
#include <stdbool.h>

struct lane;

struct switch_port {
        const char *link, *bridge;
        const char *interface_id; /* by which controllers know it (external-ids:iface-id) */
        const char *mac, *owner;  /* text; the guest's, and its uuid */
        const char *profile;      /* "": none */
        const struct vlan *vlan;
};

/* The link, which is there, becomes a port of the bridge, and of no other. Nothing is left after an error. */
bool openvswitch_add_port(struct lane *lane, const struct switch_port *port, GError **error);
/* One with that interface_id goes; if the link is another's by now, or in no bridge, nothing happens. */
bool openvswitch_remove_port(struct lane *lane, const char *link, const char *bridge,
                             const char *interface_id, GError **error);
