/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that change hands between their host and its guests, and devices that are made. */
#include "tests/unit/node-devices-fixture.h"

#include "nodedev/device-use.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FC_HOST "/sys/devices/pci0000:00/0000:00:03.0/host3"
#define NIC     "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"

/* ---- changing hands ---- */

/* What the kernel would do in between is done before: the driver is vfio-pci. */
static void set_driver(const char *driver)
{
        g_autofree char *link = host_path(NIC "/driver");
        g_autofree char *target = g_strconcat("../../../../bus/pci/drivers/", driver, NULL);

        g_unlink(link);
        ck_assert_int_eq(symlink(target, link), 0);
}

static void set_up_vfio(void)
{
        put_file("/sys/bus/pci/drivers/vfio-pci/unbind", "");
        put_file("/sys/bus/pci/drivers/igb/unbind", "");
        put_file("/sys/bus/pci/drivers_probe", "");
        put_file(NIC "/driver_override", "");
}

static void detach(const char *name, struct outcome *outcome)
{
        node_device_detach(devices, find_device(name), "", 0, take_outcome, outcome);
}

START_TEST(test_detach_and_reattach)
{
        struct outcome outcome = { 0 };

        set_up_vfio();
        set_driver("vfio-pci");
        detach("pci_0000_01_00_0", &outcome);
        expect_success(&outcome);
        expect_file(NIC "/driver_override", "vfio-pci");
        expect_file("/sys/bus/pci/drivers_probe", "0000:01:00.0");
        /* Whoever is answered reads it. */
        ck_assert(strstr(find_device("pci_0000_01_00_0")->xml, "<name>vfio-pci</name>"));
        put_file(NIC "/driver_override", "");
        node_device_reattach(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_success(&outcome);
        expect_file(NIC "/driver_override", "\n");
}
END_TEST

/* The kernel does not do what is asked of it: nothing stays half done. */
START_TEST(test_detach_fails)
{
        struct outcome outcome = { 0 };

        set_up_vfio();
        detach("pci_0000_01_00_0", &outcome);
        expect_failure(&outcome, ERROR_OPERATION_FAILED, "PCI device 0000:01:00.0 is not taken by vfio-pci");
        expect_file(NIC "/driver_override", "\nfio-pci");
        /* Without a group no guest can have it. */
        detach("pci_0000_00_17_0", &outcome);
        expect_failure(&outcome, ERROR_CONFIG_UNSUPPORTED, "0000:00:17.0 is not in an IOMMU group");
        detach("usb_1_5", &outcome);
        expect_failure(&outcome, ERROR_INVALID_ARG, "device usb_1_5 is not a PCI device");
}
END_TEST

START_TEST(test_reset)
{
        struct outcome outcome = { 0 };

        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by its host (driver igb)");
        set_driver("vfio-pci");
        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_INTERNAL_ERROR, "no FLR, PM reset or bus reset available");
        put_file(NIC "/reset", "");
        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_success(&outcome);
        expect_file(NIC "/reset", "1");
}
END_TEST

static struct device_use *use(const char *pci, const char *user)
{
        return device_use_new(devices, DEVICE_USE_PCI, pci, user);
}

static void turn(void)
{
        while (loop_step(loop, false))
                ;
}

