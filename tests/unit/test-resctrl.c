/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/host/resctrl: what is given out, and how that is computed, in a tree as the kernel's documentation
 * (Documentation/arch/x86/resctrl.rst) has it: there is no emulator of such processors.
 */
#include "drivers/host/resctrl.h"

#include "base/error.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "tests/unit/host-root.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define FS "/sys/fs/resctrl"

/* Two sockets with 16 MiB of cache in 16 parts each, the lowest two of which devices use as well. */
static void setup(void)
{
        make_root();
        put("0-3\n", "/sys/devices/system/cpu/online");
        put("0-3\n", "/sys/devices/system/cpu/present");
        for (unsigned i = 0; i < 4; i++) {
                put("3\n", "/sys/devices/system/cpu/cpu%u/cache/index3/level", i);
                put(i / 2 ? "1\n" : "0\n", "/sys/devices/system/cpu/cpu%u/cache/index3/id", i);
                put("Unified\n", "/sys/devices/system/cpu/cpu%u/cache/index3/type", i);
                put("16384K\n", "/sys/devices/system/cpu/cpu%u/cache/index3/size", i);
                put(i / 2 ? "2-3\n" : "0-1\n", "/sys/devices/system/cpu/cpu%u/cache/index3/shared_cpu_list",
                    i);
        }
        put("ffff\n", FS "/info/L3/cbm_mask");
        put("2\n", FS "/info/L3/min_cbm_bits");
        put("8\n", FS "/info/L3/num_closids");
        put("3\n", FS "/info/L3/shareable_bits");
        put("10\n", FS "/info/MB/bandwidth_gran");
        put("20\n", FS "/info/MB/min_bandwidth");
        put("1\n", FS "/info/MB/delay_linear");
        put("8\n", FS "/info/MB/num_closids");
        put("176\n", FS "/info/L3_MON/num_rmids");
        put("270336\n", FS "/info/L3_MON/max_threshold_occupancy");
        put("llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n", FS "/info/L3_MON/mon_features");
        put("ok\n", FS "/info/last_cmd_status");
        put("    MB:0=100;1=100\n    L3:0=000f;1=000f\n", FS "/schemata");
}

static void teardown(void)
{
        remove_root();
}

/* ---- text ---- */

START_TEST(text_of_the_kernel_is_read_and_written)
{
        g_autoptr(GArray) entries =
                resctrl_parse("    L2:uninitialized\n  SMBA:0=2048\n L3CODE:0=fffff;1=00fff\n L3DATA: 0=1 ; "
                              "1=ffffffffffffffff\n"
                              "\n    MB:0= 100;10=50\n",
                              "/", NULL);
        g_autofree char *text = NULL;

        ck_assert_ptr_nonnull(entries);
        text = resctrl_format(entries);
        ck_assert_str_eq(text, "L3CODE:0=fffff;1=fff\nL3DATA:0=1;1=ffffffffffffffff\nMB:0=100;10=50");
        ck_assert_uint_eq(resctrl_find_entry(entries, "MB", 10)->value, 50);
        ck_assert_ptr_null(resctrl_find_entry(entries, "MB", 1));
        ck_assert_ptr_null(resctrl_find_entry(entries, "L3", 0));
}
END_TEST

