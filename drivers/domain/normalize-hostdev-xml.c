/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host that guests get: canonical form, and what no guest can have. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"

#include <string.h>

/* PCI domains of hosts may have more digits than a guest's (VMD: 10000:e1:00.0). */
#define HOST_PCI_DOMAIN_MAX 0x7fffffffu
#define WWPN_DIGITS         16

static bool is_type(const xmlNode *hostdev, const char *type)
{
        return hardware_is(hostdev, "type", type);
}

/* ---- what it is on the host ---- */

static bool format_id(xmlNode *id, GError **error)
{
        unsigned value = 0;

        if (!id)
                return true;
        if (!hardware_get_uint(id, "id", 0xffff, &value, error))
                return false;
        if (value == 0)
                return xml_error(error, id, "attribute 'id' must not be 0");
        hardware_set(id, "id", "0x%04x", value);
        return true;
}

static bool format_number(xmlNode *address, const char *attr, unsigned max, GError **error)
{
        unsigned value = 0;

        if (!xml_has_attr(address, attr))
                return true;
        if (!hardware_get_uint(address, attr, max, &value, error))
                return false;
        hardware_set(address, attr, "%u", value);
        return true;
}

static bool fill_usb(xmlNode *source, xmlNode *address, GError **error)
{
        xmlNode *vendor = xml_child(source, "vendor"), *product = xml_child(source, "product");

        if (!format_id(vendor, error) || !format_id(product, error))
                return false;
        if (!vendor != !product)
                return xml_error(error, source, "element '%s' needs element '%s' beside it",
                                 vendor ? "vendor" : "product", vendor ? "product" : "vendor");
        if (!address)
                return true;
        xml_set_attr(address, "type", NULL);
        return format_number(address, "bus", UINT16_MAX, error) &&
               format_number(address, "device", 127, error);
}

static bool fill_pci(xmlNode *source, xmlNode *address, GError **error)
{
        if (xml_has_attr(source, "writeFiltering"))
                return hardware_unsupported(error, source, "writeFiltering of a PCI device is Xen's alone");
        if (!address)
                return xml_error(error, source, "a host device without an address");
        xml_set_attr(address, "type", NULL);
        return normalize_format_pci(address, HOST_PCI_DOMAIN_MAX, error);
}

static bool fill_scsi(xmlNode *source, xmlNode *address, GError **error)
{
        if (address)
                xml_set_attr(address, "type", NULL);
        if (hardware_is(source, "protocol", "iscsi"))
                return true;
        if (!address || !hardware_peek_child(source, "adapter", "name"))
                return xml_error(error, source,
                                 "a SCSI device needs <adapter name='scsi_host...'/> and <address>");
        return true;
}

static bool is_wwpn(const char *text)
{
        if (!text || !g_str_has_prefix(text, "naa.") || strlen(text) != strlen("naa.") + WWPN_DIGITS)
                return false;
        for (text += strlen("naa."); *text; text++) {
                if (!g_ascii_isxdigit(*text))
                        return false;
        }
        return true;
}

static bool fill_scsi_host(xmlNode *source, GError **error)
{
        if (!hardware_is(source, "protocol", "vhost"))
                return xml_error(error, source, "a SCSI host needs protocol='vhost'");
        if (!is_wwpn(hardware_peek(source, "wwpn")))
                return xml_error(error, source,
                                 "a SCSI host needs a wwpn of 'naa.' and 16 hexadecimal digits");
        return true;
}

static bool fill_mdev(const struct hardware *hardware, xmlNode *hostdev, xmlNode *address, GError **error)
{
        bool pci = hardware_is(hostdev, "model", "vfio-pci");
        const char *uuid = hardware_peek(address, "uuid");

        if (uuid) {
                g_autofree char *lower = g_ascii_strdown(uuid, -1);

                xml_set_attr(address, "uuid", lower);
        }
        if (!xml_has_attr(hostdev, "model"))
                return xml_error(error, hostdev,
                                 "a mediated device needs a model: 'vfio-pci', 'vfio-ccw' or 'vfio-ap'");
        if (!pci && g_strcmp0(hardware->machine->arch, "s390x") != 0)
                return hardware_unsupported(error, hostdev,
                                            "a mediated device of model '%s' needs a guest of s390x",
                                            hardware_peek(hostdev, "model"));
        if (!pci)
                return true;
        hardware_default(hostdev, "display", "off");
        if (hardware_is(hostdev, "display", "on") && hardware_count(hardware, DOMAIN_DEVICE_GRAPHICS) == 0)
                return hardware_unsupported(error, hostdev,
                                            "display='on' of a mediated device needs <graphics>");
        return true;
}

static bool fill_source(const struct hardware *hardware, xmlNode *hostdev, xmlNode *source, GError **error)
{
        xmlNode *address = xml_child(source, "address");

        if (is_type(hostdev, "usb"))
                return fill_usb(source, address, error);
        if (is_type(hostdev, "pci"))
                return fill_pci(source, address, error);
        if (is_type(hostdev, "scsi"))
                return fill_scsi(source, address, error);
        if (is_type(hostdev, "scsi_host"))
                return fill_scsi_host(source, error);
        return fill_mdev(hardware, hostdev, address, error);
}

/* ---- what goes with what ---- */

