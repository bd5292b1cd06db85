/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of the host in guests, for real: the lab has an IOMMU, PCI functions to spare (two of them in one
 * group), and USB devices that come and go through its own monitor. tests/lab/hardware says which. Guests are
 * without an operating system: a lab without KVM would take minutes to boot one.
 */

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lab/hostdev-fixture.h"

#define NODE_DEVICE_INTERFACE "org.libvirt.NodeDevice"
#define NODE_DEVICES          "/org/libvirt/QEMU/nodedev/"

/* See tests/lab/hardware. */
#define ALONE  "0000:00:06.0"
#define LEFT   "0000:00:05.0"
#define RIGHT  "0000:00:05.1"
#define DRIVER "nvme"

/* ---- PCI devices ---- */

static char *pci_xml(const char *address, const char *managed)
{
        unsigned domain, bus, slot, function;

        ck_assert_int_eq(sscanf(address, "%x:%x:%x.%u", &domain, &bus, &slot, &function), 4);
        return g_strdup_printf("<hostdev mode='subsystem' type='pci' managed='%s'><source><address "
                               "domain='%u' bus='%u' slot='%u' function='%u'/></source></hostdev>",
                               managed, domain, bus, slot, function);
}

static char *driver_of(const char *address)
{
        g_autofree char *link = g_strdup_printf("/sys/bus/pci/devices/%s/driver", address);
        g_autofree char *target = g_file_read_link(link, NULL);

        return target ? g_path_get_basename(target) : g_strdup("none");
}

static void expect_driver(const char *address, const char *driver)
{
        g_autofree char *is = driver_of(address);

        ck_assert_str_eq(is, driver);
}

static void expect_override(const char *address, const char *override)
{
        g_autofree char *path = g_strdup_printf("/sys/bus/pci/devices/%s/driver_override", address);
        g_autofree char *is = NULL;

        ck_assert(g_file_get_contents(path, &is, NULL, NULL));
        ck_assert_str_eq(g_strstrip(is), override);
}

static char *nvme_xml(const char *target)
{
        return g_strdup_printf("<disk type='nvme' device='disk'><driver name='qemu' type='raw'/>"
                               "<source type='pci' managed='yes' namespace='1'>"
                               "<address domain='0' bus='0' slot='6' function='0'/></source>"
                               "<target dev='%s' bus='virtio'/></disk>",
                               target);
}

static char *group_file(const char *address)
{
        g_autofree char *link = g_strdup_printf("/sys/bus/pci/devices/%s/iommu_group", address);
        g_autofree char *target = g_file_read_link(link, NULL), *number = NULL;

        ck_assert_ptr_nonnull(target);
        number = g_path_get_basename(target);
        return g_build_filename("/dev/vfio", number, NULL);
}

static char *node_of(const char *address)
{
        g_autofree char *name = g_strdelimit(g_strconcat("pci_", address, NULL), ":.", '_');

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NodeDeviceLookupByName", "s", name);
}

static void node_do(const char *address, const char *member)
{
        g_autofree char *path = node_of(address);

        if (strcmp(member, "Detach") == 0)
                client_do(client, path, NODE_DEVICE_INTERFACE, member, "su", "", 0);
        else
                client_do(client, path, NODE_DEVICE_INTERFACE, member, "");
}

static void node_refuse(const char *address, const char *member, const char *why)
{
        g_autofree char *path = node_of(address);

        if (strcmp(member, "Detach") == 0)
                client_fails(client, LIBVIRT_ERROR, why, path, NODE_DEVICE_INTERFACE, member, "su", "", 0);
        else
                client_fails(client, LIBVIRT_ERROR, why, path, NODE_DEVICE_INTERFACE, member, "");
}

