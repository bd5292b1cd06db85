/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Displays: ports are claimed, addresses and sockets chosen. Lane of the domain; the ports are shared by all.
 */
#include "drivers/qemu/resources.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/qemu/device-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

        *port = ports_claim_free(&guest->driver->ports, first, PORTS_LAST);
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

static bool prepare_spice_ports(struct resources *resources, const struct domain_graphics *graphics,
                                unsigned index, GError **error)
{
        const char *certificates = resources->guest->driver->spice_tls_dir;
        int port, tls_port;
        bool plain, tls;

        graphics_find_ports(graphics, certificates != NULL, &plain, &tls);
        if ((tls || graphics->tls_port > 0) && !certificates)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "SPICE with TLS of %s, for which this host has no certificates (spice_tls_dir= "
                        "in virtbusd.conf)",
                        resources->guest->who);
        if (!prepare_port(resources, plain, graphics->port, PORTS_FIRST, &port, error) ||
            !prepare_port(resources, tls, graphics->tls_port, PORTS_FIRST, &tls_port, error))
                return false;
        if (tls || graphics->tls_port > 0)
                resources_add_tls_check(resources, certificates, true);
        domain_edit_set_graphics_ports(resources->edit, index, port, tls_port, 0);
        return true;
}

static bool prepare_vnc_ports(struct resources *resources, const struct domain_graphics *graphics,
                              unsigned index, GError **error)
{
        bool automatic = graphics->autoport || graphics->port <= 0;
        int port, websocket;

        if (!prepare_port(resources, automatic, graphics->port, PORTS_FIRST, &port, error) ||
            !prepare_port(resources, graphics->websocket == -1, graphics->websocket, PORTS_WEBSOCKET_FIRST,
                          &websocket, error))
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

/* The first address of a device of the host; owned, NULL with an error when it has none. */
static char *read_address(const char *device, GError **error)
{
        CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { 0 };
        struct sockaddr_in address;
        char text[INET_ADDRSTRLEN];

        g_strlcpy(request.ifr_name, device, sizeof(request.ifr_name));
        if (fd < 0 || ioctl(fd, SIOCGIFADDR, &request) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "interface '%s' has no address to listen at",
                                device);
                return NULL;
        }
        memcpy(&address, &request.ifr_addr, sizeof(address));
        return g_strdup(inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text)));
}

static bool listen_in_network(struct resources *resources, const struct domain_listen *listen, unsigned index,
                              unsigned number, GError **error)
{
        g_autofree char *found = NULL;
        const char *address, *device;

        if (!listen->network)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<listen type='network'> of %s names no network", resources->guest->who);
        if (!takings_find_address(resources->start->takings, listen->network, &address, &device, error))
                return false;
        if (!address)
                address = found = read_address(device, error);
        if (address)
                domain_edit_set_graphics_address(resources->edit, index, number, address);
        return address != NULL;
}

static bool prepare_listens(struct resources *resources, const struct domain_graphics *graphics,
                            unsigned index, GError **error)
{
        bool needs_port = graphics->n_listens == 0;

        for (unsigned i = 0; i < graphics->n_listens; i++) {
                const struct domain_listen *listen = &graphics->listens[i];

                if (listen->type == DOMAIN_LISTEN_SOCKET && !listen->socket)
                        choose_socket(resources, graphics, index, i);
                if (listen->type == DOMAIN_LISTEN_NETWORK) {
                        needs_port = true;
                        if (!listen_in_network(resources, listen, index, i, error))
                                return false;
                }
                if (listen->type == DOMAIN_LISTEN_ADDRESS) {
                        needs_port = true;
                        if (!listen->address)
                                domain_edit_set_graphics_address(resources->edit, index, i, DEFAULT_ADDRESS);
                }
        }
        if (graphics->type == DOMAIN_GRAPHICS_VNC && resources->guest->driver->vnc_tls_dir)
                resources_add_tls_check(resources, resources->guest->driver->vnc_tls_dir, true);
        if (!needs_port)
                return true;
        return graphics->type == DOMAIN_GRAPHICS_SPICE
                       ? prepare_spice_ports(resources, graphics, index, error)
                       : prepare_vnc_ports(resources, graphics, index, error);
}

bool resources_prepare_graphics(struct resources *resources, const void *device, GError **error)
{
        const struct domain_graphics *graphics = device;
        unsigned index = (unsigned)(graphics - resources->def->devices.graphics);

        if (graphics->type != DOMAIN_GRAPHICS_VNC && graphics->type != DOMAIN_GRAPHICS_SPICE)
                return resources_prepare_bus(resources, graphics, index, error);
        return prepare_listens(resources, graphics, index, error);
}
