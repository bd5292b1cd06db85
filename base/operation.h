/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An operation: work on a managed object that takes more than one run in its lane. It is a string of steps
 * from a constant table; each says where it runs and how it is undone. The loop strings them together: a step
 * waits for a lane, never a lane for a step, so that no two operations can wait for each other. When a step
 * fails, or the operation is cancelled, the steps done are undone in reverse.
 *
 *     static const struct operation_step steps[] = {
 *             { .place = OPERATION_OBJECT, .run = save_begin, .undo = save_resume },
 *             { .place = OPERATION_PASSIVE, .run = save_migrate, .cancel = save_cancel },
 *             { .place = OPERATION_OBJECT, .run = save_end, .final = true },
 *     };
 *
 * A kind of operation embeds struct operation as the first member of its own, with the data of its steps. A
 * step may write what the steps after it read, and nobody else touches that meanwhile; but of
 * OPERATION_OTHERS see below. Loop thread unless said otherwise.
 */

#include "base/job.h"
#include "base/managed.h"

#include <glib.h>
#include <stdbool.h>

struct operation;

/* A step in the lane of another object is given up after that time; it is undone when it comes. */
#define OPERATION_OTHERS_MS 30000

enum operation_place {
        OPERATION_LOOP,   /* on the loop: returns at once */
        OPERATION_OBJECT, /* in the lane of the operation's object */
        /*
         * In the lanes of other objects, one after another: of each that other() names. They may be busy:
         * whoever cancels the operation does not wait for them. So a visit may still go on when the operation
         * has ended, and must touch nothing but what belongs to its index; it is undone behind that.
         */
        OPERATION_OTHERS,
        /* In the lane of the operation's job, which it keeps while it waits; cancelling interrupts it. */
        OPERATION_WORKER,
        /*
         * Begins in the lane of the operation's object, and is over when operation_complete() is called: what
         * happens in between is told by events, and no thread waits for them.
         */
        OPERATION_PASSIVE,
};

struct operation_step {
        enum operation_place place;
        /* The work. False with an error: it has left nothing behind. */
        bool (*run)(struct operation *op, GError **error);
        /*
         * Takes back what run did; may be NULL. On the loop after OPERATION_LOOP; else in the lane of the
         * object, where it may wait (it cannot be interrupted).
         */
        void (*undo)(struct operation *op);

        /*
         * OPERATION_OTHERS, instead of run and undo. The next object, borrowed; NULL: there is no more. Loop.
         */
        struct managed *(*other)(struct operation *op, unsigned index);
        /* In its lane. */
        bool (*visit)(struct operation *op, unsigned index, GError **error);
        /* In its lane: takes visit back. May be NULL. Nobody waits for it. */
        void (*leave)(struct operation *op, unsigned index);

        /*
         * OPERATION_PASSIVE, in the lane of the object: asks whoever works to stop, and does not wait; at
         * most once, between run and operation_complete(), which is to come soon then.
         */
        void (*cancel)(struct operation *op);

        bool temporary; /* undone at the end of an operation that went well, too */
        bool final;     /* from here on it is too late to cancel */
};

struct operation_kind {
        const char *name; /* the job's operation, and for messages: "save" */
        int number; /* for clients: the object's kind of number of it (virDomainJobOperation); 0: none */
        const struct operation_step *steps;
        unsigned n_steps;
        size_t size; /* of the struct that embeds struct operation */
        /*
         * At most one such operation works on an object at a time: managed.operation, what a view asks about
         * and cancels. Another one fails with ERROR_OPERATION_INVALID.
         */
        bool exclusive;
        /* exclusive, but behind another one it waits for the end of that, and then for its turn. */
        bool waits;
        /*
         * Nothing else is done with the object from its turn to its end: what is asked of it waits
         * (managed_run()), and what is urgent cancels it. For what is over soon.
         */
        bool alone;
        /* On the loop, exactly once, at the end: answers who asked. error is NULL on success. */
        void (*done)(struct operation *op, const GError *error);
        /*
         * Frees what the kind's struct holds, on the loop; after done, and after the last visit. May be NULL.
         */
        void (*clear)(struct operation *op);
};

