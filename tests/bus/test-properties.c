/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How properties travel: GetAll wraps values twice because clients unwrap twice, everything else wraps them
 * once.
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

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define DOMAIN     TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

/* Skips to the value of `name` in an a{sv} that the message stands before; false when it has no such key. */
static bool find_value(sd_bus_message *message, const char *name)
{
        const char *key;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(message, "s", &key), 0);
                if (strcmp(key, name) == 0)
                        return true;
                ck_assert_int_gt(sd_bus_message_skip(message, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        }
        return false;
}

START_TEST(test_get_is_single)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, PROPERTIES, "Get", "ss", DOMAIN_INTERFACE, "Name");
        const char *name;

        ck_assert_int_gt(sd_bus_message_read(reply, "v", "s", &name), 0);
        ck_assert_str_eq(name, "test");
}
END_TEST

START_TEST(test_getall_is_double)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, PROPERTIES, "GetAll", "s", DOMAIN_INTERFACE);
        const char *name;

        ck_assert(find_value(reply, "Name"));
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "s", &name), 0);
        ck_assert_str_eq(name, "test");
}
END_TEST

START_TEST(test_getall_of_a_domain_is_complete)
{
        const char *const names[] = { "Active",     "Autostart",     "Id",      "Name", "OSType",
                                      "Persistent", "SchedulerType", "Updated", "UUID" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(sd_bus_message) reply =
                        client_call(client, DOMAIN, PROPERTIES, "GetAll", "s", DOMAIN_INTERFACE);

                ck_assert_msg(find_value(reply, names[i]), "GetAll lacks %s", names[i]);
        }
}
END_TEST

START_TEST(test_getall_of_a_connection)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, TEST_PATH, PROPERTIES, "GetAll", "s", CONNECT_INTERFACE);
        uint64_t level;

        ck_assert(find_value(reply, "LibVersion"));
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &level), 0);
        ck_assert_uint_ge(level, 6008000);
}
END_TEST

START_TEST(test_the_default_domain)
{
        g_autofree char *uuid = client_get_string(client, DOMAIN, DOMAIN_INTERFACE, "UUID");
        g_autofree char *type = client_get_string(client, DOMAIN, DOMAIN_INTERFACE, "OSType");
        unsigned id = 0;

        ck_assert_str_eq(uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f");
        ck_assert_str_eq(type, "hvm");
        client_get(client, DOMAIN, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_eq(id, 1);
        ck_assert(client_get_bool(client, DOMAIN, DOMAIN_INTERFACE, "Active"));
        ck_assert(client_get_bool(client, DOMAIN, DOMAIN_INTERFACE, "Persistent"));
        ck_assert(!client_get_bool(client, DOMAIN, DOMAIN_INTERFACE, "Updated"));
}
END_TEST

START_TEST(test_unknown_property)
{
        client_fails(client, INVALID_ARGS, "*", DOMAIN, PROPERTIES, "Get", "ss", DOMAIN_INTERFACE, "Colour");
        client_fails(client, INVALID_ARGS, "*", DOMAIN, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Colour",
                     "s", "red");
}
END_TEST

START_TEST(test_unknown_interface)
{
        g_autofree char *get =
                client_try(client, DOMAIN, PROPERTIES, "Get", "ss", "org.libvirt.Nothing", "Name");
        g_autofree char *get_all =
                client_try(client, DOMAIN, PROPERTIES, "GetAll", "s", "org.libvirt.Nothing");

        ck_assert_ptr_nonnull(get);
        ck_assert_ptr_nonnull(get_all);
}
END_TEST

START_TEST(test_read_only_and_wrong_type)
{
        g_autofree char *outcome =
                client_try(client, DOMAIN, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Name", "s", "x");

        ck_assert_msg(outcome && (strstr(outcome, "InvalidArgs") || strstr(outcome, "PropertyReadOnly")),
                      "%s", outcome ? outcome : "success");
        client_fails(client, INVALID_ARGS, "*", DOMAIN, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE,
                     "Autostart", "s", "yes");
        client_fails(client, INVALID_ARGS, "*", DOMAIN, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE,
                     "Autostart", "u", 1);
}
END_TEST

START_TEST(test_properties_of_an_object_that_is_not_there)
{
        client_fails(client, LIBVIRT_ERROR, "Domain not found*",
                     TEST_PATH "/domain/_00000000_0000_0000_0000_000000000001", PROPERTIES, "Get", "ss",
                     DOMAIN_INTERFACE, "Name");
}
END_TEST

/* All objects of a connection in one call, with single variants. */
START_TEST(test_managed_objects)
{
        g_autoptr(sd_bus_message) reply = client_call(client, TEST_PATH, "org.freedesktop.DBus.ObjectManager",
                                                      "GetManagedObjects", NULL);
        const char *path = NULL;
        const char *interface;
        const char *name;
        bool found = false;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
                if (strcmp(path, DOMAIN) == 0) {
                        found = true;
                        break;
                }
                ck_assert_int_gt(sd_bus_message_skip(reply, "a{sa{sv}}"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
        ck_assert(found);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sa{sv}}"), 0);
        found = false;
        while (sd_bus_message_enter_container(reply, 'e', "sa{sv}") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &interface), 0);
                if (strcmp(interface, DOMAIN_INTERFACE) == 0) {
                        found = true;
                        break;
                }
                ck_assert_int_gt(sd_bus_message_skip(reply, "a{sv}"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
        ck_assert(found);
        ck_assert(find_value(reply, "Name"));
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "s", &name), 0);
        ck_assert_str_eq(name, "test");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("properties");
        TCase *tcase = tcase_create("properties");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_get_is_single);
        tcase_add_test(tcase, test_getall_is_double);
        tcase_add_test(tcase, test_getall_of_a_domain_is_complete);
        tcase_add_test(tcase, test_getall_of_a_connection);
        tcase_add_test(tcase, test_the_default_domain);
        tcase_add_test(tcase, test_unknown_property);
        tcase_add_test(tcase, test_unknown_interface);
        tcase_add_test(tcase, test_read_only_and_wrong_type);
        tcase_add_test(tcase, test_properties_of_an_object_that_is_not_there);
        tcase_add_test(tcase, test_managed_objects);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
