/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device descriptions: the list, the way of its parts to the command line and to the monitor, and what all
 * devices share: properties and places on buses. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include "drivers/qemu/block.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

struct device_list {
        GArray *parts; /* owned, struct device_part */
};

static void part_clear(void *data)
{
        struct device_part *part = data;

        json_decref(part->arguments);
}

struct device_list *device_list_new(void)
{
        struct device_list *list = g_new0(struct device_list, 1);

        list->parts = g_array_new(FALSE, FALSE, sizeof(struct device_part));
        g_array_set_clear_func(list->parts, part_clear);
        return list;
}

void device_list_free(struct device_list *list)
{
        if (!list)
                return;
        g_array_unref(list->parts);
        g_free(list);
}

unsigned device_list_get_length(const struct device_list *list)
{
        return list->parts->len;
}

const struct device_part *device_list_get(const struct device_list *list, unsigned index)
{
        return &g_array_index(list->parts, struct device_part, index);
}

void device_list_add(struct device_list *list, enum device_kind kind, json_t *arguments)
{
        struct device_part part = { .kind = kind, .arguments = arguments, .fd = -1 };

        g_array_append_val(list->parts, part);
}

/* <qemu:override> has the last word. */
static void override(const struct domain_qemu_commandline *qemu, json_t *device)
{
        const char *id = json_string_value(json_object_get(device, "id"));

        for (unsigned i = 0; i < qemu->n_properties; i++) {
                const struct domain_qemu_property *property = &qemu->properties[i];

                if (g_strcmp0(property->alias, id) != 0)
                        continue;
                switch (property->type) {
                case DOMAIN_PROPERTY_SIGNED:
                        device_set_int(device, property->name, property->number);
                        break;
                case DOMAIN_PROPERTY_UNSIGNED:
                        device_set_int(device, property->name, (json_int_t)property->unsigned_number);
                        break;
                case DOMAIN_PROPERTY_BOOL:
                        device_set_bool(device, property->name, property->flag);
                        break;
                case DOMAIN_PROPERTY_REMOVE:
                        json_object_del(device, property->name);
                        break;
                default:
                        device_set_string(device, property->name, property->text);
                }
        }
}

bool device_list_add_device(struct device_list *list, const struct device_context *context, json_t *device,
                            GError **error)
{
        const char *driver = json_string_value(json_object_get(device, "driver"));

        if (!qemu_caps_has_type(context->caps, driver)) {
                device_unsupported(error, "emulator '%s' has no device '%s'",
                                   qemu_caps_get_path(context->caps), driver);
                json_decref(device);
                return false;
        }
        override(&context->def->qemu, device);
        device_list_add(list, DEVICE_DEVICE, device);
        return true;
}

char *device_list_add_fd(struct device_list *list, const struct device_context *context, int fd,
                         const char *name_format, ...)
{
        struct device_part part = { .kind = DEVICE_FD, .fd = fd };
        char *name;
        va_list args;

        if (!context->hot)
                return g_strdup_printf("%d", fd);
        va_start(args, name_format);
        name = g_strdup_vprintf(name_format, args);
        va_end(args);
        if (fd < 0)
                return name;
        part.arguments = json_object();
        device_set_string(part.arguments, "fdname", name);
        g_array_append_val(list->parts, part);
        return name;
}

char *device_list_add_fdset(struct device_list *list, int fd, const char *name)
{
        struct device_part part = { .kind = DEVICE_FDSET, .fd = fd };
        /* The same as long as the device is there, and another one for each. */
        unsigned id = g_str_hash(name) & INT32_MAX;

        part.arguments = json_object();
        device_set_int(part.arguments, "fdset-id", id);
        g_array_append_val(list->parts, part);
        return g_strdup_printf("/dev/fdset/%u", id);
}

struct device_resources *device_resources_new(void)
{
        return g_new0(struct device_resources, 1);
}

void device_resources_free(struct device_resources *resources)
{
        if (!resources)
                return;
        g_clear_pointer(&resources->fds, g_array_unref);
        g_clear_pointer(&resources->vhost_fds, g_array_unref);
        g_clear_pointer(&resources->chain, g_ptr_array_unref);
        g_free(resources->socket);
        g_free(resources->path);
        g_free(resources);
}

const struct device_resources *device_get_resources(const struct device_context *context, const char *alias)
{
        if (!context->resources || !alias)
                return NULL;
        return g_hash_table_lookup((GHashTable *)context->resources, alias);
}

