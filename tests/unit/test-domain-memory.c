/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of a domain: what SetMemory and SetMemoryStatsPeriod do to definition, guest and balloon.
 */
#include "drivers/domain/domain.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <string.h>

enum {
        MAXIMUM = DOMAIN_MEMORY_MAXIMUM,
};

#define BALLOON "<devices><memballoon model='virtio'><stats period='3'/></memballoon></devices>"
#define CHANGED "AP 10:0.0; " /* with BALLOON_CHANGE */

static void set(struct domain *domain, uint64_t kib, unsigned flags)
{
        domain_set_memory(domain, kib, flags, fake_driver_done, &outcome);
}

static void set_period(struct domain *domain, int period, unsigned flags)
{
        domain_set_memory_stats_period(domain, period, flags, fake_driver_done, &outcome);
}

static void expect_config(const struct domain *domain, uint64_t maximum, uint64_t current)
{
        ck_assert_uint_eq(get_config(domain)->memory_kib, maximum);
        ck_assert_uint_eq(get_config(domain)->current_memory_kib, current);
}

START_TEST(memory_of_a_definition)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        set(domain, 32768, CURRENT);
        expect(NULL, "", "-P; ");
        expect_config(domain, 65536, 32768);
        set(domain, 65536, CURRENT);
        expect(NULL, "", "-P; ");
        expect_config(domain, 65536, 65536);
        set(domain, 32768, CURRENT);
        expect(NULL, "", "-P; ");
        set(domain, 131072, CURRENT | MAXIMUM);
        expect(NULL, "", "-P; ");
        expect_config(domain, 131072, 32768);
        set(domain, 16384, CONFIG | MAXIMUM);
        expect(NULL, "", "-P; ");
        expect_config(domain, 16384, 16384);
        set(domain, 16385, CONFIG);
        expect("invalid argument: 16385 KiB are more than the maximum memory of domain 'web', 16384 KiB", "",
               "");
        set(domain, 8192, LIVE);
        expect("Requested operation is not valid: domain 'web' is not running", "", "");
        expect_config(domain, 16384, 16384);
}
END_TEST

START_TEST(sizes_that_are_none)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        set(domain, 0, CURRENT);
        expect("invalid argument: a domain cannot be without memory", "", "");
        set(domain, UINT64_MAX, MAXIMUM);
        expect("numerical overflow: 18446744073709551615 KiB of memory are more than 9007199254740991", "",
               "");
        set(domain, 8192, 8);
        expect("invalid argument: unsupported flags (0x8) in function SetMemory", "", "");
        expect_config(domain, 65536, 65536);
}
END_TEST

START_TEST(memory_of_a_guest)
{
        struct domain *domain = make_running(BALLOON);

        set(domain, 32768, CURRENT);
        expect(NULL, "reach memory-32768 save ", CHANGED);
        ck_assert_uint_eq(get_live(domain)->current_memory_kib, 32768);
        expect_config(domain, 65536, 65536);
        set(domain, 32768, LIVE);
        expect(NULL, "reach memory-32768 save ", "AP; ");
        set(domain, 49152, BOTH);
        expect(NULL, "reach memory-49152 save ", CHANGED);
        ck_assert_uint_eq(get_live(domain)->current_memory_kib, 49152);
        expect_config(domain, 65536, 49152);
        set(domain, 65537, LIVE);
        expect("invalid argument: 65537 KiB are more than the maximum memory of domain 'web', 65536 KiB",
               "reach ", "");
}
END_TEST

/* What it has is told when it has it. */
START_TEST(a_slow_guest_keeps_what_it_has)
{
        struct domain *domain = make_running(BALLOON);

        fake->slow = true;
        set(domain, 32768, BOTH);
        expect(NULL, "reach memory-32768 save ", "AP; ");
        ck_assert_uint_eq(get_live(domain)->current_memory_kib, 65536);
        expect_config(domain, 65536, 32768);
}
END_TEST

START_TEST(the_maximum_of_a_guest_is_fixed)
{
        struct domain *domain = make_running(BALLOON);
        const char *fixed = "Requested operation is not valid: the maximum memory of domain 'web' is fixed "
                            "while it runs";

        set(domain, 131072, MAXIMUM);
        expect(fixed, "reach ", "");
        set(domain, 131072, MAXIMUM | BOTH);
        expect(fixed, "reach ", "");
        expect_config(domain, 65536, 65536);
        set(domain, 131072, MAXIMUM | CONFIG);
        expect(NULL, "save ", "AP; ");
        expect_config(domain, 131072, 65536);
        ck_assert_uint_eq(get_live(domain)->memory_kib, 65536);
}
END_TEST

