/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.libvirt.Manager: opening connections by URI, read-only opening, versions.
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

static char *open_connection(struct client *caller, const char *uri, unsigned flags)
{
        return client_call_string(caller, MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su", uri, flags);
}

static void close_connection(struct client *caller, const char *path)
{
        client_do(caller, MANAGER_PATH, MANAGER_INTERFACE, "ConnectClose", "o", path);
}

START_TEST(test_open_by_uri)
{
        g_autofree char *test = open_connection(client, "test:///default", 0);
        g_autofree char *qemu =
                open_connection(client, getuid() == 0 ? "qemu:///system" : "qemu:///session", 0);
        g_autofree char *first = open_connection(client, "", 0);

        ck_assert_str_eq(test, TEST_PATH);
        ck_assert_str_eq(qemu, QEMU_PATH);
        ck_assert_str_eq(first, QEMU_PATH);
        close_connection(client, test);
        close_connection(client, qemu);
        close_connection(client, first);
}
END_TEST

START_TEST(test_open_what_is_not_there)
{
        client_fails(client, LIBVIRT_ERROR, "*", MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su",
                     "nothing:///x", 0);
        client_fails(client, LIBVIRT_ERROR, "*", MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su",
                     "no uri at all", 0);
        client_fails(client, LIBVIRT_ERROR, "*flags*", MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su",
                     "test:///default", 0x4000);
        client_fails(client, LIBVIRT_ERROR, "*", MANAGER_PATH, MANAGER_INTERFACE, "ConnectClose", "o",
                     "/org/libvirt/Nowhere");
}
END_TEST

START_TEST(test_versions)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, MANAGER_PATH, MANAGER_INTERFACE, "GetVersion", "s", "");
        uint64_t api;
        uint64_t type;

        ck_assert_int_gt(sd_bus_message_read(reply, "(tt)", &api, &type), 0);
        ck_assert_uint_ge(api, 6008000);
        client_fails(client, LIBVIRT_ERROR, "*", MANAGER_PATH, MANAGER_INTERFACE, "GetVersion", "s",
                     "nothing");
}
END_TEST

/* Opened read-only, this caller reads but changes nothing on that connection; others are not affected. */
START_TEST(test_read_only)
{
        struct client *other = harness_connect(harness);
        g_autofree char *xml = guest_test_xml("web", NULL);
        g_autofree char *path = open_connection(other, "test:///default", 1);

        client_do(other, path, CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_do(other, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_fails(other, LIBVIRT_ERROR, "operation*forbidden*", path, CONNECT_INTERFACE, "DomainDefineXML",
                     "s", xml);
        client_fails(other, LIBVIRT_ERROR, "operation*forbidden*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(other, LIBVIRT_ERROR, "operation*forbidden*", DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc",
                     "u", 1);
        client_fails(other, NULL, NULL, DOMAIN, "org.freedesktop.DBus.Properties", "Set", "ssv",
                     DOMAIN_INTERFACE, "Autostart", "b", 1);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        client_free(other);
}
END_TEST

/* Each opening needs its closing; after the last one the connection is as it was before. */
START_TEST(test_openings_are_counted)
{
        g_autofree char *path = open_connection(client, "test:///default", 1);
        g_autofree char *again = open_connection(client, "test:///default", 1);

        close_connection(client, path);
        client_fails(client, LIBVIRT_ERROR, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        close_connection(client, path);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("manager");
        TCase *tcase = tcase_create("manager");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_open_by_uri);
        tcase_add_test(tcase, test_open_what_is_not_there);
        tcase_add_test(tcase, test_versions);
        tcase_add_test(tcase, test_read_only);
        tcase_add_test(tcase, test_openings_are_counted);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
