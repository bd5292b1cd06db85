/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of an interface: read, checked and put in libvirt's order. No state; any thread.
 */
#include "base/xml.h"
#include "interfaces/definition.h"

#include <linux/if_bonding.h>
#include <string.h>
#include <sys/socket.h>

/* One more than the deepest that there can be: a bond's port in a bond in a bridge. */
#define DEPTH_MAX 3
#define VLAN_MAX  4094
#define MTU_MAX   65535

static const char *const carriers[] = { "ioctl", "netif" };
static const char *const families[INTERFACE_FAMILIES] = { "ipv4", "ipv6" };
static const int family_numbers[INTERFACE_FAMILIES] = { AF_INET, AF_INET6 };

/* ---- small values ---- */

static bool read_name(xmlNode *node, char name[LINK_NAME_SIZE], GError **error)
{
        g_autofree char *text = xml_attr(node, "name");

        if (!text)
                return xml_error(error, node, "an interface without a name");
        if (!interface_check_name(text, error))
                return false;
        memcpy(name, text, strlen(text) + 1);
        return true;
}

static bool read_mac(struct interface_def *def, xmlNode *node, GError **error)
{
        g_autofree char *text = xml_attr(node, "address"), *quoted = error_quote(text);

        if (!text)
                return true;
        if (strlen(text) != LINK_MAC_LENGTH)
                return xml_error(error, node, "malformed MAC address '%s'", quoted);
        for (unsigned i = 0; i < LINK_MAC_LENGTH; i++) {
                if (i % 3 == 2 ? text[i] != ':' : !g_ascii_isxdigit(text[i]))
                        return xml_error(error, node, "malformed MAC address '%s'", quoted);
                def->mac[i] = g_ascii_tolower(text[i]);
        }
        /* The lowest bit of the first byte marks a group of receivers. */
        if (g_ascii_xdigit_value(def->mac[1]) & 1)
                return xml_error(error, node, "MAC address '%s' is one of a group, not of one interface",
                                 quoted);
        xml_set_attr(node, "address", def->mac);
        return true;
}

static bool read_mtu(struct interface_def *def, xmlNode *node, GError **error)
{
        if (!node)
                return true;
        if (!xml_get_uint(node, "size", &def->mtu, error))
                return false;
        if (def->mtu == 0 || def->mtu > MTU_MAX)
                return xml_error(error, node, "an MTU of %u bytes, expected 1 to %d", def->mtu, MTU_MAX);
        return true;
}

static bool read_start(struct interface_def *def, xmlNode *node, GError **error)
{
        int start = INTERFACE_START_ABSENT;

        if (!xml_get_enum(node, "mode", interface_start_names, INTERFACE_STARTS, &start, error))
                return false;
        def->start = (enum interface_start)start;
        return true;
}

/* "4", "4.5", "0.25": seconds, to a hundredth. */
static bool read_seconds(xmlNode *node, const char *attr, unsigned *hundredths, GError **error)
{
        g_autofree char *text = xml_attr(node, attr), *quoted = error_quote(text);
        unsigned digits = 0;
        uint64_t value = 0;
        bool point = false;

        for (const char *c = text; *c; c++) {
                if (*c == '.' && !point && c != text)
                        point = true;
                else if (!g_ascii_isdigit(*c) || (point && ++digits > 2) || value > UINT32_MAX / 1000)
                        return xml_error(error, node, "malformed time '%s', expected seconds such as 4.5",
                                         quoted);
                else
                        value = value * 10 + (unsigned)g_ascii_digit_value(*c);
        }
        if (!*text)
                return xml_error(error, node, "malformed time '%s', expected seconds such as 4.5", quoted);
        for (; digits < 2; digits++)
                value *= 10;
        *hundredths = (unsigned)value;
        return true;
}

/* ---- protocols ---- */

static bool read_ip(xmlNode *node, const char *attr, unsigned family, struct link_ip *ip, GError **error)
{
        g_autofree char *text = xml_attr(node, attr), *quoted = error_quote(text);

        if (!text)
                return xml_error(error, node, "missing attribute '%s'", attr);
        if (!link_ip_parse(ip, text) || ip->family != family_numbers[family])
                return xml_error(error, node, "'%s' is no %s address", quoted, families[family]);
        return true;
}

