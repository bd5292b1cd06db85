/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the interfaces: what only some types of them have. No state; any thread.
 */
#include "drivers/domain/check.h"

#include <string.h>

static bool has_tap(const struct domain_interface *interface)
{
        return interface->type == DOMAIN_INTERFACE_ETHERNET || interface->type == DOMAIN_INTERFACE_BRIDGE ||
               interface->type == DOMAIN_INTERFACE_NETWORK;
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
        return true;
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
