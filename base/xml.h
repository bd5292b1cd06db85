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
#define XML_BYTES_MAX      (1024 * 1024)
#define XML_DEPTH_MAX      128
#define XML_NODES_MAX      65536 /* elements, attributes and comments together */
#define XML_ATTRIBUTES_MAX 128   /* of one element */
#define XML_NAMESPACES_MAX 256   /* declarations in the whole document */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/*
 * Parses text (NUL-terminated UTF-8, whatever encoding it declares), which must have root as the name of its
 * root element (NULL: any), in no namespace. Line numbers are kept for xml_error(). White space between
 * elements and processing instructions are dropped from the tree, comments are kept, CDATA becomes text.
 * Errors, all ERROR_FROM_XML with the line: ERROR_XML_DETAIL when text is not well formed, ERROR_XML_ERROR
 * when it breaks a bound, has a DOCTYPE or another root. The bounds are checked before anything is built.
 */
xmlDoc *xml_parse(const char *text, const char *root, GError **error);

/*
 * "XML error: <detail> at line N (<element>)", returns false. node may be NULL; one that was not parsed
 * (xml_add()) has no line. Quote foreign text with error_quote().
 */
bool xml_error(GError **error, const xmlNode *node, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The line on which the start tag of node ends; 0 when unknown. */
unsigned xml_line(const xmlNode *node);

/*
 * Names below mean elements and attributes without a namespace, as all of libvirt's formats are; what stands
 * in <metadata> or <qemu:commandline> is found by the _ns functions with the namespace's URI. NULL nodes have
 * no children.
 */

/* The first child element of that name, or NULL. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
xmlNode *xml_child_ns(const xmlNode *parent, const char *uri, const char *name);
/* The next sibling element of the same name and namespace, or NULL. */
xmlNode *xml_next(const xmlNode *node);
/* First and following child elements of any name. */
xmlNode *xml_first_element(const xmlNode *parent);
xmlNode *xml_next_element(const xmlNode *node);
bool xml_is(const xmlNode *node, const char *name);
bool xml_is_ns(const xmlNode *node, const char *uri, const char *name);

/* for (xmlNode *n ...) over all child elements of parent */
#define XML_FOREACH_CHILD(node, parent)                                                                      \
        for (xmlNode *node = xml_first_element(parent); node; node = xml_next_element(node))

/* Attribute and text values: a newly allocated string, NULL when absent. node may be NULL (gives NULL). */
char *xml_attr(const xmlNode *node, const char *name);
char *xml_text(const xmlNode *node);
/* Text of the child element of that name, NULL when there is none. */
char *xml_child_text(const xmlNode *parent, const char *name);
bool xml_has_attr(const xmlNode *node, const char *name);

/*
 * Typed readers of an attribute (attr non-NULL) or of the node's text (attr NULL). Absent: *value is left
 * alone and true is returned. Malformed (sign, overflow, tail, empty): an error that names element, attribute
 * and line, and *value is left alone. Numbers are decimal; the _hex variants also take "0x..". White space
 * around a node's text does not count, in an attribute it does. node may be NULL.
 */
bool xml_get_uint(const xmlNode *node, const char *attr, unsigned *value, GError **error);
bool xml_get_uint_hex(const xmlNode *node, const char *attr, unsigned *value, GError **error);
bool xml_get_uint64(const xmlNode *node, const char *attr, uint64_t *value, GError **error);
bool xml_get_uint64_hex(const xmlNode *node, const char *attr, uint64_t *value, GError **error);
bool xml_get_int(const xmlNode *node, const char *attr, int *value, GError **error);
bool xml_get_int64(const xmlNode *node, const char *attr, int64_t *value, GError **error);
/* "yes"/"no" (yes_no) and "on"/"off" (on_off). */
bool xml_get_yes_no(const xmlNode *node, const char *attr, bool *value, GError **error);
bool xml_get_on_off(const xmlNode *node, const char *attr, bool *value, GError **error);
/*
 * One of names[0..count), NULL entries skipped; *value is the index. Unknown: ERROR_XML_ERROR "XML error:
 * unknown value 'x' for attribute 'y' at line N (<z>)".
 */
bool xml_get_enum(const xmlNode *node, const char *attr, const char *const names[], unsigned count,
                  int *value, GError **error);

/*
 * Editing. Children made by xml_add() go to the end; values are escaped. xml_set_attr() replaces or adds;
 * NULL removes. xml_add_child_first() puts the new element before all others. All return the element. Text
 * goes through xml_clean().
 */
xmlDoc *xml_new(const char *root);
xmlDoc *xml_copy(const xmlDoc *doc);
xmlNode *xml_root(const xmlDoc *doc);
xmlNode *xml_add(xmlNode *parent, const char *name);
xmlNode *xml_add_text(xmlNode *parent, const char *name, const char *text);
xmlNode *xml_add_text_format(xmlNode *parent, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
xmlNode *xml_add_child_first(xmlNode *parent, const char *name);
void xml_set_attr(xmlNode *node, const char *name, const char *value);
void xml_set_attr_format(xmlNode *node, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
void xml_set_text(xmlNode *node, const char *text);
/* Appends a deep copy of node (of any document) to parent, with the namespaces it needs. */
xmlNode *xml_add_copy(xmlNode *parent, const xmlNode *node);
/* Puts a deep copy of node in the place of old, which is freed. */
xmlNode *xml_replace(xmlNode *old, const xmlNode *node);
void xml_remove(xmlNode *node);
void xml_remove_children(xmlNode *parent, const char *name);
/* Removes what stands between the child elements of parent: text and comments. */
void xml_keep_elements(xmlNode *parent);

/*
 * Stably reorders the child elements of parent to the order of names[] (NULL-terminated); elements that are
 * not named stay behind the named ones in the order they came. Comments stay before the element that they
 * precede.
 */
void xml_order_children(xmlNode *parent, const char *const names[]);

/*
 * Canonical text: no declaration, two-space indent, attributes in single quotes (in double ones, and quotes
 * in text as they are, in elements of foreign namespaces), '<a/>' for empty elements, a trailing newline,
 * text content kept: what libvirt writes. An element that has both text and elements is written as it is, on
 * one line. node NULL: the root. What is written parses to the same document and is written the same again.
 */
char *xml_write(const xmlDoc *doc, const xmlNode *node);
/* The same of an element that is others', as those in foreign namespaces are written, whatever its own. */
char *xml_write_foreign(const xmlNode *node);

/*
 * A copy of text (NULL counts as "") that XML can carry: invalid UTF-8 and non-characters become U+FFFD,
 * control characters other than tab and line breaks become '?'.
 */
char *xml_clean(const char *text);

/*
 * Escapes text for use as content or in an attribute of hand-written XML, line breaks and tabs included,
 * after xml_clean().
 */
char *xml_escape(const char *text);
