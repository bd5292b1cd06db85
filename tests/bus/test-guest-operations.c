/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is asked of guests, on the test connection: the answers are those of test:///default.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

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

static unsigned count(const char *member, const char *mountpoint)
{
        g_autoptr(sd_bus_message) reply =
                mountpoint ? client_call(client, DOMAIN, DOMAIN_INTERFACE, member, "asu", 1, mountpoint, 0)
                           : client_call(client, DOMAIN, DOMAIN_INTERFACE, member, "asu", 0, 0);
        unsigned number;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &number), 0);
        return number;
}

START_TEST(test_file_systems)
{
        ck_assert_uint_eq(count("FSFreeze", "/boot"), 1);
        ck_assert_uint_eq(count("FSFreeze", NULL), 1);
        ck_assert_uint_eq(count("FSFreeze", NULL), 0);
        ck_assert_uint_eq(count("FSThaw", "/boot"), 1);
        ck_assert_uint_eq(count("FSThaw", NULL), 1);
        client_fails(client, LIBVIRT_ERROR, "*mount point not found: /nope", DOMAIN, DOMAIN_INTERFACE,
                     "FSFreeze", "asu", 1, "/nope", 0);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "FSTrim", "stu", "", (uint64_t)0, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*FSFreeze*", DOMAIN, DOMAIN_INTERFACE,
                     "FSFreeze", "asu", 0, 1);
        /* What was frozen is not when the guest has been started again. */
        ck_assert_uint_eq(count("FSFreeze", NULL), 2);
        guest_do_flags(client, DOMAIN, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "*not running*", DOMAIN, DOMAIN_INTERFACE, "FSThaw", "asu", 0, 0);
        guest_do_flags(client, DOMAIN, "Create", 0);
        ck_assert_uint_eq(count("FSThaw", NULL), 0);
}
END_TEST

START_TEST(test_file_system_info)
{
        g_autoptr(sd_bus_message) reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetFSInfo", "u", 0);
        const char *mountpoint, *name, *type, *target;

        ck_assert_int_gt(sd_bus_message_read(reply, "a(sssas)", 2, &mountpoint, &name, &type, 1, &target,
                                             NULL, NULL, NULL, 1, NULL),
                         0);
        ck_assert_str_eq(mountpoint, "/");
        ck_assert_str_eq(name, "vda1");
        ck_assert_str_eq(type, "ext4");
        ck_assert_str_eq(target, "vda");
}
END_TEST

START_TEST(test_name_and_time)
{
        g_autofree char *name = client_call_string(client, DOMAIN, DOMAIN_INTERFACE, "GetHostname", "u", 0);
        g_autoptr(sd_bus_message) reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetTime", "u", 0);
        uint64_t seconds;
        unsigned nanoseconds;

        ck_assert_str_eq(name, "testhost");
        ck_assert_int_gt(sd_bus_message_read(reply, "(tu)", &seconds, &nanoseconds), 0);
        ck_assert_uint_eq(seconds, 627319920);
        ck_assert_uint_eq(nanoseconds, 0);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SetTime", "tuu", (uint64_t)5, 3, 0);
        sd_bus_message_unref(reply);
        reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetTime", "u", 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "(tu)", &seconds, &nanoseconds), 0);
        ck_assert_uint_eq(seconds, 5);
        ck_assert_uint_eq(nanoseconds, 3);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SetUserPassword", "ssu", "root", "x", 1);
        client_fails(client, LIBVIRT_ERROR, "*LEASE and AGENT*", DOMAIN, DOMAIN_INTERFACE, "GetHostname", "u",
                     3);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "GetGuestInfo", "uu", 0, 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "AuthorizedSSHKeysGet", "su", "root", 0);
}
END_TEST

/* From leases (0), the agent (1) and neighbours (2): the same, as with libvirt. */
START_TEST(test_addresses)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, DOMAIN_INTERFACE, "InterfaceAddresses", "uu", _i, 0);
        const char *name, *mac, *address;
        unsigned prefix;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ssa(isu))"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "(ssa(isu))", &name, &mac, 1, &type, &address, &prefix),
                         0);
        ck_assert_str_eq(name, "testnet0");
        ck_assert_str_eq(mac, "aa:bb:cc:dd:ee:ff");
        ck_assert_str_eq(address, "192.168.122.3");
        ck_assert_uint_eq(prefix, 24);
}
END_TEST

