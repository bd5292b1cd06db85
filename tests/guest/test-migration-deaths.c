/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests on their way from one agent to another: whoever is killed at whatever moment, exactly one of them
 * runs.
 */

#include <signal.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/proxy.h"
#include "tests/support/sides.h"

/* What one agent says to the other, at which everything stands still for a moment. */
static const struct moment {
        const char *member;
        bool reply;
} moments[] = {
        { "Prepare", false }, { "Prepare", true },  { "Finish", false },
        { "Finish", true },   { "Confirm", false }, { "Confirm", true },
};

enum victim { LINK, SOURCE_AGENT, DESTINATION_AGENT, SOURCE_GUEST, DESTINATION_GUEST };

struct scene {
        struct proxy *proxy;
        char *uri, *console, *path;
        bool counts;
        struct client_answer answer;
};

/* A guest that counts shows what became of it; one without an operating system is quick. */
static void scene_init(struct scene *scene, bool counts)
{
        *scene = (struct scene){ 0 };
        scene->proxy = sides_new_proxy(&there, &scene->uri);
        scene->console = harness_path(here.harness, "console");
        scene->counts = counts;
        scene->path = guest_define(here.client, counts ? sides_make_counting_xml("linux", scene->console)
                                                       : guest_bare_xml("bare", NULL));
}

static void start(struct scene *scene)
{
        unlink(scene->console);
        guest_do_flags(here.client, scene->path, "Create", 0);
        if (scene->counts)
                guest_wait_console(scene->console, "count 2\r");
}

static void scene_clear(struct scene *scene)
{
        proxy_free(scene->proxy);
        g_free(scene->uri);
        g_free(scene->console);
        g_free(scene->path);
        g_free(scene->answer.error);
}

static void strike(struct scene *scene, enum victim victim)
{
        switch (victim) {
        case LINK:
                proxy_cut(scene->proxy);
                break;
        case SOURCE_AGENT:
                side_restart_agent(&here);
                break;
        case DESTINATION_AGENT:
                side_restart_agent(&there);
                break;
        case SOURCE_GUEST:
                side_kill_guest(&here, scene->path);
                break;
        case DESTINATION_GUEST:
                side_kill_guest(&there, scene->path);
                break;
        }
}

/* One guest, one emulator, and the other side is ready for the next one: all else has been cleared away. */
static bool is_settled(void *data)
{
        const struct scene *scene = data;
        bool is_there = side_runs(&there, scene->path);

        return side_runs(&here, scene->path) + is_there == 1 && side_has(&there, scene->path) == is_there &&
               harness_count_guests(here.harness) == 1;
}

/* Nobody is left to run it. */
static bool is_lost(void *data)
{
        const struct scene *scene = data;

        return !side_runs(&here, scene->path) && !side_has(&there, scene->path) &&
               side_find_state(&here, scene->path) == STATE_SHUTOFF &&
               harness_count_guests(here.harness) == 0;
}

/* Does a guest survive it when the emulator that has it just then is killed? */
static bool survives(const struct moment *moment, enum victim victim)
{
        bool has_arrived = strcmp(moment->member, "Prepare") != 0 &&
                           !(strcmp(moment->member, "Finish") == 0 && !moment->reply);

        if (victim == SOURCE_GUEST)
                return strcmp(moment->member, "Prepare") != 0;
        return victim != DESTINATION_GUEST || !has_arrived;
}

static bool is_held_or_over(void *data)
{
        const struct scene *scene = data;

        client_process(here.client);
        return scene->answer.done || proxy_is_held(scene->proxy);
}

/* Begins it, and waits until what is to be held is said; false: it has ended before, which answer tells. */
static bool begin(struct scene *scene, const struct moment *moment)
{
        scene->answer = (struct client_answer){ 0 };
        proxy_hold(scene->proxy, moment->member, moment->reply);
        client_send(here.client, &scene->answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    scene->uri, 0, LIVE);
        harness_wait_until(is_held_or_over, scene, "it is said, or the migration is over");
        if (!scene->answer.done)
                return true;
        proxy_release(scene->proxy);
        return false;
}

struct beginning {
        struct scene *scene;
        const struct moment *moment;
};

