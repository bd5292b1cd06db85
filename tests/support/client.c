/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A client of the agent on sd-bus. One thread. Owns its bus connection and the record of signals.
 */

#include "tests/support/client.h"

#include <check.h>
#include <string.h>

#include "base/error.h"

struct client {
        sd_bus *bus;    /* ref */
        GQueue signals; /* of sd_bus_message, ref */
};

static int record_signal(sd_bus_message *message, void *data, sd_bus_error *error)
{
        struct client *client = data;

        g_queue_push_tail(&client->signals, sd_bus_message_ref(message));
        return 0;
}

static void drop_signals(struct client *client)
{
        sd_bus_message *message;

        while ((message = g_queue_pop_head(&client->signals)))
                sd_bus_message_unref(message);
}

struct client *client_new(const char *address)
{
        struct client *client = g_new0(struct client, 1);

        g_queue_init(&client->signals);
        ck_assert_int_ge(sd_bus_new(&client->bus), 0);
        ck_assert_int_ge(sd_bus_set_address(client->bus, address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(client->bus, 1), 0);
        ck_assert_int_ge(sd_bus_negotiate_fds(client->bus, 1), 0);
        ck_assert_int_ge(sd_bus_start(client->bus), 0);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(client->bus, CLIENT_DEADLINE_US), 0);
        ck_assert_int_ge(sd_bus_add_match(client->bus, NULL, "type='signal',path_namespace='/org/libvirt'",
                                          record_signal, client),
                         0);
        return client;
}

void client_free(struct client *client)
{
        if (!client)
                return;
        drop_signals(client);
        sd_bus_flush_close_unref(client->bus);
        g_free(client);
}

sd_bus *client_get_bus(struct client *client)
{
        return client->bus;
}

static sd_bus_message *new_call(struct client *client, const char *path, const char *interface,
                                const char *member, const char *types, va_list arguments)
{
        sd_bus_message *call = NULL;

        ck_assert_int_ge(
                sd_bus_message_new_method_call(client->bus, &call, "org.libvirt", path, interface, member),
                0);
        if (types && *types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, arguments), 0);
        return call;
}

static sd_bus_message *call_and_succeed(struct client *client, sd_bus_message *call)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call(client->bus, call, CLIENT_DEADLINE_US, &error, &reply);
        if (r < 0)
                ck_abort_msg("%s.%s on %s failed: %s: %s", sd_bus_message_get_interface(call),
                             sd_bus_message_get_member(call), sd_bus_message_get_path(call),
                             error.name ? error.name : g_strerror(-r), error.message ? error.message : "");
        return reply;
}

sd_bus_message *client_call(struct client *client, const char *path, const char *interface,
                            const char *member, const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        return call_and_succeed(client, call);
}

void client_do(struct client *client, const char *path, const char *interface, const char *member,
               const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        sd_bus_message_unref(call_and_succeed(client, call));
}

char *client_call_string(struct client *client, const char *path, const char *interface, const char *member,
                         const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        const char *string;
        va_list arguments;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        reply = call_and_succeed(client, call);
        ck_assert_int_ge(sd_bus_message_read_basic(reply, *sd_bus_message_get_signature(reply, 1), &string),
                         0);
        return g_strdup(string);
}

static char *call_any_outcome(struct client *client, sd_bus_message *call, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_call(client->bus, call, CLIENT_DEADLINE_US, error, &reply);
        if (r >= 0)
                return NULL;
        if (!error->name || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                ck_abort_msg("%s.%s on %s got no answer: %s", sd_bus_message_get_interface(call),
                             sd_bus_message_get_member(call), sd_bus_message_get_path(call),
                             error->name ? error->name : g_strerror(-r));
        if (sd_bus_error_has_name(error, LIBVIRT_ERROR))
                ck_assert_uint_le(strlen(error->message), ERROR_MESSAGE_MAX);
        return g_strdup_printf("%s: %s", error->name, error->message ? error->message : "");
}

char *client_try(struct client *client, const char *path, const char *interface, const char *member,
                 const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list arguments;
        char *outcome;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        outcome = call_any_outcome(client, call, &error);
        sd_bus_error_free(&error);
        return outcome;
}

void client_fails(struct client *client, const char *name, const char *text, const char *path,
                  const char *interface, const char *member, const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        g_autofree char *outcome = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list arguments;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        outcome = call_any_outcome(client, call, &error);
        if (!outcome)
                ck_abort_msg("%s.%s on %s succeeded, but '%s: %s' was due", interface, member, path, name,
                             text ? text : "*");
        if ((name && !g_pattern_match_simple(name, error.name)) ||
            (text && !g_pattern_match_simple(text, error.message)))
                ck_abort_msg("%s.%s on %s failed with '%s', but '%s: %s' was due", interface, member, path,
                             outcome, name, text ? text : "*");
        sd_bus_error_free(&error);
}

static int keep_answer(sd_bus_message *reply, void *data, sd_bus_error *unused)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        struct client_answer *answer = data;

        answer->done = true;
        answer->error = error ? g_strdup(error->message) : NULL;
        return 0;
}

