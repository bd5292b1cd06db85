/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A pool on a file system that does not answer, and an agent with a single thread to work: nothing but what
 * is about that pool's files waits for it.
 */

#include <string.h>
#include <sys/stat.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"
#include "tests/support/slow-fs.h"

#define MIB UINT64_C(1048576)

static struct harness *harness;
static struct client *client;
static struct slow_fs *fs;
static const char *why_not;
static char *slow; /* the pool's path */

static void set_up(void)
{
        g_autofree char *folder = NULL;
        g_autofree char *xml = NULL;

        if (!slow_fs_enter(&why_not))
                return;
        harness = harness_new_bus();
        client = harness_get_client(harness);
        folder = harness_path(harness, "slow");
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        fs = slow_fs_mount(folder, &why_not);
        harness_add_option(harness, "--threads=1");
        harness_start_agent(harness);
        xml = pool_dir_xml("slow", folder);
        slow = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", xml, 0);
}

static void tear_down(void)
{
        slow_fs_free(fs);
        harness_free(harness);
        g_free(slow);
}

static unsigned count_volumes(const char *pool)
{
        g_auto(GStrv) list = client_list(client, pool, POOL_INTERFACE, "ListStorageVolumes", 0);

        return g_strv_length(list);
}

static int get_pool_state(const char *pool)
{
        g_autoptr(sd_bus_message) reply = client_call(client, pool, POOL_INTERFACE, "GetInfo", NULL);
        uint64_t capacity, allocation, available;
        int state;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittt)", &state, &capacity, &allocation, &available), 0);
        return state;
}

/* A pool is started, a volume made and looked at, both removed again. */
static void expect_others_at_work(const char *name)
{
        g_autofree char *folder = harness_path(harness, name);
        g_autofree char *pool = pool_start_dir(client, name, folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);

        ck_assert_uint_eq(count_volumes(pool), 1);
        client_do(client, volume, VOLUME_INTERFACE, "GetInfo", "u", 0);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
}

START_TEST(test_a_start_that_hangs)
{
        struct client_answer answer = { 0 };

        if (!fs) {
                harness_skip(why_not);
                return;
        }
        client_send(client, &answer, slow, POOL_INTERFACE, "Create", "u", 0);
        slow_fs_wait_visitor(fs);
        ck_assert_int_eq(get_pool_state(slow), 0);
        ck_assert(!client_get_bool(client, slow, POOL_INTERFACE, "Active"));
        expect_others_at_work("other");
        ck_assert(!answer.done);
        slow_fs_open_gate(fs);
        client_wait_answer(client, &answer);
        ck_assert_ptr_null(answer.error);
        ck_assert_uint_eq(count_volumes(slow), SLOW_FS_FILES);
}
END_TEST

/* Its volumes are shown as they were, also to those who ask for the sizes of now, again and again. */
START_TEST(test_a_refresh_that_hangs)
{
        g_autofree char *volume = NULL;
        struct client_answer answer = { 0 };

        if (!fs) {
                harness_skip(why_not);
                return;
        }
        slow_fs_open_gate(fs);
        client_do(client, slow, POOL_INTERFACE, "Create", "u", 0);
        volume = client_call_string(client, slow, POOL_INTERFACE, "StorageVolLookupByName", "s",
                                    "disk-007.img");
        slow_fs_shut_gate(fs);
        client_send(client, &answer, slow, POOL_INTERFACE, "Refresh", "u", 0);
        slow_fs_wait_visitor(fs);
        ck_assert_int_eq(get_pool_state(slow), 2);
        ck_assert_uint_eq(count_volumes(slow), SLOW_FS_FILES);
        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(sd_bus_message) info =
                        client_call(client, volume, VOLUME_INTERFACE, "GetInfo", "u", 0);
                uint64_t capacity, allocation;
                int type;

                ck_assert_int_gt(sd_bus_message_read(info, "(itt)", &type, &capacity, &allocation), 0);
                ck_assert_uint_eq(capacity, 4096);
        }
        expect_others_at_work("other");
        ck_assert(!answer.done);
        slow_fs_open_gate(fs);
        client_wait_answer(client, &answer);
        ck_assert_ptr_null(answer.error);
}
END_TEST