START_TEST(hostile_text_is_refused)
{
        static const char *const texts[] = {
                "L3",
                "L3:",
                "L3:0",
                "L3:0=",
                "L3:0=;",
                "L3:0=f;",
                "L3:=f",
                "L3:-1=f",
                "L3:0=-1",
                "L3:0=0xf",
                "L3:0=g",
                "L3:0=f;0=f",
                "L3:0=f\nL3:0=f",
                "L3:0=fffffffffffffffff",
                "L3:4294967296=f",
                "MB:0=f",
                "MB:0=+5",
                "MB:0=100;1=50=3",
                "L3:0=f:1=f",
        };
        GString *many = g_string_new("MB:");
        g_autofree char *huge = g_strnfill(RESCTRL_TEXT_MAX + 1, '\n');
        GError *error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
                ck_assert_msg(!resctrl_parse(texts[i], "web", &error), "%s", texts[i]);
                ck_assert(error_is(error, ERROR_INTERNAL_ERROR));
                ck_assert_msg(fnmatch("*of group 'web'*", error->message, 0) == 0, "%s", error->message);
                g_clear_error(&error);
        }
        for (unsigned i = 0; i <= RESCTRL_ENTRIES_MAX; i++)
                g_string_append_printf(many, "%s%u=9", i ? ";" : "", i);
        ck_assert_ptr_null(resctrl_parse(many->str, "web", NULL));
        ck_assert_ptr_null(resctrl_parse(huge, "web", NULL));
        g_string_free(many, TRUE);
}
END_TEST

START_TEST(the_smallest_room_is_taken)
{
        static const struct {
                uint64_t free;
                unsigned count;
                uint64_t mask; /* 0: there is none */
        } cases[] = {
                { 0xfff0, 4, 0x00f0 },
                { 0xff0f, 4, 0x000f },
                { 0xff0f, 5, 0x1f00 },
                { 0xff07, 2, 0x0003 },
                { 0xfff0, 13, 0 },
                { 0x5555, 2, 0 },
                { 0, 1, 0 },
                { 0xffff, 0, 0 },
                { UINT64_MAX, 64, UINT64_MAX },
                { UINT64_C(1) << 63, 1, UINT64_C(1) << 63 },
                { UINT64_MAX, 65, 0 },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                uint64_t mask = 0;

                ck_assert(resctrl_choose_bits(cases[i].free, cases[i].count, &mask) == (cases[i].mask != 0));
                ck_assert_uint_eq(mask, cases[i].mask);
        }
}
END_TEST

/* ---- who gets what ---- */

#define CACHE(level, id, type, mib)                                                                          \
        {                                                                                                    \
                level, id, type, (mib)*1024 * UINT64_C(1024), 0                                              \
        }
#define MEMORY(id, percent)                                                                                  \
        {                                                                                                    \
                0, id, NULL, percent, 0                                                                      \
        }

static char *find_room(struct resctrl_request *requests, unsigned n, GError **error)
{
        g_autoptr(GArray) entries = resctrl_find_room(root, requests, n, error);

        return entries ? resctrl_format(entries) : NULL;
}

static void expect_room(struct resctrl_request *requests, unsigned n, const char *expected)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = find_room(requests, n, &error);

        ck_assert_msg(text != NULL, "%s", error ? error->message : "");
        ck_assert_str_eq(text, expected);
}

static void expect_none(struct resctrl_request *requests, unsigned n, const char *pattern)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = find_room(requests, n, &error);

        ck_assert_ptr_null(text);
        ck_assert_msg(fnmatch(pattern, error->message, 0) == 0, "%s", error->message);
}

/* What is not asked for is as in the default group; id 1's cache is what the default group has. */
START_TEST(a_group_gets_what_nobody_has)
{
        struct resctrl_request requests[] = { CACHE(3, 0, "both", 4), MEMORY(1, 30) };

        expect_room(requests, 2, "MB:0=100;1=30\nL3:0=f0;1=f");
        put("MB:0=100;1=100\nL3:0=0ff0;1=ffff\n", FS "/other/schemata");
        expect_room(requests, 2, "MB:0=100;1=30\nL3:0=f000;1=f");
        put("MB:0=100;1=100\nL3:0=1000;1=ffff\n", FS "/third/schemata");
        expect_none(requests, 2,
                    "unsupported configuration: there is no room for 4194304 bytes (4 bits in a row) of the "
                    "cache of level 3, id 0, type 'both': of its 16 bits, the default group of resctrl and "
                    "others leave e000 (*");
        requests[0].amount = 3 * 1024 * 1024;
        expect_room(requests, 2, "MB:0=100;1=30\nL3:0=e000;1=f");
}
END_TEST

