/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Controllers: PCI and PCI Express ports and bridges, USB, SCSI, SATA, NVMe, virtio-serial, ccid. What the
 * machine has built in (its root bus, IDE, the SATA controller of q35, the floppy controller of i440fx) is
 * not made again. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include <string.h>

#define USB_PORTS_MAX 15

struct model {
        const char *model;
        const char *driver;
};

static const char *find_driver(const struct model *models, size_t count, const char *model)
{
        for (size_t i = 0; i < count; i++) {
                if (g_strcmp0(models[i].model, model) == 0)
                        return models[i].driver;
        }
        return NULL;
}

static bool refuse_model(const struct domain_controller *controller, GError **error)
{
        return device_unsupported(error, "model '%s' of %s controller %u is not supported",
                                  controller->model ? controller->model : "default",
                                  domain_controller_type_get_name(controller->type),
                                  (unsigned)controller->index);
}

/* ---- PCI ---- */

static void set_optional(json_t *device, const char *name, int value)
{
        if (value >= 0)
                device_set_int(device, name, value);
}

static void set_port(json_t *device, const struct domain_controller *controller)
{
        set_optional(device, "port", controller->port);
        set_optional(device, "chassis", controller->chassis);
        if (controller->memory_reserve_kib)
                device_set_int(device, "mem-reserve", (json_int_t)controller->memory_reserve_kib * 1024);
        device_set_switch(device, "hotplug", controller->hotplug);
}

static void set_pci_bridge(json_t *device, const struct domain_controller *controller)
{
        set_optional(device, "chassis_nr", controller->chassis_nr);
        device_set_switch(device, "shpc", controller->hotplug);
}

static void set_expander(json_t *device, const struct domain_controller *controller)
{
        set_optional(device, "bus_nr", controller->bus_nr);
        set_optional(device, "numa_node", controller->node);
}

static void set_host_bridge(json_t *device, const struct domain_controller *controller)
{
        set_optional(device, "index", controller->target_index);
        set_optional(device, "numa_node", controller->node);
}

static const struct {
        const char *model;
        const char *driver; /* where <model name=> does not say */
        void (*set)(json_t *device, const struct domain_controller *controller);
} pci_models[] = {
        { "pci-root", "spapr-pci-host-bridge", set_host_bridge },
        { "pcie-root-port", "pcie-root-port", set_port },
        { "pci-bridge", "pci-bridge", set_pci_bridge },
        { "dmi-to-pci-bridge", "i82801b11-bridge", NULL },
        { "pcie-to-pci-bridge", "pcie-pci-bridge", NULL },
        { "pcie-switch-upstream-port", "x3130-upstream", NULL },
        { "pcie-switch-downstream-port", "xio3130-downstream", set_port },
        { "pci-expander-bus", "pxb", set_expander },
        { "pcie-expander-bus", "pxb-pcie", set_expander },
};

static bool describe_pci(struct device_list *list, const struct device_context *context,
                         const struct domain_controller *controller, GError **error)
{
        json_t *device;

        if (controller->index == 0)
                return true; /* the root */
        for (unsigned i = 0; i < G_N_ELEMENTS(pci_models); i++) {
                if (g_strcmp0(pci_models[i].model, controller->model) != 0)
                        continue;
                device = device_new(controller->model_name ? controller->model_name : pci_models[i].driver,
                                    controller->info.alias);
                if (pci_models[i].set)
                        pci_models[i].set(device, controller);
                return device_list_add_at(list, context, device, &controller->info, error);
        }
        return refuse_model(controller, error);
}

/* ---- USB ---- */

static const struct model usb_models[] = {
        { "piix3-uhci", "piix3-usb-uhci" },
        { "piix4-uhci", "piix4-usb-uhci" },
        { "ehci", "usb-ehci" },
        { "ich9-ehci1", "ich9-usb-ehci1" },
        { "ich9-uhci1", "ich9-usb-uhci1" },
        { "ich9-uhci2", "ich9-usb-uhci2" },
        { "ich9-uhci3", "ich9-usb-uhci3" },
        { "vt82c686b-uhci", "vt82c686b-usb-uhci" },
        { "pci-ohci", "pci-ohci" },
        { "nec-xhci", "nec-usb-xhci" },
        { "qemu-xhci", "qemu-xhci" },
};

/* A companion serves the low-speed ports of the master's bus, which is the one that carries the alias. */
static void set_companion(json_t *device, const struct device_context *context,
                          const struct domain_controller *controller)
{
        const struct domain_controller *master =
                device_find_controller(context, DOMAIN_CONTROLLER_USB, controller->index);

        json_object_del(device, "id");
        if (master)
                device_set_format(device, "masterbus", "%s.0", master->info.alias);
        device_set_int(device, "firstport", controller->master_port);
}

static bool describe_usb(struct device_list *list, const struct device_context *context,
                         const struct domain_controller *controller, GError **error)
{
        const char *driver = find_driver(usb_models, G_N_ELEMENTS(usb_models), controller->model);
        json_t *device;

        if (g_strcmp0(controller->model, "none") == 0)
                return true;
        if (!driver)
                return refuse_model(controller, error);
        if (controller->ports > USB_PORTS_MAX)
                return device_unsupported(error, "USB controller %u has more than %d ports",
                                          (unsigned)controller->index, USB_PORTS_MAX);
        device = device_new(driver, controller->info.alias);
        if (strstr(driver, "xhci")) {
                set_optional(device, "p2", controller->ports);
                set_optional(device, "p3", controller->ports);
        }
        if (controller->master_port >= 0)
                set_companion(device, context, controller);
        return device_list_add_at(list, context, device, &controller->info, error);
}

