/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The host of the in-memory test driver: the numbers that test:///default has always shown, which tools and
 * tests know by heart. They do not fit each other (16 CPUs and a map of 8), and are pinned by
 * tests/unit/test-host.c. Any thread.
 */

#include "drivers/host/host-private.h"
#include "drivers/host/host-sysinfo-xml.h"

#define TEST_CELLS         2
#define TEST_CPUS_PER_CELL 8

static void add_pages(struct topology_cell *cell, unsigned size_kib, uint64_t count)
{
        struct topology_pages pages = { .size_kib = size_kib, .count = count };

        g_array_append_val(cell->pages, pages);
}

static struct topology *make_topology(void)
{
        static const unsigned page_sizes[] = { 4, 8, 2048, 1048576 };
        static const uint64_t memory_kib[TEST_CELLS] = { 2097152, 4194304 };
        struct topology *topology = topology_new();

        g_array_append_vals(topology->page_sizes, page_sizes, G_N_ELEMENTS(page_sizes));
        for (unsigned i = 0; i < TEST_CELLS; i++) {
                struct topology_cell *cell = topology_add_cell(topology, i, memory_kib[i]);

                /* 4 KiB pages in the first cell, 8 KiB pages in the second one. */
                add_pages(cell, page_sizes[i], memory_kib[i] / page_sizes[i]);
                add_pages(cell, 2048, 0);
                add_pages(cell, 1048576, 0);
                for (unsigned j = 0; j < TEST_CPUS_PER_CELL; j++) {
                        unsigned id = i * TEST_CPUS_PER_CELL + j;
                        g_autofree char *siblings = g_strdup_printf("%u", id);

                        topology_add_cpu(cell, id, i, 0, j, 1, siblings);
                }
        }
        return topology;
}

static const struct host_fixed fixed = {
        .info = {
                .model = "i686",
                .memory_kib = 3145728,
                .mhz = 1400,
                .counts = { .cpus = 16, .nodes = 2, .sockets = 2, .cores = 2, .threads = 2 },
        },
        .memory = {
                .total_kib = 3145728,
                .free_kib = 3072,
                .has_caches = true,
        },
        .cpu = {
                .kernel_ns = UINT64_C(34678723400000),
                .user_ns = UINT64_C(9797400000),
                .idle_ns = UINT64_C(87264900000),
                .iowait_ns = UINT64_C(763600000),
        },
        .cpu_map = "y-y-y---",
        .free_bytes = 3145728,
        .cells_free_bytes = { 2097152, 4194304 },
        .topology = make_topology,
};

struct host *host_new_test(void)
{
        struct host *host = g_new0(struct host, 1);

        host->refs = 1;
        host->fixed = &fixed;
        g_strlcpy(host->arch, fixed.info.model, sizeof(host->arch));
        host->security_model = "testSecurity";
        host->sysinfo = host_sysinfo_format_test();
        return host;
}
