/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every device may have: alias, boot order, ROM, ACPI index, address.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define BOOT_ORDER_MAX  INT32_MAX
#define ACPI_INDEX_MAX  16383
#define USB_PORT_LEVELS 4

static const char *const type_names[] = {
        [DOMAIN_ADDRESS_NONE] = "none",
        [DOMAIN_ADDRESS_PCI] = "pci",
        [DOMAIN_ADDRESS_DRIVE] = "drive",
        [DOMAIN_ADDRESS_VIRTIO_SERIAL] = "virtio-serial",
        [DOMAIN_ADDRESS_CCID] = "ccid",
        [DOMAIN_ADDRESS_USB] = "usb",
        [DOMAIN_ADDRESS_SPAPR_VIO] = "spapr-vio",
        [DOMAIN_ADDRESS_CCW] = "ccw",
        [DOMAIN_ADDRESS_VIRTIO_MMIO] = "virtio-mmio",
        [DOMAIN_ADDRESS_ISA] = "isa",
        [DOMAIN_ADDRESS_DIMM] = "dimm",
        [DOMAIN_ADDRESS_UNASSIGNED] = "unassigned",
        [DOMAIN_ADDRESS_LAST] = NULL,
};

const char *const domain_virtio_model_names[] = { "virtio", "virtio-transitional", "virtio-non-transitional",
                                                  NULL };

const struct field domain_alias_fields[] = {
        STRING("name", struct domain_device_info, alias, .max = 255),
        FIELDS_END,
};
const struct field domain_boot_fields[] = {
        UINT("order", struct domain_device_info, boot_order, .required = true, .min = 1,
             .max = BOOT_ORDER_MAX),
        FIELDS_END,
};
const struct field domain_acpi_fields[] = {
        UINT("index", struct domain_device_info, acpi_index, .min = 1, .max = ACPI_INDEX_MAX),
        FIELDS_END,
};
const struct field domain_rom_fields[] = {
        YES_NO("enabled", struct domain_device_info, rom_enabled),
        ON_OFF("bar", struct domain_device_info, rom_bar),
        PATH("file", struct domain_device_info, rom_file),
        FIELDS_END,
};
const struct field domain_virtio_fields[] = {
        ON_OFF("iommu", struct domain_virtio, iommu),
        ON_OFF("ats", struct domain_virtio, ats),
        ON_OFF("packed", struct domain_virtio, packed),
        ON_OFF("page_per_vq", struct domain_virtio, page_per_vq),
        FIELDS_END,
};

static const struct field type_field[] = {
        ENUM("type", struct domain_address, type, type_names, .required = true, .min = 1),
        FIELDS_END,
};
static const struct field pci_fields[] = {
        HEX("domain", struct domain_address, pci.domain, .max = 0xffff),
        HEX("bus", struct domain_address, pci.bus),
        HEX("slot", struct domain_address, pci.slot, .max = 0x1f),
        HEX("function", struct domain_address, pci.function, .max = 7),
        ON_OFF("multifunction", struct domain_address, pci.multifunction),
        FIELDS_END,
};
static const struct field zpci_fields[] = {
        HEX("uid", struct domain_address, pci.zpci_uid, .min = 1),
        HEX("fid", struct domain_address, pci.zpci_fid),
        FIELDS_END,
};
static const struct field drive_fields[] = {
        UINT("controller", struct domain_address, drive.controller),
        UINT("bus", struct domain_address, drive.bus),
        UINT("target", struct domain_address, drive.target),
        UINT("unit", struct domain_address, drive.unit),
        FIELDS_END,
};
static const struct field virtio_serial_fields[] = {
        UINT("controller", struct domain_address, virtio_serial.controller),
        UINT("bus", struct domain_address, virtio_serial.bus),
        UINT("port", struct domain_address, virtio_serial.port),
        FIELDS_END,
};
static const struct field ccid_fields[] = {
        UINT("controller", struct domain_address, ccid.controller),
        UINT("slot", struct domain_address, ccid.slot),
        FIELDS_END,
};
static const struct field usb_fields[] = {
        UINT("bus", struct domain_address, usb.bus),
        FIELDS_END,
};
static const struct field spapr_vio_fields[] = {
        HEX("reg", struct domain_address, spapr_vio.reg),
        PRESENT("reg", struct domain_address, spapr_vio.has_reg),
        FIELDS_END,
};
static const struct field ccw_fields[] = {
        HEX("cssid", struct domain_address, ccw.cssid, .max = 0xfe),
        HEX("ssid", struct domain_address, ccw.ssid, .max = 3),
        HEX("devno", struct domain_address, ccw.devno),
        FIELDS_END,
};
static const struct field isa_fields[] = {
        HEX("iobase", struct domain_address, isa.iobase),
        HEX("irq", struct domain_address, isa.irq),
        FIELDS_END,
};
static const struct field dimm_fields[] = {
        UINT("slot", struct domain_address, dimm.slot),
        HEX("base", struct domain_address, dimm.base),
        FIELDS_END,
};

