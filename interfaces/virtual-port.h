/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a switch is told of a guest's interface: <virtualport> of libvirt's documents (formatdomain,
 * formatnetwork). No state; any thread.
 */

#include <glib.h>
#include <stdbool.h>

enum virtual_port_type {
        VIRTUAL_PORT_UNSAID, /* of a network or a port group, it is to be */
        VIRTUAL_PORT_802_1QBG,
        VIRTUAL_PORT_802_1QBH,
        VIRTUAL_PORT_OPENVSWITCH,
        VIRTUAL_PORT_MIDONET,
        VIRTUAL_PORT_TYPES,
};

enum virtual_port_value {
        VIRTUAL_PORT_MANAGER_ID,
        VIRTUAL_PORT_TYPE_ID,
        VIRTUAL_PORT_TYPE_ID_VERSION,
        VIRTUAL_PORT_INSTANCE_ID,
        VIRTUAL_PORT_INTERFACE_ID,
        VIRTUAL_PORT_PROFILE_ID,
        VIRTUAL_PORT_VALUES,
};

/* Of a profile; as of the kernel's PORT_PROFILE_MAX. */
#define VIRTUAL_PORT_TEXT_MAX 39

struct virtual_port {
        bool is_there;
        enum virtual_port_type type;
        /* As they are always written: numbers, UUIDs, a name; "": not said. */
        char values[VIRTUAL_PORT_VALUES][VIRTUAL_PORT_TEXT_MAX + 1];
};

static inline bool virtual_port_says(const struct virtual_port *port, enum virtual_port_value value)
{
        return port->values[value][0] != '\0';
}

/* "openvswitch", "none"; VIRTUAL_PORT_UNSAID when there is no such one, or name is NULL. */
const char *virtual_port_type_get_name(enum virtual_port_type type);
enum virtual_port_type virtual_port_type_find(const char *name);
/* "interfaceid" */
const char *virtual_port_value_get_name(enum virtual_port_value value);
bool virtual_port_requires(enum virtual_port_type type, enum virtual_port_value value);
bool virtual_port_allows(enum virtual_port_type type, enum virtual_port_value value);

/* Identifiers that may be left out are chosen. */
void virtual_port_generate(struct virtual_port *port);

/*
 * What `from` says and `to` does not, `to` says as well: interface, network and port group in this order.
 * Where they say different things, an error as of libvirt.
 */
bool virtual_port_merge(struct virtual_port *to, const struct virtual_port *from, GError **error);
/* The identifiers that may be left out; then, as with libvirt, nothing may be missing. */
bool virtual_port_complete(struct virtual_port *port, GError **error);
