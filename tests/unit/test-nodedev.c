/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host, below a root of our own.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "nodedev/pci.h"
#include "nodedev/scsi.h"
#include "nodedev/sysfs.h"
#include "nodedev/usb.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static void setup(void)
{
        dir = g_dir_make_tmp("virtbus-nodedev-XXXXXX", NULL);
}

static void teardown(void)
{
        g_rmdir(dir);
        g_free(dir);
}

static void put_below(const char *path, const char *text)
{
        g_autofree char *full = g_build_filename(dir, path, NULL), *parent = g_path_get_dirname(full);

        ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
        ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void expect_below(const char *path, const char *text)
{
        g_autofree char *full = g_build_filename(dir, path, NULL), *is = NULL;

        ck_assert(g_file_get_contents(full, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

static void remove_below(const char *path)
{
        g_autofree char *full = g_build_filename(dir, path, NULL);
        g_autoptr(GDir) entries = g_dir_open(full, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *below = g_build_filename(path, name, NULL),
                                *child = g_build_filename(full, name, NULL);

                if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
                        remove_below(below);
                else
                        g_remove(child);
        }
        g_rmdir(full);
}

#define PCI "sys/bus/pci/devices/0000:3b:00.1"

START_TEST(a_pci_device_changes_its_driver)
{
        g_autofree char *name = pci_format_name(0, 0x3b, 0, 1), *driver = NULL, *group = NULL, *vfio = NULL;
        g_autoptr(GError) error = NULL;

        ck_assert_str_eq(name, "0000:3b:00.1");
        ck_assert(!pci_detach(NULL, dir, name, &error));
        ck_assert_ptr_nonnull(strstr(error->message, name));
        g_clear_error(&error);
        put_below("sys/bus/pci/drivers/e1000e/unbind", "");
        put_below("sys/bus/pci/drivers_probe", "");
        put_below(PCI "/driver_override", "(null)");
        driver = g_build_filename(dir, PCI "/driver", NULL);
        group = g_build_filename(dir, PCI "/iommu_group", NULL);
        ck_assert_int_eq(symlink("../../drivers/e1000e", driver), 0);
        ck_assert_ptr_null(pci_get_group(dir, name, &error));
        g_clear_error(&error);
        ck_assert_int_eq(symlink("../../../../kernel/iommu_groups/17", group), 0);
        vfio = pci_get_group(dir, name, NULL);
        ck_assert(g_str_has_suffix(vfio, "/dev/vfio/17"));
        /* No kernel here that would do what is asked of it. */
        ck_assert(!pci_detach(NULL, dir, name, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "vfio-pci"));
        expect_below(PCI "/driver_override", "\nfio-pci");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", name);
        expect_below("sys/bus/pci/drivers_probe", name);
        g_remove(driver);
        ck_assert_int_eq(symlink("../../drivers/vfio-pci", driver), 0);
        ck_assert(pci_is_vfio(dir, name));
        put_below("sys/bus/pci/drivers/vfio-pci/unbind", "");
        put_below(PCI "/driver_override", "");
        pci_reattach(NULL, dir, name);
        expect_below(PCI "/driver_override", "\n");
        expect_below("sys/bus/pci/drivers/vfio-pci/unbind", name);
        /* What is in other hands is left there. */
        g_remove(driver);
        ck_assert_int_eq(symlink("../../drivers/e1000e", driver), 0);
        put_below("sys/bus/pci/drivers/e1000e/unbind", "");
        put_below(PCI "/driver_override", "left alone");
        pci_reattach(NULL, dir, name);
        expect_below(PCI "/driver_override", "left alone");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", "");
        remove_below("sys");
}
END_TEST

static void put_usb(const char *name, const char *ids, const char *bus, const char *device)
{
        g_auto(GStrv) id = g_strsplit(ids, ":", 2);
        const char *const files[][2] = {
                { "idVendor", id[0] }, { "idProduct", id[1] }, { "busnum", bus }, { "devnum", device }
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_strdup_printf("sys/bus/usb/devices/%s/%s", name, files[i][0]);
                g_autofree char *text = g_strdup_printf("%s\n", files[i][1]);

                put_below(path, text);
        }
}

/* "1:12 2:3", by bus and number */
static void expect_usb(const struct usb_query *query, const char *expected)
{
        g_autoptr(GArray) found = usb_find(dir, query);
        g_autoptr(GString) is = g_string_new(NULL);

        for (unsigned i = 0; i < found->len; i++) {
                const struct usb_device *device = &g_array_index(found, struct usb_device, i);

                g_string_append_printf(is, "%s%u:%u", is->len ? " " : "", device->bus, device->device);
        }
        ck_assert_str_eq(is->str, expected);
}

START_TEST(usb_devices_are_found)
{
        const struct usb_query twins = { .vendor = 0x46d, .product = 0xc52b };
        struct usb_query query = twins;
        struct usb_device device;
        g_autoptr(GError) error = NULL;
        g_autofree char *name = usb_format_name(1, 12), *path = usb_format_path("/", 1, 12);
        bool several;

        ck_assert_str_eq(name, "001:012");
        ck_assert_str_eq(path, "/dev/bus/usb/001/012");
        expect_usb(&twins, "");
        put_usb("usb1", "1d6b:0002", "1", "1");
        put_usb("1-1", "046d:c52b", "1", "12");
        put_usb("1-4.2", "046d:c52b", "1", "7");
        put_usb("2-1", "0781:5567", "2", "3");
        put_below("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "03\n");
        expect_usb(&twins, "1:7 1:12");
        ck_assert(!usb_find_one(dir, &twins, &device, &several, &error) && several);
        ck_assert_str_eq(
                error->message,
                "operation failed: Multiple USB devices for 046d:c52b, use <address> to specify one");
        g_clear_error(&error);
        query.port = "4.2";
        ck_assert(usb_find_one(dir, &query, &device, NULL, NULL));
        ck_assert_uint_eq(device.device, 7);
        ck_assert_str_eq(device.port, "4.2");
        query = (struct usb_query){ .bus = 2, .device = 3, .vendor = -1, .product = -1 };
        expect_usb(&query, "2:3");
        query.vendor = 0x46d;
        expect_usb(&query, "");
        ck_assert(!usb_find_one(dir, &query, &device, &several, &error) && !several);
        ck_assert_ptr_nonnull(strstr(error->message, "Did not find USB device"));
        query = (struct usb_query){ .bus = 1, .port = "1", .vendor = -1, .product = -1 };
        expect_usb(&query, "1:12");
        remove_below("sys");
}
END_TEST

/* A taking that was cut short at any point is undone. */
START_TEST(what_was_begun_is_undone)
{
        g_autofree char *driver = g_build_filename(dir, PCI "/driver", NULL);

        put_below("sys/bus/pci/drivers/e1000e/unbind", "");
        put_below("sys/bus/pci/drivers_probe", "");
        put_below(PCI "/driver_override", "vfio-pci\n");
        ck_assert_int_eq(symlink("../../drivers/e1000e", driver), 0);
        pci_reattach(NULL, dir, "0000:3b:00.1");
        expect_below(PCI "/driver_override", "\nfio-pci\n");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", "");
        g_remove(driver);
        put_below(PCI "/driver_override", "vfio-pci\n");
        pci_reattach(NULL, dir, "0000:3b:00.1");
        expect_below(PCI "/driver_override", "\nfio-pci\n");
        expect_below("sys/bus/pci/drivers_probe", "0000:3b:00.1");
        ck_assert(pci_give_back(NULL, dir, "0000:3b:00.2", NULL));
        remove_below("sys");
}
END_TEST

static void put_function(const char *address, const char *driver)
{
        g_autofree char *place = g_strconcat("sys/bus/pci/devices/", address, "/vendor", NULL);
        g_autofree char *link = g_strdup_printf("%s/sys/bus/pci/devices/%s/driver", dir, address);
        g_autofree char *group = g_strdup_printf("%s/sys/bus/pci/devices/%s/iommu_group", dir, address);
        g_autofree char *member = g_strconcat("sys/kernel/iommu_groups/9/devices/", address, NULL);
        g_autofree char *target = g_strconcat("../../drivers/", driver, NULL);

        put_below(place, "0x8086\n");
        put_below(member, "");
        ck_assert_int_eq(symlink(target, link), 0);
        ck_assert_int_eq(symlink("../../../../kernel/iommu_groups/9", group), 0);
}

START_TEST(a_group_is_had_as_a_whole)
{
        const char *const one[] = { "0000:01:00.0", NULL };
        const char *const all[] = { "0000:01:00.0", "0000:01:00.1", "0000:01:00.2", NULL };
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) group = NULL;

        put_function("0000:01:00.0", "igb");
        put_function("0000:01:00.1", "igb");
        put_function("0000:01:00.2", "snd_hda_intel");
        put_function("0000:01:00.3", "vfio-pci");
        put_function("0000:01:00.4", "pcieport");
        group = pci_list_group(dir, "0000:01:00.0");
        ck_assert_uint_eq(g_strv_length(group), 5);
        ck_assert(!pci_check_group(dir, "0000:01:00.0", one, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "0000:01:00.1 (igb)"));
        ck_assert_ptr_nonnull(strstr(error->message, "0000:01:00.2 (snd_hda_intel)"));
        ck_assert_ptr_null(strstr(error->message, "0000:01:00.3"));
        ck_assert_ptr_null(strstr(error->message, "0000:01:00.4"));
        ck_assert(pci_check_group(dir, "0000:01:00.0", all, NULL));
        remove_below("sys");
}
END_TEST

struct stuck {
        struct lane *lane;
        const char *path;
        GError *error;
        bool begun, ended;
};

static void write_stuck(void *data)
{
        struct stuck *stuck = data;

        stuck->begun = true;
        ck_assert(!sysfs_write(stuck->lane, stuck->path, "1", &stuck->error));
}

static void ended(void *data)
{
        ((struct stuck *)data)->ended = true;
}

static void end_urgently(void *data)
{
        struct stuck *stuck = data;

        loop_post(lane_get_loop(stuck->lane), ended, stuck);
}

/* A file that keeps its writer: nobody waits longer than an urgent job lets him. */
START_TEST(a_driver_that_does_not_let_go)
{
        g_autofree char *path = g_build_filename(dir, "unbind", NULL);
        struct loop *loop = loop_new(NULL);
        struct pool *pool = pool_new(1, NULL);
        struct lane *lane = lane_new(pool, loop, "guest");
        struct stuck stuck = { .lane = lane, .path = path };

        ck_assert_int_eq(mkfifo(path, 0600), 0);
        lane_post(lane, write_stuck, &stuck);
        lane_post_urgent(lane, end_urgently, &stuck);
        while (!stuck.ended)
                loop_step(loop, true);
        ck_assert(stuck.begun && error_is(stuck.error, ERROR_OPERATION_ABORTED));
        g_clear_error(&stuck.error);
        g_remove(path);
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}
END_TEST

START_TEST(what_cannot_be_written_is_named)
{
        struct loop *loop = loop_new(NULL);
        struct pool *pool = pool_new(1, NULL);
        struct lane *lane = lane_new(pool, loop, "guest");
        struct stuck stuck = { .lane = lane, .path = dir };

        lane_post(lane, write_stuck, &stuck);
        lane_post(lane, end_urgently, &stuck);
        while (!stuck.ended)
                loop_step(loop, true);
        ck_assert(error_is(stuck.error, ERROR_SYSTEM_ERROR));
        ck_assert_ptr_nonnull(strstr(stuck.error->message, dir));
        g_clear_error(&stuck.error);
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}
END_TEST

START_TEST(scsi_devices_are_found)
{
        g_autofree char *file = NULL;
        g_autoptr(GError) error = NULL;

        put_below("sys/bus/scsi/devices/2:0:1:4/scsi_generic/sg3/dev", "21:3\n");
        file = scsi_find_generic(dir, "scsi_host2", 0, 1, 4, NULL);
        ck_assert(file && g_str_has_suffix(file, "/dev/sg3"));
        ck_assert_ptr_null(scsi_find_generic(dir, "scsi_host2", 0, 1, 5, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "2:0:1:5"));
        g_clear_error(&error);
        ck_assert_ptr_null(scsi_find_generic(dir, "../2", 0, 1, 4, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "'../2' is no SCSI host"));
        remove_below("sys");
}
END_TEST

CHECK_MAIN_FIXTURE("nodedev", setup, teardown, a_pci_device_changes_its_driver, what_was_begun_is_undone,
                   a_group_is_had_as_a_whole, a_driver_that_does_not_let_go, what_cannot_be_written_is_named,
                   usb_devices_are_found, scsi_devices_are_found)
