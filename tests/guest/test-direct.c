/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests that leave the host by one of its bridges or devices, also by way of a network. */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest-networks.h"

/* ---- out of the host ---- */

static bool link_is_there(void *name)
{
        return has_link(name);
}

static bool link_is_gone(void *name)
{
        return !has_link(name);
}

/* The kernel tells of carriers within a second; later ones than 6.1 let a bridge without ports have one. */
static bool has_settled(void *data)
{
        return (link_has("br-host", "NO-CARRIER") || link_has("br-host", "LOWER_UP")) &&
               link_has("card0", "state UP") && link_has("wall0", "state UP");
}

/* A bridge of the host, and a cable to play its network card; both go at the end. */
static void make_outside(void)
{
        g_free(run("ip link add br-host type bridge"));
        g_free(run("ip link set br-host up"));
        g_free(run("ip link add card0 address 52:54:00:00:0b:01 type veth peer name wall0"));
        g_free(run("ip link set card0 up"));
        g_free(run("ip link set wall0 up"));
        harness_wait_until(has_settled, NULL, "the kernel has told how its links are");
}

static void remove_outside(void)
{
        g_free(run("ip link del br-host"));
        g_free(run("ip link del card0"));
}

START_TEST(test_a_bridge_of_the_host)
{
        g_autofree char *network = NULL, *path = NULL, *tap = NULL;

        if (!can_run())
                return;
        make_outside();
        network =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                   "<network><name>lan</name><forward mode='bridge'/><bridge name='br-host'/>"
                                   "</network>");
        path = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(path);
        ck_assert(link_has(tap, "master br-host"));
        ck_assert(has(path, 0, "<interface type='bridge'>") && has(path, 0, "network='lan'") &&
                  has(path, 0, "bridge='br-host'"));
        ck_assert(has(path, 2, "<interface type='network'>") && !has(path, 8, "br-host"));
        ck_assert(has(path, 8, "<source network='lan'/>"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        wait_ports(network, 1);
        network_do(network, "Destroy");
        ck_assert(link_has(tap, "master br-host"));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(!has_link(tap) && has_link("br-host"));
        remove_outside();
}
END_TEST

static bool can_macvtap(void)
{
        bool can;

        g_free(run("ip link add probe0 link card0 type macvtap mode bridge"));
        can = has_link("probe0");
        g_free(run("ip link del probe0"));
        if (!can)
                harness_skip("the kernel has no macvtaps");
        return can;
}

/* Makes the outside for macvtaps; false, and nothing is left, where there are none. */
static bool make_macvtaps(void)
{
        make_outside();
        if (can_macvtap())
                return true;
        remove_outside();
        return false;
}

/* The lab is a machine of its own, whose guests are emulated twice. */
static bool can_boot_linux(void)
{
        if (!g_getenv("VIRTBUS_LAB"))
                return true;
        harness_skip("a Linux takes minutes to start in the lab");
        return false;
}

/* A macvtap is there as long as its guest, whatever happens to the agent in between. */
START_TEST(test_a_device_of_the_host)
{
        static const char direct[] = "<interface type='direct'><mac address='" MAC "'/><source dev='card0' "
                                     "mode='%s'/><model type='virtio'/><driver queues='2'/></interface>";
        static const char *const modes[] = { "vepa", "private", "bridge", "passthrough" };
        g_autofree char *before = NULL, *after = NULL;

        if (!can_run() || !make_macvtaps())
                return;
        before = look_at_host();
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                g_autofree char *xml = g_strdup_printf(direct, modes[i]), *tap = NULL, *path = NULL;

                path = guest_start(client, guest_bare_xml(modes[i], xml));
                tap = get_tap(path);
                ck_assert(g_str_has_prefix(tap, "macvtap"));
                ck_assert(link_has(tap, i == 3 ? "mode passthru" : modes[i]) && link_has(tap, MAC) &&
                          link_has(tap, "UP"));
                ck_assert(link_has("card0", MAC) == (i == 3));
                if (i % 2) {
                        harness_end_agent(harness, SIGKILL);
                        harness_start_agent(harness);
                }
                guest_do_flags(client, path, "Destroy", 0);
                ck_assert(!has_link(tap) && link_has("card0", "52:54:00:00:0b:01"));
        }
        after = look_at_host();
        ck_assert_str_eq(before, after);
        remove_outside();
}
END_TEST

