/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of a domain: what they do to definition and guest, what is refused of them, and what is
 * told.
 */
#include "drivers/domain/domain.h"

#include "base/loop.h"
#include "drivers/domain/driver.h"
#include "tests/unit/domain-fixture.h"

#include <math.h>
#include <string.h>

#define SCHEDULER DOMAIN_PARAMETERS_SCHEDULER
#define MEMORY    DOMAIN_PARAMETERS_MEMORY
#define NUMA      DOMAIN_PARAMETERS_NUMA
#define BLKIO     DOMAIN_PARAMETERS_BLKIO
#define DISK      DOMAIN_PARAMETERS_DISK
#define UNLIMITED UINT64_C(9007199254740991)
#define CHANGED   "AP; "
#define TUNED     "AP 20:0.0; " /* with the event TUNABLE */

/* ---- setting ---- */

static void set(struct domain *domain, enum domain_parameters which, struct params *params, unsigned flags)
{
        domain_set_parameters(domain, which, NULL, params, flags, fake_driver_done, &outcome);
}

static void set_device(struct domain *domain, enum domain_parameters which, const char *device,
                       struct params *params, unsigned flags)
{
        domain_set_parameters(domain, which, device, params, flags, fake_driver_done, &outcome);
}

static struct params *number(const char *name, uint64_t value)
{
        struct params *params = params_new();

        params_add_ulong(params, name, value);
        return params;
}

static struct params *quota(const char *name, int64_t value)
{
        struct params *params = params_new();

        params_add_long(params, name, value);
        return params;
}

static struct params *text(const char *name, const char *value)
{
        struct params *params = params_new();

        params_add_string(params, name, value);
        return params;
}

START_TEST(scheduler)
{
        struct domain *domain = make_running("");
        struct params *params = number("cpu_shares", 512);

        params_add_long(params, "vcpu_quota", 20000);
        params_add_ulong(params, "vcpu_period", 50000);
        set(domain, SCHEDULER, params, BOTH);
        expect(NULL, "reach tune-2 save ", TUNED);
        expect_text(get_live(domain), "<shares>512</shares>", true);
        expect_text(get_config(domain), "<period>50000</period>", true);
        expect_text(get_config(domain), "<quota>20000</quota>", true);
        /* Numbers that say nothing, and no limit. */
        params = number("cpu_shares", 0);
        params_add_ulong(params, "vcpu_period", 0);
        params_add_long(params, "vcpu_quota", -1);
        set(domain, SCHEDULER, params, CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "shares", false);
        expect_text(get_config(domain), "<period>50000</period>", true);
        expect_text(get_config(domain), "<quota>-1</quota>", true);
        expect_text(get_live(domain), "<quota>20000</quota>", true);
        set(domain, SCHEDULER, quota("global_quota", 1000), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "<global_quota>1000</global_quota>", true);
}
END_TEST

/* What has been left alone is not told. */
START_TEST(scheduler_left_alone)
{
        struct domain *domain = make_running("<cputune><quota>20000</quota></cputune>");

        set(domain, SCHEDULER, quota("vcpu_quota", 0), LIVE);
        expect(NULL, "reach tune-2 save ", CHANGED);
        expect_text(get_live(domain), "<quota>20000</quota>", true);
}
END_TEST

START_TEST(bad_scheduler)
{
        struct domain *domain = make_running("");

        set(domain, SCHEDULER, params_new(), CURRENT);
        expect("invalid argument: no parameters for SetSchedulerParameters", "", "");
        set(domain, SCHEDULER, number("cpu_shares", 1), CURRENT);
        expect("invalid argument: parameter 'cpu_shares' is 1: it is from 2 to 262144, or 0", "", "");
        set(domain, SCHEDULER, number("global_period", 999), CURRENT);
        expect("invalid argument: parameter 'global_period' is 999: it is from 1000 to 1000000, or 0", "",
               "");
        set(domain, SCHEDULER, quota("emulator_quota", 999), CURRENT);
        expect("invalid argument: parameter 'emulator_quota' is 999 microseconds: it is from 1000 to "
               "17592186044415, negative for no limit, or 0 to leave it alone",
               "", "");
        set(domain, SCHEDULER, number("cpu_shares", 2), 4);
        expect("invalid argument: unsupported flags (0x4) in function SetSchedulerParameters", "", "");
        fake->fail = "tune-2";
        set(domain, SCHEDULER, number("cpu_shares", 2), BOTH);
        expect("operation failed: told to fail: tune-2", "reach tune-2 ", "");
        expect_text(get_config(domain), "cputune", false);
}
END_TEST

