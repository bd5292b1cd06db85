/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/xml: what is read, edited and written. Hostile documents are in test-xml-hostile.c.
 */
#include "base/xml.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

static xmlDoc *parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        xmlDoc *doc = xml_parse(text, NULL, &error);

        ck_assert_msg(doc != NULL, "%s", error ? error->message : "no error");
        ck_assert_ptr_null(error);
        return doc;
}

static void assert_canonical(const char *text, const char *expected)
{
        g_autoptr(xmlDoc) doc = parse(text), again = NULL;
        g_autofree char *once = xml_write(doc, NULL), *twice = NULL;

        ck_assert_str_eq(once, expected);
        again = parse(once);
        twice = xml_write(again, NULL);
        ck_assert_str_eq(twice, expected);
}

START_TEST(test_layout)
{
        static const char expected[] = "<domain type='kvm'>\n"
                                       "  <name>web</name>\n"
                                       "  <devices>\n"
                                       "    <disk type='file' device='disk'>\n"
                                       "      <source file='/x'/>\n"
                                       "    </disk>\n"
                                       "    <!-- a comment -->\n"
                                       "  </devices>\n"
                                       "</domain>\n";

        assert_canonical("<domain type='kvm'><name>web</name><devices><disk type='file' device='disk'>"
                         "<source file='/x'/></disk><!-- a comment --></devices></domain>",
                         expected);
        assert_canonical("<?xml version=\"1.0\" encoding=\"utf-16\"?>\n<!-- generated -->\n"
                         "<domain\n\ttype=\"kvm\"  >\n\n\n\t<?drop this?><name>web</name>\r\n"
                         "<devices ><disk type='file'\n device=\"disk\"><source file='/x'></source>\n"
                         "        </disk><!-- a comment -->  </devices></domain>\n<!-- end -->\n",
                         expected);
}
END_TEST

START_TEST(test_empty_and_blank)
{
        assert_canonical("<a></a>", "<a/>\n");
        assert_canonical("<a>\n  </a>", "<a/>\n");
        assert_canonical("<a> </a>", "<a> </a>\n");
        assert_canonical("<a> <b/> </a>", "<a>\n  <b/>\n</a>\n");
        assert_canonical("<a><b> x\n y </b></a>", "<a>\n  <b> x\n y </b>\n</a>\n");
        assert_canonical("<a><!-- only --></a>", "<a>\n  <!-- only -->\n</a>\n");
        assert_canonical("\xef\xbb\xbf<a/>", "<a/>\n");
}
END_TEST

START_TEST(test_escapes)
{
        assert_canonical(
                "<a b=\"1'2&quot;3&lt;&gt;&amp;&#10;&#9;&#13;\">'\"&lt;]]&gt;&amp;&#13;&#x20ac;\n\t.</a>",
                "<a b='1&apos;2&quot;3&lt;&gt;&amp;&#10;&#9;&#13;'>"
                "&apos;&quot;&lt;]]&gt;&amp;&#13;\xe2\x82\xac\n\t.</a>\n");
        assert_canonical("<a><![CDATA[<b>&amp;</b>]]> and <![CDATA[]]>text</a>",
                         "<a>&lt;b&gt;&amp;amp;&lt;/b&gt; and text</a>\n");
}
END_TEST

START_TEST(test_mixed)
{
        assert_canonical("<m><a> one <i>two</i>\n three <j><k/> <l/></j></a> <b/></m>",
                         "<m>\n  <a> one <i>two</i>\n three <j><k/><l/></j></a>\n  <b/>\n</m>\n");
}
END_TEST

