/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which devices are on PCI. Tables of what QEMU's devices are. No state; any thread.
 */
#include "drivers/domain/address-pci-class-xml.h"

#include "drivers/domain/kinds-xml.h"

/* virtio devices are PCI Express ones unless they still speak the old protocol too. */
static enum pci_slot virtio_class(const char *model)
{
        return model && strcmp(model, "virtio-transitional") == 0 ? PCI_SLOT_CONVENTIONAL : PCI_SLOT_EXPRESS;
}

static bool is_virtio(const char *model)
{
        static const char *const models[] = { "virtio", "virtio-transitional", "virtio-non-transitional",
                                              NULL };

        return hardware_is_one_of(model, models);
}

enum pci_slot pci_class_disk(const struct hardware *hardware, const xmlNode *disk)
{
        return hardware_child_is(disk, "target", "bus", "virtio") ? virtio_class(hardware_peek(disk, "model"))
                                                                  : PCI_SLOT_NONE;
}

enum pci_slot pci_class_interface(const struct hardware *hardware, const xmlNode *interface)
{
        static const char *const express[] = { "e1000e", "igb", NULL };
        static const char *const other[] = {
                "usb-net", "netfront", "spapr-vlan", "lan9118", "smc91c111", NULL
        };
        const char *model = hardware_peek_child(interface, "model", "type");

        if (hardware_is(interface, "type", "hostdev"))
                return PCI_SLOT_EXPRESS;
        if (!model || is_virtio(model))
                return virtio_class(model);
        if (hardware_is_one_of(model, other))
                return PCI_SLOT_NONE;
        return hardware_is_one_of(model, express) ? PCI_SLOT_EXPRESS : PCI_SLOT_CONVENTIONAL;
}

static enum pci_slot pci_controller_class(const xmlNode *controller)
{
        static const struct {
                const char *model;
                enum pci_slot class;
        } models[] = {
                { "pci-bridge", PCI_SLOT_PCI_BRIDGE },
                { "dmi-to-pci-bridge", PCI_SLOT_DMI_BRIDGE },
                { "pcie-to-pci-bridge", PCI_SLOT_EXPRESS },
                { "pcie-root-port", PCI_SLOT_ROOT_PORT },
                { "pcie-switch-upstream-port", PCI_SLOT_UPSTREAM },
                { "pcie-switch-downstream-port", PCI_SLOT_DOWNSTREAM },
                { "pci-expander-bus", PCI_SLOT_EXPANDER },
                { "pcie-expander-bus", PCI_SLOT_EXPANDER },
        };
        const char *model = hardware_peek(controller, "model");

        for (unsigned i = 0; model && i < G_N_ELEMENTS(models); i++) {
                if (strcmp(model, models[i].model) == 0)
                        return models[i].class;
        }
        return PCI_SLOT_NONE;
}

enum pci_slot pci_class_controller(const struct hardware *hardware, const xmlNode *controller)
{
        const char *type = hardware_peek(controller, "type"), *model = hardware_peek(controller, "model");

        if (strcmp(type, "pci") == 0)
                return pci_controller_class(controller);
        if (strcmp(type, "virtio-serial") == 0)
                return virtio_class(model);
        if (strcmp(type, "scsi") == 0 && model && strcmp(model, "ibmvscsi") == 0)
                return PCI_SLOT_NONE;
        if (strcmp(type, "scsi") == 0)
                return model && g_str_has_prefix(model, "virtio") ? virtio_class(model)
                                                                  : PCI_SLOT_CONVENTIONAL;
        if (strcmp(type, "usb") == 0 && model && strcmp(model, "none") != 0)
                return g_str_has_suffix(model, "-xhci") ? PCI_SLOT_EXPRESS : PCI_SLOT_CONVENTIONAL;
        if (strcmp(type, "nvme") == 0)
                return PCI_SLOT_EXPRESS;
        return strcmp(type, "sata") == 0 || strcmp(type, "ide") == 0 ? PCI_SLOT_CONVENTIONAL : PCI_SLOT_NONE;
}

enum pci_slot pci_class_hostdev(const struct hardware *hardware, const xmlNode *hostdev)
{
        static const char *const types[] = { "pci", "scsi_host", "mdev", NULL };

        if (hardware_is(hostdev, "type", "mdev") && !hardware_is(hostdev, "model", "vfio-pci"))
                return PCI_SLOT_NONE;
        return hardware_is_one_of(hardware_peek(hostdev, "type"), types) ? PCI_SLOT_EXPRESS : PCI_SLOT_NONE;
}

enum pci_slot pci_class_video(const struct hardware *hardware, const xmlNode *video)
{
        static const char *const none[] = { "none", "ramfb", NULL };
        const char *model = hardware_peek_child(video, "model", "type");

        if (hardware_is_one_of(model, none))
                return PCI_SLOT_NONE;
        if (hardware->machine->isa && hardware_get(hardware, DOMAIN_DEVICE_VIDEO, 0) == video)
                return PCI_SLOT_INTEGRATED;
        return model && strcmp(model, "virtio") == 0 ? PCI_SLOT_EXPRESS : PCI_SLOT_CONVENTIONAL;
}

enum pci_slot pci_class_filesystem(const struct hardware *hardware, const xmlNode *filesystem)
{
        return virtio_class(hardware_peek(filesystem, "model"));
}

