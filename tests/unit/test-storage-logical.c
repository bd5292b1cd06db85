/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/storage: pools of logical volumes. Volume groups are real ones, on loop devices; logical volumes
 * need a kernel with device-mapper, so what LVM 2.03.16 reports of them is played back as it was recorded in
 * the lab (tests/lab), and its command lines are looked at.
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
        ck_assert_ok(backend_logical.remove(&context, &error));
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
        struct backend_context context = context_of("lab_vg", "");
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
        ck_assert_uint_eq(volumes->len, 8);
        ck_assert_uint_eq(numbers.capacity, 192937984);
        ck_assert_uint_eq(numbers.available, 62914560);
        ck_assert_uint_eq(numbers.allocation, 192937984 - 62914560);

        volume = host_find(volumes, "second");
        ck_assert_str_eq(volume->path, "/dev/lab_vg/second");
        ck_assert_str_eq(volume->key, "TACwUU-wl82-Zyx9-ja5f-4iG0-MDqj-kOjrXa");
        ck_assert_uint_eq(volume->capacity, 12 * MIB);
        ck_assert_uint_eq(volume->n_extents, 2);
        ck_assert_str_eq(volume->extents[1].path, "/dev/sda");
        ck_assert_uint_eq(volume->extents[1].start, 44 * MIB);
        ck_assert_uint_eq(volume->extents[1].end, 48 * MIB);

        volume = host_find(volumes, "stripes");
        ck_assert_uint_eq(volume->n_extents, 2);
        ck_assert_uint_eq(volume->extents[0].start, 24 * MIB);
        ck_assert_uint_eq(volume->extents[0].end, 32 * MIB);

        volume = host_find(volumes, "snap");
        ck_assert_uint_eq(volume->capacity, 12 * MIB);
        ck_assert_uint_eq(volume->allocation, 8 * MIB);
        ck_assert_str_eq(volume->backing.path, "/dev/lab_vg/plain");

        /* The snapshot of nothing. */
        volume = host_find(volumes, "sparse");
        ck_assert_uint_eq(volume->capacity, 200 * MIB);
        ck_assert_uint_eq(volume->allocation, 4 * MIB);
        ck_assert_ptr_null(volume->backing.path);

        /* A thin volume, although lvs calls it an origin, and its thin snapshot. */
        volume = host_find(volumes, "thin");
        ck_assert_uint_eq(volume->capacity, 100 * MIB);
        ck_assert_uint_eq(volume->allocation, 10 * MIB);
        volume = host_find(volumes, "thinsnap");
        ck_assert_uint_eq(volume->allocation, 0);
        ck_assert_str_eq(volume->backing.path, "/dev/lab_vg/thin");

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
        struct backend_context context = context_of("lab_vg", "");
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
        struct backend_context context = context_of("lab_vg", "");
        CLEANUP(volume_unref) struct volume *volume = host_volume(POOL_LOGICAL, "plain", MIB, "raw");
        g_autofree char *log = NULL;
        bool slow;

        stand_in_for_lvm();
        ck_assert_ok(backend_logical.prepare(&context, volume, 0, &slow, &error));
        ck_assert_uint_eq(volume->capacity, 4 * MIB);
        ck_assert_str_eq(volume->path, "/dev/lab_vg/plain");
        ck_assert_ok(backend_logical.create(&context, volume, 0, &error));
        ck_assert_str_eq(volume->key, "LWRvpR-lfi2-xh0y-zW6f-GP3d-ikdU-L7TZqY");
        log = host_log();
        ck_assert_str_eq(log, "lvcreate --yes --name=plain --size=4194304b -- lab_vg\n");

        created_by("x", 5 * MIB, 5 * MIB, NULL,
                   "lvcreate --yes --name=x --size=8388608b -- lab_vg\nlvremove --yes --force -- lab_vg/x\n");
        /* There is a thin pool. */
        created_by("x", 8 * MIB, 0, NULL,
                   "lvcreate --yes --name=x --virtualsize=8388608b --thinpool=thins -- lab_vg\n"
                   "lvremove --yes --force -- lab_vg/x\n");
        created_by("x", 4 * MIB, 4 * MIB, "/dev/lab_vg/stripes",
                   "lvcreate --yes --name=x --snapshot --size=4194304b -- lab_vg/stripes\n"
                   "lvremove --yes --force -- lab_vg/x\n");
        created_by("x", 100 * MIB, 0, "/dev/lab_vg/thin",
                   "lvcreate --yes --name=x --snapshot --setactivationskip=n -- lab_vg/thin\n"
                   "lvremove --yes --force -- lab_vg/x\n");
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
        struct backend_context context = context_of("lab_vg", "");
        g_autoptr(GPtrArray) volumes = NULL;
        g_autofree char *log = NULL;

        stand_in_for_lvm();
        volumes = host_refresh(&backend_logical, &context, NULL);
        ck_assert_ok(backend_logical.resize(&context, host_find(volumes, "plain"), 12 * MIB - 1, 0, &error));
        ck_assert_ok(backend_logical.resize(&context, host_find(volumes, "plain"), 17 * MIB, 0, &error));
        ck_assert_fails(backend_logical.resize(&context, host_find(volumes, "snap"), 17 * MIB, 0, &error),
                        "is a snapshot of LVM");
        ck_assert_fails(backend_logical.resize(&context, host_find(volumes, "sparse"), 300 * MIB, 0, &error),
                        "is a snapshot of LVM");
        /* What has snapshots goes with them only when that is said. */
        ck_assert_fails(backend_logical.destroy(&context, host_find(volumes, "plain"), 0, &error),
                        "has a snapshot, 'snap'");
        ck_assert_ok(backend_logical.destroy(&context, host_find(volumes, "plain"), 2, &error));
        ck_assert_ok(backend_logical.destroy(&context, host_find(volumes, "snap"), 0, &error));
        log = host_log();
        ck_assert_str_eq(log, "lvresize --yes --force --size=20971520b -- lab_vg/plain\n"
                              "lvremove --yes --force -- lab_vg/plain\n"
                              "lvremove --yes --force -- lab_vg/snap\n");
        host_context_clear(&context);
}

START_TEST(test_change)
{
        if (host_has(host.is_private, "root"))
                host_run(change_body);
}
END_TEST

/* As LVM says it: on standard error, in between its report, which is whole. */
static void error_body(void)
{
        struct backend_context context = context_of("nothing", "");
        struct pool_scan scan = { .volumes = g_ptr_array_new() };

        host_stand_in("lvs", "echo '  Volume group \"nothing\" not found' >&2\n"
                             "echo '  Cannot process volume group nothing' >&2\n"
                             "echo '{\"report\":[{\"lv\":[]}]}'\n"
                             "exit 5");
        ck_assert_fails(backend_logical.refresh(&context, &scan, &error),
                        "'lvs' ended with status 5: Volume group \"nothing\" not found");
        g_ptr_array_unref(scan.volumes);
        host_context_clear(&context);
}

START_TEST(test_error)
{
        if (host_has(host.is_private, "root"))
                host_run(error_body);
}
END_TEST

static void refused_body(void)
{
        struct backend_context context = context_of("lab_vg", ""), odd = context_of("a vg", ""),
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
                   test_create, test_change, test_error, test_refused)
