/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network filters at work: what they let pass, how interfaces follow changes, what outlives the agent. */
#include "tests/unit/nwfilter-fixture.h"

#include "drivers/nwfilter/model.h"

#include "base/log.h"
#include "base/store.h"
#include "interfaces/nftables-source.h"
#include "tests/unit/check-main.h"

#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#define GUEST_IP "10.0.0.1"
#define OTHER_IP "10.0.0.9"
#define REQUEST  1
#define REPLY    2

static bool can_run(void)
{
        if (!has_namespace)
                check_skip("needs root, for a network namespace");
        return has_namespace;
}

/* What the guest's filter lets out, and is no other. */
static struct frame make_marker(void)
{
        return make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, GUEST_IP, OTHER_IP);
}

static bool gets_out(struct frame frame)
{
        struct frame marker = make_marker();

        return gets_through("g0", "g1", &frame, &marker);
}

static bool gets_in(struct frame frame)
{
        struct frame marker = make_arp(OTHER_MAC, ETH_P_ARP, REQUEST, OTHER_MAC, OTHER_IP, GUEST_IP);

        return gets_through("g1", "g0", &frame, &marker);
}

/* By the last letter of the device. */
static struct nwfilter_port *applied[128];

static void apply(const char *device, const char *filter, const char *params)
{
        struct nwfilter_port **port = &applied[(unsigned char)device[strlen(device) - 1]];

        nwfilter_port_unref(*port);
        *port = make_port(device, filter, params);
        apply_port(*port, NULL);
}

static void forget(const char *device)
{
        remove_port(applied[(unsigned char)device[strlen(device) - 1]]);
}

/* ---- clean-traffic ---- */

START_TEST(test_clean_traffic_out)
{
        if (!can_run())
                return;
        ck_assert(gets_out(make_udp(OTHER_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        apply("t0", "clean-traffic", "IP=" GUEST_IP " IP=10.0.0.2");
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, GUEST_IP, OTHER_IP)));
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REPLY, GUEST_MAC, "10.0.0.2", OTHER_IP)));
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "0.0.0.0", GUEST_IP)));
        /* ARP that lies: the address, the station, both in the frame; no request or reply */
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.66", OTHER_IP)));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REPLY, GUEST_MAC, "0.0.0.0", OTHER_IP)));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, OTHER_MAC, GUEST_IP, OTHER_IP)));
        ck_assert(!gets_out(make_arp(OTHER_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, GUEST_IP, OTHER_IP)));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, 9, GUEST_MAC, GUEST_IP, OTHER_IP)));
        /* IPv4 */
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_udp(GUEST_MAC, "10.0.0.2", 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        /* DHCP, and what only looks like it */
        ck_assert(gets_out(make_udp(GUEST_MAC, "0.0.0.0", 68, "255.255.255.255", 67)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, "0.0.0.0", 68, "255.255.255.255", 53)));
        ck_assert(!gets_out(make_udp(OTHER_MAC, "0.0.0.0", 68, "255.255.255.255", 67)));
        /* QEMU's announcement, and others */
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_RARP, 3, GUEST_MAC, "0.0.0.0", "0.0.0.0")));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_RARP, 3, OTHER_MAC, "0.0.0.0", "0.0.0.0")));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_RARP, 4, GUEST_MAC, "0.0.0.0", "0.0.0.0")));
        ck_assert(!gets_out(make_ipv6(GUEST_MAC)));
        forget("t0");
        ck_assert(gets_out(make_udp(OTHER_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_ipv6(GUEST_MAC)));
}
END_TEST

