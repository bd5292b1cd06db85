/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Secrets as a client sees them, and what they open: encrypted volumes. */

#include <string.h>
#include <sys/stat.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define SECRET_INTERFACE "org.libvirt.Secret"
#define UUID             "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
#define SECRET_PATH      QEMU_PATH "/secret/_0a81f5b2_8403_7b23_c8d6_21ccc2f80d6f"

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

/* A secret for a volume; to be freed. */
static char *define(const char *attributes, const char *uuid, const char *volume)
{
        g_autofree char *xml = g_strdup_printf(
                "<secret%s><uuid>%s</uuid><usage type='volume'><volume>%s</volume></usage></secret>",
                attributes, uuid, volume);

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", xml, 0);
}

static void expect_value(const char *secret, const char *value)
{
        g_autoptr(sd_bus_message) reply = client_call(client, secret, SECRET_INTERFACE, "GetValue", "u", 0);
        const void *bytes;
        size_t length;

        ck_assert_int_gt(sd_bus_message_read_array(reply, 'y', &bytes, &length), 0);
        ck_assert_uint_eq(length, strlen(value));
        ck_assert_mem_eq(bytes, value, length);
}

struct event {
        const char *secret;
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct event *wanted = data;
        const char *secret;
        int event, detail;

        return sd_bus_message_read(message, "oii", &secret, &event, &detail) > 0 &&
               strcmp(secret, wanted->secret) == 0 && event == wanted->event && detail == 0;
}

static void wait_event(const char *secret, int event)
{
        struct event wanted = { secret, event };

        sd_bus_message_unref(client_wait_signal(client, QEMU_PATH, CONNECT_INTERFACE, "SecretEvent",
                                                match_event, &wanted));
}

static unsigned count(unsigned flags)
{
        g_auto(GStrv) list = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListSecrets", flags);

        return g_strv_length(list);
}

START_TEST(test_the_life_of_a_secret)
{
        g_autofree char *secret = define("", UUID, "/srv/a"), *usage = NULL, *found = NULL, *other = NULL;
        int type;

        ck_assert_str_eq(secret, SECRET_PATH);
        wait_event(secret, 0);
        pool_wait_added(client, secret);
        usage = client_get_string(client, secret, SECRET_INTERFACE, "UsageID");
        ck_assert_str_eq(usage, "/srv/a");
        client_get(client, secret, SECRET_INTERFACE, "UsageType", 'i', &type);
        ck_assert_int_eq(type, 1);
        found = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretLookupByUUID", "s", UUID);
        ck_assert_str_eq(found, secret);
        other = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretLookupByUsage", "is", 1,
                                   "/srv/a");
        ck_assert_str_eq(other, secret);
        client_fails(client, LIBVIRT_ERROR, "Secret not found*does not have a value", secret,
                     SECRET_INTERFACE, "GetValue", "u", 0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 4, 'a', 0, 255, 'b', 0);
        sd_bus_message_unref(
                client_wait_signal(client, secret, SECRET_INTERFACE, "ValueChanged", NULL, NULL));
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        expect_value(secret, "ok");
        client_do(client, secret, SECRET_INTERFACE, "Undefine", NULL);
        wait_event(secret, 1);
        pool_wait_removed(client, secret);
        client_fails(client, LIBVIRT_ERROR, "Secret not found*", secret, SECRET_INTERFACE, "GetValue", "u",
                     0);
        client_fails(client, LIBVIRT_ERROR, "Secret not found: no secret with matching uuid*", QEMU_PATH,
                     CONNECT_INTERFACE, "SecretLookupByUUID", "s", UUID);
        client_fails(client, LIBVIRT_ERROR, "Secret not found: no secret with matching usage*", QEMU_PATH,
                     CONNECT_INTERFACE, "SecretLookupByUsage", "is", 1, "/srv/a");
}
END_TEST

START_TEST(test_lists_and_documents)
{
        g_autofree char *a = define(" private='yes'", UUID, "/a"), *xml = NULL;
        g_autofree char *b = define(" ephemeral='yes'", "1a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "/b");

        ck_assert_uint_eq(count(0), 2);
        ck_assert_uint_eq(count(1), 1);
        ck_assert_uint_eq(count(2 | 4), 1);
        ck_assert_uint_eq(count(1 | 4), 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x10)*", QEMU_PATH, CONNECT_INTERFACE,
                     "ListSecrets", "u", 16);
        xml = client_call_string(client, a, SECRET_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(xml, "<secret ephemeral='no' private='yes'>\n"
                              "  <uuid>" UUID "</uuid>\n"
                              "  <usage type='volume'>\n"
                              "    <volume>/a</volume>\n"
                              "  </usage>\n"
                              "</secret>\n");
        client_do(client, a, SECRET_INTERFACE, "SetValue", "ayu", 1, 'x', 0);
        client_fails(client, LIBVIRT_ERROR, "Invalid secret*is private", a, SECRET_INTERFACE, "GetValue", "u",
                     0);
        client_fails(client, LIBVIRT_ERROR, "XML error*", QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML",
                     "su", "<secret private='perhaps'/>", 0);
}
END_TEST

START_TEST(test_who_reads_only_gets_no_value)
{
        g_autofree char *secret = define("", UUID, "/a");

        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 1, 'x', 0);
        client_do(client, MANAGER_PATH, MANAGER_INTERFACE, "ConnectOpen", "su", "", 1);
        client_fails(client, LIBVIRT_ERROR, "operation*forbidden*", secret, SECRET_INTERFACE, "GetValue", "u",
                     0);
        client_fails(client, LIBVIRT_ERROR, "operation*forbidden*", secret, SECRET_INTERFACE, "SetValue",
                     "ayu", 1, 'y', 0);
        client_fails(client, LIBVIRT_ERROR, "operation*forbidden*", secret, SECRET_INTERFACE, "Undefine",
                     NULL);
        g_free(client_call_string(client, secret, SECRET_INTERFACE, "GetXMLDesc", "u", 0));
        client_do(client, MANAGER_PATH, MANAGER_INTERFACE, "ConnectClose", "o", QEMU_PATH);
        expect_value(secret, "x");
}
END_TEST

