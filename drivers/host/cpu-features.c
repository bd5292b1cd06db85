/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The names of the bits of CPUID (Intel SDM volume 2, "CPUID"; AMD APM volume 3, appendix E) and reading
 * them. Any thread.
 */

#include "drivers/host/cpu-features.h"

#include <glib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

enum cpu_register {
        CPU_EAX,
        CPU_EBX,
        CPU_ECX,
        CPU_EDX,
        CPU_MSR, /* not from CPUID */
};

struct cpu_word {
        uint32_t leaf;
        uint32_t subleaf;
        enum cpu_register reg;
        const char *names[32]; /* by bit */
};

/* clang-format off */
static const struct cpu_word words[CPU_FEATURES_WORDS] = {
        { 0x1, 0, CPU_EDX, {
                [0] = "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic",
                [11] = "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush",
                [21] = "ds", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" } },
        { 0x1, 0, CPU_ECX, {
                [0] = "pni", "pclmuldq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid",
                [12] = "fma", "cx16", "xtpr", "pdcm",
                [17] = "pcid", "dca", "sse4.1", "sse4.2", "x2apic", "movbe", "popcnt", "tsc-deadline", "aes", "xsave",
                "osxsave", "avx", "f16c", "rdrand", "hypervisor" } },
        { 0x6, 0, CPU_EAX, { [2] = "arat" } },
        { 0x7, 0, CPU_EBX, {
                [0] = "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2",
                [7] = "smep", "bmi2", "erms", "invpcid", "rtm", "cmt",
                [14] = "mpx",
                [16] = "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", "pcommit", "clflushopt", "clwb",
                "intel-pt", "avx512pf", "avx512er", "avx512cd", "sha-ni", "avx512bw", "avx512vl" } },
        { 0x7, 0, CPU_ECX, {
                [1] = "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512vbmi2",
                [8] = "gfni", "vaes", "vpclmulqdq", "avx512vnni", "avx512bitalg",
                [14] = "avx512-vpopcntdq",
                [16] = "la57",
                [22] = "rdpid",
                [24] = "bus-lock-detect", "cldemote",
                [27] = "movdiri", "movdir64b",
                [30] = "sgxlc", "pks" } },
        { 0x7, 0, CPU_EDX, {
                [2] = "avx512-4vnniw", "avx512-4fmaps", "fsrm",
                [8] = "avx512-vp2intersect",
                [10] = "md-clear",
                [14] = "serialize",
                [16] = "tsx-ldtrk",
                [18] = "pconfig", "arch-lbr",
                [22] = "amx-bf16", "avx512-fp16", "amx-tile", "amx-int8", "spec-ctrl", "stibp",
                [29] = "arch-capabilities", "core-capability", "ssbd" } },
        { 0x7, 1, CPU_EAX, { [4] = "avx-vnni", "avx512-bf16" } },
        { 0xd, 1, CPU_EAX, { [0] = "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd" } },
        { 0x80000001, 0, CPU_EDX, {
                [11] = "syscall",
                [20] = "nx",
                [22] = "mmxext",
                [25] = "fxsr_opt", "pdpe1gb", "rdtscp",
                [29] = "lm", "3dnowext", "3dnow" } },
        { 0x80000001, 0, CPU_ECX, {
                [0] = "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8legacy", "abm", "sse4a", "misalignsse",
                "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt",
                [15] = "lwp", "fma4", "tce",
                [19] = "nodeid_msr",
                [21] = "tbm", "topoext", "perfctr_core", "perfctr_nb" } },
        { 0x80000007, 0, CPU_EDX, { [8] = "invtsc" } },
        { 0x80000008, 0, CPU_EBX, {
                [0] = "clzero",
                [2] = "xsaveerptr",
                [9] = "wbnoinvd",
                [12] = "ibpb",
                [14] = "ibrs", "amd-stibp",
                [24] = "amd-ssbd", "virt-ssbd", "amd-no-ssb" } },
        { 0x8000000a, 0, CPU_EDX, {
                [0] = "npt", "lbrv", "svm-lock", "nrip-save", "tsc-scale", "vmcb-clean", "flushbyasid", "decodeassists",
                [10] = "pause-filter",
                [12] = "pfthreshold", "avic",
                [15] = "v-vmsave-vmload", "vgif",
                [28] = "svme-addr-chk" } },
        /* IA32_ARCH_CAPABILITIES */
        { 0x10a, 0, CPU_MSR, {
                [0] = "rdctl-no", "ibrs-all", "rsba", "skip-l1dfl-vmentry", "ssb-no", "mds-no", "pschange-mc-no",
                "tsx-ctrl", "taa-no" } },
        /* IA32_CORE_CAPABILITIES */
        { 0xcf, 0, CPU_MSR, { [5] = "split-lock-detect" } },
};
/* clang-format on */

static bool find(const char *name, unsigned *word, uint32_t *bit)
{
        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++) {
                for (unsigned j = 0; j < 32; j++) {
                        if (g_strcmp0(words[i].names[j], name) == 0) {
                                *word = i;
                                *bit = UINT32_C(1) << j;
                                return true;
                        }
                }
        }
        return false;
}

/* The bits of a word that have a name. */
static uint32_t known_bits(unsigned word)
{
        uint32_t bits = 0;

        for (unsigned j = 0; j < 32; j++)
                bits |= words[word].names[j] ? UINT32_C(1) << j : 0;
        return bits;
}

void cpu_features_read(struct cpu_features *features)
{
        memset(features, 0, sizeof(*features));
#if defined(__x86_64__) || defined(__i386__)
        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++) {
                uint32_t reg[4];

                if (words[i].reg == CPU_MSR)
                        continue;
                if (__get_cpuid_count(words[i].leaf, words[i].subleaf, &reg[0], &reg[1], &reg[2], &reg[3]))
                        features->word[i] = reg[words[i].reg] & known_bits(i);
        }
#endif
}

