/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes that are files: made, copied, resized and wiped, with real images and qemu-img; and that nothing is
 * left of what fails.
 */
#include "drivers/storage/block.h"
#include "tests/unit/storage-support.h"

#include "drivers/storage/model.h"

START_TEST(test_raw)
{
        struct storage_pool *pool = make_pool("a");
        struct volume *volume;
        struct stat st;

        volume = make(pool, "<volume><name>full</name><capacity unit='MiB'>3</capacity><target><permissions>"
                            "<mode>0640</mode></permissions></target></volume>");
        ck_assert_uint_eq(volume->capacity, 3 << 20);
        ck_assert_uint_ge(volume->allocation, 3 << 20);
        ck_assert_int_eq(stat(volume->path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0640);
        volume = make(pool, "<volume><name>thin</name><capacity "
                            "unit='GiB'>3</capacity><allocation>0</allocation></volume>");
        ck_assert_uint_eq(volume->capacity, UINT64_C(3) << 30);
        ck_assert_uint_eq(volume->allocation, 0);
        ck_assert_ptr_eq(storage_volume_lookup_key(storage, volume->key, NULL), volume);
        ck_assert_ptr_eq(storage_volume_get_pool(storage, volume, NULL), pool);
        make(pool,
             "<volume><name>d</name><capacity>0</capacity><target><format type='dir'/></target></volume>");
        ck_assert_int_eq(find(pool, "d")->type, VOLUME_DIR);
        expect(CALL_VOLUME(storage_volume_delete, storage, find(pool, "d"), 0));
        expect(CALL_VOLUME(storage_volume_delete, storage, find(pool, "thin"), 0));
        refuse(CALL_VOLUME(storage_volume_delete, storage, find(pool, "full"), 1), "unsupported flags (0x1)");
        ck_assert_uint_eq(count_entries(pool), 1);
}
END_TEST

START_TEST(test_owner)
{
        struct storage_pool *pool = make_pool("a");
        struct volume *volume;
        struct stat st;

        if (geteuid() != 0) {
                check_skip("only root gives files to others");
                return;
        }
        volume = make(pool, "<volume><name>v</name><capacity>1024</capacity><target><permissions>"
                            "<mode>0604</mode><owner>1000</owner><group>1001</group>"
                            "</permissions></target></volume>");
        ck_assert_int_eq(stat(volume->path, &st), 0);
        ck_assert_uint_eq(st.st_uid, 1000);
        ck_assert_uint_eq(st.st_gid, 1001);
        ck_assert_uint_eq(st.st_mode & 07777, 0604);
}
END_TEST

/* A copy is not begun where it does not fit. */
START_TEST(test_copy_to_a_smaller_device)
{
        CLEANUP(volume_unref) struct volume *small = volume_new(), *large = volume_new();
        const struct backend_context context = { 0 };
        g_autoptr(GError) error = NULL;

        small->name = g_strdup("small");
        small->path = g_strdup("/nonexistent/small");
        small->capacity = 1024;
        large->name = g_strdup("large");
        large->type = VOLUME_FILE;
        large->capacity = 1025;
        ck_assert(!block_volume_copy(&context, small, large, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "volume 'small' is smaller than 'large'"));
}
END_TEST

/* What one type of storage knows, another does not: it says so, and does not do half of what was asked. */
START_TEST(test_flags_of_others)
{
        struct storage_pool *pool = make_pool("a");
        const char *xml = "<volume><name>b</name><capacity>1024</capacity></volume>";
        struct volume *volume =
                make(pool, "<volume><name>a</name><capacity unit='KiB'>4</capacity></volume>");

        refuse(CALL_VOLUME(storage_volume_create_xml, pool, xml, VOLUME_CREATE_REFLINK),
               "unsupported flags (0x2) in function StorageVolCreateXML");
        refuse(CALL_VOLUME(storage_volume_delete, storage, volume, VOLUME_DELETE_WITH_SNAPSHOTS),
               "unsupported flags (0x2) in function Delete");
        refuse(CALL_VOLUME(storage_volume_resize, storage, volume, 8192, 8),
               "unsupported flags (0x8) in function Resize");
        ck_assert_uint_eq(find(pool, "a")->capacity, 4096);
        ck_assert_uint_eq(count_entries(pool), 1);
        /* Logical volumes: no metadata to make beforehand, no shared extents; their snapshots can go along.
         */
        ck_assert_uint_eq(backend_logical.flags.create, 0);
        ck_assert_uint_eq(backend_logical.flags.clone, 0);
        ck_assert_uint_eq(backend_logical.flags.destroy, VOLUME_DELETE_WITH_SNAPSHOTS);
}
END_TEST

START_TEST(test_refused)
{
        struct storage_pool *pool = make_pool("a");
        static const struct {
                const char *xml;
                const char *error;
        } documents[] = {
                { "<volume><name>a/b</name><capacity>1</capacity></volume>",
                  "volume name 'a/b' cannot contain '/'" },
                { "<volume><name>..</name><capacity>1</capacity></volume>", "XML error" },
                { "<volume><name>  </name><capacity>1</capacity></volume>", "XML error" },
                { "<volume><name>a&#10;b</name><capacity>1</capacity></volume>", "control character" },
                { "<volume><name>.virtbus-x.tmp</name><capacity>1</capacity></volume>",
                  "cannot be a volume's name" },
                { "<volume><capacity>1</capacity></volume>", "XML error: missing volume name element" },
                { "<volume><name>a</name></volume>", "XML error: missing capacity element" },
                { "<volume><name>a</name><capacity unit='E'>99</capacity></volume>", "numerical overflow" },
                { "<volume><name>a</name><capacity unit='E'>7</capacity></volume>",
                  "cannot extend volume 'a'" },
                { "<volume><name>a</name><capacity unit='TB'>900</capacity></volume>",
                  "cannot extend volume 'a'" },
                { "<volume><name>a</name><capacity>-1</capacity></volume>", "XML error" },
                { "<volume><name>a</name><capacity>1</capacity><target><format "
                  "type='foo'/></target></volume>",
                  "unsupported configuration: unknown volume format type foo" },
                { "<volume><name>a</name><capacity>1</capacity><foo/></volume>",
                  "unsupported configuration: unknown element <foo> in <volume>" },
                { "<volume><name>a</name><capacity>1</capacity><target><dataStore/></target></volume>",
                  "unsupported configuration: unknown element <dataStore> in <target>" },
                { "<volume><name>a</name><capacity>1</capacity><target><format "
                  "type='none'/></target></volume>",
                  "unknown volume format type none" },
                { "<volume><name>a</name><capacity>1</capacity><target><format type='qcow2'/><features><foo/>"
                  "</features></target></volume>",
                  "unsupported configuration: unsupported feature foo" },
                { "<volume><name>a</name><capacity>1</capacity><target><permissions><mode>04755</mode>"
                  "</permissions></target></volume>",
                  "malformed octal mode" },
                { "<volume><name>a</name><capacity>1</capacity><target><format type='qcow2'/><clusterSize>5"
                  "</clusterSize></target></volume>",
                  "a power of two between 512 and 2048k (volume 'a')" },
                { "<volume><name>a</name><capacity>1</capacity><target><format "
                  "type='bochs'/></target></volume>",
                  "cannot create volumes of format bochs" },
                { "<volume><name>a</name><capacity>1</capacity><target><format "
                  "type='qcow2'/><compat>0.10</compat>"
                  "<features><lazy_refcounts/></features></target></volume>",
                  "lazy_refcounts not supported with compat level 0.10" },
                { "<volume><name>a</name><capacity>1</capacity><backingStore><path>/etc/passwd</path></"
                  "backingStore></volume>",
                  "backing storage not supported for volumes of format raw" },
                { "<volume><name>a</name><target><format "
                  "type='qcow2'/></target><backingStore><path>/no/such</path>"
                  "</backingStore></volume>",
                  "No such file" },
                { "<pool/>", "XML error" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                refuse(create_volume(pool, documents[i].xml), documents[i].error);
        refuse(CALL_VOLUME(storage_volume_create_xml, pool,
                           "<volume><name>a</name><capacity>1</capacity><foo/></volume>",
                           VOLUME_CREATE_VALIDATE),
               "unknown element <foo>");
        make(pool, "<volume><name>a</name><capacity>1</capacity></volume>");
        refuse(create_volume(pool, "<volume><name>a</name><capacity>1</capacity></volume>"),
               "storage volume 'a' exists already");
        ck_assert_uint_eq(count_entries(pool), 1);
}
END_TEST

START_TEST(test_two_at_once)
{
        struct storage_pool *pool = make_pool("a");
        const char *xml = "<volume><name>v</name><capacity>65536</capacity></volume>";
        struct answer first = { 0 }, second = { 0 };

        storage_volume_create_xml(pool, xml, 0, answered_volume, &first);
        storage_volume_create_xml(pool, xml, 0, answered_volume, &second);
        await(&first);
        await(&second);
        expect(first);
        refuse(second, "exists already");
}
END_TEST

START_TEST(test_images)
{
        static const char *const formats[] = { "qcow2", "vmdk", "vdi", "vhdx", "vpc", "qed", "qcow" };
        struct storage_pool *pool = make_pool("a");

        make(pool, "<volume><name>zero</name><capacity>0</capacity><target><format "
                   "type='qcow2'/></target></volume>");
        ck_assert_int_eq(find(pool, "zero")->format, VOLUME_FORMAT_QCOW2);
        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
                g_autofree char *xml =
                        g_strdup_printf("<volume><name>%s</name><capacity unit='MiB'>64</capacity>"
                                        "<target><format type='%s'/></target></volume>",
                                        formats[i], formats[i]);
                const struct volume *volume = make(pool, xml);

                ck_assert_str_eq(volume_format_get_name(volume->format), formats[i]);
                /* vpc has geometries, no sizes. */
                ck_assert_uint_ge(volume->capacity, 64 << 20);
                ck_assert_uint_lt(volume->capacity, 65 << 20);
        }
}
END_TEST

START_TEST(test_qcow2_features)
{
        struct storage_pool *pool = make_pool("a");
        const struct volume *base = make(
                                    pool,
                                    "<volume><name>base</name><capacity unit='MiB'>8</capacity>"
                                    "<target><format type='qcow2'/><compat>0.10</compat></target></volume>"),
                            *volume;
        g_autofree char *xml = g_strdup_printf(
                "<volume><name>top</name><target><format type='qcow2'/><compat>1.1</compat>"
                "<clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/></features></target>"
                "<backingStore><path>%s</path><format type='qcow2'/></backingStore></volume>",
                base->path);
        g_autofree char *text = NULL, *info = NULL;

        ck_assert_ptr_null(base->compat);
        volume = make(pool, xml);
        ck_assert_uint_eq(volume->capacity, 8 << 20);
        ck_assert_uint_eq(volume->cluster_size, 128 << 10);
        ck_assert_str_eq(volume->compat, "1.1");
        ck_assert(volume->lazy_refcounts && !volume->extended_l2);
        ck_assert_str_eq(volume->backing.path, base->path);
        ck_assert_int_eq(volume->backing.format, VOLUME_FORMAT_QCOW2);
        text = storage_volume_get_xml(storage, volume, 0, NULL);
        ck_assert_ptr_nonnull(
                strstr(text, "    <compat>1.1</compat>\n    <clusterSize unit='B'>131072</clusterSize>\n"
                             "    <features>\n      <lazy_refcounts/>\n    </features>\n"));
}
END_TEST

START_TEST(test_clone)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *raw = volume_path(pool, "raw"), *back = volume_path(pool, "back"),
                        *copy = volume_path(pool, "copy");
        const struct volume *volume;

        shell("truncate -s 20M %s && printf 'hello' | dd of=%s bs=1M seek=9 conv=notrunc status=none", raw,
              raw);
        expect(CALL(storage_pool_refresh, pool, 0));
        volume = expect(clone_volume(pool,
                                     "<volume><name>copy</name><capacity unit='MiB'>24</capacity></volume>",
                                     "raw", 0))
                         .volume;
        ck_assert_uint_eq(volume->capacity, 24 << 20);
        ck_assert_uint_lt(volume->allocation, 20 << 20);
        shell("truncate -s 20M %s; cmp %s %s", copy, raw, copy);
        volume = expect(clone_volume(pool,
                                     "<volume><name>q</name><target><format type='qcow2'/></target></volume>",
                                     "raw", 0))
                         .volume;
        ck_assert_int_eq(volume->format, VOLUME_FORMAT_QCOW2);
        ck_assert_uint_eq(volume->capacity, 20 << 20);
        expect(clone_volume(pool, "<volume><name>back</name><capacity>1</capacity></volume>", "q", 0));
        shell("cmp %s %s", raw, back);
        volume = expect(clone_volume(pool,
                                     "<volume><name>q2</name><capacity unit='MiB'>32</capacity><target>"
                                     "<format type='qcow2'/></target></volume>",
                                     "q", 0))
                         .volume;
        ck_assert_uint_eq(volume->capacity, 32 << 20);
        refuse(clone_volume(pool, "<volume><name>q</name><capacity>1</capacity></volume>", "raw", 0),
               "exists already");
        refuse(clone_volume(pool, "<volume><name>n</name><capacity>1</capacity></volume>", "nope", 0),
               "Storage volume not found");
        ck_assert_uint_eq(count_entries(pool), 5);
        expect(CALL(storage_pool_destroy, pool));
}
END_TEST

/* A raw disk whose guest wrote the header of an image with a backing file: the host's file does not get out.
 */
START_TEST(test_clone_of_hostile_header)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *evil = volume_path(pool, "evil"), *secret = under_top("secret"),
                        *loop1 = volume_path(pool, "l1"), *loop2 = volume_path(pool, "l2");

        ck_assert(g_file_set_contents(secret, "secret secret", -1, NULL));
        shell("qemu-img create -q -u -f qcow2 -b %s -F raw %s 1M", secret, evil);
        shell("qemu-img create -q -u -f qcow2 -b %s -F qcow2 %s 1M", loop1, loop2);
        shell("qemu-img create -q -u -f qcow2 -b %s -F qcow2 %s 1M", loop2, loop1);
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert_str_eq(find(pool, "evil")->backing.path, secret);
        refuse(clone_volume(pool, "<volume><name>n</name><capacity>1</capacity></volume>", "evil", 0),
               "is not a volume of an active storage pool");
        refuse(clone_volume(pool, "<volume><name>n</name><capacity>1</capacity></volume>", "l1", 0),
               "is a loop");
        ck_assert_uint_eq(count_entries(pool), 3);
}
END_TEST

