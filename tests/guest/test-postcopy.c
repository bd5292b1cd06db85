/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that run on the other side before all of their memory is there: none of what they do is lost, and
 * when their memory cannot come, no side makes a second guest of what it has.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/proxy.h"
#include "tests/support/sides.h"

/* Where QEMU's stream goes by: a proxy there is what a migration cannot tell from the other host. */
#define PROXY  "tcp:127.0.0.1:50200"
#define LISTEN "127.0.0.2"

struct move {
        char *console, *path; /* owned */
        struct client_answer answer;
        struct proxy *proxy; /* NULL: none */
};

#define SYSCTL "/proc/sys/vm/unprivileged_userfaultfd"

/* The lab is a machine of its own: nobody minds what it allows, but its guests are emulated twice. */
static bool is_lab(void)
{
        return g_getenv("VIRTBUS_LAB");
}

/* QEMU has no privileges. */
static bool can_run(void)
{
        g_autofree char *allowed = NULL;

        if (is_lab() && g_file_test(SYSCTL, G_FILE_TEST_EXISTS))
                ck_assert_int_eq(system("echo 1 >" SYSCTL), 0);
        if (g_file_get_contents(SYSCTL, &allowed, NULL, NULL) && *allowed == '1')
                return true;
        harness_skip("vm.unprivileged_userfaultfd is not 1 here, without which there is no post-copy");
        return false;
}

/* In the lab a Linux that counts takes minutes to start; one that starts goes on starting as well. */
static void start(struct move *move)
{
        *move = (struct move){ .console = harness_path(here.harness, "console") };
        move->path = guest_start(here.client, sides_make_counting_xml("linux", move->console));
        if (!is_lab())
                guest_wait_console(move->console, "count 3\r");
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)1, 0);
}

static void expect_counting(const struct move *move)
{
        if (!is_lab())
                sides_expect_counting(move->console);
}

static void clear(struct move *move)
{
        proxy_free(move->proxy);
        g_free(move->answer.error);
        g_free(move->console);
        g_free(move->path);
}

static bool is_under_way(void *data)
{
        const struct move *move = data;

        client_process(here.client);
        return move->answer.done || sides_are_transferring(move->path);
}

static void wait_under_way(struct move *move)
{
        harness_wait_until(is_under_way, move, "some of the guest has gone over");
        ck_assert_msg(!move->answer.done, "the migration has ended: %s", move->answer.error);
}

/* As slowly as can be said: it does not end by itself. */
static void begin(struct move *move)
{
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 2, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1,
                    LIVE | POSTCOPY);
        wait_under_way(move);
}

static void start_postcopy(const char *path)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
}

static void speed_up(const char *path)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1000, 1);
}

static void expect_arrival(struct move *move)
{
        client_wait_event(there.client, move->path, EVENT_RESUMED, RESUMED_MIGRATED);
        guest_expect_state(there.client, move->path, STATE_RUNNING, RUNNING_MIGRATED);
        expect_counting(move);
}

START_TEST(test_it_runs_before_its_memory_is_there)
{
        struct move move;

        if (!can_run())
                return;
        start(&move);
        begin(&move);
        start_postcopy(move.path);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_POSTCOPY);
        /* There is no way back, and nothing else to be done with it meanwhile. */
        start_postcopy(move.path);
        client_fails(here.client, LIBVIRT_ERROR, "*'migration' of domain 'linux' cannot be aborted any more",
                     move.path, DOMAIN_INTERFACE, "AbortJob", NULL);
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "Resume", NULL);
        client_fails(there.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", here.uri, 0, LIVE);
        expect_counting(&move);
        speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_null(move.answer.error);
        guest_expect_state(here.client, move.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        expect_arrival(&move);
        /* It is a guest like any other. */
        sides_migrate(&there, move.path, &here, LIVE);
        expect_counting(&move);
        clear(&move);
}
END_TEST

START_TEST(test_what_is_refused)
{
        struct move move;

        if (!can_run())
                return;
        start(&move);
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
        wait_under_way(&move);
        client_fails(here.client, LIBVIRT_ERROR, "*was begun without the flag POSTCOPY", move.path,
                     DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        /* As long as nobody has begun post-copy it is a migration like any other. */
        g_clear_pointer(&move.answer.error, g_free);
        move.answer.done = false;
        begin(&move);
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        guest_expect_state(here.client, move.path, STATE_RUNNING, -1);
        expect_counting(&move);
        clear(&move);
}
END_TEST

/* ---- who dies ---- */

/* An agent that starts has other children for a moment. */
static bool are_as_many(void *data)
{
        return harness_count_guests(here.harness) == *(unsigned *)data;
}

static void wait_guests(unsigned expected)
{
        harness_wait_until(are_as_many, &expected, "there are as many guests as there are to be");
}

/* Neither side's guest is whole: nobody goes on as if it were. */
static void expect_halves(const struct move *move)
{
        guest_expect_state(here.client, move->path, STATE_PAUSED, PAUSED_POSTCOPY_FAILED);
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", move->path, DOMAIN_INTERFACE,
                     "Resume", NULL);
        guest_expect_state(there.client, move->path, STATE_RUNNING, RUNNING_POSTCOPY_FAILED);
        wait_guests(2);
}

static bool is_failed_here(void *data)
{
        int reason = 0;

        return guest_get_state(here.client, data, &reason) == STATE_PAUSED &&
               reason == PAUSED_POSTCOPY_FAILED;
}

static bool is_failed_there(void *data)
{
        int reason = 0;

        return guest_get_state(there.client, data, &reason) == STATE_RUNNING &&
               reason == RUNNING_POSTCOPY_FAILED;
}

static bool is_gone_there(void *data)
{
        return !side_has(&there, data);
}

START_TEST(test_the_way_is_cut)
{
        struct move move;

        if (!can_run())
                return;
        start(&move);
        move.proxy = proxy_new(PROXY, "tcp:" LISTEN ":50200");
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 4, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1,
                    "migrate_uri", "s", PROXY, "listen_address", "s", LISTEN, LIVE | POSTCOPY);
        wait_under_way(&move);
        start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        proxy_cut(move.proxy);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(strstr(move.answer.error, "is cut"));
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY_FAILED);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY_FAILED);
        expect_halves(&move);
        /* Nor do the agents after these. */
        side_restart_agent(&here);
        side_restart_agent(&there);
        harness_wait_until(is_failed_here, move.path, "post-copy has failed here");
        harness_wait_until(is_failed_there, move.path, "post-copy has failed there");
        expect_halves(&move);
        guest_do_flags(here.client, move.path, "Destroy", 0);
        guest_do_flags(there.client, move.path, "Destroy", 0);
        wait_guests(0);
        clear(&move);
}
END_TEST

