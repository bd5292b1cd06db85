/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device numbers of virtio devices on channels, which s390x has beside PCI and prefers. Numbers that the
 * document gives are kept and checked; the rest gets the next free one of the first set of subchannels. No
 * state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

/* The channel subsystem that QEMU's virtio devices are in. */
#define CSSID     0xfe
#define SSID_MAX  3
#define DEVNO_MAX 0xffff

const enum domain_device_kind address_number_order[] = {
        DOMAIN_DEVICE_DISK,       DOMAIN_DEVICE_INTERFACE,  DOMAIN_DEVICE_HOSTDEV,    DOMAIN_DEVICE_SOUND,
        DOMAIN_DEVICE_VIDEO,      DOMAIN_DEVICE_CONTROLLER, DOMAIN_DEVICE_SERIAL,     DOMAIN_DEVICE_INPUT,
        DOMAIN_DEVICE_FILESYSTEM, DOMAIN_DEVICE_WATCHDOG,   DOMAIN_DEVICE_MEMBALLOON, DOMAIN_DEVICE_RNG,
        DOMAIN_DEVICE_SHMEM,      DOMAIN_DEVICE_PANIC,      DOMAIN_DEVICE_MEMORY,     DOMAIN_DEVICE_IOMMU,
        DOMAIN_DEVICE_VSOCK,      DOMAIN_DEVICE_CRYPTO,     DOMAIN_DEVICE_KINDS,
};

static bool read_number(const xmlNode *address, unsigned *number, GError **error)
{
        unsigned cssid = CSSID, ssid = 0, devno = 0;

        if (!hardware_get_uint(address, "cssid", CSSID, &cssid, error) ||
            !hardware_get_uint(address, "ssid", SSID_MAX, &ssid, error) ||
            !hardware_get_uint(address, "devno", DEVNO_MAX, &devno, error))
                return false;
        if (cssid != CSSID)
                return xml_error(error, address, "virtio devices are in channel subsystem 0x%x, not 0x%x",
                                 CSSID, cssid);
        *number = ssid << 16 | devno;
        return true;
}

static void write_number(xmlNode *node, unsigned number)
{
        xmlNode *address = hardware_child(node, "address");

        xml_set_attr(address, "type", "ccw");
        hardware_set(address, "cssid", "0x%x", CSSID);
        hardware_set(address, "ssid", "0x%x", number >> 16);
        hardware_set(address, "devno", "0x%04x", number & DEVNO_MAX);
}

static bool refuse(const xmlNode *node, GError **error)
{
        g_autofree char *what = hardware_describe(node);

        return hardware_unsupported(
                error, node,
                "the machine has channels and PCI for virtio devices, and PCI for those of "
                "the host, not for %s: use a virtio model",
                what);
}

/* An address on PCI or on channels is for devices that there are such ones of. */
static bool check_bus(const struct hardware *hardware, const xmlNode *node, GError **error)
{
        const xmlNode *address = xml_child(node, "address");

        if (hardware_is(address, "type", "pci"))
                return pci_class_of(hardware, node) != PCI_SLOT_NONE || refuse(node, error);
        if (hardware_is(address, "type", "ccw") && pci_class_elsewhere(hardware, node) != PCI_SLOT_NONE)
                return pci_class_is_channel(node) || refuse(node, error);
        return true;
}

/* Devices of the kind that the document has given a number. */
static bool take_given(struct hardware *hardware, GHashTable *used, enum domain_device_kind kind,
                       GError **error)
{
        HARDWARE_FOREACH (node, hardware, kind) {
                xmlNode *address = xml_child(node, "address");
                unsigned number = 0;

                if (!check_bus(hardware, node, error))
                        return false;
                if (!hardware_is(address, "type", "ccw") || !xml_has_attr(address, "devno"))
                        continue;
                if (!read_number(address, &number, error))
                        return false;
                if (!g_hash_table_add(used, GUINT_TO_POINTER(number)))
                        return xml_error(error, address, "two devices have the number %x.%x.%04x", CSSID,
                                         number >> 16, number & DEVNO_MAX);
                write_number(node, number);
        }
        return true;
}

static bool needs_number(const struct hardware *hardware, const xmlNode *node)
{
        const xmlNode *address = xml_child(node, "address");

        if (hardware_is(address, "type", "ccw"))
                return !xml_has_attr(address, "devno");
        return !address && pci_class_elsewhere(hardware, node) != PCI_SLOT_NONE;
}

static bool give_numbers(struct hardware *hardware, GHashTable *used, unsigned *next,
                         enum domain_device_kind kind, GError **error)
{
        HARDWARE_FOREACH (node, hardware, kind) {
                if (!needs_number(hardware, node))
                        continue;
                if (!pci_class_is_channel(node))
                        return refuse(node, error);
                /* There are fewer devices than numbers (DOMAIN_DEVICES_MAX). */
                while (!g_hash_table_add(used, GUINT_TO_POINTER(*next)))
                        (*next)++;
                write_number(node, *next);
        }
        return true;
}

bool address_ccw(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) used = NULL;
        unsigned next = 0;

        if (!hardware->machine->ccw)
                return true;
        used = g_hash_table_new(NULL, NULL);
        for (unsigned i = 0; address_number_order[i] != DOMAIN_DEVICE_KINDS; i++) {
                if (!take_given(hardware, used, address_number_order[i], error))
                        return false;
        }
        for (unsigned i = 0; address_number_order[i] != DOMAIN_DEVICE_KINDS; i++) {
                if (!give_numbers(hardware, used, &next, address_number_order[i], error))
                        return false;
        }
        return true;
}