START_TEST(test_guests_keep_what_they_have)
{
        struct device_use *own = use("0000:01:00.0", "domain 'web'"), *other;
        struct outcome outcome = { 0 };

        set_up_vfio();
        set_driver("vfio-pci");
        ck_assert(device_use_take(own, NULL));
        ck_assert_str_eq(device_use_find_user(devices, DEVICE_USE_PCI, "0000:01:00.0"), "domain 'web'");
        detach("pci_0000_01_00_0", &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "0000:01:00.0 is in use by domain 'web'");
        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by domain 'web'");
        node_device_reattach(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "in use by domain 'web'");
        expect_file(NIC "/driver_override", "");
        device_use_give_back(own);
        turn();
        ck_assert_ptr_null(device_use_find_user(devices, DEVICE_USE_PCI, "0000:01:00.0"));
        other = use("0000:01:00.1", "domain 'web'");
        ck_assert(device_use_take(other, NULL));
        node_device_reattach(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(
                &outcome, ERROR_OPERATION_INVALID,
                "0000:01:00.0 is in one IOMMU group with 0000:01:00.1, which is in use by domain 'web'");
        detach("pci_0000_01_00_0", &outcome);
        expect_success(&outcome);
        device_use_give_back(other);
        turn();
}
END_TEST

/* What is on its way from or to the host is nobody's, and of a group there is one user. */
START_TEST(test_one_user_at_a_time)
{
        struct device_use *web = use("0000:01:00.0", "domain 'web'"),
                          *again = use("0000:01:00.0", "domain 'db'");
        struct device_use *usb[] = { device_use_new(devices, DEVICE_USE_USB, "001:004", "domain 'web'"),
                                     device_use_new(devices, DEVICE_USE_USB, "001:004", "domain 'db'") };
        struct device_use *scsi[] = { device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'web'"),
                                      device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'db'"),
                                      device_use_new(devices, DEVICE_USE_SCSI, "2:0:0:1", "domain 'ldap'") };
        struct outcome outcome = { 0 };
        g_autoptr(GError) error = NULL;

        set_up_vfio();
        set_driver("vfio-pci");
        node_device_detach(devices, find_device("pci_0000_01_00_0"), "", 0, take_outcome, &outcome);
        ck_assert(!device_use_take(web, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "0000:01:00.0 is being detached"));
        g_clear_error(&error);
        expect_success(&outcome);
        ck_assert(device_use_take(web, NULL));
        ck_assert(!device_use_take(again, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "PCI device 0000:01:00.0 is in use by domain 'web'"));
        g_clear_error(&error);
        ck_assert(device_use_take(usb[0], NULL));
        ck_assert(!device_use_take(usb[1], &error));
        ck_assert_ptr_nonnull(strstr(error->message, "USB device 001:004 is in use by domain 'web'"));
        g_clear_error(&error);
        device_use_set_shared(scsi[0]);
        device_use_set_shared(scsi[1]);
        ck_assert(device_use_take(scsi[0], NULL) && device_use_take(scsi[1], NULL));
        ck_assert(!device_use_take(scsi[2], NULL));
        device_use_give_back(web);
        device_use_give_back(scsi[0]);
        turn();
        ck_assert(device_use_take(again, NULL));
        ck_assert(!device_use_take(scsi[2], NULL));
        device_use_give_back(again);
        device_use_give_back(scsi[1]);
        turn();
        ck_assert(device_use_take(scsi[2], NULL));
        device_use_free(usb[1]);
        device_use_give_back(scsi[2]);
        device_use_give_back(usb[0]);
        turn();
}
END_TEST

/* A file of sysfs whose writers wait until somebody reads. Returns its other end. */
static int make_stuck_file(const char *path)
{
        static const char filling[65536];
        g_autofree char *fifo = host_path(path);
        int fd;

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        while (write(fd, filling, sizeof(filling)) > 0)
                ;
        return fd;
}

/* A driver that does not let go: its caller is told in time, other devices go on, and so does this one then.
 */
START_TEST(test_a_driver_that_hangs)
{
        struct outcome outcome = { 0 }, behind = { 0 };
        g_autofree char *xml = NULL;
        int fd = make_stuck_file(NIC "/reset");
        char buffer[65536];

        set_driver("vfio-pci");
        devices->change_ms = 100;
        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_TIMEOUT, "PCI device 0000:01:00.0 is not reset yet");
        devices->change_ms = NODE_DEVICE_CHANGE_MS;
        node_device_reset(devices, find_device("pci_0000_00_17_0"), take_outcome, &outcome);
        expect_failure(&outcome, ERROR_OPERATION_INVALID, "driver ahci");
        xml = get_device_xml("pci_0000_01_00_0");
        ck_assert_ptr_nonnull(xml);
        node_device_reset(devices, find_device("pci_0000_01_00_0"), take_outcome, &behind);
        ck_assert_int_gt(read(fd, buffer, sizeof(buffer)), 0);
        expect_success(&behind);
        close(fd);
}
END_TEST

