/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Displays: ports are claimed, addresses and sockets chosen. Lane of the domain; the ports are shared by all.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"

#define DEFAULT_ADDRESS "127.0.0.1"

static bool claim(struct resources *resources, int port, GError **error)
{
        struct guest *guest = resources->guest;

        if (!ports_claim(&guest->driver->ports, port))
                return error_set(error, ERROR_FROM_QEMU, ERROR_RESOURCE_BUSY,
                                 "display port %d of %s is in use by another domain", port, guest->who);
        g_array_append_val(guest->ports, port);
        return true;
}

/* *port gets one that is free. */
static bool choose(struct resources *resources, int first, int *port, GError **error)
{
        struct guest *guest = resources->guest;

        *port = ports_claim_free(&guest->driver->ports, first);
        if (*port < 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_RESOURCE_BUSY,
                                 "no display port is free for %s", guest->who);
        g_array_append_val(guest->ports, *port);
        return true;
}

/* A port that is given is claimed; one that is to be chosen is, and *chosen tells which; 0: nothing chosen.
 */
static bool prepare_port(struct resources *resources, bool automatic, int given, int first, int *chosen,
                         GError **error)
{
        *chosen = 0;
        if (automatic)
                return choose(resources, first, chosen, error);
        return given <= 0 || claim(resources, given, error);
}

/* SPICE has a second port for TLS where a certificate is set up, which is not supported: -1 asks for none. */
static bool prepare_ports(struct resources *resources, const struct domain_graphics *graphics, unsigned index,
                          GError **error)
{
        bool automatic = graphics->autoport || graphics->port <= 0;
        int port, websocket;

        if (graphics->type == DOMAIN_GRAPHICS_SPICE && !graphics->autoport && graphics->port == -1)
                automatic = false;
        if (!prepare_port(resources, automatic, graphics->port, PORTS_FIRST, &port, error) ||
            !prepare_port(resources, graphics->websocket == -1, graphics->websocket, PORTS_WEBSOCKET_FIRST,
                          &websocket, error))
                return false;
        if (graphics->type == DOMAIN_GRAPHICS_SPICE && graphics->tls_port > 0 &&
            !claim(resources, graphics->tls_port, error))
                return false;
        domain_edit_set_graphics_ports(resources->edit, index, port, 0, websocket);
        return true;
}

static void choose_socket(struct resources *resources, const struct domain_graphics *graphics, unsigned index,
                          unsigned listen)
{
        g_autofree char *name =
                g_strdup_printf("%s%u.sock", domain_graphics_type_get_name(graphics->type), index);
        g_autofree char *path = guest_get_io_path(resources->guest, name);

        domain_edit_set_graphics_socket(resources->edit, index, listen, path);
}

static bool prepare_listens(struct resources *resources, const struct domain_graphics *graphics,
                            unsigned index, GError **error)
{
        bool needs_port = graphics->n_listens == 0;

        for (unsigned i = 0; i < graphics->n_listens; i++) {
                const struct domain_listen *listen = &graphics->listens[i];

                if (listen->type == DOMAIN_LISTEN_SOCKET && !listen->socket)
                        choose_socket(resources, graphics, index, i);
                if (listen->type == DOMAIN_LISTEN_ADDRESS) {
                        needs_port = true;
                        if (!listen->address)
                                domain_edit_set_graphics_address(resources->edit, index, i, DEFAULT_ADDRESS);
                }
        }
        return !needs_port || prepare_ports(resources, graphics, index, error);
}

bool resources_prepare_graphics(struct resources *resources, const void *device, GError **error)
{
        const struct domain_graphics *graphics = device;
        unsigned index = (unsigned)(graphics - resources->def->devices.graphics);

        if (graphics->type != DOMAIN_GRAPHICS_VNC && graphics->type != DOMAIN_GRAPHICS_SPICE)
                return true;
        return prepare_listens(resources, graphics, index, error);
}
