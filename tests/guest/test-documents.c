/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Documents as people write them, started: QEMU has the last word on whether the machine that was made of one
 * is one.
 */

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

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
        /* of later libvirts */
        { "",
          "<iommu model='amd'><driver intremap='off' iotlb='on' passthrough='off'/></iommu><rng "
          "model='virtio'><backend model='random'/></rng><video><model type='vga' edid='off'/></video>",
          "<iommu model='amd'>" },
        { "<maxMemory slots='2' unit='KiB'>1048576</maxMemory><memory>196608</memory><cpu><numa><cell id='0' "
          "cpus='0' memory='65536'/></numa></cpu>",
          "<memory "
          "model='nvdimm'><uuid>2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11</uuid><source><path>@FILE@</path>"
          "</source><target><size>131072</size><node>0</node></target></memory>",
          "<uuid>2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11</uuid>" },
        { "", "<viosock model='none'/>", NULL },
};

/* 128 MiB of nothing. */
static char *make_file(void)
{
        char *file = harness_path(harness, "file");

        ck_assert(g_file_set_contents(file, "", 0, NULL));
        ck_assert_int_eq(truncate(file, 128 << 20), 0);
        return file;
}

static void check_running(unsigned i)
{
        g_autofree char *text = document(running[i].top, "", running[i].devices), *file = make_file();
        g_autoptr(GString) whole = g_string_new(text);
        g_autofree char *path = NULL, *xml = NULL;

        g_string_replace(whole, "@FILE@", file, 0);
        path = guest_start(client, g_strdup(whole->str));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

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

/* ---- disks behind groups of limits ---- */

#define BEHIND(target, file)                                                                                 \
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='" file "'/>"          \
        "<target dev='" target "' bus='virtio'/><shareable/><throttlefilters><throttlefilter group='slow'/>" \
        "</throttlefilters></disk>"

/* One group for all of them, also for the one that comes later; nobody else says what their limits are. */
START_TEST(test_throttle_groups)
{
        static const char groups[] =
                "<throttlegroups><throttlegroup><total_bytes_sec>1000000</total_bytes_sec>"
                "<total_bytes_sec_max>3000000</total_bytes_sec_max><group_name>slow</group_name>"
                "</throttlegroup></throttlegroups>";
        g_autofree char *text = document(groups, "", BEHIND("vda", "@FILE@") BEHIND("vdb", "@FILE@")),
                        *file = make_file(), *path = NULL, *line = NULL, *name = NULL, *hot = NULL;
        g_autoptr(GString) whole = g_string_new(text);
        gsize length = 0;

        g_string_replace(whole, "@FILE@", file, 0);
        path = guest_start(client, g_strdup(whole->str));
        name = g_strdup_printf("/proc/%d/cmdline", (int)harness_find_guest(harness, "guest=web"));
        ck_assert(g_file_get_contents(name, &line, &length, NULL));
        ck_assert_ptr_nonnull(memmem(line, length, "\"bps-total\":1000000", strlen("\"bps-total\":1000000")));
        hot = g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source "
                              "file='%s'/><target dev='vdc' bus='virtio'/><shareable/><throttlefilters>"
                              "<throttlefilter group='slow'/></throttlefilters></disk>",
                              file);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", hot, 1 | 2);
        for (unsigned flags = 0; flags <= 2; flags += 2) {
                g_autofree char *document =
                        client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);
                g_auto(GStrv) parts = g_strsplit(document, "<throttlefilter group='slow'/>", -1);

                ck_assert_uint_eq(g_strv_length(parts), 4);
                ck_assert_ptr_null(strstr(document, "<iotune>"));
        }
        guest_do_flags(client, path, "Destroy", 0);
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

#define RAW_LOADER                                                                                           \
        "<loader type='pflash' readonly='yes'>" OVMF "OVMF_CODE.fd</loader><nvram template='" OVMF           \
        "OVMF_VARS.fd' templateFormat='raw'/>"
enum { WITH_NVRAM = 4, KEEP_NVRAM = 8 };
#define UUID "6ec6da0a-1d36-4c6e-b9ea-7f7e7b6a2a61"