/* ---- to the command line and the monitor ---- */

static const struct {
        const char *option;
        const char *command;
        const char *undo;
} kinds[] = {
        [DEVICE_OBJECT] = { "-object", "object-add", "object-del" },
        [DEVICE_BLOCKDEV] = { "-blockdev", "blockdev-add", "blockdev-del" },
        [DEVICE_CHARDEV] = { "-chardev", "chardev-add", "chardev-remove" },
        [DEVICE_NETDEV] = { "-netdev", "netdev_add", "netdev_del" },
        [DEVICE_TPMDEV] = { "-tpmdev", NULL, NULL },
        [DEVICE_FSDEV] = { "-fsdev", NULL, NULL },
        [DEVICE_SERIAL] = { "-serial", NULL, NULL },
        [DEVICE_DEVICE] = { "-device", "device_add", "device_del" },
        [DEVICE_COMPANION] = { "-device", "device_add", NULL },
        [DEVICE_FD] = { NULL, "getfd", "closefd" },
        [DEVICE_FDSET] = { "-add-fd", "add-fd", "remove-fd" },
};

const char *device_part_get_command(const struct device_part *part)
{
        return kinds[part->kind].command;
}

const char *device_part_get_undo_command(const struct device_part *part)
{
        return kinds[part->kind].undo;
}

json_t *device_part_get_undo_arguments(const struct device_part *part)
{
        static const char *const ids[] = { "id", "node-name", "fdname", "fdset-id" };
        json_t *arguments = json_object();

        for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
                json_t *id = json_object_get(part->arguments, ids[i]);

                if (id)
                        json_object_set(arguments, ids[i], id);
        }
        return arguments;
}

void device_append_escaped(GString *option, const char *text)
{
        for (; *text; text++) {
                if (*text == ',')
                        g_string_append_c(option, ',');
                g_string_append_c(option, *text);
        }
}

/* "emulator,id=tpm-tpm0,chardev=chrtpm": the type first, then strings. */
static char *typed_option(const json_t *backend)
{
        GString *option = g_string_new(json_string_value(json_object_get(backend, "type")));
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)backend, key, value)
        {
                if (strcmp(key, "type") == 0)
                        continue;
                g_string_append_printf(option, ",%s=", key);
                device_append_escaped(option, json_string_value(value));
        }
        return g_string_free(option, FALSE);
}

/* False: it has no form of one word. */
static bool append_word(GString *option, const json_t *value)
{
        if (json_is_boolean(value))
                g_string_append(option, json_is_true(value) ? "on" : "off");
        else if (json_is_integer(value))
                g_string_append_printf(option, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_string(value))
                device_append_escaped(option, json_string_value(value));
        else
                return false;
        return true;
}

/* "virtio-rng-pci,id=rng0,max-bytes=9"; NULL: there is a list in it. */
static char *plain_option(const json_t *device)
{
        g_autoptr(GString) option = g_string_new(json_string_value(json_object_get(device, "driver")));
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)device, key, value)
        {
                if (strcmp(key, "driver") == 0)
                        continue;
                g_string_append_printf(option, ",%s=", key);
                if (!append_word(option, value))
                        return NULL;
        }
        return g_string_free(g_steal_pointer(&option), FALSE);
}

static char *json_option(const json_t *arguments)
{
        char *dumped = json_dumps(arguments, JSON_COMPACT);
        char *option = g_strdup(dumped);

        free(dumped);
        return option;
}

void device_part_append_option(const struct device_part *part, GPtrArray *argv)
{
        char *option;

        g_assert(part->kind != DEVICE_FD);
        if (part->kind == DEVICE_CHARDEV)
                option = device_chardev_option(part->arguments);
        else if (part->kind == DEVICE_TPMDEV || part->kind == DEVICE_FSDEV)
                option = typed_option(part->arguments);
        else if (part->kind == DEVICE_SERIAL)
                option = g_strconcat(
                        "chardev:", json_string_value(json_object_get(part->arguments, "chardev")), NULL);
        else if (part->kind == DEVICE_FDSET)
                option = g_strdup_printf("fd=%d,set=%" JSON_INTEGER_FORMAT, part->fd,
                                         json_integer_value(json_object_get(part->arguments, "fdset-id")));
        else
                option = json_option(part->arguments);
        g_ptr_array_add(argv, g_strdup(kinds[part->kind].option));
        g_ptr_array_add(argv, option);
}

