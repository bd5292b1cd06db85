/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's interfaces as a client sees them, in a network namespace of the test's own; and the one in
 * memory. What others do to links is done by ip(8).
 */
#include "tests/support/harness.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define INTERFACE_INTERFACE "org.libvirt.Interface"

enum event { DEFINED, UNDEFINED, STARTED, STOPPED };

static struct harness *harness;
static struct client *client;

static void ip(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);

        ck_assert_msg(system(command) == 0, "%s", command);
}

static void set_up(void)
{
        if (unshare(CLONE_NEWNET) < 0)
                ck_assert_int_eq(unshare(CLONE_NEWUSER | CLONE_NEWNET), 0);
        ip("link add eth0 type veth peer name peer0");
        ip("link add eth1 type veth peer name peer1");
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static char *find(const char *connect, const char *name)
{
        return client_call_string(client, connect, CONNECT_INTERFACE, "InterfaceLookupByName", "s", name);
}

struct wanted {
        const char *interface;
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct wanted *wanted = data;
        const char *interface;
        int event, detail;

        return sd_bus_message_read(message, "oii", &interface, &event, &detail) > 0 &&
               strcmp(interface, wanted->interface) == 0 && event == wanted->event && detail == 0;
}

static void wait_event(const char *connect, const char *interface, enum event event)
{
        const struct wanted wanted = { interface, (int)event };

        sd_bus_message_unref(client_wait_signal(client, connect, CONNECT_INTERFACE, "InterfaceEvent",
                                                match_event, &wanted));
}

static unsigned count(const char *connect, unsigned flags)
{
        g_auto(GStrv) list = client_list(client, connect, CONNECT_INTERFACE, "ListInterfaces", flags);

        return g_strv_length(list);
}

static char *define(const char *connect, const char *xml)
{
        return client_call_string(client, connect, CONNECT_INTERFACE, "InterfaceDefineXML", "su", xml, 0);
}

static void act(const char *interface, const char *member)
{
        client_do(client, interface, INTERFACE_INTERFACE, member, "u", 0);
}

static void transact(const char *connect, const char *member)
{
        client_do(client, connect, CONNECT_INTERFACE, member, "u", 0);
}

#define MAY_CHANGE_THE_HOST                                                                                  \
        do {                                                                                                 \
                if (getuid() != 0) {                                                                         \
                        harness_skip("needs root: others only look at the host's interfaces");               \
                        return;                                                                              \
                }                                                                                            \
        } while (0)

START_TEST(test_links_of_the_host)
{
        g_autofree char *eth0 = find(QEMU_PATH, "eth0"), *mac = NULL, *name = NULL, *by_mac = NULL,
                        *xml = NULL;
        g_autofree char *path = NULL;

        ck_assert_uint_eq(count(QEMU_PATH, 0), 5);
        ck_assert_uint_eq(count(QEMU_PATH, 1), 5);
        ck_assert_uint_eq(count(QEMU_PATH, 2), 0);
        mac = client_get_string(client, eth0, INTERFACE_INTERFACE, "MAC");
        name = client_get_string(client, eth0, INTERFACE_INTERFACE, "Name");
        ck_assert_str_eq(name, "eth0");
        path = g_strconcat(QEMU_PATH "/interface/", mac, NULL);
        /* The encoding of the MAC: its colons are _3a. */
        ck_assert_int_eq(strlen(eth0), strlen(path) + 5 * 2);
        by_mac = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceLookupByMAC", "s", mac);
        ck_assert_str_eq(by_mac, eth0);
        xml = client_call_string(client, QEMU_PATH "/interface/eth0", INTERFACE_INTERFACE, "GetXMLDesc", "u",
                                 0);
        ck_assert_msg(strstr(xml, "<interface type='ethernet' name='eth0'>") && strstr(xml, mac), "%s", xml);
        client_fails(client, LIBVIRT_ERROR, "*'nothing'*", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceLookupByName", "s", "nothing");
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x2)*", eth0, INTERFACE_INTERFACE,
                     "GetXMLDesc", "u", 2);
}
END_TEST

/* Nothing is polled: the kernel tells. */
START_TEST(test_what_others_do_is_told)
{
        g_autofree char *eth0 = find(QEMU_PATH, "eth0"), *br5 = NULL;

        ip("link set eth0 up");
        wait_event(QEMU_PATH, eth0, STARTED);
        client_wait_property(client, eth0, INTERFACE_INTERFACE, "Active", true);
        ip("link set eth0 down");
        wait_event(QEMU_PATH, eth0, STOPPED);
        client_wait_property(client, eth0, INTERFACE_INTERFACE, "Active", false);
        ip("link add br5 type bridge");
        sd_bus_message_unref(client_wait_signal(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager",
                                                "InterfacesAdded", NULL, NULL));
        br5 = find(QEMU_PATH, "br5");
        ip("link delete br5");
        sd_bus_message_unref(client_wait_signal(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager",
                                                "InterfacesRemoved", NULL, NULL));
        client_fails(client, LIBVIRT_ERROR, "Interface not found*", br5, INTERFACE_INTERFACE, "GetXMLDesc",
                     "u", 0);
}
END_TEST