START_TEST(test_clean_traffic_in)
{
        if (!can_run())
                return;
        apply("t0", "clean-traffic", "IP=" GUEST_IP);
        ck_assert(gets_in(make_arp(OTHER_MAC, ETH_P_ARP, REPLY, OTHER_MAC, OTHER_IP, GUEST_IP)));
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 1, GUEST_IP, 2)));
        ck_assert(gets_in(make_arp(OTHER_MAC, ETH_P_RARP, 3, OTHER_MAC, "0.0.0.0", "0.0.0.0")));
        ck_assert(!gets_in(make_arp(OTHER_MAC, ETH_P_RARP, 1, OTHER_MAC, "0.0.0.0", "0.0.0.0")));
        ck_assert(!gets_in(make_ipv6(OTHER_MAC)));
        /* The other port has no filter: what it sends is nobody's business but the receiver's. */
        ck_assert(gets_in(make_udp(GUEST_MAC, "1.2.3.4", 1, GUEST_IP, 2)));
}
END_TEST

START_TEST(test_gateway)
{
        if (!can_run())
                return;
        apply("t0", "clean-traffic-gateway", "IP=" GUEST_IP " GATEWAY_MAC=52:54:00:00:00:02");
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 1, GUEST_IP, 2)));
        ck_assert(!gets_in(make_udp("\x52\x54\x00\x00\x00\x03", OTHER_IP, 1, GUEST_IP, 2)));
}
END_TEST

/* ---- addresses that are learned ---- */

/* The address that was another's is the guest's now. */
static bool forgets(void)
{
        struct frame frame = make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2);
        struct frame marker = make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.66", OTHER_IP);

        return gets_through("g0", "g1", &frame, &marker);
}

START_TEST(test_learn_any)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "clean-traffic", NULL);
        g_autoptr(GString) xml = g_string_new(NULL);

        if (!can_run())
                return;
        apply_port(port, NULL);
        /* Another's frames teach nothing; the first of the guest's own does. */
        ck_assert(!gets_out(make_arp(OTHER_MAC, ETH_P_ARP, REQUEST, OTHER_MAC, "10.0.0.66", OTHER_IP)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.66", OTHER_IP)));
        /* A change of a filter forgets nothing, the next guest on that device begins anew. */
        g_string_printf(xml, "%s",
                        nwfilter_get_xml(nwfilter_lookup_name(nwfilters, "no-ip-spoofing", NULL), 0, NULL));
        define_filter(xml->str, NULL);
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        apply_port(port, NULL);
        ck_assert(forgets());
}
END_TEST

START_TEST(test_learn_dhcp)
{
        if (!can_run())
                return;
        apply("t0", "clean-traffic", "CTRL_IP_LEARNING=dhcp DHCPSERVER=10.0.0.254");
        /* A server that is none, and then the real one: what it gives is the guest's. */
        ck_assert(gets_in(make_lease("10.0.0.253", GUEST_IP)));
        ck_assert(gets_in(make_lease("10.0.0.254", "10.0.0.7")));
        ck_assert(gets_in(make_lease("10.0.0.254", GUEST_IP)));
        ck_assert(gets_out(make_udp(GUEST_MAC, "10.0.0.7", 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.8", 1, OTHER_IP, 2)));
}
END_TEST

START_TEST(test_learn_nothing)
{
        CLEANUP(nwfilter_port_unref)
        struct nwfilter_port *none = make_port("t0", "clean-traffic", "CTRL_IP_LEARNING=none");
        CLEANUP(nwfilter_port_unref)
        struct nwfilter_port *other = make_port("t0", "clean-traffic", "CTRL_IP_LEARNING=maybe");

        if (!can_run())
                return;
        apply_port(none, "needs a value for '$IP', and interface 't0' has none");
        apply_port(other, "'maybe' is no value for CTRL_IP_LEARNING");
}
END_TEST

/* ---- what nftables cannot, and what it can do of that ---- */

#define ARP_RULE(attributes)                                                                                 \
        "<filter name='announce'><uuid>00000000-0000-0000-0000-00000000000d</uuid><rule action='drop' "      \
        "direction='out'><arp " attributes "/></rule></filter>"

/* Who announces itself; the same address in other packets is let through. */
START_TEST(test_gratuitous)
{
        if (!can_run())
                return;
        define_filter(ARP_RULE("gratuitous='true' arpsrcipaddr='$IP'"), NULL);
        apply("t0", "announce", "IP=" GUEST_IP " IP=10.0.0.2");
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.2", "10.0.0.2")));
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.2", OTHER_IP)));
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, OTHER_IP, OTHER_IP)));
        forget("t0");
        define_filter(ARP_RULE("gratuitous='true' arpdstipaddr='10.0.0.7'"), NULL);
        apply("t0", "announce", NULL);
        ck_assert(!gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, "10.0.0.7", "10.0.0.7")));
        ck_assert(gets_out(make_arp(GUEST_MAC, ETH_P_ARP, REQUEST, GUEST_MAC, OTHER_IP, "10.0.0.7")));
}
END_TEST

