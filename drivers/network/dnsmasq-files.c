/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a network's dnsmasq (dnsmasq(8)): its configuration, and the hosts that it reads again on
 * SIGHUP. The definition has no control character, comma, quote or number sign where it would be one here.
 */
#include "base/error.h"
#include "drivers/network/model.h"

#include <string.h>
#include <sys/stat.h>

/* Of the part of an address that says which link it is on. */
#define IPV6_LINK_BITS 64

/* ---- names of files ---- */

static char *make_path(const char *directory, const char *uuid, const char *suffix)
{
        g_autofree char *name = g_strconcat(uuid, suffix, NULL);

        return g_build_filename(directory, name, NULL);
}

/* A user's own runtime directory, say. */
static bool is_closed(const char *directory)
{
        g_autofree char *path = g_canonicalize_filename(directory, NULL);
        struct stat info;

        while (strcmp(path, "/") != 0) {
                char *above;

                if (stat(path, &info) == 0 && !(info.st_mode & S_IXOTH))
                        return true;
                above = g_path_get_dirname(path);
                g_free(path);
                path = above;
        }
        return false;
}

void network_files_init(struct network_files *files, const struct network *network)
{
        const char *directory = network->networks->runtime_dir, *uuid = network->base.uuid_text;
        /* The directory itself is opened for them (dnsmasq.c). */
        g_autofree char *above = g_path_get_dirname(directory);

        *files = (struct network_files){
                .configuration = make_path(directory, uuid, ".conf"),
                .hosts = make_path(directory, uuid, ".hosts"),
                .names = make_path(directory, uuid, ".names"),
                .pid = make_path(directory, uuid, ".pid"),
                .leases = make_path(network->networks->lease_dir, uuid, ""),
                .lease_program = network->networks->lease_program,
                .is_closed = is_closed(above),
        };
}

void network_files_clear(struct network_files *files)
{
        g_free(files->configuration);
        g_free(files->hosts);
        g_free(files->names);
        g_free(files->pid);
        g_free(files->leases);
}

bool network_dnsmasq_is_needed(const struct network_def *def)
{
        if (def->options->len > 0)
                return true;
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                if (!def->dns.disabled || ip->has_dhcp || ip->tftp_root || ip->address.family == AF_INET6)
                        return true;
        }
        return false;
}

/* ---- DNS ---- */

static void append_forwarders(GString *out, const struct network_dns *dns)
{
        bool all = false;

        for (unsigned i = 0; i < dns->forwarders->len; i++) {
                const struct network_forwarder *forwarder = g_ptr_array_index(dns->forwarders, i);
                char text[NETWORK_ADDRESS_TEXT_MAX] = "#";

                all |= !forwarder->domain;
                if (forwarder->address.family != AF_UNSPEC)
                        network_address_format(&forwarder->address, text);
                if (forwarder->domain)
                        g_string_append_printf(out, "server=/%s/%s\n", forwarder->domain, text);
                else
                        g_string_append_printf(out, "server=%s\n", text);
        }
        if (all)
                g_string_append(out, "no-resolv\n");
}

/* What is behind the last one that is given is left out. */
static void append_srv(GString *out, const struct network_srv *srv)
{
        g_string_append_printf(out, "srv-host=_%s._%s", srv->service, srv->protocol);
        if (srv->domain)
                g_string_append_printf(out, ".%s", srv->domain);
        if (srv->target)
                g_string_append_printf(out, ",%s", srv->target);
        if (srv->target && (srv->port || srv->priority || srv->weight))
                g_string_append_printf(out, ",%u,%u,%u", srv->port ? srv->port : 1, srv->priority,
                                       srv->weight);
        g_string_append_c(out, '\n');
}

static void append_dns(GString *out, const struct network_def *def)
{
        if (def->domain) {
                g_string_append_printf(out, "domain=%s\nexpand-hosts\n", def->domain);
                if (def->domain_local_only)
                        g_string_append_printf(out, "local=/%s/\n", def->domain);
        }
        if (def->dns.disabled) {
                g_string_append(out, "port=0\n");
                return;
        }
        if (def->dns.keep_plain_names || def->domain_local_only)
                g_string_append(out, "domain-needed\nlocal=//\n");
        append_forwarders(out, &def->dns);
        for (unsigned i = 0; i < def->dns.txts->len; i++) {
                const struct network_txt *txt = g_ptr_array_index(def->dns.txts, i);

                g_string_append_printf(out, "txt-record=%s,\"%s\"\n", txt->name,
                                       txt->value ? txt->value : "");
        }
        for (unsigned i = 0; i < def->dns.srvs->len; i++)
                append_srv(out, g_ptr_array_index(def->dns.srvs, i));
}

