/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware descriptors: which are read, which hide others, and which one a guest gets. */
#include "drivers/qemu/firmware.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/vhost-user-gpu.h"
#include "tests/unit/check-main.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *root;

static void put(const char *path, const char *text)
{
        g_autofree char *file = g_strconcat(root, path, NULL);
        g_autofree char *dir = g_path_get_dirname(file);
        g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(file, json, -1, NULL));
}

/* A descriptor like those that distributions ship. */
static void put_flash_of(const char *path, const char *loader, const char *format, const char *machines,
                         const char *features)
{
        g_autofree char *text = g_strdup_printf(
                "{'description': 'x', 'interface-types': ['uefi'], 'mapping': {'device': 'flash', "
                "'executable':"
                " {'filename': '%s', 'format': '%s'}, 'nvram-template': {'filename': '%s.vars', 'format': "
                "'qcow2'}},"
                " 'targets': [{'architecture': 'x86_64', 'machines': [%s]}], 'features': [%s], 'tags': []}",
                loader, format, loader, machines, features);

        put(path, text);
}

static void put_flash(const char *path, const char *loader, const char *machines, const char *features)
{
        put_flash_of(path, loader, "raw", machines, features);
}

static void setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        root = g_dir_make_tmp("test-firmware-XXXXXX", NULL);
        put_flash("/usr/share/qemu/firmware/40-enrolled.json", "/fw/ms", "'pc-q35-*'",
                  "'enrolled-keys', 'requires-smm', 'secure-boot'");
        put_flash("/usr/share/qemu/firmware/50-secure.json", "/fw/secure", "'pc-q35-*'",
                  "'requires-smm', 'secure-boot'");
        put_flash("/usr/share/qemu/firmware/60-plain.json", "/fw/plain", "'pc-i440fx-*', 'pc-q35-*'",
                  "'acpi-s3'");
        put("/usr/share/qemu/firmware/70-bios.json",
            "{'interface-types': ['bios'], 'mapping': {'device': 'memory', 'filename': '/fw/bios'},"
            " 'targets': [{'architecture': 'i386', 'machines': ['pc-*']}], 'features': []}");
        put("/usr/share/qemu/firmware/80-stateless.json",
            "{'interface-types': ['uefi'], 'mapping': {'device': 'flash', 'mode': 'stateless', 'executable':"
            " {'filename': '/fw/stateless', 'format': 'raw'}},"
            " 'targets': [{'architecture': 'x86_64', 'machines': ['pc-q35-*']}], 'features': ['amd-sev']}");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void teardown(void)
{
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(root);
}

/* The loader that such a guest gets; NULL: none. */
static const char *choose(const struct firmware_list *list, struct firmware_request request)
{
        const struct firmware *firmware;

        request.arch = request.arch ? request.arch : "x86_64";
        request.machine = request.machine ? request.machine : "pc-q35-7.2";
        request.interface = request.interface ? request.interface : FIRMWARE_UEFI;
        firmware = firmware_list_choose(list, &request, NULL);
        return firmware ? firmware->loader : NULL;
}

#define ON  DOMAIN_SWITCH_ON
#define OFF DOMAIN_SWITCH_OFF