static bool read_address(xmlNode *node, unsigned family, GArray *ips, GError **error)
{
        struct link_ip ip;
        unsigned prefix;

        if (!read_ip(node, "address", family, &ip, error))
                return false;
        prefix = ip.prefix;
        if (!xml_get_uint(node, "prefix", &prefix, error))
                return false;
        if (prefix > ip.prefix)
                return xml_error(error, node, "prefix %u of an %s address, expected 0 to %u", prefix,
                                 families[family], ip.prefix);
        for (unsigned i = 0; i < ips->len; i++) {
                if (memcmp(g_array_index(ips, struct link_ip, i).bytes, ip.bytes, sizeof(ip.bytes)) == 0)
                        return xml_error(error, node, "an address that is there twice");
        }
        if (ips->len == INTERFACE_IPS_MAX)
                return xml_error(error, node, "more than %d addresses", INTERFACE_IPS_MAX);
        ip.prefix = (uint8_t)prefix;
        g_array_append_val(ips, ip);
        return true;
}

/* A gateway must be on a network of the interface; DHCP and router advertisements may bring one yet. */
static bool check_gateway(const struct interface_protocol *protocol, const struct link_ip *gateway,
                          xmlNode *node, GError **error)
{
        char text[LINK_IP_SIZE];

        if (protocol->dhcp || protocol->autoconf ||
            (gateway->family == AF_INET6 && gateway->bytes[0] == 0xfe && (gateway->bytes[1] & 0xc0) == 0x80))
                return true;
        for (unsigned i = 0; i < protocol->ips->len; i++)
                if (link_ip_contains(&g_array_index(protocol->ips, struct link_ip, i), gateway))
                        return true;
        return xml_error(error, node, "gateway %s is on no network of the interface",
                         link_ip_format(gateway, text));
}

static bool read_route(xmlNode *node, unsigned family, struct interface_protocol *protocol, GError **error)
{
        struct link_ip gateway;

        if (!read_ip(node, "gateway", family, &gateway, error) ||
            !check_gateway(protocol, &gateway, node, error))
                return false;
        if (protocol->gateways->len > 0)
                return xml_error(error, node, "more than one default route of family %s", families[family]);
        g_array_append_val(protocol->gateways, gateway);
        return true;
}

static bool read_dhcp(struct interface_protocol *protocol, xmlNode *node, GError **error)
{
        bool peer_dns = true;

        protocol->dhcp = node != NULL;
        if (!xml_get_yes_no(node, "peerdns", &peer_dns, error))
                return false;
        protocol->no_peer_dns = !peer_dns;
        return true;
}

static bool read_family(struct interface_protocol *protocol, unsigned family, xmlNode *node, GError **error)
{
        const xmlNode *autoconf = xml_child(node, "autoconf");

        if (protocol->is_there)
                return xml_error(error, node, "more than one protocol of family %s", families[family]);
        protocol->is_there = true;
        protocol->ips = g_array_new(FALSE, FALSE, sizeof(struct link_ip));
        protocol->gateways = g_array_new(FALSE, FALSE, sizeof(struct link_ip));
        if (autoconf && family_numbers[family] != AF_INET6)
                return xml_error(error, autoconf, "only IPv6 configures itself by router advertisements");
        protocol->autoconf = autoconf != NULL;
        if (!read_dhcp(protocol, xml_child(node, "dhcp"), error))
                return false;
        for (xmlNode *ip = xml_child(node, "ip"); ip; ip = xml_next(ip))
                if (!read_address(ip, family, protocol->ips, error))
                        return false;
        for (xmlNode *route = xml_child(node, "route"); route; route = xml_next(route))
                if (!read_route(route, family, protocol, error))
                        return false;
        return true;
}

static bool read_protocols(struct interface_def *def, xmlNode *root, GError **error)
{
        for (xmlNode *node = xml_child(root, "protocol"); node; node = xml_next(node)) {
                int family = -1;

                if (!xml_get_enum(node, "family", families, INTERFACE_FAMILIES, &family, error))
                        return false;
                if (family < 0)
                        return xml_error(error, node, "a protocol without a family, ipv4 or ipv6");
                if (!read_family(&def->protocols[family], (unsigned)family, node, error))
                        return false;
        }
        return true;
}

/* ---- types ---- */

static struct interface_def *read_interface(xmlNode *node, unsigned depth, GError **error);

