/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a port leads, and what it has of its network and port group. No state of its own; in the network's
 * lane.
 */
#include "base/error.h"
#include "drivers/network/model.h"

#include <limits.h>
#include <string.h>

void network_port_set_bandwidth(struct network_port *port, const struct traffic *own)
{
        uint32_t floor_kbps = own->inbound.floor_kbps;

        port->bandwidth = traffic_is_limited(own) ? *own : port->group_bandwidth;
        port->bandwidth.inbound.floor_kbps = floor_kbps;
}

/* What of the network and the group counts for every port. */
static void inherit(struct network_port *port, const struct network_def *def,
                    const struct network_portgroup *group)
{
        port->mtu = def->mtu;
        port->isolated = def->isolated_ports;
        if (group && !port->group)
                port->group = g_strdup(group->name);
        if (group)
                port->group_bandwidth = group->bandwidth;
        network_port_set_bandwidth(port, &port->bandwidth);
        if (!port->trust && group)
                port->trust = group->trust;
        if (!port->trust)
                port->trust = def->trust;
        if (!vlan_is_set(&port->vlan) && group)
                port->vlan = group->vlan;
        if (!vlan_is_set(&port->vlan))
                port->vlan = def->vlan;
}

void network_port_inherit(struct network_port *port, const struct network_def *def)
{
        inherit(port, def, network_def_find_portgroup(def, port->group));
}

/* How many ports go out of the device. */
static unsigned count_users(const struct object_set *ports, const char *device)
{
        unsigned users = 0;

        for (unsigned i = 0; ports && i < ports->count; i++)
                users += g_strcmp0(((const struct network_port *)ports->objects[i])->device, device) == 0;
        return users;
}

/* The one that has the fewest ports; in mode passthrough a device is one guest's alone. */
static bool choose_device(struct network_port *port, const struct network_def *def,
                          const struct object_set *ports, GError **error)
{
        bool is_exclusive = def->forward == NETWORK_FORWARD_PASSTHROUGH;
        const char *best = NULL;
        unsigned fewest = UINT_MAX;

        for (unsigned i = 0; i < def->forward_interfaces->len; i++) {
                const char *device = g_ptr_array_index(def->forward_interfaces, i);
                unsigned users = count_users(ports, device);

                if (users >= fewest || (is_exclusive && users > 0))
                        continue;
                fewest = users;
                best = device;
        }
        if (!best)
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                        "network '%s' requires exclusive access to interfaces, but none are available",
                        def->base.name);
        g_free(port->device);
        g_free(port->mode);
        port->plug = NETWORK_PLUG_DIRECT;
        port->device = g_strdup(best);
        port->mode = g_strdup(network_forward_get_name(def->forward));
        return true;
}

static bool has_function(const struct object_set *ports, const char *pci)
{
        for (unsigned i = 0; ports && i < ports->count; i++)
                if (g_strcmp0(((const struct network_port *)ports->objects[i])->pci, pci) == 0)
                        return true;
        return false;
}

/* The first function of the pool that no other port has. */
static bool choose_function(struct network_port *port, const struct network_def *def,
                            const struct object_set *ports, GError **error)
{
        g_auto(GStrv) pool = network_list_functions(def);
        unsigned i = 0;

        while (pool[i] && has_function(ports, pool[i]))
                i++;
        if (!pool[i])
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                        "network '%s' requires exclusive access to PCI devices, but none are available",
                        def->base.name);
        port->plug = NETWORK_PLUG_HOSTDEV;
        g_free(port->pci);
        g_free(port->driver);
        port->pci = g_strdup(pool[i]);
        port->driver = g_strdup(def->forward_driver);
        port->managed = def->forward_managed;
        return true;
}

static bool lead(struct network_port *port, const struct network_def *def, const struct object_set *ports,
                 GError **error)
{
        if (def->forward == NETWORK_FORWARD_HOSTDEV)
                return choose_function(port, def, ports, error);
        if (!network_forward_has_own_bridge(def->forward) && !def->bridge)
                return choose_device(port, def, ports, error);
        g_free(port->bridge);
        port->plug =
                network_forward_has_own_bridge(def->forward) ? NETWORK_PLUG_NETWORK : NETWORK_PLUG_BRIDGE;
        port->bridge = g_strdup(def->bridge);
        return true;
}