START_TEST(too_many_shares)
{
        struct domain *domain = make_running("");
        const struct param_table *table = domain_get_param_table(domain, SCHEDULER);
        CLEANUP(params_free) struct params *params = params_new();
        const struct param most = { "cpu_shares", PARAM_ULONG, { .t = 262144 } };
        const struct param more = { "cpu_shares", PARAM_ULONG, { .t = 262145 } };
        g_autoptr(GError) error = NULL;

        ck_assert(!params_accept(params, table, &more, NULL));
        ck_assert_msg(params_accept(params, table, &most, &error), "%s", error ? error->message : "");
}
END_TEST

/* In seconds, of which QEMU counts no more. */
START_TEST(too_long_a_burst)
{
        struct domain *domain = make_running("");
        const struct param_table *table = domain_get_param_table(domain, DISK);
        CLEANUP(params_free) struct params *params = params_new();
        const struct param most = { "read_bytes_sec_max_length", PARAM_ULONG, { .t = UINT32_MAX } };
        const struct param more = { "read_iops_sec_max_length", PARAM_ULONG, { .t = UINT32_MAX + 1UL } };
        g_autoptr(GError) error = NULL;

        ck_assert(!params_accept(params, table, &more, NULL));
        ck_assert_msg(params_accept(params, table, &most, &error), "%s", error ? error->message : "");
}
END_TEST

