/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Node devices as a client sees them: the inventory in memory, and what this host has. */

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/support/harness.h"

#define NODE_DEVICE_INTERFACE "org.libvirt.NodeDevice"
#define TEST_DEVICES          TEST_PATH "/nodedev/"
#define QEMU_DEVICES          QEMU_PATH "/nodedev/"

static struct harness *harness;
static struct client *client;

/* Links are in the sysfs of their network alone: with a network of its own goes one of its own. */
static void set_up(void)
{
        if (unshare(CLONE_NEWNS) == 0)
                ck_assert(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                          mount("sysfs", "/sys", "sysfs", 0, NULL) == 0);
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static void expect_list(unsigned flags, const char *paths)
{
        g_auto(GStrv) list = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListNodeDevices", flags);
        g_autofree char *is = g_strjoinv(" ", list);

        ck_assert_str_eq(is, paths);
}

START_TEST(test_inventory)
{
        expect_list(0, TEST_DEVICES "computer " TEST_DEVICES "scsi_5fhost1 " TEST_DEVICES
                                    "scsi_5fhost11 " TEST_DEVICES "scsi_5fhost2");
        expect_list(1 << 0, TEST_DEVICES "computer");
        expect_list(1 << 10, TEST_DEVICES "scsi_5fhost1 " TEST_DEVICES "scsi_5fhost2");
        expect_list(1 << 1 | 1 << 8, "");
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x400000) in function *", TEST_PATH,
                     CONNECT_INTERFACE, "ListNodeDevices", "u", 1u << 22);
}
END_TEST

START_TEST(test_properties)
{
        static const char *const names[] = { "Active", "Autostart", "Name", "Persistent" };
        g_autofree char *name =
                client_get_string(client, TEST_DEVICES "scsi_5fhost11", NODE_DEVICE_INTERFACE, "Name");
        g_autofree char *parent =
                client_get_string(client, TEST_DEVICES "scsi_5fhost11", NODE_DEVICE_INTERFACE, "Parent");
        g_autoptr(sd_bus_message) reply =
                client_call(client, TEST_DEVICES "computer", "org.freedesktop.DBus.Properties", "GetAll", "s",
                            NODE_DEVICE_INTERFACE);
        const char *property;

        ck_assert_str_eq(name, "scsi_host11");
        ck_assert_str_eq(parent, "scsi_host1");
        /* The root has no parent, and is shown all the same. */
        client_fails(client, LIBVIRT_ERROR, "internal error: no parent for this device*",
                     TEST_DEVICES "computer", "org.freedesktop.DBus.Properties", "Get", "ss",
                     NODE_DEVICE_INTERFACE, "Parent");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "sv"), 0);
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &property), 0);
                ck_assert_str_eq(property, names[i]);
                ck_assert_int_gt(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_gt(sd_bus_message_exit_container(reply), 0);
        }
        ck_assert_int_eq(sd_bus_message_at_end(reply, false), 1);
}
END_TEST

START_TEST(test_documents)
{
        g_autofree char *xml = client_call_string(client, TEST_DEVICES "scsi_5fhost2", NODE_DEVICE_INTERFACE,
                                                  "GetXMLDesc", "u", 0);
        g_autoptr(sd_bus_message) reply =
                client_call(client, TEST_DEVICES "scsi_5fhost2", NODE_DEVICE_INTERFACE, "ListCaps", "");
        g_auto(GStrv) names = NULL;
        g_autofree char *joined = NULL;

        ck_assert_int_ge(sd_bus_message_read_strv(reply, &names), 0);
        joined = g_strjoinv(" ", names);
        ck_assert_str_eq(joined, "scsi_host fc_host vports");
        ck_assert(strstr(xml, "      <wwpn>1000000056785678</wwpn>\n"));
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1) in function *",
                     TEST_DEVICES "scsi_5fhost2", NODE_DEVICE_INTERFACE, "GetXMLDesc", "u", 1);
}
END_TEST

