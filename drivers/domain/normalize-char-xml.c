/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults of serial ports, consoles, channels and other character devices. No state; any thread.
 */
#include "drivers/domain/kinds-xml.h"

/* The number after the largest that ports of one kind have. */
static bool find_next_port(const struct hardware *hardware, enum domain_device_kind kind, unsigned *next,
                           GError **error)
{
        *next = 0;
        HARDWARE_FOREACH (node, hardware, kind) {
                const xmlNode *target = xml_child(node, "target");
                unsigned port = 0;

                if (!hardware_get_uint(target, "port", 65535, &port, error))
                        return false;
                if (xml_has_attr(target, "port"))
                        *next = MAX(*next, port + 1);
        }
        return true;
}

/* Gives the ports of one kind their numbers: those without get the ones after all that are given. */
static bool number_ports(struct hardware *hardware, enum domain_device_kind kind, GError **error)
{
        unsigned next;

        if (!find_next_port(hardware, kind, &next, error))
                return false;
        HARDWARE_FOREACH (node, hardware, kind) {
                xmlNode *target = hardware_child(node, "target");

                if (!xml_has_attr(target, "port"))
                        xml_set_attr_format(target, "port", "%u", next++);
        }
        return true;
}

/* ---- serial ports ---- */

static const char *serial_type(const struct hardware *hardware, const xmlNode *node)
{
        const char *address = hardware_peek_child(node, "address", "type");

        if (g_strcmp0(address, "usb") == 0)
                return "usb-serial";
        if (g_strcmp0(address, "pci") == 0)
                return "pci-serial";
        return hardware->machine->serial_type ? hardware->machine->serial_type : "isa-serial";
}

static const char *serial_model(const struct hardware *hardware, const char *type)
{
        if (g_strcmp0(type, hardware->machine->serial_type) == 0)
                return hardware->machine->serial_model;
        if (strcmp(type, "system-serial") == 0)
                return "pl011";
        if (strcmp(type, "isa-debug") == 0)
                return "isa-debugcon";
        return type;
}

static void fill_serial(const struct hardware *hardware, xmlNode *node)
{
        xmlNode *target = hardware_child(node, "target");

        if (!hardware->machine->machine)
                return;
        hardware_default(target, "type", serial_type(hardware, node));
        if (!xml_child(target, "model"))
                xml_set_attr(xml_add(target, "model"), "name",
                             serial_model(hardware, hardware_peek(target, "type")));
}

/* ---- consoles ---- */

static bool is_serial_console(const xmlNode *console)
{
        const char *type = hardware_peek_child(console, "target", "type");

        return !type || strcmp(type, "serial") == 0;
}

/* Copies what a character device is connected to; the target is each one's own. */
static void copy_backend(xmlNode *to, const xmlNode *from)
{
        static const char *const kept[] = { "target", "address", "alias", NULL };
        xmlNode *own, *copy;

        for (xmlNode *child = xml_first_element(to), *next; child; child = next) {
                next = xml_next_element(child);
                if (!hardware_is_one_of((const char *)child->name, kept))
                        xml_remove(child);
        }
        xml_set_attr(to, "type", hardware_peek(from, "type"));
        own = xml_first_element(to);
        XML_FOREACH_CHILD (child, from) {
                if (hardware_is_one_of((const char *)child->name, kept))
                        continue;
                copy = xml_add_copy(to, child);
                if (own) {
                        xmlUnlinkNode(copy);
                        xmlAddPrevSibling(own, copy);
                }
        }
}

/* Only the first <console> may stand for a serial port. */
static bool check_consoles(struct hardware *hardware, GError **error)
{
        HARDWARE_FOREACH (console, hardware, DOMAIN_DEVICE_CONSOLE) {
                if (console_i > 0 && is_serial_console(console))
                        return hardware_unsupported(error, console,
                                                    "only the first console can be a serial port");
        }
        return true;
}

static xmlNode *insert_console(struct hardware *hardware)
{
        xmlNode *first = hardware_count(hardware, DOMAIN_DEVICE_CONSOLE) > 0
                                 ? hardware_get(hardware, DOMAIN_DEVICE_CONSOLE, 0)
                                 : NULL;
        xmlNode *console = xml_add(hardware->devices, "console");

        if (first) {
                xmlUnlinkNode(console);
                xmlAddPrevSibling(first, console);
        }
        g_ptr_array_insert(hardware->nodes[DOMAIN_DEVICE_CONSOLE], 0, console);
        return console;
}

