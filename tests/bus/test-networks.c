/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Virtual networks as a client sees them: in memory, and on the host, in a network namespace of the agent's
 * own. */

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/harness.h"

#define NETWORK_INTERFACE "org.libvirt.Network"
#define DEFAULT           TEST_PATH "/network/_dd8fe884_6c02_601e_7551_cca97df1c5df"
#define LAN               "/network/_3e3fce45_4f53_4fa7_bb32_11f34168b82b"
#define LAN_XML                                                                                              \
        "<network><name>lan</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>"                         \
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.2' end='10.77.0.9'/></dhcp></ip>"   \
        "</network>"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

struct event {
        const char *network;
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct event *wanted = data;
        const char *network;
        int event;

        return sd_bus_message_read(message, "oi", &network, &event) > 0 &&
               strcmp(network, wanted->network) == 0 && event == wanted->event;
}

static void wait_event(const char *connection, const char *network, int event)
{
        struct event wanted = { network, event };

        sd_bus_message_unref(client_wait_signal(client, connection, CONNECT_INTERFACE, "NetworkEvent",
                                                match_event, &wanted));
}

static unsigned count(const char *connection, unsigned flags)
{
        g_auto(GStrv) list = client_list(client, connection, CONNECT_INTERFACE, "ListNetworks", flags);

        return g_strv_length(list);
}

static void call(const char *path, const char *method)
{
        client_do(client, path, NETWORK_INTERFACE, method, NULL);
}

START_TEST(test_the_life_of_a_network)
{
        g_autofree char *path = NULL, *found = NULL, *bridge = NULL;

        ck_assert_uint_eq(count(TEST_PATH, 0), 1);
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", LAN_XML);
        ck_assert_str_eq(path, TEST_PATH LAN);
        wait_event(TEST_PATH, path, 0);
        found = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "NetworkLookupByName", "s", "lan");
        ck_assert_str_eq(found, path);
        call(path, "Create");
        wait_event(TEST_PATH, path, 2);
        ck_assert_uint_eq(count(TEST_PATH, 2), 2);
        call(path, "Undefine");
        wait_event(TEST_PATH, path, 1);
        ck_assert_uint_eq(count(TEST_PATH, 8), 1);
        call(path, "Destroy");
        wait_event(TEST_PATH, path, 3);
        ck_assert_uint_eq(count(TEST_PATH, 0), 1);
        bridge = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetBridgeName", "u", 0);
        ck_assert_str_eq(bridge, "virbr0");
}
END_TEST

START_TEST(test_update_and_leases)
{
        static const char host[] = "<host mac='52:54:00:00:00:01' ip='192.168.122.9'/>";
        g_autofree char *live = NULL, *stored = NULL;
        g_autoptr(sd_bus_message) leases = NULL;

        client_do(client, DEFAULT, NETWORK_INTERFACE, "Update", "uuisu", 3, 4, -1, host, 0);
        sd_bus_message_unref(client_wait_signal(client, DEFAULT, NETWORK_INTERFACE, "Refresh", NULL, NULL));
        live = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        stored = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert(strstr(live, host) && !strstr(stored, host));
        leases = client_call(client, DEFAULT, NETWORK_INTERFACE, "GetDHCPLeases", "su", "", 0);
        ck_assert_str_eq(sd_bus_message_get_signature(leases, true), "a(sxisssuss)");
        ck_assert_int_gt(sd_bus_message_enter_container(leases, 'a', "(sxisssuss)"), 0);
        ck_assert_int_ne(sd_bus_message_at_end(leases, false), 0);
}
END_TEST

static bool match_metadata(sd_bus_message *message, const void *data)
{
        const char *uri;
        int type;

        return sd_bus_message_read(message, "is", &type, &uri) > 0 && type == 2 && strcmp(uri, data) == 0;
}