START_TEST(test_the_guest_there_is_killed)
{
        struct move move;

        if (!can_run())
                return;
        start(&move);
        begin(&move);
        start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        side_kill_guest(&there, move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        harness_wait_until(is_failed_here, move.path, "post-copy has failed here");
        harness_wait_until(is_gone_there, move.path, "nothing is left of the guest there");
        guest_do_flags(here.client, move.path, "Destroy", 0);
        clear(&move);
}
END_TEST

static bool is_over_here(void *data)
{
        return side_find_state(&here, data) == -1 || side_find_state(&here, data) == STATE_SHUTOFF;
}

static bool has_come(void *data)
{
        int reason = 0;

        return side_has(&there, data) && guest_get_state(there.client, data, &reason) == STATE_RUNNING &&
               reason == RUNNING_MIGRATED;
}

/* The emulators go on without them, and so do the agents that come after. */
START_TEST(test_an_agent_is_killed)
{
        const struct side *victim = _i == 0 ? &here : &there;
        struct move move;

        if (!can_run())
                return;
        start(&move);
        begin(&move);
        start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        side_restart_agent(victim);
        expect_counting(&move);
        speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        harness_wait_until(is_over_here, move.path, "the guest has ended here");
        harness_wait_until(has_come, move.path, "all of the guest is there");
        expect_counting(&move);
        wait_guests(1);
        clear(&move);
}
END_TEST

/* Its memory comes while nobody looks. */
START_TEST(test_the_agent_there_is_late)
{
        struct move move;

        if (!can_run())
                return;
        start(&move);
        begin(&move);
        start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        harness_end_agent(there.harness, SIGKILL);
        speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_null(move.answer.error);
        guest_expect_state(here.client, move.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        harness_start_agent(there.harness);
        harness_wait_until(has_come, move.path, "all of the guest is there");
        expect_counting(&move);
        clear(&move);
}
END_TEST

/* The other side is asked whether it runs, and does: what its emulator lacks is sent meanwhile. */
START_TEST(test_the_answer_is_lost)
{
        g_autofree char *socket = harness_path(there.harness, "proxy");
        g_autofree char *address = g_strconcat("unix:path=", socket, NULL);
        g_autofree char *uri = g_strdup_printf("qemu+unix:///system?bus=%s", address);
        struct move move;

        if (!can_run())
                return;
        start(&move);
        move.proxy = proxy_new(address, harness_get_address(there.harness));
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    1, "bandwidth", "t", (uint64_t)1, LIVE | POSTCOPY);
        wait_under_way(&move);
        proxy_hold(move.proxy, "Finish", true);
        start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        proxy_cut(move.proxy);
        client_wait_answer(here.client, &move.answer);
        harness_wait_until(is_over_here, move.path, "the guest has ended here");
        expect_arrival(&move);
        wait_guests(1);
        clear(&move);
}
END_TEST

static bool is_held(void *proxy)
{
        return proxy_is_held(proxy);
}

static bool is_failed_or_runs_here(void *data)
{
        return is_failed_here(data) || side_runs(&here, data);
}

/* It never ran there. It goes on here if all of its memory had been sent by then, and QEMU lets go of it. */
START_TEST(test_the_other_side_dies_before_it_runs)
{
        g_autofree char *socket = harness_path(there.harness, "proxy");
        g_autofree char *address = g_strconcat("unix:path=", socket, NULL);
        g_autofree char *uri = g_strdup_printf("qemu+unix:///system?bus=%s", address);
        struct move move;

        if (!can_run())
                return;
        start(&move);
        move.proxy = proxy_new(address, harness_get_address(there.harness));
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    2, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1,
                    LIVE | POSTCOPY);
        wait_under_way(&move);
        proxy_hold(move.proxy, "Finish", false);
        start_postcopy(move.path);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        harness_wait_until(is_held, move.proxy, "Finish is on its way");
        side_restart_agent(&there);
        proxy_cut(move.proxy);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        harness_wait_until(is_failed_or_runs_here, move.path, "post-copy has failed here");
        harness_wait_until(is_gone_there, move.path, "nothing is left of the guest there");
        guest_do_flags(here.client, move.path, "Destroy", 0);
        clear(&move);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/postcopy");
        TCase *moves = tcase_create("moves"), *deaths = tcase_create("deaths");
        /* The lab has no time for all of them. */
        bool all = !is_lab() || g_getenv("VIRTBUS_TEST_SCENES");

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
