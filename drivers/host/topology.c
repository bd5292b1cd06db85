/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading the topology of CPUs, memory and caches from /sys. Any thread. */

#include "drivers/host/topology.h"
#include "drivers/host/sysfile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CPU_DIR  "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

/* Caches below this level are private to cores and of no interest to placement. */
#define CACHE_LEVEL_MIN 3

GArray *topology_parse_list(const char *text, unsigned max)
{
        GArray *numbers = g_array_new(FALSE, FALSE, sizeof(unsigned));
        const char *at = text;

        while (at && g_ascii_isdigit(*at)) {
                char *end;
                guint64 first = g_ascii_strtoull(at, &end, 10);
                guint64 last = *end == '-' ? g_ascii_strtoull(end + 1, &end, 10) : first;

                for (guint64 i = first; i <= last && i < max; i++) {
                        unsigned number = (unsigned)i;

                        g_array_append_val(numbers, number);
                }
                at = *end == ',' ? end + 1 : NULL;
        }
        return numbers;
}

static void cpu_clear(void *data)
{
        struct topology_cpu *cpu = data;

        g_free(cpu->siblings);
}

static void cell_free(void *data)
{
        struct topology_cell *cell = data;

        g_array_unref(cell->pages);
        g_array_unref(cell->distances);
        g_array_unref(cell->cpus);
        g_free(cell);
}

static void cache_free(void *data)
{
        struct topology_cache *cache = data;

        g_free(cache->cpus);
        g_free(cache);
}

struct topology *topology_new(void)
{
        struct topology *topology = g_new0(struct topology, 1);

        topology->cells = g_ptr_array_new_with_free_func(cell_free);
        topology->page_sizes = g_array_new(FALSE, FALSE, sizeof(unsigned));
        topology->caches = g_ptr_array_new_with_free_func(cache_free);
        return topology;
}

void topology_free(struct topology *topology)
{
        if (!topology)
                return;
        g_ptr_array_unref(topology->cells);
        g_array_unref(topology->page_sizes);
        g_ptr_array_unref(topology->caches);
        g_free(topology);
}

struct topology_cell *topology_add_cell(struct topology *topology, unsigned id, uint64_t memory_kib)
{
        struct topology_cell *cell = g_new0(struct topology_cell, 1);

        cell->id = id;
        cell->memory_kib = memory_kib;
        cell->pages = g_array_new(FALSE, FALSE, sizeof(struct topology_pages));
        cell->distances = g_array_new(FALSE, FALSE, sizeof(struct topology_distance));
        cell->cpus = g_array_new(FALSE, FALSE, sizeof(struct topology_cpu));
        g_array_set_clear_func(cell->cpus, cpu_clear);
        g_ptr_array_add(topology->cells, cell);
        return cell;
}

void topology_add_cpu(struct topology_cell *cell, unsigned id, unsigned socket, unsigned die, unsigned core,
                      unsigned threads, const char *siblings)
{
        struct topology_cpu cpu = {
                .id = id,
                .socket = socket,
                .die = die,
                .core = core,
                .threads = threads,
                .siblings = g_strdup(siblings),
        };

        g_array_append_val(cell->cpus, cpu);
}

static void scan_cpu(struct topology_cell *cell, const char *root, unsigned id)
{
        g_autofree char *siblings = sysfile_read(root, CPU_DIR "/cpu%u/topology/thread_siblings_list", id);
        g_autoptr(GArray) threads = topology_parse_list(siblings, TOPOLOGY_CPUS_MAX);
        g_autofree char *own = g_strdup_printf("%u", id);

        topology_add_cpu(cell, id,
                         sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/topology/physical_package_id", id),
                         sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/topology/die_id", id),
                         sysfile_read_unsigned(root, id, CPU_DIR "/cpu%u/topology/core_id", id),
                         MAX(threads->len, 1), siblings ? siblings : own);
}

static GArray *read_cpu_list(const char *root, const char *name)
{
        g_autofree char *text = sysfile_read(root, CPU_DIR "/%s", name);

        return topology_parse_list(text, TOPOLOGY_CPUS_MAX);
}

static void scan_cpus(struct topology_cell *cell, const char *root, const GArray *ids)
{
        for (unsigned i = 0; i < ids->len; i++)
                scan_cpu(cell, root, g_array_index(ids, unsigned, i));
}