static bool check_port(const struct interface_def *def, const struct interface_def *port, xmlNode *node,
                       GError **error)
{
        if (port->type == INTERFACE_BRIDGE ||
            (def->type == INTERFACE_BOND && port->type != INTERFACE_ETHERNET))
                return xml_error(
                        error, node, "%s %s cannot be a port of %s %s",
                        error_article(interface_type_names[port->type]), interface_type_names[port->type],
                        error_article(interface_type_names[def->type]), interface_type_names[def->type]);
        if (interface_def_uses(port, def->name))
                return xml_error(error, node, "interface '%s' is part of itself", def->name);
        for (unsigned i = 0; i < def->ports->len; i++) {
                const struct interface_def *other = g_ptr_array_index(def->ports, i);

                if (interface_def_uses(other, port->name) || interface_def_uses(port, other->name))
                        return xml_error(error, node, "interface '%s' is there twice", port->name);
        }
        if (def->ports->len == INTERFACE_PORTS_MAX)
                return xml_error(error, node, "more than %d ports", INTERFACE_PORTS_MAX);
        return true;
}

static bool read_ports(struct interface_def *def, xmlNode *parent, unsigned depth, GError **error)
{
        def->ports = g_ptr_array_new_with_free_func((GDestroyNotify)interface_def_unref);
        for (xmlNode *node = xml_child(parent, "interface"); node; node = xml_next(node)) {
                CLEANUP(interface_def_unref)
                struct interface_def *port = read_interface(node, depth + 1, error);

                if (!port || !check_port(def, port, node, error))
                        return false;
                g_ptr_array_add(def->ports, g_steal_pointer(&port));
        }
        return true;
}

static bool read_bridge(struct interface_def *def, xmlNode *root, unsigned depth, GError **error)
{
        xmlNode *node = xml_child(root, "bridge");

        if (!node)
                return xml_error(error, root, "a bridge without <bridge>");
        def->bridge.has_stp = xml_has_attr(node, "stp");
        def->bridge.has_delay = xml_has_attr(node, "delay");
        return xml_get_on_off(node, "stp", &def->bridge.stp, error) &&
               (!def->bridge.has_delay || read_seconds(node, "delay", &def->bridge.delay_cs, error)) &&
               read_ports(def, node, depth, error);
}

static bool read_miimon(struct link_bond *bond, xmlNode *node, GError **error)
{
        int carrier = 1;

        if (!xml_has_attr(node, "freq"))
                return xml_error(error, node, "<miimon> without its attribute 'freq'");
        if (!xml_get_uint(node, "freq", &bond->miimon_ms, error) ||
            !xml_get_uint(node, "updelay", &bond->up_delay_ms, error) ||
            !xml_get_uint(node, "downdelay", &bond->down_delay_ms, error) ||
            !xml_get_enum(node, "carrier", carriers, G_N_ELEMENTS(carriers), &carrier, error))
                return false;
        bond->use_carrier = carrier == 1;
        if (bond->miimon_ms == 0 || bond->miimon_ms > INT32_MAX)
                return xml_error(error, node, "a frequency of %u ms", bond->miimon_ms);
        return true;
}

static bool read_arpmon(struct link_bond *bond, xmlNode *node, GError **error)
{
        int validate = 0;

        if (!xml_has_attr(node, "interval"))
                return xml_error(error, node, "<arpmon> without its attribute 'interval'");
        if (!xml_get_uint(node, "interval", &bond->arp_interval_ms, error) ||
            !read_ip(node, "target", 0, &bond->arp_targets[0], error) ||
            !xml_get_enum(node, "validate", interface_arp_validate_names, INTERFACE_ARP_VALIDATES, &validate,
                          error))
                return false;
        bond->n_arp_targets = 1;
        bond->arp_validate = (unsigned)validate;
        if (bond->arp_interval_ms == 0 || bond->arp_interval_ms > INT32_MAX)
                return xml_error(error, node, "an interval of %u ms", bond->arp_interval_ms);
        /* The kernel says no more than "invalid argument". */
        if (bond->mode == BOND_MODE_8023AD || bond->mode == BOND_MODE_TLB || bond->mode == BOND_MODE_ALB)
                return xml_error(error, node, "a bond of mode %s cannot be watched by ARP, only by <miimon>",
                                 interface_bond_mode_names[bond->mode]);
        return true;
}

