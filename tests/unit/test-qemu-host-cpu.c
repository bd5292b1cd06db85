/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What <cpu mode='host-model'> is written as when a document is to say what it stands for.
 */
#include "drivers/qemu/host-cpu-xml.h"

#include "tests/unit/check-main.h"

#include <string.h>

static const struct qemu_cpu_feature features[] = { { "vme", true }, { "vmx", true }, { "svm", false } };
static const struct qemu_host_model host = { "Nehalem", "Intel", features, G_N_ELEMENTS(features) };

static void expect(const char *cpu, const char *expanded)
{
        g_autofree char *xml =
                g_strdup_printf("<domain type='kvm'><name>a</name><uuid>11111111-2222-3333-4444-"
                                "555555555555</uuid><memory>65536</memory><vcpu>4</vcpu><os>"
                                "<type arch='x86_64'>hvm</type></os>%s</domain>",
                                cpu);
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(xml, NULL);
        g_autofree char *text = NULL;

        ck_assert_ptr_nonnull(def);
        text = host_cpu_expand(def, &host, NULL);
        ck_assert_pstr_eq(text, expanded);
}

START_TEST(all_of_the_hosts)
{
        expect("<cpu mode='host-model' check='partial'/>",
               "<cpu mode='custom' check='partial' match='exact'>\n"
               "  <model fallback='allow'>Nehalem</model>\n"
               "  <vendor>Intel</vendor>\n"
               "  <feature policy='require' name='vme'/>\n"
               "  <feature policy='require' name='vmx'/>\n"
               "  <feature policy='disable' name='svm'/>\n"
               "</cpu>\n");
}
END_TEST

/* What the definition says itself stays: features that it names, the topology, whether another model will do.
 */
START_TEST(what_the_definition_says_stays)
{
        expect("<cpu mode='host-model'><model fallback='forbid'/><topology sockets='1' dies='1' cores='2' "
               "threads='2'/><feature policy='disable' name='vmx'/></cpu>",
               "<cpu mode='custom' match='exact' check='partial'>\n"
               "  <model fallback='forbid'>Nehalem</model>\n"
               "  <vendor>Intel</vendor>\n"
               "  <topology sockets='1' dies='1' cores='2' threads='2'/>\n"
               "  <feature policy='disable' name='vmx'/>\n"
               "  <feature policy='require' name='vme'/>\n"
               "  <feature policy='disable' name='svm'/>\n"
               "</cpu>\n");
}
END_TEST

CHECK_MAIN("qemu-host-cpu", all_of_the_hosts, what_the_definition_says_stays)
