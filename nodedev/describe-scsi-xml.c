/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of SCSI hosts (Fibre Channel among them), targets, units and their generic devices. The
 * describer's thread.
 */
#include "nodedev/describe-xml.h"

#include <string.h>

/* ---- hosts ---- */

static const char *skip_0x(const char *text)
{
        return text && g_str_has_prefix(text, "0x") ? text + 2 : text;
}

/* A file of the host's entry in a class: it is below the host's own folder. */
static const char *get_class_attribute(const struct description *description, const char *class,
                                       const char *name)
{
        g_autofree char *path =
                g_strdup_printf("%s/%s/%s", class, udev_device_get_sysname(description->device), name);

        return description_get_attribute(description, path);
}

static void add_fc_host(struct description *description)
{
        const char *wwnn = skip_0x(get_class_attribute(description, "fc_host", "node_name"));
        const char *wwpn = skip_0x(get_class_attribute(description, "fc_host", "port_name"));
        xmlNode *capability;

        if (!wwnn || !wwpn)
                return;
        description_set_capability(description, NODE_DEVICE_FC_HOST);
        description->result->wwns = node_device_join_wwns(wwnn, wwpn);
        capability = description_add_capability(description->capability, "fc_host");
        xml_add_text(capability, "wwnn", wwnn);
        xml_add_text(capability, "wwpn", wwpn);
        description_add(capability, "fabric_wwn",
                        skip_0x(get_class_attribute(description, "fc_host", "fabric_name")));
}

/* Drivers have these in one class or the other. */
static void add_vports(struct description *description)
{
        static const char *const classes[] = { "fc_host", "scsi_host" };

        for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
                const char *max = get_class_attribute(description, classes[i], "max_npiv_vports");
                const char *used = get_class_attribute(description, classes[i], "npiv_vports_inuse");
                xmlNode *capability;

                if (!max || !used)
                        continue;
                description_set_capability(description, NODE_DEVICE_VPORTS);
                capability = description_add_capability(description->capability, "vport_ops");
                xml_add_text(capability, "max_vports", max);
                xml_add_text(capability, "vports", used);
                return;
        }
}

bool describe_scsi_host(struct description *description)
{
        const char *name = udev_device_get_sysname(description->device);
        unsigned number;

        if (!DESCRIPTION_SCAN(name, "host%u", &number))
                return false;
        xml_add_text_format(description->capability, "host", "%u", number);
        description_add(description->capability, "unique_id",
                        get_class_attribute(description, "scsi_host", "unique_id"));
        add_fc_host(description);
        add_vports(description);
        return true;
}

/* ---- targets ---- */

/* A target behind Fibre Channel is below a remote port. */
static void add_remote_port(const struct description *description)
{
        struct udev_device *parent = udev_device_get_parent(description->device);
        const char *name = parent ? udev_device_get_sysname(parent) : NULL;
        g_autofree char *path = NULL;
        const char *wwpn;
        xmlNode *capability;

        if (!name || !g_str_has_prefix(name, "rport-"))
                return;
        path = g_strdup_printf("fc_remote_ports/%s/port_name", name);
        wwpn = udev_device_get_sysattr_value(parent, path);
        if (!wwpn)
                return;
        capability = description_add_capability(description->capability, "fc_remote_port");
        xml_add_text(capability, "rport", name);
        xml_add_text(capability, "wwpn", wwpn);
}

bool describe_scsi_target(struct description *description)
{
        xml_add_text(description->capability, "target", udev_device_get_sysname(description->device));
        add_remote_port(description);
        return true;
}

/* ---- units ---- */

/* The peripheral device types of SPC-4, table 140. */
static const char *get_type_name(int64_t type)
{
        static const char *const names[] = {
                [0x00] = "disk",    [0x01] = "tape",  [0x02] = "printer",   [0x03] = "processor",
                [0x04] = "worm",    [0x05] = "cdrom", [0x06] = "scanner",   [0x07] = "mod",
                [0x08] = "changer", [0x0c] = "raid",  [0x0d] = "enclosure", [0x0e] = "disk",
        };

        return type >= 0 && type < (int64_t)G_N_ELEMENTS(names) ? names[type] : NULL;
}

bool describe_scsi(struct description *description)
{
        static const char *const names[] = { "host", "bus", "target", "lun" };
        const char *name = udev_device_get_sysname(description->device);
        unsigned long long numbers[4];

        if (!DESCRIPTION_SCAN(name, "%llu:%llu:%llu:%llu", &numbers[0], &numbers[1], &numbers[2],
                              &numbers[3]))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                xml_add_text_format(description->capability, names[i], "%llu", numbers[i]);
        description_add(description->capability, "type",
                        get_type_name(description_get_number(description, "type")));
        return true;
}

bool describe_scsi_generic(struct description *description)
{
        const char *file = udev_device_get_devnode(description->device);

        description_add(description->capability, "char", file);
        return file != NULL;
}
