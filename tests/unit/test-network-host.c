/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks on the host, in a network namespace of the test's own with a real bridge, nftables and dnsmasq,
 * and a client in another one.
 */
#include "tests/unit/network-fixture.h"

#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* After destroy everything is as before. */
START_TEST(test_start)
{
        struct network *network;
        g_autofree char *before = NULL, *after = NULL;
        int pid;

        if (!can_run())
                return;
        /* A route to more than the network is in nobody's way. */
        g_free(shell("ip link add wide type bridge; ip link set wide up; ip route add 10.0.0.0/8 dev wide"));
        open_networks(false);
        before = shell("ip -o link; ip -4 -o address; nft list ruleset; ls %s/run 2>/dev/null", top);
        network = define_network(NAT, NULL);
        ck_assert_str_eq(network_get_bridge_name(network, 0, NULL), "virbr0");
        create_network(network, NULL);
        check_shell("inet 10.77.0.1/24", "ip -o address show dev virbr0");
        check_shell("UP", "ip -o link show dev virbr0");
        check_shell("masquerade to :1024-65535", "nft list table inet virtbus_virbr0");
        check_shell("reject", "nft list table inet virtbus_virbr0");
        check_shell("1", "cat /proc/sys/net/ipv4/ip_forward");
        pid = get_pid(LAN_UUID);
        ck_assert(runs(pid));
        create_network(network, "already active");
        destroy_network(network, NULL);
        ck_assert(!runs(pid));
        after = shell("ip -o link; ip -4 -o address; nft list ruleset; ls %s/run 2>/dev/null", top);
        ck_assert_str_eq(before, after);
        create_network(network, NULL);
        destroy_network(network, NULL);
        ck_assert_str_eq(events->str, "02323");
}
END_TEST

#define OPTION(line)                                                                                         \
        "<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>o</name><bridge "           \
        "stp='off'/>"                                                                                        \
        "<ip address='10.77.0.1' prefix='24'/><d:options><d:option value='" line "'/></d:options></network>"

#define UDHCPC "busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s "

/* An option of dnsmasq counts; one that it does not know ends the start, and is named. */
START_TEST(test_options)
{
        g_autofree char *found = NULL;
        struct network *network;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(OPTION("address=/gate.example/10.77.0.77"), NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        found = shell("nsenter -t %d -n ip address add 10.77.0.9/24 dev eth0;"
                      "nsenter -t %d -n busybox nslookup gate.example 10.77.0.1 2>&1; kill %d",
                      pid, pid, pid);
        ck_assert_msg(strstr(found, "10.77.0.77") != NULL, "%s", found);
        destroy_network(network, NULL);
        create_xml(OPTION("no-such-option"), "bad option");
}
END_TEST

/* As nft(8) reads what the kernel has been told. */
START_TEST(test_rules)
{
        static const char *const rules[] = {
                "type filter hook forward priority filter; policy accept;",
                "iifname \"virbr0\" oifname \"virbr0\" accept",
                "iifname \"virbr0\" oifname \"eth7\" ip saddr 10.64.0.0/10 accept",
                "oifname \"virbr0\" iifname \"eth7\" ip daddr 10.64.0.0/10 ct state established,related "
                "accept",
                "ip6 saddr fd00:0:0:10::/60 accept",
                "ip6 daddr fd00:0:0:10::/60 accept",
                "iifname \"virbr0\" reject\n\t\toifname \"virbr0\" reject\n",
                "type nat hook postrouting priority srcnat; policy accept;",
                "ip saddr 10.64.0.0/10 ip daddr 224.0.0.0/24 return",
                "ip saddr 10.64.0.0/10 ip daddr 255.255.255.255 return",
                "oifname \"eth7\" ip saddr 10.64.0.0/10 ip daddr != 10.64.0.0/10 meta l4proto tcp snat ip to "
                "192.0.2.1-192.0.2.9:2000-3000",
                "meta l4proto udp snat ip to 192.0.2.1-192.0.2.9:2000-3000",
                "ip daddr != 10.64.0.0/10 snat ip to 192.0.2.1-192.0.2.9\n",
        };
        struct network *network;
        g_autofree char *text = NULL;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(
                "<network><name>a</name><forward dev='eth7'><nat><address start='192.0.2.1' end='192.0.2.9'/>"
                "<port start='2000' end='3000'/></nat></forward><ip address='10.77.0.1' prefix='10'/>"
                "<ip family='ipv6' address='fd00:0:0:12::1' prefix='60'/></network>",
                NULL);
        text = shell("nft list table inet virtbus_virbr0");
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++)
                ck_assert_msg(strstr(text, rules[i]) != NULL, "no '%s' in %s", rules[i], text);
        destroy_network(network, NULL);
        g_free(text);
        network = create_xml("<network><name>a</name><forward><nat ipv6='yes'/></forward>"
                             "<ip family='ipv6' address='fd00::1' prefix='64'/></network>",
                             NULL);
        text = shell("nft list table inet virtbus_virbr0");
        ck_assert_msg(strstr(text, "ip6 saddr fd00::/64 ip6 daddr ff00::/8 return") &&
                              strstr(text,
                                     "ip6 saddr fd00::/64 ip6 daddr != fd00::/64 meta l4proto tcp masquerade "
                                     "to :1024-65535") &&
                              strstr(text, "ip6 daddr != fd00::/64 masquerade\n"),
                      "%s", text);
        destroy_network(network, NULL);
}
END_TEST

