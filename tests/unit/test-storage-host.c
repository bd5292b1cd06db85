/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools on devices as views use them, through the model: from definition to deletion, over a
 * restart of the agent.
 */
#include "tests/unit/storage-host.h"
#include "tests/unit/storage-support.h"

#define MIB ((uint64_t)1024 * 1024)

static char *device; /* the test's loop device */
static int device_fd;

static void host_and_storage_setup(void)
{
        host_isolate();
        setup();
}

static void host_and_storage_teardown(void)
{
        teardown();
        g_free(host.dir);
}

static struct storage_pool *define_pool(const char *type, const char *format, const char *target)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='%s'><name>%s</name><source><device path='%s'/>"
                                "<format type='%s'/></source><target><path>%s</path></target></pool>",
                                type, type, device, format, target);

        return (struct storage_pool *)expect(CALL(storage_pool_define_xml, storage, xml, 0)).object;
}

START_TEST(test_fs)
{
        struct storage_pool *pool;
        struct storage_pool_info info;
        bool active = false;

        if (!host_has_tool("mkfs.ext4") || !host_loop_device(32 * MIB, &device, &device_fd))
                return;
        pool = define_pool("fs", "ext4", "/run/pool");
        refuse(CALL(storage_pool_create, pool, 0), "no file system");
        expect(CALL(storage_pool_create, pool, STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE));
        storage_pool_get_info(pool, &info);
        ck_assert_uint_gt(info.numbers.capacity, 16 * MIB);
        ck_assert_uint_lt(info.numbers.capacity, 32 * MIB);
        expect(create_volume(pool, "<volume><name>v</name><capacity>1048576</capacity></volume>"));

        /* The agent goes and comes; the mount stays. */
        close_storage();
        open_storage();
        settle();
        pool = storage_pool_lookup_name(storage, "fs", NULL);
        active = storage_pool_is_active(pool);
        ck_assert(active);
        ck_assert_ptr_nonnull(find(pool, "v"));
        expect(CALL(storage_pool_destroy, pool));
        ck_assert_int_ne(access("/run/pool/v", F_OK), 0);
        refuse(CALL(storage_pool_build, pool, POOL_BUILD_NO_OVERWRITE), "already holds 'ext4'");
        expect(CALL(storage_pool_delete, pool, 0));
        expect(CALL(storage_pool_undefine, pool));

        /* Unmounted while the agent was away: not active any more. */
        pool = define_pool("fs", "auto", "/run/pool");
        expect(CALL(storage_pool_create, pool, STORAGE_POOL_CREATE_WITH_BUILD));
        close_storage();
        ck_assert_int_eq(umount("/run/pool"), 0);
        open_storage();
        settle();
        ck_assert(!storage_pool_is_active(storage_pool_lookup_name(storage, "fs", NULL)));
        close(device_fd);
}
END_TEST

START_TEST(test_disk)
{
        g_autofree char *name = NULL, *xml = NULL, *second = NULL, *alias = NULL;
        struct storage_pool *pool;
        struct storage_pool_info info;
        struct volume *volume;

        if (!host_has_tool("sfdisk") || !host_has_devtmpfs() ||
            !host_loop_device(32 * MIB, &device, &device_fd))
                return;
        pool = define_pool("disk", "gpt", "/dev");
        expect(CALL(storage_pool_build, pool, 0));
        expect(CALL(storage_pool_create, pool, 0));
        name = g_strdup_printf("%sp1", device + strlen("/dev/"));
        xml = g_strdup_printf("<volume><name>%s</name><capacity unit='MiB'>8</capacity>"
                              "<target><format type='linux'/></target></volume>",
                              name);
        volume = expect(create_volume(pool, xml)).volume;
        ck_assert_uint_eq(volume->capacity, 8 * MIB);
        ck_assert_ptr_eq(storage_volume_lookup_path(storage, volume->path, NULL), find(pool, name));
        alias = g_strdup_printf("/dev/virtbus-test-%s", name);
        ck_assert_int_eq(symlink(name, alias), 0);
        volume = storage_volume_lookup_path(storage, alias, NULL);
        ck_assert_int_eq(unlink(alias), 0);
        ck_assert_ptr_eq(volume, find(pool, name));
        ck_assert_ptr_null(storage_volume_lookup_path(storage, alias, NULL));
        storage_pool_get_info(pool, &info);
        ck_assert_uint_lt(info.numbers.available, 24 * MIB);
        refuse(create_volume(pool, "<volume><name>other</name><capacity>1</capacity></volume>"),
               "expected '");
        refuse(create_volume(pool, xml), "exists already");
        second = storage_volume_get_xml(storage, volume, 0, NULL);
        ck_assert_ptr_nonnull(strstr(second, "<format type='linux'/>"));
        ck_assert_ptr_nonnull(strstr(second, "<extent start='1048576' end='9437184'/>"));
        expect(CALL_VOLUME(storage_volume_delete, storage, find(pool, name), 0));
        ck_assert_ptr_null(find(pool, name));
        expect(CALL(storage_pool_destroy, pool));
        expect(CALL(storage_pool_undefine, pool));
        close(device_fd);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-host", host_and_storage_setup, host_and_storage_teardown, test_fs, test_disk)
