/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authorization. Loop thread.
 */
#include "bus/authorize.h"

#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/dispatch.h"
#include "bus/interface.h"

#include <string.h>

/* Is the name in [name, end) that of a read? */
static bool is_read_name(const char *name, const char *end)
{
        const char *verb = memchr(name, '.', (size_t)(end - name));
        size_t length;

        if (!verb++)
                return false;
        length = (size_t)(end - verb);
        return (length == strlen("read") && memcmp(verb, "read", length) == 0) ||
               (length == strlen("getattr") && memcmp(verb, "getattr", length) == 0) ||
               (length > strlen("search-") && memcmp(verb, "search-", strlen("search-")) == 0);
}

bool authorize_is_read(const char *action)
{
        const char *end;

        for (; (end = strchr(action, ' ')); action = end + 1)
                if (!is_read_name(action, end))
                        return false;
        return is_read_name(action, action + strlen(action));
}

struct question {
        struct call *call; /* borrowed: it holds its caller's later calls, and lives until it is ended */
        const char *action;
        authorize_next next;
};

static bool is_trusted(const struct caller *caller)
{
        return caller->identity == CALLER_KNOWN && (caller->uid == 0 || caller->uid == caller->bus->own_uid);
}

static void refuse(struct call *call, const char *action)
{
        call_refuse(call, DBUS_ERROR_ACCESS_DENIED, "%s needs the authorization for %s", call->method->name,
                    action);
}

/* The entries of the bus's answer that say who it is; an identity without a uid is none. */
static void read_credentials(struct caller *caller, DBusMessage *reply)
{
        DBusMessageIter iter, array, entry, value;

        if (!reply || !dbus_message_has_signature(reply, "a{sv}") || !dbus_message_iter_init(reply, &iter))
                return;
        dbus_message_iter_recurse(&iter, &array);
        for (; dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_DICT_ENTRY;
             dbus_message_iter_next(&array)) {
                dbus_uint32_t number;
                const char *key;

                dbus_message_iter_recurse(&array, &entry);
                dbus_message_iter_get_basic(&entry, &key);
                dbus_message_iter_next(&entry);
                dbus_message_iter_recurse(&entry, &value);
                if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_UINT32)
                        continue;
                dbus_message_iter_get_basic(&value, &number);
                if (g_str_equal(key, "UnixUserID")) {
                        caller->uid = number;
                        caller->identity = CALLER_KNOWN;
                } else if (g_str_equal(key, "ProcessID")) {
                        caller->pid = (pid_t)number;
                }
        }
}

static void answered(DBusMessage *reply, void *data)
{
        struct question *question = data;
        struct call *call = question->call;
        struct caller *caller = call->caller;

        if (call->message && caller->identity == CALLER_UNKNOWN) {
                caller->identity = CALLER_UNKNOWABLE;
                read_credentials(caller, reply);
        }
        if (!call->message)
                call_end(call);
        else if (is_trusted(caller))
                dispatch_resume(call, question->action, question->next);
        else
                refuse(call, question->action);
        g_free(question);
}

static void ask_identity(struct call *call, const char *action, authorize_next next)
{
        DBusMessage *message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS,
                                                            DBUS_INTERFACE_DBUS, "GetConnectionCredentials");
        struct question *question = g_new(struct question, 1);

        *question = (struct question){ call, action, next };
        call_hold(call);
        call_drop_object(call);
        dbus_message_append_args(message, DBUS_TYPE_STRING, &call->caller->name, DBUS_TYPE_INVALID);
        connection_call(call->target.bus->connection, message, answered, question);
        dbus_message_unref(message);
}

bool authorize(struct call *call, const char *action, authorize_next next)
{
        struct caller *caller = call->caller;

        if (call->granted && g_str_equal(call->granted, action))
                return true;
        if (!authorize_is_read(action)) {
                if (caller_is_read_only(caller, call->target.connect)) {
                        call_fail_with(call, ERROR_FROM_ACCESS, ERROR_OPERATION_DENIED,
                                       "%s on a connection that was opened read-only", call->method->name);
                        return false;
                }
                if (caller->identity == CALLER_UNKNOWN) {
                        ask_identity(call, action, next);
                        return false;
                }
                if (!is_trusted(caller)) {
                        refuse(call, action);
                        return false;
                }
        }
        call->granted = action;
        return true;
}