/* Leases, names, the way out and what is in the way. */
START_TEST(test_client)
{
        g_autofree char *script = NULL, *output = NULL, *resolved = NULL, *outside = NULL, *isolated = NULL;
        g_autofree char *inside = NULL;
        struct network *network;
        struct answer answer;
        int pid, out;

        if (!can_run())
                return;
        /* As strict as it can be: what comes in has to come from where the host would send to. */
        g_free(shell("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter;"
                     "echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter"));
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        out = plug("virbr0", "52:54:00:00:00:02");
        script = g_build_filename(top, "udhcpc", NULL);
        ck_assert(g_file_set_contents(script,
                                      "#!/bin/sh\n[ $1 = bound ] && ip address add $ip/24 dev $interface &&"
                                      " ip route add default via $router\nexit 0\n",
                                      -1, NULL));
        ck_assert_int_eq(chmod(script, 0755), 0);
        output = shell("nsenter -t %d -n " UDHCPC "%s 2>&1", pid, script);
        ck_assert_msg(strstr(output, "10.77.0.9") != NULL, "%s", output);
        /* dnsmasq tells a little later than it lends. */
        while ((answer = get_leases(network, "")).count == 0)
                loop_step(loop, false);
        ck_assert_uint_eq(answer.count, 1);
        ck_assert_str_eq(answer.address, "10.77.0.9");
        ck_assert_str_eq(answer.mac, "52:54:00:00:00:01");
        ck_assert_str_eq(answer.hostname, "one");
        ck_assert_uint_eq(get_leases(network, "52:54:00:00:00:77").count, 0);
        resolved = shell("nsenter -t %d -n busybox nslookup gate 10.77.0.1 2>&1", pid);
        ck_assert_msg(strstr(resolved, "10.77.0.5") != NULL, "%s", resolved);
        /* The other end stands outside: an address behind a link of the host's, and no way back but ours. */
        outside = shell("ip link set port2 nomaster; ip address add 198.51.100.1/24 dev port2;"
                        "nsenter -t %d -n ip address add 198.51.100.2/24 dev eth0;"
                        "ip link set lo up; nsenter -t %d -n busybox ping -c 1 -w 5 198.51.100.2 2>&1",
                        out, pid);
        ck_assert_msg(strstr(outside, "1 packets received") != NULL, "%s", outside);
        inside = shell("nsenter -t %d -n ip route add 10.77.0.0/24 via 198.51.100.1;"
                       "nsenter -t %d -n busybox ping -c 1 -w 1 10.77.0.9 2>&1",
                       out, out);
        ck_assert_msg(strstr(inside, " 0 packets received") != NULL, "%s", inside);
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
                       "<host mac='52:54:00:00:00:03' ip='10.77.0.8'/>", 0, NULL);
        isolated = shell("kill %d %d", pid, out);
        destroy_network(network, NULL);
}
END_TEST