/* What was raw stays raw when its guest writes a header; what a client sends may be anything. */
START_TEST(test_raw_stays_raw)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v"), *image = under_top("image"), *data = NULL;
        struct stream up = { 0 };
        gsize length;

        make(pool, "<volume><name>v</name><capacity unit='MiB'>1</capacity></volume>");
        shell("qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw %s 1G", image);
        shell("dd if=%s of=%s conv=notrunc status=none", image, path);
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert_int_eq(find(pool, "v")->format, VOLUME_FORMAT_RAW);
        ck_assert_ptr_null(find(pool, "v")->backing.path);
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), 2 << 20, 0));
        ck_assert_int_eq(find(pool, "v")->format, VOLUME_FORMAT_RAW);
        expect(clone_volume(pool, "<volume><name>c</name></volume>", "v", 0));
        ck_assert_int_eq(find(pool, "c")->format, VOLUME_FORMAT_RAW);
        ck_assert_uint_eq(find(pool, "c")->capacity, 2 << 20);
        ck_assert(g_file_get_contents(image, &data, &length, NULL));
        storage_volume_upload(storage, find(pool, "v"), 0, 512, 0, streaming, &up);
        while (!up.done)
                loop_step(loop, true);
        ck_assert_int_eq(write(up.fd, data, 512), 512);
        close(up.fd);
        settle();
        ck_assert_int_eq(find(pool, "v")->format, VOLUME_FORMAT_QCOW2);
}
END_TEST

