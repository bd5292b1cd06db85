/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* drivers/host: a made-up /proc and /sys, this machine's own, and the numbers of the test host. */

#include "base/error.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *root;

static void put(const char *path, const char *text)
{
        g_autofree char *file = g_strconcat(root, path, NULL);
        g_autofree char *dir = g_path_get_dirname(file);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(file, text, -1, NULL));
}

static void put_cpu(unsigned id, unsigned socket, unsigned core, const char *siblings)
{
        g_autofree char *dir = g_strdup_printf("/sys/devices/system/cpu/cpu%u/topology", id);
        g_autofree char *package_file = g_strconcat(dir, "/physical_package_id", NULL);
        g_autofree char *core_file = g_strconcat(dir, "/core_id", NULL);
        g_autofree char *siblings_file = g_strconcat(dir, "/thread_siblings_list", NULL);
        g_autofree char *socket_text = g_strdup_printf("%u\n", socket);
        g_autofree char *core_text = g_strdup_printf("%u\n", core);

        put(package_file, socket_text);
        put(core_file, core_text);
        put(siblings_file, siblings);
}

/* Two cells of one socket of two cores of two threads; a ninth CPU is off. */
static void setup(void)
{
        root = g_dir_make_tmp("test-host-XXXXXX", NULL);
        ck_assert_ptr_nonnull(root);
        put("/proc/cpuinfo",
            "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 94\n"
            "model name\t: Some CPU\nstepping\t: 3\nmicrocode\t: 0x10\ncpu MHz\t\t: 2596.096\n"
            "address sizes\t: 39 bits physical, 48 bits virtual\n");
        put("/proc/meminfo",
            "MemTotal: 8000 kB\nMemFree: 3000 kB\nMemAvailable: 1 kB\nBuffers: 20 kB\nSwapCached: 7 kB\n"
            "Cached: 30 kB\n");
        put("/proc/stat",
            "cpu  10 1 5 100 2 3 4 0 0 0\ncpu10 7 0 0 0 0 0 0 0 0 0\ncpu0 5 0 2 50 1 0 0 0 0 0\n"
            "cpu1 5 1 3 50 1 3 4 0 0 0\n");
        put("/sys/devices/system/cpu/present", "0-7\n");
        put("/sys/devices/system/cpu/online", "0-7\n");
        put("/sys/devices/system/node/online", "0,2\n");
        put("/sys/devices/system/node/node0/cpulist", "0-3\n");
        put("/sys/devices/system/node/node2/cpulist", "4-7\n");
        put("/sys/devices/system/node/node0/distance", "10 21\n");
        put("/sys/devices/system/node/node2/distance", "21 10\n");
        put("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 4096 kB\nNode 0 MemFree: 1000 kB\n");
        put("/sys/devices/system/node/node2/meminfo", "Node 2 MemTotal: 3904 kB\nNode 2 MemFree: 2000 kB\n");
        put("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
        put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
        for (unsigned i = 0; i < 8; i++) {
                unsigned first = i / 2 * 2;
                g_autofree char *siblings = g_strdup_printf("%u-%u\n", first, first + 1);

                put_cpu(i, i / 4, i % 4 / 2, siblings);
        }
        put("/sys/devices/system/cpu/cpu0/cache/index3/level", "3\n");
        put("/sys/devices/system/cpu/cpu0/cache/index3/id", "0\n");
        put("/sys/devices/system/cpu/cpu0/cache/index3/type", "Unified\n");
        put("/sys/devices/system/cpu/cpu0/cache/index3/size", "8192K\n");
        put("/sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list", "0-3\n");
        put("/sys/power/state", "freeze mem disk\n");
        put("/sys/power/disk", "[platform] shutdown reboot suspend test_resume\n");
        put("/sys/class/dmi/id/product_uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff\n");
        put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        put("/sys/module/apparmor/parameters/enabled", "Y\n");
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

static struct host *make_host(void)
{
        struct cpu_features features;

        cpu_model_get_features(cpu_model_find("Skylake-Client-IBRS"), &features);
        ck_assert(cpu_features_add(&features, "invtsc"));
        return host_new_at(root, &features);
}

START_TEST(test_identity)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        const struct host_cpu *cpu = host_get_cpu(host);
        char uuid[UUID_STRING_LENGTH + 1];

        /* The board's UUID is blank. */
        ck_assert_str_eq(uuid_format(host_get_uuid(host), uuid), "01234567-89ab-cdef-0123-456789abcdef");
        ck_assert_str_eq(host_get_security_model(host), "apparmor");
        ck_assert_ptr_nonnull(cpu);
        ck_assert_str_eq(cpu->identity.vendor, "GenuineIntel");
        ck_assert_uint_eq(cpu->identity.family, 6);
        ck_assert_uint_eq(cpu->identity.model, 94);
        ck_assert_uint_eq(cpu->identity.stepping, 3);
        ck_assert_uint_eq(cpu->microcode, 0x10);
        ck_assert_uint_eq(cpu->physical_bits, 39);
        ck_assert_str_eq(cpu->model->name, "Skylake-Client-IBRS");
}
END_TEST

START_TEST(node_info)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        struct host_node_info info;

        host_get_node_info(host, &info);
        ck_assert_str_eq(info.model, host_get_arch(host));
        ck_assert_uint_eq(info.memory_kib, 8000);
        ck_assert_uint_eq(info.mhz, 2596);
        ck_assert_uint_eq(info.counts.cpus, 8);
        ck_assert_uint_eq(info.counts.nodes, 2);
        ck_assert_uint_eq(info.counts.sockets, 1);
        ck_assert_uint_eq(info.counts.cores, 2);
        ck_assert_uint_eq(info.counts.threads, 2);
        ck_assert_uint_eq(host_get_free_memory(host), 3000 * 1024);
}
END_TEST