START_TEST(test_not_with_nftables)
{
        static const char *const rows[][2] = {
                { ARP_RULE("gratuitous='true'"),
                  "attribute 'gratuitous' of a rule: nftables cannot compare" },
                { ARP_RULE("match='no' gratuitous='true' arpsrcipaddr='10.0.0.1'"), "cannot compare" },
                { ARP_RULE("gratuitous='true' arpsrcipaddr='10.0.0.1' arpsrcipmask='24'"), "cannot compare" },
                { ARP_RULE("gratuitous='true' arpsrcipaddr='$IP'"), "cannot compare" },
                { "<filter name='announce'><uuid>00000000-0000-0000-0000-00000000000d</uuid><rule "
                  "action='drop' direction='out'><all ipset='s' "
                  "ipsetflags='src'/>"
                  "</rule></filter>",
                  "attribute 'ipset' of a rule: nftables has sets of its own" },
        };
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "announce", NULL);

        if (!can_run())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                define_filter(rows[i][0], NULL);
                apply_port(port, rows[i][1]);
        }
}
END_TEST

/* ---- filters that change ---- */

#define UUID_A "<uuid>00000000-0000-0000-0000-00000000000a</uuid>"
#define UUID_B "<uuid>00000000-0000-0000-0000-00000000000b</uuid>"
#define DROP_PORT(port)                                                                                      \
        "<rule action='drop' direction='out'><ip protocol='udp' dstportstart='" port "'/></rule>"

START_TEST(test_change)
{
        g_autofree char *before = NULL, *after = NULL;

        if (!can_run())
                return;
        define_filter("<filter name='a'>" UUID_A "<filterref filter='b'/></filter>", NULL);
        define_filter("<filter name='b'>" UUID_B DROP_PORT("2") "</filter>", NULL);
        apply("t0", "a", "P=7");
        apply("t1", "a", NULL);
        ck_assert(!gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 3)));
        define_filter("<filter name='b'>" UUID_B DROP_PORT("3") "</filter>", NULL);
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 3)));
        /* What one of them cannot have none of them gets, and it is not defined. */
        before = list_rules();
        define_filter("<filter name='b'>" UUID_B DROP_PORT("$P") "</filter>",
                      "needs a value for '$P', and interface 't1' has none");
        define_filter("<filter name='b'>" UUID_B "<filterref filter='nowhere'/></filter>",
                      "referenced filter 'nowhere' is missing");
        after = list_rules();
        ck_assert_str_eq(before, after);
        ck_assert(strstr(nwfilter_get_xml(nwfilter_lookup_name(nwfilters, "b", NULL), 0, NULL),
                         "dstportstart='3'") != NULL);
        forget("t1");
        define_filter("<filter name='b'>" UUID_B DROP_PORT("$P") "</filter>", NULL);
        ck_assert(!gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 7)));
}
END_TEST

