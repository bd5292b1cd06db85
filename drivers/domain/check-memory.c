/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the memory: which host nodes back which cells, huge pages, memory devices. No state; any thread.
 */
#include "drivers/domain/check.h"

#include <inttypes.h>
#include <string.h>

static bool check_cell_there(const struct domain_def *def, const char *what, unsigned cell, GError **error)
{
        g_autofree char *there = check_format_count(def->cpu.n_cells);

        if (cell < def->cpu.n_cells)
                return true;
        if (def->cpu.n_cells == 0)
                return check_refuse(error, "%s is for NUMA cell %u of the guest, and <cpu> has no <numa>",
                                    what, cell);
        return check_refuse(error, "%s is for NUMA cell %u of the guest, which has only %s", what, cell,
                            there);
}

static bool check_numatune(const struct check *check, GError **error)
{
        const struct domain_numatune *tune = &check->def->numatune;
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < tune->n_cells; i++) {
                if (!check_cell_there(check->def, "a <memnode> of <numatune>", tune->cells[i].cell, error))
                        return false;
                if (!g_hash_table_add(seen, GUINT_TO_POINTER(tune->cells[i].cell)))
                        return check_refuse(error, "<numatune> has two <memnode> for NUMA cell %u",
                                            tune->cells[i].cell);
                /* The control group would let none of it be elsewhere, whatever the cell's policy is. */
                if (g_strcmp0(tune->mode, "restrictive") == 0 &&
                    g_strcmp0(tune->cells[i].mode, "restrictive") != 0)
                        return check_refuse(
                                error,
                                "the <memnode> of NUMA cell %u is of mode '%s', and the <memory> "
                                "of <numatune> of mode 'restrictive', which all of them have then",
                                tune->cells[i].cell, tune->cells[i].mode ? tune->cells[i].mode : "strict");
        }
        return true;
}

/* ---- huge pages ---- */

static bool check_page_nodes(const struct domain_def *def, const struct domain_hugepage *page, GError **error)
{
        /* Without cells the guest is one, number 0. */
        unsigned cells = MAX(def->cpu.n_cells, 1);

        for (unsigned i = cells; i < page->nodes.n_words * 64; i++) {
                g_autofree char *what = NULL;

                if (!domain_cpuset_has(&page->nodes, i))
                        continue;
                what = g_strdup_printf("the <page size='%" G_GUINT64_FORMAT "' unit='KiB'>", page->size_kib);
                return check_cell_there(def, what, i, error);
        }
        return true;
}

static bool share_node(const struct domain_hugepage *a, const struct domain_hugepage *b, unsigned *node)
{
        for (*node = 0; *node < a->nodes.n_words * 64; ++*node) {
                if (domain_cpuset_has(&a->nodes, *node) && domain_cpuset_has(&b->nodes, *node))
                        return true;
        }
        return false;
}

static bool check_pages_apart(const struct domain_hugepage *a, const struct domain_hugepage *b,
                              GError **error)
{
        unsigned node;

        if (!a->nodes.words && !b->nodes.words)
                return check_refuse(error,
                                    "pages of %" G_GUINT64_FORMAT " KiB and of %" G_GUINT64_FORMAT
                                    " KiB are both for all of the guest: give one of them a nodeset",
                                    a->size_kib, b->size_kib);
        if (a->nodes.words && b->nodes.words && share_node(a, b, &node))
                return check_refuse(error,
                                    "NUMA cell %u is to have both pages of %" G_GUINT64_FORMAT
                                    " KiB and of %" G_GUINT64_FORMAT " KiB",
                                    node, a->size_kib, b->size_kib);
        return true;
}

