/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Interface, and what becomes of the changes of interfaces. Loop thread. */
#include "bus/host-interface.h"

#include "bus/call.h"
#include "bus/collected-object.h"
#include "bus/interface.h"
#include "bus/signal.h"
#include "interfaces/interfaces.h"
#include "introspection/connect.h"
#include "introspection/interface.h"

#include <string.h>

static struct host_interface *target_get_interface(const struct target *target)
{
        return target->object;
}

static struct host_interface *call_get_interface(const struct call *call)
{
        return target_get_interface(&call->target);
}

static struct interfaces *call_get_interfaces(const struct call *call)
{
        return model_get_interfaces(call->target.connect->model);
}

/* ---- the kind ---- */

static void *lookup(const struct connect *connect, const char *key, GError **error)
{
        return interfaces_lookup_key(model_get_interfaces(connect->model), key, error);
}

static uint64_t compare(const void *before, const void *after)
{
        const struct host_interface *old = before, *new = after;

        return (old->active != new->active ? UINT64_C(1) << INTERFACE_INTERFACE_PROPERTY_ACTIVE : 0) |
               (strcmp(old->mac, new->mac) != 0 ? UINT64_C(1) << INTERFACE_INTERFACE_PROPERTY_MAC : 0);
}

static void tell(const struct branch *branch, const char *path, const void *before, const void *after)
{
        enum host_interface_event events[HOST_INTERFACE_EVENTS_MAX];
        unsigned count = host_interface_get_events(before, after, events);

        for (unsigned i = 0; i < count; i++)
                signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                            INTERFACE_CONNECT_SIGNAL_INTERFACE_EVENT, "oii", path, (int)events[i], 0);
}

const struct object_kind host_interface_object_kind = {
        .branch = "interface",
        .model = MODEL_INTERFACES,
        .interface = &interface_interface,
        COLLECTED_OBJECT_HOOKS,
        .key = HOST_INTERFACE_PATH_KEY,
        .lookup = lookup,
        .compare = compare,
        .tell = tell,
};

/* ---- properties ---- */

bool get_interface_active(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", target_get_interface(target)->active);
}

bool get_interface_mac(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_interface(target)->mac);
}

bool get_interface_name(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", target_get_interface(target)->name);
}

/* ---- methods ---- */

void on_interface_create(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces_create(call_get_interfaces(call), call_get_interface(call), flags, call_done_collected,
                          call);
}

void on_interface_destroy(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces_destroy(call_get_interfaces(call), call_get_interface(call), flags, call_done_collected,
                           call);
}

void on_interface_undefine(struct call *call)
{
        interfaces_undefine(call_get_interfaces(call), call_get_interface(call), call_done_collected, call);
}

void on_interface_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        uint32_t flags;

        call_read(call, "u", &flags);
        text = interfaces_get_xml(call_get_interfaces(call), call_get_interface(call), flags, &error);
        if (text)
                call_reply(call, "s", text);
        else
                call_fail(call, error);
}