static bool read_bond(struct interface_def *def, xmlNode *root, unsigned depth, GError **error)
{
        xmlNode *node = xml_child(root, "bond");
        xmlNode *miimon = xml_child(node, "miimon"), *arpmon = xml_child(node, "arpmon");
        int mode = 0;

        if (!node)
                return xml_error(error, root, "a bond without <bond>");
        if (miimon && arpmon)
                return xml_error(error, arpmon, "a bond is watched by <miimon> or by <arpmon>, not by both");
        if (!xml_get_enum(node, "mode", interface_bond_mode_names, INTERFACE_BOND_MODES, &mode, error))
                return false;
        def->bond.mode = (uint8_t)mode;
        return (!miimon || read_miimon(&def->bond, miimon, error)) &&
               (!arpmon || read_arpmon(&def->bond, arpmon, error)) && read_ports(def, node, depth, error) &&
               (def->ports->len > 0 || xml_error(error, node, "a bond without ports"));
}

static bool read_vlan(struct interface_def *def, xmlNode *root, unsigned depth, GError **error)
{
        xmlNode *node = xml_child(root, "vlan"), *lower = xml_child(node, "interface");

        if (!node || !xml_has_attr(node, "tag"))
                return xml_error(error, node ? node : root, "a VLAN without its tag");
        if (!lower)
                return xml_error(error, node, "a VLAN without the interface that it is on");
        if (!xml_get_uint(node, "tag", &def->vlan_tag, error) || !read_name(lower, def->lower, error))
                return false;
        if (def->vlan_tag == 0 || def->vlan_tag > VLAN_MAX)
                return xml_error(error, node, "VLAN tag %u, expected 1 to %d", def->vlan_tag, VLAN_MAX);
        return strcmp(def->lower, def->name) != 0 ||
               xml_error(error, node, "interface '%s' is on itself", def->name);
}

static bool read_ethernet(struct interface_def *def, xmlNode *root, unsigned depth, GError **error)
{
        return true;
}

static bool (*const readers[INTERFACE_TYPES])(struct interface_def *def, xmlNode *root, unsigned depth,
                                              GError **error) = {
        [INTERFACE_ETHERNET] = read_ethernet,
        [INTERFACE_BRIDGE] = read_bridge,
        [INTERFACE_BOND] = read_bond,
        [INTERFACE_VLAN] = read_vlan,
};

static bool read_type(struct interface_def *def, xmlNode *node, GError **error)
{
        int type = -1;

        if (!xml_get_enum(node, "type", interface_type_names, INTERFACE_TYPES, &type, error))
                return false;
        if (type < 0)
                return xml_error(error, node, "an interface without a type: ethernet, bridge, bond or vlan");
        def->type = (enum interface_type)type;
        return true;
}

/* A VLAN without a name is called after what it is on and its tag. */
static bool name_vlan(xmlNode *node, GError **error)
{
        xmlNode *vlan = xml_child(node, "vlan");
        g_autofree char *lower = xml_attr(xml_child(vlan, "interface"), "name"), *tag = xml_attr(vlan, "tag");
        g_autofree char *name = NULL;

        if (!lower || !tag || xml_has_attr(node, "name"))
                return true;
        name = g_strdup_printf("%s.%s", lower, tag);
        if (!interface_check_name(name, error))
                return false;
        xml_set_attr(node, "name", name);
        return true;
}

static struct interface_def *read_interface(xmlNode *node, unsigned depth, GError **error)
{
        CLEANUP(interface_def_unref) struct interface_def *def = g_new0(struct interface_def, 1);

        def->refs = 1;
        if (depth > DEPTH_MAX) {
                xml_error(error, node, "interfaces within interfaces more than %d levels deep", DEPTH_MAX);
                return NULL;
        }
        if (!read_type(def, node, error) || (def->type == INTERFACE_VLAN && !name_vlan(node, error)) ||
            !read_name(node, def->name, error) || !read_mac(def, xml_child(node, "mac"), error) ||
            !read_mtu(def, xml_child(node, "mtu"), error) ||
            !read_start(def, xml_child(node, "start"), error) ||
            !readers[def->type](def, node, depth, error) || !read_protocols(def, node, error))
                return NULL;
        if (depth > 0 && (def->protocols[0].is_there || def->protocols[1].is_there)) {
                xml_error(error, node, "port '%s' has no protocols of its own", def->name);
                return NULL;
        }
        return g_steal_pointer(&def);
}

