/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs and migrations of QEMU's as passive steps of operations. Events say when one is over, a question now
 * and then how far it is. Lane of the domain.
 */
#include "drivers/qemu/guest-job.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/depart.h"

#include <string.h>

/* Between two questions. */
#define ASK_MS 500
/* For QEMU to let go of a guest that it has migrated: a matter of a thread's turn. */
#define SETTLE_MS 10

static const char *get_string(const json_t *object, const char *name)
{
        const char *value = json_string_value(json_object_get(object, name));

        return value ? value : "";
}

/* Numbers of QEMU's are not negative. */
static uint64_t get_number(const json_t *object, const char *name)
{
        json_int_t value = json_integer_value(json_object_get(object, name));

        return value > 0 ? (uint64_t)value : 0;
}

/* ---- the end ---- */

/* Takes error. */
static void finish(struct guest_job *job, GError *error)
{
        g_clear_pointer(&job->timer, lane_timer_free);
        if (job->call && job->guest->qmp)
                qmp_forget(job->guest->qmp, job->call);
        job->call = 0;
        g_clear_pointer(&job->route, route_remove);
        g_clear_pointer(&job->id, g_free);
        g_clear_pointer(&job->uri, g_free);
        g_clear_pointer(&job->problem, g_free);
        g_clear_error(&job->result);
        g_clear_error(&job->failure);
        if (error && job->explain && !job->cancelled)
                job->explain(job, &error);
        operation_complete(job->op, error);
}

static GError *make_error(const struct guest_job *job, enum error_code code, const char *what)
{
        GError *error = NULL;

        error_set(&error, ERROR_FROM_QEMU, code, "'%s' of %s %s", job->op->kind->name, job->guest->who, what);
        return error;
}

/* What became of it; NULL: it went well. */
static GError *judge(const struct guest_job *job, const char *problem)
{
        g_autofree char *quoted = *problem ? error_quote(problem) : NULL;
        g_autofree char *what = quoted ? g_strdup_printf("failed: %s", quoted) : NULL;

        if (job->failure)
                return g_error_copy(job->failure);
        if (job->cancelled)
                return make_error(job, ERROR_OPERATION_ABORTED, "was cancelled");
        return what ? make_error(job, ERROR_OPERATION_FAILED, what) : NULL;
}

static void end(struct guest_job *job, const char *problem)
{
        finish(job, judge(job, problem));
}

static void gone(void *data)
{
        struct guest_job *job = data;

        job->route = NULL;
        finish(job, make_error(job, ERROR_OPERATION_FAILED, "ended with its guest"));
}

/* ---- asking ---- */

static void ask(void *data);

static void ask_in(struct guest_job *job, unsigned ms)
{
        lane_timer_free(job->timer);
        job->timer = lane_timer_new(job->guest->domain->base.lane, ms, ask, job);
}

static void ask_later(struct guest_job *job)
{
        ask_in(job, job->over ? SETTLE_MS : ASK_MS);
}

/* One command at a time; what was asked before is not waited for any more. */
static void say(struct guest_job *job, const char *command, json_t *arguments, qmp_reply_fn fn)
{
        struct qmp *qmp;

        if (job->call && job->guest->qmp)
                qmp_forget(job->guest->qmp, job->call);
        job->call = 0;
        qmp = guest_get_monitor(job->guest, NULL);
        if (!qmp) {
                json_decref(arguments);
                ask_later(job);
                return;
        }
        job->call = qmp_call(qmp, command, arguments, QMP_TIMEOUT_JOB_MS, fn, job);
}

/* ---- jobs ---- */

static const json_t *find_job(const json_t *jobs, const char *id)
{
        const json_t *entry;
        size_t i;

        json_array_foreach(jobs, i, entry)
        {
                if (strcmp(get_string(entry, "id"), id) == 0)
                        return entry;
        }
        return NULL;
}

static void heed_dismissal(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;
        g_autofree char *problem = g_steal_pointer(&job->problem);

        job->call = 0;
        end(job, problem ? problem : "");
}

static void heed_completion(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        ask_later(job);
}