static const struct field *const fields_of[DOMAIN_ADDRESS_LAST] = {
        [DOMAIN_ADDRESS_PCI] = pci_fields,
        [DOMAIN_ADDRESS_DRIVE] = drive_fields,
        [DOMAIN_ADDRESS_VIRTIO_SERIAL] = virtio_serial_fields,
        [DOMAIN_ADDRESS_CCID] = ccid_fields,
        [DOMAIN_ADDRESS_USB] = usb_fields,
        [DOMAIN_ADDRESS_SPAPR_VIO] = spapr_vio_fields,
        [DOMAIN_ADDRESS_CCW] = ccw_fields,
        [DOMAIN_ADDRESS_ISA] = isa_fields,
        [DOMAIN_ADDRESS_DIMM] = dimm_fields,
};

/* "1", "1.4.2" */
static bool parse_usb_port(const char *text, uint8_t port[USB_PORT_LEVELS])
{
        for (unsigned level = 0; level < USB_PORT_LEVELS; level++) {
                char *end;
                uint64_t number;

                if (!g_ascii_isdigit(*text))
                        return false;
                number = g_ascii_strtoull(text, &end, 10);
                if (number == 0 || number > UINT8_MAX)
                        return false;
                port[level] = (uint8_t)number;
                if (*end == '\0')
                        return true;
                if (*end != '.')
                        return false;
                text = end + 1;
        }
        return false;
}

static bool read_usb_port(struct domain_reader *reader, xmlNode *node, struct domain_address *address,
                          GError **error)
{
        const char *text = field_get_text(reader, node, "port");
        g_autofree char *quoted = NULL;

        if (!text || parse_usb_port(text, address->usb.port))
                return true;
        quoted = error_quote(text);
        return xml_error(error, node,
                         "invalid value '%s' of attribute 'port': expected up to %d numbers with dots",
                         quoted, USB_PORT_LEVELS);
}

bool domain_read_address(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_address *address = target;
        xmlNode *zpci = xml_child(node, "zpci");

        if (!field_read(reader, node, type_field, address, error))
                return false;
        if (fields_of[address->type] && !field_read(reader, node, fields_of[address->type], address, error))
                return false;
        if (address->type == DOMAIN_ADDRESS_PCI && zpci &&
            !field_read(reader, zpci, zpci_fields, address, error))
                return false;
        if (address->type == DOMAIN_ADDRESS_USB)
                return read_usb_port(reader, node, address, error);
        /* <address type='pci'/> asks for some address on PCI: there is none yet. */
        if (address->type == DOMAIN_ADDRESS_PCI && !address->pci.domain && !address->pci.bus &&
            !address->pci.slot)
                address->type = DOMAIN_ADDRESS_NONE;
        return true;
}

bool domain_check_plain(const xmlNode *node, const char *what, const char *text, const char *forbidden,
                        GError **error)
{
        g_autofree char *quoted = NULL;

        for (const char *p = text ? text : ""; *p; p++) {
                if (!g_ascii_iscntrl(*p) && !strchr(forbidden, *p))
                        continue;
                quoted = error_quote(text);
                return xml_error(error, node, "invalid %s '%s': a character that is not allowed in it", what,
                                 quoted);
        }
        return true;
}
