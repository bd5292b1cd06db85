/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of networks: in memory, and on the host, in a network namespace of the test's own with a real
 * bridge, nftables and dnsmasq, and a client in another one.
 */
#include "drivers/network/network.h"

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static struct networks *networks;
static char *top;
static GString *events;
static bool has_namespace;

static void note_change(const struct registry_change *change, void *data)
{
        if (change->event)
                g_string_append_c(events, (char)('0' + change->event->type));
}

static void open_networks(bool in_memory)
{
        g_autofree char *state = g_build_filename(top, "state", NULL),
                        *run = g_build_filename(top, "run", NULL);
        const struct networks_config config = { state, run };

        networks = in_memory ? networks_new_test(loop, pool, NULL) : networks_new(loop, pool, &config);
        ck_assert(networks != NULL);
        registry_listen(networks_get_registry(networks), note_change, NULL);
        ck_assert(networks_load(networks, NULL));
}

static void settle(void)
{
        while (registry_get_pending(networks_get_registry(networks)))
                loop_step(loop, true);
}

static void close_networks(void)
{
        networks_quiesce(networks);
        settle();
        networks_free(networks);
        networks = NULL;
}

static void setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        has_namespace = unshare(CLONE_NEWNET) == 0;
        top = g_dir_make_tmp("virtbus-network-XXXXXX", NULL);
        ck_assert_int_eq(chmod(top, 0755), 0);
        events = g_string_new(NULL);
        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
}

static void teardown(void)
{
        g_autofree char *command = g_strdup_printf("rm -rf %s", top);

        if (networks)
                close_networks();
        ck_assert_int_eq(system(command), 0);
        pool_free(pool);
        loop_free(loop);
        g_string_free(events, TRUE);
        g_free(top);
}

/* ---- calls ---- */

struct outcome {
        bool done;
        GError *error;
        struct network *network;
};

static void finish(struct managed *object, const GError *error, void *data)
{
        struct outcome *outcome = data;

        outcome->done = true;
        outcome->network = (struct network *)object;
        outcome->error = error ? g_error_copy(error) : NULL;
}

/* NULL: it is to succeed. */
static struct network *expect(struct outcome *outcome, const char *wanted)
{
        while (!outcome->done)
                loop_step(loop, true);
        ck_assert_msg(!outcome->error == !wanted, "%s",
                      outcome->error ? outcome->error->message : "no error");
        ck_assert_msg(!wanted || strstr(outcome->error->message, wanted), "%s",
                      wanted ? outcome->error->message : "");
        g_clear_error(&outcome->error);
        return outcome->network;
}

static struct network *define(const char *xml, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_define_xml(networks, xml, finish, &outcome);
        return expect(&outcome, wanted);
}

static struct network *create_xml(const char *xml, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_create_xml(networks, xml, finish, &outcome);
        return expect(&outcome, wanted);
}

static void create(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_create(network, finish, &outcome);
        expect(&outcome, wanted);
}

static void destroy(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_destroy(network, finish, &outcome);
        expect(&outcome, wanted);
}

static void undefine(struct network *network, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_undefine(network, finish, &outcome);
        expect(&outcome, wanted);
}

static void update(struct network *network, unsigned command, unsigned section, const char *xml,
                   unsigned flags, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_update(network, &(const struct network_update){ command, section, -1, xml }, flags, finish,
                       &outcome);
        expect(&outcome, wanted);
}

/* ---- in memory ---- */

