/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that run on the other side before all of their memory is there: none of what they do is lost, and
 * when their memory cannot come, no side makes a second guest of what it has.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/moves.h"

static void expect_arrival(struct move *move)
{
        client_wait_event(there.client, move->path, EVENT_RESUMED, RESUMED_MIGRATED);
        guest_expect_state(there.client, move->path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(move);
}

START_TEST(test_it_runs_before_its_memory_is_there)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        move_begin(&move);
        move_start_postcopy(move.path);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_POSTCOPY);
        /* There is no way back, and nothing else to be done with it meanwhile. */
        move_start_postcopy(move.path);
        client_fails(here.client, LIBVIRT_ERROR, "*'migration' of domain 'linux' cannot be aborted any more",
                     move.path, DOMAIN_INTERFACE, "AbortJob", NULL);
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "Resume", NULL);
        client_fails(there.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", here.uri, 0, LIVE);
        move_expect_counting(&move);
        move_speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_msg(!move.answer.error, "%s", move.answer.error);
        guest_expect_state(here.client, move.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        expect_arrival(&move);
        /* It is a guest like any other. */
        sides_migrate(&there, move.path, &here, LIVE);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

START_TEST(test_what_is_refused)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        client_fails(here.client, LIBVIRT_ERROR, "*'linux' is not being migrated*", move.path,
                     DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
        client_fails(here.client, LIBVIRT_ERROR, "*unsupported flags*", move.path, DOMAIN_INTERFACE,
                     "MigrateStartPostCopy", "u", 1);
        client_fails(here.client, LIBVIRT_ERROR, "*POSTCOPY and PARALLEL*do not go together", move.path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE | POSTCOPY | PARALLEL);
        client_fails(here.client, LIBVIRT_ERROR, "*'bandwidth.postcopy' needs the flag POSTCOPY", move.path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1, "bandwidth.postcopy", "t",
                     (uint64_t)1, LIVE);
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 1, "bandwidth", "t", (uint64_t)1, LIVE);
        move_wait_under_way(&move);
        client_fails(here.client, LIBVIRT_ERROR, "*was begun without the flag POSTCOPY", move.path,
                     DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        /* As long as nobody has begun post-copy it is a migration like any other. */
        move_forget_answer(&move);
        move_begin(&move);
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        guest_expect_state(here.client, move.path, STATE_RUNNING, -1);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* ---- who dies ---- */

START_TEST(test_the_way_is_cut)
{
        struct move move;

        if (!move_halve(&move, there.uri, 0))
                return;
        /* Nor do the agents after these. */
        side_restart_agent(&here);
        side_restart_agent(&there);
        harness_wait_until(move_is_failed_here, move.path, "post-copy has failed here");
        harness_wait_until(move_is_failed_there, move.path, "post-copy has failed there");
        move_expect_halves(&move);
        guest_do_flags(here.client, move.path, "Destroy", 0);
        guest_do_flags(there.client, move.path, "Destroy", 0);
        moves_wait_guests(0);
        move_clear(&move);
}
END_TEST

START_TEST(test_the_guest_there_is_killed)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        move_begin(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        side_kill_guest(&there, move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        harness_wait_until(move_is_failed_here, move.path, "post-copy has failed here");
        harness_wait_until(move_is_gone_there, move.path, "nothing is left of the guest there");
        guest_do_flags(here.client, move.path, "Destroy", 0);
        move_clear(&move);
}
END_TEST

/* The emulators go on without them, and so do the agents that come after. */
START_TEST(test_an_agent_is_killed)
{
        const struct side *victim = _i == 0 ? &here : &there;
        struct move move;

        if (!move_start(&move, true))
                return;
        move_begin(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        side_restart_agent(victim);
        move_expect_counting(&move);
        move_speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        harness_wait_until(move_is_over_here, move.path, "the guest has ended here");
        harness_wait_until(move_has_come, move.path, "all of the guest is there");
        move_expect_counting(&move);
        moves_wait_guests(1);
        move_clear(&move);
}
END_TEST

/* Its memory comes while nobody looks. */
START_TEST(test_the_agent_there_is_late)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        move_begin(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        harness_end_agent(there.harness, SIGKILL);
        move_speed_up(move.path);
        /* What it has said of its arrival may not have been on its way yet. */
        client_wait_answer(here.client, &move.answer);
        harness_start_agent(there.harness);
        harness_wait_until(move_is_over_here, move.path, "the guest has ended here");
        harness_wait_until(move_has_come, move.path, "all of the guest is there");
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* The other side is asked whether it runs, and does: what its emulator lacks is sent meanwhile. */
START_TEST(test_the_answer_is_lost)
{
        g_autofree char *uri = NULL;
        struct move move;

        if (!move_start(&move, true))
                return;
        move.proxy = sides_new_proxy(&there, &uri);
        move_begin_to(&move, uri);
        proxy_hold(move.proxy, "Finish", true);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        proxy_cut(move.proxy);
        move_speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        harness_wait_until(move_is_over_here, move.path, "the guest has ended here");
        expect_arrival(&move);
        moves_wait_guests(1);
        move_clear(&move);
}
END_TEST

static bool is_held(void *proxy)
{
        return proxy_is_held(proxy);
}

static bool is_failed_or_runs_here(void *data)
{
        return move_is_failed_here(data) || side_runs(&here, data);
}

/* It never ran there. It goes on here if all of its memory had been sent by then, and QEMU lets go of it. */
START_TEST(test_the_other_side_dies_before_it_runs)
{
        g_autofree char *uri = NULL;
        struct move move;

        if (!move_start(&move, true))
                return;
        move.proxy = sides_new_proxy(&there, &uri);
        move_begin_to(&move, uri);
        proxy_hold(move.proxy, "Finish", false);
        move_start_postcopy(move.path);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        harness_wait_until(is_held, move.proxy, "Finish is on its way");
        side_restart_agent(&there);
        proxy_cut(move.proxy);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        harness_wait_until(is_failed_or_runs_here, move.path, "post-copy has failed here");
        harness_wait_until(move_is_gone_there, move.path, "nothing is left of the guest there");
        guest_do_flags(here.client, move.path, "Destroy", 0);
        move_clear(&move);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/postcopy");
        TCase *moves = tcase_create("moves"), *deaths = tcase_create("deaths");
        /* The lab has no time for all of them. */
        bool all = !moves_are_in_lab() || g_getenv("VIRTBUS_TEST_SCENES");

        tcase_set_timeout(moves, 300);
        tcase_add_checked_fixture(moves, sides_set_up, sides_tear_down);
        tcase_add_test(moves, test_it_runs_before_its_memory_is_there);
        tcase_add_test(moves, test_what_is_refused);
        suite_add_tcase(suite, moves);
        tcase_set_timeout(deaths, 300);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        tcase_add_test(deaths, test_the_way_is_cut);
        if (all) {
                tcase_add_test(deaths, test_the_guest_there_is_killed);
                tcase_add_loop_test(deaths, test_an_agent_is_killed, 0, 2);
                tcase_add_test(deaths, test_the_agent_there_is_late);
                tcase_add_test(deaths, test_the_answer_is_lost);
                tcase_add_test(deaths, test_the_other_side_dies_before_it_runs);
        }
        suite_add_tcase(suite, deaths);
        return harness_main(suite);
}
