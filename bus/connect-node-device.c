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

/* With the path of a device; takes error when it is NULL. */
static void reply_device(struct call *call, const struct node_device *device, GError *error)
{
        if (device)
                call_reply_object(call, &call->target.connect->branches[TREE_NODE_DEVICES], device);
        else
                call_fail(call, error);
        g_clear_error(&error);
}

void on_connect_list_node_devices(struct call *call)
{
        g_autoptr(GPtrArray) devices = NULL;
        g_autoptr(GError) error = NULL;
        uint32_t flags;

        call_read(call, "u", &flags);
        devices = node_device_list(call_get_devices(call), flags, &error);
        if (devices)
                call_reply_objects(call, &call->target.connect->branches[TREE_NODE_DEVICES],
                                   (const void *const *)devices->pdata, devices->len);
        else
                call_fail(call, error);
}

void on_connect_node_device_lookup_by_name(struct call *call)
{
        const struct node_device *device;
        GError *error = NULL;
        const char *name;

        call_read(call, "s", &name);
        device = node_device_lookup_name(call_get_devices(call), name, &error);
        reply_device(call, device, error);
}

void on_connect_node_device_lookup_scsi_host_by_wwn(struct call *call)
{
        const struct node_device *device;
        const char *wwnn, *wwpn;
        GError *error = NULL;
        uint32_t flags;

        call_read(call, "ssu", &wwnn, &wwpn, &flags);
        device = node_device_lookup_wwns(call_get_devices(call), wwnn, wwpn, flags, &error);
        reply_device(call, device, error);
}