START_TEST(failures_change_nothing)
{
        struct domain *domain = make_running(BALLOON);

        fake->fail = "memory-32768";
        set(domain, 32768, BOTH);
        expect("operation failed: told to fail: memory-32768", "reach memory-32768 ", "");
        expect_config(domain, 65536, 65536);
        fake_driver_break_store(fake, domain);
        set(domain, 49152, BOTH);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach memory-49152 memory-65536 ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_config(domain, 65536, 65536);
        ck_assert_uint_eq(get_live(domain)->current_memory_kib, 65536);
        g_free(outcome.error);
}
END_TEST

START_TEST(a_guest_without_a_balloon)
{
        const char *none = "Requested operation is not valid: domain 'web' has no memory balloon";
        struct domain *domain = make_running("<devices><memballoon model='none'/></devices>");

        set(domain, 32768, LIVE);
        expect(none, "reach ", "");
        set(domain, 32768, CONFIG);
        expect(NULL, "save ", "AP; ");
        set_period(domain, 5, LIVE);
        expect(none, "reach ", "");
        set_period(domain, 5, CONFIG);
        expect(none, "", "");
}
END_TEST

START_TEST(memory_of_numa_cells_is_theirs)
{
        struct domain *domain = fake_driver_define(
                fake,
                fake_driver_xml("<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"));

        set(domain, 131072, MAXIMUM);
        expect("Requested operation is not valid: the memory of domain 'web' is that of its NUMA cells", "",
               "");
        set(domain, 32768, CURRENT);
        expect(NULL, "", "-P; ");
        expect_config(domain, 65536, 32768);
}
END_TEST

START_TEST(memory_leaves_room_for_what_is_plugged_in)
{
        struct domain *domain =
                fake_driver_define(fake, fake_driver_xml("<maxMemory slots='2' unit='MiB'>128</maxMemory>"));

        set(domain, 131073, MAXIMUM);
        expect("invalid argument: 131073 KiB are more than domain 'web' can have plugged in, 131072 KiB", "",
               "");
        set(domain, 131072, MAXIMUM);
        expect(NULL, "", "-P; ");
}
END_TEST

START_TEST(period_of_statistics)
{
        struct domain *domain = make_running(BALLOON);

        set_period(domain, 9, CURRENT);
        expect(NULL, "reach period-9 save ", "AP; ");
        ck_assert_uint_eq(get_live(domain)->devices.memballoon->stats_period_s, 9);
        ck_assert_uint_eq(get_config(domain)->devices.memballoon->stats_period_s, 3);
        set_period(domain, 0, BOTH);
        expect(NULL, "reach period-0 save ", "AP; ");
        ck_assert_ptr_null(strstr(get_config(domain)->base.xml, "<stats"));
        ck_assert_ptr_null(strstr(get_live(domain)->base.xml, "<stats"));
        set_period(domain, INT32_MAX, CONFIG);
        expect(NULL, "save ", "AP; ");
        ck_assert_ptr_nonnull(strstr(get_config(domain)->base.xml, "<stats period='2147483647'/>"));
        set_period(domain, -1, CURRENT);
        expect("invalid argument: a period of -1 s is negative", "", "");
        set_period(domain, 1, MAXIMUM);
        expect("invalid argument: unsupported flags (0x4) in function SetMemoryStatsPeriod", "", "");
}
END_TEST

START_TEST(a_period_that_cannot_be_stored_is_taken_back)
{
        struct domain *domain = make_running(BALLOON);

        fake_driver_break_store(fake, domain);
        set_period(domain, 9, BOTH);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach period-9 period-3 ");
        ck_assert_uint_eq(get_live(domain)->devices.memballoon->stats_period_s, 3);
        g_free(outcome.error);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-memory", setup_domains, teardown_domains, memory_of_a_definition,
                   sizes_that_are_none, memory_of_a_guest, a_slow_guest_keeps_what_it_has,
                   the_maximum_of_a_guest_is_fixed, failures_change_nothing, a_guest_without_a_balloon,
                   memory_of_numa_cells_is_theirs, memory_leaves_room_for_what_is_plugged_in,
                   period_of_statistics, a_period_that_cannot_be_stored_is_taken_back)
