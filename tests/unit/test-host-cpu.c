/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Comparing CPUs with a host and with each other, and what the firmware says of a host. */

#include "base/error.h"
#include "drivers/host/cpu-compare.h"
#include "drivers/host/host-sysinfo-xml.h"
#include "drivers/host/host.h"
#include "drivers/host/smbios.h"
#include "tests/unit/check-main.h"
#include "tests/unit/host-root.h"

#include <string.h>
#include <sys/utsname.h>

/* A host with the CPU of a model, and avx512f. */
static const struct host *make_host(const char *model)
{
        struct cpu_features features;

        put("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 60\n", "/proc/cpuinfo");
        cpu_model_get_features(cpu_model_find(model), &features);
        ck_assert(cpu_features_add(&features, "avx512f"));
        return host_new_at(root, &features);
}

static bool is_x86(void)
{
        struct utsname name;

        uname(&name);
        return strcmp(name.machine, "x86_64") == 0;
}

/* ---- with the host ---- */

static void compare(const char *xml, enum cpu_comparison result, const char *why)
{
        CLEANUP(host_unref) const struct host *host = make_host("Haswell-noTSX");
        g_autoptr(GError) error = NULL;

        ck_assert_msg((int)host_compare_cpu(host, xml, 0, &error) == (int)result, "%s: %s", xml,
                      error ? error->message : "another result");
        if (result == CPU_INCOMPATIBLE)
                ck_assert_int_eq(host_compare_cpu(host, xml, CPU_COMPARE_FAIL_INCOMPATIBLE, &error),
                                 CPU_COMPARE_ERROR);
        ck_assert_msg(!why == !error && (!why || strstr(error->message, why)), "%s: %s", xml,
                      error ? error->message : "no error");
}

START_TEST(with_the_host)
{
        if (!is_x86()) {
                check_skip("the CPUs of this architecture are not compared");
                return;
        }
        compare("<cpu/>", CPU_SUPERSET, NULL);
        compare("<cpu mode='host-model'/>", CPU_SUPERSET, NULL);
        compare("<cpu><arch>x86_64</arch><model>Haswell-noTSX</model></cpu>", CPU_SUPERSET, NULL);
        compare("<cpu><arch>i686</arch><model>Penryn</model><vendor>Intel</vendor></cpu>", CPU_SUPERSET,
                NULL);
        compare("<cpu><model>Haswell-noTSX</model><feature name='avx512f'/></cpu>", CPU_IDENTICAL, NULL);
        compare("<cpu match='strict'><model>Haswell-noTSX</model></cpu>", CPU_INCOMPATIBLE,
                "does not strictly match guest CPU: Extra features: avx512f");
        compare("<cpu><model>Haswell</model></cpu>", CPU_INCOMPATIBLE,
                "the CPU is incompatible with host CPU: Host CPU does not provide required features: hle, "
                "rtm");
        compare("<cpu><model>Haswell</model><feature policy='disable' name='hle'/>"
                "<feature policy='optional' name='rtm'/></cpu>",
                CPU_SUPERSET, NULL);
        compare("<cpu><model>Penryn</model><feature policy='forbid' name='avx512f'/></cpu>", CPU_INCOMPATIBLE,
                "Host CPU provides forbidden features: avx512f");
        compare("<cpu><model>Penryn</model><feature policy='forbid' name='svm'/></cpu>", CPU_SUPERSET, NULL);
        compare("<cpu><model>Penryn</model><vendor>AMD</vendor></cpu>", CPU_INCOMPATIBLE,
                "host CPU vendor does not match required CPU vendor AMD");
        compare("<cpu><arch>aarch64</arch><model>cortex-a57</model></cpu>", CPU_INCOMPATIBLE,
                "CPU architecture does not match that of the host: aarch64");
}
END_TEST

