/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options of QEMU about devices. The meaning of options is that of qemu-system(1). No state.
 */
#include "drivers/qemu/native-private.h"

#include <stdio.h>
#include <string.h>

/* ---- disks ---- */

static bool is_q35(const struct native_parse *parse)
{
        return parse->board && (strcmp(parse->board, "q35") == 0 || g_str_has_prefix(parse->board, "pc-q35"));
}

struct drive {
        const char *file, *format, *bus, *device, *cache;
        bool readonly;
        int index; /* -1: the next that is free */
};

enum { LETTERS = 26 };

/* The letter that it gets, counted from 0; -1: it has been taken. */
static int take_letter(struct native_parse *parse, const char *prefix, int index)
{
        unsigned taken = GPOINTER_TO_UINT(g_hash_table_lookup(parse->drives, prefix));
        int letter = index < 0 ? 0 : index;

        while (index < 0 && letter < LETTERS && taken & (1u << letter))
                letter++;
        if (letter >= LETTERS || taken & (1u << letter))
                return -1;
        g_hash_table_insert(parse->drives, (char *)prefix, GUINT_TO_POINTER(taken | (1u << letter)));
        return letter;
}

/*
 * QEMU would guess a format that is not said by what the image begins with, which is nothing that a document
 * may do. A name that says it is the word of whoever made the image. NULL: it says nothing.
 */
static const char *name_format(const char *file)
{
        static const char *const suffixes[] = { "qcow2", "raw", "vmdk", "vdi", "vhdx", "qed" };

        if (!file)
                return NULL;
        if (g_str_has_prefix(file, "/dev/") || g_str_has_suffix(file, ".iso"))
                return "raw";
        for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                const char *dot = strrchr(file, '.');

                if (dot && strcmp(dot + 1, suffixes[i]) == 0)
                        return suffixes[i];
        }
        return NULL;
}

/* A relative path is one of wherever the script was. */
static bool add_drive(struct native_parse *parse, const struct drive *drive)
{
        const char *prefix = "hd";
        int letter;

        if (drive->file && *drive->file != '/')
                return false;
        if (strcmp(drive->bus, "virtio") == 0)
                prefix = "vd";
        else if (strcmp(drive->bus, "fdc") == 0)
                prefix = "fd";
        else if (strcmp(drive->bus, "ide") != 0)
                prefix = "sd";
        letter = take_letter(parse, prefix, drive->index);
        if (letter < 0)
                return false;
        native_add(parse->devices, "<disk type='%s' device='%s'>",
                   drive->file && g_str_has_prefix(drive->file, "/dev/") ? "block" : "file", drive->device);
        if (drive->format || drive->cache) {
                native_add(parse->devices, "<driver name='qemu' type='%s'",
                           drive->format ? drive->format : "raw");
                if (drive->cache)
                        native_add(parse->devices, " cache='%s'", drive->cache);
                g_string_append(parse->devices, "/>");
        }
        if (drive->file && g_str_has_prefix(drive->file, "/dev/"))
                native_add(parse->devices, "<source dev='%s'/>", drive->file);
        else if (drive->file)
                native_add(parse->devices, "<source file='%s'/>", drive->file);
        native_add(parse->devices, "<target dev='%s%c' bus='%s'/>", prefix, 'a' + letter, drive->bus);
        g_string_append(parse->devices, drive->readonly ? "<readonly/></disk>" : "</disk>");
        return true;
}

static const char *default_bus(const struct native_parse *parse)
{
        return is_q35(parse) ? "sata" : "ide";
}

static bool read_hd(struct native_parse *parse, const char *file, int index)
{
        const char *format = name_format(file);

        return format && add_drive(parse, &(struct drive){ .file = file,
                                                           .format = format,
                                                           .bus = default_bus(parse),
                                                           .device = "disk",
                                                           .index = index });
}

static bool read_hda(struct native_parse *parse, const char *value)
{
        return read_hd(parse, value, 0);
}

