/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools of partitions, on real partition tables.
 */
#include "base/spawn.h"
#include "drivers/storage/block.h"
#include "drivers/storage/partition-table.h"
#include "tests/unit/storage-host.h"

#define MIB ((uint64_t)1024 * 1024)

static char *device; /* the test's loop device */
static int device_fd;

static struct backend_context context_of(const char *format)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='disk'><name>disk</name><source><device path='%s'/>"
                                "<format type='%s'/></source><target><path>/dev</path></target></pool>",
                                device, format);

        return host_context(xml);
}

/* The name of the n-th partition. Owned. */
static char *name_of(unsigned n)
{
        return g_strdup_printf("%sp%u", device + strlen("/dev/"), n);
}

static void create(const struct backend_context *context, unsigned n, uint64_t capacity, const char *format)
{
        g_autofree char *name = name_of(n);
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_DISK, name, capacity, format);
        bool slow = true;

        ck_assert_ok(backend_disk.prepare(context, volume, 0, &slow, &error));
        ck_assert_str_eq(volume->path + strlen("/dev/"), name);
        ck_assert_ok(backend_disk.create(context, volume, 0, &error));
        ck_assert_int_eq(access(volume->path, F_OK), 0);
}

static void prepare_fails(const struct backend_context *context, unsigned n, uint64_t capacity,
                          const char *format, const char *text)
{
        g_autofree char *name = name_of(n);
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_DISK, name, capacity, format);
        bool slow = true;

        ck_assert_fails(backend_disk.prepare(context, volume, 0, &slow, &error), text);
}

static struct volume *find(GPtrArray *volumes, unsigned n)
{
        g_autofree char *name = name_of(n);

        return host_find(volumes, name);
}

static void destroy(const struct backend_context *context, unsigned n)
{
        g_autoptr(GPtrArray) volumes = host_refresh(&backend_disk, context, NULL);

        ck_assert_ok(backend_disk.destroy(context, find(volumes, n), 0, &error));
}

static bool has_disk(void)
{
        return host_has_tool("sfdisk") && host_has_devtmpfs() &&
               host_loop_device(64 * MIB, &device, &device_fd);
}

static void gpt_body(void)
{
        struct backend_context context = context_of("gpt");
        g_autoptr(GPtrArray) volumes = NULL;
        struct pool_numbers numbers;
        struct volume *volume;
        bool active = true;

        ck_assert_fails(backend_disk.start(&context, &error), "sfdisk");
        ck_assert_ok(backend_disk.check(&context, &active, &error));
        ck_assert(!active);
        ck_assert_ok(backend_disk.build(&context, 0, &error));
        ck_assert_ok(backend_disk.start(&context, &error));
        ck_assert_ok(backend_disk.check(&context, &active, &error));
        ck_assert(active);

        create(&context, 1, 10 * MIB, "linux");
        create(&context, 2, 5 * MIB + 1, "linux-lvm");
        volumes = host_refresh(&backend_disk, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 2);
        volume = find(volumes, 1);
        ck_assert_uint_eq(volume->capacity, 10 * MIB);
        ck_assert_str_eq(volume->format_name, "linux");
        ck_assert_str_eq(volume->part_type, "primary");
        ck_assert_uint_eq(volume->extents[0].start, MIB);
        ck_assert_uint_eq(volume->extents[0].end, 11 * MIB);
        volume = find(volumes, 2);
        ck_assert_uint_eq(volume->capacity, 6 * MIB);
        ck_assert_str_eq(volume->format_name, "linux-lvm");
        ck_assert_uint_eq(numbers.capacity, 64 * MIB);
        ck_assert_uint_eq(numbers.capacity, numbers.allocation + numbers.available);
        ck_assert_uint_gt(numbers.available, 46 * MIB);

        /* The hole of the first is the smallest that fits. */
        destroy(&context, 1);
        create(&context, 1, 8 * MIB, "none");
        prepare_fails(&context, 3, 60 * MIB, "none", "no free range");
        prepare_fails(&context, 7, MIB, "none", "expected");
        prepare_fails(&context, 3, MIB, "extended", "no partitions of type 'extended'");
        host_context_clear(&context);
}

START_TEST(test_gpt)
{
        if (has_disk())
                host_run(gpt_body);
}
END_TEST

