/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of network filters: their canonical form, and what is refused. */
#include "base/error.h"
#include "base/store.h"
#include "drivers/nwfilter/nwfilter-def.h"
#include "tests/unit/check-main.h"

#include <string.h>

/* ---- the canonical form ---- */

static char *read_document(const char *name, const char *suffix)
{
        g_autofree char *path = g_strdup_printf("%s/%s%s", DOCUMENTS, name, suffix);
        char *text;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
        return text;
}

static struct nwfilter_def *parse(const char *xml)
{
        g_autoptr(GError) error = NULL;
        struct nwfilter_def *def = nwfilter_def_parse(xml, &error);

        ck_assert_msg(def != NULL, "%s\n%.200s", error ? error->message : "", xml);
        return def;
}

/* Whole documents are more than a message takes. */
static void check_lines(const char *text, const char *wanted)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1), wanted_lines = g_strsplit(wanted, "\n", -1);

        for (unsigned i = 0; lines[i] && wanted_lines[i]; i++)
                ck_assert_str_eq(lines[i], wanted_lines[i]);
        ck_assert_uint_eq(g_strv_length(lines), g_strv_length(wanted_lines));
}

/* tests/unit/nwfilter-documents: as libvirt 9.0 writes them. */
START_TEST(test_canonical)
{
        static const char *const names[] = { "link", "net", "values" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *xml = read_document(names[i], ".xml"),
                                *wanted = read_document(names[i], ".canonical");
                CLEANUP(nwfilter_def_unref)
                struct nwfilter_def *def = parse(xml), *again = parse(def->base.xml);

                check_lines(def->base.xml, wanted);
                ck_assert_str_eq(again->base.xml, def->base.xml);
                ck_assert_str_eq(def->base.name, names[i]);
        }
}
END_TEST

