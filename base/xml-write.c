/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The canonical text of documents. No state; any thread.
 */
#include "base/xml.h"

#include <string.h>

/* Most definitions fit at once. */
#define SIZE_GUESS 8192

#define INDENT_STEP 2
#define INLINE      (-1) /* as indent: no layout, here and below */

#define BLANKS " \t\r\n"

/* How values are quoted and what in them is a reference, as libvirt does. */
struct style {
        char quote;
        const char *in_attribute; /* attribute values lose their line breaks and tabs unless they are
                                     references */
        const char *in_text;
};

static const struct style own_style = { '\'', "<>&'\"\r\n\t", "<>&'\"\r" };
/* What belongs to others (in <metadata>) it has libxml2 write. */
static const struct style foreign_style = { '"', "<>&\"\r\n\t", "<>&\r" };

#define OWN_NAMESPACES "http://libvirt.org/schemas/"

enum content {
        CONTENT_NONE,
        CONTENT_TEXT,
        CONTENT_ELEMENTS,
        CONTENT_MIXED,
};

static const char *reference_for(char c)
{
        switch (c) {
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '&':
                return "&amp;";
        case '\'':
                return "&apos;";
        case '"':
                return "&quot;";
        case '\t':
                return "&#9;";
        case '\n':
                return "&#10;";
        default:
                return "&#13;";
        }
}

static void append_escaped(GString *out, const char *text, const char *special)
{
        for (;;) {
                size_t plain = strcspn(text, special);

                g_string_append_len(out, text, (gssize)plain);
                text += plain;
                if (!*text)
                        return;
                g_string_append(out, reference_for(*text++));
        }
}

static void append_indent(GString *out, int indent)
{
        static const char spaces[] = "                                ";

        for (int left = indent; left > 0; left -= (int)sizeof(spaces) - 1)
                g_string_append_len(out, spaces, MIN(left, (int)sizeof(spaces) - 1));
}

static void append_name(GString *out, const xmlNs *ns, const xmlChar *name)
{
        if (ns && ns->prefix) {
                g_string_append(out, (const char *)ns->prefix);
                g_string_append_c(out, ':');
        }
        g_string_append(out, (const char *)name);
}

static void append_quoted(GString *out, const char *text, const struct style *style)
{
        g_string_append_c(out, style->quote);
        append_escaped(out, text, style->in_attribute);
        g_string_append_c(out, style->quote);
}

static void append_declaration(GString *out, const xmlNs *ns, const struct style *style)
{
        g_string_append(out, " xmlns");
        if (ns->prefix) {
                g_string_append_c(out, ':');
                g_string_append(out, (const char *)ns->prefix);
        }
        g_string_append_c(out, '=');
        append_quoted(out, ns->href ? (const char *)ns->href : "", style);
}

static void append_attributes(GString *out, const xmlNode *node, const struct style *style)
{
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                g_string_append_c(out, ' ');
                append_name(out, attr->ns, attr->name);
                g_string_append_c(out, '=');
                g_string_append_c(out, style->quote);
                for (const xmlNode *text = attr->children; text; text = text->next) {
                        if (text->type == XML_TEXT_NODE)
                                append_escaped(out, (const char *)text->content, style->in_attribute);
                }
                g_string_append_c(out, style->quote);
        }
}

/* Is ns the namespace of node, of what is below or of one of their attributes? */
static bool uses_namespace(const xmlNode *node, const xmlNs *ns)
{
        if (node->ns == ns)
                return true;
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                if (attr->ns == ns)
                        return true;
        }
        XML_FOREACH_CHILD (child, node) {
                if (uses_namespace(child, ns))
                        return true;
        }
        return false;
}

/* What the text of a part needs and the elements around it declare. */
static void append_outer_declarations(GString *out, const xmlNode *node, const struct style *style)
{
        for (const xmlNode *outer = node->parent; outer && outer->type == XML_ELEMENT_NODE;
             outer = outer->parent) {
                for (const xmlNs *ns = outer->nsDef; ns; ns = ns->next) {
                        if (uses_namespace(node, ns))
                                append_declaration(out, ns, style);
                }
        }
}

/* libvirt's elements declare the namespaces of their extensions last, foreign elements declare theirs first.
 */
