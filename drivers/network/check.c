/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to fit together in a definition: networks, ranges, hosts. Any thread. */
#include "base/error.h"
#include "drivers/network/network-xml.h"

G_GNUC_PRINTF(3, 4)
static bool refuse(const struct network_def *def, GError **error, const char *format, ...)
{
        g_autofree char *detail = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR, "network '%s': %s", def->base.name,
                         detail);
}

/* ---- <ip> elements ---- */

static bool check_apart(const struct network_def *def, const struct network_ip *a, const struct network_ip *b,
                        GError **error)
{
        char first[NETWORK_ADDRESS_TEXT_MAX], second[NETWORK_ADDRESS_TEXT_MAX];
        unsigned prefix = MIN(a->prefix, b->prefix);

        if (!network_address_is_within(&a->address, &b->address, prefix))
                return true;
        return refuse(def, error, "%s/%u and %s/%u overlap", network_address_format(&a->address, first),
                      a->prefix, network_address_format(&b->address, second), b->prefix);
}

static bool check_ips(const struct network_def *def, GError **error)
{
        unsigned with_dhcp[2] = { 0 };

        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);
                bool is_ipv6 = ip->address.family == AF_INET6;

                if (ip->has_dhcp && ++with_dhcp[is_ipv6] > 1)
                        return refuse(def, error, "DHCP on more than one IPv%d address", is_ipv6 ? 6 : 4);
                for (unsigned j = 0; j < i; j++)
                        if (!check_apart(def, g_ptr_array_index(def->ips, j), ip, error))
                                return false;
        }
        return true;
}

/* ---- ranges ---- */

/* The addresses that stand for the network and for all of it. */
static bool is_reserved(const struct network_ip *ip, const struct network_address *address)
{
        struct network_address first = network_address_get_first(&ip->address, ip->prefix);
        struct network_address last = network_address_get_last(&ip->address, ip->prefix);

        return ip->address.family == AF_INET && ip->prefix < 31 &&
               (network_address_compare(address, &first) == 0 ||
                network_address_compare(address, &last) == 0);
}

static bool check_range(const struct network_def *def, const struct network_ip *ip,
                        const struct network_range *range, GError **error)
{
        char start[NETWORK_ADDRESS_TEXT_MAX], end[NETWORK_ADDRESS_TEXT_MAX], own[NETWORK_ADDRESS_TEXT_MAX];
        uint64_t count;

        network_address_format(&range->start, start);
        network_address_format(&range->end, end);
        if (!network_address_is_within(&range->start, &ip->address, ip->prefix) ||
            !network_address_is_within(&range->end, &ip->address, ip->prefix))
                return refuse(def, error, "range %s - %s is not entirely within network %s/%u", start, end,
                              network_address_format(&ip->address, own), ip->prefix);
        if (is_reserved(ip, &range->start) || is_reserved(ip, &range->end))
                return refuse(def, error, "range %s - %s takes the address of the network or of all in it",
                              start, end);
        count = network_address_get_distance(&range->start, &range->end);
        if (count == 0)
                return refuse(def, error, "range %s - %s is reversed", start, end);
        if (count > NETWORK_RANGE_MAX)
                return refuse(def, error, "range %s - %s has more than %d addresses", start, end,
                              NETWORK_RANGE_MAX);
        return true;
}

static bool check_ranges(const struct network_def *def, const struct network_ip *ip, GError **error)
{
        for (unsigned i = 0; i < ip->ranges->len; i++) {
                const struct network_range *range = g_ptr_array_index(ip->ranges, i);

                if (!check_range(def, ip, range, error))
                        return false;
                for (unsigned j = 0; j < i; j++) {
                        const struct network_range *other = g_ptr_array_index(ip->ranges, j);
                        char start[NETWORK_ADDRESS_TEXT_MAX], end[NETWORK_ADDRESS_TEXT_MAX];

                        if (network_address_compare(&range->start, &other->end) <= 0 &&
                            network_address_compare(&other->start, &range->end) <= 0)
                                return refuse(def, error, "range %s - %s overlaps with another",
                                              network_address_format(&range->start, start),
                                              network_address_format(&range->end, end));
                }
        }
        return true;
}

/* ---- hosts ---- */

