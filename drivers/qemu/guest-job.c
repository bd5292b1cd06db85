/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs and migrations of QEMU's as passive steps of operations. Events say when one is over, a question now
 * and then how far it is. Lane of the domain.
 */
#include "drivers/qemu/guest-job.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/guest-job-private.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

/* Between two questions. */
#define ASK_MS 500
/* For a connection to the other side, and what both tell each other first. */
#define RESUME_MS 30000

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
        ask_in(job, job->over ? GUEST_JOB_SETTLE_MS : ASK_MS);
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
                if (strcmp(qmp_get_text(entry, "id"), id) == 0)
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
        uint64_t now = qmp_get_count(entry, "current-progress"),
                 total = qmp_get_count(entry, "total-progress");
        const struct job_amount amount = { total, now, total > now ? total - now : 0, 0 };
        const char *status = qmp_get_text(entry, "status");

        if (!entry) {
                end(job, "QEMU knows nothing of it any more");
                return;
        }
        if (job->dismissed)
                return;
        operation_set_progress(job->op, &(struct job_progress){ .data = amount, .disk = amount });
        if (strcmp(status, "concluded") == 0) {
                job->dismissed = true;
                if (*qmp_get_text(entry, "error"))
                        job->problem = g_strdup(qmp_get_text(entry, "error"));
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
        const char *status = qmp_get_text(arguments, "status");
        struct guest_job *job = data;

        if (strcmp(event, "JOB_STATUS_CHANGE") == 0 && !job->dismissed &&
            (strcmp(status, "concluded") == 0 || strcmp(status, "ready") == 0))
                say(job, "query-jobs", NULL, heed_jobs);
        return true;
}

static const struct route_ops job_route = { .event = on_job_event, .resync = heed_job, .gone = gone };

/* ---- migration ---- */

static struct job_amount get_amount(const json_t *part)
{
        const double bytes_per_megabit = 1000000.0 / 8;

