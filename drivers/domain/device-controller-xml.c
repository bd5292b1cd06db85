/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Controllers.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#define NODE_MAX   1023
#define SERIAL_MAX 20 /* as many as an NVMe controller tells */

const char *const domain_controller_type_names[] = {
        [DOMAIN_CONTROLLER_IDE] = "ide",
        [DOMAIN_CONTROLLER_FDC] = "fdc",
        [DOMAIN_CONTROLLER_SCSI] = "scsi",
        [DOMAIN_CONTROLLER_SATA] = "sata",
        [DOMAIN_CONTROLLER_VIRTIO_SERIAL] = "virtio-serial",
        [DOMAIN_CONTROLLER_CCID] = "ccid",
        [DOMAIN_CONTROLLER_USB] = "usb",
        [DOMAIN_CONTROLLER_PCI] = "pci",
        [DOMAIN_CONTROLLER_XENBUS] = "xenbus",
        [DOMAIN_CONTROLLER_ISA] = "isa",
        [DOMAIN_CONTROLLER_NVME] = "nvme",
        [DOMAIN_CONTROLLER_LAST] = NULL,
};

static const char *const no_models[] = { NULL };
static const char *const ide_models[] = { "piix3", "piix4", "ich6", NULL };
static const char *const scsi_models[] = {
        "auto",
        "buslogic",
        "lsilogic",
        "lsisas1068",
        "lsisas1078",
        "vmpvscsi",
        "ibmvscsi",
        "virtio-scsi",
        "ncr53c90",
        "dc390",
        "am53c974",
        "virtio-transitional",
        "virtio-non-transitional",
        NULL,
};
static const char *const usb_models[] = {
        "piix3-uhci", "piix4-uhci", "ehci",           "ich9-ehci1", "ich9-uhci1",
        "ich9-uhci2", "ich9-uhci3", "vt82c686b-uhci", "pci-ohci",   "nec-xhci",
        "qemu-xhci",  "qusb1",      "qusb2",          "none",       NULL,
};
static const char *const pci_models[] = {
        "pci-root",
        "pcie-root",
        "pci-bridge",
        "dmi-to-pci-bridge",
        "pcie-to-pci-bridge",
        "pcie-root-port",
        "pcie-switch-upstream-port",
        "pcie-switch-downstream-port",
        "pci-expander-bus",
        "pcie-expander-bus",
        NULL,
};
static const char *const pci_model_names[] = {
        "pci-bridge", "i82801b11-bridge", "ioh3420",        "x3130-upstream",  "xio3130-downstream",
        "pxb",        "pxb-pcie",         "pcie-root-port", "pcie-pci-bridge", "spapr-pci-host-bridge",
        NULL,
};

static const char *const *const models[DOMAIN_CONTROLLER_LAST] = {
        [DOMAIN_CONTROLLER_IDE] = ide_models,
        [DOMAIN_CONTROLLER_FDC] = no_models,
        [DOMAIN_CONTROLLER_SCSI] = scsi_models,
        [DOMAIN_CONTROLLER_SATA] = no_models,
        [DOMAIN_CONTROLLER_VIRTIO_SERIAL] = domain_virtio_model_names,
        [DOMAIN_CONTROLLER_CCID] = no_models,
        [DOMAIN_CONTROLLER_USB] = usb_models,
        [DOMAIN_CONTROLLER_PCI] = pci_models,
        [DOMAIN_CONTROLLER_XENBUS] = no_models,
        [DOMAIN_CONTROLLER_ISA] = no_models,
        [DOMAIN_CONTROLLER_NVME] = no_models,
};

static const struct field controller_fields[] = {
        ENUM("type", struct domain_controller, type, domain_controller_type_names, .required = true),
        UINT("index", struct domain_controller, index, .max = INT32_MAX),
        INT("ports", struct domain_controller, ports),
        INT("vectors", struct domain_controller, vectors),
        FIELDS_END,
};
static const struct field driver_fields[] = {
        UINT("queues", struct domain_controller, queues),
        UINT("cmd_per_lun", struct domain_controller, cmd_per_lun),
        UINT("max_sectors", struct domain_controller, max_sectors),
        ON_OFF("ioeventfd", struct domain_controller, ioeventfd),
        UINT("iothread", struct domain_controller, iothread),
        FIELDS_END,
};
static const struct field model_fields[] = {
        NAME("name", struct domain_controller, model_name, pci_model_names),
        FIELDS_END,
};
static const struct field target_fields[] = {
        INT("chassisNr", struct domain_controller, chassis_nr, .max = 255, .min = 1),
        INT("chassis", struct domain_controller, chassis, .max = 255, .min = 1),
        HEX("port", struct domain_controller, port, .max = 255),
        INT("busNr", struct domain_controller, bus_nr, .max = 254, .min = 1),
        INT("index", struct domain_controller, target_index, .max = 30),
        ON_OFF("hotplug", struct domain_controller, hotplug),
        UINT("memReserve", struct domain_controller, memory_reserve_kib),
        FIELDS_END,
};
static const struct field node_fields[] = {
        INT(NULL, struct domain_controller, node, .max = NODE_MAX, .min = 1), FIELDS_END
};
static const struct field master_fields[] = {
        INT("startport", struct domain_controller, master_port, .min = 1), FIELDS_END
};
static const struct field pcihole_fields[] = { KIB(NULL, struct domain_controller, pcihole64_kib),
                                               FIELDS_END };

static const struct field serial_fields[] = {
        STRING(NULL, struct domain_controller, serial, .max = SERIAL_MAX),
        FIELDS_END,
};

static const struct field_part parts[] = {
        { NULL, controller_fields },
        { "driver", driver_fields },
        VIRTIO_PART(struct domain_controller),
        { "model", model_fields },
        { "target", target_fields },
        { "target/node", node_fields },
        { "master", master_fields },
        { "pcihole64", pcihole_fields },
        { "serial", serial_fields },
        { "driver/iothreads", NULL, domain_read_iothread_map,
          offsetof(struct domain_controller, iothread_map) },
        INFO_PARTS(struct domain_controller),
        PARTS_END,
};

bool domain_read_controller(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_controller *controller = target;
        struct field model[] = { NAME("model", struct domain_controller, model, no_models), FIELDS_END };

        controller->ports = controller->vectors = controller->master_port = -1;
        controller->chassis_nr = controller->chassis = controller->port = controller->bus_nr =
                controller->node = controller->target_index = -1;
        if (!field_read_parts(reader, node, parts, controller, error))
                return false;
        model[0].names = models[controller->type];
        return domain_check_plain(node, "serial", controller->serial, "", error) &&
               field_read(reader, node, model, controller, error);
}
