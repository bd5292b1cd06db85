/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents of interfaces: what is taken, how it is written, what is refused and in which words.
 */
#include "interfaces/definition.h"

#include "tests/unit/check-main.h"

#include <linux/if_bonding.h>
#include <linux/rtnetlink.h>
#include <string.h>

static char *read_file(const char *name, const char *suffix)
{
        g_autofree char *path = g_strconcat(DOCUMENTS "/", name, suffix, NULL);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
        return text;
}

static struct interface_def *parse(const char *xml)
{
        g_autoptr(GError) error = NULL;
        struct interface_def *def = interface_def_parse(xml, &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        return def;
}

/* As the peer writes them, with empty elements closed and MACs as the kernel has them. */
START_TEST(documents_are_put_in_order)
{
        static const char *const names[] = { "bridge", "bond", "vlan", "ethernet" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *in = read_file(names[i], ".in.xml"), *out = read_file(names[i], ".out.xml");
                CLEANUP(interface_def_unref) struct interface_def *def = parse(in);
                CLEANUP(interface_def_unref) struct interface_def *again = parse(def->xml);

                ck_assert_str_eq(def->xml, out);
                ck_assert_str_eq(again->xml, out);
                ck_assert(interface_def_validate(in, NULL));
        }
}
END_TEST

START_TEST(all_of_it_is_read)
{
        g_autofree char *bridge_text = read_file("bridge", ".in.xml"),
                        *bond_text = read_file("bond", ".in.xml");
        CLEANUP(interface_def_unref)
        struct interface_def *bridge = parse(bridge_text), *bond = parse(bond_text);
        const struct interface_def *inner = g_ptr_array_index(bridge->ports, 1);
        char text[LINK_IP_SIZE];

        ck_assert_int_eq(bridge->type, INTERFACE_BRIDGE);
        ck_assert_int_eq(bridge->start, INTERFACE_START_ONBOOT);
        ck_assert_uint_eq(bridge->mtu, 1492);
        ck_assert(bridge->bridge.has_stp && bridge->bridge.stp && bridge->bridge.delay_cs == 450);
        ck_assert_uint_eq(bridge->ports->len, 3);
        ck_assert_uint_eq(bridge->protocols[0].ips->len, 2);
        ck_assert(bridge->protocols[1].autoconf && !bridge->protocols[1].dhcp);
        ck_assert_str_eq(
                link_ip_format(&g_array_index(bridge->protocols[0].gateways, struct link_ip, 0), text),
                "192.0.2.1");
        ck_assert_uint_eq(inner->bond.mode, BOND_MODE_ACTIVEBACKUP);
        ck_assert(inner->bond.miimon_ms == 100 && inner->bond.up_delay_ms == 10 &&
                  inner->bond.down_delay_ms == 20);
        ck_assert(inner->bond.use_carrier);
        ck_assert_str_eq(((const struct interface_def *)g_ptr_array_index(bridge->ports, 2))->lower, "eth9");
        ck_assert(bond->protocols[0].dhcp && bond->protocols[0].no_peer_dns);
        ck_assert_uint_eq(bond->bond.arp_validate, 1);
        ck_assert(interface_def_uses(bridge, "eth6") && interface_def_uses(bridge, "eth9"));
        ck_assert(!interface_def_uses(bridge, "eth7"));
}
END_TEST

START_TEST(a_vlan_needs_no_name)
{
        CLEANUP(interface_def_unref)
        struct interface_def *def =
                parse("<interface type='vlan'><vlan tag='7'><interface name='eth0'/></vlan></interface>");

        ck_assert_str_eq(def->name, "eth0.7");
        ck_assert_str_eq(def->xml, "<interface type='vlan' name='eth0.7'>\n  <vlan tag='7'>\n"
                                   "    <interface name='eth0'/>\n  </vlan>\n</interface>\n");
}
END_TEST

#define PROTOCOL(text)                                                                                       \
        "<interface type='ethernet' name='e'><protocol family='ipv4'>" text "</protocol></interface>"
#define BRIDGE(text) "<interface type='bridge' name='b'><bridge>" text "</bridge></interface>"
#define BOND(text)   "<interface type='bond' name='b'>" text "</interface>"
#define PORT(name)   "<interface type='ethernet' name='" name "'/>"

START_TEST(what_is_wrong_is_named)
{
        static const struct {
                const char *xml, *words;
        } cases[] = {
                { "<interface name='e'/>", "ethernet, bridge, bond or vlan" },
                { "<interface type='token-ring' name='e'/>", "token-ring" },
                { "<interface type='ethernet'/>", "without a name" },
                { "<interface type='ethernet' name=''/>", "without a name" },
                { "<interface type='ethernet' name='0123456789abcdef'/>", "more than 15 bytes" },
                { "<interface type='ethernet' name='../x'/>", "character that the kernel does not take" },
                { "<interface type='ethernet' name='..'/>", "no interface can have the name '..'" },
                { "<interface type='ethernet' name='a b'/>", "character that the kernel does not take" },
                { "<interface type='ethernet' name='e'><mac address='aa:bb'/></interface>",
                  "MAC address 'aa:bb'" },
                { "<interface type='ethernet' name='e'><mac address='01:00:5e:00:00:01'/></interface>",
                  "of a group" },
                { "<interface type='ethernet' name='e'><mtu size='-1'/></interface>", "size" },
                { "<interface type='ethernet' name='e'><mtu size='65536'/></interface>", "65536" },
                { "<interface type='ethernet' name='e'><start mode='later'/></interface>", "later" },
                { PROTOCOL("<ip address='10.0.0.300' prefix='8'/>"), "'10.0.0.300' is no ipv4 address" },
                { PROTOCOL("<ip address='2001:db8::1' prefix='8'/>"), "is no ipv4 address" },
                { PROTOCOL("<ip address='10.0.0.1' prefix='33'/>"), "prefix 33" },
                { PROTOCOL("<ip prefix='24'/>"), "'address'" },
                { PROTOCOL("<ip address='10.0.0.1'/><ip address='10.0.0.1'/>"), "twice" },
                { PROTOCOL("<ip address='10.0.0.1' prefix='24'/><route gateway='10.0.1.1'/>"),
                  "gateway 10.0.1.1 is on no network" },
                { PROTOCOL("<dhcp/></protocol><protocol family='ipv4'>"),
                  "more than one protocol of family ipv4" },
                { PROTOCOL("<autoconf/>"), "only IPv6" },
                { BRIDGE(PORT("b")), "'b' is part of itself" },
                { BRIDGE(PORT("e") PORT("e")), "'e' is there twice" },
                { BRIDGE("<interface type='bridge' name='c'><bridge/></interface>"),
                  "a bridge cannot be a port of a bridge" },
                { BRIDGE("<interface type='vlan' name='v'><vlan tag='1'><interface "
                         "name='b'/></vlan></interface>"),
                  "'b' is part of itself" },
                { BRIDGE("<interface type='ethernet' name='e'><protocol "
                         "family='ipv4'><dhcp/></protocol></interface>"),
                  "port 'e' has no protocols" },
                { "<interface type='bridge' name='b'/>", "without <bridge>" },
                { "<interface type='bridge' name='b'><bridge delay='x'/></interface>", "'x'" },
                { "<interface type='bridge' name='b'><bridge delay='1.234'/></interface>", "'1.234'" },
                { "<interface type='bridge' name='b'><bridge delay='99999999999999999999'/></interface>",
                  "time" },
                { "<interface type='bridge' name='b'><bridge stp='maybe'/></interface>", "maybe" },
                { BOND("<bond/>"), "a bond without ports" },
                { BOND("<bond mode='fast'>" PORT("e") "</bond>"), "fast" },
                { BOND("<bond><miimon freq='1'/><arpmon interval='1' target='10.0.0.1'/>" PORT(
                          "e") "</bond>"),
                  "not by both" },
                { BOND("<bond mode='802.3ad'><arpmon interval='1' target='10.0.0.1'/>" PORT("e") "</bond>"),
                  "802.3ad cannot be watched by ARP" },
                { BOND("<bond><miimon/>" PORT("e") "</bond>"), "'freq'" },
                { "<interface type='vlan' name='v'><vlan tag='4095'><interface name='e'/></vlan></interface>",
                  "4095" },
                { "<interface type='vlan' name='v'><vlan tag='0'><interface name='e'/></vlan></interface>",
                  "tag 0" },
                { "<interface type='vlan' name='v'><vlan tag='1'><interface name='v'/></vlan></interface>",
                  "on itself" },
                { "<interface type='vlan' name='v'><vlan tag='1'/></interface>", "interface that it is on" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert_msg(!interface_def_parse(cases[i].xml, &error), "%s", cases[i].xml);
                ck_assert_msg(strstr(error->message, cases[i].words), "%s: %s", cases[i].xml, error->message);
                ck_assert(error_is(error, ERROR_XML_ERROR));
        }
}
END_TEST

START_TEST(validation_is_strict)
{
        g_autoptr(GError) error = NULL;

        ck_assert(
                !interface_def_validate("<interface type='ethernet' name='e'><speed/></interface>", &error));
        ck_assert(error_is(error, ERROR_XML_INVALID_SCHEMA) && strstr(error->message, "<speed>"));
        g_clear_error(&error);
        ck_assert(!interface_def_validate("<interface type='ethernet' name='e'><mtu bytes='1'/></interface>",
                                          &error));
        ck_assert(strstr(error->message, "'bytes' of <mtu>"));
}
END_TEST

/* A bridge with a port, an address and a default route, as the kernel would tell of them. */
START_TEST(what_is_live_is_written)
{
        static const struct link_address address = { .ip = { AF_INET, 24, { 192, 0, 2, 1 } } };
        static const struct link_route route = { .destination = { .family = AF_INET },
                                                 .gateway = { AF_INET, 32, { 192, 0, 2, 254 } } };
        CLEANUP(link_unref) struct link *bridge = link_new(5), *port = link_new(6);
        CLEANUP(link_set_unref) struct link_set *set = NULL;
        g_autofree char *text = NULL;

        strcpy(bridge->name, "br0");
        strcpy(bridge->mac, "52:54:00:00:00:01");
        bridge->kind = g_strdup("bridge");
        bridge->mtu = 1500;
        bridge->state = 6;
        bridge->bridge = (struct link_bridge){ true, 450 };
        g_array_append_val(bridge->addresses, address);
        g_array_append_val(bridge->routes, route);
        strcpy(port->name, "eth0");
        port->master = 5;
        port->speed_mbps = 1000;
        port->state = 2;
        set = link_set_new((struct link *[]){ bridge, port }, 2);
        text = interface_format_live(bridge, set, NULL, false);
        ck_assert_str_eq(text, "<interface type='bridge' name='br0'>\n"
                               "  <mtu size='1500'/>\n"
                               "  <protocol family='ipv4'>\n"
                               "    <ip address='192.0.2.1' prefix='24'/>\n"
                               "    <route gateway='192.0.2.254'/>\n"
                               "  </protocol>\n"
                               "  <link state='up'/>\n"
                               "  <mac address='52:54:00:00:00:01'/>\n"
                               "  <bridge stp='on' delay='4.5'>\n"
                               "    <interface type='ethernet' name='eth0'>\n"
                               "      <link speed='1000' state='down'/>\n"
                               "    </interface>\n"
                               "  </bridge>\n"
                               "</interface>\n");
}
END_TEST

/* What comes by itself is not written down, what a definition cannot say is left out, and the rest is taken.
 */
START_TEST(what_is_live_can_be_defined)
{
        static const struct link_address addresses[] = {
                { .ip = { AF_INET, 24, { 192, 0, 2, 1 } } },
                { .ip = { AF_INET, 24, { 198, 51, 100, 9 } }, .is_dynamic = true },
                { .ip = { AF_INET6, 64, { 0xfe, 0x80, [15] = 1 } }, .scope = RT_SCOPE_LINK },
                { .ip = { AF_INET6, 64, { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, .is_dynamic = true },
        };
        static const struct link_route routes[] = {
                { .destination = { .family = AF_INET }, .gateway = { AF_INET, 32, { 203, 0, 113, 1 } } },
                { .destination = { .family = AF_INET }, .gateway = { AF_INET, 32, { 192, 0, 2, 254 } } },
                { .destination = { .family = AF_INET }, .gateway = { AF_INET, 32, { 192, 0, 2, 253 } } },
        };
        CLEANUP(link_unref) struct link *bridge = link_new(5), *port = link_new(6), *tap = link_new(7);
        CLEANUP(link_set_unref) struct link_set *set = NULL;
        CLEANUP(interface_def_unref) struct interface_def *def = NULL;
        g_autofree char *text = NULL;

        strcpy(bridge->name, "br0");
        bridge->kind = g_strdup("bridge");
        bridge->mtu = 1500;
        g_array_append_vals(bridge->addresses, addresses, G_N_ELEMENTS(addresses));
        g_array_append_vals(bridge->routes, routes, G_N_ELEMENTS(routes));
        strcpy(port->name, "eth0");
        strcpy(tap->name, "vnet0");
        tap->kind = g_strdup("tun");
        port->master = tap->master = 5;
        set = link_set_new((struct link *[]){ bridge, port, tap }, 3);
        text = interface_format_live(bridge, set, NULL, true);
        ck_assert_str_eq(text, "<interface type='bridge' name='br0'>\n"
                               "  <mtu size='1500'/>\n"
                               "  <protocol family='ipv4'>\n"
                               "    <dhcp/>\n"
                               "    <ip address='192.0.2.1' prefix='24'/>\n"
                               "    <route gateway='192.0.2.254'/>\n"
                               "  </protocol>\n"
                               "  <protocol family='ipv6'>\n"
                               "    <autoconf/>\n"
                               "  </protocol>\n"
                               "  <bridge stp='off' delay='0'>\n"
                               "    <interface type='ethernet' name='eth0'/>\n"
                               "  </bridge>\n"
                               "</interface>\n");
        def = parse(text);
        ck_assert_str_eq(def->xml, text);
}
END_TEST

CHECK_MAIN("interface-definition", documents_are_put_in_order, all_of_it_is_read, a_vlan_needs_no_name,
           what_is_wrong_is_named, validation_is_strict, what_is_live_is_written, what_is_live_can_be_defined)
