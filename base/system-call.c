/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to other services, by sd-bus(3). In a lane. */
#include "base/system-call.h"

#include "base/error.h"
#include "base/lane.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

struct answer {
        bool done;
        sd_bus_error error;
};

static int take_answer(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct answer *answer = data;

        answer->done = true;
        if (sd_bus_message_is_method_error(message, NULL))
                sd_bus_error_copy(&answer->error, sd_bus_message_get_error(message));
        return 0;
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

/* Until the answer is there; less than 0: a negative errno. */
static int wait_answer(struct lane *lane, sd_bus *bus, struct answer *answer, lane_deadline deadline)
{
        while (!answer->done) {
                int result = sd_bus_process(bus, NULL);
                enum lane_wake wake;

                if (result < 0)
                        return result;
                if (result > 0)
                        continue;
                wake = lane_wait(lane, sd_bus_get_fd(bus), (short)sd_bus_get_events(bus), NULL, deadline);
                if (wake != LANE_READY)
                        return wake == LANE_TIMEOUT ? -ETIMEDOUT : -ECANCELED;
        }
        return 0;
}

static int call_on(sd_bus *bus, struct lane *lane, const struct system_call *call, unsigned timeout_ms,
                   struct answer *answer)
{
        sd_bus_message *message = make_message(bus, call);
        sd_bus_slot *slot = NULL;
        int result = message ? sd_bus_call_async(bus, &slot, message, take_answer, answer,
                                                 (uint64_t)timeout_ms * G_TIME_SPAN_MILLISECOND)
                             : -ENOMEM;

        if (result >= 0)
                result = wait_answer(lane, bus, answer, lane_deadline_in(timeout_ms));
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(message);
        return result;
}

static bool fail(const struct system_call *call, int result, const struct answer *answer, GError **error)
{
        if (result == -ECANCELED)
                return error_set(error, ERROR_FROM_DBUS, ERROR_OPERATION_ABORTED, "%s of %s was cancelled",
                                 call->member, call->service);
        if (result == -ETIMEDOUT)
                return error_set(error, ERROR_FROM_DBUS, ERROR_OPERATION_TIMEOUT, "%s does not answer %s",
                                 call->service, call->member);
        return error_set(
                error, ERROR_FROM_DBUS, ERROR_DBUS_SERVICE, "%s fails at %s: %s", call->service, call->member,
                answer->error.message ? answer->error.message : g_strerror(result < 0 ? -result : EIO));
}

bool system_call_run(struct lane *lane, const struct system_call *call, unsigned timeout_ms, GError **error)
{
        struct answer answer = { .error = SD_BUS_ERROR_NULL };
        sd_bus *bus = NULL;
        int result = sd_bus_open_system(&bus);
        bool done;

        if (result >= 0)
                result = call_on(bus, lane, call, timeout_ms, &answer);
        done = result >= 0 && !sd_bus_error_is_set(&answer.error);
        if (!done)
                fail(call, result, &answer, error);
        sd_bus_error_free(&answer.error);
        sd_bus_close_unref(bus);
        return done;
}