/* What it is for the guest's time, and that nobody else gets it meanwhile. */
START_TEST(test_managed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *group = group_file(ALONE);
        g_autofree char *web = define("web", xml), *db = define("db", xml);

        expect_driver(ALONE, DRIVER);
        for (unsigned i = 0; i < 2; i++) {
                create(web);
                expect_driver(ALONE, "vfio-pci");
                ck_assert(holds("web", group));
                expect_guest_user("web");
                expect_owner(group, GUESTS);
                refuse_create(db, "*PCI device " ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "Detach", "*" ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "ReAttach", "*" ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "Reset", "*" ALONE " is in use by domain 'web'*");
                destroy(web);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
        }
        create(db);
        destroy(db);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* The controller's first namespace as a disk that QEMU drives itself, at the start and while the guest runs.
 */
START_TEST(test_nvme_disk)
{
        g_autofree char *disk = nvme_xml("vda"), *pci = pci_xml(ALONE, "yes"), *group = group_file(ALONE);
        g_autofree char *web = define("web", disk), *db = define("db", pci), *bare = define("bare", "");

        create(bare);
        attach(bare, disk, LIVE);
        expect_driver(ALONE, "vfio-pci");
        ck_assert(holds("bare", group));
        expect_owner(group, GUESTS);
        refuse_create(db, "*PCI device " ALONE " is in use by domain 'bare'*");
        end_agent();
        harness_start_agent(harness);
        refuse_create(web, "*PCI device " ALONE " is in use by domain 'bare'*");
        destroy(bare);
        expect_driver(ALONE, DRIVER);
        create(web);
        ck_assert(holds("web", group));
        destroy(web);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* The user is who detaches it and gives it back. */
START_TEST(test_unmanaged)
{
        g_autofree char *xml = pci_xml(ALONE, "no"), *path = define("web", xml), *group = group_file(ALONE);
        pid_t pid;

        refuse_create(path, "*" ALONE " is in use by its host (driver " DRIVER ")*managed='yes'*");
        expect_driver(ALONE, DRIVER);
        node_do(ALONE, "Detach");
        expect_driver(ALONE, "vfio-pci");
        expect_owner(group, "root");
        create(path);
        expect_owner(group, GUESTS);
        node_refuse(ALONE, "ReAttach", "*in use by domain 'web'*");
        destroy(path);
        expect_driver(ALONE, "vfio-pci");
        expect_owner(group, "root");
        /* Nor does it stay the guests' when one ends while nobody looks. */
        create(path);
        pid = harness_find_guest(harness, "web");
        end_agent();
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        expect_owner(group, GUESTS);
        harness_start_agent(harness);
        expect_owner(group, "root");
        node_do(ALONE, "Reset");
        node_do(ALONE, "ReAttach");
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* All of a group is one guest's. */
START_TEST(test_group)
{
        g_autofree char *left = pci_xml(LEFT, "yes"), *right = pci_xml(RIGHT, "yes");
        g_autofree char *both = g_strconcat(left, right, NULL), *other_xml = pci_xml(RIGHT, "no");
        g_autofree char *one = define("one", left), *two = define("two", both), *other = NULL;

        refuse_create(one, "*" LEFT " cannot be a guest's*" RIGHT " (" DRIVER ")*");
        expect_driver(LEFT, DRIVER);
        create(two);
        expect_driver(LEFT, "vfio-pci");
        expect_driver(RIGHT, "vfio-pci");
        destroy(two);
        expect_driver(LEFT, DRIVER);
        expect_driver(RIGHT, DRIVER);
        node_do(RIGHT, "Detach");
        create(one);
        other = define("other", other_xml);
        refuse_create(other,
                      "*" RIGHT " is in one IOMMU group with " LEFT ", which is in use by domain 'one'*");
        node_refuse(RIGHT, "ReAttach", "*in one IOMMU group with " LEFT "*domain 'one'*");
        destroy(one);
        node_do(RIGHT, "ReAttach");
        expect_driver(LEFT, DRIVER);
        expect_driver(RIGHT, DRIVER);
}
END_TEST

/* What a start cannot have, it gives back: here for want of another device. */
START_TEST(test_failed_start)
{
        g_autofree char *pci = pci_xml(ALONE, "yes"), *path = NULL;
        g_autofree char *devices = g_strconcat(
                pci, "<disk type='file'><source file='/nonexistent/x.img'/><target dev='vda'/></disk>", NULL);

        path = define("web", devices);
        refuse_create(path, "*/nonexistent/x.img*");
        expect_driver(ALONE, DRIVER);
        expect_override(ALONE, "(null)");
}
END_TEST

/* A guest that ends while nobody looks; and one that does not. */
START_TEST(test_agent_killed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml), *other = define("db", xml);
        pid_t pid;

        create(path);
        end_agent();
        harness_start_agent(harness);
        expect_driver(ALONE, "vfio-pci");
        node_refuse(ALONE, "ReAttach", "*" ALONE " is in use by domain 'web'*");
        refuse_create(other, "*" ALONE " is in use by domain 'web'*");
        destroy(path);
        expect_driver(ALONE, DRIVER);
        create(path);
        pid = harness_find_guest(harness, "web");
        end_agent();
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        expect_driver(ALONE, DRIVER);
        expect_override(ALONE, "(null)");
        create(other);
        destroy(other);
}
END_TEST

START_TEST(test_guest_killed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml), *other = define("db", xml);

        create(path);
        kill(harness_find_guest(harness, "web"), SIGKILL);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_FAILED);
        expect_driver(ALONE, DRIVER);
        create(other);
        destroy(other);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* ---- an agent that is killed on the way ---- */

static bool has_override(void)
{
        g_autofree char *text = NULL;

        return g_file_get_contents("/sys/bus/pci/devices/" ALONE "/driver_override", &text, NULL, NULL) &&
               g_str_has_prefix(text, "vfio-pci");
}

static bool has_no_driver(void)
{
        g_autofree char *driver = driver_of(ALONE);

        return strcmp(driver, DRIVER) != 0;
}

static bool has_vfio(void)
{
        g_autofree char *driver = driver_of(ALONE);

        return strcmp(driver, "vfio-pci") == 0;
}

static bool has_guest(void)
{
        return harness_find_guest(harness, "web") > 0;
}

static bool has_group_open(void)
{
        g_autofree char *group = group_file(ALONE);

        return has_guest() && holds("web", group);
}

static bool has_no_guest(void *data)
{
        return !has_guest();
}

/* Whatever had been done by then: the next agent undoes it, or has the guest. */
START_TEST(test_killed_on_the_way)
{
        static bool (*const moments[])(void) = { has_override, has_no_driver, has_vfio, has_guest,
                                                 has_group_open };
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml);

        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++) {
                struct client_answer answer = { 0 };

                client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
                client_process(client);
                /* Not a pause in between: the moment is over soon. */
                while (!moments[i]() && !answer.done)
                        client_process(client);
                end_agent();
                g_free(answer.error);
                harness_start_agent(harness);
                if (client_get_bool(client, path, DOMAIN_INTERFACE, "Active"))
                        destroy(path);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
                harness_wait_until(has_no_guest, NULL, "no emulator is left");
        }
        create(path);
        destroy(path);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* The guest has it and the document says so, or both do not. */