/* Monitors, and the files about all groups, are none. */
START_TEST(what_is_no_group_takes_nothing)
{
        struct resctrl_request requests[] = { CACHE(3, 0, "both", 12) };

        put("L3:0=ffff;1=ffff\n", FS "/info/schemata");
        put("L3:0=ffff;1=ffff\n", FS "/mon_groups/schemata");
        put("L3:0=ffff;1=ffff\n", FS "/mon_data/schemata");
        put("1\n", FS "/empty/tasks");
        expect_room(requests, 1, "MB:0=100;1=100\nL3:0=fff0;1=f");
}
END_TEST

START_TEST(bits_of_devices_come_last)
{
        struct resctrl_request requests[] = { CACHE(3, 0, "both", 2) };

        put("MB:0=100;1=100\nL3:0=00f0;1=f\n", FS "/schemata");
        expect_room(requests, 1, "MB:0=100;1=100\nL3:0=c;1=f");
        put("MB:0=100;1=100\nL3:0=fff8;1=f\n", FS "/other/schemata");
        expect_room(requests, 1, "MB:0=100;1=100\nL3:0=3;1=f");
}
END_TEST

START_TEST(sizes_are_as_the_host_has_them)
{
        struct resctrl_request odd[] = { CACHE(3, 0, "both", 4) }, small[] = { CACHE(3, 0, "both", 1) },
                               none[] = { CACHE(3, 0, "both", 0) }, huge[] = { CACHE(3, 0, "both", 0) },
                               code[] = { CACHE(3, 0, "code", 4) }, level[] = { CACHE(2, 0, "both", 4) },
                               id[] = { CACHE(3, 7, "both", 4) }, node[] = { MEMORY(7, 30) },
                               part[] = { MEMORY(0, 35) }, little[] = { MEMORY(0, 10) };

        odd[0].amount++;
        huge[0].amount = UINT64_MAX - 0xfffff;
        expect_none(odd, 1,
                    "unsupported configuration: a <cachetune> asks for 4194305 bytes of the cache of "
                    "level 3, id 0, which is given out in multiples of 1048576 bytes");
        expect_none(small, 1, "*asks for 1048576 bytes * of which at least 2097152 bytes are given out");
        expect_none(none, 1, "*at least 2097152 bytes*");
        expect_none(huge, 1, "*there is no room for *");
        expect_none(code, 1, "*gives out no cache of level 3 and type 'code'*");
        expect_none(level, 1, "*gives out no cache of level 2 and type 'both'*");
        expect_none(id, 1, "*no cache of level 3 with the id 7*");
        expect_none(node, 1, "*no memory bandwidth of node 7*");
        expect_none(part, 1, "*35 % of the bandwidth of node 0, which is given out in multiples of 10 %");
        expect_none(little, 1, "*10 % of the bandwidth of node 0, of which at least 20 % are given out");
        put("MB:0=4294967295;1=4294967295\nL3:0=000f;1=000f\n", FS "/schemata");
        part[0].amount = 30;
        expect_none(part, 1, "*mba_MBps*");
}
END_TEST

/* Kernels that tell code and data apart have other files. */
START_TEST(code_and_data)
{
        struct resctrl_request requests[] = { CACHE(3, 0, "code", 2), CACHE(3, 0, "data", 4) },
                               both[] = { CACHE(3, 0, "both", 2) };

        put("0\n", FS "/info/L3/num_closids");
        for (unsigned i = 0; i < 2; i++) {
                const char *name = i ? "DATA" : "CODE";

                put("ffff\n", FS "/info/L3%s/cbm_mask", name);
                put("1\n", FS "/info/L3%s/min_cbm_bits", name);
                put("4\n", FS "/info/L3%s/num_closids", name);
        }
        put("MB:0=100\nL3CODE:0=ff\nL3DATA:0=f\n", FS "/schemata");
        expect_room(requests, 2, "MB:0=100\nL3CODE:0=300\nL3DATA:0=f0");
        expect_none(both, 1, "*gives out no cache of level 3 and type 'both'*");
}
END_TEST