#define SIGHT                                                                                                \
        "ip -o link show dev virbr0; ip -4 -o address show dev virbr0; ip route; nft -a list ruleset;"       \
        "cat %s/run/*.conf %s/run/*.names"

/* A host more changes nothing else; rules are as many for one host as for a hundred. */
START_TEST(test_one_host)
{
        g_autofree char *before = NULL, *after = NULL;
        struct network *network;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        before = shell(SIGHT, top, top);
        for (unsigned i = 0; i < 100; i++) {
                g_autofree char *host =
                        g_strdup_printf("<host mac='52:54:00:00:01:%02x' ip='10.77.0.%u'/>", i, 100 + i);

                update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 0, NULL);
        }
        after = shell(SIGHT, top, top);
        ck_assert_msg(strcmp(before, after) == 0, "something else has changed");
        destroy_network(network, NULL);
}
END_TEST

/* A host more: the same dnsmasq. Its end: another one. */
START_TEST(test_dnsmasq)
{
        struct network *network;
        int pid, third;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = get_pid(LAN_UUID);
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
                       "<host mac='52:54:00:00:00:03' ip='10.77.0.8'/>", 0, NULL);
        ck_assert_int_eq(get_pid(LAN_UUID), pid);
        third = plug("virbr0", "52:54:00:00:00:03");
        {
                g_autofree char *output =
                        shell("nsenter -t %d -n " UDHCPC "/bin/true 2>&1; kill %d", third, third);

                ck_assert_msg(strstr(output, "10.77.0.8") != NULL, "%s", output);
        }
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_TXT, "<txt name='a' value='b'/>",
                       0, NULL);
        ck_assert_int_ne(get_pid(LAN_UUID), pid);
        pid = get_pid(LAN_UUID);
        kill(pid, SIGKILL);
        while (get_pid(LAN_UUID) == pid || !runs(get_pid(LAN_UUID)))
                get_leases(network, ""); /* in turn with what happens in the lane */
        destroy_network(network, NULL);
}
END_TEST

/* What ran runs on; what is missing is put back; what was cut off is taken away. */
START_TEST(test_restart)
{
        struct network *network;
        g_autofree char *mark = NULL;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        define_network(NAT, NULL);
        create_network(network_lookup_name(networks, "lan", NULL), NULL);
        create_xml("<network><name>t</name><ip address='10.78.0.1' prefix='24'/></network>", NULL);
        pid = get_pid(LAN_UUID);
        close_networks();
        /* Who comes later does not end it. */
        g_free(shell(
                "nft flush ruleset; ip link add late type bridge; ip address add 10.77.0.99/24 dev late"));
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert(network && network_get_published(network)->active);
        ck_assert_int_eq(get_pid(LAN_UUID), pid);
        check_shell("masquerade", "nft list ruleset");
        ck_assert(!network_get_published(network_lookup_name(networks, "t", NULL))->persistent);
        destroy_network(network_lookup_name(networks, "t", NULL), NULL);
        close_networks();
        mark = g_strdup_printf("%s/run/" LAN_UUID ".starting", top);
        ck_assert(g_file_set_contents(mark, "", 0, NULL));
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert(!network_get_published(network)->active);
        ck_assert(!runs(pid));
        check_shell("", "nft list ruleset");
        ck_assert_uint_eq(if_nametoindex("virbr0"), 0);
}
END_TEST