START_TEST(test_lookups)
{
        g_autofree char *name = client_call_string(client, TEST_PATH, CONNECT_INTERFACE,
                                                   "NodeDeviceLookupByName", "s", "scsi_host2");
        g_autofree char *wwns =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "NodeDeviceLookupSCSIHostByWWN",
                                   "ssu", "2000000034563456", "1000000034563456", 0);

        ck_assert_str_eq(name, TEST_DEVICES "scsi_5fhost2");
        ck_assert_str_eq(wwns, TEST_DEVICES "scsi_5fhost11");
        client_fails(client, LIBVIRT_ERROR, "Node device not found: no node device with matching name 'nix'",
                     TEST_PATH, CONNECT_INTERFACE, "NodeDeviceLookupByName", "s", "nix");
        client_fails(client, LIBVIRT_ERROR, "Node device not found: *", TEST_PATH, CONNECT_INTERFACE,
                     "NodeDeviceLookupSCSIHostByWWN", "ssu", "", "x", 0);
        client_fails(client, LIBVIRT_ERROR, "Node device not found: *'nix'", TEST_DEVICES "nix",
                     NODE_DEVICE_INTERFACE, "ListCaps", "");
        client_fails(client, LIBVIRT_ERROR, "Node device not found: *", TEST_DEVICES "scsi_host2",
                     NODE_DEVICE_INTERFACE, "ListCaps", "");
}
END_TEST

/* All PCI devices of this host are there when the agent is, each under libvirt's name. */
START_TEST(test_this_host)
{
        g_auto(GStrv) list = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListNodeDevices", 1 << 1);
        g_autoptr(GDir) dir = g_dir_open("/sys/bus/pci/devices", 0, NULL);
        unsigned count = 0;
        const char *address;

        while (dir && (address = g_dir_read_name(dir))) {
                g_autofree char *name = g_strdup_printf("pci_%s", address), *path = NULL, *xml = NULL;

                g_strdelimit(name, ":.", '_');
                path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NodeDeviceLookupByName", "s",
                                          name);
                ck_assert(g_strv_contains((const char *const *)list, path));
                xml = client_call_string(client, path, NODE_DEVICE_INTERFACE, "GetXMLDesc", "u", 0);
                ck_assert(strstr(xml, address));
                count++;
        }
        ck_assert_uint_eq(g_strv_length(list), count);
}
END_TEST

/* What cannot change hands is told so, and nothing is done to it. */
START_TEST(test_refused_changes)
{
        static const char *const changes[][2] = { { "ReAttach", "" }, { "Reset", "" } };
        static const char *const not_pci = "invalid argument: device computer is not a PCI device";

        for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
                client_fails(client, LIBVIRT_ERROR, not_pci, QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE,
                             changes[i][0], changes[i][1]);
                client_fails(client, LIBVIRT_ERROR,
                             "this function is not supported by the connection driver: virNodeDevice*",
                             TEST_DEVICES "computer", NODE_DEVICE_INTERFACE, changes[i][0], changes[i][1]);
        }
        client_fails(client, LIBVIRT_ERROR, not_pci, QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE, "Detach",
                     "su", "", 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: unknown driver name 'xen'",
                     QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE, "Detach", "su", "xen", 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1) in function *", QEMU_DEVICES "computer",
                     NODE_DEVICE_INTERFACE, "Detach", "su", "vfio", 1);
}
END_TEST