START_TEST(test_chains)
{
        static const struct {
                const char *attributes, *wanted;
        } rows[] = {
                { "", "chain='root'>" },
                { "chain='root' priority='-3'", "chain='root' priority='-3'>" },
                { "chain='stp'", "chain='stp' priority='-810'>" },
                { "chain='mac'", "chain='mac' priority='-800'>" },
                { "chain='vlan-x'", "chain='vlan-x' priority='-750'>" },
                { "chain='ipv4'", "chain='ipv4' priority='-700'>" },
                { "chain='ipv6'", "chain='ipv6' priority='-600'>" },
                { "chain='arp-12345678'", "chain='arp-12345678' priority='-500'>" },
                { "chain='rarp'", "chain='rarp' priority='-400'>" },
                { "chain='ipv4' priority='5'", "chain='ipv4' priority='5'>" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *xml = g_strdup_printf("<filter name='a' %s/>", rows[i].attributes);
                CLEANUP(nwfilter_def_unref) struct nwfilter_def *def = parse(xml);

                ck_assert_msg(strstr(def->base.xml, rows[i].wanted) != NULL, "%s", def->base.xml);
        }
}
END_TEST

/* What the documentation calls by names that documents do not have. */
START_TEST(test_other_names)
{
        CLEANUP(nwfilter_def_unref)
        struct nwfilter_def *def =
                parse("<filter name='a'><rule action='drop' direction='in'><stp msg-age='1' msg-age-hi='2' "
                      "port='3' port_hi='4'/></rule></filter>");

        ck_assert(strstr(def->base.xml, "<stp port='3' port-hi='4' age='1' age-hi='2'/>") != NULL);
}
END_TEST

/* ---- what is refused ---- */

static void check_refused(const char *xml, const char *wanted)
{
        g_autoptr(GError) error = NULL;

        ck_assert_msg(nwfilter_def_parse(xml, &error) == NULL, "accepted: %.200s", xml);
        ck_assert_msg(strstr(error->message, wanted) != NULL, "%s\n%.200s", error->message, xml);
}

START_TEST(test_refused)
{
        static const char *const rows[][2] = {
                { "<filter/>", "filter has no name" },
                { "<filter name=''/>", "filter has no name" },
                { "<filter name='a/b'/>", "cannot have '/'" },
                { "<filter name='a&#10;b'/>", "control characters" },
                { "<filter name='a' chain='foo'/>", "Invalid chain name 'foo'" },
                { "<filter name='a' chain='arp x'/>", "invalid characters" },
                { "<filter name='a' chain='arp-123456789'/>", "longer than 12" },
                { "<filter name='a' priority='1001'/>", "Priority '1001' is outside" },
                { "<filter name='a' priority='x'/>", "priority" },
                { "<filter name='a'><uuid>zz</uuid></filter>", "malformed uuid" },
                { "<filter name='a'><rule action='drop'/></filter>", "requires direction" },
                { "<filter name='a'><rule direction='in'/></filter>", "requires action" },
                { "<filter name='a'><rule action='Drop' direction='in'/></filter>", "unknown rule action" },
                { "<filter name='a'><rule action='drop' direction='up'/></filter>",
                  "unknown rule direction" },
                { "<filter name='a'><filterref/></filter>", "does not name a filter" },
                { "<filter name='a'><filterref filter='b'><parameter name='x-y' "
                  "value='1'/></filterref></filter>",
                  "'x-y' is no name of a variable" },
                { "<filter name='a'><filterref filter='b'><parameter name='X' value='1; "
                  "drop'/></filterref></filter>",
                  "cannot have the value '1; drop'" },
                { "<filter name='a'><filterref filter='b'><parameter name='X'/></filterref></filter>",
                  "name and value" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                check_refused(rows[i][0], rows[i][1]);
}
END_TEST

/* A condition that is passed over would let more through. */
START_TEST(test_refused_rules)
{
        static const char *const rows[][2] = {
                { "<foo/>", "unknown protocol 'foo'" },
                { "<all/><tcp/>", "with protocol 'all' cannot have 'tcp'" },
                { "<mac foo='1'/>", "unknown attribute 'foo'" },
                { "<ip flags='SYN/SYN'/>", "unknown attribute 'flags'" },
                { "<ip match='maybe'/>", "'yes' or 'no'" },
                { "<ip srcipaddr='1.2.3.256'/>", "illegal value" },
                { "<ip srcipaddr='::1'/>", "illegal value" },
                { "<ip srcipaddr='1.2.3.4 accept'/>", "illegal value" },
                { "<ip srcipaddr='$'/>", "no variable" },
                { "<ip srcipaddr='$A[@1'/>", "no variable" },
                { "<ip srcipaddr='$A[x]'/>", "no variable" },
                { "<ip srcipaddr='$A[256]'/>", "no variable" },
                { "<ip srcipaddr='$a-b'/>", "no variable" },
                { "<ip srcipmask='33'/>", "illegal value" },
                { "<ip srcipmask='255.0.255.0'/>", "illegal value" },
                { "<ip protocol='256'/>", "illegal value" },
                { "<ip protocol='foo'/>", "illegal value" },
                { "<ip dscp='64'/>", "illegal value" },
                { "<ip protocol='tcp' srcportstart='65536'/>", "illegal value" },
                { "<ip protocol='tcp' srcportstart='-1'/>", "illegal value" },
                { "<ip protocol='tcp' srcportstart=''/>", "illegal value" },
                { "<ip protocol='tcp' srcportstart='0x'/>", "illegal value" },
                { "<mac srcmacaddr='1:2:3:4:5'/>", "illegal value" },
                { "<mac srcmacaddr='1:2:3:4:5:6:7'/>", "illegal value" },
                { "<mac srcmacmask='ff:00:ff:ff:ff:ff'/>", "illegal value" },
                { "<mac protocolid='0x5ff'/>", "illegal value" },
                { "<vlan vlanid='4096'/>", "illegal value" },
                { "<vlan encap-protocol='0x3b'/>", "illegal value" },
                { "<arp opcode='Foo'/>", "illegal value" },
                { "<arp gratuitous='maybe'/>", "illegal value" },
                { "<arp gratuitous='$X'/>", "cannot be a variable" },
                { "<stp root-cost='4294967296'/>", "illegal value" },
                { "<tcp flags='SYN,ACK'/>", "illegal value" },
                { "<tcp flags='FOO/SYN'/>", "illegal value" },
                { "<tcp state='FOO'/>", "illegal value" },
                { "<tcp state=''/>", "illegal value" },
                { "<tcp connlimit-above='65536'/>", "illegal value" },
                { "<all ipset='a;b'/>", "illegal value" },
                { "<all ipsetflags='src,src,src,src,src,src,src'/>", "illegal value" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *xml = g_strdup_printf(
                        "<filter name='a'><rule action='accept' direction='in'>%s</rule></filter>",
                        rows[i][0]);

                check_refused(xml, rows[i][1]);
        }
}
END_TEST

START_TEST(test_bounds)
{
        g_autofree char *name = g_strnfill(NWFILTER_NAME_MAX + 1, 'a'), *comment = g_strnfill(257, 'c');
        g_autofree char *long_name = g_strdup_printf("<filter name='%s'/>", name);
        g_autofree char *long_comment = g_strdup_printf(
                "<filter name='a'><rule action='drop' direction='in'><all comment='%s'/></rule></filter>",
                comment);
        g_autoptr(GString) many = g_string_new("<filter name='a'>");

        for (unsigned i = 0; i <= NWFILTER_ENTRIES_MAX; i++)
                g_string_append(many, "<rule action='drop' direction='in'/>");
        g_string_append(many, "</filter>");
        check_refused(long_name, "more than 255 bytes");
        check_refused(long_comment, "illegal value");
        check_refused(many->str, "more than 4096 rules");
}
END_TEST

/* ---- what a fresh system has ---- */

START_TEST(test_stock)
{
        g_autoptr(GPtrArray) names = store_list(STOCK, ".xml", NULL);

        ck_assert_uint_eq(names->len, 24);
        for (unsigned i = 0; i < names->len; i++) {
                g_autofree char *path = g_build_filename(STOCK, g_ptr_array_index(names, i), NULL);
                g_autofree char *text = store_read(path, NULL);
                CLEANUP(nwfilter_def_unref) struct nwfilter_def *def = parse(text);
                g_autofree char *file = g_strconcat(def->base.name, ".xml", NULL);

                ck_assert_str_eq(file, g_ptr_array_index(names, i));
                ck_assert_msg(strstr(text, "<uuid>") != NULL, "%s has no uuid of its own", file);
        }
}
END_TEST

CHECK_MAIN("nwfilter-definition", test_canonical, test_chains, test_other_names, test_refused,
           test_refused_rules, test_bounds, test_stock)