/* Huge pages by size; the pages of the normal size are what is left of the cell's memory. */
static void scan_pages(struct topology *topology, struct topology_cell *cell, const char *root,
                       const char *dir)
{
        struct topology_pages normal = { .size_kib = g_array_index(topology->page_sizes, unsigned, 0) };
        uint64_t huge_kib = 0;

        g_array_append_val(cell->pages, normal);
        for (unsigned i = 1; i < topology->page_sizes->len; i++) {
                struct topology_pages pages = { .size_kib =
                                                        g_array_index(topology->page_sizes, unsigned, i) };

                pages.count =
                        sysfile_read_unsigned(root, 0, "%s/hugepages-%ukB/nr_hugepages", dir, pages.size_kib);
                huge_kib += pages.count * pages.size_kib;
                g_array_append_val(cell->pages, pages);
        }
        if (cell->memory_kib > huge_kib)
                g_array_index(cell->pages, struct topology_pages, 0).count =
                        (cell->memory_kib - huge_kib) / normal.size_kib;
}

static void scan_distances(struct topology_cell *cell, const char *root, const GArray *ids)
{
        g_autofree char *text = sysfile_read(root, NODE_DIR "/node%u/distance", cell->id);
        g_auto(GStrv) values = g_strsplit(text ? text : "", " ", -1);

        for (unsigned i = 0; values[i] && i < ids->len; i++) {
                struct topology_distance distance = {
                        .cell = g_array_index(ids, unsigned, i),
                        .value = (unsigned)g_ascii_strtoull(values[i], NULL, 10),
                };

                g_array_append_val(cell->distances, distance);
        }
}

static void scan_node(struct topology *topology, const char *root, const GArray *ids, unsigned id)
{
        g_autofree char *meminfo = sysfile_read(root, NODE_DIR "/node%u/meminfo", id);
        g_autofree char *list = sysfile_read(root, NODE_DIR "/node%u/cpulist", id);
        g_autofree char *pages = g_strdup_printf(NODE_DIR "/node%u/hugepages", id);
        g_autoptr(GArray) cpus = topology_parse_list(list, TOPOLOGY_CPUS_MAX);
        guint64 memory_kib = 0;
        struct topology_cell *cell;

        if (meminfo)
                sysfile_find_number(meminfo, "MemTotal", &memory_kib);
        cell = topology_add_cell(topology, id, memory_kib);
        scan_pages(topology, cell, root, pages);
        scan_distances(cell, root, ids);
        scan_cpus(cell, root, cpus);
}

/* A kernel without NUMA: one cell with everything. */
static void scan_single(struct topology *topology, const char *root, const GArray *online)
{
        g_autofree char *meminfo = sysfile_read(root, "/proc/meminfo");
        guint64 memory_kib = 0;
        struct topology_cell *cell;

        if (meminfo)
                sysfile_find_number(meminfo, "MemTotal", &memory_kib);
        cell = topology_add_cell(topology, 0, memory_kib);
        scan_pages(topology, cell, root, "/sys/kernel/mm/hugepages");
        scan_cpus(cell, root, online);
}

static int compare_unsigned(gconstpointer a, gconstpointer b)
{
        unsigned x = *(const unsigned *)a;
        unsigned y = *(const unsigned *)b;

        return (x > y) - (x < y);
}

static void scan_page_sizes(struct topology *topology, const char *root)
{
        g_autoptr(GPtrArray) names = sysfile_list(root, "/sys/kernel/mm/hugepages");
        unsigned normal = (unsigned)(sysconf(_SC_PAGESIZE) / 1024);

        for (unsigned i = 0; i < names->len; i++) {
                unsigned size;

                if (sscanf(g_ptr_array_index(names, i), "hugepages-%ukB", &size) == 1)
                        g_array_append_val(topology->page_sizes, size);
        }
        g_array_sort(topology->page_sizes, compare_unsigned);
        g_array_prepend_val(topology->page_sizes, normal);
}

static bool has_cache(const struct topology *topology, unsigned level, unsigned id)
{
        for (unsigned i = 0; i < topology->caches->len; i++) {
                const struct topology_cache *cache = g_ptr_array_index(topology->caches, i);

                if (cache->level == level && cache->id == id)
                        return true;
        }
        return false;
}

static const char *cache_type(const char *kernel)
{
        if (g_strcmp0(kernel, "Data") == 0)
                return "data";
        if (g_strcmp0(kernel, "Instruction") == 0)
                return "code";
        return "both";
}

static void scan_cache(struct topology *topology, const char *root, unsigned cpu, const char *index)
{
        unsigned level = sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/level", cpu, index);
        unsigned id = sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/id", cpu, index);
        g_autofree char *type = NULL;
        struct topology_cache *cache;

        if (level < CACHE_LEVEL_MIN || has_cache(topology, level, id))
                return;
        type = sysfile_read(root, CPU_DIR "/cpu%u/cache/%s/type", cpu, index);
        cache = g_new0(struct topology_cache, 1);
        cache->id = id;
        cache->level = level;
        cache->type = cache_type(type);
        cache->size_kib = sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/size", cpu, index);
        cache->cpus = sysfile_read(root, CPU_DIR "/cpu%u/cache/%s/shared_cpu_list", cpu, index);
        g_ptr_array_add(topology->caches, cache);
}

