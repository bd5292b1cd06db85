/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage pools of type dir on real directories with real images: definitions, life cycle, volumes, restarts.
 * Nothing is left behind.
 */
#include "tests/unit/storage-support.h"

#include <sys/resource.h>

/* ---- pools ---- */

START_TEST(test_life)
{
        g_autofree char *path = g_build_filename(top, "a", NULL);
        struct storage_pool *pool = define("a", "a");
        struct storage_pool_info info;
        struct stat st;

        refuse(CALL(storage_pool_create, pool, 0), "cannot open directory");
        refuse(CALL(storage_pool_destroy, pool), "storage pool 'a' is not active");
        /* A directory has nothing to overwrite, and nobody repairs one. */
        refuse(CALL(storage_pool_build, pool, POOL_BUILD_OVERWRITE),
               "unsupported flags (0x8) in function Build");
        refuse(CALL(storage_pool_build, pool, POOL_BUILD_REPAIR),
               "unsupported flags (0x1) in function Build");
        expect(CALL(storage_pool_build, pool, 0));
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0711);
        expect(CALL(storage_pool_create, pool, 0));
        refuse(CALL(storage_pool_create, pool, 0), "storage pool 'a' is already active");
        storage_pool_get_info(pool, &info);
        ck_assert_int_eq(info.state, STORAGE_POOL_RUNNING);
        ck_assert_uint_gt(info.numbers.capacity, 0);
        ck_assert_uint_eq(info.numbers.capacity, info.numbers.allocation + info.numbers.available);
        refuse(CALL(storage_pool_undefine, pool), "is still active");
        refuse(CALL(storage_pool_delete, pool, 0), "is still active");
        expect(CALL(storage_pool_refresh, pool, 0));
        refuse(CALL(storage_pool_refresh, pool, 4), "unsupported flags (0x4)");
        expect(CALL(storage_pool_destroy, pool));
        refuse(CALL(storage_pool_delete, pool, 1), "unsupported flags (0x1) in function Delete");
        expect(CALL(storage_pool_delete, pool, 0));
        expect(CALL(storage_pool_undefine, pool));
        ck_assert_ptr_null(storage_pool_lookup_name(storage, "a", NULL));
        ck_assert_str_eq(events->str, "042R351");
}
END_TEST

START_TEST(test_conflicts)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='dir'><name>b</name><target><path>%s//a/</path></target></pool>", top);

        define("a", "a");
        refuse(CALL(storage_pool_define_xml, storage, xml, 0),
               "operation failed: Storage source conflict with pool: 'a'");
        refuse(CALL(storage_pool_define_xml, storage,
                    "<pool type='dir'><name>a</name><target><path>/z</path></target></pool>", 0),
               "already exists with uuid");
}
END_TEST

START_TEST(test_transient)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='dir'><name>t</name><target><path>%s/t</path></target></pool>", top);
        struct storage_pool *pool;

        refuse(CALL(storage_pool_create_xml, storage, xml, 0), "cannot open directory");
        ck_assert_ptr_null(storage_pool_lookup_name(storage, "t", NULL));
        pool = (struct storage_pool *)expect(
                       CALL(storage_pool_create_xml, storage, xml, STORAGE_POOL_CREATE_WITH_BUILD))
                       .object;
        ck_assert(storage_pool_is_active(pool));
        refuse(CALL(storage_pool_set_autostart, pool, true), "transient");
        expect(CALL(storage_pool_destroy, pool));
        ck_assert_ptr_null(storage_pool_lookup_name(storage, "t", NULL));
}
END_TEST

