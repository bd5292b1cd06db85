/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mediated devices that are defined, on the host that umockdev plays: there or not, stored, started, after a
 * boot.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "nodedev/node-devices-private.h"
#include "tests/unit/check-main.h"

#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <umockdev.h>
#include <unistd.h>

#define GPU    "/sys/devices/pci0000:00/0000:00:02.0"
#define TYPE   GPU "/mdev_supported_types/i915-GVTg_V5_4"
#define UUID   "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
#define NAME   "mdev_0a81f5b2_8403_7b23_c8d6_21ccc2f80d6f_0000_00_02_0"
#define ACTIVE "mdev_4b20d080_1b54_4048_85b3_a6a62d165c01_0000_00_02_0"
#define DOCUMENT(uuid)                                                                                       \
        "<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type "                            \
        "id='i915-GVTg_V5_4'/><uuid>" uuid "</uuid></capability></device>"

static UMockdevTestbed *testbed;
static struct loop *loop;
static struct pool *pool;
static struct node_devices *devices;
static char *dir;
/* What listeners heard: "+name", "-name", "*name". */
static GString *heard;

static void tell(void *before, void *after, void *data)
{
        const struct node_device *device = after ? after : before;

        g_string_append_printf(heard, "%c%s ", !before ? '+' : !after ? '-' : '*', device->name);
}

static const struct collection_listener listener = { .tell = tell };

/* An agent begins. */
static void start(void)
{
        devices = node_devices_new(loop, pool);
        node_devices_set_directory(devices, dir);
        node_devices_start(devices);
        while (!node_devices_are_ready(devices))
                loop_step(loop, true);
        collection_listen(node_devices_get_collection(devices), &listener, NULL);
}

static void end(void)
{
        const struct collection *collection = node_devices_get_collection(devices);

        collection_unlisten(node_devices_get_collection(devices), &listener, NULL);
        node_devices_stop(devices);
        while (node_devices_are_running(devices) || collection_get_pending(collection) > 0)
                loop_step(loop, true);
        node_devices_free(devices);
}

static void restart(void)
{
        end();
        start();
}

