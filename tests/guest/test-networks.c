/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests that are plugged into virtual networks: real bridges, taps and dnsmasq. */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest-networks.h"

/* ---- cases ---- */

/* The network starts with its guest, which is in its bridge by a tap with the guest's address, nearly. */
START_TEST(test_a_guest_has_a_port)
{
        g_autofree char *before = NULL, *after = NULL, *network = NULL, *path = NULL, *tap = NULL,
                        *ports = NULL;
        g_autofree char *port = NULL, *element = NULL;
        g_autofree char *live = NULL, *stored = NULL;
        unsigned count;

        if (!can_run())
                return;
        before = look_at_host();
        network = define_network("lan", "br-lan", 1);
        path = guest_start(client, guest_bare_xml("one", LAN));
        ck_assert(is_active(network));
        tap = get_tap(path);
        ck_assert_str_eq(tap, "vnet0");
        ck_assert(has(path, 0, "bridge='br-lan'") && !has(path, 2, "bridge=") && !has(path, 2, "portid="));
        ck_assert(link_has(tap, "master br-lan") && link_has(tap, "link/ether fe:54:00:00:0a:01") &&
                  link_has(tap, "UP"));
        ports = get_ports(network, &count);
        port = get_attr(path, "network='lan'", "portid");
        element = g_strdup_printf("<uuid>%s</uuid>", port);
        ck_assert_uint_eq(count, 1);
        live = client_call_string(client, network, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        stored = client_call_string(client, network, NETWORK_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert(g_str_has_prefix(live, "<network connections='1'>") &&
                  g_str_has_prefix(stored, "<network>"));
        ck_assert(strstr(ports, element) && strstr(ports, "<name>one</name>") &&
                  strstr(ports, "<plug type='network' bridge='br-lan'/>"));
        guest_do_flags(client, path, "Destroy", 0);
        wait_ports(network, 0);
        ck_assert(is_active(network) && !has_link(tap));
        network_do(network, "Destroy");
        after = look_at_host();
        ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(test_a_guest_without_its_network)
{
        g_autofree char *network = NULL, *path = NULL, *group = NULL;
        char *config;

        if (!can_run())
                return;
        path = guest_define(client, guest_bare_xml("one", LAN));
        client_fails(client, LIBVIRT_ERROR, "*no network with matching name 'lan'*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        network = define_network("lan", "br-lan", 1);
        group = guest_define(client,
                             guest_bare_xml("two", "<interface type='network'>"
                                                   "<source network='lan' portgroup='x'/></interface>"));
        client_fails(client, LIBVIRT_ERROR, "*network 'lan' has no portgroup 'x'*", group, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        wait_ports(network, 0);
        network_do(network, "Destroy");
        harness_end_agent(harness, SIGTERM);
        config = harness_path(harness, "virtbusd.conf");
        ck_assert(g_file_set_contents(config, "[network]\nstart_for_guests=false\n", -1, NULL));
        harness_add_option(harness, "--config");
        harness_add_option(harness, config);
        g_free(config);
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, "*network 'lan' is not active*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        ck_assert(!has_link("br-lan"));
}
END_TEST

/* A guest runs on without the network, and is in it again when it is back. */
START_TEST(test_the_network_goes_and_comes)
{
        g_autofree char *network = NULL, *path = NULL, *tap = NULL;

        if (!can_run())
                return;
        network = define_network("lan", "br-lan", 1);
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        network_do(network, "Destroy");
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert(has_link(tap) && !link_has(tap, "master") && !has_link("br-lan"));
        network_do(network, "Create");
        ck_assert(link_has(tap, "master br-lan"));
        ck_assert_uint_eq(count_ports(network), 1);
        network_do(network, "Destroy");
        guest_do_flags(client, path, "Destroy", 0);
        wait_ports(network, 0);
}
END_TEST

/* The port survives the agent, and goes back at the end of the guest. */
START_TEST(test_the_agent_dies)
{
        g_autofree char *network = NULL, *path = NULL, *tap = NULL, *before = NULL, *after = NULL;
        unsigned count;

        if (!can_run())
                return;
        network = define_network("lan", "br-lan", 1);
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        before = get_ports(network, &count);
        harness_end_agent(harness, SIGKILL);
        g_free(run("ip link set %s nomaster", tap));
        harness_start_agent(harness);
        wait_ports(network, 1);
        after = get_ports(network, &count);
        ck_assert_str_eq(before, after);
        ck_assert(link_has(tap, "master br-lan"));
        guest_do_flags(client, path, "Destroy", 0);
        wait_ports(network, 0);
        ck_assert(!has_link(tap));
        network_do(network, "Destroy");
}
END_TEST

/* Plugged in, moved to another network, unplugged while the guest runs. */
START_TEST(test_coming_moving_going)
{
        static const char moved[] =
                "<interface type='network'><mac address='" MAC "'/><source network='wan'/>"
                "<model type='virtio'/><link state='down'/></interface>";
        g_autofree char *lan = NULL, *wan = NULL, *path = NULL, *tap = NULL, *console = NULL;

        if (!can_run())
                return;
        lan = define_network("lan", "br-lan", 1);
        wan = define_network("wan", "br-wan", 2);
        console = harness_path(harness, "console");
        path = start_watcher(console);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", LAN, LIVE | CONFIG);
        tap = get_tap(path);
        ck_assert(link_has(tap, "master br-lan") && has(path, 2, MAC) && !has(path, 2, "portid"));
        ck_assert_uint_eq(count_ports(lan), 1);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", moved, LIVE);
        ck_assert(link_has(tap, "master br-wan") && has(path, 0, "<link state='down'/>"));
        ck_assert(has(path, 0, "network='wan'") && has(path, 2, "network='lan'"));
        wait_ports(lan, 0);
        ck_assert_uint_eq(count_ports(wan), 1);
        client_fails(client, LIBVIRT_ERROR,
                     "*only link, bandwidth, filter, VLANs, isolation, coalescing and*", path,
                     DOMAIN_INTERFACE, "UpdateDevice", "su",
                     "<interface type='network'><mac address='" MAC
                     "'/><source network='lan'/><model type='e1000e'/></interface>",
                     LIVE);
        wait_ports(lan, 0);
        ck_assert(link_has(tap, "master br-wan"));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su",
                  "<interface type='network'><mac address='" MAC "'/></interface>", LIVE);
        wait_ports(wan, 0);
        ck_assert(!has_link(tap));
        guest_do_flags(client, path, "Destroy", 0);
        network_do(lan, "Destroy");
        network_do(wan, "Destroy");
}
END_TEST

START_TEST(test_isolated_ports)
{
        g_autofree char *network = NULL, *path = NULL, *tap = NULL;

        if (!can_run())
                return;
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                     "<network><name>lan</name><bridge name='br-lan'/><mtu size='1400'/>"
                                     "<port isolated='yes'/></network>");
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        ck_assert(link_has(tap, "isolated on") && link_has(tap, "mtu 1400"));
        guest_do_flags(client, path, "Destroy", 0);
        network_do(network, "Destroy");
}
END_TEST

#define ALONE(yes_no)                                                                                        \
        "<interface type='network'><mac address='" MAC "'/><source network='lan'/><model type='virtio'/>"    \
        "<port isolated='" yes_no "'/></interface>"

/* A port that stays in its bridge is set apart while the guest runs, and let in again. */
START_TEST(test_isolation_changes)
{
        g_autofree char *network = NULL, *path = NULL, *tap = NULL;

        if (!can_run())
                return;
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                     "<network><name>lan</name><bridge name='br-lan'/></network>");
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        ck_assert(link_has(tap, "isolated off"));
        for (unsigned i = 0; i < 2; i++) {
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", ALONE("yes"), LIVE);
                ck_assert(link_has(tap, "isolated on") && link_has(tap, "master br-lan"));
                ck_assert(has(path, 0, "<port isolated='yes'/>"));
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", i ? LAN : ALONE("no"), LIVE);
                ck_assert(link_has(tap, "isolated off") && link_has(tap, "master br-lan"));
        }
        guest_do_flags(client, path, "Destroy", 0);
        network_do(network, "Destroy");
}
END_TEST

/* HTB, which shapes what goes to guests, is in most kernels. */
static bool can_shape(void)
{
        g_autofree char *made = NULL, *there = NULL;

        made = run("tc qdisc add dev lo root handle 1: htb");
        there = run("tc qdisc show dev lo");
        g_free(run("tc qdisc del dev lo root"));
        if (strstr(there, "htb"))
                return true;
        harness_skip("the kernel shapes no traffic (sch_htb)");
        return false;
}

static char *get_class(const char *tap)
{
        return run("tc class show dev %s", tap);
}

/* Of the interface, of its group, of all of the network; changed while the guest runs. */
START_TEST(test_bandwidth)
{
        static const char network_xml[] = "<network><name>lan</name><bridge "
                                          "name='br-lan'/><bandwidth><inbound average='5000'/></bandwidth>"
                                          "<portgroup name='slow' default='yes'><bandwidth><inbound "
                                          "average='125' peak='250' burst='64'/>"
                                          "</bandwidth></portgroup><portgroup name='tagged'><vlan><tag "
                                          "id='4'/></vlan></portgroup></network>";
        static const char faster[] = "<interface type='network'><mac address='" MAC
                                     "'/><source network='lan'/><model type='virtio'/>"
                                     "<bandwidth><inbound average='1000'/></bandwidth></interface>";
        g_autofree char *network = NULL, *path = NULL, *tap = NULL, *tagged = NULL, *before = NULL,
                        *after = NULL;
        g_autofree char *of_group = NULL, *of_bridge = NULL, *own = NULL, *restored = NULL, *none = NULL;

        if (!can_run() || !can_shape())
                return;
        before = look_at_host();
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                     network_xml);
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        of_bridge = get_class("br-lan");
        ck_assert_msg(strstr(of_bridge, "rate 40Mbit ceil 40Mbit"), "%s", of_bridge);
        of_group = get_class(tap);
        ck_assert_msg(strstr(of_group, "rate 1Mbit ceil 2Mbit burst 64Kb"), "%s", of_group);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", faster, LIVE);
        own = get_class(tap);
        ck_assert_msg(strstr(own, "rate 8Mbit ceil 8Mbit"), "%s", own);
        ck_assert(link_has(tap, "master br-lan"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        wait_ports(network, 1);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", LAN, LIVE);
        restored = get_class(tap);
        ck_assert_msg(strstr(restored, "rate 1Mbit"), "%s", restored);
        tagged = guest_define(
                client, guest_bare_xml("two", "<interface type='network'>"
                                              "<source network='lan' portgroup='tagged'/></interface>"));
        client_fails(client, LIBVIRT_ERROR, "*<vlan> of a port of network 'lan' is not supported*", tagged,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Destroy", 0);
        network_do(network, "Destroy");
        after = look_at_host();
        ck_assert_str_eq(before, after);
}
END_TEST

#define FLOOR_OF(mac, floor)                                                                                 \
        "<interface type='network'><mac address='" mac "'/><source network='lan'/><model type='virtio'/>"    \
        "<bandwidth><inbound floor='" floor "'/></bandwidth></interface>"

static bool finds_floor(void)
{
        g_autofree char *filters = run("tc filter show dev br-lan parent 1:");

        return strstr(filters, "flowid 1:3") && strstr(filters, "match 00000a01/ffffffff at -12");
}

static bool has_floor(const char *text)
{
        g_autofree char *classes = get_class("br-lan");

        return strstr(classes, text) != NULL;
}

static bool is_given_back(void *data)
{
        return !has_floor("class htb 1:4 ") && has_floor("class htb 1:2 parent 1:1 prio 0 rate 5600Kbit");
}

/* Guests have their part of what the network lets through, and no more than that is given away. */
START_TEST(test_floor)
{
        static const char lan[] = "<network><name>lan</name><bridge name='br-lan'/>"
                                  "<bandwidth><inbound average='1000'/></bandwidth></network>";
        g_autofree char *network = NULL, *one = NULL, *two = NULL, *before = NULL, *after = NULL,
                        *ports = NULL;
        unsigned count;

        if (!can_run() || !can_shape())
                return;
        before = look_at_host();
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", lan);
        one = guest_start(client, guest_bare_xml("one", FLOOR_OF(MAC, "600")));
        ck_assert(finds_floor());
        ck_assert(has_floor("class htb 1:3 parent 1:1 prio 0 rate 4800Kbit ceil 8Mbit"));
        ck_assert(has_floor("class htb 1:2 parent 1:1 prio 0 rate 3200Kbit ceil 8Mbit"));
        ports = get_ports(network, &count);
        ck_assert_msg(strstr(ports, "<inbound floor='600'/>"), "%s", ports);
        two = guest_define(client, guest_bare_xml("two", FLOOR_OF("52:54:00:00:0a:02", "500")));
        client_fails(client, LIBVIRT_ERROR, "*would overcommit 'average' on network 'lan'*", two,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        /* Its own guarantee is no hindrance to another one. */
        client_do(client, one, DOMAIN_INTERFACE, "UpdateDevice", "su", FLOOR_OF(MAC, "700"), LIVE);
        client_do(client, one, DOMAIN_INTERFACE, "UpdateDevice", "su", FLOOR_OF(MAC, "300"), LIVE);
        harness_wait_until(is_given_back, NULL, "the old one is back");
        client_do(client, two, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert(has_floor("rate 4Mbit ceil 8Mbit") &&
                  has_floor("class htb 1:2 parent 1:1 prio 0 rate 1600Kbit"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        wait_ports(network, 2);
        ck_assert(has_floor("rate 4Mbit ceil 8Mbit") &&
                  has_floor("class htb 1:2 parent 1:1 prio 0 rate 1600Kbit"));
        guest_do_flags(client, one, "Destroy", 0);
        guest_do_flags(client, two, "Destroy", 0);
        wait_ports(network, 0);
        ck_assert(has_floor("class htb 1:2 parent 1:1 prio 0 rate 8Mbit") && !has_floor("class htb 1:3"));
        network_do(network, "Destroy");
        after = look_at_host();
        ck_assert_str_eq(before, after);
}
END_TEST

/* A display listens where the host is in the network. */
START_TEST(test_a_display_in_the_network)
{
        static const char display[] =
                "<graphics type='vnc' autoport='yes'><listen type='network' network='lan'/>"
                "</graphics><video><model type='vga'/></video>" LAN;
        g_autofree char *network = NULL, *path = NULL, *sockets = NULL, *alone = NULL;

        if (!can_run())
                return;
        network = define_network("lan", "br-lan", 1);
        alone = guest_define(client, guest_bare_xml("two", "<graphics type='vnc'><listen type='network' "
                                                           "network='lan'/></graphics>"));
        client_fails(client, LIBVIRT_ERROR, "*network 'lan' is not active*", alone, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        path = guest_start(client, guest_bare_xml("one", display));
        ck_assert(has(path, 0, "<listen type='network' address='10.77.1.1' network='lan'/>"));
        ck_assert(!has(path, 2, "10.77.1.1"));
        sockets = run("ss -Hltn src 10.77.1.1");
        ck_assert_msg(strstr(sockets, "10.77.1.1:59"), "%s", sockets);
        guest_do_flags(client, path, "Destroy", 0);
        network_do(network, "Destroy");
}
END_TEST

/* ---- addresses ---- */

/* "vnet0 52:54:... 0 10.77.1.20 24; "; owned. */
static char *get_addresses(const char *path, unsigned source)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "InterfaceAddresses", "uu", source, 0);
        GString *text = g_string_new(NULL);
        const char *name, *mac, *address;
        uint32_t prefix;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ssa(isu))"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "ssa(isu)") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "ss", &name, &mac), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(isu)"), 0);
                while (sd_bus_message_read(reply, "(isu)", &type, &address, &prefix) > 0)
                        g_string_append_printf(text, "%s %s %d %s %u; ", name, mac, type, address, prefix);
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
        return g_string_free(text, FALSE);
}

/* dnsmasq reads its files as nobody. */
static void open_folders(void)
{
        g_autofree char *above = g_path_get_dirname(harness_get_root(harness)),
                        *run_dir = harness_path(harness, "run");

        ck_assert(chmod(above, 0711) == 0 && chmod(harness_get_root(harness), 0711) == 0 &&
                  chmod(run_dir, 0711) == 0);
}

/* A guest asks for an address, and is found by it. */
START_TEST(test_an_address_by_dhcp)
{
        g_autofree char *network = NULL, *path = NULL, *console = NULL, *xml = NULL, *leases = NULL,
                        *arp = NULL;
        g_auto(GStrv) parts = NULL;

        if (!can_run())
                return;
        open_folders();
        network =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                   "<network><name>lan</name><bridge name='br-lan'/>"
                                   "<ip address='10.77.1.1' prefix='24'><dhcp>"
                                   "<range start='10.77.1.2' end='10.77.1.99'/>"
                                   "<host mac='" MAC "' ip='10.77.1.20' name='one'/></dhcp></ip></network>");
        console = harness_path(harness, "console");
        xml = guest_linux_xml("linux", console, "network");
        parts = g_strsplit(xml, "<devices>", 2);
        path = guest_define(client, g_strjoinv("<devices>" LAN, parts));
        client_fails(client, LIBVIRT_ERROR, "*is not running*", path, DOMAIN_INTERFACE, "InterfaceAddresses",
                     "uu", 0, 0);
        client_do(client, path, DOMAIN_INTERFACE, "Create", "u", 0);
        sd_bus_message_unref(client_wait_signal(client, network, NETWORK_INTERFACE, "Refresh", NULL, NULL));
        guest_wait_console(console, "virtbus-guest: address 10.77.1.20");
        leases = get_addresses(path, 0);
        ck_assert_str_eq(leases, "vnet0 " MAC " 0 10.77.1.20 24; ");
        arp = get_addresses(path, 2);
        ck_assert(strstr(arp, "vnet0 " MAC " 0 10.77.1.20 0; "));
        client_fails(client, LIBVIRT_ERROR, "*guest agent*", path, DOMAIN_INTERFACE, "InterfaceAddresses",
                     "uu", 1, 0);
        guest_do_flags(client, path, "Destroy", 0);
        network_do(network, "Destroy");
}
END_TEST

/* ---- the user's network ---- */

struct caller {
        uint16_t port;
        char text[64];
};

static bool says_hello(void *data)
{
        struct caller *caller = data;
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(caller->port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct timeval patience = { .tv_sec = 2 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ssize_t length = -1;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
                length = recv(fd, caller->text, sizeof(caller->text) - 1, MSG_WAITALL);
        close(fd);
        return length > 0 && strstr(caller->text, "virtbus-guest: hello");
}

/* Without any right to the host's network: ports of the host lead to the guest. */
START_TEST(test_ports_of_the_host)
{
        static const char interface[] =
                "<interface type='user'><model type='virtio'/><portForward proto='tcp' address='127.0.0.1'>"
                "<range start='20007' to='7'/><range start='20010' end='20012'/></portForward></interface>";
        static const char all[] = "<interface type='user'><portForward proto='udp'/></interface>";
        struct caller caller = { .port = 20007 };
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *xml = NULL,
                        *refused = NULL;
        g_auto(GStrv) parts = NULL;

        xml = guest_linux_xml("linux", console, "network");
        parts = g_strsplit(xml, "<devices>", 2);
        path = guest_start(client, g_strconcat(parts[0], "<devices>", interface, parts[1], NULL));
        guest_wait_console(console, "virtbus-guest: address 10.0.2.15");
        harness_wait_until(says_hello, &caller, "the guest answers at a port of the host");
        refused = guest_bare_xml("two", all);
        client_fails(client, LIBVIRT_ERROR, "*<portForward> without a <range>*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainDefineXML", "s", refused);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

#define CROWD 64

/* Taps, names and ports of guests that start together are all different. */
START_TEST(test_a_crowd)
{
        struct client_answer answers[CROWD] = { 0 };
        g_autoptr(GHashTable) taps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autofree char *network = NULL, *before = NULL, *after = NULL;
        char *paths[CROWD];

        if (!can_run())
                return;
        before = look_at_host();
        network = define_network("lan", "br-lan", 1);
        for (unsigned i = 0; i < CROWD; i++) {
                g_autofree char *name = g_strdup_printf("crowd-%u", i);

                paths[i] = guest_define(client, guest_bare_xml(name, "<interface type='network'><source "
                                                                     "network='lan'/></interface>"));
        }
        for (unsigned i = 0; i < CROWD; i++)
                client_send(client, &answers[i], paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
        for (unsigned i = 0; i < CROWD; i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "%s", answers[i].error);
                g_hash_table_add(taps, get_attr(paths[i], "<interface", "dev"));
        }
        ck_assert_uint_eq(g_hash_table_size(taps), CROWD);
        ck_assert_uint_eq(count_ports(network), CROWD);
        for (unsigned i = 0; i < CROWD; i++) {
                memset(&answers[i], 0, sizeof(answers[i]));
                client_send(client, &answers[i], paths[i], DOMAIN_INTERFACE, "Destroy", "u", 0);
        }
        for (unsigned i = 0; i < CROWD; i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "%s", answers[i].error);
                g_free(paths[i]);
        }
        wait_ports(network, 0);
        network_do(network, "Destroy");
        after = look_at_host();
        ck_assert_str_eq(before, after);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("networks");
        TCase *tcase = tcase_create("networks");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up_networks, tear_down_networks);
        tcase_add_test(tcase, test_a_guest_has_a_port);
        tcase_add_test(tcase, test_a_guest_without_its_network);
        tcase_add_test(tcase, test_the_network_goes_and_comes);
        tcase_add_test(tcase, test_the_agent_dies);
        tcase_add_test(tcase, test_coming_moving_going);
        tcase_add_test(tcase, test_isolated_ports);
        tcase_add_test(tcase, test_isolation_changes);
        tcase_add_test(tcase, test_bandwidth);
        tcase_add_test(tcase, test_floor);
        tcase_add_test(tcase, test_a_display_in_the_network);
        tcase_add_test(tcase, test_a_crowd);
        suite_add_tcase(suite, tcase);
        tcase = tcase_create("addresses");
        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up_networks, tear_down_networks);
        tcase_add_test(tcase, test_an_address_by_dhcp);
        tcase_add_test(tcase, test_ports_of_the_host);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
