/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vCPUs of a domain: how many there are (SetVcpus), and on which CPUs of the host they run (PinVcpu,
 * PinEmulator).
 */
#include "drivers/domain/domain.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <string.h>

enum {
        MAXIMUM = DOMAIN_VCPU_MAXIMUM,
        GUEST = DOMAIN_VCPU_GUEST,
        HOTPLUGGABLE = DOMAIN_VCPU_HOTPLUGGABLE,
};

#define TWO_OF_FOUR "<vcpu current='2'>4</vcpu>"
#define TUNED       "AP 20:0.0; " /* with the event TUNABLE */

/* inside begins with <vcpu>, which takes the place of the fake's own. */
static struct domain *make(const char *inside)
{
        g_autofree char *xml = fake_driver_xml("");
        g_auto(GStrv) halves = g_strsplit(xml, "<vcpu>1</vcpu>", 2);

        return fake_driver_define(fake, g_strconcat(halves[0], inside, halves[1], NULL));
}

static struct domain *run_with(const char *inside)
{
        struct domain *domain = make(inside);

        fake_driver_start(fake, domain);
        return domain;
}

static void set(struct domain *domain, unsigned count, unsigned flags)
{
        domain_set_vcpus(domain, count, flags, fake_driver_done, &outcome);
}

static void expect_count(const struct domain_def *def, unsigned count, unsigned maximum)
{
        ck_assert_uint_eq(def->vcpus, count);
        ck_assert_uint_eq(def->max_vcpus, maximum);
}

START_TEST(of_a_definition)
{
        struct domain *domain = make(TWO_OF_FOUR);

        set(domain, 3, CURRENT);
        expect(NULL, "", "-P; ");
        expect_count(get_config(domain), 3, 4);
        expect_text(get_config(domain), "<vcpus>", false);
        set(domain, 1, CONFIG);
        expect(NULL, "", "-P; ");
        expect_count(get_config(domain), 1, 4);
        set(domain, 2, CONFIG | HOTPLUGGABLE);
        expect(NULL, "", "-P; ");
        expect_text(get_config(domain), "<vcpu id='0' enabled='yes' hotpluggable='no'/>", true);
        expect_text(get_config(domain), "<vcpu id='1' enabled='yes' hotpluggable='yes'/>", true);
        expect_text(get_config(domain), "<vcpu id='3' enabled='no' hotpluggable='yes'/>", true);
        /* Those that stay come first: one behind one that may go may go, too. */
        set(domain, 3, CONFIG);
        expect(NULL, "", "-P; ");
        expect_text(get_config(domain), "<vcpu id='2' enabled='yes' hotpluggable='yes'/>", true);
}
END_TEST

#define FIRST_AND_LAST                                                                                       \
        "<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>"                      \
        "<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>"

/* The lowest that is off comes, the highest that may goes; their order is that in which they came. */
START_TEST(one_by_one)
{
        struct domain *domain = run_with(FIRST_AND_LAST);
        g_autoptr(GPtrArray) pins = NULL;

        fake_driver_expect_vcpus(get_config(domain), "0+s1 1-h0 2-h0 3+h2 ");
        pins = domain_get_vcpu_pins(domain, CONFIG, NULL);
        ck_assert_uint_eq(pins->len, 4);
        set(domain, 3, LIVE);
        expect(NULL, "reach vcpus-3 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+h3 2-h0 3+h2 ");
        set(domain, 2, LIVE);
        expect(NULL, "reach vcpus-2 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+h2 2-h0 3-h0 ");
        set(domain, 3, CONFIG);
        expect(NULL, "save ", "AP; ");
        fake_driver_expect_vcpus(get_config(domain), "0+s0 1+s0 2-h0 3+h0 ");
        set(domain, 1, CONFIG);
        expect(NULL, "save ", "AP; ");
        fake_driver_expect_vcpus(get_config(domain), "0+s0 1-h0 2-h0 3-h0 ");
        set(domain, 2, CONFIG | MAXIMUM);
        expect(NULL, "save ", "AP; ");
        fake_driver_expect_vcpus(get_config(domain), "0+s0 1-h0 ");
        expect_count(get_config(domain), 1, 2);
}
END_TEST