static bool has_begun(void *data)
{
        const struct beginning *beginning = data;
        struct scene *scene = beginning->scene;

        if (begin(scene, beginning->moment))
                return true;
        ck_assert_ptr_nonnull(scene->answer.error);
        ck_assert_msg(strstr(scene->answer.error, "is already active") ||
                              strstr(scene->answer.error, "is busy with 'migration'"),
                      "nobody said '%s', but the migration ended with '%s'", beginning->moment->member,
                      scene->answer.error);
        g_clear_pointer(&scene->answer.error, g_free);
        return false;
}

/*
 * What one side has said before it died the other may take late, on a loaded host in the midst of the next
 * scene: a guest is prepared for somebody who is gone, or on its way to where nobody waits for it, and
 * another one refused until that is noticed.
 */
static void begin_when_settled(struct scene *scene, const struct moment *moment)
{
        struct beginning beginning = { scene, moment };

        harness_wait_until(has_begun, &beginning, "the scene before it has ended for good");
        ck_assert(proxy_is_held(scene->proxy));
}

static void play(struct scene *scene, const struct moment *moment, enum victim victim)
{
        begin_when_settled(scene, moment);
        strike(scene, victim);
        proxy_release(scene->proxy);
        client_wait_answer(here.client, &scene->answer);
        g_clear_pointer(&scene->answer.error, g_free);
}

/* Who survives it runs here again at the end. */
static void play_to_the_end(struct scene *scene, const struct moment *moment, enum victim victim)
{
        if (!side_runs(&here, scene->path))
                start(scene);
        play(scene, moment, victim);
        if (!survives(moment, victim)) {
                harness_wait_until(is_lost, scene, "nothing is left of the guest");
                return;
        }
        harness_wait_until(is_settled, scene, "exactly one guest runs");
        if (scene->counts)
                sides_expect_counting(scene->console);
        if (side_runs(&there, scene->path))
                sides_migrate(&there, scene->path, &here, LIVE);
        if (scene->counts)
                sides_check_count(scene->console);
}

/* Each victim, at each moment: thirty scenes in a row. */
START_TEST(test_somebody_dies)
{
        struct scene scene;

        scene_init(&scene, false);
        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++)
                play_to_the_end(&scene, &moments[i], (enum victim)_i);
        scene_clear(&scene);
}
END_TEST

/* Where it matters most, with a guest that shows that it neither went back nor ran twice. */
START_TEST(test_the_guest_counts_on_whoever_dies)
{
        struct scene scene;

        scene_init(&scene, true);
        for (enum victim victim = LINK; victim <= DESTINATION_AGENT; victim++) {
                play_to_the_end(&scene, &moments[2], victim);
                play_to_the_end(&scene, &moments[3], victim);
        }
        scene_clear(&scene);
}
END_TEST

/* What was to be defined there, and is not when the other side is asked, stays defined here. */
START_TEST(test_its_last_definition_stays)
{
        struct scene scene;

        scene_init(&scene, false);
        start(&scene);
        proxy_hold(scene.proxy, "Finish", true);
        client_send(here.client, &scene.answer, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    scene.uri, 0, LIVE | PERSIST_DEST | UNDEFINE_SOURCE);
        harness_wait_until(is_held_or_over, &scene, "it runs there, which is not said yet");
        ck_assert_msg(!scene.answer.done, "%s", scene.answer.error);
        guest_do_flags(there.client, scene.path, "Undefine", 0);
        proxy_cut(scene.proxy);
        proxy_release(scene.proxy);
        client_wait_answer(here.client, &scene.answer);
        ck_assert_msg(!scene.answer.error, "%s", scene.answer.error);
        ck_assert(side_runs(&there, scene.path));
        guest_expect_state(here.client, scene.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        scene_clear(&scene);
}
END_TEST

static bool succeeds(const char *path, const char *member)
{
        g_autofree char *error = client_try(here.client, path, DOMAIN_INTERFACE, member, NULL);

        return !error;
}

static bool is_given_up(void *data)
{
        return succeeds(data, "AbortJob");
}

static bool is_resumed(void *data)
{
        return succeeds(data, "Resume");
}

static void kill_both_agents(struct scene *scene)
{
        harness_end_agent(there.harness, SIGKILL);
        harness_end_agent(here.harness, SIGKILL);
        proxy_cut(scene->proxy);
        client_wait_answer(here.client, &scene->answer);
}

/* The other side is gone for good at the one moment at which it may have the guest: somebody has to say so.
 */
START_TEST(test_nobody_knows)
{
        struct scene scene;

        scene_init(&scene, true);
        start(&scene);
        begin_when_settled(&scene, &moments[2]);
        kill_both_agents(&scene);
        /* However often an agent starts, it does not go on by itself. */
        for (unsigned i = 0; i < 2; i++) {
                harness_start_agent(here.harness);
                guest_expect_state(here.client, scene.path, STATE_PAUSED, 2);
                client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", scene.path,
                             DOMAIN_INTERFACE, "Resume", NULL);
                if (i == 0)
                        ck_assert_int_eq(harness_end_agent(here.harness, SIGTERM), 0);
        }
        harness_wait_until(is_given_up, scene.path, "the search is given up");
        harness_wait_until(is_resumed, scene.path, "the guest is resumed");
        sides_expect_counting(scene.console);
        side_restart_agent(&here);
        guest_expect_state(here.client, scene.path, STATE_RUNNING, -1);
        harness_start_agent(there.harness);
        harness_wait_until(is_settled, &scene, "nothing is left on the other side");
        scene_clear(&scene);
}
END_TEST

