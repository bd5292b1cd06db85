/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Directories as they are in the wild, files that go behind the agent's back, an agent that is killed at
 * work: plain errors, nothing lost, nothing half done.
 */

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define MIB UINT64_C(1048576)

static struct harness *harness;
static struct client *client;
static char *folder;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        folder = harness_path(harness, "images");
        ck_assert_int_eq(mkdir(folder, 0700), 0);
}

static void tear_down(void)
{
        g_free(folder);
        harness_free(harness);
}

static char *make_file(const char *name, const void *content, gssize length)
{
        char *path = g_build_filename(folder, name, NULL);

        ck_assert(g_file_set_contents(path, content, length, NULL));
        return path;
}

static unsigned count_volumes(const char *pool)
{
        g_auto(GStrv) list = client_list(client, pool, POOL_INTERFACE, "ListStorageVolumes", 0);

        return g_strv_length(list);
}

static unsigned count_files(void)
{
        GDir *dir = g_dir_open(folder, 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        g_dir_close(dir);
        return count;
}

START_TEST(test_one_bad_file_does_not_fail_the_pool)
{
        static const char header[] = "QFI\xfb\0\0\0\3";
        g_autofree char *good = make_file("good.img", "content", -1);
        g_autofree char *cut = make_file("cut.qcow2", header, sizeof(header) - 1);
        g_autofree char *empty = make_file("empty.qcow2", "", 0);
        g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
        g_autofree char *dangling = g_build_filename(folder, "dangling", NULL);
        g_autofree char *odd = make_file("odd\xff\nname", "content", -1);
        g_autofree char *pool = NULL;
        g_autofree char *found = NULL;

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert_int_eq(symlink("/nowhere/at/all", dangling), 0);
        pool = pool_start_dir(client, "images", folder);
        found = client_call_string(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", "good.img");
        ck_assert_uint_ge(count_volumes(pool), 1);
        sd_bus_message_unref(client_call(client, QEMU_PATH, MANAGER_OF_OBJECTS, "GetManagedObjects", NULL));
        client_do(client, found, VOLUME_INTERFACE, "GetXMLDesc", "u", 0);
}
END_TEST

/* Root reads everything, unless it has lost the right to. */
static void drop_rights(void)
{
        prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
        prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
}

static unsigned count_in_log(const char *text)
{
        g_autofree char *log = harness_read_log(harness);
        unsigned count = 0;

        for (const char *at = log; (at = strstr(at, text)); at++)
                count++;
        return count;
}

static bool is_locked_file(sd_bus_message *message, const void *data)
{
        const char *path;

        return sd_bus_message_read(message, "o", &path) > 0 && g_str_has_suffix(path, "locked_2eimg");
}

static void wait_for_locked_file(const char *member)
{
        sd_bus_message_unref(
                client_wait_signal(client, QEMU_PATH, MANAGER_OF_OBJECTS, member, is_locked_file, NULL));
}

START_TEST(test_a_file_that_cannot_be_read)
{
        static const char said[] = "file 'locked.img' in storage pool 'images' is left out";
        g_autofree char *good = make_file("good.img", "content", -1);
        g_autofree char *locked = make_file("locked.img", "content", -1);
        g_autofree char *pool = NULL;

        harness_end_agent(harness, SIGTERM);
        harness_set_child_setup(harness, drop_rights);
        harness_start_agent(harness);
        ck_assert_int_eq(chmod(locked, 0), 0);
        pool = pool_start_dir(client, "images", folder);
        ck_assert_uint_eq(count_volumes(pool), 1);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        ck_assert_uint_eq(count_volumes(pool), 1);
        ck_assert_uint_eq(count_in_log(said), 1);
        ck_assert_int_eq(chmod(locked, 0600), 0);
        wait_for_locked_file("InterfacesAdded");
        ck_assert_uint_eq(count_volumes(pool), 2);
        ck_assert_int_eq(chmod(locked, 0), 0);
        wait_for_locked_file("InterfacesRemoved");
        ck_assert_uint_eq(count_volumes(pool), 1);
        ck_assert_uint_eq(count_in_log(said), 2);
}
END_TEST

/* Each of two images says that the other one is below it. */
START_TEST(test_a_backing_chain_that_is_a_circle)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *a = pool_make_volume(client, pool, "a.qcow2", "qcow2", MIB);
        g_autofree char *a_path = g_build_filename(folder, "a.qcow2", NULL);
        g_autofree char *b_path = g_build_filename(folder, "b.qcow2", NULL);
        g_autofree char *backing = g_strdup_printf("<backingStore><path>%s</path><format type='qcow2'/>"
                                                   "</backingStore>",
                                                   a_path);
        g_autofree char *xml = pool_volume_xml("b.qcow2", "qcow2", MIB, backing);
        g_autofree char *b =
                client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        const char *argv[] = { "qemu-img", "rebase", "-u", "-F", "qcow2", "-b", b_path, a_path, NULL };
        g_autofree char *text = NULL;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        text = client_call_string(client, b, VOLUME_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(text, a_path));
        client_do(client, b, VOLUME_INTERFACE, "GetInfo", "u", 0);
        client_do(client, b, VOLUME_INTERFACE, "Delete", "u", 0);
        client_do(client, a, VOLUME_INTERFACE, "Delete", "u", 0);
}
END_TEST

/* Whatever call comes first after the file went: it fails or finds the volume gone, and the agent goes on. */
START_TEST(test_a_volume_that_goes_behind_the_back)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *path = g_build_filename(folder, "disk.img", NULL);

        ck_assert_int_eq(unlink(path), 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Resize", "tu", 2 * MIB, 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Download", "ttu", UINT64_C(0),
                     UINT64_C(0), 0);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        pool_wait_removed(client, volume);
        ck_assert_uint_eq(count_volumes(pool), 0);
        ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(test_a_link_that_leads_out_is_not_followed_by_a_delete)
{
        g_autofree char *target = harness_path(harness, "precious");
        g_autofree char *link = g_build_filename(folder, "link.img", NULL);
        g_autofree char *pool = NULL;
        g_autofree char *volume = NULL;

        ck_assert(g_file_set_contents(target, "precious", -1, NULL));
        ck_assert_int_eq(symlink(target, link), 0);
        pool = pool_start_dir(client, "images", folder);
        volume = client_try(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", "link.img");
        if (!volume) {
                g_autofree char *path = client_call_string(client, pool, POOL_INTERFACE,
                                                           "StorageVolLookupByName", "s", "link.img");

                g_free(client_try(client, path, VOLUME_INTERFACE, "Delete", "u", 0));
        }
        ck_assert(g_file_test(target, G_FILE_TEST_IS_REGULAR));
}
END_TEST

/* qemu-img is replaced by one that gets nowhere, so that the agent dies in the middle for sure. */
START_TEST(test_killed_in_the_middle_of_a_clone)
{
        g_autofree char *tools = harness_path(harness, "tools");
        g_autofree char *tool = harness_path(harness, "tools/qemu-img");
        g_autofree char *path = g_strconcat(tools, ":", g_getenv("PATH"), NULL);
        g_autofree char *real = g_find_program_in_path("qemu-img");
        g_autofree char *script = g_strdup_printf("#!/bin/sh\n[ \"$1\" = convert ] && sleep 1000\n"
                                                  "exec %s \"$@\"\n",
                                                  real);
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *source = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *key = client_get_string(client, source, VOLUME_INTERFACE, "Key");
        g_autofree char *xml = pool_volume_xml("copy.qcow2", "qcow2", MIB, NULL);
        g_autofree char *job = g_strdup(QEMU_PATH "/job/1");
        struct client_answer answer = { 0 };

        ck_assert_int_eq(mkdir(tools, 0700), 0);
        ck_assert(g_file_set_contents(tool, script, -1, NULL));
        ck_assert_int_eq(chmod(tool, 0700), 0);
        harness_set_environment(harness, "PATH", path);
        harness_end_agent(harness, SIGTERM);
        client_forget_signals(client);
        harness_start_agent(harness);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_send(client, &answer, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu", xml, key, 0);
        pool_wait_added(client, job);
        harness_end_agent(harness, SIGKILL);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        harness_start_agent(harness);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        ck_assert_uint_eq(count_volumes(pool), 1);
        ck_assert_uint_eq(count_files(), 1);
        g_free(answer.error);
}
END_TEST

/* A link to the pool's directory is followed as it was at the start, not as somebody makes it later. */
START_TEST(test_a_link_in_the_place_of_the_directory)
{
        g_autofree char *real = harness_path(harness, "real"), *link_path = harness_path(harness, "link");
        g_autofree char *away = harness_path(harness, "away"), *other = harness_path(harness, "other");
        g_autofree char *strange = g_build_filename(other, "strange", NULL), *pool = NULL, *volume = NULL;
        g_autofree char *xml = pool_volume_xml("new", "raw", 4096, NULL), *made = NULL;

        ck_assert(mkdir(real, 0700) == 0 && mkdir(other, 0700) == 0 && symlink(real, link_path) == 0);
        ck_assert(g_file_set_contents(strange, "x", -1, NULL));
        pool = pool_start_dir(client, "images", link_path);
        volume = pool_make_volume(client, pool, "old", "raw", 4096);
        ck_assert(rename(real, away) == 0 && symlink(other, real) == 0);
        client_fails(client, LIBVIRT_ERROR, "*a link has come in the place of directory*", pool,
                     POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "*a link has come*", pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        made = g_build_filename(other, "new", NULL);
        ck_assert(!g_file_test(made, G_FILE_TEST_EXISTS));
        ck_assert(unlink(real) == 0 && rename(away, real) == 0);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_do(client, volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        /* A link that is there when the pool starts is followed. */
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        ck_assert(unlink(link_path) == 0 && symlink(other, link_path) == 0);
        client_do(client, pool, POOL_INTERFACE, "Create", "u", 0);
        g_free(client_call_string(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", "strange"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("storage-faults");
        TCase *tcase = tcase_create("storage-faults");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_one_bad_file_does_not_fail_the_pool);
        tcase_add_test(tcase, test_a_file_that_cannot_be_read);
        tcase_add_test(tcase, test_a_backing_chain_that_is_a_circle);
        tcase_add_test(tcase, test_a_volume_that_goes_behind_the_back);
        tcase_add_test(tcase, test_a_link_that_leads_out_is_not_followed_by_a_delete);
        tcase_add_test(tcase, test_killed_in_the_middle_of_a_clone);
        tcase_add_test(tcase, test_a_link_in_the_place_of_the_directory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
