/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations: steps in their places, undone in reverse, cancelled wherever they are, and the turns of what is
 * asked of an object meanwhile.
 */
#include "base/operation.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/registry.h"
#include "tests/unit/check-main.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- things: the text of a definition is "<uuid> <name>" ---- */

static void thing_free(struct definition *definition)
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

static void note(const char *word)
{
        pthread_mutex_lock(&journal_mutex);
        g_string_append(journal, word);
        pthread_mutex_unlock(&journal_mutex);
}

static void expect(const char *text)
{
        pthread_mutex_lock(&journal_mutex);
        ck_assert_str_eq(journal->str, text);
        g_string_truncate(journal, 0);
        pthread_mutex_unlock(&journal_mutex);
}

static struct managed *add_thing(const char *name)
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

static void follow(struct job *job, enum job_change change, void *data)
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

static void setup(void)
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

static bool is_idle(void)
{
        return registry_get_pending(registry) == 0 && job_list_get_count(jobs) == 0;
}

static void drain(void)
{
        while (!is_idle())
                loop_step(loop, true);
}

static void teardown(void)
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

static void await(const char *word)
{
        for (bool seen = false; !seen;) {
                loop_step(loop, true);
                pthread_mutex_lock(&journal_mutex);
                seen = strstr(journal->str, word) != NULL;
                pthread_mutex_unlock(&journal_mutex);
        }
}

static void await_progress(void)
{
        while (!is_seen)
                loop_step(loop, true);
}

static void wake(void *data)
{
}

static void tick(void *data)
{
        *(bool *)data = true;
}

/* Lets that time pass. */
static void pass(unsigned delay_ms)
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
static void note_from_lane(const char *word)
{
        note(word);
        loop_post(loop, wake, NULL);
}

static bool act(const struct operation *op, struct lane *lane, const char *name, GError **error)
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

static bool on_the_loop(struct operation *op, GError **error)
{
        return act(op, NULL, "loop", error);
}

static void on_the_loop_undo(struct operation *op)
{
        ck_assert(on_loop(loop));
        note("-loop ");
}

static bool in_the_lane(struct operation *op, GError **error)
{
        if (((struct try *)op)->skips)
                operation_skip_rest(op);
        return act(op, op->object->lane, "lane", error);
}

static void in_the_lane_undo(struct operation *op)
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

static struct managed *choose(struct operation *op, unsigned index)
{
        return index < ((struct try *)op)->n_others ? others[index] : NULL;
}

static bool visit(struct operation *op, unsigned index, GError **error)
{
        return act(op, others[index]->lane, index ? "y" : "x", error);
}

static void leave(struct operation *op, unsigned index)
{
        ck_assert(in_lane(others[index]->lane));
        note_from_lane(index ? "-y " : "-x ");
}

static bool in_a_lane_of_its_own(struct operation *op, GError **error)
{
        operation_set_progress(op, &(struct job_progress){ .data = { 10, 5, 5, 0 } });
        return act(op, job_get_lane(op->job), "work", error);
}

static bool at_last(struct operation *op, GError **error)
{
        return act(op, op->object->lane, "last", error);
}

static void done(struct operation *op, const GError *error)
{
        note(error ? error->message : "good");
        note(". ");
}

static void clear(struct operation *op)
{
        n_tries--;
}

static const struct operation_step all_steps[] = {
        { .place = OPERATION_LOOP, .run = on_the_loop, .undo = on_the_loop_undo },
        { .place = OPERATION_OBJECT, .run = in_the_lane, .undo = in_the_lane_undo },
        { .place = OPERATION_OTHERS, .other = choose, .visit = visit, .leave = leave },
        { .place = OPERATION_WORKER, .run = in_a_lane_of_its_own },
        { .place = OPERATION_OBJECT, .run = at_last, .final = true },
};

