/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that go to another agent with their disks: what they have written is there, whoever dies on the way
 * exactly one of them runs, and what was made for one that did not come is gone.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/certificates.h"
#include "tests/support/disk-scene.h"

enum { STATS_COMPLETED = 1 };

/* What the last job of the source says of disks, which it says once. */
static void get_disk_stats(const struct scene *scene, uint64_t *total, uint64_t *processed,
                           uint64_t *remaining)
{
        g_autoptr(sd_bus_message) reply =
                client_call(here.client, scene->path, DOMAIN_INTERFACE, "GetJobStats", "u", STATS_COMPLETED);
        const struct {
                const char *name;
                uint64_t *value;
        } wanted[] = { { "disk_total", total },
                       { "disk_processed", processed },
                       { "disk_remaining", remaining } };
        const char *key;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ia{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "i", &type), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                bool is_wanted = false;

                ck_assert_int_gt(sd_bus_message_read(reply, "s", &key), 0);
                for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
                        if (strcmp(key, wanted[i].name) != 0)
                                continue;
                        is_wanted = true;
                        ck_assert_int_gt(sd_bus_message_read(reply, "v", "v", "t", wanted[i].value), 0);
                }
                if (!is_wanted)
                        ck_assert_int_ge(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
}

/* ---- they go along ---- */

/* There, where an image is made for it, and back by TCP, paused, into the one that is there still. */
START_TEST(test_its_disk_comes_along)
{
        uint64_t total = 0, processed = 0, remaining = 1;
        struct scene scene;

        scene_init(&scene, "raw", NULL);
        scene_migrate(&scene, LIVE | NON_SHARED_DISK);
        get_disk_stats(&scene, &total, &processed, &remaining);
        ck_assert_uint_ge(total, SCENE_PATTERNS);
        ck_assert_uint_eq(processed, total);
        ck_assert_uint_eq(remaining, 0);
        scene_expect_moved(&scene, &here, &there);
        client_do(there.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", here.uri, 6,
                  "destination_xml", "s", scene.back, "migrate_uri", "s", "tcp://127.0.0.1", "listen_address",
                  "s", "127.0.0.1", "disks_port", "i", 50125, "migrate_disks", "as", 1, "vda",
                  "migrate_disks_detect_zeroes", "s", "vda", NON_SHARED_DISK | SYNCHRONOUS_WRITES);
        scene_expect_moved(&scene, &there, &here);
        /* Nobody takes it away, now that it has been somebody's. */
        scene_check_disk(scene.to, "raw", 5);
        scene_expect_end(&scene, &here, scene.from, "raw");
        scene_clear(&scene);
}
END_TEST

static bool is_moving(void *data)
{
        uint64_t numbers[JOB_NUMBERS];

        sides_read_job(data, numbers);
        return numbers[JOB_MEMORY_PROCESSED] > 0;
}

