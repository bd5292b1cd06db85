/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <ip> of a network, with its DHCP. Any thread. */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

/* What dnsmasq lends for at least. */
#define LEASE_SECONDS_MIN 120

/* ---- freeing ---- */

static void host_free(void *data)
{
        struct network_host *host = data;

        g_free(host->mac);
        g_free(host->id);
        g_free(host->name);
        g_free(host);
}

void network_ip_free(void *data)
{
        struct network_ip *ip = data;

        g_free(ip->tftp_root);
        g_free(ip->bootp_file);
        g_free(ip->bootp_server);
        g_clear_pointer(&ip->ranges, g_ptr_array_unref);
        g_clear_pointer(&ip->hosts, g_ptr_array_unref);
        g_free(ip);
}

/* ---- leases ---- */

/* Without a unit it is minutes, which are written. */
static bool read_lease(xmlNode *node, int64_t *lease_s, GError **error)
{
        static const char *const names[] = { "seconds", "minutes", "hours" };
        static const int64_t seconds[] = { 1, 60, 3600 };
        uint64_t expiry = 0;
        int unit = 1;

        *lease_s = NETWORK_LEASE_DEFAULT;
        if (!node)
                return true;
        if (!xml_has_attr(node, "expiry"))
                return xml_error(error, node, "missing required attribute 'expiry'");
        if (!xml_get_uint64(node, "expiry", &expiry, error) ||
            !xml_get_enum(node, "unit", names, G_N_ELEMENTS(names), &unit, error))
                return false;
        if (expiry > UINT32_MAX / (uint64_t)seconds[unit])
                return xml_error(error, node, "a lease of more than 136 years");
        *lease_s = (int64_t)expiry * seconds[unit];
        if (*lease_s != NETWORK_LEASE_INFINITE && *lease_s < LEASE_SECONDS_MIN)
                return xml_error(error, node, "a lease of less than two minutes");
        if (expiry > 0)
                xml_set_attr(node, "unit", names[unit]);
        return true;
}

/* ---- DHCP ---- */

static bool read_range(struct network_ip *ip, xmlNode *node, GError **error)
{
        struct network_range *range = g_new0(struct network_range, 1);

        g_ptr_array_add(ip->ranges, range);
        if (!network_xml_get_address(node, "start", &range->start, error) ||
            !network_xml_get_address(node, "end", &range->end, error) ||
            !read_lease(xml_child(node, "lease"), &range->lease_s, error))
                return false;
        if (range->start.family == AF_UNSPEC || range->end.family == AF_UNSPEC)
                return xml_error(error, node, "a range needs a start and an end");
        network_xml_set_address(node, "start", &range->start);
        network_xml_set_address(node, "end", &range->end);
        return true;
}

/* It stands between commas in the file of dnsmasq. NULL is fine. */
static bool check_word(const xmlNode *node, const char *text, GError **error)
{
        g_autofree char *quoted = error_quote(text);

        if (text && (!*text || strpbrk(text, ", \"\\#")))
                return xml_error(error, node, "'%s' cannot be written into the file of dnsmasq", quoted);
        return true;
}

static bool check_id(const xmlNode *node, const char *id, GError **error)
{
        g_autofree char *quoted = error_quote(id);

        if (id && (!*id || strspn(id, "0123456789abcdefABCDEF:") != strlen(id)))
                return xml_error(error, node, "invalid character in id '%s'", quoted);
        return true;
}

/* How a host is known: an IPv4 one by its MAC address or name, an IPv6 one by its id or name. */
static bool check_identity(const struct network_ip *ip, const struct network_host *host, const xmlNode *node,
                           GError **error)
{
        if (ip->address.family == AF_INET6 && host->mac)
                return xml_error(error, node, "a host of IPv6 has no MAC address");
        if (ip->address.family == AF_INET && host->id)
                return xml_error(error, node, "a host of IPv4 has no id");
        if (!host->mac && !host->id && !host->name)
                return xml_error(error, node, "a host needs a MAC address, an id or a name");
        if (host->name && !g_ascii_isalpha(host->name[0]))
                return xml_error(error, node, "the name of a host does not begin with a letter");
        if (host->address.family == AF_UNSPEC && !(host->name && (host->mac || host->id)))
                return xml_error(error, node,
                                 "a host without an IP address needs a name, and a MAC address or an id");
        return true;
}

static bool read_host(struct network_ip *ip, xmlNode *node, GError **error)
{
        struct network_host *host = g_new0(struct network_host, 1);

        g_ptr_array_add(ip->hosts, host);
        host->mac = xml_attr(node, "mac");
        host->id = xml_attr(node, "id");
        host->name = xml_attr(node, "name");
        if (!network_xml_check_mac(node, host->mac, error) || !check_id(node, host->id, error) ||
            !check_word(node, host->name, error) ||
            !network_xml_get_address(node, "ip", &host->address, error) ||
            !read_lease(xml_child(node, "lease"), &host->lease_s, error) ||
            !check_identity(ip, host, node, error))
                return false;
        network_xml_set_address(node, "ip", &host->address);
        return true;
}

static bool read_dhcp(struct network_ip *ip, xmlNode *node, GError **error)
{
        const xmlNode *bootp = xml_child(node, "bootp");

        for (xmlNode *child = xml_child(node, "range"); child; child = xml_next(child))
                if (!read_range(ip, child, error))
                        return false;
        for (xmlNode *child = xml_child(node, "host"); child; child = xml_next(child))
                if (!read_host(ip, child, error))
                        return false;
        ip->has_dhcp = node;
        ip->bootp_server = xml_attr(bootp, "server");
        if (!bootp)
                return true;
        if (ip->address.family != AF_INET)
                return xml_error(error, bootp, "<bootp> is of IPv4");
        ip->bootp_file = network_xml_need_attr(bootp, "file", error);
        return ip->bootp_file && check_word(bootp, ip->bootp_file, error) &&
               check_word(bootp, ip->bootp_server, error);
}

/* ---- <ip> ---- */

static bool read_ip(struct network_def *def, xmlNode *node, GError **error)
{
        struct network_ip *ip = g_new0(struct network_ip, 1);
        const xmlNode *tftp = xml_child(node, "tftp");

        g_ptr_array_add(def->ips, ip);
        ip->ranges = g_ptr_array_new_with_free_func(g_free);
        ip->hosts = g_ptr_array_new_with_free_func(host_free);
        if (!network_xml_get_network(node, &ip->address, &ip->prefix, error) ||
            !xml_get_yes_no(node, "localPtr", &ip->local_ptr, error) ||
            !read_dhcp(ip, xml_child(node, "dhcp"), error))
                return false;
        if (tftp) {
                if (ip->address.family != AF_INET)
                        return xml_error(error, tftp, "<tftp> is of IPv4");
                ip->tftp_root = network_xml_need_attr(tftp, "root", error);
                if (!ip->tftp_root || !check_word(tftp, ip->tftp_root, error))
                        return false;
        }
        return true;
}

bool network_ips_read(struct network_def *def, xmlNode *root, GError **error)
{
        def->ips = g_ptr_array_new_with_free_func(network_ip_free);
        for (xmlNode *node = xml_child(root, "ip"); node; node = xml_next(node))
                if (!read_ip(def, node, error))
                        return false;
        return true;
}
