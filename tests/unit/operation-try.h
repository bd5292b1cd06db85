/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Things, and operations on them whose steps can be told what to do and note down what they did. */

#include "base/operation.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/registry.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- things: the text of a definition is "<uuid> <name>" ---- */

static inline void thing_free(struct definition *definition)
{
        definition_clear(definition);
        g_free(definition);
}

static const struct managed_kind thing_kind = {
        .noun = "thing",
        .from = ERROR_FROM_NETWORK,
        .missing = ERROR_NO_NETWORK,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct managed),
        .state_size = sizeof(struct managed_state),
        .definition_free = thing_free,
};

static struct loop *loop;
static struct pool *pool;
static struct job_list *jobs;
static struct registry *registry;
static struct managed *thing, *others[2];
static GString *journal;
static pthread_mutex_t journal_mutex = PTHREAD_MUTEX_INITIALIZER; /* of the kind that sanitizers see */
static int gate_fd;                                               /* what hangs hangs on this */

static inline void note(const char *word)
{
        pthread_mutex_lock(&journal_mutex);
        g_string_append(journal, word);
        pthread_mutex_unlock(&journal_mutex);
}

static inline void expect(const char *text)
{
        pthread_mutex_lock(&journal_mutex);
        ck_assert_str_eq(journal->str, text);
        g_string_truncate(journal, 0);
        pthread_mutex_unlock(&journal_mutex);
}

static inline struct managed *add_thing(const char *name)
{
        struct managed_state *state = managed_state_new(&thing_kind);
        struct managed *object;

        state->persistent = g_new0(struct definition, 1);
        definition_init(state->persistent, &thing_kind);
        state->persistent->name = g_strdup(name);
        state->persistent->xml = g_strdup(name);
        uuid_generate(&state->persistent->uuid);
        object = registry_install(registry, state, NULL);
        ck_assert_ptr_nonnull(object);
        return object;
}

static bool is_seen; /* progress */

static inline void follow(struct job *job, enum job_change change, void *data)
{
        static const char *const states[] = { "running", "completed", "failed", "cancelled" };

        /* Whether it is said before the end depends on how fast the machine is. */
        is_seen = is_seen || change == JOB_UPDATED;
        note(change == JOB_ADDED ? "job " : "");
        if (change == JOB_ENDED) {
                note(states[job_get_state(job)]);
                note(" ");
        }
}

static inline void try_setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        jobs = job_list_new(loop, pool);
        job_list_listen(jobs, follow, NULL);
        registry = registry_new(&thing_kind, NULL, loop, pool, NULL);
        thing = add_thing("web");
        others[0] = add_thing("x");
        others[1] = add_thing("y");
        journal = g_string_new(NULL);
        gate_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
}

static inline bool is_idle(void)
{
        return registry_get_pending(registry) == 0 && job_list_get_count(jobs) == 0;
}

static inline void drain(void)
{
        while (!is_idle())
                loop_step(loop, true);
}

static inline void try_teardown(void)
{
        drain();
        pool_free(pool);
        while (loop_step(loop, false))
                ;
        registry_free(registry);
        job_list_free(jobs);
        loop_free(loop);
        g_string_free(journal, TRUE);
        close(gate_fd);
}

static inline void await(const char *word)
{
        for (bool seen = false; !seen;) {
                loop_step(loop, true);
                pthread_mutex_lock(&journal_mutex);
                seen = strstr(journal->str, word) != NULL;
                pthread_mutex_unlock(&journal_mutex);
        }
}

static inline void await_progress(void)
{
        while (!is_seen)
                loop_step(loop, true);
}

static inline void wake(void *data)
{
}

static inline void tick(void *data)
{
        *(bool *)data = true;
}

/* Lets that time pass. */
static inline void pass(unsigned delay_ms)
{
        bool over = false;
        struct loop_timer *timer = loop_timer_new(loop, delay_ms, tick, &over);

        while (!over)
                loop_step(loop, true);
        loop_timer_free(timer);
}

/* ---- an operation whose steps can be told what to do ---- */

struct
try {
        struct operation base;
        const char *fails; /* the step that fails */
        const char *hangs; /* the step that waits for the gate, or the visit that does */
        bool skips;        /* the first step in the object's lane is enough */
        unsigned n_others;
};

