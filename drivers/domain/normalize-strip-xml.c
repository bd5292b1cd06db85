/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking out of a document what only describes a running guest: people define what they got by dumping a
 * running domain. No state; any thread.
 */
#include "base/uuid.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

#define USER_ALIAS  "ua-"
#define ALIAS_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

/* Names that are made up at start; they are free again when the guest has ended. */
static const char *const generated_targets[] = { "vnet", "macvtap", "macvlan", NULL };

static bool is_generated_target(const char *dev)
{
        for (unsigned i = 0; dev && generated_targets[i]; i++) {
                size_t length = strlen(generated_targets[i]);

                if (strncmp(dev, generated_targets[i], length) == 0 && dev[length] &&
                    strspn(dev + length, "0123456789") == strlen(dev + length))
                        return true;
        }
        return false;
}

bool normalize_is_user_alias(const char *name)
{
        return name && g_str_has_prefix(name, USER_ALIAS) && !name[strspn(name, ALIAS_CHARS)];
}

static void strip_alias(xmlNode *device)
{
        for (xmlNode *child = xml_first_element(device), *next; child; child = next) {
                const char *name = hardware_peek(child, "name");

                next = xml_next_element(child);
                if (xml_is(child, "alias") && !normalize_is_user_alias(name))
                        xml_remove(child);
        }
}

/*
 * Is the path in a directory that exists as long as a domain runs: <uuid>/io/ of ours, domain-<id>-<name>/ of
 * libvirt's?
 */
static bool is_runtime_path(const char *path)
{
        const char *io = path ? strstr(path, "/io/") : NULL;
        g_autofree char *uuid = NULL;

        if (!path)
                return false;
        if (strstr(path, "/channel/target/domain-") || strstr(path, "/lib/domain-"))
                return true;
        if (!io || io - path <= UUID_STRING_LENGTH)
                return false;
        uuid = g_strndup(io - UUID_STRING_LENGTH, UUID_STRING_LENGTH);
        return io[-UUID_STRING_LENGTH - 1] == '/' && uuid_parse(&(struct uuid){ 0 }, uuid, NULL);
}

/* "17-web/" of a guest that runs, in front of the name. */
static bool is_numbered(const char *file, const char *name)
{
        const char *rest = file + strspn(file, "0123456789"), *slash = strchr(rest, '/');

        return rest > file && *rest == '-' && slash && strcmp(slash + 1, name) == 0;
}

/*
 * The path that libvirt makes for a channel, in whatever mode it is written: <guest>.<name> in its directory
 * for them, <id>-<guest>/<name> from 9.7 on; with domain-<id>-<guest>/<name>, between the two,
 * is_runtime_path() deals.
 */
static bool is_libvirt_channel(const xmlNode *node, const char *path)
{
        static const char dir[] = "/qemu/channel/", old[] = "target/";
        const char *name = hardware_peek_child(node, "target", "name"),
                   *file = path ? strstr(path, dir) : NULL;
        g_autofree char *ending = NULL;

        if (!xml_is(node, "channel") || !name || !file)
                return false;
        file += strlen(dir);
        if (is_numbered(file, name))
                return true;
        if (!g_str_has_prefix(file, old))
                return false;
        file += strlen(old);
        ending = g_strconcat(".", name, NULL);
        return !strchr(file, '/') && g_str_has_suffix(file, ending) && strlen(file) > strlen(ending);
}

/* A socket that was made at start, or one that has yet to be chosen. */
static bool is_generated_socket(const xmlNode *node, const xmlNode *source)
{
        const char *path = hardware_peek(source, "path");

        if (hardware_is(node, "type", "unix") && is_libvirt_channel(node, path))
                return true;
        if (!hardware_is(node, "type", "unix") || hardware_is(source, "mode", "connect"))
                return false;
        return is_runtime_path(path) || (!path && xml_is(node, "channel"));
}

void normalize_strip_char(xmlNode *node)
{
        xmlNode *source = xml_child(node, "source"), *target = xml_child(node, "target");

        xml_set_attr(node, "tty", NULL);
        if (target)
                xml_set_attr(target, "state", NULL);
        /* Two are for the check to refuse. */
        if (!source || xml_next(source))
                return;
        if (!xml_has_attr(node, "type") || hardware_is(node, "type", "pty") ||
            is_generated_socket(node, source))
                xml_remove_children(node, "source");
}

static void strip_chain(xmlNode *image)
{
        for (; image; image = xml_child(image, "backingStore")) {
                xmlNode *source = xml_child(image, "source"),
                        *store = source ? xml_child(source, "dataStore") : NULL,
                        *data = store ? xml_child(store, "source") : NULL;

                xml_set_attr(image, "index", NULL);
                if (source)
                        xml_set_attr(source, "index", NULL);
                if (data)
                        xml_set_attr(data, "index", NULL);
        }
}

