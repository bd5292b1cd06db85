/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of the definition, in an order that lets each find what it sits on. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include <string.h>

/* Runs describe for each element of an array of the definition. */
#define DESCRIBE_EACH(array, describe)                                                                       \
        for (unsigned i_ = 0; i_ < devices->n_##array; i_++) {                                               \
                if (!describe(list, context, &devices->array[i_], error))                                    \
                        return false;                                                                        \
        }

/* ---- what is not supported ---- */

static bool has_spice(const struct domain_devices *devices)
{
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].type == DOMAIN_GRAPHICS_SPICE)
                        return true;
        }
        return false;
}

static bool needs_spice(enum domain_char_type type)
{
        return type == DOMAIN_CHAR_SPICEVMC || type == DOMAIN_CHAR_SPICEPORT;
}

static bool check_spice(const struct domain_devices *devices, GError **error)
{
        static const char message[] = "device '%s' needs <graphics type='spice'>";

        if (has_spice(devices))
                return true;
        for (unsigned i = 0; i < devices->n_chars; i++) {
                if (needs_spice(devices->chars[i].source.type))
                        return device_unsupported(error, message, devices->chars[i].info.alias);
        }
        for (unsigned i = 0; i < devices->n_redirdevs; i++) {
                if (needs_spice(devices->redirdevs[i].source.type))
                        return device_unsupported(error, message, devices->redirdevs[i].info.alias);
        }
        for (unsigned i = 0; i < devices->n_smartcards; i++) {
                if (devices->smartcards[i].source && needs_spice(devices->smartcards[i].source->type))
                        return device_unsupported(error, message, devices->smartcards[i].info.alias);
        }
        return true;
}

static bool check(const struct domain_devices *devices, GError **error)
{
        if (devices->n_filesystems)
                return device_unsupported(error, "<filesystem> is not supported");
        if (devices->n_memories)
                return device_unsupported(error, "<memory> among the devices is not supported");
        if (devices->nvram)
                return device_unsupported(error, "<nvram> among the devices is not supported");
        if (devices->n_watchdogs > 1)
                return device_unsupported(error, "more than one <watchdog> is not supported");
        return check_spice(devices, error);
}

/* ---- in order ---- */

/* By index; the companions of a USB controller behind their master. */
static int compare_controllers(const void *a, const void *b)
{
        const struct domain_controller *one = *(const struct domain_controller *const *)a;
        const struct domain_controller *other = *(const struct domain_controller *const *)b;

        if (one->index != other->index)
                return one->index < other->index ? -1 : 1;
        return one->master_port - other->master_port;
}

/* A controller sits on one of a lower index, if on any of its kind. */
static bool describe_controllers(struct device_list *list, const struct device_context *context,
                                 enum domain_controller_type type, GError **error)
{
        const struct domain_devices *devices = &context->def->devices;
        g_autoptr(GPtrArray) controllers = g_ptr_array_new();

        for (unsigned i = 0; i < devices->n_controllers; i++) {
                if (devices->controllers[i].type == type)
                        g_ptr_array_add(controllers, (void *)&devices->controllers[i]);
        }
        g_ptr_array_sort(controllers, compare_controllers);
        for (unsigned i = 0; i < controllers->len; i++) {
                if (!device_describe_controller(list, context, controllers->pdata[i], error))
                        return false;
        }
        return true;
}

static bool describe_buses(struct device_list *list, const struct device_context *context, GError **error)
{
        static const enum domain_controller_type order[] = {
                DOMAIN_CONTROLLER_PCI,  DOMAIN_CONTROLLER_USB, DOMAIN_CONTROLLER_SCSI,
                DOMAIN_CONTROLLER_SATA, DOMAIN_CONTROLLER_IDE, DOMAIN_CONTROLLER_VIRTIO_SERIAL,
                DOMAIN_CONTROLLER_FDC,  DOMAIN_CONTROLLER_ISA, DOMAIN_CONTROLLER_XENBUS,
        };
        const struct domain_devices *devices = &context->def->devices;

        if (devices->iommu && !device_describe_iommu(list, context, devices->iommu, error))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
                if (!describe_controllers(list, context, order[i], error))
                        return false;
        }
        DESCRIBE_EACH(hubs, device_describe_hub)
        return describe_controllers(list, context, DOMAIN_CONTROLLER_CCID, error);
}

static bool describe_ends(struct device_list *list, const struct device_context *context, GError **error)
{
        const struct domain_devices *devices = &context->def->devices;

        DESCRIBE_EACH(disks, device_describe_disk)
        DESCRIBE_EACH(interfaces, device_describe_interface)
        DESCRIBE_EACH(smartcards, device_describe_smartcard)
        DESCRIBE_EACH(chars, device_describe_char)
        DESCRIBE_EACH(tpms, device_describe_tpm)
        DESCRIBE_EACH(inputs, device_describe_input)
        DESCRIBE_EACH(videos, device_describe_video)
        DESCRIBE_EACH(sounds, device_describe_sound)
        DESCRIBE_EACH(watchdogs, device_describe_watchdog)
        DESCRIBE_EACH(redirdevs, device_describe_redirdev)
        DESCRIBE_EACH(hostdevs, device_describe_hostdev)
        if (devices->memballoon && !device_describe_memballoon(list, context, devices->memballoon, error))
                return false;
        DESCRIBE_EACH(rngs, device_describe_rng)
        DESCRIBE_EACH(panics, device_describe_panic)
        DESCRIBE_EACH(shmems, device_describe_shmem)
        return !devices->vsock || device_describe_vsock(list, context, devices->vsock, error);
}

/* ---- beside the devices ---- */

/* A dump is made by the agent when the event comes; the guest waits for it. */
static void add_watchdog_action(struct command_builder *builder)
{
        const struct domain_devices *devices = &builder->def->devices;
        const char *action = devices->n_watchdogs ? devices->watchdogs[0].action : NULL;

        if (action)
                command_append_format(builder, "-action", "watchdog=%s",
                                      strcmp(action, "dump") == 0 ? "pause" : action);
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

        if (!check(&builder->def->devices, error) || !describe_buses(list, &builder->device, error) ||
            !describe_ends(list, &builder->device, error))
                return false;
        command_append_list(builder, list);
        add_watchdog_action(builder);
        add_link_setup(builder);
        return true;
}
