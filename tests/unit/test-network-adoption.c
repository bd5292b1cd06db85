/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks that a libvirtd has left running: the test makes what libvirt 9.0 makes (bridge, rules of
 * iptables, a dnsmasq, its notes) in a network namespace of its own.
 */
#include "base/registry.h"
#include "drivers/network/adopt.h"
#include "tests/unit/network-fixture.h"

#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define UUID "31111111-2222-3333-4444-555555555555"
#define MAC  "52:54:00:e1:e4:ff"
#define BODY(more)                                                                                           \
        "<name>lan</name><uuid>" UUID "</uuid><forward mode='nat'><nat><port start='1024' end='65535'/>"     \
        "</nat></forward><bridge name='virbr7' stp='on' delay='0'/><mac address='" MAC "'/>"                 \
        "<ip address='10.77.7.1' netmask='255.255.255.0'><dhcp>"                                             \
        "<range start='10.77.7.10' end='10.77.7.90'/></dhcp></ip>" more
#define NETWORK "<network>" BODY("") "</network>"
#define STATUS                                                                                               \
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n<networkstatus>\n"                           \
        "  <class_id bitmap='0-2'/>\n  <floor sum='0'/>\n  <network>" BODY(                                  \
                "") "</network>\n</networkstatus>\n"
/* What no dnsmasq takes. */
#define OPTION "<dnsmasq:options><dnsmasq:option value='no-such-option'/></dnsmasq:options>"
#define STATUS_THAT_FAILS                                                                                    \
        "<networkstatus><network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>" BODY(      \
                OPTION) "</network></networkstatus>"
#define CLIENT "52:54:00:00:00:21"
#define LEASES                                                                                               \
        "[\n  {\n    \"ip-address\": \"10.77.7.55\",\n    \"mac-address\": \"" CLIENT "\",\n"                \
        "    \"hostname\": \"web\",\n    \"client-id\": \"01:" CLIENT "\",\n"                                \
        "    \"expiry-time\": 4102444800\n  }\n]\n"

/* ---- what libvirt leaves ---- */

static char *path_of(const char *below)
{
        return g_build_filename(top, below, NULL);
}

