/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of disks and drives. The describer's thread.
 */
#include "nodedev/describe-xml.h"

#include <string.h>

/* The kernel counts in these, whatever the device does. */
#define SECTOR_SIZE 512

static bool is_set(const struct description *description, const char *property)
{
        return g_strcmp0(description_get_property(description, property), "1") == 0;
}

/* What udev says, else what the driver's name for it means; NULL: it is none of the drives that are listed
 * (a loop device, a volume). */
static const char *get_drive_type(const struct description *description)
{
        static const struct {
                const char *prefix, *type;
        } names[] = {
                { "sd", "disk" },  { "vd", "disk" },   { "nvme", "disk" },
                { "xvd", "disk" }, { "hd", "disk" },   { "dasd", "dasd" },
                { "sr", "cdrom" }, { "fd", "floppy" }, { "mmcblk", "sd" },
        };
        const char *type = description_get_property(description, "ID_TYPE");
        const char *name = udev_device_get_sysname(description->device);

        if (is_set(description, "ID_CDROM") || g_strcmp0(type, "cd") == 0)
                return "cdrom";
        if (is_set(description, "ID_DRIVE_FLOPPY"))
                return "floppy";
        if (is_set(description, "ID_DRIVE_FLASH_SD"))
                return "sd";
        if (type && strcmp(type, "generic") != 0)
                return type;
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                if (g_str_has_prefix(name, names[i].prefix))
                        return names[i].type;
        return NULL;
}

static void add_blocks(const struct description *description, xmlNode *parent, uint64_t bytes)
{
        int64_t block_size = description_get_number(description, "queue/logical_block_size");

        if (block_size <= 0)
                return;
        xml_add_text_format(parent, "logical_block_size", "%" G_GINT64_FORMAT, block_size);
        xml_add_text_format(parent, "num_blocks", "%" G_GUINT64_FORMAT, bytes / (uint64_t)block_size);
}

static uint64_t get_size(const struct description *description)
{
        int64_t sectors = description_get_number(description, "size");

        return sectors > 0 && sectors <= INT64_MAX / SECTOR_SIZE ? (uint64_t)sectors * SECTOR_SIZE : 0;
}

static void add_medium(const struct description *description, bool is_drive)
{
        xmlNode *capability = description_add_capability(description->capability, "removable");
        uint64_t bytes = get_size(description);
        /* A drive without udev's word for it has one if it has a size. */
        bool has_medium = is_drive && description_get_property(description, "ID_CDROM")
                                  ? is_set(description, "ID_CDROM_MEDIA")
                                  : bytes > 0;

        xml_add_text(capability, "media_available", has_medium ? "1" : "0");
        xml_add_text_format(capability, "media_size", "%" G_GUINT64_FORMAT, has_medium ? bytes : 0);
        if (!has_medium)
                return;
        description_add(capability, "media_label", description_get_property(description, "ID_FS_LABEL"));
        add_blocks(description, capability, bytes);
}

static const char *first(const char *a, const char *b)
{
        return a ? a : b;
}

bool describe_storage(struct description *description)
{
        const char *type = get_drive_type(description);
        const char *file = udev_device_get_devnode(description->device);
        xmlNode *capability = description->capability;

        if (!type || !file)
                return false;
        xml_add_text(capability, "block", file);
        description_add(capability, "bus", description_get_property(description, "ID_BUS"));
        xml_add_text(capability, "drive_type", type);
        description_add(capability, "model",
                        first(description_get_property(description, "ID_MODEL"),
                              description_get_attribute(description, "device/model")));
        description_add(capability, "vendor",
                        first(description_get_property(description, "ID_VENDOR"),
                              description_get_attribute(description, "device/vendor")));
        description_add(capability, "serial", description_get_property(description, "ID_SERIAL"));
        if (description_get_number(description, "removable") == 1) {
                add_medium(description, strcmp(type, "cdrom") == 0);
        } else {
                xml_add_text_format(capability, "size", "%" G_GUINT64_FORMAT, get_size(description));
                add_blocks(description, capability, get_size(description));
        }
        return true;
}
