/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsing of documents that anybody may have written. Two guards stand before the tree: a scan of the text
 * that counts what costs time or memory (libxml2 checks the attributes of an element in quadratic time before
 * anyone can stop it), and handlers that refuse a DOCTYPE, so that there are no entities, and end the parser
 * at its first error. No state; any thread.
 */
#include "base/xml.h"

#include "base/error.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <string.h>

/* Longest piece of a message of libxml2's that is passed on, in bytes. */
#define DETAIL_MAX 200

#define BLANKS " \t\r\n"

struct parse {
        const char *root; /* borrowed, NULL = any */
        GError **error;   /* borrowed */
        bool failed;
        unsigned namespaces;
};

#if LIBXML_VERSION >= 21200
typedef const xmlError parse_error;
#else
typedef xmlError parse_error;
#endif

/* What follows the first end in text; end closes with '>'. */
static const char *skip_past(const char *text, const char *end)
{
        ptrdiff_t before = (ptrdiff_t)strlen(end) - 1;

        for (const char *p = strchr(text, '>'); p; p = strchr(p + 1, '>')) {
                if (p - text >= before && memcmp(p - before, end, (size_t)before) == 0)
                        return p + 1;
        }
        return NULL;
}

/* p stands behind the '<'. Returns what follows the tag, NULL if it is none. */
static const char *skip_start_tag(const char *p, unsigned *attributes, bool *empty)
{
        *attributes = 0;
        for (;;) {
                char quote;

                p += strcspn(p, "\"'<>");
                if (*p == '>') {
                        *empty = p[-1] == '/';
                        return p + 1;
                }
                if (*p != '"' && *p != '\'')
                        return NULL;
                quote = *p++;
                p += strcspn(p, quote == '"' ? "\"<" : "'<");
                if (*p != quote)
                        return NULL;
                p++;
                ++*attributes;
        }
}

static unsigned line_of(const char *text, const char *p)
{
        unsigned line = 1;

        while ((text = memchr(text, '\n', (size_t)(p - text)))) {
                text++;
                line++;
        }
        return line;
}

static bool refuse(GError **error, const char *text, const char *p, const char *what, unsigned bound)
{
        return error_set(error, ERROR_FROM_XML, ERROR_XML_ERROR, "more than %u %s at line %u", bound, what,
                         line_of(text, p));
}

/*
 * At every '<', also those in comments: after an error the parser may take one for a tag.
 */
static bool check_attributes(const char *text, GError **error)
{
        unsigned attributes;
        bool empty;

        for (const char *p = text; (p = strchr(p, '<')); p++) {
                skip_start_tag(p + 1, &attributes, &empty);
                if (attributes > XML_ATTRIBUTES_MAX)
                        return refuse(error, text, p, "attributes in one element", XML_ATTRIBUTES_MAX);
        }
        return true;
}

/*
 * Counts levels and nodes. Where the text turns out to be not well formed the scan ends: so does the parser,
 * at that place at the latest, and it has the better message.
 */
static bool check_bounds(const char *text, GError **error)
{
        unsigned depth = 0, nodes = 0, attributes;
        bool empty = false;

        for (const char *p = text, *at; p && (at = strchr(p, '<'));) {
                if (g_str_has_prefix(at, "<!--")) {
                        nodes++;
                        p = skip_past(at + 4, "-->");
                } else if (g_str_has_prefix(at, "<![CDATA[")) {
                        p = skip_past(at + 9, "]]>");
                } else if (at[1] == '!') {
                        return true; /* a DOCTYPE */
                } else if (at[1] == '?') {
                        p = skip_past(at + 2, "?>");
                } else if (at[1] == '/') {
                        if (depth-- == 0)
                                return true;
                        p = skip_past(at + 2, ">");
                } else {
                        p = skip_start_tag(at + 1, &attributes, &empty);
                        nodes += 1 + attributes;
                        if (depth == XML_DEPTH_MAX)
                                return refuse(error, text, at, "levels of elements", XML_DEPTH_MAX);
                        depth += !empty;
                }
                if (nodes > XML_NODES_MAX)
                        return refuse(error, text, at, "elements, attributes and comments", XML_NODES_MAX);
        }
        return true;
}

/* Ends the parser from a handler of the tree; what it complains about afterwards is not heard. */
G_GNUC_PRINTF(2, 3) static void fail(xmlParserCtxt *ctxt, const char *format, ...)
{
        struct parse *parse = ctxt->_private;
        g_autofree char *detail = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        parse->failed = true;
        error_set(parse->error, ERROR_FROM_XML, ERROR_XML_ERROR, "%s at line %d", detail, ctxt->input->line);
        xmlStopParser(ctxt);
}

/*
 * An error of the parser itself. It has pointers into its input now, which xmlStopParser() would free: this
 * only makes its innermost loops end.
 */
static void on_error(void *data, parse_error *problem)
{
        xmlParserCtxt *ctxt = data;
        struct parse *parse = ctxt->_private;
        g_autofree char *detail = NULL;

        if (problem->level < XML_ERR_ERROR)
                return;
        ctxt->instate = XML_PARSER_EOF;
        if (parse->failed)
                return;
        detail = g_strndup(problem->message ? problem->message : "unknown error", DETAIL_MAX);
        g_strdelimit(g_strchomp(detail), "\n", ' ');
        parse->failed = true;
        error_set(parse->error, ERROR_FROM_XML, ERROR_XML_DETAIL,
                  "XML description is not well formed: %s at line %d", detail, problem->line);
}

