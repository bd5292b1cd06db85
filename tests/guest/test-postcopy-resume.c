/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Post-copy whose way was cut goes on by another one, whoever dies meanwhile, and no half of a guest is taken
 * for the whole.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/moves.h"

/* At any speed, and not through the proxy. */
static void resume(struct move *move)
{
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 2,
                  "bandwidth.postcopy", "t", (uint64_t)1000, "migrate_uri", "s", "tcp:" LISTEN,
                  LIVE | POSTCOPY | POSTCOPY_RESUME);
}

static void expect_arrived(struct move *move)
{
        harness_wait_until(move_has_come, move->path, "all of the guest is there");
        move_expect_counting(move);
        moves_wait_guests(1);
}

static void expect_whole(struct move *move)
{
        guest_expect_state(here.client, move->path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        expect_arrived(move);
}

START_TEST(test_it_goes_on)
{
        struct move move;

        if (!move_halve(&move, there.uri, 0))
                return;
        client_fails(here.client, LIBVIRT_ERROR,
                     "*flag POSTCOPY_RESUME of a migration needs the flag POSTCOPY", move.path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE | POSTCOPY_RESUME);
        client_fails(here.client, LIBVIRT_ERROR, "*was begun with the flags 0x8001,*not with 0x8011",
                     move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0,
                     LIVE | POSTCOPY | UNDEFINE_SOURCE | POSTCOPY_RESUME);
        /* Not by itself, and not as if it were whole. */
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 0, LIVE | POSTCOPY);
        client_forget_signals(here.client);
        client_forget_signals(there.client);
        move_send_by_proxy(&move, POSTCOPY_RESUME);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_POSTCOPY);
        /* As often as it is cut. */
        move_cut(&move);
        resume(&move);
        client_wait_event(here.client, move.path, EVENT_STOPPED, STOPPED_MIGRATED);
        expect_whole(&move);
        /* It is a guest like any other. */
        client_fails(there.client, LIBVIRT_ERROR, "*has no migration that has failed in post-copy", move.path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", here.uri, 0,
                     LIVE | POSTCOPY | POSTCOPY_RESUME);
        sides_migrate(&there, move.path, &here, LIVE);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* By two at once, of one caller (_i 0) or of two: one has it go on, the other is told so, and nothing is
 * lost. */
START_TEST(test_two_want_it_to_go_on)
{
        struct client_answer answers[2] = { 0 };
        struct client *clients[2];
        const char *refusal;
        struct move move;

        if (!move_halve(&move, there.uri, 0))
                return;
        clients[0] = here.client;
        clients[1] = _i == 0 ? here.client : harness_connect(here.harness);
        for (unsigned i = 0; i < 2; i++)
                client_send(clients[i], &answers[i], move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                            there.uri, 2, "bandwidth.postcopy", "t", (uint64_t)1000, "migrate_uri", "s",
                            "tcp:" LISTEN, LIVE | POSTCOPY | POSTCOPY_RESUME);
        for (unsigned i = 0; i < 2; i++)
                client_wait_answer(clients[i], &answers[i]);
        ck_assert_msg(!answers[0].error != !answers[1].error, "%s, %s", answers[0].error, answers[1].error);
        refusal = answers[0].error ? answers[0].error : answers[1].error;
        /* A host that is busy may hear the second when all is over. */
        ck_assert_msg(strstr(refusal, "'linux' is busy with 'migration'") ||
                              strstr(refusal, "'linux' is not running"),
                      "%s", refusal);
        expect_whole(&move);
        if (clients[1] != here.client)
                client_free(clients[1]);
        for (unsigned i = 0; i < 2; i++)
                g_free(answers[i].error);
        move_clear(&move);
}
END_TEST

