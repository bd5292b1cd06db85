/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host as a client sees it: the numbers of the test connection, and this machine's own. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

#define ASK(path, member, ...) client_call(client, path, CONNECT_INTERFACE, member, __VA_ARGS__)
#define FAILS(path, text, ...) client_fails(client, LIBVIRT_ERROR, text, path, CONNECT_INTERFACE, __VA_ARGS__)

static void expect_numbers(sd_bus_message *reply, const char *text)
{
        g_autoptr(GString) is = g_string_new(NULL);
        const uint64_t *numbers;
        size_t bytes;

        ck_assert_int_ge(sd_bus_message_read_array(reply, 't', (const void **)&numbers, &bytes), 0);
        for (size_t i = 0; i < bytes / sizeof(*numbers); i++)
                g_string_append_printf(is, "%" G_GUINT64_FORMAT " ", numbers[i]);
        ck_assert_str_eq(is->str, text);
        sd_bus_message_unref(reply);
}

/* ---- the test connection: what test:///default answers ---- */

START_TEST(test_connection)
{
        g_autoptr(sd_bus_message) model = ASK(TEST_PATH, "NodeGetSecurityModel", "");
        g_autofree char *sysinfo =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "GetSysinfo", "u", 0);
        g_autofree char *cpu = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "BaselineCPU", "asu",
                                                  2, "<cpu><arch>x86_64</arch><model>Haswell</model></cpu>",
                                                  "<cpu><arch>x86_64</arch><model>Penryn</model></cpu>", 0);
        const char *name, *doi;

        ck_assert_int_gt(sd_bus_message_read(model, "(ss)", &name, &doi), 0);
        ck_assert_str_eq(name, "testSecurity");
        ck_assert_str_eq(doi, "");
        ck_assert_ptr_nonnull(strstr(sysinfo, "<entry name='version'>G4ETA1WW (2.61 )</entry>"));
        ck_assert_str_eq(
                cpu, "<cpu mode='custom' match='exact'>\n  <model fallback='allow'>Penryn</model>\n</cpu>\n");
        expect_numbers(ASK(TEST_PATH, "NodeGetCellsFreeMemory", "ii", 0, 2), "2097152 4194304 ");
        expect_numbers(ASK(TEST_PATH, "NodeGetFreePages", "auiuu", 2, 4, 2048, 0, 2, 0), "19 45 97 201 ");
        FAILS(TEST_PATH, "invalid argument: start cell 2 *", "NodeGetCellsFreeMemory", "ii", 2, 1);
        FAILS(TEST_PATH, "*not supported by the connection driver: virNodeGetMemoryParameters",
              "NodeGetMemoryParameters", "u", 0);
        FAILS(TEST_PATH, "*not supported by the connection driver: virNodeSetMemoryParameters",
              "NodeSetMemoryParameters", "a{sv}u", 0, 0);
        FAILS(TEST_PATH, "*not supported by the connection driver: virNodeAllocPages", "NodeAllocPages",
              "auatiuu", 1, 2048, 1, (uint64_t)1, 0, 1, 0);
        FAILS(TEST_PATH, "*not supported by the connection driver: virConnectCompareCPU", "CompareCPU", "su",
              "<cpu/>", 0);
}
END_TEST

/* ---- this machine ---- */

START_TEST(this_host)
{
        g_autoptr(sd_bus_message) names = ASK(QEMU_PATH, "GetCPUModelNames", "su", "x86_64", 0);
        g_autoptr(sd_bus_message) model = ASK(QEMU_PATH, "NodeGetSecurityModel", "");
        g_autoptr(sd_bus_message) cells = ASK(QEMU_PATH, "NodeGetCellsFreeMemory", "ii", 0, 1024);
        g_auto(GStrv) list = NULL;
        const char *name, *doi;
        const uint64_t *bytes;
        size_t size;

        ck_assert_int_ge(sd_bus_message_read_strv(names, &list), 0);
        ck_assert(g_strv_contains((const char *const *)list, "EPYC-Rome"));
        /* A session's guests run by the account of the agent. */
        ck_assert_int_gt(sd_bus_message_read(model, "(ss)", &name, &doi), 0);
        ck_assert_str_eq(name, "");
        ck_assert_int_ge(sd_bus_message_read_array(cells, 't', (const void **)&bytes, &size), 0);
        ck_assert_uint_ge(size, sizeof(*bytes));
        ck_assert_uint_gt(bytes[0], 0);
}
END_TEST

