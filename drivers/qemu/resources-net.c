/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces with a tap device on the host. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/network/port.h"
#include "drivers/qemu/device.h"
#include "interfaces/tap.h"

#include <string.h>

static bool is_virtio(const struct domain_interface *interface)
{
        return interface->model && g_str_has_prefix(interface->model, "virtio");
}

/* The kernel's own back end for virtio; without it QEMU's serves, unless the definition insists. */
static bool prepare_vhost(struct resources *resources, const struct domain_interface *interface,
                          unsigned queues, struct device_resources *device, GError **error)
{
        bool wanted = g_strcmp0(interface->driver, "vhost") == 0;
        g_autoptr(GArray) fds = NULL;

        if (!is_virtio(interface) || g_strcmp0(interface->driver, "qemu") == 0)
                return true;
        if (!wanted && g_strcmp0(resources->def->type, "kvm") != 0)
                return true;
        fds = g_array_new(FALSE, FALSE, sizeof(int));
        if (!tap_open_vhost(queues, fds))
                return !wanted ||
                       error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' asks for vhost-net, which this host does not have",
                                 interface->info.alias);
        for (unsigned i = 0; i < fds->len; i++)
                resources_add_fd(resources, g_array_index(fds, int, i));
        device->vhost_fds = g_steal_pointer(&fds);
        return true;
}

const char *resources_get_bridge(const struct domain_interface *interface)
{
        if (interface->type == DOMAIN_INTERFACE_BRIDGE)
                return interface->source;
        return interface->type == DOMAIN_INTERFACE_NETWORK ? interface->network_bridge : NULL;
}

bool resources_is_isolated(const struct domain_takings *takings, const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return interface->isolated == DOMAIN_SWITCH_ON || (port && port->isolated);
}

const struct traffic *resources_get_bandwidth(const struct domain_takings *takings,
                                              const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return port && !traffic_is_limited(&interface->bandwidth) ? &port->group_bandwidth
                                                                  : &interface->bandwidth;
}

static bool prepare_tap(struct resources *resources, const struct domain_interface *interface, GError **error)
{
        const char *bridge = resources_get_bridge(interface);
        bool existing = interface->type == DOMAIN_INTERFACE_ETHERNET &&
                        interface->target_managed == DOMAIN_SWITCH_OFF;
        struct device_resources *device = resources_get(resources, interface->info.alias);
        unsigned queues = is_virtio(interface) ? MAX(interface->queues, 1U) : 1;
        g_autofree char *name = NULL;
        const struct tap tap = {
                .name = interface->target,
                .queues = queues,
                .vnet_header = is_virtio(interface),
                .existing = existing,
                .bridge = bridge,
                .lane = resources->guest->domain->base.lane,
                .bandwidth = *resources_get_bandwidth(resources->start->takings, interface),
                .isolated = resources_is_isolated(resources->start->takings, interface),
                .mac = interface->has_mac ? interface->mac : NULL,
                .mtu = interface->mtu,
                .up = interface->link_up != DOMAIN_SWITCH_OFF || bridge,
        };

        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        if (!tap_open(&tap, device->fds, &name, error))
                return false;
        for (unsigned i = 0; i < device->fds->len; i++)
                resources_add_fd(resources, g_array_index(device->fds, int, i));
        if (!existing)
                domain_edit_set_interface_target(resources->edit, interface->info.alias, name);
        return prepare_vhost(resources, interface, queues, device, error);
}

bool resources_prepare_interface(struct resources *resources, const void *device, GError **error)
{
        const struct domain_interface *interface = device;

        if (interface->type == DOMAIN_INTERFACE_NETWORK && !interface->network_bridge)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' has no port of network '%s'", interface->info.alias,
                                 interface->source);
        if (resources_get_bridge(interface) || interface->type == DOMAIN_INTERFACE_ETHERNET)
                return prepare_tap(resources, interface, error);
        return true;
}
