/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a network: read, checked, completed and put in libvirt's order. The document is kept and
 * written; the typed view is read from it. Any thread.
 */
#include "base/error.h"
#include "drivers/network/network-xml.h"
#include "interfaces/virtual-port-xml.h"
#include "interfaces/vlan-xml.h"
#include "nodedev/pci.h"

#include <string.h>

/* IEEE 802.1D: forward delay, in seconds; libvirt takes any. */
#define BRIDGE_DELAY_MAX 30
/* RFC 791, and what a bridge of Linux takes. */
#define MTU_MIN 68
#define MTU_MAX 65535

/* ---- identity ---- */

static bool check_name(const xmlNode *root, const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        if (!name || !*name)
                return xml_error(error, root, "missing name of the network");
        if (strchr(name, '/'))
                return xml_error(error, root, "name %s cannot contain '/'", quoted);
        if (strlen(name) > NETWORK_NAME_MAX)
                return xml_error(error, root, "network name '%s' is longer than %d bytes", quoted,
                                 NETWORK_NAME_MAX);
        if (strspn(name, " ") == strlen(name) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return xml_error(error, root, "'%s' cannot be a network's name", quoted);
        return true;
}

static bool read_identity(struct network_def *def, xmlNode *root, GError **error)
{
        const xmlNode *node = xml_child(root, "uuid");
        g_autofree char *uuid = xml_text(node), *quoted = error_quote(uuid);
        char text[UUID_STRING_LENGTH + 1];

        def->base.name = xml_child_text(root, "name");
        if (!check_name(root, def->base.name, error))
                return false;
        if (!node)
                uuid_generate(&def->base.uuid);
        else if (!uuid_parse(&def->base.uuid, uuid ? g_strstrip(uuid) : "", NULL))
                return xml_error(error, node, "malformed uuid '%s'", quoted);
        xml_remove_children(root, "uuid");
        xml_add_text(root, "uuid", uuid_format(&def->base.uuid, text));
        return true;
}

/* ---- <forward> ---- */

static bool read_nat(struct network_nat *nat, const xmlNode *node, GError **error)
{
        xmlNode *range = xml_child(node, "address");
        const xmlNode *port = xml_child(node, "port");

        if (!xml_get_yes_no(node, "ipv6", &nat->ipv6, error) ||
            !network_xml_get_address(range, "start", &nat->start, error) ||
            !network_xml_get_address(range, "end", &nat->end, error) ||
            !xml_get_uint(port, "start", &nat->port_start, error) ||
            !xml_get_uint(port, "end", &nat->port_end, error))
                return false;
        if (range && nat->start.family == AF_UNSPEC)
                return xml_error(error, range, "missing start of the addresses of NAT");
        if (nat->end.family == AF_UNSPEC)
                nat->end = nat->start;
        if (range && (nat->start.family != nat->end.family || nat->start.family != AF_INET ||
                      network_address_compare(&nat->start, &nat->end) > 0))
                return xml_error(error, range, "the addresses of NAT are not a range of IPv4");
        if (port && (nat->port_start < 1 || nat->port_end < nat->port_start || nat->port_end > UINT16_MAX))
                return xml_error(error, port, "the ports of NAT are not a range from 1 to 65535");
        if (range) {
                network_xml_set_address(range, "start", &nat->start);
                network_xml_set_address(range, "end", &nat->end);
        }
        return true;
}

static bool read_interfaces(struct network_def *def, xmlNode *node, GError **error)
{
        for (const xmlNode *child = xml_child(node, "interface"); child; child = xml_next(child)) {
                g_autofree char *name = network_xml_need_attr(child, "dev", error);

                if (!name || !network_xml_check_device(child, name, error))
                        return false;
                if (g_ptr_array_find_with_equal_func(def->forward_interfaces, name, g_str_equal, NULL))
                        return xml_error(error, child, "interface '%s' is there twice", name);
                g_ptr_array_add(def->forward_interfaces, g_steal_pointer(&name));
        }
        return true;
}

/* libvirt has the device as an attribute and as the first interface. */
static void complete_forward_device(struct network_def *def, xmlNode *node)
{
        xmlNode *interface = xml_child(node, "interface");

        if (!interface && def->forward_device) {
                interface = xml_add(node, "interface");
                xml_set_attr(interface, "dev", def->forward_device);
        } else if (interface) {
                g_free(def->forward_device);
                def->forward_device = xml_attr(interface, "dev");
        }
        if (!def->forward_device)
                return;
        xml_set_attr(node, "dev", NULL);
        xml_set_attr(node, "mode", NULL);
        xml_set_attr(node, "dev", def->forward_device);
        xml_set_attr(node, "mode", network_forward_get_name(def->forward));
}

/* The virtual functions of hostdev: addresses on PCI, written as libvirt does. */
static const struct pci_part {
        const char *name;
        unsigned limit;
        int digits;
} pci_parts[] = {
        { "domain", 0xffff, 4 },
        { "bus", 0xff, 2 },
        { "slot", 0x1f, 2 },
        { "function", 7, 1 },
};

static bool read_function(struct network_def *def, xmlNode *node, GError **error)
{
        unsigned values[G_N_ELEMENTS(pci_parts)];
        g_autofree char *type = xml_attr(node, "type"), *name = NULL;

        if (g_strcmp0(type, "pci") != 0)
                return xml_error(error, node, "the address of a device in the pool is not of type 'pci'");
        for (unsigned i = 0; i < G_N_ELEMENTS(pci_parts); i++) {
                const struct pci_part *part = &pci_parts[i];
                unsigned value = 0;

                if (!xml_get_uint_hex(node, part->name, &value, error))
                        return false;
                if (value > part->limit)
                        return xml_error(error, node, "PCI %s %u is more than %u", part->name, value,
                                         part->limit);
                xml_set_attr_format(node, part->name, "0x%0*x", part->digits, value);
                values[i] = value;
        }
        name = pci_format_name(values[0], values[1], values[2], values[3]);
        if (g_ptr_array_find_with_equal_func(def->forward_functions, name, g_str_equal, NULL))
                return xml_error(error, node, "PCI device %s is there twice", name);
        g_ptr_array_add(def->forward_functions, g_steal_pointer(&name));
        return true;
}

/* What is in the pool of mode hostdev, and how its devices are taken. */
static bool read_functions(struct network_def *def, xmlNode *node, GError **error)
{
        xmlNode *physical = xml_child(node, "pf"), *driver = xml_child(node, "driver");

        def->forward_physical = xml_attr(physical, "dev");
        def->forward_driver = xml_attr(driver, "name");
        for (xmlNode *child = xml_child(node, "address"); child; child = xml_next(child))
                if (!read_function(def, child, error))
                        return false;
        if (!network_xml_check_device(physical, def->forward_physical, error) ||
            !xml_get_yes_no(node, "managed", &def->forward_managed, error))
                return false;
        if (def->forward != NETWORK_FORWARD_HOSTDEV)
                return true;
        xml_set_attr(node, "managed", def->forward_managed ? "yes" : "no");
        return def->forward_interfaces->len == 0 ||
               error_set(
                       error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                       "hostdev network '%s' lists '%s' in the device pool, but hostdev networks require all "
                       "devices to be listed by PCI address, not network device name",
                       def->base.name, (char *)def->forward_interfaces->pdata[0]);
}

static bool check_forward_parts(const struct network_def *def, xmlNode *node, GError **error)
{
        bool is_hostdev = def->forward == NETWORK_FORWARD_HOSTDEV;

        if (xml_child(node, "nat") && def->forward != NETWORK_FORWARD_NAT)
                return xml_error(error, node, "<nat> needs forward mode 'nat'");
        if (!is_hostdev &&
            (xml_child(node, "address") || xml_child(node, "driver") || xml_has_attr(node, "managed")))
                return xml_error(error, node, "<address>, <driver> and managed need forward mode 'hostdev'");
        if (def->forward <= NETWORK_FORWARD_OPEN && def->forward_interfaces->len > 1)
                return xml_error(error, node, "more than one interface in forward mode '%s'",
                                 network_forward_get_name(def->forward));
        if (def->forward == NETWORK_FORWARD_OPEN && def->forward_device)
                return xml_error(error, node, "forward mode 'open' takes no device");
        return true;
}

static bool read_forward(struct network_def *def, xmlNode *root, GError **error)
{
        static const char *const names[NETWORK_FORWARD_COUNT] = {
                NULL, "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev",
        };
        xmlNode *node = xml_child(root, "forward");
        int mode = NETWORK_FORWARD_NAT;

        def->forward_interfaces = g_ptr_array_new_with_free_func(g_free);
        def->forward_functions = g_ptr_array_new_with_free_func(g_free);
        if (!node)
                return true;
        if (!xml_get_enum(node, "mode", names, NETWORK_FORWARD_COUNT, &mode, error))
                return false;
        def->forward = (enum network_forward)mode;
        xml_set_attr(node, "mode", names[mode]);
        def->forward_device = xml_attr(node, "dev");
        if (!network_xml_check_device(node, def->forward_device, error) ||
            !read_nat(&def->nat, xml_child(node, "nat"), error))
                return false;
        complete_forward_device(def, node);
        return read_interfaces(def, node, error) && check_forward_parts(def, node, error) &&
               read_functions(def, node, error);
}

/* ---- the bridge and what is one to a network ---- */

static void complete_bridge(const struct network_def *def, xmlNode *node)
{
        xml_set_attr(node, "stp", def->bridge_stp ? "on" : "off");
        xml_set_attr_format(node, "delay", "%u", def->bridge_delay_s);
}

static bool read_bridge(struct network_def *def, xmlNode *root, GError **error)
{
        xmlNode *node = xml_child(root, "bridge");

        def->bridge = xml_attr(node, "name");
        def->bridge_zone = xml_attr(node, "zone");
        def->bridge_stp = true;
        if (!network_xml_check_device(node, def->bridge, error) ||
            !xml_get_on_off(node, "stp", &def->bridge_stp, error) ||
            !xml_get_uint(node, "delay", &def->bridge_delay_s, error))
                return false;
        if (def->bridge_delay_s > BRIDGE_DELAY_MAX)
                return xml_error(error, node, "delay %u of the bridge is more than %d seconds",
                                 def->bridge_delay_s, BRIDGE_DELAY_MAX);
        if (network_forward_has_own_bridge(def->forward))
                complete_bridge(def, node ? node : xml_add(root, "bridge"));
        else if (xml_has_attr(node, "stp") || xml_has_attr(node, "delay"))
                return xml_error(error, node, "forward mode '%s' takes no stp and delay of the bridge",
                                 network_forward_get_name(def->forward));
        return true;
}

static bool read_mac(struct network_def *def, xmlNode *node, GError **error)
{
        g_autofree char *mac = xml_attr(node, "address");

        if (!node)
                return true;
        if (!mac)
                return xml_error(error, node, "missing required attribute 'address'");
        if (!network_xml_check_mac(node, mac, error))
                return false;
        def->mac = g_ascii_strdown(mac, -1);
        xml_set_attr(node, "address", def->mac);
        return true;
}

static bool read_domain(struct network_def *def, const xmlNode *node, GError **error)
{
        def->domain = xml_attr(node, "name");
        if (def->domain && strpbrk(def->domain, " ,/\"\\#"))
                return xml_error(error, node, "the name of the domain cannot be a name of DNS");
        return xml_get_yes_no(node, "localOnly", &def->domain_local_only, error);
}

static bool read_single(struct network_def *def, xmlNode *root, GError **error)
{
        const xmlNode *mtu = xml_child(root, "mtu");

        if (!xml_get_yes_no(root, "ipv6", &def->ipv6, error) || !read_bridge(def, root, error) ||
            !xml_get_uint(mtu, "size", &def->mtu, error) || !read_mac(def, xml_child(root, "mac"), error) ||
            !read_domain(def, xml_child(root, "domain"), error) ||
            !xml_get_yes_no(xml_child(root, "port"), "isolated", &def->isolated_ports, error))
                return false;
        return !mtu || (def->mtu >= MTU_MIN && def->mtu <= MTU_MAX) ||
               xml_error(error, mtu, "the MTU is not from %d to %d", MTU_MIN, MTU_MAX);
}

/* ---- routes, port groups, bandwidth ---- */

static bool read_route(struct network_def *def, xmlNode *node, GError **error)
{
        struct network_route *route = g_new0(struct network_route, 1);

        g_ptr_array_add(def->routes, route);
        if (!network_xml_get_network(node, &route->address, &route->prefix, error) ||
            !network_xml_get_address(node, "gateway", &route->gateway, error) ||
            !xml_get_uint(node, "metric", &route->metric, error))
                return false;
        if (route->gateway.family != route->address.family)
                return xml_error(error, node, "a route needs a gateway of the address's family");
        if (xml_has_attr(node, "metric") && route->metric == 0)
                return xml_error(error, node, "the metric of a route is more than 0");
        network_xml_set_address(node, "gateway", &route->gateway);
        return true;
}

static bool read_rate(xmlNode *node, struct traffic_rate *rate, GError **error)
{
        if (!xml_get_uint(node, "average", &rate->average_kbps, error) ||
            !xml_get_uint(node, "peak", &rate->peak_kbps, error) ||
            !xml_get_uint(node, "burst", &rate->burst_kib, error))
                return false;
        if (xml_has_attr(node, "floor"))
                return xml_error(error, node, "floor attribute is not supported for a network");
        return !node || rate->average_kbps > 0 || xml_error(error, node, "missing average of the bandwidth");
}

static bool read_bandwidth(const xmlNode *node, struct traffic *traffic, GError **error)
{
        return read_rate(xml_child(node, "inbound"), &traffic->inbound, error) &&
               read_rate(xml_child(node, "outbound"), &traffic->outbound, error);
}

/* Of a network or a port group: it is kept in the document, and what has it cannot be used. */
static const char *find_unsupported(const xmlNode *root)
{
        const xmlNode *bridge = xml_child(root, "bridge");
        g_autofree char *manager = xml_attr(bridge, "macTableManager");

        /* The kernel manages the table anyway. */
        if (xml_has_attr(bridge, "macTableManager") && g_strcmp0(manager, "kernel") != 0)
                return "attribute 'macTableManager' of <bridge>";
        return NULL;
}

static bool read_trust(const xmlNode *node, enum network_trust *trust, GError **error)
{
        bool trusts = false;

        if (!xml_get_yes_no(node, "trustGuestRxFilters", &trusts, error))
                return false;
        if (xml_has_attr(node, "trustGuestRxFilters"))
                *trust = trusts ? NETWORK_TRUST_YES : NETWORK_TRUST_NO;
        return true;
}

static void portgroup_free(void *data)
{
        struct network_portgroup *group = data;

        g_free(group->name);
        g_free(group);
}

static bool read_portgroups(struct network_def *def, const xmlNode *root, GError **error)
{
        unsigned defaults = 0;

        for (const xmlNode *node = xml_child(root, "portgroup"); node; node = xml_next(node)) {
                g_autofree char *name = network_xml_need_attr(node, "name", error);
                struct network_portgroup group = { .unsupported = find_unsupported(node) };

                if (!name || !xml_get_yes_no(node, "default", &group.is_default, error) ||
                    !read_bandwidth(xml_child(node, "bandwidth"), &group.bandwidth, error) ||
                    !vlan_read(xml_child(node, "vlan"), &group.vlan, error) ||
                    !read_trust(node, &group.trust, error) ||
                    !virtual_port_read(xml_child(node, "virtualport"), 0, &group.virtual_port, error))
                        return false;
                if (network_def_find_portgroup(def, name))
                        return xml_error(error, node, "portgroup '%s' is there twice", name);
                defaults += group.is_default;
                if (defaults > 1)
                        return xml_error(error, node, "more than one portgroup is the default");
                group.name = g_steal_pointer(&name);
                g_ptr_array_add(def->portgroups, g_memdup2(&group, sizeof(group)));
        }
        return true;
}

static bool read_lists(struct network_def *def, xmlNode *root, GError **error)
{
        def->routes = g_ptr_array_new_with_free_func(g_free);
        def->portgroups = g_ptr_array_new_with_free_func(portgroup_free);
        def->unsupported = find_unsupported(root);
        for (xmlNode *node = xml_child(root, "route"); node; node = xml_next(node))
                if (!read_route(def, node, error))
                        return false;
        return read_trust(root, &def->trust, error) &&
               virtual_port_read(xml_child(root, "virtualport"), VIRTUAL_PORT_NEEDS_TYPE, &def->virtual_port,
                                 error) &&
               read_portgroups(def, root, error) && vlan_read(xml_child(root, "vlan"), &def->vlan, error) &&
               read_bandwidth(xml_child(root, "bandwidth"), &def->bandwidth, error);
}

/* ---- the document ---- */

static bool read_document(struct network_def *def, xmlNode *root, GError **error)
{
        return read_identity(def, root, error) && read_forward(def, root, error) &&
               read_single(def, root, error) && network_dns_read(&def->dns, xml_child(root, "dns"), error) &&
               network_ips_read(def, root, error) && read_lists(def, root, error) &&
               network_options_read(def, root, error) && network_def_check(def, error);
}

struct network_def *network_def_from(xmlDoc *doc, GError **error)
{
        CLEANUP(network_def_unref) struct network_def *def = g_new0(struct network_def, 1);
        xmlNode *root = xml_root(doc);

        definition_init(&def->base, &network_kind);
        if (!network_schema_tidy(root, error) || !read_document(def, root, error) ||
            !network_schema_tidy(root, error)) /* what was completed has its place */
                return NULL;
        def->base.xml = network_schema_write(doc);
        return g_steal_pointer(&def);
}

struct network_def *network_def_parse_new(const char *xml, const struct network_chooser *chooser,
                                          GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "network", error);

        return doc && network_xml_choose_subnets(xml_root(doc), chooser, error) ? network_def_from(doc, error)
                                                                                : NULL;
}

struct network_def *network_def_parse(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "network", error);

        return doc ? network_def_from(doc, error) : NULL;
}

static void set_in_child(xmlNode *root, const char *element, const char *attr, const char *value)
{
        xmlNode *node = xml_child(root, element);

        if (value)
                xml_set_attr(node ? node : xml_add(root, element), attr, value);
}

struct network_def *network_def_with_bridge(const struct network_def *def, const char *bridge,
                                            const char *mac, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "network", error);

        if (!doc)
                return NULL;
        set_in_child(xml_root(doc), "bridge", "name", def->bridge ? NULL : bridge);
        set_in_child(xml_root(doc), "mac", "address", def->mac ? NULL : mac);
        return network_def_from(doc, error);
}