/* A CPU that goes off line after the start is seen; the shape of the host stays. */
START_TEST(cpu_goes_off)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        g_autoptr(GArray) map = NULL;
        struct host_node_info info;

        put("/sys/devices/system/cpu/online", "0-5,7\n");
        put("/sys/devices/system/node/node2/cpulist", "4-5,7\n");
        host_get_node_info(host, &info);
        ck_assert_uint_eq(info.counts.cpus, 7);
        ck_assert_uint_eq(info.counts.nodes * info.counts.sockets * info.counts.cores * info.counts.threads,
                          8);
        map = host_get_cpu_map(host, 0, NULL);
        ck_assert_uint_eq(map->len, 8);
        ck_assert(g_array_index(map, bool, 5));
        ck_assert(!g_array_index(map, bool, 6));
        ck_assert(g_array_index(map, bool, 7));
}
END_TEST

/* Cores of two kinds: no product fits, so all is shown as cores. */
START_TEST(uneven_cores)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        struct host_node_info info;

        put_cpu(7, 1, 3, "7\n");
        host = make_host();
        host_get_node_info(host, &info);
        ck_assert_uint_eq(info.counts.nodes, 1);
        ck_assert_uint_eq(info.counts.sockets, 1);
        ck_assert_uint_eq(info.counts.cores, 8);
        ck_assert_uint_eq(info.counts.threads, 1);
}
END_TEST

START_TEST(test_topology)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        CLEANUP(topology_free) struct topology *topology = host_get_topology(host);
        const struct topology_cell *cell = g_ptr_array_index(topology->cells, 0);
        const struct topology_cache *cache = g_ptr_array_index(topology->caches, 0);

        ck_assert_uint_eq(topology->cells->len, 2);
        ck_assert_uint_eq(((struct topology_cell *)g_ptr_array_index(topology->cells, 1))->id, 2);
        ck_assert_uint_eq(cell->cpus->len, 4);
        ck_assert_str_eq(g_array_index(cell->cpus, struct topology_cpu, 3).siblings, "2-3");
        ck_assert_uint_eq(g_array_index(cell->distances, struct topology_distance, 1).cell, 2);
        ck_assert_uint_eq(g_array_index(cell->distances, struct topology_distance, 1).value, 21);
        /* 4096 KiB, of which one page of 2048. */
        ck_assert_uint_eq(g_array_index(cell->pages, struct topology_pages, 0).count, 512);
        ck_assert_uint_eq(g_array_index(cell->pages, struct topology_pages, 1).count, 1);
        ck_assert_uint_eq(topology->caches->len, 1);
        ck_assert_uint_eq(cache->size_kib, 8192);
        ck_assert_str_eq(cache->cpus, "0-3");
}
END_TEST