START_TEST(test_in_memory)
{
        struct network *network, *other;
        GError *error = NULL;

        open_networks(true);
        network = network_lookup_name(networks, "default", NULL);
        ck_assert(network == network_lookup_uuid(networks, "dd8fe884-6c02-601e-7551-cca97df1c5df", NULL));
        ck_assert_str_eq(network_get_bridge_name(network, 0, NULL), "virbr0");
        create(network, "already active");
        destroy(network, NULL);
        destroy(network, "not active");
        create(network, NULL);
        undefine(network, NULL);
        undefine(network, "transient");
        destroy(network, NULL);
        ck_assert(network_lookup_name(networks, "default", &error) == NULL);
        ck_assert(error_is(error, ERROR_NO_NETWORK));
        g_clear_error(&error);
        ck_assert_str_eq(events->str, "3213");
        other = create_xml("<network><name>a</name></network>", NULL);
        ck_assert(!network_get_published(other)->persistent);
        ck_assert(network_get_bridge_name(other, 0, &error) == NULL);
        g_clear_error(&error);
        create_xml("<network><name>a</name></network>", "already exists");
        define("<network><name>a/</name></network>", "cannot contain '/'");
        destroy(other, NULL);
        ck_assert_uint_eq(registry_get_count(networks_get_registry(networks)), 0);
}
END_TEST

START_TEST(test_lists)
{
        static const struct {
                unsigned flags, count;
        } lists[] = { { 0, 3 },
                      { NETWORK_LIST_INACTIVE, 1 },
                      { NETWORK_LIST_ACTIVE, 2 },
                      { NETWORK_LIST_TRANSIENT, 1 },
                      { NETWORK_LIST_PERSISTENT | NETWORK_LIST_ACTIVE, 1 },
                      { NETWORK_LIST_AUTOSTART, 1 } };
        struct outcome outcome = { 0 };
        g_autoptr(GError) error = NULL;

        open_networks(true);
        network_set_autostart(define("<network><name>a</name></network>", NULL), true, finish, &outcome);
        expect(&outcome, NULL);
        create_xml("<network><name>b</name></network>", NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
                g_autoptr(GPtrArray) list = network_list(networks, lists[i].flags, NULL);

                ck_assert_uint_eq(list->len, lists[i].count);
        }
        ck_assert(network_list(networks, 64, &error) == NULL);
}
END_TEST

START_TEST(test_update)
{
        static const char host[] = "<host mac='52:54:00:00:00:01' ip='192.168.122.9'/>";
        struct network *network;

        open_networks(true);
        network = network_lookup_name(networks, "default", NULL);
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 0, NULL);
        ck_assert(strstr(network_get_xml(network, 0, NULL), host));
        ck_assert(!strstr(network_get_xml(network, NETWORK_XML_INACTIVE, NULL), host));
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 3, "existing dhcp host");
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, NETWORK_UPDATE_CONFIG,
               NULL);
        ck_assert(strstr(network_get_xml(network, NETWORK_XML_INACTIVE, NULL), host));
        update(network, NETWORK_UPDATE_DELETE, NETWORK_SECTION_IP_DHCP_HOST, host, 3, NULL);
        ck_assert(!strstr(network_get_xml(network, 0, NULL), host));
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, 4, "unsupported flags");
        destroy(network, NULL);
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, host, NETWORK_UPDATE_LIVE,
               "not active");
}
END_TEST

/* ---- on the host ---- */

static bool can_run(void)
{
        g_autofree char *dnsmasq = g_find_program_in_path("dnsmasq"), *nft = g_find_program_in_path("nft");
        g_autofree char *busybox = g_find_program_in_path("busybox");

        if (has_namespace && dnsmasq && nft && busybox && system("nft list tables >/dev/null 2>&1") == 0)
                return true;
        check_skip("no network namespace, dnsmasq, nft or busybox");
        return false;
}

G_GNUC_PRINTF(1, 2)
static char *shell(const char *format, ...)
{
        g_autofree char *command = NULL;
        char *output = NULL;
        const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        argv[2] = command;
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, NULL,
                               NULL));
        g_strchomp(output);
        return output;
}

static void check_shell(const char *wanted, const char *command)
{
        g_autofree char *output = shell("%s", command);

        ck_assert_msg(strstr(output, wanted) != NULL, "no '%s' in '%s' of: %s", wanted, output, command);
}

#define NAT                                                                                                  \
        "<network><name>lan</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid><forward/>"               \
        "<bridge stp='off'/><dns><host ip='10.77.0.5'><hostname>gate</hostname></host></dns>"                \
        "<ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.10' end='10.77.0.20'/>"             \
        "<host mac='52:54:00:00:00:01' name='one' ip='10.77.0.9'/></dhcp></ip></network>"