/* The table, entry by entry, as views do it. */
START_TEST(the_table)
{
        struct domain *domain = make_running("");
        const struct param_table *table = domain_get_param_table(domain, SCHEDULER);
        CLEANUP(params_free) struct params *params = params_new();
        const struct {
                struct param param;
                const char *error;
        } cases[] = {
                { { "cpu_shares", PARAM_ULONG, { .t = 5 } }, NULL },
                { { "cpu_shares", PARAM_ULONG, { .t = 5 } },
                  "invalid argument: parameter 'cpu_shares' is given twice in function "
                  "SetSchedulerParameters" },
                { { "vcpu_period", PARAM_ULONG, { .t = 1000000 } }, NULL },
                { { "iothread_period", PARAM_ULONG, { .t = 1000001 } },
                  "invalid argument: parameter 'iothread_period' is 1000001, not from 0 to 1000000 in "
                  "function SetSchedulerParameters" },
                { { "emulator_period", PARAM_ULONG, { .t = UINT64_MAX } },
                  "invalid argument: parameter 'emulator_period' is 18446744073709551615, not from 0 to "
                  "1000000 "
                  "in "
                  "function SetSchedulerParameters" },
                { { "vcpu_quota", PARAM_LONG, { .x = INT64_MAX } },
                  "invalid argument: parameter 'vcpu_quota' is 9223372036854775807, not from "
                  "-9223372036854775808 to 17592186044415 in function SetSchedulerParameters" },
                { { "vcpu_quota", PARAM_DOUBLE, { .d = NAN } },
                  "invalid argument: parameter 'vcpu_quota' is of type double, expected llong in function "
                  "SetSchedulerParameters" },
                { { "nonsense", PARAM_ULONG, { .t = 5 } },
                  "argument unsupported: parameter 'nonsense' is not supported in function "
                  "SetSchedulerParameters" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;

                params_accept(params, table, &cases[i].param, &error);
                ck_assert_pstr_eq(error ? error->message : NULL, cases[i].error);
        }
}
END_TEST

START_TEST(memory)
{
        struct domain *domain = make_running("");
        struct params *params = number("hard_limit", 200000);

        params_add_ulong(params, "swap_hard_limit", 300000);
        set(domain, MEMORY, params, BOTH);
        expect(NULL, "reach tune-4 save ", CHANGED);
        expect_text(get_live(domain), "<hard_limit unit='KiB'>200000</hard_limit>", true);
        set(domain, MEMORY, number("hard_limit", 400000), BOTH);
        expect("invalid argument: the swap_hard_limit of domain 'web', which is of memory and swap together, "
               "would be 300000 KiB, less than its hard_limit of 400000 KiB",
               "reach ", "");
        set(domain, MEMORY, number("hard_limit", 300000), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "<hard_limit unit='KiB'>300000</hard_limit>", true);
        set(domain, MEMORY, number("hard_limit", UNLIMITED), CONFIG);
        expect("invalid argument: the swap_hard_limit of domain 'web', which is of memory and swap together, "
               "would be 300000 KiB, and it has no hard_limit",
               "", "");
        set(domain, MEMORY, number("swap_hard_limit", UNLIMITED), CONFIG);
        expect(NULL, "save ", CHANGED);
        set(domain, MEMORY, number("swap_hard_limit", 200000), CONFIG);
        expect("invalid argument: the swap_hard_limit of domain 'web', which is of memory and swap together, "
               "would be 200000 KiB, less than its hard_limit of 300000 KiB",
               "", "");
        set(domain, MEMORY, number("hard_limit", UNLIMITED), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "memtune", false);
        expect_text(get_live(domain), "<hard_limit unit='KiB'>200000</hard_limit>", true);
        set(domain, MEMORY, number("swap_hard_limit", UINT64_MAX), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "memtune", false);
        set(domain, MEMORY, number("soft_limit", 0), CONFIG);
        expect("invalid argument: parameter 'soft_limit' leaves no memory; 9007199254740991 is no limit", "",
               "");
}
END_TEST

/* The guest has been told already. */
START_TEST(memory_that_cannot_be_stored)
{
        struct domain *domain = make_running("");

        fake_driver_break_store(fake, domain);
        set(domain, MEMORY, number("hard_limit", 200000), BOTH);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach tune-4 tune-4 ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_text(get_live(domain), "memtune", false);
        g_free(outcome.error);
}
END_TEST

START_TEST(numa)
{
        struct domain *domain = make_running("");
        struct params *params = text("numa_nodeset", "0-3,^1");

        params_add_int(params, "numa_mode", 1);
        set(domain, NUMA, params, CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "<memory mode='preferred' nodeset='0,2-3'/>", true);
        set(domain, NUMA, text("numa_nodeset", "1"), LIVE);
        expect(NULL, "reach tune-8 save ", CHANGED);
        expect_text(get_live(domain), "<memory mode='strict' nodeset='1'/>", true);
        params = params_new();
        params_add_int(params, "numa_mode", 2);
        set(domain, NUMA, params, LIVE);
        expect("Requested operation is not valid: the mode of the memory of domain 'web' cannot change while "
               "it runs, it is 'strict'",
               "reach ", "");
        set(domain, NUMA, text("numa_nodeset", "x"), CONFIG);
        expect("invalid argument: parameter 'numa_nodeset' is 'x', which are no nodes (\"0-3,^2\")", "", "");
        set(domain, NUMA, text("numa_nodeset", "1,^1"), CONFIG);
        expect("invalid argument: parameter 'numa_nodeset' is '1,^1', which are no nodes (\"0-3,^2\")", "",
               "");
}
END_TEST

START_TEST(numa_of_an_interleaved_guest)
{
        struct domain *domain = make_running("<numatune><memory mode='interleave' nodeset='0'/></numatune>");
        struct params *params = params_new();

        set(domain, NUMA, text("numa_nodeset", "1"), LIVE);
        expect("Requested operation is not valid: the nodes of the memory of domain 'web' cannot change "
               "while "
               "it runs: that takes mode 'strict' or 'restrictive', not 'interleave'",
               "reach ", "");
        params_add_int(params, "numa_mode", 0);
        set(domain, NUMA, params, CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "<memory mode='strict' nodeset='0'/>", true);
        params = params_new();
        params_add_int(params, "numa_mode", 1);
        set(domain, NUMA, params, LIVE);
        expect("Requested operation is not valid: the mode of the memory of domain 'web' cannot change while "
               "it runs, it is 'interleave'",
               "reach ", "");
}
END_TEST

START_TEST(numa_of_a_restricted_guest)
{
        struct domain *domain = make_running("<numatune><memory mode='restrictive' nodeset='0'/></numatune>");

        set(domain, NUMA, text("numa_nodeset", "1"), LIVE);
        expect(NULL, "reach tune-8 save ", CHANGED);
        expect_text(get_live(domain), "<memory mode='restrictive' nodeset='1'/>", true);
}
END_TEST

START_TEST(numa_without_nodes)
{
        struct domain *domain = make_running("");
        struct params *params = params_new();

        params_add_int(params, "numa_mode", 1);
        set(domain, NUMA, params, CONFIG);
        expect("invalid argument: the memory of domain 'web' is on no nodes for which a mode would be", "",
               "");
}
END_TEST

START_TEST(blkio)
{
        struct domain *domain = make_running("");
        struct params *params = text("device_weight", "/dev/sda,500,/dev/sdb,100");

        params_add_string(params, "device_read_bytes_sec", "/dev/sda,1000000");
        params_add_uint(params, "weight", 300);
        set(domain, BLKIO, params, BOTH);
        expect(NULL, "reach tune-16 save ", CHANGED);
        expect_text(get_live(domain), "<weight>300</weight>", true);
        ck_assert_uint_eq(get_config(domain)->blkiotune.n_devices, 2);
        ck_assert_uint_eq(get_config(domain)->blkiotune.devices[0].read_bytes_sec, 1000000);
        /* A value of 0 goes, and a device with its last one; the others stay. */
        set(domain, BLKIO, text("device_weight", "/dev/sdb,0,/dev/sda,0"), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_uint_eq(get_config(domain)->blkiotune.n_devices, 1);
        ck_assert_str_eq(get_config(domain)->blkiotune.devices[0].path, "/dev/sda");
        ck_assert_uint_eq(get_config(domain)->blkiotune.devices[0].weight, 0);
        ck_assert_uint_eq(get_live(domain)->blkiotune.n_devices, 2);
}
END_TEST

START_TEST(bad_blkio)
{
        static const struct {
                const char *list, *error;
        } cases[] = {
                { "foo", "foo" },
                { "", "" },
                { "/dev/sda", "/dev/sda" },
                { "/dev/sda,", "/dev/sda" },
                { "/dev/sda,-1", "/dev/sda" },
                { "/dev/sda,10001", "/dev/sda" },
                { "/dev/sda,1,sdb,2", "sdb" },
                { "/dev/sda,1,", "" },
                { "/dev/sda,99999999999999999999", "/dev/sda" },
        };
        struct domain *domain = make_running("");

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *error =
                        g_strdup_printf("invalid argument: parameter 'device_weight' is no list of "
                                        "\"path,number,path,number\" with numbers up to 10000, at '%s'",
                                        cases[i].error);

                if (!*cases[i].list)
                        continue;
                set(domain, BLKIO, text("device_weight", cases[i].list), CURRENT);
                expect(error, "", "");
        }
        set(domain, BLKIO, text("device_weight", "/dev/sda,1,/dev/sda,2"), CURRENT);
        expect("invalid argument: parameter 'device_weight' names '/dev/sda' twice", "", "");
}
END_TEST

/* ---- telling ---- */

struct answer {
        bool done;
        char *text; /* owned */
};

static void note(const struct params *params, const GError *error, void *data)
{
        struct answer *answer = data;
        GString *line = g_string_new(error ? error->message : "");

        for (unsigned i = 0; params && i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                g_string_append_printf(line, "%s%s=", i ? " " : "", param->name);
                if (param->type == PARAM_STRING)
                        g_string_append(line, param->value.s);
                else if (param->type == PARAM_INT)
                        g_string_append_printf(line, "%d", (int)param->value.i);
                else if (param->type == PARAM_UINT)
                        g_string_append_printf(line, "%u", (unsigned)param->value.u);
                else
                        g_string_append_printf(line, "%" G_GINT64_FORMAT, param->value.x);
        }
        answer->done = true;
        answer->text = g_string_free(line, FALSE);
}

static void expect_told_of(struct domain *domain, enum domain_parameters which, const char *device,
                           unsigned flags, const char *expected)
{
        struct answer answer = { 0 };

        domain_get_parameters(domain, which, device, flags, note, &answer);
        while (!answer.done)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(answer.text, expected);
        g_free(answer.text);
}

static void expect_told(struct domain *domain, enum domain_parameters which, unsigned flags,
                        const char *expected)
{
        expect_told_of(domain, which, NULL, flags, expected);
}

START_TEST(told)
{
        struct domain *domain =
                make_running("<cputune><shares>7</shares><global_quota>5000</global_quota></cputune>"
                             "<memtune><soft_limit>9</soft_limit></memtune>"
                             "<numatune><memory mode='interleave' nodeset='0-1,3'/></numatune>"
                             "<blkiotune><device><path>/dev/sda</path><weight>5</weight></device><device>"
                             "<path>/dev/sdb</path><read_iops_sec>6</read_iops_sec></device></blkiotune>");

        expect_told(domain, SCHEDULER, CONFIG,
                    "cpu_shares=7 vcpu_period=0 vcpu_quota=0 emulator_period=0 emulator_quota=0 "
                    "global_period=0 global_quota=5000 iothread_period=0 iothread_quota=0");
        expect_told(domain, MEMORY, CONFIG | 4,
                    "hard_limit=9007199254740991 soft_limit=9 swap_hard_limit=9007199254740991");
        expect_told(domain, NUMA, CURRENT, "numa_mode=2 numa_nodeset=0-1,3");
        expect_told(
                domain, BLKIO, LIVE,
                "weight=0 device_weight=/dev/sda,5 device_read_iops_sec=/dev/sdb,6 device_write_iops_sec= "
                "device_read_bytes_sec= device_write_bytes_sec=");
        expect_told(domain, MEMORY, 8,
                    "invalid argument: unsupported flags (0x8) in function GetMemoryParameters");
        expect_told(domain, MEMORY, BOTH,
                    "invalid argument: flags LIVE and CONFIG exclude each other in a query of domain 'web'");
}
END_TEST

START_TEST(told_of_no_limits)
{
        expect_told(make_running(""), MEMORY, CONFIG,
                    "hard_limit=9007199254740991 soft_limit=9007199254740991 "
                    "swap_hard_limit=9007199254740991");
}
END_TEST

START_TEST(told_of_two_devices)
{
        struct domain *domain =
                make_running("<blkiotune><device><path>/dev/sda</path><weight>5</weight></device><device>"
                             "<path>/dev/sdb</path><weight>6</weight></device></blkiotune>");

        expect_told(domain, BLKIO, LIVE,
                    "weight=0 device_weight=/dev/sda,5,/dev/sdb,6 device_read_iops_sec= "
                    "device_write_iops_sec= device_read_bytes_sec= device_write_bytes_sec=");
}
END_TEST

static void expect_one_event(const struct params *params, const GError *error, void *data)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                ck_assert_int_eq(param->value.b, strcmp(param->name, "instructions") == 0);
        }
        *(bool *)data = true;
}

