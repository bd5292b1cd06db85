/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the storage model. Lane means the pool's lane. */

#include "base/flags.h"
#include "base/operation.h"
#include "drivers/storage/backend.h"
#include "drivers/storage/storage.h"

/* Volumes of one backing chain. */
#define STORAGE_CHAIN_MAX 200

/* Transfers last as long as their clients like: so that they leave jobs for others. */
#define STORAGE_TRANSFER_MAX (JOB_MAX / 2)

struct storage {
        /* const */
        struct loop *loop;             /* borrowed */
        struct pool *pool;             /* borrowed */
        struct job_list *jobs;         /* borrowed */
        char *runtime_dir;             /* owned; NULL: nothing is stored */
        struct object_set *no_volumes; /* ref */
        const struct backend *backend; /* of all types; NULL: the table's */
        /* loop */
        struct registry *pools;     /* owned */
        struct collection *volumes; /* owned; of the active pools */
        struct secrets *secrets;    /* borrowed; NULL: none */
        GPtrArray *claims;          /* of struct definition, borrowed: pools on their way */
        unsigned transfers;         /* uploads and downloads that run */
};

static inline struct storage_pool *storage_pool_from(struct managed *object)
{
        return (struct storage_pool *)object;
}

static inline const struct storage_pool_state *storage_pool_get_current(const struct storage_pool *pool)
{
        return (const struct storage_pool_state *)managed_get_current(&pool->base);
}

/* The definition that describes the pool now. Lane. */
static inline struct pool_def *storage_pool_get_def(const struct storage_pool *pool)
{
        return pool_def_of(managed_state_get_definition(managed_get_current(&pool->base)));
}

/* Any thread. */
const struct backend *storage_get_backend(const struct storage *storage, enum pool_type type, GError **error);

/* The value of a secret; ref without uuid and usage: *value NULL and true. Loop. */
bool storage_get_secret(struct storage *storage, const struct secret_ref *ref, GBytes **value,
                        GError **error);

/* Lane: fills in a context for a call in lane (the pool's, or a job's, where job is not NULL). */
void storage_pool_get_context(struct storage_pool *pool, struct lane *lane, struct job *job,
                              const struct pool_def *def, GBytes *secret, struct backend_context *context);

/* Lane: is the pool active (and not just being taken over)? */
bool storage_pool_require_active(const struct storage_pool *pool, GError **error);
bool storage_pool_require_inactive(const struct storage_pool *pool, const char *still, GError **error);
/* Lane: refuses while jobs work on the pool. */
bool storage_pool_require_idle(const struct storage_pool *pool, GError **error);

/* Lane: publishes state (taken), keeping the status file of an active pool in step. */
void storage_pool_publish(struct storage_pool *pool, struct storage_pool_state *state,
                          struct managed_event *event);

static inline struct storage_pool_state *storage_pool_edit(struct storage_pool *pool)
{
        return (struct storage_pool_state *)managed_edit(&pool->base);
}

/* Lane: fills state (edited, active definition set) with what is in the pool. */
bool storage_pool_fill(struct storage_pool_state *state, const struct backend *backend,
                       const struct backend_context *context, GError **error);
/* What the pool remembers of a file that it left out; to be destroyed with its table. */
void storage_left_out_free(void *data);
/* Lane: publishes that the pool is inactive. */
void storage_pool_publish_stopped(struct storage_pool *pool);
/* Lane: scans the pool and publishes what was found. */
bool storage_pool_scan(struct storage_pool *pool, struct managed_event *event, GError **error);
/* Lane: starts what def describes, scans it, publishes and announces it. */
bool storage_pool_start(struct storage_pool *pool, struct pool_def *def, GBytes *secret, GError **error);

/*
 * Lane: looks at one volume again and publishes the pool with it and with its new numbers. known is what it
 * was or was made as; NULL: it may have become anything.
 */
bool storage_pool_rescan_volume(struct storage_pool *pool, const char *name, const struct volume *known,
                                GError **error);

/*
 * Lane: volumes that jobs work on or that are being made. Any number of jobs may read one, or one may write
 * it.
 */
bool storage_volume_is_busy(const struct storage_pool *pool, const char *name);
bool storage_volume_is_written(const struct storage_pool *pool, const char *name);
void storage_volume_hold(struct storage_pool *pool, const char *name);
void storage_volume_hold_to_read(struct storage_pool *pool, const char *name);
void storage_volume_release(struct storage_pool *pool, const char *name);
/* Lane: fails, naming a guest, while one uses the volume, or any volume of the pool. */
bool storage_volume_require_unused(const struct storage_pool *pool, const char *name, GError **error);
bool storage_pool_require_unused(const struct storage_pool *pool, GError **error);
/* Lane: fails while QEMU has the volume open, whoever started it. */
bool storage_volume_require_unlocked(const struct volume *volume, GError **error);
/* Lane: ends what watches an active pool: the timer and what it was to do. */
void storage_pool_forget_changes(struct storage_pool *pool);
/* Lane: gives up announcing that the content has changed. */
void storage_pool_forget_news(struct storage_pool *pool);

