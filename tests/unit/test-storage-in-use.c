/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several at once on one volume or one pool: who reads, who writes, what was asked first, and what happens
 * behind the agent's back meanwhile.
 */
#include "tests/unit/storage-support.h"

#include "drivers/storage/model.h"

static struct storage_pool *pool;

static void set_up(void)
{
        setup();
        pool = make_pool("a");
        expect(create_volume(pool, "<volume><name>v</name><capacity unit='MiB'>1</capacity></volume>"));
        settle();
}

static struct stream transfer(bool up)
{
        struct stream stream = { 0 };

        if (up)
                storage_volume_upload(storage, find(pool, "v"), 0, 0, 0, streaming, &stream);
        else
                storage_volume_download(storage, find(pool, "v"), 0, 0, 0, streaming, &stream);
        while (!stream.done)
                loop_step(loop, true);
        return stream;
}

static int open_stream(bool up)
{
        struct stream stream = transfer(up);

        ck_assert_msg(stream.fd >= 0, "%s", stream.error);
        return stream.fd;
}

static void refuse_stream(bool up, const char *part)
{
        struct stream stream = transfer(up);

        ck_assert_int_eq(stream.fd, -1);
        ck_assert_msg(strstr(stream.error, part) != NULL, "%s", stream.error);
        g_free(stream.error);
}

static struct answer copy(const char *name)
{
        g_autofree char *key = volume_path(pool, "v"), *xml = NULL;

        xml = g_strdup_printf("<volume><name>%s</name></volume>", name);
        return CALL_VOLUME(storage_volume_create_xml_from, pool, xml, key, 0);
}

START_TEST(test_many_read)
{
        int first = open_stream(false), second = open_stream(false);

        expect(copy("c"));
        refuse_stream(true, "is still in use");
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), 1 << 21, 0), "is still in use");
        close(first);
        refuse(CALL_VOLUME(storage_volume_delete, storage, find(pool, "v"), 0), "is still in use");
        close(second);
        settle();
        expect(CALL_VOLUME(storage_volume_delete, storage, find(pool, "v"), 0));
}
END_TEST

START_TEST(test_one_writes)
{
        int fd = open_stream(true);

        refuse_stream(false, "is still in use");
        refuse_stream(true, "is still in use");
        refuse(copy("c"), "is still in use");
        close(fd);
        settle();
        expect(copy("c"));
}
END_TEST

/* That it is being read is no reason not to look. */
START_TEST(test_gone_while_it_is_read)
{
        g_autofree char *path = volume_path(pool, "v");
        int fd = open_stream(false);

        ck_assert_int_eq(unlink(path), 0);
        while (find(pool, "v"))
                loop_step(loop, true);
        close(fd);
        settle();
}
END_TEST

START_TEST(test_transfers_leave_jobs_for_others)
{
        int fds[STORAGE_TRANSFER_MAX];

        for (unsigned i = 0; i < STORAGE_TRANSFER_MAX; i++)
                fds[i] = open_stream(false);
        refuse_stream(false, "resource busy");
        expect(copy("c"));
        for (unsigned i = 0; i < STORAGE_TRANSFER_MAX; i++)
                close(fds[i]);
        settle();
        close(open_stream(false));
        settle();
}
END_TEST

/* Neither waits for the other's answer. */
START_TEST(test_clone_of_what_was_asked_for_before)
{
        g_autofree char *key = volume_path(pool, "new");
        struct answer made = { 0 }, copied = { 0 };

        storage_volume_create_xml(
                pool, "<volume><name>new</name><capacity>65536</capacity><allocation>0</allocation></volume>",
                0, answered_volume, &made);
        storage_volume_create_xml_from(pool, "<volume><name>c</name></volume>", key, 0, answered_volume,
                                       &copied);
        await(&made);
        await(&copied);
        expect(made);
        expect(copied);
}
END_TEST

/* The pool of the source is asked first, but the pool of the copy keeps the order. */
START_TEST(test_destroy_after_clone)
{
        struct storage_pool *other = make_pool("b");
        g_autofree char *key = volume_path(pool, "v");
        struct answer copied = { 0 }, destroyed = { 0 };

        storage_volume_create_xml_from(other, "<volume><name>c</name></volume>", key, 0, answered_volume,
                                       &copied);
        storage_pool_destroy(other, answered, &destroyed);
        await(&copied);
        await(&destroyed);
        expect(copied);
        refuse(destroyed, "has jobs running");
        expect(CALL(storage_pool_destroy, other));
        refuse(CALL_VOLUME(storage_volume_create_xml_from, other, "<volume><name>c</name></volume>", key, 0),
               "is not active");
        expect(CALL(storage_pool_destroy, pool));
}
END_TEST

static char *pool_xml(const char *name, const char *more, const char *directory)
{
        return g_strdup_printf("<pool type='dir'><name>%s</name>%s<target><path>%s/%s</path></target></pool>",
                               name, more, top, directory);
}

START_TEST(test_two_define_the_same_storage)
{
        g_autofree char *x = pool_xml("x", "", "same"), *y = pool_xml("y", "", "same");
        struct answer first = { 0 }, second = { 0 }, third = { 0 };

        storage_pool_define_xml(storage, x, 0, answered, &first);
        storage_pool_define_xml(storage, y, 0, answered, &second);
        storage_pool_create_xml(storage, y, STORAGE_POOL_CREATE_WITH_BUILD, answered, &third);
        await(&first);
        await(&second);
        await(&third);
        expect(first);
        refuse(second, "Storage source conflict with pool: 'x'");
        refuse(third, "Storage source conflict with pool: 'x'");
        expect(CALL(storage_pool_undefine, (struct storage_pool *)first.object));
        expect(CALL(storage_pool_create_xml, storage, y, STORAGE_POOL_CREATE_WITH_BUILD));
}
END_TEST

/* An active pool that was defined anew has two directories. */
START_TEST(test_storage_after_the_next_start)
{
        g_autofree char *uuid = g_strdup_printf("<uuid>%s</uuid>", pool->base.uuid_text);
        g_autofree char *moved = pool_xml("a", uuid, "b"), *x = pool_xml("x", "", "a"),
                        *y = pool_xml("y", "", "b");

        expect(CALL(storage_pool_define_xml, storage, moved, 0));
        refuse(CALL(storage_pool_define_xml, storage, x, 0), "Storage source conflict with pool: 'a'");
        refuse(CALL(storage_pool_define_xml, storage, y, 0), "Storage source conflict with pool: 'a'");
}
END_TEST

CHECK_MAIN_FIXTURE("storage-in-use", set_up, teardown, test_many_read, test_one_writes,
                   test_gone_while_it_is_read, test_transfers_leave_jobs_for_others,
                   test_clone_of_what_was_asked_for_before, test_destroy_after_clone,
                   test_two_define_the_same_storage, test_storage_after_the_next_start)