START_TEST(what_no_cpu_is)
{
        static const struct {
                const char *xml, *text;
        } cases[] = {
                { "", "XML description is not well formed" },
                { "<domain/>", "<cpu>" },
                { "<cpu mode='nix'/>", "unsupported configuration: invalid mode 'nix'" },
                { "<cpu match='nix'/>", "XML error: invalid value 'nix'" },
                { "<cpu><arch>x86_64</arch></cpu>", "XML error: missing CPU model name" },
                { "<cpu><feature name='avx'/></cpu>", "XML error: missing CPU model name" },
                { "<cpu><vendor>Intel</vendor></cpu>", "vendor specified without CPU model" },
                { "<cpu><arch>z80</arch><model>a</model></cpu>", "unknown architecture 'z80'" },
                { "<cpu><model>nix</model></cpu>", "internal error: unknown CPU model 'nix'" },
                { "<cpu><model>Penryn</model><feature name='nix'/></cpu>", "unknown CPU feature 'nix'" },
                { "<cpu><model>Penryn</model><feature/></cpu>", "invalid CPU feature name" },
                { "<cpu><model>Penryn</model><feature name='avx' policy='nix'/></cpu>",
                  "invalid feature policy 'nix'" },
                { "<cpu><model>Penryn</model><feature name='avx'/><feature name='avx'/></cpu>",
                  "CPU feature 'avx' specified more than once" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
                compare(cases[i].xml, CPU_COMPARE_ERROR, cases[i].text);
}
END_TEST

START_TEST(test_host_does_not_compare)
{
        CLEANUP(host_unref) const struct host *host = host_new_test();
        g_autoptr(GError) error = NULL;

        ck_assert_int_eq(host_compare_cpu(host, "<cpu/>", 0, &error), CPU_COMPARE_ERROR);
        ck_assert(error_is(error, ERROR_NO_SUPPORT));
}
END_TEST

/* ---- with each other ---- */

#define CPU(model, more) "<cpu><arch>x86_64</arch><model>" model "</model>" more "</cpu>"
#define RESULT(fallback, model, more)                                                                        \
        "<cpu mode='custom' match='exact'>\n  <model fallback='" fallback "'>" model "</model>\n" more       \
        "</cpu>\n"

static void baseline(const char *const *xmls, unsigned flags, const char *result)
{
        CLEANUP(host_unref) const struct host *host = host_new_test();
        g_autoptr(GError) error = NULL;
        g_autofree char *text = host_baseline_cpu(host, xmls, g_strv_length((char **)xmls), flags, &error);

        if (!text)
                ck_assert_msg(strstr(error->message, result), "%s", error->message);
        else
                ck_assert_str_eq(text, result);
}

#define BASELINE(flags, result, ...) baseline((const char *const[]){ __VA_ARGS__, NULL }, flags, result)

/* As libvirt answers the same questions. */
START_TEST(with_each_other)
{
        BASELINE(0, RESULT("allow", "Penryn", ""), CPU("Haswell", ""), CPU("Penryn", ""));
        BASELINE(0, RESULT("forbid", "Haswell", ""), CPU("Haswell", ""));
        BASELINE(0, RESULT("allow", "Penryn", "  <vendor>Intel</vendor>\n"),
                 CPU("Haswell", "<vendor>Intel</vendor>"), CPU("Penryn", "<vendor>Intel</vendor>"));
        BASELINE(0, RESULT("allow", "Penryn", ""), CPU("Haswell", "<vendor>Intel</vendor>"),
                 CPU("Penryn", ""));
        BASELINE(0,
                 RESULT("forbid", "kvm64",
                        "  <feature policy='require' name='aes'/>\n  <feature policy='require' "
                        "name='avx'/>\n"),
                 CPU("kvm64", "<feature name='avx'/><feature name='aes'/>"),
                 CPU("kvm64", "<feature name='aes'/><feature name='avx'/>"));
        BASELINE(0,
                 RESULT("forbid", "kvm64",
                        "  <feature policy='require' name='avx'/>\n  <feature policy='disable' "
                        "name='cx16'/>\n"),
                 CPU("kvm64", "<feature name='avx'/><feature policy='disable' name='cx16'/>"));
        BASELINE(0, RESULT("allow", "EPYC-Rome", ""), CPU("EPYC-Milan", ""), CPU("EPYC-Rome", ""));
}
END_TEST

START_TEST(expanded)
{
        BASELINE(CPU_BASELINE_EXPAND_FEATURES,
                 RESULT("forbid", "486",
                        "  <feature policy='require' name='avx'/>\n  <feature policy='require' name='fpu'/>\n"
                        "  <feature policy='require' name='pse'/>\n"
                        "  <feature policy='require' name='vme'/>\n"),
                 CPU("486", "<feature name='avx'/>"));
}
END_TEST

/* Of a real host, which may migrate its guests. */
START_TEST(migratable)
{
        static const char *const xmls[] = { CPU("kvm64", "<feature name='invtsc'/><feature name='avx'/>") };
        CLEANUP(host_unref) const struct host *host = make_host("Penryn");
        g_autofree char *text = host_baseline_cpu(host, xmls, 1, CPU_BASELINE_MIGRATABLE, NULL);

        ck_assert_str_eq(text, RESULT("forbid", "kvm64", "  <feature policy='require' name='avx'/>\n"));
        BASELINE(CPU_BASELINE_MIGRATABLE, "unsupported flags (0x2)", xmls[0]);
}
END_TEST

START_TEST(no_baseline)
{
        g_autofree char *blanks = g_strnfill(CPU_BASELINE_BYTES_MAX, ' ');
        const char *many[CPU_BASELINE_MAX + 2] = { NULL };

        for (unsigned i = 0; i <= CPU_BASELINE_MAX; i++)
                many[i] = CPU("kvm64", "");
        baseline(many, 0, "more than 256 CPUs, or than 1048576 bytes of them, given");
        BASELINE(0, "more than 256 CPUs", CPU("kvm64", ""), blanks);
        baseline((const char *const[]){ NULL }, 0, "invalid argument: no CPUs given");
        BASELINE(0, "operation failed: CPU vendors do not match", CPU("Haswell", "<vendor>Intel</vendor>"),
                 CPU("EPYC", "<vendor>AMD</vendor>"));
        BASELINE(0, "missing CPU architecture", "<cpu><model>kvm64</model></cpu>");
        BASELINE(0, "attribute 'mode' is only for CPUs of guests",
                 "<cpu mode='custom'><model>kvm64</model></cpu>");
        BASELINE(0, "baseline of CPUs of the architecture 's390x'",
                 "<cpu><arch>s390x</arch><model>z14</model></cpu>");
        BASELINE(0, "missing CPU model name", CPU("kvm64", ""), "<cpu><arch>x86_64</arch></cpu>");
        BASELINE(0, "unknown CPU model 'nix'", CPU("kvm64", ""), CPU("nix", ""));
}
END_TEST

START_TEST(model_names)
{
        g_autoptr(GPtrArray) x86 = host_list_cpu_models("x86_64", 0, NULL);
        g_autoptr(GPtrArray) s390 = host_list_cpu_models("s390x", 0, NULL);
        g_autoptr(GError) error = NULL;

        ck_assert(g_ptr_array_find_with_equal_func(x86, "EPYC-Milan", g_str_equal, NULL));
        ck_assert_uint_eq(s390->len, 0);
        ck_assert_ptr_null(host_list_cpu_models("", 0, &error));
        ck_assert(error_is(error, ERROR_INVALID_ARG));
        ck_assert_ptr_null(host_list_cpu_models("x86_64", 1, NULL));
}
END_TEST

/* ---- firmware ---- */

#define TABLES "/sys/firmware/dmi/tables/DMI"

static char *read_file(const char *path, gsize *length)
{
        char *bytes;

        ck_assert(g_file_get_contents(path, &bytes, length, NULL));
        return bytes;
}

static void put_tables(const char *bytes, gsize length)
{
        g_autofree char *file = root_path(TABLES);

        /* What replaces a file waits for the disk. */
        unlink(file);
        put("", TABLES);
        ck_assert(
                g_file_set_contents_full(file, bytes, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

START_TEST(firmware_tables)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        g_autofree char *tables = NULL, *document = NULL;
        gsize length;

        tables = read_file(DATA "/tables", &length);
        document = read_file(DATA "/sysinfo.xml", NULL);
        put_tables(tables, length);
        host = make_host("Penryn");
        ck_assert_msg(g_strcmp0(host_get_sysinfo(host, 0, NULL), document) == 0, "not as in sysinfo.xml");
        ck_assert_ptr_null(host_get_sysinfo(host, 1, NULL));
}
END_TEST

/* Tables that end anywhere, or are anything. */
START_TEST(broken_tables)
{
        g_autofree char *tables = NULL;
        gsize length;

        tables = read_file(DATA "/tables", &length);
        for (gsize i = 0; i < length; i += 7) {
                g_autofree uint8_t *copy = g_memdup2(tables, i ? i : 1);
                struct smbios structure;
                size_t at = 0;

                while (smbios_next(copy, i, &at, &structure)) {
                        g_autofree char *text = smbios_get_text(&structure, 4);

                        ck_assert_uint_le(at, i);
                        ck_assert_uint_eq(smbios_get(&structure, structure.length - 1u, 2), 0);
                }
        }
        for (gsize i = 0; i < length; i++) {
                g_autofree char *copy = g_memdup2(tables, length);
                g_autofree char *text = NULL;

                copy[i] = (char)(copy[i] ^ 0xff);
                put_tables(copy, length);
                text = host_sysinfo_format(root);
                ck_assert(!text || g_utf8_validate(text, -1, NULL));
        }
}
END_TEST

/* What everybody may read. */
START_TEST(firmware_files)
{
        CLEANUP(host_unref) const struct host *host = NULL;

        put("LENOVO\n", "/sys/class/dmi/id/bios_vendor");
        put("2.61\n", "/sys/class/dmi/id/bios_release");
        put("ThinkPad <1>\n", "/sys/class/dmi/id/product_family");
        put("\n", "/sys/class/dmi/id/board_name");
        host = make_host("Penryn");
        ck_assert_str_eq(host_get_sysinfo(host, 0, NULL),
                         "<sysinfo type='smbios'>\n  <bios>\n    <entry name='vendor'>LENOVO</entry>\n"
                         "    <entry name='release'>2.61</entry>\n  </bios>\n  <system>\n"
                         "    <entry name='family'>ThinkPad &lt;1&gt;</entry>\n  </system>\n  <baseBoard/>\n"
                         "  <chassis/>\n</sysinfo>\n");
}
END_TEST

START_TEST(no_firmware)
{
        CLEANUP(host_unref) const struct host *host = make_host("Penryn");
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(host_get_sysinfo(host, 0, &error));
        ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        ck_assert_ptr_nonnull(strstr(error->message, "Host SMBIOS information is not available"));
}
END_TEST

CHECK_MAIN_FIXTURE("host-cpu", make_root, remove_root, with_the_host, what_no_cpu_is,
                   test_host_does_not_compare, with_each_other, expanded, migratable, no_baseline,
                   model_names, firmware_tables, broken_tables, firmware_files, no_firmware)