/* ---- long work: begin in the pool's lane, work in a job's, end in the pool's; loop in between ---- */

struct storage_operation;

/* What a kind of long work does in the steps that all share. */
struct storage_kind {
        struct operation_kind base;
        /* Lane: checks, reserves. May say that all is done (operation_skip_rest()): nothing else follows. */
        bool (*begin)(struct storage_operation *op, GError **error);
        /* Loop, after begin: checks that need other objects. May be NULL. */
        bool (*gather)(struct storage_operation *op, GError **error);
        /* Loop, when the job is announced. May be NULL. */
        void (*started)(struct storage_operation *op);
        /* Job's lane. */
        bool (*work)(struct storage_operation *op, const struct backend_context *context, GError **error);
        /*
         * Lane: releases, publishes. failure NULL: work succeeded. Called if begin succeeded and was not all.
         */
        bool (*end)(struct storage_operation *op, const GError *failure, GError **error);
};

/* Embedded in what a kind needs beside it. */
struct storage_operation {
        struct operation base;
        struct storage_pool *pool; /* borrowed; its object */
        unsigned flags;
        char *name;                   /* owned; of the volume */
        struct pool_def *def;         /* ref; of the pool when begin ran, or given */
        struct volume *volume;        /* ref; new or worked on */
        struct secret_ref secret_ref; /* owned; what begin found is needed */
        GBytes *secret;               /* ref */
        bool begun;                   /* lane; and not ended */
        managed_done done;            /* NULL: volume_done */
        storage_volume_done volume_done;
        void *data; /* owned by done */
};

static inline struct storage_operation *storage_operation_of(struct operation *op)
{
        return (struct storage_operation *)op;
}

bool storage_operation_begin(struct operation *op, GError **error);
void storage_operation_undo(struct operation *op);
bool storage_operation_gather(struct operation *op, GError **error);
bool storage_operation_work(struct operation *op, GError **error);
bool storage_operation_end(struct operation *op, GError **error);

#define STORAGE_N_STEPS 4
/* clang-format off: a step a line */
#define STORAGE_STEPS                                                                                        \
        { .place = OPERATION_OBJECT, .run = storage_operation_begin, .undo = storage_operation_undo },       \
                { .place = OPERATION_LOOP, .run = storage_operation_gather },                                \
                { .place = OPERATION_WORKER, .run = storage_operation_work },                                \
        {                                                                                                    \
                .place = OPERATION_OBJECT, .run = storage_operation_end, .final = true                       \
        }
/* clang-format on */
extern const struct operation_step storage_steps[STORAGE_N_STEPS];

void storage_operation_done(struct operation *op, const GError *error);
void storage_operation_clear(struct operation *op);

/* The base of a kind whose struct is type. */
#define STORAGE_KIND(type, label)                                                                            \
        {                                                                                                    \
                .name = (label), .steps = storage_steps, .n_steps = STORAGE_N_STEPS, .size = sizeof(type),   \
                .done = storage_operation_done, .clear = storage_operation_clear                             \
        }

struct storage_operation *storage_operation_new(const struct storage_kind *kind, struct storage_pool *pool);
/* Loop; takes op. */
void storage_operation_run(struct storage_operation *op);

/* For operations that were refused on the loop: op is freed, error taken. */
void storage_operation_refuse(struct storage_operation *op, GError *error);

/* The volume that op->name names, for begin: there, and no job works on it. Lane. */
bool storage_operation_find_volume(struct storage_operation *op, GError **error);
/* The same to read it: no job writes it. */
bool storage_operation_find_volume_to_read(struct storage_operation *op, GError **error);
/* Fail, naming the volume: there is none of that name; a job works on it. */
bool storage_volume_refuse_missing(const char *name, GError **error);
bool storage_volume_refuse_use(const char *name, GError **error);

/* ---- changes of one volume ---- */

/* Loop. Of the volume of that name (NULL: not known yet) in pool. */
struct storage_operation *storage_operation_new_change(const struct storage_kind *kind,
                                                       struct storage_pool *pool, const char *name,
                                                       unsigned flags, storage_volume_done done, void *data);
/* After begin. */
const struct backend *storage_operation_get_backend(const struct storage_operation *op);
/* Lane. */
void storage_operation_get_lane_context(const struct storage_operation *op, struct backend_context *context);
/* Lane, as end: the volume may be used again, and is published as it is now. */
bool storage_operation_end_change(struct storage_operation *op, const GError *failure, GError **error);