START_TEST(test_namespaces)
{
        assert_canonical("<domain xmlns:qemu='http://libvirt.org/schemas/q' type='kvm'><metadata><app:x "
                         "a='1' xmlns:app='urn:a' app:b='2'>"
                         "<app:y/></app:x><z xmlns='urn:z'><y xmlns=''/></z></metadata>"
                         "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline></domain>",
                         "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/q'>\n"
                         "  <metadata>\n"
                         "    <app:x xmlns:app=\"urn:a\" a=\"1\" app:b=\"2\">\n"
                         "      <app:y/>\n"
                         "    </app:x>\n"
                         "    <z xmlns=\"urn:z\">\n"
                         "      <y xmlns=\"\"/>\n"
                         "    </z>\n"
                         "  </metadata>\n"
                         "  <qemu:commandline>\n"
                         "    <qemu:arg value='-x'/>\n"
                         "  </qemu:commandline>\n"
                         "</domain>\n");
}
END_TEST

START_TEST(test_write_part)
{
        g_autoptr(xmlDoc) doc = parse("<d xmlns:q='urn:q' xmlns:r='urn:r'><a><q:b x='1'><c/></q:b></a></d>");
        xmlNode *a = xml_child(xml_root(doc), "a");
        g_autofree char *part = xml_write(doc, a), *inner = xml_write(doc, xml_first_element(a));
        g_autoptr(xmlDoc) again = parse(part);

        ck_assert_str_eq(part, "<a xmlns:q='urn:q'>\n  <q:b x=\"1\">\n    <c/>\n  </q:b>\n</a>\n");
        ck_assert_str_eq(inner, "<q:b xmlns:q=\"urn:q\" x=\"1\">\n  <c/>\n</q:b>\n");
        ck_assert_ptr_nonnull(xml_child_ns(xml_root(again), "urn:q", "b"));
}
END_TEST

START_TEST(test_navigation)
{
        g_autoptr(xmlDoc) doc = parse("<d xmlns:x='urn:x'>text<x:a n='0'/><!-- c --><a n='1'/><b/><a n='2'>"
                                      "t<!-- c -->u<i/></a><x:a n='3'/></d>");
        xmlNode *root = xml_root(doc), *a = xml_child(root, "a"), *foreign = xml_child_ns(root, "urn:x", "a");
        g_autofree char *first = xml_attr(a, "n"), *second = xml_attr(xml_next(a), "n"), *text = NULL;
        g_autofree char *zero = xml_attr(foreign, "n"), *three = xml_attr(xml_next(foreign), "n");
        unsigned count = 0;

        ck_assert_str_eq(first, "1");
        ck_assert_str_eq(second, "2");
        ck_assert_str_eq(zero, "0");
        ck_assert_str_eq(three, "3");
        ck_assert_ptr_null(xml_next(xml_next(a)));
        ck_assert_ptr_null(xml_child(root, "c"));
        ck_assert(xml_is(a, "a") && !xml_is(foreign, "a") && !xml_is(NULL, "a"));
        ck_assert(xml_is_ns(foreign, "urn:x", "a"));
        XML_FOREACH_CHILD (node, root)
                count++;
        ck_assert_uint_eq(count, 5);
        ck_assert_ptr_eq(xml_first_element(root), foreign);
        text = xml_text(xml_next(a));
        ck_assert_str_eq(text, "tu");
}
END_TEST

START_TEST(test_absent)
{
        g_autoptr(xmlDoc) doc = parse("<d x:y='1' e='' xmlns:x='urn:x'><t/></d>");
        xmlNode *root = xml_root(doc);
        g_autofree char *empty = xml_attr(root, "e"), *no_text = xml_child_text(root, "t");

        ck_assert_str_eq(empty, "");
        ck_assert_str_eq(no_text, "");
        ck_assert(xml_has_attr(root, "e"));
        ck_assert(!xml_has_attr(root, "y"));
        ck_assert(!xml_has_attr(NULL, "y"));
        ck_assert_ptr_null(xml_attr(root, "y"));
        ck_assert_ptr_null(xml_attr(NULL, "y"));
        ck_assert_ptr_null(xml_text(NULL));
        ck_assert_ptr_null(xml_child(NULL, "t"));
        ck_assert_ptr_null(xml_child_text(root, "u"));
        ck_assert_ptr_null(xml_first_element(NULL));
}
END_TEST

