/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reading, editing and writing XML documents within bounds. libxml2 nodes do not leave this module and the
 * *-xml.c files. No network, no DOCTYPE, no entities but the five predefined ones, no XInclude. Any thread; a
 * document belongs to one thread at a time.
 */

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds of a document that comes from outside. */
#define XML_BYTES_MAX (1024 * 1024)
#define XML_DEPTH_MAX 128
#define XML_NODES_MAX 65536 /* elements and attributes together */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/*
 * Parses text (NUL-terminated UTF-8), which must have root as the name of its root element (NULL: any). Line numbers
 * are kept for xml_error(). White space between elements is dropped from the tree. Errors: ERROR_XML_ERROR /
 * ERROR_XML_DETAIL with the line, ERROR_FROM_XML. The limits are checked while parsing, not after it.
 */
xmlDoc *xml_parse(const char *text, const char *root, GError **error);

/* "XML error: <detail> at line N (<element>)", returns false. node may be NULL. */
bool xml_error(GError **error, const xmlNode *node, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The first child element of that name, or NULL. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
/* The next sibling element of the same name, or NULL. */
xmlNode *xml_next(const xmlNode *node);
/* First and following child elements of any name. */
xmlNode *xml_first_element(const xmlNode *parent);
xmlNode *xml_next_element(const xmlNode *node);
bool xml_is(const xmlNode *node, const char *name);

/* for (xmlNode *n ...) over all child elements of parent */
#define XML_FOREACH_CHILD(node, parent)                                                                                \
        for (xmlNode *node = xml_first_element(parent); node; node = xml_next_element(node))

/* Attribute and text values: a newly allocated string, NULL when absent. node may be NULL (gives NULL). */
char *xml_attr(const xmlNode *node, const char *name);
char *xml_text(const xmlNode *node);
/* Text of the child element of that name, NULL when there is none. */
char *xml_child_text(const xmlNode *parent, const char *name);
bool xml_has_attr(const xmlNode *node, const char *name);

/*
 * Typed readers of an attribute (attr non-NULL) or of the node's text (attr NULL). Absent: *value is left alone and
 * true is returned. Malformed (sign, overflow, tail, empty): an error that names element, attribute and line.
 * Numbers are decimal; the _hex variants also take "0x..".
 */
bool xml_get_uint(const xmlNode *node, const char *attr, unsigned *value, GError **error);
bool xml_get_uint_hex(const xmlNode *node, const char *attr, unsigned *value, GError **error);
bool xml_get_uint64(const xmlNode *node, const char *attr, uint64_t *value, GError **error);
bool xml_get_int(const xmlNode *node, const char *attr, int *value, GError **error);
bool xml_get_int64(const xmlNode *node, const char *attr, int64_t *value, GError **error);
/* "yes"/"no" (yes_no) and "on"/"off" (on_off). */
bool xml_get_yes_no(const xmlNode *node, const char *attr, bool *value, GError **error);
bool xml_get_on_off(const xmlNode *node, const char *attr, bool *value, GError **error);
/*
 * One of names[0..count), NULL entries skipped; *value is the index. Unknown: "XML error: unknown value 'x' for
 * attribute 'y' of element <z> at line N" as ERROR_CONFIG_UNSUPPORTED is not used here: it is ERROR_XML_ERROR.
 */
bool xml_get_enum(const xmlNode *node, const char *attr, const char *const names[], unsigned count, int *value,
                  GError **error);

/*
 * Editing. Children made by xml_add() go to the end; values are escaped. xml_set_attr() replaces or adds; NULL removes.
 * xml_add_child_first() puts the new element before all others. All return the element.
 */
xmlDoc *xml_new(const char *root);
xmlNode *xml_root(const xmlDoc *doc);
xmlNode *xml_add(xmlNode *parent, const char *name);
xmlNode *xml_add_text(xmlNode *parent, const char *name, const char *text);
xmlNode *xml_add_text_format(xmlNode *parent, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
xmlNode *xml_add_child_first(xmlNode *parent, const char *name);
void xml_set_attr(xmlNode *node, const char *name, const char *value);
void xml_set_attr_format(xmlNode *node, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
void xml_set_text(xmlNode *node, const char *text);
void xml_remove(xmlNode *node);
void xml_remove_children(xmlNode *parent, const char *name);

/*
 * Stably reorders the child elements of parent to the order of names[] (NULL-terminated); elements that are not named
 * stay behind the named ones in the order they came. Comments stay before the element that they precede.
 */
void xml_order_children(xmlNode *parent, const char *const names[]);

/*
 * Canonical text: no declaration, two-space indent, attributes in single quotes, '<a/>' for empty elements, a trailing
 * newline, text content kept: what libvirt writes. node NULL: the root.
 */
char *xml_write(const xmlDoc *doc, const xmlNode *node);

/* Escapes text for use as content or in a single-quoted attribute of hand-written XML. */
char *xml_escape(const char *text);
