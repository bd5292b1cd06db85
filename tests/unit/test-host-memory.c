/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host's memory by cells and pages: machines of several shapes, their pools of pages, and merging. */

#include "drivers/host/host-memory.h"

#include "base/error.h"
#include "base/job.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "tests/unit/check-main.h"
#include "tests/unit/host-root.h"

#include <string.h>

static struct loop *loop;
static struct pool *threads;
static struct job_list *jobs;

static void setup(void)
{
        make_root();
        loop = loop_new(NULL);
        threads = pool_new(2, NULL);
        jobs = job_list_new(loop, threads);
}

static void teardown(void)
{
        pool_free(threads);
        job_list_free(jobs);
        loop_free(loop);
        remove_root();
}

/* ---- machines ---- */

#define NODE "/sys/devices/system/node/node%u"

static void put_pool(const char *dir, unsigned count, unsigned free_count)
{
        g_autofree char *all = g_strdup_printf("%u\n", count), *left = g_strdup_printf("%u\n", free_count);

        put(all, "%s/hugepages-2048kB/nr_hugepages", dir);
        put(left, "%s/hugepages-2048kB/free_hugepages", dir);
}

/* A cell of 1 GiB, of which free_mib are free. */
static void put_cell(unsigned id, const char *cpus, const char *distances, unsigned free_mib)
{
        g_autofree char *meminfo = g_strdup_printf("Node %u MemTotal: 1048576 kB\nNode %u MemFree: %u kB\n",
                                                   id, id, free_mib * 1024);
        g_autofree char *pools = g_strdup_printf(NODE "/hugepages", id);

        put(meminfo, NODE "/meminfo", id);
        put(cpus, NODE "/cpulist", id);
        put(distances, NODE "/distance", id);
        put_pool(pools, 16 + id, id);
}

