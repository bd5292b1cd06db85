/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/xml against documents that are broken or meant to do harm: refused with a short sentence that has the
 * line, nothing on standard error, nothing kept. That they cost no time shows in the bounds; tests/bench
 * measures it.
 */
#include "base/xml.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void assert_refused(const char *text, enum error_code code, const char *part)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = error_quote(text);
        xmlDoc *doc = xml_parse(text, NULL, &error);

        ck_assert_msg(doc == NULL, "accepted: %s", quoted);
        ck_assert_msg(error != NULL, "no error for: %s", quoted);
        ck_assert_msg(error_is(error, code), "%s: %s", quoted, error->message);
        ck_assert_int_eq(error_get_domain(error), ERROR_FROM_XML);
        ck_assert_uint_le(strlen(error->message), ERROR_MESSAGE_MAX);
        ck_assert(g_utf8_validate(error->message, -1, NULL));
        ck_assert_msg(strstr(error->message, part) != NULL, "'%s' not in: %s", part, error->message);
        ck_assert_ptr_null(xml_parse(text, NULL, NULL));
}

/* text, repeated, between two others. */
static char *repeat(const char *before, const char *text, unsigned count, const char *after)
{
        GString *string = g_string_new(before);

        for (unsigned i = 0; i < count; i++)
                g_string_append(string, text);
        g_string_append(string, after);
        return g_string_free(string, FALSE);
}

START_TEST(test_not_well_formed)
{
        static const char *const broken[] = {
                " ",
                "\n",
                "x",
                "<",
                "<a",
                "<a>",
                "<a/",
                "</a>",
                "<a></b>",
                "<a/><b/>",
                "<a/>x",
                "x<a/>",
                "<a b/>",
                "<a b=/>",
                "<a b=c/>",
                "<a b='c/>",
                "<a b='<'/>",
                "<a b='1' b='2'/>",
                "<a b='1'c='2'/>",
                "<a>&</a>",
                "<a>&x;</a>",
                "<a>&nbsp;</a>",
                "<a b='&x;'/>",
                "<a>&#0;</a>",
                "<a>&#x1;</a>",
                "<a>&#xffff;</a>",
                "<a>&#x110000;</a>",
                "<a>&#99999999999999999999;</a>",
                "<a>]]></a>",
                "<a>\x01</a>",
                "<a>\xff</a>",
                "<a>\xc0\x80</a>",
                "<a>\xed\xa0\x80</a>",
                "<a>\xef\xbf\xbf</a>",
                "<a><!-- -- --></a>",
                "<a><!-- </a>",
                "<a><![CDATA[ </a>",
                "<a><? x ?></a>",
                "<a><?x </a>",
                "<a><!ELEMENT a ANY></a>",
                "<!ENTITY x 'y'><a/>",
                "<1/>",
                "<a:b/>",
                "<a b:c='d'/>",
                "<a xmlns:b=''/>",
                "<a:b:c xmlns:a='urn:a'/>",
                "<?xml version='1.0'?><?xml version='1.0'?><a/>",
                " <?xml version='1.0'?><a/>",
                "<a><?xml version='1.0'?></a>",
                "<A></a>",
                "\xfe\xff<a/>",
                "{\"json\": 1}",
        };

        assert_refused("", ERROR_XML_DETAIL, "XML description is not well formed: document is empty");
        for (unsigned i = 0; i < G_N_ELEMENTS(broken); i++)
                assert_refused(broken[i], ERROR_XML_DETAIL, "XML description is not well formed: ");
        assert_refused("<a>\n<b>\n</c></a>", ERROR_XML_DETAIL, " at line 3");
        assert_refused("<a>\n\n\n<b c='d' c='e'/></a>", ERROR_XML_DETAIL, " at line 4");
}
END_TEST

START_TEST(test_wrong_root)
{
        static const char *const others[] = { "<network/>", "<x:domain xmlns:x='urn:x'/>",
                                              "<domain xmlns='urn:x'/>", "<Domain/>", "<domainx/>" };
        g_autofree char *name = g_strnfill(40000, 'n'), *document = g_strdup_printf("<%s/>", name);
        g_autoptr(GError) long_error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
                g_autofree char *text = g_strdup_printf("\n%s", others[i]);
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(xml_parse(text, "domain", &error));
                ck_assert(error_is(error, ERROR_XML_ERROR));
                ck_assert(g_str_has_prefix(error->message,
                                           "XML error: expected the root element <domain>, not <"));
                ck_assert(g_str_has_suffix(error->message, " at line 2"));
        }
        ck_assert_ptr_null(xml_parse(document, "domain", &long_error));
        ck_assert_uint_le(strlen(long_error->message), 200);
}
END_TEST

