/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that is paused on its way to another host, so that all of it gets there: it goes on where it is at
 * the end, and is nowhere else. What virsh migrate --timeout does, with libvirt 9.0 as here.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/moves.h"
#include "tests/support/proxy.h"
#include "tests/support/sides.h"

enum {
        PAUSED_USER = 1,
        PAUSED_MIGRATION = 2,
        RUNNING_UNPAUSED = 5,
        SUSPENDED_PAUSED = 0,
        RESUMED_UNPAUSED = 0,
};

/* As slowly as can be said: it does not end by itself. */
static void begin(struct move *move, const char *uri, unsigned flags)
{
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    1, "bandwidth", "t", (uint64_t)1, flags);
}

/*
 * In one more round, however much the guest writes. QEMU 7.2, where it emulates the CPU, may miss what a
 * guest writes again to a page that a round before has looked at, and does without us; the last round is
 * behind its stop.
 */
static void end(struct move *move)
{
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)10000,
                  0);
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1000, 0);
        client_wait_answer(here.client, &move->answer);
        ck_assert_msg(!move->answer.error, "%s", move->answer.error);
        moves_wait_guests(1);
}

static void suspend(const struct move *move)
{
        guest_do(here.client, move->path, "Suspend");
        client_wait_event(here.client, move->path, EVENT_SUSPENDED, SUSPENDED_MIGRATED);
        guest_expect_state(here.client, move->path, STATE_PAUSED, PAUSED_MIGRATION);
        guest_do(here.client, move->path, "Suspend");
}

/* It goes on here, as long as it is. */
static void let_run(const struct move *move)
{
        guest_do(here.client, move->path, "Resume");
        client_wait_event(here.client, move->path, EVENT_RESUMED, RESUMED_UNPAUSED);
        guest_expect_state(here.client, move->path, STATE_RUNNING, RUNNING_UNPAUSED);
        move_expect_counting(move);
        client_fails(here.client, LIBVIRT_ERROR, "*is already running", move->path, DOMAIN_INTERFACE,
                     "Resume", NULL);
}

static void fail_to_let_run(const struct move *move, const char *why)
{
        client_fails(here.client, LIBVIRT_ERROR, why, move->path, DOMAIN_INTERFACE, "Resume", NULL);
}

static void expect_running_here(const struct move *move)
{
        guest_expect_state(here.client, move->path, STATE_RUNNING, RUNNING_MIGRATION_CANCELED);
        harness_wait_until(move_is_gone_there, move->path, "nothing waits for it there");
        move_expect_counting(move);
}

START_TEST(test_runs_there)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        suspend(&move);
        end(&move);
        client_wait_event(here.client, move.path, EVENT_STOPPED, STOPPED_MIGRATED);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_MIGRATED);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* As often as anybody wants it. */
START_TEST(test_goes_on_here)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        for (unsigned i = 0; i < 2; i++) {
                suspend(&move);
                let_run(&move);
        }
        end(&move);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_MIGRATED);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* That was paused before: it runs there as well. */
START_TEST(test_goes_on_for_good)
{
        struct move move;

        move_start(&move, false);
        guest_do(here.client, move.path, "Suspend");
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_USER);
        let_run(&move);
        end(&move);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* What is not to run while it goes does not. */
START_TEST(test_not_live)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, 0);
        move_wait_under_way(&move);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_MIGRATION);
        fail_to_let_run(&move, "*is busy with 'migration'");
        end(&move);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

static bool runs_here(void *path)
{
        return side_runs(&here, path);
}

static char *script; /* what fake-qemu is to do ("plugging") */