/* Queries for names of our addresses end here; zones begin at whole digits. */
static bool append_reverse(GString *out, const struct network_def *def, const struct network_ip *ip,
                           GError **error)
{
        bool is_ipv6 = ip->address.family == AF_INET6;
        unsigned digit = is_ipv6 ? 4 : 8;

        if (!ip->local_ptr)
                return true;
        if (ip->prefix % digit != 0 || ip->prefix == 0)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "the PTR domain of a prefix of %u bits, of network '%s', cannot be made",
                                 ip->prefix, def->base.name);
        g_string_append(out, "local=/");
        for (unsigned bit = ip->prefix; bit > 0; bit -= digit) {
                unsigned byte = ip->address.bytes[(bit - digit) / 8];

                if (is_ipv6)
                        g_string_append_printf(out, "%x.", (bit - digit) % 8 ? byte & 0xf : byte >> 4);
                else
                        g_string_append_printf(out, "%u.", byte);
        }
        g_string_append_printf(out, "%s.arpa/\n", is_ipv6 ? "ip6" : "in-addr");
        return true;
}

/* ---- DHCP ---- */

static void append_lease(GString *out, int64_t lease_s)
{
        if (lease_s == NETWORK_LEASE_INFINITE)
                g_string_append(out, ",infinite");
        else if (lease_s != NETWORK_LEASE_DEFAULT)
                g_string_append_printf(out, ",%" G_GINT64_FORMAT, lease_s);
}

static void append_prefix(GString *out, const struct network_ip *ip)
{
        struct network_address mask = { .family = AF_INET, .bytes = { 0xff, 0xff, 0xff, 0xff } };
        char text[NETWORK_ADDRESS_TEXT_MAX];

        mask = network_address_get_first(&mask, ip->prefix);
        if (ip->address.family == AF_INET6)
                g_string_append_printf(out, ",%u", ip->prefix);
        else
                g_string_append_printf(out, ",%s", network_address_format(&mask, text));
}

static void append_range(GString *out, const struct network_ip *ip, const struct network_range *range,
                         uint64_t *leases)
{
        char start[NETWORK_ADDRESS_TEXT_MAX], end[NETWORK_ADDRESS_TEXT_MAX];

        g_string_append_printf(out, "dhcp-range=%s,%s", network_address_format(&range->start, start),
                               network_address_format(&range->end, end));
        append_prefix(out, ip);
        append_lease(out, range->lease_s);
        g_string_append_c(out, '\n');
        *leases += network_address_get_distance(&range->start, &range->end);
}

/*
 * Nobody but the hosts that are listed; of IPv6, at least who the router is. What hosts make addresses of has
 * 64 bits (RFC 4862): of a wider network that of its own address, of a narrower one nothing.
 */
static void append_static(GString *out, const struct network_ip *ip)
{
        struct network_address first = network_address_get_first(&ip->address, ip->prefix);
        char text[NETWORK_ADDRESS_TEXT_MAX];
        bool is_ipv6 = ip->address.family == AF_INET6;

        if (ip->ranges->len || (!ip->hosts->len && !is_ipv6))
                return;
        g_string_append_printf(out, "dhcp-range=%s,%s", network_address_format(&first, text),
                               ip->hosts->len || ip->prefix > IPV6_LINK_BITS ? "static" : "ra-only");
        if (!is_ipv6 || ip->prefix > IPV6_LINK_BITS)
                append_prefix(out, ip);
        g_string_append_c(out, '\n');
}

static void append_boot(GString *out, const struct network_ip *ip)
{
        if (ip->tftp_root)
                g_string_append_printf(out, "enable-tftp\ntftp-root=%s\n", ip->tftp_root);
        if (ip->bootp_file && ip->bootp_server)
                g_string_append_printf(out, "dhcp-boot=%s,,%s\n", ip->bootp_file, ip->bootp_server);
        else if (ip->bootp_file)
                g_string_append_printf(out, "dhcp-boot=%s\n", ip->bootp_file);
}

