/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the events of the kernel add up to. Belongs to its owner's thread.
 */
#include "interfaces/table.h"

#include "interfaces/parse.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* IFF_LOWER_UP of linux/if.h, which does not go together with net/if.h: it has a carrier. */
#define LOWER_UP (1u << 16)

struct link_table {
        GHashTable *links; /* owned; index -> struct link, ref */
        unsigned (*get_speed)(const char *name, void *data);
        void *data;
};

struct link_table *link_table_new(unsigned (*get_speed)(const char *name, void *data), void *data)
{
        struct link_table *table = g_new0(struct link_table, 1);

        table->links = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)link_unref);
        table->get_speed = get_speed;
        table->data = data;
        return table;
}

void link_table_free(struct link_table *table)
{
        if (!table)
                return;
        g_hash_table_unref(table->links);
        g_free(table);
}

static struct link *find(const struct link_table *table, int index)
{
        return index ? g_hash_table_lookup(table->links, GINT_TO_POINTER(index)) : NULL;
}

/* Takes link. */
static void put(struct link_table *table, struct link *link)
{
        g_hash_table_insert(table->links, GINT_TO_POINTER(link->index), link);
}

/* ---- links ---- */

static void keep_arrays(struct link *link, const struct link *before)
{
        g_array_unref(link->addresses);
        g_array_unref(link->routes);
        link->addresses = g_array_ref(before->addresses);
        link->routes = g_array_ref(before->routes);
}

static bool has_carrier(const struct link *link)
{
        return link->flags & LOWER_UP;
}

static enum link_table_change take_link(struct link_table *table, const struct nlmsghdr *header)
{
        struct link *link = parse_link(header);
        const struct link *before = link ? find(table, link->index) : NULL;
        bool down;

        if (!link)
                return LINK_TABLE_SAME;
        if (before)
                keep_arrays(link, before);
        if (before && has_carrier(before) == has_carrier(link))
                link->speed_mbps = before->speed_mbps;
        else if (has_carrier(link) && table->get_speed)
                link->speed_mbps = table->get_speed(link->name, table->data);
        if (before && link_equal(before, link)) {
                link_unref(link);
                return LINK_TABLE_SAME;
        }
        down = before && link_is_up(before) && !link_is_up(link);
        put(table, link);
        return down ? LINK_TABLE_ROUTES_STALE : LINK_TABLE_CHANGED;
}

static enum link_table_change drop_link(struct link_table *table, const struct nlmsghdr *header)
{
        int index = parse_link_index(header);

        return g_hash_table_remove(table->links, GINT_TO_POINTER(index)) ? LINK_TABLE_CHANGED
                                                                         : LINK_TABLE_SAME;
}

/* ---- what belongs to a link ---- */

static bool same_ip(const struct link_ip *a, const struct link_ip *b)
{
        return memcmp(a, b, sizeof(*a)) == 0;
}

static unsigned find_address(const GArray *addresses, const struct link_address *address)
{
        unsigned i = 0;

        while (i < addresses->len &&
               !same_ip(&g_array_index(addresses, struct link_address, i).ip, &address->ip))
                i++;
        return i;
}

static unsigned find_route(const GArray *routes, const struct link_route *route)
{
        for (unsigned i = 0; i < routes->len; i++) {
                const struct link_route *other = &g_array_index(routes, struct link_route, i);

                if (same_ip(&other->destination, &route->destination) &&
                    same_ip(&other->gateway, &route->gateway) && other->metric == route->metric)
                        return i;
        }
        return routes->len;
}

static enum link_table_change take_address(struct link_table *table, const struct nlmsghdr *header)
{
        struct link_address address;
        struct link *before = find(table, parse_address(header, &address)), *link;
        GArray *addresses;
        unsigned i;

        if (!before)
                return LINK_TABLE_SAME;
        i = find_address(before->addresses, &address);
        if (i < before->addresses->len &&
            memcmp(&g_array_index(before->addresses, struct link_address, i), &address, sizeof(address)) == 0)
                return LINK_TABLE_SAME;
        if (i >= LINK_ADDRESSES_MAX)
                return LINK_TABLE_SAME;
        addresses = g_array_copy(before->addresses);
        if (i < addresses->len)
                g_array_index(addresses, struct link_address, i) = address;
        else
                g_array_append_val(addresses, address);
        link = link_copy(before);
        g_array_unref(link->addresses);
        link->addresses = addresses;
        put(table, link);
        return LINK_TABLE_CHANGED;
}

