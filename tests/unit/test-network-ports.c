/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports of networks as clients find and change them, on a real bridge. */
#include "tests/unit/network-fixture.h"

#include "base/error.h"
#include "drivers/network/port.h"

#include <string.h>

#define SHAPED                                                                                               \
        "<network><name>lan</name><bridge name='virbr0' stp='off'/>"                                         \
        "<bandwidth><inbound average='1000'/></bandwidth></network>"
#define CLASSES "tc class show dev virbr0"

static struct network *network;

static bool take(struct managed *object, void *data, GError **error)
{
        return network_use_take(data, error);
}

static bool drop(struct managed *object, void *data, GError **error)
{
        network_use_drop(data);
        return true;
}

/* The owner's uuid is made of its name. */
static struct network_use *new_use_of(const char *owner, const char *mac, uint16_t tag, uint32_t floor_kbps)
{
        g_autofree char *uuid = g_strdup_printf("11111111-2222-3333-4444-%012x", g_str_hash(owner));
        const struct network_port_request request = {
                .network = "lan",
                .owner = owner,
                .owner_uuid = uuid,
                .mac = mac,
                .vlan = { .n_tags = tag > 0, .tags = { { .id = tag } } },
                .bandwidth.inbound.floor_kbps = floor_kbps,
        };
        struct network_use *use = network_use_new(networks, &request, NULL);

        ck_assert(use != NULL);
        return use;
}

static struct network_use *new_use(const char *mac, uint32_t floor_kbps)
{
        return new_use_of("one", mac, 0, floor_kbps);
}

struct step {
        struct outcome outcome;
        struct network_use *use;
        managed_work work;
};

static bool run_step(struct managed *object, void *data, GError **error)
{
        struct step *step = data;

        return step->work(object, step->use, error);
}

static void run(struct network_use *use, managed_work work, const char *wanted)
{
        struct step step = { .use = use, .work = work };

        managed_run(&network->base, MANAGED_IN_TURN, run_step, finish, &step);
        expect(&step.outcome, wanted);
}

static struct params *accept_params(const char *name, uint32_t value)
{
        const struct param param = { name, PARAM_UINT, { .u = value } };
        struct params *params = params_new();

        ck_assert(params_accept(params, &network_port_param_table, &param, NULL));
        return params;
}

static void set(const char *uuid, const char *name, uint32_t value, const char *wanted)
{
        struct outcome outcome = { 0 };

        network_port_set_params(network, uuid, accept_params(name, value), 0, finish, &outcome);
        expect(&outcome, wanted);
}

static uint32_t get(const char *uuid, const char *name)
{
        const struct network_port *port = network_find_port(network, uuid, NULL);
        CLEANUP(params_free) struct params *params = network_port_get_params(port, 0, NULL);

        ck_assert_uint_eq(params_get_count(params), 7);
        return params_find(params, name)->value.u;
}

static bool can_shape(void)
{
        g_autofree char *found = shell("tc qdisc add dev lo root handle 1: htb; tc qdisc show dev lo;"
                                       "tc qdisc del dev lo root");

        if (strstr(found, "htb"))
                return true;
        check_skip("the kernel shapes no traffic (sch_htb)");
        return false;
}