START_TEST(the_maximum)
{
        struct domain *domain = make("<vcpu>4</vcpu><cputune><vcpupin vcpu='1' cpuset='0'/>"
                                     "<vcpupin vcpu='3' cpuset='0'/></cputune>");

        set(domain, 2, CONFIG | MAXIMUM);
        expect(NULL, "", "-P; ");
        expect_count(get_config(domain), 2, 2);
        expect_text(get_config(domain), "<vcpupin vcpu='1'", true);
        expect_text(get_config(domain), "<vcpupin vcpu='3'", false);
        set(domain, 8, CONFIG | MAXIMUM);
        expect(NULL, "", "-P; ");
        expect_count(get_config(domain), 2, 8);
        set(domain, 17, CONFIG | MAXIMUM);
        expect("invalid argument: 17 vCPUs are more than the 16 that the machine of domain 'web' can have",
               "", "");
        fake_driver_start(fake, domain);
        set(domain, 4, MAXIMUM);
        expect("invalid argument: the maximum number of vCPUs is a definition's (flag CONFIG)", "", "");
        set(domain, 4, LIVE | CONFIG | MAXIMUM);
        expect("Requested operation is not valid: the maximum number of vCPUs of domain 'web' is fixed while "
               "it runs",
               "reach ", "");
}
END_TEST