static void put(const char *below, const char *text)
{
        g_autofree char *path = path_of(below), *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* Its pid. */
static int get_libvirts_pid(void)
{
        g_autofree char *text = shell("cat %s/libvirt-run/network/lan.pid", top);

        return atoi(text);
}

static void start_libvirts_dnsmasq(void)
{
        g_autofree char *conf =
                g_strdup_printf("strict-order\nuser=root\npid-file=%s/libvirt-run/network/lan.pid\n"
                                "except-interface=lo\nbind-dynamic\ninterface=virbr7\n"
                                "dhcp-range=10.77.7.10,10.77.7.90,255.255.255.0\n",
                                top);

        put("libvirt/dnsmasq/lan.conf", conf);
        put("libvirt/dnsmasq/virbr7.status", LEASES);
        put("libvirt-run/network/lan.xml", STATUS);
        g_free(shell("dnsmasq --conf-file=%s/libvirt/dnsmasq/lan.conf --leasefile-ro", top));
        ck_assert(runs(get_libvirts_pid()));
}

/* And of its sockets, which a process may have that has no command line any more. */
static void end_libvirts_dnsmasq(void)
{
        struct pollfd end = { .fd = pidfd_open(get_libvirts_pid(), 0), .events = POLLIN };

        ck_assert_int_ge(end.fd, 0);
        ck_assert_int_eq(pidfd_send_signal(end.fd, SIGTERM, NULL, 0), 0);
        ck_assert_int_eq(poll(&end, 1, -1), 1);
        close(end.fd);
}

static void make_bridge(void)
{
        g_free(shell("ip link add virbr7 address " MAC " type bridge; ip address add 10.77.7.1/24 dev virbr7;"
                     "ip link set virbr7 up"));
        ck_assert_uint_ne(if_nametoindex("virbr7"), 0);
}

/* Those of a second network stay, and so does what is not libvirt's. */
static void make_rules(void)
{
        g_free(shell("for chain in INP OUT FWI FWO FWX; do iptables -N LIBVIRT_$chain; done;"
                     "iptables -t nat -N LIBVIRT_PRT; iptables -t mangle -N LIBVIRT_PRT;"
                     "ip6tables -N LIBVIRT_FWI;"
                     "iptables -A LIBVIRT_INP -i virbr7 -p udp -m udp --dport 53 -j ACCEPT;"
                     "iptables -A LIBVIRT_INP -i virbr77 -p udp -m udp --dport 53 -j ACCEPT;"
                     "iptables -A LIBVIRT_OUT -o virbr7 -p udp -m udp --dport 68 -j ACCEPT;"
                     "iptables -A LIBVIRT_FWI -d 10.77.7.0/24 -o virbr7 -m conntrack --ctstate "
                     "RELATED,ESTABLISHED -j ACCEPT;"
                     "iptables -A LIBVIRT_FWI -o virbr7 -j REJECT;"
                     "iptables -A LIBVIRT_FWO -i virbr7 -j REJECT;"
                     "iptables -A LIBVIRT_FWX -i virbr7 -o virbr7 -j ACCEPT;"
                     "iptables -A INPUT -i virbr7 -j ACCEPT;"
                     "iptables -t nat -A LIBVIRT_PRT -s 10.77.7.0/24 ! -d 10.77.7.0/24 -j MASQUERADE;"
                     "iptables -t nat -A LIBVIRT_PRT -s 10.77.8.0/24 ! -d 10.77.8.0/24 -j MASQUERADE;"
                     "iptables -t mangle -A LIBVIRT_PRT -o virbr7 -p udp -m udp --dport 68 -j CHECKSUM "
                     "--checksum-fill;"
                     "ip6tables -A LIBVIRT_FWI -o virbr7 -j REJECT"));
}

/* How many of libvirt's rules, of both protocols and all tables, name it. */
static int count_rules(const char *what)
{
        g_autofree char *text = shell("(iptables-save; ip6tables-save) 2>/dev/null | grep -- '-A LIBVIRT' | "
                                      "grep -c -- '%s'",
                                      what);

        return atoi(text);
}

static bool can_adopt(void)
{
        if (!can_run())
                return false;
        if (system("iptables -w 5 -S >/dev/null 2>&1") == 0 &&
            system("ip6tables -w 5 -S >/dev/null 2>&1") == 0)
                return true;
        check_skip("no iptables");
        return false;
}

static void leave_running(void)
{
        make_bridge();
        make_rules();
        start_libvirts_dnsmasq();
        open_networks(false);
}

/* ---- adopting ---- */

struct result {
        bool is_here, has_ended;
        char *left; /* owned; a line each */
};

static struct result adopt(const char *status, const char *wanted)
{
        g_autofree char *run = path_of("libvirt-run"), *state = path_of("libvirt");
        struct network_adoption *adoption = network_adoption_new(status, run, state, NULL);
        struct outcome outcome = { 0 };
        struct result result;

        ck_assert_ptr_nonnull(adoption);
        network_adopt(networks, adoption, finish, &outcome);
        expect(&outcome, wanted);
        settle();
        g_ptr_array_add(adoption->left, NULL);
        result = (struct result){ adoption->is_here, adoption->has_ended,
                                  g_strjoinv("\n", (char **)adoption->left->pdata) };
        network_adoption_free(adoption);
        return result;
}

static void adopt_whole(bool is_here)
{
        struct result result = adopt(STATUS, NULL);

        ck_assert_str_eq(result.left, "");
        ck_assert(!result.has_ended);
        ck_assert(result.is_here == is_here);
        g_free(result.left);
}

static struct network *find(void)
{
        return network_lookup_name(networks, "lan", NULL);
}

static bool is_active(void)
{
        const struct network *network = find();

        return network && network_get_published(network)->active;
}

static void check_ours(void)
{
        struct answer answer;

        ck_assert(is_active());
        ck_assert(runs(get_pid(UUID)));
        answer = get_leases(find(), "");
        ck_assert_uint_eq(answer.count, 1);
        ck_assert_str_eq(answer.address, "10.77.7.55");
        ck_assert_str_eq(answer.hostname, "web");
        ck_assert_int_eq(count_rules("virbr7 "), 0);
        ck_assert_int_eq(count_rules("10.77.7.0/24"), 0);
        check_shell("virbr7", "nft list table inet virtbus_virbr7");
}

/* ---- cases ---- */

/* Bridge, port and lease stay; dnsmasq and rules are ours; so it is for the next agents. */
START_TEST(test_a_network_becomes_ours)
{
        unsigned bridge;
        int client, libvirts, ours;
        g_autofree char *lent = NULL;

        if (!can_adopt())
                return;
        leave_running();
        define_network(NETWORK, NULL);
        client = plug("virbr7", CLIENT);
        bridge = if_nametoindex("virbr7");
        libvirts = get_libvirts_pid();
        adopt_whole(false);
        ck_assert(!runs(libvirts));
        check_ours();
        ck_assert_uint_eq(if_nametoindex("virbr7"), bridge);
        check_shell("master virbr7", "ip link show dev port21");
        ck_assert_int_eq(count_rules("virbr77 "), 1);
        ck_assert_int_eq(count_rules("-s 10.77.8.0/24"), 1);
        check_shell("-A INPUT -i virbr7 -j ACCEPT", "iptables -S INPUT");
        /* dnsmasq itself knows whose it is. */
        lent = shell("nsenter -t %d -n busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s /bin/true 2>&1", client);
        ck_assert_msg(strstr(lent, "lease of 10.77.7.55 obtained"), "%s", lent);
        ours = get_pid(UUID);
        close_networks();
        open_networks(false);
        settle();
        ck_assert(is_active());
        ck_assert_int_eq(get_pid(UUID), ours);
        adopt_whole(true);
        ck_assert_int_eq(get_pid(UUID), ours);
        g_free(shell("kill %d", client));
        destroy_network(find(), NULL);
        ck_assert_uint_eq(if_nametoindex("virbr7"), 0);
}
END_TEST

/* Nothing defines it: it is gone with its end. */
START_TEST(test_a_transient_network)
{
        if (!can_adopt())
                return;
        leave_running();
        adopt_whole(false);
        check_ours();
        ck_assert_ptr_null(network_get_published(find())->persistent);
        destroy_network(find(), NULL);
        ck_assert_ptr_null(find());
}
END_TEST

/* Wherever one was cut off, the next one finishes it. */
START_TEST(test_what_was_begun)
{
        g_autofree char *file = g_strdup_printf("cat %s/state/leases/" UUID, top);
        int ours;

        if (!can_adopt())
                return;
        leave_running();
        define_network(NETWORK, NULL);
        /* Behind the end of libvirt's dnsmasq. */
        end_libvirts_dnsmasq();
        adopt_whole(false);
        check_ours();
        /* Behind the start of ours: what it has lent since is what counts. */
        ours = get_pid(UUID);
        close_networks();
        g_free(shell("rm %s/run/" UUID ".xml", top));
        put("libvirt/dnsmasq/virbr7.status", "[]");
        g_free(shell("iptables -A LIBVIRT_FWI -o virbr7 -j REJECT"));
        open_networks(false);
        settle();
        ck_assert(!is_active());
        adopt_whole(false);
        ck_assert_int_eq(get_pid(UUID), ours);
        check_shell("10.77.7.55", file);
        check_ours();
        /* When it was written down. */
        g_free(shell("iptables -A LIBVIRT_FWI -o virbr7 -j REJECT"));
        adopt_whole(true);
        check_ours();
        destroy_network(find(), NULL);
}
END_TEST

/* Ours does not start: libvirt's does again, and all else is as it was, also when a start is tried. */
START_TEST(test_what_cannot_be_ours)
{
        g_autofree char *notes = NULL;
        struct result result;
        int before, after, rules;

        if (!can_adopt())
                return;
        leave_running();
        define_network(NETWORK, NULL);
        before = get_libvirts_pid();
        rules = count_rules("virbr7 ");
        result = adopt(STATUS_THAT_FAILS, "bad option");
        ck_assert_str_eq(result.left, "");
        g_free(result.left);
        after = get_libvirts_pid();
        ck_assert(!runs(before) && runs(after));
        ck_assert(!is_active());
        ck_assert_int_eq(count_rules("virbr7 "), rules);
        ck_assert_int_gt(rules, 0);
        check_shell("none", "nft list tables | grep virtbus || echo none");
        notes = shell("ls -A %s/run | grep xml", top);
        ck_assert_str_eq(notes, "");
        create_network(find(), "is taken by 'dnsmasq'");
        ck_assert_uint_ne(if_nametoindex("virbr7"), 0);
        ck_assert(runs(after));
        adopt_whole(false);
        check_ours();
        destroy_network(find(), NULL);
}
END_TEST

/* One that was cut off has ended libvirt's, and ours does not start this time: that is said. */
START_TEST(test_nobody_lends)
{
        struct result result;

        if (!can_adopt())
                return;
        leave_running();
        define_network(NETWORK, NULL);
        end_libvirts_dnsmasq();
        result = adopt(STATUS_THAT_FAILS, "bad option");
        ck_assert_str_eq(result.left,
                         "no dnsmasq of libvirt's runs for it, and ours does not start, so its guests "
                         "get no addresses");
        g_free(result.left);
        ck_assert(!is_active());
        adopt_whole(false);
        check_ours();
        destroy_network(find(), NULL);
}
END_TEST

/* Pids are used again, and a dnsmasq may be another network's. */
START_TEST(test_processes_of_others)
{
        g_autofree char *conf = path_of("libvirt/dnsmasq/other.conf"), *text = NULL;
        int other, sleeper;

        if (!can_adopt())
                return;
        make_bridge();
        put("libvirt/dnsmasq/virbr7.status", LEASES);
        text = g_strdup_printf(
                "user=root\nport=5353\nlisten-address=127.0.0.1\npid-file=%s/libvirt-run/network/"
                "lan.pid\n",
                top);
        put("libvirt/dnsmasq/other.conf", text);
        put("libvirt-run/network/lan.xml", STATUS);
        g_free(shell("dnsmasq --conf-file=%s", conf));
        other = get_libvirts_pid();
        ck_assert(runs(other));
        open_networks(false);
        adopt_whole(false);
        ck_assert(runs(other));
        destroy_network(find(), NULL);

        make_bridge();
        g_free(shell("sleep 600 >/dev/null 2>&1 & echo $! >%s/libvirt-run/network/lan.pid", top));
        sleeper = get_libvirts_pid();
        adopt_whole(false);
        ck_assert(runs(sleeper) && runs(other));
        g_free(shell("kill %d %d", sleeper, other));
        destroy_network(find(), NULL);
}
END_TEST

/* What libvirt's note is about may be gone, or something else by now. */
START_TEST(test_notes_that_are_not_true)
{
        struct result result;

        if (!can_adopt())
                return;
        open_networks(false);
        result = adopt(STATUS, NULL);
        ck_assert(result.has_ended && !is_active());
        g_free(result.left);
        g_free(shell("ip link add virbr7 type bridge"));
        g_free(adopt(STATUS, "the host has an interface 'virbr7' already").left);
        g_free(shell("ip link delete virbr7"));
        make_bridge();
        create_xml("<network><name>lan</name><uuid>" UUID "</uuid><bridge name='virbr8'/></network>", NULL);
        g_free(adopt(STATUS, "it is active here with bridge 'virbr8', and libvirt's has bridge 'virbr7'")
                       .left);
        destroy_network(find(), NULL);
        create_xml("<network><name>other</name><bridge name='virbr9'/></network>", NULL);
        define_network("<network><name>third</name><bridge name='virbr7'/></network>", NULL);
        g_free(adopt(STATUS, "another network here has bridge 'virbr7'").left);
        ck_assert_uint_ne(if_nametoindex("virbr7"), 0);
        destroy_network(network_lookup_name(networks, "other", NULL), NULL);
}
END_TEST

/* They have nothing of their own on the host. */
START_TEST(test_a_network_without_a_bridge)
{
        struct result result;

        if (!can_adopt())
                return;
        open_networks(false);
        result = adopt("<networkstatus><network><name>lan</name><uuid>" UUID "</uuid><forward mode='bridge'/>"
                       "<bridge name='br0'/></network></networkstatus>",
                       NULL);
        ck_assert(is_active());
        ck_assert_str_eq(result.left, "");
        g_free(result.left);
        close_networks();
        open_networks(false);
        settle();
        ck_assert(is_active());
}
END_TEST

/* A table of nftables, as later versions have it, stays; so do leases that nobody can read. */
START_TEST(test_what_is_left)
{
        struct result result;

        if (!can_adopt())
                return;
        leave_running();
        put("libvirt/dnsmasq/virbr7.status", "{ \"not\": \"a list\" }");
        g_free(shell("nft add table ip libvirt_network; nft add chain ip libvirt_network guest_nat"));
        result = adopt(STATUS, NULL);
        ck_assert_ptr_nonnull(strstr(
                result.left, "is not known here: operation failed: it is no list of leases: not an array"));
        ck_assert_ptr_nonnull(strstr(result.left, "libvirt's rules in table 'libvirt_network' of nftables"));
        ck_assert(is_active());
        ck_assert_uint_eq(get_leases(find(), "").count, 0);
        g_free(result.left);
        destroy_network(find(), NULL);
}
END_TEST

static void check_leases(const char *json, const char *leases, const char *macs, unsigned lost)
{
        struct network_adopted_leases found;

        ck_assert(network_adopted_leases_parse(&found, json, NULL));
        ck_assert_str_eq(found.leases, leases);
        ck_assert_str_eq(found.macs, macs);
        ck_assert_uint_eq(found.lost, lost);
        network_adopted_leases_clear(&found);
}

START_TEST(test_leases)
{
        struct network_adopted_leases none;

        check_leases("", "", "", 0);
        check_leases("[\n\n]", "", "", 0);
        check_leases(LEASES, "4102444800 " CLIENT " 10.77.7.55 web 01:" CLIENT "\n", "", 0);
        check_leases("[{\"ip-address\":\"fd77::73\",\"iaid\":\"77\",\"mac-address\":\"" CLIENT "\","
                     "\"hostname\":\"six\",\"client-id\":\"00:02:00\",\"server-duid\":\"00:01:33\","
                     "\"expiry-time\":12},{\"ip-address\":\"10.7.7.1\",\"mac-address\":\"" CLIENT "\","
                     "\"expiry-time\":0}]",
                     "0 " CLIENT " 10.7.7.1 * *\nduid 00:01:33\n12 77 fd77::73 six 00:02:00\n",
                     "fd77::73 " CLIENT "\n", 0);
        /* A line must not become two, and a word not more than one. */
        check_leases("[{\"ip-address\":\"10.7.7.1\",\"mac-address\":\"52:54:00 x\",\"expiry-time\":1},"
                     "{\"ip-address\":\"10.7.7.1\\n\",\"mac-address\":\"" CLIENT "\",\"expiry-time\":1},"
                     "{\"ip-address\":\"fd77::73\",\"mac-address\":\"" CLIENT "\",\"expiry-time\":1},"
                     "{\"ip-address\":\"10.7.7.1\",\"mac-address\":\"" CLIENT "\"},7]",
                     "", "", 5);
        ck_assert(!network_adopted_leases_parse(&none, "[{]", NULL));
        network_adopted_leases_clear(&none);
        ck_assert(!network_adopted_leases_parse(&none, "{}", NULL));
        network_adopted_leases_clear(&none);
}
END_TEST

START_TEST(test_rules)
{
        struct network_def *def = network_def_parse(NETWORK, NULL);
        g_autofree char
                *none = network_adoption_choose_rules(
                        "-P INPUT ACCEPT\n-N LIBVIRT_INP\n-A INPUT -j LIBVIRT_INP\n-A INPUT -i virbr7 -j "
                        "ACCEPT\n-A LIBVIRT_INP -i virbr77 -j ACCEPT\n-A LIBVIRT_XXX -i virbr7 -j ACCEPT\n"
                        "-A LIBVIRT_FWI -s 10.77.7.0/24 -j ACCEPT\n-A LIBVIRT_PRT -s 10.77.0.0/16 -j RETURN\n"
                        "-A LIBVIRT_PRT -d 10.77.7.0/24 -j RETURN\n",
                        "filter", def),
                *some = network_adoption_choose_rules(
                        "-A LIBVIRT_PRT -s 10.77.7.0/24 -d 224.0.0.0/24 -j RETURN\n"
                        "-A LIBVIRT_FWX -i virbr7 -o virbr7 -j ACCEPT\n",
                        "nat", def);

        ck_assert_ptr_null(none);
        ck_assert_str_eq(some, "*nat\n-D LIBVIRT_PRT -s 10.77.7.0/24 -d 224.0.0.0/24 -j RETURN\n"
                               "-D LIBVIRT_FWX -i virbr7 -o virbr7 -j ACCEPT\nCOMMIT\n");
        network_def_unref(def);
}
END_TEST

START_TEST(test_documents)
{
        GError *error = NULL;

        ck_assert_ptr_null(network_adoption_new("<network/>", "", "", &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
        ck_assert_ptr_null(network_adoption_new("<networkstatus/>", "", "", &error));
        ck_assert_ptr_nonnull(strstr(error->message, "missing <network>"));
        g_clear_error(&error);
}
END_TEST

CHECK_MAIN_FIXTURE("network-adoption", setup_networks, teardown_networks, test_a_network_becomes_ours,
                   test_a_transient_network, test_what_was_begun, test_what_cannot_be_ours, test_nobody_lends,
                   test_processes_of_others, test_notes_that_are_not_true, test_a_network_without_a_bridge,
                   test_what_is_left, test_leases, test_rules, test_documents)
