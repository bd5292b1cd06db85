/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links of the host: read, followed and changed in a network namespace of the test's own. What others do is
 * done by ip(8), and what we do is looked at by it.
 */
#include "interfaces/change.h"
#include "interfaces/netlink.h"
#include "interfaces/source.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static struct link_source *source;
static unsigned sets; /* that have come */

static void count_set(struct link_set *before, struct link_set *set, void *data)
{
        sets++;
}

/* Before any thread: the namespace is the process's. */
static bool enter_namespace(void)
{
        return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void ip(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void ip(const char *format, ...)
{
        g_autofree char *arguments = NULL, *command = NULL;
        va_list args;

        va_start(args, format);
        arguments = g_strdup_vprintf(format, args);
        va_end(args);
        command = g_strdup_printf("ip %s", arguments);
        ck_assert_msg(system(command) == 0, "%s", command);
}

static char *ip_says(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);
        char *output = NULL;

        ck_assert(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL));
        return output;
}

static void setup(void)
{
        ck_assert(enter_namespace());
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        source = link_source_new(loop, pool);
        link_source_listen(source, count_set, NULL);
        sets = 0;
}

static void quit(void *data)
{
        loop_quit(loop);
}

static void post_quit(void *data)
{
        loop_post(loop, quit, NULL);
}

static void teardown(void)
{
        struct lane *lane = lane_ref(link_source_get_lane(source));

        link_source_free(source);
        lane_post(lane, post_quit, NULL);
        loop_run(loop);
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}

static void start(void)
{
        link_source_start(source);
        while (!link_source_get(source))
                loop_step(loop, true);
}

static const struct link *find(const char *name)
{
        return link_set_find_name(link_source_get(source), name);
}

/* Until a link is as the predicate wants it; a set that never comes runs into libcheck's time. */
static void wait_until(bool (*is_so)(const void *data), const void *data)
{
        while (!is_so(data))
                loop_step(loop, true);
}

static bool exists(const void *name)
{
        return find(name) != NULL;
}

static bool is_gone(const void *name)
{
        return find(name) == NULL;
}

START_TEST(everything_is_read)
{
        const struct link *bridge, *port;
        char text[LINK_IP_SIZE];

        ip("link add br0 type bridge stp_state 1 forward_delay 400");
        ip("link add port0 mtu 1400 type veth peer name port1");
        ip("link set port0 address 52:54:00:01:02:03 master br0 up");
        ip("address add 192.0.2.1/24 dev br0");
        ip("-6 address add 2001:db8::1/64 dev br0 nodad");
        ip("link set br0 up");
        ip("route add 198.51.100.0/24 via 192.0.2.9 dev br0 metric 5");
        start();
        bridge = find("br0"), port = find("port0");
        ck_assert(find("lo") && bridge && port && !find("nothing"));
        ck_assert(link_is(bridge, "bridge") && bridge->bridge.stp && bridge->bridge.delay_cs == 400);
        ck_assert_int_eq(port->master, bridge->index);
        ck_assert_str_eq(port->mac, "52:54:00:01:02:03");
        ck_assert_uint_eq(port->mtu, 1400);
        ck_assert(link_is_up(bridge) && !find("port1")->master && link_is(port, "veth"));
        ck_assert_str_eq(link_ip_format(&g_array_index(bridge->addresses, struct link_address, 0).ip, text),
                         "192.0.2.1");
        ck_assert_uint_eq(g_array_index(bridge->addresses, struct link_address, 0).ip.prefix, 24);
        ck_assert_uint_ge(bridge->addresses->len, 2);
        for (unsigned i = 0; i < bridge->routes->len; i++) {
                const struct link_route *route = &g_array_index(bridge->routes, struct link_route, i);

                if (route->metric != 5)
                        continue;
                ck_assert_str_eq(link_ip_format(&route->gateway, text), "192.0.2.9");
                return;
        }
        ck_abort_msg("the route is missing");
}
END_TEST

static bool has_no_routes(const void *name)
{
        return find(name)->routes->len == 0;
}

static bool has_routes(const void *name)
{
        return !has_no_routes(name);
}

static bool has_no_addresses(const void *name)
{
        return find(name)->addresses->len == 0;
}

static bool has_addresses(const void *name)
{
        return !has_no_addresses(name);
}

static bool is_up(const void *name)
{
        return link_is_up(find(name));
}