static void heed_job(const json_t *entry, void *data)
{
        struct guest_job *job = data;
        uint64_t now = get_number(entry, "current-progress"), total = get_number(entry, "total-progress");
        const struct job_amount amount = { total, now, total > now ? total - now : 0, 0 };
        const char *status = get_string(entry, "status");

        if (!entry) {
                end(job, "QEMU knows nothing of it any more");
                return;
        }
        if (job->dismissed)
                return;
        operation_set_progress(job->op, &(struct job_progress){ .data = amount, .disk = amount });
        if (strcmp(status, "concluded") == 0) {
                job->dismissed = true;
                if (*get_string(entry, "error"))
                        job->problem = g_strdup(get_string(entry, "error"));
                say(job, "job-dismiss", json_pack("{s:s}", "id", job->id), heed_dismissal);
        } else if (strcmp(status, "ready") == 0 && !job->cancelled) {
                say(job, "job-complete", json_pack("{s:s}", "id", job->id), heed_completion);
        } else {
                ask_later(job);
        }
}

static void heed_jobs(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        if (result)
                heed_job(find_job(result, job->id), job);
        else
                ask_later(job);
}

static bool on_job_event(const char *event, const json_t *arguments, void *data)
{
        const char *status = get_string(arguments, "status");
        struct guest_job *job = data;

        if (strcmp(event, "JOB_STATUS_CHANGE") == 0 && !job->dismissed &&
            (strcmp(status, "concluded") == 0 || strcmp(status, "ready") == 0))
                say(job, "query-jobs", NULL, heed_jobs);
        return true;
}

static const struct route_ops job_route = { .event = on_job_event, .resync = heed_job, .gone = gone };

/* ---- migration ---- */

static bool is_over(const char *status)
{
        return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
               strcmp(status, "cancelled") == 0;
}

static bool is_postcopy(const char *status)
{
        return g_str_has_prefix(status, "postcopy-");
}

static struct job_amount get_amount(const json_t *part)
{
        const double bytes_per_megabit = 1000000.0 / 8;

        return (struct job_amount){
                .total = get_number(part, "total"),
                .processed = get_number(part, "transferred"),
                .remaining = get_number(part, "remaining"),
                .per_second = (uint64_t)CLAMP(
                        json_number_value(json_object_get(part, "mbps")) * bytes_per_megabit, 0, 1e15),
        };
}

static void set_migration_progress(struct guest_job *job, const json_t *info)
{
        const json_t *ram = json_object_get(info, "ram"), *xbzrle = json_object_get(info, "xbzrle-cache");
        struct job_progress progress = {
                .memory = get_amount(ram),
                .disk = get_amount(json_object_get(info, "disk")),
                .pages = { .size = get_number(ram, "page-size"),
                           .constant = get_number(ram, "duplicate"),
                           .normal = get_number(ram, "normal"),
                           .normal_bytes = get_number(ram, "normal-bytes"),
                           .dirty_per_second = get_number(ram, "dirty-pages-rate"),
                           .iteration = get_number(ram, "dirty-sync-count"),
                           .postcopy_requests = get_number(ram, "postcopy-requests") },
                .compression = { .cache = get_number(xbzrle, "cache-size"),
                                 .bytes = get_number(xbzrle, "bytes"),
                                 .pages = get_number(xbzrle, "pages"),
                                 .cache_misses = get_number(xbzrle, "cache-miss"),
                                 .overflow = get_number(xbzrle, "overflow") },
                .downtime_ms = get_number(info, json_object_get(info, "downtime") ? "downtime"
                                                                                  : "expected-downtime"),
                .setup_ms = get_number(info, "setup-time"),
                .throttle_percent = get_number(info, "cpu-throttle-percentage"),
        };

        if (job->get_disks)
                progress.disk = job->get_disks(job);
        progress.data = (struct job_amount){
                .total = progress.memory.total + progress.disk.total,
                .processed = progress.memory.processed + progress.disk.processed,
                .remaining = progress.memory.remaining + progress.disk.remaining,
                .per_second = progress.memory.per_second + progress.disk.per_second,
        };
        operation_set_progress(job->op, &progress);
}

static void heed_status(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        if (!result || strcmp(get_string(result, "status"), "finish-migrate") == 0)
                ask_later(job);
        else
                finish(job, g_steal_pointer(&job->result));
}

/*
 * QEMU tells that a migration is over a moment before it lets go of the guest, and refuses "cont" until then.
 * Takes result.
 */
static void let_go(struct guest_job *job, GError *result)
{
        job->over = true;
        job->result = result;
        ask(job);
}

/*
 * The guest has stopped, and QEMU can still fail to have sent what the other side cannot run without, and let
 * it go on; it has not when it says so twice, a moment apart.
 */
