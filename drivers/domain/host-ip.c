/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses and routes of the host's end of an interface: from text to values. No state; any thread.
 */
#include "drivers/domain/host-ip.h"

#include "base/error.h"
#include "drivers/network/network-address.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* libvirt's, for a route that says none. */
#define DEFAULT_METRIC 1

static bool refuse(GError **error, const char *what, const char *text, const char *why)
{
        g_autofree char *quoted = error_quote(text);

        return error_set(error, ERROR_FROM_DOMAIN, ERROR_XML_ERROR, "%s '%s' in <source>: %s", what, quoted,
                         why);
}

/* Of one that says nothing else: by its class (RFC 791); 64 of IPv6. */
static unsigned get_default_prefix(const struct link_ip *ip)
{
        uint8_t first = ip->bytes[0];

        if (ip->family == AF_INET6)
                return 64;
        return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static bool is_zero(const struct link_ip *ip)
{
        static const uint8_t zero[sizeof(ip->bytes)];

        return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

/* An address of one host: 0.0.0.0, which the kernel takes and makes nothing of, and groups are of none. */
static bool check_host(const struct link_ip *ip, const char *what, const char *text, GError **error)
{
        static const uint8_t everybody[] = { 0xff, 0xff, 0xff, 0xff };
        struct network_address address = { .family = ip->family };

        memcpy(address.bytes, ip->bytes, sizeof(address.bytes));
        return !(is_zero(ip) || network_address_is_multicast(&address) ||
                 (ip->family == AF_INET && memcmp(ip->bytes, everybody, sizeof(everybody)) == 0)) ||
               refuse(error, what, text, "it is not the address of a host");
}

static bool parse(struct link_ip *ip, const char *what, const char *text, const char *family, GError **error)
{
        if (!link_ip_parse(ip, text))
                return refuse(error, what, text, "it is no IP address");
        return !family || (strcmp(family, "ipv6") == 0) == (ip->family == AF_INET6) ||
               refuse(error, what, text, "it is not of the family that it says");
}

static bool set_prefix(struct link_ip *ip, uint32_t prefix, const char *what, const char *text,
                       GError **error)
{
        if (prefix > (ip->family == AF_INET6 ? 128U : 32U))
                return refuse(error, what, text, "its prefix is longer than the address");
        ip->prefix = (uint8_t)(prefix ? prefix : get_default_prefix(ip));
        return true;
}

static bool add_point(struct link_ips *ips, const struct domain_ip *ip, GError **error)
{
        static const char what[] = "address";
        struct link_point point = { .peer.family = 0 };

        if (!parse(&point.ip, what, ip->address, ip->family, error) ||
            !check_host(&point.ip, what, ip->address, error) ||
            !set_prefix(&point.ip, ip->prefix, what, ip->address, error))
                return false;
        if (ip->peer && (!parse(&point.peer, "peer", ip->peer, ip->family, error) ||
                         !check_host(&point.peer, "peer", ip->peer, error)))
                return false;
        if (ip->peer && point.peer.family != point.ip.family)
                return refuse(error, "peer", ip->peer, "it is of another family than the address");
        g_array_append_val(ips->points, point);
        return true;
}

static bool read_netmask(const struct domain_route *route, uint32_t *prefix, GError **error)
{
        struct network_address mask;
        int bits;

        if (route->prefix)
                return refuse(error, "route to", route->address, "it has both a prefix and a netmask");
        bits = network_address_parse(route->netmask, &mask) && mask.family == AF_INET
                       ? network_address_get_mask_bits(&mask)
                       : -1;
        *prefix = (uint32_t)MAX(bits, 0);
        return bits >= 0 || refuse(error, "netmask", route->netmask, "it is none");
}

/* Nothing behind the prefix. */
static bool is_network(const struct link_ip *ip)
{
        struct network_address address = { .family = ip->family }, first;

        memcpy(address.bytes, ip->bytes, sizeof(address.bytes));
        first = network_address_get_first(&address, ip->prefix);
        return network_address_compare(&address, &first) == 0;
}

static bool set_destination(struct link_ip *ip, const struct domain_route *route, GError **error)
{
        static const char what[] = "route to";
        uint32_t prefix = route->prefix;

        if (!parse(ip, what, route->address, route->family ? route->family : "ipv4", error))
                return false;
        if (route->netmask && ip->family == AF_INET6)
                return refuse(error, what, route->address, "IPv6 has prefixes, and no netmask");
        if (route->netmask && !read_netmask(route, &prefix, error))
                return false;
        if (!set_prefix(ip, prefix, what, route->address, error))
                return false;
        if (is_zero(ip) && prefix == 0)
                ip->prefix = 0;
        return is_network(ip) ||
               refuse(error, what, route->address, "it is not the address of a network of its prefix");
}

static bool add_route(struct link_ips *ips, const struct domain_route *route, GError **error)
{
        struct link_route added = {
                .metric = route->metric ? route->metric : DEFAULT_METRIC,
                .protocol = RTPROT_BOOT,
        };

        if (!set_destination(&added.destination, route, error) ||
            !parse(&added.gateway, "gateway", route->gateway, route->family ? route->family : "ipv4",
                   error) ||
            !check_host(&added.gateway, "gateway", route->gateway, error))
                return false;
        g_array_append_val(ips->routes, added);
        return true;
}

struct link_ips *domain_get_host_ips(const struct domain_interface *interface, GError **error)
{
        CLEANUP(link_ips_free) struct link_ips *ips = link_ips_new();
        const struct domain_host_ips *host = interface->host_ips;

        for (unsigned i = 0; host && i < host->n_ips; i++)
                if (!add_point(ips, &host->ips[i], error))
                        return NULL;
        for (unsigned i = 0; host && i < host->n_routes; i++)
                if (!add_route(ips, &host->routes[i], error))
                        return NULL;
        return g_steal_pointer(&ips);
}