static bool check_address(const xmlNode *hostdev, GError **error)
{
        const xmlNode *address = xml_child(hostdev, "address");
        const char *type = hardware_peek(address, "type");
        const char *wanted = is_type(hostdev, "usb") ? "usb" : is_type(hostdev, "scsi") ? "drive" : "pci";

        if (!type || strcmp(type, wanted) == 0)
                return true;
        if (strcmp(wanted, "pci") == 0 && (strcmp(type, "unassigned") == 0 || strcmp(type, "ccw") == 0))
                return true;
        return hardware_unsupported(error, address,
                                    "a host device of type '%s' needs an address of type '%s', not '%s'",
                                    hardware_peek(hostdev, "type"), wanted, type);
}

static bool check_rom(const xmlNode *hostdev, GError **error)
{
        const xmlNode *rom = xml_child(hostdev, "rom");

        if (!rom)
                return true;
        if (!is_type(hostdev, "pci") && !is_type(hostdev, "mdev"))
                return hardware_unsupported(error, rom, "<rom> is for PCI devices");
        if (hardware_is(rom, "enabled", "no") && (xml_has_attr(rom, "bar") || xml_has_attr(rom, "file")))
                return hardware_unsupported(error, rom,
                                            "a ROM with enabled='no' has neither 'bar' nor 'file'");
        return true;
}

static bool check_policy(const xmlNode *hostdev, const xmlNode *source, GError **error)
{
        if (xml_has_attr(source, "startupPolicy") && !is_type(hostdev, "usb"))
                return hardware_unsupported(error, source, "startupPolicy is for USB devices");
        if (xml_has_attr(hostdev, "model") && !is_type(hostdev, "mdev") && !is_type(hostdev, "scsi_host"))
                return hardware_unsupported(error, hostdev,
                                            "model of <hostdev> is for mediated devices and SCSI hosts");
        return true;
}

/* ---- twice ---- */

/* What one device has and no other one; owned. places: where it is plugged in, too. */
static char *name_device(const xmlNode *hostdev, bool places)
{
        static const char *const facts[][2] = {
                { "vendor", "id" },        { "product", "id" },     { "adapter", "name" },
                { "address", "domain" },   { "address", "bus" },    { "address", "slot" },
                { "address", "function" }, { "address", "device" }, { "address", "port" },
                { "address", "target" },   { "address", "unit" },   { "address", "uuid" },
        };
        const xmlNode *source = xml_child(hostdev, "source");
        GString *name = g_string_new(hardware_peek(hostdev, "type"));

        for (unsigned i = 0; i < G_N_ELEMENTS(facts); i++) {
                const char *value = hardware_peek_child(source, facts[i][0], facts[i][1]);

                if (places || strcmp(facts[i][0], "address") != 0)
                        g_string_append_printf(name, " %s", value ? value : "-");
        }
        g_string_append_printf(name, " %s %s",
                               xml_has_attr(source, "wwpn") ? hardware_peek(source, "wwpn") : "-",
                               xml_has_attr(source, "name") ? hardware_peek(source, "name") : "-");
        return g_string_free(name, FALSE);
}

static bool has_place(const xmlNode *hostdev)
{
        return xml_child(xml_child(hostdev, "source"), "address") != NULL;
}

/* USB devices that are alike are told apart by where they are plugged in, if that is said of both. */
static bool is_same(const xmlNode *one, const xmlNode *other)
{
        bool places = !is_type(one, "usb") || (has_place(one) && has_place(other));
        g_autofree char *name = name_device(one, places), *name_of_other = name_device(other, places);

        if (!places && (!xml_child(xml_child(one, "source"), "vendor") ||
                        !xml_child(xml_child(other, "source"), "vendor")))
                return false;
        return g_ascii_strcasecmp(name, name_of_other) == 0;
}

/* Of those before it, which are canonical already. */
static bool check_unique(const struct hardware *hardware, const xmlNode *hostdev, GError **error)
{
        HARDWARE_FOREACH (other, hardware, DOMAIN_DEVICE_HOSTDEV) {
                if (other == hostdev)
                        return true;
                if (is_same(hostdev, other))
                        return xml_error(error, hostdev,
                                         "this host device is in the domain configuration already");
        }
        return true;
}

/* ---- all of it ---- */

/* What means nothing with its type. */
static void drop_needless(xmlNode *hostdev, xmlNode *source)
{
        if (!is_type(hostdev, "mdev")) {
                xml_set_attr(hostdev, "display", NULL);
                xml_set_attr(hostdev, "ramfb", NULL);
        }
        if (!is_type(hostdev, "usb"))
                xml_set_attr(source, "guestReset", NULL);
}

bool normalize_fill_hostdev(const struct hardware *hardware, xmlNode *hostdev, GError **error)
{
        xmlNode *source = xml_child(hostdev, "source");

        hardware_default(hostdev, "mode", "subsystem");
        if (!hardware_is(hostdev, "mode", "subsystem"))
                return hardware_unsupported(error, hostdev, "mode='%s' of <hostdev> is for containers",
                                            hardware_peek(hostdev, "mode"));
        if (!xml_has_attr(hostdev, "type"))
                return xml_error(error, hostdev, "a host device without a type");
        if (!source)
                return xml_error(error, hostdev, "a host device without a source");
        hardware_default(hostdev, "managed", "no");
        drop_needless(hostdev, source);
        return check_policy(hostdev, source, error) && check_rom(hostdev, error) &&
               check_address(hostdev, error) && fill_source(hardware, hostdev, source, error) &&
               check_unique(hardware, hostdev, error);
}