static void dos_body(void)
{
        struct backend_context context = context_of("dos");
        g_autoptr(GPtrArray) volumes = NULL;
        struct pool_numbers numbers;

        ck_assert_ok(backend_disk.build(&context, 0, &error));
        create(&context, 1, 4 * MIB, "linux");
        create(&context, 2, 4 * MIB, "linux");
        create(&context, 3, 20 * MIB, "extended");
        prepare_fails(&context, 4, MIB, "extended", "already");
        create(&context, 4, 4 * MIB, "linux-swap");
        create(&context, 5, 4 * MIB, "linux");
        create(&context, 6, 5 * MIB, "fat32");
        volumes = host_refresh(&backend_disk, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 6);
        ck_assert_str_eq(find(volumes, 3)->part_type, "extended");
        ck_assert_str_eq(find(volumes, 3)->format_name, "extended");
        ck_assert_uint_eq(find(volumes, 3)->capacity, 20 * MIB);
        ck_assert_str_eq(find(volumes, 5)->part_type, "logical");
        ck_assert_str_eq(find(volumes, 6)->format_name, "fat32");
        ck_assert_fails(backend_disk.destroy(&context, find(volumes, 3), 0, &error), "logical partitions");

        /* The one behind moves up. */
        destroy(&context, 5);
        g_clear_pointer(&volumes, g_ptr_array_unref);
        volumes = host_refresh(&backend_disk, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 5);
        ck_assert_str_eq(find(volumes, 5)->format_name, "fat32");
        ck_assert_uint_eq(find(volumes, 5)->physical, 5 * MIB);
        host_context_clear(&context);
}

START_TEST(test_dos)
{
        if (has_disk())
                host_run(dos_body);
}
END_TEST

static void use_body(void)
{
        struct backend_context context = context_of("gpt");
        g_autoptr(GPtrArray) volumes = NULL;
        uint64_t length;
        CLEANUP_FD int fd = -1, user = -1;

        ck_assert_ok(backend_disk.build(&context, 0, &error));
        create(&context, 1, 10 * MIB, "linux");
        volumes = host_refresh(&backend_disk, &context, NULL);
        user = open(find(volumes, 1)->path, O_RDONLY | O_CLOEXEC | O_EXCL);
        ck_assert_int_ge(user, 0);

        /* While one is in use others come and go, but not that one, and the disk is not built anew. */
        create(&context, 2, 4 * MIB, "linux");
        destroy(&context, 2);
        ck_assert_fails(backend_disk.destroy(&context, find(volumes, 1), 0, &error), "cannot be removed");
        ck_assert_fails(backend_disk.build(&context, POOL_BUILD_OVERWRITE, &error), "cannot open device");
        close(fd_steal(&user));

        fd = backend_disk.open(&context, find(volumes, 1), true, &length, NULL);
        ck_assert_int_ge(fd, 0);
        ck_assert_uint_eq(length, 10 * MIB);
        close(fd_steal(&fd));

        /* Nothing is overwritten that is not to be. */
        ck_assert_fails(backend_disk.build(&context, 0, &error), "already holds 'gpt'");
        ck_assert_fails(backend_disk.build(&context, POOL_BUILD_NO_OVERWRITE, &error), "already holds 'gpt'");
        ck_assert_ok(backend_disk.build(&context, POOL_BUILD_OVERWRITE, &error));
        ck_assert_int_ne(access(find(volumes, 1)->path, F_OK), 0);
        g_clear_pointer(&volumes, g_ptr_array_unref);
        volumes = host_refresh(&backend_disk, &context, NULL);
        ck_assert_uint_eq(volumes->len, 0);
        host_context_clear(&context);
}

START_TEST(test_use)
{
        if (has_disk())
                host_run(use_body);
}
END_TEST

