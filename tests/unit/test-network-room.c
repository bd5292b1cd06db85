/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where networks find room: names of bridges and networks of addresses that nobody has; what is refused when
 * somebody has them; the network that a fresh system gets.
 */
#include "tests/unit/network-fixture.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

static char *get_xml(struct network *network)
{
        return network_get_xml(network, 0, NULL);
}

static void check_xml(struct network *network, const char *wanted)
{
        g_autofree char *xml = get_xml(network);

        ck_assert_msg(strstr(xml, wanted) != NULL, "no %s in %s", wanted, xml);
}

#define CHOSEN(name) "<network><name>" name "</name><ip><dhcp/></ip></network>"

/* ---- chosen ---- */

START_TEST(test_chosen)
{
        struct network *network;
        g_autofree char *address = NULL;

        if (!can_run())
                return;
        g_free(shell("ip link set lo up; ip address add 192.168.122.77/24 dev lo;"
                     "ip route add 192.168.123.0/25 dev lo"));
        open_networks(false);
        network = define_network(CHOSEN("a"), NULL);
        check_xml(network, "<ip address='192.168.124.1' prefix='24'>");
        check_xml(network, "<range start='192.168.124.2' end='192.168.124.254'/>");
        network = define_network("<network><name>b</name><ip netmask='255.255.255.192'/>"
                                 "<ip family='ipv6'><dhcp/></ip></network>",
                                 NULL);
        check_xml(network, "<ip address='192.168.123.129' netmask='255.255.255.192'>");
        check_xml(network, "<ip family='ipv6' address='fd");
        check_xml(network, "::1' prefix='64'>");
        check_xml(network, "::2' end='fd");
        /* As they are written, so that a definition read again is the same. */
        create_network(network, NULL);
        check_shell("192.168.123.129/26", "ip -o address show dev virbr1");
        destroy_network(network, NULL);
        network = define_network("<network><name>c</name><ip prefix='12'><dhcp/></ip></network>", NULL);
        check_xml(network, "<range start='10.128.0.2' end='10.128.255.254'/>");
}
END_TEST

