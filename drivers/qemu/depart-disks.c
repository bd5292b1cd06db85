/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that go along with a guest. Lane of the domain. */
#include "drivers/qemu/depart-disks.h"

#include "base/error.h"
#include "base/log.h"
#include "base/remote-bus.h"
#include "drivers/qemu/depart-nodes.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

/* Between two questions how far it is. */
#define ASK_MS 500
/* Between two looks whether a job that was told to end has, and how long it may take. */
#define END_ASK_MS 5
#define END_MS     10000
/*
 * For QEMU to say how far it is, which it does not while it waits for a host that takes nothing any more.
 * What is on its way when the guest is paused, up to 16 MiB, takes its time.
 */
#define HANG_MS 20000
/* Without any of it going over, when the guest is paused for the last. */
#define LAST_MS 30000
#define CUT_MS  1000

struct copying;

/* One disk. */
struct copy {
        struct copying *copying; /* borrowed */
        char *id;                /* owned; of its job, and of the node that is the other side's disk */
        struct route *route;     /* owned; NULL: nobody listens */
        uint64_t call;           /* block-job-cancel on the way; 0: none */
        bool has_node, has_job;
        bool ready, concluded;
        struct job_amount amount;
};

enum phase {
        COPYING,   /* depart_copy(), until all are ready */
        FOLLOWING, /* all is there, and what is written goes to both */
        FINISHING, /* told to end when both are the same */
        OVER,      /* nothing is asked or told any more */
};

struct copying {
        struct domain_departure *departure; /* borrowed */
        struct guest *guest;                /* borrowed; while it is not OVER */
        GPtrArray *copies;                  /* owned, struct copy */
        struct lane_timer *timer;           /* owned */
        uint64_t call;                      /* query-jobs on the way; 0: none */
        uint64_t processed;                 /* of all of them, when some of it went over last */
        lane_deadline deadline;             /* FINISHING: for the next of it to do so */
        enum phase phase;
        GError *failure;    /* owned; while nobody followed; NULL: none */
        depart_disks_fn fn; /* NULL: nobody follows */
        void *data;
};

static struct domain *domain_of(const struct domain_departure *departure)
{
        return (struct domain *)departure->base.object;
}

/* ---- the end ---- */

static void copy_free(void *data)
{
        struct copy *copy = data;

        g_assert(!copy->route && !copy->call);
        g_free(copy->id);
        g_free(copy);
}

/* Nobody hears of it any more; jobs and nodes stay as they are. */
static void stop_listening(struct copying *copying)
{
        struct qmp *qmp = copying->phase == OVER ? NULL : copying->guest->qmp;

        g_clear_pointer(&copying->timer, lane_timer_free);
        if (copying->call && qmp)
                qmp_forget(qmp, copying->call);
        copying->call = 0;
        for (unsigned i = 0; i < copying->copies->len; i++) {
                struct copy *copy = g_ptr_array_index(copying->copies, i);

                g_clear_pointer(&copy->route, route_remove);
                if (copy->call && qmp)
                        qmp_forget(qmp, copy->call);
                copy->call = 0;
        }
        copying->phase = OVER;
}

/* Takes error. */
static void tell(struct copying *copying, GError *error)
{
        enum phase phase = copying->phase;

        if (phase == COPYING && !error) {
                copying->phase = FOLLOWING;
                operation_complete(&copying->departure->base, NULL);
                return;
        }
        stop_listening(copying);
        if (phase == COPYING)
                operation_complete(&copying->departure->base, error);
        else if (copying->fn)
                copying->fn(error, copying->data);
        else
                copying->failure = error;
}

static GError *make_error(const struct copying *copying, enum error_code code, const char *what)
{
        GError *error = NULL;

        error_set(&error, ERROR_FROM_QEMU, code, "the disks of %s %s", copying->guest->who, what);
        return error;
}

static GError *make_failure(const struct guest *guest, const char *target, const char *problem)
{
        g_autofree char *quoted = error_quote(problem);
        GError *error = NULL;

        error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                  "disk '%s' of %s cannot be copied to the other host: %s", target, guest->who, quoted);
        return error;
}

static GError *fail_copy(const struct copy *copy, const char *problem)
{
        return make_failure(copy->copying->guest, copy->id + strlen(DEPART_DISKS_PREFIX), problem);
}

/* ---- another host that takes nothing any more ---- */

void depart_disks_cut(struct guest *guest, const char *node)
{
        json_t *instance = json_pack("{s:s, s:s}", "type", "block-node", "node-name", node);
        g_autoptr(GError) error = NULL;

        if (!qmp_execute_oob(guest->qmp, "yank", json_pack("{s:[o]}", "instances", instance), CUT_MS, NULL,
                             &error))
                log_gerror(LOG_LEVEL_INFO, error, "the connection of '%s' of %s is not cut", node,
                           guest->who);
}