static void clone_body(void)
{
        g_autoptr(GPtrArray) chain = g_ptr_array_new();
        struct backend_context context = context_of("gpt");
        g_autofree char *name = name_of(1), *other_name = name_of(2),
                        *path = g_build_filename(host.dir, "image", NULL), *text = g_strnfill(2 * MIB, 'x'),
                        *content = g_malloc(2 * MIB);
        CLEANUP(volume_unref)
        struct volume *source = host_volume(POOL_DIR, "image", 2 * MIB, "raw"),
                      *volume = host_volume(POOL_DISK, name, 4 * MIB, "linux"),
                      *small = host_volume(POOL_DISK, other_name, MIB, "linux");
        const char *const convert[] = {
                "qemu-img", "convert", "-q", "-O", "qcow2", path, "/run/qcow2", NULL
        };
        g_autoptr(GPtrArray) volumes = NULL;
        CLEANUP_FD int fd = -1;
        bool slow;

        ck_assert_ok(backend_disk.build(&context, 0, &error));
        ck_assert(g_file_set_contents(path, text, 2 * MIB, NULL));
        ck_assert_ok(spawn_check(host.lane, convert, 30000, NULL, &error));
        source->path = g_strdup("/run/qcow2");
        source->format = VOLUME_FORMAT_QCOW2;
        ck_assert_ok(backend_disk.prepare(&context, volume, 0, &slow, &error));
        g_ptr_array_add(chain, source);
        context.chain = chain;
        ck_assert_ok(backend_disk.clone(&context, volume, source, 0, &error));
        fd = open(volume->path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(pread(fd, content, 2 * MIB, 0), 2 * MIB);
        ck_assert_mem_eq(content, text, 2 * MIB);

        /* What does not fit leaves no partition behind. */
        ck_assert_ok(backend_disk.prepare(&context, small, 0, &slow, &error));
        ck_assert_fails(backend_disk.clone(&context, small, source, 0, &error), "smaller");
        volumes = host_refresh(&backend_disk, &context, NULL);
        ck_assert_uint_eq(volumes->len, 1);
        host_context_clear(&context);
}

START_TEST(test_clone)
{
        if (host_has_tool("qemu-img") && has_disk())
                host_run(clone_body);
}
END_TEST

static void format_body(void)
{
        struct backend_context context = context_of("gpt"), other = context_of("dos"),
                               any = context_of("unknown"), mac = context_of("mac");

        ck_assert_ok(backend_disk.build(&context, 0, &error));
        ck_assert_fails(backend_disk.start(&other, &error), "of format 'gpt', not the pool's 'dos'");
        ck_assert_ok(backend_disk.start(&any, &error));
        ck_assert_fails(backend_disk.build(&mac, POOL_BUILD_OVERWRITE, &error), "format 'mac'");
        host_context_clear(&context);
        host_context_clear(&other);
        host_context_clear(&any);
        host_context_clear(&mac);
}

START_TEST(test_format)
{
        if (has_disk())
                host_run(format_body);
}
END_TEST

static void link_body(void)
{
        struct backend_context context;
        g_autofree char *node = device;

        ck_assert_int_eq(symlink(node, "/run/disk"), 0);
        device = (char *)"/run/disk";
        context = context_of("gpt");
        device = node;
        ck_assert_ok(backend_disk.build(&context, 0, &error));
        /* Named after the disk, not after the link. */
        create(&context, 1, 10 * MIB, "linux");
        destroy(&context, 1);
        host_context_clear(&context);
}

START_TEST(test_link)
{
        if (has_disk())
                host_run(link_body);
}
END_TEST

static void hostile_body(void)
{
        static const char *const reports[] = {
                "",
                "[]",
                "{}",
                "{\"partitiontable\":{\"label\":\"gpt\",\"firstlba\":2048,\"lastlba\":99999999999}}",
                "{\"partitiontable\":{\"label\":\"gpt\",\"partitions\":[{\"node\":\"/dev/x1\",\"start\":2048,"
                "\"size\":99999999999,\"type\":\"83\"}]}}",
                "{\"partitiontable\":{\"label\":\"gpt\",\"partitions\":[{\"start\":-1}]}}",
                "{\"partitiontable\":{\"label\":\"gpt\",\"partitions\":[7]}}",
        };
        struct backend_context context = context_of("gpt");

        for (unsigned i = 0; i < G_N_ELEMENTS(reports); i++) {
                g_autofree char *script = g_strdup_printf("echo '%s'", reports[i]);

                host_stand_in("sfdisk", script);
                ck_assert_fails(backend_disk.start(&context, &error), "sfdisk");
        }
        host_context_clear(&context);
}

START_TEST(test_hostile)
{
        if (has_disk())
                host_run(hostile_body);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-disk", host_setup, host_teardown, test_gpt, test_dos, test_use, test_clone,
                   test_format, test_link, test_hostile)
