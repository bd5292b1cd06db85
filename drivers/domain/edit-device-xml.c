/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing the devices of an active definition. No state beside the edit; any thread.
 */
#include "base/error.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"
#include "interfaces/virtual-port-xml.h"

#include <inttypes.h>

static xmlNode *devices_of(struct domain_edit *edit)
{
        return xml_child(domain_edit_root(edit), "devices");
}

static xmlNode *refuse_missing(struct domain_edit *edit, const char *what, const char *name)
{
        g_autofree char *quoted = error_quote(name);

        error_set(domain_edit_error(edit), ERROR_FROM_DOMAIN, ERROR_DEVICE_MISSING,
                  "no %s '%s' in the domain", what, quoted);
        return NULL;
}

/* The device with that alias; kind, unless NULL, is the element it must be. */
static xmlNode *find_device(struct domain_edit *edit, const char *alias, const char *kind)
{
        XML_FOREACH_CHILD (node, devices_of(edit)) {
                if ((!kind || xml_is(node, kind)) && hardware_child_is(node, "alias", "name", alias))
                        return node;
        }
        return refuse_missing(edit, kind ? kind : "device", alias);
}

static xmlNode *find_nth(struct domain_edit *edit, xmlNode *parent, const char *kind, unsigned index)
{
        g_autofree char *number = g_strdup_printf("%u", index);
        unsigned count = 0;

        XML_FOREACH_CHILD (node, parent) {
                if (xml_is(node, kind) && count++ == index)
                        return node;
        }
        return refuse_missing(edit, kind, number);
}

/* The <source> of a device, first of its children when it has to be made. */
static xmlNode *source_of(xmlNode *device)
{
        xmlNode *source = xml_child(device, "source");

        return source ? source : xml_add_child_first(device, "source");
}

void domain_edit_set_stats_period(struct domain_edit *edit, unsigned seconds)
{
        xmlNode *balloon = find_nth(edit, devices_of(edit), "memballoon", 0);

        if (balloon && seconds > 0)
                hardware_set(hardware_child(balloon, "stats"), "period", "%u", seconds);
        else if (balloon)
                xml_remove_children(balloon, "stats");
}

/* ---- character devices ---- */

/* The console that stands for the serial port with that alias. */
static xmlNode *console_of(struct domain_edit *edit, const xmlNode *device, const char *alias)
{
        if (!xml_is(device, "serial"))
                return NULL;
        XML_FOREACH_CHILD (node, devices_of(edit)) {
                if (xml_is(node, "console") && hardware_child_is(node, "alias", "name", alias))
                        return node;
        }
        return NULL;
}

static void set_path(xmlNode *device, const char *path)
{
        xml_set_attr(source_of(device), "path", path);
        if (xml_is(device, "console"))
                xml_set_attr(device, "tty", path);
}

void domain_edit_set_pty(struct domain_edit *edit, const char *alias, const char *path)
{
        xmlNode *device = find_device(edit, alias, NULL), *console;

        if (!device)
                return;
        set_path(device, path);
        console = console_of(edit, device, alias);
        if (console)
                set_path(console, path);
}

static void set_socket(xmlNode *device, const char *path)
{
        xmlNode *source = source_of(device);

        hardware_default(source, "mode", "bind");
        xml_set_attr(source, "path", path);
}

void domain_edit_set_socket(struct domain_edit *edit, const char *alias, const char *path)
{
        xmlNode *device = find_device(edit, alias, NULL), *console;

        if (!device)
                return;
        set_socket(device, path);
        console = console_of(edit, device, alias);
        if (console)
                set_socket(console, path);
}

void domain_edit_set_channel_state(struct domain_edit *edit, const char *alias, bool connected)
{
        xmlNode *channel = find_device(edit, alias, "channel");

        if (channel)
                xml_set_attr(hardware_child(channel, "target"), "state",
                             connected ? "connected" : "disconnected");
}

/* ---- interfaces ---- */

void domain_edit_set_interface_target(struct domain_edit *edit, const char *alias, const char *dev)
{
        xmlNode *interface = find_device(edit, alias, "interface");

        if (interface)
                xml_set_attr(hardware_child(interface, "target"), "dev", dev);
}

void domain_edit_set_interface_link(struct domain_edit *edit, const char *alias, bool up)
{
        xmlNode *interface = find_device(edit, alias, "interface");

        if (interface)
                xml_set_attr(hardware_child(interface, "link"), "state", up ? "up" : "down");
}

