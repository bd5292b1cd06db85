/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of an interface as the kernel has it now. No state; any thread.
 */
#include "base/xml.h"
#include "interfaces/definition.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* The same states in libvirt's words (IF_OPER_UNKNOWN ... IF_OPER_UP of RFC 2863). */
static const char *const states[] = { "unknown", "notpresent", "down", "lowerlayerdown",
                                      "testing", "dormant",    "up" };

static void add_port(xmlNode *node, const struct link *link, const struct link_set *set, bool config);

static enum interface_type get_type(const struct link *link)
{
        for (enum interface_type type = INTERFACE_BRIDGE; type < INTERFACE_TYPES; type++)
                if (link_is(link, interface_type_names[type]))
                        return type;
        return INTERFACE_ETHERNET;
}

static void add_link(xmlNode *node, const struct link *link)
{
        xmlNode *element = xml_add(node, "link");

        if (link->speed_mbps)
                xml_set_attr_format(element, "speed", "%u", link->speed_mbps);
        xml_set_attr(element, "state", link->state < G_N_ELEMENTS(states) ? states[link->state] : states[0]);
}

/* ---- protocols ---- */

/*
 * What a definition would have to say: not what a DHCP client, a router or the kernel itself has added and
 * will add again.
 */
static bool is_configured(const struct link_address *address)
{
        return !address->is_dynamic && address->scope != RT_SCOPE_LINK;
}

static bool has_dynamic(const struct link *link, uint8_t family)
{
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);

                if (address->ip.family == family && address->is_dynamic)
                        return true;
        }
        return false;
}

static void add_addresses(xmlNode *protocol, const struct link *link, uint8_t family, bool config)
{
        char text[LINK_IP_SIZE];

        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);
                xmlNode *element;

                if (address->ip.family != family || (config && !is_configured(address)))
                        continue;
                element = xml_add(protocol, "ip");
                xml_set_attr(element, "address", link_ip_format(&address->ip, text));
                xml_set_attr_format(element, "prefix", "%u", address->ip.prefix);
        }
}

/* A definition has one default route, to a host that is on one of its networks. */
static bool can_be_defined(const struct link *link, const struct link_ip *gateway)
{
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);

                if (is_configured(address) && link_ip_contains(&address->ip, gateway))
                        return true;
        }
        return false;
}

static void add_routes(xmlNode *protocol, const struct link *link, uint8_t family, bool config)
{
        char text[LINK_IP_SIZE];

        for (unsigned i = 0; i < link->routes->len; i++) {
                const struct link_route *route = &g_array_index(link->routes, struct link_route, i);

                if (route->destination.prefix != 0 || route->gateway.family != family ||
                    (config && !can_be_defined(link, &route->gateway)))
                        continue;
                xml_set_attr(xml_add(protocol, "route"), "gateway", link_ip_format(&route->gateway, text));
                if (config)
                        return;
        }
}

static bool has_family(const struct link *link, uint8_t family, bool config)
{
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);

                if (address->ip.family == family &&
                    (!config || address->is_dynamic || is_configured(address)))
                        return true;
        }
        return false;
}

static void add_protocol(xmlNode *node, const struct link *link, unsigned i, const struct interface_def *def,
                         bool config)
{
        static const struct {
                const char *name, *automatic;
                uint8_t number;
        } families[INTERFACE_FAMILIES] = { { "ipv4", "dhcp", AF_INET }, { "ipv6", "autoconf", AF_INET6 } };
        const struct interface_protocol *wish = def ? &def->protocols[i] : NULL;
        uint8_t family = families[i].number;
        xmlNode *protocol;

        if (!has_family(link, family, config) && !(wish && wish->is_there))
                return;
        protocol = xml_add(node, "protocol");
        xml_set_attr(protocol, "family", families[i].name);
        if (wish && wish->autoconf)
                xml_add(protocol, "autoconf");
        if (wish && wish->dhcp)
                xml_set_attr(xml_add(protocol, "dhcp"), "peerdns", wish->no_peer_dns ? "no" : NULL);
        if (config && has_dynamic(link, family))
                xml_add(protocol, families[i].automatic);
        add_addresses(protocol, link, family, config);
        add_routes(protocol, link, family, config);
}

/* ---- types ---- */

/* The taps of guests come and go with them: no definition has them. */
static void add_ports(xmlNode *parent, const struct link *link, const struct link_set *set, bool config)
{
        for (unsigned i = 0; i < set->count; i++)
                if (set->links[i]->master == link->index && !(config && link_is(set->links[i], "tun")))
                        add_port(xml_add(parent, "interface"), set->links[i], set, config);
}

