/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <capabilities> and <domainCapabilities> documents, from an emulator that is a JSON text. */
#include "drivers/qemu/capabilities-xml.h"
#include "drivers/qemu/domain-capabilities-xml.h"

#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/qemu-caps.h"
#include "drivers/qemu/resolve.h"
#include "tests/unit/check-main.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

static const char emulator[] =
        "{'path': '/usr/bin/qemu-x', 'version': 7002022, 'arch': 'x86_64',"
        " 'machines': [{'name': 'pc-q35-7.2', 'alias': 'q35', 'cpu-max': 288},"
        "  {'name': 'pc-i440fx-1.4', 'cpu-max': 255, 'deprecated': true},"
        "  {'name': 'pc-i440fx-7.2', 'alias': 'pc', 'cpu-max': 255, 'is-default': true}],"
        " 'types': ['virtio-blk-pci', 'virtio-blk-pci-transitional', 'VGA', 'qxl-vga', 'ide-hd', 'isa-fdc', "
        "'iothread',"
        "  'memory-backend-memfd'],"
        " 'options': ['vnc'], 'hyperv': ['vapic'],"
        " 'cpus': {'tcg': {'models': [{'name': 'max'}, {'name': 'qemu64', 'unavailable-features': []}]},"
        "  'kvm': {'models': [{'name': 'host', 'unavailable-features': []},"
        "    {'name': 'Nehalem', 'unavailable-features': ['popcnt']},"
        "    {'name': '486', 'unavailable-features': [], 'deprecated': true}],"
        "   'host': {'vendor': 'GenuineIntel', 'features': ['fpu', 'vme', 'tsc']}}}}";

static char *root;
static const struct host *host;
static const struct qemu_caps *caps;
static struct firmware_list *firmware;

static void put(const char *path, const char *text)
{
        g_autofree char *file = g_strconcat(root, path, NULL);
        g_autofree char *dir = g_path_get_dirname(file);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(file, text, -1, NULL));
}