static int compare_caches(gconstpointer a, gconstpointer b)
{
        const struct topology_cache *x = *(struct topology_cache *const *)a;
        const struct topology_cache *y = *(struct topology_cache *const *)b;

        if (x->level != y->level)
                return x->level < y->level ? -1 : 1;
        return (x->id > y->id) - (x->id < y->id);
}

static void scan_caches(struct topology *topology, const char *root, const GArray *online)
{
        for (unsigned i = 0; i < online->len; i++) {
                unsigned cpu = g_array_index(online, unsigned, i);
                g_autoptr(GPtrArray) names = sysfile_list(root, CPU_DIR "/cpu%u/cache", cpu);

                for (unsigned j = 0; j < names->len; j++) {
                        if (g_str_has_prefix(g_ptr_array_index(names, j), "index"))
                                scan_cache(topology, root, cpu, g_ptr_array_index(names, j));
                }
        }
        g_ptr_array_sort(topology->caches, compare_caches);
}

uint64_t topology_find_cache_kib(const char *root, unsigned level, unsigned id)
{
        g_autoptr(GArray) online = read_cpu_list(root, "online");

        for (unsigned i = 0; i < online->len; i++) {
                unsigned cpu = g_array_index(online, unsigned, i);
                g_autoptr(GPtrArray) names = sysfile_list(root, CPU_DIR "/cpu%u/cache", cpu);

                for (unsigned j = 0; j < names->len; j++) {
                        const char *index = g_ptr_array_index(names, j);

                        if (sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/level", cpu, index) ==
                                    level &&
                            sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/id", cpu, index) == id)
                                return sysfile_read_unsigned(root, 0, CPU_DIR "/cpu%u/cache/%s/size", cpu,
                                                             index);
                }
        }
        return 0;
}

struct topology *topology_scan(const char *root)
{
        struct topology *topology = topology_new();
        g_autofree char *nodes = sysfile_read(root, NODE_DIR "/online");
        g_autoptr(GArray) ids = topology_parse_list(nodes, TOPOLOGY_CELLS_MAX);
        g_autoptr(GArray) present = read_cpu_list(root, "present");
        g_autoptr(GArray) online = read_cpu_list(root, "online");

        topology->offline = present->len > online->len ? present->len - online->len : 0;
        scan_page_sizes(topology, root);
        for (unsigned i = 0; i < ids->len; i++)
                scan_node(topology, root, ids, g_array_index(ids, unsigned, i));
        if (!ids->len)
                scan_single(topology, root, online);
        scan_caches(topology, root, online);
        return topology;
}

/* The cores of one socket in one cell. */
static unsigned count_cores(const struct topology_cell *cell, unsigned socket)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

        for (unsigned i = 0; i < cell->cpus->len; i++) {
                const struct topology_cpu *cpu = &g_array_index(cell->cpus, struct topology_cpu, i);
                gint64 *key;

                if (cpu->socket != socket)
                        continue;
                key = g_new(gint64, 1);
                *key = (gint64)cpu->die << 32 | cpu->core;
                g_hash_table_add(seen, key);
        }
        return g_hash_table_size(seen);
}

static void count_cell(const struct topology_cell *cell, struct topology_counts *counts)
{
        g_autoptr(GHashTable) sockets = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < cell->cpus->len; i++) {
                const struct topology_cpu *cpu = &g_array_index(cell->cpus, struct topology_cpu, i);

                counts->threads = MAX(counts->threads, cpu->threads);
                if (g_hash_table_add(sockets, GUINT_TO_POINTER(cpu->socket)))
                        counts->cores = MAX(counts->cores, count_cores(cell, cpu->socket));
        }
        counts->sockets = MAX(counts->sockets, g_hash_table_size(sockets));
        counts->cpus += cell->cpus->len;
}

void topology_count(const struct topology *topology, struct topology_counts *counts)
{
        *counts = (struct topology_counts){ .sockets = 1, .cores = 1, .threads = 1 };
        for (unsigned i = 0; i < topology->cells->len; i++)
                count_cell(g_ptr_array_index(topology->cells, i), counts);
        counts->nodes = topology->cells->len;
        /* Cores of different kinds, cells of different sizes: no product fits, and the convention is to show
         * cores alone. */
        if (counts->nodes * counts->sockets * counts->cores * counts->threads !=
            counts->cpus + topology->offline) {
                counts->nodes = 1;
                counts->sockets = 1;
                counts->cores = MAX(counts->cpus + topology->offline, 1);
                counts->threads = 1;
        }
}