void client_send(struct client *client, struct client_answer *answer, const char *path, const char *interface,
                 const char *member, const char *types, ...)
{
        g_autoptr(sd_bus_message) call = NULL;
        va_list arguments;

        va_start(arguments, types);
        call = new_call(client, path, interface, member, types, arguments);
        va_end(arguments);
        ck_assert_int_ge(sd_bus_call_async(client->bus, NULL, call, keep_answer, answer, CLIENT_DEADLINE_US),
                         0);
        ck_assert_int_ge(sd_bus_flush(client->bus), 0);
}

void client_wait_answer(struct client *client, const struct client_answer *answer)
{
        while (!answer->done) {
                client_process(client);
                if (!answer->done)
                        ck_assert_int_ge(sd_bus_wait(client->bus, CLIENT_DEADLINE_US), 0);
        }
}

void client_follow(struct client *client)
{
        static const char *const paths[] = { QEMU_PATH, TEST_PATH };

        for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
                client_do(client, paths[i], "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
}

void client_ping(struct client *client)
{
        client_do(client, MANAGER_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL);
}

void client_get(struct client *client, const char *path, const char *interface, const char *property,
                char type, void *value)
{
        g_autoptr(sd_bus_message) reply = NULL;
        const char types[] = { type, '\0' };

        reply = client_call(client, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface,
                            property);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', types), 0);
        ck_assert_int_gt(sd_bus_message_read_basic(reply, type, value), 0);
        if (type == 's' || type == 'o')
                *(char **)value = g_strdup(*(const char **)value);
}

bool client_get_bool(struct client *client, const char *path, const char *interface, const char *property)
{
        int value = 0;

        client_get(client, path, interface, property, 'b', &value);
        return value;
}

char *client_get_string(struct client *client, const char *path, const char *interface, const char *property)
{
        char *value = NULL;

        client_get(client, path, interface, property, 's', &value);
        return value;
}

char **client_list(struct client *client, const char *path, const char *interface, const char *member,
                   unsigned flags)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, interface, member, "u", flags);
        GPtrArray *list = g_ptr_array_new();
        const char *item;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "o"), 0);
        while (sd_bus_message_read_basic(reply, 'o', &item) > 0)
                g_ptr_array_add(list, g_strdup(item));
        g_ptr_array_add(list, NULL);
        return (char **)g_ptr_array_free(list, FALSE);
}

void client_process(struct client *client)
{
        while (sd_bus_process(client->bus, NULL) > 0)
                ;
}

static bool is_signal(sd_bus_message *message, const char *path, const char *interface, const char *member)
{
        return sd_bus_message_is_signal(message, interface, member) &&
               (!path || strcmp(sd_bus_message_get_path(message), path) == 0);
}

/* Takes the first recorded signal that fits out of the record. */
static sd_bus_message *take_signal(struct client *client, const char *path, const char *interface,
                                   const char *member, client_match match, const void *data)
{
        for (GList *link = client->signals.head; link; link = link->next) {
                sd_bus_message *message = link->data;

                if (!is_signal(message, path, interface, member))
                        continue;
                sd_bus_message_rewind(message, 1);
                if (match && !match(message, data))
                        continue;
                sd_bus_message_rewind(message, 1);
                g_queue_delete_link(&client->signals, link);
                return message;
        }
        return NULL;
}

/* Waits for the bus, but not beyond the deadline; false when that is over. */
static bool wait_for_bus(struct client *client, int64_t deadline_us)
{
        int64_t left_us = deadline_us - g_get_monotonic_time();

        if (left_us <= 0)
                return false;
        ck_assert_int_ge(sd_bus_wait(client->bus, left_us), 0);
        return true;
}

sd_bus_message *client_wait_signal(struct client *client, const char *path, const char *interface,
                                   const char *member, client_match match, const void *data)
{
        int64_t deadline_us = g_get_monotonic_time() + CLIENT_DEADLINE_US;
        sd_bus_message *message;

        do {
                client_process(client);
                message = take_signal(client, path, interface, member, match, data);
                if (message)
                        return message;
        } while (wait_for_bus(client, deadline_us));
        for (GList *link = client->signals.head; link; link = link->next)
                g_printerr("recorded: %s %s.%s\n", sd_bus_message_get_path(link->data),
                           sd_bus_message_get_interface(link->data), sd_bus_message_get_member(link->data));
        ck_abort_msg("no signal %s.%s from %s", interface, member, path ? path : "anywhere");
}

