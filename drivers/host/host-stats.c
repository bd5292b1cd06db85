/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the host is doing: what /proc and /sys say at this moment. Any thread, the loop too. */

#include "base/error.h"
#include "base/flags.h"
#include "drivers/host/host-private.h"
#include "drivers/host/sysfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

char *host_get_hostname(const struct host *host)
{
        char name[256] = "";

        if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
                return g_strdup("localhost");
        return g_strdup(name);
}

static GArray *list_nodes(const struct host *host)
{
        g_autofree char *text = sysfile_read(host->root, "/sys/devices/system/node/online");

        return topology_parse_list(text, TOPOLOGY_CELLS_MAX);
}

/* A line of the nodes' meminfo, summed up; of /proc/meminfo where there are no nodes. */
static uint64_t sum_memory(const struct host *host, const char *key)
{
        g_autoptr(GArray) nodes = list_nodes(host);
        uint64_t sum = 0;

        for (unsigned i = 0; i < MAX(nodes->len, 1); i++) {
                g_autofree char *text =
                        nodes->len ? sysfile_read(host->root, "/sys/devices/system/node/node%u/meminfo",
                                                  g_array_index(nodes, unsigned, i))
                                   : sysfile_read(host->root, "/proc/meminfo");
                guint64 value = 0;

                if (text && sysfile_find_number(text, key, &value))
                        sum += value;
        }
        return sum;
}

/* The counts of the start hold as long as the same CPUs are on line. */
static void read_counts(const struct host *host, struct topology_counts *counts)
{
        g_autofree char *online = sysfile_read(host->root, "/sys/devices/system/cpu/online");

        if (g_strcmp0(online, host->online) == 0) {
                *counts = host->counts;
        } else {
                CLEANUP(topology_free) struct topology *topology = topology_scan(host->root);

                topology_count(topology, counts);
        }
}

void host_get_node_info(const struct host *host, struct host_node_info *info)
{
        if (host->fixed) {
                *info = host->fixed->info;
                return;
        }
        memset(info, 0, sizeof(*info));
        g_strlcpy(info->model, host->arch, sizeof(info->model));
        info->memory_kib = sum_memory(host, "MemTotal");
        info->mhz = host->mhz;
        read_counts(host, &info->counts);
}

static GArray *fixed_cpu_map(const char *text)
{
        GArray *map = g_array_new(FALSE, TRUE, sizeof(bool));

        for (; *text; text++) {
                bool on = *text == 'y';

                g_array_append_val(map, on);
        }
        return map;
}

unsigned host_count_cpus(const struct host *host)
{
        g_autofree char *present = NULL;
        g_autoptr(GArray) all = NULL;

        if (host->fixed)
                return (unsigned)strlen(host->fixed->cpu_map);
        present = sysfile_read(host->root, "/sys/devices/system/cpu/present");
        all = topology_parse_list(present, TOPOLOGY_CPUS_MAX);
        return all->len ? g_array_index(all, unsigned, all->len - 1) + 1 : 0;
}

static GArray *list_cpus(const struct host *host)
{
        g_autofree char *online = NULL;
        g_autoptr(GArray) on = NULL;
        GArray *map;

        if (host->fixed)
                return fixed_cpu_map(host->fixed->cpu_map);
        online = sysfile_read(host->root, "/sys/devices/system/cpu/online");
        on = topology_parse_list(online, TOPOLOGY_CPUS_MAX);
        map = g_array_new(FALSE, TRUE, sizeof(bool));
        g_array_set_size(map, host_count_cpus(host));
        for (unsigned i = 0; i < on->len; i++) {
                if (g_array_index(on, unsigned, i) < map->len)
                        g_array_index(map, bool, g_array_index(on, unsigned, i)) = true;
        }
        return map;
}

GArray *host_get_cpu_map(const struct host *host, unsigned flags, GError **error)
{
        return flags_check(flags, 0, ERROR_FROM_NONE, "NodeGetCPUMap", error) ? list_cpus(host) : NULL;
}

uint64_t host_get_free_memory(const struct host *host)
{
        return host->fixed ? host->fixed->free_bytes : sum_memory(host, "MemFree") * 1024;
}

GArray *host_list_cells(const struct host *host)
{
        GArray *cells = host->fixed ? g_array_new(FALSE, FALSE, sizeof(unsigned)) : list_nodes(host);
        unsigned count = host->fixed ? host->fixed->info.counts.nodes : 1;

        if (cells->len)
                return cells;
        for (unsigned i = 0; i < count; i++)
                g_array_append_val(cells, i);
        return cells;
}

static bool require_cell(const struct host *host, int cell, GError **error)
{
        g_autoptr(GArray) cells = host_list_cells(host);

        for (unsigned i = 0; i < cells->len; i++) {
                if (cell >= 0 && g_array_index(cells, unsigned, i) == (unsigned)cell)
                        return true;
        }
        return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                         "there is no NUMA cell %d: cells are from 0 to %u, and -1 is all of them", cell,
                         g_array_index(cells, unsigned, cells->len - 1));
}

/* What the test host says of a cell follows from its topology: nothing of it is in use. */
static void fixed_cell(const struct host *host, int cell, struct host_memory_stats *stats)
{
        CLEANUP(topology_free) struct topology *topology = host_get_topology(host);
        const struct topology_cell *found = g_ptr_array_index(topology->cells, (unsigned)cell);

        *stats = (struct host_memory_stats){ .total_kib = found->memory_kib, .free_kib = found->memory_kib };
}