enum operation_verdict {
        OPERATION_OPEN,
        OPERATION_CANCELLED,
        OPERATION_FINAL, /* it is too late to cancel */
};

struct operation {
        /* const */
        const struct operation_kind *kind;
        struct managed *object; /* ref */
        struct job_list *jobs;  /* borrowed; NULL: the operation has no step that makes it a job */
        unsigned others_ms;     /* OPERATION_OTHERS_MS; another before operation_run() */
        /* loop; the machine's */
        unsigned refs;
        struct job *job;          /* borrowed; NULL: none (any more) */
        GError *failure;          /* owned; why it is undone */
        GPtrArray *visits;        /* of struct visit, refs; those that were made, in order */
        struct visit *visit;      /* borrowed; the one on the way */
        struct loop_timer *timer; /* owned; of that one */
        unsigned step, index;
        bool begun, undoing;
        bool step_begun, step_ended; /* of OPERATION_PASSIVE */
        /* atomic */
        gint cancelled; /* enum operation_verdict */
        /* lane of the object; the machine's */
        bool skips;         /* operation_skip_rest() */
        bool passive;       /* between run and operation_complete() */
        GError *step_error; /* owned; its end, taken by the loop */
};

/*
 * A new one, zeroed behind its head; jobs may be NULL when no step is OPERATION_WORKER or OPERATION_PASSIVE.
 * To be filled in, and followed by operation_run() or operation_refuse().
 */
struct operation *operation_new(const struct operation_kind *kind, struct managed *object,
                                struct job_list *jobs);

/* Begins when the object's turn comes, in order with managed_run(); takes op. */
void operation_run(struct operation *op);

/* Instead of operation_run(): it ends with error (taken). */
void operation_refuse(struct operation *op, GError *error);

/*
 * Ends it, before its next step or in its present one; too late once it is at a final step. Its error is
 * ERROR_OPERATION_ABORTED, or what the step says.
 */
void operation_cancel(struct operation *op);

/* Is it not too late for that? */
bool operation_can_cancel(const struct operation *op);

/*
 * In the object's lane, between run and operation_complete(): from here on it is too late to cancel, or, not
 * final, not any more. False: it was cancelled before.
 */
bool operation_set_final(struct operation *op, bool final);

/* Was it cancelled? Any thread. */
bool operation_is_cancelled(const struct operation *op);

/*
 * In a step on the loop: makes the operation a job now, before the step that needs one; false with an error
 * when there are too many.
 */
bool operation_announce(struct operation *op, GError **error);

/* In a step in the object's lane: all is done, none of the steps behind it is needed. */
void operation_skip_rest(struct operation *op);
bool operation_skips_rest(const struct operation *op);

/*
 * In the object's lane, exactly once after the run of a passive step has begun, maybe before it has returned
 * (true): the step is over. error (taken) NULL: it went well.
 */
void operation_complete(struct operation *op, GError *error);

/* In a step that belongs to a job, or between run and operation_complete(): see job_publish_progress(). */
void operation_set_progress(struct operation *op, const struct job_progress *progress);

/* ---- of an object ---- */

/* The exclusive operation that works on the object; borrowed, NULL: none. */
struct operation *operation_get(const struct managed *object);
/* Fails with ERROR_OPERATION_INVALID, naming it, while there is one. */
bool operation_require_none(const struct managed *object, GError **error);

/* How an exclusive operation ended. */
struct operation_report {
        const struct operation_kind *kind;
        enum job_state state;
        struct job_progress progress;
        uint64_t elapsed_ms;
        char *error; /* owned; "" unless it failed */
};

/* Of the last one; borrowed, NULL: there was none. */
const struct operation_report *operation_get_report(const struct managed *object);
/* There was none, from now on. */
void operation_forget_report(struct managed *object);
