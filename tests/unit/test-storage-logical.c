/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools of logical volumes. Volume groups are real ones, on loop devices; logical volumes
 * need a kernel with device-mapper, so what LVM 2.03.16 reports of them is played back, and its command lines
 * are looked at.
 */
#include "drivers/storage/block.h"
#include "tests/unit/storage-host.h"

#define MIB ((uint64_t)1024 * 1024)

static char *device; /* the test's loop device */
static int device_fd;
static char *group; /* the name of its volume group */

static struct backend_context context_of(const char *name, const char *devices)
{
        g_autofree char *xml =
                g_strdup_printf("<pool type='logical'><name>lvm</name><source><name>%s</name>%s</source>"
                                "<target><path>/dev/%s</path></target></pool>",
                                name, devices, name);

        return host_context(xml);
}

/* ---- real groups ---- */

static bool has_lvm(void)
{
        if (!host_has_tool("vgcreate") || !host_loop_device(64 * MIB, &device, &device_fd))
                return false;
        /* No files of this in the host's directories. */
        host_write("/run/lvm/lvm.conf",
                   "backup { backup = 0 archive = 0 }\ndevices { use_devicesfile = 0 }\n");
        ck_assert(g_setenv("LVM_SYSTEM_DIR", "/run/lvm", TRUE));
        group = g_strdup_printf("virtbus-test-%d", (int)getpid());
        return true;
}

/* The source of the group among those found. */
static bool is_found(const struct backend_context *context)
{
        g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *name = g_strdup_printf("<name>%s</name>", group);

        ck_assert_ok(backend_logical.find(context, false, sources, &error));
        for (unsigned i = 0; i < sources->len; i++) {
                const char *source = g_ptr_array_index(sources, i);

                if (strstr(source, name))
                        return strstr(source, device) && strstr(source, "<format type='lvm2'/>");
        }
        return false;
}

static void group_body(void)
{
        g_autofree char *devices = g_strdup_printf("<device path='%s'/>", device);
        struct backend_context context = context_of(group, devices), bare = context_of(group, "");
        g_autoptr(GPtrArray) volumes = NULL;
        g_autofree char *type = NULL;
        struct pool_numbers numbers;
        bool active = true;

        ck_assert_ok(backend_logical.check_def(context.def, &error));
        ck_assert_ok(backend_logical.check(&context, &active, &error));
        ck_assert(!active);
        ck_assert_fails(backend_logical.start(&context, &error), group);
        ck_assert_fails(backend_logical.build(&bare, 0, &error), "without source devices");
        ck_assert_ok(backend_logical.build(&context, 0, &error));
        ck_assert_fails(backend_logical.build(&context, 0, &error), "already holds 'LVM2_member'");
        ck_assert_ok(backend_logical.start(&context, &error));
        ck_assert_ok(backend_logical.check(&context, &active, &error));
        ck_assert(active);
        volumes = host_refresh(&backend_logical, &context, &numbers);
        ck_assert_uint_eq(volumes->len, 0);
        ck_assert_uint_eq(numbers.capacity, 60 * MIB);
        ck_assert_uint_eq(numbers.available, 60 * MIB);
        ck_assert(is_found(&context));
        ck_assert_ok(backend_logical.stop(&context, &error));
        ck_assert_ok(backend_logical.remove(&context, 0, &error));
        ck_assert(!is_found(&context));
        ck_assert_ok(block_probe(device, &type, &error));
        ck_assert_ptr_null(type);
        host_context_clear(&context);
        host_context_clear(&bare);
}

START_TEST(test_group)
{
        if (has_lvm())
                host_run(group_body);
}
END_TEST

static void undo_body(void)
{
        g_autofree char *devices = g_strdup_printf("<device path='%s'/><device path='/dev/null'/>", device);
        struct backend_context context = context_of(group, devices);
        g_autofree char *type = NULL;

        /* The second device is none: the first one is as before. */
        ck_assert_fails(backend_logical.build(&context, 0, &error), "not a block device");
        ck_assert_ok(block_probe(device, &type, &error));
        ck_assert_ptr_null(type);
        host_context_clear(&context);
}

START_TEST(test_undo)
{
        if (has_lvm())
                host_run(undo_body);
}
END_TEST

/* ---- logical volumes ---- */

