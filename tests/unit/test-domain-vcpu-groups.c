/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCPUs that come and go in groups, the threads of a core of pseries: what is refused of a definition, and
 * how many there are (SetVcpus).
 */
#include "drivers/domain/domain.h"

#include "tests/unit/domain-fixture.h"
#include "tests/unit/domain-machine.h"

#include <string.h>

enum {
        MAXIMUM = DOMAIN_VCPU_MAXIMUM,
        HOTPLUGGABLE = DOMAIN_VCPU_HOTPLUGGABLE,
};

#define CORES "<cpu><topology sockets='1' cores='4' threads='2'/></cpu>"
#define FIRST "<vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='yes' order='1'/>"
#define PAIR(one, two, rest)                                                                                 \
        "<vcpu id='" one "' enabled='yes' hotpluggable='yes' " rest "/><vcpu id='" two                       \
        "' enabled='yes' hotpluggable='yes' " rest "/>"

static const struct {
        const char *vcpus, *part; /* of the error; NULL: it is taken */
} definitions[] = {
        { "<vcpu>8</vcpu>", NULL },
        { "<vcpu current='4'>8</vcpu>", NULL },
        { "<vcpu>8</vcpu><vcpus>" FIRST PAIR("6", "7", "order='2'") PAIR("2", "3", "order='3'") "</vcpus>",
          NULL },
        { "<vcpu current='3'>8</vcpu>", "3 vCPUs are not whole cores" },
        { "<vcpu>8</vcpu><vcpus><vcpu id='0' enabled='yes'/></vcpus>", "vCPUs 0 and 1 differ in <vcpus>" },
        { "<vcpu>8</vcpu><vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='yes'/>"
          "<vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>",
          "vCPUs 2 and 3 differ in <vcpus>" },
        { "<vcpu>8</vcpu><vcpus>" FIRST "<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>",
          "vCPUs 2 and 3 differ in <vcpus>" },
        { "<vcpu>8</vcpu><vcpus>" FIRST "<vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/>"
          "<vcpu id='3' enabled='yes' hotpluggable='no' order='2'/></vcpus>",
          "vCPUs 2 and 3 differ in <vcpus>" },
        { "<vcpu>8</vcpu><vcpus>" FIRST "<vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/>"
          "<vcpu id='3' enabled='yes' hotpluggable='yes' order='3'/></vcpus>",
          "vCPUs 2 and 3 differ in <vcpus>" },
        { "<vcpu>8</vcpu><vcpus>" FIRST PAIR("2", "3", "order='2'") PAIR("4", "5", "order='2'") "</vcpus>",
          "two vCPUs have order 2" },
};

START_TEST(of_documents)
{
        const struct domain_machine pseries = { .type = "qemu",
                                                .arch = "ppc64",
                                                .machine = "pseries-7.2",
                                                .emulator = "/usr/bin/qemu-system-ppc64",
                                                .max_vcpus = 1024,
                                                .pci_root = true,
                                                .spapr = true,
                                                .assign_addresses = true };

        for (unsigned i = 0; i < G_N_ELEMENTS(definitions); i++) {
                g_autofree char *text =
                        g_strdup_printf("<domain type='qemu'><name>p</name><uuid>" FAKE_UUID
                                        "</uuid><memory>262144</memory>%s<os><type>hvm</type></os>"
                                        "%s</domain>",
                                        definitions[i].vcpus, CORES);

                check_text(text, &pseries, definitions[i].part);
        }
}
END_TEST

/* On a PC, threads of a core are vCPUs as others, and so they are on pseries without <topology>. */
START_TEST(of_other_documents)
{
        const struct domain_machine q35 = { DOMAIN_MACHINE_Q35 };

        check_text("<domain type='qemu'><name>p</name><uuid>" FAKE_UUID
                   "</uuid><memory>262144</memory><vcpu current='3'>8</vcpu>"
                   "<os><type>hvm</type></os>" CORES "</domain>",
                   &q35, NULL);
        check_text("<domain type='qemu'><name>p</name><uuid>" FAKE_UUID
                   "</uuid><memory>262144</memory><vcpu>8</vcpu>"
                   "<vcpus>" FIRST "</vcpus><os><type>hvm</type></os></domain>",
                   &q35, "two vCPUs have order 1");
}
END_TEST