static void tell(const char *word)
{
        int fd = open(script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        ck_assert_int_eq(write(fd, word, strlen(word)), (ssize_t)strlen(word));
        close(fd);
}

static bool is_script_held(void *data)
{
        g_autofree char *word = NULL;

        return g_file_get_contents(script, &word, NULL, NULL) && strcmp(word, "held") == 0;
}

/* A guest that counts, with one more monitor, and somebody between the agent and its own. */
static void start_with_monitor(struct move *move, const char *monitor)
{
        const char *emulator = g_getenv("VIRTBUS_FAKE_QEMU");
        g_autofree char *xml = NULL, *devices = NULL, *arguments = NULL;
        g_auto(GStrv) front = NULL, back = NULL;

        *move = (struct move){ .console = harness_path(here.harness, "console") };
        xml = sides_make_counting_xml("fault-plug-linux", move->console);
        devices = g_strdup_printf("<devices><emulator>%s</emulator>", emulator ? emulator : "");
        arguments = g_strdup_printf(
                "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-D'/><arg "
                "value='%s'/>"
                "<arg value='-qmp'/><arg value='unix:%s,server=on,wait=off'/></commandline></domain>",
                script, monitor);
        front = g_strsplit(xml, "<devices>", 2);
        back = g_strsplit(front[1], "</domain>", 2);
        move->path = guest_start(here.client, g_strconcat(front[0], devices, back[0], arguments, NULL));
        guest_wait_console(move->console, "count 3\r");
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)1, 0);
}

/*
 * The guest is let go on when QEMU has sent the last of it, of which the agent does not know yet: it is here,
 * and nowhere else. So it is when the agent does not hear from QEMU whether it has been.
 */
START_TEST(test_at_the_switch)
{
        g_autofree char *monitor = harness_path(here.harness, "own.sock");
        struct client_answer resumed = { 0 };
        bool in_time = _i == 0;
        struct move move;
        int fd;

        if (moves_are_in_lab())
                return;
        script = harness_path(here.harness, "script");
        tell("");
        ck_assert_int_eq(chmod(script, 0666), 0);
        start_with_monitor(&move, monitor);
        fd = guest_open_monitor(monitor);
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        suspend(&move);
        tell("run hold");
        client_send(here.client, &resumed, move.path, DOMAIN_INTERFACE, "Resume", NULL);
        harness_wait_until(is_script_held, NULL, "it is about to be let go on");
        if (!in_time)
                client_wait_answer(here.client, &resumed);
        guest_tell_open_monitor(fd,
                                "{'execute': 'migrate-set-parameters', 'arguments': {'max-bandwidth': "
                                "1000000000}}",
                                "\"MIGRATION\"", "\"completed\"");
        tell("pass");
        client_wait_answer(here.client, &resumed);
        client_wait_answer(here.client, &move.answer);
        ck_assert_msg(move.answer.error && strstr(move.answer.error, "let go on"), "%s", move.answer.error);
        /* A host that is busy may have been late. */
        if (resumed.error)
                ck_assert_ptr_nonnull(strstr(resumed.error, "did not answer cont"));
        else
                ck_assert(in_time);
        /* With who stands between. */
        moves_wait_guests(2);
        harness_wait_until(runs_here, move.path, "it runs here");
        move_expect_counting(&move);
        g_free(resumed.error);
        close(fd);
        move_clear(&move);
        g_clear_pointer(&script, g_free);
}
END_TEST

/* Whoever wants it to be paused there says so at the beginning, and once. */
START_TEST(test_stays_paused_there)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, LIVE | PAUSED);
        move_wait_under_way(&move);
        suspend(&move);
        end(&move);
        guest_expect_state(there.client, move.path, STATE_PAUSED, PAUSED_USER);
        guest_do(there.client, move.path, "Resume");
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

START_TEST(test_aborted)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        suspend(&move);
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        client_wait_event(here.client, move.path, EVENT_RESUMED, RESUMED_MIGRATED);
        expect_running_here(&move);
        /* It is over: a pause is one again. */
        guest_do(here.client, move.path, "Suspend");
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_PAUSED);
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_USER);
        move_clear(&move);
}
END_TEST

