/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks beside firewalls of others: rules as Docker makes them, the real firewalld on a bus of its own,
 * and what drops without a place for us.
 */
#include "tests/unit/network-fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static bool holds(const char *command)
{
        g_autofree char *line = g_strdup_printf("( %s ) >/dev/null 2>&1", command);

        return system(line) == 0;
}

static bool has(const char *command, const char *why)
{
        if (can_run() && holds(command))
                return true;
        check_skip(why);
        return false;
}

/* A host outside, one inside, and whether the one reaches the other. */
struct site {
        int inside, outside; /* pids of what keeps their namespaces */
};

static struct site make_site(void)
{
        struct site site = { plug("virbr0", "52:54:00:00:00:01"), plug("virbr0", "52:54:00:00:00:02") };

        g_free(shell(
                "ip link set port2 nomaster; ip address add 198.51.100.1/24 dev port2; ip link set lo up;"
                "nsenter -t %d -n ip address add 198.51.100.2/24 dev eth0;"
                "nsenter -t %d -n ip address add 10.77.0.50/24 dev eth0;"
                "nsenter -t %d -n ip route add default via 10.77.0.1",
                site.outside, site.inside, site.inside));
        return site;
}

static bool reaches(const struct site *site)
{
        g_autofree char *output =
                shell("nsenter -t %d -n busybox ping -c 1 -w 3 198.51.100.2 2>&1", site->inside);

        return strstr(output, "1 packets received") != NULL;
}

static void end_site(const struct site *site)
{
        kill(site->inside, SIGKILL);
        kill(site->outside, SIGKILL);
}

static void wait_until(const char *command)
{
        while (!holds(command))
                loop_step(loop, true);
}

/* ---- Docker ---- */

#define DOCKER                                                                                               \
        "iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN;"              \
        "iptables -A FORWARD -j DOCKER-USER"

START_TEST(test_docker)
{
        struct network *network;
        g_autofree char *before = NULL, *after = NULL;
        struct site site;

        if (!has("iptables --version", "no iptables"))
                return;
        g_free(shell(DOCKER));
        before = shell("iptables -S");
        open_networks(false);
        network = create_xml(NAT, NULL);
        site = make_site();
        ck_assert(reaches(&site));
        ck_assert_ptr_null(network_get_warnings(network)[0]);
        /* What Docker would not have accepted: */
        g_free(shell("iptables -F DOCKER-USER"));
        ck_assert(!reaches(&site));
        /* ... and it is put back. */
        wait_until(
                "iptables -C DOCKER-USER -i virbr0 -j ACCEPT && iptables -C DOCKER-USER -o virbr0 -j ACCEPT");
        ck_assert(reaches(&site));
        g_free(shell("iptables -A DOCKER-USER -j RETURN"));
        destroy_network(network, NULL);
        after = shell("iptables -S");
        ck_assert_str_eq(before, after);
        end_site(&site);
}
END_TEST

/* Docker comes later. */
START_TEST(test_docker_later)
{
        if (!has("iptables --version", "no iptables"))
                return;
        open_networks(false);
        create_xml(NAT, NULL);
        g_free(shell(DOCKER));
        wait_until(
                "iptables -C DOCKER-USER -i virbr0 -j ACCEPT && iptables -C DOCKER-USER -o virbr0 -j ACCEPT");
}
END_TEST

/* ---- others ---- */

/* It has no place for us: the network says what is in the way, as long as it is. */
START_TEST(test_dropped)
{
        struct network *network;
        const char *warning;

        if (!can_run())
                return;
        g_free(shell("nft 'add table inet site; add chain inet site fence { type filter hook forward "
                     "priority 5; policy "
                     "drop; }'"));
        open_networks(false);
        network = create_xml(NAT, NULL);
        warning = network_get_warnings(network)[0];
        ck_assert(warning && strstr(warning, "chain 'fence' of table 'inet site'") &&
                  strstr(warning, "'virbr0'"));
        ck_assert_ptr_null(network_get_warnings(network)[1]);
        g_free(shell("nft delete table inet site"));
        while (network_get_warnings(network)[0])
                loop_step(loop, true);
        destroy_network(network, NULL);
}
END_TEST

/* ---- firewalld ---- */

static char *start_bus(void)
{
        g_autofree char *config = g_build_filename(top, "bus.conf", NULL);
        g_autofree char *text = g_strdup_printf(
                "<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>"
                "<policy context='default'><allow user='*'/><allow own='*'/>"
                "<allow send_destination='*'/><allow receive_sender='*'/></policy></busconfig>",
                top);

        ck_assert(g_file_set_contents(config, text, -1, NULL));
        g_free(shell("dbus-daemon --config-file=%s --fork --print-pid > %s/bus.pid 2>/dev/null", config,
                     top));
        return g_strdup_printf("unix:path=%s/bus", top);
}

/* With the zones and policies that are installed with the agent. Its files of its own go nowhere. */
static void start_firewalld(void)
{
        g_free(shell("mkdir %s/firewalld; cp -r %s/zones %s/policies %s/firewalld;"
                     "setsid firewalld --system-config %s/firewalld --nofork --nopid --log-target console > "
                     "%s/log 2>&1 &"
                     " echo $! > %s/firewalld.pid",
                     top, FIREWALLD_FILES, FIREWALLD_FILES, top, top, top, top));
        while (!holds("nft list chain inet firewalld filter_FORWARD | grep -q reject"))
                g_usleep(G_USEC_PER_SEC / 10); /* nothing else announces it before there is a network */
}

static void stop_firewalld(void)
{
        g_free(shell("kill $(cat %s/firewalld.pid) $(cat %s/bus.pid)", top, top));
}

START_TEST(test_firewalld)
{
        g_autofree char *address = NULL;
        struct network *network;
        struct site site;

        if (!has("test -x /usr/sbin/firewalld && test -d /run/firewalld -o -w /run", "no firewalld"))
                return;
        ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
        ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        ck_assert_int_eq(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
        address = start_bus();
        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
        start_firewalld();
        open_networks(false);
        network = create_xml(NAT, NULL);
        site = make_site();
        check_shell("filter_FWD_virtbus", "nft list chain inet firewalld filter_FORWARD_ZONES");
        ck_assert_ptr_null(network_get_warnings(network)[0]);
        ck_assert(reaches(&site));
        /* It reads its files again and forgets what it was told. */
        g_free(shell("firewall-cmd --reload"));
        wait_until("nft list chain inet firewalld filter_FORWARD_ZONES | grep -q filter_FWD_virtbus");
        ck_assert(reaches(&site));
        destroy_network(network, NULL);
        ck_assert(!holds("nft list chain inet firewalld filter_FORWARD_ZONES | grep -q virbr0"));
        /* A zone that it does not have. */
        network = create_xml("<network><name>z</name><bridge zone='nowhere'/></network>", NULL);
        ck_assert(network_get_warnings(network)[0] &&
                  strstr(network_get_warnings(network)[0],
                         "zone 'nowhere' of firewalld does not take interface"));
        end_site(&site);
        stop_firewalld();
}
END_TEST

CHECK_MAIN_FIXTURE("network-foreign", setup_networks, teardown_networks, test_docker, test_docker_later,
                   test_dropped, test_firewalld)
