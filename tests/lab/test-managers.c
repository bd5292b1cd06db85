/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The host's interfaces beside others who manage them: DHCP clients and a server, systemd-networkd,
 * NetworkManager, each of them the real one. Runs in the lab (tests/lab/lab), whose network is nobody else's;
 * tests/lab/network is who is there.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/harness.h"

#define INTERFACE_INTERFACE "org.libvirt.Interface"
#define ETH0                QEMU_PATH "/interface/eth0"
#define ETH1                QEMU_PATH "/interface/eth1"

static struct harness *harness;
static struct client *client;

/* Runs a command line; what it prints, to be freed. */
static char *run(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *run(const char *format, ...)
{
        g_autofree char *command = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        char *output = NULL;
        int status;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        if (!g_spawn_command_line_sync(command, &output, &errors, &status, &error))
                ck_abort_msg("%s: %s", command, error->message);
        if (status != 0)
                ck_abort_msg("%s: %s", command, errors);
        return g_strchomp(output);
}

/* An action of tests/lab/network. */
static char *network(const char *action)
{
        return run("%s/tests/lab/network %s", g_getenv("VIRTBUS_SOURCE_DIR"), action);
}

static void with(const char *action)
{
        g_free(network(action));
}

/* Debian has all of them as packages, which the lab unpacks; other hosts have what is installed. */
#define NEEDS(path)                                                                                          \
        do {                                                                                                 \
                if (access(path, X_OK) < 0 && access(path ".away", X_OK) < 0) {                              \
                        harness_skip("needs " path);                                                         \
                        return;                                                                              \
                }                                                                                            \
        } while (0)

static void set_up(void)
{
        with("links");
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
        with("end");
}

static void act(const char *interface, const char *member)
{
        client_do(client, interface, INTERFACE_INTERFACE, member, "u", 0);
}

static void define(const char *xml)
{
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceDefineXML", "su", xml, 0);
}

static char *describe(const char *interface, unsigned flags)
{
        return client_call_string(client, interface, INTERFACE_INTERFACE, "GetXMLDesc", "u", flags);
}

/* ---- DHCP ---- */

#define BY_DHCP                                                                                              \
        "<interface type='ethernet' name='eth0'><protocol family='ipv4'><dhcp/></protocol></interface>"
#define LENT "192.0.2.50"

static const char *const clients[] = { "dhcpcd", "udhcpc" };
#define NEEDS_CLIENTS                                                                                        \
        do {                                                                                                 \
                NEEDS("/usr/sbin/dhcpcd");                                                                   \
                NEEDS("/usr/sbin/udhcpc");                                                                   \
        } while (0)

/* One that has ended is nobody's child but the test's, which reaps it at the end. */
static bool has_client(void *program)
{
        g_autofree char *processes = run("busybox ps -o stat,args");
        g_auto(GStrv) lines = g_strsplit(processes, "\n", -1);

        for (unsigned i = 0; lines[i]; i++)
                if (strstr(lines[i], program) && lines[i][0] != 'Z')
                        return true;
        return false;
}

static bool has_no_client(void *program)
{
        return !has_client(program);
}

static bool shows_lease(void *data)
{
        g_autofree char *xml = describe(ETH0, 0);

        return strstr(xml, "<ip address='" LENT "' prefix='24'/>") != NULL;
}

static bool is_given_back(void *data)
{
        g_autofree char *leases = network("leases");

        return !strstr(leases, LENT);
}

static void set_up_by_dhcp(const char *program)
{
        g_autofree char *action = g_strdup_printf("client %s", program);

        with(action);
        with("dhcp");
        define(BY_DHCP);
        act(ETH0, "Create");
        harness_wait_until(shows_lease, NULL, "the lease");
        ck_assert(has_client((void *)program) && !is_given_back(NULL));
}

static void expect_taken_down(const char *program)
{
        g_autofree char *state = run("ip -oneline address show dev eth0"),
                        *link = run("ip -oneline link show eth0");

        ck_assert_msg(!strstr(state, LENT) && !strstr(link, ",UP"), "%s%s", state, link);
        ck_assert(has_no_client((void *)program));
        harness_wait_until(is_given_back, NULL, "the lease to be given back");
}

START_TEST(test_a_lease_is_taken_and_given_back)
{
        const char *program = clients[_i];
        g_autofree char *xml = NULL;

        NEEDS_CLIENTS;
        set_up_by_dhcp(program);
        xml = describe(ETH0, 0);
        ck_assert_msg(strstr(xml, "<dhcp/>"), "%s", xml);
        act(ETH0, "Destroy");
        expect_taken_down(program);
        ck_assert(!client_get_bool(client, ETH0, INTERFACE_INTERFACE, "Active"));
        /* And once more. */
        act(ETH0, "Create");
        harness_wait_until(shows_lease, NULL, "the second lease");
        act(ETH0, "Destroy");
        expect_taken_down(program);
}
END_TEST

START_TEST(test_a_client_is_taken_over)
{
        const char *program = clients[_i];

        NEEDS_CLIENTS;
        set_up_by_dhcp(program);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        ck_assert(shows_lease(NULL) && has_client((void *)program));
        act(ETH0, "Destroy");
        expect_taken_down(program);
}
END_TEST

START_TEST(test_a_client_goes_with_its_link)
{
        const char *program = clients[_i];

        NEEDS_CLIENTS;
        set_up_by_dhcp(program);
        g_free(run("ip link delete eth0"));
        harness_wait_until(has_no_client, (void *)program, "the client to end");
}
END_TEST

/* The transaction begins without, and ends so. */
START_TEST(test_a_client_is_rolled_back)
{
        const char *program = clients[_i];

        NEEDS_CLIENTS;
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceChangeBegin", "u", 0);
        set_up_by_dhcp(program);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceChangeRollback", "u", 0);
        expect_taken_down(program);
}
END_TEST

START_TEST(test_without_a_client)
{
        with("client none");
        define(BY_DHCP);
        client_fails(client, LIBVIRT_ERROR, "*neither dhcpcd nor udhcpc is installed", ETH0,
                     INTERFACE_INTERFACE, "Create", "u", 0);
        ck_assert(!client_get_bool(client, ETH0, INTERFACE_INTERFACE, "Active"));
}
END_TEST

/* ---- other managers ---- */

static void expect_refusals(const char *path, const char *name, const char *manager)
{
        g_autofree char *error = g_strdup_printf("*'%s' is managed by %s*", name, manager);
        g_autofree char *xml = g_strdup_printf("<interface type='ethernet' name='%s'/>", name);
        g_autofree char *bridge =
                g_strdup_printf("<interface type='bridge' name='br0'><bridge>"
                                "<interface type='ethernet' name='%s'/></bridge></interface>",
                                name);
        g_autofree char *before = run("ip -oneline address show dev %s", name), *after = NULL;

        client_fails(client, LIBVIRT_ERROR, error, path, INTERFACE_INTERFACE, "Destroy", "u", 0);
        client_fails(client, LIBVIRT_ERROR, error, QEMU_PATH, CONNECT_INTERFACE, "InterfaceDefineXML", "su",
                     xml, 0);
        client_fails(client, LIBVIRT_ERROR, error, QEMU_PATH, CONNECT_INTERFACE, "InterfaceDefineXML", "su",
                     bridge, 0);
        after = run("ip -oneline address show dev %s", name);
        ck_assert_str_eq(before, after);
}

static void expect_address(const char *path, const char *address)
{
        g_autofree char *xml = describe(path, 0);

        ck_assert_msg(strstr(xml, address), "%s", xml);
}

START_TEST(test_beside_networkd)
{
        NEEDS("/lib/systemd/systemd-networkd");
        with("networkd");
        expect_address(ETH0, "<ip address='192.0.2.5' prefix='24'/>");
        expect_refusals(ETH0, "eth0", "systemd-networkd");
        /* The other one is not its. */
        act(ETH1, "Create");
        act(ETH1, "Destroy");
}
END_TEST

#define BRIDGE                                                                                               \
        "<interface type='bridge' name='br0'><protocol family='ipv4'>"                                       \
        "<ip address='203.0.113.1' prefix='24'/></protocol><bridge/></interface>"

static bool is_seen_by_network_manager(void *data)
{
        g_autofree char *devices = run("nmcli -t -f DEVICE,STATE device");

        return strstr(devices, "br0:connected (externally)") != NULL;
}

START_TEST(test_beside_network_manager)
{
        NEEDS("/usr/sbin/NetworkManager");
        with("network-manager");
        expect_address(ETH1, "<ip address='198.51.100.5' prefix='24'/>");
        expect_refusals(ETH1, "eth1", "NetworkManager");
        /* It only looks at what others have made, and says that it manages that, too. */
        define(BRIDGE);
        act(QEMU_PATH "/interface/br0", "Create");
        harness_wait_until(is_seen_by_network_manager, NULL, "NetworkManager to see the bridge");
        act(QEMU_PATH "/interface/br0", "Destroy");
        /* The way that the error names. */
        g_free(run("nmcli device set eth1 managed no"));
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceDefineXML", "su",
                  "<interface type='ethernet' name='eth1'/>", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("managers");
        TCase *tests = tcase_create("managers");

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_set_timeout(tests, 300);
        tcase_add_loop_test(tests, test_a_lease_is_taken_and_given_back, 0, G_N_ELEMENTS(clients));
        tcase_add_loop_test(tests, test_a_client_is_taken_over, 0, G_N_ELEMENTS(clients));
        tcase_add_loop_test(tests, test_a_client_goes_with_its_link, 0, G_N_ELEMENTS(clients));
        tcase_add_loop_test(tests, test_a_client_is_rolled_back, 0, G_N_ELEMENTS(clients));
        tcase_add_test(tests, test_without_a_client);
        tcase_add_test(tests, test_beside_networkd);
        tcase_add_test(tests, test_beside_network_manager);
        suite_add_tcase(suite, tests);
        return harness_main(suite);
}