/* A definition that leaves out what it left out before keeps what was chosen. */
START_TEST(test_chosen_once)
{
        static const char xml[] =
                "<network><name>a</name><uuid>" LAN_UUID "</uuid><ip><dhcp/></ip></network>";
        g_autofree char *before = NULL, *after = NULL;
        struct network *network;

        open_networks(true);
        network = define_network(xml, NULL);
        before = get_xml(network);
        check_xml(network, "192.168.123.1"); /* 192.168.122.0 is default's */
        after = get_xml(define_network(xml, NULL));
        ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(test_not_to_be_chosen)
{
        open_networks(true);
        define_network("<network><name>a</name><ip prefix='31'/></network>", "prefix of 8 to 30 bits");
        define_network("<network><name>a</name><ip netmask='255.0.255.0'/></network>", "netmask is none");
        define_network("<network><name>a</name><ip family='ipv6' prefix='48'/></network>",
                       "prefix of 64 bits");
        define_network("<network><name>a</name><ip family='ipx'/></network>", "ipx");
        define_network("<network><name>a</name><ip><dhcp><range start='10.0.0.2' "
                       "end='10.0.0.9'/></dhcp></ip></network>",
                       "missing address");
}
END_TEST

/* All at once, and none has the bridge or the network of another. */
START_TEST(test_chosen_in_parallel)
{
        enum { COUNT = 64 };
        struct outcome outcomes[COUNT] = { 0 };
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        if (!can_run())
                return;
        open_networks(false);
        for (unsigned i = 0; i < COUNT; i++) {
                g_autofree char *xml = g_strdup_printf(CHOSEN("n%u"), i);

                network_create_xml(networks, xml, finish, &outcomes[i]);
        }
        for (unsigned i = 0; i < COUNT; i++) {
                struct network *network = expect(&outcomes[i], NULL);
                g_autofree char *xml = get_xml(network);
                const char *address = strstr(xml, "<ip address='");

                ck_assert(g_hash_table_add(seen, g_strdup(network_get_bridge_name(network, 0, NULL))));
                ck_assert(g_hash_table_add(seen, g_strndup(address, 30)));
        }
        for (unsigned i = 0; i < COUNT; i++)
                destroy_network(outcomes[i].network, NULL);
}
END_TEST

/* ---- refused ---- */

/* Two of one network of addresses at once: not both. */
START_TEST(test_overlapping_starts)
{
        struct outcome outcomes[2] = { 0 };
        unsigned failed = 0;

        if (!can_run())
                return;
        open_networks(false);
        network_create_xml(networks, "<network><name>a</name><ip address='10.77.0.1' prefix='24'/></network>",
                           finish, &outcomes[0]);
        network_create_xml(networks,
                           "<network><name>b</name><ip address='10.77.0.129' prefix='25'/></network>", finish,
                           &outcomes[1]);
        for (unsigned i = 0; i < 2; i++) {
                while (!outcomes[i].done)
                        loop_step(loop, true);
                if (!outcomes[i].error)
                        continue;
                ck_assert_msg(strstr(outcomes[i].error->message, "is already in use by interface virbr"),
                              "%s", outcomes[i].error->message);
                g_clear_error(&outcomes[i].error);
                failed++;
        }
        ck_assert_uint_ge(failed, 1);
        {
                g_autofree char *addresses = shell("ip -4 -o address | grep -c ' 10.77'");

                ck_assert_int_eq(atoi(addresses), (int)(2 - failed));
        }
}
END_TEST

START_TEST(test_names_of_bridges)
{
        open_networks(false);
        define_network("<network><name>a</name><bridge name='sixteen-bytes-xx'/></network>",
                       "longer than 15 bytes");
        define_network("<network><name>a</name><bridge name='a/b'/></network>", "cannot be the name");
        define_network("<network><name>a</name><bridge name='br9'/></network>", NULL);
        define_network("<network><name>b</name><bridge name='br9'/></network>", "already in use");
}
END_TEST

/* It is known by its MAC address. */
START_TEST(test_stale_bridge)
{
        struct network *network;
        unsigned index;

        if (!can_run())
                return;
        open_networks(false);
        network =
                define_network("<network><name>a</name><bridge name='br9'/><mac address='52:54:00:aa:bb:cc'/>"
                               "<ip address='10.77.0.1' prefix='24'/></network>",
                               NULL);
        g_free(shell("ip link add br9 address 52:54:00:aa:bb:cc type bridge; ip address add 10.77.0.1/24 dev "
                     "br9"));
        index = if_nametoindex("br9");
        create_network(network, NULL);
        ck_assert_uint_eq(if_nametoindex("br9"), index);
        destroy_network(network, NULL);
        ck_assert_uint_eq(if_nametoindex("br9"), 0);
        g_free(shell("ip link add br9 type bridge"));
        create_network(network, "has an interface 'br9' already");
}
END_TEST

/* ---- the default network ---- */

START_TEST(test_default)
{
        struct network *network;

        if (!can_run())
                return;
        g_free(shell("ip link set lo up; ip address add 192.168.122.1/24 dev lo"));
        with_default = true;
        open_networks(false);
        network = network_lookup_name(networks, "default", NULL);
        ck_assert(network && network_get_published(network)->autostart);
        check_xml(network, "<forward mode='nat'/>");
        check_xml(network, "<ip address='192.168.123.1' netmask='255.255.255.0'>");
        check_xml(network, "<range start='192.168.123.2' end='192.168.123.254'/>");
        close_networks();
        open_networks(false);
        ck_assert(network_lookup_name(networks, "default", NULL) != NULL);
        ck_assert_uint_eq(registry_get_count(networks_get_registry(networks)), 1);
        undefine_network(network_lookup_name(networks, "default", NULL), NULL);
        close_networks();
        open_networks(false);
        ck_assert_uint_eq(registry_get_count(networks_get_registry(networks)), 0);
}
END_TEST

/* It may be turned off, and a system that has networks is not fresh. */
START_TEST(test_no_default)
{
        open_networks(false);
        define_network(CHOSEN("a"), NULL);
        close_networks();
        with_default = true;
        open_networks(false);
        ck_assert_uint_eq(registry_get_count(networks_get_registry(networks)), 1);
}
END_TEST

CHECK_MAIN_FIXTURE("network-room", setup_networks, teardown_networks, test_chosen, test_chosen_once,
                   test_not_to_be_chosen, test_chosen_in_parallel, test_overlapping_starts,
                   test_names_of_bridges, test_stale_bridge, test_default, test_no_default)