/* Eight sockets of two CPUs. */
static void put_big_machine(void)
{
        put("0-15\n", "/sys/devices/system/cpu/present");
        put("0-15\n", "/sys/devices/system/cpu/online");
        put("0-7\n", "/sys/devices/system/node/online");
        put_pool("/sys/kernel/mm/hugepages", 156, 28);
        for (unsigned i = 0; i < 8; i++) {
                g_autofree char *cpus = g_strdup_printf("%u-%u\n", 2 * i, 2 * i + 1);
                g_autofree char *package = g_strdup_printf("%u\n", i);

                put_cell(i, cpus, "10 21 21 21 31 31 31 31\n", 100 + i);
                for (unsigned j = 2 * i; j < 2 * i + 2; j++) {
                        g_autofree char *core = g_strdup_printf("%u\n", j % 2),
                                        *own = g_strdup_printf("%u\n", j);

                        put(package, "/sys/devices/system/cpu/cpu%u/topology/physical_package_id", j);
                        put(core, "/sys/devices/system/cpu/cpu%u/topology/core_id", j);
                        put(own, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", j);
                }
        }
}

/* Two sockets, one CPU of which is off, and memory behind CXL: a cell without CPUs, numbered with a gap. */
static void put_cxl_machine(void)
{
        put("0-3\n", "/sys/devices/system/cpu/present");
        put("0-2\n", "/sys/devices/system/cpu/online");
        put("0-1,4\n", "/sys/devices/system/node/online");
        put_pool("/sys/kernel/mm/hugepages", 50, 5);
        put_cell(0, "0-1\n", "10 21 14\n", 100);
        put_cell(1, "2\n", "21 10 24\n", 101);
        put_cell(4, "\n", "14 24 10\n", 104);
        for (unsigned i = 0; i < 3; i++) {
                put(i < 2 ? "0\n" : "1\n", "/sys/devices/system/cpu/cpu%u/topology/physical_package_id", i);
                put(i == 1 ? "1\n" : "0\n", "/sys/devices/system/cpu/cpu%u/topology/core_id", i);
        }
}

static void put_machine_without_numa(void)
{
        put("0-1\n", "/sys/devices/system/cpu/present");
        put("0-1\n", "/sys/devices/system/cpu/online");
        put("MemTotal: 4194304 kB\nMemFree: 2097152 kB\n", "/proc/meminfo");
        put_pool("/sys/kernel/mm/hugepages", 8, 3);
        for (unsigned i = 0; i < 2; i++)
                put("0\n", "/sys/devices/system/cpu/cpu%u/topology/physical_package_id", i);
}

static const struct host *make_host(void)
{
        static const struct cpu_features none;

        return host_new_at(root, &none);
}

static char *describe(const struct host *host)
{
        static const struct host_capabilities_options options;
        g_autoptr(xmlDoc) doc = host_capabilities_new(host, &options);

        return xml_write(doc, NULL);
}

static void expect(const char *document, const char *text)
{
        ck_assert_msg(strstr(document, text), "no \"%s\" in:\n%s", text, document);
}

static void expect_counts(const struct host *host, unsigned cpus, unsigned nodes, unsigned cores)
{
        struct host_node_info info;

        host_get_node_info(host, &info);
        ck_assert_uint_eq(info.counts.cpus, cpus);
        ck_assert_uint_eq(info.counts.nodes, nodes);
        ck_assert_uint_eq(info.counts.cores, cores);
        ck_assert_uint_ge(info.counts.nodes * info.counts.sockets * info.counts.cores * info.counts.threads,
                          cpus);
}

/* ---- cells ---- */

static void expect_numbers(GArray *numbers, const char *texts)
{
        g_autoptr(GString) is = g_string_new(NULL);

        ck_assert_ptr_nonnull(numbers);
        for (unsigned i = 0; i < numbers->len; i++)
                g_string_append_printf(is, "%" G_GUINT64_FORMAT " ", g_array_index(numbers, uint64_t, i));
        ck_assert_str_eq(is->str, texts);
        g_array_unref(numbers);
}

START_TEST(big_machine)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        g_autofree char *document = NULL;

        put_big_machine();
        host = make_host();
        document = describe(host);
        expect_counts(host, 16, 8, 2);
        expect(document, "<cells num='8'>");
        expect(document, "          <distances>\n            <sibling id='0' value='10'/>");
        expect(document, "<sibling id='7' value='31'/>");
        expect(document, "<cell id='7'>\n          <memory unit='KiB'>1048576</memory>\n"
                         "          <pages unit='KiB' size='4'>250368</pages>\n"
                         "          <pages unit='KiB' size='2048'>23</pages>\n");
        expect(document, "<cpu id='15' socket_id='7' die_id='0' core_id='1' siblings='15'/>");
        expect_numbers(host_get_cells_free_memory(host, 6, 2, NULL), "111149056 112197632 ");
        expect_numbers(host_get_cells_free_memory(host, 7, G_MAXINT, NULL), "112197632 ");
}
END_TEST

START_TEST(cells_without_cpus)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        g_autofree char *document = NULL;

        put_cxl_machine();
        host = make_host();
        document = describe(host);
        /* No product fits: all is shown as cores, the one that is off among them. */
        expect_counts(host, 3, 1, 4);
        expect(document, "<cells num='3'>");
        expect(document, "<cell id='4'>");
        expect(document, "<sibling id='4' value='10'/>\n          </distances>\n          <cpus num='0'/>\n");
        /* There is no cell 2 or 3. */
        expect_numbers(host_get_cells_free_memory(host, 1, 3, NULL), "105906176 ");
        expect_numbers(host_get_cells_free_memory(host, 2, 3, NULL), "109051904 ");
        expect_numbers(host_get_cells_free_memory(host, 2, 1, NULL), "");
}
END_TEST

START_TEST(no_cells)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        g_autofree char *document = NULL;

        put_machine_without_numa();
        host = make_host();
        document = describe(host);
        expect_counts(host, 2, 1, 2);
        expect(document,
               "<cells num='1'>\n        <cell id='0'>\n          <memory unit='KiB'>4194304</memory>\n"
               "          <pages unit='KiB' size='4'>1044480</pages>\n"
               "          <pages unit='KiB' size='2048'>8</pages>\n          <cpus num='2'>\n");
        expect_numbers(host_get_cells_free_memory(host, 0, 1, NULL), "2147483648 ");
}
END_TEST

static void expect_error(GError *error, enum error_code code, const char *text)
{
        ck_assert_msg(error && error_is(error, code) && strstr(error->message, text), "%s",
                      error ? error->message : "no error");
        g_error_free(error);
}