/* A switch is told where a bridge or device of the host is, of which the type says something. */
static bool check_virtual_port(const struct network_port *port, const struct network_def *def, GError **error)
{
        const struct virtual_port *virtual_port = &port->virtual_port;

        if (!virtual_port->is_there)
                return true;
        if (virtual_port->type == VIRTUAL_PORT_UNSAID)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "<virtualport> of domain '%s' has no type, and network '%s' gives it none",
                                 port->owner, def->base.name);
        if (virtual_port->type != VIRTUAL_PORT_OPENVSWITCH || port->plug == NETWORK_PLUG_BRIDGE)
                return true;
        return error_set(
                error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                "<virtualport type='openvswitch'> not supported for network '%s', which does not use a "
                "bridge of the host",
                def->base.name);
}

static bool merge_virtual_ports(struct network_port *port, const struct network_def *def,
                                const struct network_portgroup *group, GError **error)
{
        struct virtual_port *merged = &port->virtual_port;

        return virtual_port_merge(merged, &def->virtual_port, error) &&
               (!group || virtual_port_merge(merged, &group->virtual_port, error)) &&
               virtual_port_complete(merged, error);
}

static bool is_bridged(const struct network_port *port)
{
        return port->plug == NETWORK_PLUG_NETWORK || port->plug == NETWORK_PLUG_BRIDGE;
}

/* Would one take the other's packets? Guests may have twins of themselves, which they know of (bonds). */
static bool is_twin(const struct network_port *port, const struct network_port *other)
{
        return is_bridged(port) && is_bridged(other) && g_ascii_strcasecmp(other->mac, port->mac) == 0 &&
               g_strcmp0(other->bridge, port->bridge) == 0 && vlan_equal(&other->vlan, &port->vlan) &&
               g_strcmp0(other->owner_uuid, port->owner_uuid) != 0;
}

/* The kernel sees to macvtaps. */
static bool check_mac(const struct network_port *port, const struct network_def *def,
                      const struct object_set *ports, GError **error)
{
        if (port->plug == NETWORK_PLUG_NETWORK && def->mac && g_ascii_strcasecmp(def->mac, port->mac) == 0)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                 "MAC address %s of domain '%s' is that of the bridge of network '%s'",
                                 port->mac, port->owner, def->base.name);
        for (unsigned i = 0; ports && i < ports->count; i++) {
                const struct network_port *other = ports->objects[i];

                if (is_twin(port, other))
                        return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                         "MAC address %s of domain '%s' is in use by domain '%s' in network "
                                         "'%s': one would get the other's packets",
                                         port->mac, port->owner, other->owner, def->base.name);
        }
        return true;
}

bool network_port_plug(struct network_port *port, const struct network_state *state, GError **error)
{
        const struct network_def *def = network_def_const(state->base.active);
        const struct network_portgroup *group = network_def_find_portgroup(def, port->group);

        if (port->group && !group) {
                g_autofree char *quoted = error_quote(port->group);

                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "network '%s' has no portgroup '%s'", def->base.name, quoted);
        }
        if (group && group->unsupported)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "%s of portgroup '%s' of network '%s' is not supported", group->unsupported,
                                 group->name, def->base.name);
        inherit(port, def, group);
        if (!merge_virtual_ports(port, def, group, error))
                return false;
        if (vlan_is_set(&port->vlan) && !network_forward_takes_vlan(def))
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                        "<vlan> of a port of network '%s' is not supported: it leads neither to a bridge "
                        "of the host nor to a PCI device",
                        def->base.name);
        return lead(port, def, state->ports, error) && check_virtual_port(port, def, error) &&
               check_mac(port, def, state->ports, error) &&
               network_floor_check(port, def, state->ports, error);
}