START_TEST(test_typed)
{
        g_autoptr(xmlDoc) doc = parse("<d u='4294967295' h='0xFf' w='18446744073709551615' i='-2147483648' "
                                      "l='-9223372036854775808' y='yes' o='off' e='two'><t>\n 7 </t></d>");
        static const char *const names[] = { "one", NULL, "two" };
        xmlNode *root = xml_root(doc);
        unsigned u = 0, h = 0, t = 0;
        uint64_t w = 0, wh = 0;
        int64_t l = 0;
        int i = 0, e = 0;
        bool y = false, o = true;

        ck_assert(xml_get_uint(root, "u", &u, NULL) && u == 4294967295u);
        ck_assert(xml_get_uint_hex(root, "h", &h, NULL) && h == 0xff);
        ck_assert(xml_get_uint_hex(root, "u", &h, NULL) && h == 4294967295u);
        ck_assert(xml_get_uint64(root, "w", &w, NULL) && w == UINT64_MAX);
        ck_assert(xml_get_uint64_hex(root, "h", &wh, NULL) && wh == 0xff);
        ck_assert(xml_get_int(root, "i", &i, NULL) && i == INT_MIN);
        ck_assert(xml_get_int64(root, "l", &l, NULL) && l == INT64_MIN);
        ck_assert(xml_get_uint(xml_child(root, "t"), NULL, &t, NULL) && t == 7);
        ck_assert(xml_get_yes_no(root, "y", &y, NULL) && y);
        ck_assert(xml_get_on_off(root, "o", &o, NULL) && !o);
        ck_assert(xml_get_enum(root, "e", names, 3, &e, NULL) && e == 2);

        /* Absent ones leave what was there. */
        ck_assert(xml_get_uint(root, "none", &u, NULL) && u == 4294967295u);
        ck_assert(xml_get_uint(NULL, NULL, &u, NULL) && u == 4294967295u);
        ck_assert(xml_get_int(root, "none", &i, NULL) && i == INT_MIN);
        ck_assert(xml_get_yes_no(root, "none", &y, NULL) && y);
        ck_assert(xml_get_enum(root, "none", names, 3, &e, NULL) && e == 2);
}
END_TEST

START_TEST(test_typed_refused)
{
        static const char *const refused[] = { "",
                                               "-1",
                                               "+1",
                                               "-",
                                               "4294967296",
                                               "99999999999999999999",
                                               "1x",
                                               " 1",
                                               "1 ",
                                               "1.0",
                                               "0x",
                                               "0xg",
                                               "ff",
                                               "0x-1",
                                               "0x100000000",
                                               "yes",
                                               "0x0123456789abcdef0",
                                               "--1" };

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *text = g_strdup_printf("<d>\n<e v='%s'/></d>", refused[i]);
                g_autoptr(xmlDoc) doc = parse(text);
                xmlNode *node = xml_child(xml_root(doc), "e");
                static const char *const names[] = { "one", NULL };
                g_autoptr(GError) error = NULL;
                unsigned value = 42;
                int number = 42;
                bool flag = true;

                ck_assert_msg(!xml_get_uint(node, "v", &value, &error), "%s", refused[i]);
                ck_assert(error_is(error, ERROR_XML_ERROR));
                ck_assert(g_str_has_prefix(error->message, "XML error: invalid value '"));
                ck_assert_ptr_nonnull(strstr(error->message, "for attribute 'v'"));
                ck_assert(g_str_has_suffix(error->message, " at line 2 (<e>)"));
                ck_assert_msg(!xml_get_uint_hex(node, "v", &value, NULL), "%s", refused[i]);
                ck_assert_uint_eq(value, 42);
                ck_assert(strcmp(refused[i], "-1") == 0 || !xml_get_int(node, "v", &number, NULL));
                ck_assert(!xml_get_on_off(node, "v", &flag, NULL) && flag);
                ck_assert(!xml_get_enum(node, "v", names, 2, &number, NULL));
        }
}
END_TEST

