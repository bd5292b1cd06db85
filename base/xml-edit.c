/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Editing of documents. The tree only ever holds what XML can carry, so that what is written parses again. No
 * state; any thread.
 */
#include "base/xml.h"

#include <string.h>

/* libxml2 returns NULL when memory is short; the agent ends then, as GLib has it. */
static void *have(void *pointer)
{
        if (!pointer)
                g_error("out of memory");
        return pointer;
}

char *xml_clean(const char *text)
{
        char *clean = g_utf8_make_valid(text ? text : "", -1);

        for (char *p = clean; *p; p++) {
                if ((unsigned char)*p < 0x20 && !strchr("\t\n\r", *p))
                        *p = '?';
                else if (*p == '\xef' &&
                         (g_str_has_prefix(p, "\xef\xbf\xbe") || g_str_has_prefix(p, "\xef\xbf\xbf")))
                        p[2] = (char)0xbd;
        }
        return clean;
}

xmlDoc *xml_new(const char *root)
{
        xmlDoc *doc = have(xmlNewDoc((const xmlChar *)"1.0"));

        xmlDocSetRootElement(doc, have(xmlNewDocNode(doc, NULL, (const xmlChar *)root, NULL)));
        return doc;
}

xmlDoc *xml_copy(const xmlDoc *doc)
{
        return have(xmlCopyDoc((xmlDoc *)doc, 1));
}

xmlNode *xml_root(const xmlDoc *doc)
{
        return xmlDocGetRootElement(doc);
}

static xmlNode *new_element(const xmlNode *parent, const char *name)
{
        return have(xmlNewDocNode(parent->doc, NULL, (const xmlChar *)name, NULL));
}

xmlNode *xml_add(xmlNode *parent, const char *name)
{
        return xmlAddChild(parent, new_element(parent, name));
}

xmlNode *xml_add_text(xmlNode *parent, const char *name, const char *text)
{
        xmlNode *node = xml_add(parent, name);

        xml_set_text(node, text);
        return node;
}

xmlNode *xml_add_text_format(xmlNode *parent, const char *name, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        return xml_add_text(parent, name, text);
}

xmlNode *xml_add_child_first(xmlNode *parent, const char *name)
{
        xmlNode *node = new_element(parent, name), *first = parent->children;

        return first ? xmlAddPrevSibling(first, node) : xmlAddChild(parent, node);
}

static xmlNode *copy_node(xmlDoc *doc, const xmlNode *node)
{
        return have(xmlDocCopyNode((xmlNode *)node, doc, 1));
}

xmlNode *xml_add_copy(xmlNode *parent, const xmlNode *node)
{
        return xmlAddChild(parent, copy_node(parent->doc, node));
}

xmlNode *xml_replace(xmlNode *old, const xmlNode *node)
{
        xmlNode *copy = copy_node(old->doc, node);

        xmlReplaceNode(old, copy);
        xmlFreeNode(old);
        return copy;
}

void xml_set_attr(xmlNode *node, const char *name, const char *value)
{
        g_autofree char *clean = NULL;

        if (!value) {
                xmlUnsetNsProp(node, NULL, (const xmlChar *)name);
                return;
        }
        clean = xml_clean(value);
        have(xmlSetNsProp(node, NULL, (const xmlChar *)name, (const xmlChar *)clean));
}

void xml_set_attr_format(xmlNode *node, const char *name, const char *format, ...)
{
        g_autofree char *value = NULL;
        va_list args;

        va_start(args, format);
        value = g_strdup_vprintf(format, args);
        va_end(args);
        xml_set_attr(node, name, value);
}

void xml_set_text(xmlNode *node, const char *text)
{
        g_autofree char *clean = xml_clean(text);

        while (node->children)
                xml_remove(node->children);
        if (*clean)
                xmlAddChild(node, have(xmlNewDocText(node->doc, (const xmlChar *)clean)));
}

void xml_remove(xmlNode *node)
{
        xmlUnlinkNode(node);
        xmlFreeNode(node);
}

void xml_remove_children(xmlNode *parent, const char *name)
{
        for (xmlNode *node = xml_child(parent, name), *next; node; node = next) {
                next = xml_next(node);
                xml_remove(node);
        }
}

void xml_keep_elements(xmlNode *parent)
{
        for (xmlNode *node = parent->children, *next; node; node = next) {
                next = node->next;
                if (node->type != XML_ELEMENT_NODE)
                        xml_remove(node);
        }
}

/* One child and its place in the new order. Comments and text go with the element that follows them. */
struct place {
        xmlNode *node; /* borrowed */
        unsigned rank;
};

static unsigned rank_of(const xmlNode *node, const char *const names[])
{
        unsigned rank = 0;

        while (names[rank] && !xml_is(node, names[rank]))
                rank++;
        return rank;
}

/* Also tells whether the children stand in order already. */
static GArray *rank_children(const xmlNode *parent, const char *const names[], bool *ordered)
{
        GArray *places = g_array_new(FALSE, FALSE, sizeof(struct place));
        unsigned highest = 0, first_of_group = 0;

        *ordered = true;
        for (xmlNode *node = parent->children; node; node = node->next) {
                /* What follows the last element stays at the end. */
                struct place place = { .node = node, .rank = UINT_MAX };

                g_array_append_val(places, place);
                if (node->type != XML_ELEMENT_NODE)
                        continue;
                place.rank = rank_of(node, names);
                for (; first_of_group < places->len; first_of_group++)
                        g_array_index(places, struct place, first_of_group).rank = place.rank;
                if (place.rank < highest)
                        *ordered = false;
                highest = place.rank;
        }
        return places;
}

static gint compare_places(gconstpointer a, gconstpointer b)
{
        const struct place *left = a, *right = b;

        return (left->rank > right->rank) - (left->rank < right->rank);
}

void xml_order_children(xmlNode *parent, const char *const names[])
{
        g_autoptr(GArray) places = NULL;
        xmlNode *last = NULL;
        bool ordered;

        places = rank_children(parent, names, &ordered);
        if (ordered)
                return;
        g_array_sort(places, compare_places); /* stable */
        for (unsigned i = 0; i < places->len; i++) {
                xmlNode *node = g_array_index(places, struct place, i).node;

                node->prev = last;
                node->next = NULL;
                if (last)
                        last->next = node;
                else
                        parent->children = node;
                last = node;
        }
        parent->last = last;
}
