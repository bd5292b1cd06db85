/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents that are none, of each kind of object: each is refused with a short org.libvirt.Error and changes
 * nothing. Both connections, define and create.
 */

#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/pool.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

#define NAME_MAX_BYTES 250

#define DEFAULT_POOL TEST_PATH "/storagepool/_dfe224cb_28fb_8dd0_c4b2_64eb3f0f4566"

struct way {
        const char *path;
        const char *interface;
        const char *member;
        const char *types; /* "s", "su" */
        const char *root;  /* of the documents that it takes */
        const char *type;  /* what stands for @TYPE@ */
};

static const struct way ways[] = {
        { TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", "domain", "test" },
        { TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", "domain", "test" },
        { QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", "domain", "qemu" },
        { QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", "domain", "qemu" },
        { TEST_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", "pool", "dir" },
        { TEST_PATH, CONNECT_INTERFACE, "StoragePoolCreateXML", "su", "pool", "dir" },
        { QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", "pool", "dir" },
        { QEMU_PATH, CONNECT_INTERFACE, "StoragePoolCreateXML", "su", "pool", "dir" },
        { DEFAULT_POOL, POOL_INTERFACE, "StorageVolCreateXML", "su", "volume", "file" },
        { TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", "secret", "" },
        { QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", "secret", "" },
};

static char *offer(const struct way *way, const char *xml)
{
        /* What types does not name is not sent. */
        return client_try(client, way->path, way->interface, way->member, way->types, xml, 0);
}

static unsigned count(const char *path, const char *interface, const char *member)
{
        g_auto(GStrv) list = client_list(client, path, interface, member, 0);

        return g_strv_length(list);
}

/* Of a connection, of all kinds. */
static unsigned count_objects(const char *path)
{
        return count(path, CONNECT_INTERFACE, "ListDomains") +
               count(path, CONNECT_INTERFACE, "ListStoragePools") +
               count(path, CONNECT_INTERFACE, "ListSecrets");
}

static unsigned count_volumes(void)
{
        return count(DEFAULT_POOL, POOL_INTERFACE, "ListStorageVolumes");
}

static void expect_way_refuses(const struct way *way, const char *what, const char *xml)
{
        g_autofree char *outcome = offer(way, xml);

        if (!outcome)
                ck_abort_msg("%s: %s of %s took it", what, way->member, way->path);
        if (!g_str_has_prefix(outcome, LIBVIRT_ERROR ": "))
                ck_abort_msg("%s: %s of %s: %s", what, way->member, way->path, outcome);
        for (const char *c = outcome; *c; c++)
                ck_assert_msg(!g_ascii_iscntrl(*c), "%s: control character in '%s'", what, outcome);
}

/* Every way refuses the document, in which @TYPE@ stands for the type of the object. */
static void expect_refused(const char *what, const char *document)
{
        unsigned test = count_objects(TEST_PATH), qemu = count_objects(QEMU_PATH), volumes = count_volumes();
        g_auto(GStrv) pieces = g_strsplit(document, "@TYPE@", -1);

        for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
                g_autofree char *xml = g_strjoinv(ways[i].type, pieces);

                expect_way_refuses(&ways[i], what, xml);
        }
        ck_assert_uint_eq(count_objects(TEST_PATH), test);
        ck_assert_uint_eq(count_objects(QEMU_PATH), qemu);
        ck_assert_uint_eq(count_volumes(), volumes);
}

/* The way's own kind of document, fine but for these elements. */
static void expect_own_refused(const struct way *way, const char *what, const char *prologue,
                               const char *elements)
{
        g_autofree char *name = strstr(elements, "<name>") || strcmp(way->root, "secret") == 0
                                        ? g_strdup("")
                                        : g_strdup("<name>a</name>");
        g_autofree char *document = g_strdup_printf(
                "%s<%s type='%s'>%s<capacity>1</capacity><target><path>/nowhere/at/all</path></target>"
                "<os><type>hvm</type></os><memory>65536</memory>%s</%s>",
                prologue, way->root, way->type, name, elements, way->root);

        expect_way_refuses(way, what, document);
}

static void expect_all_own_refused(const char *what, const char *prologue, const char *elements)
{
        unsigned test = count_objects(TEST_PATH), qemu = count_objects(QEMU_PATH), volumes = count_volumes();

        for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++)
                expect_own_refused(&ways[i], what, prologue, elements);
        ck_assert_uint_eq(count_objects(TEST_PATH), test);
        ck_assert_uint_eq(count_objects(QEMU_PATH), qemu);
        ck_assert_uint_eq(count_volumes(), volumes);
}

/* A domain that is fine but for these elements. */
static void expect_elements_refused(const char *what, const char *elements)
{
        g_autofree char *document =
                g_strdup_printf("<domain type='@TYPE@'>%s<os><type>hvm</type></os></domain>", elements);

        expect_refused(what, document);
}

static char *repeat(const char *piece, size_t count)
{
        GString *text = g_string_sized_new(strlen(piece) * count);

        for (size_t i = 0; i < count; i++)
                g_string_append(text, piece);
        return g_string_free(text, FALSE);
}

START_TEST(test_not_well_formed)
{
        const char *const documents[] = {
                "",
                " ",
                "\n",
                "x",
                "<",
                ">",
                "<domain",
                "<domain>",
                "</domain>",
                "<domain type='@TYPE@'>",
                "<domain type='@TYPE@'><name>a</name>",
                "<domain type='@TYPE@'><name>a</domain></name>",
                "<domain type='@TYPE@'><name>a</name></domain><domain/>",
                "<domain type='@TYPE@'><name>a</name></domain>tail",
                "<domain type=@TYPE@><name>a</name></domain>",
                "<domain type='@TYPE@' type='@TYPE@'><name>a</name></domain>",
                "<domain type='@TYPE@'><name>&nbsp;</name></domain>",
                "<domain type='@TYPE@'><name>&#0;</name></domain>",
                "<domain type='@TYPE@'><name>&#x1F;</name></domain>",
                "<domain type='@TYPE@'><name>a & b</name></domain>",
                "<domain type='@TYPE@'><name>a</name><!-- -- --></domain>",
                "<domain type='@TYPE@'><name><![CDATA[a</name></domain>",
                "<?xml version='9.9'?><domain type='@TYPE@'><name>a</name></domain",
                "<?xml version='1.0' encoding='nonsense'?><domain type='@TYPE@'><name>a</name></domain>",
                "<domain type='@TYPE@' xmlns:a=''><name>a</name></domain>",
                "<a:domain type='@TYPE@'><name>a</name></a:domain>",
                "{\"domain\": {\"name\": \"a\"}}",
                "/etc/passwd",
                "file:///etc/passwd",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                expect_refused(documents[i], documents[i]);
}
END_TEST

START_TEST(test_wrong_root)
{
        const char *const roots[] = { "network",        "interface", "device", "filter", "domains",
                                      "domainsnapshot", "Domain",    "DOMAIN", "x" };

        for (unsigned i = 0; i < G_N_ELEMENTS(roots); i++) {
                g_autofree char *document = g_strdup_printf(
                        "<%s "
                        "type='@TYPE@'><name>a</name><memory>65536</memory><os><type>hvm</type></os></%s>",
                        roots[i], roots[i]);

                expect_refused(roots[i], document);
        }
        expect_refused("in a namespace", "<domain xmlns='http://example.org/' type='@TYPE@'><name>a</name>"
                                         "<memory>65536</memory><os><type>hvm</type></os></domain>");
}
END_TEST

START_TEST(test_something_is_missing)
{
        expect_refused("all", "<domain/>");
        expect_refused("type",
                       "<domain><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>");
        expect_refused("wrong type",
                       "<domain type='windmill'><name>a</name><memory>65536</memory><os><type>hvm</type>"
                       "</os></domain>");
        expect_elements_refused("name", "<memory>65536</memory>");
        expect_elements_refused("memory", "<name>a</name>");
        expect_refused("os", "<domain type='@TYPE@'><name>a</name><memory>65536</memory></domain>");
        expect_refused("os type", "<domain type='@TYPE@'><name>a</name><memory>65536</memory><os/></domain>");
        expect_refused("wrong os type", "<domain type='@TYPE@'><name>a</name><memory>65536</memory><os>"
                                        "<type>windmill</type></os></domain>");
}
END_TEST

/* Of every kind of document. */
START_TEST(test_own_documents)
{
        g_autofree char *levels = repeat("<a>", 200), *ends = repeat("</a>", 200);
        g_autofree char *deep = g_strconcat(levels, ends, NULL), *siblings = repeat("<a/>", 70000);
        g_autofree char *text = repeat("x", (size_t)2 * 1024 * 1024);
        g_autofree char *long_text = g_strdup_printf("<description>%s</description>", text);

        expect_all_own_refused("document type", "<!DOCTYPE x>", "");
        expect_all_own_refused("entity", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<description>&a;</description>");
        expect_all_own_refused("external entity", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///dev/zero'>]>",
                               "<description>&a;</description>");
        expect_all_own_refused("200 levels", "", deep);
        expect_all_own_refused("70,000 siblings", "", siblings);
        expect_all_own_refused("2 MiB of text", "", long_text);
        expect_all_own_refused("not closed", "", "<description>");
        for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
                if (strcmp(ways[i].root, "volume") != 0)
                        expect_own_refused(&ways[i], "uuid", "", "<uuid>../../x</uuid>");
        }
}
END_TEST

/* Of what has a name of its own; a domain's and more of them are below. */
START_TEST(test_own_names)
{
        g_autofree char *long_name = repeat("x", NAME_MAX_BYTES + 1);
        const char *const names[] = { "",  " ",       ".",       "..",       "../x", "a/b",
                                      "/", "a&#10;b", "a&#13;b", "a&#127;b", "&#9;", long_name };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *elements = g_strdup_printf("<name>%s</name>", names[i]);

                for (unsigned w = 0; w < G_N_ELEMENTS(ways); w++) {
                        if (strcmp(ways[w].root, "secret") != 0)
                                expect_own_refused(&ways[w], names[i], "", elements);
                }
        }
}
END_TEST

START_TEST(test_entities)
{
        g_autofree char *quadratic = repeat("&a;", 1000);
        g_autofree char *text = repeat("x", 65536);
        g_autofree char *document =
                g_strdup_printf("<!DOCTYPE domain [<!ENTITY a '%s'>]><domain type='@TYPE@'>"
                                "<name>%s</name><memory>65536</memory><os><type>hvm</type></os>"
                                "</domain>",
                                text, quadratic);
        const char *const documents[] = {
                "<!DOCTYPE domain [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'><!ENTITY c "
                "'&b;&b;&b;&b;&b;&b;'>"
                "<!ENTITY d '&c;&c;&c;&c;&c;&c;'><!ENTITY e '&d;&d;&d;&d;&d;&d;'><!ENTITY f "
                "'&e;&e;&e;&e;&e;&e;'>"
                "<!ENTITY g '&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;'><!ENTITY i "
                "'&h;&h;&h;&h;&h;&h;'>]>"
                "<domain "
                "type='@TYPE@'><name>&i;</name><memory>65536</memory><os><type>hvm</type></os></domain>",
                "<!DOCTYPE domain [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>"
                "<domain "
                "type='@TYPE@'><name>&a;</name><memory>65536</memory><os><type>hvm</type></os></domain>",
                "<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
                "<domain "
                "type='@TYPE@'><name>&a;</name><memory>65536</memory><os><type>hvm</type></os></domain>",
                "<!DOCTYPE domain SYSTEM 'file:///dev/zero'>"
                "<domain "
                "type='@TYPE@'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>",
                "<!DOCTYPE domain [<!ENTITY % a SYSTEM 'http://localhost:1/x'> %a;]>"
                "<domain "
                "type='@TYPE@'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>",
                "<!DOCTYPE domain><domain "
                "type='@TYPE@'><name>a</name><memory>65536</memory><os><type>hvm</type></os>"
                "</domain>",
                document,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(documents); i++)
                expect_refused("entity", documents[i]);
}
END_TEST

/* XInclude is not followed: nothing of the file shows. */
START_TEST(test_xinclude)
{
        g_autofree char *secret = harness_path(harness, "secret");
        g_autofree char *xml =
                g_strdup_printf("<domain type='test' xmlns:xi='http://www.w3.org/2001/XInclude'>"
                                "<name>x</name><description><xi:include href='%s' parse='text'/>"
                                "</description><memory>65536</memory><os><type>hvm</type></os></domain>",
                                secret);
        g_autofree char *outcome = NULL;
        g_autofree char *path = NULL;
        g_autofree char *described = NULL;

        ck_assert(g_file_set_contents(secret, "windmill", -1, NULL));
        outcome = offer(&ways[0], xml);
        if (outcome)
                return;
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "x");
        described = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_null(strstr(described, "windmill"));
}
END_TEST

START_TEST(test_sizes)
{
        g_autofree char *levels = repeat("<a>", 100000);
        g_autofree char *some_levels = repeat("<a>", 200);
        g_autofree char *some_ends = repeat("</a>", 200);
        g_autofree char *text = repeat("x", (size_t)2 * 1024 * 1024);
        g_autofree char *siblings = repeat("<a/>", 500000);
        g_autofree char *deep =
                g_strdup_printf("<name>a</name><memory>65536</memory>%s%s", some_levels, some_ends);
        g_autofree char *title =
                g_strdup_printf("<name>a</name><memory>65536</memory><title>%s</title>", text);
        g_autofree char *comment = g_strdup_printf("<name>a</name><memory>65536</memory><!--%s-->", text);
        g_autofree char *attribute = g_strdup_printf("<name>a</name><memory>65536</memory><x y='%s'/>", text);
        g_autofree char *many = g_strdup_printf("<name>a</name><memory>65536</memory>%s", siblings);
        GString *wide = g_string_new("<name>a</name><memory>65536</memory><x");

        for (unsigned i = 0; i < 100000; i++)
                g_string_append_printf(wide, " attribute%u=''", i);
        g_string_append(wide, "/>");
        expect_refused("100,000 levels", levels);
        expect_elements_refused("200 levels", deep);
        expect_elements_refused("2 MiB title", title);
        expect_elements_refused("2 MiB comment", comment);
        expect_elements_refused("2 MiB attribute", attribute);
        expect_elements_refused("500,000 siblings", many);
        expect_elements_refused("100,000 attributes", wide->str);
        g_string_free(wide, TRUE);
}
END_TEST

START_TEST(test_numbers)
{
        const char *const vcpus[] = { "-1",         "0",          "4097", "4294967295",
                                      "4294967296", "2147483648", "1x",   "x",
                                      " ",          "0x10",       "1.5",  "99999999999999999999999999",
                                      "--1",        "+" };
        const char *const memories[] = { "-1",
                                         "x",
                                         "",
                                         "1x",
                                         "18446744073709551616",
                                         "99999999999999999999999999",
                                         "18446744073709551615" };
        const char *const iothreads[] = { "-1", "4294967295", "1025", "x" };

        for (unsigned i = 0; i < G_N_ELEMENTS(vcpus); i++) {
                g_autofree char *elements =
                        g_strdup_printf("<name>a</name><memory>65536</memory><vcpu>%s</vcpu>", vcpus[i]);

                expect_elements_refused(elements, elements);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(memories); i++) {
                g_autofree char *elements =
                        g_strdup_printf("<name>a</name><memory unit='GiB'>%s</memory>", memories[i]);

                expect_elements_refused(elements, elements);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(iothreads); i++) {
                g_autofree char *elements = g_strdup_printf(
                        "<name>a</name><memory>65536</memory><iothreads>%s</iothreads>", iothreads[i]);

                expect_elements_refused(elements, elements);
        }
        expect_elements_refused("unit", "<name>a</name><memory unit='acres'>65536</memory>");
        expect_elements_refused("current vcpus",
                                "<name>a</name><memory>65536</memory><vcpu current='5'>2</vcpu>");
}
END_TEST

START_TEST(test_names)
{
        g_autofree char *long_name = repeat("x", NAME_MAX_BYTES + 1);
        g_autofree char *longer_name = repeat("x", 4096);
        const char *const names[] = { "",       " ",        "   ",   ".",       "..",
                                      "../x",   "a/b",      "/",     "a&#10;b", "a&#13;b",
                                      "a&#9;b", "a&#127;b", "&#10;", long_name, longer_name };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *elements =
                        g_strdup_printf("<name>%s</name><memory>65536</memory>", names[i]);

                expect_elements_refused(names[i], elements);
        }
}
END_TEST

START_TEST(test_the_longest_name_and_odd_ones_work)
{
        g_autofree char *longest = repeat("x", NAME_MAX_BYTES);
        const char *const names[] = {
                longest, "a b", "-rf", "näme", "a.b", "%s%n", "..a", "日本", "x;reboot"
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *xml = guest_test_xml(names[i], NULL);
                g_autofree char *defined =
                        client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
                g_autofree char *found = client_call_string(client, TEST_PATH, CONNECT_INTERFACE,
                                                            "DomainLookupByName", "s", names[i]);
                g_autofree char *name = client_get_string(client, found, DOMAIN_INTERFACE, "Name");

                ck_assert_str_eq(found, defined);
                ck_assert_str_eq(name, names[i]);
        }
}
END_TEST

START_TEST(test_uuids)
{
        const char *const uuids[] = { "x",
                                      "6695eb01",
                                      "6695eb01-f6a4-8304-79aa-97f2502e193",
                                      "../../../../x",
                                      "6695eb01-f6a4-8304-79aa-97f2502e193fff",
                                      "00000000-0000-0000-0000-00000000000g" };

        for (unsigned i = 0; i < G_N_ELEMENTS(uuids); i++) {
                g_autofree char *elements =
                        g_strdup_printf("<name>a</name><uuid>%s</uuid><memory>65536</memory>", uuids[i]);

                expect_elements_refused(uuids[i], elements);
        }
}
END_TEST

START_TEST(test_too_many_devices)
{
        g_autofree char *some = repeat("<channel type='pty'><target type='virtio'/></channel>", 1025);
        g_autofree char *elements =
                g_strdup_printf("<name>a</name><memory>65536</memory><devices>%s</devices>", some);

        expect_elements_refused("1,025 devices", elements);
}
END_TEST

/* The sentence names what is wrong and where. */
START_TEST(test_texts_name_the_place)
{
        g_autofree char *outcome =
                offer(&ways[0], "<domain type='test'>\n<name>a</name>\n<memory>65536</memory>\n"
                                "<vcpu>lots</vcpu>\n<os><type>hvm</type></os></domain>");
        g_autofree char *torn = offer(&ways[0], "<domain type='test'>\n<name>a</nam>\n</domain>");

        ck_assert_ptr_nonnull(outcome);
        ck_assert_msg(strstr(outcome, "vcpu") && strstr(outcome, "4"), "%s", outcome);
        ck_assert_ptr_nonnull(torn);
        ck_assert_msg(strstr(torn, "2"), "%s", torn);
}
END_TEST

START_TEST(test_a_machine_is_kept)
{
        g_autofree char *outcome = offer(&ways[0], "<domain type='test'><name>a</name><memory>65536</memory>"
                                                   "<os><type machine='q35'>hvm</type></os></domain>");

        ck_assert_msg(!outcome, "%s", outcome);
}
END_TEST

/* What a guest of the test driver takes of its host is taken as any other guest's is. */
START_TEST(test_a_device_of_the_host)
{
        const char *xml =
                "<domain type='test'><name>a</name><memory>65536</memory><os><type>hvm</type></os><devices>"
                "<hostdev mode='subsystem' type='pci' managed='no'><source>"
                "<address domain='0' bus='0xfe' slot='4' function='0'/></source></hostdev>"
                "</devices></domain>";
        g_autofree char *outcome =
                client_try(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        ck_assert_msg(!outcome, "%s", outcome);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("documents");
        TCase *tcase = tcase_create("documents");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_not_well_formed);
        tcase_add_test(tcase, test_wrong_root);
        tcase_add_test(tcase, test_something_is_missing);
        tcase_add_test(tcase, test_own_documents);
        tcase_add_test(tcase, test_own_names);
        tcase_add_test(tcase, test_entities);
        tcase_add_test(tcase, test_xinclude);
        tcase_add_test(tcase, test_sizes);
        tcase_add_test(tcase, test_numbers);
        tcase_add_test(tcase, test_names);
        tcase_add_test(tcase, test_the_longest_name_and_odd_ones_work);
        tcase_add_test(tcase, test_uuids);
        tcase_add_test(tcase, test_too_many_devices);
        tcase_add_test(tcase, test_a_machine_is_kept);
        tcase_add_test(tcase, test_a_device_of_the_host);
        tcase_add_test(tcase, test_texts_name_the_place);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