START_TEST(test_circle)
{
        define_filter("<filter name='a'>" UUID_A "<filterref filter='a'/></filter>", "introduce a loop");
        define_filter("<filter name='a'>" UUID_A "<filterref filter='b'/></filter>", NULL);
        define_filter("<filter name='b'>" UUID_B "<filterref filter='c'/><filterref filter='a'/></filter>",
                      "introduce a loop");
        define_filter("<filter name='b'>" UUID_B "</filter>", NULL);
        define_filter("<filter name='b'/>", "already exists");
        define_filter("<filter name='c'>" UUID_A "</filter>", "already");
        undefine_filter("b", NULL);
        define_filter("<filter name='b'>" UUID_B "<filterref filter='clean-traffic'/></filter>", NULL);
}
END_TEST

/* One whose device is another's by now takes nothing from it when it ends. */
START_TEST(test_device_of_another)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *before = make_port("t0", "clean-traffic", NULL);

        if (!can_run())
                return;
        apply_port(before, NULL);
        apply("t0", "clean-traffic", "IP=" GUEST_IP);
        remove_port(before);
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        forget("t0");
        ck_assert(gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
}
END_TEST

START_TEST(test_in_use)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "nowhere", NULL);

        if (!can_run())
                return;
        apply_port(port, "referenced filter 'nowhere' is missing");
        apply("t0", "clean-traffic", NULL);
        undefine_filter("no-arp-mac-spoofing", "nwfilter is in use: 'no-arp-mac-spoofing' by guest 'web'");
        undefine_filter("clean-traffic-gateway", NULL);
        forget("t0");
        undefine_filter("no-arp-mac-spoofing", NULL);
        ck_assert(nwfilter_lookup_name(nwfilters, "no-arp-mac-spoofing", NULL) == NULL);
}
END_TEST

static void ignore_end(struct managed *object, const GError *error, void *data)
{
        ck_assert_msg(error == NULL, "%s", error ? error->message : "");
}

/* Calls that come at once are done one after the other, and all of them count. */
START_TEST(test_many_at_once)
{
        g_autofree char *rules = NULL;

        if (!can_run())
                return;
        define_filter("<filter name='a'>" UUID_A "<filterref filter='b'/></filter>", NULL);
        define_filter("<filter name='b'>" UUID_B "</filter>", NULL);
        apply("t0", "a", NULL);
        for (unsigned i = 1; i <= 20; i++) {
                g_autofree char *xml = g_strdup_printf(
                        "<filter name='b'>" UUID_B "<rule action='drop' direction='out'><ip protocol='udp' "
                        "dstportstart='%u'/></rule></filter>",
                        i);

                nwfilter_define_xml(nwfilters, xml, ignore_end, NULL);
        }
        settle_nwfilters();
        ck_assert(!gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 20)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 19)));
}
END_TEST

/* ---- connections ---- */

/* tests/lab has a kernel that can. */
static bool follows_connections(void)
{
        int status =
                system("nft 'add table bridge probe; add chain bridge probe c "
                       "{ type filter hook prerouting priority -150; }; "
                       "add rule bridge probe c ct state new' 2>/dev/null && nft delete table bridge probe");

        if (status != 0)
                check_skip("the kernel has no nf_conntrack_bridge");
        return status == 0;
}

/* What the guest asks is answered, and nobody else gets in; what it may not ask is told so. */
START_TEST(test_connections)
{
        if (!can_run() || !follows_connections())
                return;
        define_filter("<filter name='a'>" UUID_A
                      "<rule action='accept' direction='out'><udp dstportstart='53'/></rule>"
                      "<rule action='accept' direction='in'><udp dstportstart='80' state='NEW'/></rule>"
                      "<rule action='reject' direction='inout' priority='900'><udp/></rule>"
                      "<rule action='drop' direction='inout' priority='1000'><all/></rule></filter>",
                      NULL);
        apply("t0", "a", NULL);
        ck_assert(!gets_in(make_udp(OTHER_MAC, OTHER_IP, 53, GUEST_IP, 5000)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 5000, OTHER_IP, 53)));
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 53, GUEST_IP, 5000)));
        ck_assert(!gets_in(make_udp(OTHER_MAC, OTHER_IP, 53, GUEST_IP, 5001)));
        ck_assert(!gets_in(make_udp(OTHER_MAC, "10.0.0.8", 53, GUEST_IP, 5000)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, GUEST_IP, 5000, OTHER_IP, 54)));
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 7000, GUEST_IP, 80)));
        ck_assert(!gets_in(make_udp(OTHER_MAC, OTHER_IP, 7000, GUEST_IP, 81)));
}
END_TEST

