/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses on disk controllers: where a disk's name puts it, unless the document says so itself. No state;
 * any thread.
 */
#include "base/error.h"
#include "drivers/domain/normalize-steps-xml.h"

/* More controllers of one type than this serve nobody. */
#define CONTROLLER_MAX 255

/* How the disks of a bus spread over its controllers, and what an address may be. */
struct layout {
        const char *bus;
        unsigned per_controller, per_bus;
        unsigned bus_max, target_max, unit_max;
};

static const struct layout layouts[] = {
        { "scsi", 7, 7, 0, 255, 16383 }, { "fdc", 2, 2, 0, 0, 1 },        { "ide", 4, 2, 1, 0, 1 },
        { "sata", 6, 6, 0, 0, 5 },       { "nvme", 256, 256, 0, 0, 255 }, /* namespaces */
};

struct drive {
        unsigned layout, controller, bus, target, unit;
};

/* What is taken, and how many controllers of each bus that asks for. */
struct drives {
        GHashTable *used;                /* owned: drive_key() -> device */
        int last[G_N_ELEMENTS(layouts)]; /* controller; -1: none */
        struct drive next_hostdev;       /* none before it is free */
};

static gint64 drive_key(const struct drive *drive)
{
        return (gint64)drive->layout << 56 | (gint64)drive->controller << 40 | (gint64)drive->bus << 32 |
               (gint64)drive->target << 16 | drive->unit;
}

static unsigned layout_of(const char *bus)
{
        unsigned i = 0;

        while (i < G_N_ELEMENTS(layouts) && g_strcmp0(bus, layouts[i].bus) != 0)
                i++;
        return i;
}

static bool read_drive(const xmlNode *address, struct drive *drive, GError **error)
{
        const struct layout *layout = &layouts[drive->layout];

        return hardware_get_uint(address, "controller", CONTROLLER_MAX, &drive->controller, error) &&
               hardware_get_uint(address, "bus", layout->bus_max, &drive->bus, error) &&
               hardware_get_uint(address, "target", layout->target_max, &drive->target, error) &&
               hardware_get_uint(address, "unit", layout->unit_max, &drive->unit, error);
}

static void write_drive(xmlNode *device, const struct drive *drive)
{
        xmlNode *address = hardware_child(device, "address");

        hardware_set(address, "type", "drive");
        hardware_set(address, "controller", "%u", drive->controller);
        hardware_set(address, "bus", "%u", drive->bus);
        hardware_set(address, "target", "%u", drive->target);
        hardware_set(address, "unit", "%u", drive->unit);
}

static bool claim(struct drives *drives, xmlNode *device, const struct drive *drive, GError **error)
{
        gint64 key = drive_key(drive);
        const xmlNode *other = g_hash_table_lookup(drives->used, &key);

        if (other) {
                g_autofree char *first = hardware_describe(other), *second = hardware_describe(device);

                return xml_error(error, device,
                                 "%s and %s are both at unit %u, target %u, bus %u of %s controller %u",
                                 first, second, drive->unit, drive->target, drive->bus,
                                 layouts[drive->layout].bus, drive->controller);
        }
        g_hash_table_insert(drives->used, g_memdup2(&key, sizeof(key)), device);
        drives->last[drive->layout] = MAX(drives->last[drive->layout], (int)drive->controller);
        write_drive(device, drive);
        return true;
}

static bool refuse_single(const xmlNode *device, const char *bus, GError **error)
{
        g_autofree char *what = hardware_describe(device);

        if (strcmp(bus, "fdc") == 0)
                return hardware_unsupported(
                        error, device, "%s: a machine has one fdc controller, with two drives at most", what);
        return hardware_unsupported(error, device,
                                    "%s: a machine has one ide controller, with four disks at most; use bus "
                                    "'sata', 'scsi' or 'virtio' for more",
                                    what);
}

static bool check_count(const xmlNode *device, const struct drive *drive, GError **error)
{
        const char *bus = layouts[drive->layout].bus;
        bool single = strcmp(bus, "ide") == 0 || strcmp(bus, "fdc") == 0;

        if (single && drive->controller > 0)
                return refuse_single(device, bus, error);
        if (drive->controller > CONTROLLER_MAX)
                return hardware_unsupported(error, device, "more than %u %s controllers", CONTROLLER_MAX + 1,
                                            bus);
        return true;
}