START_TEST(nonsense_of_the_kernel_is_no_resource)
{
        struct resctrl_request cache[] = { CACHE(3, 0, "both", 4) }, memory[] = { MEMORY(0, 30) };

        put("0\n", FS "/info/L3/cbm_mask");
        put("x\n", FS "/info/MB/bandwidth_gran");
        expect_none(cache, 1, "*gives out no cache of level 3*");
        expect_none(memory, 1, "*gives out no memory bandwidth*");
        put("ffffffffffff\n", FS "/info/L3/cbm_mask");
        expect_none(cache, 1, "*gives out no cache of level 3*");
        put("ffff\n", FS "/info/L3/cbm_mask");
        put("L3:0=nonsense\n", FS "/other/schemata");
        expect_none(cache, 1, "internal error: 'L3:0=nonsense', of group 'other', is no line*");
        put("L3:0=f\n", FS "/other/schemata");
        put("8K\n", "/sys/devices/system/cpu/cpu0/cache/index3/level");
        put("8K\n", "/sys/devices/system/cpu/cpu1/cache/index3/level");
        expect_none(cache, 1, "*does not say how large its cache of level 3, id 0 is");
}
END_TEST

START_TEST(not_mounted)
{
        struct resctrl_request requests[] = { CACHE(3, 0, "both", 4) };
        g_autofree char *info = root_path(FS "/info");
        g_autofree char *elsewhere = root_path("/elsewhere");

        ck_assert_int_eq(rename(info, elsewhere), 0);
        ck_assert_ptr_null(resctrl_new(root));
        expect_none(requests, 1, "unsupported configuration: <cputune> needs the kernel's resctrl*mount -t*");
}
END_TEST

/* ---- what is told of it ---- */

static char *get_capabilities(void)
{
        struct host_capabilities_options options = { 0 };
        struct cpu_features features = { 0 };
        const struct host *host = host_new_at(root, &features);
        g_autoptr(xmlDoc) doc = host_capabilities_new(host, &options);
        char *text = xml_write(doc, NULL);

        host_unref(host);
        return text;
}

/* As libvirt has it for such a host (the order of attributes is ours). */
START_TEST(capabilities_say_what_is_given_out)
{
        static const char expected[] =
                "    <cache>\n"
                "      <bank id='0' level='3' type='both' size='16' unit='MiB' cpus='0-1'>\n"
                "        <control granularity='1' min='2' unit='MiB' type='both' maxAllocs='8'/>\n"
                "      </bank>\n"
                "      <bank id='1' level='3' type='both' size='16' unit='MiB' cpus='2-3'>\n"
                "        <control granularity='1' min='2' unit='MiB' type='both' maxAllocs='8'/>\n"
                "      </bank>\n"
                "      <monitor level='3' reuseThreshold='270336' maxMonitors='176'>\n"
                "        <feature name='llc_occupancy'/>\n"
                "      </monitor>\n"
                "    </cache>\n"
                "    <memory_bandwidth>\n"
                "      <node id='0' cpus='0-1'>\n"
                "        <control granularity='10' min='20' maxAllocs='8'/>\n"
                "      </node>\n"
                "      <node id='1' cpus='2-3'>\n"
                "        <control granularity='10' min='20' maxAllocs='8'/>\n"
                "      </node>\n"
                "      <monitor maxMonitors='176'>\n"
                "        <feature name='mbm_total_bytes'/>\n"
                "        <feature name='mbm_local_bytes'/>\n"
                "      </monitor>\n"
                "    </memory_bandwidth>\n";
        g_autofree char *text = get_capabilities();

        ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
}
END_TEST