static bool read_hdb(struct native_parse *parse, const char *value)
{
        return read_hd(parse, value, 1);
}

static bool read_hdc(struct native_parse *parse, const char *value)
{
        return read_hd(parse, value, 2);
}

static bool read_hdd(struct native_parse *parse, const char *value)
{
        return read_hd(parse, value, 3);
}

/* At the place that -hdc has. */
static bool read_cdrom(struct native_parse *parse, const char *value)
{
        return add_drive(parse, &(struct drive){ .file = value,
                                                 .format = "raw",
                                                 .bus = default_bus(parse),
                                                 .device = "cdrom",
                                                 .readonly = true,
                                                 .index = 2 });
}

static bool read_floppy(struct native_parse *parse, const char *file, int index)
{
        return add_drive(
                parse,
                &(struct drive){
                        .file = file, .format = "raw", .bus = "fdc", .device = "floppy", .index = index });
}

static bool read_fda(struct native_parse *parse, const char *value)
{
        return read_floppy(parse, value, 0);
}

static bool read_fdb(struct native_parse *parse, const char *value)
{
        return read_floppy(parse, value, 1);
}

static const char *choose_bus(const struct native_parse *parse, const char *interface)
{
        if (!interface || strcmp(interface, "ide") == 0)
                return default_bus(parse);
        if (strcmp(interface, "virtio") == 0 || strcmp(interface, "scsi") == 0)
                return interface;
        return strcmp(interface, "floppy") == 0 ? "fdc" : NULL;
}

/* "N"; -1: none is said. */
static bool parse_index(const char *text, int *index)
{
        uint64_t number;

        *index = -1;
        if (!text)
                return true;
        if (!native_parse_number(text, LETTERS - 1, &number))
                return false;
        *index = (int)number;
        return true;
}

/* Firmware: first its code, then its variables, as they stand in the command line (unit=0, unit=1). */
static bool read_flash(struct native_parse *parse, GPtrArray *parts)
{
        g_autofree char *file = native_take(parts, "file"), *format = native_take(parts, "format"),
                        *unit = native_take(parts, "unit"), *readonly = native_take(parts, "readonly");
        bool is_readonly = g_strcmp0(readonly, "on") == 0;
        uint64_t number = parse->flashes;

        g_free(native_take(parts, "id"));
        if (parts->len > 0 || !file || *file != '/' || g_strcmp0(format, "raw") != 0 ||
            (readonly && !is_readonly && strcmp(readonly, "off") != 0) ||
            (unit && !native_parse_number(unit, 1, &number)) || number != parse->flashes)
                return false;
        if (number == 0 && !strstr(parse->os->str, "<loader"))
                native_add(parse->os, "<loader readonly='%s' type='pflash'>%s</loader>",
                           is_readonly ? "yes" : "no", file);
        else if (number == 1 && !is_readonly)
                native_add(parse->os, "<nvram>%s</nvram>", file);
        else
                return false;
        parse->flashes++;
        return true;
}

static bool read_disk(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *file = native_take(parts, "file"), *format = native_take(parts, "format"),
                        *interface = native_take(parts, "if"), *index = native_take(parts, "index");
        g_autofree char *media = native_take(parts, "media"), *cache = native_take(parts, "cache"),
                        *readonly = native_take(parts, "readonly");
        bool is_cdrom = g_strcmp0(media, "cdrom") == 0;
        struct drive drive = { file,
                               format ? format : name_format(file),
                               choose_bus(parse, interface),
                               "disk",
                               cache,
                               is_cdrom,
                               -1 };

        g_free(native_take(parts, "id"));
        if (parts->len > 0 || !drive.bus || (media && !is_cdrom && strcmp(media, "disk") != 0) ||
            (readonly && strcmp(readonly, "on") != 0) || (!drive.format && !is_cdrom) ||
            (!file && !is_cdrom) || !parse_index(index, &drive.index))
                return false;
        drive.readonly = is_cdrom || readonly;
        if (is_cdrom)
                drive.device = "cdrom";
        else if (strcmp(drive.bus, "fdc") == 0)
                drive.device = "floppy";
        return add_drive(parse, &drive);
}