/* Disks that are on a controller with drive addresses; the rest (virtio, usb) is the business of other steps.
 */
static bool place_disk(struct drives *drives, xmlNode *disk, GError **error)
{
        const xmlNode *target = xml_child(disk, "target"), *address = xml_child(disk, "address");
        struct drive drive = { .layout = layout_of(hardware_peek(target, "bus")) };
        const struct layout *layout = &layouts[drive.layout];
        int index;

        if (drive.layout == G_N_ELEMENTS(layouts))
                return true;
        if (address && !hardware_is(address, "type", "drive"))
                return xml_error(error, address, "%s %s disk needs an address of type drive",
                                 error_article(layout->bus), layout->bus);
        if (address) {
                if (!read_drive(address, &drive, error))
                        return false;
        } else {
                index = normalize_disk_index(hardware_peek(target, "dev"));
                drive.controller = (unsigned)index / layout->per_controller;
                drive.bus = (unsigned)index % layout->per_controller / layout->per_bus;
                drive.unit = (unsigned)index % layout->per_bus;
        }
        return check_count(disk, &drive, error) && claim(drives, disk, &drive, error);
}

/* A passed-through SCSI device takes the first free unit. */
static bool place_hostdev(struct drives *drives, xmlNode *hostdev, GError **error)
{
        const xmlNode *address = xml_child(hostdev, "address");
        struct drive drive = { .layout = layout_of("scsi") }, *next = &drives->next_hostdev;
        gint64 key;

        if (!hardware_is(hostdev, "type", "scsi"))
                return true;
        if (address)
                return read_drive(address, &drive, error) && claim(drives, hostdev, &drive, error);
        for (key = drive_key(next); g_hash_table_contains(drives->used, &key); key = drive_key(next)) {
                if (++next->unit == layouts[next->layout].per_bus) {
                        next->unit = 0;
                        next->controller++;
                }
        }
        return check_count(hostdev, next, error) && claim(drives, hostdev, next, error);
}

/* What comes to a machine that runs has to be where its guest is told of it, which is not plain PCI
 * everywhere. */
static const char *scsi_model(const struct hardware *hardware)
{
        const struct domain_machine *machine = hardware->machine;

        if (hardware->fresh)
                return "virtio-scsi";
        return machine->scsi_model ? machine->scsi_model : machine->isa ? "lsilogic" : "virtio-scsi";
}

static bool add_controllers(struct hardware *hardware, const struct drives *drives, GError **error)
{
        const struct domain_machine *machine = hardware->machine;

        for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++) {
                const char *bus = layouts[i].bus;
                const char *model = strcmp(bus, "scsi") == 0 ? scsi_model(hardware) : NULL;
                bool known = strcmp(bus, "ide") == 0   ? machine->isa && machine->pci_root
                             : strcmp(bus, "fdc") == 0 ? machine->isa
                                                       : true;

                if (drives->last[i] >= 0 && !known)
                        return hardware_unsupported(
                                error, NULL,
                                "the machine has no %s controller for disks of bus '%s': use "
                                "bus 'sata', 'scsi', 'virtio' or 'usb'",
                                bus, bus);
                for (int index = 0; index <= drives->last[i]; index++) {
                        if (!normalize_find_controller(hardware, bus, (unsigned)index))
                                normalize_add_controller(hardware, bus, (unsigned)index, model);
                }
        }
        return true;
}

/* Those to which the document gives an address, or the others. */
static bool place_disks(struct hardware *hardware, struct drives *drives, bool given, GError **error)
{
        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                if ((xml_child(disk, "address") != NULL) == given && !place_disk(drives, disk, error))
                        return false;
        }
        return true;
}

bool address_drives(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) used = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        struct drives drives = { .used = used, .next_hostdev.layout = layout_of("scsi") };

        for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++)
                drives.last[i] = -1;
        if (!place_disks(hardware, &drives, true, error) || !place_disks(hardware, &drives, false, error))
                return false;
        HARDWARE_FOREACH (hostdev, hardware, DOMAIN_DEVICE_HOSTDEV) {
                if (!place_hostdev(&drives, hostdev, error))
                        return false;
        }
        return add_controllers(hardware, &drives, error);
}