/* ---- the document ---- */

/* As libvirt writes them. */
static const char *const interface_order[] = { "start",  "mtu",  "protocol", "mac",
                                               "bridge", "bond", "vlan",     NULL };
static const char *const protocol_order[] = { "autoconf", "dhcp", "ip", "route", NULL };
static const char *const attributes[] = { "type", "name", NULL };
static const char *const bridge_attributes[] = { "stp", "delay", NULL };
static const char *const miimon_attributes[] = { "freq", "downdelay", "updelay", "carrier", NULL };

static void order_attributes(xmlNode *node, const char *const names[])
{
        for (; node && *names; names++) {
                g_autofree char *value = xml_attr(node, *names);

                xml_set_attr(node, *names, NULL);
                xml_set_attr(node, *names, value);
        }
}

static void complete(xmlNode *node)
{
        xmlNode *bridge = xml_child(node, "bridge"), *bond = xml_child(node, "bond");

        xml_keep_elements(node);
        /* What the kernel says now is no wish. */
        xml_remove_children(node, "link");
        order_attributes(node, attributes);
        order_attributes(bridge, bridge_attributes);
        order_attributes(xml_child(bond, "miimon"), miimon_attributes);
        xml_order_children(node, interface_order);
        for (xmlNode *protocol = xml_child(node, "protocol"); protocol; protocol = xml_next(protocol))
                xml_order_children(protocol, protocol_order);
        for (xmlNode *port = xml_child(bridge ? bridge : bond, "interface"); port; port = xml_next(port))
                complete(port);
}

struct interface_def *interface_def_parse(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "interface", error);
        struct interface_def *def = doc ? read_interface(xml_root(doc), 0, error) : NULL;

        if (!def)
                return NULL;
        complete(xml_root(doc));
        def->xml = xml_write(doc, NULL);
        return def;
}

/* ---- validation ---- */

/* What may stand where: an element, its attributes and its children, by name. */
static const struct {
        const char *element;
        const char *const attributes[5];
        const char *const children[9];
} schema[] = {
        { "interface",
          { "type", "name" },
          { "start", "mtu", "protocol", "mac", "link", "bridge", "bond", "vlan" } },
        { "start", { "mode" }, { NULL } },
        { "mtu", { "size" }, { NULL } },
        { "mac", { "address" }, { NULL } },
        { "link", { "speed", "state" }, { NULL } },
        { "protocol", { "family" }, { "autoconf", "dhcp", "ip", "route" } },
        { "autoconf", { NULL }, { NULL } },
        { "dhcp", { "peerdns" }, { NULL } },
        { "ip", { "address", "prefix" }, { NULL } },
        { "route", { "gateway" }, { NULL } },
        { "bridge", { "stp", "delay" }, { "interface" } },
        { "bond", { "mode" }, { "miimon", "arpmon", "interface" } },
        { "miimon", { "freq", "downdelay", "updelay", "carrier" }, { NULL } },
        { "arpmon", { "interval", "target", "validate" }, { NULL } },
        { "vlan", { "tag" }, { "interface" } },
};

static bool validate_node(const xmlNode *node, GError **error)
{
        const char *name = (const char *)node->name;
        unsigned i = 0;

        while (strcmp(schema[i].element, name) != 0)
                i++;
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                g_autofree char *quoted = error_quote((const char *)attr->name);

                if (!g_strv_contains(schema[i].attributes, (const char *)attr->name))
                        return error_set(error, ERROR_FROM_INTERFACE, ERROR_XML_INVALID_SCHEMA,
                                         "unknown attribute '%s' of <%s> at line %u", quoted, name,
                                         xml_line(node));
        }
        XML_FOREACH_CHILD (child, node) {
                g_autofree char *quoted = error_quote((const char *)child->name);

                if (!g_strv_contains(schema[i].children, (const char *)child->name))
                        return error_set(error, ERROR_FROM_INTERFACE, ERROR_XML_INVALID_SCHEMA,
                                         "unknown element <%s> in <%s> at line %u", quoted, name,
                                         xml_line(child));
                if (!validate_node(child, error))
                        return false;
        }
        return true;
}

bool interface_def_validate(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "interface", error);

        return doc && validate_node(xml_root(doc), error);
}