static enum link_table_change drop_address(struct link_table *table, const struct nlmsghdr *header)
{
        struct link_address address;
        struct link *before = find(table, parse_address(header, &address)), *link;
        unsigned i;

        if (!before)
                return LINK_TABLE_SAME;
        i = find_address(before->addresses, &address);
        if (i == before->addresses->len)
                return LINK_TABLE_SAME;
        link = link_copy(before);
        g_array_unref(link->addresses);
        link->addresses = g_array_copy(before->addresses);
        g_array_remove_index(link->addresses, i);
        put(table, link);
        return LINK_TABLE_ROUTES_STALE;
}

/* A copy of a link, put in its place, whose routes may be changed. */
static struct link *change_routes(struct link_table *table, const struct link *before)
{
        struct link *link = link_copy(before);

        g_array_unref(link->routes);
        link->routes = g_array_copy(before->routes);
        put(table, link);
        return link;
}

/* A route that is replaced (NLM_F_REPLACE) is not announced as gone, and may have led out of another link. */
static void drop_replaced(struct link_table *table, const struct link_route *route)
{
        g_autoptr(GList) links = g_hash_table_get_values(table->links);

        for (const GList *item = links; item; item = item->next) {
                const struct link *link = item->data;

                for (unsigned i = 0; i < link->routes->len; i++) {
                        const struct link_route *other = &g_array_index(link->routes, struct link_route, i);

                        if (!same_ip(&other->destination, &route->destination) ||
                            other->metric != route->metric)
                                continue;
                        g_array_remove_index(change_routes(table, link)->routes, i);
                        return;
                }
        }
}

static enum link_table_change take_route(struct link_table *table, const struct nlmsghdr *header)
{
        struct link_route route;
        int index = parse_route(header, &route);
        struct link *link;
        unsigned i;

        if (!find(table, index))
                return LINK_TABLE_SAME;
        if (header->nlmsg_flags & NLM_F_REPLACE)
                drop_replaced(table, &route);
        link = find(table, index);
        i = find_route(link->routes, &route);
        if (i >= LINK_ROUTES_MAX ||
            (i < link->routes->len &&
             g_array_index(link->routes, struct link_route, i).protocol == route.protocol))
                return LINK_TABLE_SAME;
        link = change_routes(table, link);
        if (i < link->routes->len)
                g_array_index(link->routes, struct link_route, i) = route;
        else
                g_array_append_val(link->routes, route);
        return LINK_TABLE_CHANGED;
}

static enum link_table_change drop_route(struct link_table *table, const struct nlmsghdr *header)
{
        struct link_route route;
        struct link *link = find(table, parse_route(header, &route));
        unsigned i = link ? find_route(link->routes, &route) : 0;

        if (!link || i == link->routes->len)
                return LINK_TABLE_SAME;
        g_array_remove_index(change_routes(table, link)->routes, i);
        return LINK_TABLE_CHANGED;
}

/* ---- messages ---- */

enum link_table_change link_table_take(struct link_table *table, const struct nlmsghdr *header)
{
        switch (header->nlmsg_type) {
        case RTM_NEWLINK:
                return take_link(table, header);
        case RTM_DELLINK:
                return drop_link(table, header);
        case RTM_NEWADDR:
                return take_address(table, header);
        case RTM_DELADDR:
                return drop_address(table, header);
        case RTM_NEWROUTE:
                return take_route(table, header);
        case RTM_DELROUTE:
                return drop_route(table, header);
        default:
                return LINK_TABLE_SAME;
        }
}

void link_table_drop_routes(struct link_table *table)
{
        g_autoptr(GList) links = g_hash_table_get_values(table->links);

        for (const GList *item = links; item; item = item->next) {
                const struct link *link = item->data;

                if (link->routes->len > 0)
                        g_array_set_size(change_routes(table, link)->routes, 0);
        }
}

struct link_set *link_table_get_set(const struct link_table *table)
{
        g_autofree struct link **links = g_new(struct link *, g_hash_table_size(table->links));
        GHashTableIter iter;
        void *link;
        unsigned count = 0;

        g_hash_table_iter_init(&iter, table->links);
        while (g_hash_table_iter_next(&iter, NULL, &link))
                links[count++] = link;
        return link_set_new(links, count);
}