/* No more than one at a time, whoever asks. */
START_TEST(test_limit_of_connections)
{
        if (!can_run() || !follows_connections())
                return;
        define_filter("<filter name='a'>" UUID_A
                      "<rule action='drop' direction='in' priority='400'><udp connlimit-above='1'/></rule>"
                      "<rule action='accept' direction='in'><udp dstportstart='80'/></rule></filter>",
                      NULL);
        apply("t0", "a", NULL);
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 7000, GUEST_IP, 80)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 80, OTHER_IP, 7000)));
        ck_assert(!gets_in(make_udp(OTHER_MAC, OTHER_IP, 7001, GUEST_IP, 80)));
        /* The one that there is goes on. */
        ck_assert(gets_in(make_udp(OTHER_MAC, OTHER_IP, 7000, GUEST_IP, 80)));
        ck_assert(!gets_in(make_udp(OTHER_MAC, OTHER_IP, 7001, GUEST_IP, 80)));
}
END_TEST

/* ---- the agent comes back ---- */

START_TEST(test_restart)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "clean-traffic", NULL);
        g_autofree char *rules = NULL;

        if (!can_run())
                return;
        apply_port(port, NULL);
        apply("gone", "clean-traffic", "IP=1.2.3.4");
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        close_nwfilters();
        /* Filters work while there is no agent; the next knows what was learned. */
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        open_nwfilters(true);
        nwfilters_restore_port(nwfilters, port);
        nwfilters_start(nwfilters);
        settle_nwfilters();
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        rules = list_rules();
        ck_assert(strstr(rules, "t0") && !strstr(rules, "gone"));
        close_nwfilters();
        /* Somebody took all away. */
        run_command("nft flush ruleset");
        open_nwfilters(true);
        nwfilters_restore_port(nwfilters, port);
        nwfilters_start(nwfilters);
        settle_nwfilters();
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        undefine_filter("clean-traffic", "in use");
}
END_TEST

/* ---- what others remove ---- */

/* Steps the loop until the command succeeds; what it waits for comes by events of the kernel. */
static void wait_until(const char *command)
{
        g_autofree char *line = g_strdup_printf("( %s ) >/dev/null 2>&1", command);

        while (system(line) != 0)
                loop_step(loop, true);
        settle_nwfilters();
}

/* Until the chain of that name has its last rule. */
static void wait_for_chain(const char *chain)
{
        g_autofree char *command =
                g_strdup_printf("nft list chain bridge virtbus_nwfilter %s | grep -q comment", chain);

        wait_until(command);
}

