/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Long work that clients can watch and cancel: a clone, a wipe, a save, a migration. A job says what goes on;
 * who does the work is another matter: a function in a lane of the job's own (job_work()), or somebody else
 * altogether, whose events tell how far it is (a passive job). base/operation strings both together with what
 * comes before and after. A job is known to all views until it has ended. Loop thread unless said otherwise.
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

/* How often a view hears of progress, at most; and from when on it hears of any. */
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
        JOB_LASTS,   /* it has run for JOB_UPDATE_MS: now it is worth showing */
        JOB_UPDATED, /* progress, of one that lasts */
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

/* ---- progress ---- */

/* In bytes; total 0: not known, or there is no such part. */
struct job_amount {
        uint64_t total, processed, remaining;
        uint64_t per_second;
};

/*
 * How far a job is: all of it, and what it consists of; in what those who move memory count, too. 0: not
 * known. The fields are those of virDomainGetJobStats.
 */
struct job_progress {
        struct job_amount data;         /* all together */
        struct job_amount memory, disk; /* its parts */
        struct {
                uint64_t size; /* of one, bytes */
                uint64_t constant, normal, normal_bytes;
                uint64_t dirty_per_second;
                uint64_t iteration; /* how often all memory was gone through */
                uint64_t postcopy_requests;
        } pages;
        struct {
                uint64_t cache, bytes, pages, cache_misses, overflow;
        } compression;
        uint64_t remaining_ms, downtime_ms, setup_ms;
        uint64_t throttle_percent; /* of the guest's processors */
};

/* ---- jobs ---- */

/* On the loop: somebody wants the job to end. Whoever does its work sees to it, and then calls job_end(). */
typedef void (*job_cancelled)(struct job *job, void *data);
/* In job_get_lane(job): may wait, and must clean up after itself (lane_shield()) when it is interrupted. */
typedef bool (*job_worker)(struct job *job, void *data, GError **error);
/* On the loop, exactly once, when the work is done. error is NULL on success. */
typedef void (*job_done)(struct job *job, const GError *error, void *data);

/*
 * Announces a job. operation is a word for clients ("clone", "wipe"), object what it works on (referenced;
 * NULL: none), cancelled(data) may be NULL. Returns it, borrowed, valid until job_end(); NULL with an error
 * when there are too many.
 */
struct job *job_new(struct job_list *list, const char *operation, struct managed *object,
                    job_cancelled cancelled, void *data, GError **error);

/*
 * Runs work in the job's lane, when its turn comes (JOB_MAX); a job that was cancelled before does not begin.
 * The job goes on when done has been called.
 */
void job_work(struct job *job, job_worker work, job_done done, void *data);

/* The end: announces the state that error (borrowed; NULL: success) means. The job is gone afterwards. */
void job_end(struct job *job, const GError *error);

/*
 * All of it, for work that has nothing before and after: done (may be NULL) publishes what the job made and
 * frees data, and then the job ends. NULL with an error when there are too many; done is not called then.
 */
struct job *job_run(struct job_list *list, const char *operation, struct managed *object, job_worker work,
                    job_done done, void *data, GError **error);

/*
 * Interrupts the work, or asks whoever does it, who knows whether it is too late. It ends as JOB_CANCELLED,
 * unless it was about to complete.
 */
void job_cancel(struct job *job);
/* For whoever was asked: what is, or comes, in the job's lane ends. */
void job_interrupt(struct job *job);

/* Any thread, one at a time: how far the work is. What is not seen before the next one is forgotten. */
void job_publish_progress(struct job *job, const struct job_progress *progress);
/* The same in units of its own (bytes); total 0: unknown. */
void job_set_progress(struct job *job, uint64_t processed, uint64_t total);

/* Const. */
unsigned job_get_id(const struct job *job); /* from 1, never used again */
const char *job_get_operation(const struct job *job);
struct managed *job_get_object(const struct job *job); /* borrowed, may be NULL */
struct lane *job_get_lane(const struct job *job);      /* borrowed; of its own, for job_work() */
uint64_t job_get_started(const struct job *job);       /* seconds since the epoch */

/* As published. */
bool job_lasts(const struct job *job); /* JOB_LASTS was told */
enum job_state job_get_state(const struct job *job);
const struct job_progress *job_get_progress(const struct job *job); /* borrowed, until the next turn */
/* Not only what was published: what was said last. Likewise. */
const struct job_progress *job_get_latest(struct job *job);
uint64_t job_get_elapsed_ms(const struct job *job);
double job_get_fraction(const struct job *job);   /* of data, 0..1, -1 unknown */
const char *job_get_error(const struct job *job); /* "" unless it has failed */
