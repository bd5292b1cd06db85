/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pools and volumes as a client sees them: a directory of the host on the QEMU connection, memory on Test.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
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
}

static void tear_down(void)
{
        g_free(folder);
        harness_free(harness);
}

static char *connect_string(const char *member, const char *argument)
{
        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, member, "s", argument);
}

static void expect_info(const char *pool, int state)
{
        g_autoptr(sd_bus_message) reply = client_call(client, pool, POOL_INTERFACE, "GetInfo", NULL);
        uint64_t capacity, allocation, available;
        int now;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittt)", &now, &capacity, &allocation, &available), 0);
        ck_assert_int_eq(now, state);
        ck_assert_int_eq(capacity > 0, state != 0);
}

static uint64_t get_capacity(const char *volume)
{
        g_autoptr(sd_bus_message) reply = client_call(client, volume, VOLUME_INTERFACE, "GetInfo", "u", 0);
        uint64_t capacity, allocation;
        int type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(itt)", &type, &capacity, &allocation), 0);
        ck_assert_int_eq(type, 0);
        return capacity;
}

static unsigned count(const char *path, const char *interface, const char *member, unsigned flags)
{
        g_auto(GStrv) list = client_list(client, path, interface, member, flags);

        return g_strv_length(list);
}

/* ---- pools ---- */

START_TEST(test_the_life_of_a_pool)
{
        g_autofree char *xml = pool_dir_xml("images", folder);
        g_autofree char *pool = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolDefineXML", "su", xml, 0);
        g_autofree char *found = connect_string("StoragePoolLookupByName", "images");

        ck_assert_str_eq(found, pool);
        pool_wait_event(client, pool, POOL_DEFINED);
        pool_wait_added(client, pool);
        expect_info(pool, 0);
        client_fails(client, LIBVIRT_ERROR, "*", pool, POOL_INTERFACE, "Create", "u", 0);
        client_do(client, pool, POOL_INTERFACE, "Build", "u", 0);
        ck_assert(g_file_test(folder, G_FILE_TEST_IS_DIR));
        client_do(client, pool, POOL_INTERFACE, "Create", "u", 0);
        pool_wait_event(client, pool, POOL_STARTED);
        client_wait_property(client, pool, POOL_INTERFACE, "Active", true);
        expect_info(pool, 2);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", pool, POOL_INTERFACE,
                     "Create", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", pool, POOL_INTERFACE,
                     "Undefine", NULL);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        pool_wait_event(client, pool, POOL_STOPPED);
        client_wait_property(client, pool, POOL_INTERFACE, "Active", false);
        client_do(client, pool, POOL_INTERFACE, "Delete", "u", 0);
        ck_assert(!g_file_test(folder, G_FILE_TEST_EXISTS));
        client_do(client, pool, POOL_INTERFACE, "Undefine", NULL);
        pool_wait_event(client, pool, POOL_UNDEFINED);
        pool_wait_removed(client, pool);
        client_fails(client, LIBVIRT_ERROR, "Storage pool not found*", pool, POOL_INTERFACE, "GetInfo", NULL);
        client_fails(client, LIBVIRT_ERROR, "Storage pool not found*", QEMU_PATH, CONNECT_INTERFACE,
                     "StoragePoolLookupByName", "s", "images");
}
END_TEST

START_TEST(test_lists_and_properties_of_pools)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *uuid = client_get_string(client, pool, POOL_INTERFACE, "UUID");
        g_autofree char *name = client_get_string(client, pool, POOL_INTERFACE, "Name");
        g_autofree char *problem = client_get_string(client, pool, POOL_INTERFACE, "Problem");
        g_autofree char *found = connect_string("StoragePoolLookupByUUID", uuid);

        ck_assert_str_eq(found, pool);
        ck_assert_str_eq(name, "images");
        ck_assert_str_eq(problem, "");
        ck_assert(client_get_bool(client, pool, POOL_INTERFACE, "Persistent"));
        ck_assert(!client_get_bool(client, pool, POOL_INTERFACE, "Autostart"));
        ck_assert_uint_eq(count(QEMU_PATH, CONNECT_INTERFACE, "ListStoragePools", 0), 1);
        ck_assert_uint_eq(count(QEMU_PATH, CONNECT_INTERFACE, "ListStoragePools", 1), 0);
        ck_assert_uint_eq(count(QEMU_PATH, CONNECT_INTERFACE, "ListStoragePools", 2 | 64), 1);
        ck_assert_uint_eq(count(QEMU_PATH, CONNECT_INTERFACE, "ListStoragePools", 128), 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x*", QEMU_PATH, CONNECT_INTERFACE,
                     "ListStoragePools", "u", 1u << 31);
        client_do(client, pool, "org.freedesktop.DBus.Properties", "Set", "ssv", POOL_INTERFACE, "Autostart",
                  "b", 1);
        client_wait_property(client, pool, POOL_INTERFACE, "Autostart", true);
}
END_TEST

