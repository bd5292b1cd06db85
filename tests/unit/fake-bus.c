/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bus of one's own for tests.
 */
#include "tests/unit/fake-bus.h"

#include "base/loop.h"

#include <check.h>
#include <poll.h>

#define AGENT ":1.0"

struct fake_bus {
        struct loop *loop; /* borrowed */
        DBusServer *server;
        char *address;
        DBusConnection *agent; /* ref; NULL while it is not connected */
        GPtrArray *sent;       /* of DBusMessage */
        GHashTable *replies;   /* reply serial -> place in sent + 1 */
        unsigned name_reply, uid, questions, requests;
        bool answers;
        dbus_bool_t owned;
};

struct watch {
        struct fake_bus *bus;
        DBusWatch *watch;
        struct loop_watch *loop_watch;
};

static void reply(struct fake_bus *bus, DBusMessage *call, int type, const void *value)
{
        DBusMessage *message = dbus_message_new_method_return(call);

        if (type)
                dbus_message_append_args(message, type, value, DBUS_TYPE_INVALID);
        dbus_message_set_sender(message, DBUS_SERVICE_DBUS);
        dbus_connection_send(bus->agent, message, NULL);
        dbus_message_unref(message);
}

static void reply_credentials(struct fake_bus *bus, DBusMessage *call)
{
        DBusMessage *message = dbus_message_new_method_return(call);
        const char *key = "UnixUserID";
        DBusMessageIter iter, array, entry, value;

        dbus_message_iter_init_append(message, &iter);
        dbus_message_iter_open_container(&iter, DBUS_TYPE_ARRAY, "{sv}", &array);
        dbus_message_iter_open_container(&array, DBUS_TYPE_DICT_ENTRY, NULL, &entry);
        dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
        dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "u", &value);
        dbus_message_iter_append_basic(&value, DBUS_TYPE_UINT32, &bus->uid);
        dbus_message_iter_close_container(&entry, &value);
        dbus_message_iter_close_container(&array, &entry);
        dbus_message_iter_close_container(&iter, &array);
        dbus_message_set_sender(message, DBUS_SERVICE_DBUS);
        dbus_connection_send(bus->agent, message, NULL);
        dbus_message_unref(message);
}

/* A call to the bus itself. */
static void serve(struct fake_bus *bus, DBusMessage *call)
{
        const char *member = dbus_message_get_member(call);
        const char *agent = AGENT;

        if (g_str_equal(member, "Hello")) {
                reply(bus, call, DBUS_TYPE_STRING, &agent);
        } else if (g_str_equal(member, "RequestName")) {
                bus->requests++;
                reply(bus, call, DBUS_TYPE_UINT32, &bus->name_reply);
        } else if (g_str_equal(member, "GetConnectionCredentials")) {
                bus->questions++;
                if (bus->answers)
                        reply_credentials(bus, call);
        } else if (g_str_equal(member, "NameHasOwner")) {
                reply(bus, call, DBUS_TYPE_BOOLEAN, &bus->owned);
        } else if (!dbus_message_get_no_reply(call)) {
                reply(bus, call, 0, NULL);
        }
}

static void take_messages(struct fake_bus *bus)
{
        DBusMessage *message;

        while (bus->agent && (message = dbus_connection_pop_message(bus->agent))) {
                if (dbus_message_has_destination(message, DBUS_SERVICE_DBUS)) {
                        serve(bus, message);
                        dbus_message_unref(message);
                        continue;
                }
                g_ptr_array_add(bus->sent, message);
                g_hash_table_insert(bus->replies, GUINT_TO_POINTER(dbus_message_get_reply_serial(message)),
                                    GUINT_TO_POINTER(bus->sent->len));
        }
}

static void on_watch(int fd, short revents, void *data)
{
        struct watch *watch = data;
        struct fake_bus *bus = watch->bus;
        unsigned flags = 0;

        flags |= revents & POLLIN ? DBUS_WATCH_READABLE : 0;
        flags |= revents & POLLOUT ? DBUS_WATCH_WRITABLE : 0;
        flags |= revents & (POLLHUP | POLLERR) ? DBUS_WATCH_HANGUP : 0;
        dbus_watch_handle(watch->watch, flags);
        take_messages(bus);
}

static void watch_toggled(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = dbus_watch_get_data(dbus_watch);
        unsigned flags = dbus_watch_get_flags(dbus_watch);
        short events = 0;

        g_clear_pointer(&watch->loop_watch, loop_watch_free);
        if (!dbus_watch_get_enabled(dbus_watch))
                return;
        events |= flags & DBUS_WATCH_READABLE ? POLLIN : 0;
        events |= flags & DBUS_WATCH_WRITABLE ? POLLOUT : 0;
        watch->loop_watch =
                loop_watch_new(watch->bus->loop, dbus_watch_get_unix_fd(dbus_watch), events, on_watch, watch);
}

