/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a domain of the Test connection gets of its host: how many CPUs, which of the host's, how much of
 * what; with the numbers of test:///default where it has them.
 */

#include <stdio.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

enum {
        LIVE = 1,
        CONFIG = 2,
        MAXIMUM = 4,
};

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

#define DO(member, ...) client_do(client, DOMAIN, DOMAIN_INTERFACE, member, __VA_ARGS__)
#define FAILS(text, member, ...)                                                                             \
        client_fails(client, LIBVIRT_ERROR, text, DOMAIN, DOMAIN_INTERFACE, member, __VA_ARGS__)

static void expect_vcpus(unsigned flags, unsigned count)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetVcpus", "u", flags);
        uint32_t vcpus = 0;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &vcpus), 0);
        ck_assert_uint_eq(vcpus, count);
}

static void expect_xml(unsigned flags, const char *piece, bool there)
{
        g_autofree char *xml = client_call_string(client, DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        ck_assert_msg((strstr(xml, piece) != NULL) == there, "%s in %s", piece, xml);
}

START_TEST(test_vcpus)
{
        expect_vcpus(LIVE, 2);
        DO("SetVcpus", "uu", 4, CONFIG | MAXIMUM);
        DO("SetVcpus", "uu", 3, CONFIG);
        expect_vcpus(CONFIG | MAXIMUM, 4);
        expect_vcpus(LIVE | MAXIMUM, 2);
        expect_vcpus(CONFIG, 3);
        FAILS("invalid argument: 3 vCPUs are more than the maximum of domain 'test', 2", "SetVcpus", "uu", 3,
              LIVE);
        FAILS("invalid argument: 33 vCPUs are more than the 32 that the machine of domain 'test' can have",
              "SetVcpus", "uu", 33, CONFIG | MAXIMUM);
        FAILS("Requested operation is not valid: the maximum number of vCPUs of domain 'test' is fixed while "
              "it runs",
              "SetVcpus", "uu", 1, LIVE | CONFIG | MAXIMUM);
        FAILS("invalid argument: the maximum number of vCPUs is a definition's (flag CONFIG)", "SetVcpus",
              "uu", 1, LIVE | MAXIMUM);
        FAILS("invalid argument: a domain cannot be without vCPUs", "SetVcpus", "uu", 0, CONFIG);
        FAILS("invalid argument: unsupported flags (0x20) in function SetVcpus", "SetVcpus", "uu", 1, 32);
        DO("Destroy", "u", 0);
        DO("Create", "u", 0);
        expect_vcpus(LIVE, 3);
        DO("SetVcpus", "uu", 4, LIVE);
        expect_vcpus(LIVE, 4);
        /* As in test:///default, below what was there at the start. */
        DO("SetVcpus", "uu", 1, LIVE);
        expect_vcpus(LIVE, 1);
        DO("SetVcpus", "uu", 2, LIVE);
        expect_vcpus(LIVE, 2);
        expect_vcpus(CONFIG, 3);
}
END_TEST

/* Of libvirt's test host, which has eight CPUs. */
static char *read_map(sd_bus_message *message)
{
        GString *map = g_string_new(NULL);
        int is_in;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "b"), 0);
        while (sd_bus_message_read(message, "b", &is_in) > 0)
                g_string_append_c(map, is_in ? 'y' : '-');
        ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        return g_string_free(map, FALSE);
}

static void expect_pins(unsigned flags, const char *first, const char *second)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetVcpuPinInfo", "u", flags);
        g_autofree char *one = NULL, *two = NULL;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "ab"), 0);
        one = read_map(reply);
        two = read_map(reply);
        ck_assert_str_eq(one, first);
        ck_assert_str_eq(two, second);
        ck_assert(sd_bus_message_at_end(reply, false));
}

static bool is_tuned(sd_bus_message *message, const void *expected)
{
        const char *name, *text;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'e', "sv"), 0);
        ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "s"), 0);
        ck_assert_int_gt(sd_bus_message_read(message, "s", &text), 0);
        ck_assert_str_eq(name, ((const char *const *)expected)[0]);
        ck_assert_str_eq(text, ((const char *const *)expected)[1]);
        return true;
}

