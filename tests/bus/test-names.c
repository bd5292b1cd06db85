/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the agent calls itself and where its objects are: names, paths, introspection, the properties of a
 * connection.
 */

#include <string.h>

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

#define TEST_DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

static char *introspect(const char *path)
{
        return client_call_string(client, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
}

START_TEST(test_introspection)
{
        g_autofree char *root = introspect("/org/libvirt");
        g_autofree char *connection = introspect(TEST_PATH);
        g_autofree char *domain = introspect(TEST_DOMAIN);

        ck_assert_ptr_nonnull(strstr(root, "<node name=\"Test\""));
        ck_assert_ptr_nonnull(strstr(connection, "<interface name=\"org.libvirt.Connect\">"));
        ck_assert_ptr_nonnull(strstr(connection, "<interface name=\"org.freedesktop.DBus.Properties\">"));
        ck_assert_ptr_nonnull(strstr(domain, "<interface name=\"org.libvirt.Domain\">"));
        /* Names are relative to the node, and lead down to the object. */
        ck_assert_ptr_null(strstr(connection, "<node name=\"/"));
}
END_TEST

/* busctl tree walks from the root by relative names. */
START_TEST(test_introspection_leads_to_every_object)
{
        g_autofree char *root = introspect("/");
        g_autofree char *org = introspect("/org");
        g_autofree char *connection = introspect(TEST_PATH);
        g_autofree char *domains = introspect(TEST_PATH "/domain");

        ck_assert_ptr_nonnull(strstr(root, "<node name=\"org\""));
        ck_assert_ptr_nonnull(strstr(org, "<node name=\"libvirt\""));
        ck_assert_ptr_nonnull(strstr(connection, "<node name=\"domain\""));
        ck_assert_ptr_nonnull(strstr(domains, "<node name=\"_6695eb01_f6a4_8304_79aa_97f2502e193f\""));
}
END_TEST

START_TEST(test_ping_and_machine_id)
{
        g_autofree char *id = NULL;

        client_ping(client);
        client_do(client, "/", "org.freedesktop.DBus.Peer", "Ping", NULL);
        client_do(client, TEST_DOMAIN, "org.freedesktop.DBus.Peer", "Ping", NULL);
        id = client_call_string(client, "/", "org.freedesktop.DBus.Peer", "GetMachineId", NULL);
        ck_assert_uint_eq(strlen(id), 32);
}
END_TEST

START_TEST(test_lookup_gives_the_path_of_the_uuid)
{
        g_autofree char *by_name =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "test");
        g_autofree char *by_uuid =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByUUID", "s",
                                   "6695eb01-f6a4-8304-79aa-97f2502e193f");
        g_autofree char *by_upper =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByUUID", "s",
                                   "6695EB01-F6A4-8304-79AA-97F2502E193F");
        g_autofree char *by_id =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByID", "i", 1);

        ck_assert_str_eq(by_name, TEST_DOMAIN);
        ck_assert_str_eq(by_uuid, TEST_DOMAIN);
        ck_assert_str_eq(by_upper, TEST_DOMAIN);
        ck_assert_str_eq(by_id, TEST_DOMAIN);
}
END_TEST

START_TEST(test_lookup_misses)
{
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "nobody");
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByUUID", "s", "00000000-0000-0000-0000-000000000001");
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainLookupByUUID", "s",
                     "6695eb01");
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainLookupByUUID", "s", "");
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByID", "i", -1);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByID", "i", 0);
}
END_TEST

START_TEST(test_a_path_has_one_spelling)
{
        const char *const spellings[] = {
                TEST_PATH "/domain/_6695EB01_f6a4_8304_79aa_97f2502e193f",
                TEST_PATH "/domain/6695eb01_f6a4_8304_79aa_97f2502e193f",
                TEST_PATH "/domain/_6695eb01f6a4830479aa97f2502e193f",
                TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f0",
                TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193",
                TEST_PATH "/domain/_",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(spellings); i++) {
                g_autofree char *outcome =
                        client_try(client, spellings[i], DOMAIN_INTERFACE, "GetState", "u", 0);

                ck_assert_msg(outcome, "%s is taken for a domain", spellings[i]);
        }
}
END_TEST

