/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that are ports of Open vSwitch: a switch of the test's own, whose packets a process moves, so that
 * the kernel needs no part of it.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest-networks.h"

#define ID "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"
#define SWITCHED(more)                                                                                       \
        "<interface type='bridge'><mac address='" MAC "'/><source bridge='ovs0'/><model type='virtio'/>"     \
        "<virtualport type='openvswitch'><parameters interfaceid='" ID "' profileid='a \"b\"'/>"             \
        "</virtualport>" more "</interface>"

static char *directory;

static bool has_tools(void)
{
        return system("command -v ovs-vsctl ovsdb-tool ovsdb-server ovs-vswitchd >/dev/null") == 0 &&
               access("/usr/share/openvswitch/vswitch.ovsschema", R_OK) == 0;
}

/* What ovs-vsctl prints; owned. */
G_GNUC_PRINTF(1, 2) static char *ask(const char *format, ...)
{
        g_autofree char *words = NULL;
        va_list args;

        va_start(args, format);
        words = g_strdup_vprintf(format, args);
        va_end(args);
        return run("ovs-vsctl --timeout=20 %s", words);
}

static bool start_switch(void)
{
        if (!can_run())
                return false;
        if (!has_tools()) {
                harness_skip("there is no Open vSwitch here");
                return false;
        }
        directory = g_dir_make_tmp("virtbus-ovs-XXXXXX", NULL);
        g_setenv("OVS_RUNDIR", directory, TRUE);
        g_free(run("ovsdb-tool create %s/conf.db /usr/share/openvswitch/vswitch.ovsschema", directory));
        g_free(run("ovsdb-server %s/conf.db --remote=punix:%s/db.sock --pidfile=%s/db.pid --detach "
                   "--log-file=%s/db.log -vconsole:off",
                   directory, directory, directory, directory));
        g_free(run("ovs-vsctl --no-wait init"));
        g_free(run("ovs-vswitchd --pidfile=%s/switch.pid --detach --disable-system --log-file=%s/switch.log "
                   "-vconsole:off",
                   directory, directory));
        g_free(ask("add-br ovs0 -- set bridge ovs0 datapath_type=netdev"));
        harness_set_environment(harness, "OVS_RUNDIR", directory);
        harness_end_agent(harness, SIGTERM);
        harness_start_agent(harness);
        return true;
}

static void stop_switch(void)
{
        g_free(ask("del-br ovs0"));
        g_free(run("sh -c 'kill $(cat %s/switch.pid %s/db.pid)'", directory, directory));
        g_free(run("rm -rf %s", directory));
        g_unsetenv("OVS_RUNDIR");
        g_clear_pointer(&directory, g_free);
}

static bool is_empty(void *data)
{
        g_autofree char *ports = ask("list-ports ovs0");

        return *ports == '\0';
}

static void wait_empty(void)
{
        harness_wait_until(is_empty, NULL, "the switch has no ports");
}

static bool is_port(const char *tap, const char *column, const char *value)
{
        g_autofree char *found = ask("get Port %s %s", tap, column), *rest = g_strstrip(g_strdup(found));

        return strcmp(rest, value) == 0;
}

static bool is_interface(const char *tap, const char *column, const char *value)
{
        g_autofree char *found = ask("get Interface %s %s", tap, column), *rest = g_strstrip(g_strdup(found));

        return strcmp(rest, value) == 0;
}

/* A port with all that controllers look for; it goes with the guest, however that ends, and whoever is there.
 */