START_TEST(changes_are_followed)
{
        start();
        ip("link add d0 type bridge");
        wait_until(exists, "d0");
        ip("address add 192.0.2.1/24 dev d0");
        wait_until(has_addresses, "d0");
        ip("link set d0 up");
        wait_until(is_up, "d0");
        wait_until(has_routes, "d0");
        /* The kernel drops the routes of a link that goes down without a word. */
        ip("-6 address flush dev d0");
        ip("link set d0 down");
        wait_until(has_no_routes, "d0");
        ip("address flush dev d0");
        wait_until(has_no_addresses, "d0");
        ip("link set d0 name d1");
        wait_until(exists, "d1");
        ck_assert(!find("d0"));
        ip("link delete d1");
        wait_until(is_gone, "d1");
}
END_TEST

static bool has_mtu(const void *name)
{
        return find(name) && find(name)->mtu == 1234;
}

/* ---- a flood ---- */

/* A job that stays in the lane until it is let go. */
struct block {
        struct lane *lane;
        int entered, leave; /* eventfd(2) */
};

static void stay(void *data)
{
        const struct block *block = data;

        ck_assert_int_eq(eventfd_write(block->entered, 1), 0);
        lane_wait(block->lane, block->leave, POLLIN, NULL, LANE_FOREVER);
}

static void block_init(struct block *block)
{
        *block = (struct block){ link_source_get_lane(source), eventfd(0, EFD_CLOEXEC),
                                 eventfd(0, EFD_CLOEXEC) };
        lane_post(block->lane, stay, block);
}

static void block_wait(const struct block *block)
{
        eventfd_t value;

        ck_assert_int_eq(eventfd_read(block->entered, &value), 0);
}

static void block_end(const struct block *block)
{
        ck_assert_int_eq(eventfd_write(block->leave, 1), 0);
}

/* More than the kernel keeps for a lane that does not read. */
static void flood(void)
{
        g_autofree char *batch = g_strdup_printf("/tmp/virtbus-links-%d", (int)getpid());
        FILE *file = fopen(batch, "we");

        for (unsigned i = 0; i < 24000; i++)
                fprintf(file, "link set d0 mtu %u\n", 1300 + i % 2);
        fclose(file);
        ip("-batch %s", batch);
        unlink(batch);
}

/*
 * Until all of what was queued has been read, the kernel goes on dropping, and says no more of it: what it
 * dropped meanwhile is only found when everything is read behind that. The lane is held before the flood, and
 * again after the first batch of it.
 */
START_TEST(dropped_events_are_caught_up_with)
{
        struct block before, between;

        ip("link add d0 type bridge");
        start();
        block_init(&before);
        block_wait(&before);
        flood();
        /* Of the loop: the batch is posted, behind the job that holds the lane. */
        while (loop_step(loop, false))
                ;
        block_init(&between);
        block_end(&before);
        block_wait(&between);
        ip("link add d1 mtu 1234 type bridge");
        ip("link delete d0");
        block_end(&between);
        wait_until(has_mtu, "d1");
        wait_until(is_gone, "d0");
}
END_TEST

/* ---- changes of ours ---- */

typedef bool (*change_fn)(struct netlink *netlink, struct link_set *set, GError **error);

struct change {
        change_fn fn;
        GError *error;
        bool good, done;
};

static void change_done(void *data)
{
        ((struct change *)data)->done = true;
}

static void change_work(void *data)
{
        struct change *change = data;
        CLEANUP(link_set_unref) struct link_set *set = link_source_snapshot(source);
        struct netlink *netlink = link_source_get_netlink(source, &change->error);

        change->good = netlink && change->fn(netlink, set, &change->error);
        link_source_settle(source);
        loop_post(loop, change_done, change);
}

static void run(struct change *change, change_fn fn)
{
        *change = (struct change){ .fn = fn };
        lane_post(link_source_get_lane(source), change_work, change);
        while (!change->done)
                loop_step(loop, true);
}

/* When it is done, the published set has it. */
static void do_change(change_fn fn)
{
        struct change change;

        run(&change, fn);
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
}

static bool add_all(struct netlink *netlink, struct link_set *set, GError **error)
{
        struct link bridge = { .name = "br0", .kind = (char *)"bridge", .bridge = { true, 300 } };
        struct link other = {
                .name = "br1", .kind = (char *)"bridge", .mac = "52:54:00:00:00:01", .mtu = 1450
        };

        return link_change_add(netlink, &bridge, error) && link_change_add(netlink, &other, error) &&
               link_change_add_pair(netlink, "v0", "v1", error);
}

