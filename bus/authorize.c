/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authorization of calls: who a sender is, as the bus tells, and what becomes of the model's answer. Loop
 * thread.
 */
#include "bus/authorize.h"

#include "base/collection.h"
#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/dispatch.h"
#include "bus/interface.h"
#include "drivers/audit.h"
#include "drivers/authorization.h"

#include <string.h>

/* Texts begin with libvirt's phrases for what went wrong. */
static void refuse(struct call *call, enum authorization_answer answer)
{
        const char *member = call->method->name, *action = call->access[call->granted].action;

        switch (answer) {
        case AUTHORIZATION_READ_ONLY:
                call_fail_with(call, ERROR_FROM_ACCESS, ERROR_OPERATION_DENIED,
                               "%s on a connection that was opened read-only", member);
                break;
        case AUTHORIZATION_CHALLENGE:
                call_refuse(call, DBUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                            "authentication unavailable: %s needs the authorization for %s, about which the "
                            "user has to be asked, and %s",
                            member, action,
                            dbus_message_get_allow_interactive_authorization(call->message)
                                    ? "no authentication agent is there to do it"
                                    : "the call does not allow that");
                break;
        case AUTHORIZATION_DISMISSED:
                call_refuse(call, DBUS_ERROR_ACCESS_DENIED,
                            "authentication cancelled: the user did not authorize %s, which needs %s", member,
                            action);
                break;
        case AUTHORIZATION_UNAVAILABLE:
                call_refuse(
                        call, DBUS_ERROR_ACCESS_DENIED,
                        "authentication unavailable: %s needs the authorization for %s, and PolicyKit, who "
                        "decides about it, does not answer; only root is authorized without",
                        member, action);
                break;
        case AUTHORIZATION_CROWDED:
                call_refuse(call, DBUS_ERROR_LIMITS_EXCEEDED,
                            "authentication unavailable: %s needs the authorization for %s, and too many "
                            "questions about this user are open already; wait for these",
                            member, action);
                break;
        default:
                call_refuse(call, DBUS_ERROR_ACCESS_DENIED,
                            "authentication failed: %s needs the authorization for %s", member, action);
                break;
        }
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

/* Somebody is asked about the call's object, and answers later. */
static void start_asking(struct call *call)
{
        call->asks = true;
        call->target.bus->asking++;
}

/* The question is answered: the call is among those that wait no more. */
static void stop_asking(struct call *call)
{
        if (call->asks)
                call->target.bus->asking--;
        call->asks = false;
}

/* Goes on where the question was asked, unless the call was given up meanwhile. */
static void resume(struct call *call)
{
        if (call->message)
                dispatch_resume(call, call->next);
        else
                call_end(call);
}

/* What is at the path now, if anything, is not what the user was asked about. */
static void fail_lost(struct call *call)
{
        const struct branch *branch = call->target.branch;
        enum error_domain from = ERROR_FROM_NONE;
        enum error_code code = ERROR_INVALID_ARG;

        if (branch->registry) {
                from = registry_get_kind(branch->registry)->from;
                code = registry_get_kind(branch->registry)->missing;
        } else if (branch->collection) {
                from = collection_get_kind(branch->collection)->from;
                code = collection_get_kind(branch->collection)->missing;
        }
        call_fail_with(call, from, code,
                       "what was at '%s' was removed or renamed while PolicyKit was asked about %s",
                       dbus_message_get_path(call->message), call->method->name);
}

void authorize_lose(struct bus *bus, const char *path)
{
        if (bus->asking == 0)
                return;
        for (GList *link = bus->calls.head; link; link = link->next) {
                struct call *call = link->data;

                if (call->asks && call->target.place == TREE_OBJECT &&
                    strcmp(dbus_message_get_path(call->message), path) == 0)
                        call->lost = true;
        }
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

        stop_asking(call);
        if (!call->message)
                call_end(call);
        else if (answer != AUTHORIZATION_ALLOWED)
                refuse(call, answer);
        else if (call->lost)
                fail_lost(call);
        else
                resume(call);
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
        if (!call->audit)
                call->audit = audit_begin(models_get_audit(target->bus->models), &question, access, flags);
        answer = authorization_ask(models_get_authorization(target->bus->models), &question, access, flags,
                                   &call->granted, answered, call);
        if (answer == AUTHORIZATION_WHO || answer == AUTHORIZATION_PENDING)
                wait(call, next);
        else if (answer != AUTHORIZATION_ALLOWED)
                refuse(call, answer);
        if (answer == AUTHORIZATION_WHO)
                ask_identity(call);
        if (answer == AUTHORIZATION_PENDING)
                start_asking(call);
        return answer == AUTHORIZATION_ALLOWED;
}