START_TEST(told_of_perf_events)
{
        struct domain *domain = make_running("<perf><event name='instructions' enabled='yes'/></perf>");
        bool done = false;

        domain_get_parameters(domain, DOMAIN_PARAMETERS_PERF, NULL, LIVE, expect_one_event, &done);
        while (!done)
                loop_step(fake->base.loop, true);
}
END_TEST

/* ---- of a device ---- */

#define INTERFACE DOMAIN_PARAMETERS_INTERFACE
#define DISKS                                                                                                \
        "<devices><disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>"              \
        "<disk type='file'><source file='/b'/><target dev='vdb' bus='virtio'/><iotune><read_iops_sec>5"      \
        "</read_iops_sec><group_name>g</group_name></iotune></disk></devices>"

static const struct domain_iotune *get_tune(const struct domain_def *def, unsigned index)
{
        return def->devices.disks[index].iotune;
}

/* What is given of a kind replaces all of that kind; disks of a group have the same. */
START_TEST(disks)
{
        struct domain *domain = make_running(DISKS);
        struct params *params = number("total_bytes_sec", 1000);

        params_add_ulong(params, "read_iops_sec", 10);
        set_device(domain, DISK, "vda", params, BOTH);
        expect(NULL, "reach update-virtio-disk0 save ", TUNED);
        ck_assert_uint_eq(get_tune(get_live(domain), 0)->total_bytes_sec, 1000);
        set_device(domain, DISK, "/a", number("write_bytes_sec", 70), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->total_bytes_sec, 0);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->write_bytes_sec, 70);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->read_iops_sec, 10);
        params = text("group_name", "g");
        params_add_ulong(params, "total_iops_sec", 0);
        params_add_ulong(params, "total_bytes_sec", 99);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_uint_eq(get_tune(get_config(domain), 1)->total_bytes_sec, 99);
        ck_assert_uint_eq(get_tune(get_config(domain), 1)->read_iops_sec, 0);
        params = text("group_name", "");
        params_add_ulong(params, "total_bytes_sec", 0);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_ptr_null(get_tune(get_config(domain), 0));
        ck_assert_uint_eq(get_tune(get_config(domain), 1)->total_bytes_sec, 99);
        expect_told_of(
                domain, DISK, "vdb", LIVE,
                "total_bytes_sec=0 read_bytes_sec=0 write_bytes_sec=0 total_iops_sec=0 read_iops_sec=5 "
                "write_iops_sec=0 total_bytes_sec_max=0 read_bytes_sec_max=0 write_bytes_sec_max=0 "
                "total_iops_sec_max=0 read_iops_sec_max=0 write_iops_sec_max=0 size_iops_sec=0 "
                "group_name=g total_bytes_sec_max_length=0 read_bytes_sec_max_length=0 "
                "write_bytes_sec_max_length=0 total_iops_sec_max_length=0 read_iops_sec_max_length=0 "
                "write_iops_sec_max_length=0");
}
END_TEST

