/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A dead or lying QEMU costs only its own domain. The liar is tests/support/fake-qemu.
 */

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/slow-fs.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* The healthy guest beside the sick one. */
static char *healthy;

static void start_healthy(void)
{
        healthy = guest_start(client, guest_bare_xml("healthy", NULL));
}

static void expect_healthy(void)
{
        guest_expect_state(client, healthy, STATE_RUNNING, -1);
        guest_do(client, healthy, "Suspend");
        guest_do(client, healthy, "Resume");
        g_free(healthy);
}

/* A process that was killed takes a moment to vanish, and the QEMU behind a fake one another. */
static void expect_no_guest(const char *name)
{
        pid_t pid;

        while ((pid = harness_find_guest(harness, name)) > 0)
                harness_wait_gone(pid);
}

/* The start fails with a text like this one, and leaves nothing. */
static void expect_start_fails(const char *fault, const char *text)
{
        g_autofree char *path = guest_define(client, guest_fault_xml(fault, "x"));
        g_autofree char *name = g_strdup_printf("fault-%s", fault);

        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_no_guest(name);
        client_ping(client);
}

START_TEST(test_killed)
{
        g_autofree char *path = NULL;

        start_healthy();
        path = guest_start(client, guest_bare_xml("web", NULL));
        client_forget_signals(client);
        kill(harness_find_guest(harness, "web"), SIGKILL);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_FAILED);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        guest_do_flags(client, path, "Create", 0);
        guest_expect_state(client, path, STATE_RUNNING, 1);
        expect_healthy();
}
END_TEST

START_TEST(test_exits_at_once)
{
        /* The error carries what QEMU said last. */
        expect_start_fails("exit", "*no such luck*");
}
END_TEST

START_TEST(test_closes_the_monitor)
{
        start_healthy();
        expect_start_fails("close", "*");
        expect_healthy();
}
END_TEST

START_TEST(test_text_that_is_no_json)
{
        expect_start_fails("text", "*");
}
END_TEST

START_TEST(test_wrong_greeting)
{
        expect_start_fails("greeting", "*");
}
END_TEST

START_TEST(test_wrong_types)
{
        expect_start_fails("types", "*");
}
END_TEST

START_TEST(test_a_number_of_100000_digits)
{
        expect_start_fails("digits", "*");
}
END_TEST

START_TEST(test_json_200000_deep)
{
        expect_start_fails("deep", "*");
}
END_TEST

START_TEST(test_400_mib_without_newline)
{
        start_healthy();
        expect_start_fails("flood", "*");
        expect_healthy();
}
END_TEST

static bool has_been_looked_at(void *late)
{
        return g_get_monotonic_time() > *(gint64 *)late;
}

/*
 * A start that hangs is cancelled by Destroy at once, which is called at *destroyed_us (may be NULL); looks:
 * the emulator has been looked at more than once.
 */
static void expect_destroy_cancels(const char *fault, bool looks, gint64 *destroyed_us)
{
        gint64 late = g_get_monotonic_time() + 2500000;

        g_autofree char *path = guest_define(client, guest_fault_xml(fault, "x"));
        g_autofree char *name = g_strdup_printf("fault-%s", fault);
        struct client_answer answer = { 0 };

        client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        if (looks)
                harness_wait_until(has_been_looked_at, &late, "the emulator was looked at");
        client_process(client);
        ck_assert(!answer.done || !looks);
        if (destroyed_us)
                *destroyed_us = g_get_monotonic_time();
        /* Not refused as one that is off: the start is under way, or was undone before. */
        g_free(client_try(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0));
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_no_guest(name);
}

START_TEST(test_never_greets)
{
        start_healthy();
        expect_destroy_cancels("nogreet", true, NULL);
        expect_healthy();
}
END_TEST

START_TEST(test_never_accepts)
{
        expect_destroy_cancels("unheard", false, NULL);
}
END_TEST

/* However long it would have been waited for: Destroy is the end of it at once. */
START_TEST(test_spins)
{
        gint64 start_us;

        start_healthy();
        expect_destroy_cancels("spin", true, &start_us);
        ck_assert_int_lt(g_get_monotonic_time() - start_us, 10 * G_USEC_PER_SEC);
        expect_healthy();
}
END_TEST

START_TEST(test_answers_somebody_else)
{
        expect_destroy_cancels("wrongid", false, NULL);
}
END_TEST

/* An emulator that even its death does not end at once. */
static char *stuck_xml(const char *file)
{
        g_autofree char *xml = guest_fault_xml("stuck", "x");
        g_auto(GStrv) parts = g_strsplit(xml, "</domain>", 2);

        return g_strdup_printf("%s<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<q:arg value='-D'/><q:arg value='%s'/></q:commandline></domain>",
                               parts[0], file);
}

/*
 * A start that is given up while the kernel keeps the emulator busy, as with gigabytes that it allocates at
 * once: the agent does not wait for that, but does not forget it either. Nothing else starts in its place
 * until it has ended, and nothing is left of it then.
 */
