/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Long work that clients can watch and cancel: a clone, a wipe, a save, a migration. A job runs in a lane of
 * its own, so that the object it works on stays free for everything else, and is known to all views until it
 * has ended. Loop thread unless said otherwise.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct job;
struct job_list;
struct lane;
struct loop;
struct managed;
struct pool;

/* How often a view hears of progress, at most. */
#define JOB_UPDATE_MS 250
/* Jobs that run at once on one list; the next ones wait, in order, as running jobs without progress. */
#define JOB_MAX 256
/* That many wait; one more is refused with ERROR_RESOURCE_BUSY. */
#define JOB_WAITING_MAX 4096

enum job_state {
        JOB_RUNNING,
        JOB_COMPLETED,
        JOB_FAILED,
        JOB_CANCELLED,
};

enum job_change {
        JOB_ADDED,
        JOB_UPDATED, /* processed, total */
        JOB_ENDED,   /* state and error are final; the job leaves the list after this */
};

typedef void (*job_listener)(struct job *job, enum job_change change, void *data);

/* The list of one connection. */
struct job_list *job_list_new(struct loop *loop, struct pool *pool);
/* All jobs must have ended (job_list_get_count()). */
void job_list_free(struct job_list *list);
void job_list_listen(struct job_list *list, job_listener listener, void *data);
/* Ends what job_list_listen() with the same arguments began; not from within a listener. */
void job_list_unlisten(struct job_list *list, job_listener listener, void *data);
unsigned job_list_get_count(const struct job_list *list);
/* Borrowed elements, in the order they were started; free the array. */
GPtrArray *job_list_get_all(const struct job_list *list);
/* Borrowed; NULL when there is none of that number. */
struct job *job_list_find(const struct job_list *list, unsigned id);
/* For the end of the agent. */
void job_list_cancel_all(struct job_list *list);

/* In job_get_lane(job): may wait, and must clean up after itself (lane_shield()) when it is interrupted. */
typedef bool (*job_work)(struct job *job, void *data, GError **error);
/* On the loop, exactly once, before the end is announced: publishes what the job made. Frees data. */
typedef void (*job_done)(struct job *job, const GError *error, void *data);

/*
 * Starts work. operation is a word for clients ("clone", "wipe"), object what it works on (referenced; NULL:
 * none). Returns the job, borrowed, valid until it has ended; NULL with an error when there are too many, and
 * then done is not called.
 */
struct job *job_run(struct job_list *list, const char *operation, struct managed *object, job_work work,
                    job_done done, void *data, GError **error);

/*
 * From within done: the end is announced only when job_end() is called, so that what the job made can be
 * published in another lane first. The job counts as running meanwhile.
 */
void job_defer_end(struct job *job);
/* The end of a deferred job; error (borrowed) NULL: what its work said counts. The job is gone afterwards. */
void job_end(struct job *job, const GError *error);

/* Interrupts the work. It ends as JOB_CANCELLED, unless it was about to complete. */
void job_cancel(struct job *job);

/* In the job's lane: how far the work is, in units of its own (bytes); total 0: unknown. */
void job_set_progress(struct job *job, uint64_t processed, uint64_t total);

/* Const. */
unsigned job_get_id(const struct job *job); /* from 1, never used again */
const char *job_get_operation(const struct job *job);
struct managed *job_get_object(const struct job *job); /* borrowed, may be NULL */
struct lane *job_get_lane(const struct job *job);      /* borrowed */
uint64_t job_get_started(const struct job *job);       /* seconds since the epoch */

/* As published. */
enum job_state job_get_state(const struct job *job);
void job_get_progress(const struct job *job, uint64_t *processed, uint64_t *total);
double job_get_fraction(const struct job *job);   /* 0..1, -1 unknown */
const char *job_get_error(const struct job *job); /* "" unless it has failed */