START_TEST(capabilities_of_code_and_data_without_monitors)
{
        static const char expected[] =
                "<bank id='0' level='3' type='both' size='16' unit='MiB' cpus='0-1'>\n"
                "        <control granularity='512' unit='KiB' type='code' maxAllocs='4'/>\n"
                "        <control granularity='1' unit='MiB' type='data' maxAllocs='4'/>\n"
                "      </bank>\n";
        g_autofree char *text = NULL;

        put("0\n", FS "/info/L3/num_closids");
        put("0\n", FS "/info/MB/num_closids");
        put("0\n", FS "/info/L3_MON/num_rmids");
        put("ffffffff\n", FS "/info/L3CODE/cbm_mask");
        put("4\n", FS "/info/L3CODE/num_closids");
        put("ffff\n", FS "/info/L3DATA/cbm_mask");
        put("4\n", FS "/info/L3DATA/num_closids");
        text = get_capabilities();
        ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
        ck_assert_ptr_null(strstr(text, "memory_bandwidth"));
        ck_assert_ptr_null(strstr(text, "<monitor"));
}
END_TEST

START_TEST(what_a_monitor_counts)
{
        g_autoptr(GArray) readings = NULL, none = NULL;
        const struct resctrl_reading *first, *second;

        put("65536\n", FS "/g/mon_groups/m/mon_data/mon_L3_01/llc_occupancy");
        put("Unavailable\n", FS "/g/mon_groups/m/mon_data/mon_L3_01/mbm_total_bytes");
        put("18446744073709551615\n", FS "/g/mon_groups/m/mon_data/mon_L3_00/mbm_total_bytes");
        put("7\n", FS "/g/mon_groups/m/mon_data/mon_L3_00/mbm_local_bytes");
        put("7\n", FS "/g/mon_groups/m/mon_data/mon_L3_00/mon_sub_L3_00/mbm_local_bytes");
        put("1\n", FS "/g/mon_groups/m/mon_data/mon_L3_0x/llc_occupancy");
        put("1\n", FS "/g/mon_groups/m/mon_data/other/llc_occupancy");
        readings = resctrl_read(root, "g/mon_groups/m");
        ck_assert_uint_eq(readings->len, 2);
        first = &g_array_index(readings, struct resctrl_reading, 0);
        second = &g_array_index(readings, struct resctrl_reading, 1);
        ck_assert(first->id == 0 && !first->has_occupancy && first->has_total && first->has_local);
        ck_assert_uint_eq(first->total, UINT64_MAX);
        ck_assert_uint_eq(first->local, 7);
        ck_assert(second->id == 1 && second->has_occupancy && !second->has_total && !second->has_local);
        ck_assert_uint_eq(second->occupancy, 65536);
        none = resctrl_read(root, "nowhere");
        ck_assert_uint_eq(none->len, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resctrl");
        TCase *cases = tcase_create("tree");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, text_of_the_kernel_is_read_and_written);
        tcase_add_test(cases, hostile_text_is_refused);
        tcase_add_test(cases, the_smallest_room_is_taken);
        tcase_add_test(cases, a_group_gets_what_nobody_has);
        tcase_add_test(cases, what_is_no_group_takes_nothing);
        tcase_add_test(cases, bits_of_devices_come_last);
        tcase_add_test(cases, sizes_are_as_the_host_has_them);
        tcase_add_test(cases, code_and_data);
        tcase_add_test(cases, nonsense_of_the_kernel_is_no_resource);
        tcase_add_test(cases, not_mounted);
        tcase_add_test(cases, capabilities_say_what_is_given_out);
        tcase_add_test(cases, capabilities_of_code_and_data_without_monitors);
        tcase_add_test(cases, what_a_monitor_counts);
        suite_add_tcase(suite, cases);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