START_TEST(choice)
{
        CLEANUP(firmware_list_free) struct firmware_list *list = firmware_list_load_at(root, NULL);
        static const struct {
                struct firmware_request request;
                const char *loader;
        } cases[] = {
                { { .machine = "pc-i440fx-7.2" }, "/fw/plain" },
                { { .stateless = DOMAIN_SWITCH_ABSENT }, "/fw/ms" },
                { { .secure_boot = ON }, "/fw/ms" },
                { { .secure_boot = ON, .enrolled_keys = OFF }, "/fw/secure" },
                { { .enrolled_keys = OFF }, "/fw/secure" },
                { { .secure_boot = OFF }, "/fw/plain" },
                { { .secure_boot = OFF, .enrolled_keys = ON }, NULL },
                { { .smm = OFF }, "/fw/plain" },
                { { .smm = OFF, .secure_boot = ON }, NULL },
                { { .stateless = ON }, "/fw/stateless" },
                { { .loader_type = "rom" }, NULL },
                { { .loader = "/fw/secure" }, "/fw/secure" },
                { { .machine = "pc-i440fx-7.2", .secure_boot = ON }, NULL },
                { { .machine = "microvm" }, NULL },
                { { .arch = "aarch64" }, NULL },
                { { .arch = "i686", .machine = "pc-i440fx-7.2", .interface = FIRMWARE_BIOS }, "/fw/bios" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                const char *loader = choose(list, cases[i].request);

                ck_assert_msg(g_strcmp0(loader, cases[i].loader) == 0, "case %u: %s", i,
                              loader ? loader : "none");
        }
}
END_TEST

START_TEST(facts)
{
        CLEANUP(firmware_list_free) struct firmware_list *list = firmware_list_load_at(root, NULL);
        const struct firmware *secure = firmware_list_find(list, "/fw/secure");
        g_autoptr(GPtrArray) old = firmware_list_filter(list, "x86_64", "pc-i440fx-7.2");
        g_autoptr(GPtrArray) q35 = firmware_list_filter(list, "x86_64", "pc-q35-7.2");

        ck_assert_ptr_nonnull(secure);
        ck_assert_str_eq(secure->loader_format, "raw");
        ck_assert_str_eq(secure->nvram_template, "/fw/secure.vars");
        ck_assert_str_eq(secure->nvram_format, "qcow2");
        ck_assert(secure->requires_smm && secure->secure_boot && !secure->enrolled_keys);
        ck_assert_int_eq(secure->device, FIRMWARE_FLASH);
        ck_assert_ptr_null(firmware_list_find(list, "/fw/none"));
        ck_assert_uint_eq(old->len, 1);
        ck_assert_uint_eq(q35->len, 4);
}
END_TEST

/* Stores that are there are raw: images are for who asks for them, and where there is nothing else. */
START_TEST(formats)
{
        CLEANUP(firmware_list_free) struct firmware_list *list = NULL;
        const struct firmware_request none = {
                .machine = "pc-i440fx-7.2", .format = "qcow2", .arch = "x86_64", .interface = FIRMWARE_UEFI
        };
        g_autoptr(GError) error = NULL;

        put_flash_of("/usr/share/qemu/firmware/30-image.json", "/fw/image", "qcow2", "'pc-q35-*', 'microvm'",
                     "");
        list = firmware_list_load_at(root, NULL);
        ck_assert_pstr_eq(choose(list, (struct firmware_request){ .secure_boot = OFF }), "/fw/plain");
        ck_assert_pstr_eq(choose(list, (struct firmware_request){ .format = "raw" }), "/fw/ms");
        ck_assert_pstr_eq(choose(list, (struct firmware_request){ .format = "qcow2" }), "/fw/image");
        ck_assert_pstr_eq(choose(list, (struct firmware_request){ .machine = "microvm" }), "/fw/image");
        ck_assert_ptr_null(firmware_list_choose(list, &none, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "format 'qcow2'"));
}
END_TEST

START_TEST(refusal)
{
        CLEANUP(firmware_list_free) struct firmware_list *list = firmware_list_load_at(root, NULL);
        struct firmware_request request = {
                .arch = "x86_64", .machine = "microvm", .interface = FIRMWARE_UEFI, .secure_boot = ON
        };
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(firmware_list_choose(list, &request, &error));
        ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        ck_assert_ptr_nonnull(strstr(error->message, "microvm"));
        ck_assert_ptr_nonnull(strstr(error->message, "secure-boot on"));
}
END_TEST

/* The administrator's file hides the package's, an empty one takes it away, the user's goes before both. */
START_TEST(layers)
{
        g_autofree char *home = g_strconcat(root, "/home", NULL);
        CLEANUP(firmware_list_free) struct firmware_list *list = NULL;
        CLEANUP(firmware_list_free) struct firmware_list *without = NULL;

        put("/etc/qemu/firmware/40-enrolled.json", "");
        put_flash("/etc/qemu/firmware/50-secure.json", "/fw/etc", "'pc-q35-*'",
                  "'requires-smm', 'secure-boot'");
        put_flash("/home/qemu/firmware/50-secure.json", "/fw/home", "'pc-q35-*'",
                  "'requires-smm', 'secure-boot'");
        list = firmware_list_load_at(root, home);
        ck_assert_str_eq(choose(list, (struct firmware_request){ .secure_boot = ON }), "/fw/home");
        without = firmware_list_load_at(root, NULL);
        ck_assert_str_eq(choose(without, (struct firmware_request){ .secure_boot = ON }), "/fw/etc");
}
END_TEST

/* What is broken or of a kind to come is left out, and the rest is there. */
START_TEST(broken)
{
        static const char *const texts[] = {
                "{",
                "[]",
                "{'mapping': {'device': 'flash'}}",
                "{'mapping': {'device': 'tape', 'filename': '/x'}}",
                "{'mapping': {'device': 'memory', 'filename': 'relative'}}",
                "{'mapping': {'device': 'flash', 'mode': 'new', 'executable': {'filename': '/x', 'format': "
                "'raw'}}}",
                "{'mapping': 3, 'targets': 'x', 'features': {}}",
                "{'interface-types': ['uefi'], 'mapping': {'device': 'memory', 'filename': '/x'}, 'targets': "
                "[1, {},"
                " {'architecture': 'x86_64', 'machines': [2]}], 'features': [4]}",
        };
        CLEANUP(firmware_list_free) struct firmware_list *list = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autofree char *path = g_strdup_printf("/usr/share/qemu/firmware/1%u.json", i);

                put(path, texts[i]);
        }
        put("/usr/share/qemu/firmware/README", "no descriptor");
        list = firmware_list_load_at(root, NULL);
        ck_assert_str_eq(choose(list, (struct firmware_request){ .secure_boot = OFF }), "/fw/plain");
        ck_assert_str_eq(choose(list, (struct firmware_request){ .stateless = DOMAIN_SWITCH_ABSENT }),
                         "/fw/ms");
}
END_TEST

