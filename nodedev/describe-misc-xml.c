/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of the host itself and of devices that have little to say. The describer's thread.
 */
#include "nodedev/describe-xml.h"

#include <string.h>

static const char *get_name(const struct description *description)
{
        return udev_device_get_sysname(description->device);
}

/* ---- the host ---- */

/* A folder of what the firmware says (DMI): elements and the files that have them. */
struct firmware_entry {
        const char *element, *file, *instead;
};

static void add_entries(xmlNode *node, struct udev_device *dmi, const struct firmware_entry *entries,
                        unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                const char *text = dmi ? udev_device_get_sysattr_value(dmi, entries[i].file) : NULL;

                description_add(node, entries[i].element, text && *text ? text : entries[i].instead);
        }
}

void describe_system(xmlNode *capability, struct udev *udev)
{
        static const struct firmware_entry product[] = { { "product", "product_name" } };
        static const struct firmware_entry hardware[] = {
                { "vendor", "sys_vendor" },
                { "version", "product_version" },
                { "serial", "product_serial" },
                { "uuid", "product_uuid", "00000000-0000-0000-0000-000000000000" },
        };
        static const struct firmware_entry firmware[] = {
                { "vendor", "bios_vendor" },
                { "version", "bios_version" },
                { "release_date", "bios_date" },
        };
        struct udev_device *dmi = udev_device_new_from_subsystem_sysname(udev, "dmi", "id");

        add_entries(capability, dmi, product, G_N_ELEMENTS(product));
        add_entries(xml_add(capability, "hardware"), dmi, hardware, G_N_ELEMENTS(hardware));
        add_entries(xml_add(capability, "firmware"), dmi, firmware, G_N_ELEMENTS(firmware));
        if (dmi)
                udev_device_unref(dmi);
}

/* ---- graphics ---- */

bool describe_drm(struct description *description)
{
        static const char *const types[][2] = { { "card", "primary" },
                                                { "controlD", "control" },
                                                { "renderD", "render" } };
        const char *name = get_name(description);

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                if (!g_str_has_prefix(name, types[i][0]))
                        continue;
                xml_add_text(description->capability, "type", types[i][1]);
                return true;
        }
        return false;
}

/* ---- mediated devices ---- */

bool describe_mdev(struct description *description)
{
        g_autofree char *type = description_get_link(description, "mdev_type");
        g_autofree char *group = description_get_link(description, "iommu_group");
        g_autofree char *parent = description_get_parent_name(description);

        if (!type)
                return false;
        xml_set_attr(xml_add(description->capability, "type"), "id", type);
        xml_add_text(description->capability, "uuid", get_name(description));
        xml_add_text(description->capability, "parent_addr", parent);
        if (group)
                xml_set_attr(xml_add(description->capability, "iommuGroup"), "number", group);
        return true;
}

/* ---- virtual datapaths ---- */

bool describe_vdpa(struct description *description)
{
        g_autoptr(GPtrArray) entries = description_list(description, ".");

        for (unsigned i = 0; i < entries->len; i++) {
                const char *entry = g_ptr_array_index(entries, i);

                if (!g_str_has_prefix(entry, "vhost-vdpa-"))
                        continue;
                xml_add_text_format(description->capability, "chardev", "/dev/%s", entry);
                return true;
        }
        return false;
}

/* ---- of S/390 ---- */

static bool add_channel_address(const struct description *description)
{
        unsigned cssid, ssid, number;

        if (!DESCRIPTION_SCAN(get_name(description), "%x.%x.%x", &cssid, &ssid, &number))
                return false;
        xml_add_text_format(description->capability, "cssid", "0x%x", cssid);
        xml_add_text_format(description->capability, "ssid", "0x%x", ssid);
        xml_add_text_format(description->capability, "devno", "0x%04x", number);
        return true;
}

bool describe_ccw(struct description *description)
{
        return add_channel_address(description);
}

/* Subchannels of other kinds than input and output are nothing for a guest. */
bool describe_css(struct description *description)
{
        const char *driver = udev_device_get_driver(description->device);

        if (g_strcmp0(driver, "io_subchannel") != 0 && g_strcmp0(driver, "vfio_ccw") != 0)
                return false;
        if (!add_channel_address(description))
                return false;
        description_add_mdev_types(description);
        return true;
}

bool describe_ap_card(struct description *description)
{
        unsigned adapter;

        if (!DESCRIPTION_SCAN(get_name(description), "card%x", &adapter))
                return false;
        xml_add_text_format(description->capability, "ap-adapter", "0x%02x", adapter);
        return true;
}

bool describe_ap_queue(struct description *description)
{
        unsigned adapter, domain;

        if (!DESCRIPTION_SCAN(get_name(description), "%x.%x", &adapter, &domain))
                return false;
        xml_add_text_format(description->capability, "ap-adapter", "0x%02x", adapter);
        xml_add_text_format(description->capability, "ap-domain", "0x%04x", domain);
        return true;
}

bool describe_ap_matrix(struct description *description)
{
        description_add_mdev_types(description);
        return true;
}
