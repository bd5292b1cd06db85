/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes that are addresses, and what else of a network is of a form of its own. Any thread. */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

bool network_xml_get_address(const xmlNode *node, const char *attr, struct network_address *address,
                             GError **error)
{
        g_autofree char *text = xml_attr(node, attr), *quoted = error_quote(text);

        *address = (struct network_address){ .family = AF_UNSPEC };
        if (!text || network_address_parse(text, address))
                return true;
        return xml_error(error, node, "'%s' is no IP address", quoted);
}

void network_xml_set_address(xmlNode *node, const char *attr, const struct network_address *address)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];

        if (address->family != AF_UNSPEC)
                xml_set_attr(node, attr, network_address_format(address, text));
}

static bool check_family(const xmlNode *node, int family, GError **error)
{
        g_autofree char *text = xml_attr(node, "family"), *quoted = error_quote(text);

        if (text && strcmp(text, "ipv4") != 0 && strcmp(text, "ipv6") != 0)
                return xml_error(error, node, "unknown family '%s' of addresses", quoted);
        if (family == AF_INET6 && (!text || strcmp(text, "ipv6") != 0))
                return xml_error(error, node, "an IPv6 address needs family 'ipv6'");
        if (family == AF_INET && text && strcmp(text, "ipv4") != 0)
                return xml_error(error, node, "an IPv4 address with family 'ipv6'");
        return true;
}

/* Of an address that says nothing else: by its class (RFC 791); 64 of IPv6. */
static unsigned get_default_prefix(const struct network_address *address)
{
        uint8_t first = address->bytes[0];

        if (address->family == AF_INET6)
                return 64;
        return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static bool read_netmask(const xmlNode *node, int family, unsigned *prefix, GError **error)
{
        struct network_address mask;
        int bits;

        if (!network_xml_get_address(node, "netmask", &mask, error))
                return false;
        bits = mask.family == AF_INET ? network_address_get_mask_bits(&mask) : -1;
        if (family != AF_INET || bits < 0)
                return xml_error(error, node, "the netmask is none of the address's family");
        *prefix = (unsigned)bits;
        return true;
}

bool network_xml_get_network(xmlNode *node, struct network_address *address, unsigned *prefix, GError **error)
{
        if (!network_xml_get_address(node, "address", address, error))
                return false;
        if (address->family == AF_UNSPEC)
                return xml_error(error, node, "missing address");
        if (!check_family(node, address->family, error))
                return false;
        if (xml_has_attr(node, "netmask") && xml_has_attr(node, "prefix"))
                return xml_error(error, node, "either netmask or prefix, not both");
        *prefix = get_default_prefix(address);
        if (xml_has_attr(node, "netmask") && !read_netmask(node, address->family, prefix, error))
                return false;
        if (!xml_get_uint(node, "prefix", prefix, error))
                return false;
        if (*prefix > network_address_get_bits(address->family))
                return xml_error(error, node, "prefix %u is longer than the address", *prefix);
        network_xml_set_address(node, "address", address);
        return true;
}

char *network_xml_need_attr(const xmlNode *node, const char *attr, GError **error)
{
        g_autofree char *value = xml_attr(node, attr);

        if (value && *value)
                return g_steal_pointer(&value);
        xml_error(error, node, "missing required attribute '%s'", attr);
        return NULL;
}

bool network_xml_check_mac(const xmlNode *node, const char *mac, GError **error)
{
        g_autofree char *quoted = error_quote(mac);
        bool good = !mac || strlen(mac) == strlen("00:00:00:00:00:00");

        for (unsigned i = 0; good && mac && mac[i]; i++)
                good = i % 3 == 2 ? mac[i] == ':' : g_ascii_isxdigit(mac[i]);
        if (!good)
                return xml_error(error, node, "'%s' is no MAC address", quoted);
        if (mac && g_ascii_xdigit_value(mac[1]) % 2)
                return xml_error(error, node, "expected unicast mac address, found multicast '%s'", quoted);
        return true;
}

bool network_xml_check_device(const xmlNode *node, const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        if (!name)
                return true;
        if (strlen(name) > NETWORK_DEVICE_MAX)
                return xml_error(error, node, "interface name '%s' is longer than %d bytes", quoted,
                                 NETWORK_DEVICE_MAX);
        if (!*name || strpbrk(name, "/: \t,\"\\") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return xml_error(error, node, "'%s' cannot be the name of an interface", quoted);
        return true;
}
