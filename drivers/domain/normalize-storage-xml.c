/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults of disks and file systems. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

/* The bus that a target's prefix stands for. */
static const struct {
        const char *prefix, *bus;
} prefixes[] = {
        { "xvd", "xen" },   { "ubd", "uml" }, { "fd", "fdc" },    { "hd", "ide" },
        { "vd", "virtio" }, { "sd", "scsi" }, { "nvme", "nvme" },
};

static const char *const buses[] = { "ide", "fdc",  "scsi", "virtio", "xen", "usb",
                                     "uml", "sata", "sd",   "nvme",   NULL };

/* As many as an NVMe controller of QEMU's has. */
#define NAMESPACES_MAX  256
#define CONTROLLERS_MAX 256

/* The number behind prefix, which *text begins with, and what follows it; -1: there is none. */
static int take_number(const char **text, const char *prefix)
{
        const char *digits = *text + strlen(prefix);
        size_t count = strspn(digits, "0123456789");

        if (!g_str_has_prefix(*text, prefix) || count < 1 || count > 3 || (*digits == '0' && count > 1))
                return -1;
        *text = digits + count;
        return (int)g_ascii_strtoull(digits, NULL, 10);
}

/* "nvme0n1": controllers count from 0, their namespaces from 1. */
static int namespace_index(const char *target)
{
        int controller = take_number(&target, "nvme");
        int space = controller >= 0 ? take_number(&target, "n") : -1;

        if (controller >= CONTROLLERS_MAX || space < 1 || space > NAMESPACES_MAX || *target)
                return -1;
        return controller * NAMESPACES_MAX + space - 1;
}

/* Larger ones are no position that anybody could mean; it also keeps the number small. */
#define DISK_LETTERS_MAX 4

int normalize_disk_index(const char *target)
{
        const char *letters = NULL;
        int index = 0;
        size_t count;

        if (g_str_has_prefix(target, "nvme"))
                return namespace_index(target);
        for (unsigned i = 0; i < G_N_ELEMENTS(prefixes) && !letters; i++) {
                if (g_str_has_prefix(target, prefixes[i].prefix))
                        letters = target + strlen(prefixes[i].prefix);
        }
        if (!letters)
                return -1;
        count = strspn(letters, "abcdefghijklmnopqrstuvwxyz");
        if (count == 0 || count > DISK_LETTERS_MAX || letters[count + strspn(letters + count, "0123456789")])
                return -1;
        for (size_t i = 0; i < count; i++)
                index = index * 26 + (letters[i] - 'a' + 1);
        return index - 1;
}

static const char *default_bus(const xmlNode *disk, const char *target)
{
        if (hardware_is(disk, "device", "floppy"))
                return "fdc";
        for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
                if (g_str_has_prefix(target, prefixes[i].prefix))
                        return prefixes[i].bus;
        }
        return NULL;
}

static bool fill_target(xmlNode *disk, GError **error)
{
        xmlNode *target = xml_child(disk, "target");
        const char *dev = hardware_peek(target, "dev"), *bus;
        g_autofree char *quoted = error_quote(dev);

        if (!dev || !*dev)
                return xml_error(error, disk, "a disk without a target device");
        hardware_default(target, "bus", default_bus(disk, dev));
        bus = hardware_peek(target, "bus");
        if (bus && !hardware_require(disk, target, "bus", buses, error))
                return false;
        if (!bus || (normalize_disk_index(dev) < 0 && !xml_child(disk, "address")))
                return xml_error(error, target, "unknown disk name '%s'", quoted);
        if (g_str_has_prefix(dev, "nvme") && strcmp(bus, "nvme") != 0)
                return xml_error(error, target, "a disk of the name '%s' is on bus 'nvme', not on '%s'",
                                 quoted, bus);
        return true;
}

static bool has_image(const xmlNode *disk)
{
        const xmlNode *source = xml_child(disk, "source");
        static const char *const names[] = { "file", "dev", "dir", "protocol", "pool", NULL };

        for (const xmlAttr *attr = source ? source->properties : NULL; attr; attr = attr->next) {
                if (hardware_is_one_of((const char *)attr->name, names) && attr->children)
                        return true;
        }
        return hardware_is(disk, "type", "nvme") || hardware_is(disk, "type", "vhostuser");
}

