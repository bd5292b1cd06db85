/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses and routes of the host that a link gets and loses. No state; lanes.
 */
#include "interfaces/link-ips.h"

#include "base/error.h"
#include "interfaces/change.h"
#include "interfaces/netlink.h"
#include "interfaces/parse.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the value ---- */

struct link_ips *link_ips_new(void)
{
        struct link_ips *ips = g_new(struct link_ips, 1);

        ips->points = g_array_new(FALSE, FALSE, sizeof(struct link_point));
        ips->routes = g_array_new(FALSE, FALSE, sizeof(struct link_route));
        return ips;
}

struct link_ips *link_ips_copy(const struct link_ips *ips)
{
        struct link_ips *copy = g_new(struct link_ips, 1);

        copy->points = g_array_copy(ips->points);
        copy->routes = g_array_copy(ips->routes);
        return copy;
}

void link_ips_free(struct link_ips *ips)
{
        if (!ips)
                return;
        g_array_unref(ips->points);
        g_array_unref(ips->routes);
        g_free(ips);
}

bool link_ips_is_empty(const struct link_ips *ips)
{
        return ips->points->len == 0 && ips->routes->len == 0;
}

/* ---- what there is ---- */

struct look {
        int index;
        struct link_ips *ips; /* borrowed; what is missing */
};

static bool is_same(const struct link_ip *a, const struct link_ip *b)
{
        return a->family == b->family && a->prefix == b->prefix &&
               memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Whose peer is itself has none: so the kernel tells it. */
static bool is_there(const struct link_point *point, const struct link_address *address)
{
        static const uint8_t none[sizeof(point->peer.bytes)];
        const uint8_t *peer = point->peer.family ? point->peer.bytes : none;

        if (memcmp(peer, point->ip.bytes, sizeof(none)) == 0)
                peer = none;
        return is_same(&point->ip, &address->ip) && memcmp(peer, address->peer.bytes, sizeof(none)) == 0;
}

static void look_at_address(struct nlmsghdr *header, void *data)
{
        struct look *look = data;
        struct link_address address;

        if (parse_address(header, &address) != look->index)
                return;
        for (unsigned i = look->ips->points->len; i-- > 0;) {
                if (is_there(&g_array_index(look->ips->points, struct link_point, i), &address))
                        g_array_remove_index(look->ips->points, i);
        }
}

static void look_at_route(struct nlmsghdr *header, void *data)
{
        struct look *look = data;
        struct link_route there;

        if (parse_route(header, &there) != look->index)
                return;
        for (unsigned i = look->ips->routes->len; i-- > 0;) {
                const struct link_route *route = &g_array_index(look->ips->routes, struct link_route, i);

                if (is_same(&route->destination, &there.destination) && route->metric == there.metric &&
                    memcmp(route->gateway.bytes, there.gateway.bytes, sizeof(there.gateway.bytes)) == 0)
                        g_array_remove_index(look->ips->routes, i);
        }
}

static struct link *find(const char *name, GError **error)
{
        CLEANUP(link_unref) struct link *link = link_new((int)if_nametoindex(name));

        g_strlcpy(link->name, name, sizeof(link->name));
        if (link->index != 0)
                return g_steal_pointer(&link);
        error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "the host has no interface '%s'", name);
        return NULL;
}

bool link_ips_drop_present(struct lane *lane, const char *name, struct link_ips *ips, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        CLEANUP(link_unref) struct link *link = netlink ? find(name, error) : NULL;
        struct look look = { link ? link->index : 0, ips };
        const struct netlink_dump addresses = {
                .type = RTM_GETADDR, .family = AF_UNSPEC, .fn = look_at_address, .data = &look
        };
        const struct netlink_dump routes = {
                .type = RTM_GETROUTE, .family = AF_UNSPEC, .fn = look_at_route, .data = &look
        };

        return link && netlink_dump(netlink, &addresses, error) && netlink_dump(netlink, &routes, error);
}

/* ---- changes ---- */

static bool add_point(struct netlink *netlink, const struct link *link, const struct link_point *point,
                      GError **error)
{
        return point->peer.family ? link_change_add_point(netlink, link, &point->ip, &point->peer, error)
                                  : link_change_add_address(netlink, link, &point->ip, error);
}

static bool delete_point(struct netlink *netlink, const struct link *link, const struct link_point *point,
                         GError **error)
{
        return point->peer.family ? link_change_delete_point(netlink, link, &point->ip, &point->peer, error)
                                  : link_change_delete_address(netlink, link, &point->ip, error);
}

/* The last first; the first error counts, and the rest goes nevertheless. */
static bool remove_first(struct netlink *netlink, const struct link *link, const struct link_ips *ips,
                         unsigned n_points, unsigned n_routes, GError **error)
{
        bool ok = true;

        while (n_routes-- > 0)
                ok &= link_change_delete_route(netlink, link,
                                               &g_array_index(ips->routes, struct link_route, n_routes),
                                               ok ? error : NULL);
        while (n_points-- > 0)
                ok &= delete_point(netlink, link, &g_array_index(ips->points, struct link_point, n_points),
                                   ok ? error : NULL);
        return ok;
}

static bool add_all(struct netlink *netlink, const struct link *link, const struct link_ips *ips,
                    GError **error)
{
        unsigned points = 0, routes = 0;

        while (points < ips->points->len &&
               add_point(netlink, link, &g_array_index(ips->points, struct link_point, points), error))
                points++;
        while (points == ips->points->len && routes < ips->routes->len &&
               link_change_add_route(netlink, link, &g_array_index(ips->routes, struct link_route, routes),
                                     error))
                routes++;
        if (points == ips->points->len && routes == ips->routes->len)
                return true;
        remove_first(netlink, link, ips, points, routes, NULL);
        return false;
}

bool link_ips_add(struct lane *lane, const char *name, const struct link_ips *ips, GError **error)
{
        CLEANUP(link_ips_free) struct link_ips *missing = link_ips_copy(ips);
        CLEANUP(netlink_free) struct netlink *netlink = NULL;
        CLEANUP(link_unref) struct link *link = NULL;

        if (!link_ips_drop_present(lane, name, missing, error))
                return false;
        netlink = netlink_new(lane, error);
        link = netlink ? find(name, error) : NULL;
        return link && add_all(netlink, link, missing, error);
}

bool link_ips_remove(struct lane *lane, const char *name, const struct link_ips *ips, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        CLEANUP(link_unref) struct link *link = netlink ? find(name, NULL) : NULL;

        return netlink &&
               (!link || remove_first(netlink, link, ips, ips->points->len, ips->routes->len, error));
}