        return (struct job_amount){
                .total = qmp_get_count(part, "total"),
                .processed = qmp_get_count(part, "transferred"),
                .remaining = qmp_get_count(part, "remaining"),
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
                .pages = { .size = qmp_get_count(ram, "page-size"),
                           .constant = qmp_get_count(ram, "duplicate"),
                           .normal = qmp_get_count(ram, "normal"),
                           .normal_bytes = qmp_get_count(ram, "normal-bytes"),
                           .dirty_per_second = qmp_get_count(ram, "dirty-pages-rate"),
                           .iteration = qmp_get_count(ram, "dirty-sync-count"),
                           .postcopy_requests = qmp_get_count(ram, "postcopy-requests") },
                .compression = { .cache = qmp_get_count(xbzrle, "cache-size"),
                                 .bytes = qmp_get_count(xbzrle, "bytes"),
                                 .pages = qmp_get_count(xbzrle, "pages"),
                                 .cache_misses = qmp_get_count(xbzrle, "cache-miss"),
                                 .overflow = qmp_get_count(xbzrle, "overflow") },
                .downtime_ms = qmp_get_count(info, json_object_get(info, "downtime") ? "downtime"
                                                                                     : "expected-downtime"),
                .setup_ms = qmp_get_count(info, "setup-time"),
                .throttle_percent = qmp_get_count(info, "cpu-throttle-percentage"),
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
        if (!result || strcmp(qmp_get_text(result, "status"), "finish-migrate") == 0)
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

/* It has stalled before, and does not any more. */
static void tell_resumed(struct guest_job *job)
{
        struct domain *domain = job->guest->domain;
        const struct domain_state *state = domain_get_current(domain);

        job->resumes = 0;
        if (!job->follows)
                return;
        g_clear_error(&job->failure);
        if (state->state == DOMAIN_PAUSED && state->reason == DOMAIN_PAUSED_POSTCOPY_FAILED)
                domain_set_state(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_POSTCOPY, DOMAIN_EVENT_SUSPENDED,
                                 DOMAIN_EVENT_SUSPENDED_POSTCOPY);
}

/* QEMU is told to, and connects behind that; when it cannot it is paused as it was, and says nothing. */
static void heed_cut(struct guest_job *job)
{
        if (!job->resumes)
                end(job, "the way to the other side is cut, where some of the guest's memory is missing");
        else if (job->resumes < lane_deadline_in(0))
                end(job, "the emulator does not get through to the other side");
        else
                ask_later(job);
}

/*
 * The guest has stopped, and QEMU can still fail to have sent what the other side cannot run without, and let
 * it go on; it has not when it says so twice, a moment apart.
 */
static void heed_postcopy(struct guest_job *job, const char *status)
{
        bool seen = job->seen && domain_get_current(job->guest->domain)->state != DOMAIN_RUNNING;

        job->seen = true;
        if (strcmp(status, "postcopy-active") == 0)
                tell_resumed(job);
        if (strcmp(status, "postcopy-paused") == 0)
                heed_cut(job);
        else if (!job->follows && seen)
                finish(job, NULL);
        else
                ask_in(job, job->follows ? ASK_MS : GUEST_JOB_SETTLE_MS);
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
        const char *status = qmp_get_text(info, "status"), *problem = qmp_get_text(info, "error-desc");

        if (job->uri || job->over)
                return; /* It has not begun: what is said is of another one. Or it is known. */
        if (!*status) {
                end(job, "QEMU knows nothing of it any more");
                return;
        }
        set_migration_progress(job, info);
        if (guest_job_is_postcopy(status)) {
                heed_postcopy(job, status);
        } else if (!guest_job_is_over(status)) {
                ask_later(job);
                wait_before_switch(job, status);
        } else if (strcmp(status, "completed") == 0)
                let_go(job, job->failure ? judge(job, "") : NULL);
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
        const char *status = qmp_get_text(arguments, "status");
        struct guest_job *job = data;

        if (strcmp(event, "STOP") == 0)
                return on_stop(job);
        if (strcmp(event, "MIGRATION") != 0)
                return false;
        if (!job->uri && !job->over &&
            (guest_job_is_over(status) || guest_job_is_postcopy(status) ||
             strcmp(status, "pre-switchover") == 0))
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

/* What it refuses may be what it does already, by a connection that came late. */
static void heed_resumption(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        job->call = 0;
        if (error) {
                job->resumes = 0;
                job->failure = g_error_copy(error);
        }
        ask(job);
}

bool guest_job_begin_resuming(struct guest_job *job, struct operation *op, const char *uri, GError **error)
{
        if (!init(job, op, ROUTE_MIGRATION, "", error))
                return false;
        job->follows = true;
        job->resumes = lane_deadline_in(RESUME_MS);
        say(job, "migrate", json_pack("{s:s, s:b}", "uri", uri, "resume", true), heed_resumption);
        return true;
}

static void heed_cancel(const json_t *result, const GError *error, void *data)
{
        struct guest_job *job = data;

        /* The event that it is over may have come before. */
        job->call = 0;
        ask(job);
}

/* Has QEMU sent all of the guest? Not known is that it may have. */
static bool may_be_over(const struct guest *guest)
{
        json_t *info = NULL;
        bool over;

        if (!qmp_execute(guest->qmp, "query-migrate", NULL, QMP_TIMEOUT_MS, &info, NULL))
                return true;
        over = guest_job_is_over(qmp_get_text(info, "status"));
        json_decref(info);
        return over;
}

/*
 * QEMU refuses "cont" from when it stops the guest for the switch until it has told that all is over, and
 * takes it again behind that: then what has gone over is not what the guest is any more, and it is here. So
 * it is when QEMU does not answer in time: it may do it at any moment.
 */
bool guest_job_let_run(struct guest_job *job, GError **error)
{
        const struct guest *guest = guest_of((struct domain *)job->op->object);
        g_autoptr(GError) failure = NULL;
        uint64_t id;

        if (!job->route || job->waits || job->postcopy || job->cancelled || job->over)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "%s goes on when its migration is over, which is about to be", guest->who);
        id = qmp_send(guest->qmp, "cont", NULL);
        if (!qmp_receive(guest->qmp, id, lane_deadline_in(QMP_TIMEOUT_MS), NULL, &failure)) {
                if (!error_is(failure, ERROR_OPERATION_FAILED))
                        guest_job_fail(job, make_error(job, ERROR_OPERATION_FAILED,
                                                       "has failed: QEMU has not answered whether the guest "
                                                       "was let go on, and may do it yet"));
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        qmp_claim_events(guest->qmp, id, "RESUME");
        if (!job->uri && may_be_over(guest))
                guest_job_fail(job, make_error(job, ERROR_OPERATION_FAILED,
                                               "has failed: the guest was let go on when it was about to be "
                                               "elsewhere, and runs here"));
        return true;
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

void guest_job_let_cancel(struct qmp *qmp)
{
        qmp_forget(qmp, qmp_send(qmp, "migrate-continue", json_pack("{s:s}", "state", "cancelling")));
        qmp_flush(qmp);
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
        if (job->call && job->before_switch)
                guest_job_let_cancel(job->guest->qmp);
}