START_TEST(test_memory_stats)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        g_autoptr(GError) error = NULL;
        struct host_memory_stats stats;

        ck_assert(host_get_memory_stats(host, HOST_ALL, 0, &stats, NULL));
        ck_assert_uint_eq(stats.total_kib, 8000);
        ck_assert_uint_eq(stats.free_kib, 3000);
        ck_assert(stats.has_caches);
        ck_assert_uint_eq(stats.buffers_kib, 20);
        ck_assert_uint_eq(stats.cached_kib, 30);
        ck_assert(host_get_memory_stats(host, 2, 0, &stats, NULL));
        ck_assert_uint_eq(stats.total_kib, 3904);
        ck_assert(!stats.has_caches);
        ck_assert(!host_get_memory_stats(host, 1, 0, &stats, &error));
        ck_assert(error_is(error, ERROR_INVALID_ARG));
        ck_assert_ptr_nonnull(strstr(error->message, "from 0 to 2"));
        ck_assert(!host_get_memory_stats(host, -2, 0, &stats, NULL));
}
END_TEST

START_TEST(test_cpu_stats)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        g_autoptr(GError) error = NULL;
        struct host_cpu_stats stats;
        uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);

        ck_assert(host_get_cpu_stats(host, HOST_ALL, 0, &stats, NULL));
        ck_assert_uint_eq(stats.user_ns, 11 * tick);
        ck_assert_uint_eq(stats.kernel_ns, 12 * tick);
        ck_assert_uint_eq(stats.idle_ns, 100 * tick);
        ck_assert_uint_eq(stats.iowait_ns, 2 * tick);
        /* cpu1 is not cpu10. */
        ck_assert(host_get_cpu_stats(host, 1, 0, &stats, NULL));
        ck_assert_uint_eq(stats.user_ns, 6 * tick);
        ck_assert(!host_get_cpu_stats(host, 3, 0, &stats, &error));
        ck_assert(error_is(error, ERROR_INVALID_ARG));
        ck_assert_ptr_nonnull(strstr(error->message, "from 0 to 7"));
        ck_assert(!host_get_cpu_stats(host, -2, 0, &stats, NULL));
}
END_TEST

START_TEST(test_power)
{
        CLEANUP(host_unref) const struct host *host = make_host();
        struct host_power power;

        host_get_power(host, &power);
        ck_assert(power.suspend_mem && power.suspend_disk && power.suspend_hybrid);
        put("/sys/power/disk", "[disabled]\n");
        host_get_power(host, &power);
        ck_assert(power.suspend_mem && !power.suspend_disk && !power.suspend_hybrid);
}
END_TEST

/* An empty root: a kernel that says nothing must not bring anything down. */
START_TEST(nothing)
{
        struct cpu_features none = { 0 };
        g_autofree char *empty = g_strconcat(root, "/empty", NULL);
        CLEANUP(host_unref) const struct host *host = host_new_at(empty, &none);
        g_autoptr(GArray) map = host_get_cpu_map(host, 0, NULL);
        struct host_node_info info;
        struct host_memory_stats memory;
        struct host_cpu_stats cpu;

        host_get_node_info(host, &info);
        ck_assert_uint_eq(info.counts.nodes, 1);
        ck_assert_uint_eq(map->len, 0);
        ck_assert_ptr_null(host_get_cpu(host));
        ck_assert_ptr_nonnull(host_get_uuid(host));
        ck_assert(!host_get_memory_stats(host, 0, 0, &memory, NULL));
        ck_assert(!host_get_memory_stats(host, 1, 0, &memory, NULL));
        ck_assert(!host_get_cpu_stats(host, HOST_ALL, 0, &cpu, NULL));
}
END_TEST