/* The socket of a managed helper is the guest's that runs. */
static void strip_reservations(xmlNode *disk)
{
        const xmlNode *source = xml_child(disk, "source");
        xmlNode *reservations = source ? xml_child(source, "reservations") : NULL;

        if (reservations && hardware_is(reservations, "managed", "yes"))
                xml_remove_children(reservations, "source");
}

void normalize_strip_disk(xmlNode *node)
{
        strip_reservations(node);
        strip_chain(node);
        xml_remove_children(node, "mirror");
}

/* Whether it is missing is found out at each start. */
void normalize_strip_hostdev(xmlNode *node)
{
        xmlNode *source = xml_child(node, "source");

        if (source)
                xml_set_attr(source, "missing", NULL);
}

/* What the guest has taken. */
void normalize_strip_memory(xmlNode *node)
{
        xmlNode *target = xml_child(node, "target");

        if (target)
                xml_remove_children(target, "current");
}

static void strip_host(xmlNode *node, xmlNode *source)
{
        xmlNode *driver = xml_child(node, "driver");

        xml_set_attr(node, "managed", NULL);
        xml_remove_children(source, "address");
        if (driver && hardware_is(driver, "name", "vfio"))
                xml_set_attr(driver, "name", NULL);
        if (driver && !driver->properties && !driver->children)
                xml_remove(driver);
}

/* What is below a network shows in the document of a guest that runs: its own names the network. */
static void strip_plug(xmlNode *node, xmlNode *source)
{
        if (!hardware_is(node, "type", "network") &&
            !(xml_has_attr(source, "network") && xml_has_attr(source, "portid")))
                return;
        if (hardware_is(node, "type", "hostdev"))
                strip_host(node, source);
        xml_set_attr(node, "type", "network");
        xml_set_attr(source, "portid", NULL);
        xml_set_attr(source, "bridge", NULL);
        xml_set_attr(source, "dev", NULL);
        xml_set_attr(source, "mode", NULL);
}

void normalize_strip_interface(xmlNode *node)
{
        xmlNode *source = xml_child(node, "source");

        for (xmlNode *target = xml_child(node, "target"), *next; target; target = next) {
                next = xml_next(target);
                if (is_generated_target(hardware_peek(target, "dev")))
                        xml_set_attr(target, "dev", NULL);
                if (!target->properties && !target->children)
                        xml_remove(target);
        }
        if (source)
                strip_plug(node, source);
}

void normalize_strip_graphics(xmlNode *node)
{
        bool autoport = hardware_is(node, "autoport", "yes");

        if (autoport && hardware_is(node, "type", "vnc"))
                xml_set_attr(node, "port", "-1");
        if (autoport && hardware_is(node, "type", "spice")) {
                xml_set_attr(node, "port", NULL);
                xml_set_attr(node, "tlsPort", NULL);
        }
        if (hardware_is(node, "type", "dbus") && is_runtime_path(hardware_peek(node, "address")))
                xml_set_attr(node, "address", NULL);
        XML_FOREACH_CHILD (listen, node) {
                if (!xml_is(listen, "listen"))
                        continue;
                if (hardware_is(listen, "type", "network")) {
                        xml_set_attr(listen, "address", NULL);
                        xml_set_attr(node, "listen", NULL);
                }
                if (is_runtime_path(hardware_peek(listen, "socket"))) {
                        xml_set_attr(listen, "socket", NULL);
                        xml_set_attr(node, "socket", NULL);
                }
        }
}

static void strip_seclabels(xmlNode *root)
{
        XML_FOREACH_CHILD (label, root) {
                if (!xml_is(label, "seclabel") || !hardware_is(label, "type", "dynamic"))
                        continue;
                xml_remove_children(label, "label");
                xml_remove_children(label, "imagelabel");
        }
}

/* As name_shares() of live-xml.c has given them. */
static void strip_shares(xmlNode *root)
{
        xmlNode *cputune = xml_child(root, "cputune");

        if (!cputune)
                return;
        XML_FOREACH_CHILD (node, cputune) {
                if (xml_is(node, "cachetune") || xml_is(node, "memorytune"))
                        xml_set_attr(node, "id", NULL);
        }
}

void normalize_strip_device(xmlNode *node)
{
        enum domain_device_kind kind = domain_kind_of(node);

        strip_alias(node);
        if (kind < DOMAIN_DEVICE_KINDS && domain_kinds[kind].strip)
                domain_kinds[kind].strip(node);
}

void normalize_strip(struct hardware *hardware)
{
        xml_set_attr(hardware->root, "id", NULL);
        strip_seclabels(hardware->root);
        strip_shares(hardware->root);
        XML_FOREACH_CHILD (device, hardware->devices)
                normalize_strip_device(device);
}