static void play_back(const char *tool)
{
        g_autofree char *script = g_strdup_printf("cat '" RECORDINGS "/%s.json'", tool);

        host_stand_in(tool, script);
}

static void stand_in_for_lvm(void)
{
        static const char *const writers[] = { "lvcreate", "lvremove", "lvresize" };

        play_back("lvs");
        play_back("vgs");
        for (unsigned i = 0; i < G_N_ELEMENTS(writers); i++)
                host_stand_in(writers[i], "echo \"$(basename \"$0\") $*\" >>/run/log");
}

static void report_body(void)
{
        struct backend_context context = context_of("sbvg", "");
        g_autoptr(GPtrArray) volumes = NULL;
        CLEANUP(volume_unref) struct volume *again = NULL, *gone = NULL;
        struct pool_numbers numbers;
        const struct volume *volume;
        bool active = false;

        stand_in_for_lvm();
        ck_assert_ok(backend_logical.check(&context, &active, &error));
        ck_assert(active);
        volumes = host_refresh(&backend_logical, &context, &numbers);
        /* All but the thin pool. */
        ck_assert_uint_eq(volumes->len, 4);
        ck_assert_uint_eq(numbers.capacity, 125829120);
        ck_assert_uint_eq(numbers.available, 75497472);
        ck_assert_uint_eq(numbers.allocation, 125829120 - 75497472);

        volume = host_find(volumes, "plain");
        ck_assert_str_eq(volume->path, "/dev/sbvg/plain");
        ck_assert_str_eq(volume->key, "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggg01");
        ck_assert_uint_eq(volume->capacity, 12 * MIB);
        ck_assert_uint_eq(volume->n_extents, 2);
        ck_assert_str_eq(volume->extents[1].path, "/dev/loop1");
        ck_assert_uint_eq(volume->extents[1].start, 0);
        ck_assert_uint_eq(volume->extents[1].end, 4 * MIB);

        volume = host_find(volumes, "stripes");
        ck_assert_uint_eq(volume->n_extents, 2);
        ck_assert_uint_eq(volume->extents[0].start, 8 * MIB);
        ck_assert_uint_eq(volume->extents[0].end, 12 * MIB);

        volume = host_find(volumes, "snap");
        ck_assert_uint_eq(volume->capacity, 12 * MIB);
        ck_assert_uint_eq(volume->allocation, 4 * MIB);
        ck_assert_str_eq(volume->backing.path, "/dev/sbvg/plain");

        volume = host_find(volumes, "thin1");
        ck_assert_uint_eq(volume->capacity, 100 * MIB);

        ck_assert_ok(backend_logical.probe(&context, "snap", NULL, &again, &error));
        ck_assert(volume_equal(again, host_find(volumes, "snap")));
        ck_assert_ok(backend_logical.probe(&context, "thins", NULL, &gone, &error));
        ck_assert_ptr_null(gone);
        host_context_clear(&context);
}

START_TEST(test_report)
{
        if (host_has(host.is_private, "root"))
                host_run(report_body);
}
END_TEST

/* The command that creates (LVM then has no volume of the name, which is an error, undone). */
static void created_by(const char *name, uint64_t capacity, uint64_t allocation, const char *origin,
                       const char *command)
{
        struct backend_context context = context_of("sbvg", "");
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_LOGICAL, name, capacity, "raw");
        g_autofree char *log = NULL;
        bool slow = true;

        volume->allocation = allocation;
        volume->backing.path = g_strdup(origin);
        ck_assert_ok(backend_logical.prepare(&context, volume, 0, &slow, &error));
        ck_assert(!slow);
        ck_assert_fails(backend_logical.create(&context, volume, 0, &error), "does not report it");
        log = host_log();
        ck_assert_str_eq(log, command);
        host_context_clear(&context);
}

