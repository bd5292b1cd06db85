/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Network filters as a client sees them. What they do to packets is in unit/nwfilter. */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define NWFILTER_INTERFACE "org.libvirt.NWFilter"
#define UUID               "2b1f5b6e-6d0a-4d19-9d6e-5c3ad0b1d0aa"
#define FILTER_PATH        QEMU_PATH "/nwfilter/_2b1f5b6e_6d0a_4d19_9d6e_5c3ad0b1d0aa"
#define DOCUMENT                                                                                             \
        "<filter name='web' chain='ipv4'>\n"                                                                 \
        "  <uuid>" UUID "</uuid>\n"                                                                          \
        "  <rule action='accept' direction='in'><ip protocol='tcp' dstportstart='80'/></rule>\n"             \
        "</filter>\n"
#define CANONICAL                                                                                            \
        "<filter name='web' chain='ipv4' priority='-700'>\n"                                                 \
        "  <uuid>" UUID "</uuid>\n"                                                                          \
        "  <rule action='accept' direction='in' priority='500'>\n"                                           \
        "    <ip protocol='tcp' dstportstart='80'/>\n"                                                       \
        "  </rule>\n"                                                                                        \
        "</filter>\n"

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

static char *define(const char *xml)
{
        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NWFilterDefineXML", "s", xml);
}

static void refuse(const char *text, const char *xml)
{
        client_fails(client, "org.libvirt.Error", text, QEMU_PATH, CONNECT_INTERFACE, "NWFilterDefineXML",
                     "s", xml);
}

static unsigned count(const char *connection)
{
        g_auto(GStrv) list = client_list(client, connection, CONNECT_INTERFACE, "ListNWFilters", 0);

        return g_strv_length(list);
}

static void expect_xml(const char *filter, const char *wanted)
{
        g_autofree char *xml = client_call_string(client, filter, NWFILTER_INTERFACE, "GetXMLDesc", "u", 0);

        ck_assert_str_eq(xml, wanted);
}

START_TEST(test_the_life_of_a_filter)
{
        g_autofree char *filter = define(DOCUMENT), *name = NULL, *uuid = NULL, *found = NULL, *other = NULL;

        ck_assert_str_eq(filter, FILTER_PATH);
        pool_wait_added(client, filter);
        name = client_get_string(client, filter, NWFILTER_INTERFACE, "Name");
        uuid = client_get_string(client, filter, NWFILTER_INTERFACE, "UUID");
        ck_assert_str_eq(name, "web");
        ck_assert_str_eq(uuid, UUID);
        found = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NWFilterLookupByName", "s", "web");
        other = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NWFilterLookupByUUID", "s", UUID);
        ck_assert_str_eq(found, filter);
        ck_assert_str_eq(other, filter);
        ck_assert_uint_eq(count(QEMU_PATH), 1);
        expect_xml(filter, CANONICAL);
        client_fails(client, NULL, "*unsupported flags*", filter, NWFILTER_INTERFACE, "GetXMLDesc", "u", 1);
        client_do(client, filter, NWFILTER_INTERFACE, "Undefine", NULL);
        pool_wait_removed(client, filter);
        ck_assert_uint_eq(count(QEMU_PATH), 0);
        client_fails(client, "org.libvirt.Error",
                     "Network filter not found: no nwfilter with matching name 'web'", QEMU_PATH,
                     CONNECT_INTERFACE, "NWFilterLookupByName", "s", "web");
        client_fails(client, "org.libvirt.Error", "Network filter not found*", filter, NWFILTER_INTERFACE,
                     "GetXMLDesc", "u", 0);
}
END_TEST

START_TEST(test_what_is_refused)
{
        g_autofree char *filter = define(DOCUMENT), *again = NULL;

        refuse("*already exists*", "<filter name='web'/>");
        refuse("*already*", "<filter name='other'><uuid>" UUID "</uuid></filter>");
        refuse("*introduce a loop*",
               "<filter name='web'><uuid>" UUID "</uuid><filterref filter='web'/></filter>");
        refuse("XML error: unknown attribute 'dstport'*",
               "<filter name='x'><rule action='accept' direction='in'><tcp dstport='80'/></rule></filter>");
        refuse("*", "<network/>");
        expect_xml(filter, CANONICAL);
        again = define("<filter name='web'><uuid>" UUID "</uuid></filter>");
        ck_assert_str_eq(again, filter);
        expect_xml(filter, "<filter name='web' chain='root'>\n  <uuid>" UUID "</uuid>\n</filter>\n");
}
END_TEST

START_TEST(test_filters_outlive_the_agent)
{
        g_autofree char *filter = define(DOCUMENT);

        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        expect_xml(filter, CANONICAL);
}
END_TEST

/* On a fresh system, once; who may not filter has none. */
START_TEST(test_stock_filters)
{
        g_autofree char *data = g_build_filename(g_getenv("VIRTBUS_SOURCE_DIR"), "data", NULL);
        g_autofree char *option = g_strconcat("--data-dir=", data, NULL), *filter = NULL;
        g_autofree char *fresh = harness_path(harness, "fresh"),
                        *state = g_strconcat("--state-dir=", fresh, NULL);

        harness_end_agent(harness, SIGTERM);
        harness_add_option(harness, option);
        harness_add_option(harness, state);
        harness_start_agent(harness);
        ck_assert_uint_eq(count(QEMU_PATH), getuid() == 0 ? 24 : 0);
        ck_assert_uint_eq(count(TEST_PATH), 0);
        if (getuid() != 0) {
                harness_skip("the rest needs root");
                return;
        }
        filter = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NWFilterLookupByName", "s",
                                    "clean-traffic");
        client_do(client, filter, NWFILTER_INTERFACE, "Undefine", NULL);
        harness_end_agent(harness, SIGTERM);
        harness_start_agent(harness);
        ck_assert_uint_eq(count(QEMU_PATH), 23);
}
END_TEST

START_TEST(test_filters_in_memory)
{
        g_autofree char *filter =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "NWFilterDefineXML", "s", DOCUMENT);

        ck_assert_str_eq(filter, TEST_PATH "/nwfilter/_2b1f5b6e_6d0a_4d19_9d6e_5c3ad0b1d0aa");
        expect_xml(filter, CANONICAL);
        ck_assert_uint_eq(count(QEMU_PATH), 0);
        client_do(client, filter, NWFILTER_INTERFACE, "Undefine", NULL);
        ck_assert_uint_eq(count(TEST_PATH), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("nwfilters");
        TCase *tcase = tcase_create("nwfilters");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_life_of_a_filter);
        tcase_add_test(tcase, test_what_is_refused);
        tcase_add_test(tcase, test_filters_outlive_the_agent);
        tcase_add_test(tcase, test_stock_filters);
        tcase_add_test(tcase, test_filters_in_memory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