static int get_pid(const char *name)
{
        g_autofree char *text = shell("cat %s/run/%s.pid", top, name);

        return atoi(text);
}

/* One that ended and that nobody has waited for has no command line. */
static bool runs(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *line = NULL;
        gsize length = 0;

        return pid > 0 && g_file_get_contents(path, &line, &length, NULL) && length > 0;
}

#define LAN_UUID "3e3fce45-4f53-4fa7-bb32-11f34168b82b"

/* After destroy everything is as before. */
START_TEST(test_start)
{
        struct network *network;
        g_autofree char *before = NULL, *after = NULL;
        int pid;

        if (!can_run())
                return;
        /* A route to more than the network is in nobody's way. */
        g_free(shell("ip link add wide type bridge; ip link set wide up; ip route add 10.0.0.0/8 dev wide"));
        open_networks(false);
        before = shell("ip -o link; ip -4 -o address; nft list ruleset; ls %s/run 2>/dev/null", top);
        network = define(NAT, NULL);
        ck_assert_str_eq(network_get_bridge_name(network, 0, NULL), "virbr0");
        create(network, NULL);
        check_shell("inet 10.77.0.1/24", "ip -o address show dev virbr0");
        check_shell("UP", "ip -o link show dev virbr0");
        check_shell("masquerade to :1024-65535", "nft list table inet virtbus_virbr0");
        check_shell("reject", "nft list table inet virtbus_virbr0");
        check_shell("1", "cat /proc/sys/net/ipv4/ip_forward");
        pid = get_pid(LAN_UUID);
        ck_assert(runs(pid));
        create(network, "already active");
        destroy(network, NULL);
        ck_assert(!runs(pid));
        after = shell("ip -o link; ip -4 -o address; nft list ruleset; ls %s/run 2>/dev/null", top);
        ck_assert_str_eq(before, after);
        create(network, NULL);
        destroy(network, NULL);
        ck_assert_str_eq(events->str, "02323");
}
END_TEST

struct answer {
        bool done;
        unsigned count;
        char hostname[64], address[NETWORK_ADDRESS_TEXT_MAX], mac[32];
};

static void take_leases(const struct network *network, const GPtrArray *leases, const GError *error,
                        void *data)
{
        struct answer *answer = data;

        ck_assert_msg(leases != NULL, "%s", error ? error->message : "");
        answer->done = true;
        answer->count = leases->len;
        if (leases->len == 0)
                return;
        const struct network_lease *lease = g_ptr_array_index(leases, 0);

        g_strlcpy(answer->hostname, lease->hostname ? lease->hostname : "", sizeof(answer->hostname));
        g_strlcpy(answer->mac, lease->mac, sizeof(answer->mac));
        network_address_format(&lease->address, answer->address);
        ck_assert_uint_eq(lease->prefix, 24);
        ck_assert(lease->expiry > 0);
}

static struct answer get_leases(struct network *network, const char *mac)
{
        struct answer answer = { 0 };

        network_get_leases(network, mac, 0, take_leases, &answer);
        while (!answer.done)
                loop_step(loop, true);
        return answer;
}

/* A namespace with one end of a cable in it, the other a port of the bridge; it ends with the process. */
static int plug(const char *bridge, const char *mac)
{
        g_autofree char *text = shell(
                "unshare -n sleep 600 >/dev/null 2>&1 & pid=$!;"
                "while [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ]; do :; done;"
                "ip link add port%d type veth peer name eth0 netns $pid;"
                "ip link set port%d master %s up;"
                "nsenter -t $pid -n ip link set eth0 address %s up; nsenter -t $pid -n ip link set lo up;"
                "echo $pid",
                atoi(mac + 15), atoi(mac + 15), bridge, mac);

        return atoi(text);
}

#define UDHCPC "busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s "

