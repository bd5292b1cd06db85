/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices in memory. No state.
 */
#include "nodedev/test-devices.h"

#include "base/xml.h"

#include <stdio.h>
#include <string.h>

/* A SCSI host. */
struct test_host {
        const char *parent;
        unsigned number, unique_id;
        const char *wwnn, *wwpn, *fabric_wwn;
        bool has_vports;
};

static const struct test_host hosts[] = {
        { "computer", 1, 0, "2000000012341234", "1000000012341234", "2000000043214321", true },
        { "computer", 2, 1, "2000000056785678", "1000000056785678", "2000000087658765", true },
        { "scsi_host1", 11, 10, "2000000034563456", "1000000034563456", "2000000043214321", false },
};

static xmlNode *add_capability(xmlNode *parent, const char *type)
{
        xmlNode *capability = xml_add(parent, "capability");

        xml_set_attr(capability, "type", type);
        return capability;
}

static struct node_device *new_computer(void)
{
        struct node_device *device = node_device_new();
        g_autoptr(xmlDoc) doc = xml_new("device");
        xmlNode *capability, *hardware, *firmware;

        device->name = g_strdup("computer");
        device->capabilities = UINT32_C(1) << NODE_DEVICE_SYSTEM;
        xml_add_text(xml_root(doc), "name", device->name);
        capability = add_capability(xml_root(doc), "system");
        hardware = xml_add(capability, "hardware");
        xml_add_text(hardware, "vendor", "Libvirt");
        xml_add_text(hardware, "version", "Test driver");
        xml_add_text(hardware, "serial", "123456");
        xml_add_text(hardware, "uuid", "11111111-2222-3333-4444-555555555555");
        firmware = xml_add(capability, "firmware");
        xml_add_text(firmware, "vendor", "Libvirt");
        xml_add_text(firmware, "version", "Test Driver");
        xml_add_text(firmware, "release_date", "01/22/2007");
        device->xml = xml_write(doc, NULL);
        return device;
}

static void add_fc_host(xmlNode *capability, const struct test_host *host)
{
        xmlNode *fc_host = add_capability(capability, "fc_host");

        xml_add_text(fc_host, "wwnn", host->wwnn);
        xml_add_text(fc_host, "wwpn", host->wwpn);
        xml_add_text(fc_host, "fabric_wwn", host->fabric_wwn);
}

static struct node_device *new_host(const struct test_host *host)
{
        struct node_device *device = node_device_new();
        g_autoptr(xmlDoc) doc = xml_new("device");
        xmlNode *capability;

        device->name = g_strdup_printf("scsi_host%u", host->number);
        device->parent = g_strdup(host->parent);
        device->wwns = node_device_join_wwns(host->wwnn, host->wwpn);
        device->capabilities = UINT32_C(1) << NODE_DEVICE_SCSI_HOST | UINT32_C(1) << NODE_DEVICE_FC_HOST;
        xml_add_text(xml_root(doc), "name", device->name);
        xml_add_text(xml_root(doc), "parent", device->parent);
        capability = add_capability(xml_root(doc), "scsi_host");
        xml_add_text_format(capability, "host", "%u", host->number);
        xml_add_text_format(capability, "unique_id", "%u", host->unique_id);
        add_fc_host(capability, host);
        if (host->has_vports) {
                xmlNode *vports = add_capability(capability, "vport_ops");

                xml_add_text(vports, "max_vports", "0");
                xml_add_text(vports, "vports", "0");
                device->capabilities |= UINT32_C(1) << NODE_DEVICE_VPORTS;
        }
        device->xml = xml_write(doc, NULL);
        return device;
}

struct object_set *test_devices_new(void)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)node_device_unref);

        g_ptr_array_add(list, new_computer());
        for (unsigned i = 0; i < G_N_ELEMENTS(hosts); i++)
                g_ptr_array_add(list, new_host(&hosts[i]));
        return object_set_new(&node_device_set_kind, list);
}

static unsigned get_free_number(const struct object_set *set)
{
        unsigned free = 0, number;

        for (unsigned i = 0; i < set->count; i++)
                if (sscanf(((const struct node_device *)set->objects[i])->name, "scsi_host%u", &number) == 1)
                        free = MAX(free, number + 1);
        return free;
}

struct node_device *test_devices_make_host(const struct object_set *set, const struct node_device *parent,
                                           const struct node_device_spec *spec)
{
        unsigned number = get_free_number(set);
        struct test_host host = { parent->name, number, number - 1, spec->wwnn, spec->wwpn };

        /* A port is in the fabric of the one that it is on. */
        for (unsigned i = 0; i < G_N_ELEMENTS(hosts); i++) {
                g_autofree char *name = g_strdup_printf("scsi_host%u", hosts[i].number);

                if (strcmp(name, parent->name) == 0)
                        host.fabric_wwn = hosts[i].fabric_wwn;
        }
        return new_host(&host);
}