START_TEST(test_front)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, DOMAIN_INTERFACE, "Screenshot", "uu", 0, 0);
        const char *mime;
        char head[16] = "";
        int fd;

        ck_assert_int_gt(sd_bus_message_read(reply, "sh", &mime, &fd), 0);
        ck_assert_str_eq(mime, "image/x-portable-graymap");
        ck_assert_int_eq(pread(fd, head, 11, 0), 11);
        ck_assert_str_eq(head, "P5\n1120 832");
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SendKey", "uuauu", 0, 0, 1, 30, 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: codeset 0 has no key 999", DOMAIN,
                     DOMAIN_INTERFACE, "SendKey", "uuauu", 0, 0, 2, 30, 999, 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: unknown codeset 10", DOMAIN, DOMAIN_INTERFACE,
                     "SendKey", "uuauu", 10, 0, 1, 30, 0);
        guest_do_flags(client, DOMAIN, "InjectNMI", 0);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SendProcessSignal", "xuu", (int64_t)1, 9, 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: only sending a signal to pid 1*", DOMAIN,
                     DOMAIN_INTERFACE, "SendProcessSignal", "xuu", (int64_t)2, 9, 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: signal 65*", DOMAIN, DOMAIN_INTERFACE,
                     "SendProcessSignal", "xuu", (int64_t)1, 65, 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "PMWakeup", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "PMSuspendForDuration", "utu", 0, UINT64_C(0), 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "OpenConsole", "su", "", 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "BlockResize", "stu", "vda", UINT64_C(1), 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "SetBlockThreshold", "stu", "vda", UINT64_C(1), 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", DOMAIN, DOMAIN_INTERFACE,
                     "BlockPeek", "sttu", "vda", UINT64_C(0), UINT64_C(1), 0);
}
END_TEST

START_TEST(test_memory)
{
        static const uint8_t wanted[] = { 254, 255, 0, 1 };
        g_autoptr(sd_bus_message) reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "MemoryPeek", "ttu",
                                                      UINT64_C(510), UINT64_C(4), 2);
        const void *bytes;
        size_t size;

        ck_assert_int_gt(sd_bus_message_read_array(reply, 'y', &bytes, &size), 0);
        ck_assert_uint_eq(size, sizeof(wanted));
        ck_assert_mem_eq(bytes, wanted, size);
}
END_TEST

START_TEST(test_lifecycle_actions)
{
        g_autofree char *xml = NULL;

        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 0, 3, 0);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 2, 4, 1);
        xml = client_call_string(client, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<on_poweroff>preserve</on_poweroff>"));
        ck_assert_ptr_nonnull(strstr(xml, "<on_crash>coredump-destroy</on_crash>"));
        g_free(xml);
        xml = client_call_string(client, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_nonnull(strstr(xml, "<on_poweroff>destroy</on_poweroff>"));
        client_fails(client, LIBVIRT_ERROR,
                     "unsupported configuration: *'reboot' has no action 'coredump-destroy'", DOMAIN,
                     DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 1, 4, 0);
        client_fails(client, LIBVIRT_ERROR, "*unknown lifecycle event 3*", DOMAIN, DOMAIN_INTERFACE,
                     "SetLifecycleAction", "uuu", 3, 0, 0);
        client_fails(client, LIBVIRT_ERROR, "*unknown lifecycle action 6*", DOMAIN, DOMAIN_INTERFACE,
                     "SetLifecycleAction", "uuu", 0, 6, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x4)*", DOMAIN, DOMAIN_INTERFACE,
                     "SetLifecycleAction", "uuu", 0, 0, 4);
}
END_TEST

/* Files make no difference to guests that are in memory, and are refused where they could be meant. */
START_TEST(test_files)
{
        g_autofree char *xml = guest_test_xml("files", NULL), *bare = guest_bare_xml("files", NULL);

        guest_do_flags(client, DOMAIN, "Destroy", 0);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "CreateWithFiles", "ahu", 1, 0, 0);
        guest_expect_state(client, DOMAIN, STATE_RUNNING, -1);
        g_free(client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXMLWithFiles", "sahu",
                                  xml, 2, 0, 1, 0));
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*files*", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainCreateXMLWithFiles", "sahu", bare, 1, 0, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest-operations");
        TCase *tcase = tcase_create("guest-operations");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_file_systems);
        tcase_add_test(tcase, test_file_system_info);
        tcase_add_test(tcase, test_name_and_time);
        tcase_add_loop_test(tcase, test_addresses, 0, 3);
        tcase_add_test(tcase, test_front);
        tcase_add_test(tcase, test_memory);
        tcase_add_test(tcase, test_lifecycle_actions);
        tcase_add_test(tcase, test_files);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