/* Files that packages bring are no guest's, by whatever name. */
START_TEST(everybody)
{
        CLEANUP(firmware_list_free) struct firmware_list *list = NULL;
        g_autofree char *vars = g_strconcat(root, "/x.vars", NULL), *code = g_strconcat(root, "/x", NULL),
                        *link = g_strconcat(root, "/link", NULL), *own = g_strconcat(root, "/own", NULL);

        put("/x", "code");
        put("/x.vars", "vars");
        put("/own", "vars");
        ck_assert_int_eq(symlink(vars, link), 0);
        put_flash("/usr/share/qemu/firmware/90-x.json", code, "'pc-q35-*'", "");
        list = firmware_list_load_at(root, NULL);
        ck_assert(firmware_list_has_file(list, vars));
        ck_assert(firmware_list_has_file(list, code));
        ck_assert(firmware_list_has_file(list, link));
        ck_assert(firmware_list_has_file(list, "/usr/bin/env"));
        ck_assert(!firmware_list_has_file(list, own));
        ck_assert(!firmware_list_has_file(list, "/no/where"));
}
END_TEST

START_TEST(nothing_installed)
{
        g_autofree char *empty = g_strconcat(root, "/nothing", NULL);
        CLEANUP(firmware_list_free) struct firmware_list *list = firmware_list_load_at(empty, empty);

        ck_assert_ptr_null(choose(list, (struct firmware_request){ .stateless = DOMAIN_SWITCH_ABSENT }));
}
END_TEST

static void expect_template(const char *loader, const char *expected)
{
        g_autofree char *path = g_strconcat(root, loader, NULL), *found = firmware_find_template(path);
        g_autofree char *whole = expected ? g_strconcat(root, expected, NULL) : NULL;

        ck_assert_pstr_eq(found, whole);
}

START_TEST(beside)
{
        put("/fw/OVMF_CODE.fd", "x");
        put("/fw/OVMF_VARS.fd", "x");
        put("/fw/OVMF_VARS_4M.ms.fd", "x");
        put("/fw/edk2-i386-vars.fd", "x");
        put("/CODE/alone.fd", "x");
        expect_template("/fw/OVMF_CODE.fd", "/fw/OVMF_VARS.fd");
        expect_template("/fw/OVMF_CODE_4M.ms.fd", "/fw/OVMF_VARS_4M.ms.fd");
        expect_template("/fw/OVMF_CODE.secboot.fd", "/fw/OVMF_VARS.fd");
        expect_template("/fw/edk2-x86_64-code.fd", "/fw/edk2-i386-vars.fd");
        expect_template("/fw/OVMF_CODE_4M.fd", NULL);
        expect_template("/fw/OVMF.fd", NULL);
        expect_template("/CODE/alone.fd", NULL);
}
END_TEST

/* The first that can be run counts; what is nearer hides what is further off. */
START_TEST(served)
{
        g_autofree char *one = NULL, *two = NULL, *none = NULL, *other = NULL;

        put("/usr/share/qemu/vhost-user/10-gone.json", "{'type': 'gpu', 'binary': '/there/is/none'}");
        put("/usr/share/qemu/vhost-user/20-input.json", "{'type': 'input', 'binary': '/bin/cat'}");
        put("/usr/share/qemu/vhost-user/50-gpu.json", "{'type': 'gpu', 'binary': '/bin/true'}");
        one = vhost_user_find_program(root, NULL, "gpu");
        ck_assert_str_eq(one, "/bin/true");
        put("/etc/qemu/vhost-user/40-own.json", "{'type': 'gpu', 'binary': '/bin/false'}");
        two = vhost_user_find_program(root, NULL, "gpu");
        ck_assert_str_eq(two, "/bin/false");
        put("/etc/qemu/vhost-user/40-own.json", "");
        put("/etc/qemu/vhost-user/50-gpu.json", "{'type': 'gpu', 'binary': 'true'}");
        none = vhost_user_find_program(root, NULL, "gpu");
        ck_assert_ptr_null(none);
        other = vhost_user_find_program(root, NULL, "input");
        ck_assert_str_eq(other, "/bin/cat");
}
END_TEST

CHECK_MAIN_FIXTURE("firmware", setup, teardown, choice, facts, formats, refusal, layers, broken, everybody,
                   nothing_installed, beside, served)
