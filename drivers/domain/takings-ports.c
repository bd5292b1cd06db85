/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ports of networks that a guest is plugged into. Which is whose is told by its uuid, which is in the
 * active definition. In the lanes that the functions are marked with.
 */
#include "drivers/domain/takings-private.h"

#include "base/error.h"
#include "drivers/domain/driver.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/network/network.h"
#include "nodedev/pci.h"

#include <stdio.h>
#include <string.h>

void taken_port_free(void *data)
{
        struct taken_port *port = data;

        network_use_free(port->use);
        if (port->looked)
                g_ptr_array_unref(port->looked);
        g_free(port->user);
        g_clear_error(&port->problem);
        g_free(port);
}

/* Of type network; and what such a one has become in an active definition. */
static const char *get_network(const struct domain_interface *interface)
{
        return interface->type == DOMAIN_INTERFACE_NETWORK ? interface->source : interface->network;
}

static enum network_plug get_plug(const struct domain_interface *interface)
{
        switch (interface->type) {
        case DOMAIN_INTERFACE_BRIDGE:
                return NETWORK_PLUG_BRIDGE;
        case DOMAIN_INTERFACE_DIRECT:
                return NETWORK_PLUG_DIRECT;
        case DOMAIN_INTERFACE_HOSTDEV:
                return NETWORK_PLUG_HOSTDEV;
        default:
                return NETWORK_PLUG_NETWORK;
        }
}

static enum network_trust get_trust(const struct domain_interface *interface)
{
        switch (interface->trust_guest_rx_filters) {
        case DOMAIN_SWITCH_ON:
                return NETWORK_TRUST_YES;
        case DOMAIN_SWITCH_OFF:
                return NETWORK_TRUST_NO;
        default:
                return NETWORK_TRUST_UNSAID;
        }
}

static char *format_host(const struct domain_interface *interface)
{
        const struct domain_address_pci *host = &interface->host_pci;

        return interface->type == DOMAIN_INTERFACE_HOSTDEV
                       ? pci_format_name(host->domain, host->bus, host->slot, host->function)
                       : NULL;
}

void takings_add_port(struct domain_takings *takings, struct domain_driver *driver,
                      const struct domain_def *def, unsigned index)
{
        const struct domain_interface *interface = &def->devices.interfaces[index];
        const uint8_t *mac = interface->mac;
        bool is_direct = interface->type == DOMAIN_INTERFACE_DIRECT;
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *mac_text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                                                    mac[3], mac[4], mac[5]);
        g_autofree char *host = format_host(interface);
        const struct network_port_request request = {
                .network = get_network(interface),
                .group = interface->portgroup,
                .owner = def->base.name,
                .owner_uuid = uuid_format(&def->base.uuid, uuid),
                .mac = mac_text,
                .bandwidth = interface->bandwidth,
                .vlan = interface->vlan,
                .trust = get_trust(interface),
                .virtual_port = interface->virtual_port,
                .uuid = interface->port_id,
                .bridge = interface->type == DOMAIN_INTERFACE_BRIDGE ? interface->source
                                                                     : interface->network_bridge,
                .device = is_direct ? interface->source : NULL,
                .mode = is_direct ? interface->source_mode : NULL,
                .target = interface->target,
                .pci = host,
                .managed = interface->managed,
                .driver = host ? interface->driver : NULL,
                .plug = get_plug(interface),
        };
        struct taken_port *port;

        if (!request.network)
                return;
        port = g_new0(struct taken_port, 1);
        port->index = index;
        port->devices = driver->node_devices;
        port->user = g_strdup_printf("domain '%s'", def->base.name);
        port->use = network_use_new(driver->networks, &request, &port->problem);
        g_ptr_array_add(takings->ports, port);
}

/* "0000:3b:00.1" */
static bool parse_host(const char *text, struct domain_address_pci *host)
{
        unsigned domain, bus, slot, function;
        char end;

        if (!text || sscanf(text, "%x:%x:%x.%u%c", &domain, &bus, &slot, &function, &end) != 4)
                return false;
        *host = (struct domain_address_pci){
                .domain = domain, .bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function
        };
        return true;
}

bool takings_take_port(struct taken_port *port, GError **error)
{
        struct domain_address_pci host;

        if (!network_use_take(port->use, error))
                return false;
        if (!port->devices || !parse_host(network_use_get_port(port->use)->pci, &host))
                return true;
        port->looked = taken_devices_new();
        taken_devices_look_pci(port->looked, port->devices, &host, port->user);
        return true;
}

bool takings_take_port_devices(struct domain_takings *takings, GError **error)
{
        for (unsigned i = 0; i < takings->ports->len; i++)
                if (!takings_take_devices(takings, g_steal_pointer(&takings_get_port(takings, i)->looked),
                                          error))
                        return false;
        return true;
}

struct domain_takings *takings_new_interface(struct domain_driver *driver, const struct domain_def *def,
                                             unsigned index)
{
        struct domain_takings *takings = takings_new_empty();

        if (driver->networks)
                takings_add_port(takings, driver, def, index);
        takings_add_filters(takings, driver->nwfilters, def);
        return takings;
}

bool takings_check(const struct domain_takings *takings, GError **error)
{
        for (unsigned i = 0; i < takings->ports->len; i++) {
                const struct taken_port *port = takings_get_port(takings, i);

                if (!port->use) {
                        g_propagate_error(error, g_error_copy(port->problem));
                        return false;
                }
        }
        return true;
}

/* The type of the interface that it makes. */
static const char *get_type(enum network_plug plug)
{
        return plug == NETWORK_PLUG_HOSTDEV ? "hostdev" : network_plug_get_name(plug);
}

