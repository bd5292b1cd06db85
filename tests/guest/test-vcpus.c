/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * vCPUs of a guest that runs: they come and go as its kernel sees it, and their threads are where they are
 * pinned.
 */

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/stats.h"

enum {
        LIVE = 1,
        CONFIG = 2,
};

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

static void set_vcpus(const char *path, unsigned count, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", count, flags);
}

static void expect_vcpus(const char *path, unsigned flags, unsigned count)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetVcpus", "u", flags);
        uint32_t vcpus = 0;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &vcpus), 0);
        ck_assert_uint_eq(vcpus, count);
}

static void expect_xml(const char *path, const char *part)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

        ck_assert_msg(strstr(xml, part), "%s is not in %s", part, xml);
}

/* With other vCPUs; takes xml. */
static char *with_vcpus(char *xml, const char *vcpus)
{
        g_auto(GStrv) halves = g_strsplit(xml, "<vcpu>1</vcpu>", 2);

        ck_assert_ptr_nonnull(halves[1]);
        g_free(xml);
        return g_strconcat(halves[0], vcpus, halves[1], NULL);
}

START_TEST(test_they_come_and_go)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(
                client, with_vcpus(guest_linux_xml("linux", console, "watch"), "<vcpu current='1'>3</vcpu>"));

        guest_wait_console(console, "virtbus-guest: watching");
        set_vcpus(path, 3, LIVE);
        guest_wait_console(console, "has cpu2");
        expect_vcpus(path, LIVE, 3);
        expect_vcpus(path, CONFIG, 1);
        set_vcpus(path, 2, LIVE | CONFIG);
        guest_wait_console(console, "lost cpu2");
        expect_vcpus(path, LIVE, 2);
        expect_vcpus(path, CONFIG, 2);
        expect_xml(path, "<vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>");
        expect_xml(path, "<vcpu id='2' enabled='no' hotpluggable='yes'/>");
}
END_TEST

/* ---- pins ---- */

static void expect_cpus(pid_t thread, bool zero, bool one)
{
        cpu_set_t set;

        ck_assert_int_eq(sched_getaffinity(thread, sizeof(set), &set), 0);
        ck_assert_msg(!CPU_ISSET(0, &set) == !zero && !CPU_ISSET(1, &set) == !one,
                      "thread %d may use %d CPUs", (int)thread, CPU_COUNT(&set));
}

static bool has_two_cpus(void)
{
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(0, &set) && CPU_ISSET(1, &set);
}

START_TEST(test_threads_are_where_they_are_pinned)
{
        g_autofree char *path = NULL;
        pid_t pid;

        if (!has_two_cpus()) {
                harness_skip("this host has one CPU");
                return;
        }
        path = guest_start(client, with_vcpus(guest_bare_xml("pins", NULL), "<vcpu current='1'>2</vcpu>"));
        pid = harness_find_guest(harness, "pins");
        expect_cpus(guest_wait_thread(pid, "CPU 0/"), true, true);
        client_do(client, path, DOMAIN_INTERFACE, "PinVcpu", "uabu", 0, 2, false, true, LIVE);
        expect_cpus(guest_wait_thread(pid, "CPU 0/"), false, true);
        expect_cpus(pid, true, true);
        client_do(client, path, DOMAIN_INTERFACE, "PinEmulator", "abu", 1, true, LIVE | CONFIG);
        expect_cpus(guest_wait_thread(pid, "CPU 0/"), false, true);
        expect_cpus(pid, true, false);
        /* One that comes later. */
        client_do(client, path, DOMAIN_INTERFACE, "PinVcpu", "uabu", 1, 1, true, LIVE);
        set_vcpus(path, 2, LIVE);
        expect_cpus(guest_wait_thread(pid, "CPU 1/"), true, false);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        pid = harness_find_guest(harness, "pins");
        expect_cpus(guest_wait_thread(pid, "CPU 0/"), true, true);
        expect_cpus(pid, true, false);
}
END_TEST

START_TEST(test_iothreads)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("io", NULL));
        pid_t pid = harness_find_guest(harness, "io"), thread;

        client_do(client, path, DOMAIN_INTERFACE, "AddIOThread", "uu", 2, LIVE);
        thread = guest_wait_thread(pid, "IO iothread2");
        if (has_two_cpus()) {
                client_do(client, path, DOMAIN_INTERFACE, "PinIOThread", "uabu", 2, 2, false, true, LIVE);
                expect_cpus(thread, false, true);
        }
        client_do(client, path, DOMAIN_INTERFACE, "DelIOThread", "uu", 2, LIVE);
        ck_assert_int_ne(kill(pid, 0), -1);
        client_do(client, path, DOMAIN_INTERFACE, "AddIOThread", "uu", 2, LIVE | CONFIG);
        guest_wait_thread(pid, "IO iothread2");
}
END_TEST

static void expect_iothread(const char *path, const char *limit)
{
        g_autoptr(GHashTable) stats = stats_get(client, path, STATS_IOTHREAD, 0);

        stats_expect(stats, "iothread.2.poll-max-ns", limit);
}

