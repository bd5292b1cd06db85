/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Others who change the host's links while an interface is being set up. They act at a moment of the test's
 * choice: in the lane, when the set that shows a step of ours has been made, and before our next one.
 */
#include "interfaces/setup.h"
#include "interfaces/source.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct pool *pool;
static struct link_source *source;

static void ip(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);

        ck_assert_msg(system(command) == 0, "%s", command);
}

static char *ip_says(const char *arguments)
{
        g_autofree char *command = g_strdup_printf("ip %s", arguments);
        char *output = NULL;

        ck_assert(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL));
        return output;
}

/* ---- the others ---- */

static struct {
        bool (*is_due)(const struct link_set *set);
        const char *command; /* NULL: it has been done */
} others;

/* In the lane, with each set that is made. */
static void act(struct link_set *set, void *data)
{
        const char *command = others.command;

        if (!command || !others.is_due(set))
                return;
        others.command = NULL;
        ip(command);
}

static bool is_port(const struct link_set *set, const char *name)
{
        const struct link *link = link_set_find_name(set, name);

        return link && link->master;
}

static bool has_bridge(const struct link_set *set)
{
        return link_set_find_name(set, "br0") != NULL;
}

static bool has_first_port(const struct link_set *set)
{
        return is_port(set, "eth0");
}

static bool has_both_ports(const struct link_set *set)
{
        return is_port(set, "eth0") && is_port(set, "eth1");
}

/* ---- life ---- */

static void setup(void)
{
        ck_assert(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
        ip("link add eth0 type veth peer name peer0");
        ip("link add eth1 type veth peer name peer1");
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        source = link_source_new(loop, pool);
        link_source_set_hook(source, act, NULL);
        link_source_start(source);
        while (!link_source_get(source))
                loop_step(loop, true);
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

/* ---- ours ---- */

#define BRIDGE                                                                                               \
        "<interface type='bridge' name='br0'><protocol family='ipv4'>"                                       \
        "<ip address='192.0.2.1' prefix='24'/></protocol><bridge>"                                           \
        "<interface type='ethernet' name='eth0'><mtu size='1400'/></interface>"                              \
        "<interface type='ethernet' name='eth1'/></bridge></interface>"

struct change {
        bool up; /* or down */
        bool good, done;
        GError *error;
};

static void change_done(void *data)
{
        ((struct change *)data)->done = true;
}

static void change_work(void *data)
{
        struct change *change = data;
        CLEANUP(interface_def_unref) struct interface_def *def = interface_def_parse(BRIDGE, NULL);

        change->good = change->up ? interface_set_up(source, def, &change->error)
                                  : interface_set_down(source, "br0", def, &change->error);
        loop_post(loop, change_done, change);
}

static void run(struct change *change, bool up)
{
        *change = (struct change){ .up = up };
        lane_post(link_source_get_lane(source), change_work, change);
        while (!change->done)
                loop_step(loop, true);
}

static void expect_failure(bool up, const char *words)
{
        struct change change;

        run(&change, up);
        ck_assert(!change.good && !others.command);
        ck_assert_msg(strstr(change.error->message, words), "'%s'", change.error->message);
        g_error_free(change.error);
}

/* Of the first port everything is as it was, and there is no bridge. */
static void expect_nothing_left(void)
{
        g_autofree char *links = ip_says("-oneline link"), *port = ip_says("-oneline link show eth0");

        ck_assert_msg(!strstr(links, "br0"), "%s", links);
        ck_assert_msg(!strstr(port, "master") && !strstr(port, ",UP") && strstr(port, "mtu 1500"), "%s",
                      port);
}

START_TEST(a_port_goes_before_its_turn)
{
        others.is_due = has_first_port, others.command = "link delete eth1";
        expect_failure(true, "'eth1'");
        expect_nothing_left();
}
END_TEST

START_TEST(the_bridge_goes_while_it_gets_ports)
{
        others.is_due = has_first_port, others.command = "link delete br0";
        expect_failure(true, "'br0'");
        expect_nothing_left();
}
END_TEST

START_TEST(the_bridge_goes_as_it_is_made)
{
        others.is_due = has_bridge, others.command = "link delete br0";
        expect_failure(true, "'br0'");
        expect_nothing_left();
}
END_TEST

/* Before it gets its address. */
START_TEST(the_bridge_goes_at_last)
{
        others.is_due = has_both_ports, others.command = "link delete br0";
        expect_failure(true, "'br0'");
        expect_nothing_left();
}
END_TEST

START_TEST(somebody_takes_the_port)
{
        ip("link add other type bridge");
        others.is_due = has_bridge, others.command = "link set eth1 master other";
        expect_failure(true, "'eth1' is a port of 'other' already");
        expect_nothing_left();
}
END_TEST

/* It would have been let go anyway. */
START_TEST(a_port_goes_while_its_bridge_is_taken_down)
{
        struct change change;

        run(&change, true);
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
        others.is_due = has_bridge, others.command = "link delete eth1";
        run(&change, false);
        ck_assert_msg(change.good, "%s", change.error ? change.error->message : "");
        ck_assert(!others.command);
        ck_assert(!link_set_find_name(link_source_get(source), "br0"));
}
END_TEST

CHECK_MAIN_FIXTURE("interface-setup", setup, teardown, a_port_goes_before_its_turn,
                   the_bridge_goes_while_it_gets_ports, the_bridge_goes_as_it_is_made,
                   the_bridge_goes_at_last, somebody_takes_the_port,
                   a_port_goes_while_its_bridge_is_taken_down)