static bool append_ip(GString *out, const struct network_def *def, const struct network_ip *ip,
                      uint64_t *leases, GError **error)
{
        if (!append_reverse(out, def, ip, error))
                return false;
        if (ip->address.family == AF_INET6 && ip->prefix < IPV6_LINK_BITS &&
            (ip->ranges->len || ip->hosts->len))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "DHCP of IPv6 in network '%s' needs a prefix of %d bits or more, not %u",
                                 def->base.name, IPV6_LINK_BITS, ip->prefix);
        for (unsigned i = 0; i < ip->ranges->len; i++)
                append_range(out, ip, g_ptr_array_index(ip->ranges, i), leases);
        append_static(out, ip);
        append_boot(out, ip);
        *leases += ip->hosts->len;
        return true;
}

static bool append_dhcp(GString *out, const struct network_def *def, const struct network_files *files,
                        GError **error)
{
        uint64_t leases = 0;
        bool has_ipv6 = false;

        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                has_ipv6 |= ip->address.family == AF_INET6;
                if (!append_ip(out, def, ip, &leases, error))
                        return false;
        }
        if (has_ipv6)
                g_string_append(out, "enable-ra\n");
        if (def->forward == NETWORK_FORWARD_NONE)
                g_string_append(out, "dhcp-option=3\nno-resolv\n"); /* there is no way out: no router */
        if (def->mtu)
                g_string_append_printf(out, "dhcp-option=option:mtu,%u\n", def->mtu);
        /* Leases of a range that was there before count, too. */
        g_string_append_printf(out,
                               "dhcp-no-override\ndhcp-authoritative\ndhcp-lease-max=%u\n"
                               "dhcp-hostsfile=%s\ndhcp-leasefile=%s\n",
                               (unsigned)MIN(leases + 256, UINT32_MAX / 2), files->hosts, files->leases);
        if (files->lease_program)
                g_string_append_printf(out, "dhcp-script=%s\nscript-on-renewal\n", files->lease_program);
        return true;
}

/* ---- texts ---- */

char *network_dnsmasq_format(const struct network_def *def, const struct network_files *files, GError **error)
{
        GString *out =
                g_string_new("# Made by virtbusd from the definition of the network; changes are lost.\n"
                             "strict-order\nexcept-interface=lo\nbind-dynamic\n");

        g_string_append_printf(out, "interface=%s\npid-file=%s\naddn-hosts=%s\n", def->bridge, files->pid,
                               files->names);
        /* It reads hosts and names when it has given its rights away, unless it is told to keep them. */
        if (files->is_closed)
                g_string_append(out, "user=root\n");
        append_dns(out, def);
        for (unsigned i = 0; i < def->options->len; i++)
                g_string_append_printf(out, "%s\n", (const char *)g_ptr_array_index(def->options, i));
        if (append_dhcp(out, def, files, error))
                return g_string_free(out, FALSE);
        g_string_free(out, TRUE);
        return NULL;
}

static void append_host(GString *out, const struct network_host *host)
{
        char text[NETWORK_ADDRESS_TEXT_MAX];
        bool has_address = host->address.family != AF_UNSPEC;
        bool is_ipv6 = host->address.family == AF_INET6;
        const char *comma = "";

        if (host->id) {
                g_string_append_printf(out, "id:%s", host->id);
                comma = ",";
        } else if (host->mac) {
                g_string_append(out, host->mac);
                comma = ",";
        }
        if (host->name) {
                g_string_append_printf(out, "%s%s", comma, host->name);
                comma = ",";
        }
        if (has_address)
                g_string_append_printf(out, is_ipv6 ? "%s[%s]" : "%s%s", comma,
                                       network_address_format(&host->address, text));
        append_lease(out, host->lease_s);
        g_string_append_c(out, '\n');
}

char *network_dnsmasq_format_hosts(const struct network_def *def)
{
        GString *out = g_string_new(NULL);

        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                for (unsigned j = 0; j < ip->hosts->len; j++)
                        append_host(out, g_ptr_array_index(ip->hosts, j));
        }
        return g_string_free(out, FALSE);
}

char *network_dnsmasq_format_names(const struct network_def *def)
{
        GString *out = g_string_new(NULL);
        char text[NETWORK_ADDRESS_TEXT_MAX];

        for (unsigned i = 0; i < def->dns.hosts->len; i++) {
                const struct network_dns_host *host = g_ptr_array_index(def->dns.hosts, i);
                g_autofree char *names = g_strjoinv("\t", host->names);

                g_string_append_printf(out, "%s\t%s\n", network_address_format(&host->address, text), names);
        }
        return g_string_free(out, FALSE);
}
