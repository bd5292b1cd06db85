/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents as people write them, started: QEMU has the last word on whether the machine that was made of one
 * is one.
 */

#include <glib/gstdio.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define OVMF "/usr/share/OVMF/"

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

/* A guest of q35; top goes beside <devices> (its <memory> is there without one), os into <os>. */
static char *document(const char *top, const char *os, const char *devices)
{
        return g_strdup_printf(
                "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                "<name>web</name><uuid></uuid>%s%s<os firmware=''><type machine='q35'>hvm</type>%s</os>"
                "<features><acpi/></features><on_crash/><devices/><devices>%s</devices></domain>",
                guest_get_type(), strstr(top, "<memory") ? "" : "<memory>65536</memory>", top, os, devices);
}

/* ---- what runs ---- */

static const struct {
        const char *top, *devices;
        const char *live; /* a part of the active document; NULL: nothing in particular */
} running[] = {
        { "<memory>66000</memory>", "", "<memory unit='KiB'>66560</memory>" },
        { "<memory unit='MB'>70</memory>", "", "<memory unit='KiB'>68608</memory>" },
        { "<vcpu>4</vcpu><cpu><numa><cell cpus='0' memory='33000'/><cell cpus='2' "
          "memory='33001'/></numa></cpu>",
          "", "<cell id='0' cpus='0-1,3' memory='33792' unit='KiB'/>" },
        { "<vcpu>1</vcpu><cpu><numa><cell cpus='0' memory='65536' memAccess='shared'/></numa></cpu>", "",
          NULL },
        { "<resource><partition>/machine</partition></resource><memtune/><blkiotune/>", "", NULL },
        { "<memtune><hard_limit unit='KiB'>9007199254740991</hard_limit></memtune>", "", NULL },
        { "<clock offset=''/><iothreads></iothreads><metadata><mine/></metadata>", "", NULL },
        { "<qemu:capabilities><qemu:del capability='drive'/></qemu:capabilities><qemu:deprecation "
          "behavior='omit'/>",
          "", NULL },
        { "", "<serial type='null'/><serial type='null'><target port='0'/></serial>",
          "<target type='isa-serial' port='1'>" },
        { "",
          "<controller type='virtio-serial' index='1'/><channel type='null'><target type='virtio' "
          "name='a'/></channel>",
          "<controller type='virtio-serial' index='0'>" },
        { "",
          "<controller type='pci' index='1' model='pcie-root-port'/>"
          "<controller type='pci' index='2' model='pcie-switch-upstream-port'/>"
          "<controller type='pci' index='3' model='pcie-switch-downstream-port'/>"
          "<controller type='pci' index='4' model='pcie-switch-downstream-port'><target "
          "hotplug='off'/></controller>"
          "<controller type='pci' index='5' model='pcie-switch-upstream-port'/>",
          "hotplug='off'" },
        { "",
          "<controller type='pci' index='1' model='pcie-to-pci-bridge'><address type='pci' "
          "bus='0x02'/></controller>"
          "<controller type='pci' index='2' model='pcie-root-port'/>",
          NULL },
        { "", "<video><model type=''/></video>", "<model type=" },
};

static void check_running(unsigned i)
{
        g_autofree char *path = guest_start(client, document(running[i].top, "", running[i].devices));
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

        ck_assert_msg(!running[i].live || strstr(xml, running[i].live), "'%s' is not in %s", running[i].live,
                      xml);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 0);
}

START_TEST(test_running)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(running); i++)
                check_running(i);
}
END_TEST

/* ---- what is refused when it starts, and by which words ---- */

static const struct {
        const char *top, *os, *devices, *text;
} refused[] = {
        { "<resource><partition>/machine/../gold</partition></resource>", "", "",
          "*/machine/../gold*not supported*" },
        { "", "", "<disk type='file'><source file='rel.img'/><target dev='vda'/></disk>",
          "*rel.img*not absolute*" },
        { "", "<loader type='pflash' readonly='yes'>/nonexistent/CODE.fd</loader>", "",
          "*no variable store*/nonexistent/CODE.fd*" },
};

static void check_refused(unsigned i)
{
        g_autofree char *path =
                guest_define(client, document(refused[i].top, refused[i].os, refused[i].devices));

        client_fails(client, LIBVIRT_ERROR, refused[i].text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
}

START_TEST(test_refused)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
                check_refused(i);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

/* ---- firmware ---- */

static void expect_store(const char *loader)
{
        g_autofree char *path = guest_start(client, document("", loader, ""));
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        const char *start = strstr(xml, "<nvram"), *end = start ? strstr(start, "</nvram>") : NULL;
        g_autofree char *element = end ? g_strndup(start, (gsize)(end - start)) : NULL;

        ck_assert_msg(element, "no store for %s: %s", loader, xml);
        ck_assert(g_file_test(strrchr(element, '>') + 1, G_FILE_TEST_IS_REGULAR));
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 4); /* with NVRAM */
}

/* No descriptor names OVMF_CODE.fd; what stands beside it is its store's template. */
START_TEST(test_loader)
{
        if (!g_file_test(OVMF "OVMF_CODE.fd", G_FILE_TEST_EXISTS) ||
            !g_file_test(OVMF "OVMF_VARS.fd", G_FILE_TEST_EXISTS)) {
                harness_skip("there is no " OVMF "OVMF_CODE.fd with its variables");
                return;
        }
        expect_store("<loader type='pflash' readonly='yes'>" OVMF "OVMF_CODE.fd</loader>");
        expect_store("<loader type='pflash'>" OVMF "OVMF_CODE.fd</loader><nvram template='" OVMF
                     "OVMF_VARS.fd'/>");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("documents");
        TCase *tcase = tcase_create("documents");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_running);
        tcase_add_test(tcase, test_refused);
        tcase_add_test(tcase, test_loader);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
