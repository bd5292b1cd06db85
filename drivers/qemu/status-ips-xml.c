/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses and routes in the status document (status-xml.c):
 *
 *     <ips alias='net3' link='tap6'>
 *       <ip address='10.9.0.1' prefix='24'/>
 *       <ip address='10.8.0.1' prefix='32' peer='10.8.0.2'/>
 *       <route address='10.50.0.0' prefix='16' gateway='10.9.0.2' metric='1' protocol='3'/>
 *     </ips>
 *
 * No state; any thread.
 */
#include "drivers/qemu/status-ips-xml.h"

/* ---- writing ---- */

static void add_address(GString *text, const char *name, const struct link_ip *ip)
{
        char address[LINK_IP_SIZE];

        g_string_append_printf(text, " %s='%s'", name, link_ip_format(ip, address));
}

static void add_ips(GString *text, const struct link_ips *ips)
{
        for (unsigned i = 0; i < ips->points->len; i++) {
                const struct link_point *point = &g_array_index(ips->points, struct link_point, i);

                g_string_append(text, "<ip");
                add_address(text, "address", &point->ip);
                g_string_append_printf(text, " prefix='%u'", point->ip.prefix);
                if (point->peer.family)
                        add_address(text, "peer", &point->peer);
                g_string_append(text, "/>");
        }
        for (unsigned i = 0; i < ips->routes->len; i++) {
                const struct link_route *route = &g_array_index(ips->routes, struct link_route, i);

                g_string_append(text, "<route");
                add_address(text, "address", &route->destination);
                g_string_append_printf(text, " prefix='%u'", route->destination.prefix);
                add_address(text, "gateway", &route->gateway);
                g_string_append_printf(text, " metric='%u' protocol='%u'/>", route->metric, route->protocol);
        }
}

void status_write_ips(GString *text, const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                const struct status_ips *noted = g_ptr_array_index(list, i);
                g_autofree char *alias = xml_escape(noted->alias), *name = xml_escape(noted->link);

                g_string_append_printf(text, "  <ips alias='%s' link='%s'>", alias, name);
                add_ips(text, noted->ips);
                g_string_append(text, "</ips>\n");
        }
}

/* ---- reading ---- */

static bool read_address(const xmlNode *node, const char *name, struct link_ip *ip, GError **error)
{
        g_autofree char *text = xml_attr(node, name);

        return (text && link_ip_parse(ip, text)) || xml_error(error, node, "malformed %s", name);
}

static bool read_network(const xmlNode *node, struct link_ip *ip, GError **error)
{
        unsigned prefix = 0;

        if (!read_address(node, "address", ip, error) || !xml_get_uint(node, "prefix", &prefix, error))
                return false;
        if (prefix > ip->prefix)
                return xml_error(error, node, "the prefix is longer than the address");
        ip->prefix = (uint8_t)prefix;
        return true;
}

static bool read_point(const xmlNode *node, struct link_ips *ips, GError **error)
{
        struct link_point point = { .peer.family = 0 };

        if (!read_network(node, &point.ip, error) ||
            (xml_has_attr(node, "peer") && !read_address(node, "peer", &point.peer, error)))
                return false;
        g_array_append_val(ips->points, point);
        return true;
}

static bool read_route(const xmlNode *node, struct link_ips *ips, GError **error)
{
        struct link_route route = { .metric = 0 };
        unsigned protocol = 0;

        if (!read_network(node, &route.destination, error) ||
            !read_address(node, "gateway", &route.gateway, error) ||
            !xml_get_uint(node, "metric", &route.metric, error) ||
            !xml_get_uint(node, "protocol", &protocol, error))
                return false;
        route.protocol = (uint8_t)protocol;
        g_array_append_val(ips->routes, route);
        return true;
}

static bool read_entry(const xmlNode *node, struct status *status, GError **error)
{
        CLEANUP(link_ips_free) struct link_ips *ips = link_ips_new();
        g_autofree char *alias = xml_attr(node, "alias"), *name = xml_attr(node, "link");

        if (!alias || !name)
                return xml_error(error, node, "missing alias or link");
        for (const xmlNode *child = xml_child(node, "ip"); child; child = xml_next(child))
                if (!read_point(child, ips, error))
                        return false;
        for (const xmlNode *child = xml_child(node, "route"); child; child = xml_next(child))
                if (!read_route(child, ips, error))
                        return false;
        status_add_ips(status, alias, name, g_steal_pointer(&ips));
        return true;
}

bool status_read_ips(const xmlNode *root, struct status *status, GError **error)
{
        for (const xmlNode *node = xml_child(root, "ips"); node; node = xml_next(node))
                if (!read_entry(node, status, error))
                        return false;
        return true;
}
