/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <virtualport>: its values, which types have which, and what becomes of several. No state; any thread. */
#include "interfaces/virtual-port.h"

#include "base/error.h"
#include "base/uuid.h"

#include <string.h>

#define HAS(value) (1U << VIRTUAL_PORT_##value)

static const struct kind {
        const char *name;
        unsigned required, optional;
        unsigned generated; /* of the required ones */
} kinds[VIRTUAL_PORT_TYPES] = {
        [VIRTUAL_PORT_UNSAID] = { "none", 0, ~0U, HAS(INSTANCE_ID) | HAS(INTERFACE_ID) },
        [VIRTUAL_PORT_802_1QBG] = { "802.1Qbg",
                                    HAS(MANAGER_ID) | HAS(TYPE_ID) | HAS(TYPE_ID_VERSION) | HAS(INSTANCE_ID),
                                    0, HAS(INSTANCE_ID) },
        [VIRTUAL_PORT_802_1QBH] = { "802.1Qbh", HAS(PROFILE_ID), 0, 0 },
        [VIRTUAL_PORT_OPENVSWITCH] = { "openvswitch", HAS(INTERFACE_ID), HAS(PROFILE_ID), HAS(INTERFACE_ID) },
        /* libvirt lets it have a profile, which nobody reads. */
        [VIRTUAL_PORT_MIDONET] = { "midonet", HAS(INTERFACE_ID), HAS(PROFILE_ID), 0 },
};

static const char *const value_names[VIRTUAL_PORT_VALUES] = {
        [VIRTUAL_PORT_MANAGER_ID] = "managerid",          [VIRTUAL_PORT_TYPE_ID] = "typeid",
        [VIRTUAL_PORT_TYPE_ID_VERSION] = "typeidversion", [VIRTUAL_PORT_INSTANCE_ID] = "instanceid",
        [VIRTUAL_PORT_INTERFACE_ID] = "interfaceid",      [VIRTUAL_PORT_PROFILE_ID] = "profileid",
};

const char *virtual_port_type_get_name(enum virtual_port_type type)
{
        return kinds[type].name;
}

enum virtual_port_type virtual_port_type_find(const char *name)
{
        for (unsigned i = VIRTUAL_PORT_UNSAID + 1; i < VIRTUAL_PORT_TYPES; i++)
                if (g_strcmp0(kinds[i].name, name) == 0)
                        return i;
        return VIRTUAL_PORT_UNSAID;
}

const char *virtual_port_value_get_name(enum virtual_port_value value)
{
        return value_names[value];
}

bool virtual_port_requires(enum virtual_port_type type, enum virtual_port_value value)
{
        return kinds[type].required & 1U << value;
}

bool virtual_port_allows(enum virtual_port_type type, enum virtual_port_value value)
{
        return (kinds[type].required | kinds[type].optional) & 1U << value;
}

void virtual_port_generate(struct virtual_port *port)
{
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++) {
                struct uuid uuid;

                if (!(kinds[port->type].generated & 1U << i) || virtual_port_says(port, i))
                        continue;
                uuid_generate(&uuid);
                uuid_format(&uuid, port->values[i]);
        }
}

/* ---- several ---- */

bool virtual_port_merge(struct virtual_port *to, const struct virtual_port *from, GError **error)
{
        if (!from->is_there)
                return true;
        if (to->type && from->type && to->type != from->type)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR,
                                 "attempt to merge virtualports with mismatched types (%s and %s)",
                                 kinds[to->type].name, kinds[from->type].name);
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++)
                if (virtual_port_says(to, i) && virtual_port_says(from, i) &&
                    strcmp(to->values[i], from->values[i]) != 0)
                        return error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR,
                                         "attempt to merge virtualports with mismatched %ss ('%s' and '%s')",
                                         value_names[i], to->values[i], from->values[i]);
        to->is_there = true;
        if (from->type)
                to->type = from->type;
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++)
                if (virtual_port_says(from, i))
                        memcpy(to->values[i], from->values[i], sizeof(to->values[i]));
        return true;
}

bool virtual_port_complete(struct virtual_port *port, GError **error)
{
        if (!port->is_there)
                return true;
        virtual_port_generate(port);
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++)
                if (virtual_port_requires(port->type, i) && !virtual_port_says(port, i))
                        return error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR,
                                         "missing %s in <virtualport type='%s'>", value_names[i],
                                         kinds[port->type].name);
        return true;
}
