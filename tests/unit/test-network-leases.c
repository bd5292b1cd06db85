/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leases of networks on the host, with a real dnsmasq, which says by its script what it lends, and clients in
 * network namespaces of their own.
 */
#include "base/registry.h"
#include "tests/unit/network-fixture.h"

#include <string.h>
#include <sys/stat.h>

#define UDHCPC "busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s /bin/true "

static void wait_for_event(const char *wanted)
{
        while (!strstr(lease_events->str, wanted))
                loop_step(loop, true);
}

static void lend(int pid, const char *options, const char *wanted)
{
        g_autofree char *output = shell("nsenter -t %d -n " UDHCPC "%s 2>&1", pid, options);

        ck_assert_msg(strstr(output, wanted) != NULL, "%s", output);
}

/* An address is lent, gets another name, is given back; a change of hosts is about none of it. */
START_TEST(test_events)
{
        struct network *network;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:21");
        lend(pid, "-x hostname:red", "10.77.0.");
        wait_for_event("52:54:00:00:00:21 red;");
        ck_assert_int_eq(lease_events->str[0], '+');
        g_string_truncate(lease_events, 0);
        lend(pid, "-x hostname:blue", "10.77.0.");
        wait_for_event("52:54:00:00:00:21 blue;");
        ck_assert_int_eq(lease_events->str[0], '~');
        g_string_truncate(lease_events, 0);
        /* dnsmasq says all over again what it has; it is known. */
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
                       "<host mac='52:54:00:00:00:22' ip='10.77.0.8' name='two'/>", 0, NULL);
        g_free(shell("kill %d", pid));
        pid = plug("virbr0", "52:54:00:00:00:22");
        lend(pid, "", "10.77.0.8");
        wait_for_event("two;");
        ck_assert_str_eq(lease_events->str, "+10.77.0.8 52:54:00:00:00:22 two;");
        ck_assert_uint_eq(get_leases(network, "").count, 2);
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