/* Said in the definition, so that it stays the one that it was. */
static void fill_ports(xmlNode *source)
{
        static const struct {
                const char *protocol, *port;
        } ports[] = {
                { "nbd", "10809" }, { "iscsi", "3260" },    { "gluster", "24007" }, { "http", "80" },
                { "https", "443" }, { "ftp", "21" },        { "ftps", "990" },      { "tftp", "69" },
                { "ssh", "22" },    { "sheepdog", "7000" }, { "vxhs", "9999" },
        };

        for (unsigned i = 0; source && i < G_N_ELEMENTS(ports); i++) {
                if (!hardware_is(source, "protocol", ports[i].protocol))
                        continue;
                XML_FOREACH_CHILD (host, source) {
                        if (xml_is(host, "host") && xml_has_attr(host, "name"))
                                hardware_default(host, "port", ports[i].port);
                }
        }
}

/* Where the host has the controller; one that is not there is missed when the disk is read. */
static bool fill_controller(const xmlNode *source, GError **error)
{
        xmlNode *address = source ? xml_child(source, "address") : NULL;

        return !address || normalize_format_pci(address, UINT16_MAX, error);
}

static bool is_drive(const xmlNode *disk)
{
        return hardware_is(disk, "device", "cdrom") || hardware_is(disk, "device", "floppy");
}

/* Programs that take a medium out leave its type behind; what is not in has none. */
static void forget_type(xmlNode *disk)
{
        static const char *const types[] = { "block", "dir", "network", "volume", NULL };

        if (is_drive(disk) && !xml_child(disk, "source") &&
            hardware_is_one_of(hardware_peek(disk, "type"), types))
                xml_set_attr(disk, "type", "file");
}

bool normalize_fill_disk(const struct hardware *hardware, xmlNode *disk, GError **error)
{
        xmlNode *source = xml_child(disk, "source"), *driver;

        hardware_default(disk, "type", "file");
        hardware_default(disk, "device", "disk");
        if (!fill_target(disk, error))
                return false;
        if (!has_image(disk) && !is_drive(disk)) {
                g_autofree char *what = hardware_describe(disk);

                return xml_error(error, disk, "%s has no source", what);
        }
        if (source && !source->properties && !xml_first_element(source))
                xml_remove(source);
        forget_type(disk);
        if (hardware_is(disk, "type", "network"))
                fill_ports(xml_child(disk, "source"));
        if (hardware_is(disk, "type", "nvme") && !fill_controller(source, error))
                return false;
        if (!hardware->machine->emulator)
                return true;
        if (hardware_is(disk, "type", "vhostuser"))
                hardware_default(disk, "snapshot", "no");
        if (hardware_is(disk, "device", "cdrom") && !xml_child(disk, "readonly"))
                xml_add(disk, "readonly");
        if (hardware_is(disk, "type", "vhostuser"))
                return true;
        driver = hardware_child(disk, "driver");
        hardware_default(driver, "name", "qemu");
        /* The format of a volume is the volume's own. */
        if (!hardware_is(disk, "type", "volume"))
                hardware_default(driver, "type", "raw");
        return true;
}

static bool check_targets(const struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                xmlNode *target = xml_child(disk, "target");
                const char *dev = hardware_peek(target, "dev");

                if (!g_hash_table_add(seen, (gpointer)dev)) {
                        g_autofree char *quoted = error_quote(dev);

                        return xml_error(error, target, "two disks have the target '%s'", quoted);
                }
        }
        return true;
}

/* ---- the order of disks ---- */

struct place {
        xmlNode *disk;  /* borrowed */
        unsigned group; /* of the bus, by first appearance */
        int index;
};

static gint compare_places(gconstpointer a, gconstpointer b)
{
        const struct place *left = a, *right = b;

        if (left->group != right->group)
                return left->group < right->group ? -1 : 1;
        return (left->index > right->index) - (left->index < right->index);
}