void device_part_append_plain_option(const struct device_part *part, GPtrArray *argv)
{
        char *option = part->kind == DEVICE_DEVICE ? plain_option(part->arguments) : NULL;

        if (!option) {
                device_part_append_option(part, argv);
                return;
        }
        g_ptr_array_add(argv, g_strdup(kinds[part->kind].option));
        g_ptr_array_add(argv, option);
}

/* ---- properties ---- */

json_t *device_new(const char *driver, const char *alias)
{
        json_t *device = json_object();

        device_set_string(device, "driver", driver);
        device_set_string(device, "id", alias);
        return device;
}

json_t *device_object(const char *type, const char *id)
{
        json_t *object = json_object();

        device_set_string(object, "qom-type", type);
        device_set_string(object, "id", id);
        return object;
}

void device_set_string(json_t *device, const char *name, const char *value)
{
        if (value)
                json_object_set_new(device, name, json_string(value));
}

void device_set_format(json_t *device, const char *name, const char *format, ...)
{
        g_autofree char *value = NULL;
        va_list args;

        va_start(args, format);
        value = g_strdup_vprintf(format, args);
        va_end(args);
        device_set_string(device, name, value);
}

void device_set_uint(json_t *device, const char *name, uint64_t value)
{
        if (value)
                device_set_int(device, name, (json_int_t)value);
}

void device_set_int(json_t *device, const char *name, json_int_t value)
{
        json_object_set_new(device, name, json_integer(value));
}

void device_set_bool(json_t *device, const char *name, bool value)
{
        json_object_set_new(device, name, json_boolean(value));
}

void device_set_switch(json_t *device, const char *name, enum domain_switch value)
{
        if (value != DOMAIN_SWITCH_ABSENT)
                device_set_bool(device, name, value == DOMAIN_SWITCH_ON);
}

void device_set_on_off(json_t *device, const char *name, enum domain_switch value)
{
        if (value != DOMAIN_SWITCH_ABSENT)
                device_set_string(device, name, value == DOMAIN_SWITCH_ON ? "on" : "off");
}

void device_set_virtio(json_t *device, const struct domain_virtio *virtio)
{
        device_set_switch(device, "iommu_platform", virtio->iommu);
        device_set_switch(device, "ats", virtio->ats);
        device_set_switch(device, "packed", virtio->packed);
        device_set_switch(device, "page-per-vq", virtio->page_per_vq);
}

bool device_set_iothread_map(json_t *device, const struct device_context *context, const char *type,
                             const struct domain_iothread_map *map, const char *who, GError **error)
{
        json_t *list;

        if (!map)
                return true;
        if (!qemu_caps_has_property(context->caps, type, "iothread-vq-mapping"))
                return device_unsupported(
                        error,
                        "%s: emulator '%s' cannot share the queues of '%s' among I/O threads "
                        "(<iothreads>); name one (iothread=)",
                        who, qemu_caps_get_path(context->caps), type);
        list = json_array();
        for (unsigned i = 0; i < map->count; i++) {
                const struct domain_mapped_iothread *thread = &map->threads[i];
                json_t *entry = json_object(), *queues = json_array();

                device_set_format(entry, "iothread", "iothread%u", (unsigned)thread->id);
                for (unsigned j = 0; j < thread->n_queues; j++)
                        json_array_append_new(queues, json_integer(thread->queues[j].id));
                if (thread->n_queues > 0)
                        json_object_set(entry, "vqs", queues);
                json_decref(queues);
                json_array_append_new(list, entry);
        }
        json_object_set_new(device, "iothread-vq-mapping", list);
        return true;
}

char *device_virtio_driver(const char *base, const char *model, const struct domain_device_info *info)
{
        const char *suffix = "";

        if (info->address.type == DOMAIN_ADDRESS_CCW)
                return g_strconcat(base, "-ccw", NULL);
        if (info->address.type == DOMAIN_ADDRESS_VIRTIO_MMIO)
                return g_strconcat(base, "-device", NULL);
        if (model && g_str_has_suffix(model, "-non-transitional"))
                suffix = "-non-transitional";
        else if (model && g_str_has_suffix(model, "-transitional"))
                suffix = "-transitional";
        return g_strdup_printf("%s-pci%s", base, suffix);
}