/* What was active before the agent ended is active after it began again, with its volumes. */
START_TEST(test_restart)
{
        g_autofree char *xml = g_strdup_printf(
                "<pool type='dir'><name>t</name><target><path>%s/t</path></target></pool>", top);
        struct storage_pool *pool = make_pool("a");
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *gone = under_top("gone");

        make_pool("gone");
        define("off", "off");
        expect(CALL(storage_pool_create_xml, storage, xml, STORAGE_POOL_CREATE_WITH_BUILD));
        expect(create_volume(pool, "<volume><name>v</name><capacity>1024</capacity></volume>"));
        strcpy(uuid, pool->base.uuid_text);
        close_storage();
        remove_tree(gone);
        open_storage();
        settle();
        pool = storage_pool_lookup_uuid(storage, uuid, NULL);
        ck_assert(pool && storage_pool_is_active(pool));
        ck_assert_ptr_nonnull(find(pool, "v"));
        ck_assert(storage_pool_is_active(storage_pool_lookup_name(storage, "t", NULL)));
        ck_assert(!storage_pool_is_active(storage_pool_lookup_name(storage, "off", NULL)));
        ck_assert(!storage_pool_is_active(storage_pool_lookup_name(storage, "gone", NULL)));
}
END_TEST

static void pools_are_up(void *data)
{
        struct storage_pool *a = storage_pool_lookup_name(storage, "a", NULL);

        *(int *)data = storage_pool_is_active(a) ? 2 : 1;
}

START_TEST(test_autostart)
{
        int told = 0;
        struct storage_pool *pool = define("a", "a"), *bad = define("bad", "no/where");

        expect(CALL(storage_pool_build, pool, 0));
        expect(CALL(storage_pool_set_autostart, pool, true));
        expect(CALL(storage_pool_set_autostart, bad, true));
        close_storage();
        open_storage();
        settle();
        /* The error about 'bad' goes to the log. */
        storage_autostart(storage, pools_are_up, &told);
        ck_assert_int_eq(told, 0);
        settle();
        ck_assert_int_eq(told, 2);
        ck_assert(storage_pool_is_active(storage_pool_lookup_name(storage, "a", NULL)));
        ck_assert(!storage_pool_is_active(storage_pool_lookup_name(storage, "bad", NULL)));
        expect(CALL(storage_pool_destroy, storage_pool_lookup_name(storage, "a", NULL)));
        /* Once per boot. */
        storage_autostart(storage, pools_are_up, &told);
        ck_assert_int_eq(told, 1);
        settle();
        ck_assert(!storage_pool_is_active(storage_pool_lookup_name(storage, "a", NULL)));
}
END_TEST

START_TEST(test_lists)
{
        g_autoptr(GPtrArray) active = NULL, inactive = NULL, dirs = NULL, disks = NULL;
        g_autoptr(GError) error = NULL;

        make_pool("a");
        define("b", "b");
        active = storage_pool_list(storage, STORAGE_POOL_LIST_ACTIVE, NULL);
        inactive = storage_pool_list(storage, STORAGE_POOL_LIST_INACTIVE, NULL);
        dirs = storage_pool_list(storage, STORAGE_POOL_LIST_DIR | STORAGE_POOL_LIST_PERSISTENT, NULL);
        disks = storage_pool_list(storage, STORAGE_POOL_LIST_DIR << POOL_DISK, NULL);
        ck_assert_uint_eq(active->len, 1);
        ck_assert_uint_eq(inactive->len, 1);
        ck_assert_uint_eq(dirs->len, 2);
        ck_assert_uint_eq(disks->len, 0);
        ck_assert_ptr_null(storage_pool_list(storage, 1u << 30, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "unsupported flags (0x40000000)"));
}
END_TEST

/* ---- what is in a directory ---- */