/*
 * Disks of one bus stand together in the order of their names, whatever order they were written in: it is the
 * order in which they get their addresses.
 */
static void order_disks(struct hardware *hardware)
{
        unsigned count = hardware_count(hardware, DOMAIN_DEVICE_DISK), groups[G_N_ELEMENTS(buses)] = { 0 },
                 n_groups = 0;
        g_autoptr(GArray) places = g_array_sized_new(FALSE, FALSE, sizeof(struct place), count);
        bool sorted = true;

        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                const xmlNode *target = xml_child(disk, "target");
                struct place place = { .disk = disk,
                                       .index = normalize_disk_index(hardware_peek(target, "dev")) };
                unsigned bus = 0;

                while (buses[bus] && !hardware_is(target, "bus", buses[bus]))
                        bus++;
                if (groups[bus] == 0)
                        groups[bus] = ++n_groups;
                place.group = groups[bus];
                if (places->len > 0 &&
                    compare_places(&g_array_index(places, struct place, places->len - 1), &place) > 0)
                        sorted = false;
                g_array_append_val(places, place);
        }
        if (sorted)
                return;
        g_array_sort(places, compare_places);
        for (unsigned i = 0; i < count; i++) {
                xmlNode *disk = g_array_index(places, struct place, i).disk;

                hardware->nodes[DOMAIN_DEVICE_DISK]->pdata[i] = disk;
                xmlUnlinkNode(disk);
                xmlAddChild(hardware->devices, disk);
        }
}

/* ---- limits ---- */

static bool says_limits(const xmlNode *iotune)
{
        XML_FOREACH_CHILD (child, iotune) {
                if (!xml_is(child, "group_name"))
                        return true;
        }
        return false;
}

static void add_limits(GHashTable *groups, xmlNode *limits)
{
        g_autofree char *name = limits ? xml_child_text(limits, "group_name") : NULL;

        if (name && *name && says_limits(limits))
                g_hash_table_insert(groups, g_steal_pointer(&name), limits);
}

/* What says the limits of each group, by its name; if others say something else, that is refused later. */
static GHashTable *collect_limits(struct hardware *hardware)
{
        GHashTable *groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        XML_FOREACH_CHILD (limits, xml_child(hardware->devices->parent, "throttlegroups"))
                add_limits(groups, limits);
        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK)
                add_limits(groups, xml_child(disk, "iotune"));
        return groups;
}

/* A disk whose <iotune> names a group, and no limits, has those of the group. */
static void fill_limits(GHashTable *groups, const xmlNode *disk)
{
        xmlNode *iotune = xml_child(disk, "iotune");
        g_autofree char *group = iotune ? xml_child_text(iotune, "group_name") : NULL;
        const xmlNode *limits = group ? g_hash_table_lookup(groups, group) : NULL;

        if (!limits || says_limits(iotune))
                return;
        xml_remove_children(iotune, "group_name");
        XML_FOREACH_CHILD (child, limits) {
                if (!xml_is(child, "group_name"))
                        xml_add_copy(iotune, child);
        }
        xml_add_text(iotune, "group_name", group);
}

bool normalize_settle_disks(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) groups = collect_limits(hardware);

        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK)
                fill_limits(groups, disk);
        if (!check_targets(hardware, error))
                return false;
        order_disks(hardware);
        return true;
}

/* Rights are a matter of the agent's only where the agent shares a directory. */
bool normalize_fill_filesystem(const struct hardware *hardware, xmlNode *node, GError **error)
{
        static const char *const modes[] = { "fmode", "dmode" };

        hardware_default(node, "type", "mount");
        if (hardware->machine->emulator && !hardware_peek_child(node, "source", "socket"))
                hardware_default(node, "accessmode", "passthrough");
        /* Four digits; what is no number is the reader's to refuse. */
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                const char *mode = hardware_peek(node, modes[i]);

                if (mode && strlen(mode) == 3) {
                        g_autofree char *text = g_strconcat("0", mode, NULL);

                        xml_set_attr(node, modes[i], text);
                }
        }
        return true;
}