START_TEST(no_such_cells)
{
        static const int cases[][2] = { { 5, 1 }, { 0, 0 }, { 0, -1 }, { -1, 1 }, { G_MININT, G_MAXINT } };
        CLEANUP(host_unref) const struct host *host = NULL;

        put_cxl_machine();
        host = make_host();
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                GError *error = NULL;

                ck_assert_ptr_null(host_get_cells_free_memory(host, cases[i][0], cases[i][1], &error));
                expect_error(error, ERROR_INVALID_ARG, "cells are from 0 to 4");
        }
}
END_TEST

/* ---- pages ---- */

static const uint32_t both_sizes[] = { 2048, 4 };

static struct host_pages ask(int start, unsigned n_cells)
{
        return (struct host_pages){ both_sizes, G_N_ELEMENTS(both_sizes), start, n_cells, 0 };
}

START_TEST(free_pages)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        struct host_pages pages = ask(1, 9);

        put_cxl_machine();
        put("MemTotal: 9000 kB\nMemFree: 800 kB\n", "/proc/meminfo");
        host = make_host();
        expect_numbers(host_get_free_pages(host, &pages, NULL), "1 25856 4 26624 ");
        pages = ask(HOST_WHOLE, 0);
        expect_numbers(host_get_free_pages(host, &pages, NULL), "5 200 ");
}
END_TEST

START_TEST(free_pages_without_numa)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        struct host_pages pages = ask(0, 1);

        put_machine_without_numa();
        host = make_host();
        expect_numbers(host_get_free_pages(host, &pages, NULL), "3 524288 ");
}
END_TEST

START_TEST(no_such_pages)
{
        static const uint32_t size = 5, many[HOST_PAGES_MAX + 1];
        CLEANUP(host_unref) const struct host *host = NULL;
        struct host_pages pages = { &size, 1, 0, 1, 0 };
        GError *error = NULL;

        put_cxl_machine();
        host = make_host();
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_OPERATION_FAILED,
                     "page size 5 KiB is not available on node 0");
        pages.n_sizes = 0;
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_INVALID_ARG, "from 1 to 1024 numbers");
        pages = (struct host_pages){ many, G_N_ELEMENTS(many), 0, 1, 0 };
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_INVALID_ARG, "from 1 to 1024 numbers");
        pages = ask(9, 1);
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_INVALID_ARG, "cells are from 0 to 4");
        pages = ask(-2, 1);
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_INVALID_ARG, "start cell -2");
        pages.flags = 1;
        ck_assert_ptr_null(host_get_free_pages(host, &pages, &error));
        expect_error(g_steal_pointer(&error), ERROR_INVALID_ARG, "unsupported flags (0x1)");
}
END_TEST

/* ---- pools ---- */

struct outcome {
        bool done;
        unsigned pools;
        GError *error; /* owned */
};

static void take_pools(unsigned pools, const GError *error, void *data)
{
        struct outcome *outcome = data;

        *outcome = (struct outcome){ true, pools, error ? g_error_copy(error) : NULL };
}

static struct outcome alloc(const struct host *host, uint32_t size, uint64_t count, int start,
                            unsigned n_cells, unsigned flags)
{
        const struct host_pages pages = { &size, 1, start, n_cells, flags };
        struct outcome outcome = { 0 };

        host_alloc_pages(host, jobs, &pages, &count, take_pools, &outcome);
        while (!outcome.done || job_list_get_count(jobs))
                loop_step(loop, true);
        return outcome;
}

#define NODE_POOL(node) "/sys/devices/system/node/node" node "/hugepages/hugepages-2048kB/nr_hugepages"
#define WHOLE_POOL      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