static void setup(void)
{
        g_autofree char *json = g_strdelimit(g_strdup(emulator), "'", '"');
        g_autofree char *descriptor = NULL;
        json_t *document = json_loads(json, 0, NULL);

        root = g_dir_make_tmp("test-qemu-capabilities-XXXXXX", NULL);
        descriptor = g_strdup_printf(
                "{\"interface-types\": [\"uefi\"], \"mapping\": {\"device\": \"flash\", \"executable\": "
                "{\"filename\":"
                " \"%s/code\", \"format\": \"raw\"}, \"nvram-template\": {\"filename\": \"%s/vars\", "
                "\"format\": \"raw\"}},"
                " \"targets\": [{\"architecture\": \"x86_64\", \"machines\": [\"pc-q35-*\"]}],"
                " \"features\": [\"secure-boot\", \"requires-smm\"]}",
                root, root);
        put("/usr/share/qemu/firmware/1.json", descriptor);
        put("/code", "");
        host = host_new_test();
        caps = qemu_caps_new(document, NULL);
        json_decref(document);
        ck_assert_ptr_nonnull(caps);
        firmware = firmware_list_load_at(root, NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void teardown(void)
{
        firmware_list_free(firmware);
        qemu_caps_unref(caps);
        host_unref(host);
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(root);
}

static void expect(const char *document, const char *text)
{
        ck_assert_msg(strstr(document, text), "no \"%s\" in:\n%s", text, document);
}

static void expect_not(const char *document, const char *text)
{
        ck_assert_msg(!strstr(document, text), "\"%s\" in:\n%s", text, document);
}

START_TEST(test_capabilities)
{
        static const struct host_secmodel none = { "none", "0", NULL };
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        struct capabilities_request request = {
                .host = host, .caps = all, .secmodels = &none, .n_secmodels = 1
        };
        g_autofree char *text = NULL;

        g_ptr_array_add(all, (void *)caps);
        text = capabilities_format(&request);
        expect(text, "    <secmodel>\n      <model>none</model>\n      <doi>0</doi>\n");
        /* No migration, so nothing is said of it. */
        expect_not(text, "migration_features");
        expect(text, "    <arch name='x86_64'>\n      <wordsize>64</wordsize>\n      "
                     "<emulator>/usr/bin/qemu-x</emulator>\n"
                     "      <machine maxCpus='255'>pc-i440fx-7.2</machine>\n"
                     "      <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine>\n"
                     "      <machine maxCpus='288'>pc-q35-7.2</machine>\n"
                     "      <machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>\n"
                     "      <machine maxCpus='255' deprecated='yes'>pc-i440fx-1.4</machine>\n"
                     "      <domain type='qemu'/>\n      <domain type='kvm'/>\n    </arch>\n");
        /* The same emulator runs 32-bit guests. */
        expect(text, "    <arch name='i686'>\n      <wordsize>32</wordsize>\n      "
                     "<emulator>/usr/bin/qemu-x</emulator>\n");
        expect(text,
               "    <features>\n      <pae/>\n      <nonpae/>\n      <acpi default='on' toggle='yes'/>\n");
        expect_not(text, "aarch64");
}
END_TEST

static char *format(const char *arch, const char *machine, const char *type)
{
        struct resolve_request request = { .arch = arch, .machine = machine, .type = type };
        struct resolve_result result;
        struct domain_capabilities_request wanted = { .target = &result, .host = host, .firmware = firmware };

        ck_assert(resolve_check(caps, &request, &result, NULL));
        return domain_capabilities_format(&wanted);
}

START_TEST(test_kvm)
{
        g_autofree char *text = format(NULL, NULL, NULL);

        expect(text, "<domainCapabilities>\n  <path>/usr/bin/qemu-x</path>\n  <domain>kvm</domain>\n"
                     "  <machine>pc-i440fx-7.2</machine>\n  <arch>x86_64</arch>\n  <vcpu max='255'/>\n"
                     "  <iothreads supported='yes'/>\n");
        /* The firmware is for another machine. */
        expect(text, "    <enum name='firmware'/>\n    <loader supported='yes'>\n      <enum name='type'>\n");
        expect(text, "      <enum name='secure'>\n        <value>no</value>\n      </enum>\n");
        expect(text, "    <mode name='host-passthrough' supported='yes'>\n");
        expect(text,
               "    <mode name='host-model' supported='yes'>\n      <model fallback='forbid'>486</model>\n"
               "      <vendor>Intel</vendor>\n      <feature policy='require' name='tsc'/>\n"
               "      <feature policy='disable' name='pse'/>\n    </mode>\n");
        expect(text, "      <model usable='no' vendor='Intel'>Nehalem</model>\n"
                     "      <model usable='yes' deprecated='yes' vendor='unknown'>486</model>\n");
        expect(text, "      <enum name='bus'>\n        <value>ide</value>\n        <value>fdc</value>\n"
                     "        <value>virtio</value>\n      </enum>\n");
        expect(text,
               "        <value>virtio</value>\n        <value>virtio-transitional</value>\n      </enum>\n");
        expect(text, "      <enum name='type'>\n        <value>vnc</value>\n      </enum>\n");
        expect(text, "        <value>vga</value>\n        <value>qxl</value>\n        <value>none</value>\n  "
                     "    </enum>\n");
        expect(text, "    <rng supported='no'/>\n");
        expect(text, "      <enum name='features'>\n        <value>vapic</value>\n        "
                     "<value>spinlocks</value>\n"
                     "        <value>vendor_id</value>\n      </enum>\n");
}
END_TEST

START_TEST(test_tcg)
{
        g_autofree char *text = format(NULL, "q35", "qemu");
        g_autofree char *loader = g_strdup_printf("      <value>%s/code</value>\n", root);

        expect(text, "  <domain>qemu</domain>\n  <machine>pc-q35-7.2</machine>\n");
        expect(text, "    <enum name='firmware'>\n      <value>efi</value>\n    </enum>\n");
        expect(text, loader);
        expect(text, "      <enum name='secure'>\n        <value>yes</value>\n        <value>no</value>\n    "
                     "  </enum>\n");
        expect(text, "    <mode name='host-passthrough' supported='no'/>\n");
        expect(text, "    <mode name='host-model' supported='no'/>\n");
        expect(text, "      <enum name='bus'>\n        <value>fdc</value>\n        <value>virtio</value>\n");
        expect(text, "    <hyperv supported='no'/>\n");
}
END_TEST

START_TEST(test_emulators)
{
        CLEANUP(host_unref) const struct host *real = host_new_real();
        g_autoptr(GPtrArray) paths = capabilities_find_emulators(real);

        ck_assert_ptr_null(g_ptr_array_index(paths, paths->len - 1));
        for (unsigned i = 0; i + 1 < paths->len; i++) {
                ck_assert(g_file_test(g_ptr_array_index(paths, i), G_FILE_TEST_IS_EXECUTABLE));
                for (unsigned j = 0; j < i; j++)
                        ck_assert_str_ne(g_ptr_array_index(paths, i), g_ptr_array_index(paths, j));
        }
}
END_TEST

CHECK_MAIN_FIXTURE("qemu-capabilities", setup, teardown, test_capabilities, test_kvm, test_tcg,
                   test_emulators)
