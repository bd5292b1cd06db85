/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking back. In the lane of the source; each step looks at the links as they are by then.
 */
#include "interfaces/restore.h"

#include "base/error.h"
#include "interfaces/change.h"
#include "interfaces/ipv6.h"
#include "interfaces/netlink.h"
#include "interfaces/source.h"

#include <linux/rtnetlink.h>
#include <string.h>

struct restore {
        struct link_source *source;    /* borrowed */
        struct netlink *netlink;       /* borrowed */
        const struct link_set *before; /* borrowed */
        struct link_set *now;          /* ref */
        GHashTable *notes;             /* borrowed */
        GError *failure;               /* owned; the first */
};

/* The first failure is told, the rest goes on. */
static void note(struct restore *restore, bool good, GError *error)
{
        if (good)
                return;
        if (!restore->failure)
                restore->failure = error;
        else
                g_clear_error(&error);
}

#define TRY(restore, call)                                                                                   \
        do {                                                                                                 \
                GError *error = NULL;                                                                        \
                bool good = call;                                                                            \
                                                                                                             \
                note(restore, good, error);                                                                  \
        } while (0)

static void look_again(struct restore *restore)
{
        link_set_unref(restore->now);
        link_source_settle(restore->source);
        restore->now = link_source_snapshot(restore->source);
}

static bool is_made(const struct link *link)
{
        return link_is(link, "bridge") || link_is(link, "bond") || link_is(link, "vlan");
}

/* The link that stands for one of the earlier set: by its index, else by its name. */
static const struct link *find_now(const struct restore *restore, int index)
{
        const struct link *before = index ? link_set_find_index(restore->before, index) : NULL;

        return before ? link_set_find_name(restore->now, before->name) : NULL;
}

/* ---- steps; each for one link as it was and as it is ---- */

static void make_missing(struct restore *restore, const struct link *before, const struct link *now)
{
        const struct link *lower = find_now(restore, before->lower);
        CLEANUP(link_unref) struct link *wish = NULL;

        if (now || !is_made(before))
                return;
        wish = link_copy(before);
        wish->lower = lower ? lower->index : 0;
        TRY(restore, link_change_add(restore->netlink, wish, &error));
        look_again(restore);
}

static void restore_hardware(struct restore *restore, const struct link *before, const struct link *now)
{
        if (!now)
                return;
        if (strcmp(before->mac, now->mac) != 0 && *before->mac)
                TRY(restore, link_change_set_mac(restore->netlink, now, before->mac, &error));
        if (before->mtu != now->mtu)
                TRY(restore, link_change_set_mtu(restore->netlink, now, before->mtu, &error));
}

static void restore_bridge(struct restore *restore, const struct link *before, const struct link *now)
{
        if (now && link_is(before, "bridge") && link_is(now, "bridge") &&
            (before->bridge.stp != now->bridge.stp || before->bridge.delay_cs != now->bridge.delay_cs))
                TRY(restore, link_change_set_bridge(restore->netlink, now, &before->bridge, &error));
}

static void restore_master(struct restore *restore, const struct link *before, const struct link *now)
{
        const struct link *master = find_now(restore, before->master);

        if (!now || now->master == (master ? master->index : 0))
                return;
        /* Bonds take only what is down; it is set up again below. */
        if (master && link_is(master, "bond") && link_is_up(now))
                TRY(restore, link_change_set_up(restore->netlink, now, false, &error));
        TRY(restore, link_change_set_master(restore->netlink, now, master, &error));
}

static void restore_ipv6(struct restore *restore, const struct link *before, const struct link *now)
{
        if (now)
                ipv6_write(now->name, g_hash_table_lookup(restore->notes, now->name));
}

static bool has_ip(const GArray *addresses, const struct link_ip *ip)
{
        for (unsigned i = 0; i < addresses->len; i++)
                if (memcmp(&g_array_index(addresses, struct link_address, i).ip, ip, sizeof(*ip)) == 0)
                        return true;
        return false;
}

/* Not what the kernel or a DHCP client has to say. */
static bool is_ours(const struct link_address *address)
{
        return !address->is_dynamic && address->scope == RT_SCOPE_UNIVERSE;
}

static void restore_addresses(struct restore *restore, const struct link *before, const struct link *now)
{
        for (unsigned i = 0; now && i < now->addresses->len; i++) {
                const struct link_address *address = &g_array_index(now->addresses, struct link_address, i);

                if (is_ours(address) && !has_ip(before->addresses, &address->ip))
                        TRY(restore, link_change_delete_address(restore->netlink, now, &address->ip, &error));
        }
        for (unsigned i = 0; now && i < before->addresses->len; i++) {
                const struct link_address *address =
                        &g_array_index(before->addresses, struct link_address, i);

                if (is_ours(address) && !has_ip(now->addresses, &address->ip))
                        TRY(restore, link_change_add_address(restore->netlink, now, &address->ip, &error));
        }
}

static void restore_up(struct restore *restore, const struct link *before, const struct link *now)
{
        if (now && link_is_up(now) != link_is_up(before))
                TRY(restore, link_change_set_up(restore->netlink, now, link_is_up(before), &error));
}

/* What the kernel makes of addresses comes with them. */
static void restore_routes(struct restore *restore, const struct link *before, const struct link *now)
{
        for (unsigned i = 0; now && link_is_up(now) && i < before->routes->len; i++) {
                const struct link_route *route = &g_array_index(before->routes, struct link_route, i);

                if (route->protocol != RTPROT_KERNEL && route->protocol != RTPROT_RA)
                        TRY(restore, link_change_add_route(restore->netlink, now, route, &error));
        }
}

static void delete_new(struct restore *restore)
{
        for (unsigned i = 0; i < restore->now->count; i++) {
                const struct link *link = restore->now->links[i];

                if (g_hash_table_contains(restore->notes, link->name) && is_made(link) &&
                    !link_set_find_name(restore->before, link->name))
                        TRY(restore, link_change_delete(restore->netlink, link, &error));
        }
}

/* ---- all of it ---- */

bool link_restore(struct link_source *source, const struct link_set *before, GHashTable *notes,
                  GError **error)
{
        /* Deleted links give up their ports; what is above is made before what goes into it. */
        static void (*const steps[])(struct restore * restore, const struct link *before,
                                     const struct link *now) = {
                make_missing, restore_bridge,    restore_master, restore_hardware,
                restore_ipv6, restore_addresses, restore_up,     restore_routes,
        };
        struct restore restore = { .source = source, .before = before, .notes = notes };

        restore.netlink = link_source_get_netlink(source, error);
        if (!restore.netlink)
                return false;
        look_again(&restore);
        delete_new(&restore);
        for (unsigned step = 0; step < G_N_ELEMENTS(steps); step++) {
                look_again(&restore);
                for (unsigned i = 0; i < before->count; i++) {
                        const struct link *link = before->links[i];

                        if (g_hash_table_contains(notes, link->name))
                                steps[step](&restore, link, link_set_find_name(restore.now, link->name));
                }
        }
        look_again(&restore);
        link_set_unref(restore.now);
        if (!restore.failure)
                return true;
        g_propagate_error(error, restore.failure);
        return false;
}
