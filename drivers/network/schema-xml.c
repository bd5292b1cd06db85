/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The form of the document of a network: which elements and attributes there are, in which order libvirt
 * writes them. Constant tables and a walk beside them; any thread.
 */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

enum row_flags {
        MANY = 1,    /* may be repeated, NETWORK_PARTS_MAX times */
        HOSTS = 2,   /* may be repeated, NETWORK_HOSTS_MAX times */
        OPEN = 4,    /* not closed in place when it is empty */
        VOID = 8,    /* counts as absent when there is nothing in it, attributes included */
        FOREIGN = 16 /* what is below belongs to others */
};

struct row {
        const char *name;           /* NULL ends a table */
        const char *attributes;     /* in order, with blanks between; NULL: none */
        const struct row *children; /* in order; NULL: none */
        unsigned flags;
};

#define TABLE static const struct row

TABLE lease[] = { { "lease", "expiry unit" }, {} };
TABLE dhcp[] = {
        { "range", "start end", lease, MANY },
        { "host", "id mac name ip", lease, HOSTS },
        { "bootp", "file server" },
        {},
};
TABLE ip[] = { { "tftp", "root" }, { "dhcp", NULL, dhcp, VOID }, {} };

TABLE nat[] = { { "address", "start end" }, { "port", "start end" }, {} };
TABLE forward[] = {
        { "driver", "name" },
        { "nat", "ipv6", nat, VOID },
        { "pf", "dev" },
        { "interface", "dev", NULL, MANY },
        { "address", "type domain bus slot function", NULL, MANY },
        {},
};

TABLE dns_host[] = { { "hostname", NULL, NULL, MANY }, {} };
TABLE dns[] = {
        { "forwarder", "domain addr", NULL, MANY },
        { "txt", "name value", NULL, MANY },
        { "srv", "service protocol domain target port priority weight", NULL, MANY },
        { "host", "ip", dns_host, HOSTS },
        {},
};

TABLE vlan[] = { { "tag", "id nativeMode", NULL, MANY }, {} };
TABLE bandwidth[] = {
        { "inbound", "average peak burst floor" },
        { "outbound", "average peak burst" },
        {},
};
TABLE virtualport[] = {
        { "parameters", "managerid typeid typeidversion instanceid interfaceid profileid", NULL, VOID },
        {},
};
TABLE portgroup[] = {
        { "vlan", "trunk", vlan },
        { "virtualport", "type", virtualport },
        { "bandwidth", NULL, bandwidth },
        {},
};

TABLE network[] = {
        { "name" },
        { "uuid" },
        { "title" },
        { "description" },
        { "metadata", .flags = FOREIGN | VOID },
        { "forward", "dev mode managed", forward },
        { "bridge", "name zone stp delay macTableManager" },
        { "mtu", "size" },
        { "mac", "address" },
        { "domain", "name localOnly" },
        { "dns", "enable forwardPlainNames", dns, VOID },
        { "vlan", "trunk", vlan, VOID },
        { "bandwidth", NULL, bandwidth, VOID },
        { "port", "isolated" },
        { "ip", "family address netmask prefix localPtr", ip, MANY | OPEN },
        { "route", "family address netmask prefix gateway metric", NULL, MANY },
        { "virtualport", "type", virtualport },
        { "portgroup", "name default trustGuestRxFilters", portgroup, MANY | OPEN },
        {},
};

TABLE root_row = { "network", "ipv6 trustGuestRxFilters", network, 0 };

/* Elements of one table, and attributes of one row. */
#define TABLE_MAX 32

static const struct row *find_row(const struct row *table, const xmlNode *node)
{
        for (; table && table->name; table++)
                if (xml_is(node, table->name))
                        return table;
        return NULL;
}

/* ---- values ---- */

/* What is in them gets into files of lines. */
static bool check_value(const xmlNode *node, const char *value, GError **error)
{
        for (const char *c = value; c && *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return xml_error(error, node, "a value has a control character in it");
        }
        return true;
}