START_TEST(test_resize)
{
        struct storage_pool *pool = make_pool("a");

        make(pool,
             "<volume><name>r</name><capacity unit='MiB'>4</capacity><allocation>0</allocation></volume>");
        make(pool, "<volume><name>q</name><capacity unit='MiB'>4</capacity><target><format "
                   "type='qcow2'/></target></volume>");
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), 8 << 20, 0));
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "q"), 8 << 20, 0));
        ck_assert_uint_eq(find(pool, "r")->capacity, 8 << 20);
        ck_assert_uint_eq(find(pool, "q")->capacity, 8 << 20);
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), 1 << 20,
                           VOLUME_RESIZE_DELTA | VOLUME_RESIZE_ALLOCATE));
        ck_assert_uint_eq(find(pool, "r")->capacity, 9 << 20);
        ck_assert_uint_eq(find(pool, "r")->allocation, 1 << 20);
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), 1 << 20, 0),
               "unless shrink flag");
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), 1 << 20,
                           VOLUME_RESIZE_SHRINK | VOLUME_RESIZE_DELTA));
        ck_assert_uint_eq(find(pool, "r")->capacity, 8 << 20);
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "q"), 2 << 20, VOLUME_RESIZE_SHRINK));
        ck_assert_uint_eq(find(pool, "q")->capacity, 2 << 20);
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), UINT64_MAX, 0),
               "numerical overflow");
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), UINT64_MAX, VOLUME_RESIZE_DELTA),
               "numerical overflow");
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "r"), INT64_MAX / 2,
                           VOLUME_RESIZE_ALLOCATE),
               "Not enough space left in storage pool");
}
END_TEST

