/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host that are handed to the guest.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define USB_NUMBER_MAX 127

const char *const domain_hostdev_type_names[] = {
        [DOMAIN_HOSTDEV_USB] = "usb",   [DOMAIN_HOSTDEV_PCI] = "pci",
        [DOMAIN_HOSTDEV_SCSI] = "scsi", [DOMAIN_HOSTDEV_SCSI_HOST] = "scsi_host",
        [DOMAIN_HOSTDEV_MDEV] = "mdev", [DOMAIN_HOSTDEV_STORAGE] = "storage",
        [DOMAIN_HOSTDEV_MISC] = "misc", [DOMAIN_HOSTDEV_NET] = "net",
        [DOMAIN_HOSTDEV_LAST] = NULL,
};

static const char *const no_yes_names[] = { "no", "yes", NULL };
static const char *const startup_policy_names[] = { "mandatory", "requisite", "optional", NULL };
static const char *const guest_reset_names[] = { "off", "uninitialized", "on", NULL };
static const char *const driver_names[] = { "kvm", "vfio", "xen", NULL };
static const char *const model_names[] = {
        "vfio-pci", "vfio-ccw", "vfio-ap", "virtio", "virtio-transitional", "virtio-non-transitional", NULL
};

static const struct field hostdev_fields[] = {
        ENUM("type", struct domain_hostdev, type, domain_hostdev_type_names, .required = true),
        BOOL("managed", struct domain_hostdev, managed, no_yes_names),
        NAME("model", struct domain_hostdev, model, model_names),
        ON_OFF("display", struct domain_hostdev, display),
        ON_OFF("ramfb", struct domain_hostdev, ramfb),
        YES_NO("rawio", struct domain_hostdev, info.raw_io),
        FIELDS_END,
};
static const struct field driver_fields[] = {
        NAME("name", struct domain_hostdev, driver, driver_names),
        YES_NO("iommufd", struct domain_hostdev, iommufd),
        FIELDS_END,
};
static const char *const protocol_names[] = { "none", "iscsi", "vhost", NULL };

static const struct field source_fields[] = {
        NAME("startupPolicy", struct domain_hostdev, startup_policy, startup_policy_names),
        NAME("guestReset", struct domain_hostdev, guest_reset, guest_reset_names),
        BOOL("missing", struct domain_hostdev, usb_missing, no_yes_names),
        NAME("protocol", struct domain_hostdev, protocol, protocol_names),
        STRING("wwpn", struct domain_hostdev, wwpn, .max = 63),
        FIELDS_END,
};
static const struct field vendor_fields[] = {
        HEX("id", struct domain_hostdev, usb_vendor, .required = true, .max = 0xffff), FIELDS_END
};
static const struct field product_fields[] = {
        HEX("id", struct domain_hostdev, usb_product, .required = true, .max = 0xffff), FIELDS_END
};
static const struct field teaming_fields[] = {
        STRING("persistent", struct domain_hostdev, teaming_persistent, .max = 255), FIELDS_END
};

static const struct field usb_fields[] = {
        HEX("bus", struct domain_hostdev, usb_bus, .required = true, .min = 1, .max = UINT16_MAX),
        HEX("device", struct domain_hostdev, usb_device, .min = 1, .max = USB_NUMBER_MAX),
        STRING("port", struct domain_hostdev, usb_port, .max = 31),
        FIELDS_END,
};
static const struct field scsi_fields[] = {
        UINT("bus", struct domain_hostdev, scsi_bus, .required = true),
        UINT("target", struct domain_hostdev, scsi_target, .required = true),
        UINT("unit", struct domain_hostdev, scsi_unit, .required = true),
        FIELDS_END,
};
static const struct field adapter_fields[] = { STRING("name", struct domain_hostdev, adapter, .max = 63),
                                               FIELDS_END };
static const struct field readonly_fields[] = { PRESENT(NULL, struct domain_hostdev, readonly), FIELDS_END };
static const struct field shareable_fields[] = { PRESENT(NULL, struct domain_hostdev, shareable),
                                                 FIELDS_END };
static const struct field pci_fields[] = {
        HEX("domain", struct domain_hostdev, pci.domain),
        HEX("bus", struct domain_hostdev, pci.bus, .required = true),
        HEX("slot", struct domain_hostdev, pci.slot, .required = true, .max = 0x1f),
        HEX("function", struct domain_hostdev, pci.function, .required = true, .max = 7),
        FIELDS_END,
};
static const struct field mdev_fields[] = { UUID("uuid", struct domain_hostdev, mdev_uuid, .required = true),
                                            FIELDS_END };

static const struct field *const address_fields[DOMAIN_HOSTDEV_LAST] = {
        [DOMAIN_HOSTDEV_USB] = usb_fields,
        [DOMAIN_HOSTDEV_PCI] = pci_fields,
        [DOMAIN_HOSTDEV_SCSI] = scsi_fields,
        [DOMAIN_HOSTDEV_MDEV] = mdev_fields,
};

static bool read_address(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_hostdev *hostdev = target;
        const struct field *fields = address_fields[hostdev->type];

        return !fields || field_read(reader, node, fields, hostdev, error);
}

static const struct field_part parts[] = {
        { NULL, hostdev_fields },
        { "driver", driver_fields },
        { "source", source_fields },
        { "source/vendor", vendor_fields },
        { "source/product", product_fields },
        { "source/address", NULL, read_address },
        { "source/adapter", adapter_fields },
        { "readonly", readonly_fields },
        { "shareable", shareable_fields },
        { "teaming", teaming_fields },
        INFO_PARTS(struct domain_hostdev),
        PARTS_END,
};

/* "4.2": ports of hubs in hubs */
static bool is_port(const char *text)
{
        bool digit = false;

        for (; *text; text++) {
                if (*text == '.' ? !digit : !g_ascii_isdigit(*text))
                        return false;
                digit = *text != '.';
        }
        return digit;
}

/* A device is named by what it is (USB) or by where it is. */
static bool check_source(const struct domain_hostdev *hostdev, const xmlNode *node, GError **error)
{
        const xmlNode *source = xml_child(node, "source"), *address;
        bool usb = hostdev->type == DOMAIN_HOSTDEV_USB;

        if (!source)
                return xml_error(error, node, "missing element 'source' of a host device");
        address = xml_child(source, "address");
        if (usb && address && !hostdev->usb_device && !hostdev->usb_port)
                return xml_error(error, address, "attribute 'device' or 'port' is missing");
        if (usb && hostdev->usb_port && !is_port(hostdev->usb_port))
                return xml_error(error, address, "invalid value of attribute 'port'");
        if (!address_fields[hostdev->type] || address || g_strcmp0(hostdev->protocol, "iscsi") == 0)
                return true;
        if (usb && hostdev->usb_vendor >= 0 && hostdev->usb_product >= 0)
                return true;
        return xml_error(error, source, "missing element 'address'%s of a host device",
                         usb ? ", or 'vendor' and 'product'," : "");
}

bool domain_read_hostdev(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_hostdev *hostdev = target;

        hostdev->usb_vendor = hostdev->usb_product = -1;
        return field_read_parts(reader, node, parts, hostdev, error) && check_source(hostdev, node, error);
}