static bool is_settled(void *path)
{
        g_autofree char *group = group_file(ALONE), *driver = driver_of(ALONE);

        if (has(path, 0, "<hostdev "))
                return holds("web", group);
        return strcmp(driver, DRIVER) == 0 && !has_override();
}

START_TEST(test_killed_while_plugging)
{
        static bool (*const moments[])(void) = { has_override, has_no_driver, has_vfio, has_group_open };
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", "");

        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++) {
                struct client_answer answer = { 0 };

                create(path);
                client_send(client, &answer, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
                client_process(client);
                while (!moments[i]() && !answer.done)
                        client_process(client);
                end_agent();
                g_free(answer.error);
                harness_start_agent(harness);
                harness_wait_until(is_settled, path, "guest and document say the same");
                destroy(path);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
        }
}
END_TEST

/* It comes to a guest that runs, which is reset to let go of it: nobody there answers. */
START_TEST(test_hot_pci)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", ""), *other = define("db", xml);
        g_autofree char *left = pci_xml(LEFT, "yes"), *group = group_file(ALONE);

        create(path);
        client_fails(client, LIBVIRT_ERROR, "*" RIGHT " (" DRIVER ")*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", left, LIVE);
        ck_assert(!has(path, 0, "<hostdev "));
        attach(path, xml, LIVE | CONFIG);
        guest_wait_device(client, path, "DeviceAdded", "hostdev0");
        expect_driver(ALONE, "vfio-pci");
        ck_assert(holds("web", group));
        expect_owner(group, GUESTS);
        ck_assert(has(path, 0, "<alias name='hostdev0'/>") && has(path, 2, "<hostdev "));
        refuse_create(other, "*" ALONE " is in use by domain 'web'*");
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        detach(path, xml, LIVE | CONFIG);
        ck_assert(!has(path, 2, "<hostdev "));
        expect_driver(ALONE, "vfio-pci");
        end_agent();
        harness_start_agent(harness);
        guest_do_flags(client, path, "Reset", 0);
        guest_wait_device(client, path, "DeviceRemoved", "hostdev0");
        expect_driver(ALONE, DRIVER);
        ck_assert(!has(path, 0, "<hostdev "));
        create(other);
        destroy(other);
}
END_TEST

/* A group that the emulator has open can be opened by nobody else; it goes back to its owner all the same. */
START_TEST(test_hot_unmanaged)
{
        g_autofree char *left = pci_xml(LEFT, "no"), *right = pci_xml(RIGHT, "no"), *group = group_file(LEFT);
        g_autofree char *path = define("web", left);

        node_do(LEFT, "Detach");
        node_do(RIGHT, "Detach");
        create(path);
        expect_owner(group, GUESTS);
        attach(path, right, LIVE);
        guest_wait_device(client, path, "DeviceAdded", "hostdev1");
        /* One of the two is still there, and keeps the group. */
        detach(path, left, LIVE);
        guest_do_flags(client, path, "Reset", 0);
        guest_wait_device(client, path, "DeviceRemoved", "hostdev0");
        expect_owner(group, GUESTS);
        detach(path, right, LIVE);
        guest_do_flags(client, path, "Reset", 0);
        guest_wait_device(client, path, "DeviceRemoved", "hostdev1");
        expect_owner(group, "root");
        destroy(path);
        node_do(LEFT, "ReAttach");
        node_do(RIGHT, "ReAttach");
        expect_driver(LEFT, DRIVER);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("hostdev");
        TCase *tcase = tcase_create("hostdev");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_managed);
        tcase_add_test(tcase, test_nvme_disk);
        tcase_add_test(tcase, test_unmanaged);
        tcase_add_test(tcase, test_group);
        tcase_add_test(tcase, test_failed_start);
        tcase_add_test(tcase, test_agent_killed);
        tcase_add_test(tcase, test_guest_killed);
        tcase_add_test(tcase, test_killed_on_the_way);
        tcase_add_test(tcase, test_killed_while_plugging);
        tcase_add_test(tcase, test_hot_pci);
        tcase_add_test(tcase, test_hot_unmanaged);
        add_bus_tests(tcase);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
