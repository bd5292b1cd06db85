/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading of parsed documents: elements by name, values by type, errors with the line. No state; any thread.
 */
#include "base/xml.h"

#include "base/error.h"
#include "base/units.h"

#include <string.h>

/* Longest detail of an error in bytes, so that the line and the element always have room behind it. */
#define DETAIL_MAX 800

unsigned xml_line(const xmlNode *node)
{
        if (node->_private)
                return GPOINTER_TO_UINT(node->_private);
        return node->type == XML_ELEMENT_NODE && node->line < UINT16_MAX ? node->line : 0;
}

bool xml_error(GError **error, const xmlNode *node, const char *format, ...)
{
        g_autofree char *detail = NULL, *name = NULL, *line = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        if (strlen(detail) > DETAIL_MAX)
                strcpy(detail + DETAIL_MAX - 3, "...");
        if (!node)
                return error_set(error, ERROR_FROM_XML, ERROR_XML_ERROR, "%s", detail);
        name = error_quote((const char *)node->name);
        line = xml_line(node) ? g_strdup_printf(" at line %u", xml_line(node)) : g_strdup("");
        return error_set(error, ERROR_FROM_XML, ERROR_XML_ERROR, "%s%s (<%s>)", detail, line, name);
}

static bool is_named(const xmlNode *node, const char *uri, const char *name)
{
        const char *node_uri = node->ns ? (const char *)node->ns->href : NULL;

        return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0 &&
               g_strcmp0(node_uri, uri) == 0;
}

static const xmlNode *skip_to_element(const xmlNode *node)
{
        while (node && node->type != XML_ELEMENT_NODE)
                node = node->next;
        return node;
}

xmlNode *xml_first_element(const xmlNode *parent)
{
        return parent ? (xmlNode *)skip_to_element(parent->children) : NULL;
}

xmlNode *xml_next_element(const xmlNode *node)
{
        return (xmlNode *)skip_to_element(node->next);
}

xmlNode *xml_child_ns(const xmlNode *parent, const char *uri, const char *name)
{
        XML_FOREACH_CHILD (node, parent) {
                if (is_named(node, uri, name))
                        return node;
        }
        return NULL;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
        return xml_child_ns(parent, NULL, name);
}

xmlNode *xml_next(const xmlNode *node)
{
        const char *uri = node->ns ? (const char *)node->ns->href : NULL;

        for (xmlNode *next = xml_next_element(node); next; next = xml_next_element(next)) {
                if (is_named(next, uri, (const char *)node->name))
                        return next;
        }
        return NULL;
}

bool xml_is_ns(const xmlNode *node, const char *uri, const char *name)
{
        return node && is_named(node, uri, name);
}

bool xml_is(const xmlNode *node, const char *name)
{
        return xml_is_ns(node, NULL, name);
}

/* The text among the nodes of a list; there are no references in it, see xml_parse(). */
static char *list_text(const xmlNode *list)
{
        g_autoptr(GString) text = NULL;

        if (list && !list->next && list->type == XML_TEXT_NODE)
                return g_strdup((const char *)list->content);
        text = g_string_new(NULL);
        for (const xmlNode *node = list; node; node = node->next) {
                if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
                        g_string_append(text, (const char *)node->content);
        }
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static const xmlAttr *find_attr(const xmlNode *node, const char *name)
{
        if (!node)
                return NULL;
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                if (!attr->ns && strcmp((const char *)attr->name, name) == 0)
                        return attr;
        }
        return NULL;
}

char *xml_attr(const xmlNode *node, const char *name)
{
        const xmlAttr *attr = find_attr(node, name);

        return attr ? list_text(attr->children) : NULL;
}

bool xml_has_attr(const xmlNode *node, const char *name)
{
        return find_attr(node, name) != NULL;
}

char *xml_text(const xmlNode *node)
{
        return node ? list_text(node->children) : NULL;
}

char *xml_child_text(const xmlNode *parent, const char *name)
{
        return xml_text(xml_child(parent, name));
}

/* The raw value that a typed reader works on, NULL when absent. */
static char *get_value(const xmlNode *node, const char *attr)
{
        char *text;

        if (attr)
                return xml_attr(node, attr);
        text = xml_text(node);
        return text ? g_strstrip(text) : NULL;
}

G_GNUC_PRINTF(5, 6)
static bool value_error(GError **error, const xmlNode *node, const char *attr, const char *text,
                        const char *format, ...)
{
        g_autofree char *quoted = error_quote(text), *expected = NULL, *where = NULL;
        va_list args;

        va_start(args, format);
        expected = g_strdup_vprintf(format, args);
        va_end(args);
        where = attr ? g_strdup_printf(" for attribute '%s'", attr) : g_strdup("");
        return xml_error(error, node, "invalid value '%s'%s: expected %s", quoted, where, expected);
}

