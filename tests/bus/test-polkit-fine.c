/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * PolicyKit where fine checks are on: libvirt's actions with the details of objects, lists and signals of
 * what a client may see. Needs root, to be somebody else.
 */

#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/polkitd.h"

#define DOMAIN      TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define HIDDEN      TEST_PATH "/domain/_00000000_0000_4000_8000_000000000001"
#define HIDDEN_UUID "00000000-0000-4000-8000-000000000001"
#define SHOWN       TEST_PATH "/domain/_00000000_0000_4000_8000_000000000002"
#define SHOWN_UUID  "00000000-0000-4000-8000-000000000002"

#define RULES(body) "polkit.addRule(function (action, subject) { " body " });"
/* Nobody sees what is called "hidden"; all else is as the policy has it. */
#define HIDES                                                                                                \
        "if (action.lookup('domain_name') == 'hidden' || action.lookup('vol_name') == 'hidden') return "     \
        "'no';"

static struct harness *harness;
static struct client *root, *nobody;
static struct polkitd *polkitd;

static void set_up(void)
{
        g_autofree char *config = NULL, *option = NULL;

        harness = harness_new_bus();
        root = harness_get_client(harness);
        config = harness_path(harness, "virtbusd.conf");
        option = g_strconcat("--config=", config, NULL);
        ck_assert(g_file_set_contents(config, "[access]\nfine=true\n", -1, NULL));
        harness_add_option(harness, option);
}

static void tear_down(void)
{
        client_free(nobody);
        polkitd_free(polkitd);
        harness_free(harness);
}

/* The agent, PolicyKit, and nobody; false when this test cannot run here. */
static bool start(const char *rules)
{
        polkitd = polkitd_new(harness, rules);
        harness_start_agent(harness);
        nobody = polkitd ? polkitd_connect_as(harness, POLKITD_NOBODY)
                         : client_new(harness_get_address(harness));
        return polkitd != NULL;
}

