/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dumps of guests' memory. Lane of the domain. */
#include "drivers/qemu/dump-job.h"

#include "base/error.h"

#include <string.h>

/* Between two questions how far it is. */
#define ASK_MS 500

/* Takes error. */
static void finish(struct dump_job *job, GError *error)
{
        g_clear_pointer(&job->timer, lane_timer_free);
        if (job->call && job->guest->qmp)
                qmp_forget(job->guest->qmp, job->call);
        job->call = 0;
        g_clear_pointer(&job->arguments, json_decref);
        g_clear_pointer(&job->route, route_remove);
        operation_complete(job->op, error);
}

static GError *make_error(const struct dump_job *job, const char *what)
{
        GError *error = NULL;

        error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "'dump' of %s %s", job->guest->who, what);
        return error;
}

static void gone(void *data)
{
        struct dump_job *job = data;

        job->route = NULL;
        finish(job, make_error(job, "ended with its guest"));
}

/* What QEMU says of it, in an event or an answer; true: it is over. */
static bool heed(struct dump_job *job, const json_t *info, const char *reason)
{
        const char *status = json_string_value(json_object_get(info, "status"));
        uint64_t now = (uint64_t)json_integer_value(json_object_get(info, "completed"));
        uint64_t total = (uint64_t)json_integer_value(json_object_get(info, "total"));
        const struct job_amount amount = { total, now, total > now ? total - now : 0, 0 };
        g_autofree char *quoted = reason ? error_quote(reason) : NULL;
        g_autofree char *what = g_strdup_printf("failed: %s", quoted ? quoted : "QEMU gives no reason");

        if (!status)
                return false;
        operation_set_progress(job->op, &(struct job_progress){ .data = amount, .memory = amount });
        if (strcmp(status, "active") == 0)
                return false;
        finish(job, strcmp(status, "completed") == 0 ? NULL : make_error(job, what));
        return true;
}

static bool on_event(const char *event, const json_t *arguments, void *data)
{
        const struct dump_job *job = data;

        /* The end of one that an agent which is gone has begun. */
        if (job->arguments)
                return false;
        return heed(data, json_object_get(arguments, "result"),
                    json_string_value(json_object_get(arguments, "error")));
}

static void ask(void *data);

static void ask_later(struct dump_job *job)
{
        lane_timer_free(job->timer);
        job->timer = lane_timer_new(job->guest->domain->base.lane, ASK_MS, ask, job);
}

static void heed_beginning(const json_t *result, const GError *error, void *data);

/* QEMU writes one dump at a time, and goes on with that of an agent which is gone. */
static void heed_others(const json_t *result, struct dump_job *job)
{
        struct qmp *qmp = guest_get_monitor(job->guest, NULL);

        if (!qmp || !result || g_strcmp0(json_string_value(json_object_get(result, "status")), "active") == 0)
                ask_later(job);
        else
                job->call = qmp_call(qmp, "dump-guest-memory", g_steal_pointer(&job->arguments),
                                     QMP_TIMEOUT_JOB_MS, heed_beginning, job);
}

static void heed_query(const json_t *result, const GError *error, void *data)
{
        struct dump_job *job = data;

        job->call = 0;
        if (job->arguments)
                heed_others(result, job);
        else if (!result || !heed(job, result, NULL))
                ask_later(job);
}

static void ask(void *data)
{
        struct dump_job *job = data;
        struct qmp *qmp = guest_get_monitor(job->guest, NULL);

        g_clear_pointer(&job->timer, lane_timer_free);
        if (qmp)
                job->call = qmp_call(qmp, "query-dump", NULL, QMP_TIMEOUT_JOB_MS, heed_query, job);
        else
                ask_later(job);
}

static void heed_beginning(const json_t *result, const GError *error, void *data)
{
        struct dump_job *job = data;

        job->call = 0;
        if (error)
                finish(job, g_error_copy(error));
        else
                ask_later(job);
}

static const struct route_ops dump_route = { .event = on_event, .gone = gone };

bool dump_job_begin(struct dump_job *job, struct operation *op, const char *fd_name, const char *format,
                    GError **error)
{
        struct guest *guest = guest_of((struct domain *)op->object);
        struct qmp *qmp = guest_get_monitor(guest, error);
        g_autofree char *protocol = g_strconcat("fd:", fd_name, NULL);
        json_t *arguments;

        if (!qmp)
                return false;
        *job = (struct dump_job){ .op = op, .guest = guest };
        job->route = route_add(&guest->routes, ROUTE_DUMP, "", &dump_route, job);
        arguments = json_pack("{s:b, s:s, s:b}", "paging", 0, "protocol", protocol, "detach", 1);
        if (format)
                json_object_set_new(arguments, "format", json_string(format));
        job->arguments = arguments;
        ask(job);
        return true;
}
