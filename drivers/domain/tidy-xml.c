/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk over the document beside the tables of the format, before anything is read from it.
 */
#include "drivers/domain/tidy-xml.h"

#include "base/xml.h"
#include "drivers/domain/schema.h"

#include <string.h>

#define BLANKS " \t\r\n"

static bool is_blank(const xmlNode *list)
{
        for (const xmlNode *node = list; node; node = node->next) {
                const char *text = (const char *)node->content;

                if (node->type != XML_TEXT_NODE || text[strspn(text, BLANKS)])
                        return false;
        }
        return true;
}

static const char *get_uri(const xmlNode *node)
{
        return node->ns ? (const char *)node->ns->href : NULL;
}

static const struct domain_schema *find_row(const struct domain_schema *table, const xmlNode *node)
{
        return domain_schema_find(table, get_uri(node), (const char *)node->name);
}

static bool is_void(const xmlNode *node, const struct domain_schema *schema)
{
        return (schema->flags & DOMAIN_SCHEMA_DROPPED) ||
               ((schema->flags & DOMAIN_SCHEMA_TEXT) && !node->children) ||
               ((schema->flags & DOMAIN_SCHEMA_VOID) && !node->properties && is_blank(node->children));
}

static bool is_absent(const xmlAttr *attr, const struct domain_schema *schema)
{
        const xmlNode *text = attr->children;
        const char *name = (const char *)attr->name;

        if (attr->ns)
                return false;
        return domain_schema_drops(schema, name) ||
               (!(text && *text->content) && domain_schema_takes_empty(schema, name));
}

static void drop_absent_attributes(xmlNode *node, const struct domain_schema *schema)
{
        for (xmlAttr *attr = node->properties, *next; attr; attr = next) {
                next = attr->next;
                if (is_absent(attr, schema))
                        xmlRemoveProp(attr);
        }
}

/* ---- sections that stand twice ---- */

static bool is_same(const xmlNode *a, const xmlNode *b)
{
        g_autofree char *left = xml_write(NULL, a), *right = xml_write(NULL, b);

        return strcmp(left, right) == 0;
}

static void merge_attributes(xmlNode *first, const xmlNode *node)
{
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                const char *name = (const char *)attr->name;
                g_autofree char *value = attr->ns ? NULL : xml_attr(node, name);

                if (value && !xml_has_attr(first, name))
                        xml_set_attr(first, name, value);
        }
}

/* What the section has already, if it can have one of that kind only; table NULL: what is in it is others'.
 */
static xmlNode *find_known(const xmlNode *first, const xmlNode *child, const struct domain_schema *table)
{
        const struct domain_schema *row =
                table && child->type == XML_ELEMENT_NODE ? find_row(table, child) : NULL;

        if (!row || row->flags & (DOMAIN_SCHEMA_MANY | DOMAIN_SCHEMA_MERGED))
                return NULL;
        return xml_child(first, row->name);
}

/* What is said a second time in the same words needs no second place. */
static void merge_child(xmlNode *first, xmlNode *child, const struct domain_schema *table)
{
        const xmlNode *known = find_known(first, child, table);

        if (known && is_same(known, child)) {
                xml_remove(child);
                return;
        }
        xmlUnlinkNode(child);
        child = xmlAddChild(first, child);
        /* It may be in a namespace that is declared where it came from. */
        if (child->type == XML_ELEMENT_NODE)
                xmlDOMWrapReconcileNamespaces(NULL, child, 0);
}

static void merge(xmlNode *first, xmlNode *node, const struct domain_schema *schema)
{
        merge_attributes(first, node);
        for (xmlNode *child = node->children, *next; child; child = next) {
                next = child->next;
                merge_child(first, child, schema->children);
        }
        xml_remove(node);
}

/* The first of node's kind, when node is a section that stands once more; NULL otherwise. */
static xmlNode *find_first(const xmlNode *node, const struct domain_schema *schema)
{
        xmlNode *first = schema->flags & DOMAIN_SCHEMA_MERGED ? xml_first_element(node->parent) : NULL;

        while (first && first != node &&
               !domain_schema_matches(schema, get_uri(first), (const char *)first->name))
                first = xml_next_element(first);
        return first == node ? NULL : first;
}

static void merge_children(xmlNode *parent, const struct domain_schema *table)
{
        for (xmlNode *node = xml_first_element(parent), *next; node; node = next) {
                const struct domain_schema *row = find_row(table, node);
                xmlNode *first = row ? find_first(node, row) : NULL;

                next = xml_next_element(node);
                if (first)
                        merge(first, node, row);
        }
}

/* ---- metadata ---- */

static bool is_first_of_namespace(const xmlNode *node)
{
        for (const xmlNode *other = xml_first_element(node->parent); other != node;
             other = xml_next_element(other)) {
                if (g_strcmp0(get_uri(other), get_uri(node)) == 0)
                        return false;
        }
        return true;
}

/* Namespaces are few, the parser bounds them. */
static void tidy_metadata(xmlNode *metadata)
{
        for (xmlNode *node = xml_first_element(metadata), *next; node; node = next) {
                next = xml_next_element(node);
                if (!get_uri(node) || !is_first_of_namespace(node))
                        xml_remove(node);
        }
}

/* ---- all of it ---- */

/* The depth is bounded by the parser. */
static void walk(xmlNode *node, const struct domain_schema *schema)
{
        drop_absent_attributes(node, schema);
        if (schema->flags & DOMAIN_SCHEMA_OPAQUE || !schema->children)
                return;
        merge_children(node, schema->children);
        for (xmlNode *child = xml_first_element(node), *next; child; child = next) {
                const struct domain_schema *row = find_row(schema->children, child);

                next = xml_next_element(child);
                if (!row)
                        continue;
                walk(child, row);
                if (is_void(child, row))
                        xml_remove(child);
        }
}

void domain_tidy(xmlDoc *doc)
{
        xmlNode *root = xml_root(doc), *metadata;

        walk(root, &domain_schema);
        metadata = xml_child(root, "metadata");
        if (metadata)
                tidy_metadata(metadata);
}

void domain_tidy_device(xmlNode *element)
{
        const struct domain_schema *row = find_row(domain_schema_devices, element);

        if (row)
                walk(element, row);
}