/* Somebody wants it to be so: a migration, and its end, are no reason to let it go on. */
START_TEST(test_paused_before)
{
        struct move move;

        move_start(&move, false);
        guest_do(here.client, move.path, "Suspend");
        for (unsigned i = 0; i < 2; i++) {
                move_forget_answer(&move);
                begin(&move, there.uri, LIVE);
                move_wait_under_way(&move);
                guest_do(here.client, move.path, "Suspend");
                guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_USER);
                if (i == 1)
                        break;
                guest_do(here.client, move.path, "AbortJob");
                client_wait_answer(here.client, &move.answer);
                ck_assert_ptr_nonnull(move.answer.error);
                guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_USER);
        }
        end(&move);
        guest_expect_state(there.client, move.path, STATE_PAUSED, PAUSED_USER);
        move_clear(&move);
}
END_TEST

/* The agent after it finds a guest that is here, and that nobody else lets go on. */
START_TEST(test_agent_dies)
{
        struct move move;

        move_start(&move, false);
        begin(&move, there.uri, LIVE);
        move_wait_under_way(&move);
        suspend(&move);
        side_restart_agent(&here);
        harness_wait_until(move_is_gone_there, move.path, "nothing waits for it on the other side");
        /* Whether its event is heard is a matter of who is on the bus first. */
        harness_wait_until(runs_here, move.path, "it goes on");
        moves_wait_guests(1);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

static bool is_held(void *data)
{
        client_process(here.client);
        return proxy_is_held(data);
}

/* Before anything of it has gone over; `cut`: nothing ever does. */
static void pause_before_transfer(bool cut)
{
        g_autofree char *uri = NULL;
        struct proxy *proxy = sides_new_proxy(&there, &uri);
        struct move move;

        move_start(&move, false);
        proxy_hold(proxy, "Prepare", true);
        begin(&move, uri, LIVE);
        harness_wait_until(is_held, proxy, "the other side is ready");
        suspend(&move);
        let_run(&move);
        suspend(&move);
        /* There it is nobody's to be paused. */
        client_fails(there.client, LIBVIRT_ERROR, "*is busy with 'migration'", move.path, DOMAIN_INTERFACE,
                     "Suspend", NULL);
        if (cut)
                proxy_cut(proxy);
        proxy_release(proxy);
        if (cut) {
                client_wait_answer(here.client, &move.answer);
                ck_assert_ptr_nonnull(move.answer.error);
                expect_running_here(&move);
        } else {
                move_wait_under_way(&move);
                end(&move);
                guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
                move_expect_counting(&move);
        }
        proxy_free(proxy);
        move_clear(&move);
}

START_TEST(test_before_transfer)
{
        pause_before_transfer(_i == 1);
}
END_TEST

START_TEST(test_postcopy)
{
        struct move move;

        if (!move_start(&move, true))
                return;
        move_begin(&move);
        suspend(&move);
        let_run(&move);
        suspend(&move);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        move_speed_up(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_msg(!move.answer.error, "%s", move.answer.error);
        harness_wait_until(move_has_come, move.path, "all of it is there");
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
        TCase *tcase = tcase_create(name);

        tcase_add_checked_fixture(tcase, sides_set_up, sides_tear_down);
        suite_add_tcase(suite, tcase);
        return tcase;
}

int main(void)
{
        Suite *suite = suite_create("migration-pause");
        TCase *tcase = add_case(suite, "arrives");

        tcase_add_test(tcase, test_runs_there);
        tcase_add_test(tcase, test_goes_on_here);
        tcase_add_test(tcase, test_goes_on_for_good);
        tcase_add_test(tcase, test_not_live);
        tcase_add_test(tcase, test_stays_paused_there);
        tcase_add_test(tcase, test_postcopy);
        tcase = add_case(suite, "stays");
        tcase_add_test(tcase, test_aborted);
        tcase_add_test(tcase, test_paused_before);
        tcase_add_test(tcase, test_agent_dies);
        tcase_add_loop_test(tcase, test_at_the_switch, 0, 2);
        tcase = add_case(suite, "before-transfer");
        tcase_add_loop_test(tcase, test_before_transfer, 0, 2);
        return harness_main(suite);
}