START_TEST(test_flushed)
{
        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        apply("t0", "clean-traffic", NULL);
        apply("t1", "no-arp-spoofing", NULL);
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        /* The rules of all, but not what was learned; those of one; a single one; all there is. */
        run_command("nft flush table bridge virtbus_nwfilter");
        wait_for_chain("il-t0");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        run_command("nft flush chain bridge virtbus_nwfilter ol-t0");
        wait_for_chain("ol-t0");
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        run_command("nft flush chain bridge virtbus_nwfilter out_link");
        wait_until("nft list chain bridge virtbus_nwfilter out_link | grep -q vmap");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        run_command("nft delete rule bridge virtbus_nwfilter ol-t0 handle $(nft -a list chain bridge "
                    "virtbus_nwfilter ol-t0 | sed -n 's/.*type ip accept # handle //p')");
        wait_until("nft list chain bridge virtbus_nwfilter ol-t0 | grep -q 'type ip accept'");
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        /* What leads to the rules of one, and of all. */
        run_command("nft delete element bridge virtbus_nwfilter out_link '{ \"t0\" }'");
        wait_until("nft list map bridge virtbus_nwfilter out_link | grep -q t0");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        run_command("nft flush map bridge virtbus_nwfilter out_link");
        wait_until("nft list map bridge virtbus_nwfilter out_link | grep -q t0");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        run_command("nft flush ruleset");
        wait_for_chain("il-t1");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        forget("t0");
        ck_assert(gets_out(make_udp(OTHER_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
}
END_TEST

/* Who has an address keeps it when all is taken away: nobody gets another one by that. */
START_TEST(test_flushed_with_what_was_learned)
{
        g_autofree char *rules = NULL;

        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        apply("t0", "clean-traffic", NULL);
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        nwfilters_remember(nwfilters);
        settle_nwfilters();
        run_command("nft flush ruleset");
        wait_for_chain("il-t0");
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        /* The next guest that has the device begins anew. */
        apply("t0", "clean-traffic", NULL);
        rules = list_rules();
        ck_assert(!strstr(rules, "elements = { " GUEST_IP));
}
END_TEST

static void wait_for_memory(const char *wanted)
{
        g_autofree char *path = get_nwfilter_path("run/learned"),
                        *command = g_strdup_printf("grep -q '%s' %s", wanted, path);

        wait_until(command);
}

/* An agent that was away knows from the one before what was learned: it is written down within a second. */
START_TEST(test_flushed_while_away)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "clean-traffic", NULL);
        g_autofree char *path = get_nwfilter_path("run/learned"),
                        *command = g_strdup_printf("! grep t0 %s", path);

        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        apply_port(port, NULL);
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        wait_for_memory("t0 " GUEST_MAC_TEXT " .*" GUEST_IP);
        close_nwfilters();
        run_command("nft flush ruleset");
        open_nwfilters(true);
        nwfilters_restore_port(nwfilters, port);
        nwfilters_start(nwfilters);
        settle_nwfilters();
        ck_assert(!gets_out(make_udp(GUEST_MAC, "10.0.0.66", 1, OTHER_IP, 2)));
        ck_assert(gets_out(make_udp(GUEST_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        /* What the kernel knows counts, where it has the rules. */
        close_nwfilters();
        run_command("nft flush set bridge virtbus_nwfilter ip-t0");
        open_nwfilters(true);
        nwfilters_restore_port(nwfilters, port);
        nwfilters_start(nwfilters);
        settle_nwfilters();
        ck_assert(forgets());
        /* Nothing is kept of a port that has gone. */
        remove_port(port);
        close_nwfilters();
        run_command(command);
}
END_TEST

/* The file is read with care. */
START_TEST(test_strange_memory)
{
        CLEANUP(nwfilter_port_unref) struct nwfilter_port *port = make_port("t0", "clean-traffic", NULL);
        static const char *const lines[] = {
                "t0 " GUEST_MAC_TEXT
                " add element bridge virtbus_nwfilter ip-t0 { 10.0.0.66 }; flush ruleset }",
                "t0 " GUEST_MAC_TEXT " flush ruleset",
                "t0 02:00:00:00:00:77 add element bridge virtbus_nwfilter ip-t0 { 10.0.0.66 }",
                "t0 " GUEST_MAC_TEXT " add element bridge virtbus_nwfilter dhcp-t0 { 10.0.0.66 }",
                "t0 " GUEST_MAC_TEXT,
                "",
        };
        g_autofree char *run = get_nwfilter_path("run");

        if (!can_run())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_autofree char *rules = NULL;

                close_nwfilters();
                run_command("nft flush ruleset");
                ck_assert(store_write(run, "learned", lines[i], false, NULL));
                open_nwfilters(true);
                nwfilters_restore_port(nwfilters, port);
                nwfilters_start(nwfilters);
                settle_nwfilters();
                rules = list_rules();
                ck_assert_msg(strstr(rules, "ol-t0") && !strstr(rules, "10.0.0.66"), "%s", lines[i]);
        }
}
END_TEST

static void note_marker(GHashTable *tables, void *data)
{
        *(bool *)data |= !tables || g_hash_table_contains(tables, "marker");
}

/* Takes all rules away; are they left so? */
static bool is_left_alone(void)
{
        g_autofree char *rules = NULL;
        bool told = false;

        nft_source_listen(nwfilters_get_source(nwfilters), note_marker, &told);
        run_command("nft flush ruleset; nft add table bridge marker");
        while (!told)
                loop_step(loop, true);
        settle_nwfilters();
        nft_source_unlisten(nwfilters_get_source(nwfilters), note_marker, &told);
        rules = list_rules();
        return strcmp(rules, "table bridge marker {\n}\n") == 0;
}

/* Who does it all the time does not keep us busy, and neither does what we do. */
START_TEST(test_flushed_all_the_time)
{
        gint64 begun_us = g_get_monotonic_time();
        bool left_alone = false;

        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        for (unsigned i = 0; i < 20; i++)
                apply("t0", "clean-traffic", "IP=" GUEST_IP);
        for (unsigned i = 0; i < 10; i++) {
                run_command("nft flush table bridge virtbus_nwfilter");
                wait_for_chain("il-t0");
        }
        /* One repair may have been for several of those: then there are some left, ten at most. */
        for (unsigned i = 0; i < 12 && !left_alone; i++)
                left_alone = is_left_alone();
        /* What counts is how often it was within a minute. */
        if (!left_alone && g_get_monotonic_time() - begun_us > G_TIME_SPAN_MINUTE) {
                check_skip("this host is too slow to take rules away all the time");
                return;
        }
        ck_assert(left_alone);
}
END_TEST

/* Nothing is filtered: nothing is made. */
START_TEST(test_leaves_nothing)
{
        g_autofree char *rules = NULL;

        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        rules = list_rules();
        ck_assert_str_eq(rules, "");
}
END_TEST

/* The table goes with its last port, and comes with the next one. */
START_TEST(test_table_goes)
{
        g_autofree char *rules = NULL;

        if (!can_run())
                return;
        nwfilters_start(nwfilters);
        settle_nwfilters();
        apply("t0", "clean-traffic", "IP=" GUEST_IP);
        apply("t1", "clean-traffic", NULL);
        forget("t1");
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
        forget("t0");
        rules = list_rules();
        ck_assert_str_eq(rules, "");
        apply("t0", "clean-traffic", "IP=" GUEST_IP);
        ck_assert(!gets_out(make_udp(OTHER_MAC, GUEST_IP, 1, OTHER_IP, 2)));
}
END_TEST

/* What was undefined stays away. */
START_TEST(test_stock_once)
{
        undefine_filter("allow-arp", NULL);
        close_nwfilters();
        open_nwfilters(true);
        ck_assert(nwfilter_lookup_name(nwfilters, "allow-arp", NULL) == NULL);
        ck_assert(nwfilter_lookup_name(nwfilters, "clean-traffic", NULL) != NULL);
}
END_TEST

CHECK_MAIN_FIXTURE("nwfilter", setup_nwfilters, teardown_nwfilters, test_clean_traffic_out,
                   test_clean_traffic_in, test_gateway, test_learn_any, test_learn_dhcp, test_learn_nothing,
                   test_gratuitous, test_not_with_nftables, test_change, test_circle, test_device_of_another,
                   test_in_use, test_many_at_once, test_connections, test_limit_of_connections, test_restart,
                   test_flushed, test_flushed_with_what_was_learned, test_flushed_while_away,
                   test_strange_memory, test_flushed_all_the_time, test_leaves_nothing, test_table_goes,
                   test_stock_once)