/* False: it is there already. */
static bool add_once(GHashTable *seen, const char *kind, const char *value)
{
        return !value || g_hash_table_add(seen, g_strconcat(kind, value, NULL));
}

static bool check_host(const struct network_def *def, const struct network_ip *ip,
                       const struct network_host *host, GHashTable *seen, GError **error)
{
        g_autofree char *mac = host->mac ? g_ascii_strdown(host->mac, -1) : NULL;
        g_autofree char *id = host->id ? g_ascii_strdown(host->id, -1) : NULL;
        g_autofree char *name = host->name ? g_ascii_strdown(host->name, -1) : NULL;
        bool has_address = host->address.family != AF_UNSPEC;
        char text[NETWORK_ADDRESS_TEXT_MAX] = "", own[NETWORK_ADDRESS_TEXT_MAX];

        if (has_address)
                network_address_format(&host->address, text);
        if (has_address && !network_address_is_within(&host->address, &ip->address, ip->prefix))
                return refuse(def, error, "host %s is not within network %s/%u", text,
                              network_address_format(&ip->address, own), ip->prefix);
        if (has_address && !add_once(seen, "ip ", text))
                return refuse(def, error, "two hosts have the IP address %s", text);
        if (!add_once(seen, "mac ", mac))
                return refuse(def, error, "two hosts have the MAC address %s", mac);
        if (!add_once(seen, "id ", id))
                return refuse(def, error, "two hosts have the id %s", id);
        if (!add_once(seen, "name ", name))
                return refuse(def, error, "two hosts have the name '%s'", host->name);
        return true;
}

static bool check_hosts(const struct network_def *def, const struct network_ip *ip, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (unsigned i = 0; i < ip->hosts->len; i++)
                if (!check_host(def, ip, g_ptr_array_index(ip->hosts, i), seen, error))
                        return false;
        return true;
}

/* ---- routes ---- */

/* A way to a network that leads over something in ours. */
static bool check_route(const struct network_def *def, const struct network_route *route, GError **error)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];
        struct network_address first = network_address_get_first(&route->address, route->prefix);
        bool reachable = false;

        if (network_address_compare(&first, &route->address) != 0)
                return refuse(def, error, "address %s of a route is not that of a network of %u bits",
                              network_address_format(&route->address, text), route->prefix);
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                reachable |= network_address_is_within(&route->gateway, &ip->address, ip->prefix);
        }
        return reachable || refuse(def, error, "the gateway %s of a route is in none of its networks",
                                   network_address_format(&route->gateway, text));
}

/* ---- all of it ---- */

static bool check_modes(const struct network_def *def, GError **error)
{
        const char *mode = network_forward_get_name(def->forward);

        if ((def->forward == NETWORK_FORWARD_NAT || def->forward == NETWORK_FORWARD_ROUTE) && !def->ips->len)
                return refuse(def, error, "%s forwarding requested, but no IP address provided", mode);
        if (network_forward_has_own_bridge(def->forward))
                return true;
        if (def->mtu)
                return refuse(def, error, "forward mode '%s' takes no <mtu>", mode);
        if (network_dns_is_used(&def->dns))
                return refuse(def, error, "forward mode '%s' takes no <dns>", mode);
        if (def->options->len)
                return refuse(def, error, "forward mode '%s' takes no <dnsmasq:options>", mode);
        if (def->ips->len || def->routes->len || def->domain)
                return refuse(def, error, "forward mode '%s' takes no <ip>, <route> and <domain>", mode);
        if (def->bridge && def->forward != NETWORK_FORWARD_BRIDGE)
                return refuse(def, error, "forward mode '%s' takes no <bridge>", mode);
        if (def->bridge && def->forward_interfaces->len)
                return refuse(def, error, "forward mode '%s' takes either a <bridge> or interfaces", mode);
        return true;
}

bool network_def_check(const struct network_def *def, GError **error)
{
        if (!check_modes(def, error) || !check_ips(def, error))
                return false;
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                if (!check_ranges(def, ip, error) || !check_hosts(def, ip, error))
                        return false;
        }
        for (unsigned i = 0; i < def->routes->len; i++)
                if (!check_route(def, g_ptr_array_index(def->routes, i), error))
                        return false;
        return true;
}