#define BEHIND                                                                                               \
        "<throttlegroups><throttlegroup><read_iops_sec>5</read_iops_sec><group_name>g</group_name>"          \
        "</throttlegroup><throttlegroup><total_bytes_sec>6</total_bytes_sec><group_name>h</group_name>"      \
        "</throttlegroup></throttlegroups><devices>"                                                         \
        "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/><throttlefilters>"             \
        "<throttlefilter group='g'/><throttlefilter group='h'/></throttlefilters></disk>"                    \
        "<disk type='file'><source file='/b'/><target dev='vdb' bus='virtio'/><throttlefilters>"             \
        "<throttlefilter group='h'/></throttlefilters></disk>"                                               \
        "<disk type='file'><source file='/c'/><target dev='vdc' bus='virtio'/><iotune>"                      \
        "<total_bytes_sec>6</total_bytes_sec><group_name>h</group_name></iotune></disk></devices>"

/* The limits of a group of the domain are changed through any disk behind it, and are all disks' then. */
START_TEST(disks_behind_groups)
{
        struct domain *domain = make_running(BEHIND);
        struct params *params = text("group_name", "h");
        const struct domain_def *live;

        params_add_ulong(params, "total_bytes_sec", 1000);
        set_device(domain, DISK, "vda", params, BOTH);
        expect(NULL, "reach update-virtio-disk0 save ", TUNED);
        live = get_live(domain);
        ck_assert_uint_eq(get_tune(live, 0)->read_iops_sec, 5);
        ck_assert_uint_eq(get_tune(live, 0)->total_bytes_sec, 0);
        ck_assert_uint_eq(get_tune(live, 0)->next->total_bytes_sec, 1000);
        ck_assert_uint_eq(get_tune(live, 1)->total_bytes_sec, 1000);
        ck_assert_uint_eq(get_tune(live, 2)->total_bytes_sec, 1000);
        ck_assert(!get_tune(live, 2)->is_filter);
        expect_text(get_config(domain), "<total_bytes_sec>6<", false);
        ck_assert_uint_eq(get_tune(get_config(domain), 1)->total_bytes_sec, 1000);
        /* of one disk, and of the only one that it is behind */
        set_device(domain, DISK, "vdb", number("write_bytes_sec", 7), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->next->write_bytes_sec, 7);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->next->total_bytes_sec, 0);
        ck_assert_uint_eq(get_tune(get_config(domain), 2)->write_bytes_sec, 7);
        params = text("group_name", "h");
        params_add_ulong(params, "read_bytes_sec", 8);
        set_device(domain, DISK, "vdc", params, CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_uint_eq(get_tune(get_config(domain), 1)->read_bytes_sec, 8);
        set_device(domain, DISK, "vda", number("total_iops_sec", 7), BOTH);
        expect("invalid argument: the limits of disk 'vda': it is behind several <throttlegroup>: say by "
               "group_name which of them",
               "reach ", "");
        params = text("group_name", "i");
        params_add_ulong(params, "read_bytes_sec", 8);
        set_device(domain, DISK, "vdb", params, CONFIG);
        expect("invalid argument: the limits of disk 'vdb': it is not behind a <throttlegroup> 'i'", "", "");
        params = text("group_name", "g");
        params_add_ulong(params, "read_iops_sec_max", 4);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect("invalid argument: the limits of disk 'vda': read_iops_sec_max is less than read_iops_sec, 5",
               "", "");
}
END_TEST