START_TEST(test_a_described_pool_can_be_defined_again)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *xml = client_call_string(client, pool, POOL_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *again = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                    "StoragePoolDefineXML", "su", xml, 0);

        ck_assert_str_eq(again, pool);
        ck_assert_ptr_nonnull(strstr(xml, "<name>images</name>"));
        ck_assert_ptr_nonnull(strstr(xml, folder));
}
END_TEST

START_TEST(test_a_transient_pool_goes_when_it_stops)
{
        g_autofree char *xml = pool_dir_xml("images", folder);
        g_autofree char *pool = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolCreateXML", "su", xml, 1);

        pool_wait_added(client, pool);
        ck_assert(!client_get_bool(client, pool, POOL_INTERFACE, "Persistent"));
        ck_assert(client_get_bool(client, pool, POOL_INTERFACE, "Active"));
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        pool_wait_removed(client, pool);
        ck_assert_uint_eq(count(QEMU_PATH, CONNECT_INTERFACE, "ListStoragePools", 0), 0);
}
END_TEST

/* Nobody waits for an answer before the next call: they act in the order sent. */
START_TEST(test_calls_act_in_the_order_sent)
{
        const char *pool = QEMU_PATH "/storagepool/_00000000_0000_4000_8000_000000000001";
        g_autofree char *xml = g_strdup_printf("<pool type='dir'><name>images</name>"
                                               "<uuid>00000000-0000-4000-8000-000000000001</uuid>"
                                               "<target><path>%s</path></target></pool>",
                                               folder);
        struct client_answer answers[5] = { 0 };

        ck_assert_int_eq(g_mkdir_with_parents(folder, 0700), 0);
        client_send(client, &answers[0], QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", xml, 0);
        client_send(client, &answers[1], pool, POOL_INTERFACE, "Create", "u", 0);
        client_send(client, &answers[2], pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_send(client, &answers[3], pool, POOL_INTERFACE, "Destroy", NULL);
        client_send(client, &answers[4], pool, POOL_INTERFACE, "Undefine", NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "call %u: %s", i, answers[i].error);
        }
        pool_wait_removed(client, pool);
}
END_TEST

/* The runtime directory is empty after a boot, but for what the test wants to be there still. */
START_TEST(test_pools_outlive_the_agent)
{
        g_autofree char *boot_mark = harness_path(harness, "run/storage/autostarted");
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *autostarted = harness_path(harness, "autostarted");
        g_autofree char *other = pool_start_dir(client, "other", autostarted);

        client_do(client, other, "org.freedesktop.DBus.Properties", "Set", "ssv", POOL_INTERFACE, "Autostart",
                  "b", 1);
        client_do(client, other, POOL_INTERFACE, "Destroy", NULL);
        harness_end_agent(harness, SIGKILL);
        ck_assert_int_eq(unlink(boot_mark), 0);
        client_forget_signals(client);
        harness_start_agent(harness);
        client_wait_name(client, true);
        while (!client_get_bool(client, pool, POOL_INTERFACE, "Active"))
                client_wait_property(client, pool, POOL_INTERFACE, "Active", true);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        ck_assert_uint_eq(get_capacity(volume), MIB);
        if (!client_get_bool(client, other, POOL_INTERFACE, "Active"))
                client_wait_property(client, other, POOL_INTERFACE, "Active", true);
}
END_TEST

START_TEST(test_what_storage_can_be)
{
        g_autofree char *text = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "GetStoragePoolCapabilities", "u", 0);

        ck_assert_ptr_nonnull(strstr(text, "<storagepoolCapabilities>"));
        ck_assert_ptr_nonnull(strstr(text, "<pool type='dir' supported='yes'>"));
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "FindStoragePoolSources",
                     "ssu", "dir", "", 0);
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "FindStoragePoolSources",
                     "ssu", "no such type", "", 0);
}
END_TEST