/* By somebody who sees that nothing moves, while the other side waits for what comes by the old way. */
START_TEST(test_it_is_interrupted)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        client_fails(here.client, LIBVIRT_ERROR, "*'linux' is not on its way*in post-copy", move.path,
                     DOMAIN_INTERFACE, "AbortJobFlags", "u", 1);
        client_fails(here.client, LIBVIRT_ERROR, "*unsupported flags*", move.path, DOMAIN_INTERFACE,
                     "AbortJobFlags", "u", 2);
        move_begin(&move);
        client_fails(here.client, LIBVIRT_ERROR, "*'linux' is not on its way*in post-copy", move.path,
                     DOMAIN_INTERFACE, "AbortJobFlags", "u", 1);
        client_do(here.client, move.path, DOMAIN_INTERFACE, "AbortJobFlags", "u", 0);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(strstr(move.answer.error, "was cancelled"));
        guest_expect_state(here.client, move.path, STATE_RUNNING, -1);
        move_forget_answer(&move);
        move_begin(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        client_fails(here.client, LIBVIRT_ERROR, "*cannot be aborted any more", move.path, DOMAIN_INTERFACE,
                     "AbortJobFlags", "u", 0);
        move_interrupt(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(strstr(move.answer.error, "is cut"));
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY_FAILED);
        resume(&move);
        expect_whole(&move);
        move_clear(&move);
}
END_TEST

static bool is_held(void *proxy)
{
        return proxy_is_held(proxy);
}

/* The name of the only file in which it is written down that a guest has come there. */
static char *find_cookie(void)
{
        g_autofree char *folder = harness_path(there.harness, "run/qemu/arrived");
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name = dir ? g_dir_read_name(dir) : NULL;

        ck_assert_ptr_nonnull(name);
        return g_strdup(name);
}

