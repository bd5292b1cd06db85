/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Connect: the network interfaces of the host. Loop thread. */
#include "bus/call.h"
#include "bus/interface.h"
#include "interfaces/interfaces.h"
#include "introspection/connect.h"

static struct interfaces *get_interfaces(const struct target *target)
{
        return model_get_interfaces(target->connect->model);
}

static struct interfaces *call_get_interfaces(const struct call *call)
{
        return get_interfaces(&call->target);
}

/* With the path of an interface; takes error when it is NULL. */
static void reply_interface(struct call *call, const struct host_interface *interface, GError *error)
{
        if (interface)
                call_reply_object(call, &call->target.connect->branches[TREE_INTERFACES], interface);
        else
                call_fail(call, error);
        g_clear_error(&error);
}

/* ---- lookups ---- */

void on_connect_list_interfaces(struct call *call)
{
        g_autoptr(GPtrArray) interfaces = NULL;
        g_autoptr(GError) error = NULL;
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces = interfaces_list(call_get_interfaces(call), flags, &error);
        if (interfaces)
                call_reply_objects(call, &call->target.connect->branches[TREE_INTERFACES],
                                   (const void *const *)interfaces->pdata, interfaces->len);
        else
                call_fail(call, error);
}

void on_connect_interface_lookup_by_mac(struct call *call)
{
        const struct host_interface *interface;
        g_autoptr(GError) error = NULL;
        const char *mac;

        call_read(call, "s", &mac);
        interface = interfaces_lookup_mac(call_get_interfaces(call), mac, &error);
        call_reply_found(call, TREE_INTERFACES, interface, error);
}

void on_connect_interface_lookup_by_name(struct call *call)
{
        const struct host_interface *interface;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        interface = interfaces_lookup_name(call_get_interfaces(call), name, &error);
        call_reply_found(call, TREE_INTERFACES, interface, error);
}

/* ---- changes ---- */

/* It is published before the answer, unless somebody has undefined it at once. */
static void defined(const char *name, const GError *failure, void *data)
{
        struct call *call = data;
        GError *error = failure ? g_error_copy(failure) : NULL;
        const struct host_interface *interface =
                failure ? NULL : interfaces_lookup_name(call_get_interfaces(call), name, &error);

        reply_interface(call, interface, error);
}

void on_connect_interface_define_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        interfaces_define_xml(call_get_interfaces(call), xml, flags, defined, call);
}

void on_connect_interface_change_begin(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces_change_begin(call_get_interfaces(call), flags, call_done_collected, call);
}

void on_connect_interface_change_commit(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces_change_commit(call_get_interfaces(call), flags, call_done_collected, call);
}

void on_connect_interface_change_rollback(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        interfaces_change_rollback(call_get_interfaces(call), flags, call_done_collected, call);
}

/* ---- the transaction's time ---- */

bool get_connect_change_timeout(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "u", interfaces_get_change_timeout(get_interfaces(target)));
}

void set_connect_change_timeout(struct call *call, DBusMessageIter *value)
{
        g_autoptr(GError) error = NULL;
        uint32_t seconds;

        marshal_read(value, "u", &seconds);
        if (interfaces_set_change_timeout(call_get_interfaces(call), seconds, &error))
                call_reply(call, "");
        else
                call_fail(call, error);
}