/* The machine that runs the tests has memory, a CPU and a name. */
START_TEST(real)
{
        CLEANUP(host_unref) const struct host *host = host_new_real();
        g_autofree char *name = host_get_hostname(host);
        g_autoptr(GArray) map = host_get_cpu_map(host, 0, NULL);
        struct host_node_info info;
        struct host_memory_stats memory;
        struct host_cpu_stats cpu;

        host_get_node_info(host, &info);
        ck_assert_uint_gt(info.memory_kib, 0);
        ck_assert_uint_eq(info.counts.cpus, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
        ck_assert_uint_ge(map->len, info.counts.cpus);
        ck_assert_str_ne(name, "");
        ck_assert_uint_gt(host_get_free_memory(host), 0);
        ck_assert(host_get_memory_stats(host, HOST_ALL, 0, &memory, NULL));
        ck_assert_uint_ge(memory.total_kib, memory.free_kib);
        ck_assert(host_get_cpu_stats(host, 0, 0, &cpu, NULL));
}
END_TEST

/* By the names of the API, in its order; caches of a cell are not told. */
static void expect_told(const struct host_memory_stats *memory, const struct host_cpu_stats *cpu)
{
        static const char *const names[] = { "total", "free", "kernel", "user", "idle", "iowait" };
        CLEANUP(params_free) struct params *params = params_new();

        host_memory_stats_tell(memory, params);
        host_cpu_stats_tell(cpu, params);
        ck_assert_uint_eq(params_get_count(params), G_N_ELEMENTS(names));
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                ck_assert_str_eq(params_get(params, i)->name, names[i]);
        ck_assert_uint_eq(params_find(params, "total")->value.t, memory->total_kib);
        ck_assert_uint_eq(params_find(params, "free")->value.t, memory->free_kib);
        ck_assert_uint_eq(params_find(params, "kernel")->value.t, cpu->kernel_ns);
        ck_assert_uint_eq(params_find(params, "user")->value.t, cpu->user_ns);
        ck_assert_uint_eq(params_find(params, "idle")->value.t, cpu->idle_ns);
        ck_assert_uint_eq(params_find(params, "iowait")->value.t, cpu->iowait_ns);
        params_free(params);
        params = params_new();
        host_memory_stats_tell(&(struct host_memory_stats){ 1, 2, true, 3, 4 }, params);
        ck_assert_uint_eq(params_get_count(params), 4);
        ck_assert_uint_eq(params_find(params, "buffers")->value.t, 3);
        ck_assert_uint_eq(params_find(params, "cached")->value.t, 4);
}

START_TEST(test_host)
{
        CLEANUP(host_unref) const struct host *host = host_new_test();
        g_autoptr(GArray) map = host_get_cpu_map(host, 0, NULL);
        struct host_node_info info;
        struct host_memory_stats memory;
        struct host_cpu_stats cpu;

        host_get_node_info(host, &info);
        ck_assert_str_eq(info.model, "i686");
        ck_assert_uint_eq(info.memory_kib, 3145728);
        ck_assert_uint_eq(info.mhz, 1400);
        ck_assert_uint_eq(info.counts.cpus, 16);
        ck_assert_uint_eq(map->len, 8);
        ck_assert(g_array_index(map, bool, 4));
        ck_assert(!g_array_index(map, bool, 5));
        ck_assert_uint_eq(host_get_free_memory(host), 3145728);
        ck_assert(host_get_memory_stats(host, 1, 0, &memory, NULL));
        ck_assert_uint_eq(memory.total_kib, 4194304);
        ck_assert(!host_get_memory_stats(host, 2, 0, &memory, NULL));
        ck_assert(host_get_cpu_stats(host, HOST_ALL, 0, &cpu, NULL));
        ck_assert_uint_eq(cpu.idle_ns, UINT64_C(87264900000));
        expect_told(&memory, &cpu);
        ck_assert(!host_get_cpu_stats(host, 16, 0, &cpu, NULL));
        ck_assert_ptr_null(host_get_uuid(host));
}
END_TEST

static void count_name(const char *name, void *data)
{
        unsigned *count = data;

        ck_assert_str_ne(name, "");
        (*count)++;
}

/* Every model is made of known features, and describes itself best. */
START_TEST(models)
{
        const struct cpu_model *model;

        for (unsigned i = 0; (model = cpu_model_get(i)); i++) {
                struct cpu_identity identity = { .family = model->family, .model = model->model };
                struct cpu_features features, chosen_features;
                const struct cpu_model *chosen;
                unsigned count = 0;

                g_strlcpy(identity.vendor, model->vendor ? model->vendor : "", sizeof(identity.vendor));
                cpu_model_get_features(model, &features);
                cpu_features_foreach(&features, count_name, &count);
                ck_assert_uint_eq(count, cpu_features_count(&features));
                chosen = cpu_model_choose(&identity, &features, false, NULL, NULL);
                ck_assert_ptr_nonnull(chosen);
                cpu_model_get_features(chosen, &chosen_features);
                ck_assert_msg(cpu_features_is_subset(&chosen_features, &features), "%s is no part of %s",
                              chosen->name, model->name);
                if (model->vendor && !cpu_features_has(&features, "arch-capabilities"))
                        ck_assert_str_eq(chosen->name, model->name);
        }
        ck_assert_uint_gt(cpu_features_count(&(struct cpu_features){ .word = { 7 } }), 2);
        ck_assert_ptr_null(cpu_model_find("Z80"));
}
END_TEST

static bool is_not_skylake(const struct cpu_model *model, void *data)
{
        return !g_str_has_prefix(model->name, "Skylake");
}

START_TEST(model_choice)
{
        struct cpu_identity identity = { .vendor = "GenuineIntel", .family = 6, .model = 94 };
        struct cpu_features features;

        cpu_model_get_features(cpu_model_find("Skylake-Client"), &features);
        ck_assert_str_eq(cpu_model_choose(&identity, &features, false, is_not_skylake, NULL)->name,
                         "Broadwell");
        /* One feature less: a lesser model, or the same one without it. */
        cpu_features_remove(&features, "adx");
        ck_assert_str_eq(cpu_model_choose(&identity, &features, false, NULL, NULL)->name, "Haswell");
        ck_assert_str_eq(cpu_model_choose(&identity, &features, true, NULL, NULL)->name, "Skylake-Client");
        /* Another maker's CPU is never called an Intel one. */
        g_strlcpy(identity.vendor, "AuthenticAMD", sizeof(identity.vendor));
        ck_assert_str_ne(cpu_model_choose(&identity, &features, true, NULL, NULL)->vendor ?: "",
                         "GenuineIntel");
}
END_TEST

/* What QEMU 7.2 emulates by the name of "max", which is no model of any maker's. */
START_TEST(model_of_an_emulated_cpu)
{
        static const char *const names[] = {
                "fpu",        "de",       "pse",     "tsc",           "msr",        "pae",     "mce",
                "cx8",        "apic",     "sep",     "mtrr",          "pge",        "mca",     "cmov",
                "pat",        "pse36",    "clflush", "acpi",          "mmx",        "fxsr",    "sse",
                "sse2",       "ss",       "pni",     "monitor",       "pclmuldq",   "ssse3",   "fma",
                "cx16",       "sse4.1",   "sse4.2",  "movbe",         "popcnt",     "aes",     "xsave",
                "avx",        "f16c",     "rdrand",  "arat",          "fsgsbase",   "bmi1",    "avx2",
                "smep",       "bmi2",     "erms",    "mpx",           "adx",        "smap",    "pcommit",
                "clflushopt", "clwb",     "umip",    "pku",           "vaes",       "la57",    "pks",
                "xsaveopt",   "xgetbv1",  "lahf_lm", "svm",           "cr8legacy",  "abm",     "sse4a",
                "3dnow",      "3dnowext", "mmxext",  "pdpe1gb",       "rdtscp",     "syscall", "nx",
                "lm",         "npt",      "vgif",    "svme-addr-chk", "hypervisor",
        };
        const struct cpu_identity identity = { .vendor = "AuthenticAMD", .family = 15, .model = 107 };
        struct cpu_features features = { 0 };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                cpu_features_add(&features, names[i]);
        ck_assert_str_eq(cpu_model_choose(&identity, &features, true, NULL, NULL)->name, "EPYC");
}
END_TEST

START_TEST(lists)
{
        static const struct {
                const char *text;
                unsigned count;
                unsigned last;
        } cases[] = { { "0-3,8", 5, 8 },
                      { "0", 1, 0 },
                      { "2-1", 0, 0 },
                      { "0-99999999999", 64, 63 },
                      { "1,x", 1, 1 } };
        g_autoptr(GArray) none = topology_parse_list(NULL, 64);

        ck_assert_uint_eq(none->len, 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GArray) list = topology_parse_list(cases[i].text, 64);

                ck_assert_uint_eq(list->len, cases[i].count);
                if (list->len)
                        ck_assert_uint_eq(g_array_index(list, unsigned, list->len - 1), cases[i].last);
        }
}
END_TEST