/* ---- places ---- */

bool device_machine_is_q35(const struct domain_def *def)
{
        return machine_family_of(def) == MACHINE_Q35;
}

const struct domain_controller *device_find_controller(const struct device_context *context,
                                                       enum domain_controller_type type, unsigned index)
{
        const struct domain_devices *devices = &context->def->devices;

        for (unsigned i = 0; i < devices->n_controllers; i++) {
                const struct domain_controller *controller = &devices->controllers[i];

                if (controller->type == type && controller->index == index && controller->master_port < 0)
                        return controller;
        }
        return NULL;
}

/* The bus of a pseries machine's further bridges to the host has a name of its own. */
static bool is_host_bridge(const struct domain_controller *controller)
{
        return g_strcmp0(controller->model, "pci-root") == 0;
}

static bool set_pci_address(json_t *device, const struct device_context *context,
                            const struct domain_device_info *info, GError **error)
{
        const struct domain_address_pci *pci = &info->address.pci;
        const struct domain_controller *bus = NULL;

        if (pci->domain)
                return device_unsupported(error, "PCI domain %u of device '%s' is not supported",
                                          (unsigned)pci->domain, info->alias);
        if (pci->bus)
                bus = device_find_controller(context, DOMAIN_CONTROLLER_PCI, pci->bus);
        if (pci->bus && !(bus && bus->info.alias))
                return device_unsupported(error, "no PCI controller with index %u for device '%s'", pci->bus,
                                          info->alias);
        if (bus)
                device_set_format(device, "bus", "%s%s", bus->info.alias, is_host_bridge(bus) ? ".0" : "");
        else
                device_set_string(device, "bus",
                                  machine_has_pcie(machine_family_of(context->def)) ? "pcie.0" : "pci.0");
        device_set_switch(device, "multifunction", pci->multifunction);
        if (pci->function)
                device_set_format(device, "addr", "0x%x.0x%x", pci->slot, pci->function);
        else
                device_set_format(device, "addr", "0x%x", pci->slot);
        device_set_uint(device, "acpi-index", info->acpi_index);
        return true;
}

bool device_set_scsi_place(json_t *device, const struct device_context *context,
                           const struct domain_device_info *info, GError **error)
{
        const struct domain_address_drive *drive = &info->address.drive;
        const struct domain_controller *controller =
                device_find_controller(context, DOMAIN_CONTROLLER_SCSI, drive->controller);

        if (info->address.type != DOMAIN_ADDRESS_DRIVE || !controller || !controller->info.alias)
                return device_unsupported(error, "no scsi controller for device '%s'", info->alias);
        device_set_format(device, "bus", "%s.%u", controller->info.alias, (unsigned)drive->bus);
        if (g_strcmp0(controller->model, "lsilogic") == 0) {
                device_set_int(device, "scsi-id", drive->unit);
        } else {
                device_set_int(device, "channel", 0);
                device_set_int(device, "scsi-id", drive->target);
                device_set_int(device, "lun", drive->unit);
        }
        return true;
}

static bool set_usb_address(json_t *device, const struct device_context *context,
                            const struct domain_device_info *info, GError **error)
{
        const struct domain_address_usb *usb = &info->address.usb;
        const struct domain_controller *bus =
                device_find_controller(context, DOMAIN_CONTROLLER_USB, usb->bus);
        g_autoptr(GString) port = g_string_new(NULL);

        if (!bus || !bus->info.alias || g_strcmp0(bus->model, "none") == 0)
                return device_unsupported(error, "no USB controller with index %u for device '%s'",
                                          (unsigned)usb->bus, info->alias);
        device_set_format(device, "bus", "%s.0", bus->info.alias);
        for (unsigned i = 0; i < G_N_ELEMENTS(usb->port) && usb->port[i]; i++)
                g_string_append_printf(port, "%s%u", i ? "." : "", usb->port[i]);
        if (port->len)
                device_set_string(device, "port", port->str);
        return true;
}

static void set_rom(json_t *device, const struct domain_device_info *info)
{
        if (info->rom_enabled == DOMAIN_SWITCH_OFF) {
                device_set_string(device, "romfile", "");
                return;
        }
        if (info->rom_bar != DOMAIN_SWITCH_ABSENT)
                device_set_int(device, "rombar", info->rom_bar == DOMAIN_SWITCH_ON);
        device_set_string(device, "romfile", info->rom_file);
}