START_TEST(a_maximum_that_others_name)
{
        static const struct {
                const char *inside, *error;
        } cases[] = {
                { "<vcpu>4</vcpu><cpu><topology sockets='2' cores='2' threads='1'/></cpu>",
                  "invalid argument: the <topology> of domain 'web' has 4 CPUs, not 2" },
                { "<vcpu>4</vcpu><cpu><numa><cell id='0' cpus='0-3' memory='65536'/></numa></cpu>",
                  "invalid argument: a NUMA cell of <cpu> of domain 'web' names a vCPU beyond the first 2" },
                { "<vcpu>4</vcpu><cputune><vcpusched vcpus='3' scheduler='batch'/></cputune>",
                  "invalid argument: <vcpusched> of domain 'web' names a vCPU beyond the first 2" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                set(make(cases[i].inside), 2, CONFIG | MAXIMUM);
                expect(cases[i].error, "", "");
        }
}
END_TEST

/* What comes may go again; what was there at the start stays. */
START_TEST(of_a_guest)
{
        struct domain *domain = run_with(TWO_OF_FOUR);

        set(domain, 4, LIVE);
        expect(NULL, "reach vcpus-4 save ", "AP; ");
        expect_count(get_live(domain), 4, 4);
        expect_count(get_config(domain), 2, 4);
        expect_text(get_live(domain), "<vcpu id='1' enabled='yes' hotpluggable='no' order='2'/>", true);
        expect_text(get_live(domain), "<vcpu id='3' enabled='yes' hotpluggable='yes' order='4'/>", true);
        set(domain, 2, CURRENT);
        expect(NULL, "reach vcpus-2 save ", "AP; ");
        expect_count(get_live(domain), 2, 4);
        set(domain, 1, LIVE);
        expect("unsupported configuration: vCPU 1 of domain 'web' cannot go while the domain runs: it was "
               "there at the start (hotpluggable='no')",
               "reach ", "");
        set(domain, 3, BOTH);
        expect(NULL, "reach vcpus-3 save ", "AP; ");
        expect_count(get_live(domain), 3, 4);
        expect_count(get_config(domain), 3, 4);
        set(domain, 5, BOTH);
        expect("invalid argument: 5 vCPUs are more than the maximum of domain 'web', 4", "reach ", "");
}
END_TEST

/* The guest does not let go of it: the definition that was written already is as it was. */
START_TEST(a_guest_that_fails)
{
        struct domain *domain = run_with(TWO_OF_FOUR);
        g_autofree char *before = fake_driver_read_file(fake, domain), *after = NULL;

        fake->fail = "vcpus-3";
        set(domain, 3, BOTH);
        expect("operation failed: told to fail: vcpus-3", "reach vcpus-3 ", "");
        after = fake_driver_read_file(fake, domain);
        ck_assert_str_eq(before, after);
        expect_count(get_live(domain), 2, 4);
        expect_count(get_config(domain), 2, 4);
}
END_TEST

START_TEST(a_file_that_fails)
{
        struct domain *domain = run_with(TWO_OF_FOUR);

        fake_driver_break_store(fake, domain);
        set(domain, 3, BOTH);
        while (outcome.count == 0)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach ");
        expect_count(get_live(domain), 2, 4);
        g_clear_pointer(&outcome.error, g_free);
        fake_driver_mend_store(fake, domain);
}
END_TEST

static void note_refusal(uint64_t count, const GError *error, void *data)
{
        *(char **)data = g_strdup(error ? error->message : "counted");
}

static void expect_refused(struct domain *domain, unsigned flags, const char *refusal)
{
        g_autofree char *text = NULL;

        domain_get_vcpus(domain, flags, note_refusal, &text);
        ck_assert_str_eq(text, refusal);
}

static void note_count(uint64_t count, const GError *error, void *data)
{
        *(uint64_t *)data = error ? 0 : count;
}

/* 0: it is an error. */
static void expect_told(struct domain *domain, unsigned flags, unsigned expected)
{
        uint64_t count = 99;

        domain_get_vcpus(domain, flags, note_count, &count);
        ck_assert_uint_eq(count, expected);
}

START_TEST(refused)
{
        struct domain *domain = make(TWO_OF_FOUR);

        set(domain, 0, CONFIG);
        expect("invalid argument: a domain cannot be without vCPUs", "", "");
        set(domain, 3, LIVE);
        expect("Requested operation is not valid: domain 'web' is not running", "", "");
        set(domain, 3, MAXIMUM | HOTPLUGGABLE | CONFIG);
        expect("invalid argument: flags 0x16 ask for more than one of maximum, guest and hotpluggable", "",
               "");
        set(domain, 3, GUEST | CONFIG);
        expect("invalid argument: flags 0xa ask a definition for a guest's agent", "", "");
        set(domain, 3, 32);
        expect("invalid argument: unsupported flags (0x20) in function SetVcpus", "", "");
        expect_told(domain, CONFIG | MAXIMUM, 4);
        expect_told(domain, CONFIG, 2);
        for (unsigned kind = 0; kind <= MAXIMUM; kind += MAXIMUM) {
                expect_told(domain, kind, kind ? 4 : 2);
                expect_told(domain, kind | CONFIG, kind ? 4 : 2);
                expect_refused(domain, kind | LIVE,
                               "Requested operation is not valid: domain 'web' is not running");
                expect_refused(domain, kind | GUEST | LIVE,
                               "Requested operation is not valid: domain 'web' is not running");
                for (unsigned guest = 0; guest <= GUEST; guest += GUEST)
                        expect_refused(domain, kind | guest | LIVE | CONFIG,
                                       "invalid argument: flags LIVE and CONFIG exclude each other in a "
                                       "query of domain 'web'");
                for (unsigned side = CURRENT; side <= CONFIG; side += CONFIG)
                        expect_refused(domain, kind | GUEST | side,
                                       "invalid argument: domain 'web' is not running, and has no agent "
                                       "that could count its vCPUs");
        }
        expect_refused(domain, HOTPLUGGABLE,
                       "invalid argument: unsupported flags (0x10) in function GetVcpus");
}
END_TEST

/* Also where the definition is named: what it says is not what the guest uses. */
START_TEST(guest_is_asked)
{
        struct domain *domain = run_with(TWO_OF_FOUR);
        const unsigned sides[] = { CURRENT, LIVE, CONFIG };

        for (unsigned i = 0; i < G_N_ELEMENTS(sides); i++) {
                g_autofree char *text = NULL;

                domain_get_vcpus(domain, GUEST | sides[i], note_refusal, &text);
                while (!text)
                        loop_step(fake->base.loop, true);
                ck_assert_msg(strstr(text, "agent") != NULL, "%u: %s", sides[i], text);
        }
}
END_TEST

/* ---- pins ---- */

static void pin(struct domain *domain, enum domain_threads who, unsigned id, const char *map, unsigned flags)
{
        g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(bool));

        for (; *map; map++) {
                bool is_in = *map == 'y';

                g_array_append_val(cpus, is_in);
        }
        domain_set_pin(domain, who, id, cpus, flags, fake_driver_done, &outcome);
}

