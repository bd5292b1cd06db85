/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What others take away from networks that run, and how it comes back. */
#include "tests/unit/network-fixture.h"

#include "base/log.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

static bool holds(const char *command)
{
        g_autofree char *line = g_strdup_printf("( %s ) >/dev/null 2>&1", command);

        return system(line) == 0;
}

/* Steps the loop until the command succeeds; what it waits for comes by events of the kernel. */
static void wait_until(const char *command)
{
        while (!holds(command))
                loop_step(loop, true);
}

#define HAS_RULES  "nft list table inet virtbus_virbr0 | grep -q 'masquerade to'"
#define HAS_BRIDGE "ip -4 -o address show dev virbr0 | grep -q 10.77.0.1/24"

START_TEST(test_rules_flushed)
{
        if (!can_run())
                return;
        open_networks(false);
        create_xml(NAT, NULL);
        g_free(shell("nft flush ruleset"));
        wait_until(HAS_RULES);
        g_free(shell("nft flush table inet virtbus_virbr0"));
        wait_until(HAS_RULES);
        g_free(shell("nft delete rule inet virtbus_virbr0 forward handle "
                     "$(nft -a list chain inet virtbus_virbr0 forward | sed -n 's/.*reject # handle //p' | "
                     "head -1)"));
        wait_until("nft list table inet virtbus_virbr0 | grep -q 'iifname .virbr0. reject'");
        destroy_network(network_lookup_name(networks, "lan", NULL), NULL);
        ck_assert(!holds("nft list table inet virtbus_virbr0"));
}
END_TEST

/* A client gets an address from the new bridge as from the old one. */
START_TEST(test_bridge_deleted)
{
        struct network *network;
        unsigned index;
        int pid;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        index = if_nametoindex("virbr0");
        g_free(shell("ip link delete virbr0"));
        wait_until(HAS_BRIDGE);
        settle();
        ck_assert_uint_ne(if_nametoindex("virbr0"), index);
        ck_assert(network_get_published(network)->active);
        pid = plug("virbr0", "52:54:00:00:00:01");
        {
                g_autofree char *output =
                        shell("nsenter -t %d -n busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s "
                              "/bin/true 2>&1; kill %d",
                              pid, pid);

                ck_assert_msg(strstr(output, "10.77.0.9") != NULL, "%s", output);
        }
        destroy_network(network, NULL);
        ck_assert_uint_eq(if_nametoindex("virbr0"), 0);
}
END_TEST

START_TEST(test_address_deleted)
{
        if (!can_run())
                return;
        open_networks(false);
        create_xml(NAT, NULL);
        g_free(shell("ip address flush dev virbr0"));
        wait_until(HAS_BRIDGE);
}
END_TEST

/* Somebody else is in its place: it has stopped, and lets that alone. */
START_TEST(test_bridge_replaced)
{
        struct network *network;

        if (!can_run())
                return;
        open_networks(false);
        network = create_xml(NAT, NULL);
        g_free(shell("ip link delete virbr0 && ip link add virbr0 type veth peer name other"));
        while (network_lookup_name(networks, "lan", NULL) == network && holds("ip link show dev virbr0") &&
               !g_str_has_suffix(events->str, "3"))
                loop_step(loop, true);
        ck_assert_str_eq(events->str, "23");
        ck_assert(holds("ip -d link show dev virbr0 | grep -q veth"));
}
END_TEST

/* Who does it all the time does not keep us busy. */
START_TEST(test_flushed_all_the_time)
{
        if (!can_run())
                return;
        open_networks(false);
        create_xml(NAT, NULL);
        for (unsigned i = 0; i < 10; i++) {
                g_free(shell("nft flush ruleset"));
                wait_until(HAS_RULES);
        }
        create_xml("<network><name>other</name></network>", NULL);
        g_free(shell("nft flush ruleset"));
        /* Both look at what they have at the same time. */
        wait_until("nft list table inet virtbus_virbr1 | grep -q reject");
        settle();
        ck_assert(!holds("nft list table inet virtbus_virbr0"));
}
END_TEST

CHECK_MAIN_FIXTURE("network-watch", setup_networks, teardown_networks, test_rules_flushed,
                   test_bridge_deleted, test_address_deleted, test_bridge_replaced, test_flushed_all_the_time)
