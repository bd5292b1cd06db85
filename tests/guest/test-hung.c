/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A QEMU that is stopped costs only its own domain: reads never wait for it, changes have a deadline, Destroy
 * needs nobody's answer, and no other domain notices.
 */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

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

/* Without waiting for QEMU a read takes milliseconds even under sanitizers; with it, five seconds. */
#define AT_ONCE_US (2 * G_USEC_PER_SEC)

static int64_t started_us;

static void start_clock(void)
{
        started_us = g_get_monotonic_time();
}

static void expect_at_once(const char *what)
{
        int64_t took_us = g_get_monotonic_time() - started_us;

        ck_assert_msg(took_us < AT_ONCE_US, "%s took %d ms", what, (int)(took_us / 1000));
}

static void read_everything(const char *path)
{
        start_clock();
        guest_get_state(client, path, NULL);
        expect_at_once("GetState");
        guest_do_flags(client, path, "GetXMLDesc", 0);
        expect_at_once("GetXMLDesc");
        client_do(client, path, "org.freedesktop.DBus.Properties", "GetAll", "s", DOMAIN_INTERFACE);
        expect_at_once("GetAll");
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        expect_at_once("ListDomains");
        client_do(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        expect_at_once("GetManagedObjects");
}

START_TEST(test_reads_do_not_wait)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));

        kill(harness_find_guest(harness, "web"), SIGSTOP);
        read_everything(path);
}
END_TEST

START_TEST(test_destroy_needs_no_answer)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");

        kill(pid, SIGSTOP);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(pid);
        guest_expect_state(client, path, STATE_SHUTOFF, 2);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_DESTROYED);
}
END_TEST

/* A change has a deadline, reads of the domain go on meanwhile, and a late answer of QEMU does no harm. */
START_TEST(test_a_change_has_a_deadline)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");
        struct client_answer answer = { 0 };

        kill(pid, SIGSTOP);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Suspend", NULL);
        read_everything(path);
        client_wait_answer(client, &answer);
        ck_assert_msg(answer.error && g_str_has_prefix(answer.error, "Timed out during operation"), "%s",
                      answer.error ? answer.error : "success");
        g_free(answer.error);
        kill(pid, SIGCONT);
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* A change of guest and definition that the guest does not answer changes neither. */
START_TEST(test_a_live_change_has_a_deadline)
{
        g_autofree char *bare = guest_bare_xml("web", NULL);
        g_auto(GStrv) parts = g_strsplit(bare, "<memballoon model='none'/>", 2);
        g_autofree char *path = guest_start(
                client, g_strjoinv("<memballoon model='virtio'><stats period='3'/></memballoon>", parts));
        g_autofree char *before = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        g_autofree char *after = NULL, *live = NULL;
        pid_t pid = harness_find_guest(harness, "web");

        kill(pid, SIGSTOP);
        client_fails(client, LIBVIRT_ERROR, "Timed out during operation*", path, DOMAIN_INTERFACE,
                     "SetMemoryStatsPeriod", "iu", 9, 3);
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_str_eq(after, before);
        kill(pid, SIGCONT);
        client_do(client, path, DOMAIN_INTERFACE, "SetMemoryStatsPeriod", "iu", 7, 1);
        live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(live, "<stats period='7'/>"));
}
END_TEST

#define DISK(device, image, target, bus, more)                                                               \
        "<disk type='file' device='" device "'><driver name='qemu' type='raw'/><source file='" image "'/>"   \
        "<target dev='" target "' bus='" bus "'/>" more "</disk>"
#define LIMITED "<iotune><total_bytes_sec>1000000</total_bytes_sec></iotune>"
enum { LIVE = 1 };

/* Changes of disks, each of which QEMU is told of by several commands. */
static const struct disk_change {
        const char *name, *member, *xml; /* xml NULL: a limit */
} disk_changes[] = {
        { "limit", "SetBlockIOTune", NULL },
        { "update", "UpdateDevice", DISK("disk", "@a.img", "vda", "virtio", LIMITED) },
        { "medium", "UpdateDevice", DISK("cdrom", "@b.img", "sda", "sata", "") },
        { "attach", "AttachDevice", DISK("disk", "@b.img", "vdb", "virtio", LIMITED) },
};

/* With the files of that guest. */
static char *put_files(const char *text, const char *name)
{
        g_autofree char *below = g_strconcat(name, "-", NULL), *prefix = harness_path(harness, below);
        GString *xml = g_string_new(text);

        g_string_replace(xml, "@", prefix, 0);
        return g_string_free(xml, FALSE);
}

static char *start_with_disks(const char *name)
{
        static const char *const files[] = { "@a.img", "@b.img", "@c.img" };
        g_autofree char *devices = put_files(
                DISK("disk", "@a.img", "vda", "virtio", "") DISK("cdrom", "@c.img", "sda", "sata", ""), name);

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *image = put_files(files[i], name);

                ck_assert(g_file_set_contents(image, "", 0, NULL));
                ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        }
        return guest_start(client, guest_bare_xml(name, devices));
}