/* Leases, names, the way out and what is in the way. */
START_TEST(test_client)
{
        g_autofree char *script = NULL, *output = NULL, *resolved = NULL, *outside = NULL, *isolated = NULL;
        g_autofree char *inside = NULL;
        struct network *network;
        struct answer answer;
        int pid, out;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = plug("virbr0", "52:54:00:00:00:01");
        out = plug("virbr0", "52:54:00:00:00:02");
        script = g_build_filename(top, "udhcpc", NULL);
        ck_assert(g_file_set_contents(script,
                                      "#!/bin/sh\n[ $1 = bound ] && ip address add $ip/24 dev $interface &&"
                                      " ip route add default via $router\nexit 0\n",
                                      -1, NULL));
        ck_assert_int_eq(chmod(script, 0755), 0);
        output = shell("nsenter -t %d -n " UDHCPC "%s 2>&1", pid, script);
        ck_assert_msg(strstr(output, "10.77.0.9") != NULL, "%s", output);
        answer = get_leases(network, "");
        ck_assert_uint_eq(answer.count, 1);
        ck_assert_str_eq(answer.address, "10.77.0.9");
        ck_assert_str_eq(answer.mac, "52:54:00:00:00:01");
        ck_assert_str_eq(answer.hostname, "one");
        ck_assert_uint_eq(get_leases(network, "52:54:00:00:00:77").count, 0);
        resolved = shell("nsenter -t %d -n busybox nslookup gate 10.77.0.1 2>&1", pid);
        ck_assert_msg(strstr(resolved, "10.77.0.5") != NULL, "%s", resolved);
        /* The other end stands outside: an address behind a link of the host's, and no way back but ours. */
        outside = shell("ip link set port2 nomaster; ip address add 198.51.100.1/24 dev port2;"
                        "nsenter -t %d -n ip address add 198.51.100.2/24 dev eth0;"
                        "ip link set lo up; nsenter -t %d -n busybox ping -c 1 -w 5 198.51.100.2 2>&1",
                        out, pid);
        ck_assert_msg(strstr(outside, "1 packets received") != NULL, "%s", outside);
        inside = shell("nsenter -t %d -n ip route add 10.77.0.0/24 via 198.51.100.1;"
                       "nsenter -t %d -n busybox ping -c 1 -w 1 10.77.0.9 2>&1",
                       out, out);
        ck_assert_msg(strstr(inside, " 0 packets received") != NULL, "%s", inside);
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
               "<host mac='52:54:00:00:00:03' ip='10.77.0.8'/>", 0, NULL);
        isolated = shell("kill %d %d", pid, out);
        destroy(network, NULL);
}
END_TEST

/* A host more: the same dnsmasq. Its end: another one. */
START_TEST(test_dnsmasq)
{
        struct network *network;
        int pid, third;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        pid = get_pid(LAN_UUID);
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST,
               "<host mac='52:54:00:00:00:03' ip='10.77.0.8'/>", 0, NULL);
        ck_assert_int_eq(get_pid(LAN_UUID), pid);
        third = plug("virbr0", "52:54:00:00:00:03");
        {
                g_autofree char *output =
                        shell("nsenter -t %d -n " UDHCPC "/bin/true 2>&1; kill %d", third, third);

                ck_assert_msg(strstr(output, "10.77.0.8") != NULL, "%s", output);
        }
        update(network, NETWORK_UPDATE_ADD_LAST, NETWORK_SECTION_DNS_TXT, "<txt name='a' value='b'/>", 0,
               NULL);
        ck_assert_int_ne(get_pid(LAN_UUID), pid);
        pid = get_pid(LAN_UUID);
        kill(pid, SIGKILL);
        while (get_pid(LAN_UUID) == pid || !runs(get_pid(LAN_UUID)))
                get_leases(network, ""); /* in turn with what happens in the lane */
        destroy(network, NULL);
}
END_TEST

