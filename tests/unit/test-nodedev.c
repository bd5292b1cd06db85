/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host, below a root of our own.
 */
#include "base/error.h"
#include "nodedev/pci.h"
#include "nodedev/usb.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <string.h>
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
        ck_assert(!pci_detach(dir, name, &error));
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
        ck_assert(!pci_detach(dir, name, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "vfio-pci"));
        expect_below(PCI "/driver_override", "\nfio-pci");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", name);
        expect_below("sys/bus/pci/drivers_probe", name);
        g_remove(driver);
        ck_assert_int_eq(symlink("../../drivers/vfio-pci", driver), 0);
        ck_assert(pci_is_vfio(dir, name));
        put_below("sys/bus/pci/drivers/vfio-pci/unbind", "");
        put_below(PCI "/driver_override", "");
        pci_reattach(dir, name);
        expect_below(PCI "/driver_override", "\n");
        expect_below("sys/bus/pci/drivers/vfio-pci/unbind", name);
        /* What is in other hands is left there. */
        g_remove(driver);
        ck_assert_int_eq(symlink("../../drivers/e1000e", driver), 0);
        put_below("sys/bus/pci/drivers/e1000e/unbind", "");
        put_below(PCI "/driver_override", "left alone");
        pci_reattach(dir, name);
        expect_below(PCI "/driver_override", "left alone");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", "");
        remove_below("sys");
}
END_TEST

START_TEST(usb_devices_are_found)
{
        struct usb_query query = { .vendor = 0x46d, .product = 0xc52b };
        g_autoptr(GPtrArray) by_id = NULL, by_place = NULL, none = NULL;

        put_below("sys/bus/usb/devices/1-1/idVendor", "046d\n");
        put_below("sys/bus/usb/devices/1-1/idProduct", "c52b\n");
        put_below("sys/bus/usb/devices/1-1/busnum", "1\n");
        put_below("sys/bus/usb/devices/1-1/devnum", "12\n");
        put_below("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "03\n");
        by_id = usb_find_files(dir, &query);
        ck_assert_uint_eq(by_id->len, 1);
        ck_assert(g_str_has_suffix(g_ptr_array_index(by_id, 0), "/dev/bus/usb/001/012"));
        query.product = 1;
        none = usb_find_files(dir, &query);
        ck_assert_uint_eq(none->len, 0);
        query.bus = 1;
        query.device = 12;
        by_place = usb_find_files(dir, &query);
        ck_assert_uint_eq(by_place->len, 1);
        remove_below("sys");
}
END_TEST

CHECK_MAIN_FIXTURE("nodedev", setup, teardown, a_pci_device_changes_its_driver, usb_devices_are_found)
