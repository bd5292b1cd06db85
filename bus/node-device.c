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
        LIFECYCLE_DEFINED = 2,
        LIFECYCLE_UNDEFINED = 3,
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

static uint64_t bit_if(bool differs, unsigned property)
{
        return differs ? UINT64_C(1) << property : 0;
}

static uint64_t compare(const void *before, const void *after)
{
        const struct node_device *old = before, *new = after;

        return bit_if(old->is_inactive != new->is_inactive, INTERFACE_NODE_DEVICE_PROPERTY_ACTIVE) |
               bit_if(old->is_started_by_hand != new->is_started_by_hand,
                      INTERFACE_NODE_DEVICE_PROPERTY_AUTOSTART) |
               bit_if(old->is_transient != new->is_transient, INTERFACE_NODE_DEVICE_PROPERTY_PERSISTENT);
}

static void send(const struct branch *branch, const char *path, enum lifecycle event)
{
        signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                    INTERFACE_CONNECT_SIGNAL_NODE_DEVICE_EVENT, "oii", path, event, 0);
}

/* A mediated device may be defined without being there. */
static bool is_defined(const struct node_device *device)
{
        return device && !device->is_transient && device->capabilities & UINT32_C(1) << NODE_DEVICE_MDEV;
}

static bool is_there(const struct node_device *device)
{
        return device && !device->is_inactive;
}

static void tell(const struct branch *branch, const char *path, const void *before, const void *after)
{
        if (!is_defined(before) && is_defined(after))
                send(branch, path, LIFECYCLE_DEFINED);
        if (is_there(before) != is_there(after))
                send(branch, path, is_there(after) ? LIFECYCLE_CREATED : LIFECYCLE_DELETED);
        if (is_defined(before) && !is_defined(after))
                send(branch, path, LIFECYCLE_UNDEFINED);
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

bool get_node_device_active(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", !target_get_device(target)->is_inactive);
}

bool get_node_device_autostart(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", !target_get_device(target)->is_started_by_hand);
}

bool get_node_device_persistent(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", !target_get_device(target)->is_transient);
}

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

void on_node_device_create(struct call *call)
{
        node_device_create(call_get_devices(call), target_get_device(&call->target), call_read_flags(call),
                           call_done_collected, call);
}

void on_node_device_undefine(struct call *call)
{
        node_device_undefine(call_get_devices(call), target_get_device(&call->target), call_read_flags(call),
                             call_done_collected, call);
}

void set_node_device_autostart(struct call *call, DBusMessageIter *value)
{
        bool autostart;

        marshal_read(value, "b", &autostart);
        node_device_set_autostart(call_get_devices(call), target_get_device(&call->target), autostart,
                                  call_done_collected, call);
}