/*
 * From now on QEMU waits for nobody there. The other side hears that it is to end, too: that is what helps
 * with a socket of this host, of which QEMU does not notice that it was shut down while it writes.
 */
static void cut(struct copying *copying)
{
        struct guest *guest = copying->guest;

        for (unsigned i = 0; guest->qmp && i < copying->copies->len; i++) {
                const struct copy *copy = g_ptr_array_index(copying->copies, i);

                if (copy->has_node)
                        depart_disks_cut(guest, copy->id);
        }
        g_clear_pointer(&copying->departure->bus, remote_bus_free);
}

static void give_up(struct copying *copying)
{
        cut(copying);
        tell(copying,
             make_error(copying, ERROR_OPERATION_TIMEOUT, "are not taken by the other host any more"));
}

static bool is_stuck(struct copying *copying, uint64_t processed)
{
        if (processed != copying->processed)
                copying->deadline = lane_deadline_in(LAST_MS);
        copying->processed = processed;
        return copying->phase == FINISHING && copying->deadline < lane_deadline_in(0);
}

/* ---- how far it is ---- */

static void ask(void *data);

static void ask_later(struct copying *copying)
{
        lane_timer_free(copying->timer);
        copying->timer = lane_timer_new(copying->guest->domain->base.lane, ASK_MS, ask, copying);
}

static bool all(const struct copying *copying, bool concluded)
{
        for (unsigned i = 0; i < copying->copies->len; i++) {
                const struct copy *copy = g_ptr_array_index(copying->copies, i);

                if (concluded ? !copy->concluded : !copy->ready)
                        return false;
        }
        return true;
}

static bool remove_all(struct copying *copying, GError **error)
{
        struct qmp *qmp = copying->guest->qmp;
        g_autofree uint64_t *ids = g_new0(uint64_t, copying->copies->len * 2);
        lane_deadline deadline = lane_deadline_in(QMP_TIMEOUT_MS);
        bool ok = true;

        for (unsigned i = 0; i < copying->copies->len; i++) {
                struct copy *copy = g_ptr_array_index(copying->copies, i);

                if (copy->has_job)
                        ids[2 * i] = qmp_send(qmp, "job-dismiss", json_pack("{s:s}", "id", copy->id));
                if (copy->has_node)
                        ids[2 * i + 1] =
                                qmp_send(qmp, "blockdev-del", json_pack("{s:s}", "node-name", copy->id));
                copy->has_job = copy->has_node = false;
        }
        for (unsigned i = 0; i < copying->copies->len * 2; i++) {
                if (ids[i] && !qmp_receive(qmp, ids[i], deadline, NULL, ok ? error : NULL))
                        ok = false;
        }
        return ok;
}

static void settle(struct copying *copying)
{
        GError *error = NULL;

        if (copying->phase == COPYING && all(copying, false))
                tell(copying, NULL);
        if (copying->phase == FINISHING && all(copying, true)) {
                remove_all(copying, &error);
                tell(copying, error);
        }
}

/* False: it has told that this one has failed. entry NULL: QEMU knows nothing of it. */
static bool heed_job(struct copy *copy, const json_t *entry)
{
        const char *status = qmp_get_text(entry, "status"), *problem = qmp_get_text(entry, "error");
        uint64_t now = qmp_get_count(entry, "current-progress"),
                 total = qmp_get_count(entry, "total-progress");
        struct copying *copying = copy->copying;

        copy->amount = (struct job_amount){ total, now, total > now ? total - now : 0, 0 };
        copy->ready = strcmp(status, "ready") == 0 || copying->phase != COPYING;
        copy->concluded = strcmp(status, "concluded") == 0;
        if (entry && !*problem && (!copy->concluded || copying->phase == FINISHING))
                return true;
        tell(copying, fail_copy(copy, *problem ? problem : "its job has ended"));
        return false;
}

static const json_t *find_job(const json_t *jobs, const char *id)
{
        const json_t *entry;
        size_t i;

        json_array_foreach((json_t *)jobs, i, entry)
        {
                if (strcmp(qmp_get_text(entry, "id"), id) == 0)
                        return entry;
        }
        return NULL;
}

static void heed_jobs(const json_t *jobs, const GError *error, void *data)
{
        struct copying *copying = data;
        struct job_amount amount;

        copying->call = 0;
        ask_later(copying);
        if (!jobs) {
                if (error_is(error, ERROR_OPERATION_TIMEOUT))
                        give_up(copying);
                return;
        }
        for (unsigned i = 0; i < copying->copies->len; i++) {
                struct copy *copy = g_ptr_array_index(copying->copies, i);

                if (!heed_job(copy, find_job(jobs, copy->id)))
                        return;
        }
        amount = depart_disks_get_amount(copying->departure);
        if (copying->phase == COPYING)
                operation_set_progress(&copying->departure->base,
                                       &(struct job_progress){ .data = amount, .disk = amount });
        if (is_stuck(copying, amount.processed))
                give_up(copying);
        else
                settle(copying);
}

