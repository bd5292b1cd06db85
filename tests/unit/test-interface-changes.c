/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All or nothing: changes of the host's interfaces that fail half way, and transactions that are rolled back.
 */
#include "tests/unit/interfaces-fixture.h"

#include <string.h>

/* The second port is not there: nothing of the first half stays. */
START_TEST(half_a_bridge_is_taken_back)
{
        g_autofree char *before = ip_says("-oneline address"), *after = NULL;

        good(define("<interface type='bridge' name='br0'><protocol family='ipv4'><ip address='192.0.2.1' "
                    "prefix='24'/>"
                    "</protocol><bridge><interface type='ethernet' name='eth0'/>"
                    "<interface type='ethernet' name='eth7'/></bridge></interface>"));
        bad(act(interfaces_create, "br0"), "the host has no interface 'eth7'");
        ck_assert(!find("br0")->active);
        after = ip_says("-oneline address");
        ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(a_port_of_another_is_left_alone)
{
        ip("link add other type bridge");
        ip("link set eth0 master other");
        good(define(BRIDGE));
        bad(act(interfaces_create, "br0"), "'eth0' is a port of 'other' already");
        expect("-oneline link show master other", "eth0");
        expect_not("-oneline link", "br0");
}
END_TEST

/* Not every kernel has these; the lab's does. */
START_TEST(bonds_and_vlans)
{
        GError *error;

        good(define("<interface type='bond' name='bond0'><bond mode='active-backup'><miimon freq='100' "
                    "carrier='netif'/>"
                    "<interface type='ethernet' name='eth0'/><interface type='ethernet' name='eth1'/></bond>"
                    "</interface>"));
        good(define("<interface type='vlan'><protocol family='ipv4'><ip address='192.0.2.7' "
                    "prefix='24'/></protocol>"
                    "<vlan tag='7'><interface name='bond0'/></vlan></interface>"));
        bad(act(interfaces_create, "bond0.7"), "the host has no interface 'bond0'");
        error = act(interfaces_create, "bond0");
        if (error && strstr(error->message, "Unknown device type")) {
                check_skip("needs a kernel with bonds and VLANs");
                g_error_free(error);
                return;
        }
        good(error);
        expect("-details -oneline link show bond0", "mode active-backup miimon 100");
        expect("-oneline link show master bond0", "eth1");
        good(act(interfaces_create, "bond0.7"));
        expect("-details -oneline link show bond0.7", "vlan protocol 802.1Q id 7");
        expect("-oneline address show bond0.7", "192.0.2.7/24");
        good(transact(interfaces_change_begin));
        good(act(interfaces_destroy, "bond0.7"));
        good(act(interfaces_destroy, "bond0"));
        expect_not("-oneline link", "bond0");
        good(transact(interfaces_change_rollback));
        expect("-details -oneline link show bond0", "mode active-backup miimon 100");
        expect("-oneline link show master bond0", "eth1");
        expect("-oneline address show bond0.7", "192.0.2.7/24");
        /* The VLAN goes with the bond, and comes back with it. */
        good(transact(interfaces_change_begin));
        good(act(interfaces_destroy, "bond0"));
        expect_not("-oneline link", "bond0");
        good(transact(interfaces_change_rollback));
        expect("-details -oneline link show bond0.7", "vlan protocol 802.1Q id 7");
        expect("-oneline address show bond0.7", "192.0.2.7/24");
        expect("-oneline link show bond0.7", ",UP");
        good(act(interfaces_destroy, "bond0.7"));
        ip("link add link bond0 name bond0.7 type vlan id 8");
        bad(act(interfaces_create, "bond0.7"), "'bond0.7' is there already, with tag 8 on 'bond0'");
        ip("link delete bond0.7");
        good(act(interfaces_destroy, "bond0"));
        ip("link add bond0 type bond mode balance-rr");
        bad(act(interfaces_create, "bond0"), "'bond0' is there already, with another mode");
        bad(act(interfaces_create, "bond0.7"), "'bond0', which 'bond0.7' is on, is down");
}
END_TEST

/* What a VLAN is on comes first, whatever their names. */
START_TEST(vlans_boot_after_what_they_are_on)
{
        GError *error;

        good(define("<interface type='vlan' name='a'><start mode='onboot'/><vlan tag='7'>"
                    "<interface name='bond0'/></vlan></interface>"));
        good(define("<interface type='bond' name='bond0'><start mode='onboot'/><bond>"
                    "<interface type='ethernet' name='eth0'/></bond></interface>"));
        error = act(interfaces_create, "bond0");
        if (error && strstr(error->message, "Unknown device type")) {
                check_skip("needs a kernel with bonds and VLANs");
                g_error_free(error);
                return;
        }
        good(error);
        good(act(interfaces_destroy, "bond0"));
        end();
        forget_boot();
        begin(false);
        ck_assert(find("a")->active && find("bond0")->active);
}
END_TEST

/* ---- transactions ---- */

static void change_much(void)
{
        good(define(BRIDGE));
        good(act(interfaces_create, "br0"));
        good(define("<interface type='ethernet' name='peer0'><mtu size='1300'/></interface>"));
        good(act(interfaces_destroy, "peer0"));
}

static void prepare(void)
{
        ip("address add 203.0.113.1/24 dev peer0");
        ip("link set peer0 up");
        good(define("<interface type='ethernet' name='peer0'><mtu size='1200'/></interface>"));
        while (!find("peer0")->active)
                loop_step(loop, true);
}

static void expect_prepared(void)
{
        ck_assert(!find("br0"));
        ck_assert(find("peer0")->active && strstr(find("peer0")->def->xml, "1200"));
        expect_not("-oneline link", "br0");
        expect("-oneline address show dev peer0", "203.0.113.1/24");
        expect("-oneline link show peer0", ",UP");
}

/* Links are put back one by one. */
static bool is_prepared(void)
{
        return !find("br0") && find("peer0")->active && find("peer0")->def &&
               strstr(find("peer0")->def->xml, "1200") && find("peer0")->link->addresses->len > 0;
}

START_TEST(a_change_is_rolled_back)
{
        prepare();
        bad(transact(interfaces_change_rollback), "InterfaceChangeBegin first");
        bad(transact(interfaces_change_commit), "InterfaceChangeBegin first");
        good(transact(interfaces_change_begin));
        bad(transact(interfaces_change_begin), "on its way");
        change_much();
        good(transact(interfaces_change_rollback));
        expect_prepared();
        bad(transact(interfaces_change_rollback), "InterfaceChangeBegin first");
        good(transact(interfaces_change_begin));
        change_much();
        good(transact(interfaces_change_commit));
        expect_bridge();
        ck_assert(find("br0")->def && !find("peer0")->active);
        end();
        begin(false);
        ck_assert(find("br0")->active && find("br0")->def);
}
END_TEST

START_TEST(a_bridge_that_went_comes_back_with_its_port)
{
        good(define(BRIDGE));
        good(act(interfaces_create, "br0"));
        good(transact(interfaces_change_begin));
        good(act(interfaces_destroy, "br0"));
        expect_not("-oneline link", "br0");
        good(transact(interfaces_change_rollback));
        expect_bridge();
        expect("-oneline link show br0", ",UP");
}
END_TEST

START_TEST(the_next_agent_rolls_back)
{
        prepare();
        good(transact(interfaces_change_begin));
        change_much();
        end();
        begin(false);
        wait_until(is_prepared);
        expect_prepared();
        end();
        begin(false);
        expect_prepared();
}
END_TEST

START_TEST(a_change_that_takes_too_long_is_rolled_back)
{
        g_autoptr(GError) error = NULL;

        ck_assert(!interfaces_set_change_timeout(interfaces, 100000, &error));
        ck_assert(interfaces_set_change_timeout(interfaces, 1, NULL));
        ck_assert_uint_eq(interfaces_get_change_timeout(interfaces), 1);
        prepare();
        good(transact(interfaces_change_begin));
        change_much();
        wait_until(is_prepared);
        expect_prepared();
        bad(transact(interfaces_change_commit), "InterfaceChangeBegin first");
}
END_TEST

/* ---- what is kept of one ---- */

static char *read_ipv6(const char *name, const char *key)
{
        g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", name, key);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

#define AUTOMATIC                                                                                            \
        "<interface type='ethernet' name='eth0'><protocol family='ipv6'>"                                    \
        "<autoconf/></protocol></interface>"
#define STATIC                                                                                               \
        "<interface type='ethernet' name='eth0'><protocol family='ipv6'>"                                    \
        "<ip address='2001:db8::1' prefix='64'/></protocol></interface>"

/* They are in files, which netlink does not tell of. */
START_TEST(settings_of_ipv6_are_put_back)
{
        g_autofree char *none = read_ipv6("eth0", "autoconf"), *with = NULL, *without = NULL, *back = NULL;

        if (!none) {
                check_skip("needs a kernel with IPv6");
                return;
        }
        good(define(AUTOMATIC));
        good(act(interfaces_create, "eth0"));
        with = read_ipv6("eth0", "autoconf");
        ck_assert_str_eq(with, "1");
        good(act(interfaces_destroy, "eth0"));
        good(transact(interfaces_change_begin));
        good(define(STATIC));
        good(act(interfaces_create, "eth0"));
        without = read_ipv6("eth0", "autoconf");
        ck_assert_str_eq(without, "0");
        /* By another agent: from what is on disk. */
        end();
        begin(false);
        back = read_ipv6("eth0", "autoconf");
        ck_assert_str_eq(back, "1");
        expect_not("-oneline address show dev eth0", "2001:db8::1");
}
END_TEST

static char *read_kept(const char *file)
{
        g_autofree char *path = g_build_filename(directory, "state", "interfaces-change", file, NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* A host may have thousands of links: what a change is not about is not written down. */
START_TEST(only_what_changes_is_kept)
{
        g_autofree char *begun = NULL, *changed = NULL, *over = NULL;

        good(transact(interfaces_change_begin));
        begun = read_kept("links.xml");
        ck_assert(begun && !strstr(begun, "<link "));
        good(act(interfaces_create, "eth0"));
        changed = read_kept("links.xml");
        ck_assert(strstr(changed, "name='eth0'") && !strstr(changed, "name='eth1'"));
        good(transact(interfaces_change_commit));
        over = read_kept("links.xml");
        ck_assert(!over);
}
END_TEST

static void write_kept(const char *file, const char *text)
{
        g_autofree char *dir = g_build_filename(directory, "state", "interfaces-change", NULL);
        g_autofree char *path = g_build_filename(dir, file, NULL);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* An agent that was killed when it had committed has left its files: they are no part of the next change. */
START_TEST(what_an_earlier_change_left_is_not_rolled_back)
{
        good(define("<interface type='ethernet' name='eth1'><mtu size='1300'/></interface>"));
        write_kept("names", "eth1\n");
        write_kept("eth1.def", "<interface type='ethernet' name='eth1'><mtu size='1200'/></interface>");
        good(transact(interfaces_change_begin));
        end();
        begin(false);
        ck_assert(strstr(find("eth1")->def->xml, "1300"));
}
END_TEST

/* The bridge was there, with a port of others and a delay of its own. */
START_TEST(a_bridge_that_was_changed_is_put_back)
{
        ip("link add br0 type bridge forward_delay 700");
        ip("link set peer1 master br0");
        good(define(BRIDGE));
        while (!find("br0")->link)
                loop_step(loop, true);
        good(transact(interfaces_change_begin));
        good(act(interfaces_create, "br0"));
        expect_bridge();
        good(transact(interfaces_change_rollback));
        expect("-details -oneline link show br0", "forward_delay 700");
        expect("-details -oneline link show br0", "stp_state 0");
        expect_not("-oneline link show br0", ",UP");
        expect("-oneline link show master br0", "peer1");
        expect_not("-oneline link show master br0", "eth0");
        expect_not("-oneline address show dev br0", "192.0.2.1");
}
END_TEST

CHECK_MAIN_FIXTURE("interface-changes", setup, teardown, half_a_bridge_is_taken_back,
                   a_port_of_another_is_left_alone, bonds_and_vlans, vlans_boot_after_what_they_are_on,
                   settings_of_ipv6_are_put_back, only_what_changes_is_kept,
                   what_an_earlier_change_left_is_not_rolled_back, a_bridge_that_was_changed_is_put_back,
                   a_change_is_rolled_back, a_bridge_that_went_comes_back_with_its_port,
                   the_next_agent_rolls_back, a_change_that_takes_too_long_is_rolled_back)
