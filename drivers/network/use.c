/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports in use: made and taken back in the lane of their network, which starts for the first one. The record
 * is the network's published set of ports.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "drivers/network/model.h"

#include <string.h>

struct network_use {
        /* const */
        struct network *network; /* ref */
        struct network_port
                *seed; /* ref; what is asked for: uuid, owner, mac, group; what a guest has already */
        /* lane of the network; from then on const */
        struct network_port *port; /* ref; NULL: not taken */
};

/* ---- loop ---- */

static struct network_port *seed_new(const struct network_port_request *request)
{
        struct network_port *seed = g_new0(struct network_port, 1);
        char text[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        uuid_generate(&uuid);
        seed->refs = 1;
        seed->uuid = g_strdup(request->uuid ? request->uuid : uuid_format(&uuid, text));
        seed->owner = g_strdup(request->owner);
        seed->owner_uuid = g_strdup(request->owner_uuid);
        seed->mac = g_strdup(request->mac);
        seed->group = g_strdup(request->group);
        seed->bridge = g_strdup(request->bridge);
        seed->device = g_strdup(request->device);
        seed->mode = g_strdup(request->mode);
        seed->target = g_strdup(request->target);
        seed->pci = g_strdup(request->pci);
        seed->driver = g_strdup(request->driver);
        seed->managed = request->managed;
        seed->plug = request->plug;
        seed->bandwidth = request->bandwidth;
        seed->vlan = request->vlan;
        seed->trust = request->trust;
        seed->virtual_port = request->virtual_port;
        return seed;
}

struct network_use *network_use_new(struct networks *networks, const struct network_port_request *request,
                                    GError **error)
{
        struct network *network = network_lookup_name(networks, request->network, error);
        struct network_use *use;

        if (!network)
                return NULL;
        use = g_new0(struct network_use, 1);
        use->network = network_from(managed_ref(&network->base));
        use->seed = seed_new(request);
        return use;
}

void network_use_free(struct network_use *use)
{
        if (!use)
                return;
        network_port_unref(use->seed);
        network_port_unref(use->port);
        managed_unref(&use->network->base);
        g_free(use);
}

struct managed *network_use_get_network(const struct network_use *use)
{
        return &use->network->base;
}

const struct network_port *network_use_get_port(const struct network_use *use)
{
        return use->port;
}

/* ---- the record; lane ---- */

/* A network that has ended keeps no record: its last guests have all that they need. */
static void publish(struct network *network,
                    struct object_set *(*change)(const struct object_set *ports, void *data), void *data)
{
        struct network_state *state;
        struct object_set *ports;

        if (!network->base.current)
                return;
        state = (struct network_state *)managed_edit(&network->base);
        ports = change(state->ports, data);
        object_set_unref(state->ports);
        state->ports = ports;
        managed_publish(&network->base, &state->base, NULL);
}

static struct object_set *with(const struct object_set *ports, void *port)
{
        return object_set_with(&network_port_kind, ports, port);
}

static struct object_set *without(const struct object_set *ports, void *uuid)
{
        return object_set_without(&network_port_kind, ports, uuid);
}

void network_port_record(struct network *network, struct network_port *port)
{
        port->xml = network_port_format(port);
        publish(network, with, port);
}

/* Takes port. */
static void record(struct network_use *use, struct network_port *port)
{
        network_port_unref(use->port);
        use->port = port;
        network_port_record(use->network, port);
}

/* What is recorded of it may be newer (network_port_set_params()); ref, NULL: nothing. */
static struct network_port *find_recorded(const struct network_use *use)
{
        const struct network_state *state = (const struct network_state *)use->network->base.current;
        struct network_port *port =
                state && state->ports ? object_set_find(state->ports, use->port->uuid) : NULL;

        return port ? network_port_ref(port) : NULL;
}

/* ---- taking ---- */

/* A copy to be filled in, without its document. */
struct network_port *network_port_copy(const struct network_port *from)
{
        const struct network_port_request request = {
                .uuid = from->uuid,
                .owner = from->owner,
                .owner_uuid = from->owner_uuid,
                .mac = from->mac,
                .group = from->group,
                .bridge = from->bridge,
                .device = from->device,
                .mode = from->mode,
                .target = from->target,
                .pci = from->pci,
                .driver = from->driver,
                .managed = from->managed,
                .plug = from->plug,
                .bandwidth = from->bandwidth,
                .vlan = from->vlan,
                .trust = from->trust,
                .virtual_port = from->virtual_port,
        };
        struct network_port *port = seed_new(&request);

