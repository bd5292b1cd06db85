/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of the definition, and what goes with them. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"
#include "drivers/qemu/device-rows.h"

#include <string.h>

/* ---- what is not supported ---- */

/* An override that changes nothing would only look as if it did. */
static bool check_overrides(const struct domain_def *def, const struct device_list *list, GError **error)
{
        for (unsigned i = 0; i < def->qemu.n_properties; i++) {
                const char *alias = def->qemu.properties[i].alias;
                unsigned j = 0, n = device_list_get_length(list);

                while (j < n && (device_list_get(list, j)->kind != DEVICE_DEVICE ||
                                 g_strcmp0(json_string_value(json_object_get(
                                                   device_list_get(list, j)->arguments, "id")),
                                           alias) != 0))
                        j++;
                if (j == n)
                        return device_unsupported(error,
                                                  "<qemu:override> is for the device '%s', which the domain "
                                                  "does not have",
                                                  alias);
        }
        return true;
}

/* ---- beside the devices ---- */

static void add_watchdog_action(struct command_builder *builder)
{
        const struct domain_devices *devices = &builder->def->devices;

        if (devices->n_watchdogs && devices->watchdogs[0].action)
                command_append_format(builder, "-action", "watchdog=%s",
                                      device_get_watchdog_action(&devices->watchdogs[0]));
}

/* QEMU has no option for a link that is down. */
static void add_link_setup(struct command_builder *builder)
{
        const struct domain_devices *devices = &builder->def->devices;

        for (unsigned i = 0; i < devices->n_interfaces; i++) {
                json_t *arguments;

                if (devices->interfaces[i].link_up != DOMAIN_SWITCH_OFF)
                        continue;
                arguments = json_object();
                device_set_string(arguments, "name", devices->interfaces[i].info.alias);
                device_set_bool(arguments, "up", false);
                command_append_setup(builder, "set_link", arguments);
        }
}

bool command_devices_add(struct command_builder *builder, GError **error)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();

        if (!device_require_spice(&builder->def->devices, error) ||
            !device_describe_all(list, &builder->device, error) ||
            !device_describe_amd_iommu(list, &builder->device, error) ||
            !check_overrides(builder->def, list, error))
                return false;
        command_append_list(builder, list);
        add_watchdog_action(builder);
        add_link_setup(builder);
        return true;
}