/* Formats that count in sectors get whole ones, and those that cannot be resized say so. */
START_TEST(test_resize_to_odd_sizes)
{
        static const char *const formats[] = { "qcow2", "qed" };
        struct storage_pool *pool = make_pool("a");

        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
                g_autofree char *xml =
                        g_strdup_printf("<volume><name>%s</name><capacity unit='MiB'>4</capacity><target>"
                                        "<format type='%s'/></target></volume>",
                                        formats[i], formats[i]);

                make(pool, xml);
                expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, formats[i]), 50000000, 0));
                ck_assert_uint_eq(find(pool, formats[i])->capacity, 50000384);
                expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, formats[i]), 1000001,
                                   VOLUME_RESIZE_DELTA));
                ck_assert_uint_eq(find(pool, formats[i])->capacity, 51000832);
        }
        expect(clone_volume(pool,
                            "<volume><name>c</name><capacity>70000001</capacity><target><format "
                            "type='qcow2'/></target></volume>",
                            "qcow2", 0));
        ck_assert_uint_eq(find(pool, "c")->capacity, 70000128);
        make(pool, "<volume><name>v</name><capacity unit='MiB'>4</capacity><target><format "
                   "type='vmdk'/></target></volume>");
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), 8 << 20, 0),
               "volume 'v' cannot be resized, because its format 'vmdk' cannot");
}
END_TEST