/* ---- volumes ---- */

START_TEST(test_the_life_of_a_volume)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.qcow2", "qcow2", 8 * MIB);
        g_autofree char *path = client_get_string(client, volume, VOLUME_INTERFACE, "Path");
        g_autofree char *key = client_get_string(client, volume, VOLUME_INTERFACE, "Key");
        g_autofree char *expected = g_build_filename(folder, "disk.qcow2", NULL);
        g_autofree char *by_key = connect_string("StorageVolLookupByKey", key);
        g_autofree char *by_path = connect_string("StorageVolLookupByPath", path);
        g_autofree char *by_name =
                client_call_string(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", "disk.qcow2");
        g_autofree char *owner =
                client_call_string(client, volume, VOLUME_INTERFACE, "StoragePoolLookupByVolume", NULL);
        g_autofree char *xml = client_call_string(client, volume, VOLUME_INTERFACE, "GetXMLDesc", "u", 0);

        pool_wait_added(client, volume);
        ck_assert_str_eq(path, expected);
        ck_assert_str_eq(by_key, volume);
        ck_assert_str_eq(by_path, volume);
        ck_assert_str_eq(by_name, volume);
        ck_assert_str_eq(owner, pool);
        ck_assert_ptr_nonnull(strstr(xml, "<format type='qcow2'/>"));
        ck_assert_uint_eq(get_capacity(volume), 8 * MIB);
        ck_assert_uint_eq(count(pool, POOL_INTERFACE, "ListStorageVolumes", 0), 1);
        client_do(client, volume, VOLUME_INTERFACE, "Resize", "tu", 16 * MIB, 0);
        ck_assert_uint_eq(get_capacity(volume), 16 * MIB);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        pool_wait_removed(client, volume);
        ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found: no storage vol with matching*", volume,
                     VOLUME_INTERFACE, "GetInfo", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found: no storage vol with matching*",
                     QEMU_PATH, CONNECT_INTERFACE, "StorageVolLookupByKey", "s", key);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found: no storage vol with matching*",
                     QEMU_PATH, CONNECT_INTERFACE, "StorageVolLookupByPath", "s", path);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found: no storage vol with matching*", pool,
                     POOL_INTERFACE, "StorageVolLookupByName", "s", "disk.qcow2");
}
END_TEST

START_TEST(test_volumes_of_an_inactive_pool_are_gone)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);

        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        pool_wait_removed(client, volume);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", pool, POOL_INTERFACE,
                     "ListStorageVolumes", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found*", volume, VOLUME_INTERFACE,
                     "GetXMLDesc", "u", 0);
        client_do(client, pool, POOL_INTERFACE, "Create", "u", 0);
        pool_wait_added(client, volume);
}
END_TEST

START_TEST(test_clone)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *source = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *key = client_get_string(client, source, VOLUME_INTERFACE, "Key");
        g_autofree char *file = g_build_filename(folder, "disk.img", NULL);
        g_autofree char *xml = pool_volume_xml("copy.img", "raw", 2 * MIB, NULL);
        g_autofree char *content = NULL;
        g_autofree char *clone = NULL, *copied = NULL, *copied_file = NULL;
        gsize length;

        content = g_strnfill(MIB, 'x');
        ck_assert(g_file_set_contents(file, content, (gssize)MIB, NULL));
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        clone = client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu", xml, key,
                                   0);
        ck_assert_uint_eq(get_capacity(clone), 2 * MIB);
        copied_file = client_get_string(client, clone, VOLUME_INTERFACE, "Path");
        ck_assert(g_file_get_contents(copied_file, &copied, &length, NULL));
        ck_assert_uint_eq(length, 2 * MIB);
        ck_assert_mem_eq(copied, content, MIB);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found*", pool, POOL_INTERFACE,
                     "StorageVolCreateXMLFrom", "ssu", xml, "/nowhere", 0);
}
END_TEST