/* Does the document hold this text? */
static void expect(const char *document, const char *text)
{
        ck_assert_msg(strstr(document, text), "no \"%s\" in:\n%s", text, document);
}

START_TEST(host_document)
{
        static const char *const labels[] = { "kvm", "+64055:+64055", NULL };
        static const char *const transports[] = { "tcp", NULL };
        static const struct host_secmodel dac = { "dac", "0", labels };
        struct host_capabilities_options options = { &dac, 1, transports, NULL };
        CLEANUP(host_unref) const struct host *host = make_host();
        g_autoptr(xmlDoc) doc = host_capabilities_new(host, &options);
        g_autofree char *text = xml_write(doc, NULL);

        expect(text, "    <uuid>01234567-89ab-cdef-0123-456789abcdef</uuid>\n    <cpu>\n");
        expect(text,
               "<model>Skylake-Client-IBRS</model>\n      <vendor>Intel</vendor>\n"
               "      <microcode version='16'/>\n      <signature family='6' model='94' stepping='3'/>\n"
               "      <topology sockets='1' dies='1' cores='2' threads='2'/>\n"
               "      <maxphysaddr mode='emulate' bits='39'/>\n      <feature name='invtsc'/>\n"
               "      <pages unit='KiB' size='4'/>\n      <pages unit='KiB' size='2048'/>\n    </cpu>\n");
        expect(text, "<suspend_hybrid/>");
        expect(text, "<iommu support='no'/>");
        expect(text, "<uri_transport>tcp</uri_transport>");
        expect(text, "<cells num='2'>\n        <cell id='0'>\n          <memory unit='KiB'>4096</memory>\n"
                     "          <pages unit='KiB' size='4'>512</pages>\n");
        expect(text, "<sibling id='2' value='21'/>");
        expect(text, "<cpu id='7' socket_id='1' die_id='0' core_id='1' siblings='6-7'/>");
        expect(text, "<bank id='0' level='3' type='both' size='8' unit='MiB' cpus='0-3'/>");
        expect(text, "<baselabel type='kvm'>+64055:+64055</baselabel>");
}
END_TEST

