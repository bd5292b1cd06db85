/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk over the document beside the tables of the format. Children and attributes are put in the order of
 * the tables where they are not.
 */
#include "drivers/domain/order-xml.h"

#include "base/error.h"
#include "base/xml.h"
#include "drivers/domain/schema.h"

#include <string.h>

/* Elements of one table; the longest has 43. */
#define TABLE_MAX 64

struct remarks {
        GPtrArray *undriven; /* borrowed, may be NULL */
        GPtrArray *unknown;  /* borrowed, may be NULL */
};

/* " of <disk> 'vda'" for what is in a device that its target tells from others; else "". To be freed. */
static char *say_where(const xmlNode *node)
{
        const xmlNode *device = node, *target;
        g_autofree char *name = NULL, *element = NULL, *quoted = NULL;

        while (device->parent->type == XML_ELEMENT_NODE && !xml_is(device->parent, "devices"))
                device = device->parent;
        target = device->parent->type == XML_ELEMENT_NODE ? xml_child(device, "target") : NULL;
        name = target ? xml_attr(target, "dev") : NULL;
        if (!name)
                return g_strdup("");
        quoted = error_quote(name);
        if (device == node)
                return g_strdup_printf(" '%s'", quoted);
        element = error_quote((const char *)device->name);
        return g_strdup_printf(" of <%s> '%s'", element, quoted);
}

static void add_remark(GPtrArray *remarks, const char *format, const xmlNode *node, const xmlAttr *attr)
{
        g_autofree char *element = NULL, *attribute = NULL, *where = NULL;

        if (!remarks || remarks->len >= DOMAIN_REMARKS_MAX)
                return;
        element = error_quote((const char *)node->name);
        attribute = error_quote(attr ? (const char *)attr->name : "");
        where = say_where(node);
        if (attr)
                g_ptr_array_add(remarks,
                                g_strdup_printf("attribute '%s' of <%s>%s", attribute, element, where));
        else
                g_ptr_array_add(remarks, g_strdup_printf("%s<%s>%s", format, element, where));
}

/* The place of node in the table, that of the table's end when it is not there. */
static unsigned find_place(const struct domain_schema *table, const xmlNode *node)
{
        const char *uri = node->ns ? (const char *)node->ns->href : NULL;
        unsigned place = 0;

        while (table[place].name && !domain_schema_matches(&table[place], uri, (const char *)node->name))
                place++;
        return place;
}

static void order_children(xmlNode *parent, const struct domain_schema *table)
{
        const char *names[TABLE_MAX + 1] = { NULL };

        for (unsigned i = 0; i < TABLE_MAX && table[i].name; i++)
                names[i] = table[i].name;
        xml_order_children(parent, names);
}

/* The attribute's place in the table; what is not in it comes last. */
static unsigned attribute_place(const struct domain_schema *schema, const xmlAttr *attr)
{
        unsigned place = UINT_MAX;

        if (!attr->ns)
                domain_schema_find_attribute(schema, (const char *)attr->name, &place);
        return place;
}

/* Few and mostly in order already: by insertion. */
static void order_attributes(xmlNode *node, const struct domain_schema *schema)
{
        xmlAttr *rest = node->properties;

        node->properties = NULL;
        while (rest) {
                xmlAttr *attr = rest, *before = NULL, *after = node->properties;
                unsigned place = attribute_place(schema, attr);

                rest = rest->next;
                while (after && attribute_place(schema, after) <= place) {
                        before = after;
                        after = after->next;
                }
                attr->prev = before;
                attr->next = after;
                if (before)
                        before->next = attr;
                else
                        node->properties = attr;
                if (after)
                        after->prev = attr;
        }
}

static void check_attributes(xmlNode *node, const struct domain_schema *schema, bool quiet,
                             const struct remarks *remarks)
{
        unsigned last = 0, place = 0;
        bool ordered = true;

        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                switch (attr->ns ? DOMAIN_ATTRIBUTE_UNKNOWN
                                 : domain_schema_find_attribute(schema, (const char *)attr->name, &place)) {
                case DOMAIN_ATTRIBUTE_UNKNOWN:
                        add_remark(remarks->unknown, "", node, attr);
                        break;
                case DOMAIN_ATTRIBUTE_UNDRIVEN:
                        if (!quiet)
                                add_remark(remarks->undriven, "", node, attr);
                        break;
                case DOMAIN_ATTRIBUTE_DRIVEN:
                        break;
                }
                ordered = ordered && place >= last;
                last = place;
        }
        if (!ordered)
                order_attributes(node, schema);
}

/* quiet: what is not supported is remarked upon already, further up. The depth is bounded by the parser. */
static void walk(xmlNode *node, const struct domain_schema *schema, bool quiet, const struct remarks *remarks)
{
        static const struct domain_schema empty[] = { { .name = NULL } };
        const struct domain_schema *table = schema->children ? schema->children : empty;
        uint64_t seen = 0;
        unsigned last = 0;
        bool ordered = true;

        if ((schema->flags & DOMAIN_SCHEMA_UNDRIVEN) && !quiet) {
                add_remark(remarks->undriven, "", node, NULL);
                quiet = true;
        }
        check_attributes(node, schema, quiet, remarks);
        if (schema->flags & DOMAIN_SCHEMA_OPAQUE)
                return;
        XML_FOREACH_CHILD (child, node) {
                unsigned place = find_place(table, child);

                ordered = ordered && place >= last;
                last = place;
                if (!table[place].name) {
                        add_remark(remarks->unknown, "", child, NULL);
                        continue;
                }
                if (seen >> place & 1 && !(table[place].flags & DOMAIN_SCHEMA_MANY))
                        add_remark(remarks->unknown, "a second ", child, NULL);
                seen |= UINT64_C(1) << place;
                walk(child, &table[place], quiet, remarks);
        }
        if (!ordered)
                order_children(node, table);
}

void domain_order(xmlDoc *doc, GPtrArray *undriven, GPtrArray *unknown)
{
        const struct remarks remarks = { undriven, unknown };

        walk(xml_root(doc), &domain_schema, false, &remarks);
}