/* suffix: of its file's name; flags: of Undefine. */
static void expect_store(const char *loader, const char *suffix, unsigned flags)
{
        g_autofree char *text = document("", loader, "");
        g_autoptr(GString) whole = g_string_new(text);
        g_autofree char *path = NULL, *xml = NULL, *element = NULL;
        const char *start, *end;

        g_string_replace(whole, "<uuid></uuid>", "<uuid>" UUID "</uuid>", 1);
        path = guest_start(client, g_strdup(whole->str));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        start = strstr(xml, "<nvram");
        end = start ? strstr(start, "</nvram>") : NULL;
        element = end ? g_strndup(start, (gsize)(end - start)) : NULL;
        ck_assert_msg(element, "no store for %s: %s", loader, xml);
        ck_assert(g_file_test(strrchr(element, '>') + 1, G_FILE_TEST_IS_REGULAR));
        ck_assert_msg(g_str_has_suffix(element, suffix), "%s", element);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", flags);
}

/* No descriptor names OVMF_CODE.fd; what stands beside it is its store's template. */
START_TEST(test_loader)
{
        if (!g_file_test(OVMF "OVMF_CODE.fd", G_FILE_TEST_EXISTS) ||
            !g_file_test(OVMF "OVMF_VARS.fd", G_FILE_TEST_EXISTS)) {
                harness_skip("there is no " OVMF "OVMF_CODE.fd with its variables");
                return;
        }
        expect_store("<loader type='pflash' readonly='yes'>" OVMF "OVMF_CODE.fd</loader>", "_VARS.fd",
                     WITH_NVRAM);
        expect_store("<loader type='pflash'>" OVMF "OVMF_CODE.fd</loader><nvram template='" OVMF
                     "OVMF_VARS.fd'/>",
                     "_VARS.fd", WITH_NVRAM);
}
END_TEST

static char *convert(const char *name)
{
        g_autofree char *image = g_strdup_printf("%s/%s.qcow2", harness_get_root(harness), name),
                        *source = g_strconcat(OVMF, name, ".fd", NULL);
        const char *const argv[] = { "qemu-img", "convert", "-O", "qcow2", source, image, NULL };
        int status;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               &status, NULL) &&
                  g_spawn_check_wait_status(status, NULL));
        return g_steal_pointer(&image);
}

/* Firmware in images: its store is one, too, and its name says so; a copy is never of another format. */
START_TEST(test_image_store)
{
        g_autofree char *code = NULL, *vars = NULL, *good = NULL, *bad = NULL, *path = NULL;

        if (!g_file_test(OVMF "OVMF_CODE.fd", G_FILE_TEST_EXISTS) ||
            !g_file_test(OVMF "OVMF_VARS.fd", G_FILE_TEST_EXISTS)) {
                harness_skip("there is no " OVMF "OVMF_CODE.fd with its variables");
                return;
        }
        code = convert("OVMF_CODE");
        vars = convert("OVMF_VARS");
        good = g_strdup_printf("<loader type='pflash' readonly='yes' format='qcow2'>%s</loader><nvram "
                               "template='%s' templateFormat='qcow2'/>",
                               code, vars);
        expect_store(good, "_VARS.qcow2", KEEP_NVRAM);
        /* It is this guest's still, whatever firmware reads it. */
        expect_store(RAW_LOADER, "_VARS.qcow2", WITH_NVRAM);
        expect_store(RAW_LOADER, "_VARS.fd", KEEP_NVRAM);
        expect_store(good, "_VARS.fd", WITH_NVRAM);
        bad = g_strdup_printf("<loader type='pflash' readonly='yes' format='qcow2'>%s</loader><nvram "
                              "template='" OVMF "OVMF_VARS.fd' templateFormat='raw' format='qcow2'/>",
                              code);
        path = guest_define(client, document("", bad, ""));
        client_fails(client, LIBVIRT_ERROR, "*_VARS.qcow2*of format 'qcow2'*OVMF_VARS.fd*of format 'raw'*",
                     path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("documents");
        TCase *tcase = tcase_create("documents");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_running);
        tcase_add_test(tcase, test_throttle_groups);
        tcase_add_test(tcase, test_refused);
        tcase_add_test(tcase, test_loader);
        tcase_add_test(tcase, test_image_store);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