/* ---- SCSI ---- */

static const struct model scsi_models[] = {
        { "lsilogic", "lsi53c895a" },  { "lsisas1068", "mptsas1068" }, { "lsisas1078", "megasas" },
        { "vmpvscsi", "pvscsi" },      { "am53c974", "am53c974" },     { "dc390", "dc390" },
        { "ibmvscsi", "spapr-vscsi" },
};

static bool is_virtio_scsi(const struct domain_controller *controller)
{
        return !controller->model || g_str_has_prefix(controller->model, "virtio-");
}

/* NULL with an error. */
static json_t *virtio_scsi(const struct device_context *context, const struct domain_controller *controller,
                           GError **error)
{
        g_autofree char *driver = device_virtio_driver("virtio-scsi", controller->model, &controller->info),
                        *who = g_strdup_printf("SCSI controller %u", (unsigned)controller->index);
        json_t *device = device_new(driver, controller->info.alias);

        if (!device_set_iothread_map(device, context, "virtio-scsi-pci", controller->iothread_map, who,
                                     error)) {
                json_decref(device);
                return NULL;
        }
        device_set_virtio(device, &controller->virtio);
        if (controller->iothread)
                device_set_format(device, "iothread", "iothread%u", (unsigned)controller->iothread);
        device_set_uint(device, "num_queues", controller->queues);
        device_set_uint(device, "cmd_per_lun", controller->cmd_per_lun);
        device_set_uint(device, "max_sectors", controller->max_sectors);
        device_set_switch(device, "ioeventfd", controller->ioeventfd);
        return device;
}

static bool describe_scsi(struct device_list *list, const struct device_context *context,
                          const struct domain_controller *controller, GError **error)
{
        const char *driver = find_driver(scsi_models, G_N_ELEMENTS(scsi_models), controller->model);
        json_t *device;

        if (is_virtio_scsi(controller))
                device = virtio_scsi(context, controller, error);
        else if (driver)
                device = device_new(driver, controller->info.alias);
        else
                return refuse_model(controller, error);
        return device && device_list_add_at(list, context, device, &controller->info, error);
}

/* ---- the rest ---- */

static bool describe_sata(struct device_list *list, const struct device_context *context,
                          const struct domain_controller *controller, GError **error)
{
        if (device_machine_is_q35(context->def) && controller->index == 0)
                return true;
        return device_list_add_at(list, context, device_new("ich9-ahci", controller->info.alias),
                                  &controller->info, error);
}

/* Its disks are namespaces (device-disk.c), and numbered from 1 on. */
static bool describe_nvme(struct device_list *list, const struct device_context *context,
                          const struct domain_controller *controller, GError **error)
{
        json_t *device = device_new("nvme", controller->info.alias);

        device_set_string(device, "serial", controller->serial);
        return device_list_add_at(list, context, device, &controller->info, error);
}

static bool describe_ide(const struct device_context *context, const struct domain_controller *controller,
                         GError **error)
{
        if (device_machine_is_q35(context->def) || controller->index != 0)
                return device_unsupported(error, "IDE controller %u on machine '%s'",
                                          (unsigned)controller->index, context->def->os.machine);
        return true;
}

static bool describe_fdc(struct device_list *list, const struct device_context *context,
                         const struct domain_controller *controller, GError **error)
{
        if (!device_machine_is_q35(context->def))
                return true;
        return device_list_add_device(list, context, device_new("isa-fdc", controller->info.alias), error);
}

static bool describe_virtio_serial(struct device_list *list, const struct device_context *context,
                                   const struct domain_controller *controller, GError **error)
{
        g_autofree char *driver = device_virtio_driver("virtio-serial", controller->model, &controller->info);
        json_t *device = device_new(driver, controller->info.alias);

        device_set_virtio(device, &controller->virtio);
        set_optional(device, "max_ports", controller->ports);
        set_optional(device, "vectors", controller->vectors);
        return device_list_add_at(list, context, device, &controller->info, error);
}

bool device_describe_controller(struct device_list *list, const struct device_context *context,
                                const void *data, GError **error)
{
        const struct domain_controller *controller = data;

        switch (controller->type) {
        case DOMAIN_CONTROLLER_PCI:
                return describe_pci(list, context, controller, error);
        case DOMAIN_CONTROLLER_USB:
                return describe_usb(list, context, controller, error);
        case DOMAIN_CONTROLLER_SCSI:
                return describe_scsi(list, context, controller, error);
        case DOMAIN_CONTROLLER_SATA:
                return describe_sata(list, context, controller, error);
        case DOMAIN_CONTROLLER_NVME:
                return describe_nvme(list, context, controller, error);
        case DOMAIN_CONTROLLER_IDE:
                return describe_ide(context, controller, error);
        case DOMAIN_CONTROLLER_FDC:
                return describe_fdc(list, context, controller, error);
        case DOMAIN_CONTROLLER_VIRTIO_SERIAL:
                return describe_virtio_serial(list, context, controller, error);
        case DOMAIN_CONTROLLER_CCID:
                return device_list_add_at(list, context, device_new("usb-ccid", controller->info.alias),
                                          &controller->info, error);
        default:
                return device_unsupported(error, "<controller type='%s'> is not supported",
                                          domain_controller_type_get_name(controller->type));
        }
}