/* One question at a time; what was asked before is not waited for any more. */
static void ask(void *data)
{
        struct copying *copying = data;
        struct qmp *qmp = guest_get_monitor(copying->guest, NULL);

        g_clear_pointer(&copying->timer, lane_timer_free);
        if (copying->call && qmp)
                qmp_forget(qmp, copying->call);
        copying->call = qmp ? qmp_call(qmp, "query-jobs", NULL, HANG_MS, heed_jobs, copying) : 0;
        if (!qmp)
                ask_later(copying);
}

static bool on_event(const char *event, const json_t *arguments, void *data)
{
        const char *status = qmp_get_text(arguments, "status");
        struct copy *copy = data;

        if (strcmp(event, "JOB_STATUS_CHANGE") == 0 &&
            (strcmp(status, "ready") == 0 || strcmp(status, "concluded") == 0))
                ask(copy->copying);
        return true;
}

/* Events may have been lost. */
static void resync(const json_t *info, void *data)
{
        struct copy *copy = data;

        ask(copy->copying);
}

static void gone(void *data)
{
        struct copy *copy = data;

        copy->route = NULL;
        tell(copy->copying, make_error(copy->copying, ERROR_OPERATION_FAILED, "went with it"));
}

static const struct route_ops route_ops = { .event = on_event, .resync = resync, .gone = gone };

struct job_amount depart_disks_get_amount(const struct domain_departure *departure)
{
        const struct copying *copying = departure->disks;
        struct job_amount sum = { 0 };

        for (unsigned i = 0; copying && i < copying->copies->len; i++) {
                const struct copy *copy = g_ptr_array_index(copying->copies, i);

                sum.total += copy->amount.total;
                sum.processed += copy->amount.processed;
                sum.remaining += copy->amount.remaining;
        }
        return sum;
}

/* ---- beginning ---- */

static bool begin_copy(struct copying *copying, const struct domain_disk *disk, GError **error)
{
        struct domain_departure *departure = copying->departure;
        struct copy *copy = g_new0(struct copy, 1);
        struct guest *guest = copying->guest;
        json_t *node;
        g_autoptr(GError) failure = NULL;

        copy->copying = copying;
        copy->id = g_strconcat(DEPART_DISKS_PREFIX, disk->target, NULL);
        g_ptr_array_add(copying->copies, copy);
        if (routes_has(&guest->routes, ROUTE_JOB, copy->id))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "the copying of disk '%s' by an agent that is gone has not ended yet",
                                 disk->target);
        copy->route = route_add(&guest->routes, ROUTE_JOB, copy->id, &route_ops, copy);
        node = depart_make_node(departure, disk, copy->id, error);
        if (!node)
                return false;
        if (!qmp_execute(guest->qmp, "blockdev-add", node, QMP_TIMEOUT_JOB_MS, NULL, &failure)) {
                /* What is not answered may have been done. */
                copy->has_node = !error_is(failure, ERROR_OPERATION_FAILED);
                g_propagate_error(error, make_failure(guest, disk->target, failure->message));
                return false;
        }
        copy->has_node = copy->has_job = true;
        if (qmp_execute(guest->qmp, "blockdev-mirror", depart_make_mirror(departure, disk, copy->id),
                        QMP_TIMEOUT_JOB_MS, NULL, &failure))
                return true;
        g_propagate_error(error, make_failure(guest, disk->target, failure->message));
        return false;
}

static const struct domain_devices *get_devices(const struct domain_departure *departure)
{
        return &domain_state_get_def(domain_get_current(domain_of(departure)))->devices;
}

/* One server has them all. */
static bool try_first(const struct copying *copying, GError **error)
{
        const struct domain_departure *departure = copying->departure;
        const struct domain_devices *devices = get_devices(departure);
        g_autoptr(GError) failure = NULL;
        unsigned i = 0;

        while (i < devices->n_disks && !domain_copies_find(departure->copies, devices->disks[i].target))
                i++;
        if (i == devices->n_disks || depart_try_node(departure, &devices->disks[i], &failure))
                return true;
        g_propagate_error(error, make_failure(copying->guest, devices->disks[i].target, failure->message));
        return false;
}

static bool begin_all(struct copying *copying, GError **error)
{
        struct domain_departure *departure = copying->departure;
        const struct domain_devices *devices = get_devices(departure);

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];

                if (domain_copies_find(departure->copies, disk->target) && !begin_copy(copying, disk, error))
                        return false;
        }
        return true;
}