START_TEST(pools_grow_and_are_set)
{
        CLEANUP(host_unref) const struct host *host = NULL;

        put_cxl_machine();
        host = make_host();
        ck_assert_uint_eq(alloc(host, 2048, 3, 0, 2, HOST_ALLOC_ADD).pools, 2);
        expect_file(NODE_POOL("0"), "19\n");
        expect_file(NODE_POOL("1"), "20\n");
        expect_file(NODE_POOL("4"), "20\n");
        ck_assert_uint_eq(alloc(host, 2048, 3, 4, 1, HOST_ALLOC_SET).pools, 1);
        expect_file(NODE_POOL("4"), "3\n\n");
        ck_assert_uint_eq(alloc(host, 2048, 10, HOST_WHOLE, 1, HOST_ALLOC_ADD).pools, 1);
        expect_file(WHOLE_POOL, "60\n");
}
END_TEST

START_TEST(pools_without_numa)
{
        CLEANUP(host_unref) const struct host *host = NULL;

        put_machine_without_numa();
        host = make_host();
        ck_assert_uint_eq(alloc(host, 2048, 2, 0, 1, HOST_ALLOC_ADD).pools, 1);
        expect_file(WHOLE_POOL, "10\n");
}
END_TEST

/* The kernel does not find the pages in the second cell: the first one gets back what it had. */
START_TEST(all_pools_or_none)
{
        CLEANUP(host_unref) const struct host *host = NULL;

        put_cxl_machine();
        put_link("/dev/null", NODE_POOL("1"));
        host = make_host();
        expect_error(alloc(host, 2048, 100, 0, 2, HOST_ALLOC_ADD).error, ERROR_OPERATION_FAILED,
                     "have to be 100 pages of 2048 KiB, and the kernel comes to no more than 0");
        expect_file(NODE_POOL("0"), "16\n\n");
}
END_TEST

START_TEST(refused_pools)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        CLEANUP(host_unref) const struct host *test = host_new_test();

        put_cxl_machine();
        host = make_host();
        expect_error(alloc(host, 4, 1, 0, 1, 0).error, ERROR_OPERATION_UNSUPPORTED,
                     "pages of 4 KiB are the system's own");
        expect_error(alloc(host, 1048576, 1, 0, 1, 0).error, ERROR_OPERATION_FAILED,
                     "page size 1048576 KiB is not available on node 0");
        expect_error(alloc(host, 2048, G_MAXUINT64, 0, 1, 0).error, ERROR_INVALID_ARG,
                     "are more than any host has");
        expect_error(alloc(host, 2048, 1, 7, 1, 0).error, ERROR_INVALID_ARG, "cells are from 0 to 4");
        expect_error(alloc(host, 2048, 1, 0, 1, 2).error, ERROR_INVALID_ARG, "unsupported flags (0x2)");
        expect_error(alloc(test, 2048, 1, 0, 1, 0).error, ERROR_NO_SUPPORT, "virNodeAllocPages");
        expect_file(NODE_POOL("0"), "16\n");
}
END_TEST

/* ---- merging ---- */

#define KSM "/sys/kernel/mm/ksm/"