START_TEST(test_wipe)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *file = g_build_filename(folder, "disk.img", NULL);
        g_autofree char *content = g_strnfill(MIB, 'x');
        g_autofree char *after = NULL;
        gsize length;

        ck_assert(g_file_set_contents(file, content, (gssize)MIB, NULL));
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        client_do(client, volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        ck_assert(g_file_get_contents(file, &after, &length, NULL));
        ck_assert_uint_eq(length, MIB);
        for (gsize i = 0; i < length; i++)
                ck_assert_int_eq(after[i], 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Wipe", "uu", 77, 0);
}
END_TEST

START_TEST(test_names_that_lead_elsewhere_are_refused)
{
        static const char *const names[] = { "../x", "a/b", ".", "..", "", " ", "a\nb" };
        g_autofree char *pool = pool_start_dir(client, "images", folder);

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *xml = pool_volume_xml(names[i], "raw", MIB, NULL);

                client_fails(client, LIBVIRT_ERROR, "*", pool, POOL_INTERFACE, "StorageVolCreateXML", "su",
                             xml, 0);
        }
        ck_assert_uint_eq(count(pool, POOL_INTERFACE, "ListStorageVolumes", 0), 0);
}
END_TEST

START_TEST(test_two_make_the_same_volume)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *xml = pool_volume_xml("disk.img", "raw", MIB, NULL);
        struct client_answer answers[2] = { 0 };

        for (unsigned i = 0; i < 2; i++)
                client_send(client, &answers[i], pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        for (unsigned i = 0; i < 2; i++)
                client_wait_answer(client, &answers[i]);
        ck_assert_ptr_null(answers[0].error);
        ck_assert(g_pattern_match_simple("*exists already*", answers[1].error));
        ck_assert_uint_eq(count(pool, POOL_INTERFACE, "ListStorageVolumes", 0), 1);
        g_free(answers[1].error);
}
END_TEST

/* ---- what happens behind the agent's back ---- */

START_TEST(test_files_that_come_and_go_are_noticed)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *file = g_build_filename(folder, "new.img", NULL);
        g_autofree char *volume = NULL;

        client_forget_signals(client);
        ck_assert(g_file_set_contents(file, "content", -1, NULL));
        sd_bus_message_unref(client_wait_signal(client, pool, POOL_INTERFACE, "Refresh", NULL, NULL));
        volume = connect_string("StorageVolLookupByPath", file);
        pool_wait_added(client, volume);
        unlink(file);
        pool_wait_removed(client, volume);
}
END_TEST

START_TEST(test_refresh_is_announced)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);

        client_forget_signals(client);
        client_do(client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        sd_bus_message_unref(client_wait_signal(client, pool, POOL_INTERFACE, "Refresh", NULL, NULL));
}
END_TEST

static unsigned count_refreshes(const char *pool)
{
        return client_count_signals(client, pool, POOL_INTERFACE, "Refresh");
}

/*
 * Whoever hears of it reads the whole pool: it is told once, when the changes are over, and only if it is
 * still there and was not looked at meanwhile.
 */
START_TEST(test_changes_are_announced_late_and_once)
{
        g_autofree char *clock_folder = harness_path(harness, "clock");
        g_autofree char *busy = pool_start_dir(client, "busy", folder);
        g_autofree char *clock = pool_start_dir(client, "clock", clock_folder);
        const char *const ends[] = { "Refresh", "Destroy" };
        const gint64 delay_us = 300000;

        for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
                gint64 begin = g_get_monotonic_time();

                client_forget_signals(client);
                for (unsigned n = 0; n < 5; n++) {
                        g_autofree char *name = g_strdup_printf("disk-%u-%u", i, n);

                        g_free(pool_make_volume(client, busy, name, "raw", 1024));
                }
                client_do(client, busy, POOL_INTERFACE, ends[i], i == 0 ? "u" : NULL, 0);
                if (g_get_monotonic_time() - begin > delay_us) {
                        harness_skip("this host is too busy to make five volumes in 300 ms");
                        return;
                }
                /* What is announced of a change that came after that comes after it. */
                g_free(pool_make_volume(client, clock, ends[i], "raw", 1024));
                sd_bus_message_unref(
                        client_wait_signal(client, clock, POOL_INTERFACE, "Refresh", NULL, NULL));
                ck_assert_uint_eq(count_refreshes(busy), i == 0 ? 1 : 0);
        }
}
END_TEST

