/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <dns> of a network. Any thread. */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

/* Of names and services; RFC 1035, RFC 2782. */
#define DNS_NAME_MAX 255

/* ---- freeing ---- */

static void forwarder_free(void *data)
{
        struct network_forwarder *forwarder = data;

        g_free(forwarder->domain);
        g_free(forwarder);
}

static void txt_free(void *data)
{
        struct network_txt *txt = data;

        g_free(txt->name);
        g_free(txt->value);
        g_free(txt);
}

static void srv_free(void *data)
{
        struct network_srv *srv = data;

        g_free(srv->service);
        g_free(srv->protocol);
        g_free(srv->domain);
        g_free(srv->target);
        g_free(srv);
}

static void host_free(void *data)
{
        struct network_dns_host *host = data;

        g_strfreev(host->names);
        g_free(host);
}

void network_dns_clear(struct network_dns *dns)
{
        g_clear_pointer(&dns->forwarders, g_ptr_array_unref);
        g_clear_pointer(&dns->txts, g_ptr_array_unref);
        g_clear_pointer(&dns->srvs, g_ptr_array_unref);
        g_clear_pointer(&dns->hosts, g_ptr_array_unref);
}

bool network_dns_is_used(const struct network_dns *dns)
{
        return dns->disabled || dns->keep_plain_names || dns->forwarders->len || dns->txts->len ||
               dns->srvs->len || dns->hosts->len;
}

/* ---- reading ---- */

/* The comma separates values in the files of dnsmasq. NULL is fine. */
static bool check_name(const xmlNode *node, const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        if (name && (strlen(name) > DNS_NAME_MAX || strpbrk(name, " ,/\"\\#")))
                return xml_error(error, node, "'%s' cannot be a name of DNS", quoted);
        return true;
}

static bool read_forwarder(struct network_dns *dns, xmlNode *node, GError **error)
{
        struct network_forwarder *forwarder = g_new0(struct network_forwarder, 1);

        g_ptr_array_add(dns->forwarders, forwarder);
        forwarder->domain = xml_attr(node, "domain");
        if (!check_name(node, forwarder->domain, error) ||
            !network_xml_get_address(node, "addr", &forwarder->address, error))
                return false;
        if (forwarder->address.family == AF_UNSPEC && !(forwarder->domain && *forwarder->domain))
                return xml_error(error, node, "a forwarder needs a domain, an address or both");
        network_xml_set_address(node, "addr", &forwarder->address);
        return true;
}

static bool read_txt(struct network_dns *dns, xmlNode *node, GError **error)
{
        struct network_txt *txt = g_new0(struct network_txt, 1);

        g_ptr_array_add(dns->txts, txt);
        txt->name = network_xml_need_attr(node, "name", error);
        txt->value = txt->name ? network_xml_need_attr(node, "value", error) : NULL;
        if (!txt->value)
                return false;
        if (strchr(txt->value, '"'))
                return xml_error(error, node, "the value of a TXT record has a quote in it");
        return check_name(node, txt->name, error);
}

static bool read_port(const xmlNode *node, const char *attr, unsigned *value, GError **error)
{
        if (!xml_get_uint(node, attr, value, error))
                return false;
        return *value <= UINT16_MAX || xml_error(error, node, "%s %u is more than 65535", attr, *value);
}

static bool read_srv(struct network_dns *dns, xmlNode *node, GError **error)
{
        struct network_srv *srv = g_new0(struct network_srv, 1);

        g_ptr_array_add(dns->srvs, srv);
        srv->service = network_xml_need_attr(node, "service", error);
        srv->protocol = srv->service ? network_xml_need_attr(node, "protocol", error) : NULL;
        if (!srv->protocol)
                return false;
        srv->domain = xml_attr(node, "domain");
        srv->target = xml_attr(node, "target");
        if (!srv->target &&
            (xml_has_attr(node, "port") || xml_has_attr(node, "priority") || xml_has_attr(node, "weight")))
                return xml_error(error, node, "port, priority and weight need a target");
        return check_name(node, srv->service, error) && check_name(node, srv->protocol, error) &&
               check_name(node, srv->domain, error) && check_name(node, srv->target, error) &&
               read_port(node, "port", &srv->port, error) &&
               read_port(node, "priority", &srv->priority, error) &&
               read_port(node, "weight", &srv->weight, error);
}

static bool read_host(struct network_dns *dns, xmlNode *node, GError **error)
{
        struct network_dns_host *host = g_new0(struct network_dns_host, 1);
        g_autoptr(GStrvBuilder) names = g_strv_builder_new();
        unsigned count = 0;

        g_ptr_array_add(dns->hosts, host);
        if (!network_xml_get_address(node, "ip", &host->address, error))
                return false;
        if (host->address.family == AF_UNSPEC)
                return xml_error(error, node, "missing IP address of a host");
        XML_FOREACH_CHILD (child, node) {
                g_autofree char *name = xml_text(child);

                if (!name || !*name)
                        return xml_error(error, child, "a host without a name");
                if (!check_name(child, name, error))
                        return false;
                g_strv_builder_add(names, name);
                count++;
        }
        host->names = g_strv_builder_end(names);
        network_xml_set_address(node, "ip", &host->address);
        return count > 0 || xml_error(error, node, "a host without a name");
}

static bool read_child(struct network_dns *dns, xmlNode *child, GError **error)
{
        if (xml_is(child, "forwarder"))
                return read_forwarder(dns, child, error);
        if (xml_is(child, "txt"))
                return read_txt(dns, child, error);
        if (xml_is(child, "srv"))
                return read_srv(dns, child, error);
        return read_host(dns, child, error);
}

bool network_dns_read(struct network_dns *dns, xmlNode *node, GError **error)
{
        bool enabled = true, forwards = true;

        dns->forwarders = g_ptr_array_new_with_free_func(forwarder_free);
        dns->txts = g_ptr_array_new_with_free_func(txt_free);
        dns->srvs = g_ptr_array_new_with_free_func(srv_free);
        dns->hosts = g_ptr_array_new_with_free_func(host_free);
        if (!xml_get_yes_no(node, "enable", &enabled, error) ||
            !xml_get_yes_no(node, "forwardPlainNames", &forwards, error))
                return false;
        dns->disabled = !enabled;
        dns->keep_plain_names = !forwards;
        XML_FOREACH_CHILD (child, node) {
                if (!enabled)
                        return xml_error(error, node, "DNS that is not enabled has nothing in it");
                if (!read_child(dns, child, error))
                        return false;
        }
        return true;
}
