/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links as a document. No state; any thread.
 */
#include "interfaces/links-xml.h"

#include "base/xml.h"
#include "interfaces/definition.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* ---- writing ---- */

static void set_ip(xmlNode *node, const char *attr, const struct link_ip *ip)
{
        char text[LINK_IP_SIZE];

        xml_set_attr_format(node, attr, "%s/%u", link_ip_format(ip, text), ip->prefix);
}

static void add_bond(xmlNode *node, const struct link_bond *bond)
{
        xmlNode *element = xml_add(node, "bond");

        xml_set_attr_format(element, "mode", "%u", bond->mode);
        xml_set_attr_format(element, "miimon", "%u", bond->miimon_ms);
        xml_set_attr_format(element, "updelay", "%u", bond->up_delay_ms);
        xml_set_attr_format(element, "downdelay", "%u", bond->down_delay_ms);
        xml_set_attr(element, "carrier", bond->use_carrier ? "yes" : "no");
        xml_set_attr_format(element, "interval", "%u", bond->arp_interval_ms);
        xml_set_attr_format(element, "validate", "%u", bond->arp_validate);
        for (unsigned i = 0; i < bond->n_arp_targets; i++)
                set_ip(xml_add(element, "target"), "ip", &bond->arp_targets[i]);
}

static void add_link(xmlNode *root, const struct link *link)
{
        xmlNode *node = xml_add(root, "link");

        xml_set_attr(node, "name", link->name);
        xml_set_attr(node, "kind", link->kind);
        xml_set_attr(node, "mac", *link->mac ? link->mac : NULL);
        xml_set_attr_format(node, "index", "%d", link->index);
        xml_set_attr_format(node, "master", "%d", link->master);
        xml_set_attr_format(node, "lower", "%d", link->lower);
        xml_set_attr_format(node, "mtu", "%u", link->mtu);
        xml_set_attr_format(node, "flags", "%u", link->flags);
        xml_set_attr_format(node, "tag", "%u", link->vlan_id);
        xml_set_attr(node, "stp", link->bridge.stp ? "yes" : "no");
        xml_set_attr_format(node, "delay", "%u", link->bridge.delay_cs);
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);
                xmlNode *element = xml_add(node, "address");

                set_ip(element, "ip", &address->ip);
                xml_set_attr_format(element, "scope", "%u", address->scope);
                xml_set_attr(element, "dynamic", address->is_dynamic ? "yes" : "no");
        }
        for (unsigned i = 0; i < link->routes->len; i++) {
                const struct link_route *route = &g_array_index(link->routes, struct link_route, i);
                xmlNode *element = xml_add(node, "route");

                set_ip(element, "to", &route->destination);
                if (route->gateway.family)
                        set_ip(element, "via", &route->gateway);
                xml_set_attr_format(element, "metric", "%u", route->metric);
                xml_set_attr_format(element, "protocol", "%u", route->protocol);
        }
        if (link_is(link, "bond"))
                add_bond(node, &link->bond);
}

char *links_format(const struct link_set *set, const char *boot_id)
{
        g_autoptr(xmlDoc) doc = xml_new("links");

        xml_set_attr(xml_root(doc), "boot", boot_id);
        for (unsigned i = 0; i < set->count; i++)
                add_link(xml_root(doc), set->links[i]);
        return xml_write(doc, NULL);
}

/* ---- reading ---- */

static bool get_ip(const xmlNode *node, const char *attr, struct link_ip *ip, GError **error)
{
        g_autofree char *text = xml_attr(node, attr);
        char *slash = text ? strchr(text, '/') : NULL;
        uint64_t prefix;

        if (!slash)
                return xml_error(error, node, "no address with a prefix");
        *slash = '\0';
        if (!link_ip_parse(ip, text) ||
            !g_ascii_string_to_unsigned(slash + 1, 10, 0, ip->prefix, &prefix, NULL))
                return xml_error(error, node, "malformed address");
        ip->prefix = (uint8_t)prefix;
        return true;
}

static bool get_byte(const xmlNode *node, const char *attr, uint8_t *value, GError **error)
{
        unsigned number = 0;

        if (!xml_get_uint(node, attr, &number, error))
                return false;
        *value = (uint8_t)number;
        return number <= UINT8_MAX || xml_error(error, node, "malformed '%s'", attr);
}