/* Who joins a group has its limits, and who has none any more leaves it, and the others as they were. */
START_TEST(disks_that_join)
{
        struct domain *domain = make_running(BEHIND);

        set_device(domain, DISK, "vdc", text("group_name", "new"), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_str_eq(get_tune(get_config(domain), 2)->group_name, "new");
        ck_assert_uint_eq(get_tune(get_config(domain), 2)->total_bytes_sec, 6);
        set_device(domain, DISK, "vdc", text("group_name", "g"), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_str_eq(get_tune(get_config(domain), 2)->group_name, "g");
        ck_assert_uint_eq(get_tune(get_config(domain), 2)->read_iops_sec, 5);
        ck_assert_uint_eq(get_tune(get_config(domain), 2)->total_bytes_sec, 0);
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->read_iops_sec, 5);
        set_device(domain, DISK, "vdc", number("read_iops_sec", 0), CONFIG);
        expect(NULL, "save ", CHANGED);
        ck_assert_ptr_null(get_tune(get_config(domain), 2));
        ck_assert_uint_eq(get_tune(get_config(domain), 0)->read_iops_sec, 5);
        set_device(domain, DISK, "vdc", text("group_name", "i"), CONFIG);
        expect("invalid argument: the limits of disk 'vdc': a group that it joins needs some", "", "");
}
END_TEST

START_TEST(bad_disks)
{
        static const struct {
                const char *name, *other, *error;
        } cases[] = {
                { "total_bytes_sec", "read_bytes_sec",
                  "either the total of bytes_sec or reading and writing" },
                { "total_bytes_sec", "write_bytes_sec",
                  "either the total of bytes_sec or reading and writing" },
                { "total_iops_sec_max", "read_iops_sec_max",
                  "either the total of iops_sec_max or reading and writing" },
                { "total_iops_sec_max", "write_iops_sec_max",
                  "either the total of iops_sec_max or reading and writing" },
                { "write_iops_sec", "write_iops_sec_max_length",
                  "write_iops_sec_max_length is of no write_iops_sec_max" },
                { "read_bytes_sec_max", NULL, "read_bytes_sec_max is of no read_bytes_sec" },
                { "write_iops_sec_max_length", NULL,
                  "write_iops_sec_max_length is of no write_iops_sec_max" },
                { "size_iops_sec", NULL, "size_iops_sec is of no limit of operations (iops_sec)" },
                { "size_iops_sec", "total_bytes_sec",
                  "size_iops_sec is of no limit of operations (iops_sec)" },
        };
        struct domain *domain = make_running(DISKS);
        struct params *params;

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *error =
                        g_strdup_printf("invalid argument: the limits of disk 'vda': %s", cases[i].error);

                params = number(cases[i].name, 5);
                if (cases[i].other)
                        params_add_ulong(params, cases[i].other, 5);
                set_device(domain, DISK, "vda", params, BOTH);
                expect(error, "reach ", "");
        }
        params = number("total_bytes_sec", 50);
        params_add_ulong(params, "total_bytes_sec_max", 49);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect("invalid argument: the limits of disk 'vda': total_bytes_sec_max is less than "
               "total_bytes_sec, 50",
               "", "");
        params = number("total_bytes_sec", 50);
        params_add_ulong(params, "total_bytes_sec_max", 50);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect(NULL, "save ", CHANGED);
        params = number("total_bytes_sec_max", 1000000000000);
        params_add_ulong(params, "total_bytes_sec_max_length", 1001);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect("invalid argument: the limits of disk 'vda': total_bytes_sec_max over "
               "total_bytes_sec_max_length is more than 1000000000000000",
               "", "");
        params = number("total_bytes_sec", 0);
        params_add_ulong(params, "total_bytes_sec_max", 0);
        set_device(domain, DISK, "vda", params, CONFIG);
        expect(NULL, "save ", CHANGED);
        set_device(domain, DISK, "vdz", number("total_bytes_sec", 5), CONFIG);
        expect("invalid argument: domain 'web' has no disk 'vdz'", "", "");
        fake->fail = "update-virtio-disk0";
        set_device(domain, DISK, "vda", number("total_bytes_sec", 5), BOTH);
        expect("operation failed: told to fail: update-virtio-disk0", "reach update-virtio-disk0 ", "");
        ck_assert_ptr_null(get_tune(get_config(domain), 0));
}
END_TEST

