/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/check-boot: what firmware is asked for and what the machine is.
 */
#include "tests/unit/check-main.h"
#include "tests/unit/domain-machine.h"

static const struct domain_machine q35 = { DOMAIN_MACHINE_Q35, .net_model = "e1000e" };
static const struct domain_machine i440fx = {
        DOMAIN_MACHINE_X86,
        .machine = "pc-i440fx-7.2",
        .pci_root = true,
        .net_model = "e1000e",
};

/* The loader and more go into <os>. */
static const struct {
        const char *machine, *os, *features, *part;
} boots[] = {
        { "pc", "<loader readonly='yes' secure='yes' type='pflash'>/x</loader>", "<smm state='on'/>",
          "secure boot needs a machine of type 'q35'" },
        { "q35", "<loader readonly='yes' secure='yes' type='pflash'>/x</loader>", "",
          "secure boot needs <smm state='on'/> in <features>" },
        { "q35", "<loader readonly='yes' secure='yes' type='pflash'>/x</loader>", "<smm state='off'/>",
          "which is off" },
        { "q35", "<loader secure='yes' type='rom'>/x</loader>", "<smm state='on'/>",
          "of type 'pflash', not 'rom'" },
        { "q35", "<loader readonly='yes' stateless='yes' type='pflash'>/x</loader><nvram>/y</nvram>", "",
          "keeps no variables" },
        { "q35", "<firmware><feature enabled='yes' name='secure-boot'/></firmware><loader secure='no'/>", "",
          "contradict each other" },
        { "q35", "<firmware><feature enabled='yes' name='secure-boot'/></firmware>", "<smm state='off'/>",
          "which is off" },
        { "q35",
          "<firmware><feature enabled='no' name='secure-boot'/><feature enabled='yes' "
          "name='enrolled-keys'/></firmware>",
          "", "nothing without 'secure-boot'" },
        { "q35", "<loader readonly='yes' secure='yes' type='pflash'>/x</loader>", "<smm state='on'/>", NULL },
        { "q35", "<loader readonly='yes' secure='no' type='pflash'>/x</loader>", "", NULL },
        { "q35", "<firmware><feature enabled='yes' name='secure-boot'/></firmware><loader secure='yes'/>", "",
          NULL },
        { "pc", "<loader readonly='yes' stateless='yes' type='pflash'>/x</loader>", "", NULL },
        { "q35",
          "<loader type='pflash'>/x</loader><nvram type='volume'><source pool='a' volume='b'/></nvram>", "",
          "<nvram type='volume'>: it is 'file', 'block' or 'network'" },
        { "q35", "<loader type='pflash'>/x</loader><nvram type='block'/>", "", "needs a <source dev=>" },
        { "q35", "<loader type='pflash'>/x</loader><nvram type='network'/>", "",
          "needs a <source protocol=>" },
        { "q35",
          "<loader type='pflash'>/x</loader><nvram type='network'><source protocol='nbd' name='x'><host "
          "name='h' port='7'/></source></nvram>",
          "", NULL },
        { "q35", "<loader type='pflash'>/x</loader><nvram type='block'><source dev='/dev/x'/></nvram>", "",
          NULL },
};

START_TEST(test_boot)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(boots); i++) {
                bool automatic = !strstr(boots[i].os, ">/x<");
                g_autofree char *text = g_strdup_printf(
                        "<domain "
                        "type='qemu'><name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</"
                        "uuid><memory>65536</memory>"
                        "<os%s><type machine='%s'>hvm</type>%s</os><features><acpi/>%s</features></domain>",
                        automatic ? " firmware='efi'" : "", boots[i].machine, boots[i].os, boots[i].features);

                check_text(text, strcmp(boots[i].machine, "q35") == 0 ? &q35 : &i440fx, boots[i].part);
        }
}
END_TEST

CHECK_MAIN("domain-check-boot", test_boot)
