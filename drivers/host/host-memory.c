/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Free memory and free pages by cell, and the pools of huge pages. Any thread, but where jobs begin. */

#include "drivers/host/host-memory.h"

#include "base/error.h"
#include "base/flags.h"
#include "base/job.h"
#include "base/lane.h"
#include "drivers/host/host-private.h"
#include "drivers/host/sysfile.h"

#include <unistd.h>

/* ---- cells ---- */

/* The folder of a cell's huge pages, or of all of them. */
static char *get_pools_dir(int cell)
{
        return cell == HOST_WHOLE ? g_strdup("/sys/kernel/mm/hugepages")
                                  : g_strdup_printf("/sys/devices/system/node/node%d/hugepages", cell);
}

/* The numbers of cells from start to start + count - 1; NULL with an error. */
static GArray *choose_cells(const struct host *host, int start, uint64_t count, GError **error)
{
        g_autoptr(GArray) cells = host_list_cells(host);
        GArray *chosen;
        unsigned last = g_array_index(cells, unsigned, cells->len - 1);

        if (start < 0 || (unsigned)start > last || !count) {
                error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                          "start cell %d and a count of %" G_GUINT64_FORMAT
                          ": cells are from 0 to %u, and at least one is to be asked for",
                          start, count, last);
                return NULL;
        }
        chosen = g_array_new(FALSE, FALSE, sizeof(unsigned));
        for (unsigned i = 0; i < cells->len; i++) {
                unsigned cell = g_array_index(cells, unsigned, i);

                if (cell >= (unsigned)start && cell - (unsigned)start < count)
                        g_array_append_val(chosen, cell);
        }
        return chosen;
}

/* A kernel without NUMA has no files of cells. */
static uint64_t read_free_kib(const struct host *host, int cell)
{
        g_autofree char *text =
                cell == HOST_WHOLE
                        ? NULL
                        : sysfile_read(host->root, "/sys/devices/system/node/node%d/meminfo", cell);
        guint64 free_kib = 0;

        if (!text)
                text = sysfile_read(host->root, "/proc/meminfo");
        if (text)
                sysfile_find_number(text, "MemFree", &free_kib);
        return free_kib;
}

GArray *host_get_cells_free_memory(const struct host *host, int start, int max, GError **error)
{
        g_autoptr(GArray) cells = choose_cells(host, start, (uint64_t)MAX(max, 0), error);
        GArray *result;

        if (!cells)
                return NULL;
        result = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        for (unsigned i = 0; i < cells->len; i++) {
                unsigned cell = g_array_index(cells, unsigned, i);
                uint64_t bytes = host->fixed ? host->fixed->cells_free_bytes[cell]
                                             : read_free_kib(host, (int)cell) * 1024;

                g_array_append_val(result, bytes);
        }
        return result;
}

/* ---- pools ---- */

/* Pages of a size in a cell, or in all of the host. */
struct pool {
        int cell;
        uint32_t size_kib;
        uint64_t wanted;
};

static uint32_t get_system_size_kib(void)
{
        return (uint32_t)(sysconf(_SC_PAGESIZE) / 1024);
}

static bool append_pool(GArray *pools, const struct host *host, int cell, uint32_t size_kib, GError **error)
{
        g_autofree char *dir = get_pools_dir(cell);
        g_autofree char *path = g_strdup_printf("%s/hugepages-%ukB", dir, size_kib);
        struct pool pool = { .cell = cell, .size_kib = size_kib };

        /* A kernel without NUMA has the pools of its one cell at the place of all. */
        if (cell == 0 && !host->fixed && !sysfile_exists(host->root, "/sys/devices/system/node/node0")) {
                pool.cell = HOST_WHOLE;
                g_free(path);
                path = g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%ukB", size_kib);
        }
        if (!host->fixed && size_kib != get_system_size_kib() && !sysfile_exists(host->root, path))
                return cell == HOST_WHOLE
                               ? error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                           "page size %u KiB is not available on this host", size_kib)
                               : error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                           "page size %u KiB is not available on node %d", size_kib, cell);
        g_array_append_val(pools, pool);
        return true;
}

static bool append_pools(GArray *pools, const struct host *host, const struct host_pages *pages, int cell,
                         GError **error)
{
        for (unsigned i = 0; i < pages->n_sizes; i++)
                if (!append_pool(pools, host, cell, pages->sizes_kib[i], error))
                        return false;
        return true;
}

/* Cell by cell, and in each by size. */
static GArray *list_pools(const struct host *host, const struct host_pages *pages, GError **error)
{
        g_autoptr(GArray) cells = NULL;
        g_autoptr(GArray) pools = g_array_new(FALSE, FALSE, sizeof(struct pool));

        if (pages->start != HOST_WHOLE) {
                cells = choose_cells(host, pages->start, pages->n_cells, error);
                if (!cells)
                        return NULL;
        }
        if (!pages->n_sizes || (uint64_t)pages->n_sizes * (cells ? cells->len : 1) > HOST_PAGES_MAX) {
                error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                          "%u page sizes in %u cells: there have to be from 1 to %u numbers in all",
                          pages->n_sizes, cells ? cells->len : 1, HOST_PAGES_MAX);
                return NULL;
        }
        for (unsigned i = 0; i < (cells ? cells->len : 1); i++) {
                int cell = cells ? (int)g_array_index(cells, unsigned, i) : HOST_WHOLE;

                if (!append_pools(pools, host, pages, cell, error))
                        return NULL;
        }
        return g_steal_pointer(&pools);
}

static char *get_pool_file(const struct pool *pool, const char *name)
{
        g_autofree char *dir = get_pools_dir(pool->cell);

        return g_strdup_printf("%s/hugepages-%ukB/%s", dir, pool->size_kib, name);
}