/* QEMU grows what it has open, and nobody is told before it closes it. */
START_TEST(test_resize_of_what_has_grown)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v"), *image = under_top("image");
        CLEANUP_FD int fd = -1;
        struct stat st;

        make(pool, "<volume><name>v</name><capacity unit='MiB'>1</capacity></volume>");
        fd = open(path, O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(ftruncate(fd, 4 << 20), 0);
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), 2 << 20, 0),
               "volume 'v' has 4194304 bytes by now");
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(st.st_size, 4 << 20);
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), 2 << 20, VOLUME_RESIZE_SHRINK));
        ck_assert_uint_eq(find(pool, "v")->capacity, 2 << 20);
}
END_TEST

/* A resize that fails neither changes the size nor lets the guest say what its disk is. */
START_TEST(test_resize_that_fails)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v"), *image = under_top("image");

        make(pool, "<volume><name>v</name><capacity unit='MiB'>1</capacity></volume>");
        shell("qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw %s 1G", image);
        shell("dd if=%s of=%s conv=notrunc status=none", image, path);
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "v"), INT64_MAX, 0), "File too large");
        ck_assert_uint_eq(find(pool, "v")->capacity, 1 << 20);
        ck_assert_int_eq(find(pool, "v")->format, VOLUME_FORMAT_RAW);
}
END_TEST