        port->mtu = from->mtu;
        port->isolated = from->isolated;
        port->floor_class = from->floor_class;
        port->group_bandwidth = from->group_bandwidth;
        return port;
}

bool network_use_take(struct network_use *use, GError **error)
{
        struct network *network = use->network;
        struct network_port *port;

        g_assert(in_lane(network->base.lane));
        if (!network_require_running(network, error))
                return false;
        port = network_port_copy(use->seed);
        if (!network_port_plug(port, (const struct network_state *)network->base.current, error) ||
            !network_floor_add(network, network_def_const(network->base.current->active), port, error)) {
                network_floor_remove(network, port);
                network_port_unref(port);
                return false;
        }
        record(use, port);
        return true;
}

void network_use_drop(struct network_use *use)
{
        CLEANUP(network_port_unref) struct network_port *recorded = NULL;

        g_assert(in_lane(use->network->base.lane));
        if (!use->port)
                return;
        recorded = find_recorded(use);
        publish(use->network, without, use->port->uuid);
        if (recorded)
                network_floor_remove(use->network, recorded);
        g_clear_pointer(&use->port, network_port_unref);
}

static void give_back(void *data)
{
        struct network_use *use = data;

        network_use_drop(use);
        network_use_free(use);
}

void network_use_give_back(struct network_use *use)
{
        if (use)
                lane_post(use->network->base.lane, give_back, use);
}

/* ---- guests that run ---- */

/* In the bridge where it is to be, unless it is that already. */
static void rejoin(struct network *network, const struct network_def *def, const struct network_port *port)
{
        g_autoptr(GError) error = NULL;

        if (port->plug == NETWORK_PLUG_NETWORK && port->target && network->networks->runtime_dir &&
            !network_bridge_join(network, def, port, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "domain '%s' stays without network '%s'", port->owner,
                           def->base.name);
}

/* Its bridge is new, or the agent is. */
static void guarantee(struct network *network, const struct network_def *def, struct network_port *port)
{
        g_autoptr(GError) error = NULL;

        if (!network_floor_add(network, def, port, &error))
                log_gerror(LOG_LEVEL_WARNING, error,
                           "interface %s of domain '%s' has no guaranteed bandwidth", port->mac, port->owner);
}

void network_ports_rejoin(struct network *network, const struct network_def *def)
{
        const struct object_set *ports = ((const struct network_state *)network->base.current)->ports;

        for (unsigned i = 0; ports && i < ports->count; i++) {
                struct network_port *port = ports->objects[i];

                rejoin(network, def, port);
                if (port->floor_class)
                        guarantee(network, def, port);
        }
}

/* As its document says; the network may be another one by now, or inactive. */
static bool restore(struct managed *network, void *data, GError **error)
{
        struct network_use *use = data;
        const struct managed_state *state = use->network->base.current;
        const struct network_def *def = state && state->active ? network_def_const(state->active) : NULL;
        struct network_port *port = network_port_copy(use->seed);

        if (def)
                network_port_inherit(port, def);
        if (def)
                rejoin(use->network, def, port);
        if (def)
                guarantee(use->network, def, port);
        record(use, port);
        return true;
}

/* Counted as the network's: nothing of all this is freed before it has ended. */
void network_use_restore(struct network_use *use)
{
        managed_continue(&use->network->base, restore, NULL, use);
}

struct plugged {
        struct network_use *use; /* borrowed; goes back behind this */
        char *target;            /* owned */
        struct traffic bandwidth;
};

static void note(void *data)
{
        g_autofree struct plugged *plugged = data;
        struct network_use *use = plugged->use;
        CLEANUP(network_port_unref) struct network_port *recorded = use->port ? find_recorded(use) : NULL;
        struct network_port *port = recorded ? network_port_copy(recorded) : NULL;

        if (!port) {
                g_free(plugged->target);
                return;
        }
        g_free(port->target);
        port->target = plugged->target;
        network_port_set_bandwidth(port, &plugged->bandwidth);
        record(use, port);
}

void network_use_note(struct network_use *use, const char *target, const struct traffic *bandwidth)
{
        const struct plugged plugged = { use, g_strdup(target), *bandwidth };

        lane_post(use->network->base.lane, note, g_memdup2(&plugged, sizeof(plugged)));
}

/* ---- where the host is ---- */

char *network_find_address(struct networks *networks, const char *name, char **device, GError **error)
{
        const struct network *network = network_lookup_name(networks, name, error);
        const struct definition *active = network ? network_get_published(network)->active : NULL;
        const struct network_def *def = network_def_const(active);
        char text[NETWORK_ADDRESS_TEXT_MAX];

        *device = NULL;
        if (!network)
                return NULL;
        if (!def) {
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID, "network '%s' is not active",
                          name);
                return NULL;
        }
        if (def->ips->len > 0)
                return g_strdup(network_address_format(
                        &((const struct network_ip *)g_ptr_array_index(def->ips, 0))->address, text));
        if (!network_forward_has_own_bridge(def->forward))
                *device = g_strdup(def->bridge ? def->bridge : def->forward_device);
        if (!*device)
                error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                          "network '%s' gives the host no address to listen at", name);
        return NULL;
}