static void append_start_tag(GString *out, const xmlNode *node, bool top, const struct style *style)
{
        g_string_append_c(out, '<');
        append_name(out, node->ns, node->name);
        if (!node->ns)
                append_attributes(out, node, style);
        for (const xmlNs *ns = node->nsDef; ns; ns = ns->next)
                append_declaration(out, ns, style);
        if (top)
                append_outer_declarations(out, node, style);
        if (node->ns)
                append_attributes(out, node, style);
}

static bool is_text(const xmlNode *node)
{
        return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

static bool is_blank(const char *text)
{
        return !text[strspn(text, BLANKS)];
}

/* The same rule by which the parser takes white space for layout. */
static enum content classify(const xmlNode *node)
{
        bool elements = false, blanks = false, lines = false, text = false;

        for (const xmlNode *child = node->children; child; child = child->next) {
                const char *content = (const char *)child->content;

                if (!is_text(child))
                        elements = true;
                else if (!is_blank(content))
                        text = true;
                else if (strchr(content, '\n'))
                        lines = true;
                else if (*content)
                        blanks = true;
        }
        if (text)
                return elements ? CONTENT_MIXED : CONTENT_TEXT;
        if (elements)
                return CONTENT_ELEMENTS;
        return blanks && !lines ? CONTENT_TEXT : CONTENT_NONE;
}

static void write_comment(GString *out, const xmlNode *node, int indent)
{
        append_indent(out, indent);
        g_string_append(out, "<!--");
        g_string_append(out, (const char *)node->content);
        g_string_append(out, "-->");
        if (indent != INLINE)
                g_string_append_c(out, '\n');
}

static void append_end_tag(GString *out, const xmlNode *node)
{
        g_string_append(out, "</");
        append_name(out, node->ns, node->name);
        g_string_append_c(out, '>');
}

/* An element in a namespace that is not of libvirt's formats is others', and so is what is in it. */
static const struct style *style_of(const xmlNode *node, const struct style *outer)
{
        const char *uri = node->ns ? (const char *)node->ns->href : NULL;

        return uri && !g_str_has_prefix(uri, OWN_NAMESPACES) ? &foreign_style : outer;
}

/* outer: the style of what it is in; top: it is the one that was asked for. */
static void write_element(GString *out, const xmlNode *node, int indent, const struct style *outer, bool top)
{
        const struct style *style = style_of(node, outer);
        enum content content = classify(node);
        int below = indent == INLINE || content != CONTENT_ELEMENTS ? INLINE : indent + INDENT_STEP;

        append_indent(out, indent);
        append_start_tag(out, node, top, style);
        g_string_append(out, content == CONTENT_NONE ? "/>" : below == INLINE ? ">" : ">\n");
        for (const xmlNode *child = node->children; child; child = child->next) {
                if (child->type == XML_ELEMENT_NODE)
                        write_element(out, child, below, style, false);
                else if (child->type == XML_COMMENT_NODE)
                        write_comment(out, child, below);
                else if (is_text(child) && (content == CONTENT_TEXT || content == CONTENT_MIXED))
                        append_escaped(out, (const char *)child->content, style->in_text);
        }
        if (below != INLINE)
                append_indent(out, indent);
        if (content != CONTENT_NONE)
                append_end_tag(out, node);
        if (indent != INLINE)
                g_string_append_c(out, '\n');
}

static char *write_styled(const xmlNode *node, const struct style *style)
{
        GString *out = g_string_sized_new(SIZE_GUESS);
        size_t length;

        write_element(out, node, 0, style, true);
        length = out->len;
        /* Definitions are kept for long: give back what the guess was too much. */
        return g_realloc(g_string_free(out, FALSE), length + 1);
}

char *xml_write(const xmlDoc *doc, const xmlNode *node)
{
        return write_styled(node ? node : xml_root(doc), &own_style);
}

char *xml_write_foreign(const xmlNode *node)
{
        return write_styled(node, &foreign_style);
}

char *xml_escape(const char *text)
{
        g_autofree char *clean = xml_clean(text);
        GString *out = g_string_sized_new(strlen(clean) + 16);

        append_escaped(out, clean, own_style.in_attribute);
        return g_string_free(out, FALSE);
}