static void wait_tuned(const char *name, const char *text)
{
        const char *const expected[] = { name, text };

        sd_bus_message_unref(
                client_wait_signal(client, DOMAIN, DOMAIN_INTERFACE, "Tunable", is_tuned, expected));
}

START_TEST(test_pins)
{
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *emulator = NULL;

        expect_pins(0, "yyyyyyyy", "yyyyyyyy");
        client_follow(client);
        DO("PinVcpu", "uabu", 1, 3, true, false, true, LIVE | CONFIG);
        wait_tuned("cputune.vcpupin1", "0,2");
        expect_pins(LIVE, "yyyyyyyy", "y-y-----");
        expect_pins(CONFIG, "yyyyyyyy", "y-y-----");
        expect_xml(0, "<vcpupin vcpu='1' cpuset='0,2'/>", true);
        DO("PinEmulator", "abu", 2, false, true, 0);
        wait_tuned("cputune.emulatorpin", "1");
        reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetEmulatorPinInfo", "u", 0);
        emulator = read_map(reply);
        ck_assert_str_eq(emulator, "-y------");
        expect_xml(2, "emulatorpin", false);
        FAILS("invalid argument: PinVcpu to no CPU at all", "PinVcpu", "uabu", 0, 1, false, 0);
        FAILS("invalid argument: a map of 9 CPUs is longer than the host has, 8", "PinVcpu", "uabu", 0, 9,
              true, false, false, false, false, false, false, false, false, 0);
        FAILS("invalid argument: vCPU 2 is not one of the 2 that domain 'test' can have", "PinVcpu", "uabu",
              2, 1, true, 0);
}
END_TEST

START_TEST(test_iothreads)
{
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *cpus = NULL;
        uint32_t id = 0;

        DO("AddIOThread", "uu", 3, LIVE | CONFIG);
        DO("PinIOThread", "uabu", 3, 2, false, true, LIVE);
        reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, "GetIOThreadInfo", "u", LIVE);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(uab)"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "uab"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "u", &id), 0);
        ck_assert_uint_eq(id, 3);
        cpus = read_map(reply);
        ck_assert_str_eq(cpus, "-y------");
        FAILS("invalid argument: domain 'test' has I/O thread 3 already", "AddIOThread", "uu", 3, CONFIG);
        FAILS("invalid argument: 0 is not the number of an I/O thread", "AddIOThread", "uu", 0, CONFIG);
        DO("DelIOThread", "uu", 3, LIVE | CONFIG);
        expect_xml(2, "iothread", false);
        expect_xml(0, "iothread", false);
}
END_TEST

/* ---- typed parameters ---- */

/* The entries of a dictionary, "name=value name=value". */
static char *read_params(sd_bus_message *message)
{
        GString *line = g_string_new(NULL);
        const char *name, *inside;

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                union {
                        uint64_t t;
                        uint32_t u;
                        const char *s;
                } value = { 0 };

                ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "v"), 0);
                ck_assert_int_gt(sd_bus_message_peek_type(message, NULL, &inside), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', inside), 0);
                ck_assert_int_gt(sd_bus_message_read_basic(message, *inside, &value), 0);
                g_string_append_printf(line, "%s%s=", line->len ? " " : "", name);
                if (*inside == 's')
                        g_string_append(line, value.s);
                else if (*inside == 't' || *inside == 'x')
                        g_string_append_printf(line, "%" G_GINT64_FORMAT, (int64_t)value.t);
                else
                        g_string_append_printf(line, "%d", (int)value.u);
                sd_bus_message_exit_container(message);
                sd_bus_message_exit_container(message);
                sd_bus_message_exit_container(message);
        }
        ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        return g_string_free(line, FALSE);
}

static void expect_params(const char *member, unsigned flags, const char *expected)
{
        g_autoptr(sd_bus_message) reply = client_call(client, DOMAIN, DOMAIN_INTERFACE, member, "u", flags);
        g_autofree char *told = read_params(reply);

        ck_assert_str_eq(told, expected);
}

