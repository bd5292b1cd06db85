/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of the host's interfaces: what is defined, brought up and down, and found again by the next
 * agent.
 */
#include "tests/unit/interfaces-fixture.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The whole life of one. Creating and destroying leaves the host as it was. */
START_TEST(a_bridge_is_set_up_and_taken_down)
{
        g_autofree char *before = ip_says("-oneline address"), *after = NULL, *xml = NULL;

        good(define(BRIDGE));
        ck_assert(find("br0") && !find("br0")->active && find("br0")->def && !find("br0")->link);
        expect_not("-oneline link", "br0");
        good(act(interfaces_create, "br0"));
        ck_assert(find("br0")->active && find("br0")->link);
        expect_bridge();
        bad(act(interfaces_create, "br0"), "'br0' is active already");
        xml = interfaces_get_xml(interfaces, find("br0"), 0, NULL);
        ck_assert_msg(strstr(xml, "<start mode='onboot'/>") && strstr(xml, "<bridge stp='on' delay='4'>") &&
                              strstr(xml, "<interface type='ethernet' name='eth1'>") &&
                              strstr(xml, "<link state=") && strstr(xml, "gateway='192.0.2.254'"),
                      "%s", xml);
        good(undefine("br0"));
        ck_assert(find("br0") && !find("br0")->def);
        bad(undefine("br0"), "'br0' has no definition");
        expect_bridge();
        good(define(BRIDGE));
        good(act(interfaces_destroy, "br0"));
        ck_assert(!find("br0")->active);
        bad(act(interfaces_destroy, "br0"), "'br0' is not active");
        expect_not("-oneline link", "br0");
        good(undefine("br0"));
        ck_assert(!find("br0"));
        ip("link set eth0 down");
        ip("link set eth1 down");
        after = ip_says("-oneline address");
        ck_assert_str_eq(before, after);
}
END_TEST

/* What is written as the live form is taken again. */
START_TEST(what_is_there_can_be_defined)
{
        g_autofree char *xml = NULL;

        ip("link add br7 type bridge forward_delay 450");
        ip("address add 198.51.100.1/24 dev br7");
        ip("link set eth0 master br7 up");
        ip("link set br7 up");
        good(define("<interface type='ethernet' name='eth9'/>"));
        while (!find("br7") || !find("br7")->active)
                loop_step(loop, true);
        xml = interfaces_get_xml(interfaces, find("br7"), INTERFACE_XML_INACTIVE, NULL);
        ck_assert_msg(strstr(xml, "delay='4.5'") && !strstr(xml, "<link") && strstr(xml, "198.51.100.1"),
                      "%s", xml);
        good(define(xml));
        ck_assert(find("br7")->def);
}
END_TEST

/* Whoever made it: what has the name of a defined bridge and is none is left where it is. */
START_TEST(another_link_of_the_name_is_not_deleted)
{
        good(define(BRIDGE));
        ip("link add br0 type veth peer name peer7");
        ip("link set br0 up");
        while (!find("br0")->active)
                loop_step(loop, true);
        good(act(interfaces_destroy, "br0"));
        expect("-details -oneline link show br0", "veth");
        bad(act(interfaces_create, "br0"), "'br0' is there already and is no bridge");
}
END_TEST

/* One that is there gets what its definition says, and nothing that it does not speak of. */
START_TEST(a_bridge_that_is_there_is_changed)
{
        ip("link add br0 type bridge forward_delay 700 ageing_time 12300");
        good(define(BRIDGE));
        while (!find("br0")->link)
                loop_step(loop, true);
        good(act(interfaces_create, "br0"));
        expect_bridge();
        expect("-details -oneline link show br0", "ageing_time 12300");
}
END_TEST

/* It has no MAC but the one that the kernel makes up each time. */
START_TEST(the_path_of_what_is_defined_stays)
{
        good(define("<interface type='bridge' name='br0'><bridge/></interface>"));
        ck_assert_str_eq(host_interface_get_key(find("br0")), "br0");
        good(act(interfaces_create, "br0"));
        ck_assert_str_eq(host_interface_get_key(find("br0")), "br0");
        ck_assert_uint_eq(strlen(find("br0")->mac), LINK_MAC_LENGTH);
        good(define("<interface type='bridge' name='br1'><mac address='52:54:00:00:00:01'/><bridge/>"
                    "</interface>"));
        good(act(interfaces_create, "br1"));
        ck_assert_str_eq(host_interface_get_key(find("br1")), "52:54:00:00:00:01");
}
END_TEST

static unsigned changes_of_br0;