bool host_get_memory_stats(const struct host *host, int cell, unsigned flags, struct host_memory_stats *stats,
                           GError **error)
{
        g_autofree char *text = NULL;
        guint64 total = 0, free_kib = 0, buffers = 0, cached = 0;

        if (!flags_check(flags, 0, ERROR_FROM_NONE, "NodeGetMemoryStats", error) ||
            (cell != HOST_ALL && !require_cell(host, cell, error)))
                return false;
        if (host->fixed) {
                if (cell == HOST_ALL)
                        *stats = host->fixed->memory;
                else
                        fixed_cell(host, cell, stats);
                return true;
        }
        text = cell == HOST_ALL ? NULL
                                : sysfile_read(host->root, "/sys/devices/system/node/node%d/meminfo", cell);
        if (!text)
                text = sysfile_read(host->root, "/proc/meminfo");
        if (!text || !sysfile_find_number(text, "MemTotal", &total) ||
            !sysfile_find_number(text, "MemFree", &free_kib))
                return error_set(error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR,
                                 "the kernel does not say how much memory there is");
        *stats = (struct host_memory_stats){ .total_kib = total, .free_kib = free_kib };
        if (cell != HOST_ALL)
                return true;
        sysfile_find_number(text, "Buffers", &buffers);
        sysfile_find_number(text, "Cached", &cached);
        stats->has_caches = true;
        stats->buffers_kib = buffers;
        stats->cached_kib = cached;
        return true;
}

/* The line of /proc/stat that begins with name and a space; NULL when there is none. */
static const char *find_cpu_line(const char *text, const char *name)
{
        size_t length = strlen(name);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, length) == 0 && line[length] == ' ')
                        return line + length;
        }
        return NULL;
}

static bool no_such_cpu(const struct host *host, int cpu, GError **error)
{
        g_autoptr(GArray) map = list_cpus(host);

        return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                         "there is no CPU %d on line: CPUs are from 0 to %u, and -1 is all of them", cpu,
                         MAX(map->len, 1) - 1);
}

bool host_get_cpu_stats(const struct host *host, int cpu, unsigned flags, struct host_cpu_stats *stats,
                        GError **error)
{
        g_autofree char *text = NULL;
        g_autofree char *name = cpu == HOST_ALL ? g_strdup("cpu") : g_strdup_printf("cpu%d", cpu);
        uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
        uint64_t ticks[7] = { 0 };
        const char *at;

        if (!flags_check(flags, 0, ERROR_FROM_NONE, "NodeGetCPUStats", error))
                return false;
        if (host->fixed) {
                if (cpu != HOST_ALL && (cpu < 0 || (unsigned)cpu >= host->fixed->info.counts.cpus))
                        return no_such_cpu(host, cpu, error);
                *stats = host->fixed->cpu;
                return true;
        }
        text = sysfile_read(host->root, "/proc/stat");
        at = text ? find_cpu_line(text, name) : NULL;
        if (!at)
                return no_such_cpu(host, cpu, error);
        /* user nice system idle iowait irq softirq */
        for (unsigned i = 0; i < G_N_ELEMENTS(ticks); i++)
                ticks[i] = strtoull(at, (char **)&at, 10);
        stats->user_ns = (ticks[0] + ticks[1]) * tick_ns;
        stats->kernel_ns = (ticks[2] + ticks[5] + ticks[6]) * tick_ns;
        stats->idle_ns = ticks[3] * tick_ns;
        stats->iowait_ns = ticks[4] * tick_ns;
        return true;
}

void host_memory_stats_tell(const struct host_memory_stats *stats, struct params *params)
{
        params_add_ulong(params, "total", stats->total_kib);
        params_add_ulong(params, "free", stats->free_kib);
        if (!stats->has_caches)
                return;
        params_add_ulong(params, "buffers", stats->buffers_kib);
        params_add_ulong(params, "cached", stats->cached_kib);
}

void host_cpu_stats_tell(const struct host_cpu_stats *stats, struct params *params)
{
        params_add_ulong(params, "kernel", stats->kernel_ns);
        params_add_ulong(params, "user", stats->user_ns);
        params_add_ulong(params, "idle", stats->idle_ns);
        params_add_ulong(params, "iowait", stats->iowait_ns);
}

struct topology *host_get_topology(const struct host *host)
{
        return host->fixed ? host->fixed->topology() : topology_scan(host->root);
}

bool host_has_iommu(const struct host *host)
{
        g_autoptr(GPtrArray) groups = NULL;

        if (host->fixed)
                return false;
        groups = sysfile_list(host->root, "/sys/kernel/iommu_groups");
        return groups->len > 0;
}

void host_get_power(const struct host *host, struct host_power *power)
{
        g_autofree char *state = host->fixed ? NULL : sysfile_read(host->root, "/sys/power/state");
        g_autofree char *disk = host->fixed ? NULL : sysfile_read(host->root, "/sys/power/disk");

        memset(power, 0, sizeof(*power));
        power->suspend_mem = state && strstr(state, "mem");
        power->suspend_disk = state && strstr(state, "disk") && disk && !strstr(disk, "[disabled]");
        power->suspend_hybrid = power->suspend_mem && power->suspend_disk && strstr(disk, "suspend");
}
