/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs and migrations of QEMU's that nobody in this agent began: ended, or left alone where they have an
 * operation. Lane of the domain.
 */
#include "drivers/qemu/guest-job.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/depart.h"
#include "drivers/qemu/guest-job-private.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

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
        const char *status = qmp_get_text(arguments, "status");
        struct foreign_job *job = data;

        if (strcmp(event, "JOB_STATUS_CHANGE") != 0)
                return true;
        if (strcmp(status, "concluded") == 0)
                dismiss(job->guest, qmp_get_text(arguments, "id"));
        if (strcmp(status, "null") == 0)
                forget_foreign(job);
        return true;
}

static void heed_foreign_job(const json_t *info, void *data)
{
        struct foreign_job *job = data;

        if (!info)
                forget_foreign(job);
        else if (strcmp(qmp_get_text(info, "status"), "concluded") == 0)
                dismiss(job->guest, qmp_get_text(info, "id"));
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
        const char *id = qmp_get_text(entry, "id");
        struct foreign_job *job = g_new(struct foreign_job, 1);

        log_notice("%s: job '%s' of an agent that is gone is cancelled", guest->who, id);
        job->guest = guest;
        job->route = route_add(&guest->routes, ROUTE_JOB, id, &foreign_job_route, job);
        if (strcmp(qmp_get_text(entry, "status"), "concluded") == 0) {
                dismiss(guest, id);
                return;
        }
        if (g_str_has_prefix(id, DEPART_DISKS_PREFIX))
                depart_disks_cut(guest, id);
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
                const char *id = qmp_get_text(entry, "id");

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

/* A dump that an agent which is gone has begun goes on, and QEMU lets no guest run before its end. */
static bool is_dumped(struct guest *guest)
{
        json_t *answer = NULL;
        bool is_active;

        if (!qmp_execute(guest->qmp, "query-dump", NULL, QMP_TIMEOUT_MS, &answer, NULL))
                return false;
        is_active = strcmp(qmp_get_text(answer, "status"), "active") == 0;
        json_decref(answer);
        return is_active;
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
               !(guest->awaits_dump = is_dumped(guest)) && deadline > lane_deadline_in(0) &&
               lane_wait(guest->domain->base.lane, -1, 0, NULL, lane_deadline_in(GUEST_JOB_SETTLE_MS)) ==
                       LANE_TIMEOUT) {
                g_clear_error(&error);
                id = qmp_send(guest->qmp, "cont", NULL);
        }
        if (error && guest->awaits_dump)
                return;
        if (error) {
                log_gerror(LOG_LEVEL_WARNING, error, "%s stays paused", guest->who);
                return;
        }
        qmp_claim_events(guest->qmp, id, "RESUME");
        domain_transition(guest->domain, DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED, DOMAIN_EVENT_RESUMED,
                          DOMAIN_EVENT_RESUMED_UNPAUSED);
}

void guest_jobs_heed_dump(struct guest *guest)
{
        if (guest->awaits_dump) {
                guest->awaits_dump = false;
                go_on(guest);
        }
}

static void heed_foreign_cancel(const json_t *result, const GError *error, void *data)
{
        struct guest *guest = data;

        guest->ends_migration = false;
        go_on(guest);
}

/* As its agent has left it: that may be over by now. */
static bool arrives_in_postcopy(const struct domain_state *state)
{
        return state->state == DOMAIN_RUNNING &&
               (state->reason == DOMAIN_RUNNING_POSTCOPY || state->reason == DOMAIN_RUNNING_POSTCOPY_FAILED);
}

/*
 * Post-copy was about to begin, and is not with disks that go along before somebody says so: that was the
 * agent that is gone. So the guest is here, whatever the other side thinks of it.
 */
static bool is_before_postcopy(const char *status, const json_t *jobs)
{
        const json_t *entry;
        size_t i;

        if (strcmp(status, "pre-switchover") == 0)
                return true;
        if (strcmp(status, "setup") != 0 && strcmp(status, "active") != 0)
                return false;
        json_array_foreach(jobs, i, entry)
        {
                if (g_str_has_prefix(qmp_get_text(entry, "id"), DEPART_DISKS_PREFIX))
                        return true;
        }
        return false;
}

static void resync_migration(struct guest *guest, const json_t *info, const json_t *jobs)
{
        const char *status = qmp_get_text(info, "status");

        if (routes_resync(&guest->routes, ROUTE_MIGRATION, "", info) || !guest->inherited)
                return;
        /* What that one was to be encrypted with is not for the next. */
        if (*status && strcmp(status, "none") != 0) {
                qmp_forget(guest->qmp, qmp_send(guest->qmp, "migrate-set-parameters",
                                                json_pack("{s:s}", "tls-creds", "")));
                qmp_forget(guest->qmp,
                           qmp_send(guest->qmp, "object-del", json_pack("{s:s}", "id", MIGRATION_TLS_ID)));
        }
        /* Where the guest is has to be found out first; it is not let go on before that. */
        if (guest->status->departure.cookie) {
                if (is_before_postcopy(status, jobs)) {
                        qmp_forget(guest->qmp, qmp_send(guest->qmp, "migrate_cancel", NULL));
                        guest_job_let_cancel(guest->qmp);
                }
                return;
        }
        migration_give_back(guest);
        if (guest_job_is_postcopy(status) || arrives_in_postcopy(domain_get_current(guest->domain))) {
                arrive_follow(guest);
                go_on(guest);
                return;
        }
        if (!*status || strcmp(status, "none") == 0 || guest_job_is_over(status)) {
                go_on(guest);
                return;
        }
        log_notice("%s: the migration of an agent that is gone is cancelled", guest->who);
        guest->ends_migration = true;
        qmp_call(guest->qmp, "migrate_cancel", NULL, QMP_TIMEOUT_JOB_MS, heed_foreign_cancel, guest);
        guest_job_let_cancel(guest->qmp);
}

void guest_jobs_resync(struct guest *guest, const json_t *jobs, const json_t *migration)
{
        if (jobs)
                resync_jobs(guest, jobs);
        if (migration)
                resync_migration(guest, migration, jobs);
        guest->inherited = guest->inherited && (!jobs || !migration);
}