unsigned client_count_signals(struct client *client, const char *path, const char *interface,
                              const char *member)
{
        unsigned count = 0;

        client_process(client);
        for (GList *link = client->signals.head; link; link = link->next)
                if (is_signal(link->data, path, interface, member))
                        count++;
        return count;
}

void client_forget_signals(struct client *client)
{
        client_process(client);
        drop_signals(client);
}

struct event {
        const char *domain;
        int event;
        int detail;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct event *wanted = data;
        const char *domain;
        int event;
        int detail;

        return sd_bus_message_read(message, "oii", &domain, &event, &detail) > 0 &&
               strcmp(domain, wanted->domain) == 0 && event == wanted->event &&
               (wanted->detail < 0 || detail == wanted->detail);
}

void client_wait_event(struct client *client, const char *domain, int event, int detail)
{
        struct event wanted = { domain, event, detail };
        const char *tail = strstr(domain, "/domain/");
        g_autofree char *connection = NULL;
        sd_bus_message *message;

        ck_assert_ptr_nonnull(tail);
        connection = g_strndup(domain, tail - domain);
        message = client_wait_signal(client, connection, CONNECT_INTERFACE, "DomainEvent", match_event,
                                     &wanted);
        sd_bus_message_unref(message);
}

struct changed {
        const char *interface;
        const char *property;
        int value;
};

static bool match_changed(sd_bus_message *message, const void *data)
{
        const struct changed *wanted = data;
        const char *interface;
        const char *name;
        int value;

        if (sd_bus_message_read(message, "s", &interface) <= 0 || strcmp(interface, wanted->interface) != 0 ||
            sd_bus_message_enter_container(message, 'a', "{sv}") <= 0)
                return false;
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                if (sd_bus_message_read(message, "s", &name) <= 0)
                        return false;
                if (strcmp(name, wanted->property) == 0)
                        return sd_bus_message_read(message, "v", "b", &value) > 0 && value == wanted->value;
                sd_bus_message_skip(message, "v");
                sd_bus_message_exit_container(message);
        }
        return false;
}

void client_wait_property(struct client *client, const char *path, const char *interface,
                          const char *property, bool value)
{
        struct changed wanted = { interface, property, value };
        sd_bus_message *message;

        message = client_wait_signal(client, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                     match_changed, &wanted);
        sd_bus_message_unref(message);
}

static bool has_owner(struct client *client)
{
        g_autoptr(sd_bus_message) reply = NULL;
        int owned = 0;

        ck_assert_int_ge(sd_bus_call_method(client->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                            "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                                            "org.libvirt"),
                         0);
        ck_assert_int_ge(sd_bus_message_read(reply, "b", &owned), 0);
        return owned;
}

static int wake_up(sd_bus_message *message, void *data, sd_bus_error *error)
{
        return 0;
}

pid_t client_get_owner_pid(struct client *client)
{
        sd_bus_creds *creds = NULL;
        pid_t pid = 0;

        if (sd_bus_get_name_creds(client->bus, "org.libvirt", SD_BUS_CREDS_PID, &creds) >= 0)
                sd_bus_creds_get_pid(creds, &pid);
        sd_bus_creds_unref(creds);
        return pid;
}

static bool is_owned(struct client *client, void *owned)
{
        return has_owner(client) == *(bool *)owned;
}

static bool is_owned_by(struct client *client, void *pid)
{
        return client_get_owner_pid(client) == *(pid_t *)pid;
}

/* Until an owner of the name makes it true. */
static void wait_owner(struct client *client, bool (*condition)(struct client *client, void *data),
                       void *data, const char *problem)
{
        int64_t deadline_us = g_get_monotonic_time() + CLIENT_DEADLINE_US;
        sd_bus_slot *slot = NULL;

        ck_assert_int_ge(sd_bus_match_signal(client->bus, &slot, "org.freedesktop.DBus",
                                             "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "NameOwnerChanged", wake_up, NULL),
                         0);
        while (!condition(client, data)) {
                client_process(client);
                if (condition(client, data))
                        break;
                if (!wait_for_bus(client, deadline_us))
                        ck_abort_msg("the name is %s", problem);
        }
        sd_bus_slot_unref(slot);
}

void client_wait_name(struct client *client, bool owned)
{
        wait_owner(client, is_owned, &owned, owned ? "not taken" : "not given up");
}

void client_wait_owner(struct client *client, pid_t pid)
{
        wait_owner(client, is_owned_by, &pid, "not taken by the agent");
}