START_TEST(test_a_port)
{
        g_autofree char *path = NULL, *tap = NULL;

        if (!start_switch())
                return;
        path = guest_start(client, guest_bare_xml("one", SWITCHED("<vlan><tag id='42'/></vlan>")));
        tap = get_tap(path);
        ck_assert(is_port(tap, "tag", "42") && is_port(tap, "trunks", "[]"));
        ck_assert(is_interface(tap, "external_ids:iface-id", "\"" ID "\""));
        ck_assert(is_interface(tap, "external_ids:attached-mac", "\"" MAC "\""));
        ck_assert(is_interface(tap, "external_ids:port-profile", "\"a \\\"b\\\"\""));
        ck_assert(is_interface(tap, "external_ids:iface-status", "active"));
        ck_assert(is_interface(tap, "error", "[]") && !link_has(tap, "master ovs0"));
        client_fails(client, LIBVIRT_ERROR, "*is a port of Open vSwitch*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", SWITCHED("<vlan><tag id='43'/></vlan>"), LIVE);
        client_fails(client, LIBVIRT_ERROR, "*<filterref> of interface 'net0' is not supported*", path,
                     DOMAIN_INTERFACE, "UpdateDevice", "su",
                     SWITCHED("<vlan><tag id='42'/></vlan><filterref filter='any'/>"), LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su",
                  SWITCHED("<vlan><tag id='42'/></vlan><link state='down'/>"), LIVE);
        guest_do_flags(client, path, "Destroy", 0);
        wait_empty();
        /* The agent dies, and so does the guest; the next agent clears up. */
        guest_do_flags(client, path, "Create", 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        ck_assert(!is_empty(NULL));
        guest_do_flags(client, path, "Destroy", 0);
        wait_empty();
        stop_switch();
}
END_TEST

static bool is_off(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_SHUTOFF;
}

/* The guest ends while there is no agent. */
START_TEST(test_nobody_is_there)
{
        g_autofree char *path = NULL, *pid = NULL;

        if (!start_switch())
                return;
        path = guest_start(client, guest_bare_xml("one", SWITCHED("")));
        pid = g_strdup_printf("kill -9 %d", (int)harness_find_guest(harness, "one"));
        harness_end_agent(harness, SIGKILL);
        ck_assert_int_eq(system(pid), 0);
        ck_assert(!is_empty(NULL));
        harness_start_agent(harness);
        harness_wait_until(is_off, path, "the guest is off");
        wait_empty();
        stop_switch();
}
END_TEST

#define NETWORK                                                                                              \
        "<network><name>lan</name><forward mode='bridge'/><bridge name='ovs0'/>"                             \
        "<virtualport type='openvswitch'/>"                                                                  \
        "<portgroup name='trunk' default='yes'><vlan trunk='yes'><tag id='5' nativeMode='untagged'/>"        \
        "<tag id='6'/></vlan><virtualport><parameters profileid='prof'/></virtualport></portgroup>"          \
        "<portgroup name='tagged'><vlan><tag id='7' nativeMode='tagged'/></vlan></portgroup></network>"

/* By way of a network, whose port groups say more; plugged in and out while the guest runs. */
START_TEST(test_a_network_of_a_switch)
{
        g_autofree char *network = NULL, *one = NULL, *two = NULL, *tap = NULL, *ports = NULL,
                        *console = NULL, *id = NULL, *wanted = NULL, *other = NULL;
        unsigned count;

        if (!start_switch())
                return;
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", NETWORK);
        one = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(one);
        ck_assert(is_port(tap, "trunks", "[5, 6]") && is_port(tap, "vlan_mode", "native-untagged") &&
                  is_port(tap, "tag", "5"));
        ck_assert(is_interface(tap, "external_ids:port-profile", "prof"));
        id = get_attr(one, "<virtualport type='openvswitch'", "interfaceid");
        wanted = g_strdup_printf("\"%s\"", id);
        ck_assert(is_interface(tap, "external_ids:iface-id", wanted));
        ports = get_ports(network, &count);
        ck_assert(strstr(ports, "<virtualport type='openvswitch'>") && strstr(ports, id));
        guest_do_flags(client, one, "Destroy", 0);
        wait_empty();
        ck_assert(!has(one, 2, "virtualport"));
        two = guest_define(client,
                           guest_bare_xml("two", "<interface type='network'><source network='lan'/>"
                                                 "<virtualport><parameters profileid='other'/></virtualport>"
                                                 "</interface>"));
        client_fails(client, LIBVIRT_ERROR,
                     "*attempt to merge virtualports with mismatched profileids ('other' and 'prof')*", two,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        console = harness_path(harness, "console");
        other = start_watcher(console);
        client_do(client, other, DOMAIN_INTERFACE, "AttachDevice", "su",
                  "<interface type='network'><mac address='" MAC "'/><source network='lan' "
                  "portgroup='tagged'/><model type='virtio'/></interface>",
                  LIVE);
        g_free(tap);
        tap = get_tap(other);
        ck_assert(is_port(tap, "vlan_mode", "native-tagged") && is_port(tap, "tag", "7"));
        client_do(client, other, DOMAIN_INTERFACE, "DetachDevice", "su",
                  "<interface type='network'><mac address='" MAC "'/></interface>", LIVE);
        wait_empty();
        guest_do_flags(client, other, "Destroy", 0);
        network_do(network, "Destroy");
        stop_switch();
}
END_TEST

static bool has_lease(void *data)
{
        g_autofree char *leases = run("cat %s/leases", directory);

        return strstr(leases, MAC) != NULL;
}

/* Packets go: what is in the guest's VLAN lends it an address. */
START_TEST(test_packets)
{
        g_autofree char *console = NULL, *xml = NULL, *path = NULL;
        g_auto(GStrv) parts = NULL;

        if (!start_switch())
                return;
        g_free(ask("add-port ovs0 lan42 tag=42 -- set Interface lan42 type=internal"));
        g_free(run("ip address add 10.77.42.1/24 dev lan42"));
        g_free(run("ip link set lan42 up"));
        g_free(run(
                "dnsmasq --conf-file=/dev/null --port=0 --interface=lan42 --bind-dynamic --user=root "
                "--dhcp-range=10.77.42.10,10.77.42.20 --dhcp-leasefile=%s/leases --pid-file=%s/dnsmasq.pid",
                directory, directory));
        console = harness_path(harness, "console");
        xml = guest_linux_xml("linux", console, "network");
        parts = g_strsplit(xml, "<devices>", 2);
        path = guest_start(client, g_strconcat(parts[0], "<devices>", SWITCHED("<vlan><tag id='42'/></vlan>"),
                                               parts[1], NULL));
        harness_wait_until(has_lease, NULL, "the guest has an address");
        guest_do_flags(client, path, "Destroy", 0);
        g_free(run("sh -c 'kill $(cat %s/dnsmasq.pid)'", directory));
        stop_switch();
}
END_TEST

struct refusal {
        const char *interface, *wanted;
};

#define AT(rest) "<interface type='bridge'><source bridge='ovs0'/>" rest "</interface>"
#define OVS      "<virtualport type='openvswitch'/>"

/* What would have no effect is refused, and so is what nobody drives; of a start that fails nothing stays. */
START_TEST(test_refusals)
{
        static const struct refusal refusals[] = {
                { AT(OVS "<filterref filter='clean-traffic'/>"), "*<filterref> of interface 'net0'*" },
                { AT(OVS "<bandwidth><inbound average='100'/></bandwidth>"), "*<bandwidth> of*" },
                { AT(OVS "<port isolated='yes'/>"), "*<port isolated='yes'> of*" },
                { AT("<virtualport type='802.1Qbg'><parameters managerid='1' typeid='2' typeidversion='3'/>"
                     "</virtualport>"),
                  "*'802.1Qbg' of interface 'net0' is not supported*lldpad*" },
                { AT("<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>"),
                  "*'802.1Qbh' of interface 'net0' is not supported*" },
                { AT("<virtualport type='midonet'><parameters interfaceid='" ID "'/></virtualport>"),
                  "*'midonet' of interface 'net0' is not supported*" },
                { "<interface type='bridge'><source bridge='br-host'/>" OVS "</interface>", "*ovs-vsctl*" },
                { "<interface type='network'><source network='own'/>" OVS "</interface>",
                  "*does not use a bridge of the host*" },
        };
        g_autofree char *network = NULL;

        if (!start_switch())
                return;
        g_free(run("ip link add br-host type bridge"));
        network = define_network("own", "br-lan", 3);
        for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
                g_autofree char *name = g_strdup_printf("refused%u", i), *path = NULL;

                path = guest_define(client, guest_bare_xml(name, refusals[i].interface));
                client_fails(client, LIBVIRT_ERROR, refusals[i].wanted, path, DOMAIN_INTERFACE, "Create", "u",
                             0);
                ck_assert(is_empty(NULL));
        }
        network_do(network, "Destroy");
        g_free(run("ip link del br-host"));
        stop_switch();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("openvswitch");
        TCase *tcase = tcase_create("openvswitch");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up_networks, tear_down_networks);
        tcase_add_test(tcase, test_a_port);
        tcase_add_test(tcase, test_nobody_is_there);
        tcase_add_test(tcase, test_a_network_of_a_switch);
        tcase_add_test(tcase, test_packets);
        tcase_add_test(tcase, test_refusals);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