static void heed_postcopy(struct guest_job *job, const char *status)
{
        bool seen = job->seen && domain_get_current(job->guest->domain)->state != DOMAIN_RUNNING;

        job->seen = true;
        if (strcmp(status, "postcopy-paused") == 0)
                end(job, "the way to the other side is cut, where some of the guest's memory is missing");
        else if (!job->follows && seen)
                finish(job, NULL);
        else
                ask_in(job, job->follows ? ASK_MS : SETTLE_MS);
}

static void wait_before_switch(struct guest_job *job, const char *status)
{
        if (strcmp(status, "pre-switchover") != 0 || job->waits || job->cancelled || !job->before_switch)
                return;
        job->waits = true;
        job->before_switch(job);
}

static void heed_migration(const json_t *info, void *data)
{
        struct guest_job *job = data;
        const char *status = get_string(info, "status"), *problem = get_string(info, "error-desc");

        if (job->uri || job->over)
                return; /* It has not begun: what is said is of another one. Or it is known. */
        if (!*status) {
                end(job, "QEMU knows nothing of it any more");
                return;
        }
        set_migration_progress(job, info);
        if (is_postcopy(status)) {
                heed_postcopy(job, status);
        } else if (!is_over(status)) {
                ask_later(job);
                wait_before_switch(job, status);
        } else if (strcmp(status, "completed") == 0)
                let_go(job, NULL);
        else
                let_go(job, judge(job, *problem ? problem : status));
}

static void heed_query(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        if (result)
                heed_migration(result, job);
        else
                ask_later(job);
}

static bool on_stop(struct guest_job *job)
{
        struct domain *domain = job->guest->domain;

        if (!job->departs || domain_get_current(domain)->state != DOMAIN_RUNNING)
                return false;
        domain_transition(domain, DOMAIN_PAUSED,
                          job->postcopy ? DOMAIN_PAUSED_POSTCOPY : DOMAIN_PAUSED_MIGRATION,
                          DOMAIN_EVENT_SUSPENDED,
                          job->postcopy ? DOMAIN_EVENT_SUSPENDED_POSTCOPY : DOMAIN_EVENT_SUSPENDED_MIGRATED);
        return true;
}

static bool on_migration_event(const char *event, const json_t *arguments, void *data)
{
        const char *status = get_string(arguments, "status");
        struct guest_job *job = data;

        if (strcmp(event, "STOP") == 0)
                return on_stop(job);
        if (strcmp(event, "MIGRATION") != 0)
                return false;
        if (!job->uri && !job->over &&
            (is_over(status) || is_postcopy(status) || strcmp(status, "pre-switchover") == 0))
                say(job, "query-migrate", NULL, heed_query);
        return true;
}

static const struct route_ops migration_route = {
        .event = on_migration_event,
        .resync = heed_migration,
        .gone = gone,
};

static void ask(void *data)
{
        struct guest_job *job = data;

        g_clear_pointer(&job->timer, lane_timer_free);
        if (job->id)
                say(job, "query-jobs", NULL, heed_jobs);
        else if (job->over)
                say(job, "query-status", NULL, heed_status);
        else
                say(job, "query-migrate", NULL, heed_query);
}

/* ---- beginning and cancelling ---- */

static bool init(struct guest_job *job, struct operation *op, enum route_key key, const char *name,
                 GError **error)
{
        struct guest *guest = guest_of((struct domain *)op->object);

        if (!managed_require_active(op->object, error) || !guest_get_monitor(guest, error))
                return false;
        *job = (struct guest_job){ .op = op, .guest = guest };
        job->route =
                route_add(&guest->routes, key, name, key == ROUTE_JOB ? &job_route : &migration_route, job);
        return true;
}

static void heed_beginning(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        if (error)
                finish(job, g_error_copy(error));
        else
                ask_later(job);
}

bool guest_job_begin(struct guest_job *job, struct operation *op, const char *id, const char *command,
                     json_t *arguments, GError **error)
{
        if (!init(job, op, ROUTE_JOB, id, error)) {
                json_decref(arguments);
                return false;
        }
        job->id = g_strdup(id);
        json_object_set_new(arguments, "job-id", json_string(id));
        json_object_set_new(arguments, "auto-dismiss", json_false());
        say(job, command, arguments, heed_beginning);
        return true;
}

