/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The limit that ./dev bench measures against: a service on libdbus-1 that does nothing but answer. The body
 * of a call of Store is kept, and any other call is answered with it, marshalled anew each time as any
 * service has to. One thread.
 */

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends all that `from` has at and after its place. */
static void copy_values(DBusMessageIter *from, DBusMessageIter *to)
{
        int type;

        while ((type = dbus_message_iter_get_arg_type(from)) != DBUS_TYPE_INVALID) {
                if (dbus_type_is_basic(type)) {
                        DBusBasicValue value;

                        dbus_message_iter_get_basic(from, &value);
                        dbus_message_iter_append_basic(to, type, &value);
                } else {
                        DBusMessageIter inner_from;
                        DBusMessageIter inner_to;
                        char *signature;

                        dbus_message_iter_recurse(from, &inner_from);
                        signature = dbus_message_iter_get_signature(&inner_from);
                        dbus_message_iter_open_container(
                                to, type,
                                type == DBUS_TYPE_ARRAY || type == DBUS_TYPE_VARIANT ? signature : NULL,
                                &inner_to);
                        dbus_free(signature);
                        copy_values(&inner_from, &inner_to);
                        dbus_message_iter_close_container(to, &inner_to);
                }
                dbus_message_iter_next(from);
        }
}

static DBusHandlerResult answer(DBusConnection *connection, DBusMessage *message, void *data)
{
        DBusMessage **stored = data;
        DBusMessage *reply;

        if (dbus_message_get_type(message) != DBUS_MESSAGE_TYPE_METHOD_CALL)
                return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
        reply = dbus_message_new_method_return(message);
        if (dbus_message_is_method_call(message, "org.virtbus.Echo", "Store")) {
                if (*stored)
                        dbus_message_unref(*stored);
                *stored = dbus_message_ref(message);
        } else if (*stored) {
                DBusMessageIter from;
                DBusMessageIter to;

                dbus_message_iter_init(*stored, &from);
                dbus_message_iter_init_append(reply, &to);
                copy_values(&from, &to);
        }
        dbus_connection_send(connection, reply, NULL);
        dbus_message_unref(reply);
        return DBUS_HANDLER_RESULT_HANDLED;
}

int main(void)
{
        DBusConnection *connection = dbus_bus_get(DBUS_BUS_SESSION, NULL);
        DBusMessage *stored = NULL;

        if (!connection || !dbus_connection_add_filter(connection, answer, &stored, NULL) ||
            dbus_bus_request_name(connection, "org.virtbus.Echo", DBUS_NAME_FLAG_DO_NOT_QUEUE, NULL) !=
                    DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER) {
                fprintf(stderr, "bench-echo: no bus\n");
                return EXIT_FAILURE;
        }
        while (dbus_connection_read_write_dispatch(connection, -1))
                ;
        return EXIT_SUCCESS;
}