static uint64_t read_pool(const struct host *host, const struct pool *pool, const char *name)
{
        g_autofree char *file = get_pool_file(pool, name), *text = sysfile_read(host->root, "%s", file);

        return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* The test host's numbers, as tools know them. */
static uint64_t next_test_number(uint64_t before)
{
        return before * 2 + 7;
}

GArray *host_get_free_pages(const struct host *host, const struct host_pages *pages, GError **error)
{
        g_autoptr(GArray) pools = NULL;
        GArray *result;
        uint64_t count = 6;

        if (!flags_check(pages->flags, 0, ERROR_FROM_NONE, "NodeGetFreePages", error))
                return NULL;
        pools = list_pools(host, pages, error);
        if (!pools)
                return NULL;
        result = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), pools->len);
        for (unsigned i = 0; i < pools->len; i++) {
                const struct pool *pool = &g_array_index(pools, struct pool, i);

                if (host->fixed)
                        count = next_test_number(count);
                else if (pool->size_kib == get_system_size_kib())
                        count = read_free_kib(host, pool->cell) / pool->size_kib;
                else
                        count = read_pool(host, pool, "free_hugepages");
                g_array_append_val(result, count);
        }
        return result;
}

/* ---- changing pools ---- */

struct alloc {
        const struct host *host; /* ref */
        GArray *pools;           /* owned; of struct pool */
        bool adds;
        host_alloc_done done;
        void *data; /* owned by done */
};

static void alloc_free(struct alloc *alloc)
{
        if (alloc->pools)
                g_array_unref(alloc->pools);
        host_unref(alloc->host);
        g_free(alloc);
}

static bool write_pool(const struct host *host, const struct pool *pool, uint64_t count, GError **error)
{
        g_autofree char *file = get_pool_file(pool, "nr_hugepages");
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, count);

        return sysfile_write(host->root, file, text, error);
}

static bool set_pool(const struct host *host, const struct pool *pool, uint64_t wanted, GError **error)
{
        uint64_t got;

        if (!write_pool(host, pool, wanted, error))
                return false;
        got = read_pool(host, pool, "nr_hugepages");
        return got == wanted ||
               error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                         "there would have to be %" G_GUINT64_FORMAT " pages of %u KiB, and the kernel comes "
                         "to no more than %" G_GUINT64_FORMAT,
                         wanted, pool->size_kib, got);
}

/* False with an error when there is no such number. */
static bool add_up(const struct alloc *alloc, const struct pool *pool, uint64_t before, uint64_t *wanted,
                   GError **error)
{
        *wanted = pool->wanted;
        return !alloc->adds || g_uint64_checked_add(wanted, before, pool->wanted) ||
               error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                         "%" G_GUINT64_FORMAT " pages of %u KiB are more than any host has", pool->wanted,
                         pool->size_kib);
}

/* One after the other; when one fails, it and those before get back what they had. */
static bool alloc_work(struct job *job, void *data, GError **error)
{
        const struct alloc *alloc = data;
        g_autofree uint64_t *before = g_new0(uint64_t, alloc->pools->len);

        for (unsigned i = 0; i < alloc->pools->len; i++) {
                const struct pool *pool = &g_array_index(alloc->pools, struct pool, i);
                uint64_t wanted;

                before[i] = read_pool(alloc->host, pool, "nr_hugepages");
                if (add_up(alloc, pool, before[i], &wanted, error) &&
                    set_pool(alloc->host, pool, wanted, error))
                        continue;
                for (unsigned j = 0; j <= i; j++)
                        write_pool(alloc->host, &g_array_index(alloc->pools, struct pool, j), before[j],
                                   NULL);
                return false;
        }
        return true;
}

static void alloc_end(struct job *job, const GError *error, void *data)
{
        struct alloc *alloc = data;

        alloc->done(error ? 0 : alloc->pools->len, error, alloc->data);
        alloc_free(alloc);
}

static GArray *prepare_pools(const struct host *host, const struct host_pages *pages, const uint64_t *counts,
                             GError **error)
{
        g_autoptr(GArray) pools = NULL;

        if (!flags_check(pages->flags, HOST_ALLOC_SET, ERROR_FROM_NONE, "NodeAllocPages", error))
                return NULL;
        if (host->fixed) {
                error_set(error, ERROR_FROM_TEST, ERROR_NO_SUPPORT, "virNodeAllocPages");
                return NULL;
        }
        for (unsigned i = 0; i < pages->n_sizes; i++)
                if (pages->sizes_kib[i] == get_system_size_kib()) {
                        error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_UNSUPPORTED,
                                  "pages of %u KiB are the system's own, and have no pool",
                                  pages->sizes_kib[i]);
                        return NULL;
                }
        pools = list_pools(host, pages, error);
        for (unsigned i = 0; pools && i < pools->len; i++)
                g_array_index(pools, struct pool, i).wanted = counts[i % pages->n_sizes];
        return g_steal_pointer(&pools);
}

void host_alloc_pages(const struct host *host, struct job_list *jobs, const struct host_pages *pages,
                      const uint64_t *counts, host_alloc_done done, void *data)
{
        struct alloc *alloc = g_new0(struct alloc, 1);
        g_autoptr(GError) error = NULL;

        alloc->host = host_ref(host);
        alloc->done = done;
        alloc->data = data;
        alloc->adds = !(pages->flags & HOST_ALLOC_SET);
        alloc->pools = prepare_pools(host, pages, counts, &error);
        if (alloc->pools && job_run(jobs, "pages", NULL, alloc_work, alloc_end, alloc, &error))
                return;
        done(0, error, data);
        alloc_free(alloc);
}