#define BRIDGE                                                                                               \
        "<interface type='bridge' name='br0'><protocol family='ipv4'>"                                       \
        "<ip address='192.0.2.1' prefix='24'/></protocol>"                                                   \
        "<bridge><interface type='ethernet' name='eth0'/></bridge></interface>"

START_TEST(test_the_life_of_a_bridge)
{
        g_autofree char *before = NULL, *after = NULL, *xml = NULL, *eth0 = NULL, *mac = NULL;

        MAY_CHANGE_THE_HOST;
        before = define(QEMU_PATH, BRIDGE);
        ck_assert_str_eq(before, QEMU_PATH "/interface/br0");
        wait_event(QEMU_PATH, before, DEFINED);
        ck_assert_uint_eq(count(QEMU_PATH, 1), 6);
        act(before, "Create");
        /* One event of the bridge, whatever there was to do for it; it has the MAC of its port now. */
        wait_event(QEMU_PATH, before, STARTED);
        ck_assert_uint_eq(client_count_signals(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager",
                                               "InterfacesRemoved"),
                          0);
        after = find(QEMU_PATH, "br0");
        ck_assert_str_eq(after, before);
        eth0 = find(QEMU_PATH, "eth0");
        mac = client_get_string(client, eth0, INTERFACE_INTERFACE, "MAC");
        client_fails(client, LIBVIRT_ERROR, "*'br0', 'eth0'*", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceLookupByMAC", "s", mac);
        ck_assert(client_get_bool(client, after, INTERFACE_INTERFACE, "Active"));
        client_fails(client, LIBVIRT_ERROR, "*'br0' is active already", after, INTERFACE_INTERFACE, "Create",
                     "u", 0);
        xml = client_call_string(client, after, INTERFACE_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert_msg(strstr(xml, "<ip address='192.0.2.1' prefix='24'/>") && !strstr(xml, "<link"), "%s",
                      xml);
        act(after, "Destroy");
        client_do(client, before, INTERFACE_INTERFACE, "Undefine", "");
        wait_event(QEMU_PATH, before, UNDEFINED);
        client_fails(client, LIBVIRT_ERROR, "Interface not found*", before, INTERFACE_INTERFACE, "Create",
                     "u", 0);
}
END_TEST

START_TEST(test_a_change_is_rolled_back_after_a_crash)
{
        MAY_CHANGE_THE_HOST;
        transact(QEMU_PATH, "InterfaceChangeBegin");
        g_free(define(QEMU_PATH, BRIDGE));
        act(QEMU_PATH "/interface/br0", "Create");
        harness_end_agent(harness, SIGKILL);
        ip("link show br0 >/dev/null");
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, "*InterfaceChangeBegin first", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceChangeRollback", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Interface not found*", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceLookupByName", "s", "br0");
        ck_assert_int_ne(system("ip link show br0 2>/dev/null"), 0);
}
END_TEST

START_TEST(test_the_timeout_of_a_change)
{
        g_autofree char *br0 = NULL;
        uint32_t seconds = 7;

        MAY_CHANGE_THE_HOST;
        client_get(client, QEMU_PATH, CONNECT_INTERFACE, "ChangeTimeout", 'u', &seconds);
        ck_assert_uint_eq(seconds, 0);
        client_do(client, QEMU_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", CONNECT_INTERFACE,
                  "ChangeTimeout", "u", 1);
        client_fails(client, LIBVIRT_ERROR, "*100000 s*", QEMU_PATH, "org.freedesktop.DBus.Properties", "Set",
                     "ssv", CONNECT_INTERFACE, "ChangeTimeout", "u", 100000);
        transact(QEMU_PATH, "InterfaceChangeBegin");
        br0 = define(QEMU_PATH, BRIDGE);
        wait_event(QEMU_PATH, br0, UNDEFINED);
        client_fails(client, LIBVIRT_ERROR, "*InterfaceChangeBegin first", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceChangeCommit", "u", 0);
}
END_TEST

/* Async-signal-safe: in the agent's process, before it is executed. */
static void give_up_the_right(void)
{
        prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0);
}

/* Root, and all the same without the right to it, as in a container: the kernel's word, and nothing changed.
 */
START_TEST(test_an_agent_without_the_right)
{
        g_autofree char *eth0 = find(QEMU_PATH, "eth0");

        MAY_CHANGE_THE_HOST;
        harness_end_agent(harness, SIGTERM);
        harness_set_child_setup(harness, give_up_the_right);
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, "*cannot set up link 'eth0': Operation not permitted*", eth0,
                     INTERFACE_INTERFACE, "Create", "u", 0);
        ck_assert(!client_get_bool(client, eth0, INTERFACE_INTERFACE, "Active"));
        g_free(define(QEMU_PATH, BRIDGE));
        client_fails(client, LIBVIRT_ERROR, "*'br0': Operation not permitted*", QEMU_PATH "/interface/br0",
                     INTERFACE_INTERFACE, "Create", "u", 0);
        ck_assert_int_ne(system("ip link show br0 2>/dev/null"), 0);
        ip("link set eth0 up");
        wait_event(QEMU_PATH, eth0, STARTED);
}
END_TEST

static bool tells_mac(sd_bus_message *message, const void *mac)
{
        const char *interface, *property, *value;

        return sd_bus_message_read(message, "s", &interface) > 0 &&
               sd_bus_message_enter_container(message, 'a', "{sv}") > 0 &&
               sd_bus_message_enter_container(message, 'e', "sv") > 0 &&
               sd_bus_message_read(message, "s", &property) > 0 && strcmp(property, "MAC") == 0 &&
               sd_bus_message_read(message, "v", "s", &value) > 0 && strcmp(value, mac) == 0;
}

/* The first of two keeps the MAC for its path; the other one's changes without another path. */
START_TEST(test_a_mac_that_changes)
{
        g_autofree char *br6 = NULL, *mac = NULL;

        ip("link set eth0 address 52:54:00:00:00:01");
        ip("link add br6 address 52:54:00:00:00:01 type bridge");
        sd_bus_message_unref(client_wait_signal(client, QEMU_PATH, "org.freedesktop.DBus.ObjectManager",
                                                "InterfacesAdded", NULL, NULL));
        ip("link add br7 address 52:54:00:00:00:02 type bridge");
        ip("link set eth1 address 52:54:00:00:00:02");
        ip("link set br6 address 52:54:00:00:00:02");
        sd_bus_message_unref(client_wait_signal(client, QEMU_PATH "/interface/br6",
                                                "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                                tells_mac, "52:54:00:00:00:02"));
        br6 = find(QEMU_PATH, "br6");
        ck_assert_str_eq(br6, QEMU_PATH "/interface/br6");
        mac = client_get_string(client, br6, INTERFACE_INTERFACE, "MAC");
        ck_assert_str_eq(mac, "52:54:00:00:00:02");
}
END_TEST

START_TEST(test_documents_are_refused_by_name)
{
        MAY_CHANGE_THE_HOST;
        client_fails(client, LIBVIRT_ERROR, "XML error: *'../x'*", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceDefineXML", "su", "<interface type='ethernet' name='../x'/>", 0);
        client_fails(client, LIBVIRT_ERROR, "*<speed>*", QEMU_PATH, CONNECT_INTERFACE, "InterfaceDefineXML",
                     "su", "<interface type='ethernet' name='x'><speed/></interface>", 1);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags*", QEMU_PATH, CONNECT_INTERFACE,
                     "InterfaceDefineXML", "su", "<interface type='ethernet' name='x'/>", 2);
        client_ping(client);
}
END_TEST

START_TEST(test_the_one_in_memory)
{
        static const char path[] = TEST_PATH "/interface/aa_3abb_3acc_3add_3aee_3aff";
        g_autofree char *eth1 = find(TEST_PATH, "eth1");
        g_autofree char *xml = client_call_string(client, path, INTERFACE_INTERFACE, "GetXMLDesc", "u", 0);

        ck_assert_str_eq(eth1, path);
        ck_assert_str_eq(xml, "<interface type='ethernet' name='eth1'>\n"
                              "  <start mode='onboot'/>\n"
                              "  <mtu size='1492'/>\n"
                              "  <protocol family='ipv4'>\n"
                              "    <ip address='192.168.0.5' prefix='24'/>\n"
                              "    <route gateway='192.168.0.1'/>\n"
                              "  </protocol>\n"
                              "  <mac address='aa:bb:cc:dd:ee:ff'/>\n"
                              "</interface>\n");
        ck_assert_uint_eq(count(TEST_PATH, 2), 1);
        transact(TEST_PATH, "InterfaceChangeBegin");
        act(path, "Destroy");
        wait_event(TEST_PATH, path, STOPPED);
        ck_assert_uint_eq(count(TEST_PATH, 2), 0);
        transact(TEST_PATH, "InterfaceChangeRollback");
        wait_event(TEST_PATH, path, STARTED);
        ck_assert(client_get_bool(client, path, INTERFACE_INTERFACE, "Active"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("interfaces");
        TCase *tests = tcase_create("interfaces");

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_set_timeout(tests, 300);
        tcase_add_test(tests, test_links_of_the_host);
        tcase_add_test(tests, test_what_others_do_is_told);
        tcase_add_test(tests, test_the_life_of_a_bridge);
        tcase_add_test(tests, test_a_change_is_rolled_back_after_a_crash);
        tcase_add_test(tests, test_the_timeout_of_a_change);
        tcase_add_test(tests, test_an_agent_without_the_right);
        tcase_add_test(tests, test_a_mac_that_changes);
        tcase_add_test(tests, test_documents_are_refused_by_name);
        tcase_add_test(tests, test_the_one_in_memory);
        suite_add_tcase(suite, tests);
        return harness_main(suite);
}