START_TEST(test_refused)
{
        struct network *network;

        if (!can_run())
                return;
        open_networks(false);
        g_free(shell("ip link add other type bridge; ip address add 10.77.0.200/25 dev other; ip link set "
                     "other up"));
        network = define_network(NAT, NULL);
        create_network(network, "10.77.0.1/24 is already in use by interface other");
        define_network("<network><name>b</name><bridge name='virbr0'/></network>", "already in use");
        network = define_network("<network><name>b</name><bridge name='other'/></network>", NULL);
        create_network(network, "has an interface 'other' already");
        check_shell("10.77.0.200", "ip -o address show dev other");
        network = define_network("<network><name>c</name><forward mode='hostdev'/></network>", NULL);
        create_network(network, "network 'c' names no PCI device");
        network = define_network("<network><name>pf</name><forward mode='hostdev'><pf dev='other'/></forward>"
                                 "</network>",
                                 NULL);
        create_network(network, "no usable virtual functions present on 'other'");
        create_xml("<network><name>p</name><forward mode='bridge'><pf dev='other'/></forward></network>",
                   "<pf dev='other'> of network 'p' is not supported in forward mode 'bridge'");
        create_xml("<network><name>p</name><forward mode='passthrough'><pf dev='other'/></forward></network>",
                   "<pf dev='other'> of network 'p' is not supported in forward mode 'passthrough'");
        create_xml("<network><name>p</name><forward mode='nat'><pf dev='other'/></forward>"
                   "<ip address='10.78.0.1' prefix='24'/></network>",
                   "<pf dev='other'> of network 'p' is not supported in forward mode 'nat'");
        network = define_network("<network><name>d</name><forward mode='bridge'/><bridge name='br0'/>"
                                 "<bandwidth><inbound average='1'/></bandwidth></network>",
                                 NULL);
        create_network(network, "<bandwidth> of network 'd' is not supported");
        /* Nothing stays of what failed half-way. */
        g_free(shell("ip address add 10.79.0.1/32 dev lo; ip link set lo up"));
        network =
                define_network("<network><name>e</name><bridge name='e'/><ip address='10.80.0.1' prefix='31' "
                               "localPtr='yes'/>"
                               "</network>",
                               NULL);
        create_network(network, "PTR domain");
        ck_assert_uint_eq(if_nametoindex("e"), 0);
        check_shell("", "nft list tables");
        {
                g_autofree char *tables = shell("nft list tables; ls %s/run | grep -v leases.socket", top);

                ck_assert_str_eq(tables, "");
        }
}
END_TEST

/* All at once, each with a bridge of its own. */
START_TEST(test_parallel)
{
        enum { COUNT = 64 };
        struct outcome outcomes[COUNT] = { 0 };
        gint64 begin;

        if (!can_run())
                return;
        open_networks(false);
        begin = g_get_monotonic_time();
        for (unsigned i = 0; i < COUNT; i++) {
                g_autofree char *xml =
                        g_strdup_printf("<network><name>n%u</name><bridge stp='off'/>"
                                        "<ip address='10.80.%u.1' prefix='24'><dhcp>"
                                        "<range start='10.80.%u.2' end='10.80.%u.9'/></dhcp></ip>"
                                        "</network>",
                                        i, i, i, i);

                network_create_xml(networks, xml, finish, &outcomes[i]);
        }
        for (unsigned i = 0; i < COUNT; i++)
                expect(&outcomes[i], NULL);
        printf("64 networks started in %" G_GINT64_FORMAT " ms\n", (g_get_monotonic_time() - begin) / 1000);
        for (unsigned i = 0; i < COUNT; i++)
                destroy_network(outcomes[i].network, NULL);
        {
                g_autofree char *rest = shell("ip -o link | grep -v ' lo:'; nft list tables;"
                                              "ls %s/run | grep -v leases.socket",
                                              top);

                ck_assert_str_eq(rest, "");
        }
}
END_TEST

CHECK_MAIN_FIXTURE("network-host", setup_networks, teardown_networks, test_start, test_rules, test_options,
                   test_client, test_one_host, test_dnsmasq, test_restart, test_refused, test_parallel)
