/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The element <virtualport>. No state; any thread. */
#include "interfaces/virtual-port-xml.h"

#include "base/error.h"
#include "base/uuid.h"
#include "base/xml.h"

#include <string.h>

/* max: of a number; 0: it is none. */
static const struct row {
        unsigned max;
        bool is_uuid;
        const char *out_of_range;
} rows[VIRTUAL_PORT_VALUES] = {
        [VIRTUAL_PORT_MANAGER_ID] = { 0xff, false, "value of managerid out of range" },
        [VIRTUAL_PORT_TYPE_ID] = { 0xffffff, false, "value for typeid out of range" },
        [VIRTUAL_PORT_TYPE_ID_VERSION] = { 0xff, false, "value of typeidversion out of range" },
        [VIRTUAL_PORT_INSTANCE_ID] = { 0, true, NULL },
        [VIRTUAL_PORT_INTERFACE_ID] = { 0, true, NULL },
        [VIRTUAL_PORT_PROFILE_ID] = { 0, false, NULL },
};

/* ---- reading ---- */

/* Decimal, 0x or 0, as of strtoul(3). */
static bool read_number(enum virtual_port_value value, const char *text, char out[], const xmlNode *node,
                        GError **error)
{
        char *end;
        guint64 number = g_ascii_strtoull(text, &end, 0);

        if (*end || !g_ascii_isdigit(*text))
                return xml_error(error, node, "cannot parse value of %s parameter",
                                 virtual_port_value_get_name(value));
        if (number > rows[value].max)
                return xml_error(error, node, "%s", rows[value].out_of_range);
        g_snprintf(out, VIRTUAL_PORT_TEXT_MAX + 1, "%u", (unsigned)number);
        return true;
}

static bool read_value(enum virtual_port_value value, const char *text, char out[], const xmlNode *node,
                       GError **error)
{
        struct uuid uuid;

        if (rows[value].max)
                return read_number(value, text, out, node, error);
        if (rows[value].is_uuid) {
                if (!uuid_parse(&uuid, text, NULL))
                        return xml_error(error, node, "cannot parse %s parameter as a uuid",
                                         virtual_port_value_get_name(value));
                uuid_format(&uuid, out);
                return true;
        }
        return g_strlcpy(out, text, VIRTUAL_PORT_TEXT_MAX + 1) <= VIRTUAL_PORT_TEXT_MAX ||
               xml_error(error, node, "%s parameter too long", virtual_port_value_get_name(value));
}

static bool read_values(struct virtual_port *port, const xmlNode *parameters, GError **error)
{
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++) {
                g_autofree char *text = xml_attr(parameters, virtual_port_value_get_name(i));

                if (text && *text && !read_value(i, text, port->values[i], parameters, error))
                        return false;
        }
        return true;
}

static bool check_values(const struct virtual_port *port, unsigned needs, const xmlNode *node, GError **error)
{
        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++) {
                bool is_said = virtual_port_says(port, i);

                if (is_said && !virtual_port_allows(port->type, i))
                        return xml_error(error, node, "extra %s unsupported in <virtualport type='%s'>",
                                         virtual_port_value_get_name(i),
                                         virtual_port_type_get_name(port->type));
                if ((needs & VIRTUAL_PORT_NEEDS_VALUES) && !is_said && virtual_port_requires(port->type, i))
                        return xml_error(error, node, "missing %s in <virtualport type='%s'>",
                                         virtual_port_value_get_name(i),
                                         virtual_port_type_get_name(port->type));
        }
        return true;
}

bool virtual_port_read(xmlNode *node, unsigned needs, struct virtual_port *port, GError **error)
{
        g_autofree char *type = xml_attr(node, "type");

        *port = (struct virtual_port){ .is_there = node != NULL, .type = virtual_port_type_find(type) };
        if (!node)
                return true;
        if (type && !port->type) {
                g_autofree char *quoted = error_quote(type);

                return error_set(error, ERROR_FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                 "unknown virtualport type %s", quoted);
        }
        if (!type && (needs & VIRTUAL_PORT_NEEDS_TYPE))
                return xml_error(error, node, "missing required virtualport type");
        return read_values(port, xml_child(node, "parameters"), error) &&
               check_values(port, needs, node, error);
}

/* ---- writing ---- */

static void write_values(xmlNode *node, const struct virtual_port *port)
{
        xmlNode *parameters = xml_child(node, "parameters");

        for (unsigned i = 0; i < VIRTUAL_PORT_VALUES; i++) {
                if (!virtual_port_says(port, i))
                        continue;
                if (!parameters)
                        parameters = xml_add(node, "parameters");
                xml_set_attr(parameters, virtual_port_value_get_name(i), port->values[i]);
        }
}

/* What cannot be read is for the reader to refuse. */
void virtual_port_fill(xmlNode *node)
{
        struct virtual_port port;

        if (!node || !virtual_port_read(node, 0, &port, NULL))
                return;
        virtual_port_generate(&port);
        write_values(node, &port);
}

void virtual_port_add(xmlNode *parent, const struct virtual_port *port)
{
        xmlNode *node;

        if (!port->is_there)
                return;
        node = xml_add(parent, "virtualport");
        if (port->type)
                xml_set_attr(node, "type", virtual_port_type_get_name(port->type));
        write_values(node, port);
}