static bool check_hugepages(const struct check *check, GError **error)
{
        const struct domain_memory_backing *backing = &check->def->memory_backing;

        if (backing->has_hugepages && g_strcmp0(backing->source, "anonymous") == 0)
                return check_refuse(error,
                                    "<hugepages> and <source type='anonymous'> of <memoryBacking> cannot "
                                    "go together: leave the source out");
        if (backing->has_hugepages && g_strcmp0(backing->allocation, "ondemand") == 0)
                return check_refuse(error, "<hugepages> and <allocation mode='ondemand'> of <memoryBacking> "
                                           "cannot go together: huge pages are taken at once");
        for (unsigned i = 0; i < backing->n_hugepages; i++) {
                if (!check_page_nodes(check->def, &backing->hugepages[i], error))
                        return false;
                for (unsigned j = 0; j < i; j++) {
                        if (!check_pages_apart(&backing->hugepages[j], &backing->hugepages[i], error))
                                return false;
                }
        }
        return true;
}

/* ---- memory devices ---- */

static bool check_slots_apart(const struct domain_memory *one, const struct domain_memory *other,
                              GError **error)
{
        const struct domain_address *left = &one->info.address, *right = &other->info.address;

        if (left->type != DOMAIN_ADDRESS_DIMM || right->type != DOMAIN_ADDRESS_DIMM)
                return true;
        if (left->dimm.slot == right->dimm.slot)
                return check_refuse(error, "two memory devices are in slot %" PRIu32, left->dimm.slot);
        return left->dimm.base == 0 || left->dimm.base != right->dimm.base ||
               check_refuse(error, "two memory devices are at base='0x%" PRIx64 "'", left->dimm.base);
}

/* Where the guest has it. */
static bool check_slot(const struct domain_def *def, unsigned index, GError **error)
{
        const struct domain_memory *memories = def->devices.memories;
        const struct domain_address *address = &memories[index].info.address;

        if (address->type == DOMAIN_ADDRESS_DIMM && address->dimm.slot >= def->memory_slots)
                return check_refuse(error,
                                    "a memory device is in slot %" PRIu32
                                    ", and <maxMemory> has %u slots, numbered from 0",
                                    address->dimm.slot, (unsigned)def->memory_slots);
        for (unsigned i = 0; i < index; i++) {
                if (!check_slots_apart(&memories[i], &memories[index], error))
                        return false;
        }
        return true;
}

static bool check_memory_devices(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;

        if (def->devices.n_memories > 0 && def->max_memory_kib == 0)
                return check_refuse(error, "a memory device needs <maxMemory slots=>, which says how far the "
                                           "memory can grow");
        if (def->devices.n_memories > def->memory_slots)
                return check_refuse(error, "%u memory devices do not fit into the %u slots of <maxMemory>",
                                    (unsigned)def->devices.n_memories, (unsigned)def->memory_slots);
        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                const struct domain_memory *memory = &def->devices.memories[i];
                g_autofree char *what = g_strdup_printf("memory device %u (%s)", i, memory->model);

                if (memory->node >= 0 && !check_cell_there(def, what, (unsigned)memory->node, error))
                        return false;
                if (!check_slot(def, i, error))
                        return false;
                if ((strcmp(memory->model, "nvdimm") == 0 || strcmp(memory->model, "virtio-pmem") == 0) &&
                    !memory->path)
                        return check_refuse(error, "%s needs a <source><path>", what);
        }
        return true;
}

/* Where KVM notes the pages that a vCPU has written to. */
static bool check_dirty_ring(const struct check *check, GError **error)
{
        enum { ENTRIES_MIN = 1024, ENTRIES_MAX = 65536 };
        const struct domain_features *features = &check->def->features;
        unsigned entries = features->kvm_dirty_ring_entries;

        if (features->kvm_dirty_ring != DOMAIN_SWITCH_ON ||
            (entries >= ENTRIES_MIN && entries <= ENTRIES_MAX && (entries & (entries - 1)) == 0))
                return true;
        return check_refuse(
                error, "<dirty-ring size='%u'> of <kvm> in <features>: it is a power of two from %d to %d",
                entries, ENTRIES_MIN, ENTRIES_MAX);
}

const check_function domain_check_memory[] = { check_numatune, check_hugepages, check_memory_devices,
                                               check_dirty_ring, NULL };
