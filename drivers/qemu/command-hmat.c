/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast the memory of the guest's NUMA cells is, and what caches are in front of it: -numa hmat-lb,
 * hmat-cache. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include "drivers/domain/cpuset.h"

#include <inttypes.h>
#include <string.h>

#define LEVELS_MAX 3

bool command_hmat_is_there(const struct domain_def *def)
{
        const struct domain_cpu *cpu = &def->cpu;

        for (unsigned i = 0; i < cpu->n_cells; i++) {
                if (cpu->cells[i].n_caches > 0)
                        return true;
        }
        return cpu->n_latencies > 0 || cpu->n_bandwidths > 0;
}

static bool has_cpus(const struct domain_numa_cell *cell)
{
        return domain_cpuset_has_above(&cell->cpus, 0);
}

/* The best of the links to a cell's memory, NULL: none. */
static const struct domain_numa_link *find_best(const struct domain_numa_link *links, unsigned n,
                                                uint32_t target, bool largest)
{
        const struct domain_numa_link *best = NULL;

        for (unsigned i = 0; i < n; i++) {
                if (links[i].target != target || links[i].cache || strcmp(links[i].type, "write") == 0)
                        continue;
                if (!best || (largest ? links[i].value > best->value : links[i].value < best->value))
                        best = &links[i];
        }
        return best;
}

unsigned command_hmat_find_initiator(const struct domain_cpu *cpu, const struct domain_numa_cell *cell)
{
        const struct domain_numa_link *best = find_best(cpu->bandwidths, cpu->n_bandwidths, cell->id, true);

        if (has_cpus(cell))
                return cell->id;
        if (!best)
                best = find_best(cpu->latencies, cpu->n_latencies, cell->id, false);
        if (best)
                return best->initiator;
        for (unsigned i = 0; i < cpu->n_cells; i++) {
                if (has_cpus(&cpu->cells[i]))
                        return cpu->cells[i].id;
        }
        return 0;
}

static void add_link(struct command_builder *builder, const struct domain_numa_link *link, bool latency)
{
        static const char *const hierarchies[] = { "memory", "first-level", "second-level", "third-level" };

        command_append_format(builder, "-numa",
                              "hmat-lb,initiator=%u,target=%u,hierarchy=%s,data-type=%s-%s,%s=%" PRIu64 "%s",
                              (unsigned)link->initiator, (unsigned)link->target, hierarchies[link->cache],
                              link->type, latency ? "latency" : "bandwidth",
                              latency ? "latency" : "bandwidth", link->value, latency ? "" : "K");
}

static bool is_described(const struct domain_numa_link *links, unsigned n, uint32_t target)
{
        for (unsigned i = 0; i < n; i++) {
                if (links[i].target == target)
                        return true;
        }
        return false;
}

/* QEMU wants them from the first level on, and behind what is said of the memory. */
static bool add_caches(struct command_builder *builder, const struct domain_numa_cell *cell, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;

        if (cell->n_caches > 0 && (!is_described(cpu->latencies, cpu->n_latencies, cell->id) ||
                                   !is_described(cpu->bandwidths, cpu->n_bandwidths, cell->id)))
                return device_unsupported(
                        error,
                        "a <cache> of NUMA cell %u without a <latency> and a <bandwidth> to "
                        "that cell in <interconnects>",
                        (unsigned)cell->id);
        for (unsigned level = 1; level <= LEVELS_MAX; level++) {
                for (unsigned i = 0; i < cell->n_caches; i++) {
                        const struct domain_numa_cache *cache = &cell->caches[i];
                        const char *policy = strcmp(cache->policy, "writeback") == 0      ? "write-back"
                                             : strcmp(cache->policy, "writethrough") == 0 ? "write-through"
                                                                                          : "none";
                        const char *associativity =
                                strcmp(cache->associativity, "full") == 0 ? "complex" : cache->associativity;

                        if (cache->level != level)
                                continue;
                        command_append_format(builder, "-numa",
                                              "hmat-cache,node-id=%u,size=%" PRIu64
                                              "K,level=%u,associativity=%s,policy=%s,line=%" PRIu64,
                                              (unsigned)cell->id, cache->size_kib, level, associativity,
                                              policy, cache->line_bytes);
                }
        }
        return true;
}

bool command_hmat_add(struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;

        for (unsigned i = 0; i < cpu->n_latencies; i++)
                add_link(builder, &cpu->latencies[i], true);
        for (unsigned i = 0; i < cpu->n_bandwidths; i++)
                add_link(builder, &cpu->bandwidths[i], false);
        for (unsigned i = 0; i < cpu->n_cells; i++) {
                if (!add_caches(builder, &cpu->cells[i], error))
                        return false;
        }
        return true;
}