START_TEST(test_params)
{
        struct network_use *one, *two;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        if (!can_run() || !can_shape())
                return;
        open_networks(false);
        network = create_xml(SHAPED, NULL);
        one = new_use("52:54:00:00:00:01", 0);
        two = new_use("52:54:00:00:00:02", 400);
        run(one, take, NULL);
        run(two, take, NULL);
        uuid = network_use_get_port(one)->uuid;
        ck_assert(network_find_port(network, "no-such-port", &error) == NULL);
        ck_assert(error_is(error, ERROR_NO_NETWORK_PORT));
        ck_assert_uint_eq(get(uuid, "inbound.floor"), 0);
        set(uuid, "inbound.floor", 700, "would overcommit 'average'");
        set(uuid, "inbound.floor", 600, NULL);
        set(uuid, "outbound.average", 50, NULL);
        ck_assert_uint_eq(get(uuid, "inbound.floor"), 600);
        ck_assert_uint_eq(get(uuid, "outbound.average"), 50);
        check_shell("rate 4800Kbit ceil 8Mbit", CLASSES);
        ck_assert(strstr(network_find_port(network, uuid, NULL)->xml, "<inbound floor='600'/>"));
        set(uuid, "inbound.floor", 0, NULL);
        check_shell("class htb 1:2 parent 1:1 prio 0 rate 4800Kbit", CLASSES);
        set(uuid, "inbound.floor", 100, NULL);
        check_shell("class htb 1:2 parent 1:1 prio 0 rate 4Mbit", CLASSES);
        /* What was set goes with the port. */
        run(one, drop, NULL);
        check_shell("class htb 1:2 parent 1:1 prio 0 rate 4800Kbit", CLASSES);
        set("no-such-port", "inbound.floor", 1, "no port with matching uuid");
        run(two, drop, NULL);
        check_shell("class htb 1:2 parent 1:1 prio 0 rate 8Mbit", CLASSES);
        network_use_free(one);
        network_use_free(two);
        destroy_network(network, NULL);
}
END_TEST

/* A transient network is another one when it comes again: what is given back is the former one's. */
START_TEST(test_recreated)
{
        struct network_use *old, *new;
        const struct object_set *ports;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml("<network><name>lan</name></network>", NULL);
        old = new_use("52:54:00:00:00:01", 0);
        run(old, take, NULL);
        destroy_network(network, NULL);
        network = create_xml("<network><name>lan</name></network>", NULL);
        ck_assert_str_eq(network_get_bridge_name(network, 0, NULL), "virbr0");
        new = new_use("52:54:00:00:00:01", 0);
        run(new, take, NULL);
        network_use_give_back(old);
        settle();
        ck_assert(network_list_ports(network, 0, &ports, NULL));
        ck_assert_uint_eq(ports->count, 1);
        run(new, drop, NULL);
        network_use_free(new);
        destroy_network(network, NULL);
        ck_assert(network_lookup_name(networks, "lan", NULL) == NULL);
}
END_TEST

/* Two guests that would get each other's packets are refused; a guest may have twins of its own. */
START_TEST(test_twins)
{
        static const char mac[] = "52:54:00:00:00:01";
        struct network_use *first, *second, *own, *host;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml("<network><name>lan</name><mac address='52:54:00:00:00:99'/></network>", NULL);
        first = new_use_of("one", mac, 0, 0);
        second = new_use_of("two", "52:54:00:00:00:01", 0, 0);
        own = new_use_of("one", mac, 0, 0);
        host = new_use_of("two", "52:54:00:00:00:99", 0, 0);
        run(first, take, NULL);
        run(second, take,
            "MAC address 52:54:00:00:00:01 of domain 'two' is in use by domain 'one' in network "
            "'lan'");
        run(host, take, "is that of the bridge of network 'lan'");
        run(own, take, NULL);
        run(own, drop, NULL);
        run(first, drop, NULL);
        run(second, take, NULL);
        run(second, drop, NULL);
        network_use_free(first);
        network_use_free(second);
        network_use_free(own);
        network_use_free(host);
        destroy_network(network, NULL);
}
END_TEST

/* On a bridge of the host, what has other tags is elsewhere. */
START_TEST(test_twins_of_other_vlans)
{
        static const char mac[] = "52:54:00:00:00:01";
        struct network_use *uses[3];

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(
                "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>", NULL);
        uses[0] = new_use_of("one", mac, 1, 0);
        uses[1] = new_use_of("two", mac, 2, 0);
        uses[2] = new_use_of("three", mac, 2, 0);
        run(uses[0], take, NULL);
        run(uses[1], take, NULL);
        run(uses[2], take, "is in use by domain 'two'");
        run(uses[1], drop, NULL);
        run(uses[0], drop, NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(uses); i++)
                network_use_free(uses[i]);
        destroy_network(network, NULL);
}
END_TEST

CHECK_MAIN_FIXTURE("network-ports", setup_networks, teardown_networks, test_params, test_recreated,
                   test_twins, test_twins_of_other_vlans)