START_TEST(test_error_text)
{
        g_autoptr(xmlDoc) doc = parse("<d>\n\n<name>x</name></d>");
        static const char *const names[] = { "one" };
        g_autoptr(GError) error = NULL, bare = NULL, text_error = NULL, long_error = NULL;
        g_autofree char *long_text = g_strnfill(5000, 'x');
        xmlNode *name = xml_child(xml_root(doc), "name");
        int value;

        ck_assert(!xml_error(&error, name, "bad name '%s'", "x"));
        ck_assert_str_eq(error->message, "XML error: bad name 'x' at line 3 (<name>)");
        ck_assert_int_eq(error_get_domain(error), ERROR_FROM_XML);
        ck_assert(!xml_error(&bare, NULL, "no devices"));
        ck_assert_str_eq(bare->message, "XML error: no devices");
        ck_assert(!xml_get_enum(name, NULL, names, 1, &value, &text_error));
        ck_assert_str_eq(text_error->message, "XML error: unknown value 'x' at line 3 (<name>)");
        ck_assert(!xml_error(&long_error, name, "%s", long_text));
        ck_assert(g_str_has_suffix(long_error->message, "x... at line 3 (<name>)"));
}
END_TEST

/* The member of libxml2's nodes ends at 65535. */
START_TEST(test_many_lines)
{
        g_autofree char *lines = g_strnfill(100000, '\n'), *text = g_strdup_printf("<d>%s<e/></d>", lines);
        g_autofree char *broken = g_strdup_printf("<d>%s<e></d>", lines);
        g_autoptr(xmlDoc) doc = parse(text);
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(xml_line(xml_child(xml_root(doc), "e")), 100001);
        ck_assert_ptr_null(xml_parse(broken, NULL, &error));
        ck_assert(g_str_has_suffix(error->message, " at line 100001"));
}
END_TEST

START_TEST(test_edit)
{
        g_autoptr(xmlDoc) doc = xml_new("domain");
        g_autofree char *text = NULL, *edited = NULL;
        xmlNode *root = xml_root(doc), *disk, *devices;

        xml_set_attr(root, "type", "kvm");
        devices = xml_add(root, "devices");
        disk = xml_add(devices, "disk");
        xml_set_attr_format(disk, "n", "%d<'", 7);
        xml_set_attr(disk, "gone", "x");
        xml_set_attr(disk, "gone", NULL);
        xml_set_attr(disk, "gone", NULL);
        xml_add(devices, "disk");
        xml_add_text(devices, "text", "a & b");
        xml_add_text_format(xml_add_child_first(root, "metadata"), "size", "%u", 5u);
        xml_add_child_first(xml_add(root, "empty"), "first");
        text = xml_write(doc, NULL);
        ck_assert_str_eq(text, "<domain type='kvm'>\n"
                               "  <metadata>\n    <size>5</size>\n  </metadata>\n"
                               "  <devices>\n    <disk n='7&lt;&apos;'/>\n    <disk/>\n"
                               "    <text>a &amp; b</text>\n  </devices>\n"
                               "  <empty>\n    <first/>\n  </empty>\n"
                               "</domain>\n");

        xml_remove_children(devices, "disk");
        xml_remove(xml_child(root, "empty"));
        xml_set_text(xml_child(root, "metadata"), "now text");
        xml_set_text(xml_child(devices, "text"), "");
        xml_set_attr(root, "type", "qemu");
        edited = xml_write(doc, NULL);
        ck_assert_str_eq(edited, "<domain type='qemu'>\n"
                                 "  <metadata>now text</metadata>\n"
                                 "  <devices>\n    <text/>\n  </devices>\n"
                                 "</domain>\n");
}
END_TEST

START_TEST(test_edit_hostile_text)
{
        g_autoptr(xmlDoc) doc = xml_new("d"), again = NULL;
        g_autofree char *text = NULL, *value = NULL, *escaped = xml_escape("<'\x02\n"),
                        *nothing = xml_escape(NULL);

        xml_set_attr(xml_root(doc), "a", "x\x01\xff\n\xef\xbf\xbf&lt;");
        xml_set_text(xml_root(doc), "]]><!-- &x; \x1b");
        text = xml_write(doc, NULL);
        again = parse(text);
        value = xml_attr(xml_root(again), "a");
        ck_assert_str_eq(value, "x?\xef\xbf\xbd\n\xef\xbf\xbd&lt;");
        g_free(value);
        value = xml_text(xml_root(again));
        ck_assert_str_eq(value, "]]><!-- &x; ?");
        ck_assert_str_eq(escaped, "&lt;&apos;?&#10;");
        ck_assert_str_eq(nothing, "");
}
END_TEST