static bool connect_all(struct netlink *netlink, struct link_set *set, GError **error)
{
        const struct link *bridge = link_set_find_name(set, "br0");
        struct link_route route = { .metric = 7, .protocol = RTPROT_STATIC };
        struct link_ip address;

        link_ip_parse(&address, "192.0.2.1");
        address.prefix = 24;
        link_ip_parse(&route.destination, "198.51.100.0");
        route.destination.prefix = 24;
        link_ip_parse(&route.gateway, "192.0.2.77");
        return link_change_set_master(netlink, link_set_find_name(set, "v0"), bridge, error) &&
               link_change_set_mtu(netlink, link_set_find_name(set, "v1"), 1300, error) &&
               link_change_set_mac(netlink, link_set_find_name(set, "v1"), "52:54:00:00:00:09", error) &&
               link_change_add_address(netlink, bridge, &address, error) &&
               link_change_set_up(netlink, bridge, true, error) &&
               link_change_add_route(netlink, bridge, &route, error);
}

static bool take_away(struct netlink *netlink, struct link_set *set, GError **error)
{
        const struct link *bridge = link_set_find_name(set, "br0");
        struct link_route route = { .metric = 7 };
        struct link_ip address;

        link_ip_parse(&address, "192.0.2.1");
        address.prefix = 24;
        link_ip_parse(&route.destination, "198.51.100.0");
        route.destination.prefix = 24;
        return link_change_delete_route(netlink, bridge, &route, error) &&
               link_change_delete_address(netlink, bridge, &address, error) &&
               link_change_delete_address(netlink, bridge, &address, error) &&
               link_change_set_master(netlink, link_set_find_name(set, "v0"), NULL, error) &&
               link_change_rename(netlink, link_set_find_name(set, "v1"), "w1", error) &&
               link_change_delete(netlink, link_set_find_name(set, "br1"), error);
}

START_TEST(links_are_changed)
{
        g_autofree char *addresses = NULL, *routes = NULL;

        start();
        do_change(add_all);
        ck_assert(link_is(find("br0"), "bridge") && find("br0")->bridge.delay_cs == 300 &&
                  find("br0")->bridge.stp);
        ck_assert_str_eq(find("br1")->mac, "52:54:00:00:00:01");
        ck_assert_uint_eq(find("br1")->mtu, 1450);
        do_change(connect_all);
        ck_assert_int_eq(find("v0")->master, find("br0")->index);
        ck_assert_uint_eq(find("v1")->mtu, 1300);
        ck_assert_str_eq(find("v1")->mac, "52:54:00:00:00:09");
        addresses = ip_says("-oneline address show dev br0");
        ck_assert_msg(strstr(addresses, "192.0.2.1/24 brd 192.0.2.255"), "%s", addresses);
        routes = ip_says("route show 198.51.100.0/24");
        ck_assert_msg(strstr(routes, "via 192.0.2.77 dev br0 proto static metric 7"), "%s", routes);
        do_change(take_away);
        ck_assert(find("v0")->master == 0 && find("w1") && !find("v1") && !find("br1"));
        for (unsigned i = 0; i < find("br0")->addresses->len; i++)
                ck_assert_int_ne(g_array_index(find("br0")->addresses, struct link_address, i).ip.family,
                                 AF_INET);
}
END_TEST

/* ---- what not every kernel has ---- */

static bool add_bond(struct netlink *netlink, struct link_set *set, GError **error)
{
        struct link bond = { .name = "bond0", .kind = (char *)"bond" };

        bond.bond = (struct link_bond){
                .mode = 1, .arp_interval_ms = 200, .arp_validate = 1, .n_arp_targets = 2
        };
        link_ip_parse(&bond.bond.arp_targets[0], "192.0.2.1");
        link_ip_parse(&bond.bond.arp_targets[1], "192.0.2.2");
        return link_change_add(netlink, &bond, error);
}

START_TEST(bonds_are_made_and_read)
{
        struct change change;

        start();
        run(&change, add_bond);
        if (!change.good && strstr(change.error->message, "Unknown device type")) {
                check_skip("needs a kernel with bonds");
                g_clear_error(&change.error);
                return;
        }
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
        ck_assert_uint_eq(find("bond0")->bond.mode, 1);
        ck_assert_uint_eq(find("bond0")->bond.arp_interval_ms, 200);
        ck_assert_uint_eq(find("bond0")->bond.arp_validate, 1);
        ck_assert_uint_eq(find("bond0")->bond.n_arp_targets, 2);
        ck_assert_uint_eq(find("bond0")->bond.arp_targets[1].bytes[3], 2);
}
END_TEST