static const struct operation_kind all_kind = {
        .name = "all",
        .steps = all_steps,
        .n_steps = G_N_ELEMENTS(all_steps),
        .size = sizeof(struct try),
        .done = done,
        .clear = clear,
};

static struct try *try_new(const struct operation_kind *kind)
{
        struct try *try = (struct try *)operation_new(kind, thing, jobs);

        n_tries++;
        try->n_others = G_N_ELEMENTS(others);
        return try;
}

static void try_run(const struct operation_kind *kind, const char *fails)
{
        struct try *try = try_new(kind);

        try->fails = fails;
        operation_run(&try->base);
        drain();
}

START_TEST(steps_run_in_their_places)
{
        try_run(&all_kind, NULL);
        ck_assert_uint_eq(n_tries, 0);
        expect("loop lane x y job work last completed good. ");
}
END_TEST

START_TEST(steps_are_undone_in_reverse)
{
        static const struct {
                const char *fails, *journal;
        } cases[] = {
                { "loop", "loop operation failed: no luck. " },
                { "lane", "loop lane -loop operation failed: no luck. " },
                { "x", "loop lane x -lane -loop operation failed: no luck. " },
                { "work", NULL },
                { "last", NULL },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                try_run(&all_kind, cases[i].fails);
                ck_assert_uint_eq(n_tries, 0);
                if (cases[i].journal) {
                        expect(cases[i].journal);
                        continue;
                }
                /* Other lanes do it in their own time. */
                ck_assert_ptr_nonnull(strstr(journal->str, "-x "));
                ck_assert_ptr_nonnull(strstr(journal->str, "-y "));
                ck_assert(strstr(journal->str, "-lane ") < strstr(journal->str, "-loop "));
                ck_assert_ptr_nonnull(strstr(journal->str, "failed operation failed: no luck. "));
                g_string_truncate(journal, 0);
        }
        try_run(&all_kind, "y");
        ck_assert_ptr_nonnull(strstr(journal->str, "-x "));
        ck_assert_ptr_null(strstr(journal->str, "-y "));
}
END_TEST

static const struct operation_step brief_steps[] = {
        { .place = OPERATION_LOOP, .run = on_the_loop, .undo = on_the_loop_undo, .temporary = true },
        { .place = OPERATION_OTHERS, .other = choose, .visit = visit, .leave = leave, .temporary = true },
        { .place = OPERATION_OBJECT, .run = in_the_lane, .undo = in_the_lane_undo },
        { .place = OPERATION_OBJECT, .run = at_last },
};

static const struct operation_kind brief_kind = {
        .name = "brief",
        .steps = brief_steps,
        .n_steps = G_N_ELEMENTS(brief_steps),
        .size = sizeof(struct try),
        .done = done,
        .clear = clear,
};