/*
 * After some errors (in comments, of namespaces) the parser goes on and calls the next handler; each asks
 * this first.
 */
static bool goes_on(xmlParserCtxt *ctxt)
{
        struct parse *parse = ctxt->_private;

        if (parse->failed)
                xmlStopParser(ctxt);
        return !parse->failed;
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
        fail(data, "a DOCTYPE is not allowed");
}

static bool check_root(xmlParserCtxt *ctxt, const char *name, const char *uri)
{
        struct parse *parse = ctxt->_private;
        g_autofree char *quoted = NULL;

        if (!parse->root || (!uri && strcmp(name, parse->root) == 0))
                return true;
        quoted = error_quote(name);
        fail(ctxt, "expected the root element <%s>, not <%s>%s", parse->root, quoted,
             uri ? " in a namespace" : "");
        return false;
}

static void on_start(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespaces_count, const xmlChar **namespaces, int attributes_count,
                     int defaulted_count, const xmlChar **attributes)
{
        xmlParserCtxt *ctxt = data;
        struct parse *parse = ctxt->_private;

        if (!goes_on(ctxt) || (!ctxt->node && !check_root(ctxt, (const char *)name, (const char *)uri)))
                return;
        parse->namespaces += (unsigned)namespaces_count;
        if (parse->namespaces > XML_NAMESPACES_MAX) {
                fail(ctxt, "more than %d namespace declarations", XML_NAMESPACES_MAX);
                return;
        }
        xmlSAX2StartElementNs(ctxt, name, prefix, uri, namespaces_count, namespaces, attributes_count,
                              defaulted_count, attributes);
        /* The member for lines has 16 bits. */
        if (ctxt->node)
                ctxt->node->_private = GINT_TO_POINTER(ctxt->input->line);
}

/*
 * White space is layout where there is nothing else but elements and comments, and where it holds a line
 * break in an element that is otherwise empty.
 */
static void drop_layout(xmlNode *parent)
{
        bool layout = false;

        for (xmlNode *node = parent->children; node; node = node->next) {
                const char *text = (const char *)node->content;

                if (node->type != XML_TEXT_NODE)
                        layout = true;
                else if (text[strspn(text, BLANKS)])
                        return;
                else if (strchr(text, '\n'))
                        layout = true;
        }
        for (xmlNode *node = parent->children, *next; layout && node; node = next) {
                next = node->next;
                if (node->type != XML_TEXT_NODE)
                        continue;
                xmlUnlinkNode(node);
                xmlFreeNode(node);
        }
}

static void on_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
        xmlParserCtxt *ctxt = data;

        if (!goes_on(ctxt))
                return;
        if (ctxt->node)
                drop_layout(ctxt->node);
        xmlSAX2EndElementNs(ctxt, name, prefix, uri);
}

static void on_text(void *data, const xmlChar *text, int length)
{
        if (goes_on(data))
                xmlSAX2Characters(data, text, length);
}

static void on_comment(void *data, const xmlChar *text)
{
        if (goes_on(data))
                xmlSAX2Comment(data, text);
}

static void init_library(void)
{
        static gsize done = 0;

        if (!g_once_init_enter(&done))
                return;
        xmlInitParser();
        g_once_init_leave(&done, 1);
}

static xmlDoc *parse_bounded(struct parse *parse, const char *text, size_t length)
{
        /* Without NOENT the URI of a namespace has "&#38;" for "&amp;". No text has entities of its own. */
        const int options = XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_IGNORE_ENC | XML_PARSE_COMPACT |
                            XML_PARSE_NOENT;
        xmlParserCtxt *ctxt;
        xmlDoc *doc;

        init_library();
        ctxt = xmlNewParserCtxt();
        if (!ctxt)
                g_error("out of memory");
        ctxt->_private = parse;
        ctxt->sax->serror = on_error;
        ctxt->sax->internalSubset = on_doctype;
        ctxt->sax->startElementNs = on_start;
        ctxt->sax->endElementNs = on_end;
        ctxt->sax->characters = on_text;
        ctxt->sax->ignorableWhitespace = on_text;
        ctxt->sax->comment = on_comment;
        ctxt->sax->processingInstruction = NULL;
        doc = xmlCtxtReadMemory(ctxt, text, (int)length, NULL, "UTF-8", options);
        if (parse->failed)
                g_clear_pointer(&doc, xmlFreeDoc);
        else if (!doc)
                error_set(parse->error, ERROR_FROM_XML, ERROR_XML_DETAIL,
                          "XML description is not well formed");
        xmlFreeParserCtxt(ctxt);
        return doc;
}

xmlDoc *xml_parse(const char *text, const char *root, GError **error)
{
        struct parse parse = { .root = root, .error = error };
        size_t length = strnlen(text, XML_BYTES_MAX + 1);

        if (length > XML_BYTES_MAX) {
                error_set(error, ERROR_FROM_XML, ERROR_XML_ERROR, "document is longer than %d bytes",
                          XML_BYTES_MAX);
                return NULL;
        }
        if (length == 0) {
                error_set(error, ERROR_FROM_XML, ERROR_XML_DETAIL,
                          "XML description is not well formed: document is empty");
                return NULL;
        }
        if (!check_attributes(text, error) || !check_bounds(text, error))
                return NULL;
        return parse_bounded(&parse, text, length);
}
