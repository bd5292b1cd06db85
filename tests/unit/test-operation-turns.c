/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations that have an object to themselves, and the turns of what is asked of it meanwhile.
 */
#include "tests/unit/operation-try.h"

#include "tests/unit/check-main.h"

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

CHECK_MAIN_FIXTURE("operation-turns", try_setup, try_teardown, what_is_asked_meanwhile_waits_its_turn,
                   what_is_urgent_cancels_what_is_before_it, what_is_urgent_interrupts_the_lane,
                   what_is_urgent_does_not_interrupt_undoing, turns_are_taken_in_order,
                   the_end_of_the_agent_cancels_it)