#define UNLIMITED "9007199254740991"

/* As test:///default says it. */
START_TEST(test_what_is_told)
{
        g_autoptr(sd_bus_message) reply = NULL;
        const char *name;
        int count;

        expect_params("GetSchedulerParameters", 0, "weight=50");
        reply = client_call(client, DOMAIN, "org.freedesktop.DBus.Properties", "Get", "ss", DOMAIN_INTERFACE,
                            "SchedulerType");
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "(si)", &name, &count), 0);
        ck_assert_str_eq(name, "fair");
        ck_assert_int_eq(count, 1);
        expect_params("GetMemoryParameters", LIVE,
                      "hard_limit=" UNLIMITED " soft_limit=" UNLIMITED " swap_hard_limit=" UNLIMITED);
        expect_params("GetNumaParameters", CONFIG, "numa_mode=0 numa_nodeset=");
        expect_params("GetBlockIOParameters", 0,
                      "weight=0 device_weight= device_read_iops_sec= device_write_iops_sec= "
                      "device_read_bytes_sec= device_write_bytes_sec=");
}
END_TEST

START_TEST(test_parameters)
{
        DO("SetSchedulerParameters", "a{sv}u", 1, "weight", "u", 7, LIVE);
        expect_params("GetSchedulerParameters", LIVE, "weight=7");
        expect_params("GetSchedulerParameters", CONFIG, "weight=50");
        DO("SetMemoryParameters", "a{sv}u", 2, "hard_limit", "t", (uint64_t)500, "swap_hard_limit", "t",
           (uint64_t)600, LIVE | CONFIG);
        expect_params("GetMemoryParameters", 0,
                      "hard_limit=500 soft_limit=" UNLIMITED " swap_hard_limit=600");
        expect_xml(2, "<hard_limit unit='KiB'>500</hard_limit>", true);
        DO("SetNumaParameters", "a{sv}u", 2, "numa_mode", "i", 2, "numa_nodeset", "s", "0-1", CONFIG);
        expect_params("GetNumaParameters", CONFIG, "numa_mode=2 numa_nodeset=0-1");
        DO("SetBlockIOParameters", "a{sv}u", 2, "weight", "u", 500, "device_weight", "s", "/dev/sda,500",
           LIVE);
        expect_params("GetBlockIOParameters", LIVE,
                      "weight=500 device_weight=/dev/sda,500 device_read_iops_sec= device_write_iops_sec= "
                      "device_read_bytes_sec= device_write_bytes_sec=");
}
END_TEST

static void expect_device_params(const char *member, const char *device, unsigned flags, const char *expected)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DOMAIN, DOMAIN_INTERFACE, member, "su", device, flags);
        g_autofree char *told = read_params(reply);

        ck_assert_msg(g_str_has_prefix(told, expected), "%s", told);
}

#define OTHERS                                                                                               \
        " mbmt=0 mbml=0 cpu_cycles=0 instructions=0 cache_references=0 cache_misses=0 "                      \
        "branch_instructions=0 branch_misses=0 bus_cycles=0 stalled_cycles_frontend=0 "                      \
        "stalled_cycles_backend=0 ref_cpu_cycles=0 cpu_clock=0 task_clock=0 page_faults=0 "                  \
        "context_switches=0 cpu_migrations=0 page_faults_min=0 page_faults_maj=0 alignment_faults=0 "        \
        "emulation_faults=0"

START_TEST(test_perf)
{
        expect_params("GetPerfEvents", 0, "cmt=0" OTHERS);
        DO("SetPerfEvents", "a{sv}u", 1, "cmt", "b", 1, LIVE | CONFIG);
        expect_params("GetPerfEvents", LIVE, "cmt=1" OTHERS);
        expect_xml(2, "<event name='cmt' enabled='yes'/>", true);
        DO("SetPerfEvents", "a{sv}u", 1, "cmt", "b", 0, CONFIG);
        expect_params("GetPerfEvents", CONFIG, "cmt=0" OTHERS);
        expect_xml(2, "perf", false);
        FAILS("argument unsupported: parameter 'cycles' is not supported in function SetPerfEvents",
              "SetPerfEvents", "a{sv}u", 1, "cycles", "b", 1, 0);
        FAILS("invalid argument: parameter 'cmt' is of type int, expected boolean in function SetPerfEvents",
              "SetPerfEvents", "a{sv}u", 1, "cmt", "i", 1, 0);
}
END_TEST