/* What is no mediated device comes by itself, and has no definition. */
START_TEST(test_definitions)
{
        static const char *const xml = "<device><parent>computer</parent><capability type='mdev'>"
                                       "<type id='x'/></capability></device>";
        static const char *const properties[] = { "Active", "Autostart", "Persistent" };
        static const char *const not_mdev =
                "unsupported configuration: node device 'computer' is not a mediated device";

        for (unsigned i = 0; i < G_N_ELEMENTS(properties); i++)
                ck_assert(client_get_bool(client, QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE,
                                          properties[i]));
        client_fails(client, LIBVIRT_ERROR, "*computer is not capable of mediated devices", QEMU_PATH,
                     CONNECT_INTERFACE, "NodeDeviceDefineXML", "su", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x2) in function *", QEMU_PATH,
                     CONNECT_INTERFACE, "NodeDeviceDefineXML", "su", xml, 2);
        client_fails(client, LIBVIRT_ERROR, "*not supported by the connection driver: virNodeDeviceDefineXML",
                     TEST_PATH, CONNECT_INTERFACE, "NodeDeviceDefineXML", "su", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "*node device 'computer' is active already",
                     QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE, "Create", "u", 0);
        client_fails(client, LIBVIRT_ERROR, not_mdev, QEMU_DEVICES "computer", NODE_DEVICE_INTERFACE,
                     "Undefine", "u", 0);
        client_fails(client, LIBVIRT_ERROR, not_mdev, QEMU_DEVICES "computer",
                     "org.freedesktop.DBus.Properties", "Set", "ssv", NODE_DEVICE_INTERFACE, "Autostart", "b",
                     true);
}
END_TEST

struct lifecycle {
        const char *element; /* that the path has */
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct lifecycle *wanted = data;
        const char *path;
        int event, detail;

        ck_assert_int_gt(sd_bus_message_read(message, "oii", &path, &event, &detail), 0);
        return strstr(path, wanted->element) && event == wanted->event && detail == 0;
}

#define VHBA(parent, wwnn, wwpn)                                                                             \
        "<device>" parent "<capability type='scsi_host'><capability type='fc_host'><wwnn>" wwnn              \
        "</wwnn><wwpn>" wwpn "</wwpn></capability></capability></device>"

static void create_fails(const char *connect, const char *text, const char *xml)
{
        client_fails(client, LIBVIRT_ERROR, text, connect, CONNECT_INTERFACE, "NodeDeviceCreateXML", "su",
                     xml, 0);
}

START_TEST(test_virtual_adapter)
{
        static const char *const xml =
                VHBA("<parent>scsi_host1</parent>", "2000000012345678", "1000000012345678");
        g_autofree char *path =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "NodeDeviceCreateXML", "su", xml, 0);
        g_autofree char *text = client_call_string(client, path, NODE_DEVICE_INTERFACE, "GetXMLDesc", "u", 0);
        const struct lifecycle created = { "/nodedev/scsi_5fhost12", 0 },
                               deleted = { "/nodedev/scsi_5fhost12", 1 };

        ck_assert_str_eq(path, TEST_DEVICES "scsi_5fhost12");
        ck_assert(strstr(text, "<parent>scsi_host1</parent>") &&
                  strstr(text, "<wwpn>1000000012345678</wwpn>") &&
                  strstr(text, "<fabric_wwn>2000000043214321</fabric_wwn>"));
        sd_bus_message_unref(client_wait_signal(client, TEST_PATH, CONNECT_INTERFACE, "NodeDeviceEvent",
                                                match_event, &created));
        create_fails(TEST_PATH, "*node device 'scsi_host12' has these wwnn and wwpn already", xml);
        client_do(client, path, NODE_DEVICE_INTERFACE, "Destroy", "");
        sd_bus_message_unref(client_wait_signal(client, TEST_PATH, CONNECT_INTERFACE, "NodeDeviceEvent",
                                                match_event, &deleted));
        client_fails(client, LIBVIRT_ERROR, "Node device not found: *", path, NODE_DEVICE_INTERFACE,
                     "Destroy", "");
        client_fails(client, LIBVIRT_ERROR, "*'scsi_host1' is neither a virtual adapter nor *",
                     TEST_DEVICES "scsi_5fhost1", NODE_DEVICE_INTERFACE, "Destroy", "");
        client_do(client, TEST_DEVICES "scsi_5fhost11", NODE_DEVICE_INTERFACE, "Destroy", "");
}
END_TEST