/* Its events are on: now it can begin. */
static void migrate(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;
        g_autofree char *uri = g_steal_pointer(&job->uri);

        job->call = 0;
        if (error)
                finish(job, g_error_copy(error));
        else if (job->cancelled)
                end(job, "");
        else
                say(job, "migrate", json_pack("{s:s}", "uri", uri), heed_beginning);
}

bool guest_job_begin_migration(struct guest_job *job, struct operation *op, const char *uri,
                               json_t *capabilities, GError **error)
{
        if (!init(job, op, ROUTE_MIGRATION, "", error)) {
                json_decref(capabilities);
                return false;
        }
        job->uri = g_strdup(uri);
        say(job, "migrate-set-capabilities", capabilities, migrate);
        return true;
}

bool guest_job_start_postcopy(struct guest_job *job, GError **error)
{
        if (!job->route || job->uri || job->over)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "post-copy of %s cannot begin before the migration has, or behind it",
                                 guest_of((struct domain *)job->op->object)->who);
        job->postcopy = true;
        if (qmp_execute(job->guest->qmp, "migrate-start-postcopy", NULL, QMP_TIMEOUT_MS, NULL, error))
                return true;
        job->postcopy = false;
        return false;
}

bool guest_job_begin_following(struct guest_job *job, struct operation *op, GError **error)
{
        if (!init(job, op, ROUTE_MIGRATION, "", error))
                return false;
        job->follows = true;
        ask(job);
        return true;
}

static void heed_cancel(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        /* The event that it is over may have come before. */
        job->call = 0;
        ask(job);
}

static void heed_switch(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        ask_later(job);
        if (error)
                guest_job_fail(job, g_error_copy(error));
}