bool cpu_features_add(struct cpu_features *features, const char *name)
{
        unsigned word;
        uint32_t bit;

        if (!find(name, &word, &bit))
                return false;
        features->word[word] |= bit;
        return true;
}

bool cpu_features_remove(struct cpu_features *features, const char *name)
{
        unsigned word;
        uint32_t bit;

        if (!find(name, &word, &bit))
                return false;
        features->word[word] &= ~bit;
        return true;
}

bool cpu_features_has(const struct cpu_features *features, const char *name)
{
        unsigned word;
        uint32_t bit;

        return find(name, &word, &bit) && (features->word[word] & bit);
}

void cpu_features_drop_msr(struct cpu_features *features)
{
        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++) {
                if (words[i].reg == CPU_MSR)
                        features->word[i] = 0;
        }
}

unsigned cpu_features_count(const struct cpu_features *features)
{
        unsigned count = 0;

        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++)
                count += (unsigned)__builtin_popcount(features->word[i]);
        return count;
}

struct cpu_features cpu_features_minus(const struct cpu_features *a, const struct cpu_features *b)
{
        struct cpu_features result;

        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++)
                result.word[i] = a->word[i] & ~b->word[i];
        return result;
}

bool cpu_features_is_subset(const struct cpu_features *part, const struct cpu_features *whole)
{
        struct cpu_features missing = cpu_features_minus(part, whole);

        return cpu_features_count(&missing) == 0;
}

void cpu_features_foreach(const struct cpu_features *features, void (*fn)(const char *name, void *data),
                          void *data)
{
        for (unsigned i = 0; i < CPU_FEATURES_WORDS; i++) {
                for (unsigned j = 0; j < 32; j++) {
                        if (features->word[i] & (UINT32_C(1) << j))
                                fn(words[i].names[j], data);
                }
        }
}
