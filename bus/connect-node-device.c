/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Connect: its node devices. Loop thread. */
#include "bus/call.h"
#include "bus/interface.h"
#include "introspection/connect.h"
#include "nodedev/node-devices.h"

static struct node_devices *call_get_devices(const struct call *call)
{
        return model_get_node_devices(call->target.connect->model);
}

void on_connect_list_node_devices(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) devices =
                node_device_list(call_get_devices(call), call_read_flags(call), &error);

        call_reply_list(call, TREE_NODE_DEVICES, devices, error);
}

void on_connect_node_device_lookup_by_name(struct call *call)
{
        const struct node_device *device;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        device = node_device_lookup_name(call_get_devices(call), name, &error);
        call_reply_found(call, TREE_NODE_DEVICES, device, error);
}

void on_connect_node_device_lookup_scsi_host_by_wwn(struct call *call)
{
        const struct node_device *device;
        g_autoptr(GError) error = NULL;
        const char *wwnn, *wwpn;
        uint32_t flags;

        call_read(call, "ssu", &wwnn, &wwpn, &flags);
        device = node_device_lookup_wwns(call_get_devices(call), wwnn, wwpn, flags, &error);
        call_reply_found(call, TREE_NODE_DEVICES, device, error);
}

static void created(struct node_device *device, const GError *error, void *data)
{
        call_reply_found(data, TREE_NODE_DEVICES, device, error);
}

void on_connect_node_device_define_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        node_device_define_xml(call_get_devices(call), xml, flags, created, call);
}

void on_connect_node_device_create_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        node_device_create_xml(call_get_devices(call), xml, flags, created, call);
}