static bool add_vlan(struct netlink *netlink, struct link_set *set, GError **error)
{
        const struct link *below = link_set_find_name(set, "v0");
        struct link vlan = { .name = "v0.5", .kind = (char *)"vlan", .vlan_id = 5, .lower = below->index };

        return link_change_add(netlink, &vlan, error);
}

START_TEST(vlans_are_made_and_read)
{
        struct change change;

        ip("link add v0 type veth peer name v1");
        start();
        run(&change, add_vlan);
        if (!change.good && strstr(change.error->message, "Unknown device type")) {
                check_skip("needs a kernel with VLANs");
                g_clear_error(&change.error);
                return;
        }
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
        ck_assert(link_is(find("v0.5"), "vlan") && find("v0.5")->lower == find("v0")->index);
        ck_assert_uint_eq(find("v0.5")->vlan_id, 5);
}
END_TEST

static bool add_macvtap(struct netlink *netlink, struct link_set *set, GError **error)
{
        return link_change_add_macvtap(netlink, "mt0", link_set_find_name(set, "v0"), MACVLAN_MODE_BRIDGE,
                                       "52:54:00:00:00:0a", error);
}

START_TEST(macvtaps_are_made)
{
        g_autofree char *details = NULL;
        struct change change;

        ip("link add v0 type veth peer name v1");
        start();
        run(&change, add_macvtap);
        if (!change.good && strstr(change.error->message, "Unknown device type")) {
                check_skip("needs a kernel with macvtap");
                g_clear_error(&change.error);
                return;
        }
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
        ck_assert(link_is(find("mt0"), "macvtap") && find("mt0")->lower == find("v0")->index);
        ck_assert_str_eq(find("mt0")->mac, "52:54:00:00:00:0a");
        details = ip_says("-details -oneline link show mt0");
        ck_assert_msg(strstr(details, "macvtap mode bridge"), "%s", details);
}
END_TEST

/* ---- refusals ---- */

static bool add_twice(struct netlink *netlink, struct link_set *set, GError **error)
{
        struct link bridge = { .name = "lo", .kind = (char *)"bridge" };

        return link_change_add(netlink, &bridge, error);
}

static bool loop_bridge(struct netlink *netlink, struct link_set *set, GError **error)
{
        const struct link *bridge = link_set_find_name(set, "br0");

        return link_change_set_master(netlink, bridge, bridge, error);
}

/* The name, and the kernel's own reason where it gives one. */
START_TEST(refusals_say_why)
{
        struct change change;

        ip("link add br0 type bridge");
        start();
        run(&change, add_twice);
        ck_assert(!change.good && strstr(change.error->message, "cannot make bridge 'lo': File exists"));
        g_clear_error(&change.error);
        run(&change, loop_bridge);
        ck_assert(!change.good);
        ck_assert_msg(strstr(change.error->message, "'br0'") &&
                              strstr(change.error->message, "enslave a bridge to a bridge"),
                      "%s", change.error->message);
        g_clear_error(&change.error);
}
END_TEST

START_TEST(addresses_are_compared)
{
        struct link_ip network, inside, outside;

        ck_assert(link_ip_parse(&network, "10.1.0.0") && link_ip_parse(&inside, "10.1.15.255") &&
                  link_ip_parse(&outside, "10.1.16.0"));
        network.prefix = 20;
        ck_assert(link_ip_contains(&network, &inside) && !link_ip_contains(&network, &outside));
        ck_assert(link_ip_parse(&network, "2001:db8::") && link_ip_parse(&inside, "2001:db8:0:1::1"));
        network.prefix = 32;
        ck_assert(link_ip_contains(&network, &inside));
        network.prefix = 64;
        ck_assert(!link_ip_contains(&network, &inside) && !link_ip_contains(&network, &outside));
        network.prefix = 0;
        ck_assert(link_ip_contains(&network, &inside));
        ck_assert(!link_ip_parse(&network, "10.1.0") && !link_ip_parse(&network, "") &&
                  !link_ip_parse(&network, "10.1.0.0/8"));
}
END_TEST

CHECK_MAIN_FIXTURE("links", setup, teardown, addresses_are_compared, everything_is_read, changes_are_followed,
                   dropped_events_are_caught_up_with, links_are_changed, bonds_are_made_and_read,
                   vlans_are_made_and_read, macvtaps_are_made, refusals_say_why)