/* ---- SetVcpus ---- */

/* vcpus and what is behind it take the place of the fake's own. */
static struct domain *make(const char *vcpus, bool runs)
{
        g_autofree char *xml = fake_driver_xml(CORES);
        GString *text = g_string_new(xml);
        struct domain *domain;

        ck_assert_uint_eq(g_string_replace(text, "<vcpu>1</vcpu>", vcpus, 1), 1);
        ck_assert_uint_eq(g_string_replace(text, "<type>hvm", "<type arch='ppc64' machine='pseries'>hvm", 1),
                          1);
        domain = fake_driver_define(fake, g_string_free(text, FALSE));
        if (runs)
                fake_driver_start(fake, domain);
        return domain;
}

static void set(struct domain *domain, unsigned count, unsigned flags)
{
        domain_set_vcpus(domain, count, flags, fake_driver_done, &outcome);
}

START_TEST(of_a_definition)
{
        struct domain *domain = make("<vcpu current='2'>8</vcpu>", false);

        set(domain, 3, CONFIG);
        expect("unsupported configuration: 3 vCPUs of domain 'web' are not whole cores, which come and go on "
               "a pseries machine: those of its <topology> have 2 threads each",
               "", "");
        set(domain, 6, CONFIG);
        expect(NULL, "", "-P; ");
        ck_assert_uint_eq(get_config(domain)->vcpus, 6);
        set(domain, 2, CONFIG);
        expect(NULL, "", "-P; ");
        set(domain, 4, CONFIG | HOTPLUGGABLE);
        expect(NULL, "", "-P; ");
        fake_driver_expect_vcpus(get_config(domain), "0+s0 1+s0 2+h0 3+h0 4-h0 5-h0 6-h0 7-h0 ");
        set(domain, 4, CONFIG | MAXIMUM);
        expect("invalid argument: the <topology> of domain 'web' has 8 CPUs, not 4", "", "");
}
END_TEST

/* Each group has one order, and comes and goes whole. */
START_TEST(of_a_guest)
{
        struct domain *domain =
                make("<vcpu>8</vcpu><vcpus>" FIRST PAIR("6", "7", "order='2'") "</vcpus>", true);

        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+s1 2-h0 3-h0 4-h0 5-h0 6+h2 7+h2 ");
        set(domain, 5, LIVE);
        expect("unsupported configuration: 5 vCPUs of domain 'web' are not whole cores, which come and go on "
               "a pseries machine: those of its <topology> have 2 threads each",
               "reach ", "");
        set(domain, 8, LIVE);
        expect(NULL, "reach vcpus-8 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+s1 2+h3 3+h3 4+h4 5+h4 6+h2 7+h2 ");
        set(domain, 6, LIVE);
        expect(NULL, "reach vcpus-6 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+s1 2+h2 3+h2 4+h3 5+h3 6-h0 7-h0 ");
        set(domain, 8, CONFIG);
        expect(NULL, "save ", "AP; ");
        fake_driver_expect_vcpus(get_config(domain), "0+s0 1+s0 2+s0 3+s0 4+s0 5+s0 6+h0 7+h0 ");
        set(domain, 2, LIVE);
        expect(NULL, "reach vcpus-2 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+s1 2-h0 3-h0 4-h0 5-h0 6-h0 7-h0 ");
}
END_TEST

/* Those that it started with are numbered once a group has come. */
START_TEST(of_a_guest_without_a_list)
{
        struct domain *domain = make("<vcpu current='4'>8</vcpu>", true);

        set(domain, 6, LIVE);
        expect(NULL, "reach vcpus-6 save ", "AP; ");
        fake_driver_expect_vcpus(get_live(domain), "0+s1 1+s1 2+s2 3+s2 4+h3 5+h3 6-h0 7-h0 ");
        set(domain, 2, LIVE);
        expect("unsupported configuration: vCPU 3 of domain 'web' cannot go while the domain runs: it was "
               "there "
               "at the start (hotpluggable='no')",
               "reach ", "");
}
END_TEST

CHECK_MAIN_FIXTURE("domain-vcpu-groups", setup_domains, teardown_domains, of_documents, of_other_documents,
                   of_a_definition, of_a_guest, of_a_guest_without_a_list)