static void count_changes(void *before, void *after, void *data)
{
        const struct host_interface *interface = after ? after : before;

        changes_of_br0 += strcmp(interface->name, "br0") == 0;
}

/* Of all the steps, what comes of them. */
START_TEST(a_change_is_told_once)
{
        static const struct collection_listener listener = { .tell = count_changes };

        good(define(BRIDGE));
        collection_listen(interfaces_get_collection(interfaces), &listener, NULL);
        good(act(interfaces_create, "br0"));
        ck_assert_uint_eq(changes_of_br0, 1);
        collection_unlisten(interfaces_get_collection(interfaces), &listener, NULL);
}
END_TEST

static bool eth0_is_up(void)
{
        return find("eth0")->active;
}

START_TEST(paths_and_lookups)
{
        g_autoptr(GPtrArray) active = NULL, inactive = NULL;
        g_autoptr(GError) error = NULL;

        ip("link set eth0 address 52:54:00:00:00:01");
        ip("link set eth1 address 52:54:00:00:00:01");
        ip("link set eth0 up");
        wait_until(eth0_is_up);
        good(define("<interface type='ethernet' name='eth9'/>"));
        ck_assert_str_eq(host_interface_get_key(find("eth9")), "eth9");
        /* Of the two, the first by index keeps the MAC. */
        ck_assert(find("eth0")->keeps_mac != find("eth1")->keeps_mac);
        ck_assert_int_eq(find("eth0")->keeps_mac, find("eth0")->link->index < find("eth1")->link->index);
        ck_assert(!interfaces_lookup_mac(interfaces, "52:54:00:00:00:01", &error));
        ck_assert(error_is(error, ERROR_MULTIPLE_INTERFACES) && strstr(error->message, "'eth0', 'eth1'"));
        g_clear_error(&error);
        ck_assert(!interfaces_lookup_mac(interfaces, "52:54:00:00:00:77", &error));
        ck_assert(error_is(error, ERROR_NO_INTERFACE));
        g_clear_error(&error);
        ck_assert(!interfaces_lookup_mac(interfaces, "", &error));
        g_clear_error(&error);
        ck_assert_ptr_eq(interfaces_lookup_key(interfaces, "eth0", NULL), find("eth0"));
        active = interfaces_list(interfaces, 2, NULL), inactive = interfaces_list(interfaces, 1, NULL);
        ck_assert_uint_eq(active->len, 1);
        ck_assert_uint_eq(inactive->len, 5); /* lo, eth1, two peers, eth9 */
        ck_assert(!interfaces_list(interfaces, 4, &error) && strstr(error->message, "0x4"));
}
END_TEST

/* ---- restarts ---- */

START_TEST(the_next_agent_knows_and_boots_once)
{
        good(define(BRIDGE));
        end();
        /* Another boot of the host: the mark in the runtime directory is gone. */
        begin(false);
        ck_assert(find("br0") && find("br0")->def && !find("br0")->active);
        end();
        forget_boot();
        begin(false);
        while (!find("br0")->active)
                loop_step(loop, true);
        expect_bridge();
        good(act(interfaces_destroy, "br0"));
        end();
        begin(false);
        ck_assert(!find("br0")->active);
}
END_TEST

static bool has_ipv4(const char *name)
{
        const GArray *addresses = find(name)->link->addresses;

        for (unsigned i = 0; i < addresses->len; i++)
                if (g_array_index(addresses, struct link_address, i).ip.family == AF_INET)
                        return true;
        return false;
}

static bool eth5_is_up(void)
{
        return find("eth5")->active && has_ipv4("eth5");
}

START_TEST(hardware_that_comes_is_set_up)
{
        good(define("<interface type='ethernet' name='eth5'><start mode='hotplug'/><protocol family='ipv4'>"
                    "<ip address='192.0.2.9' prefix='24'/></protocol></interface>"));
        good(define("<interface type='ethernet' name='eth4'><start mode='onboot'/></interface>"));
        ip("link add eth4 type veth peer name peer4");
        ip("link add eth5 type veth peer name peer5");
        wait_until(eth5_is_up);
        ck_assert(find("eth4")->link && !find("eth4")->active);
        expect("-oneline address show dev eth5", "192.0.2.9/24");
}
END_TEST

/* ---- who may ---- */