static bool is_shown(void *job)
{
        g_autofree char *error = client_try(here.client, job, "org.freedesktop.DBus.Properties", "Get", "ss",
                                            "org.virtbus.Job", "State");

        return !error;
}

/* When it runs there it is too late to cancel that, also for who knows of the job alone. */
START_TEST(test_too_late)
{
        char job[] = QEMU_PATH "/job/1";
        struct scene scene;

        scene_init(&scene, false);
        start(&scene);
        begin_when_settled(&scene, &moments[3]);
        harness_wait_until(is_shown, job, "the job is on the bus");
        client_fails(here.client, LIBVIRT_ERROR, "*cannot be aborted any more", scene.path, DOMAIN_INTERFACE,
                     "AbortJob", NULL);
        client_do(here.client, job, "org.virtbus.Job", "Cancel", NULL);
        client_ping(here.client);
        ck_assert(!scene.answer.done);
        proxy_release(scene.proxy);
        client_wait_answer(here.client, &scene.answer);
        ck_assert_msg(!scene.answer.error, "%s", scene.answer.error);
        guest_expect_state(here.client, scene.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        scene_clear(&scene);
}
END_TEST

/* Somebody wants something of it before it is asked after: it is asked after behind that. */
START_TEST(test_somebody_is_first)
{
        g_autofree char *file = harness_path(here.harness, "guest.save");
        struct client_answer save = { 0 };
        struct scene scene;
        pid_t emulator;

        scene_init(&scene, false);
        start(&scene);
        begin_when_settled(&scene, &moments[2]);
        kill_both_agents(&scene);
        emulator = side_find_emulator(&here, scene.path);
        ck_assert_int_eq(kill(emulator, SIGSTOP), 0);
        harness_start_agent(here.harness);
        client_send(here.client, &save, scene.path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        client_ping(here.client);
        ck_assert_int_eq(kill(emulator, SIGCONT), 0);
        client_wait_answer(here.client, &save);
        ck_assert_ptr_nonnull(strstr(save.error, "is busy with 'migration'"));
        g_free(save.error);
        harness_start_agent(there.harness);
        harness_wait_until(is_settled, &scene, "the guest goes on here");
        scene_clear(&scene);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-deaths");
        TCase *deaths = tcase_create("deaths");

        tcase_set_timeout(deaths, 300);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        tcase_add_test(deaths, test_the_guest_counts_on_whoever_dies);
        tcase_add_test(deaths, test_its_last_definition_stays);
        tcase_add_test(deaths, test_nobody_knows);
        tcase_add_test(deaths, test_too_late);
        tcase_add_test(deaths, test_somebody_is_first);
        tcase_add_loop_test(deaths, test_somebody_dies, LINK, DESTINATION_GUEST + 1);
        suite_add_tcase(suite, deaths);
        return harness_main(suite);
}
