/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls: arguments, replies, errors. Loop thread.
 */
#include "bus/call.h"

#include "base/log.h"
#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/dispatch.h"
#include "bus/interface.h"
#include "bus/marshal.h"
#include "bus/sight.h"
#include "drivers/audit.h"
#include "drivers/authorization.h"

#include <errno.h>

#define ERROR_NAME "org.libvirt.Error"

struct call *call_new(struct bus *bus, struct caller *caller, DBusMessage *message)
{
        struct call *call = g_new0(struct call, 1);

        call->caller = caller_ref(caller);
        call->message = dbus_message_ref(message);
        call->target.bus = bus;
        call->link.data = call;
        g_queue_push_tail_link(&bus->calls, &call->link);
        caller->in_flight++;
        return call;
}

void call_drop_object(struct call *call)
{
        void *object = g_steal_pointer(&call->target.object);

        if (object)
                call->target.branch->kind->unref(call->target.branch, object);
}

void call_hold(struct call *call)
{
        if (call->holds || !call->message)
                return;
        call->holds = true;
        call->caller->holds++;
}

void call_release(struct call *call)
{
        if (!call->holds)
                return;
        call->holds = false;
        if (--call->caller->holds == 0)
                dispatch_wake(call->target.bus, call->caller);
}

/* It is answered, or nobody waits for the answer. */
static void record(struct call *call)
{
        const char *interface = dbus_message_get_interface(call->message);
        g_autofree char *member = NULL;

        if (!call->audit)
                return;
        member = interface ? g_strconcat(interface, ".", call_get_member(call), NULL)
                           : g_strdup(call_get_member(call));
        audit_end(g_steal_pointer(&call->audit), &(const struct audit_answer){
                                                         .member = member,
                                                         .object = dbus_message_get_path(call->message),
                                                         .result = call->result,
                                                         .error = call->failure,
                                                         .number = call->failure_number,
                                                 });
        g_clear_pointer(&call->result, g_free);
}

/* Takes the call out of the books: as far as its caller is concerned, it is over. */
static void settle(struct call *call)
{
        struct bus *bus = call->target.bus;

        if (!call->message)
                return;
        record(call);
        g_clear_pointer(&call->message, dbus_message_unref);
        g_queue_unlink(&bus->calls, &call->link);
        call->caller->in_flight--;
        call_release(call);
        g_clear_pointer(&call->caller, caller_unref);
}

void call_end(struct call *call)
{
        call_drop_object(call);
        settle(call);
        g_free(call);
}

void call_read(struct call *call, const char *signature, ...)
{
        va_list args;

        va_start(args, signature);
        marshal_read_list(&call->args, signature, &args);
        va_end(args);
}

uint32_t call_read_flags(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        return flags;
}

/* ---- replies ---- */

static bool is_awaited(const struct call *call)
{
        return call->message && !call->caller->identity->gone && !dbus_message_get_no_reply(call->message);
}

static void send(struct call *call, DBusMessage *reply)
{
        if (!reply)
                g_error("out of memory while writing a reply");
        if (is_awaited(call) && !sight_keep_behind(call->caller, reply))
                connection_send(call->target.bus->connection, reply);
        dbus_message_unref(reply);
}

bool call_may_reply(struct call *call, const GError *error)
{
        if (error)
                call_fail(call, error);
        else if (!is_awaited(call))
                call_end(call);
        else
                return true;
        return false;
}

DBusMessage *call_begin_reply(struct call *call, DBusMessageIter *iter)
{
        DBusMessage *reply = dbus_message_new_method_return(call->message);

        if (!reply)
                g_error("out of memory while writing a reply");
        dbus_message_iter_init_append(reply, iter);
        return reply;
}

void call_send_reply(struct call *call, DBusMessage *reply)
{
        g_assert(g_str_equal(dbus_message_get_signature(reply), call->method->out));
        send(call, reply);
        call_end(call);
}

void call_reply(struct call *call, const char *signature, ...)
{
        DBusMessageIter iter;
        DBusMessage *reply;
        va_list args;

        if (!is_awaited(call)) {
                call_end(call);
                return;
        }
        reply = call_begin_reply(call, &iter);
        va_start(args, signature);
        marshal_write_list(&iter, signature, &args);
        va_end(args);
        call_send_reply(call, reply);
}

void call_reply_object(struct call *call, const struct branch *branch, const void *object)
{
        g_autofree char *path = is_awaited(call) || call->audit ? tree_get_path(branch, object) : NULL;

        if (call->audit)
                call->result = g_strdup(path);
        call_reply(call, "o", path);
}