START_TEST(what_is_temporary_is_given_back_after_success)
{
        struct try *try = try_new(&brief_kind);

        try->n_others = 1;
        operation_run(&try->base);
        drain();
        ck_assert_ptr_nonnull(strstr(journal->str, "-x "));
        ck_assert_ptr_nonnull(strstr(journal->str, "-loop "));
        ck_assert_ptr_null(strstr(journal->str, "-lane "));
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

START_TEST(a_step_may_make_the_rest_needless)
{
        struct try *try = try_new(&all_kind);

        try->skips = true;
        operation_run(&try->base);
        drain();
        expect("loop lane good. ");
}
END_TEST

/* Nobody waits for a lane that is busy; what was taken there after all is given back. */
START_TEST(a_visit_on_its_way_is_abandoned)
{
        struct try *try = try_new(&all_kind);

        try->hangs = "x";
        try->base.others_ms = 200;
        operation_run(&try->base);
        await("x ");
        operation_cancel(&try->base);
        await("aborted");
        /* Nor is its deadline of any interest. */
        pass(300);
        ck_assert_uint_eq(n_tries, 1);
        expect("loop lane x -lane -loop operation aborted: 'all' of thing 'web' was cancelled. ");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("-x ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

START_TEST(a_visit_has_a_deadline)
{
        struct try *try = try_new(&all_kind);

        try->hangs = try->fails = "x";
        try->base.others_ms = 10;
        operation_run(&try->base);
        await("busy");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        /* It failed in the end: there is nothing to give back. */
        expect("loop lane x -lane -loop Timed out during operation: thing 'x' is busy: 'all' of thing 'web' "
               "gave "
               "up. ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

START_TEST(cancelling_interrupts_work)
{
        struct try *try = try_new(&all_kind);

        try->hangs = "work";
        try->n_others = 0;
        operation_run(&try->base);
        await_progress();
        job_cancel(job_list_find(jobs, 1));
        drain();
        expect("loop lane job work -lane -loop cancelled operation aborted: interrupted. ");
}
END_TEST

START_TEST(at_a_final_step_it_is_too_late)
{
        struct try *try = try_new(&all_kind);

        try->hangs = "last";
        operation_run(&try->base);
        await("last");
        operation_cancel(&try->base);
        ck_assert(!operation_is_cancelled(&try->base));
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("loop lane x y job work last completed good. ");
}
END_TEST

START_TEST(an_operation_can_be_refused)
{
        GError *error = NULL;

        error_set(&error, ERROR_FROM_NETWORK, ERROR_INVALID_ARG, "no");
        operation_refuse(&try_new(&all_kind)->base, error);
        expect("invalid argument: no. ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

/* ---- passive ---- */

static struct try *passive; /* the one that runs */
static bool completes;      /* before its run returns */

static bool passive_run(struct operation *op, GError **error)
{
        passive = (struct try *)op;
        if (!act(op, op->object->lane, "passive", error))
                return false;
        operation_set_progress(op, &(struct job_progress){ .memory = { 4, 1, 3, 2 } });
        if (completes)
                operation_complete(op, NULL);
        return true;
}

static void passive_stop(struct operation *op)
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

static void complete(void *data)
{
        operation_complete(&passive->base, data);
}

static void complete_with(const char *message)
{
        GError *error = NULL;

        if (message)
                error_set(&error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED, "%s", message);
        lane_post(thing->lane, complete, error);
}

static void run_passive(void)
{
        operation_run(&try_new(&passive_kind)->base);
        await("passive ");
}

START_TEST(events_end_a_passive_step)
{
        const struct operation_report *report;

        run_passive();
        /* Nothing of it keeps the lane. */
        ck_assert_ptr_eq(operation_get(thing), passive);
        await_progress();
        complete_with(NULL);
        drain();
        expect("lane job passive last completed good. ");
        report = operation_get_report(thing);
        ck_assert(report->kind == &passive_kind && report->state == JOB_COMPLETED);
        ck_assert_uint_eq(report->progress.memory.remaining, 3);

        run_passive();
        complete_with("it broke");
        drain();
        expect("lane job passive -lane failed operation failed: it broke. ");
        ck_assert_int_eq(operation_get_report(thing)->state, JOB_FAILED);
        ck_assert_str_eq(operation_get_report(thing)->error, "operation failed: it broke");

        completes = true;
        run_passive();
        drain();
        completes = false;
        expect("lane job passive last completed good. ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

START_TEST(a_passive_step_is_asked_to_stop)
{
        run_passive();
        operation_cancel(&passive->base);
        operation_cancel(&passive->base);
        await("stop");
        ck_assert_ptr_eq(operation_get(thing), passive);
        complete_with("as you like");
        drain();
        expect("lane job passive stop -lane cancelled operation failed: as you like. ");
        ck_assert_int_eq(operation_get_report(thing)->state, JOB_CANCELLED);

        /* It was over before it heard of that. */
        run_passive();
        complete_with(NULL);
        operation_cancel(&passive->base);
        drain();
        expect("lane job passive last completed good. ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

static void become_final(void *data)
{
        note_from_lane(operation_set_final(&passive->base, true) ? "final " : "too late ");
}

static void become_open(void *data)
{
        note_from_lane(operation_set_final(&passive->base, false) ? "open " : "not final ");
}

START_TEST(a_passive_step_may_be_beyond_that)
{
        run_passive();
        lane_post(thing->lane, become_final, NULL);
        await("final ");
        ck_assert(!operation_can_cancel(&passive->base));
        operation_cancel(&passive->base);
        ck_assert(!operation_is_cancelled(&passive->base));
        complete_with(NULL);
        drain();
        expect("lane job passive final last completed good. ");

        /* Not after all. */
        run_passive();
        lane_post(thing->lane, become_final, NULL);
        lane_post(thing->lane, become_open, NULL);
        await("open ");
        operation_cancel(&passive->base);
        await("stop ");
        lane_post(thing->lane, become_final, NULL);
        await("too late ");
        complete_with("as you like");
        drain();
        expect("lane job passive final open stop too late -lane cancelled operation failed: as you like. ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

START_TEST(one_at_a_time)
{
        run_passive();
        operation_run(&try_new(&passive_kind)->base);
        ck_assert(!operation_require_none(thing, NULL));
        complete_with(NULL);
        drain();
        expect("lane job passive Requested operation is not valid: thing 'web' is busy with 'passive'. "
               "last completed good. ");
        ck_assert(operation_require_none(thing, NULL));
}
END_TEST

static const struct operation_kind patient_kind = {
        .name = "patient",
        .steps = passive_steps,
        .n_steps = G_N_ELEMENTS(passive_steps),
        .size = sizeof(struct try),
        .exclusive = true,
        .waits = true,
        .done = done,
        .clear = clear,
};

/* Two that wait, and are neither refused nor at work together; who ends first makes no difference. */
START_TEST(one_after_the_other)
{
        const struct try *first;

        run_passive();
        first = passive;
        operation_run(&try_new(&patient_kind)->base);
        operation_run(&try_new(&patient_kind)->base);
        ck_assert_ptr_eq(operation_get(thing), first);
        expect("lane job passive ");
        complete_with("it broke");
        await("passive ");
        expect("-lane failed operation failed: it broke. lane job passive ");
        ck_assert(operation_get(thing)->kind == &patient_kind);
        complete_with(NULL);
        await("passive ");
        expect("last completed good. lane job passive ");
        complete_with(NULL);
        drain();
        expect("last completed good. ");
        ck_assert(operation_require_none(thing, NULL));
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

/* ---- alone, and turns ---- */

static const struct operation_step alone_steps[] = {
        { .place = OPERATION_OBJECT, .run = in_the_lane, .undo = in_the_lane_undo },
        { .place = OPERATION_OTHERS, .other = choose, .visit = visit, .leave = leave },
        { .place = OPERATION_OBJECT, .run = at_last },
};

static const struct operation_kind alone_kind = {
        .name = "alone",
        .steps = alone_steps,
        .n_steps = G_N_ELEMENTS(alone_steps),
        .size = sizeof(struct try),
        .alone = true,
        .done = done,
        .clear = clear,
};

static bool call_work(struct managed *object, void *data, GError **error)
{
        note(data);
        note_from_lane(" ");
        return true;
}

static void call(enum managed_urgency urgency, const char *name)
{
        managed_run(thing, urgency, call_work, NULL, (char *)name);
}

static struct try *run_alone(const char *hangs)
{
        struct try *try = try_new(&alone_kind);

        try->hangs = hangs;
        try->n_others = 1;
        operation_run(&try->base);
        return try;
}

START_TEST(what_is_asked_meanwhile_waits_its_turn)
{
        call(MANAGED_IN_TURN, "before");
        run_alone("x");
        call(MANAGED_IN_TURN, "after");
        run_alone(NULL);
        call(MANAGED_IN_TURN, "later");
        await("x ");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("before lane x last good. after lane x last good. later ");
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

#define CANCELLED "operation aborted: 'alone' of thing 'web' was cancelled. "

START_TEST(what_is_urgent_cancels_what_is_before_it)
{
        /* In another object's lane, which hangs on. */
        run_alone("x");
        await("x ");
        call(MANAGED_IN_TURN, "after");
        run_alone(NULL);
        call(MANAGED_URGENT, "urgent");
        call(MANAGED_IN_TURN, "behind");
        await("behind ");
        ck_assert(g_str_has_prefix(journal->str, "lane x -lane " CANCELLED));
        /* The second was asked for before and never begins; the lane takes the others meanwhile. */
        ck_assert_ptr_nonnull(strstr(strstr(journal->str, CANCELLED) + 1, CANCELLED));
        ck_assert(strstr(journal->str, "after ") < strstr(journal->str, "urgent "));
        ck_assert(strstr(journal->str, "urgent ") < strstr(journal->str, "behind "));
        g_string_truncate(journal, 0);
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("-x ");
}
END_TEST

START_TEST(what_is_urgent_interrupts_the_lane)
{
        run_alone("last");
        await("last");
        call(MANAGED_URGENT, "urgent");
        drain();
        ck_assert_ptr_nonnull(strstr(journal->str, "lane x last "));
        ck_assert_ptr_nonnull(strstr(journal->str, "-lane "));
        ck_assert_ptr_nonnull(strstr(journal->str, "-x "));
        ck_assert_ptr_nonnull(strstr(journal->str, "operation aborted: interrupted. urgent "));
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

/* Undoing cannot be interrupted, by whatever is urgent. */
START_TEST(what_is_urgent_does_not_interrupt_undoing)
{
        struct try *try = try_new(&alone_kind);

        try->hangs = "-lane";
        try->fails = "x";
        operation_run(&try->base);
        await("undoing ");
        call(MANAGED_URGENT, "urgent");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("lane x undoing -lane operation failed: no luck. urgent ");
}
END_TEST

static void ask_more(struct operation *op, const GError *error)
{
        ck_assert_ptr_nonnull(error);
        call(MANAGED_IN_TURN, "more");
}

/* Whoever hears of the end of an operation and asks for more comes after what was asked before. */
START_TEST(turns_are_taken_in_order)
{
        struct operation_kind refused_kind = passive_kind;

        refused_kind.done = ask_more;
        run_passive();
        run_alone("x");
        operation_run(&try_new(&refused_kind)->base);
        call(MANAGED_IN_TURN, "before");
        await("x ");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        await("more ");
        ck_assert_ptr_nonnull(strstr(journal->str, "before more "));
        complete_with(NULL);
        drain();
}
END_TEST

START_TEST(the_end_of_the_agent_cancels_it)
{
        run_alone("x");
        await("x ");
        registry_cancel(registry);
        await("aborted");
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        ck_assert_uint_eq(n_tries, 0);
}
END_TEST

CHECK_MAIN_FIXTURE("operation", setup, teardown, steps_run_in_their_places, steps_are_undone_in_reverse,
                   what_is_temporary_is_given_back_after_success, a_step_may_make_the_rest_needless,
                   a_visit_on_its_way_is_abandoned, a_visit_has_a_deadline, cancelling_interrupts_work,
                   at_a_final_step_it_is_too_late, an_operation_can_be_refused, events_end_a_passive_step,
                   a_passive_step_is_asked_to_stop, a_passive_step_may_be_beyond_that, one_at_a_time,
                   one_after_the_other, what_is_asked_meanwhile_waits_its_turn,
                   what_is_urgent_cancels_what_is_before_it, what_is_urgent_interrupts_the_lane,
                   what_is_urgent_does_not_interrupt_undoing, turns_are_taken_in_order,
                   the_end_of_the_agent_cancels_it)
