/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is missing or taken when networks start: errors that say it, and nothing that stays. */
#include "tests/unit/network-fixture.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that a network may leave on the host. */
static char *look(void)
{
        return shell("ip -o link; ip -o -4 address; ip -o -4 route; nft list ruleset; tc qdisc; ls %s/run "
                     "2>/dev/null;"
                     "ps -e -o args | grep '[d]nsmasq.*%s'",
                     top, top);
}

/* Fails with that, and nothing stays. */
static void fails(const char *xml, const char *wanted)
{
        g_autofree char *before = look(), *after = NULL;

        create_xml(xml, wanted);
        after = look();
        ck_assert_str_eq(before, after);
}

/* After a start and a stop everything is as before. */
START_TEST(test_nothing_stays)
{
        g_autofree char *before = NULL, *during = NULL, *after = NULL;
        struct network *network;

        if (!can_run())
                return;
        open_networks(false);
        destroy_network(create_xml(NAT, NULL), NULL); /* what is made once: directories */
        before = look();
        network = create_xml(NAT, NULL);
        during = look();
        ck_assert(strstr(during, "virbr0") && strstr(during, "dnsmasq") && strstr(during, "10.77.0.1"));
        destroy_network(network, NULL);
        after = look();
        ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(test_no_dnsmasq)
{
        if (!can_run())
                return;
        open_networks(false);
        destroy_network(create_xml(NAT, NULL), NULL);
        {
                g_autofree char *empty = g_build_filename(top, "empty", NULL),
                                *path = g_strdup(g_getenv("PATH"));

                g_setenv("PATH", empty, TRUE);
                create_xml(NAT, "missing tool 'dnsmasq'");
                g_setenv("PATH", path, TRUE);
        }
        check_shell("", "ip -o link");
        ck_assert_uint_eq(if_nametoindex("virbr0"), 0);
        /* No IP address, nothing to serve: no dnsmasq. */
        {
                g_autofree char *path = g_strdup(g_getenv("PATH"));

                g_setenv("PATH", "/nowhere", TRUE);
                destroy_network(create_xml("<network><name>bare</name></network>", NULL), NULL);
                g_setenv("PATH", path, TRUE);
        }
}
END_TEST

static int hold(int type, unsigned port)
{
        const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        if (type == SOCK_STREAM)
                ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* The error says by whom: it is us. */
START_TEST(test_taken_ports)
{
        static const struct {
                int type;
                unsigned port;
        } ports[] = { { SOCK_DGRAM, 53 }, { SOCK_STREAM, 53 }, { SOCK_DGRAM, 67 } };

        if (!can_run())
                return;
        prctl(PR_SET_NAME, "holder");
        open_networks(false);
        destroy_network(create_xml(NAT, NULL), NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++) {
                int fd = hold(ports[i].type, ports[i].port);
                g_autofree char *wanted =
                        g_strdup_printf("port %u of 10.77.0.1 is taken by 'holder' (process %d)",
                                        ports[i].port, (int)getpid());

                fails(NAT, wanted);
                close(fd);
        }
        destroy_network(create_xml(NAT, NULL), NULL);
}
END_TEST

/* A host that learns its way out from routers would forget it. */
START_TEST(test_advertised_routes)
{
        static const char xml[] = "<network><name>a</name><forward mode='route'/>"
                                  "<ip family='ipv6' address='fd00::1' prefix='64'/></network>";

        if (!can_run())
                return;
        g_free(shell("ip link add up0 type bridge; ip link set up0 up; ip -6 route add default via fe80::1 "
                     "dev up0 proto "
                     "ra; echo 1 > /proc/sys/net/ipv6/conf/up0/accept_ra"));
        open_networks(false);
        create_xml(xml, "set net.ipv6.conf.up0.accept_ra to 2 first");
        check_shell("0", "cat /proc/sys/net/ipv6/conf/all/forwarding");
        g_free(shell("echo 2 > /proc/sys/net/ipv6/conf/up0/accept_ra"));
        destroy_network(create_xml(xml, NULL), NULL);
        check_shell("1", "cat /proc/sys/net/ipv6/conf/all/forwarding");
}
END_TEST

/* A dnsmasq of ours that nobody knows of any more is no stranger. */
START_TEST(test_lost_dnsmasq)
{
        struct network *network;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        define_network(NAT, NULL);
        network = network_lookup_name(networks, "lan", NULL);
        create_network(network, NULL);
        pid = get_pid(LAN_UUID);
        close_networks();
        g_free(shell("rm -rf %s/run", top)); /* and the bridge is left behind, too */
        open_networks(false);
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert(!network_get_published(network)->active);
        create_network(network, NULL);
        ck_assert(!runs(pid) && runs(get_pid(LAN_UUID)));
        destroy_network(network, NULL);
        ck_assert_uint_eq(if_nametoindex("virbr0"), 0);
}
END_TEST

CHECK_MAIN_FIXTURE("network-faults", setup_networks, teardown_networks, test_nothing_stays, test_no_dnsmasq,
                   test_taken_ports, test_advertised_routes, test_lost_dnsmasq)