#define NIC                                                                                                  \
        "<devices><interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/>"           \
        "<bandwidth><inbound average='5' peak='6'/></bandwidth></interface></devices>"

static struct params *unsigned_number(const char *name, uint32_t value)
{
        struct params *params = params_new();

        params_add_uint(params, name, value);
        return params;
}

START_TEST(interfaces)
{
        static const char mac[] = "52:54:00:00:00:01";
        struct domain *domain = make_running(NIC);

        set_device(domain, INTERFACE, mac, unsigned_number("outbound.average", 7), BOTH);
        expect(NULL, "reach update-net0 save ", CHANGED);
        expect_told_of(domain, INTERFACE, mac, LIVE,
                       "inbound.average=5 inbound.peak=6 inbound.burst=0 inbound.floor=0 outbound.average=7 "
                       "outbound.peak=0 outbound.burst=0");
        set_device(domain, INTERFACE, mac, unsigned_number("inbound.average", 0), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "inbound", false);
        expect_text(get_config(domain), "<outbound average='7'/>", true);
        set_device(domain, INTERFACE, mac, unsigned_number("inbound.peak", 7), CONFIG);
        expect("invalid argument: a peak or burst in parameters 'inbound.' is of an average, which is "
               "missing",
               "", "");
        set_device(domain, INTERFACE, mac, unsigned_number("inbound.floor", 7), CONFIG);
        expect("unsupported configuration: interface '52:54:00:00:00:01' is not of type 'network', and only "
               "a "
               "network can guarantee bandwidth (inbound.floor)",
               "", "");
        set_device(domain, INTERFACE, "tap9", unsigned_number("inbound.average", 7), CONFIG);
        expect("invalid argument: domain 'web' has no interface 'tap9'", "", "");
}
END_TEST