static void set_host(xmlNode *interface, xmlNode *source, const struct domain_edit_plug *plug)
{
        const struct domain_address_pci *host = plug->host;
        xmlNode *address;

        xml_remove_children(source, "address");
        if (!host)
                return;
        xml_set_attr(interface, "managed", plug->managed ? "yes" : "no");
        if (plug->driver)
                xml_set_attr(hardware_child(interface, "driver"), "name", plug->driver);
        address = xml_add(source, "address");
        xml_set_attr(address, "type", "pci");
        xml_set_attr_format(address, "domain", "0x%04x", (unsigned)host->domain);
        xml_set_attr_format(address, "bus", "0x%02x", (unsigned)host->bus);
        xml_set_attr_format(address, "slot", "0x%02x", (unsigned)host->slot);
        xml_set_attr_format(address, "function", "0x%x", (unsigned)host->function);
}

void domain_edit_plug_interface(struct domain_edit *edit, unsigned index, const struct domain_edit_plug *plug)
{
        xmlNode *interface = find_nth(edit, devices_of(edit), "interface", index), *source;

        if (!interface)
                return;
        source = source_of(interface);
        xml_set_attr(interface, "type", plug->type);
        xml_set_attr(source, "portid", plug->port_id);
        xml_set_attr(source, "bridge", plug->bridge);
        xml_set_attr(source, "dev", plug->device);
        xml_set_attr(source, "mode", plug->mode);
        set_host(interface, source, plug);
        if (!plug->virtual_port || !plug->virtual_port->is_there)
                return;
        xml_remove_children(interface, "virtualport");
        virtual_port_add(interface, plug->virtual_port);
}

void domain_edit_set_interface_bridge(struct domain_edit *edit, const char *alias, const char *bridge)
{
        xmlNode *interface = find_device(edit, alias, "interface");

        if (!interface)
                return;
        xml_set_attr(interface, "type", "bridge");
        xml_remove_children(interface, "source");
        xml_set_attr(source_of(interface), "bridge", bridge);
}

void domain_edit_drop_interface_part(struct domain_edit *edit, const char *alias, const char *name)
{
        xmlNode *interface = find_device(edit, alias, "interface");

        if (interface)
                xml_remove_children(interface, name);
}

void domain_edit_drop_interface_trust(struct domain_edit *edit, const char *alias)
{
        xmlNode *interface = find_device(edit, alias, "interface");

        if (interface)
                xml_set_attr(interface, "trustGuestRxFilters", NULL);
}

/* ---- graphics ---- */

static void set_port(xmlNode *graphics, const char *attr, int port)
{
        if (port != 0)
                xml_set_attr_format(graphics, attr, "%d", port);
}

void domain_edit_set_graphics_ports(struct domain_edit *edit, unsigned index, int port, int tls_port,
                                    int websocket)
{
        xmlNode *graphics = find_nth(edit, devices_of(edit), "graphics", index);

        if (!graphics)
                return;
        set_port(graphics, "port", port);
        set_port(graphics, "tlsPort", tls_port);
        set_port(graphics, "websocket", websocket);
}

void domain_edit_set_graphics_password(struct domain_edit *edit, unsigned index, const char *password)
{
        xmlNode *graphics = find_nth(edit, devices_of(edit), "graphics", index);

        if (!graphics)
                return;
        xml_set_attr(graphics, "passwd", password);
        xml_set_attr(graphics, "passwdValidTo", NULL);
        xml_set_attr(graphics, "connected", NULL);
}

static void set_listen(struct domain_edit *edit, unsigned index, unsigned listen, const char *attr,
                       const char *outer, const char *value)
{
        xmlNode *graphics = find_nth(edit, devices_of(edit), "graphics", index);
        xmlNode *node = graphics ? find_nth(edit, graphics, "listen", listen) : NULL;

        if (!node)
                return;
        xml_set_attr(node, attr, value);
        if (listen == 0 && outer)
                xml_set_attr(graphics, outer, value);
}

void domain_edit_set_graphics_address(struct domain_edit *edit, unsigned index, unsigned listen,
                                      const char *address)
{
        set_listen(edit, index, listen, "address", "listen", address);
}

void domain_edit_set_graphics_socket(struct domain_edit *edit, unsigned index, unsigned listen,
                                     const char *path)
{
        xmlNode *graphics = find_nth(edit, devices_of(edit), "graphics", index);

        /* Only VNC has the attribute. */
        if (graphics)
                set_listen(edit, index, listen, "socket",
                           hardware_is(graphics, "type", "vnc") ? "socket" : NULL, path);
}