static void expect_map(const GArray *cpus, const char *map)
{
        ck_assert_ptr_nonnull(cpus);
        ck_assert_uint_eq(cpus->len, strlen(map));
        for (unsigned i = 0; i < cpus->len; i++)
                ck_assert_msg(g_array_index(cpus, bool, i) == (map[i] == 'y'), "CPU %u of %s", i, map);
}

/* The test host has eight CPUs. */
START_TEST(pins)
{
        struct domain *domain = run_with(TWO_OF_FOUR);
        g_autoptr(GPtrArray) rows = NULL;
        g_autoptr(GArray) emulator = NULL;

        pin(domain, DOMAIN_THREADS_VCPU, 1, "nyny", BOTH);
        expect(NULL, "reach tune-1 save ", TUNED);
        expect_text(get_live(domain), "<vcpupin vcpu='1' cpuset='1,3'/>", true);
        expect_text(get_config(domain), "<vcpupin vcpu='1' cpuset='1,3'/>", true);
        pin(domain, DOMAIN_THREADS_VCPU, 1, "y", LIVE);
        expect(NULL, "reach tune-1 save ", TUNED);
        expect_text(get_live(domain), "<vcpupin vcpu='1' cpuset='0'/>", true);
        expect_text(get_config(domain), "<vcpupin vcpu='1' cpuset='1,3'/>", true);
        pin(domain, DOMAIN_THREADS_EMULATOR, 0, "nnnnnnny", CONFIG);
        expect(NULL, "save ", "AP; ");
        rows = domain_get_vcpu_pins(domain, LIVE, NULL);
        ck_assert_uint_eq(rows->len, 2);
        expect_map(g_ptr_array_index(rows, 0), "yyyyyyyy");
        expect_map(g_ptr_array_index(rows, 1), "ynnnnnnn");
        emulator = domain_get_emulator_pin(domain, CONFIG, NULL);
        expect_map(emulator, "nnnnnnny");
}
END_TEST

START_TEST(pins_that_fail)
{
        struct domain *domain = run_with(TWO_OF_FOUR);

        pin(domain, DOMAIN_THREADS_VCPU, 0, "nnnn", CURRENT);
        expect("invalid argument: PinVcpu to no CPU at all", "", "");
        pin(domain, DOMAIN_THREADS_EMULATOR, 0, "", CURRENT);
        expect("invalid argument: PinEmulator to no CPU at all", "", "");
        pin(domain, DOMAIN_THREADS_VCPU, 0, "ynnnnnnnn", CURRENT);
        expect("invalid argument: a map of 9 CPUs is longer than the host has, 8", "", "");
        pin(domain, DOMAIN_THREADS_VCPU, 4, "y", CURRENT);
        expect("invalid argument: vCPU 4 is not one of the 4 that domain 'web' can have", "reach ", "");
        fake->fail = "tune-1";
        pin(domain, DOMAIN_THREADS_VCPU, 0, "y", BOTH);
        expect("operation failed: told to fail: tune-1", "reach tune-1 ", "");
        expect_text(get_config(domain), "vcpupin", false);
}
END_TEST

/* The guest has them already: it gets back what it had. */
START_TEST(a_pin_that_is_not_stored)
{
        struct domain *domain = run_with(TWO_OF_FOUR);

        fake_driver_break_store(fake, domain);
        pin(domain, DOMAIN_THREADS_VCPU, 0, "y", BOTH);
        while (outcome.count == 0)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach tune-1 tune-1 ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_text(get_live(domain), "vcpupin", false);
        g_clear_pointer(&outcome.error, g_free);
        fake_driver_mend_store(fake, domain);
}
END_TEST

/* ---- I/O threads ---- */