/* Values of typed parameters are variants in variants. */
static bool has_true(sd_bus_message *dictionary, const char *wanted)
{
        const char *name;
        int value;

        ck_assert_int_gt(sd_bus_message_enter_container(dictionary, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(dictionary, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(dictionary, "s", &name), 0);
                if (strcmp(name, wanted) == 0)
                        return sd_bus_message_read(dictionary, "v", "v", "b", &value) > 0 && value;
                ck_assert_int_ge(sd_bus_message_skip(dictionary, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(dictionary), 0);
        }
        return false;
}

/* To whom it is not known yet that all of the guest is there, it is said. */
START_TEST(test_nothing_is_missing)
{
        g_autofree char *uri = NULL, *cookie = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        struct move move = { .path = guest_start(here.client, guest_bare_xml("bare", NULL)) };

        move.proxy = sides_new_proxy(&there, &uri);
        proxy_hold(move.proxy, "Confirm", false);
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    0, LIVE);
        harness_wait_until(is_held, move.proxy, "Confirm is on its way");
        cookie = find_cookie();
        reply = client_call(there.client, QEMU_PATH, "org.virtbus.Migration", "Recover", "sa{sv}u", cookie, 0,
                            LIVE);
        ck_assert(has_true(reply, "complete"));
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        proxy_release(move.proxy);
        client_wait_answer(here.client, &move.answer);
        /* From now on it is nobody's. */
        client_fails(there.client, LIBVIRT_ERROR, "*has not come here by that migration", QEMU_PATH,
                     "org.virtbus.Migration", "Recover", "sa{sv}u", cookie, 0, LIVE);
        client_fails(there.client, LIBVIRT_ERROR, "*no cookie of a migration", QEMU_PATH,
                     "org.virtbus.Migration", "Recover", "sa{sv}u", "../x", 0, LIVE);
        client_fails(there.client, LIBVIRT_ERROR, "*needs no Prepare", QEMU_PATH, "org.virtbus.Migration",
                     "Prepare", "sa{sv}u", "<domain/>", 0, LIVE | POSTCOPY | POSTCOPY_RESUME);
        move_clear(&move);
}
END_TEST

static int on_recover(sd_bus_message *message, void *asked, sd_bus_error *error)
{
        *(bool *)asked = true;
        return sd_bus_reply_method_return(message, "a{sv}", 2, "complete", "b", 1, "defined", "b", 0);
}

static const sd_bus_vtable whole[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Recover", "sa{sv}u", "a{sv}", on_recover, 0),
        SD_BUS_VTABLE_END,
};

struct stand_in {
        sd_bus *bus;
        struct move *move;
};

static bool has_answered(void *data)
{
        struct stand_in *other = data;

        while (sd_bus_process(other->bus, NULL) > 0)
                ;
        client_process(here.client);
        return other->move->answer.done;
}

/* Of an agent for which another one stands in: the half that is here is of no use any more. Its definition
 * is: there is none there. */
START_TEST(test_it_is_told_that_nothing_is_missing)
{
        struct harness *elsewhere;
        struct move move;
        struct stand_in other = { .move = &move };
        g_autofree char *uri = NULL;
        const unsigned flags = PERSIST_DEST | UNDEFINE_SOURCE;
        bool asked = false;

        if (!move_halve(&move, there.uri, flags))
                return;
        elsewhere = harness_new_bus();
        uri = g_strdup_printf("qemu+unix:///system?bus=%s", harness_get_address(elsewhere));
        ck_assert_int_ge(sd_bus_new(&other.bus), 0);
        ck_assert_int_ge(sd_bus_set_address(other.bus, harness_get_address(elsewhere)), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(other.bus, true), 0);
        ck_assert_int_ge(sd_bus_start(other.bus), 0);
        ck_assert_int_ge(
                sd_bus_add_object_vtable(other.bus, NULL, QEMU_PATH, "org.virtbus.Migration", whole, &asked),
                0);
        ck_assert_int_ge(sd_bus_request_name(other.bus, "org.libvirt", 0), 0);
        move_forget_answer(&move);
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    0, LIVE | POSTCOPY | POSTCOPY_RESUME | flags);
        harness_wait_until(has_answered, &other, "the migration is over");
        ck_assert_msg(!move.answer.error, "%s", move.answer.error);
        ck_assert(asked);
        client_wait_event(here.client, move.path, EVENT_STOPPED, STOPPED_MIGRATED);
        guest_expect_state(here.client, move.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        sd_bus_flush_close_unref(other.bus);
        harness_free(elsewhere);
        moves_wait_guests(1);
        move_clear(&move);
}
END_TEST

static bool is_paused_there(void *path)
{
        return side_find_state(&there, path) == STATE_PAUSED;
}

static bool can_go_on_there(void *path)
{
        g_free(client_try(there.client, path, DOMAIN_INTERFACE, "Resume", NULL));
        return side_runs(&there, path);
}

static bool goes_on(void *data)
{
        const struct move *move = data;

        g_free(client_try(here.client, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                          "bandwidth.postcopy", "t", (uint64_t)1000,
                          LIVE | POSTCOPY | PAUSED | POSTCOPY_RESUME));
        return move_is_over_here(move->path);
}

/*
 * Of a guest that stands still there its state does not say that some of it is missing, and to an agent that
 * is new its emulator has not said so yet.
 */
START_TEST(test_an_emulator_says_nothing)
{
        struct move move;
        pid_t pid;

        if (!move_start(&move, true))
                return;
        client_send(here.client, &move.answer, move.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 2, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1,
                    LIVE | POSTCOPY | PAUSED);
        move_wait_under_way(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_SUSPENDED, 0);
        move_interrupt(move.path);
        client_wait_answer(here.client, &move.answer);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY_FAILED);
        pid = side_find_emulator(&there, move.path);
        ck_assert_int_gt(pid, 0);
        kill(pid, SIGSTOP);
        side_restart_agent(&there);
        client_fails(here.client, LIBVIRT_ERROR, "*both halves stay*destroy both", move.path,
                     DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0,
                     LIVE | POSTCOPY | PAUSED | POSTCOPY_RESUME);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY_FAILED);
        moves_wait_guests(2);
        kill(pid, SIGCONT);
        harness_wait_until(goes_on, &move, "all of the guest is there");
        moves_wait_guests(1);
        harness_wait_until(is_paused_there, move.path, "it stands still there");
        harness_wait_until(can_go_on_there, move.path, "it runs there");
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* ---- who dies while it goes on ---- */

/* What one agent says to the other, at which everything stands still for a moment. */
static const struct moment {
        const char *member;
        bool reply;
} moments[] = {
        { "Recover", false },
        { "Recover", true },
        { "Confirm", false },
        { "Confirm", true },
};

enum victim { LINK, SOURCE_AGENT, DESTINATION_AGENT, SOURCE_GUEST, DESTINATION_GUEST };

/* The same guest, cut in halves, in all scenes. The agents speak through the proxy, the emulators do not. */
static void cut_in_halves(struct move *move)
{
        move_forget_answer(move);
        client_forget_signals(here.client);
        client_forget_signals(there.client);
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)1, 0);
        move_begin(move);
        move_start_postcopy(move->path);
        client_wait_event(there.client, move->path, EVENT_RESUMED, RESUMED_POSTCOPY);
        move_interrupt(move->path);
        client_wait_answer(here.client, &move->answer);
        harness_wait_until(move_is_failed_here, move->path, "post-copy has failed here");
}