void domain_edit_set_graphics_bus(struct domain_edit *edit, unsigned index, const char *address)
{
        xmlNode *graphics = find_nth(edit, devices_of(edit), "graphics", index);

        if (graphics)
                xml_set_attr(graphics, "address", address);
}

/* ---- the rest ---- */

static void set_memory_size(struct domain_edit *edit, const char *alias, const char *name, uint64_t kib)
{
        xmlNode *memory = find_device(edit, alias, "memory"), *size;
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, kib);

        if (!memory)
                return;
        size = hardware_child(hardware_child(memory, "target"), name);
        xml_set_attr(size, "unit", "KiB");
        xml_set_text(size, text);
}

void domain_edit_set_memory_requested(struct domain_edit *edit, const char *alias, uint64_t kib)
{
        set_memory_size(edit, alias, "requested", kib);
}

void domain_edit_set_memory_taken(struct domain_edit *edit, const char *alias, uint64_t kib)
{
        set_memory_size(edit, alias, "current", kib);
}

void domain_edit_set_memory_base(struct domain_edit *edit, const char *alias, uint64_t base)
{
        xmlNode *memory = find_device(edit, alias, "memory");

        if (memory)
                xml_set_attr_format(hardware_child(memory, "address"), "base", "0x%" PRIx64, base);
}

void domain_edit_set_vsock_cid(struct domain_edit *edit, uint32_t cid)
{
        xmlNode *vsock = find_nth(edit, devices_of(edit), "vsock", 0);

        if (vsock)
                xml_set_attr_format(hardware_child(vsock, "cid"), "address", "%u", cid);
}

void domain_edit_set_pstore_path(struct domain_edit *edit, const char *path)
{
        xmlNode *pstore = find_nth(edit, devices_of(edit), "pstore", 0);

        if (pstore)
                xml_set_text(hardware_child(pstore, "path"), path);
}

/* ---- disks ---- */

static const char *source_attr(const char *type)
{
        if (g_strcmp0(type, "block") == 0)
                return "dev";
        return g_strcmp0(type, "dir") == 0 ? "dir" : "file";
}

void domain_edit_set_disk_path(struct domain_edit *edit, const char *alias, const char *path)
{
        xmlNode *disk = find_device(edit, alias, "disk");

        if (!disk)
                return;
        xml_remove_children(disk, "backingStore");
        if (path) {
                xml_set_attr(source_of(disk), source_attr(hardware_peek(disk, "type")), path);
                return;
        }
        /* What is not in has no type. */
        xml_set_attr(disk, "type", "file");
        xml_remove_children(disk, "source");
        xml_remove_children(disk, "auth");
}

void domain_edit_set_disk_tray(struct domain_edit *edit, const char *alias, bool open)
{
        xmlNode *disk = find_device(edit, alias, "disk");

        /* Closed is what is not written. */
        if (disk)
                xml_set_attr(hardware_child(disk, "target"), "tray", open ? "open" : NULL);
}

void domain_edit_drop_disk_part(struct domain_edit *edit, const char *alias, const char *name)
{
        xmlNode *disk = find_device(edit, alias, "disk");

        if (disk)
                xml_remove_children(disk, name);
}

void domain_edit_set_disk_policies(struct domain_edit *edit, const char *alias, const char *startup_policy,
                                   const char *snapshot)
{
        xmlNode *disk = find_device(edit, alias, "disk"), *source = xml_child(disk, "source");

        if (disk)
                xml_set_attr(disk, "snapshot", snapshot);
        if (source)
                xml_set_attr(source, "startupPolicy", startup_policy);
}

void domain_edit_take_disk_part(struct domain_edit *edit, const char *alias, const struct domain_def *from,
                                const char *from_alias, const char *name)
{
        xmlNode *disk = find_device(edit, alias, "disk");
        g_autoptr(xmlDoc) doc = xml_parse(from->base.xml, NULL, NULL);
        const xmlNode *devices = doc ? xml_child(xml_root(doc), "devices") : NULL;

        if (!disk)
                return;
        xml_remove_children(disk, name);
        XML_FOREACH_CHILD (other, devices) {
                if (xml_is(other, "disk") && hardware_child_is(other, "alias", "name", from_alias) &&
                    xml_child(other, name))
                        xml_add_copy(disk, xml_child(other, name));
        }
}

/* Only a document names data files, so the element is there. */
static void number_data(xmlNode *source, unsigned index)
{
        xmlNode *store = xml_child(source, "dataStore");

        if (store && index)
                xml_set_attr_format(source_of(store), "index", "%u", index);
        else if (store)
                xml_set_attr(source_of(store), "index", NULL);
}