START_TEST(test_stuck_in_the_kernel)
{
        g_autofree char *folder = harness_path(harness, "slow"), *file = NULL, *path = NULL;
        struct client_answer answer = { 0 };
        const char *why = NULL;
        struct slow_fs *fs;
        pid_t pid;

        ck_assert_int_eq(mkdir(folder, 0755), 0);
        harness_end_agent(harness, SIGTERM);
        fs = slow_fs_enter(&why) ? slow_fs_mount(folder, &why) : NULL;
        if (!fs)
                return harness_skip(why);
        harness_start_agent(harness);
        file = g_build_filename(folder, "disk-000.img", NULL);
        path = guest_define(client, stuck_xml(file));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        slow_fs_wait_visitor(fs);
        pid = harness_find_guest(harness, "fault-stuck");
        ck_assert_int_gt(pid, 0);
        client_do(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        client_fails(client, LIBVIRT_ERROR, "*still has a running emulator*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        ck_assert_int_eq(harness_find_guest(harness, "fault-stuck"), pid);
        slow_fs_open_gate(fs);
        harness_wait_gone(pid);
        slow_fs_free(fs);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

START_TEST(test_400000_events)
{
        g_autofree char *path = NULL;
        int64_t start_us;

        start_healthy();
        path = guest_start(client, guest_fault_xml("events", "x"));
        start_us = g_get_monotonic_time();
        for (unsigned i = 0; i < 20; i++) {
                guest_get_state(client, healthy, NULL);
                guest_do_flags(client, healthy, "GetXMLDesc", 0);
        }
        ck_assert_int_lt(g_get_monotonic_time() - start_us, 10 * G_USEC_PER_SEC);
        guest_do_flags(client, path, "Destroy", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_healthy();
}
END_TEST

START_TEST(test_400_mib_while_running)
{
        g_autofree char *path = NULL;

        start_healthy();
        path = guest_define(client, guest_fault_xml("runflood", "x"));
        /* Whether the flood comes before the start is over is a matter of moments. */
        g_free(client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0));
        g_free(client_try(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0));
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_healthy();
}
END_TEST

START_TEST(test_storm_of_resets)
{
        g_autofree char *path = guest_start(client, guest_fault_xml("storm", "x"));

        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
}
END_TEST

/* The event that it shuts down, and at once its end: one final state. */
START_TEST(test_shutdown_then_gone)
{
        g_autofree char *path = guest_define(client, guest_fault_xml("shutdown", "x"));
        g_autofree char *outcome = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);

        if (!outcome)
                client_wait_event(client, path, EVENT_STOPPED, -1);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_no_guest("fault-");
        client_ping(client);
}
END_TEST

START_TEST(test_dies_as_it_starts)
{
        g_autofree char *path = guest_define(client, guest_fault_xml("die", "x"));
        g_autofree char *outcome = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);

        if (!outcome)
                client_wait_event(client, path, EVENT_STOPPED, -1);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        expect_no_guest("fault-");
}
END_TEST

/* Dies between the answer to a command and its event. */
START_TEST(test_dies_between_answer_and_event)
{
        g_autofree char *path = guest_start(client, guest_fault_xml("stopdie", "x"));
        g_autofree char *outcome = client_try(client, path, DOMAIN_INTERFACE, "Suspend", NULL);

        client_wait_event(client, path, EVENT_STOPPED, -1);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        client_ping(client);
}
END_TEST

START_TEST(test_each_answer_takes_three_seconds)
{
        g_autofree char *path = NULL;
        struct client_answer answer = { 0 };
        int64_t start_us;

        start_healthy();
        path = guest_define(client, guest_fault_xml("slow", "x"));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        start_us = g_get_monotonic_time();
        guest_do(client, healthy, "Suspend");
        guest_do(client, healthy, "Resume");
        ck_assert_int_lt(g_get_monotonic_time() - start_us, 2 * G_USEC_PER_SEC);
        g_free(client_try(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0));
        client_wait_answer(client, &answer);
        g_free(answer.error);
        expect_healthy();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("faults");
        TCase *tcase = tcase_create("faults");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_killed);
        tcase_add_test(tcase, test_exits_at_once);
        tcase_add_test(tcase, test_closes_the_monitor);
        tcase_add_test(tcase, test_text_that_is_no_json);
        tcase_add_test(tcase, test_wrong_greeting);
        tcase_add_test(tcase, test_wrong_types);
        tcase_add_test(tcase, test_a_number_of_100000_digits);
        tcase_add_test(tcase, test_json_200000_deep);
        tcase_add_test(tcase, test_400_mib_without_newline);
        tcase_add_test(tcase, test_never_greets);
        tcase_add_test(tcase, test_never_accepts);
        tcase_add_test(tcase, test_spins);
        tcase_add_test(tcase, test_answers_somebody_else);
        tcase_add_test(tcase, test_stuck_in_the_kernel);
        tcase_add_test(tcase, test_400000_events);
        tcase_add_test(tcase, test_400_mib_while_running);
        tcase_add_test(tcase, test_storm_of_resets);
        tcase_add_test(tcase, test_shutdown_then_gone);
        tcase_add_test(tcase, test_dies_as_it_starts);
        tcase_add_test(tcase, test_dies_between_answer_and_event);
        tcase_add_test(tcase, test_each_answer_takes_three_seconds);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