/* *host is for its address. */
static struct domain_edit_plug describe(const struct network_port *port, struct domain_address_pci *host)
{
        bool has_host = parse_host(port->pci, host);

        return (struct domain_edit_plug){
                .type = get_type(port->plug),
                .host = has_host ? host : NULL,
                .managed = port->managed,
                .driver = port->driver,
                .port_id = port->uuid,
                .bridge = port->bridge,
                .device = port->device,
                .mode = port->mode,
                .virtual_port = &port->virtual_port,
        };
}

struct domain_def *takings_place_ports(const struct domain_takings *takings, const struct domain_def *def,
                                       GError **error)
{
        struct domain_edit *edit;

        if (!takings || takings->ports->len == 0)
                return domain_def_ref((struct domain_def *)def);
        edit = domain_edit_new(def, error);
        for (unsigned i = 0; edit && i < takings->ports->len; i++) {
                struct domain_address_pci host;
                const struct domain_edit_plug plug =
                        describe(network_use_get_port(takings_get_port(takings, i)->use), &host);

                domain_edit_plug_interface(edit, takings_get_port(takings, i)->index, &plug);
        }
        return edit ? domain_edit_commit(edit, error) : NULL;
}

bool takings_share_port(const struct domain_interface *before, const struct domain_interface *after)
{
        const char *network = get_network(before);

        return network && g_strcmp0(network, get_network(after)) == 0 &&
               g_strcmp0(before->portgroup, after->portgroup) == 0 &&
               before->bandwidth.inbound.floor_kbps == after->bandwidth.inbound.floor_kbps;
}

bool takings_keep_port(const struct domain_def *before, unsigned index, struct domain_def **live,
                       GError **error)
{
        const struct domain_interface *interface = &before->devices.interfaces[index];
        bool has_bridge = interface->type == DOMAIN_INTERFACE_BRIDGE,
             has_device = interface->type == DOMAIN_INTERFACE_DIRECT,
             has_host = interface->type == DOMAIN_INTERFACE_HOSTDEV;
        const struct domain_edit_plug plug = {
                .type = get_type(get_plug(interface)),
                .host = has_host ? &interface->host_pci : NULL,
                .managed = interface->managed,
                .driver = has_host ? interface->driver : NULL,
                .port_id = interface->port_id,
                .bridge = has_bridge ? interface->source : interface->network_bridge,
                .device = has_device ? interface->source : NULL,
                .mode = has_device ? interface->source_mode : NULL,
                .virtual_port = &interface->virtual_port,
        };
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        domain_edit_plug_interface(edit, index, &plug);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

static int find_port(const struct domain_takings *takings, const struct domain_interface *interface)
{
        for (unsigned i = 0; takings && interface->port_id && i < takings->ports->len; i++) {
                const struct taken_port *port = takings_get_port(takings, i);
                const struct network_port *taken = port->use ? network_use_get_port(port->use) : NULL;

                if (taken && strcmp(taken->uuid, interface->port_id) == 0)
                        return (int)i;
        }
        return -1;
}

const struct network_port *takings_find_port(const struct domain_takings *takings,
                                             const struct domain_interface *interface)
{
        int index = find_port(takings, interface);

        return index < 0 ? NULL : network_use_get_port(takings_get_port(takings, (unsigned)index)->use);
}

void takings_note_targets(const struct domain_takings *takings, const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                int index = find_port(takings, interface);

                if (index >= 0 && interface->target)
                        network_use_note(takings_get_port(takings, (unsigned)index)->use, interface->target,
                                         &interface->bandwidth);
        }
}

void takings_give_back_interface(struct domain_takings *takings, const struct domain_interface *interface)
{
        int index = find_port(takings, interface);

        if (interface->type == DOMAIN_INTERFACE_HOSTDEV)
                takings_give_back_pci(takings, &interface->host_pci);
        if (index < 0)
                return;
        network_use_give_back(g_steal_pointer(&takings_get_port(takings, (unsigned)index)->use));
        g_ptr_array_remove_index(takings->ports, (unsigned)index);
}

/* ---- where displays listen ---- */

void taken_address_free(void *data)
{
        struct taken_address *taken = data;

        g_free(taken->network);
        g_free(taken->address);
        g_free(taken->device);
        g_clear_error(&taken->problem);
        g_free(taken);
}

static void add_address(struct domain_takings *takings, struct networks *networks, const char *network)
{
        struct taken_address *taken = g_new0(struct taken_address, 1);

        taken->network = g_strdup(network);
        taken->address = network_find_address(networks, network, &taken->device, &taken->problem);
        g_ptr_array_add(takings->addresses, taken);
}

void takings_take_addresses(struct domain_takings *takings, struct domain_driver *driver,
                            const struct domain_def *def)
{
        for (unsigned i = 0; driver->networks && i < def->devices.n_graphics; i++) {
                const struct domain_graphics *graphics = &def->devices.graphics[i];

                for (unsigned j = 0; j < graphics->n_listens; j++)
                        if (graphics->listens[j].type == DOMAIN_LISTEN_NETWORK &&
                            graphics->listens[j].network)
                                add_address(takings, driver->networks, graphics->listens[j].network);
        }
}

bool takings_find_address(const struct domain_takings *takings, const char *network, const char **address,
                          const char **device, GError **error)
{
        for (unsigned i = 0; takings && i < takings->addresses->len; i++) {
                const struct taken_address *taken = g_ptr_array_index(takings->addresses, i);

                if (strcmp(taken->network, network) != 0)
                        continue;
                *address = taken->address;
                *device = taken->device;
                if (taken->address || taken->device)
                        return true;
                g_propagate_error(error, g_error_copy(taken->problem));
                return false;
        }
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "there are no networks here");
}