static void strike(struct move *move, enum victim victim)
{
        switch (victim) {
        case LINK:
                proxy_cut(move->proxy);
                break;
        case SOURCE_AGENT:
                side_restart_agent(&here);
                break;
        case DESTINATION_AGENT:
                side_restart_agent(&there);
                break;
        case SOURCE_GUEST:
                side_kill_guest(&here, move->path);
                break;
        case DESTINATION_GUEST:
                side_kill_guest(&there, move->path);
                break;
        }
}

static bool is_held_or_over(void *data)
{
        const struct move *move = data;

        client_process(here.client);
        return move->answer.done || proxy_is_held(move->proxy);
}

static void play(struct move *move, const char *uri, const struct moment *moment, enum victim victim)
{
        move_forget_answer(move);
        proxy_hold(move->proxy, moment->member, moment->reply);
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    1, "bandwidth.postcopy", "t", (uint64_t)1000, LIVE | POSTCOPY | POSTCOPY_RESUME);
        harness_wait_until(is_held_or_over, move, "it is said, or over");
        ck_assert_msg(!move->answer.done, "nobody said '%s': %s", moment->member, move->answer.error);
        strike(move, victim);
        proxy_release(move->proxy);
        client_wait_answer(here.client, &move->answer);
}

/* Whoever begins it again, as often as it takes, has the whole guest there in the end. */
static bool is_whole_or_goes_on(void *data)
{
        static char *last;
        char *path = data, *failure;

        if (!move_is_over_here(path)) {
                failure = client_try(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                                     there.uri, 1, "bandwidth.postcopy", "t", (uint64_t)1000,
                                     LIVE | POSTCOPY | POSTCOPY_RESUME);
                if (failure && g_strcmp0(failure, last) != 0)
                        fprintf(stderr, "it does not go on yet: %s\n", failure);
                g_free(last);
                last = failure;
        }
        return move_is_over_here(path) && move_has_come(path);
}

/* Half a guest is none, and is destroyed by whoever knows that the other half is gone. */
static void expect_half(struct move *move, enum victim victim)
{
        bool is_here = victim == DESTINATION_GUEST;

        if (is_here) {
                harness_wait_until(move_is_gone_there, move->path, "nothing is left of the guest there");
                harness_wait_until(move_is_failed_here, move->path, "post-copy has failed here");
                client_fails(here.client, LIBVIRT_ERROR, "*is not here any more*", move->path,
                             DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 0,
                             LIVE | POSTCOPY | POSTCOPY_RESUME);
        } else {
                harness_wait_until(move_is_over_here, move->path, "the guest has ended here");
                harness_wait_until(move_is_failed_there, move->path, "post-copy has failed there");
        }
        moves_wait_guests(1);
        guest_do_flags(is_here ? here.client : there.client, move->path, "Destroy", 0);
        moves_wait_guests(0);
}

static void play_to_the_end(struct move *move, const char *uri, const struct moment *moment,
                            enum victim victim)
{
        cut_in_halves(move);
        play(move, uri, moment, victim);
        harness_wait_until(is_whole_or_goes_on, move->path, "all of the guest is there");
        moves_wait_guests(1);
        move_expect_counting(move);
        sides_migrate(&there, move->path, &here, LIVE);
        move_expect_counting(move);
}

START_TEST(test_somebody_dies_while_it_goes_on)
{
        g_autofree char *uri = NULL;
        struct move move;

        if (!move_start(&move, true))
                return;
        move.proxy = sides_new_proxy(&there, &uri);
        /* The first two of DESTINATION_AGENT are scenes of their own. */
        for (unsigned i = _i == DESTINATION_AGENT ? 2 : 0; i < G_N_ELEMENTS(moments); i++)
                play_to_the_end(&move, uri, &moments[i], (enum victim)_i);
        move_clear(&move);
}
END_TEST

/* ... or somebody has to be told that nothing comes of it. */
static bool is_whole_or_out_of_reach(void *data)
{
        const char *path = data;
        g_autofree char *error = NULL;

        if (!move_is_over_here(data))
                error = client_try(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                                   1, "bandwidth.postcopy", "t", (uint64_t)1000,
                                   LIVE | POSTCOPY | POSTCOPY_RESUME);
        return (move_is_over_here(data) && move_has_come(data)) ||
               (error && strstr(error, "both halves stay"));
}