/* It is put back as it was when the definition without it cannot be written. */
START_TEST(test_iothread_put_back)
{
        g_autofree char *bare = guest_bare_xml("back", NULL), *path = NULL;
        g_autofree char *uuid = NULL, *below = NULL, *stored = NULL, *aside = NULL, *with = NULL, *xml = NULL;
        g_auto(GStrv) halves = g_strsplit(bare, "<devices>", 2);

        path = guest_start(client, g_strconcat(halves[0],
                                               "<iothreadids><iothread id='2'><poll max='4000'/></iothread>"
                                               "</iothreadids><devices>",
                                               halves[1], NULL));
        uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        below = g_strdup_printf("state/qemu/%s.xml", uuid);
        stored = harness_path(harness, below);
        aside = g_strconcat(stored, ".aside", NULL);
        with = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        expect_iothread(path, "t:4000");
        /* Nothing takes the place of a folder. */
        ck_assert_int_eq(rename(stored, aside), 0);
        ck_assert_int_eq(mkdir(stored, 0700), 0);
        client_fails(client, LIBVIRT_ERROR, "*Is a directory*", path, DOMAIN_INTERFACE, "DelIOThread", "uu",
                     2, LIVE | CONFIG);
        expect_iothread(path, "t:4000");
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(xml, with);
        ck_assert_int_eq(rmdir(stored), 0);
        ck_assert_int_eq(rename(aside, stored), 0);
        client_do(client, path, DOMAIN_INTERFACE, "DelIOThread", "uu", 2, LIVE | CONFIG);
}
END_TEST

/* One that goes on from a file has as many as it had, and those that came may go. */
START_TEST(test_saved)
{
        g_autofree char *path =
                guest_start(client, with_vcpus(guest_bare_xml("saved", NULL), "<vcpu current='1'>3</vcpu>"));

        set_vcpus(path, 2, LIVE);
        guest_do_flags(client, path, "ManagedSave", 0);
        guest_do_flags(client, path, "Create", 0);
        expect_vcpus(path, LIVE, 2);
        expect_vcpus(path, CONFIG, 1);
        expect_xml(path, "<vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>");
        guest_wait_thread(harness_find_guest(harness, "saved"), "CPU 1/");
        set_vcpus(path, 3, LIVE);
}
END_TEST

#define LAST_FIRST                                                                                           \
        "<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes' order='1'/><vcpu id='2' enabled='yes' "             \
        "hotpluggable='yes' order='4'/><vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>"

static void expect_last_first(const char *path)
{
        expect_xml(path, "<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>");
        expect_xml(path, "<vcpu id='1' enabled='no' hotpluggable='yes'/>");
        expect_xml(path, "<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>");
        expect_xml(path, "<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/>");
}

/* By the numbers of their threads, unless those have begun anew in between. */
static void expect_before(pid_t pid, const char *first, const char *second)
{
        pid_t one = guest_wait_thread(pid, first), two = guest_wait_thread(pid, second);

        ck_assert_msg(one < two || one - two > 1000, "%s is thread %d, and %s is %d", first, (int)one, second,
                      (int)two);
}

/* They are plugged in before the guest runs, or goes on, by number and in order; another agent finds them. */
START_TEST(test_one_by_one)
{
        g_autofree char *path = guest_start(client, with_vcpus(guest_bare_xml("each", NULL), LAST_FIRST));

        expect_last_first(path);
        guest_expect_vcpus(client, path, "0 2 3 ");
        expect_before(harness_find_guest(harness, "each"), "CPU 3/", "CPU 2/");
        guest_do_flags(client, path, "ManagedSave", 0);
        guest_do_flags(client, path, "Create", 0);
        expect_last_first(path);
        guest_expect_vcpus(client, path, "0 2 3 ");
        set_vcpus(path, 4, LIVE);
        guest_expect_vcpus(client, path, "0 1 2 3 ");
        expect_xml(path, "<vcpu id='1' enabled='yes' hotpluggable='yes' order='4'/>");
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        expect_vcpus(path, LIVE, 4);
        expect_xml(path, "<vcpu id='1' enabled='yes' hotpluggable='yes' order='4'/>");
        expect_vcpus(path, CONFIG, 3);
}
END_TEST

/* What an agent that was killed has plugged in, the next one knows. */
START_TEST(test_another_agent)
{
        g_autofree char *path =
                guest_start(client, with_vcpus(guest_bare_xml("kept", NULL), "<vcpu current='1'>2</vcpu>"));

        set_vcpus(path, 2, LIVE);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        expect_vcpus(path, LIVE, 2);
        expect_vcpus(path, CONFIG, 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("vcpus");
        TCase *tcase = tcase_create("vcpus");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_they_come_and_go);
        tcase_add_test(tcase, test_threads_are_where_they_are_pinned);
        tcase_add_test(tcase, test_iothreads);
        tcase_add_test(tcase, test_iothread_put_back);
        tcase_add_test(tcase, test_saved);
        tcase_add_test(tcase, test_one_by_one);
        tcase_add_test(tcase, test_another_agent);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