START_TEST(test_lists_by_state)
{
        g_auto(GStrv) all = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        g_auto(GStrv) active = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", 1);
        g_auto(GStrv) inactive = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", 2);
        g_auto(GStrv) both = client_list(client, TEST_PATH, CONNECT_INTERFACE, "ListDomains", 3);

        ck_assert_uint_eq(g_strv_length(all), 1);
        ck_assert_str_eq(all[0], TEST_DOMAIN);
        ck_assert_uint_eq(g_strv_length(active), 1);
        ck_assert_uint_eq(g_strv_length(inactive), 0);
        ck_assert_uint_eq(g_strv_length(both), 1);
}
END_TEST

/* A client that lists every kind there may be shows an error in the place of all when one list fails. */
START_TEST(test_every_kind_is_listed)
{
        static const struct {
                const char *member;
                unsigned flags, unknown;
        } lists[] = {
                { "ListDomains", 3, 1u << 31 },  { "ListStoragePools", 3, 1u << 31 },
                { "ListSecrets", 3, 1u << 31 },  { "ListInterfaces", 3, 4 },
                { "ListNetworks", 3, 1u << 31 }, { "ListNodeDevices", 1u << 31, 1u << 29 },
                { "ListNWFilters", 0, 1 },
        };
        static const char *const connections[] = { QEMU_PATH, TEST_PATH };

        for (unsigned i = 0; i < 2 * G_N_ELEMENTS(lists); i++) {
                const char *member = lists[i / 2].member;

                g_strfreev(client_list(client, connections[i % 2], CONNECT_INTERFACE, member,
                                       lists[i / 2].flags));
                client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x*", connections[i % 2],
                             CONNECT_INTERFACE, member, "u", lists[i / 2].unknown);
        }
}
END_TEST

START_TEST(test_connection_properties)
{
        g_autofree char *hostname = client_get_string(client, TEST_PATH, CONNECT_INTERFACE, "Hostname");
        uint64_t level = 0;
        uint64_t version = 0;

        ck_assert_str_eq(hostname, g_get_host_name());
        client_get(client, TEST_PATH, CONNECT_INTERFACE, "LibVersion", 't', &level);
        ck_assert_uint_ge(level, 6008000);
        client_get(client, TEST_PATH, CONNECT_INTERFACE, "Version", 't', &version);
        ck_assert_uint_gt(version, 0);
        ck_assert(!client_get_bool(client, TEST_PATH, CONNECT_INTERFACE, "Encrypted"));
        client_get_bool(client, TEST_PATH, CONNECT_INTERFACE, "Secure");
}
END_TEST

START_TEST(test_connection_type_and_uri)
{
        g_autofree char *type = client_get_string(client, TEST_PATH, CONNECT_INTERFACE, "Type");
        g_autofree char *uri = client_get_string(client, TEST_PATH, CONNECT_INTERFACE, "URI");
        g_autofree char *qemu_type = client_get_string(client, QEMU_PATH, CONNECT_INTERFACE, "Type");
        g_autofree char *qemu_uri = client_get_string(client, QEMU_PATH, CONNECT_INTERFACE, "URI");
        g_autofree char *path =
                client_call_string(client, MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su", uri, 0);

        ck_assert_str_eq(type, "TEST");
        ck_assert_str_eq(uri, "test:///default");
        ck_assert_str_eq(qemu_type, "QEMU");
        ck_assert_str_eq(qemu_uri, getuid() == 0 ? "qemu:///system" : "qemu:///session");
        ck_assert_str_eq(path, TEST_PATH);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("names");
        TCase *tcase = tcase_create("names");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_introspection);
        tcase_add_test(tcase, test_introspection_leads_to_every_object);
        tcase_add_test(tcase, test_ping_and_machine_id);
        tcase_add_test(tcase, test_lookup_gives_the_path_of_the_uuid);
        tcase_add_test(tcase, test_lookup_misses);
        tcase_add_test(tcase, test_a_path_has_one_spelling);
        tcase_add_test(tcase, test_lists_by_state);
        tcase_add_test(tcase, test_every_kind_is_listed);
        tcase_add_test(tcase, test_connection_properties);
        tcase_add_test(tcase, test_connection_type_and_uri);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
