/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What QEMU does by itself for an operation: its jobs (block copy, commit, backup, snapshot ...), and
 * migration, which saves and dumps are, too. Each is the passive step of an operation of the guest: begun,
 * cancelled, and completed (operation_complete()) when QEMU says that it is over or the guest is gone; its
 * progress is the operation's. Embedded in the operation's struct. Lane of the domain.
 *
 * A job or migration that nobody in this agent has begun belonged to an agent that is gone: its operation
 * cannot be finished, so it is cancelled and dismissed, and a guest that was paused for it goes on. An
 * operation that survives a restart adds its route (route_add()) when its guest is taken over, before the
 * monitor answers for the first time: what has a route is left alone.
 */

#include "base/operation.h"
#include "drivers/qemu/guest.h"

struct guest_job {
        struct operation *op;     /* borrowed */
        struct guest *guest;      /* borrowed; as long as route is there */
        struct route *route;      /* owned; NULL: it is over */
        struct lane_timer *timer; /* owned; the next question */
        uint64_t call;            /* the command on the way; 0: none */
        char *id;                 /* owned; of a job of QEMU's; NULL: a migration */
        char *uri;     /* owned; of a migration whose events are being turned on; NULL: it goes on */
        char *problem; /* owned; of a job that is being dismissed; NULL: none */
        bool cancelled, dismissed;
        bool departs;  /* the owner's, set after the beginning: a guest that stops is about to be elsewhere */
        bool postcopy; /* it may be over before all is sent, guest_job_start_postcopy() */
        bool follows;  /* it is, and the rest is waited for */
        bool seen;     /* that it is in post-copy has been said once */
        bool over;     /* the migration; QEMU may still be about to let go of the guest */
        GError *result; /* owned; of that; NULL: it went well */
        /* Until then the other side is to be reached again; 0: it is, or was not cut. */
        lane_deadline resumes;
        /*
         * The owner's, set after the beginning of a migration that pauses before the switch: the guest is
         * paused, and QEMU waits for guest_job_switch() or guest_job_fail().
         */
        void (*before_switch)(struct guest_job *job);
        bool waits;      /* that was called */
        GError *failure; /* owned; why it was ended, NULL: it was not */
        /* The owner's, likewise: how much of the guest's disks is there. NULL: they stay. */
        struct job_amount (*get_disks)(struct guest_job *job);
        /* The owner's, set after the beginning: a better reason for a failure, if it has one. NULL: none. */
        void (*explain)(struct guest_job *job, GError **error);
};

/*
 * For the run of a passive step. command starts a job of QEMU's; arguments (taken) get "job-id" and
 * "auto-dismiss". A job that has to be told to complete (mirror) is told so when it is ready.
 */
bool guest_job_begin(struct guest_job *job, struct operation *op, const char *id, const char *command,
                     json_t *arguments, GError **error);

/*
 * The same for a migration to uri ("fd:NAME", after getfd; "unix:..."), with the capabilities of
 * migration_make_capabilities() (taken).
 */
bool guest_job_begin_migration(struct guest_job *job, struct operation *op, const char *uri,
                               json_t *capabilities, GError **error);

/*
 * A migration that departs may go into post-copy: the step is over when the guest has stopped here, with the
 * last of its memory still to be sent. Then the guest may run there, and only there.
 */
bool guest_job_start_postcopy(struct guest_job *job, GError **error);
/* For the run of a passive step behind that: until all is sent. */
bool guest_job_begin_following(struct guest_job *job, struct operation *op, GError **error);

/* Likewise, by way of uri, when the one before is cut. */
bool guest_job_begin_resuming(struct guest_job *job, struct operation *op, const char *uri, GError **error);

/*
 * A guest that is paused on its way goes on where it is, as long as it is. If QEMU has just sent the last of
 * it, the migration fails. Errors: it is about to be elsewhere; QEMU's, which refuses it while it sends that.
 */
bool guest_job_let_run(struct guest_job *job, GError **error);
/* A migration that waits goes on. */
void guest_job_switch(struct guest_job *job);
/* A migration ends, with that error (taken), unless it is over. */
void guest_job_fail(struct guest_job *job, GError *error);

/* For the cancel of the step. */
void guest_job_cancel(struct guest_job *job);

/*
 * monitor.c: what QEMU says it is doing; either may be NULL: it did not say. Whose it is, hears of it; the
 * rest is ended.
 */
void guest_jobs_resync(struct guest *guest, const json_t *jobs, const json_t *migration);
/* The same: a dump that no operation waits for is over. */
void guest_jobs_heed_dump(struct guest *guest);