START_TEST(test_refused_documents)
{
        static const char *const connections[] = { TEST_PATH, QEMU_PATH };

        for (unsigned i = 0; i < G_N_ELEMENTS(connections); i++) {
                const char *connect = connections[i];

                create_fails(connect, "*could not find parent device*",
                             VHBA("<parent>nix</parent>", "2000000012345678", "1000000012345678"));
                create_fails(connect, "*parent device computer is not capable of vport operations",
                             VHBA("<parent>computer</parent>", "2000000012345678", "1000000012345678"));
                create_fails(connect, "XML error: malformed wwn 'zz' of wwpn*",
                             VHBA("", "2000000012345678", "zz"));
                create_fails(connect, "XML error: no wwnn supplied*",
                             "<device><capability type='scsi_host'><capability "
                             "type='fc_host'/></capability></device>");
                create_fails(connect, "*device is not a fibre channel HBA",
                             "<device><capability type='scsi_host'/></device>");
                create_fails(connect, "unsupported configuration: devices of the type 'net' cannot be made",
                             "<device><capability type='net'/></device>");
                create_fails(connect, "XML error: no device capabilities*", "<device/>");
                create_fails(connect, "*parent device computer is not capable of mediated devices",
                             "<device><parent>computer</parent><capability type='mdev'><type "
                             "id='x'/></capability></device>");
                create_fails(connect, "XML error: invalid type id '../x'*",
                             "<device><parent>computer</parent><capability type='mdev'><type "
                             "id='../x'/></capability></device>");
        }
}
END_TEST

/* A tap of our own in this host, which goes when it is closed; -1: this host lets us have none. */
static int make_tap(struct ifreq *request)
{
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        *request = (struct ifreq){ .ifr_flags = IFF_TAP | IFF_NO_PI };
        g_snprintf(request->ifr_name, sizeof(request->ifr_name), "vbt%d", (int)getpid());
        if (fd >= 0 && ioctl(fd, TUNSETIFF, request) == 0)
                return fd;
        if (fd >= 0)
                close(fd);
        return -1;
}

static bool match_path(sd_bus_message *message, const void *data)
{
        const char *path;

        ck_assert_int_gt(sd_bus_message_read(message, "o", &path), 0);
        return strstr(path, data) != NULL;
}

static void expect_event(const struct lifecycle *wanted, const char *manager_signal)
{
        g_autoptr(sd_bus_message) event = client_wait_signal(client, QEMU_PATH, CONNECT_INTERFACE,
                                                             "NodeDeviceEvent", match_event, wanted);
        g_autoptr(sd_bus_message) signal =
                client_wait_signal(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager", manager_signal,
                                   match_path, wanted->element);

        ck_assert(event && signal);
}

START_TEST(test_coming_and_going)
{
        struct ifreq request;
        int fd = make_tap(&request);
        g_autofree char *element = g_strdup_printf("/nodedev/net_5f%s_5f", request.ifr_name);
        const struct lifecycle created = { element, 0 }, deleted = { element, 1 };

        if (fd < 0) {
                harness_skip("no tap can be made here");
                return;
        }
        expect_event(&created, "InterfacesAdded");
        close(fd);
        expect_event(&deleted, "InterfacesRemoved");
        ck_assert_uint_eq(client_count_signals(client, TEST_PATH, CONNECT_INTERFACE, "NodeDeviceEvent"), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("node-devices");
        TCase *tcase = tcase_create("node-devices");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_inventory);
        tcase_add_test(tcase, test_properties);
        tcase_add_test(tcase, test_documents);
        tcase_add_test(tcase, test_lookups);
        tcase_add_test(tcase, test_this_host);
        tcase_add_test(tcase, test_refused_changes);
        tcase_add_test(tcase, test_definitions);
        tcase_add_test(tcase, test_virtual_adapter);
        tcase_add_test(tcase, test_refused_documents);
        tcase_add_test(tcase, test_coming_and_going);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