static dbus_bool_t watch_added(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = g_new0(struct watch, 1);

        watch->bus = data;
        watch->watch = dbus_watch;
        dbus_watch_set_data(dbus_watch, watch, NULL);
        watch_toggled(dbus_watch, data);
        return TRUE;
}

static void watch_removed(DBusWatch *dbus_watch, void *data)
{
        struct watch *watch = dbus_watch_get_data(dbus_watch);

        if (watch->loop_watch)
                loop_watch_free(watch->loop_watch);
        g_free(watch);
}

static void on_connection(DBusServer *server, DBusConnection *connection, void *data)
{
        struct fake_bus *bus = data;

        fake_bus_disconnect(bus);
        g_hash_table_remove_all(bus->replies);
        bus->agent = dbus_connection_ref(connection);
        dbus_connection_set_watch_functions(connection, watch_added, watch_removed, watch_toggled, bus, NULL);
}

struct fake_bus *fake_bus_new(struct loop *loop)
{
        struct fake_bus *bus = g_new0(struct fake_bus, 1);

        bus->loop = loop;
        bus->sent = g_ptr_array_new_with_free_func((GDestroyNotify)dbus_message_unref);
        bus->replies = g_hash_table_new(NULL, NULL);
        bus->name_reply = DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER;
        bus->answers = true;
        bus->owned = true;
        bus->server = dbus_server_listen("unix:tmpdir=/tmp", NULL);
        ck_assert_ptr_nonnull(bus->server);
        bus->address = dbus_server_get_address(bus->server);
        dbus_server_set_new_connection_function(bus->server, on_connection, bus, NULL);
        dbus_server_set_watch_functions(bus->server, watch_added, watch_removed, watch_toggled, bus, NULL);
        return bus;
}

void fake_bus_free(struct fake_bus *bus)
{
        fake_bus_disconnect(bus);
        dbus_server_disconnect(bus->server);
        dbus_server_unref(bus->server);
        dbus_free(bus->address);
        g_ptr_array_unref(bus->sent);
        g_hash_table_unref(bus->replies);
        g_free(bus);
}

const char *fake_bus_get_address(const struct fake_bus *bus)
{
        return bus->address;
}

void fake_bus_set_name_reply(struct fake_bus *bus, unsigned name_reply)
{
        bus->name_reply = name_reply;
}

void fake_bus_set_uid(struct fake_bus *bus, unsigned uid, bool answer)
{
        bus->uid = uid;
        bus->answers = answer;
}

void fake_bus_set_owned(struct fake_bus *bus, bool owned)
{
        bus->owned = owned;
}

unsigned fake_bus_get_questions(const struct fake_bus *bus)
{
        return bus->questions;
}

unsigned fake_bus_get_requests(const struct fake_bus *bus)
{
        return bus->requests;
}

DBusMessage *fake_bus_call_new(const char *path, const char *interface, const char *member)
{
        return dbus_message_new_method_call(AGENT, path, interface, member);
}

dbus_uint32_t fake_bus_send(struct fake_bus *bus, const char *client, DBusMessage *call)
{
        dbus_uint32_t serial;

        dbus_message_set_sender(call, client);
        ck_assert(dbus_connection_send(bus->agent, call, &serial));
        dbus_message_unref(call);
        return serial;
}

void fake_bus_leave(struct fake_bus *bus, const char *client)
{
        DBusMessage *message =
                dbus_message_new_signal(DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "NameOwnerChanged");
        const char *nobody = "";

        dbus_message_append_args(message, DBUS_TYPE_STRING, &client, DBUS_TYPE_STRING, &client,
                                 DBUS_TYPE_STRING, &nobody, DBUS_TYPE_INVALID);
        fake_bus_send(bus, DBUS_SERVICE_DBUS, message);
}

void fake_bus_disconnect(struct fake_bus *bus)
{
        if (!bus->agent)
                return;
        dbus_connection_close(bus->agent);
        dbus_connection_unref(bus->agent);
        bus->agent = NULL;
}

const GPtrArray *fake_bus_get_sent(const struct fake_bus *bus)
{
        return bus->sent;
}

DBusMessage *fake_bus_find_reply(const struct fake_bus *bus, dbus_uint32_t serial, unsigned *place)
{
        unsigned found = GPOINTER_TO_UINT(g_hash_table_lookup(bus->replies, GUINT_TO_POINTER(serial)));

        if (place)
                *place = found - 1;
        return found ? g_ptr_array_index(bus->sent, found - 1) : NULL;
}

DBusMessage *fake_bus_await(struct fake_bus *bus, dbus_uint32_t serial)
{
        while (!fake_bus_find_reply(bus, serial, NULL))
                loop_step(bus->loop, true);
        return fake_bus_find_reply(bus, serial, NULL);
}