START_TEST(test_devices)
{
        expect_device_params("GetBlockIOTune", "vda", 0, "total_bytes_sec=0 read_bytes_sec=0 ");
        expect_device_params("GetInterfaceParameters", "testnet0", 0,
                             "inbound.average=0 inbound.peak=0 inbound.burst=0 inbound.floor=0 "
                             "outbound.average=0 outbound.peak=0 outbound.burst=0");
        client_follow(client);
        DO("SetBlockIOTune", "sa{sv}u", "vda", 1, "total_bytes_sec", "t", (uint64_t)4096, LIVE);
        wait_tuned("blkdeviotune.disk", "vda");
        expect_device_params("GetBlockIOTune", "/guest/diskimage1", LIVE, "total_bytes_sec=4096 ");
        expect_device_params("GetBlockIOTune", "vda", CONFIG, "total_bytes_sec=0 ");
        DO("SetInterfaceParameters", "sa{sv}u", "aa:bb:cc:dd:ee:ff", 1, "inbound.average", "u", 100,
           LIVE | CONFIG);
        expect_device_params("GetInterfaceParameters", "testnet0", CONFIG, "inbound.average=100 ");
        expect_xml(2, "<inbound average='100'/>", true);
        FAILS("invalid argument: domain 'test' has no disk 'vdz'", "GetBlockIOTune", "su", "vdz", 0);
        FAILS("invalid argument: domain 'test' has no interface 'x'", "GetInterfaceParameters", "su", "x", 0);
        FAILS("invalid argument: parameter 'total_bytes_sec' is 18446744073709551615, not from 0 to "
              "1000000000000000 in function SetBlockIOTune",
              "SetBlockIOTune", "sa{sv}u", "vda", 1, "total_bytes_sec", "t", UINT64_MAX, 0);
}
END_TEST

START_TEST(test_bad_parameters)
{
        FAILS("argument unsupported: parameter 'nonsense' is not supported in function SetMemoryParameters",
              "SetMemoryParameters", "a{sv}u", 1, "nonsense", "t", (uint64_t)1, 0);
        FAILS("invalid argument: parameter 'hard_limit' is of type int, expected ullong in function "
              "SetMemoryParameters",
              "SetMemoryParameters", "a{sv}u", 1, "hard_limit", "i", 1, 0);
        FAILS("invalid argument: parameter 'hard_limit' is of type double, expected ullong in function "
              "SetMemoryParameters",
              "SetMemoryParameters", "a{sv}u", 1, "hard_limit", "d", 0.0 / 0.0, 0);
        FAILS("invalid argument: parameter 'hard_limit' is given twice in function SetMemoryParameters",
              "SetMemoryParameters", "a{sv}u", 2, "hard_limit", "t", (uint64_t)1, "hard_limit", "t",
              (uint64_t)2, 0);
        FAILS("invalid argument: no parameters for SetMemoryParameters", "SetMemoryParameters", "a{sv}u", 0,
              0);
        FAILS("invalid argument: parameter 'weight' is 4294967295, not from 0 to 10000 in function "
              "SetBlockIOParameters",
              "SetBlockIOParameters", "a{sv}u", 1, "weight", "u", UINT32_MAX, 0);
        expect_xml(0, "memtune", false);
        expect_xml(0, "blkiotune", false);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tune");
        TCase *tcase = tcase_create("tune");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_vcpus);
        tcase_add_test(tcase, test_pins);
        tcase_add_test(tcase, test_iothreads);
        tcase_add_test(tcase, test_what_is_told);
        tcase_add_test(tcase, test_parameters);
        tcase_add_test(tcase, test_perf);
        tcase_add_test(tcase, test_devices);
        tcase_add_test(tcase, test_bad_parameters);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
