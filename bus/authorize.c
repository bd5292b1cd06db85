/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authorization of calls: who a sender is, as the bus tells, and what becomes of the model's answer. Loop
 * thread.
 */
#include "bus/authorize.h"

#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/dispatch.h"
#include "bus/interface.h"
#include "drivers/authorization.h"

static void refuse(struct call *call, enum authorization_answer answer)
{
        const char *member = call->method->name, *action = call->access[call->granted].action;

        if (answer == AUTHORIZATION_READ_ONLY)
                call_fail_with(call, ERROR_FROM_ACCESS, ERROR_OPERATION_DENIED,
                               "%s on a connection that was opened read-only", member);
        else if (answer == AUTHORIZATION_CHALLENGE)
                call_refuse(call, DBUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                            "%s needs the authorization for %s, about which the user has to be asked", member,
                            action);
        else
                call_refuse(call, DBUS_ERROR_ACCESS_DENIED, "%s needs the authorization for %s", member,
                            action);
}

/* The entries of the bus's answer that say who it is; an identity without a uid is none. */
static void read_credentials(struct identity *identity, DBusMessage *reply)
{
        DBusMessageIter iter, array, entry, value;
        bool known = false;
        uid_t uid = 0;
        pid_t pid = 0;

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
                        uid = number;
                        known = true;
                } else if (g_str_equal(key, "ProcessID")) {
                        pid = (pid_t)number;
                }
        }
        if (known)
                identity_set_credentials(identity, uid, pid);
}

/* Goes on where the question was asked, unless the call was given up meanwhile. */
static void resume(struct call *call)
{
        if (call->message)
                dispatch_resume(call, call->next);
        else
                call_end(call);
}

static void identity_answered(DBusMessage *reply, void *data)
{
        struct call *call = data;

        if (call->message) {
                struct identity *identity = call->caller->identity;

                read_credentials(identity, reply);
                if (identity->state == IDENTITY_UNKNOWN)
                        identity->state = IDENTITY_UNKNOWABLE;
        }
        resume(call);
}

static void ask_identity(struct call *call)
{
        DBusMessage *message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS,
                                                            DBUS_INTERFACE_DBUS, "GetConnectionCredentials");

        dbus_message_append_args(message, DBUS_TYPE_STRING, &call->caller->name, DBUS_TYPE_INVALID);
        connection_call(call->target.bus->connection, message, identity_answered, call);
        dbus_message_unref(message);
}

static void answered(enum authorization_answer answer, void *data)
{
        struct call *call = data;

        if (answer == AUTHORIZATION_ALLOWED || !call->message)
                resume(call);
        else
                refuse(call, answer);
}

/* A question is open; the call holds its caller's later calls, and lives until it is ended. */
static void wait(struct call *call, authorize_next next)
{
        call->next = next;
        call_hold(call);
        call_drop_object(call);
}

bool authorize(struct call *call, const struct access *access, uint32_t flags, authorize_next next)
{
        const struct target *target = &call->target;
        const struct authorization_question question = {
                .identity = call->caller->identity,
                .model = target->connect ? target->connect->model : NULL,
                .kind = target->branch ? target->branch->kind->model : MODEL_KIND_COUNT,
                .object = target->object,
                .interactive = dbus_message_get_allow_interactive_authorization(call->message),
        };
        enum authorization_answer answer;

        if (call->access != access) {
                call->access = access;
                call->granted = 0;
        }
        answer = authorization_ask(models_get_authorization(target->bus->models), &question, access, flags,
                                   &call->granted, answered, call);
        if (answer == AUTHORIZATION_WHO || answer == AUTHORIZATION_PENDING)
                wait(call, next);
        else if (answer != AUTHORIZATION_ALLOWED)
                refuse(call, answer);
        if (answer == AUTHORIZATION_WHO)
                ask_identity(call);
        return answer == AUTHORIZATION_ALLOWED;
}