static unsigned n_tries; /* that are not freed */

/* From a lane, notes what is waited for where the loop can see it. */
static inline void note_from_lane(const char *word)
{
        note(word);
        loop_post(loop, wake, NULL);
}

static inline bool act(const struct operation *op, struct lane *lane, const char *name, GError **error)
{
        const struct try *try = (const struct try *)op;

        ck_assert(lane ? in_lane(lane) : on_loop(loop));
        note(name);
        note_from_lane(" ");
        if (g_strcmp0(try->hangs, name) == 0 &&
            lane_wait(lane, gate_fd, POLLIN, NULL, LANE_FOREVER) == LANE_INTERRUPTED)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_ABORTED, "interrupted");
        if (g_strcmp0(try->fails, name) == 0)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED, "no luck");
        return true;
}

static inline bool in_the_lane(struct operation *op, GError **error)
{
        if (((struct try *)op)->skips)
                operation_skip_rest(op);
        return act(op, op->object->lane, "lane", error);
}

static inline void in_the_lane_undo(struct operation *op)
{
        if (g_strcmp0(((struct try *)op)->hangs, "-lane") == 0) {
                note_from_lane("undoing ");
                ck_assert_int_eq(lane_wait(op->object->lane, gate_fd, POLLIN, NULL, LANE_FOREVER),
                                 LANE_READY);
        }
        /* It may wait. */
        ck_assert_int_eq(lane_wait(op->object->lane, -1, 0, NULL, lane_deadline_in(1)), LANE_TIMEOUT);
        note("-lane ");
}

static inline struct managed *choose(struct operation *op, unsigned index)
{
        return index < ((struct try *)op)->n_others ? others[index] : NULL;
}

static inline bool visit(struct operation *op, unsigned index, GError **error)
{
        return act(op, others[index]->lane, index ? "y" : "x", error);
}

static inline void leave(struct operation *op, unsigned index)
{
        ck_assert(in_lane(others[index]->lane));
        note_from_lane(index ? "-y " : "-x ");
}

static inline bool at_last(struct operation *op, GError **error)
{
        return act(op, op->object->lane, "last", error);
}

static inline void done(struct operation *op, const GError *error)
{
        note(error ? error->message : "good");
        note(". ");
}

static inline void clear(struct operation *op)
{
        n_tries--;
}

static inline struct try *try_new(const struct operation_kind *kind)
{
        struct try *try = (struct try *)operation_new(kind, thing, jobs);

        n_tries++;
        try->n_others = G_N_ELEMENTS(others);
        return try;
}

/* ---- passive ---- */

static struct try *passive; /* the one that runs */
static bool completes;      /* before its run returns */

static inline bool passive_run(struct operation *op, GError **error)
{
        passive = (struct try *)op;
        if (!act(op, op->object->lane, "passive", error))
                return false;
        operation_set_progress(op, &(struct job_progress){ .memory = { 4, 1, 3, 2 } });
        if (completes)
                operation_complete(op, NULL);
        return true;
}

static inline void passive_stop(struct operation *op)
{
        ck_assert(in_lane(op->object->lane));
        note_from_lane("stop ");
}

static const struct operation_step passive_steps[] = {
        { .place = OPERATION_OBJECT, .run = in_the_lane, .undo = in_the_lane_undo },
        { .place = OPERATION_PASSIVE, .run = passive_run, .cancel = passive_stop },
        { .place = OPERATION_OBJECT, .run = at_last, .final = true },
};

static const struct operation_kind passive_kind = {
        .name = "passive",
        .number = 2,
        .steps = passive_steps,
        .n_steps = G_N_ELEMENTS(passive_steps),
        .size = sizeof(struct try),
        .exclusive = true,
        .done = done,
        .clear = clear,
};

static inline void complete(void *data)
{
        operation_complete(&passive->base, data);
}

static inline void complete_with(const char *message)
{
        GError *error = NULL;

        if (message)
                error_set(&error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED, "%s", message);
        lane_post(thing->lane, complete, error);
}

static inline void run_passive(void)
{
        operation_run(&try_new(&passive_kind)->base);
        await("passive ");
}
