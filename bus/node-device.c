/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.NodeDevice. A call keeps the description of the device that it found. Loop thread.
 */
#include "bus/node-device.h"

#include "bus/call.h"
#include "bus/collected-object.h"
#include "bus/interface.h"
#include "bus/signal.h"
#include "introspection/connect.h"
#include "introspection/node-device.h"
#include "nodedev/node-devices.h"

/* virNodeDeviceEventLifecycleType */
enum lifecycle {
        LIFECYCLE_CREATED = 0,
        LIFECYCLE_DELETED = 1,
};

static struct node_device *target_get_device(const struct target *target)
{
        return target->object;
}

static struct node_devices *call_get_devices(const struct call *call)
{
        return model_get_node_devices(call->target.connect->model);
}

/* ---- the kind ---- */

static void *lookup(const struct connect *connect, const char *key, GError **error)
{
        return node_device_lookup_name(model_get_node_devices(connect->model), key, error);
}

/* All properties are constant. */
static uint64_t compare(const void *before, const void *after)
{
        return 0;
}

static void tell(const struct branch *branch, const char *path, const void *before, const void *after)
{
        if (before && after)
                return;
        signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                    INTERFACE_CONNECT_SIGNAL_NODE_DEVICE_EVENT, "oii", path,
                    after ? LIFECYCLE_CREATED : LIFECYCLE_DELETED, 0);
}

const struct object_kind node_device_object_kind = {
        .branch = "nodedev",
        .model = MODEL_NODE_DEVICES,
        .interface = &interface_node_device,
        COLLECTED_OBJECT_HOOKS,
        .key = NODE_DEVICE_KEY_NAME,
        .lookup = lookup,
        .compare = compare,
        .tell = tell,
};

/* ---- properties ---- */

bool get_node_device_name(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_device(target)->name);
}

bool get_node_device_parent(const struct target *target, struct marshal_slot *slot, GError **error)
{
        const char *parent = node_device_get_parent(target_get_device(target), error);

        return parent && marshal_slot_write(slot, "s", parent);
}

/* ---- methods ---- */

void on_node_device_get_xml_desc(struct call *call)
{
        node_device_get_xml(call_get_devices(call), target_get_device(&call->target), call_read_flags(call),
                            call_done_with_text, call);
}

void on_node_device_list_caps(struct call *call)
{
        g_autoptr(GPtrArray) names = node_device_list_capabilities(target_get_device(&call->target));

        DBusMessageIter iter, array;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_open_array(&iter, &array, "s");
        for (unsigned i = 0; i < names->len; i++)
                marshal_write(&array, "s", g_ptr_array_index(names, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* ---- changes ---- */

void on_node_device_detach(struct call *call)
{
        const char *driver;
        uint32_t flags;

        call_read(call, "su", &driver, &flags);
        node_device_detach(call_get_devices(call), target_get_device(&call->target), driver, flags,
                           call_done_collected, call);
}

void on_node_device_re_attach(struct call *call)
{
        node_device_reattach(call_get_devices(call), target_get_device(&call->target), call_done_collected,
                             call);
}

void on_node_device_reset(struct call *call)
{
        node_device_reset(call_get_devices(call), target_get_device(&call->target), call_done_collected,
                          call);
}

void on_node_device_destroy(struct call *call)
{
        node_device_destroy(call_get_devices(call), target_get_device(&call->target), call_done_collected,
                            call);
}