/* What ran runs on; what is missing is put back; what was cut off is taken away. */
START_TEST(test_restart)
{
        struct network *network;
        g_autofree char *mark = NULL;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        define(NAT, NULL);
        create(network_lookup_name(networks, "lan", NULL), NULL);
        create_xml("<network><name>t</name><ip address='10.78.0.1' prefix='24'/></network>", NULL);
        pid = get_pid(LAN_UUID);
        close_networks();
        /* Who comes later does not end it. */
        g_free(shell(
                "nft flush ruleset; ip link add late type bridge; ip address add 10.77.0.99/24 dev late"));
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert(network && network_get_published(network)->active);
        ck_assert_int_eq(get_pid(LAN_UUID), pid);
        check_shell("masquerade", "nft list ruleset");
        ck_assert(!network_get_published(network_lookup_name(networks, "t", NULL))->persistent);
        destroy(network_lookup_name(networks, "t", NULL), NULL);
        close_networks();
        mark = g_strdup_printf("%s/run/" LAN_UUID ".starting", top);
        ck_assert(g_file_set_contents(mark, "", 0, NULL));
        open_networks(false);
        settle();
        network = network_lookup_name(networks, "lan", NULL);
        ck_assert(!network_get_published(network)->active);
        ck_assert(!runs(pid));
        check_shell("", "nft list ruleset");
        ck_assert_uint_eq(if_nametoindex("virbr0"), 0);
}
END_TEST

START_TEST(test_refused)
{
        struct network *network;

        if (!can_run())
                return;
        open_networks(false);
        g_free(shell("ip link add other type bridge; ip address add 10.77.0.200/25 dev other; ip link set "
                     "other up"));
        network = define(NAT, NULL);
        create(network, "10.77.0.1/24 is already in use by interface other");
        define("<network><name>b</name><bridge name='virbr0'/></network>", "already in use");
        network = define("<network><name>b</name><bridge name='other'/></network>", NULL);
        create(network, "has an interface 'other' already");
        check_shell("10.77.0.200", "ip -o address show dev other");
        network =
                define("<network><name>c</name><forward mode='bridge'/><bridge name='br0'/></network>", NULL);
        create(network, "forward mode 'bridge' is not supported");
        network = define("<network><name>d</name><bandwidth><inbound average='1'/></bandwidth></network>",
                         NULL);
        create(network, "<bandwidth> of network 'd' is not supported");
        /* Nothing stays of what failed half-way. */
        g_free(shell("ip address add 10.79.0.1/32 dev lo; ip link set lo up"));
        network = define("<network><name>e</name><bridge name='e'/><ip address='10.80.0.1' prefix='31' "
                         "localPtr='yes'/>"
                         "</network>",
                         NULL);
        create(network, "PTR domain");
        ck_assert_uint_eq(if_nametoindex("e"), 0);
        check_shell("", "nft list tables");
        {
                g_autofree char *tables = shell("nft list tables; ls %s/run", top);

                ck_assert_str_eq(tables, "");
        }
}
END_TEST

/* All at once, each with a bridge of its own. */
START_TEST(test_parallel)
{
        enum { COUNT = 64 };
        struct outcome outcomes[COUNT] = { 0 };
        gint64 begin;

        if (!can_run())
                return;
        open_networks(false);
        begin = g_get_monotonic_time();
        for (unsigned i = 0; i < COUNT; i++) {
                g_autofree char *xml =
                        g_strdup_printf("<network><name>n%u</name><bridge stp='off'/>"
                                        "<ip address='10.80.%u.1' prefix='24'><dhcp>"
                                        "<range start='10.80.%u.2' end='10.80.%u.9'/></dhcp></ip>"
                                        "</network>",
                                        i, i, i, i);

                network_create_xml(networks, xml, finish, &outcomes[i]);
        }
        for (unsigned i = 0; i < COUNT; i++)
                expect(&outcomes[i], NULL);
        printf("64 networks started in %" G_GINT64_FORMAT " ms\n", (g_get_monotonic_time() - begin) / 1000);
        for (unsigned i = 0; i < COUNT; i++)
                destroy(outcomes[i].network, NULL);
        {
                g_autofree char *rest = shell("ip -o link | grep -v ' lo:'; nft list tables; ls %s/run", top);

                ck_assert_str_eq(rest, "");
        }
}
END_TEST

CHECK_MAIN_FIXTURE("network", setup, teardown, test_in_memory, test_lists, test_update, test_start,
                   test_client, test_dnsmasq, test_restart, test_refused, test_parallel)