/* A pool of devices: each goes to one guest; it goes back. */
START_TEST(test_a_pool_of_devices)
{
        g_autofree char *network = NULL, *one = NULL, *two = NULL, *tap = NULL, *ports = NULL,
                        *console = NULL;
        unsigned count;

        if (!can_run() || !make_macvtaps())
                return;
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                     "<network><name>lan</name><forward mode='passthrough'>"
                                     "<interface dev='card0'/></forward></network>");
        one = guest_start(client, guest_bare_xml("one", LAN));
        tap = get_tap(one);
        ck_assert(has(one, 0, "<interface type='direct'>") && has(one, 0, "dev='card0' mode='passthrough'"));
        ck_assert(has(one, 8, "<source network='lan'/>"));
        ports = get_ports(network, &count);
        ck_assert(strstr(ports, "<plug type='direct' dev='card0' mode='passthrough'/>"));
        two = guest_define(client, guest_bare_xml("two", "<interface type='network'><source network='lan'/>"
                                                         "</interface>"));
        client_fails(client, LIBVIRT_ERROR, "*none are available*", two, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, one, "Destroy", 0);
        ck_assert(!has_link(tap));
        guest_do_flags(client, two, "Create", 0);
        guest_do_flags(client, two, "Destroy", 0);
        network_do(network, "Destroy");
        remove_outside();
}
END_TEST

START_TEST(test_a_device_that_comes_and_goes)
{
        static const char xml[] = "<interface type='direct'><mac address='" MAC
                                  "'/><source dev='card0' mode='bridge'/><model type='virtio'/></interface>";
        g_autofree char *path = NULL, *console = NULL, *tap = NULL;

        if (!can_run() || !can_boot_linux())
                return;
        if (!make_macvtaps())
                return;
        console = harness_path(harness, "console");
        path = start_watcher(console);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        tap = get_tap(path);
        ck_assert(link_has(tap, MAC));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, LIVE);
        ck_assert(!has_link(tap));
        g_free(run("ip link add direct7 type veth peer name veth7"));
        client_fails(client, LIBVIRT_ERROR, "*direct7*", path, DOMAIN_INTERFACE, "AttachDevice", "su",
                     "<interface type='direct'><source dev='card0' mode='bridge'/><target dev='direct7'/>"
                     "<alias name='ua-x'/><model type='virtio'/></interface>",
                     LIVE);
        ck_assert(has_link("direct7"));
        g_free(run("ip link del direct7"));
        guest_do_flags(client, path, "Destroy", 0);
        remove_outside();
}
END_TEST

static bool has_own_mac(void *name)
{
        return link_has(name, "52:54:00:00:0a:99") && link_has(name, "PROMISC");
}

static bool has_own_group(void *name)
{
        g_autofree char *groups = run("ip maddress show dev %s", (char *)name);

        return strstr(groups, "33:33:ff:00:0a:99") != NULL;
}

/* A guest that is trusted says what its macvtap receives: by its document, or by that of its network. */
START_TEST(test_a_trusted_guest)
{
        static const char *const interfaces[] = {
                "<interface type='direct' trustGuestRxFilters='yes'><mac address='" MAC "'/>"
                "<source dev='card0' mode='bridge'/><model type='virtio'/></interface>",
                LAN,
        };
        g_autofree char *network = NULL;

        if (!can_run() || !can_boot_linux())
                return;
        if (!make_macvtaps())
                return;
        network =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                   "<network><name>lan</name><forward mode='private'><interface dev='card0'/>"
                                   "</forward><portgroup name='a' default='yes' trustGuestRxFilters='yes'/>"
                                   "</network>");
        for (unsigned i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autofree char *name = g_strdup_printf("linux%u", i), *console = harness_path(harness, name),
                                *xml = guest_linux_xml(name, console, "filter"), *path = NULL, *tap = NULL;
                g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);

                path = guest_start(client, g_strconcat(parts[0], "<devices>", interfaces[i], parts[1], NULL));
                tap = get_tap(path);
                guest_wait_console(console, "virtbus-guest: filter changed");
                harness_wait_until(has_own_mac, tap, "the macvtap has the guest's MAC address and flags");
                harness_wait_until(has_own_group, tap, "the macvtap receives the guest's groups");
                guest_do_flags(client, path, "Destroy", 0);
        }
        network_do(network, "Destroy");
        remove_outside();
}
END_TEST