/* ---- making ---- */

#define VHBA                                                                                                 \
        "<device><parent%s/><capability type='scsi_host'><capability type='fc_host'>"                        \
        "<wwnn>20000000000000aa</wwnn><wwpn>20000000000000BB</wwpn></capability></capability></device>"

/* The kernel's part: the port that was asked for comes up. */
START_TEST(test_virtual_adapter)
{
        g_autofree char *by_names = g_strdup_printf(VHBA, " wwnn='20000024ff2b4e5f' wwpn='21000024ff2b4e5f'");
        g_autofree char *classes = host_path("/sys/class/fc_host/host8");
        struct outcome outcome = { 0 };
        struct outcome made = { 0 };

        g_autofree char *parent = host_path("/sys/class/fc_host/host3");

        put_file(FC_HOST "/fc_host/host3/vport_create", "");
        put_file(FC_HOST "/fc_host/host3/vport_delete", "");
        put_file("/sys/class/fc_host/host8/node_name", "");
        ck_assert_int_eq(symlink("../../devices/pci0000:00/0000:00:03.0/host3/fc_host/host3", parent), 0);
        node_device_create_xml(devices, by_names, 0, take_device, &made);
        while (loop_step(loop, false))
                ;
        umockdev_testbed_add_from_string(
                testbed,
                "P: /devices/pci0000:00/0000:00:03.0/host3/vport-3:0-0/host8\nE: SUBSYSTEM=scsi\n"
                "E: DEVTYPE=scsi_host\nA: fc_host/host8/node_name=0x20000000000000aa\n"
                "A: fc_host/host8/port_name=0x20000000000000bb\n",
                NULL);
        put_file("/sys/class/fc_host/host8/port_name", "0x20000000000000bb\n");
        put_file("/sys/class/fc_host/host8/node_name", "0x20000000000000aa\n");
        g_autofree char *link = g_build_filename(classes, "device", NULL);

        ck_assert_int_eq(symlink("../../../devices/pci0000:00/0000:00:03.0/host3/vport-3:0-0/host8", link),
                         0);
        expect_made(&made, "scsi_host8");
        ck_assert_str_eq(find_device("scsi_host8")->parent, "scsi_host3");
        expect_file(FC_HOST "/fc_host/host3/vport_create", "20000000000000BB:20000000000000aa");
        node_device_destroy(devices, find_device("scsi_host8"), take_outcome, &outcome);
        umockdev_testbed_remove_device(testbed, FC_HOST "/vport-3:0-0/host8");
        expect_success(&outcome);
        expect_file(FC_HOST "/fc_host/host3/vport_delete", "20000000000000bb:20000000000000aa");
        ck_assert_ptr_null(node_device_lookup_name(devices, "scsi_host8", NULL));
}
END_TEST

/* The file is gone when there are no instances left, or says so. */
START_TEST(test_mediated_device_fails)
{
        struct outcome made = { 0 };

        node_device_create_xml(
                devices,
                "<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type id='nix'/>"
                "</capability></device>",
                0, take_device, &made);
        expect_failure(&made, ERROR_SYSTEM_ERROR, "mdev_supported_types/nix/create");
}
END_TEST

CHECK_MAIN_FIXTURE("node-device-use", set_up_devices, tear_down_devices, test_detach_and_reattach,
                   test_detach_fails, test_one_user_at_a_time, test_reset, test_guests_keep_what_they_have,
                   test_a_driver_that_hangs, test_virtual_adapter, test_mediated_device_fails)