START_TEST(test_odd_files)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *fifo = volume_path(pool, "fifo"), *link = volume_path(pool, "link"),
                        *file = volume_path(pool, "file"), *sub = volume_path(pool, "sub"),
                        *cut = volume_path(pool, "cut.qcow2"), *empty = volume_path(pool, "empty.qcow2"),
                        *control = volume_path(pool, "new\nline"), *latin = volume_path(pool, "\xe9");
        g_autofree char *outside = under_top("outside");

        ck_assert(g_file_set_contents(outside, "secret", -1, NULL));
        ck_assert(g_file_set_contents(file, "hello", -1, NULL));
        ck_assert(g_file_set_contents(cut, "QFI\xfb\0\0\0\3\0\0", 10, NULL));
        ck_assert(g_file_set_contents(empty, "", 0, NULL));
        ck_assert(g_file_set_contents(control, "", 0, NULL));
        ck_assert(g_file_set_contents(latin, "", 0, NULL));
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert_int_eq(symlink(outside, link), 0);
        ck_assert_int_eq(mkdir(sub, 0700), 0);
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert_uint_eq(storage_volume_list(pool, 0, NULL)->count, 4);
        ck_assert_int_eq(find(pool, "file")->format, VOLUME_FORMAT_RAW);
        ck_assert_uint_eq(find(pool, "file")->capacity, 5);
        ck_assert_int_eq(find(pool, "cut.qcow2")->format, VOLUME_FORMAT_RAW);
        ck_assert_uint_eq(find(pool, "cut.qcow2")->capacity, 10);
        ck_assert_int_eq(find(pool, "empty.qcow2")->format, VOLUME_FORMAT_RAW);
        ck_assert_int_eq(find(pool, "sub")->type, VOLUME_DIR);
        ck_assert_ptr_null(find(pool, "link"));
}
END_TEST

/* A link that takes the place of a volume is not followed. */
START_TEST(test_link_in_place_of_volume)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *file = volume_path(pool, "v"), *outside = under_top("outside"), *content = NULL;
        struct volume *volume;

        ck_assert(g_file_set_contents(outside, "secret", -1, NULL));
        expect(create_volume(pool, "<volume><name>v</name><capacity>4096</capacity></volume>"));
        volume = volume_ref(find(pool, "v"));
        unlink(file);
        ck_assert_int_eq(symlink(outside, file), 0);
        refuse(CALL_VOLUME(storage_volume_wipe, storage, volume, 0, 0), "'v'");
        refuse(CALL_VOLUME(storage_volume_resize, storage, volume, 8192, 0), "'v'");
        volume_unref(volume);
        ck_assert(g_file_get_contents(outside, &content, NULL, NULL));
        ck_assert_str_eq(content, "secret");
}
END_TEST

/* Others' changes are seen without a refresh. */
START_TEST(test_followed)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *file = volume_path(pool, "new"), *other = volume_path(pool, "other");

        ck_assert(g_file_set_contents(file, "x", 1, NULL));
        while (!find(pool, "new"))
                loop_step(loop, true);
        ck_assert_int_eq(g_rename(file, other), 0);
        while (!find(pool, "other") || find(pool, "new"))
                loop_step(loop, true);
        ck_assert_ptr_nonnull(storage_volume_lookup_path(storage, other, NULL));
        ck_assert_ptr_null(storage_volume_lookup_path(storage, file, NULL));
        unlink(other);
        while (find(pool, "other"))
                loop_step(loop, true);
}
END_TEST

/* A directory that was removed and made again is another one. */
START_TEST(test_followed_anew)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *directory = under_top("a"), *file = volume_path(pool, "new");

        ck_assert_int_eq(rmdir(directory), 0);
        while (storage_pool_get_published(pool)->state != STORAGE_POOL_INACCESSIBLE)
                loop_step(loop, true);
        ck_assert_int_eq(mkdir(directory, 0700), 0);
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert(g_file_set_contents(file, "x", 1, NULL));
        while (!find(pool, "new"))
                loop_step(loop, true);
}
END_TEST

/* What cannot be opened because nothing can is still there. */
START_TEST(test_no_descriptors_left)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *file = volume_path(pool, "v");
        struct rlimit limit, little;
        int next;

        ck_assert(g_file_set_contents(file, "x", 1, NULL));
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert(g_file_set_contents(file, "xy", 2, NULL));
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        next = dup(STDIN_FILENO);
        close(next);
        little = (struct rlimit){ .rlim_cur = (rlim_t)next + 1, .rlim_max = limit.rlim_max };
        /* One for the directory. */
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &little), 0);
        CALL(storage_pool_refresh, pool, 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_ptr_nonnull(find(pool, "v"));
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert_uint_eq(find(pool, "v")->capacity, 2);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-pools", setup, teardown, test_life, test_conflicts, test_transient, test_restart,
                   test_autostart, test_lists, test_odd_files, test_link_in_place_of_volume, test_followed,
                   test_followed_anew, test_no_descriptors_left)