void domain_edit_forget_disk_chain(struct domain_edit *edit, const char *alias)
{
        xmlNode *disk = find_device(edit, alias, "disk");

        if (!disk)
                return;
        xml_remove_children(disk, "backingStore");
        xml_set_attr(source_of(disk), "index", NULL);
        number_data(source_of(disk), 0);
}

void domain_edit_drop_chain(struct domain_edit *edit, const char *target)
{
        XML_FOREACH_CHILD (disk, devices_of(edit)) {
                if (xml_is(disk, "disk") && hardware_child_is(disk, "target", "dev", target))
                        xml_remove_children(disk, "backingStore");
        }
}

static void add_encryption(xmlNode *source, const struct domain_encryption *encryption)
{
        xmlNode *node = xml_add(source, "encryption"), *secret;

        xml_set_attr(node, "format", encryption->format);
        xml_set_attr(node, "engine", encryption->engine);
        secret = xml_add(node, "secret");
        xml_set_attr(secret, "type", "passphrase");
        xml_set_attr(secret, "uuid", encryption->secret_uuid);
        xml_set_attr(secret, "usage", encryption->secret_usage);
}

static const char *backing_type(const struct domain_edit_image *image)
{
        if (image->remote)
                return "network";
        return image->block ? "block" : "file";
}

/* before: what the document says of it; NULL: nothing. */
static xmlNode *add_backing(xmlNode *parent, const struct domain_edit_image *image, const xmlNode *before)
{
        xmlNode *store = xml_add(parent, "backingStore"), *format, *source;
        const char *type = backing_type(image);

        xml_set_attr(store, "type", type);
        xml_set_attr_format(store, "index", "%u", image->index);
        format = before && xml_child(before, "format") ? xml_add_copy(store, xml_child(before, "format"))
                                                       : xml_add(store, "format");
        xml_set_attr(format, "type", image->format);
        if (before && xml_child(before, "source")) {
                number_data(xml_add_copy(store, xml_child(before, "source")), image->data_index);
                return store;
        }
        source = xml_add(store, "source");
        xml_set_attr(source, source_attr(type), image->path);
        if (image->encryption)
                add_encryption(source, image->encryption);
        return store;
}

void domain_edit_set_disk_chain(struct domain_edit *edit, const char *alias,
                                const struct domain_edit_image *images, unsigned count)
{
        xmlNode *disk = find_device(edit, alias, "disk"), *end = disk, *old, *below;

        if (!disk || count == 0)
                return;
        xml_set_attr_format(source_of(disk), "index", "%u", images[0].index);
        number_data(source_of(disk), images[0].data_index);
        old = below = xml_child(disk, "backingStore");
        if (old)
                xmlUnlinkNode(old);
        for (unsigned i = 1; i < count; i++) {
                end = add_backing(end, &images[i], below);
                below = below ? xml_child(below, "backingStore") : NULL;
        }
        xml_add(end, "backingStore");
        if (old)
                xmlFreeNode(old);
}

void domain_edit_set_reservations(struct domain_edit *edit, const char *alias, const char *path)
{
        xmlNode *disk = find_device(edit, alias, "disk"), *reservations, *source;

        reservations = disk ? xml_child(source_of(disk), "reservations") : NULL;
        if (!reservations)
                return;
        source = source_of(reservations);
        xml_set_attr(source, "type", "unix");
        xml_set_attr(source, "path", path);
        xml_set_attr(source, "mode", "client");
}

void domain_edit_leave_out(struct domain_edit *edit, const char *alias)
{
        xmlNode *device = find_device(edit, alias, NULL);

        if (device)
                xml_remove(device);
}

void domain_edit_set_usb_address(struct domain_edit *edit, const char *alias, unsigned bus, unsigned device)
{
        xmlNode *hostdev = find_device(edit, alias, "hostdev"), *address;

        if (!hostdev)
                return;
        address = xml_child(source_of(hostdev), "address");
        if (!address)
                address = xml_add(source_of(hostdev), "address");
        xml_set_attr_format(address, "bus", "%u", bus);
        xml_set_attr_format(address, "device", "%u", device);
}

void domain_edit_set_usb_missing(struct domain_edit *edit, const char *alias, bool missing)
{
        xmlNode *device = find_device(edit, alias, "hostdev");

        if (device)
                xml_set_attr(source_of(device), "missing", missing ? "yes" : NULL);
}
