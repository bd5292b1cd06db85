/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the host has on its end of an interface of type 'ethernet': addresses and routes that come with the
 * tap, and on a tap of somebody else's go again. Each case in a network of its own.
 */

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE 1

#define MAC "<mac address='52:54:00:00:00:09'/>"
#define ADDRESSES                                                                                            \
        "<ip address='10.9.0.1' prefix='24'/><ip address='192.168.7.1' prefix='32' peer='192.168.7.2'/>"     \
        "<ip family='ipv6' address='2001:db8::1'/>"
#define ROUTES                                                                                               \
        "<route address='10.50.0.0' netmask='255.255.0.0' gateway='10.9.0.2'/>"                              \
        "<route family='ipv6' address='2001:db8:1::' prefix='48' gateway='2001:db8::2' metric='7'/>"
#define TAP(name, more, source)                                                                              \
        "<interface type='ethernet'>" MAC "<source>" source "</source><target dev='" name "'" more           \
        "/><model type='virtio'/></interface>"
#define PORT "<controller type='pci' model='pcie-root-port'/>"

static struct harness *harness;
static struct client *client;

static void enter_namespace(void)
{
        if (geteuid() == 0 && access("/dev/net/tun", F_OK) == 0 && unshare(CLONE_NEWNET) == 0)
                return;
        harness_skip("taps need root, /dev/net/tun and a network namespace");
        _exit(0);
}

static void set_up(void)
{
        enter_namespace();
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static bool has(const char *command, const char *text)
{
        g_autofree char *output = NULL;

        ck_assert_msg(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL), "%s", command);
        return strstr(output, text);
}

static void expect_addresses(const char *tap, bool there)
{
        g_autofree char *command = g_strdup_printf("ip -o addr show dev %s", tap);

        ck_assert(has(command, "inet 10.9.0.1/24 brd 10.9.0.255 ") == there);
        ck_assert(has(command, "inet 192.168.7.1 peer 192.168.7.2/32 ") == there);
        ck_assert(has(command, "inet6 2001:db8::1/64 ") == there);
}

static void expect_routes(const char *tap, bool there)
{
        g_autofree char *four = g_strdup_printf("10.50.0.0/16 via 10.9.0.2 dev %s metric 1 ", tap);
        g_autofree char *six = g_strdup_printf("2001:db8:1::/48 via 2001:db8::2 dev %s metric 7 ", tap);

        ck_assert(has("ip route", four) == there);
        ck_assert(has("ip -6 route", six) == there);
}

static bool is_gone(void *tap)
{
        g_autofree char *command = g_strdup_printf("ip link show dev %s >/dev/null 2>&1", (char *)tap);

        return system(command) != 0;
}

static void run(const char *command)
{
        ck_assert_msg(system(command) == 0, "%s", command);
}

/* At the start, whatever the link of the guest is; another agent leaves them alone. */
START_TEST(test_start)
{
        static const char down[] = "<interface type='ethernet'>" MAC "<source>" ADDRESSES ROUTES
                                   "</source><target dev='tap7'/><model type='virtio'/><link state='down'/>"
                                   "</interface>";
        g_autofree char *path = guest_start(client, guest_bare_xml("ips", down)), *xml = NULL;
        pid_t guest = harness_find_guest(harness, "guest=ips");

        expect_addresses("tap7", true);
        expect_routes("tap7", true);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<ip address='10.9.0.1' family='ipv4' prefix='24'/>"));
        ck_assert_ptr_nonnull(
                strstr(xml, "<route address='10.50.0.0' netmask='255.255.0.0' gateway='10.9.0.2'/>"));

        run("ip addr del 10.9.0.1/24 dev tap7");
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert(!has("ip -o addr show dev tap7", "10.9.0.1"));
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(guest);
        harness_wait_until(is_gone, (void *)"tap7", "the tap has gone");
        expect_routes("tap7", false);
}
END_TEST