/* With one thread for all work: what copies from it has to do so without that. */
START_TEST(test_a_clone_that_hangs)
{
        g_autofree char *folder = NULL, *pool = NULL, *volume = NULL, *key = NULL;
        g_autofree char *xml = pool_volume_xml("copy", "raw", 4096, NULL);
        struct client_answer answer = { 0 };

        if (!fs) {
                harness_skip(why_not);
                return;
        }
        folder = harness_path(harness, "copies");
        slow_fs_open_gate(fs);
        client_do(client, slow, POOL_INTERFACE, "Create", "u", 0);
        volume = client_call_string(client, slow, POOL_INTERFACE, "StorageVolLookupByName", "s",
                                    "disk-007.img");
        key = client_get_string(client, volume, VOLUME_INTERFACE, "Key");
        pool = pool_start_dir(client, "copies", folder);
        slow_fs_shut_gate(fs);
        client_send(client, &answer, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu", xml, key, 0);
        slow_fs_wait_visitor(fs);
        expect_others_at_work("other");
        ck_assert(!answer.done);
        slow_fs_open_gate(fs);
        client_wait_answer(client, &answer);
        ck_assert_ptr_null(answer.error);
}
END_TEST

static char *disk_xml(const char *uuid, const char *path)
{
        return g_strdup_printf(
                "<domain type='qemu'><name>web</name><uuid>%s</uuid><memory unit='MiB'>64</memory>"
                "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file'>"
                "<driver name='qemu' type='raw'/><source file='%s'/><target dev='vda' bus='virtio'/>"
                "</disk></devices></domain>",
                uuid, path);
}

/* A disk that was on a server which hangs is somewhere else now, and is looked at there. */
START_TEST(test_a_disk_that_moves)
{
        static const char uuid[] = "7e1d0f3a-52c4-4d1e-9a3e-1f0b6c1d2e3f";
        g_autofree char *image = harness_path(harness, "disk.img");
        g_autofree char *before = harness_path(harness, "slow/disk-001.img");
        g_autofree char *there = disk_xml(uuid, before), *here = disk_xml(uuid, image), *domain = NULL;
        g_autofree char *again = NULL;
        struct client_answer answer = { 0 };
        g_autoptr(sd_bus_message) info = NULL;
        uint64_t capacity;

        if (!fs) {
                harness_skip(why_not);
                return;
        }
        ck_assert(g_file_set_contents(image, "0123456789abcdef", 16, NULL));
        domain = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", there);
        client_send(client, &answer, domain, DOMAIN_INTERFACE, "GetBlockInfo", "su", "vda", 0);
        slow_fs_wait_visitor(fs);
        again = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", here);
        info = client_call(client, domain, DOMAIN_INTERFACE, "GetBlockInfo", "su", "vda", 0);
        ck_assert_int_gt(sd_bus_message_read(info, "(ttt)", &capacity, NULL, NULL), 0);
        ck_assert_uint_eq(capacity, 16);
        client_wait_answer(client, &answer);
        g_free(answer.error);

        /* What was seen there comes, and does not count. */
        slow_fs_open_gate(fs);
        sd_bus_message_unref(info);
        info = client_call(client, domain, DOMAIN_INTERFACE, "GetBlockInfo", "su", "vda", 0);
        ck_assert_int_gt(sd_bus_message_read(info, "(ttt)", &capacity, NULL, NULL), 0);
        ck_assert_uint_eq(capacity, 16);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("storage-slow");
        TCase *tcase = tcase_create("storage-slow");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_a_start_that_hangs);
        tcase_add_test(tcase, test_a_refresh_that_hangs);
        tcase_add_test(tcase, test_a_disk_that_moves);
        tcase_add_test(tcase, test_a_clone_that_hangs);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