/* Data behind a hole is copied, and no room is taken for the hole. */
START_TEST(test_clone_of_sparse)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *source = volume_path(pool, "v"), *copy = volume_path(pool, "c");

        shell("truncate -s 8M %s && dd if=/dev/urandom of=%s bs=1M seek=4 count=4 conv=notrunc status=none",
              source, source);
        expect(CALL(storage_pool_refresh, pool, 0));
        expect(clone_volume(pool, "<volume><name>c</name></volume>", "v", 0));
        shell("cmp %s %s", source, copy);
        ck_assert_uint_lt(find(pool, "c")->allocation, 5 << 20);
}
END_TEST

START_TEST(test_wipe)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v"), *data = NULL;

        shell("truncate -s 5M %s; printf secret | dd of=%s bs=1M seek=3 conv=notrunc status=none", path,
              path);
        expect(CALL(storage_pool_refresh, pool, 0));
        expect(CALL_VOLUME(storage_volume_wipe, storage, find(pool, "v"), VOLUME_WIPE_ZERO, 0));
        shell("cmp -n 5242880 %s /dev/zero", path);
        ck_assert_uint_eq(find(pool, "v")->capacity, 5 << 20);
        ck_assert_uint_lt(find(pool, "v")->allocation, 1 << 20);
        expect(CALL_VOLUME(storage_volume_wipe, storage, find(pool, "v"), VOLUME_WIPE_TRIM, 0));
        ck_assert_uint_eq(find(pool, "v")->allocation, 0);
        refuse(CALL_VOLUME(storage_volume_wipe, storage, find(pool, "v"), VOLUME_WIPE_COUNT, 0),
               "not supported");
}
END_TEST

static bool contains(const char *path, const char *text)
{
        g_autofree char *content = NULL;
        gsize length;

        ck_assert(g_file_get_contents(path, &content, &length, NULL));
        return memmem(content, length, text, strlen(text));
}

/* By scrub(1) itself, whose names these are. */
START_TEST(test_wipe_by_pattern)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v"), *tool = g_find_program_in_path("scrub");

        if (!tool) {
                check_skip("needs scrub");
                return;
        }
        for (unsigned algorithm = VOLUME_WIPE_NNSA; algorithm <= VOLUME_WIPE_RANDOM; algorithm++) {
                shell("head -c 65536 /dev/zero | tr '\\0' s > %s; printf secret | dd of=%s conv=notrunc "
                      "status=none",
                      path, path);
                expect(CALL(storage_pool_refresh, pool, 0));
                ck_assert(contains(path, "ssssssss"));
                expect(CALL_VOLUME(storage_volume_wipe, storage, find(pool, "v"), algorithm, 0));
                ck_assert(!contains(path, "ssssssss"));
                ck_assert(!contains(path, "secret"));
                ck_assert_uint_eq(find(pool, "v")->capacity, 65536);
        }
}
END_TEST

/* ---- numbers ---- */

static struct storage_volume_info info_seen;

