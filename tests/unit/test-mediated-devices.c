/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mediated devices that are defined, on the host that umockdev plays: there or not, stored, started, after a
 * boot.
 */
#include "tests/unit/node-devices-fixture.h"

#include "base/cleanup.h"
#include "tests/unit/check-main.h"

#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define GPU    "/sys/devices/pci0000:00/0000:00:02.0"
#define TYPE   GPU "/mdev_supported_types/i915-GVTg_V5_4"
#define UUID   "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
#define NAME   "mdev_0a81f5b2_8403_7b23_c8d6_21ccc2f80d6f_0000_00_02_0"
#define ACTIVE "mdev_4b20d080_1b54_4048_85b3_a6a62d165c01_0000_00_02_0"
#define DOCUMENT(uuid)                                                                                       \
        "<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type "                            \
        "id='i915-GVTg_V5_4'/><uuid>" uuid "</uuid></capability></device>"

static char *dir;

static void restart(void)
{
        stop_devices();
        start_devices(dir);
}

static void setup(void)
{
        set_up_host();
        ck_assert(umockdev_testbed_add_from_file(testbed, DATA "/host.umockdev", NULL));
        dir = g_dir_make_tmp("test-mdev-XXXXXX", NULL);
        start_devices(dir);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void teardown(void)
{
        stop_devices();
        tear_down_host();
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(dir);
}

/* ---- asking ---- */

/* text NULL: it succeeds. */
static void expect(struct outcome *outcome, enum error_code code, const char *text)
{
        if (text)
                expect_failure(outcome, code, text);
        else
                expect_success(outcome);
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

        node_device_create(devices, find_device(name), 0, take_outcome, &outcome);
        expect(&outcome, code, text);
}

static void undefine(const char *name, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_undefine(devices, find_device(name), 0, take_outcome, &outcome);
        expect(&outcome, code, text);
}

static void set_autostart(const char *name, bool autostart, enum error_code code, const char *text)
{
        struct outcome outcome = { 0 };

        node_device_set_autostart(devices, find_device(name), autostart, take_outcome, &outcome);
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
        const struct node_device *device = find_device(name);

        ck_assert_int_eq(!device->is_inactive, is_active);
        ck_assert_int_eq(!device->is_transient, is_persistent);
        ck_assert_int_eq(!device->is_started_by_hand, is_autostart);
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
                find_device(NAME)->xml,
                "<device>\n  <name>" NAME "</name>\n  <parent>pci_0000_00_02_0</parent>\n"
                "  <capability type='mdev'>\n    <type id='i915-GVTg_V5_4'/>\n    <uuid>" UUID
                "</uuid>\n    <parent_addr>0000:00:02.0</parent_addr>\n  </capability>\n</device>\n");
        ck_assert_str_eq(find_device(NAME)->parent, "pci_0000_00_02_0");
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
        while (!find_device(ACTIVE)->is_inactive)
                loop_step(loop, true);
        expect_state(ACTIVE, false, true, true);
        umockdev_testbed_uevent(testbed, GPU "/4b20d080-1b54-4048-85b3-a6a62d165c01", "add");
        while (find_device(ACTIVE)->is_inactive)
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
        node_device_destroy(devices, find_device(NAME), take_outcome, &outcome);
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
