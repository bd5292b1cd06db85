/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.virtbus.Job: long work of the model. A job is on the bus from when it lasts until it ends: most are
 * over in milliseconds, and nobody could do anything with them. Loop thread.
 */
#include "bus/job.h"

#include "bus/domain.h"
#include "bus/interface.h"
#include "bus/object-manager.h"
#include "bus/sight.h"
#include "bus/signal.h"
#include "drivers/domain/domain.h"
#include "introspection/job.h"

/* ---- the kind ---- */

static struct job *find_number(const struct branch *branch, const char *element)
{
        struct job *job;
        guint64 number;

        /* One spelling only: no sign, no leading zeros. */
        if (*element < '1' || *element > '9' ||
            !g_ascii_string_to_unsigned(element, 10, 1, UINT_MAX, &number, NULL))
                return NULL;
        job = job_list_find(branch->jobs, (unsigned)number);
        return job && job_lasts(job) ? job : NULL;
}

static void *find(const struct branch *branch, const char *element, bool pending, GError **error)
{
        struct job *job = find_number(branch, element);
        g_autofree char *quoted = NULL;

        if (job)
                return job;
        quoted = error_quote(element);
        error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG, "there is no job '%s', or it has ended", quoted);
        return NULL;
}

/* A call about a job is over when its handler returns, and the job cannot end meanwhile. */
static void *ref(const struct branch *branch, void *object)
{
        return object;
}

static void unref(const struct branch *branch, void *object)
{
}

static GPtrArray *list(const struct branch *branch)
{
        GPtrArray *jobs = job_list_get_all(branch->jobs);

        for (unsigned i = jobs->len; i-- > 0;) {
                if (!job_lasts(g_ptr_array_index(jobs, i)))
                        g_ptr_array_remove_index(jobs, i);
        }
        return jobs;
}

static void write_element(const struct branch *branch, const void *object, GString *path)
{
        g_string_append_printf(path, "%u", job_get_id(object));
}

const struct object_kind job_object_kind = {
        .branch = "job",
        .model = MODEL_JOBS,
        .interface = &interface_job,
        .find = find,
        .ref = ref,
        .unref = unref,
        .list = list,
        .write_element = write_element,
};

/* ---- properties ---- */

bool get_job_error(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", job_get_error(target->object));
}

bool get_job_object(const struct target *target, struct marshal_slot *slot, GError **error)
{
        const struct managed *object = job_get_object(target->object);
        const struct branch *branch = object ? tree_find_branch_of(target->connect, object) : NULL;
        g_autofree char *path = branch ? tree_get_path(branch, object) : NULL;

        return marshal_slot_write(slot, "o", path ? path : target->connect->path);
}

bool get_job_operation(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", job_get_operation(target->object));
}

bool get_job_processed(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", job_get_progress(target->object)->data.processed);
}

bool get_job_progress(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "d", job_get_fraction(target->object));
}

bool get_job_started(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", job_get_started(target->object));
}

bool get_job_state(const struct target *target, struct marshal_slot *slot, GError **error)
{
        static const char *const names[] = {
                [JOB_RUNNING] = "running",
                [JOB_COMPLETED] = "completed",
                [JOB_FAILED] = "failed",
                [JOB_CANCELLED] = "cancelled",
        };

        return marshal_slot_write(slot, "s", names[job_get_state(target->object)]);
}

bool get_job_total(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", job_get_progress(target->object)->data.total);
}

/* ---- methods ---- */

void on_job_cancel(struct call *call)
{
        job_cancel(call->target.object);
        call_reply(call, "");
}

/* ---- changes ---- */

#define BIT(name) (UINT64_C(1) << INTERFACE_JOB_PROPERTY_##name)

static const uint64_t progress = BIT(PROCESSED) | BIT(PROGRESS) | BIT(TOTAL);

void job_follow(struct job *job, enum job_change change, void *data)
{
        const struct branch *branch = data;
        struct managed *object = job_get_object(job);
        g_autofree char *path = NULL;
        struct subject outer;

        if (change == JOB_ENDED && object && object->kind == &domain_kind && object->published)
                domain_job_ended(branch->connect, (struct domain *)object);
        if (!job_lasts(job))
                return;
        path = tree_get_path(branch, job);
        outer = sight_begin(branch, job);
        switch (change) {
        case JOB_ADDED:
                break;
        case JOB_LASTS:
                object_manager_add(branch, job, path);
                break;
        case JOB_UPDATED:
                object_manager_change(branch, job, path, progress);
                break;
        case JOB_ENDED:
                object_manager_change(branch, job, path, progress | BIT(STATE) | BIT(ERROR));
                signal_send(branch->connect->bus, path, &interface_job, INTERFACE_JOB_SIGNAL_COMPLETED, "bs",
                            job_get_state(job) == JOB_COMPLETED, job_get_error(job));
                object_manager_remove(branch, path);
                break;
        }
        sight_end(branch->connect->bus, outer);
}