START_TEST(iothreads)
{
        struct domain *domain = run_with("<vcpu>1</vcpu><iothreads>2</iothreads><cputune>"
                                         "<iothreadsched iothreads='1-2' scheduler='batch'/>"
                                         "<iothreadpin iothread='2' cpuset='0'/></cputune>");
        g_autoptr(GArray) list = NULL;

        domain_add_iothread(domain, 7, BOTH, fake_driver_done, &outcome);
        expect(NULL, "reach iothread-add-7 save ", "AP; ");
        expect_text(get_live(domain), "<iothreads>3</iothreads>", true);
        expect_text(get_live(domain), "<iothread id='1'/>", true);
        expect_text(get_config(domain), "<iothread id='7'/>", true);
        pin(domain, DOMAIN_THREADS_IOTHREAD, 7, "ny", LIVE);
        expect(NULL, "reach tune-1 save ", TUNED);
        list = domain_get_iothreads(domain, LIVE, NULL);
        ck_assert_uint_eq(list->len, 3);
        ck_assert_uint_eq(g_array_index(list, struct domain_iothread_info, 2).id, 7);
        expect_map(g_array_index(list, struct domain_iothread_info, 1).cpus, "ynnnnnnn");
        expect_map(g_array_index(list, struct domain_iothread_info, 2).cpus, "nynnnnnn");
        domain_delete_iothread(domain, 2, CONFIG, fake_driver_done, &outcome);
        expect(NULL, "save ", "AP; ");
        expect_text(get_config(domain), "iothreadpin", false);
        expect_text(get_config(domain), "<iothreadsched iothreads='1' scheduler='batch'/>", true);
        domain_delete_iothread(domain, 1, CONFIG, fake_driver_done, &outcome);
        expect(NULL, "save ", "AP; ");
        expect_text(get_config(domain), "cputune", false);
        domain_delete_iothread(domain, 7, BOTH, fake_driver_done, &outcome);
        expect(NULL, "reach iothread-del-7 save ", "AP; ");
        expect_text(get_config(domain), "iothread", false);
        expect_text(get_live(domain), "<iothreads>2</iothreads>", true);
}
END_TEST

START_TEST(iothreads_that_fail)
{
        struct domain *domain = run_with(
                "<vcpu>1</vcpu><iothreads>1</iothreads><devices><disk type='file'><driver "
                "iothread='1'/><source file='/a'/><target dev='vda' bus='virtio'/></disk></devices>");

        domain_add_iothread(domain, 1, BOTH, fake_driver_done, &outcome);
        expect("invalid argument: domain 'web' has I/O thread 1 already", "reach ", "");
        domain_add_iothread(domain, 0, BOTH, fake_driver_done, &outcome);
        expect("invalid argument: 0 is not the number of an I/O thread", "", "");
        domain_delete_iothread(domain, 2, LIVE, fake_driver_done, &outcome);
        expect("invalid argument: domain 'web' does not have I/O thread 2 (it has 1)", "reach ", "");
        domain_delete_iothread(domain, 1, LIVE, fake_driver_done, &outcome);
        expect("invalid argument: I/O thread 1 of domain 'web' is that of disk 'vda'", "reach ", "");
        pin(domain, DOMAIN_THREADS_IOTHREAD, 3, "y", LIVE);
        expect("invalid argument: domain 'web' does not have I/O thread 3 (it has 1)", "reach ", "");
        fake->fail = "iothread-add-2";
        domain_add_iothread(domain, 2, BOTH, fake_driver_done, &outcome);
        expect("operation failed: told to fail: iothread-add-2", "reach iothread-add-2 ", "");
        expect_text(get_config(domain), "iothreadids", false);
        fake->fail = NULL;
        fake_driver_break_store(fake, domain);
        domain_add_iothread(domain, 2, BOTH, fake_driver_done, &outcome);
        while (outcome.count == 0)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->calls->str, "reach iothread-add-2 iothread-del-2 ");
        g_clear_pointer(&outcome.error, g_free);
        fake_driver_mend_store(fake, domain);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-vcpus", setup_domains, teardown_domains, of_a_definition, one_by_one, the_maximum,
                   a_maximum_that_others_name, of_a_guest, a_guest_that_fails, a_file_that_fails, refused,
                   guest_is_asked, pins, pins_that_fail, a_pin_that_is_not_stored, iothreads,
                   iothreads_that_fail)
