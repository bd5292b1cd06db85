/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of x86 CPU models, as QEMU's query-cpu-model-expansion shows them, and the search in it. Any
 * thread. */

#include "drivers/host/cpu-models.h"

#include <glib.h>
#include <string.h>

#define INTEL "GenuineIntel"
#define AMD   "AuthenticAMD"
#define HYGON "HygonGenuine"

/* A parent stands before its children. */
/* clang-format off */
static const struct cpu_model models[] = {
        { "486", NULL, 4, 8, NULL, "fpu pse vme" },
        { "pentium", NULL, 5, 4, "486", "apic cx8 de mce mmx msr tsc" },
        { "qemu32", NULL, 6, 6, "pentium", "cmov fxsr pae pat pge pni sep sse sse2 -vme" },
        { "pentium2", NULL, 6, 5, "qemu32", "mca mtrr pse36 vme -pni -sse -sse2" },
        { "pentium3", NULL, 6, 7, "pentium2", "sse" },
        { "kvm32", NULL, 15, 6, "pentium3", "clflush pni sse2" },
        { "athlon", AMD, 6, 2, "pentium3", "3dnow 3dnowext mmxext sse2" },
        { "Opteron_G1", AMD, 15, 6, "kvm32", "lm nx syscall" },
        { "coreduo", INTEL, 6, 14, "kvm32", "acpi monitor nx ss -pse36" },
        { "kvm64", NULL, 15, 6, "Opteron_G1", "cx16" },
        { "Conroe", INTEL, 6, 15, "Opteron_G1", "lahf_lm ssse3" },
        { "qemu64", NULL, 15, 107, "kvm64", "lahf_lm svm -vme" },
        { "Opteron_G2", AMD, 15, 6, "qemu64", "vme" },
        { "n270", INTEL, 6, 28, "coreduo", "lahf_lm movbe ssse3" },
        { "Penryn", INTEL, 6, 23, "Conroe", "cx16 sse4.1" },
        { "Nehalem", INTEL, 6, 26, "Penryn", "popcnt sse4.2" },
        { "core2duo", INTEL, 6, 15, "Conroe", "acpi cx16 monitor ss" },
        { "Nehalem-IBRS", INTEL, 6, 26, "Nehalem", "spec-ctrl" },
        { "Opteron_G3", AMD, 16, 2, "Opteron_G2", "abm misalignsse monitor popcnt rdtscp sse4a" },
        { "Westmere", INTEL, 6, 44, "Nehalem", "aes arat pclmuldq" },
        { "Westmere-IBRS", INTEL, 6, 44, "Westmere", "spec-ctrl" },
        { "phenom", AMD, 16, 2, "Opteron_G3", "3dnow 3dnowext fxsr_opt mmxext npt pdpe1gb -misalignsse" },
        { "SandyBridge", INTEL, 6, 42, "Westmere", "avx rdtscp tsc-deadline x2apic xsave xsaveopt" },
        { "SandyBridge-IBRS", INTEL, 6, 42, "SandyBridge", "spec-ctrl" },
        { "IvyBridge", INTEL, 6, 58, "SandyBridge", "erms f16c fsgsbase rdrand smep" },
        { "IvyBridge-IBRS", INTEL, 6, 58, "IvyBridge", "spec-ctrl" },
        { "Opteron_G4", AMD, 21, 1, "Opteron_G3",
          "3dnowprefetch aes avx fma4 npt nrip-save pclmuldq pdpe1gb sse4.1 sse4.2 ssse3 xop "
          "xsave -monitor" },
        { "Opteron_G5", AMD, 21, 2, "Opteron_G4", "f16c fma tbm" },
        { "Haswell-noTSX", INTEL, 6, 60, "IvyBridge", "abm avx2 bmi1 bmi2 fma invpcid movbe pcid" },
        { "Haswell-noTSX-IBRS", INTEL, 6, 60, "Haswell-noTSX", "spec-ctrl" },
        { "Haswell", INTEL, 6, 60, "Haswell-noTSX", "hle rtm" },
        { "Haswell-IBRS", INTEL, 6, 60, "Haswell", "spec-ctrl" },
        { "Broadwell-noTSX", INTEL, 6, 61, "Haswell-noTSX", "3dnowprefetch adx rdseed smap" },
        { "Broadwell-noTSX-IBRS", INTEL, 6, 61, "Broadwell-noTSX", "spec-ctrl" },
        { "Broadwell", INTEL, 6, 61, "Broadwell-noTSX", "hle rtm" },
        { "Denverton", INTEL, 6, 95, "IvyBridge-IBRS",
          "3dnowprefetch arch-capabilities clflushopt monitor movbe mpx pdpe1gb rdctl-no rdseed "
          "sha-ni skip-l1dfl-vmentry smap ssbd xgetbv1 xsavec -avx -f16c" },
        { "Broadwell-IBRS", INTEL, 6, 61, "Broadwell", "spec-ctrl" },
        { "Skylake-Client-noTSX-IBRS", INTEL, 6, 94, "Broadwell-noTSX-IBRS", "xgetbv1 xsavec" },
        { "Skylake-Client", INTEL, 6, 94, "Broadwell", "xgetbv1 xsavec" },
        { "Skylake-Client-IBRS", INTEL, 6, 94, "Skylake-Client", "spec-ctrl" },
        { "KnightsMill", INTEL, 6, 133, "Broadwell-noTSX",
          "avx512-4fmaps avx512-4vnniw avx512-vpopcntdq avx512cd avx512er avx512f avx512pf "
          "pdpe1gb ss -invpcid -pcid -smap" },
        { "Snowridge", INTEL, 6, 134, "Denverton",
          "cldemote clwb core-capability gfni movdir64b movdiri split-lock-detect umip -rdctl-no "
          "-skip-l1dfl-vmentry" },
        { "Dhyana", HYGON, 24, 0, "Skylake-Client-noTSX-IBRS",
          "clflushopt cr8legacy fxsr_opt ibpb misalignsse mmxext monitor npt nrip-save osvw "
          "pdpe1gb sse4a svm topoext -aes -erms -invpcid -pcid -pclmuldq -spec-ctrl -tsc-deadline "
          "-x2apic" },
        { "EPYC", AMD, 23, 1, "Dhyana", "aes pclmuldq sha-ni -ibpb" },
        { "Skylake-Server-noTSX-IBRS", INTEL, 6, 85, "Skylake-Client-noTSX-IBRS",
          "avx512bw avx512cd avx512dq avx512f avx512vl clwb pdpe1gb pku" },
        { "EPYC-IBPB", AMD, 23, 1, "EPYC", "ibpb" },
        { "Skylake-Server", INTEL, 6, 85, "Skylake-Server-noTSX-IBRS", "clflushopt hle rtm -spec-ctrl" },
        { "Skylake-Server-IBRS", INTEL, 6, 85, "Skylake-Server-noTSX-IBRS", "hle rtm" },
        { "Cascadelake-Server", INTEL, 6, 85, "Skylake-Server", "avx512vnni spec-ctrl ssbd" },
        { "Cascadelake-Server-noTSX", INTEL, 6, 85, "Cascadelake-Server",
          "arch-capabilities ibrs-all mds-no rdctl-no skip-l1dfl-vmentry -hle -rtm" },
        { "EPYC-Rome", AMD, 23, 49, "EPYC-IBPB",
          "amd-stibp clwb clzero perfctr_core rdpid umip wbnoinvd xsaveerptr xsaves" },
        { "Icelake-Server-noTSX", INTEL, 6, 134, "Cascadelake-Server",
          "avx512-vpopcntdq avx512bitalg avx512vbmi avx512vbmi2 gfni la57 umip vaes vpclmulqdq "
          "wbnoinvd -hle -rtm" },
        { "Cooperlake", INTEL, 6, 85, "Cascadelake-Server-noTSX",
          "avx512-bf16 hle pschange-mc-no rtm stibp taa-no" },
        { "Icelake-Server", INTEL, 6, 134, "Icelake-Server-noTSX", "hle rtm" },
        { "EPYC-Milan", AMD, 25, 1, "EPYC-Rome", "amd-ssbd erms fsrm ibrs invpcid pcid pku svme-addr-chk" },
};
/* clang-format on */

