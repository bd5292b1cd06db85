/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ports are guaranteed (`floor`) of what a network lets through to its guests: each has a class of its
 * own on the bridge, beside one for all others. In the network's lane.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"
#include "interfaces/netlink.h"

#include <net/if.h>
#include <stdio.h>

static bool is_same_interface(const struct network_port *a, const struct network_port *b)
{
        return g_strcmp0(a->owner_uuid, b->owner_uuid) == 0 && g_strcmp0(a->mac, b->mac) == 0;
}

/* What ports have; except may be NULL: an interface that is about to get another port. */
static uint64_t sum_floors(const struct object_set *ports, const struct network_port *except)
{
        uint64_t sum = 0;

        for (unsigned i = 0; ports && i < ports->count; i++) {
                const struct network_port *port = ports->objects[i];

                if (port->floor_class && !(except && is_same_interface(port, except)))
                        sum += port->bandwidth.inbound.floor_kbps;
        }
        return sum;
}

/* One that no port has; 0: there is none. */
static uint16_t choose_class(const struct object_set *ports)
{
        for (unsigned class = TRAFFIC_SHARE_MIN; class <= TRAFFIC_SHARE_MAX; class ++) {
                bool is_taken = false;

                for (unsigned i = 0; ports && i < ports->count && !is_taken; i++)
                        is_taken = ((const struct network_port *)ports->objects[i])->floor_class == class;
                if (!is_taken)
                        return (uint16_t) class;
        }
        return 0;
}

bool network_floor_check(const struct network_port *port, const struct network_def *def,
                         const struct object_set *ports, GError **error)
{
        const struct traffic_rate *rate = &def->bandwidth.inbound;
        uint64_t sum = sum_floors(ports, port) + port->bandwidth.inbound.floor_kbps;

        if (port->bandwidth.inbound.floor_kbps == 0)
                return true;
        if (!network_forward_has_own_bridge(def->forward))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "'floor' of interface %s needs a network with a bridge of its own, which "
                                 "'%s' is not",
                                 port->mac, def->base.name);
        if (rate->average_kbps == 0)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "Invalid use of 'floor' on interface with MAC address %s - network '%s' has "
                                 "no inbound QoS set",
                                 port->mac, def->base.name);
        return sum <= rate->average_kbps ||
               error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                         "Cannot plug '%s' interface into '%s' because it would overcommit 'average' on "
                         "network '%s'",
                         port->mac, def->bridge, def->base.name);
}

/* ---- on the bridge ---- */

static struct link get_bridge(const struct network_def *def)
{
        struct link link = { .index = (int)if_nametoindex(def->bridge) };

        g_strlcpy(link.name, def->bridge, sizeof(link.name));
        return link;
}

static bool get_share(const struct network_port *port, struct traffic_share *share)
{
        uint8_t *mac = share->mac;

        *share = (struct traffic_share){ .class = port->floor_class,
                                         .kbps = port->bandwidth.inbound.floor_kbps };
        return sscanf(port->mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                      &mac[5]) == 6;
}

static bool set_rest(struct netlink *netlink, const struct link *link, const struct network_def *def,
                     uint64_t sum, GError **error)
{
        uint32_t average = def->bandwidth.inbound.average_kbps;

        return traffic_set_rest(netlink, link, &def->bandwidth, average - (uint32_t)MIN(sum, average), error);
}

bool network_floor_add(struct network *network, const struct network_def *def, struct network_port *port,
                       GError **error)
{
        const struct object_set *ports = ((const struct network_state *)network->base.current)->ports;
        CLEANUP(netlink_free) struct netlink *netlink = NULL;
        struct traffic_share share;
        struct link link;

        if (port->bandwidth.inbound.floor_kbps == 0 || def->bandwidth.inbound.average_kbps == 0)
                return true;
        if (!port->floor_class)
                port->floor_class = choose_class(ports);
        if (!port->floor_class)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                 "too many interfaces have a guaranteed bandwidth of network '%s'",
                                 def->base.name);
        if (!network->networks->runtime_dir)
                return true;
        link = get_bridge(def);
        netlink = netlink_new(network->base.lane, error);
        return netlink && get_share(port, &share) &&
               traffic_add_share(netlink, &link, &def->bandwidth, &share, error) &&
               set_rest(netlink, &link, def, sum_floors(ports, port) + share.kbps, error);
}

void network_floor_remove(struct network *network, const struct network_port *port)
{
        const struct network_state *state = (const struct network_state *)network->base.current;
        const struct network_def *def = state ? network_def_const(state->base.active) : NULL;
        CLEANUP(netlink_free) struct netlink *netlink = NULL;
        g_autoptr(GError) error = NULL;
        struct link link;

        if (!port->floor_class || !def || !network->networks->runtime_dir)
                return;
        link = get_bridge(def);
        netlink = netlink_new(network->base.lane, &error);
        if (netlink)
                traffic_remove_share(netlink, &link, port->floor_class);
        if (!netlink || !set_rest(netlink, &link, def, sum_floors(state->ports, NULL), &error))
                log_gerror(LOG_LEVEL_WARNING, error, "what interface %s was guaranteed of network '%s' stays",
                           port->mac, def->base.name);
}