static bool tidy_attributes(const struct row *row, xmlNode *node, GError **error)
{
        g_auto(GStrv) names = g_strsplit(row->attributes ? row->attributes : "", " ", TABLE_MAX);
        g_auto(GStrv) values = g_new0(char *, g_strv_length(names) + 1);

        for (unsigned i = 0; names[i]; i++) {
                g_autofree char *value = xml_attr(node, names[i]);

                if (!check_value(node, value, error))
                        return false;
                values[i] = g_strdup(value ? value : "");
                if (!value)
                        names[i][0] = '\0';
        }
        xmlFreePropList(node->properties);
        node->properties = NULL;
        for (unsigned i = 0; names[i]; i++)
                if (names[i][0])
                        xml_set_attr(node, names[i], values[i]);
        return true;
}

/* ---- elements ---- */

static bool check_count(const struct row *row, const xmlNode *node, unsigned *count, GError **error)
{
        unsigned limit = row->flags & HOSTS ? NETWORK_HOSTS_MAX : row->flags & MANY ? NETWORK_PARTS_MAX : 1;

        if (++*count <= limit)
                return true;
        return limit == 1 ? xml_error(error, node, "more than one <%s> element", row->name)
                          : xml_error(error, node, "more than %u <%s> elements", limit, row->name);
}

static bool tidy(const struct row *row, xmlNode *node, GError **error);

static bool tidy_children(const struct row *row, xmlNode *node, GError **error)
{
        const char *names[TABLE_MAX + 1] = { NULL };
        unsigned counts[TABLE_MAX] = { 0 };
        xmlNode *next;

        for (xmlNode *child = xml_first_element(node); child; child = next) {
                const struct row *found = find_row(row->children, child);

                next = xml_next_element(child);
                if (row == &root_row && xml_is_ns(child, NETWORK_DNSMASQ_NAMESPACE, "options"))
                        continue; /* read by network_options_read(); stands last */
                if (!found)
                        xml_remove(child);
                else if (!check_count(found, child, &counts[found - row->children], error) ||
                         !tidy(found, child, error))
                        return false;
                else if ((found->flags & VOID) && !child->children && !child->properties)
                        xml_remove(child);
        }
        for (unsigned i = 0; row->children[i].name; i++)
                names[i] = row->children[i].name;
        xml_order_children(node, names);
        return true;
}

/* No deeper than the tables. */
static bool tidy(const struct row *row, xmlNode *node, GError **error)
{
        g_autofree char *text = NULL;

        if (row->flags & FOREIGN)
                return true;
        if (!tidy_attributes(row, node, error))
                return false;
        if (row->children) {
                xml_keep_elements(node);
                return tidy_children(row, node, error);
        }
        text = xml_text(node);
        if (row->attributes) /* it has no text */
                xml_set_text(node, NULL);
        return strcmp(row->name, "description") == 0 || check_value(node, text, error);
}

bool network_schema_tidy(xmlNode *root, GError **error)
{
        return tidy(&root_row, root, error);
}

/* "  <ip address='..'/>" becomes a start tag and an end tag. */
static void write_line(GString *out, const char *line)
{
        for (const struct row *row = network; row->name; row++) {
                size_t length = strlen(row->name);

                if (!(row->flags & OPEN) || !g_str_has_prefix(line, "  <") || !g_str_has_suffix(line, "/>") ||
                    strncmp(line + 3, row->name, length) != 0 || line[3 + length] != ' ')
                        continue;
                g_string_append_printf(out, "%.*s>\n  </%s>", (int)strlen(line) - 2, line, row->name);
                return;
        }
        g_string_append(out, line);
}

char *network_schema_write(const xmlDoc *doc)
{
        static const char mark[] = "\n  </metadata>\n";
        g_autofree char *text = xml_write(doc, NULL);
        char *end = g_strrstr(text, mark), *rest = end ? end + strlen(mark) : text;
        g_auto(GStrv) lines = g_strsplit(rest, "\n", -1);
        GString *out = g_string_new_len(text, rest - text);

        for (unsigned i = 0; lines[i]; i++) {
                write_line(out, lines[i]);
                if (lines[i + 1])
                        g_string_append_c(out, '\n');
        }
        return g_string_free(out, FALSE);
}