static bool parse_hex(const char *text, uint64_t max, uint64_t *value)
{
        size_t length = strlen(text);

        /* Sixteen digits are what fits; leading zeros beyond that are not for numbers. */
        if (length == 0 || length > 16 || strspn(text, "0123456789abcdefABCDEF") != length)
                return false;
        *value = g_ascii_strtoull(text, NULL, 16);
        return *value <= max;
}

static bool get_unsigned(const xmlNode *node, const char *attr, bool hex, uint64_t max, uint64_t *value,
                         GError **error)
{
        g_autofree char *text = get_value(node, attr);
        uint64_t parsed;
        bool ok;

        if (!text)
                return true;
        if (hex && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
                ok = parse_hex(text + 2, max, &parsed);
        else
                ok = units_parse_uint64(text, "number", max, &parsed, NULL);
        if (!ok)
                return value_error(error, node, attr, text, "a number from 0 to %" G_GUINT64_FORMAT, max);
        *value = parsed;
        return true;
}

static bool get_signed(const xmlNode *node, const char *attr, int64_t min, int64_t max, int64_t *value,
                       GError **error)
{
        g_autofree char *text = get_value(node, attr);
        bool negative;
        uint64_t parsed;

        if (!text)
                return true;
        negative = *text == '-';
        if (!units_parse_uint64(text + negative, "number", negative ? -(uint64_t)min : (uint64_t)max, &parsed,
                                NULL))
                return value_error(error, node, attr, text,
                                   "a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min, max);
        *value = negative ? (int64_t)-parsed : (int64_t)parsed;
        return true;
}

bool xml_get_uint(const xmlNode *node, const char *attr, unsigned *value, GError **error)
{
        uint64_t wide = *value;

        if (!get_unsigned(node, attr, false, UINT_MAX, &wide, error))
                return false;
        *value = (unsigned)wide;
        return true;
}

bool xml_get_uint_hex(const xmlNode *node, const char *attr, unsigned *value, GError **error)
{
        uint64_t wide = *value;

        if (!get_unsigned(node, attr, true, UINT_MAX, &wide, error))
                return false;
        *value = (unsigned)wide;
        return true;
}

bool xml_get_uint64(const xmlNode *node, const char *attr, uint64_t *value, GError **error)
{
        return get_unsigned(node, attr, false, UINT64_MAX, value, error);
}

bool xml_get_uint64_hex(const xmlNode *node, const char *attr, uint64_t *value, GError **error)
{
        return get_unsigned(node, attr, true, UINT64_MAX, value, error);
}

bool xml_get_int(const xmlNode *node, const char *attr, int *value, GError **error)
{
        int64_t wide = *value;

        if (!get_signed(node, attr, INT_MIN, INT_MAX, &wide, error))
                return false;
        *value = (int)wide;
        return true;
}

bool xml_get_int64(const xmlNode *node, const char *attr, int64_t *value, GError **error)
{
        return get_signed(node, attr, INT64_MIN, INT64_MAX, value, error);
}

static bool get_choice(const xmlNode *node, const char *attr, const char *on, const char *off, bool *value,
                       GError **error)
{
        g_autofree char *text = get_value(node, attr);

        if (!text)
                return true;
        if (strcmp(text, on) != 0 && strcmp(text, off) != 0)
                return value_error(error, node, attr, text, "'%s' or '%s'", on, off);
        *value = strcmp(text, on) == 0;
        return true;
}

bool xml_get_yes_no(const xmlNode *node, const char *attr, bool *value, GError **error)
{
        return get_choice(node, attr, "yes", "no", value, error);
}

bool xml_get_on_off(const xmlNode *node, const char *attr, bool *value, GError **error)
{
        return get_choice(node, attr, "on", "off", value, error);
}

bool xml_get_enum(const xmlNode *node, const char *attr, const char *const names[], unsigned count,
                  int *value, GError **error)
{
        g_autofree char *text = get_value(node, attr), *quoted = NULL, *where = NULL;

        if (!text)
                return true;
        for (unsigned i = 0; i < count; i++) {
                if (names[i] && strcmp(names[i], text) == 0) {
                        *value = (int)i;
                        return true;
                }
        }
        quoted = error_quote(text);
        where = attr ? g_strdup_printf(" for attribute '%s'", attr) : g_strdup("");
        return xml_error(error, node, "unknown value '%s'%s", quoted, where);
}
