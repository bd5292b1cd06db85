/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports as values, and the sets that they come in. No state; any thread.
 */
#include "drivers/network/port.h"

static const char *const plug_names[NETWORK_PLUG_COUNT] = {
        [NETWORK_PLUG_NETWORK] = "network",
        [NETWORK_PLUG_BRIDGE] = "bridge",
        [NETWORK_PLUG_DIRECT] = "direct",
        [NETWORK_PLUG_HOSTDEV] = "hostdev-pci",
};

const char *network_plug_get_name(enum network_plug plug)
{
        return plug_names[plug];
}

struct network_port *network_port_ref(struct network_port *port)
{
        g_atomic_int_inc(&port->refs);
        return port;
}

void network_port_unref(struct network_port *port)
{
        if (!port || !g_atomic_int_dec_and_test(&port->refs))
                return;
        g_free(port->uuid);
        g_free(port->owner);
        g_free(port->owner_uuid);
        g_free(port->mac);
        g_free(port->group);
        g_free(port->bridge);
        g_free(port->device);
        g_free(port->mode);
        g_free(port->pci);
        g_free(port->driver);
        g_free(port->target);
        g_free(port->xml);
        g_free(port);
}

static void *ref(void *object)
{
        return network_port_ref(object);
}

static void unref(void *object)
{
        network_port_unref(object);
}

static const char *get_name(const void *object)
{
        return ((const struct network_port *)object)->uuid;
}

const struct object_set_kind network_port_kind = { .ref = ref, .unref = unref, .get_name = get_name };