/* An emulator that hangs on a page that does not come answers no agent that is new to it. Nothing is made up
 * of that. */
START_TEST(test_the_agent_there_dies_before_it_goes_on)
{
        g_autofree char *uri = NULL;
        struct move move;

        if (!move_start(&move, true))
                return;
        move.proxy = sides_new_proxy(&there, &uri);
        cut_in_halves(&move);
        play(&move, uri, &moments[_i], DESTINATION_AGENT);
        harness_wait_until(is_whole_or_out_of_reach, move.path, "all of it is there, or it is out of reach");
        if (move_is_over_here(move.path)) {
                expect_arrived(&move);
        } else {
                harness_wait_until(move_is_failed_here, move.path, "post-copy has failed here");
                ck_assert(side_runs(&there, move.path));
                moves_wait_guests(2);
                guest_do_flags(here.client, move.path, "Destroy", 0);
        }
        guest_do_flags(there.client, move.path, "Destroy", 0);
        moves_wait_guests(0);
        move_clear(&move);
}
END_TEST

START_TEST(test_half_of_it_dies_while_it_goes_on)
{
        g_autofree char *uri = NULL;
        enum victim victim = _i < 2 ? SOURCE_GUEST : DESTINATION_GUEST;
        struct move move;

        if (!move_start(&move, true))
                return;
        move.proxy = sides_new_proxy(&there, &uri);
        cut_in_halves(&move);
        play(&move, uri, &moments[_i % 2], victim);
        ck_assert_ptr_nonnull(move.answer.error);
        expect_half(&move, victim);
        move_clear(&move);
}
END_TEST

static bool has_looked(void *harness)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "a migration of domain 'linux': ");
}

/* What is on its way again goes on, whichever agent looks. */
START_TEST(test_an_agent_is_killed_while_it_goes_on)
{
        const struct side *victim = _i == 0 ? &here : &there;
        g_autofree char *uri = NULL;
        struct proxy *first = sides_new_proxy(&there, &uri);
        struct move move;

        if (!move_halve(&move, uri, 0)) {
                proxy_free(first);
                return;
        }
        /* Also by one that finds it so, when it has looked: until then it is busy with that. */
        side_restart_agent(&here);
        harness_wait_until(has_looked, here.harness, "the agent here has looked for the guest");
        ck_assert(move_is_failed_here(move.path));
        client_forget_signals(here.client);
        client_forget_signals(there.client);
        move_send_by_proxy(&move, POSTCOPY_RESUME);
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        /* Who looks now does so where it goes on, and not where it began. */
        proxy_free(first);
        side_restart_agent(victim);
        move_expect_counting(&move);
        move_speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        harness_wait_until(move_is_over_here, move.path, "the guest has ended here");
        expect_arrived(&move);
        move_clear(&move);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/postcopy-resume");
        TCase *resumptions = tcase_create("resumptions"), *deaths = tcase_create("deaths");

        tcase_set_timeout(resumptions, 300);
        tcase_add_checked_fixture(resumptions, sides_set_up, sides_tear_down);
        tcase_add_test(resumptions, test_it_goes_on);
        tcase_add_loop_test(resumptions, test_two_want_it_to_go_on, 0, 2);
        tcase_add_test(resumptions, test_it_is_interrupted);
        tcase_add_test(resumptions, test_nothing_is_missing);
        tcase_add_test(resumptions, test_it_is_told_that_nothing_is_missing);
        tcase_add_test(resumptions, test_an_emulator_says_nothing);
        suite_add_tcase(suite, resumptions);
        tcase_set_timeout(deaths, 300);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        if (!moves_are_in_lab() || g_getenv("VIRTBUS_TEST_SCENES")) {
                tcase_add_loop_test(deaths, test_somebody_dies_while_it_goes_on, LINK, DESTINATION_AGENT + 1);
                tcase_add_loop_test(deaths, test_the_agent_there_dies_before_it_goes_on, 0, 2);
                tcase_add_loop_test(deaths, test_half_of_it_dies_while_it_goes_on, 0, 4);
                tcase_add_loop_test(deaths, test_an_agent_is_killed_while_it_goes_on, 0, 2);
        }
        suite_add_tcase(suite, deaths);
        return harness_main(suite);
}