/* What GetCapabilities says of the host's CPU is the host's CPU. */
START_TEST(own_cpu)
{
        g_autofree char *capabilities =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetCapabilities", "");
        char *cpu = strstr(capabilities, "<cpu>"), *end = cpu ? strstr(cpu, "</cpu>") : NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        int result;

        ck_assert(cpu && end);
        end[strlen("</cpu>")] = '\0';
        if (!strstr(cpu, "<model>")) {
                harness_skip("the CPU of this host is not described");
                return;
        }
        reply = ASK(QEMU_PATH, "CompareCPU", "su", cpu, 1);
        ck_assert_int_gt(sd_bus_message_read(reply, "i", &result), 0);
        ck_assert_int_eq(result, 1);
}
END_TEST

START_TEST(firmware)
{
        g_autofree char *failure = client_try(client, QEMU_PATH, CONNECT_INTERFACE, "GetSysinfo", "u", 0);

        if (access("/sys/firmware/dmi/tables/DMI", R_OK) == 0 ||
            access("/sys/class/dmi/id/sys_vendor", R_OK) == 0)
                ck_assert_ptr_null(failure);
        else
                ck_assert_ptr_nonnull(strstr(failure, "Host SMBIOS information is not available"));
}
END_TEST

/* Nothing is added, and as much as there is is set. */
START_TEST(pages)
{
        g_autoptr(sd_bus_message) added = NULL;
        int pools;

        if (access("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", W_OK) != 0) {
                harness_skip("this host has no pages of 2 MiB, or not for us");
                return;
        }
        added = ASK(QEMU_PATH, "NodeAllocPages", "auatiuu", 1, 2048, 1, (uint64_t)0, 0, 1, 0);
        ck_assert_int_gt(sd_bus_message_read(added, "i", &pools), 0);
        ck_assert_int_eq(pools, 1);
        FAILS(QEMU_PATH, "Operation not supported: pages of 4 KiB are the system's own*", "NodeAllocPages",
              "auatiuu", 1, 4, 1, (uint64_t)1, 0, 1, 0);
        FAILS(QEMU_PATH, "invalid argument: 1 page sizes and 2 counts", "NodeAllocPages", "auatiuu", 1, 2048,
              2, (uint64_t)1, (uint64_t)1, 0, 1, 0);
        FAILS(QEMU_PATH, "operation failed: page size 5 KiB is not available on node 0", "NodeGetFreePages",
              "auiuu", 1, 5, 0, 1, 0);
        FAILS(QEMU_PATH, "invalid argument: 0 page sizes*", "NodeGetFreePages", "auiuu", 0, 0, 1, 0);
}
END_TEST

/* They stand in two variants; what was read is set again. */
START_TEST(parameters)
{
        g_autoptr(sd_bus_message) reply = ASK(QEMU_PATH, "NodeGetMemoryParameters", "u", 0);
        const char *name;
        unsigned value;

        if (access("/sys/kernel/mm/ksm/pages_to_scan", W_OK) != 0) {
                harness_skip("the kernel of this host merges no pages, or does not ask us");
                return;
        }
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "sv"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
        ck_assert_str_eq(name, "shm_pages_to_scan");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "u", &value), 0);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "NodeSetMemoryParameters", "a{sv}u", 1,
                  "shm_pages_to_scan", "u", value, 0);
        FAILS(QEMU_PATH, "invalid argument: *shm_pages_shared*", "NodeSetMemoryParameters", "a{sv}u", 1,
              "shm_pages_shared", "t", (uint64_t)1, 0);
        FAILS(QEMU_PATH, "argument unsupported: *'nix'*", "NodeSetMemoryParameters", "a{sv}u", 1, "nix", "u",
              1, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("host");
        TCase *tcase = tcase_create("host");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_connection);
        tcase_add_test(tcase, this_host);
        tcase_add_test(tcase, own_cpu);
        tcase_add_test(tcase, firmware);
        tcase_add_test(tcase, pages);
        tcase_add_test(tcase, parameters);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