/* What a network guarantees goes through its port. */
START_TEST(a_guarantee)
{
        static const char mac[] = "52:54:00:00:00:01";
        struct domain *domain = make_running(
                "<devices><interface type='network'><mac address='52:54:00:00:00:01'/>"
                "<source network='n' bridge='b'/><bandwidth><inbound average='5' floor='3'/></bandwidth>"
                "</interface></devices>");

        set_device(domain, INTERFACE, mac, unsigned_number("inbound.floor", 7), LIVE);
        expect("Operation not supported: inbound.floor of interface "
               "'52:54:00:00:00:01' cannot change here while the domain runs: UpdateDevice changes it",
               "reach ", "");
        set_device(domain, INTERFACE, mac, unsigned_number("inbound.floor", 7), CONFIG);
        expect(NULL, "save ", CHANGED);
        expect_text(get_config(domain), "floor='7'", true);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-parameters", setup_domains, teardown_domains, scheduler, scheduler_left_alone,
                   bad_scheduler, too_many_shares, too_long_a_burst, the_table, numa_of_a_restricted_guest,
                   numa_without_nodes, told_of_no_limits, told_of_two_devices, told_of_perf_events,
                   a_guarantee, memory, memory_that_cannot_be_stored, numa, numa_of_an_interleaved_guest,
                   blkio, bad_blkio, told, disks, disks_behind_groups, disks_that_join, bad_disks, interfaces)