START_TEST(test_plug)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("plugged", PORT PORT));

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", TAP("tap7", "", ADDRESSES ROUTES),
                  LIVE);
        expect_addresses("tap7", true);
        expect_routes("tap7", true);
        client_fails(client, LIBVIRT_ERROR, "*only link, *", path, DOMAIN_INTERFACE, "UpdateDevice", "su",
                     TAP("tap7", "", ADDRESSES), LIVE);
        expect_routes("tap7", true);
        client_fails(client, LIBVIRT_ERROR, "*cannot add the route to 10.60.0.0/16 of link 'tap8'*", path,
                     DOMAIN_INTERFACE, "AttachDevice", "su",
                     "<interface type='ethernet'><source><ip address='10.8.0.1' prefix='24'/>"
                     "<route address='10.60.0.0' prefix='16' gateway='10.77.0.1'/></source>"
                     "<target dev='tap8'/><model type='virtio'/></interface>",
                     LIVE);
        ck_assert(is_gone((void *)"tap8"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* It keeps what it had before, and nothing else. */
START_TEST(test_tap_of_somebody_else)
{
        g_autofree char *path = NULL;
        pid_t pid;

        run("ip tuntap add dev tap6 mode tap vnet_hdr && ip link set tap6 up && "
            "ip addr add 2001:db8::1/64 dev tap6 && ip addr add 192.168.7.1 peer 192.168.7.9/32 dev tap6");
        path = guest_start(client, guest_bare_xml("other", TAP("tap6", " managed='no'", ADDRESSES ROUTES)));
        expect_addresses("tap6", true);
        expect_routes("tap6", true);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(!has("ip -o addr show dev tap6", "10.9.0.1") &&
                  !has("ip -o addr show dev tap6", "192.168.7.1 peer 192.168.7.2/32"));
        ck_assert(has("ip -o addr show dev tap6", "192.168.7.1 peer 192.168.7.9/32 "));
        ck_assert(has("ip -o addr show dev tap6", "2001:db8::1/64 "));
        expect_routes("tap6", false);

        guest_do_flags(client, path, "Create", 0);
        expect_addresses("tap6", true);
        harness_end_agent(harness, SIGKILL);
        pid = harness_find_guest(harness, "guest=other");
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        ck_assert(!has("ip -o addr show dev tap6", "10.9.0.1"));
        expect_routes("tap6", false);
}
END_TEST

/* Nothing of a start, or of an attach, that fails stays on such a tap. */
START_TEST(test_failing)
{
        static const char devices[] = TAP("tap6", " managed='no'", ADDRESSES ROUTES) PORT
                "<interface type='ethernet'><backend tap='/nonexistent'/></interface>";
        static const char unreachable[] =
                TAP("tap6", " managed='no'",
                    ADDRESSES "<route address='10.60.0.0' prefix='16' gateway='10.77.0.1'/>");
        g_autofree char *path = NULL, *other = NULL;

        run("ip tuntap add dev tap6 mode tap vnet_hdr && ip link set tap6 up");
        path = guest_define(client, guest_bare_xml("failing", devices));
        client_fails(client, LIBVIRT_ERROR, "*cannot open /nonexistent*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        expect_addresses("tap6", false);
        other = guest_start(client, guest_bare_xml("attaching", PORT PORT));
        client_fails(client, LIBVIRT_ERROR, "*cannot add the route to 10.60.0.0/16 of link 'tap6'*", other,
                     DOMAIN_INTERFACE, "AttachDevice", "su", unreachable, LIVE);
        expect_addresses("tap6", false);
        client_do(client, other, DOMAIN_INTERFACE, "AttachDevice", "su",
                  TAP("tap6", " managed='no'", ADDRESSES ROUTES), LIVE);
        expect_addresses("tap6", true);
        guest_do_flags(client, other, "Destroy", 0);
        expect_addresses("tap6", false);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("host-ips");
        TCase *tcase = tcase_create("host-ips");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_start);
        tcase_add_test(tcase, test_plug);
        tcase_add_test(tcase, test_tap_of_somebody_else);
        tcase_add_test(tcase, test_failing);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