static void put_ksm(void)
{
        static const char *const files[][2] = {
                { "pages_to_scan", "100\n" },
                { "sleep_millisecs", "20\n" },
                { "pages_shared", "5000000000\n" },
                { "pages_sharing", "2\n" },
                { "pages_unshared", "3\n" },
                { "pages_volatile", "4\n" },
                { "full_scans", "5\n" },
                { "merge_across_nodes", "1\n" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++)
                put(files[i][1], KSM "%s", files[i][0]);
}

START_TEST(parameters)
{
        CLEANUP(host_unref) const struct host *host = NULL;
        CLEANUP(params_free) struct params *params = NULL;
        g_autofree char *gone = root_path(KSM "merge_across_nodes");

        put_ksm();
        unlink(gone);
        host = make_host();
        params = host_get_memory_parameters(host, 0, NULL);
        ck_assert_uint_eq(params_get_count(params), 7);
        ck_assert_str_eq(params_get(params, 0)->name, "shm_pages_to_scan");
        ck_assert_int_eq(params_get(params, 0)->type, PARAM_UINT);
        ck_assert_uint_eq(params_get(params, 0)->value.u, 100);
        ck_assert_int_eq(params_find(params, "shm_pages_shared")->type, PARAM_ULONG);
        ck_assert_uint_eq(params_find(params, "shm_pages_shared")->value.t, UINT64_C(5000000000));
        ck_assert_ptr_null(params_find(params, "shm_merge_across_nodes"));
}
END_TEST

static void take_end(const GError *error, void *data)
{
        take_pools(0, error, data);
}

/* Of what a caller hands in; name NULL ends the list. */
static GError *set(const struct host *host, const struct param *list)
{
        CLEANUP(params_free) struct params *params = params_new();
        struct outcome outcome = { 0 };
        GError *error = NULL;

        for (; list->name; list++)
                if (!params_accept(params, &host_memory_table, list, &error))
                        return error;
        host_set_memory_parameters(host, jobs, params, 0, take_end, &outcome);
        while (!outcome.done || job_list_get_count(jobs))
                loop_step(loop, true);
        return outcome.error;
}

START_TEST(parameters_are_set)
{
        static const struct param list[] = { { "shm_sleep_millisecs", PARAM_UINT, { .u = 7 } },
                                             { "shm_pages_to_scan", PARAM_UINT, { .u = 1000 } },
                                             { 0 } };
        CLEANUP(host_unref) const struct host *host = NULL;

        put_ksm();
        host = make_host();
        ck_assert_ptr_null(set(host, list));
        expect_file(KSM "sleep_millisecs", "7\n\n");
        expect_file(KSM "pages_to_scan", "1000\n");
}
END_TEST

START_TEST(all_parameters_or_none)
{
        static const struct param refused[] = { { "shm_pages_to_scan", PARAM_UINT, { .u = 1000 } },
                                                { "shm_merge_across_nodes", PARAM_UINT, { .u = 0 } },
                                                { 0 } };
        static const struct param read_only[] = { { "shm_full_scans", PARAM_ULONG, { .t = 1 } }, { 0 } };
        static const struct param beyond[] = { { "shm_merge_across_nodes", PARAM_UINT, { .u = 2 } }, { 0 } };
        CLEANUP(host_unref) const struct host *host = NULL;
        g_autofree char *gone = root_path(KSM "merge_across_nodes");

        put_ksm();
        /* What can be read and not be written. */
        put_link("/proc/version", KSM "merge_across_nodes");
        host = make_host();
        expect_error(set(host, refused), ERROR_SYSTEM_ERROR, "ksm/merge_across_nodes'");
        expect_file(KSM "pages_to_scan", "100\n\n");
        unlink(gone);
        expect_error(set(host, refused), ERROR_OPERATION_UNSUPPORTED,
                     "this kernel has no parameter 'shm_merge_across_nodes'");
        expect_error(set(host, read_only), ERROR_INVALID_ARG, "shm_full_scans");
        expect_error(set(host, beyond), ERROR_INVALID_ARG, "shm_merge_across_nodes");
        expect_file(KSM "pages_to_scan", "100\n\n");
}
END_TEST

/* ---- the test host ---- */

START_TEST(test_host)
{
        static const uint32_t sizes[] = { 4, 8, 2048, 1048576 };
        CLEANUP(host_unref) const struct host *host = host_new_test();
        struct host_pages pages = { sizes, G_N_ELEMENTS(sizes), 0, 2, 0 };
        GError *error = NULL;

        expect_numbers(host_get_cells_free_memory(host, 0, 2, NULL), "2097152 4194304 ");
        expect_numbers(host_get_cells_free_memory(host, 1, 5, NULL), "4194304 ");
        ck_assert_ptr_null(host_get_cells_free_memory(host, 2, 1, NULL));
        expect_numbers(host_get_free_pages(host, &pages, NULL), "19 45 97 201 409 825 1657 3321 ");
        pages = (struct host_pages){ sizes, 1, 1, 1, 0 };
        expect_numbers(host_get_free_pages(host, &pages, NULL), "19 ");
        ck_assert_ptr_null(host_get_memory_parameters(host, 0, &error));
        expect_error(error, ERROR_NO_SUPPORT, "virNodeGetMemoryParameters");
}
END_TEST

CHECK_MAIN_FIXTURE("host-memory", setup, teardown, big_machine, cells_without_cpus, no_cells, no_such_cells,
                   free_pages, free_pages_without_numa, no_such_pages, pools_grow_and_are_set,
                   pools_without_numa, all_pools_or_none, refused_pools, parameters, parameters_are_set,
                   all_parameters_or_none, test_host)