static void got_info(const struct storage_volume_info *info, const GError *error, void *data)
{
        if (info)
                info_seen = *info;
        *(int *)data = error ? -1 : 1;
}

START_TEST(test_info)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *path = volume_path(pool, "v");
        int done = 0;

        make(pool, "<volume><name>v</name><capacity>4096</capacity><allocation>0</allocation></volume>");
        shell("printf x | dd of=%s conv=notrunc status=none", path);
        storage_volume_get_info(storage, find(pool, "v"), 0, got_info, &done);
        while (!done)
                loop_step(loop, true);
        ck_assert_int_eq(done, 1);
        ck_assert_uint_eq(info_seen.capacity, 4096);
        ck_assert_uint_eq(info_seen.allocation, 4096);
}
END_TEST

/* ---- in memory ---- */

START_TEST(test_memory)
{
        struct job_list *list = job_list_new(loop, threads);
        struct storage *memory = storage_new_test(loop, threads, list, NULL);
        struct storage_pool *pool = storage_pool_lookup_name(memory, "default-pool", NULL);
        g_autofree char *xml = NULL, *text = NULL;

        xml = storage_pool_get_xml(pool, 0, NULL);
        ck_assert_str_eq(xml, "<pool type='dir'>\n"
                              "  <name>default-pool</name>\n"
                              "  <uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid>\n"
                              "  <capacity unit='bytes'>107374182400</capacity>\n"
                              "  <allocation unit='bytes'>0</allocation>\n"
                              "  <available unit='bytes'>107374182400</available>\n"
                              "  <source>\n"
                              "  </source>\n"
                              "  <target>\n"
                              "    <path>/default-pool</path>\n"
                              "  </target>\n"
                              "</pool>\n");
        expect(create_volume(pool, "<volume><name>a</name><capacity unit='GiB'>1</capacity></volume>"));
        text = storage_volume_get_xml(memory, find(pool, "a"), 0, NULL);
        ck_assert_str_eq(text, "<volume type='file'>\n"
                               "  <name>a</name>\n"
                               "  <key>/default-pool/a</key>\n"
                               "  <capacity unit='bytes'>1073741824</capacity>\n"
                               "  <allocation unit='bytes'>1073741824</allocation>\n"
                               "  <target>\n"
                               "    <path>/default-pool/a</path>\n"
                               "    <format type='raw'/>\n"
                               "  </target>\n"
                               "</volume>\n");
        expect(CALL_VOLUME(storage_volume_create_xml_from, pool, "<volume><name>b</name></volume>",
                           "/default-pool/a", 0));
        expect(CALL_VOLUME(storage_volume_resize, memory, find(pool, "b"), UINT64_C(2) << 30, 0));
        ck_assert_uint_eq(find(pool, "b")->capacity, UINT64_C(2) << 30);
        ck_assert_uint_eq(storage_pool_get_published(pool)->numbers.allocation, UINT64_C(2) << 30);
        expect(CALL_VOLUME(storage_volume_wipe, memory, find(pool, "b"), 0, 0));
        expect(CALL_VOLUME(storage_volume_delete, memory, find(pool, "b"), 0));
        expect(CALL(storage_pool_destroy, pool));
        expect(CALL(storage_pool_create, pool, 0));
        ck_assert_ptr_nonnull(find(pool, "a"));
        while (registry_get_pending(storage_get_registry(memory)))
                loop_step(loop, true);
        storage_free(memory);
        job_list_free(list);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-volumes", setup, teardown, test_raw, test_owner, test_copy_to_a_smaller_device,
                   test_flags_of_others, test_refused, test_two_at_once, test_images, test_qcow2_features,
                   test_clone, test_clone_of_hostile_header, test_raw_stays_raw, test_resize,
                   test_resize_to_odd_sizes, test_resize_of_what_has_grown, test_resize_that_fails,
                   test_clone_of_sparse, test_wipe, test_wipe_by_pattern, test_info, test_memory)