START_TEST(test_secrets_outlive_the_agent)
{
        g_autofree char *kept = define("", UUID, "/a");
        g_autofree char *gone = define(" ephemeral='yes'", "1a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "/b");
        g_autofree char *path = harness_path(harness, "state/secrets/" UUID ".value");
        struct stat st;

        client_do(client, kept, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0600);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        expect_value(kept, "ok");
        client_fails(client, LIBVIRT_ERROR, "Secret not found*", gone, SECRET_INTERFACE, "GetValue", "u", 0);
}
END_TEST

/* Nothing that is shown or logged has the value in it. */
START_TEST(test_values_stay_secret)
{
        g_autofree char *secret = define("", UUID, "/a"), *log = NULL, *xml = NULL;

        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 6, 'h', 'u', 's', 'h', '-', 'h', 0);
        client_fails(client, LIBVIRT_ERROR, "*", secret, SECRET_INTERFACE, "SetValue", "ayu", 6, 'h', 'u',
                     's', 'h', '-', 'h', 1);
        xml = client_call_string(client, secret, SECRET_INTERFACE, "GetXMLDesc", "u", 0);
        log = harness_read_log(harness);
        ck_assert_ptr_null(strstr(xml, "hush"));
        ck_assert_ptr_null(strstr(log, "hush"));
}
END_TEST

/* QEMU before 9.0 gives up when the clock did not tick while it measured how fast it is. */
static char *make_encrypted(const char *pool, const char *name, const char *secret)
{
        g_autofree char *xml = g_strdup_printf(
                "<volume><name>%s</name><capacity unit='MiB'>4</capacity><target><format type='raw'/>"
                "<encryption format='luks'><secret type='passphrase' uuid='%s'/></encryption>"
                "</target></volume>",
                name, secret);
        g_autofree char *error = NULL;

        do {
                g_free(error);
                error = client_try(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        } while (error && strstr(error, "Unable to get accurate CPU usage"));
        return g_steal_pointer(&error);
}

START_TEST(test_a_volume_is_encrypted_with_a_secret)
{
        g_autofree char *folder = harness_path(harness, "images");
        g_autofree char *pool = pool_start_dir(client, "images", folder), *volume = NULL, *xml = NULL;
        g_autofree char *secret = define("", UUID, "/a"), *error = make_encrypted(pool, "v", UUID);

        ck_assert_ptr_nonnull(strstr(error, "does not have a value"));
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        g_free(error);
        error = make_encrypted(pool, "v", UUID);
        ck_assert_msg(!error, "%s", error);
        volume = client_call_string(client, pool, POOL_INTERFACE, "StorageVolLookupByName", "s", "v");
        xml = client_call_string(client, volume, VOLUME_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "    <encryption format='luks'>\n"
                                          "      <secret type='passphrase' uuid='" UUID "'/>\n"
                                          "    </encryption>\n"));
}
END_TEST

START_TEST(test_secrets_in_memory)
{
        g_autofree char *secret = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "SecretDefineXML",
                                                     "su", "<secret><uuid>" UUID "</uuid></secret>", 0);

        ck_assert_str_eq(secret, TEST_PATH "/secret/_0a81f5b2_8403_7b23_c8d6_21ccc2f80d6f");
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        expect_value(secret, "ok");
        ck_assert_uint_eq(count(0), 0);
        client_do(client, secret, SECRET_INTERFACE, "Undefine", NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("secrets");
        TCase *tcase = tcase_create("secrets");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_life_of_a_secret);
        tcase_add_test(tcase, test_lists_and_documents);
        tcase_add_test(tcase, test_who_reads_only_gets_no_value);
        tcase_add_test(tcase, test_secrets_outlive_the_agent);
        tcase_add_test(tcase, test_values_stay_secret);
        tcase_add_test(tcase, test_a_volume_is_encrypted_with_a_secret);
        tcase_add_test(tcase, test_secrets_in_memory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
