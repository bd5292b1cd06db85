/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/placement.h"

#include "base/error.h"
#include "base/spawn.h"
#include "drivers/domain/cpuset.h"
#include "drivers/host/host.h"
#include "drivers/host/topology.h"

#include <inttypes.h>
#include <string.h>

/* It looks at all processes of the host. */
#define TIMEOUT_MS 10000

#define WORDS (DOMAIN_CPU_NUMBER_MAX / 64)

static bool is_auto(const char *placement)
{
        return g_strcmp0(placement, "auto") == 0;
}

static bool places_memory(const struct domain_def *def)
{
        const struct domain_numatune *tune = &def->numatune;

        return is_auto(tune->placement) ||
               (is_auto(def->vcpu_placement) && !tune->placement && !tune->nodes.words);
}

/* "0-1" */
static bool ask(struct guest *guest, const struct domain_def *def, uint64_t nodes[WORDS], GError **error)
{
        g_autofree char *tool = g_find_program_in_path("numad");
        g_autofree char *size = g_strdup_printf("%u:%" PRIu64, (unsigned)def->vcpus, def->memory_kib / 1024);
        const char *const argv[] = { tool, "-w", size, NULL };
        const struct domain_cpuset set = { nodes, WORDS };
        g_autofree char *output = NULL, *quoted = NULL;

        if (!tool)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "placement='auto' needs numad, which is not installed on this host");
        if (!spawn_check(guest->domain->base.lane, argv, TIMEOUT_MS, &output, error))
                return false;
        if (domain_cpuset_parse(g_strstrip(output), DOMAIN_CPU_NUMBER_MAX, nodes) &&
            domain_cpuset_has_above(&set, 0))
                return true;
        quoted = error_quote(output);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "numad names no nodes for %s: '%s'",
                         guest->who, quoted);
}

/* The CPUs of those nodes. */
static char *list_cpus(const struct guest *guest, const struct domain_cpuset *nodes)
{
        CLEANUP(topology_free) struct topology *topology = host_get_topology(guest->driver->base.host);
        uint64_t words[WORDS] = { 0 };
        const struct domain_cpuset cpus = { words, WORDS };

        for (unsigned i = 0; i < topology->cells->len; i++) {
                const struct topology_cell *cell = g_ptr_array_index(topology->cells, i);

                for (unsigned j = 0; domain_cpuset_has(nodes, cell->id) && j < cell->cpus->len; j++) {
                        unsigned id = g_array_index(cell->cpus, struct topology_cpu, j).id;

                        if (id < DOMAIN_CPU_NUMBER_MAX)
                                words[id / 64] |= UINT64_C(1) << (id % 64);
                }
        }
        return domain_cpuset_format(&cpus);
}

bool placement_choose(struct guest *guest, const struct domain_def *def, struct domain_edit *edit,
                      GError **error)
{
        uint64_t words[WORDS] = { 0 };
        const struct domain_cpuset nodes = { words, WORDS };
        g_autofree char *cpus = NULL, *memory = NULL;

        if (!is_auto(def->vcpu_placement) && !places_memory(def))
                return true;
        if (!ask(guest, def, words, error))
                return false;
        cpus = list_cpus(guest, &nodes);
        memory = domain_cpuset_format(&nodes);
        domain_edit_place(edit, is_auto(def->vcpu_placement) && *cpus ? cpus : NULL,
                          places_memory(def) ? memory : NULL);
        return true;
}