/* A port on an extension card is no console by itself. */
static bool is_builtin_serial(const xmlNode *serial)
{
        static const char *const cards[] = { "pci-serial", "usb-serial", "isa-debug", NULL };

        return !hardware_is_one_of(hardware_peek_child(serial, "target", "type"), cards);
}

/* The two are one device: where it is, and how it is called, may be said of either, and counts of the port.
 */
static void share_place(xmlNode *serial, xmlNode *console)
{
        static const char *const shared[] = { "alias", "address" };

        for (unsigned i = 0; i < G_N_ELEMENTS(shared); i++) {
                const xmlNode *own = xml_child(console, shared[i]);

                if (own && !xml_child(serial, shared[i]))
                        xml_add_copy(serial, own);
                xml_remove_children(console, shared[i]);
        }
        if (xml_child(serial, "alias"))
                xml_add_copy(console, xml_child(serial, "alias"));
}

/* A serial console is the first serial port, and the first serial port is a console. */
static void pair_console(struct hardware *hardware)
{
        unsigned consoles = hardware_count(hardware, DOMAIN_DEVICE_CONSOLE);
        xmlNode *console = consoles > 0 ? hardware_get(hardware, DOMAIN_DEVICE_CONSOLE, 0) : NULL, *serial,
                *target;

        if (console && is_serial_console(console) && hardware_count(hardware, DOMAIN_DEVICE_SERIAL) == 0) {
                serial = hardware_add(hardware, DOMAIN_DEVICE_SERIAL);
                copy_backend(serial, console);
                target = xml_add(serial, "target");
                xml_set_attr(target, "port", "0");
        }
        if (hardware_count(hardware, DOMAIN_DEVICE_SERIAL) == 0)
                return;
        serial = hardware_get(hardware, DOMAIN_DEVICE_SERIAL, 0);
        if (!is_builtin_serial(serial))
                return;
        if (!console || !is_serial_console(console))
                console = insert_console(hardware);
        copy_backend(console, serial);
        share_place(serial, console);
        target = hardware_child(console, "target");
        xml_set_attr(target, "type", "serial");
        xml_set_attr(target, "port", hardware_peek_child(serial, "target", "port"));
}

/* ---- the rest ---- */

static void fill_source(xmlNode *node)
{
        xmlNode *source = xml_child(node, "source");

        hardware_default(node, "type", "pty");
        if (hardware_is(node, "type", "tcp")) {
                hardware_default(hardware_child(node, "protocol"), "type", "raw");
                if (source)
                        hardware_default(source, "mode", "connect");
        }
        if (source && hardware_is(node, "type", "unix"))
                hardware_default(source, "mode", "connect");
}

bool normalize_fill_char(const struct hardware *hardware, xmlNode *node, GError **error)
{
        fill_source(node);
        return true;
}

bool normalize_fill_channel(const struct hardware *hardware, xmlNode *node, GError **error)
{
        const xmlNode *target = xml_child(node, "target");
        static const char *const types[] = { "virtio", "guestfwd", "xen", NULL };

        fill_source(node);
        if (!hardware_is_one_of(hardware_peek(target, "type"), types))
                return xml_error(error, target ? target : node,
                                 "the target of a channel has an unknown type or none");
        if (hardware_is(target, "type", "guestfwd") &&
            (!hardware_peek(target, "address") || !hardware_peek(target, "port")))
                return xml_error(error, target,
                                 "a guestfwd channel needs an address and a port to listen at");
        return true;
}

bool normalize_fill_redirdev(const struct hardware *hardware, xmlNode *node, GError **error)
{
        hardware_default(node, "bus", "usb");
        if (hardware_is(node, "type", "tcp"))
                hardware_default(hardware_child(node, "protocol"), "type", "raw");
        return true;
}

bool normalize_settle_serials(struct hardware *hardware, GError **error)
{
        return number_ports(hardware, DOMAIN_DEVICE_SERIAL, error);
}

bool normalize_settle_parallels(struct hardware *hardware, GError **error)
{
        return number_ports(hardware, DOMAIN_DEVICE_PARALLEL, error);
}

/* What type a serial port is has no say in whether it is the console. */
bool normalize_settle_consoles(struct hardware *hardware, GError **error)
{
        if (!number_ports(hardware, DOMAIN_DEVICE_CONSOLE, error) || !check_consoles(hardware, error))
                return false;
        if (!hardware->fresh)
                pair_console(hardware);
        HARDWARE_FOREACH (serial, hardware, DOMAIN_DEVICE_SERIAL)
                fill_serial(hardware, serial);
        return true;
}
