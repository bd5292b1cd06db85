/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <ip> elements that leave their address to be chosen: what is asked for, and where the answer is written.
 * Any thread. */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

/* Of a network that is chosen: what guests of one host have room in, and what they make addresses of (RFC
 * 4862). */
#define IPV4_PREFIX_MIN     8
#define IPV4_PREFIX_MAX     30
#define IPV4_PREFIX_DEFAULT 24
#define IPV6_PREFIX         64

/* ---- the question ---- */

static bool read_prefix(const xmlNode *node, unsigned *prefix, GError **error)
{
        struct network_address mask;

        if (xml_has_attr(node, "netmask")) {
                int bits = -1;

                if (!network_xml_get_address(node, "netmask", &mask, error))
                        return false;
                if (mask.family == AF_INET)
                        bits = network_address_get_mask_bits(&mask);
                if (bits < 0)
                        return xml_error(error, node, "the netmask is none of IPv4");
                *prefix = (unsigned)bits;
        }
        return xml_get_uint(node, "prefix", prefix, error);
}

static bool read_wish(const xmlNode *node, struct network_wish *wish, GError **error)
{
        static const char *const families[] = { "ipv4", "ipv6" };
        int family = 0;

        if (!xml_get_enum(node, "family", families, G_N_ELEMENTS(families), &family, error))
                return false;
        wish->family = family == 1 ? AF_INET6 : AF_INET;
        wish->prefix = family == 1 ? IPV6_PREFIX : IPV4_PREFIX_DEFAULT;
        if (!read_prefix(node, &wish->prefix, error))
                return false;
        if (wish->family == AF_INET6 && wish->prefix != IPV6_PREFIX)
                return xml_error(error, node,
                                 "a network of IPv6 that is to be chosen has a prefix of %d bits",
                                 IPV6_PREFIX);
        if (wish->family == AF_INET && (wish->prefix < IPV4_PREFIX_MIN || wish->prefix > IPV4_PREFIX_MAX))
                return xml_error(error, node, "a network that is to be chosen has a prefix of %d to %d bits",
                                 IPV4_PREFIX_MIN, IPV4_PREFIX_MAX);
        return true;
}

/* ---- the answer ---- */

static struct network_address add(struct network_address address, unsigned number)
{
        unsigned n_bytes = network_address_get_bits(address.family) / 8;

        for (unsigned i = n_bytes; i-- > 0 && number > 0;) {
                number += address.bytes[i];
                address.bytes[i] = (uint8_t)number;
                number >>= 8;
        }
        return address;
}

/* All that there is but our own; no more than a range may have. */
static void write_range(xmlNode *dhcp, const struct network_address *first, unsigned prefix)
{
        unsigned bits = network_address_get_bits(first->family) - prefix;
        unsigned count = bits >= 16 ? NETWORK_RANGE_MAX : 1U << bits;
        struct network_address start = add(*first, 2), end = add(*first, count - 2);
        xmlNode *range = xml_add(dhcp, "range");

        network_xml_set_address(range, "start", &start);
        network_xml_set_address(range, "end", &end);
}

static void write_subnet(xmlNode *node, const struct network_wish *wish, const struct network_address *first)
{
        xmlNode *dhcp = xml_child(node, "dhcp");
        struct network_address own = add(*first, 1);

        if (wish->family == AF_INET6)
                xml_set_attr(node, "family", "ipv6");
        network_xml_set_address(node, "address", &own);
        if (!xml_has_attr(node, "netmask"))
                xml_set_attr_format(node, "prefix", "%u", wish->prefix);
        if (dhcp)
                write_range(dhcp, first, wish->prefix);
}

bool network_xml_choose_subnets(xmlNode *root, const struct network_chooser *chooser, GError **error)
{
        g_autofree char *uuid = xml_child_text(root, "uuid");
        struct network_wish wish = { .uuid = uuid };

        for (xmlNode *node = xml_child(root, "ip"); node; node = xml_next(node), wish.index++) {
                const xmlNode *dhcp = xml_child(node, "dhcp");
                struct network_address first;

                if (xml_has_attr(node, "address"))
                        continue;
                if (xml_child(dhcp, "range") || xml_child(dhcp, "host"))
                        return xml_error(error, node, "missing address: its <dhcp> has ranges or hosts");
                if (wish.index >= NETWORK_PARTS_MAX)
                        return xml_error(error, node, "more than %d <ip> elements", NETWORK_PARTS_MAX);
                if (!read_wish(node, &wish, error) || !chooser->choose(&wish, &first, chooser->data, error))
                        return false;
                write_subnet(node, &wish, &first);
        }
        return true;
}