void call_reply_objects(struct call *call, const struct branch *branch, const void *const *objects,
                        unsigned count)
{
        g_autoptr(GString) path = g_string_sized_new(128);
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (count > 0 && sight_is_limited(call)) {
                sight_reply_objects(call, branch, objects, count);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "o");
        for (unsigned i = 0; i < count; i++)
                marshal_write(&array, "o", tree_write_path(branch, objects[i], path));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

/* Who makes an object is told its path. */
static bool is_lookup(const struct call *call)
{
        return authorization_is_read(call->method->access->action);
}

void call_reply_found(struct call *call, enum tree_branch branch, const void *object, const GError *error)
{
        const struct branch *in = &call->target.connect->branches[branch];

        if (!object)
                call_fail(call, error);
        else if (is_lookup(call) && sight_is_limited(call))
                sight_reply_object(call, in, object);
        else
                call_reply_object(call, in, object);
}

void call_reply_list(struct call *call, enum tree_branch branch, const GPtrArray *objects,
                     const GError *error)
{
        if (objects)
                call_reply_objects(call, &call->target.connect->branches[branch],
                                   (const void *const *)objects->pdata, objects->len);
        else
                call_fail(call, error);
}

/* text NULL: there is none. */
static void reply_fd(struct call *call, const char *text, int fd)
{
        DBusMessageIter iter;
        DBusMessage *reply;

        if (!is_awaited(call)) {
                call_end(call);
                return;
        }
        reply = call_begin_reply(call, &iter);
        if (text)
                marshal_write(&iter, "s", text);
        if (dbus_message_iter_append_basic(&iter, DBUS_TYPE_UNIX_FD, &fd)) {
                call_send_reply(call, reply);
                return;
        }
        /* The message has a duplicate, for which there may be no room. */
        dbus_message_unref(reply);
        call_fail_with(call, ERROR_FROM_NONE, ERROR_SYSTEM_ERROR, "%s cannot send a descriptor: %s",
                       call_get_member(call), g_strerror(EMFILE));
}

void call_reply_fd(struct call *call, int fd)
{
        reply_fd(call, NULL, fd);
}

void call_reply_text_and_fd(struct call *call, const char *text, int fd)
{
        reply_fd(call, text, fd);
}

/* ---- errors ---- */

const char *call_get_member(const struct call *call)
{
        return call->method ? call->method->name : dbus_message_get_member(call->message);
}

/* Was the call allowed, so that what failed is its work? */
static bool is_begun(const struct call *call)
{
        return call->access && !call->access[call->granted].action;
}

/* Work that failed with nobody there to hear of it: those who watch the connection do. */
static void report_unheard(struct call *call, const GError *error)
{
        const struct target *target = &call->target;

        if (is_awaited(call) || !is_begun(call) || call->method->run != INTERFACE_RUN_LANE ||
            !target->connect)
                return;
        model_report(target->connect->model, target->branch ? target->branch->kind->model : MODEL_KIND_COUNT,
                     target->object, error);
}

static void answer_failure(struct call *call, const GError *error)
{
        log_info("%s of %s on %s for %s failed: %s", call_get_member(call),
                 dbus_message_get_interface(call->message), dbus_message_get_path(call->message),
                 call->caller->name, error->message);
        caller_set_error(call->caller, call->target.connect, error);
        report_unheard(call, error);
        call->failure = ERROR_NAME;
        call->failure_number = error_get_code(error);
        send(call, dbus_message_new_error(call->message, ERROR_NAME, error->message));
}

void call_fail(struct call *call, const GError *error)
{
        if (call->message)
                answer_failure(call, error);
        call_end(call);
}

void call_fail_with(struct call *call, enum error_domain from, enum error_code code, const char *format, ...)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        error_set(&error, from, code, "%s", text);
        call_fail(call, error);
}

void call_refuse(struct call *call, const char *name, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        g_assert(call->message);
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        log_debug("%s for %s refused: %s", call_get_member(call), call->caller->name, text);
        call->failure = name;
        send(call, dbus_message_new_error(call->message, name, text));
        call_end(call);
}

void call_abandon(struct call *call, const GError *error)
{
        answer_failure(call, error);
        settle(call);
        /* Whom it was about may be known by what goes with the bus. */
        call_drop_object(call);
}

/* ---- ends of work ---- */

void call_done_collected(const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "");
}

void call_done(struct managed *object, const GError *error, void *data)
{
        call_done_collected(error, data);
}

void call_done_with_object(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply_object(call, tree_find_branch_of(call->target.connect, object), object);
}

void call_done_with_text(const char *text, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply(call, "s", text);
}