/* ---- the Test connection ---- */

#define MANY 1000

static void expect_told(unsigned added, unsigned removed)
{
        ck_assert_uint_eq(client_count_signals(client, QEMU_PATH, MANAGER_OF_OBJECTS, "InterfacesAdded"),
                          added);
        ck_assert_uint_eq(client_count_signals(client, QEMU_PATH, MANAGER_OF_OBJECTS, "InterfacesRemoved"),
                          removed);
}

/* They do not leave in one go; still, whoever hears the end of a call has heard of all of them. */
START_TEST(test_many_volumes_are_told_before_the_answer)
{
        g_autofree char *xml = pool_dir_xml("images", folder);
        g_autofree char *pool = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolDefineXML", "su", xml, 0);
        static const char *const members[] = { "Create", "Destroy", "Create" };
        struct client_answer answers[G_N_ELEMENTS(members)] = { 0 };

        client_do(client, pool, POOL_INTERFACE, "Build", "u", 0);
        for (unsigned i = 0; i < MANY; i++) {
                g_autofree char *path = g_strdup_printf("%s/disk-%u.img", folder, i);

                ck_assert(g_file_set_contents(path, "content", -1, NULL));
        }
        client_forget_signals(client);
        for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
                client_send(client, &answers[i], pool, POOL_INTERFACE, members[i], i == 1 ? "" : "u", 0);
        client_wait_answer(client, &answers[2]);
        for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
                ck_assert(answers[i].done && !answers[i].error);
        expect_told(2 * MANY, MANY);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        expect_told(2 * MANY, 2 * MANY);
}
END_TEST

START_TEST(test_the_default_pool_in_memory)
{
        g_autofree char *pool = client_call_string(client, TEST_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolLookupByName", "s", "default-pool");
        g_autofree char *volume = NULL;

        ck_assert(client_get_bool(client, pool, POOL_INTERFACE, "Active"));
        ck_assert_uint_eq(count(pool, POOL_INTERFACE, "ListStorageVolumes", 0), 0);
        expect_info(pool, 2);
        volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        ck_assert(g_str_has_prefix(volume, TEST_PATH "/storagevol/"));
        ck_assert_uint_eq(get_capacity(volume), MIB);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        pool_wait_removed(client, volume);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("storage");
        TCase *tcase = tcase_create("storage");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_life_of_a_pool);
        tcase_add_test(tcase, test_lists_and_properties_of_pools);
        tcase_add_test(tcase, test_a_described_pool_can_be_defined_again);
        tcase_add_test(tcase, test_a_transient_pool_goes_when_it_stops);
        tcase_add_test(tcase, test_calls_act_in_the_order_sent);
        tcase_add_test(tcase, test_pools_outlive_the_agent);
        tcase_add_test(tcase, test_what_storage_can_be);
        tcase_add_test(tcase, test_the_life_of_a_volume);
        tcase_add_test(tcase, test_volumes_of_an_inactive_pool_are_gone);
        tcase_add_test(tcase, test_clone);
        tcase_add_test(tcase, test_wipe);
        tcase_add_test(tcase, test_names_that_lead_elsewhere_are_refused);
        tcase_add_test(tcase, test_two_make_the_same_volume);
        tcase_add_test(tcase, test_files_that_come_and_go_are_noticed);
        tcase_add_test(tcase, test_refresh_is_announced);
        tcase_add_test(tcase, test_changes_are_announced_late_and_once);
        tcase_add_test(tcase, test_many_volumes_are_told_before_the_answer);
        tcase_add_test(tcase, test_the_default_pool_in_memory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