static bool is_promiscuous(void *tap)
{
        return link_has(tap, "PROMISC");
}

/*
 * A card that no driver has set up receives everything: so QEMU tells an agent that comes back, and the
 * macvtap of a guest that is not trusted receives what is for its address.
 */
START_TEST(test_what_an_agent_finds)
{
        static const char xml[] = "<interface type='direct' trustGuestRxFilters='%s'><mac address='" MAC
                                  "'/><source dev='card0' mode='private'/><model type='virtio'/></interface>";
        static const char *const answers[] = { "no", "yes" };

        if (!can_run() || !make_macvtaps())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
                g_autofree char *interface = g_strdup_printf(xml, answers[i]), *path = NULL, *tap = NULL;

                path = guest_start(client, guest_bare_xml(answers[i], interface));
                tap = get_tap(path);
                harness_end_agent(harness, SIGKILL);
                harness_start_agent(harness);
                if (i)
                        harness_wait_until(is_promiscuous, tap, "the macvtap receives everything");
                else
                        ck_assert(!is_promiscuous(tap));
                guest_do_flags(client, path, "Destroy", 0);
                ck_assert(!has_link(tap));
        }
        remove_outside();
}
END_TEST

/* The same card, which is trusted while it runs, and then not any more. */
START_TEST(test_trust_that_changes)
{
        static const char xml[] = "<interface type='direct'%s><mac address='" MAC
                                  "'/><source dev='card0' mode='private'/><model type='%s'/></interface>";
        g_autofree char *off = g_strdup_printf(xml, "", "virtio");
        g_autofree char *on = g_strdup_printf(xml, " trustGuestRxFilters='yes'", "virtio");
        g_autofree char *dumb = g_strdup_printf(xml, "", "e1000e");
        g_autofree char *trusted = g_strdup_printf(xml, " trustGuestRxFilters='yes'", "e1000e");
        g_autofree char *path = NULL, *tap = NULL, *other = NULL;

        if (!can_run() || !make_macvtaps())
                return;
        path = guest_start(client, guest_bare_xml("changes", off));
        tap = get_tap(path);
        for (unsigned i = 0; i < 2; i++) {
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", on, LIVE);
                harness_wait_until(is_promiscuous, tap, "the macvtap receives everything");
                ck_assert(has(path, 0, "<interface type='direct' trustGuestRxFilters='yes'>"));
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", off, LIVE);
                ck_assert(!is_promiscuous(tap));
                ck_assert(link_has(tap, MAC));
        }
        guest_do_flags(client, path, "Destroy", 0);
        other = guest_start(client, guest_bare_xml("tells-nothing", dumb));
        client_fails(client, LIBVIRT_ERROR, "*it needs a macvtap and model virtio*", other, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", trusted, LIVE);
        guest_do_flags(client, other, "Destroy", 0);
        remove_outside();
}
END_TEST

/* What a macvtap sends comes from its guest, when it starts and later. */
START_TEST(test_bandwidth_that_changes)
{
        static const char slow[] = "<interface type='direct'><mac address='" MAC "'/><source dev='card0' "
                                   "mode='private'/><model type='virtio'/><bandwidth>"
                                   "<outbound average='125'/></bandwidth></interface>";
        g_autofree char *path = NULL, *tap = NULL, *first = NULL, *faster = NULL, *none = NULL;

        if (!can_run() || !make_macvtaps())
                return;
        path = guest_start(client, guest_bare_xml("slow", slow));
        tap = get_tap(path);
        first = run("tc class show dev %s", tap);
        ck_assert_msg(strstr(first, "rate 1Mbit"), "%s", first);
        client_do(client, path, DOMAIN_INTERFACE, "SetInterfaceParameters", "sa{sv}u", MAC, 1,
                  "outbound.average", "u", 250, LIVE);
        faster = run("tc class show dev %s", tap);
        ck_assert_msg(strstr(faster, "rate 2Mbit"), "%s", faster);
        client_do(client, path, DOMAIN_INTERFACE, "SetInterfaceParameters", "sa{sv}u", MAC, 1,
                  "outbound.average", "u", 0, LIVE);
        none = run("tc class show dev %s", tap);
        ck_assert_str_eq(none, "");
        guest_do_flags(client, path, "Destroy", 0);
        remove_outside();
}
END_TEST

/* Only virtio tells what its guest wants; what is in a bridge receives everything anyway. */
START_TEST(test_a_card_that_tells_nothing)
{
        static const char bridged[] = "<interface type='bridge' trustGuestRxFilters='yes'><mac address='" MAC
                                      "'/><source bridge='br-host'/><model type='e1000e'/></interface>";
        static const char direct[] = "<interface type='direct' trustGuestRxFilters='yes'><mac address='" MAC
                                     "'/><source dev='card0'/><model type='e1000e'/></interface>";
        g_autofree char *one = NULL, *two = NULL;

        if (!can_run())
                return;
        make_outside();
        one = guest_start(client, guest_bare_xml("one", bridged));
        guest_do_flags(client, one, "Destroy", 0);
        two = guest_define(client, guest_bare_xml("two", direct));
        client_fails(client, LIBVIRT_ERROR, "*it needs a macvtap and model virtio*", two, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        remove_outside();
}
END_TEST

/* A start is cut short by the end of the agent: of tap, macvtap and port nothing stays. */
START_TEST(test_a_start_that_is_cut_short)
{
        static const char direct[] = "<interface type='direct'><source dev='card0' mode='bridge'/>"
                                     "<target dev='direct0'/></interface>";
        g_autofree char *fault = guest_fault_xml("nogreet", "x"), *network = NULL, *path = NULL;
        g_auto(GStrv) parts = g_strsplit(fault, "</emulator>", 2);
        struct client_answer answer = { 0 };
        bool has_macvtap;

        if (!can_run())
                return;
        make_outside();
        has_macvtap = can_macvtap();
        network = define_network("lan", "br-lan", 1);
        path = guest_define(
                client, g_strconcat(parts[0], "</emulator>", LAN, has_macvtap ? direct : "", parts[1], NULL));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        harness_wait_until(link_is_there, (char *)(has_macvtap ? "direct0" : "vnet0"), "the guest has links");
        ck_assert(has_link("vnet0"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        harness_wait_until(link_is_gone, (char *)"vnet0", "the tap is gone");
        harness_wait_until(link_is_gone, (char *)"direct0", "the macvtap is gone");
        wait_ports(network, 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        network_do(network, "Destroy");
        remove_outside();
        client_wait_answer(client, &answer);
        g_free(answer.error);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("direct");
        TCase *tcase = tcase_create("direct");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up_networks, tear_down_networks);
        tcase_add_test(tcase, test_a_bridge_of_the_host);
        tcase_add_test(tcase, test_a_device_of_the_host);
        tcase_add_test(tcase, test_a_pool_of_devices);
        tcase_add_test(tcase, test_a_device_that_comes_and_goes);
        tcase_add_test(tcase, test_a_trusted_guest);
        tcase_add_test(tcase, test_trust_that_changes);
        tcase_add_test(tcase, test_bandwidth_that_changes);
        tcase_add_test(tcase, test_what_an_agent_finds);
        tcase_add_test(tcase, test_a_card_that_tells_nothing);
        tcase_add_test(tcase, test_a_start_that_is_cut_short);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