/* The file is dnsmasq's, which begins it anew when it writes: who reads it then sees less than there is. */
START_TEST(test_half_a_file)
{
        struct network *network;
        struct answer answer;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        lend(pid, "", "10.77.0.9");
        wait_for_event("+10.77.0.9");
        g_free(shell("kill -STOP %d && truncate -s 0 %s/state/leases/" LAN_UUID, get_pid(LAN_UUID), top));
        answer = get_leases(network, "");
        ck_assert_uint_eq(answer.count, 1);
        ck_assert_str_eq(answer.address, "10.77.0.9");
        /* The next agent finds it so, and asks dnsmasq. */
        close_networks();
        open_networks(false);
        g_free(shell("kill -CONT %d", get_pid(LAN_UUID)));
        network = network_lookup_name(networks, "lan", NULL);
        g_string_truncate(lease_events, 0);
        wait_for_event("+10.77.0.9");
        ck_assert_uint_eq(get_leases(network, "52:54:00:00:00:01").count, 1);
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

/* A dnsmasq that ended without having written down what it lent has forgotten it. */
START_TEST(test_lost_file)
{
        struct network *network;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        lend(pid, "", "10.77.0.9");
        wait_for_event("+10.77.0.9");
        g_free(shell("truncate -s 0 %s/state/leases/" LAN_UUID "; kill -9 %d", top, get_pid(LAN_UUID)));
        wait_for_event("-10.77.0.9");
        ck_assert_uint_eq(get_leases(network, "").count, 0);
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

static int64_t expiry_of_first;

static void take_expiry(const struct network *network, const GPtrArray *leases, const GError *error,
                        void *data)
{
        ck_assert(leases && leases->len == 1);
        expiry_of_first = ((const struct network_lease *)g_ptr_array_index(leases, 0))->expiry;
        *(bool *)data = true;
}

static int64_t get_expiry(struct network *network)
{
        bool done = false;

        network_get_leases(network, "", 0, take_expiry, &done);
        while (!done)
                loop_step(loop, true);
        return expiry_of_first;
}

/* Whose lease is renewed has it for longer, which is no event. */
START_TEST(test_renewal)
{
        struct network *network;
        int64_t expiry;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        lend(pid, "", "10.77.0.9");
        wait_for_event("+10.77.0.9");
        expiry = get_expiry(network);
        g_string_truncate(lease_events, 0);
        while (get_expiry(network) == expiry)
                lend(pid, "", "10.77.0.9");
        ck_assert_int_gt(get_expiry(network), expiry);
        ck_assert_str_eq(lease_events->str, "");
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

/* A dnsmasq that another version of the agent has started is started anew, and lends what it lent. */
START_TEST(test_other_configuration)
{
        struct network *network;
        int pid, server;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        lend(pid, "", "10.77.0.9");
        wait_for_event("+10.77.0.9");
        server = get_pid(LAN_UUID);
        close_networks();
        g_free(shell("sed -i /script-on-renewal/d %s/run/" LAN_UUID ".conf", top));
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert_int_ne(get_pid(LAN_UUID), server);
        ck_assert(!runs(server));
        ck_assert_uint_eq(get_leases(network, "52:54:00:00:00:01").count, 1);
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

/* In a user's own runtime directory, which nobody else can look into, dnsmasq reads its files all the same.
 */
START_TEST(test_hosts_in_a_closed_folder)
{
        struct network *network;
        int pid, server;

        if (!can_run())
                return;
        open_networks(false);
        ck_assert_int_eq(chmod(top, 0700), 0);
        network = create_xml(NAT, NULL);
        server = get_pid(LAN_UUID);
        update_network(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
                       "<host mac='52:54:00:00:00:22' ip='10.77.0.8' name='two'/>", 0, NULL);
        ck_assert_int_eq(get_pid(LAN_UUID), server);
        pid = plug("virbr0", "52:54:00:00:00:22");
        lend(pid, "", "10.77.0.8");
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
}
END_TEST

static bool has_leases(void)
{
        g_autofree char *found = shell("ls %s/state/leases | grep " LAN_UUID, top);

        return *found;
}

/* What is lent while there is no agent is known to the next one, and told by nobody. */
START_TEST(test_agent_is_away)
{
        struct network *network;
        struct answer answer;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        define_network(NAT, NULL);
        create_network(network_lookup_name(networks, "lan", NULL), NULL);
        close_networks();
        pid = plug("virbr0", "52:54:00:00:00:01");
        lend(pid, "", "10.77.0.9");
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        answer = get_leases(network, "52:54:00:00:00:01");
        ck_assert_uint_eq(answer.count, 1);
        ck_assert_str_eq(answer.address, "10.77.0.9");
        g_free(shell("kill %d", pid));
        pid = plug("virbr0", "52:54:00:00:00:02");
        lend(pid, "", "10.77.0.");
        wait_for_event("52:54:00:00:00:02 ;");
        ck_assert(!strstr(lease_events->str, "10.77.0.9"));
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
        ck_assert(has_leases());
        undefine_network(network, NULL);
        ck_assert(!has_leases());
}
END_TEST

struct ipv6_lease {
        bool done;
        char text[256]; /* address, prefix, MAC address, IAID, name, client id of the first */
};

static void take_ipv6(const struct network *network, const GPtrArray *leases, const GError *error, void *data)
{
        struct ipv6_lease *answer = data;
        char address[NETWORK_ADDRESS_TEXT_MAX];

        answer->done = true;
        ck_assert(leases != NULL);
        if (leases->len == 0)
                return;
        const struct network_lease *lease = g_ptr_array_index(leases, 0);

        ck_assert_int_gt(lease->expiry, 0);
        g_snprintf(answer->text, sizeof(answer->text), "%s/%u %s %s %s %s",
                   network_address_format(&lease->address, address), lease->prefix, lease->mac, lease->iaid,
                   lease->hostname, lease->client_id);
}

/* dnsmasq tells a little later than it lends. */
static void check_ipv6(struct network *network, const char *wanted)
{
        struct ipv6_lease answer;

        do {
                answer = (struct ipv6_lease){ 0 };
                network_get_leases(network, "52:54:00:00:00:31", 0, take_ipv6, &answer);
                while (!answer.done)
                        loop_step(loop, true);
        } while (*wanted && !*answer.text);
        ck_assert_str_eq(answer.text, wanted);
}

#define IPV6                                                                                                 \
        "<network><name>six</name><uuid>" LAN_UUID "</uuid><bridge stp='off'/>"                              \
        "<ip family='ipv6' address='fd00:77::1' prefix='64'><dhcp>"                                          \
        "<range start='fd00:77::100' end='fd00:77::100'/></dhcp></ip></network>"
#define IPV6_LEASE "fd00:77::100/64 52:54:00:00:00:31 77 six 00:02:00:00:12:34:01:02:03:04:05:06:07:08"

/*
 * Until dnsmasq has found the MAC address, for which it asks the client's link-local address at each request.
 * The address that was lent, and the server's DUID.
 */
static char **ask_ipv6(int pid)
{
        g_auto(GStrv) lent = NULL;

        g_free(shell("nsenter -t %d -n ip address add fe80::31/64 dev eth0 nodad", pid));
        while (!strstr(lease_events->str, "fd00:77::100 52:54:00:00:00:31 six;")) {
                g_autofree char *output = shell("nsenter -t %d -n %s eth0 six", pid, DHCPV6_CLIENT);

                g_strfreev(lent);
                lent = g_strsplit(output, " ", 2);
                ck_assert_msg(g_strv_length(lent) == 2 && strcmp(lent[0], "fd00:77::100") == 0, "%s", output);
                while (loop_step(loop, false))
                        ;
        }
        return g_steal_pointer(&lent);
}

/* The MAC address of a lease of IPv6 is in dnsmasq's message only, and outlives the agent. */
START_TEST(test_ipv6)
{
        struct network *network;
        g_auto(GStrv) lent = NULL;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(IPV6, NULL);
        pid = plug("virbr0", "52:54:00:00:00:31");
        lent = ask_ipv6(pid);
        check_ipv6(network, IPV6_LEASE);
        close_networks();
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "six", NULL);
        check_ipv6(network, IPV6_LEASE);
        g_free(shell("nsenter -t %d -n %s eth0 six %s %s", pid, DHCPV6_CLIENT, lent[0], lent[1]));
        wait_for_event("-fd00:77::100 52:54:00:00:00:31 six;");
        check_ipv6(network, "");
        g_free(shell("kill %d", pid));
        destroy_network(network, NULL);
        /* Nothing stays of one that was transient. */
        {
                g_autofree char *rest = shell("ls %s/state/leases %s/run | grep " LAN_UUID, top, top);

                ck_assert_str_eq(rest, "");
        }
}
END_TEST

CHECK_MAIN_FIXTURE("network-leases", setup_networks, teardown_networks, test_events, test_half_a_file,
                   test_lost_file, test_renewal, test_other_configuration, test_hosts_in_a_closed_folder,
                   test_agent_is_away, test_ipv6)