bool device_set_address(json_t *device, const struct device_context *context,
                        const struct domain_device_info *info, GError **error)
{
        switch (info->address.type) {
        case DOMAIN_ADDRESS_PCI:
                set_rom(device, info);
                return set_pci_address(device, context, info, error);
        case DOMAIN_ADDRESS_USB:
                return set_usb_address(device, context, info, error);
        case DOMAIN_ADDRESS_ISA:
                device_set_uint(device, "iobase", info->address.isa.iobase);
                device_set_uint(device, "irq", info->address.isa.irq);
                return true;
        case DOMAIN_ADDRESS_CCW:
                device_set_format(device, "devno", "%x.%x.%04x", info->address.ccw.cssid,
                                  info->address.ccw.ssid, info->address.ccw.devno);
                return true;
        case DOMAIN_ADDRESS_SPAPR_VIO:
                if (info->address.spapr_vio.has_reg)
                        device_set_int(device, "reg", (json_int_t)info->address.spapr_vio.reg);
                return true;
        case DOMAIN_ADDRESS_VIRTIO_MMIO:
        case DOMAIN_ADDRESS_NONE:
                return true;
        default:
                return device_unsupported(error, "the address type of device '%s' is not supported",
                                          info->alias);
        }
}

bool device_list_add_companion(struct device_list *list, const struct device_context *context,
                               const struct domain_device_info *info, GError **error)
{
        const struct domain_address_pci *pci = &info->address.pci;
        json_t *zpci;

        if (info->address.type != DOMAIN_ADDRESS_PCI || pci->zpci_uid == 0)
                return true;
        if (!qemu_caps_has_type(context->caps, "zpci"))
                return device_unsupported(error, "emulator '%s' has no device 'zpci' for '%s' on PCI",
                                          qemu_caps_get_path(context->caps), info->alias);
        zpci = device_new("zpci", NULL);
        device_set_format(zpci, "id", "zpci%u", pci->zpci_uid);
        device_set_int(zpci, "uid", pci->zpci_uid);
        device_set_int(zpci, "fid", pci->zpci_fid);
        device_set_string(zpci, "target", info->alias);
        device_list_add(list, DEVICE_COMPANION, zpci);
        return true;
}

bool device_list_add_at(struct device_list *list, const struct device_context *context, json_t *device,
                        const struct domain_device_info *info, GError **error)
{
        if (!device_set_address(device, context, info, error) ||
            !device_list_add_companion(list, context, info, error)) {
                json_decref(device);
                return false;
        }
        return device_list_add_device(list, context, device, error);
}

/* ---- boot order ---- */

/* The place of a class in <os><boot dev=>, from 1; 0: it is not there. */
static unsigned class_boot_index(const struct domain_os *os, enum domain_boot class)
{
        for (unsigned i = 0; i < os->n_boot; i++) {
                if (os->boot[i] == class)
                        return i + 1;
        }
        return 0;
}

static enum domain_boot disk_boot_class(const struct domain_disk *disk)
{
        switch (disk->device) {
        case DOMAIN_DISK_CDROM:
                return DOMAIN_BOOT_CDROM;
        case DOMAIN_DISK_FLOPPY:
                return DOMAIN_BOOT_FD;
        default:
                return DOMAIN_BOOT_HD;
        }
}

unsigned device_disk_boot_index(const struct device_context *context, const struct domain_disk *disk)
{
        const struct domain_devices *devices = &context->def->devices;
        enum domain_boot class = disk_boot_class(disk);

        if (disk->info.boot_order || context->hot)
                return disk->info.boot_order;
        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (disk_boot_class(&devices->disks[i]) != class)
                        continue;
                return strcmp(devices->disks[i].target, disk->target) == 0
                               ? class_boot_index(&context->def->os, class)
                               : 0;
        }
        return 0;
}

unsigned device_interface_boot_index(const struct device_context *context,
                                     const struct domain_interface *interface)
{
        const struct domain_devices *devices = &context->def->devices;

        if (interface->info.boot_order || context->hot)
                return interface->info.boot_order;
        if (devices->n_interfaces && g_strcmp0(devices->interfaces[0].info.alias, interface->info.alias) == 0)
                return class_boot_index(&context->def->os, DOMAIN_BOOT_NETWORK);
        return 0;
}