enum pci_slot pci_class_serial(const struct hardware *hardware, const xmlNode *serial)
{
        return hardware_child_is(serial, "target", "type", "pci-serial") ? PCI_SLOT_CONVENTIONAL
                                                                         : PCI_SLOT_NONE;
}

enum pci_slot pci_class_shmem(const struct hardware *hardware, const xmlNode *shmem)
{
        return PCI_SLOT_CONVENTIONAL;
}

enum pci_slot pci_class_virtio(const struct hardware *hardware, const xmlNode *device)
{
        const char *model = hardware_peek(device, "model");

        return is_virtio(model) ? virtio_class(model) : PCI_SLOT_NONE;
}

enum pci_slot pci_class_input(const struct hardware *hardware, const xmlNode *input)
{
        return hardware_is(input, "bus", "virtio") ? PCI_SLOT_EXPRESS : PCI_SLOT_NONE;
}

enum pci_slot pci_class_iommu(const struct hardware *hardware, const xmlNode *iommu)
{
        return hardware_is(iommu, "model", "virtio") ? PCI_SLOT_INTEGRATED : PCI_SLOT_NONE;
}

enum pci_slot pci_class_memory(const struct hardware *hardware, const xmlNode *memory)
{
        static const char *const models[] = { "virtio-mem", "virtio-pmem", NULL };

        return hardware_is_one_of(hardware_peek(memory, "model"), models) ? PCI_SLOT_EXPRESS : PCI_SLOT_NONE;
}

enum pci_slot pci_class_watchdog(const struct hardware *hardware, const xmlNode *watchdog)
{
        return hardware_is(watchdog, "model", "i6300esb") ? PCI_SLOT_CONVENTIONAL : PCI_SLOT_NONE;
}

enum pci_slot pci_class_sound(const struct hardware *hardware, const xmlNode *sound)
{
        static const char *const models[] = { "ich6", "ich9", "ac97", "es1370", NULL };

        return hardware_is_one_of(hardware_peek(sound, "model"), models) ? PCI_SLOT_CONVENTIONAL
                                                                         : PCI_SLOT_NONE;
}

enum pci_slot pci_class_panic(const struct hardware *hardware, const xmlNode *panic)
{
        return hardware_is(panic, "model", "pvpanic") ? PCI_SLOT_INTEGRATED : PCI_SLOT_NONE;
}

enum pci_slot pci_class_pstore(const struct hardware *hardware, const xmlNode *pstore)
{
        return PCI_SLOT_CONVENTIONAL;
}

static bool is_channel_model(const char *model)
{
        return !model || g_str_has_prefix(model, "virtio");
}

bool pci_class_is_channel(const xmlNode *node)
{
        const char *model = hardware_peek(node, "model");

        switch (domain_kind_of(node)) {
        case DOMAIN_DEVICE_DISK:
        case DOMAIN_DEVICE_INPUT:
        case DOMAIN_DEVICE_FILESYSTEM:
        case DOMAIN_DEVICE_RNG:
        case DOMAIN_DEVICE_MEMBALLOON:
        case DOMAIN_DEVICE_VSOCK:
        case DOMAIN_DEVICE_CRYPTO:
                return true;
        case DOMAIN_DEVICE_INTERFACE:
                return !hardware_is(node, "type", "hostdev") &&
                       is_channel_model(hardware_peek_child(node, "model", "type"));
        case DOMAIN_DEVICE_VIDEO:
                return hardware_child_is(node, "model", "type", "virtio");
        case DOMAIN_DEVICE_CONTROLLER:
                return hardware_is(node, "type", "virtio-serial") ||
                       (hardware_is(node, "type", "scsi") && is_channel_model(model));
        case DOMAIN_DEVICE_HOSTDEV:
                return hardware_is(node, "type", "scsi_host");
        default:
                return false;
        }
}

/* Where there are channels, PCI is for what asks for it and for devices of the host, and has bridges. */
static bool prefers_channel(const xmlNode *device, const char *address)
{
        if (xml_is(device, "controller") && hardware_is(device, "type", "pci"))
                return !hardware_is(device, "model", "pci-bridge");
        if (xml_is(device, "hostdev") ||
            (xml_is(device, "interface") && hardware_is(device, "type", "hostdev")))
                return !address && pci_class_is_channel(device);
        return !address || !pci_class_is_channel(device);
}

enum pci_slot pci_class_elsewhere(const struct hardware *hardware, const xmlNode *device)
{
        const struct domain_kind *row = &domain_kinds[domain_kind_of(device)];

        return row->pci_class ? row->pci_class(hardware, device) : PCI_SLOT_NONE;
}

enum pci_slot pci_class_of(const struct hardware *hardware, const xmlNode *device)
{
        const char *address = hardware_peek_child(device, "address", "type");
        enum pci_slot class;

        if (address && strcmp(address, "pci") != 0)
                return PCI_SLOT_NONE;
        if (hardware->machine->ccw && prefers_channel(device, address))
                return PCI_SLOT_NONE;
        class = pci_class_elsewhere(hardware, device);
        /* Where there is no PCI Express all is plain PCI. */
        if (class == PCI_SLOT_EXPRESS && !hardware->machine->pcie_root)
                return PCI_SLOT_CONVENTIONAL;
        return class;
}
