/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults of network interfaces and the small ones. No state; any thread.
 */
#include "base/error.h"
#include "base/uuid.h"
#include "drivers/domain/kinds-xml.h"
#include "interfaces/virtual-port-xml.h"

#define MAC_LENGTH 17

/* ---- interfaces ---- */

/* In lower case into text, when it is six hexadecimal bytes. */
static bool parse_mac(const char *value, char text[MAC_LENGTH + 1])
{
        if (!value || strlen(value) != MAC_LENGTH)
                return false;
        for (unsigned i = 0; i < MAC_LENGTH; i++) {
                if (i % 3 == 2 ? value[i] != ':' : !g_ascii_isxdigit(value[i]))
                        return false;
                text[i] = g_ascii_tolower(value[i]);
        }
        text[MAC_LENGTH] = '\0';
        return true;
}

bool normalize_fill_mac(xmlNode *interface, GError **error)
{
        xmlNode *mac = hardware_child(interface, "mac");
        const char *value = hardware_peek(mac, "address");
        char text[MAC_LENGTH + 1];
        struct uuid random;

        if (!value) {
                uuid_generate(&random);
                xml_set_attr_format(mac, "address", "52:54:00:%02x:%02x:%02x", random.bytes[0],
                                    random.bytes[1], random.bytes[2]);
                return true;
        }
        if (!parse_mac(value, text)) {
                g_autofree char *quoted = error_quote(value);

                return xml_error(error, mac, "malformed MAC address '%s'", quoted);
        }
        /* The lowest bit of the first byte marks a group of receivers. */
        if (g_ascii_xdigit_value(text[1]) & 1)
                return xml_error(error, mac, "MAC address '%s' is one of a group, not of one interface",
                                 text);
        if (strcmp(text, value) != 0)
                xml_set_attr(mac, "address", text);
        return true;
}

/* Numbers of a PCI address in the form in which they are always written; those of source addresses too. */
bool normalize_format_pci(xmlNode *address, unsigned domain_max, GError **error)
{
        unsigned domain = 0, bus = 0, slot = 0, function = 0;

        if (!hardware_get_uint(address, "domain", domain_max, &domain, error) ||
            !hardware_get_uint(address, "bus", 0xff, &bus, error) ||
            !hardware_get_uint(address, "slot", 0x1f, &slot, error) ||
            !hardware_get_uint(address, "function", 7, &function, error))
                return false;
        hardware_set(address, "domain", "0x%04x", domain);
        hardware_set(address, "bus", "0x%02x", bus);
        hardware_set(address, "slot", "0x%02x", slot);
        hardware_set(address, "function", "0x%x", function);
        return true;
}

bool normalize_fill_interface(const struct hardware *hardware, xmlNode *interface, GError **error)
{
        xmlNode *source = xml_child(interface, "source"), *address = xml_child(source, "address");

        if (!xml_has_attr(interface, "type"))
                return xml_error(error, interface, "an interface without a type");
        if (!normalize_fill_mac(interface, error))
                return false;
        virtual_port_fill(xml_child(interface, "virtualport"));
        if (hardware_is(interface, "type", "hostdev"))
                return !address || !hardware_is(address, "type", "pci") ||
                       normalize_format_pci(address, UINT16_MAX, error);
        if (hardware_is(interface, "type", "direct") && source)
                hardware_default(source, "mode", "vepa");
        /* The device of the host is half of one. */
        if (hardware_is(interface, "type", "vdpa"))
                hardware_default(hardware_child(interface, "model"), "type", "virtio");
        if (hardware->machine->net_model)
                hardware_default(hardware_child(interface, "model"), "type", hardware->machine->net_model);
        return true;
}

/* ---- the small ones ---- */

bool normalize_fill_tpm(const struct hardware *hardware, xmlNode *tpm, GError **error)
{
        xmlNode *backend = xml_child(tpm, "backend");

        if (!backend)
                return xml_error(error, tpm, "a TPM without a backend");
        hardware_default(tpm, "model",
                         hardware->machine->tpm_model ? hardware->machine->tpm_model : "tpm-tis");
        /*
         * Few operating systems still take the older version, but libvirt chooses it for this model: a guest
         * whose document leaves it open has it already.
         */
        if (hardware_is(backend, "type", "emulator"))
                hardware_default(backend, "version", hardware_is(tpm, "model", "tpm-tis") ? "1.2" : "2.0");
        return true;
}

bool normalize_fill_rng(const struct hardware *hardware, xmlNode *rng, GError **error)
{
        xmlNode *backend = xml_child(rng, "backend");

        hardware_default(rng, "model", "virtio");
        if (!backend)
                return xml_error(error, rng, "a random number generator without a backend");
        if (hardware_is(backend, "model", "random") && !*hardware_peek_text(backend))
                xml_set_text(backend, "/dev/urandom");
        return true;
}

bool normalize_fill_watchdog(const struct hardware *hardware, xmlNode *watchdog, GError **error)
{
        if (!xml_has_attr(watchdog, "model"))
                return xml_error(error, watchdog, "a watchdog without a model");
        hardware_default(watchdog, "action", "reset");
        return true;
}

bool normalize_fill_panic(const struct hardware *hardware, xmlNode *panic, GError **error)
{
        hardware_default(panic, "model", hardware->machine->isa ? "isa" : hardware->machine->panic_model);
        return true;
}

void normalize_imply_panics(struct hardware *hardware)
{
        const char *model = hardware->machine->panic_model;

        if (model && hardware_count(hardware, DOMAIN_DEVICE_PANIC) == 0)
                xml_set_attr(hardware_add(hardware, DOMAIN_DEVICE_PANIC), "model", model);
}

bool normalize_fill_vsock(const struct hardware *hardware, xmlNode *vsock, GError **error)
{
        xmlNode *cid = hardware_child(vsock, "cid");

        hardware_default(vsock, "model", "virtio");
        hardware_default(cid, "auto", xml_has_attr(cid, "address") ? "no" : "yes");
        return true;
}

bool normalize_fill_iommu(const struct hardware *hardware, xmlNode *iommu, GError **error)
{
        if (!xml_has_attr(iommu, "model"))
                return xml_error(error, iommu, "an IOMMU without a model");
        return true;
}

void normalize_imply_memballoons(struct hardware *hardware)
{
        if (hardware_count(hardware, DOMAIN_DEVICE_MEMBALLOON) > 0 || !hardware->machine->emulator ||
            hardware->machine->no_balloon)
                return;
        xml_set_attr(hardware_add(hardware, DOMAIN_DEVICE_MEMBALLOON), "model", "virtio");
}
