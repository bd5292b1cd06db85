/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a failing call answers: names, bodies, texts, and the structured form of the caller's last failure.
 */

#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

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

#define DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define GHOST  TEST_PATH "/domain/_00000000_0000_0000_0000_000000000001"

static int keep_reply(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        *(sd_bus_message **)data = sd_bus_message_ref(reply);
        return 0;
}

/* GDBus clients lose the text of an error whose body has more than the one string. */
START_TEST(test_the_body_is_one_string)
{
        sd_bus *bus = client_get_bus(client);
        g_autoptr(sd_bus_message) reply = NULL;

        ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.libvirt", TEST_PATH, CONNECT_INTERFACE,
                                                  "DomainLookupByName", keep_reply, &reply, "s", "nobody"),
                         0);
        while (!reply) {
                client_process(client);
                if (!reply)
                        ck_assert_int_ge(sd_bus_wait(bus, CLIENT_DEADLINE_US), 0);
        }
        ck_assert(sd_bus_message_is_method_error(reply, LIBVIRT_ERROR));
        ck_assert_str_eq(sd_bus_message_get_signature(reply, 1), "s");
}
END_TEST

START_TEST(test_unknown_method_and_interface)
{
        client_fails(client, "org.freedesktop.DBus.Error.UnknownMethod", "*", DOMAIN, DOMAIN_INTERFACE, "Fly",
                     NULL);
        client_fails(client, "org.freedesktop.DBus.Error.UnknownMethod", "*", TEST_PATH, CONNECT_INTERFACE,
                     "Fly", NULL);
        client_fails(client, "org.freedesktop.DBus.Error.Unknown*", "*", DOMAIN, "org.libvirt.Nothing",
                     "Create", "u", 0);
        client_fails(client, "org.freedesktop.DBus.Error.Unknown*", "*", TEST_PATH, DOMAIN_INTERFACE,
                     "Create", "u", 0);
}
END_TEST

START_TEST(test_unknown_objects)
{
        client_fails(client, "org.freedesktop.DBus.Error.Unknown*", "*", "/org/libvirt/Nowhere",
                     CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_fails(client, "org.freedesktop.DBus.Error.Unknown*", "*", "/elsewhere", CONNECT_INTERFACE,
                     "ListDomains", "u", 0);
        client_fails(client, "org.freedesktop.DBus.Error.Unknown*", "*", TEST_PATH "/nothing/_1",
                     DOMAIN_INTERFACE, "Create", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", GHOST, DOMAIN_INTERFACE, "Create", "u", 0);
}
END_TEST

START_TEST(test_wrong_arguments)
{
        client_fails(client, INVALID_ARGS, "*", DOMAIN, DOMAIN_INTERFACE, "Create", NULL);
        client_fails(client, INVALID_ARGS, "*", DOMAIN, DOMAIN_INTERFACE, "Create", "i", 0);
        client_fails(client, INVALID_ARGS, "*", DOMAIN, DOMAIN_INTERFACE, "Create", "uu", 0, 0);
        client_fails(client, INVALID_ARGS, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", "u", 0);
        client_fails(client, INVALID_ARGS, "*", TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "su",
                     "<domain/>", 0);
}
END_TEST

static void expect_last(const char *path, const char *interface, int code, const char *text)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, interface, "GetLastError", NULL);
        int number;
        int domain;
        const char *message;
        int level;

        ck_assert_int_gt(sd_bus_message_read(reply, "(iisisssii)", &number, &domain, &message, &level, NULL,
                                             NULL, NULL, NULL, NULL),
                         0);
        ck_assert_int_eq(number, code);
        ck_assert_msg(g_pattern_match_simple(text, message), "'%s' is not like '%s'", message, text);
        if (code)
                ck_assert_int_eq(level, 2);
}

START_TEST(test_last_error)
{
        struct client *other = harness_connect(harness);

        expect_last(TEST_PATH, CONNECT_INTERFACE, 0, "");
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "nobody");
        /* VIR_ERR_NO_DOMAIN; a success leaves it alone, another caller does not see it. */
        expect_last(TEST_PATH, CONNECT_INTERFACE, 42, "Domain not found*");
        expect_last(MANAGER_PATH, MANAGER_INTERFACE, 42, "Domain not found*");
        expect_last(QEMU_PATH, CONNECT_INTERFACE, 0, "");
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        expect_last(TEST_PATH, CONNECT_INTERFACE, 42, "Domain not found*");
        client_do(other, TEST_PATH, CONNECT_INTERFACE, "ResetLastError", NULL);
        expect_last(TEST_PATH, CONNECT_INTERFACE, 42, "Domain not found*");
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "ResetLastError", NULL);
        expect_last(TEST_PATH, CONNECT_INTERFACE, 0, "");
        client_do(client, MANAGER_PATH, MANAGER_INTERFACE, "ResetLastError", NULL);
        expect_last(MANAGER_PATH, MANAGER_INTERFACE, 0, "");
        client_free(other);
}
END_TEST

START_TEST(test_no_reply_expected_gets_none)
{
        sd_bus *bus = client_get_bus(client);
        g_autoptr(sd_bus_message) call = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.libvirt", DOMAIN, DOMAIN_INTERFACE,
                                                        "Suspend"),
                         0);
        ck_assert_int_ge(sd_bus_message_set_expect_reply(call, 0), 0);
        ck_assert_int_ge(sd_bus_send(bus, call, NULL), 0);
        client_wait_event(client, DOMAIN, 3, 0);
        client_ping(client);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("errors");
        TCase *tcase = tcase_create("errors");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_body_is_one_string);
        tcase_add_test(tcase, test_unknown_method_and_interface);
        tcase_add_test(tcase, test_unknown_objects);
        tcase_add_test(tcase, test_wrong_arguments);
        tcase_add_test(tcase, test_last_error);
        tcase_add_test(tcase, test_no_reply_expected_gets_none);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