void guest_job_switch(struct guest_job *job)
{
        if (job->route && !job->cancelled && !job->over)
                say(job, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"), heed_switch);
}

void guest_job_fail(struct guest_job *job, GError *error)
{
        if (!job->route || job->cancelled || job->over) {
                g_error_free(error);
                return;
        }
        job->failure = error;
        guest_job_cancel(job);
}

void guest_job_cancel(struct guest_job *job)
{
        job->cancelled = true;
        if (job->uri || job->dismissed || job->over)
                return; /* It does not begin, or is over. */
        if (job->id)
                say(job, "job-cancel", json_pack("{s:s}", "id", job->id), heed_cancel);
        else
                say(job, "migrate_cancel", NULL, heed_cancel);
}

/* ---- what nobody here began ---- */

static void dismiss(struct guest *guest, const char *id)
{
        qmp_forget(guest->qmp, qmp_send(guest->qmp, "job-dismiss", json_pack("{s:s}", "id", id)));
        if (g_str_has_prefix(id, DEPART_DISKS_PREFIX))
                qmp_forget(guest->qmp,
                           qmp_send(guest->qmp, "blockdev-del", json_pack("{s:s}", "node-name", id)));
        qmp_flush(guest->qmp);
}

/* Until QEMU has forgotten it, or the guest is gone. */
struct foreign_job {
        struct guest *guest; /* borrowed */
        struct route *route; /* owned */
};

static void forget_foreign(void *data)
{
        struct foreign_job *job = data;

        route_remove(job->route);
        g_free(job);
}

static bool on_foreign_job(const char *event, const json_t *arguments, void *data)
{
        const char *status = get_string(arguments, "status");
        struct foreign_job *job = data;

        if (strcmp(event, "JOB_STATUS_CHANGE") != 0)
                return true;
        if (strcmp(status, "concluded") == 0)
                dismiss(job->guest, get_string(arguments, "id"));
        if (strcmp(status, "null") == 0)
                forget_foreign(job);
        return true;
}

static void heed_foreign_job(const json_t *info, void *data)
{
        struct foreign_job *job = data;

        if (!info)
                forget_foreign(job);
        else if (strcmp(get_string(info, "status"), "concluded") == 0)
                dismiss(job->guest, get_string(info, "id"));
}

static void lose_foreign(void *data)
{
        g_free(data);
}

static const struct route_ops foreign_job_route = {
        .event = on_foreign_job,
        .resync = heed_foreign_job,
        .gone = lose_foreign,
};

static void end_foreign_job(struct guest *guest, const json_t *entry)
{
        const char *id = get_string(entry, "id");
        struct foreign_job *job = g_new(struct foreign_job, 1);

        log_notice("%s: job '%s' of an agent that is gone is cancelled", guest->who, id);
        job->guest = guest;
        job->route = route_add(&guest->routes, ROUTE_JOB, id, &foreign_job_route, job);
        if (strcmp(get_string(entry, "status"), "concluded") == 0) {
                dismiss(guest, id);
                return;
        }
        qmp_forget(guest->qmp, qmp_send(guest->qmp, "job-cancel", json_pack("{s:s}", "id", id)));
        qmp_flush(guest->qmp);
}

static void resync_jobs(struct guest *guest, const json_t *jobs)
{
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        const json_t *entry;
        size_t i;

        json_array_foreach(jobs, i, entry)
        {
                const char *id = get_string(entry, "id");

                g_hash_table_add(names, (char *)id);
                if (!routes_resync(&guest->routes, ROUTE_JOB, id, entry) && *id && guest->inherited)
                        end_foreign_job(guest, entry);
        }
        routes_resync_missing(&guest->routes, ROUTE_JOB, names);
}

/* Was it paused by an operation? */
static bool is_paused_for_work(const struct domain_state *state)
{
        return state->state == DOMAIN_PAUSED &&
               (state->reason == DOMAIN_PAUSED_MIGRATION || state->reason == DOMAIN_PAUSED_SAVE ||
                state->reason == DOMAIN_PAUSED_DUMP || state->reason == DOMAIN_PAUSED_SNAPSHOT);
}

static void go_on(struct guest *guest)
{
        lane_deadline deadline = lane_deadline_in(QMP_TIMEOUT_MS);
        g_autoptr(GError) error = NULL;
        uint64_t id;

        if (!is_paused_for_work(domain_get_current(guest->domain)))
                return;
        id = qmp_send(guest->qmp, "cont", NULL);
        /* Refused as long as QEMU has not let go of what was cancelled. */
        while (!qmp_receive(guest->qmp, id, deadline, NULL, &error) &&
               error_is(error, ERROR_OPERATION_FAILED) && !qmp_is_broken(guest->qmp) &&
               deadline > lane_deadline_in(0) &&
               lane_wait(guest->domain->base.lane, -1, 0, NULL, lane_deadline_in(SETTLE_MS)) ==
                       LANE_TIMEOUT) {
                g_clear_error(&error);
                id = qmp_send(guest->qmp, "cont", NULL);
        }
        if (error) {
                log_gerror(LOG_LEVEL_WARNING, error, "%s stays paused", guest->who);
                return;
        }
        qmp_claim_events(guest->qmp, id, "RESUME");
        domain_transition(guest->domain, DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED, DOMAIN_EVENT_RESUMED,
                          DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static void heed_foreign_cancel(const json_t *result, const GError *error, void *data)
{
        go_on(data);
}

/* As its agent has left it: that may be over by now. */
static bool arrives_in_postcopy(const struct domain_state *state)
{
        return state->state == DOMAIN_RUNNING &&
               (state->reason == DOMAIN_RUNNING_POSTCOPY || state->reason == DOMAIN_RUNNING_POSTCOPY_FAILED);
}

static void resync_migration(struct guest *guest, const json_t *info)
{
        const char *status = get_string(info, "status");

        if (routes_resync(&guest->routes, ROUTE_MIGRATION, "", info) || !guest->inherited)
                return;
        /* What that one was to be encrypted with is not for the next. */
        if (*status && strcmp(status, "none") != 0)
                qmp_forget(guest->qmp, qmp_send(guest->qmp, "migrate-set-parameters",
                                                json_pack("{s:s}", "tls-creds", "")));
        /* Where the guest is has to be found out first. */
        if (guest->status->departure.cookie)
                return;
        if (is_postcopy(status) || arrives_in_postcopy(domain_get_current(guest->domain))) {
                arrive_follow(guest);
                go_on(guest);
                return;
        }
        if (!*status || strcmp(status, "none") == 0 || is_over(status)) {
                go_on(guest);
                return;
        }
        log_notice("%s: the migration of an agent that is gone is cancelled", guest->who);
        qmp_call(guest->qmp, "migrate_cancel", NULL, QMP_TIMEOUT_JOB_MS, heed_foreign_cancel, guest);
}

void guest_jobs_resync(struct guest *guest, const json_t *jobs, const json_t *migration)
{
        if (jobs)
                resync_jobs(guest, jobs);
        if (migration)
                resync_migration(guest, migration);
        guest->inherited = guest->inherited && (!jobs || !migration);
}