static void create_body(void)
{
        struct backend_context context = context_of("sbvg", "");
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_LOGICAL, "plain", MIB, "raw");
        g_autofree char *log = NULL;
        bool slow;

        stand_in_for_lvm();
        ck_assert_ok(backend_logical.prepare(&context, volume, 0, &slow, &error));
        ck_assert_uint_eq(volume->capacity, 4 * MIB);
        ck_assert_str_eq(volume->path, "/dev/sbvg/plain");
        ck_assert_ok(backend_logical.create(&context, volume, 0, &error));
        ck_assert_str_eq(volume->key, "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggg01");
        log = host_log();
        ck_assert_str_eq(log, "lvcreate --yes --name=plain --size=4194304b -- sbvg\n");

        created_by("x", 5 * MIB, 5 * MIB, NULL,
                   "lvcreate --yes --name=x --size=8388608b -- sbvg\nlvremove --yes --force -- sbvg/x\n");
        /* There is a thin pool. */
        created_by("x", 8 * MIB, 0, NULL,
                   "lvcreate --yes --name=x --virtualsize=8388608b --thinpool=thins -- sbvg\n"
                   "lvremove --yes --force -- sbvg/x\n");
        created_by("x", 4 * MIB, 4 * MIB, "/dev/sbvg/stripes",
                   "lvcreate --yes --name=x --snapshot --size=4194304b -- sbvg/stripes\n"
                   "lvremove --yes --force -- sbvg/x\n");
        host_context_clear(&context);
}

START_TEST(test_create)
{
        if (host_has(host.is_private, "root"))
                host_run(create_body);
}
END_TEST

static void change_body(void)
{
        struct backend_context context = context_of("sbvg", "");
        g_autoptr(GPtrArray) volumes = NULL;
        g_autofree char *log = NULL;

        stand_in_for_lvm();
        volumes = host_refresh(&backend_logical, &context, NULL);
        ck_assert_ok(backend_logical.resize(&context, host_find(volumes, "plain"), 12 * MIB - 1, 0, &error));
        ck_assert_ok(backend_logical.resize(&context, host_find(volumes, "plain"), 17 * MIB, 0, &error));
        /* What has snapshots goes with them only when that is said. */
        ck_assert_fails(backend_logical.destroy(&context, host_find(volumes, "plain"), 0, &error),
                        "has a snapshot, 'snap'");
        ck_assert_ok(backend_logical.destroy(&context, host_find(volumes, "plain"), 2, &error));
        ck_assert_ok(backend_logical.destroy(&context, host_find(volumes, "snap"), 0, &error));
        ck_assert_fails(backend_logical.destroy(&context, host_find(volumes, "snap"), 1, &error),
                        "unsupported flags");
        log = host_log();
        ck_assert_str_eq(log, "lvresize --yes --force --size=20971520b -- sbvg/plain\n"
                              "lvremove --yes --force -- sbvg/plain\n"
                              "lvremove --yes --force -- sbvg/snap\n");
        host_context_clear(&context);
}

START_TEST(test_change)
{
        if (host_has(host.is_private, "root"))
                host_run(change_body);
}
END_TEST

static void refused_body(void)
{
        struct backend_context context = context_of("sbvg", ""), odd = context_of("a vg", ""),
                               dots = context_of("..", "");
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_LOGICAL, "two words", MIB, "raw");
        CLEANUP(volume_unref) struct volume *option = host_volume(POOL_LOGICAL, "--force", MIB, "raw");
        struct pool_scan scan = { .volumes = g_ptr_array_new() };
        bool slow;

        ck_assert_fails(backend_logical.check_def(odd.def, &error), "volume group name 'a vg'");
        ck_assert_fails(backend_logical.check_def(dots.def, &error), "volume group name '..'");
        ck_assert_fails(backend_logical.prepare(&context, volume, 0, &slow, &error),
                        "volume name 'two words'");
        ck_assert_fails(backend_logical.prepare(&context, option, 0, &slow, &error), "begins with '-'");
        host_stand_in("lvs", "echo '{\"report\":[{\"lv\":[{\"lv_name\":7}]}]}'");
        ck_assert_fails(backend_logical.refresh(&context, &scan, &error), "makes no sense");
        host_stand_in("lvs", "echo '{\"report\":[]}'");
        ck_assert_fails(backend_logical.refresh(&context, &scan, &error), "no rows");
        ck_assert(g_setenv("PATH", "/nonexistent", TRUE));
        ck_assert_fails(backend_logical.refresh(&context, &scan, &error), "missing tool 'lvs'");
        g_ptr_array_unref(scan.volumes);
        host_context_clear(&context);
        host_context_clear(&odd);
        host_context_clear(&dots);
}

START_TEST(test_refused)
{
        if (host_has(host.is_private, "root"))
                host_run(refused_body);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-logical", host_setup, host_teardown, test_group, test_undo, test_report,
                   test_create, test_change, test_refused)
