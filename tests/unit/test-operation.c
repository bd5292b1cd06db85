/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations: steps in their places, undone in reverse, cancelled wherever they are.
 */
#include "tests/unit/operation-try.h"

#include "tests/unit/check-main.h"

/* ---- steps ---- */

static bool on_the_loop(struct operation *op, GError **error)
{
        return act(op, NULL, "loop", error);
}

static void on_the_loop_undo(struct operation *op)
{
        ck_assert(on_loop(loop));
        note("-loop ");
}

static bool in_a_lane_of_its_own(struct operation *op, GError **error)
{
        operation_set_progress(op, &(struct job_progress){ .data = { 10, 5, 5, 0 } });
        return act(op, job_get_lane(op->job), "work", error);
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

static const struct operation_step late_steps[] = {
        { .place = OPERATION_WORKER, .run = in_a_lane_of_its_own, .final = true },
        { .place = OPERATION_OBJECT, .run = at_last, .final = true },
};

static const struct operation_kind late_kind = {
        .name = "late",
        .steps = late_steps,
        .n_steps = G_N_ELEMENTS(late_steps),
        .size = sizeof(struct try),
        .done = done,
        .clear = clear,
};

/* Also for who knows of its job alone. */
START_TEST(a_job_at_a_final_step_is_not_interrupted)
{
        struct try *try = try_new(&late_kind);

        try->hangs = "work";
        operation_run(&try->base);
        await_progress();
        job_cancel(job_list_find(jobs, 1));
        pass(50);
        ck_assert_int_eq(eventfd_write(gate_fd, 1), 0);
        drain();
        expect("job work last completed good. ");
}
END_TEST

/* An agent that ends waits for nothing. */
START_TEST(an_end_of_all_jobs_interrupts_a_final_step)
{
        struct try *try = try_new(&late_kind);

        try->hangs = "work";
        operation_run(&try->base);
        await_progress();
        job_list_cancel_all(jobs);
        drain();
        expect("job work cancelled operation aborted: interrupted. ");
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

CHECK_MAIN_FIXTURE("operation", try_setup, try_teardown, steps_run_in_their_places,
                   steps_are_undone_in_reverse, what_is_temporary_is_given_back_after_success,
                   a_step_may_make_the_rest_needless, a_visit_on_its_way_is_abandoned, a_visit_has_a_deadline,
                   cancelling_interrupts_work, at_a_final_step_it_is_too_late,
                   a_job_at_a_final_step_is_not_interrupted, an_end_of_all_jobs_interrupts_a_final_step,
                   an_operation_can_be_refused, events_end_a_passive_step, a_passive_step_is_asked_to_stop,
                   a_passive_step_may_be_beyond_that, one_at_a_time, one_after_the_other)