static void define(const char *name, const char *uuid)
{
        g_autofree char *xml = guest_test_xml(name, uuid);

        client_do(root, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

START_TEST(test_rules_about_objects)
{
        if (!start(RULES("if (action.id == 'org.libvirt.api.domain.suspend') "
                         "return action.lookup('connect_driver') == 'Test' && "
                         "action.lookup('domain_name') == 'test' && "
                         "action.lookup('domain_uuid') == '6695eb01-f6a4-8304-79aa-97f2502e193f' && "
                         "subject.user == 'nobody' ? 'yes' : 'no';")))
                return;
        define("shown", SHOWN_UUID);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(nobody, ACCESS_DENIED, "authentication failed: *domain.suspend*", SHOWN,
                     DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(nobody, ACCESS_DENIED, "*domain.stop*", DOMAIN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
}
END_TEST

/* Nothing of it goes with org.libvirt.unix.manage, and nothing with another action. */
START_TEST(test_passwords_need_more)
{
        g_autofree char *secret = NULL;

        if (!start(RULES("if (action.id == 'org.libvirt.unix.manage') return 'yes';"
                         "if (action.id == 'org.libvirt.api.domain.write') return 'yes';"
                         "if (action.id == 'org.libvirt.api.secret.write') return 'yes';")))
                return;
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*domain.read-secure*", DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc",
                     "u", 1);
        secret = client_call_string(root, TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su",
                                    "<secret><usage type='volume'><volume>x</volume></usage></secret>", 0);
        client_do(root, secret, "org.libvirt.Secret", "SetValue", "ayu", 1, 42, 0);
        client_do(nobody, secret, "org.libvirt.Secret", "GetXMLDesc", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*secret.read-secure*", secret, "org.libvirt.Secret", "GetValue",
                     "u", 0);
}
END_TEST

static bool lists(struct client *client, const char *path, const char *interface, const char *member,
                  const char *wanted)
{
        g_auto(GStrv) list = client_list(client, path, interface, member, 0);

        return g_strv_contains((const char *const *)list, wanted);
}

static bool introspects(struct client *client, const char *path, const char *text)
{
        g_autofree char *xml =
                client_call_string(client, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);

        return strstr(xml, text) != NULL;
}

static bool manages(struct client *client, const char *wanted)
{
        g_autoptr(sd_bus_message) reply = client_call(client, TEST_PATH, "org.freedesktop.DBus.ObjectManager",
                                                      "GetManagedObjects", NULL);
        const char *path;
        bool found = false;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
                ck_assert_int_gt(sd_bus_message_skip(reply, "a{sa{sv}}"), 0);
                found |= strcmp(path, wanted) == 0;
                sd_bus_message_exit_container(reply);
        }
        return found;
}

START_TEST(test_lists_of_what_one_may_see)
{
        if (!start(RULES(HIDES)))
                return;
        define("hidden", HIDDEN_UUID);
        define("shown", SHOWN_UUID);
        ck_assert(lists(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", SHOWN));
        ck_assert(!lists(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", HIDDEN));
        ck_assert(introspects(nobody, TEST_PATH "/domain", strrchr(SHOWN, '/') + 1));
        ck_assert(!introspects(nobody, TEST_PATH "/domain", strrchr(HIDDEN, '/') + 1));
        ck_assert(manages(nobody, SHOWN));
        ck_assert(!manages(nobody, HIDDEN));
        client_do(nobody, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "shown");
        client_fails(nobody, ACCESS_DENIED, "authentication failed: *", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "hidden");
        client_fails(nobody, ACCESS_DENIED, "authentication failed: *", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByUUID", "s", HIDDEN_UUID);
        client_fails(nobody, ACCESS_DENIED, "*", HIDDEN, DOMAIN_INTERFACE, "GetState", "u", 0);
        ck_assert(lists(root, TEST_PATH, CONNECT_INTERFACE, "ListDomains", HIDDEN));
        ck_assert(introspects(root, TEST_PATH "/domain", strrchr(HIDDEN, '/') + 1));
        ck_assert(manages(root, HIDDEN));
}
END_TEST

#define VOLUME(name) "<volume><name>" name "</name><capacity>1048576</capacity></volume>"

START_TEST(test_volumes_that_one_may_see)
{
        g_autofree char *pool = NULL, *hidden = NULL, *shown = NULL;

        if (!start(RULES(HIDES "if (action.id == 'org.libvirt.api.storage-pool.search-storage-vols' && "
                               "action.lookup('pool_name') == 'default-pool') return 'yes';")))
                return;
        pool = client_call_string(nobody, TEST_PATH, CONNECT_INTERFACE, "StoragePoolLookupByName", "s",
                                  "default-pool");
        hidden = client_call_string(root, pool, "org.libvirt.StoragePool", "StorageVolCreateXML", "su",
                                    VOLUME("hidden"), 0);
        shown = client_call_string(root, pool, "org.libvirt.StoragePool", "StorageVolCreateXML", "su",
                                   VOLUME("shown"), 0);
        ck_assert(lists(nobody, pool, "org.libvirt.StoragePool", "ListStorageVolumes", shown));
        ck_assert(!lists(nobody, pool, "org.libvirt.StoragePool", "ListStorageVolumes", hidden));
        client_do(nobody, pool, "org.libvirt.StoragePool", "StorageVolLookupByName", "s", "shown");
        client_fails(nobody, ACCESS_DENIED, "authentication failed: *", pool, "org.libvirt.StoragePool",
                     "StorageVolLookupByName", "s", "hidden");
}
END_TEST

/* More than PolicyKit is asked about at a time. */
START_TEST(test_long_list)
{
        g_auto(GStrv) list = NULL;

        if (!start(RULES(HIDES)))
                return;
        for (unsigned i = 0; i < 400; i++) {
                g_autofree char *name = g_strdup_printf("web%u", i);
                g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012u", 100 + i);

                define(name, uuid);
        }
        define("hidden", HIDDEN_UUID);
        list = client_list(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        ck_assert_uint_eq(g_strv_length(list), 401);
}
END_TEST

static bool is_about(sd_bus_message *message, const char *path)
{
        const char *object = "";

        if (sd_bus_message_has_signature(message, "oii") ||
            sd_bus_message_has_signature(message, "oa{sa{sv}}") ||
            sd_bus_message_has_signature(message, "oas"))
                ck_assert_int_gt(sd_bus_message_read(message, "o", &object), 0);
        return strcmp(sd_bus_message_get_path(message), path) == 0 || strcmp(object, path) == 0;
}

static bool matches_path(sd_bus_message *message, const void *path)
{
        return is_about(message, path);
}

static bool hears_of(struct client *client, const char *interface, const char *member, const char *path)
{
        g_autoptr(sd_bus_message) message = NULL;

        message = client_wait_signal(client, NULL, interface, member, matches_path, path);
        return message != NULL;
}

/* What is wanted comes after what is not, so that waiting for it is enough. */
START_TEST(test_signals_about_what_one_may_see)
{
        sd_bus_message *message;

        if (!start(RULES(HIDES)))
                return;
        client_do(nobody, TEST_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
        define("hidden", HIDDEN_UUID);
        client_do(root, HIDDEN, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(root, HIDDEN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(root, HIDDEN, DOMAIN_INTERFACE, "Undefine", "u", 0);
        define("shown", SHOWN_UUID);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Undefine", "u", 0);
        ck_assert(hears_of(nobody, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", SHOWN));
        ck_assert(hears_of(nobody, CONNECT_INTERFACE, "DomainEvent", SHOWN));
        ck_assert(hears_of(nobody, "org.freedesktop.DBus.Properties", "PropertiesChanged", SHOWN));
        ck_assert(hears_of(nobody, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", SHOWN));
        while (client_count_signals(nobody, NULL, CONNECT_INTERFACE, "DomainEvent") > 0) {
                message = client_wait_signal(nobody, NULL, CONNECT_INTERFACE, "DomainEvent", NULL, NULL);
                ck_assert(!is_about(message, HIDDEN));
                sd_bus_message_unref(message);
        }
        ck_assert_uint_eq(
                client_count_signals(nobody, HIDDEN, "org.freedesktop.DBus.Properties", "PropertiesChanged"),
                0);
        ck_assert_uint_eq(
                client_count_signals(nobody, NULL, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"),
                0);
        ck_assert_uint_eq(
                client_count_signals(nobody, NULL, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"),
                0);
        ck_assert(hears_of(root, CONNECT_INTERFACE, "DomainEvent", HIDDEN));
}
END_TEST

/* In the order of the changes, though one of the answers has to come first. */
START_TEST(test_order_of_signals)
{
        static const int events[] = { 0, 2, 5, 1 };

        if (!start(""))
                return;
        client_do(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_forget_signals(nobody);
        define("shown", SHOWN_UUID);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(root, SHOWN, DOMAIN_INTERFACE, "Undefine", "u", 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(events); i++) {
                g_autoptr(sd_bus_message) message = client_wait_signal(nobody, NULL, CONNECT_INTERFACE,
                                                                       "DomainEvent", matches_path, SHOWN);
                const char *path;
                int event;

                ck_assert_int_gt(sd_bus_message_read(message, "oi", &path, &event), 0);
                ck_assert_int_eq(event, events[i]);
        }
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_rules_about_objects,      test_passwords_need_more, test_lists_of_what_one_may_see,
                test_volumes_that_one_may_see, test_long_list,           test_signals_about_what_one_may_see,
                test_order_of_signals,
        };
        Suite *suite = suite_create("polkit-fine");
        TCase *tcase = tcase_create("polkit-fine");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
