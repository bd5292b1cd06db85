/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of others in <metadata>. Any thread. */
#include "base/xml-metadata.h"

#include <string.h>

/* The child of <metadata> in that namespace. */
static xmlNode *find(const xmlNode *root, const char *uri)
{
        XML_FOREACH_CHILD (node, xml_child(root, "metadata")) {
                if (node->ns && g_strcmp0((const char *)node->ns->href, uri) == 0)
                        return node;
        }
        return NULL;
}

/* Puts what is in no namespace into ns, and with ns NULL what is in the namespace uri into none. */
static void move_to_namespace(xmlNode *node, xmlNs *ns, const char *uri)
{
        if (ns && !node->ns)
                xmlSetNs(node, ns);
        else if (!ns && node->ns && g_strcmp0((const char *)node->ns->href, uri) == 0)
                xmlSetNs(node, NULL);
        XML_FOREACH_CHILD (child, node)
                move_to_namespace(child, ns, uri);
}

static bool is_prefix(const char *key)
{
        return key && *key && xmlValidateNCName((const xmlChar *)key, 0) == 0;
}

/* Some prefixes and URIs are reserved, and not every text is a URI: the parser reads it as it is meant. */
static bool is_namespace(const char *key, const char *uri)
{
        g_autoptr(xmlDoc) written = xml_new("metadata"), read = NULL;
        g_autofree char *text = NULL;

        if (!xmlNewNs(xml_root(written), (const xmlChar *)uri, (const xmlChar *)key))
                return false;
        text = xml_write_foreign(xml_root(written));
        read = xml_parse(text, NULL, NULL);
        return read && strcmp((const char *)xml_root(read)->nsDef->href, uri) == 0;
}

static void remove_old(xmlNode *root, const char *uri, bool last)
{
        xmlNode *old = find(root, uri), *metadata = xml_child(root, "metadata");

        if (old)
                xml_remove(old);
        if (last && metadata && !xml_first_element(metadata))
                xml_remove(metadata);
}

bool xml_metadata_set(xmlNode *root, enum error_domain from, const char *xml, const char *key,
                      const char *uri, GError **error)
{
        g_autoptr(xmlDoc) doc = NULL;
        xmlNode *metadata, *added;

        if (!uri || !*uri || (xml && (!is_prefix(key) || !is_namespace(key, uri))))
                return error_set(error, from, ERROR_INVALID_ARG,
                                 "metadata needs the URI of a namespace and a name that can be its prefix");
        doc = xml ? xml_parse(xml, NULL, error) : NULL;
        if (xml && !doc)
                return false;
        remove_old(root, uri, !xml);
        if (!xml)
                return true;
        metadata = xml_child(root, "metadata");
        added = xml_add_copy(metadata ? metadata : xml_add(root, "metadata"), xml_root(doc));
        if (!added->ns)
                move_to_namespace(added, xmlNewNs(added, (const xmlChar *)uri, (const xmlChar *)key), NULL);
        else if (strcmp((const char *)added->ns->href, uri) != 0)
                return error_set(error, from, ERROR_INVALID_ARG,
                                 "the metadata is in another namespace than the one it is set for");
        return true;
}

/* Declarations of uri on node itself, which nothing below it uses any more. */
static void drop_declaration(xmlNode *node, const char *uri)
{
        for (xmlNs **link = &node->nsDef; *link;) {
                xmlNs *ns = *link;

                if (g_strcmp0((const char *)ns->href, uri) != 0) {
                        link = &ns->next;
                        continue;
                }
                *link = ns->next;
                ns->next = NULL;
                xmlFreeNs(ns);
        }
}

static bool uses_attribute_in(const xmlNode *node, const char *uri)
{
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                if (attr->ns && g_strcmp0((const char *)attr->ns->href, uri) == 0)
                        return true;
        }
        XML_FOREACH_CHILD (child, node) {
                if (uses_attribute_in(child, uri))
                        return true;
        }
        return false;
}

char *xml_metadata_get(const xmlNode *root, const char *uri)
{
        xmlNode *found = find(root, uri);
        g_autoptr(xmlDoc) own = NULL;
        char *text;

        if (!found)
                return NULL;
        own = xml_new("metadata");
        found = xml_add_copy(xml_root(own), found);
        if (!uses_attribute_in(found, uri)) {
                move_to_namespace(found, NULL, uri);
                drop_declaration(found, uri);
        }
        text = xml_write_foreign(found);
        return g_strchomp(text);
}
