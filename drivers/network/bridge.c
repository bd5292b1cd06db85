/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bridge of a network, by rtnetlink(7). In the network's lane, with a socket for each visit. */
#include "base/error.h"
#include "drivers/network/model.h"
#include "interfaces/change.h"
#include "interfaces/netlink.h"
#include "interfaces/table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what there is ---- */

static void take(struct nlmsghdr *header, void *data)
{
        link_table_take(data, header);
}

static struct link_set *read_links(struct netlink *netlink, GError **error)
{
        static const int types[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE };
        CLEANUP(link_table_free) struct link_table *table = link_table_new(NULL, NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                const struct netlink_dump dump = { .type = types[i], .fn = take, .data = table };

                if (!netlink_dump(netlink, &dump, error))
                        return NULL;
        }
        return link_table_get_set(table);
}

static struct link_ip to_ip(const struct network_address *address, unsigned prefix)
{
        struct link_ip ip = { .family = (uint8_t)address->family, .prefix = (uint8_t)prefix };

        memcpy(ip.bytes, address->bytes, sizeof(ip.bytes));
        return ip;
}

static bool is_in_bits(const struct link_ip *ip, const struct network_ip *own, unsigned prefix)
{
        struct network_address address = { .family = ip->family };

        memcpy(address.bytes, ip->bytes, sizeof(address.bytes));
        return network_address_is_within(&address, &own->address, prefix);
}

/*
 * An address takes its network, whichever of the two is wider. A route takes what it leads to; a wider one,
 * to all of a company, leaves room for a network in it.
 */
static bool is_taken_by(const struct link *link, const struct network_ip *own)
{
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_ip *ip = &g_array_index(link->addresses, struct link_address, i).ip;

                if (is_in_bits(ip, own, MIN(ip->prefix, own->prefix)))
                        return true;
        }
        for (unsigned i = 0; i < link->routes->len; i++) {
                const struct link_ip *ip = &g_array_index(link->routes, struct link_route, i).destination;

                if (ip->prefix >= own->prefix && is_in_bits(ip, own, own->prefix))
                        return true;
        }
        return false;
}

static bool check_addresses(const struct network_def *def, const struct link_set *set, GError **error)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                for (unsigned j = 0; j < set->count; j++) {
                        const struct link *link = set->links[j];

                        if (strcmp(link->name, def->bridge) != 0 && is_taken_by(link, ip))
                                return error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                                                 "Network %s/%u is already in use by interface %s",
                                                 network_address_format(&ip->address, text), ip->prefix,
                                                 link->name);
                }
        }
        return true;
}

/* One that was left behind: no other has its address, which was chosen by chance. */
static bool is_ours(const struct link *link, const struct network_def *def)
{
        return def->mac && strcmp(link->mac, def->mac) == 0;
}

static bool has_family(const struct network_def *def, int family)
{
        for (unsigned i = 0; i < def->ips->len; i++)
                if (((const struct network_ip *)g_ptr_array_index(def->ips, i))->address.family == family)
                        return true;
        return false;
}

static bool has_advertised_route(const struct link *link)
{
        for (unsigned i = 0; i < link->routes->len; i++)
                if (g_array_index(link->routes, struct link_route, i).protocol == RTPROT_RA)
                        return true;
        return false;
}

static int read_ipv6_setting(const char *link, const char *key)
{
        g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", link, key), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? atoi(text) : 0;
}

/*
 * A host that forwards listens to no router unless accept_ra is 2 (Documentation/networking/ip-sysctl.rst):
 * it would lose its own way out.
 */
static bool check_advertised_routes(const struct network_def *def, const struct link_set *set, GError **error)
{
        if (def->forward == NETWORK_FORWARD_NONE || !has_family(def, AF_INET6) ||
            read_ipv6_setting("all", "forwarding"))
                return true;
        for (unsigned i = 0; i < set->count; i++) {
                const struct link *link = set->links[i];

                if (has_advertised_route(link) && read_ipv6_setting(link->name, "accept_ra") == 1)
                        return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                         "network '%s' needs IPv6 forwarding, by which the host would lose "
                                         "its routes that "
                                         "routers announce on interface '%s': set net.ipv6.conf.%s.accept_ra "
                                         "to 2 first",
                                         def->base.name, link->name, link->name);
        }
        return true;
}

bool network_bridge_check(struct network *network, const struct network_def *def, bool adopt, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *set = netlink ? read_links(netlink, error) : NULL;
        const struct link *link = set ? link_set_find_name(set, def->bridge) : NULL;

        if (!set)
                return false;
        if (link && !(link_is(link, "bridge") && (adopt || is_ours(link, def))))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                                 "cannot start network '%s': the host has an interface '%s' already",
                                 def->base.name, def->bridge);
        return adopt || (check_addresses(def, set, error) && check_advertised_routes(def, set, error));
}

bool network_bridge_check_alone(struct network *network, const struct network_def *def, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *set = netlink ? read_links(netlink, error) : NULL;

        return set && check_addresses(def, set, error);
}

static bool has_address(const struct link *link, const struct network_ip *own)
{
        const struct link_ip wanted = to_ip(&own->address, own->prefix);

        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_ip *ip = &g_array_index(link->addresses, struct link_address, i).ip;

                if (memcmp(ip, &wanted, sizeof(wanted)) == 0)
                        return true;
        }
        return false;
}