START_TEST(test_document)
{
        CLEANUP(host_unref) const struct host *host = host_new_test();
        g_autofree char *text = host_capabilities_format_test(host);

        expect(text, "<capabilities>\n  <host>\n    <cpu>\n      <arch>i686</arch>\n      <features>\n       "
                     " <pae/>\n"
                     "        <nonpae/>\n      </features>\n      <pages unit='KiB' size='4'/>\n"
                     "      <pages unit='KiB' size='8'/>\n");
        expect(text, "          <memory unit='KiB'>4194304</memory>\n          <pages unit='KiB' "
                     "size='8'>524288</pages>\n");
        expect(text, "<cpu id='15' socket_id='1' die_id='0' core_id='7' siblings='15'/>");
        expect(text, "<model>testSecurity</model>\n      <doi/>\n");
        expect(text,
               "  <guest>\n    <os_type>xen</os_type>\n    <arch name='i686'>\n      "
               "<wordsize>32</wordsize>\n"
               "      <emulator>/usr/bin/test-hv</emulator>\n      <domain type='test'/>\n    </arch>\n");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("host");
        TCase *made = tcase_create("made-up /proc and /sys");
        TCase *plain = tcase_create("plain");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(made, setup, teardown);
        tcase_add_test(made, test_identity);
        tcase_add_test(made, node_info);
        tcase_add_test(made, cpu_goes_off);
        tcase_add_test(made, uneven_cores);
        tcase_add_test(made, test_topology);
        tcase_add_test(made, test_memory_stats);
        tcase_add_test(made, test_cpu_stats);
        tcase_add_test(made, test_power);
        tcase_add_test(made, nothing);
        tcase_add_test(made, host_document);
        tcase_add_test(plain, real);
        tcase_add_test(plain, test_host);
        tcase_add_test(plain, test_document);
        tcase_add_test(plain, models);
        tcase_add_test(plain, model_choice);
        tcase_add_test(plain, model_of_an_emulated_cpu);
        tcase_add_test(plain, lists);
        suite_add_tcase(suite, made);
        suite_add_tcase(suite, plain);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