/* It is counted to the end, also when that comes behind the guest's. */
START_TEST(test_in_postcopy)
{
        g_autofree char *console = harness_path(here.harness, "console"),
                        *xml = sides_make_postcopy_xml("linux", console);
        uint64_t total = 0, processed = 0, remaining = 1;
        struct client_answer answer = { 0 };
        struct scene scene = { .console = g_steal_pointer(&console) };

        if (!xml) {
                g_free(scene.console);
                return;
        }
        scene_init_with(&scene, scene_replace(xml, "action=count", "action=record"), "raw", NULL);
        client_send(here.client, &answer, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                    2, "destination_xml", "s", scene.xml, "bandwidth", "t", (uint64_t)2,
                    LIVE | POSTCOPY | NON_SHARED_DISK);
        harness_wait_until(is_moving, scene.path, "some of its memory has gone over");
        client_do(here.client, scene.path, DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
        client_wait_answer(here.client, &answer);
        ck_assert_msg(!answer.error, "%s", answer.error);
        get_disk_stats(&scene, &total, &processed, &remaining);
        ck_assert_uint_ge(total, SCENE_PATTERNS);
        ck_assert_uint_eq(processed, total);
        ck_assert_uint_eq(remaining, 0);
        scene_expect_moved(&scene, &here, &there);
        scene_clear(&scene);
}
END_TEST

/* What is below its image is there already, and on the way back all goes into one. */
START_TEST(test_what_is_above_comes_along)
{
        g_autofree char *base = harness_path(here.harness, "base.img"),
                        *whole = harness_path(here.harness, "whole.img"), *back = NULL;
        struct scene scene;
        struct stat st;

        scene_make_disk(base, "qcow2", NULL);
        scene_init(&scene, "qcow2", base);
        scene_migrate(&scene, LIVE | NON_SHARED_INC);
        scene_expect_moved(&scene, &here, &there);
        ck_assert_int_eq(stat(scene.to, &st), 0);
        ck_assert_uint_lt((uint64_t)st.st_blocks * 512, SCENE_PATTERNS);
        back = scene_replace(scene.back, scene.from, whole);
        client_do(there.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", here.uri, 1,
                  "destination_xml", "s", back, LIVE | NON_SHARED_DISK);
        scene_expect_moved(&scene, &there, &here);
        unlink(base);
        scene_expect_end(&scene, &here, whole, "qcow2");
        scene_clear(&scene);
}
END_TEST

/* ---- they do not ---- */

static bool is_copying(void *data)
{
        uint64_t numbers[JOB_NUMBERS];

        sides_read_job(data, numbers);
        return numbers[JOB_FILE_PROCESSED] > 0;
}

/* At a pace that is over before the test is, and not before it has seen it. */
static void begin(const struct scene *scene, struct client_answer *answer)
{
        *answer = (struct client_answer){ 0 };
        client_send(here.client, answer, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                    2, "destination_xml", "s", scene->xml, "bandwidth", "t", (uint64_t)2,
                    LIVE | NON_SHARED_DISK);
        harness_wait_until(is_copying, scene->path, "some of its disk has gone over");
        ck_assert(g_file_test(scene->to, G_FILE_TEST_EXISTS));
}

/*
 * An agent that has just been started may not be through with what the one before has left. Its guest pauses
 * on the way: this is about what is left, and emulated guests have been seen to hang behind a live move.
 */
static bool has_moved(void *data)
{
        const struct scene *scene = data;
        g_autofree char *error =
                client_try(here.client, scene->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri,
                           1, "destination_xml", "s", scene->xml, NON_SHARED_DISK);

        return !error;
}

/* Each time the next one begins with the same names of jobs and nodes: nothing is left of the one before. */
START_TEST(test_whoever_dies_while_it_is_copied)
{
        struct client_answer answer;
        struct scene scene;

        scene_init(&scene, "qcow2", NULL);
        begin(&scene, &answer);
        guest_do(here.client, scene.path, "AbortJob");
        scene_expect_failure(&answer, "are not copied any further");
        scene_expect_stayed(&scene);
        begin(&scene, &answer);
        side_kill_guest(&there, scene.path);
        scene_expect_failure(&answer, "disk 'vda' of domain 'linux' cannot be copied");
        scene_expect_stayed(&scene);
        begin(&scene, &answer);
        side_restart_agent(&there);
        scene_expect_failure(&answer, NULL);
        scene_expect_stayed(&scene);
        begin(&scene, &answer);
        side_restart_agent(&here);
        scene_expect_failure(&answer, NULL);
        scene_expect_stayed(&scene);
        harness_wait_until(has_moved, &scene, "nothing is left of what the agent before it had begun");
        scene_expect_moved(&scene, &here, &there);
        scene_expect_end(&scene, &there, scene.to, "qcow2");
        scene_clear(&scene);
}
END_TEST

static bool is_lost(void *data)
{
        const struct scene *scene = data;

        return !side_runs(&here, scene->path) && !side_has(&there, scene->path) &&
               harness_count_guests(here.harness) == 0 && !g_file_test(scene->to, G_FILE_TEST_EXISTS);
}

/* Nothing of it is anywhere but the disk that it had. */
START_TEST(test_it_dies_while_it_is_copied)
{
        struct client_answer answer;
        struct scene scene;

        scene_init(&scene, "raw", NULL);
        begin(&scene, &answer);
        side_kill_guest(&here, scene.path);
        scene_expect_failure(&answer, NULL);
        harness_wait_until(is_lost, &scene, "nothing is left of the guest");
        scene_check_disk(scene.from, "raw", sides_check_count(scene.console));
        scene_clear(&scene);
}
END_TEST

/* ---- by TLS ---- */

static void expect_stranger(struct scene *scene, const char *text)
{
        client_fails(here.client, LIBVIRT_ERROR, text, scene->path, DOMAIN_INTERFACE, "MigrateToURI3",
                     "sa{sv}u", there.uri, 1, "destination_xml", "s", scene->xml,
                     LIVE | TLS | NON_SHARED_DISK);
        scene_expect_stayed(scene);
}

/* Who is not whom the certificate names gets nothing of its disk. */
START_TEST(test_by_tls)
{
        g_autofree char *theirs = certificates_make_for(there.harness, "elsewhere");
        struct scene scene;

        side_set_certificates(&here, theirs);
        side_set_certificates(&there, theirs);
        scene_init(&scene, "qcow2", NULL);
        expect_stranger(&scene, "*disk 'vda' *ertificate*localhost*");
        client_do(here.client, scene.path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 2,
                  "destination_xml", "s", scene.xml, "tls_destination", "s", "elsewhere",
                  LIVE | TLS | NON_SHARED_DISK);
        scene_expect_moved(&scene, &here, &there);
        scene_expect_end(&scene, &there, scene.to, "qcow2");
        scene_clear(&scene);
}
END_TEST

/* Nor does one of an authority that the other side does not know; it knows whom it gives it to. */
START_TEST(test_strangers)
{
        g_autofree char *ours = certificates_make(here.harness), *theirs = certificates_make(there.harness);
        struct scene scene;

        side_set_certificates(&here, ours);
        side_set_certificates(&there, theirs);
        scene_init(&scene, "raw", NULL);
        expect_stranger(&scene, "*disk 'vda' *");
        side_set_certificates(&there, ours);
        scene_migrate(&scene, LIVE | TLS | NON_SHARED_DISK);
        scene_expect_moved(&scene, &here, &there);
        scene_expect_end(&scene, &there, scene.to, "raw");
        scene_clear(&scene);
}
END_TEST

static void refuse(const char *path, const char *text, const char *name, const char *value, unsigned flags)
{
        client_fails(here.client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                     there.uri, 1, name, "s", value, flags);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        ck_assert(!side_has(&there, path));
}

START_TEST(test_what_is_refused)
{
        g_autofree char
                *disk = harness_path(here.harness, "disk.img"),
                *other = harness_path(here.harness, "other.img"),
                *small = harness_path(there.harness, "small.img"),
                *devices = g_strdup_printf(
                        "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vda'/></disk>"
                        "<disk type='file'><driver type='raw'/><source file='%s'/><target dev='vdb'/>"
                        "<readonly/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/>"
                        "</disk>",
                        disk, other);
        g_autofree char *path = NULL, *xml = NULL, *nowhere = NULL, *less = NULL;

        ck_assert(g_file_set_contents(disk, "", 0, NULL));
        ck_assert_int_eq(truncate(disk, MIB), 0);
        ck_assert(g_file_set_contents(other, "", 0, NULL));
        ck_assert_int_eq(truncate(other, MIB), 0);
        ck_assert(g_file_set_contents(small, "", 0, NULL));
        ck_assert_int_eq(truncate(small, MIB / 2), 0);
        path = guest_start(here.client, guest_bare_xml("bare", devices));
        xml = client_call_string(here.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 8);
        refuse(path, "*exclude each other", "destination_xml", xml, LIVE | NON_SHARED_DISK | NON_SHARED_INC);
        refuse(path, "*needs NON_SHARED_DISK or NON_SHARED_INC", "destination_xml", xml,
               LIVE | SYNCHRONOUS_WRITES);
        refuse(path, "*'migrate_disks' needs the flag NON_SHARED_DISK or NON_SHARED_INC", "migrate_disks",
               "vda", LIVE);
        refuse(path, "*'migrate_disks' names disk 'vdz', which domain 'bare' does not have", "migrate_disks",
               "vdz", LIVE | NON_SHARED_DISK);
        refuse(path, "*disk 'vdb' cannot be copied to another host: it is read-only", "migrate_disks", "vdb",
               LIVE | NON_SHARED_DISK);
        refuse(path, "*disk 'sda' cannot be copied to another host: it has no medium", "migrate_disks", "sda",
               LIVE | NON_SHARED_DISK);
        refuse(path, "*'tcp:HOST'*", "disks_uri", "exec:false", LIVE | NON_SHARED_DISK);
        nowhere = scene_replace(xml, disk, "/nowhere/disk.img");
        refuse(path, "*'/nowhere'*", "destination_xml", nowhere, LIVE | NON_SHARED_DISK);
        less = scene_replace(xml, disk, small);
        refuse(path, "*disk 'vda' has 524288 bytes here, which is less than the 1048576 of the disk",
               "destination_xml", less, LIVE | NON_SHARED_DISK);
        /* The same file on the same host: its guest has it. */
        refuse(path, "*lock*", "destination_xml", xml, LIVE | NON_SHARED_DISK);
        ck_assert(g_file_test(small, G_FILE_TEST_EXISTS) && g_file_test(disk, G_FILE_TEST_EXISTS));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-disks");
        TCase *moves = tcase_create("moves"), *deaths = tcase_create("deaths"), *tls = tcase_create("tls"),
              *refusals = tcase_create("refusals");

        tcase_set_timeout(moves, 600);
        tcase_add_checked_fixture(moves, sides_set_up, sides_tear_down);
        tcase_add_test(moves, test_its_disk_comes_along);
        tcase_add_test(moves, test_in_postcopy);
        tcase_add_test(moves, test_what_is_above_comes_along);
        suite_add_tcase(suite, moves);
        tcase_set_timeout(deaths, 600);
        tcase_add_checked_fixture(deaths, sides_set_up, sides_tear_down);
        tcase_add_test(deaths, test_whoever_dies_while_it_is_copied);
        tcase_add_test(deaths, test_it_dies_while_it_is_copied);
        suite_add_tcase(suite, deaths);
        tcase_set_timeout(tls, 600);
        tcase_add_checked_fixture(tls, sides_set_up, sides_tear_down);
        tcase_add_test(tls, test_by_tls);
        tcase_add_test(tls, test_strangers);
        suite_add_tcase(suite, tls);
        tcase_set_timeout(refusals, 300);
        tcase_add_checked_fixture(refusals, sides_set_up, sides_tear_down);
        tcase_add_test(refusals, test_what_is_refused);
        suite_add_tcase(suite, refusals);
        return harness_main(suite);
}
