/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to other services, by sd-bus(3). In a lane. */
#include "base/system-call.h"

#include "base/error.h"
#include "base/system-call-private.h"

#include <errno.h>
#include <string.h>

struct answer {
        bool done;
        sd_bus_message *message; /* ref */
};

static int take_answer(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct answer *answer = data;

        answer->done = true;
        answer->message = sd_bus_message_ref(message);
        return 0;
}

static bool fail(const char *service, const char *member, int result, const char *said, GError **error)
{
        if (result == -ECANCELED)
                return error_set(error, ERROR_FROM_DBUS, ERROR_OPERATION_ABORTED, "%s of %s was cancelled",
                                 member, service);
        if (result == -ETIMEDOUT)
                return error_set(error, ERROR_FROM_DBUS, ERROR_OPERATION_TIMEOUT, "%s does not answer %s",
                                 service, member);
        return error_set(error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "%s fails at %s: %s", service, member,
                         said ? said : g_strerror(result < 0 ? -result : EIO));
}

bool system_call_wait(struct lane *lane, sd_bus *bus, const bool *done, lane_deadline deadline,
                      const char *service, const char *member, GError **error)
{
        while (!*done) {
                int result = sd_bus_process(bus, NULL);
                enum lane_wake wake;

                if (result < 0)
                        return fail(service, member, result, NULL, error);
                if (result > 0)
                        continue;
                wake = lane_wait(lane, sd_bus_get_fd(bus), (short)sd_bus_get_events(bus), NULL, deadline);
                if (wake != LANE_READY)
                        return fail(service, member, wake == LANE_TIMEOUT ? -ETIMEDOUT : -ECANCELED, NULL,
                                    error);
        }
        return true;
}

/* Takes the answer apart. */
static bool judge(const char *service, const char *member, struct answer *answer, sd_bus_message **reply,
                  char **name, GError **error)
{
        const sd_bus_error *failure = NULL;

        if (sd_bus_message_is_method_error(answer->message, NULL))
                failure = sd_bus_message_get_error(answer->message);
        if (failure && name)
                *name = g_strdup(failure->name);
        if (failure)
                return fail(service, member, -EIO, failure->message, error);
        if (reply)
                *reply = sd_bus_message_ref(answer->message);
        return true;
}

bool system_call_exchange(struct lane *lane, sd_bus *bus, sd_bus_message *message, lane_deadline deadline,
                          sd_bus_message **reply, char **name, GError **error)
{
        g_autofree char *service = g_strdup(message ? sd_bus_message_get_destination(message) : NULL);
        g_autofree char *member = g_strdup(message ? sd_bus_message_get_member(message) : NULL);
        struct answer answer = { 0 };
        sd_bus_slot *slot = NULL;
        /* The deadline is ours to keep. */
        int result =
                message ? sd_bus_call_async(bus, &slot, message, take_answer, &answer, UINT64_MAX) : -ENOMEM;
        bool ok;

        if (result < 0)
                ok = fail(service ? service : "D-Bus", member ? member : "a message", result, NULL, error);
        else
                ok = system_call_wait(lane, bus, &answer.done, deadline, service, member, error) &&
                     judge(service, member, &answer, reply, name, error);
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(answer.message);
        sd_bus_message_unref(message);
        return ok;
}

static sd_bus_message *make_message(sd_bus *bus, const struct system_call *call)
{
        sd_bus_message *message = NULL;

        if (sd_bus_message_new_method_call(bus, &message, call->service, call->path, call->interface,
                                           call->member) < 0)
                return NULL;
        for (unsigned i = 0; call->arguments[i]; i++)
                sd_bus_message_append(message, "s", call->arguments[i]);
        return message;
}

bool system_call_run(struct lane *lane, const struct system_call *call, unsigned timeout_ms, GError **error)
{
        sd_bus *bus = NULL;
        int result = sd_bus_open_system(&bus);
        bool done;

        if (result < 0)
                return fail(call->service, call->member, result, NULL, error);
        done = system_call_exchange(lane, bus, make_message(bus, call), lane_deadline_in(timeout_ms), NULL,
                                    NULL, error);
        sd_bus_close_unref(bus);
        return done;
}