START_TEST(test_metadata)
{
        static const char uri[] = "http://example.org/app";
        g_autofree char *title = NULL, *element = NULL, *xml = NULL;

        client_do(client, DEFAULT, NETWORK_INTERFACE, "SetMetadata", "isssu", 1, "A network", "", "", 3);
        client_do(client, DEFAULT, NETWORK_INTERFACE, "SetMetadata", "isssu", 2, "<owner id='7'/>", "app",
                  uri, 0);
        sd_bus_message_unref(client_wait_signal(client, DEFAULT, NETWORK_INTERFACE, "MetadataChange",
                                                match_metadata, uri));
        title = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetMetadata", "isu", 1, "", 2);
        ck_assert_str_eq(title, "A network");
        element = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetMetadata", "isu", 2, uri, 0);
        ck_assert_str_eq(element, "<owner id=\"7\"/>");
        xml = client_call_string(client, DEFAULT, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert(strstr(xml, "<title>A network</title>") && strstr(xml, "<app:owner xmlns:app="));
        client_fails(client, LIBVIRT_ERROR, "*has no metadata*", DEFAULT, NETWORK_INTERFACE, "GetMetadata",
                     "isu", 2, uri, 2);
        client_fails(client, LIBVIRT_ERROR, "*has no description*", DEFAULT, NETWORK_INTERFACE, "GetMetadata",
                     "isu", 0, "", 0);
        client_fails(client, LIBVIRT_ERROR, "*single line*", DEFAULT, NETWORK_INTERFACE, "SetMetadata",
                     "isssu", 1, "a\nb", "", "", 0);
        client_fails(client, LIBVIRT_ERROR, "*namespace*", DEFAULT, NETWORK_INTERFACE, "SetMetadata", "isssu",
                     2, "<a/>", "", "", 0);
        client_do(client, DEFAULT, NETWORK_INTERFACE, "SetMetadata", "isssu", 2, "", "", uri, 0);
        client_fails(client, LIBVIRT_ERROR, "*has no metadata*", DEFAULT, NETWORK_INTERFACE, "GetMetadata",
                     "isu", 2, uri, 1);
}
END_TEST

/* On the host a bridge and its MAC address are chosen, and a definition outlives the agent. */
START_TEST(test_defined_on_the_host)
{
        g_autofree char *path = NULL, *xml = NULL, *again = NULL;

        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", LAN_XML);
        ck_assert_str_eq(path, QEMU_PATH LAN);
        xml = client_call_string(client, path, NETWORK_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert(strstr(xml, "<bridge name='virbr") && strstr(xml, "<mac address='52:54:00:"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        again = client_call_string(client, path, NETWORK_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert_str_eq(xml, again);
        ck_assert_uint_eq(count(QEMU_PATH, 1), 1);
        ck_assert_uint_eq(count(QEMU_PATH, 2), 0);
}
END_TEST

/* ---- one that runs ---- */

/* The agent's; it ends without one when there is none to have. */
static void enter_namespace(void)
{
        if (unshare(CLONE_NEWNET) < 0)
                _exit(77);
}

static bool can_run(void)
{
        return geteuid() == 0 && system("unshare -n nft list tables >/dev/null 2>&1") == 0 &&
               system("dnsmasq --version >/dev/null 2>&1") == 0;
}

/* Where the agent is. */
static bool succeeds(const char *command)
{
        g_autofree char *line = g_strdup_printf("nsenter -t %d -n %s >/dev/null 2>&1",
                                                (int)harness_get_agent_pid(harness), command);

        return system(line) == 0;
}

START_TEST(test_runs_on_the_host)
{
        g_autofree char *path = NULL, *bridge = NULL, *link = NULL, *table = NULL;

        if (!can_run()) {
                printf("SKIP: networks: no rights for a network namespace, no nft or no dnsmasq\n");
                return;
        }
        harness_end_agent(harness, SIGTERM);
        harness_set_child_setup(harness, enter_namespace);
        harness_start_agent(harness);
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", LAN_XML);
        wait_event(QEMU_PATH, path, 2);
        bridge = client_call_string(client, path, NETWORK_INTERFACE, "GetBridgeName", "u", 0);
        link = g_strdup_printf("ip link show dev %s", bridge);
        table = g_strdup_printf("nft list table inet virtbus_%s", bridge);
        ck_assert(succeeds(link) && succeeds(table));
        sd_bus_message_unref(client_call(client, path, NETWORK_INTERFACE, "GetDHCPLeases", "su", "", 0));
        client_fails(client, LIBVIRT_ERROR, "*already active*", path, NETWORK_INTERFACE, "Create", NULL);
        call(path, "Destroy");
        wait_event(QEMU_PATH, path, 3);
        ck_assert(!succeeds(link) && !succeeds(table));
        ck_assert_uint_eq(count(QEMU_PATH, 0), 0);
}
END_TEST

/* ---- killed in the middle ---- */

/* In the place of dnsmasq: says that it has come so far, and waits. */
static char *make_slow_dnsmasq(void)
{
        g_autofree char *folder = harness_path(harness, "slow"),
                        *program = harness_path(harness, "slow/dnsmasq");
        g_autofree char *mark = harness_path(harness, "slow/mark");
        g_autofree char *text = g_strdup_printf("#!/bin/sh\n: > %s\nexec sleep 600\n", mark);

        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert(g_file_set_contents(program, text, -1, NULL));
        ck_assert_int_eq(chmod(program, 0755), 0);
        return g_steal_pointer(&mark);
}

static bool exists(void *path)
{
        return access(path, F_OK) == 0;
}

static bool has_no_notes(void *command)
{
        return system(command) != 0;
}

static bool is_clean(void *data)
{
        return !succeeds("ip link show dev virbr0") && !succeeds("nft list table inet virtbus_virbr0");
}

/* Between the bridge and dnsmasq: the next agent takes away what there is. */
START_TEST(test_killed_while_it_starts)
{
        g_autofree char *mark = NULL, *folder = harness_path(harness, "slow"), *path = NULL;
        g_autofree char *run = harness_path(harness, "run/network"), *before = g_strdup(g_getenv("PATH"));
        g_autofree char *slow = g_strconcat(folder, ":", before, NULL);
        g_autofree char *left = g_strdup_printf("ls %s | grep -qvE 'autostarted|leases.socket'", run);

        if (!can_run()) {
                printf("SKIP: networks: no rights for a network namespace, no nft or no dnsmasq\n");
                return;
        }
        ck_assert_int_eq(unshare(CLONE_NEWNET), 0); /* which both agents get */
        harness_end_agent(harness, SIGTERM);
        mark = make_slow_dnsmasq();
        harness_set_environment(harness, "PATH", slow);
        harness_start_agent(harness);
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", LAN_XML);
        sd_bus_call_method_async(client_get_bus(client), NULL, "org.libvirt", path, NETWORK_INTERFACE,
                                 "Create", NULL, NULL, "");
        sd_bus_flush(client_get_bus(client));
        harness_wait_until(exists, mark, "dnsmasq is started");
        ck_assert(succeeds("ip link show dev virbr0") && succeeds("nft list table inet virtbus_virbr0"));
        harness_end_agent(harness, SIGKILL);
        harness_set_environment(harness, "PATH", before);
        harness_start_agent(harness);
        harness_wait_until(is_clean, NULL, "nothing is left of it");
        harness_wait_until(has_no_notes, left, "no note is left of it");
        call(path, "Create");
        ck_assert(succeeds("ip link show dev virbr0"));
        call(path, "Destroy");
        ck_assert(is_clean(NULL));
}
END_TEST

static void configure(const char *text)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf");

        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static bool has_active(void *data)
{
        return count(QEMU_PATH, 2) > 0;
}

/* A fresh system has one that runs, unless the file says otherwise; an agent that comes later makes no other.
 */
START_TEST(test_default_network)
{
        g_autofree char *path = NULL, *xml = NULL;

        if (!can_run()) {
                printf("SKIP: networks: no rights for a network namespace, no nft or no dnsmasq\n");
                return;
        }
        ck_assert_uint_eq(count(QEMU_PATH, 0), 0);
        harness_end_agent(harness, SIGTERM);
        configure("[network]\ndefault=true\n");
        harness_set_child_setup(harness, enter_namespace);
        harness_start_agent(harness);
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkLookupByName", "s",
                                  "default");
        ck_assert(client_get_bool(client, path, NETWORK_INTERFACE, "Autostart"));
        harness_wait_until(has_active, NULL, "the default network runs");
        xml = client_call_string(client, path, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert(strstr(xml, "<ip address='192.168.122.1' netmask='255.255.255.0'>") != NULL);
        call(path, "Destroy");
        call(path, "Undefine");
        harness_end_agent(harness, SIGTERM);
        harness_start_agent(harness);
        ck_assert_uint_eq(count(QEMU_PATH, 0), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("networks");
        TCase *tcase = tcase_create("networks");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_life_of_a_network);
        tcase_add_test(tcase, test_update_and_leases);
        tcase_add_test(tcase, test_metadata);
        tcase_add_test(tcase, test_defined_on_the_host);
        tcase_add_test(tcase, test_runs_on_the_host);
        tcase_add_test(tcase, test_default_network);
        tcase_add_test(tcase, test_killed_while_it_starts);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