bool depart_copy(struct domain_departure *departure, GError **error)
{
        struct guest *guest = guest_of(domain_of(departure));
        struct copying *copying;

        if (!guest_get_monitor(guest, error))
                return false;
        copying = g_new0(struct copying, 1);
        copying->departure = departure;
        copying->guest = guest;
        copying->copies = g_ptr_array_new_with_free_func(copy_free);
        departure->disks = copying;
        if (try_first(copying, error) && migration_add_credentials(guest, departure->flags, true, error) &&
            begin_all(copying, error)) {
                ask(copying);
                return true;
        }
        /* The step before takes it back: depart_uncopy(). */
        stop_listening(copying);
        return false;
}

void depart_cancel_copy(struct domain_departure *departure)
{
        struct copying *copying = departure->disks;

        if (copying && copying->phase == COPYING)
                tell(copying, make_error(copying, ERROR_OPERATION_ABORTED, "are not copied any further"));
}

/* ---- following, and the last of it ---- */

bool depart_disks_follow(struct domain_departure *departure, depart_disks_fn fn, void *data, GError **error)
{
        struct copying *copying = departure->disks;

        if (copying->failure) {
                g_propagate_error(error, g_steal_pointer(&copying->failure));
                return false;
        }
        copying->fn = fn;
        copying->data = data;
        return true;
}

static void heed_finish(const json_t *result, const GError *error, void *data)
{
        struct copy *copy = data;

        copy->call = 0;
        if (error)
                tell(copy->copying, g_error_copy(error));
}

/* Of a mirror that is ready that is its good end: what is written stays where it was, and both are the same.
 */
void depart_disks_finish(struct domain_departure *departure)
{
        struct copying *copying = departure->disks;
        struct qmp *qmp;
        GError *error = NULL;

        if (copying->phase != FOLLOWING)
                return;
        qmp = guest_get_monitor(copying->guest, &error);
        if (!qmp) {
                tell(copying, error);
                return;
        }
        copying->phase = FINISHING;
        copying->deadline = lane_deadline_in(LAST_MS);
        for (unsigned i = 0; i < copying->copies->len; i++) {
                struct copy *copy = g_ptr_array_index(copying->copies, i);

                copy->call = qmp_call(qmp, "block-job-cancel", json_pack("{s:s}", "device", copy->id),
                                      QMP_TIMEOUT_JOB_MS, heed_finish, copy);
        }
}

/* ---- taking it back ---- */

/* Are all jobs at their end? They are told to be. */
static bool have_ended(struct copying *copying, GError **error)
{
        struct qmp *qmp = copying->guest->qmp;
        json_t *jobs = NULL;
        bool ended = true;

        if (!qmp_execute(qmp, "query-jobs", NULL, QMP_TIMEOUT_MS, &jobs, error))
                return false;
        for (unsigned i = 0; i < copying->copies->len; i++) {
                struct copy *copy = g_ptr_array_index(copying->copies, i);
                const json_t *entry = find_job(jobs, copy->id);

                copy->has_job = entry != NULL;
                if (entry && strcmp(qmp_get_text(entry, "status"), "concluded") != 0)
                        ended = false;
        }
        json_decref(jobs);
        return ended;
}

static bool end_jobs(struct copying *copying, GError **error)
{
        lane_deadline deadline = lane_deadline_in(END_MS);
        struct lane *lane = copying->guest->domain->base.lane;
        struct qmp *qmp = copying->guest->qmp;

        for (unsigned i = 0; i < copying->copies->len; i++) {
                const struct copy *copy = g_ptr_array_index(copying->copies, i);

                if (copy->has_job)
                        qmp_forget(qmp, qmp_send(qmp, "job-cancel", json_pack("{s:s}", "id", copy->id)));
        }
        while (!have_ended(copying, error)) {
                if (error && *error)
                        return false;
                if (deadline < lane_deadline_in(0) ||
                    lane_wait(lane, -1, 0, NULL, lane_deadline_in(END_ASK_MS)) != LANE_TIMEOUT)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                         "their jobs do not end");
        }
        return true;
}

void depart_uncopy(struct domain_departure *departure)
{
        struct copying *copying = departure->disks;
        struct domain *domain = domain_of(departure);
        struct guest *guest = guest_of(domain);
        g_autoptr(GError) error = NULL;

        if (!copying)
                return;
        stop_listening(copying);
        if (guest && domain_get_current(domain)->id == departure->id && guest_get_monitor(guest, &error)) {
                cut(copying);
                if (end_jobs(copying, &error))
                        remove_all(copying, &error);
        }
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "copies of disks of domain '%s' may be left in QEMU",
                           departure->base.object->name);
        depart_disks_free(departure);
}

void depart_disks_free(struct domain_departure *departure)
{
        struct copying *copying = g_steal_pointer(&departure->disks);

        if (!copying)
                return;
        stop_listening(copying);
        g_ptr_array_unref(copying->copies);
        g_clear_error(&copying->failure);
        g_free(copying);
}