static void add_bridge(xmlNode *node, const struct link *link, const struct link_set *set, bool config)
{
        unsigned delay = link->bridge.delay_cs;
        xmlNode *bridge = xml_add(node, "bridge");

        xml_set_attr(bridge, "stp", link->bridge.stp ? "on" : "off");
        if (delay % 100 == 0)
                xml_set_attr_format(bridge, "delay", "%u", delay / 100);
        else
                xml_set_attr_format(bridge, "delay", delay % 10 ? "%u.%02u" : "%u.%u", delay / 100,
                                    delay % 10 ? delay % 100 : delay % 100 / 10);
        add_ports(bridge, link, set, config);
}

static void add_monitor(xmlNode *bond, const struct link_bond *values)
{
        char text[LINK_IP_SIZE];
        xmlNode *monitor;

        if (values->miimon_ms) {
                monitor = xml_add(bond, "miimon");
                xml_set_attr_format(monitor, "freq", "%u", values->miimon_ms);
                if (values->down_delay_ms)
                        xml_set_attr_format(monitor, "downdelay", "%u", values->down_delay_ms);
                if (values->up_delay_ms)
                        xml_set_attr_format(monitor, "updelay", "%u", values->up_delay_ms);
                xml_set_attr(monitor, "carrier", values->use_carrier ? "netif" : "ioctl");
        } else if (values->arp_interval_ms && values->n_arp_targets) {
                monitor = xml_add(bond, "arpmon");
                xml_set_attr_format(monitor, "interval", "%u", values->arp_interval_ms);
                xml_set_attr(monitor, "target", link_ip_format(&values->arp_targets[0], text));
                if (values->arp_validate < INTERFACE_ARP_VALIDATES)
                        xml_set_attr(monitor, "validate", interface_arp_validate_names[values->arp_validate]);
        }
}

static void add_bond(xmlNode *node, const struct link *link, const struct link_set *set, bool config)
{
        xmlNode *bond = xml_add(node, "bond");

        if (link->bond.mode < INTERFACE_BOND_MODES)
                xml_set_attr(bond, "mode", interface_bond_mode_names[link->bond.mode]);
        add_monitor(bond, &link->bond);
        add_ports(bond, link, set, config);
}

static void add_vlan(xmlNode *node, const struct link *link, const struct link_set *set)
{
        const struct link *lower = link->lower ? link_set_find_index(set, link->lower) : NULL;
        xmlNode *vlan = xml_add(node, "vlan");

        xml_set_attr_format(vlan, "tag", "%u", link->vlan_id);
        if (lower)
                xml_set_attr(xml_add(vlan, "interface"), "name", lower->name);
}

static void add_type(xmlNode *node, const struct link *link, const struct link_set *set, bool config)
{
        switch (get_type(link)) {
        case INTERFACE_BRIDGE:
                add_bridge(node, link, set, config);
                break;
        case INTERFACE_BOND:
                add_bond(node, link, set, config);
                break;
        case INTERFACE_VLAN:
                add_vlan(node, link, set);
                break;
        default:
                break;
        }
}

static void add_start(xmlNode *node, const struct interface_def *def)
{
        if (def && interface_start_names[def->start])
                xml_set_attr(xml_add(node, "start"), "mode", interface_start_names[def->start]);
}

static void add_port(xmlNode *node, const struct link *link, const struct link_set *set, bool config)
{
        enum interface_type type = get_type(link);

        xml_set_attr(node, "type", interface_type_names[type]);
        xml_set_attr(node, "name", link->name);
        if (!config)
                add_link(node, link);
        if (*link->mac && (!config || type == INTERFACE_ETHERNET))
                xml_set_attr(xml_add(node, "mac"), "address", link->mac);
        add_type(node, link, set, config);
}

char *interface_format_live(const struct link *link, const struct link_set *set,
                            const struct interface_def *def, bool config)
{
        g_autoptr(xmlDoc) doc = xml_new("interface");
        xmlNode *root = xml_root(doc);
        enum interface_type type = get_type(link);

        xml_set_attr(root, "type", interface_type_names[type]);
        xml_set_attr(root, "name", link->name);
        add_start(root, def);
        xml_set_attr_format(xml_add(root, "mtu"), "size", "%u", link->mtu);
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++)
                add_protocol(root, link, i, def, config);
        if (!config)
                add_link(root, link);
        if (*link->mac)
                xml_set_attr(xml_add(root, "mac"), "address", link->mac);
        add_type(root, link, set, config);
        return xml_write(doc, NULL);
}