static void write_manager(const char *folder, const char *text)
{
        g_autofree char *dir = g_build_filename(directory, folder, NULL);
        g_autofree char *name = g_strdup_printf("%d", find("eth0")->link->index);
        g_autofree char *path = g_build_filename(dir, name, NULL);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

START_TEST(what_others_manage_is_theirs)
{
        write_manager("systemd/netif/links", "# x\nADMIN_STATE=unmanaged\n");
        write_manager("NetworkManager/devices", "[device]\nmanaged=false\n");
        good(act(interfaces_create, "eth0"));
        write_manager("systemd/netif/links", "# x\nADMIN_STATE=configured\n");
        bad(act(interfaces_destroy, "eth0"), "'eth0' is managed by systemd-networkd");
        bad(define("<interface type='ethernet' name='eth0'/>"), "systemd-networkd");
        bad(define(BRIDGE), "'eth0' is managed by systemd-networkd");
        write_manager("systemd/netif/links", "ADMIN_STATE=unmanaged\n");
        write_manager("NetworkManager/devices", "[device]\nmanaged=true\nconnection-uuid=1\n");
        bad(act(interfaces_destroy, "eth0"), "'eth0' is managed by NetworkManager");
        /* While it gets its addresses, and when it is disconnected. */
        write_manager("NetworkManager/devices", "[device]\nmanaged=true\nnm-owned=false\n");
        bad(act(interfaces_destroy, "eth0"), "'eth0' is managed by NetworkManager");
}
END_TEST

static void write_profile(const char *name, const char *uuid, const char *meta)
{
        g_autofree char *dir = g_build_filename(directory, "NetworkManager/system-connections", NULL);
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autofree char *text = g_strdup_printf(
                "[connection]\nid=x\nuuid=%s\n\n[.nmmeta]\nnm-generated=true\n%s", uuid, meta);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* NetworkManager calls managed what it only watches, too. */
START_TEST(what_others_only_watch_is_ours)
{
        write_manager("NetworkManager/devices", "[device]\nmanaged=true\nconnection-uuid=1-2\n");
        write_profile("one.nmconnection", "1-2", "");
        write_profile("two.nmconnection", "1-3", "volatile=true\nexternal=true\n");
        bad(act(interfaces_create, "eth0"), "'eth0' is managed by NetworkManager");
        write_profile("one.nmconnection", "1-2", "volatile=true\nexternal=true\n");
        good(act(interfaces_create, "eth0"));
}
END_TEST

START_TEST(some_only_look)
{
        end();
        begin(true);
        ck_assert(find("eth0"));
        bad(act(interfaces_create, "eth0"), "only looks");
        bad(define(BRIDGE), "only looks");
        bad(transact(interfaces_change_begin), "only looks");
}
END_TEST

/* ---- DHCP ---- */

/* The folder of the test is all that is searched from here on: it has no dhcpcd, whatever the host has. */
static void leave_path(void)
{
        static const char *const tools[] = { "busybox", "dnsmasq", "ip", "setsid", "sh" };

        for (unsigned i = 0; i < G_N_ELEMENTS(tools); i++) {
                g_autofree char *from = g_find_program_in_path(tools[i]),
                                *to = g_build_filename(directory, tools[i], NULL);

                ck_assert(from && symlink(from, to) == 0);
        }
        g_setenv("PATH", directory, TRUE);
}

/* busybox is udhcpc, which Debian has as a package of its own, with a script like the one there. */
static void install_udhcpc(void)
{
        g_autofree char *client = g_build_filename(directory, "udhcpc", NULL);
        g_autofree char *script = g_build_filename(directory, "script", NULL);
        g_autofree char *text = g_strdup_printf("#!/bin/sh\nexec busybox udhcpc -s %s \"$@\"\n", script);

        ck_assert(g_file_set_contents(
                script,
                "#!/bin/sh\n"
                "case $1 in\n"
                "bound) ip address add $ip/$mask dev $interface valid_lft $lease preferred_lft $lease ;;\n"
                "deconfig) ip address flush dev $interface scope global ;;\n"
                "esac\n",
                -1, NULL));
        ck_assert(g_file_set_contents(client, text, -1, NULL));
        ck_assert(chmod(script, 0755) == 0 && chmod(client, 0755) == 0);
}

static bool has_tools(void)
{
        g_autofree char *server = g_find_program_in_path("dnsmasq"),
                        *client = g_find_program_in_path("busybox");

        if (!server || !client)
                check_skip("needs dnsmasq and busybox");
        return server && client;
}

static bool has_lease(void)
{
        return has_ipv4("eth0");
}

static bool has_no_lease(void)
{
        return !has_lease();
}

static pid_t start_server(void)
{
        g_autofree char *leases = g_strdup_printf("--dhcp-leasefile=%s/leases", directory);
        char *argv[] = { (char *)"dnsmasq",
                         (char *)"--keep-in-foreground",
                         (char *)"--conf-file=/dev/null",
                         (char *)"--port=0",
                         (char *)"--interface=peer0",
                         (char *)"--bind-dynamic",
                         (char *)"--dhcp-range=192.0.2.50,192.0.2.50,1h",
                         (char *)"--user=root",
                         leases,
                         NULL };
        GPid pid;

        ip("address add 192.0.2.1/24 dev peer0");
        ip("link set peer0 up");
        ck_assert(g_spawn_async(NULL, argv, NULL,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
                                NULL, NULL, &pid, NULL));
        return pid;
}

/* A descriptor of the client's process, which tells of its end. */
static int open_client(void)
{
        g_autofree char *path = g_build_filename(directory, "runtime", "interfaces", "eth0.udhcpc", NULL);
        g_autofree char *text = NULL;
        int fd;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        fd = (int)syscall(SYS_pidfd_open, atoi(text), 0);
        ck_assert_int_ge(fd, 0);
        return fd;
}

static int client;

static bool client_has_ended(void)
{
        return poll(&(struct pollfd){ client, POLLIN, 0 }, 1, 0) == 1;
}

/* The client goes on when the agent ends, and ends with its interface, which is taken down or goes. */
START_TEST(addresses_come_by_dhcp)
{
        pid_t server;

        if (!has_tools())
                return;
        leave_path();
        install_udhcpc();
        server = start_server();
        good(define("<interface type='ethernet' name='eth0'><protocol "
                    "family='ipv4'><dhcp/></protocol></interface>"));
        good(act(interfaces_create, "eth0"));
        wait_until(has_lease);
        expect("-oneline address show dev eth0", "192.0.2.50/24");
        end();
        begin(false);
        client = open_client();
        good(act(interfaces_destroy, "eth0"));
        wait_until(has_no_lease);
        ck_assert(client_has_ended());
        close(client);
        /* What the client's script does at its end was waited for. */
        ck_assert(!find("eth0")->active);
        expect_not("-oneline link show eth0", ",UP");
        good(act(interfaces_create, "eth0"));
        wait_until(has_lease);
        client = open_client();
        ip("link delete eth0");
        wait_until(client_has_ended);
        close(client);
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
}
END_TEST

START_TEST(a_client_is_needed_for_dhcp)
{
        if (!has_tools())
                return;
        leave_path();
        ip("address add 203.0.113.1/24 dev eth0");
        good(define("<interface type='ethernet' name='eth0'><protocol "
                    "family='ipv4'><dhcp/></protocol></interface>"));
        bad(act(interfaces_create, "eth0"), "neither dhcpcd nor udhcpc is installed");
        ck_assert(!find("eth0")->active);
        /* The kernel's own word: news of it may still be on their way. */
        expect("-oneline address show dev eth0", "203.0.113.1/24");
        install_udhcpc();
        good(define("<interface type='ethernet' name='eth0'><protocol family='ipv4'><dhcp "
                    "peerdns='no'/></protocol>"
                    "</interface>"));
        bad(act(interfaces_create, "eth0"), "needs dhcpcd");
}
END_TEST

/* ---- in memory ---- */

START_TEST(the_test_driver_has_one)
{
        g_autofree char *xml = NULL;

        end();
        interfaces = interfaces_new_test(loop, pool, NULL);
        interfaces_start(interfaces);
        while (interfaces_get_pending(interfaces) > 0)
                loop_step(loop, true);
        ck_assert(find("eth1")->active);
        ck_assert_str_eq(host_interface_get_key(find("eth1")), "aa:bb:cc:dd:ee:ff");
        xml = interfaces_get_xml(interfaces, find("eth1"), 0, NULL);
        ck_assert(strstr(xml, "<mtu size='1492'/>"));
        good(transact(interfaces_change_begin));
        good(act(interfaces_destroy, "eth1"));
        good(undefine("eth1"));
        ck_assert(!find("eth1"));
        good(define(BRIDGE));
        good(transact(interfaces_change_rollback));
        ck_assert(find("eth1")->active && !find("br0"));
}
END_TEST

CHECK_MAIN_FIXTURE("interfaces", setup, teardown, a_bridge_is_set_up_and_taken_down,
                   what_is_there_can_be_defined, another_link_of_the_name_is_not_deleted,
                   a_bridge_that_is_there_is_changed, the_path_of_what_is_defined_stays,
                   a_change_is_told_once, paths_and_lookups, the_next_agent_knows_and_boots_once,
                   hardware_that_comes_is_set_up, what_others_manage_is_theirs,
                   what_others_only_watch_is_ours, some_only_look, addresses_come_by_dhcp,
                   a_client_is_needed_for_dhcp, the_test_driver_has_one)