static void setup(void)
{
        testbed = umockdev_testbed_new();
        ck_assert(umockdev_testbed_add_from_file(testbed, DATA "/host.umockdev", NULL));
        dir = g_dir_make_tmp("test-mdev-XXXXXX", NULL);
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        heard = g_string_new(NULL);
        start();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void teardown(void)
{
        end();
        pool_free(pool);
        loop_free(loop);
        g_string_free(heard, TRUE);
        g_object_unref(testbed);
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(dir);
}

/* ---- asking ---- */

struct outcome {
        bool done;
        GError *error; /* owned */
        char *name;    /* owned */
};

static void take(const GError *error, void *data)
{
        struct outcome *outcome = data;

        outcome->done = true;
        outcome->error = error ? g_error_copy(error) : NULL;
}

static void take_device(struct node_device *device, const GError *error, void *data)
{
        ((struct outcome *)data)->name = device ? g_strdup(device->name) : NULL;
        take(error, data);
}

/* code ERROR_OK: it succeeded. Frees what there is of the outcome. */
static void expect(struct outcome *outcome, enum error_code code, const char *text)
{
        while (!outcome->done)
                loop_step(loop, true);
        if (!text)
                ck_assert_msg(!outcome->error, "%s", outcome->error ? outcome->error->message : "");
        else
                ck_assert_msg(outcome->error && error_is(outcome->error, code) &&
                                      strstr(outcome->error->message, text),
                              "%s", outcome->error ? outcome->error->message : "no error");
        g_clear_error(&outcome->error);
        g_free(outcome->name);
        *outcome = (struct outcome){ 0 };
}

static struct node_device *find(const char *name)
{
        struct node_device *device = node_device_lookup_name(devices, name, NULL);

        ck_assert_msg(device != NULL, "%s is not there", name);
        return device;
}

static void define(const char *xml, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_define_xml(devices, xml, 0, take_device, &outcome);
        expect(&outcome, code, text);
}

static void create(const char *name, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_create(devices, find(name), 0, take, &outcome);
        expect(&outcome, code, text);
}

static void undefine(const char *name, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_undefine(devices, find(name), 0, take, &outcome);
        expect(&outcome, code, text);
}

static void set_autostart(const char *name, bool autostart, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_set_autostart(devices, find(name), autostart, take, &outcome);
        expect(&outcome, code, text);
}

static unsigned count(unsigned flags)
{
        g_autoptr(GPtrArray) list = node_device_list(devices, flags, NULL);

        return list->len;
}

#define MDEV     (1u << NODE_DEVICE_MDEV)
#define INACTIVE (1u << 30)
#define IS_THERE (1u << 31)

static void expect_state(const char *name, bool is_active, bool is_persistent, bool is_autostart)
{
        const struct node_device *device = find(name);

        ck_assert_int_eq(!device->is_inactive, is_active);
        ck_assert_int_eq(!device->is_transient, is_persistent);
        ck_assert_int_eq(!device->is_started_by_hand, is_autostart);
}

static void put_file(const char *path, const char *text)
{
        g_autofree char *root = umockdev_testbed_get_root_dir(testbed),
                        *full = g_build_filename(root, path, NULL);

        ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void expect_file(const char *path, const char *text)
{
        g_autofree char *root = umockdev_testbed_get_root_dir(testbed),
                        *full = g_build_filename(root, path, NULL), *is = NULL;

        ck_assert(g_file_get_contents(full, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

/* The kernel's part: what was asked for is there, and nobody was told yet. */
static void make_device(void)
{
        ck_assert(umockdev_testbed_add_from_string(testbed,
                                                   "P: /devices/pci0000:00/0000:00:02.0/" UUID
                                                   "\nE: SUBSYSTEM=mdev\n"
                                                   "L: mdev_type=../mdev_supported_types/i915-GVTg_V5_4\n",
                                                   NULL));
}

/* ---- tests ---- */

START_TEST(defined_and_forgotten)
{
        define(DOCUMENT(UUID), 0, NULL);
        ck_assert_str_eq(heard->str, "+" NAME " ");
        expect_state(NAME, false, true, false);
        ck_assert_str_eq(
                find(NAME)->xml,
                "<device>\n  <name>" NAME "</name>\n  <parent>pci_0000_00_02_0</parent>\n"
                "  <capability type='mdev'>\n    <type id='i915-GVTg_V5_4'/>\n    <uuid>" UUID
                "</uuid>\n    <parent_addr>0000:00:02.0</parent_addr>\n  </capability>\n</device>\n");
        ck_assert_str_eq(find(NAME)->parent, "pci_0000_00_02_0");
        ck_assert_uint_eq(count(MDEV), 2);
        ck_assert_uint_eq(count(MDEV | IS_THERE), 1);
        ck_assert_uint_eq(count(INACTIVE), 1);
        restart();
        expect_state(NAME, false, true, false);
        undefine(NAME, 0, NULL);
        ck_assert_ptr_null(node_device_lookup_name(devices, NAME, NULL));
        restart();
        ck_assert_uint_eq(count(INACTIVE), 0);
}
END_TEST

/* What is there and is defined meanwhile stays, and outlives its definition. */
START_TEST(defined_while_it_is_there)
{
        expect_state(ACTIVE, true, false, false);
        expect_state("pci_0000_00_02_0", true, true, true);
        define(DOCUMENT("4B20D080-1b54-4048-85b3-a6a62d165c01"), 0, NULL);
        expect_state(ACTIVE, true, true, false);
        ck_assert_str_eq(heard->str, "*" ACTIVE " ");
        set_autostart(ACTIVE, true, 0, NULL);
        expect_state(ACTIVE, true, true, true);
        umockdev_testbed_uevent(testbed, GPU "/4b20d080-1b54-4048-85b3-a6a62d165c01", "remove");
        while (!find(ACTIVE)->is_inactive)
                loop_step(loop, true);
        expect_state(ACTIVE, false, true, true);
        umockdev_testbed_uevent(testbed, GPU "/4b20d080-1b54-4048-85b3-a6a62d165c01", "add");
        while (find(ACTIVE)->is_inactive)
                loop_step(loop, true);
        undefine(ACTIVE, 0, NULL);
        expect_state(ACTIVE, true, false, false);
}
END_TEST

START_TEST(started)
{
        define(DOCUMENT(UUID), 0, NULL);
        put_file(TYPE "/create", "");
        make_device();
        create(NAME, 0, NULL);
        expect_file(TYPE "/create", UUID);
        expect_state(NAME, true, true, false);
        create(NAME, ERROR_OPERATION_INVALID, "'" NAME "' is active already");
}
END_TEST

START_TEST(no_instances_left)
{
        define(DOCUMENT(UUID), 0, NULL);
        put_file(TYPE "/create", "");
        put_file(TYPE "/available_instances", "0\n");
        create(NAME, ERROR_OPERATION_FAILED, "no instances of the type 'i915-GVTg_V5_4' are left");
        expect_file(TYPE "/create", "");
        expect_state(NAME, false, true, false);
}
END_TEST

static void count_done(void *data)
{
        (*(unsigned *)data)++;
}

/* Those that are marked are made; that one of them cannot be keeps nobody. */
START_TEST(after_a_boot)
{
        unsigned done = 0;

        define(DOCUMENT(UUID), 0, NULL);
        define(DOCUMENT("11111111-8403-7b23-c8d6-21ccc2f80d6f"), 0, NULL);
        set_autostart(NAME, true, 0, NULL);
        set_autostart(NAME, false, 0, NULL);
        set_autostart(NAME, true, 0, NULL);
        restart();
        expect_state(NAME, false, true, true);
        put_file(TYPE "/create", "");
        make_device();
        node_devices_autostart(devices, count_done, &done);
        while (!done)
                loop_step(loop, true);
        expect_file(TYPE "/create", UUID);
        expect_state(NAME, true, true, true);
        ck_assert_uint_eq(count(INACTIVE), 1);
        ck_assert_uint_eq(done, 1);
}
END_TEST

START_TEST(refused)
{
        struct outcome outcome = { 0 };

        define(DOCUMENT(UUID), 0, NULL);
        define(DOCUMENT(UUID), ERROR_OPERATION_FAILED, "'" NAME "' is defined already");
        define("<device><capability type='mdev'><type id='x'/></capability></device>", ERROR_INTERNAL_ERROR,
               "could not find parent device");
        define("<device><parent>pci_0000_01_00_0</parent><capability type='mdev'><type "
               "id='x'/></capability></device>",
               ERROR_INTERNAL_ERROR, "not capable of mediated devices");
        define("<device><parent>scsi_host3</parent><capability type='scsi_host'><capability type='fc_host'>"
               "<wwnn>20000000000000aa</wwnn><wwpn>20000000000000BB</wwpn></capability></capability></"
               "device>",
               ERROR_CONFIG_UNSUPPORTED, "only mediated devices can be defined");
        undefine(ACTIVE, ERROR_OPERATION_INVALID, "'" ACTIVE "' is not defined");
        undefine("usb_1_5", ERROR_CONFIG_UNSUPPORTED, "'usb_1_5' is not a mediated device");
        set_autostart(ACTIVE, true, ERROR_OPERATION_INVALID, "is not defined");
        set_autostart("usb_1_5", true, ERROR_CONFIG_UNSUPPORTED, "is not a mediated device");
        create("usb_1_5", ERROR_OPERATION_INVALID, "'usb_1_5' is active already");
        node_device_destroy(devices, find(NAME), take, &outcome);
        expect(&outcome, ERROR_OPERATION_INVALID, "'" NAME "' is not active");
}
END_TEST

/* A file that is none of ours is left out, and the others are there. */
START_TEST(broken_files)
{
        g_autofree char *empty = g_build_filename(dir, "empty.xml", NULL);
        g_autofree char *other = g_build_filename(dir, "other.xml", NULL);

        define(DOCUMENT(UUID), 0, NULL);
        ck_assert(g_file_set_contents(empty, "", -1, NULL));
        ck_assert(g_file_set_contents(other, DOCUMENT("11111111-8403-7b23-c8d6-21ccc2f80d6f"), -1, NULL));
        restart();
        ck_assert_uint_eq(count(INACTIVE), 1);
        expect_state(NAME, false, true, false);
}
END_TEST

CHECK_MAIN_FIXTURE("mediated-devices", setup, teardown, defined_and_forgotten, defined_while_it_is_there,
                   started, no_instances_left, after_a_boot, refused, broken_files)