static void change_disk(const struct disk_change *change, const char *path, struct client_answer *answer)
{
        g_autofree char *xml = change->xml ? put_files(change->xml, change->name) : NULL;

        if (xml)
                client_send(client, answer, path, DOMAIN_INTERFACE, change->member, "su", xml, LIVE);
        else
                client_send(client, answer, path, DOMAIN_INTERFACE, change->member, "sa{sv}u", "vda", 1,
                            "total_bytes_sec", "t", (uint64_t)1000000, LIVE);
}

/* However many commands it takes, it has the time of one; and what QEMU was told then leaves nothing behind.
 */
START_TEST(test_a_change_of_disks_has_one_deadline)
{
        enum { N = G_N_ELEMENTS(disk_changes), BOUND_S = 30, LOADED_S = 4 };
        char *paths[N];
        pid_t pids[N];
        struct client_answer answers[N] = { 0 };

        for (unsigned i = 0; i < N; i++) {
                paths[i] = start_with_disks(disk_changes[i].name);
                pids[i] = harness_find_guest(harness, disk_changes[i].name);
                kill(pids[i], SIGSTOP);
        }
        start_clock();
        for (unsigned i = 0; i < N; i++)
                change_disk(&disk_changes[i], paths[i], &answers[i]);
        for (unsigned i = 0; i < N; i++) {
                int64_t took_us;

                client_wait_answer(client, &answers[i]);
                took_us = g_get_monotonic_time() - started_us;
                ck_assert_msg(answers[i].error && strstr(answers[i].error, "Timed out during operation"),
                              "%s: %s", disk_changes[i].name,
                              answers[i].error ? answers[i].error : "success");
                ck_assert_msg(took_us < (BOUND_S + LOADED_S) * G_USEC_PER_SEC, "%s took %d ms",
                              disk_changes[i].name, (int)(took_us / 1000));
                g_clear_pointer(&answers[i].error, g_free);
                answers[i].done = false;
                kill(pids[i], SIGCONT);
        }
        for (unsigned i = 0; i < N; i++) {
                change_disk(&disk_changes[i], paths[i], &answers[i]);
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "%s: %s", disk_changes[i].name, answers[i].error);
                g_free(paths[i]);
        }
}
END_TEST

/* Destroy overtakes the calls that wait for the hung guest. */
START_TEST(test_destroy_jumps_the_queue)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        struct client_answer answers[5] = { 0 };

        kill(harness_find_guest(harness, "web"), SIGSTOP);
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++)
                client_send(client, &answers[i], path, DOMAIN_INTERFACE, "Suspend", NULL);
        start_clock();
        guest_do_flags(client, path, "Destroy", 0);
        /* SIGTERM is given a second; one Suspend alone would take five. */
        ck_assert_int_lt(g_get_monotonic_time() - started_us, 4 * G_USEC_PER_SEC);
        guest_expect_state(client, path, STATE_SHUTOFF, 2);
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_ptr_nonnull(answers[i].error);
                g_free(answers[i].error);
        }
}
END_TEST

/* More hung guests than workers: everything else goes on. */
START_TEST(test_hung_guests_hold_no_worker)
{
        enum { HUNG = 8 };
        g_autofree char *healthy = guest_start(client, guest_bare_xml("healthy", NULL));
        struct client_answer answers[HUNG] = { 0 };

        for (unsigned i = 0; i < HUNG; i++) {
                g_autofree char *name = g_strdup_printf("hung-%u.", i);
                g_autofree char *path = guest_start(client, guest_bare_xml(name, NULL));

                kill(harness_find_guest(harness, name), SIGSTOP);
                client_send(client, &answers[i], path, DOMAIN_INTERFACE, "Suspend", NULL);
        }
        start_clock();
        guest_do(client, healthy, "Suspend");
        expect_at_once("Suspend of a healthy guest");
        guest_do(client, healthy, "Resume");
        expect_at_once("Resume of a healthy guest");
        guest_do_flags(client, healthy, "Destroy", 0);
        expect_at_once("Destroy of a healthy guest");
        guest_do_flags(client, healthy, "Create", 0);
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        for (unsigned i = 0; i < HUNG; i++) {
                client_wait_answer(client, &answers[i]);
                g_free(answers[i].error);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("hung");
        TCase *tcase = tcase_create("hung");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_reads_do_not_wait);
        tcase_add_test(tcase, test_destroy_needs_no_answer);
        tcase_add_test(tcase, test_a_change_has_a_deadline);
        tcase_add_test(tcase, test_a_live_change_has_a_deadline);
        tcase_add_test(tcase, test_a_change_of_disks_has_one_deadline);
        tcase_add_test(tcase, test_destroy_jumps_the_queue);
        tcase_add_test(tcase, test_hung_guests_hold_no_worker);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
