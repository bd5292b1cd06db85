/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.freedesktop.DBus.Properties. Loop thread.
 *
 * GetAll wraps its values twice, as libvirt-dbus does and Cockpit expects (pinned by
 * tests/unit/test-introspection.py's contract and tests/bus/); Get, PropertiesChanged and the object manager
 * wrap them once, as D-Bus has it.
 */
#include "bus/properties.h"

#include "bus/authorize.h"
#include "bus/bus-private.h"
#include "bus/connect.h"
#include "bus/interface.h"
#include "bus/signal.h"
#include "introspection/properties.h"

#include <string.h>

static bool is_readable(const struct target *target, const struct interface_property *property,
                        struct marshal_slot *slot)
{
        slot->key = property->name;
        slot->signature = property->signature;
        return property->get(target, slot, NULL);
}

void properties_write(const struct target *target, unsigned variants, uint64_t changed, DBusMessageIter *iter)
{
        const struct interface *interface = tree_get_interface(target);
        DBusMessageIter array;
        struct marshal_slot slot = { .iter = &array, .variants = variants };

        marshal_open_array(iter, &array, "{sv}");
        for (unsigned i = 0; i < interface->n_properties; i++)
                if (changed & (UINT64_C(1) << i))
                        is_readable(target, &interface->properties[i], &slot);
        marshal_close(iter, &array);
}

void properties_signal(const struct target *target, const char *path, uint64_t changed)
{
        const struct interface *interface = tree_get_interface(target);
        DBusMessageIter iter, invalidated;
        DBusMessage *message;

        message = signal_begin(path, &interface_properties, INTERFACE_PROPERTIES_SIGNAL_PROPERTIES_CHANGED,
                               &iter);
        marshal_write(&iter, "s", interface->name);
        properties_write(target, 1, changed, &iter);
        marshal_open_array(&iter, &invalidated, "s");
        marshal_close(&iter, &invalidated);
        signal_end(target->bus, message);
}

/* The interface that a call names, "" is any; refuses the call when the target does not have it. */
static const struct interface *find_interface(struct call *call, const char *name)
{
        const struct interface *own = tree_get_interface(&call->target);
        g_autofree char *quoted = NULL;

        if (!*name || strcmp(name, own->name) == 0)
                return own;
        for (unsigned n = 1; (own = tree_get_nth_interface(&call->target, n)); n++)
                if (strcmp(name, own->name) == 0)
                        return own;
        quoted = error_quote(name);
        call_refuse(call, DBUS_ERROR_UNKNOWN_INTERFACE, "the object has no interface '%s'", quoted);
        return NULL;
}

static const struct interface_property *find_property(struct call *call, const struct interface *interface,
                                                      const char *name)
{
        const struct interface_property *property = interface_find_property(interface, name);
        g_autofree char *quoted = NULL;

        if (property)
                return property;
        quoted = error_quote(name);
        call_refuse(call, DBUS_ERROR_INVALID_ARGS, "the object has no property '%s'", quoted);
        return NULL;
}

/* Only what a connection says of itself may have to be found out first. */
static bool is_settled(struct call *call, authorize_next next)
{
        return call->target.place != TREE_CONNECT || connect_settle(call, call->target.connect, next);
}

static void reply_property(struct call *call, const struct interface_property *property)
{
        g_autoptr(GError) error = NULL;
        DBusMessageIter iter;
        DBusMessage *reply = call_begin_reply(call, &iter);
        struct marshal_slot slot = { .iter = &iter, .variants = 1, .signature = property->signature };

        if (property->get(&call->target, &slot, &error)) {
                call_send_reply(call, reply);
                return;
        }
        dbus_message_unref(reply);
        if (is_settled(call, on_properties_get))
                call_fail(call, error);
}

void on_properties_get(struct call *call)
{
        const struct interface_property *property;
        const struct interface *interface;
        const char *interface_name, *name;

        call_read(call, "ss", &interface_name, &name);
        interface = find_interface(call, interface_name);
        property = interface ? find_property(call, interface, name) : NULL;
        if (property && authorize(call, interface->read_access, 0, on_properties_get))
                reply_property(call, property);
}

void on_properties_get_all(struct call *call)
{
        const struct interface *interface;
        DBusMessageIter iter, array;
        DBusMessage *reply;
        const char *name;

        call_read(call, "s", &name);
        interface = find_interface(call, name);
        if (!interface ||
            (interface->read_access && !authorize(call, interface->read_access, 0, on_properties_get_all)))
                return;
        if (!is_settled(call, on_properties_get_all))
                return;
        reply = call_begin_reply(call, &iter);
        if (interface == tree_get_interface(&call->target)) {
                properties_write(&call->target, 2, PROPERTIES_ALL, &iter);
        } else {
                marshal_open_array(&iter, &array, "{sv}");
                marshal_close(&iter, &array);
        }
        call_send_reply(call, reply);
}

static bool has_signature(DBusMessageIter *value, const char *signature)
{
        char *actual = dbus_message_iter_get_signature(value);
        bool same = actual && strcmp(actual, signature) == 0;

        dbus_free(actual);
        return same;
}

void on_properties_set(struct call *call)
{
        const struct interface_property *property;
        const struct interface *interface;
        const char *interface_name, *name;
        DBusMessageIter value;

        call_read(call, "ss", &interface_name, &name);
        interface = find_interface(call, interface_name);
        property = interface ? find_property(call, interface, name) : NULL;
        if (!property)
                return;
        if (!property->set) {
                call_refuse(call, DBUS_ERROR_INVALID_ARGS, "the property '%s' is read-only", property->name);
                return;
        }
        if (!authorize(call, property->write_access, 0, on_properties_set))
                return;
        dbus_message_iter_recurse(&call->args, &value);
        if (has_signature(&value, property->signature))
                property->set(call, &value);
        else
                call_refuse(call, DBUS_ERROR_INVALID_ARGS, "the property '%s' has the type '%s'",
                            property->name, property->signature);
}