START_TEST(test_copies)
{
        g_autoptr(xmlDoc) doc = parse("<d><a/><b/></d>"),
                          device = parse("<c xmlns:x='urn:x'><x:y v='1'/></c>");
        g_autoptr(xmlDoc) copy = NULL;
        g_autofree char *text = NULL, *before = NULL;

        copy = xml_copy(doc);
        xml_add_copy(xml_root(doc), xml_first_element(xml_root(device)));
        xml_replace(xml_child(xml_root(doc), "a"), xml_root(device));
        g_clear_pointer(&device, xmlFreeDoc);
        text = xml_write(doc, NULL);
        ck_assert_str_eq(text, "<d>\n  <c xmlns:x='urn:x'>\n    <x:y v=\"1\"/>\n  </c>\n  <b/>\n"
                               "  <x:y xmlns:x=\"urn:x\" v=\"1\"/>\n</d>\n");
        before = xml_write(copy, NULL);
        ck_assert_str_eq(before, "<d>\n  <a/>\n  <b/>\n</d>\n");
}
END_TEST

START_TEST(test_order)
{
        static const char *const names[] = { "name", "uuid", "devices", NULL };
        g_autoptr(xmlDoc) doc =
                parse("<d><z/><devices n='1'/><!-- of uuid --><uuid/><y/><devices n='2'/><name/>"
                      "<!-- last --></d>");
        static const char expected[] = "<d>\n  <name/>\n  <!-- of uuid -->\n  <uuid/>\n  <devices n='1'/>\n"
                                       "  <devices n='2'/>\n  <z/>\n  <y/>\n  <!-- last -->\n</d>\n";
        g_autofree char *text = NULL, *again = NULL;

        xml_order_children(xml_root(doc), names);
        text = xml_write(doc, NULL);
        ck_assert_str_eq(text, expected);
        xml_order_children(xml_root(doc), names);
        again = xml_write(doc, NULL);
        ck_assert_str_eq(again, expected);
        ck_assert_ptr_eq(xml_root(doc)->last->prev->prev->next->next, xml_root(doc)->last);
        xml_add(xml_root(doc), "more");
        xml_order_children(xml_child(xml_root(doc), "more"), names);
}
END_TEST

START_TEST(test_foreign)
{
        static const char text[] = "<d t='&quot;'>\n"
                                   "  <m>\n"
                                   "    <a:x xmlns:a=\"urn:a\" q=\"it's &quot;x&quot; &lt;&amp;&#10;\">\n"
                                   "      <plain v=\"2\">say \"hi\", it's &amp; &lt; &gt;</plain>\n"
                                   "    </a:x>\n"
                                   "    <q:arg xmlns:q='http://libvirt.org/schemas/x' v='1'/>\n"
                                   "  </m>\n"
                                   "  <n>it&apos;s &quot;x&quot;</n>\n"
                                   "</d>\n";
        g_autoptr(xmlDoc) doc = parse(text);
        g_autofree char *written = xml_write(doc, NULL),
                        *foreign = xml_write_foreign(xml_child(xml_root(doc), "n"));

        ck_assert_str_eq(written, text);
        ck_assert_str_eq(foreign, "<n>it's \"x\"</n>\n");
}
END_TEST

CHECK_MAIN("xml", test_layout, test_empty_and_blank, test_escapes, test_mixed, test_namespaces,
           test_write_part, test_navigation, test_absent, test_typed, test_typed_refused, test_error_text,
           test_many_lines, test_edit, test_edit_hostile_text, test_copies, test_order, test_foreign)