START_TEST(test_doctype)
{
        static const char *const documents[] = {
                "<!DOCTYPE a><a/>",
                "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
                "<!DOCTYPE a [<!ENTITY x0 'lol'><!ENTITY x1 '&x0;&x0;&x0;&x0;'><!ENTITY x2 "
                "'&x1;&x1;&x1;'>]><a>&x2;</a>",
                "<!DOCTYPE a [<!ENTITY x '&y;'><!ENTITY y '&x;'>]><a>&x;</a>",
                "<!DOCTYPE a [<!ENTITY % p '<!ENTITY x \"y\">'> %p;]><a>&x;</a>",
                "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><a>&x;</a>",
                "<!DOCTYPE a SYSTEM 'file:///dev/zero'><a/>",
                "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><a/>",
                "<!DOCTYPE a PUBLIC '-//x//y' 'http://127.0.0.1:1/x.dtd'><a/>",
                "<?xml version='1.0' standalone='no'?>\n<!-- c --><!DOCTYPE a [<!ATTLIST a b CDATA "
                "'c'>]><a/>",
        };
        g_autofree char *entity = g_strnfill(65536, 'e');
        g_autofree char *large = g_strdup_printf("<!DOCTYPE a [<!ENTITY x '%s'>]><a>&x;&x;</a>", entity);

        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                assert_refused(documents[i], ERROR_XML_ERROR, "XML error: a DOCTYPE is not allowed at line ");
        assert_refused(large, ERROR_XML_ERROR, "a DOCTYPE is not allowed at line 1");
}
END_TEST

/* Whatever it says, an XInclude is an element like others. */
START_TEST(test_xinclude)
{
        g_autoptr(xmlDoc) doc = xml_parse("<a xmlns:xi='http://www.w3.org/2001/XInclude'>"
                                          "<xi:include href='file:///etc/passwd' parse='text'/></a>",
                                          "a", NULL);

        ck_assert_ptr_nonnull(doc);
        ck_assert_ptr_null(xml_first_element(xml_first_element(xml_root(doc))));
}
END_TEST

START_TEST(test_size)
{
        g_autofree char *whole = g_strnfill(XML_BYTES_MAX, 'x'),
                        *longer = g_strnfill(16 * XML_BYTES_MAX, 'x');
        g_autoptr(xmlDoc) doc = NULL;

        memcpy(longer, "<a><!--", 7);
        assert_refused(longer, ERROR_XML_ERROR, "document is longer than 1048576 bytes");
        memcpy(whole, "<a b='", 6);
        memcpy(whole + XML_BYTES_MAX - 3, "'/>", 3);
        doc = xml_parse(whole, "a", NULL);
        ck_assert_ptr_nonnull(doc);
}
END_TEST

START_TEST(test_depth)
{
        g_autofree char *most = repeat("", "<a>", XML_DEPTH_MAX - 1, "<b/>");
        g_autofree char *closed = repeat(most, "</a>", XML_DEPTH_MAX - 1, "");
        g_autofree char *more = repeat("<a>\n", "<a>", XML_DEPTH_MAX - 1, "<b/>");
        g_autofree char *deep = repeat("", "<a>", 100000, "");
        g_autoptr(xmlDoc) doc = xml_parse(closed, "a", NULL);

        ck_assert_ptr_nonnull(doc);
        assert_refused(more, ERROR_XML_ERROR, "more than 128 levels of elements at line 2");
        assert_refused(deep, ERROR_XML_ERROR, "more than 128 levels of elements at line 1");
}
END_TEST

START_TEST(test_counts)
{
        g_autofree char *siblings = repeat("<a>", "<b/>", 200000, "</a>");
        g_autofree char *comments = repeat("<a>", "<!---->", 100000, "</a>");
        g_autofree char *pairs = repeat("<a>", "<b c='' d='' e=''/>", XML_NODES_MAX / 4, "</a>");
        GString *attributes = g_string_new("<a>\n<b"), *namespaces = g_string_new("<a>");

        assert_refused(siblings, ERROR_XML_ERROR,
                       "more than 65536 elements, attributes and comments at line 1");
        assert_refused(comments, ERROR_XML_ERROR,
                       "more than 65536 elements, attributes and comments at line 1");
        assert_refused(pairs, ERROR_XML_ERROR, "more than 65536 elements, attributes and comments at line 1");
        for (unsigned i = 0; i < 50000; i++)
                g_string_append_printf(attributes, " c%u='>'", i);
        g_string_append(attributes, "/></a>");
        assert_refused(attributes->str, ERROR_XML_ERROR, "more than 128 attributes in one element at line 2");
        for (unsigned i = 0; i <= XML_NAMESPACES_MAX; i++)
                g_string_append_printf(namespaces, "<b xmlns:c%u='urn:c'/>\n", i);
        g_string_append(namespaces, "</a>");
        assert_refused(namespaces->str, ERROR_XML_ERROR, "more than 256 namespace declarations at line 257");
        g_string_free(attributes, TRUE);
        g_string_free(namespaces, TRUE);
}
END_TEST

/*
 * Work hides behind an error, or in what a scan of the text takes for a comment: the parser must stop at the
 * error. In quadratic time each of these takes seconds.
 */
