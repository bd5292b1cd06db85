/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses and routes of network interfaces: the guest's, and the host's on its end of them.
 */
#include "drivers/domain/definition-xml.h"

#include "interfaces/link.h"

#include <sys/socket.h>

#define ADDRESS_MAX 64

static const char *const family_names[] = { "ipv4", "ipv6", NULL };

static const struct field ip_fields[] = {
        NAME("family", struct domain_ip, family, family_names),
        STRING("address", struct domain_ip, address, .required = true, .max = ADDRESS_MAX),
        STRING("peer", struct domain_ip, peer, .max = ADDRESS_MAX),
        UINT("prefix", struct domain_ip, prefix, .max = 128),
        FIELDS_END,
};
static const struct field route_fields[] = {
        NAME("family", struct domain_route, family, family_names),
        STRING("address", struct domain_route, address, .required = true, .max = ADDRESS_MAX),
        STRING("netmask", struct domain_route, netmask, .max = ADDRESS_MAX),
        STRING("gateway", struct domain_route, gateway, .required = true, .max = ADDRESS_MAX),
        UINT("prefix", struct domain_route, prefix, .max = 128),
        UINT("metric", struct domain_route, metric, .min = 1),
        FIELDS_END,
};

static const struct field_part ip_parts[] = { { NULL, ip_fields }, PARTS_END };
static const struct field_part route_parts[] = { { NULL, route_fields }, PARTS_END };

/* As libvirt writes it, also where it was not said. */
static void spell_out_family(xmlNode *source)
{
        for (xmlNode *node = xml_child(source, "ip"); node; node = xml_next(node)) {
                g_autofree char *text = xml_attr(node, "address");
                struct link_ip ip;

                if (!xml_has_attr(node, "family") && text && link_ip_parse(&ip, text))
                        xml_set_attr(node, "family", ip.family == AF_INET6 ? "ipv6" : "ipv4");
        }
}

static bool read_host_ips(struct domain_reader *reader, xmlNode *source, struct domain_interface *interface,
                          GError **error)
{
        struct domain_host_ips *host;

        if (!xml_child(source, "ip") && !xml_child(source, "route"))
                return true;
        host = domain_arena_alloc(reader->arena, sizeof(*host));
        interface->host_ips = host;
        spell_out_family(source);
        return field_read_array(reader, source, "ip", ip_parts, sizeof(struct domain_ip), &host->ips,
                                &host->n_ips, error) &&
               field_read_array(reader, source, "route", route_parts, sizeof(struct domain_route),
                                &host->routes, &host->n_routes, error);
}

bool domain_read_interface_ips(struct domain_reader *reader, xmlNode *node,
                               struct domain_interface *interface, GError **error)
{
        xmlNode *source = xml_child(node, "source");

        return field_read_array(reader, node, "ip", ip_parts, sizeof(struct domain_ip), &interface->ips,
                                &interface->n_ips, error) &&
               (!source || read_host_ips(reader, source, interface, error));
}