static bool is_whole(const struct link *link, const struct network_def *def)
{
        for (unsigned i = 0; i < def->ips->len; i++)
                if (!has_address(link, g_ptr_array_index(def->ips, i)))
                        return false;
        return link_is(link, "bridge");
}

bool network_bridge_is_whole(struct network *network, const struct network_def *def, bool *whole,
                             GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *set = netlink ? read_links(netlink, error) : NULL;
        const struct link *link = set ? link_set_find_name(set, def->bridge) : NULL;

        *whole = link && is_whole(link, def);
        return set != NULL;
}

/* ---- making it ---- */

static bool write_setting(const char *path, const char *value, GError **error)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value))
                return true;
        return error_set_errno(error, ERROR_FROM_NETWORK, errno, "cannot write '%s' to %s", value, path);
}

/* The host has an address of IPv6 on the bridge only when the network has, and learns none from guests. */
static bool set_ipv6(const struct network_def *def, GError **error)
{
        bool wanted = def->ipv6 || has_family(def, AF_INET6);
        const struct {
                const char *key, *value;
        } settings[] = { { "accept_ra", "0" }, { "autoconf", "0" }, { "disable_ipv6", wanted ? "0" : "1" } };

        if (access("/proc/sys/net/ipv6", F_OK) < 0)
                return !has_family(def, AF_INET6) ||
                       error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "network '%s' needs IPv6, which the host does not have", def->base.name);
        for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
                g_autofree char *path =
                        g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", def->bridge, settings[i].key);

                if (!write_setting(path, settings[i].value, error))
                        return false;
        }
        return true;
}

/* Of the whole host, and left on: others may need it meanwhile. */
static bool set_forwarding(const struct network_def *def, GError **error)
{
        if (def->forward == NETWORK_FORWARD_NONE)
                return true;
        if (has_family(def, AF_INET) && !write_setting("/proc/sys/net/ipv4/ip_forward", "1", error))
                return false;
        return !has_family(def, AF_INET6) ||
               write_setting("/proc/sys/net/ipv6/conf/all/forwarding", "1", error);
}

static bool add(struct netlink *netlink, const struct network_def *def, GError **error)
{
        CLEANUP(link_unref) struct link *link = link_new(0);

        link->kind = g_strdup("bridge");
        g_strlcpy(link->name, def->bridge, sizeof(link->name));
        g_strlcpy(link->mac, def->mac ? def->mac : "", sizeof(link->mac));
        link->mtu = def->mtu;
        link->bridge.stp = def->bridge_stp;
        link->bridge.delay_cs = def->bridge_delay_s * 100;
        return link_change_add(netlink, link, error);
}

static bool configure(struct netlink *netlink, const struct network_def *def, const struct link *link,
                      GError **error)
{
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);
                struct link_ip address = to_ip(&ip->address, ip->prefix);

                if (!link_change_add_address(netlink, link, &address, error))
                        return false;
        }
        if (!link_change_set_up(netlink, link, true, error))
                return false;
        for (unsigned i = 0; i < def->routes->len; i++) {
                const struct network_route *route = g_ptr_array_index(def->routes, i);
                struct network_address first = network_address_get_first(&route->address, route->prefix);
                struct link_route added = {
                        .destination = to_ip(&first, route->prefix),
                        .gateway = to_ip(&route->gateway, network_address_get_bits(route->gateway.family)),
                        .metric = route->metric,
                        .protocol = RTPROT_STATIC,
                };

                if (!link_change_add_route(netlink, link, &added, error))
                        return false;
        }
        return true;
}

bool network_bridge_make(struct network *network, const struct network_def *def, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *before = netlink ? read_links(netlink, error) : NULL;
        CLEANUP(link_set_unref) struct link_set *after = NULL;
        const struct link *link;

        if (!before || (!link_set_find_name(before, def->bridge) && !add(netlink, def, error)))
                return false;
        after = read_links(netlink, error);
        link = after ? link_set_find_name(after, def->bridge) : NULL;
        if (after && !link)
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                          "the bridge '%s' of network '%s' has vanished", def->bridge, def->base.name);
        return link && set_ipv6(def, error) && configure(netlink, def, link, error) &&
               set_forwarding(def, error) &&
               (!traffic_is_limited(&def->bandwidth) ||
                traffic_set_shared(netlink, link, &def->bandwidth, error));
}

static bool join(struct netlink *netlink, const struct link *bridge, const struct link *link,
                 const struct network_port *port, GError **error)
{
        if (link->master == bridge->index)
                return true;
        return link_change_set_master(netlink, link, bridge, error) &&
               (!port->isolated || link_change_set_isolated(netlink, link, true, error));
}

bool network_bridge_join(struct network *network, const struct network_def *def,
                         const struct network_port *port, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *set = netlink ? read_links(netlink, error) : NULL;
        const struct link *bridge = set ? link_set_find_name(set, def->bridge) : NULL;
        const struct link *link = set ? link_set_find_name(set, port->target) : NULL;

        if (!set)
                return false;
        if (!bridge || !link)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                                 "the host has no interface '%s'", bridge ? port->target : def->bridge);
        return join(netlink, bridge, link, port, error);
}

bool network_bridge_remove(struct network *network, const struct network_def *def, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(network->base.lane, error);
        CLEANUP(link_set_unref) struct link_set *set = netlink ? read_links(netlink, error) : NULL;
        const struct link *link = set ? link_set_find_name(set, def->bridge) : NULL;

        return set && (!link || !link_is(link, "bridge") || link_change_delete(netlink, link, error));
}