const char *cpu_vendor_get_name(const char *vendor)
{
        if (g_strcmp0(vendor, INTEL) == 0)
                return "Intel";
        if (g_strcmp0(vendor, AMD) == 0)
                return "AMD";
        if (g_strcmp0(vendor, HYGON) == 0)
                return "Hygon";
        return NULL;
}

const struct cpu_model *cpu_model_find(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                if (g_str_equal(models[i].name, name))
                        return &models[i];
        }
        return NULL;
}

const struct cpu_model *cpu_model_get(unsigned index)
{
        return index < G_N_ELEMENTS(models) ? &models[index] : NULL;
}

void cpu_model_get_features(const struct cpu_model *model, struct cpu_features *features)
{
        g_auto(GStrv) names = g_strsplit(model->features, " ", -1);

        memset(features, 0, sizeof(*features));
        if (model->parent)
                cpu_model_get_features(cpu_model_find(model->parent), features);
        for (char **name = names; *name; name++) {
                bool known = **name == '-' ? cpu_features_remove(features, *name + 1)
                                           : cpu_features_add(features, *name);

                g_assert(known);
        }
}

/*
 * How far the model is from the CPU; UINT_MAX when one does not get there. What it has and the CPU lacks
 * weighs twice: it should be a CPU that this one can pass for, but also one of its time. What QEMU emulates
 * is an EPYC without some features, as for libvirt, rather than a phenom with many.
 */
static unsigned distance(const struct cpu_model *model, const struct cpu_features *features, bool may_lack)
{
        struct cpu_features own, missing, extra;

        cpu_model_get_features(model, &own);
        cpu_features_drop_msr(&own);
        missing = cpu_features_minus(&own, features);
        extra = cpu_features_minus(features, &own);
        if (!may_lack && cpu_features_count(&missing))
                return UINT_MAX;
        return 2 * cpu_features_count(&missing) + cpu_features_count(&extra);
}

const struct cpu_model *cpu_model_choose(const struct cpu_identity *identity,
                                         const struct cpu_features *features, bool may_lack,
                                         cpu_model_filter filter, void *data)
{
        const struct cpu_model *best = NULL;
        unsigned best_distance = UINT_MAX;
        bool best_same = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                const struct cpu_model *model = &models[i];
                bool same = model->family == identity->family && model->model == identity->model;
                unsigned steps;

                if (model->vendor && !g_str_equal(model->vendor, identity->vendor))
                        continue;
                if (filter && !filter(model, data))
                        continue;
                steps = distance(model, features, may_lack);
                if (steps < best_distance ||
                    (steps == best_distance && steps != UINT_MAX && same && !best_same)) {
                        best = model;
                        best_distance = steps;
                        best_same = same;
                }
        }
        return best;
}
