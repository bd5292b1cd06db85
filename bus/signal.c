/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signals. Loop thread.
 */
#include "bus/signal.h"

#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/interface.h"
#include "bus/marshal.h"
#include "bus/sight.h"
#include "introspection/connect.h"
#include "introspection/manager.h"

DBusMessage *signal_begin(const char *path, const struct interface *interface, unsigned number,
                          DBusMessageIter *iter)
{
        DBusMessage *message;

        g_assert(number < interface->n_signals);
        message = dbus_message_new_signal(path, interface->name, interface->signals[number].name);
        if (!message)
                g_error("out of memory while writing a signal");
        dbus_message_iter_init_append(message, iter);
        return message;
}

void signal_end(struct bus *bus, DBusMessage *message)
{
        if (sight_limits_signals(bus))
                sight_send(bus, message, NULL);
        else if (connection_is_ready(bus->connection))
                connection_send(bus->connection, message);
        dbus_message_unref(message);
}

/* One of several: bus->about does not matter. */
static void send_copy(struct bus *bus, DBusMessage *message, const char *name)
{
        DBusMessage *copy = dbus_message_copy(message);

        if (!copy || !dbus_message_set_destination(copy, name))
                g_error("out of memory while writing a signal");
        if (connection_is_ready(bus->connection))
                connection_send(bus->connection, copy);
        dbus_message_unref(copy);
}

void signal_end_to(struct bus *bus, DBusMessage *message, const GPtrArray *callers)
{
        if (sight_limits_signals(bus)) {
                sight_send(bus, message, callers);
        } else {
                for (unsigned i = 0; i < callers->len; i++)
                        send_copy(bus, message, ((const struct caller *)g_ptr_array_index(callers, i))->name);
        }
        dbus_message_unref(message);
}

void signal_send(struct bus *bus, const char *path, const struct interface *interface, unsigned number,
                 const char *signature, ...)
{
        DBusMessageIter iter;
        DBusMessage *message;
        va_list args;

        if (!connection_is_ready(bus->connection))
                return;
        message = signal_begin(path, interface, number, &iter);
        g_assert(g_str_equal(signature, interface->signals[number].signature));
        va_start(args, signature);
        marshal_write_list(&iter, signature, &args);
        va_end(args);
        signal_end(bus, message);
}

void signal_error(struct bus *bus, const struct connect *connect, const char *path, const GError *error)
{
        const char *from = connect ? connect->path : TREE_MANAGER_PATH;

        signal_send(bus, from, connect ? &interface_connect : &interface_manager,
                    connect ? (unsigned)INTERFACE_CONNECT_SIGNAL_ERROR_EVENT
                            : (unsigned)INTERFACE_MANAGER_SIGNAL_ERROR_EVENT,
                    "iisio", (int)error_get_code(error), (int)error_get_domain(error), error->message,
                    SIGNAL_ERROR_LEVEL, path ? path : from);
}