static bool read_drive(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *interface = native_take(parts, "if");

        return g_strcmp0(interface, "pflash") == 0 ? read_flash(parse, parts) : read_disk(parse, value);
}

/* ---- networks ---- */

static bool add_interface(struct native_parse *parse, GPtrArray *parts, const char *model, const char *mac)
{
        g_autofree char *type = native_take_first(parts, "type"), *bridge = native_take(parts, "br");
        bool bridged = g_strcmp0(type, "bridge") == 0;

        if (!type || parts->len > 0 || (!bridged && strcmp(type, "user") != 0) || (!bridged && bridge))
                return false;
        if (bridged)
                native_add(parse->devices, "<interface type='bridge'><source bridge='%s'/>",
                           bridge ? bridge : "br0");
        else
                g_string_append(parse->devices, "<interface type='user'>");
        if (mac)
                native_add(parse->devices, "<mac address='%s'/>", mac);
        if (model)
                native_add(parse->devices, "<model type='%s'/>", model);
        g_string_append(parse->devices, "</interface>");
        return true;
}

/* As QEMU calls cards, as documents do. */
static const char *find_model(const char *card)
{
        static const struct {
                const char *card, *model;
        } models[] = {
                { "virtio", "virtio" },     { "virtio-net-pci", "virtio" }, { "virtio-net", "virtio" },
                { "e1000", "e1000" },       { "e1000e", "e1000e" },         { "rtl8139", "rtl8139" },
                { "ne2k_pci", "ne2k_pci" }, { "pcnet", "pcnet" },           { "vmxnet3", "vmxnet3" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                if (strcmp(models[i].card, card) == 0)
                        return models[i].model;
        }
        return NULL;
}

static bool read_nic(struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *card = native_take(parts, "model"), *mac = native_take(parts, "mac");
        const char *model = card ? find_model(card) : NULL;

        if (strcmp(value, "none") == 0)
                return true;
        return (!card || model) && add_interface(parse, parts, model, mac);
}

static bool is_net(const char *argument)
{
        return strcmp(argument, "-net") == 0 || strcmp(argument, "--net") == 0;
}

static bool add_net_card(struct native_parse *parse, const char *card, const char *back)
{
        g_autoptr(GPtrArray) parts = native_split(card), backing = native_split(back);
        g_autofree char *type = native_take_first(parts, "type"), *model = native_take(parts, "model"),
                        *mac = native_take(parts, "macaddr");
        const char *name = model ? find_model(model) : NULL;

        return parts->len == 0 && (!model || name) && add_interface(parse, backing, name, mac);
}

void native_read_net_pair(struct native_parse *parse, char *const *argv)
{
        const char *card = NULL, *back = NULL;
        unsigned cards = 0, backs = 0;

        for (; argv[0] && argv[1]; argv++) {
                if (!is_net(argv[0]) || strcmp(argv[1], "none") == 0)
                        continue;
                if (strcmp(argv[1], "nic") == 0 || g_str_has_prefix(argv[1], "nic,")) {
                        card = argv[1];
                        cards++;
                } else {
                        back = argv[1];
                        backs++;
                }
        }
        parse->has_net_pair = cards == 1 && backs == 1 && add_net_card(parse, card, back);
}

static bool read_net(struct native_parse *parse, const char *value)
{
        return parse->has_net_pair || strcmp(value, "none") == 0;
}

/* The id of a back end that is found by it, owned; NULL: it has none, or another has it. */
char *native_find_netdev(const struct native_parse *parse, const char *value)
{
        g_autoptr(GPtrArray) parts = native_split(value);
        char *id = native_take(parts, "id");

        if (id && g_strcmp0(g_hash_table_lookup(parse->netdevs, id), value) == 0)
                return id;
        g_free(id);
        return NULL;
}

/* It comes with its card, or at the end. */
static bool read_netdev(struct native_parse *parse, const char *value)
{
        g_autofree char *id = native_find_netdev(parse, value);

        return id != NULL;
}

/* ---- devices ---- */

static bool add_card(struct native_parse *parse, const char *model, GPtrArray *parts)
{
        g_autofree char *netdev = native_take(parts, "netdev"), *mac = native_take(parts, "mac");
        const char *value = netdev ? g_hash_table_lookup(parse->netdevs, netdev) : NULL;
        g_autoptr(GPtrArray) back =
                value && !g_hash_table_contains(parse->taken, netdev) ? native_split(value) : NULL;

        g_free(native_take(parts, "id"));
        if (!back || parts->len > 0)
                return false;
        g_free(native_take(back, "id"));
        if (!add_interface(parse, back, model, mac))
                return false;
        g_hash_table_add(parse->taken, g_steal_pointer(&netdev));
        return true;
}

/* "01:00.0", with the domain of PCI before it or without. */
static bool add_hostdev(struct native_parse *parse, GPtrArray *parts)
{
        g_autofree char *host = native_take(parts, "host"), *whole = NULL;
        unsigned domain, bus, slot, function;
        int end = 0;

        g_free(native_take(parts, "id"));
        if (parts->len > 0 || !host)
                return false;
        whole = g_strconcat(strchr(host, ':') == strrchr(host, ':') ? "0000:" : "", host, NULL);
        if (sscanf(whole, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4 || whole[end])
                return false;
        native_add(parse->devices,
                   "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x%04x' "
                   "bus='0x%02x' slot='0x%02x' function='0x%x'/></source></hostdev>",
                   domain, bus, slot, function);
        return true;
}

/* A directory of the host's by 9p. */
static bool read_virtfs(struct native_parse *parse, const char *value)
{
        static const struct {
                const char *model, *mode;
        } modes[] = {
                { "passthrough", "passthrough" },
                { "mapped", "mapped" },
                { "mapped-xattr", "mapped" },
                { "none", "squash" },
        };
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *driver = native_take_first(parts, "fsdriver"), *path = native_take(parts, "path"),
                        *tag = native_take(parts, "mount_tag"), *model = native_take(parts, "security_model"),
                        *readonly = native_take(parts, "readonly");

        g_free(native_take(parts, "id"));
        if (parts->len > 0 || g_strcmp0(driver, "local") != 0 || !path || *path != '/' || !tag || !model ||
            (readonly && strcmp(readonly, "on") != 0))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                if (strcmp(modes[i].model, model) != 0)
                        continue;
                native_add(parse->devices,
                           "<filesystem type='mount' accessmode='%s'><driver type='path'/><source dir='%s'/>"
                           "<target dir='%s'/>",
                           modes[i].mode, path, tag);
                g_string_append(parse->devices, readonly ? "<readonly/></filesystem>" : "</filesystem>");
                return true;
        }
        return false;
}

static bool read_device(struct native_parse *parse, const char *value)
{
        static const struct {
                const char *device, *text;
        } plain[] = {
                { "usb-tablet", "<input type='tablet' bus='usb'/>" },
                { "usb-kbd", "<input type='keyboard' bus='usb'/>" },
                { "usb-mouse", "<input type='mouse' bus='usb'/>" },
                { "virtio-rng-pci",
                  "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>" },
                { "virtio-balloon-pci", "<memballoon model='virtio'/>" },
                { "virtio-balloon", "<memballoon model='virtio'/>" },
        };
        g_autoptr(GPtrArray) parts = native_split(value);
        g_autofree char *device = native_take_first(parts, "driver");

        if (!device)
                return false;
        if (find_model(device))
                return add_card(parse, find_model(device), parts);
        if (strcmp(device, "vfio-pci") == 0)
                return add_hostdev(parse, parts);
        for (unsigned i = 0; i < G_N_ELEMENTS(plain) && parts->len == 0; i++) {
                if (strcmp(plain[i].device, device) == 0) {
                        g_string_append(parse->devices, plain[i].text);
                        return true;
                }
        }
        return false;
}

static bool read_usbdevice(struct native_parse *parse, const char *value)
{
        if (strcmp(value, "tablet") != 0 && strcmp(value, "mouse") != 0)
                return false;
        native_add(parse->devices, "<input type='%s' bus='usb'/>", value);
        return true;
}

static bool read_vga(struct native_parse *parse, const char *value)
{
        static const char *const models[] = { "cirrus", "qxl", "virtio", "none", NULL };

        if (strcmp(value, "std") == 0)
                g_string_append(parse->devices, "<video><model type='vga'/></video>");
        else if (g_strv_contains(models, value))
                native_add(parse->devices, "<video><model type='%s'/></video>", value);
        else
                return false;
        return true;
}

/* Options have IPv6 between brackets, documents have not. */
static void drop_brackets(char *host)
{
        size_t length = strlen(host);

        if (length < 2 || host[0] != '[' || host[length - 1] != ']')
                return;
        host[length - 1] = '\0';
        memmove(host, host + 1, length - 1);
}

static bool read_vnc(struct native_parse *parse, const char *value)
{
        enum { VNC_PORT = 5900, VNC_DISPLAYS = 65535 - VNC_PORT };
        const char *colon = strrchr(value, ':');
        g_autofree char *host = colon ? g_strndup(value, (gsize)(colon - value)) : NULL;
        uint64_t number;

        if (strcmp(value, "none") == 0)
                return true;
        if (!colon || !native_parse_number(colon + 1, VNC_DISPLAYS, &number))
                return false;
        drop_brackets(host);
        native_add(parse->devices, "<graphics type='vnc' port='%u' autoport='no' listen='%s'/>",
                   VNC_PORT + (unsigned)number, *host ? host : "0.0.0.0");
        return true;
}

static bool read_display(struct native_parse *parse, const char *value)
{
        return strcmp(value, "none") == 0;
}

static bool ignore_value(struct native_parse *parse, const char *value)
{
        return true;
}

/* No display, and the first serial port at the terminal. */
static bool read_nographic(struct native_parse *parse, const char *value)
{
        parse->no_graphic = true;
        return true;
}

static bool read_serial(struct native_parse *parse, const char *value)
{
        static const char file[] = "file:";

        parse->has_serial = true;
        if (strcmp(value, "none") == 0)
                return true;
        /* The terminal that it was run at is a console now. */
        if (strcmp(value, "stdio") == 0 || strcmp(value, "mon:stdio") == 0)
                g_string_append(parse->devices, "<serial type='pty'/>");
        else if (strcmp(value, "pty") == 0 || strcmp(value, "null") == 0)
                native_add(parse->devices, "<serial type='%s'/>", value);
        else if (g_str_has_prefix(value, "file:/"))
                native_add(parse->devices, "<serial type='file'><source path='%s'/></serial>",
                           value + strlen(file));
        else
                return false;
        return true;
}

/* ---- the options ---- */

const struct native_option native_device_options[] = {
        { "hda", true, read_hda },
        { "hdb", true, read_hdb },
        { "hdc", true, read_hdc },
        { "hdd", true, read_hdd },
        { "cdrom", true, read_cdrom },
        { "fda", true, read_fda },
        { "fdb", true, read_fdb },
        { "drive", true, read_drive },
        { "netdev", true, read_netdev },
        { "nic", true, read_nic },
        { "net", true, read_net },
        { "virtfs", true, read_virtfs },
        { "device", true, read_device },
        { "usbdevice", true, read_usbdevice },
        { "usb", false, ignore_value },
        { "vga", true, read_vga },
        { "vnc", true, read_vnc },
        { "display", true, read_display },
        { "nographic", false, read_nographic },
        { "serial", true, read_serial },
        { NULL, false, NULL },
};
