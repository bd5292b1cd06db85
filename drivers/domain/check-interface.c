/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the interfaces: what only some types of them have. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "drivers/domain/host-ip.h"

#include <string.h>

static bool has_tap(const struct domain_interface *interface)
{
        return interface->type == DOMAIN_INTERFACE_ETHERNET || interface->type == DOMAIN_INTERFACE_BRIDGE ||
               interface->type == DOMAIN_INTERFACE_NETWORK;
}

/* Addresses are the guest's, and only the emulator's own network, or passt, gives it some. */
static bool check_ips(const struct domain_interface *interface, GError **error)
{
        unsigned n[2] = { 0 };

        if (interface->n_ips > 0 && interface->type != DOMAIN_INTERFACE_USER)
                return check_refuse(error,
                                    "<ip> of an interface of type '%s': only those of type 'user' tell the "
                                    "guest its address",
                                    domain_interface_type_get_name(interface->type));
        for (unsigned i = 0; i < interface->n_ips; i++) {
                const struct domain_ip *ip = &interface->ips[i];
                bool six = g_strcmp0(ip->family, "ipv6") == 0;

                if (ip->peer)
                        return check_refuse(error, "peer='%s' of an <ip>: the guest's peer is its gateway",
                                            ip->peer);
                if (++n[six] > 1)
                        return check_refuse(error,
                                            "an interface has one address of family '%s', and here two",
                                            six ? "ipv6" : "ipv4");
        }
        return true;
}

/* The host has an end of its own only of a tap that nothing else is made of. */
static bool check_host_ips(const struct domain_interface *interface, GError **error)
{
        CLEANUP(link_ips_free) struct link_ips *ips = domain_get_host_ips(interface, error);

        if (!ips)
                return false;
        return link_ips_is_empty(ips) || interface->type == DOMAIN_INTERFACE_ETHERNET ||
               check_refuse(error,
                            "<ip> or <route> in the <source> of an interface of type '%s': the host has "
                            "addresses on those of type 'ethernet'",
                            domain_interface_type_get_name(interface->type));
}

/* Each is a socket of the emulator's. */
#define FORWARDS_MAX 1024

/* passt does them all; the emulator's own network listens at ports of IPv4. */
static bool check_forward(const struct domain_port_forward *forward, GError **error)
{
        if (forward->dev)
                return check_refuse(error, "attribute 'dev' of <portForward> needs <backend type='passt'>");
        if (forward->n_ranges == 0)
                return check_refuse(error, "<portForward> without a <range> needs <backend type='passt'>");
        if (forward->address && strspn(forward->address, "0123456789.") != strlen(forward->address))
                return check_refuse(error, "<portForward> of another address than one of IPv4 needs <backend "
                                           "type='passt'>");
        for (unsigned i = 0; i < forward->n_ranges; i++) {
                if (forward->ranges[i].exclude == DOMAIN_SWITCH_ON)
                        return check_refuse(error,
                                            "exclude='yes' of <portForward> needs <backend type='passt'>");
        }
        return true;
}

static unsigned count_ports(const struct domain_port_forward *forward)
{
        unsigned count = 0;

        for (unsigned i = 0; i < forward->n_ranges; i++)
                count += MAX(forward->ranges[i].end, forward->ranges[i].start) - forward->ranges[i].start + 1;
        return count;
}

static bool check_forwards(const struct domain_interface *interface, GError **error)
{
        unsigned ports = 0;

        if (g_strcmp0(interface->backend, "passt") == 0)
                return true;
        for (unsigned i = 0; i < interface->n_forwards; i++) {
                if (!check_forward(&interface->forwards[i], error))
                        return false;
                ports += count_ports(&interface->forwards[i]);
        }
        return ports <= FORWARDS_MAX ||
               check_refuse(error,
                            "<portForward> of %u ports needs <backend type='passt'>: the emulator opens %d",
                            ports, FORWARDS_MAX);
}

static bool check_interface(const struct domain_interface *interface, GError **error)
{
        bool is_bridged = has_tap(interface) && interface->type != DOMAIN_INTERFACE_ETHERNET;

        if (interface->coalesce_frames && !is_bridged)
                return check_refuse(
                        error,
                        "<coalesce> of an interface of type '%s': it is for those of type 'network' "
                        "and 'bridge'",
                        domain_interface_type_get_name(interface->type));
        if (interface->downscript && interface->type != DOMAIN_INTERFACE_ETHERNET)
                return check_refuse(error,
                                    "<downscript> of an interface of type '%s': it is for those of type "
                                    "'ethernet'",
                                    domain_interface_type_get_name(interface->type));
        if (interface->tap_device && !has_tap(interface))
                return check_refuse(error,
                                    "<backend tap=> of an interface of type '%s', which has no tap device",
                                    domain_interface_type_get_name(interface->type));
        if (interface->vhost_device && !has_tap(interface) && interface->type != DOMAIN_INTERFACE_DIRECT)
                return check_refuse(error,
                                    "<backend vhost=> of an interface of type '%s', which has no vhost-net",
                                    domain_interface_type_get_name(interface->type));
        return check_ips(interface, error) && check_host_ips(interface, error) &&
               check_forwards(interface, error);
}

static bool check_each(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_interfaces; i++) {
                if (!check_interface(&devices->interfaces[i], error))
                        return false;
        }
        return true;
}

const check_function domain_check_interfaces[] = { check_each, NULL };