static void assert_quick(const char *before, const char *text, const char *after)
{
        g_autofree char *document = g_strconcat(before, text, after, NULL), *quoted = error_quote(document);
        clock_t start = clock();

        ck_assert_uint_le(strlen(document), XML_BYTES_MAX);
        ck_assert_ptr_null(xml_parse(document, NULL, NULL));
        ck_assert_msg(clock() - start < CLOCKS_PER_SEC / 2, "%s", quoted);
}

START_TEST(test_work_behind_errors)
{
        static const char *const before[] = { "<a b='<",   "<a><",           "<a></b><c",
                                              "<a><?1 <c", "<a><!-- -- <c",  "<a><!-- \x01 <c",
                                              "<a>&x; <c", "<a><b 1=''/><c", "<a><!x><c",
                                              "<a>]]><c",  "<a><![CDATA[<c" };
        static const char *const storms[] = {
                "<!-- -- -->", "&;",       "&#0;", "\x01", "<a b='&x;'/>", "<?1?>", "]]>",
                "</b>",        "<a b=c/>", "\xff", "<!",   "<a:b/>",       "&amp",  "<a b='' b=''/>"
        };
        g_autoptr(GString) attributes = g_string_new(NULL), namespaces = g_string_new(NULL);

        for (unsigned i = 0; i < 80000; i++)
                g_string_append_printf(attributes, " c%u=''", i);
        for (unsigned i = 0; i < 200 * 100; i++) {
                if (i % 100 == 0)
                        g_string_append(namespaces, ">\n<c");
                g_string_append_printf(namespaces, " xmlns:n%u='u'", i);
        }
        for (unsigned i = 0; i < 60000; i++)
                g_string_append(namespaces, "<n:c/>");
        for (unsigned i = 0; i < G_N_ELEMENTS(before); i++) {
                assert_quick(before[i], attributes->str, "/>?> ]]> --></a>");
                assert_quick(before[i], namespaces->str, "");
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(storms); i++) {
                g_autofree char *storm = repeat("<a>", storms[i], 900000 / (unsigned)strlen(storms[i]), "");

                assert_quick(storm, "", "</a>");
                assert_quick("<?1?>", storm, "");
        }
}
END_TEST

START_TEST(test_short_messages)
{
        g_autofree char *name = g_strnfill(49000, 'n'),
                        *tags = g_strdup_printf("<%s></%.40000sm>", name, name);
        g_autofree char *open = g_strdup_printf("<a><%s", name),
                        *comment = g_strdup_printf("<a><!--%s", name);

        assert_refused(tags, ERROR_XML_DETAIL, " at line 1");
        assert_refused(open, ERROR_XML_DETAIL, " at line 1");
        assert_refused(comment, ERROR_XML_DETAIL, " at line 1");
        assert_refused("<a><b\n\n></\xe2\x82\xac\x1b></a>", ERROR_XML_DETAIL, " at line 3");
}
END_TEST

START_TEST(test_silent)
{
        int fds[2];
        char byte;

        ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
        ck_assert_int_eq(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
        ck_assert_ptr_null(xml_parse("<a>&x;<b></a>", NULL, NULL));
        ck_assert_ptr_null(xml_parse("<!DOCTYPE a SYSTEM 'file:///nowhere'><a/>", NULL, NULL));
        ck_assert_ptr_null(xml_parse("<a \xff='1'/>", NULL, NULL));
        xmlFreeDoc(xml_parse("<a xmlns='relative'/>", NULL, NULL));
        ck_assert_int_eq(read(fds[0], &byte, 1), -1);
        close(fds[0]);
        close(fds[1]);
}
END_TEST

/* Every prefix of a document, and the document with each byte changed: an answer of one kind or the other. */
START_TEST(test_mutations)
{
        static const char text[] =
                "<?xml version='1.0'?>\n<d x:a='1' xmlns:x=\"urn:x\"><!-- c --><![CDATA[d]]>&amp;&#65;"
                "<b c='&lt;'/>text<e>\n</e></d>";
        static const char changes[] = "<>&'\"/!?-]; \n=:#x\x01\xff";

        for (size_t i = 0; i < sizeof(text) - 1; i++) {
                g_autofree char *prefix = g_strndup(text, i), *changed = g_strdup(text);

                assert_refused(prefix, ERROR_XML_DETAIL, "not well formed");
                for (const char *c = changes; *c; c++) {
                        g_autoptr(GError) error = NULL;
                        g_autoptr(xmlDoc) doc = NULL;

                        changed[i] = *c;
                        doc = xml_parse(changed, "d", &error);
                        ck_assert((doc != NULL) != (error != NULL));
                }
        }
}
END_TEST

CHECK_MAIN("xml-hostile", test_not_well_formed, test_wrong_root, test_doctype, test_xinclude, test_size,
           test_depth, test_counts, test_work_behind_errors, test_short_messages, test_silent, test_mutations)