static bool read_address(struct link *link, const xmlNode *node, GError **error)
{
        struct link_address address;

        memset(&address, 0, sizeof(address));
        if (!get_ip(node, "ip", &address.ip, error) || !get_byte(node, "scope", &address.scope, error) ||
            !xml_get_yes_no(node, "dynamic", &address.is_dynamic, error))
                return false;
        g_array_append_val(link->addresses, address);
        return true;
}

static bool read_route(struct link *link, const xmlNode *node, GError **error)
{
        struct link_route route;

        memset(&route, 0, sizeof(route));
        if (!get_ip(node, "to", &route.destination, error) ||
            (xml_has_attr(node, "via") && !get_ip(node, "via", &route.gateway, error)) ||
            !xml_get_uint(node, "metric", &route.metric, error) ||
            !get_byte(node, "protocol", &route.protocol, error))
                return false;
        g_array_append_val(link->routes, route);
        return true;
}

static bool read_bond(struct link_bond *bond, const xmlNode *node, GError **error)
{
        if (!get_byte(node, "mode", &bond->mode, error) ||
            !xml_get_uint(node, "miimon", &bond->miimon_ms, error) ||
            !xml_get_uint(node, "updelay", &bond->up_delay_ms, error) ||
            !xml_get_uint(node, "downdelay", &bond->down_delay_ms, error) ||
            !xml_get_yes_no(node, "carrier", &bond->use_carrier, error) ||
            !xml_get_uint(node, "interval", &bond->arp_interval_ms, error) ||
            !xml_get_uint(node, "validate", &bond->arp_validate, error))
                return false;
        for (xmlNode *target = xml_child(node, "target"); target; target = xml_next(target)) {
                if (bond->n_arp_targets == LINK_BOND_TARGETS_MAX)
                        return xml_error(error, target, "more than %d targets", LINK_BOND_TARGETS_MAX);
                if (!get_ip(target, "ip", &bond->arp_targets[bond->n_arp_targets++], error))
                        return false;
        }
        return true;
}

static bool read_names(struct link *link, const xmlNode *node, GError **error)
{
        g_autofree char *name = xml_attr(node, "name"), *mac = xml_attr(node, "mac");

        if (!name || (mac && strlen(mac) != LINK_MAC_LENGTH))
                return xml_error(error, node, "a link without a name, or with a malformed MAC address");
        if (!interface_check_name(name, error))
                return false;
        memcpy(link->name, name, strlen(name) + 1);
        if (mac)
                memcpy(link->mac, mac, sizeof(link->mac));
        link->kind = xml_attr(node, "kind");
        return true;
}

static bool read_link(struct link *link, const xmlNode *node, GError **error)
{
        if (!read_names(link, node, error) || !xml_get_int(node, "master", &link->master, error) ||
            !xml_get_int(node, "lower", &link->lower, error) ||
            !xml_get_uint(node, "mtu", &link->mtu, error) ||
            !xml_get_uint(node, "flags", &link->flags, error) ||
            !xml_get_uint(node, "tag", &link->vlan_id, error) ||
            !xml_get_yes_no(node, "stp", &link->bridge.stp, error) ||
            !xml_get_uint(node, "delay", &link->bridge.delay_cs, error))
                return false;
        XML_FOREACH_CHILD (child, node) {
                bool good = true;

                if (xml_is(child, "address"))
                        good = read_address(link, child, error);
                else if (xml_is(child, "route"))
                        good = read_route(link, child, error);
                else if (xml_is(child, "bond"))
                        good = read_bond(&link->bond, child, error);
                if (!good)
                        return false;
        }
        return true;
}

struct link_set *links_parse(const char *text, char **boot_id, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(text, "links", error);
        g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func((GDestroyNotify)link_unref);

        if (!doc)
                return NULL;
        for (xmlNode *node = xml_child(xml_root(doc), "link"); node; node = xml_next(node)) {
                int index = 0;
                struct link *link;

                if (!xml_get_int(node, "index", &index, error))
                        return NULL;
                link = link_new(index);
                g_ptr_array_add(links, link);
                if (!read_link(link, node, error))
                        return NULL;
        }
        *boot_id = xml_attr(xml_root(doc), "boot");
        return link_set_new((struct link *const *)links->pdata, links->len);
}
