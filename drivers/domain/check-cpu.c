/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the virtual CPUs: what they are, where they and the I/O threads run, which NUMA cells they are
 * in. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/domain/vcpu-list.h"

#include <string.h>

#define VENDOR_ID_BYTES 12

/* ---- pins ---- */

static bool check_twice(const struct domain_pin *pins, unsigned n, const char *what, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < n; i++) {
                if (!g_hash_table_add(seen, GUINT_TO_POINTER(pins[i].id)))
                        return check_refuse(error, "%s %u is pinned twice in <cputune>", what, pins[i].id);
        }
        return true;
}

static bool check_pins(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;

        if (!check_twice(def->vcpu_pins, def->n_vcpu_pins, "vCPU", error) ||
            !check_twice(def->iothread_pins, def->n_iothread_pins, "I/O thread", error))
                return false;
        for (unsigned i = 0; i < def->n_iothread_pins; i++) {
                g_autofree char *there = NULL;

                if (check_has_iothread(def, def->iothread_pins[i].id))
                        continue;
                there = check_format_iothreads(def);
                return check_refuse(
                        error,
                        "<iothreadpin iothread='%u'> is for an I/O thread that the domain does not "
                        "have: %s",
                        def->iothread_pins[i].id, there);
        }
        return true;
}

/* Once the machine is made, vCPUs come to it one after the other. */
static bool check_order(const struct domain_vcpu *vcpu, unsigned group_size, GHashTable *orders, bool known,
                        GError **error)
{
        if (known != (vcpu->order > 0))
                return check_refuse(error,
                                    "some vCPUs that are on have an 'order' in <vcpus>, and others, as vCPU "
                                    "%u, have none",
                                    known ? vcpu->id : 0);
        if (vcpu->id == 0 && vcpu->order > 1)
                return check_refuse(error, "vCPU 0 has order %u (<vcpus>): a guest boots on it", vcpu->order);
        if (known && vcpu->id % group_size == 0 && !g_hash_table_add(orders, GUINT_TO_POINTER(vcpu->order)))
                return check_refuse(error, "two vCPUs have order %u (<vcpus>)", vcpu->order);
        return true;
}

static bool check_first(const struct domain_vcpu *vcpu, GError **error)
{
        if (!vcpu->enabled)
                return check_refuse(error, "vCPU 0 cannot be off (<vcpus>): a guest boots on it");
        if (vcpu->hotpluggable == DOMAIN_SWITCH_ON)
                return check_refuse(error, "vCPU 0 cannot be hotpluggable (<vcpus>): a guest boots on it");
        return true;
}

/* The emulator makes the first ones with the machine. */
static bool check_staying(const struct domain_def *def, GError **error)
{
        unsigned first = 0;

        while (first < def->max_vcpus && domain_vcpu_is_enabled(def, first) &&
               !domain_vcpu_is_hotpluggable(def, first))
                first++;
        for (unsigned id = first; id < def->max_vcpus; id++) {
                if (domain_vcpu_is_enabled(def, id) && !domain_vcpu_is_hotpluggable(def, id))
                        return check_refuse(error,
                                            "vCPU %u is on with hotpluggable='no' (<vcpus>), and vCPU %u "
                                            "before it is not: those that stay come first",
                                            id, first);
        }
        return true;
}

static bool check_groups(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;
        unsigned group_size = domain_vcpu_get_group_size(def), first = 0, other = 0;

        if (domain_vcpu_are_whole(def, &first, &other))
                return true;
        if (def->n_vcpu_list == 0)
                return check_refuse(
                        error,
                        "%u vCPUs are not whole cores, which come and go on a pseries machine: those "
                        "of <topology> have %u threads each",
                        (unsigned)def->vcpus, group_size);
        return check_refuse(error,
                            "vCPUs %u and %u differ in <vcpus>, and are threads of one core, which comes and "
                            "goes as a whole on a pseries machine: each core of <topology> has %u",
                            first, other, group_size);
}

/* <vcpus>, which is sorted: vCPU 0 is always there, and none is listed twice. */
static bool check_list(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL), orders = g_hash_table_new(NULL, NULL);
        unsigned group_size = domain_vcpu_get_group_size(def);
        bool known = false;

        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                const struct domain_vcpu *vcpu = &def->vcpu_list[i];

                if (!g_hash_table_add(seen, GUINT_TO_POINTER(vcpu->id)))
                        return check_refuse(error, "vCPU %u is listed twice in <vcpus>", vcpu->id);
                if (vcpu->id == 0 && !check_first(vcpu, error))
                        return false;
                if (!vcpu->enabled && vcpu->hotpluggable == DOMAIN_SWITCH_OFF)
                        return check_refuse(
                                error,
                                "vCPU %u is off and has hotpluggable='no' (<vcpus>): it could never come",
                                vcpu->id);
                if (vcpu->id == 0)
                        known = vcpu->order > 0;
                if (vcpu->enabled && !check_order(vcpu, group_size, orders, known, error))
                        return false;
        }
        return check_groups(check, error) && check_staying(def, error);
}

/* ---- the model ---- */

static bool check_features(const struct check *check, GError **error)
{
        const struct domain_machine *machine = check->machine;
        const struct domain_cpu *cpu = &check->def->cpu;
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (unsigned i = 0; i < cpu->n_features; i++) {
                const char *name = cpu->features[i].name;
                g_autofree char *quoted = error_quote(name);

                if (!name || !*name)
                        return check_refuse(error, "a <feature> of <cpu> has no name");
                if (!g_hash_table_add(seen, (gpointer)name))
                        return check_refuse(error, "CPU feature '%s' is there twice", quoted);
                if (machine->has_cpu_feature && !machine->has_cpu_feature(machine, name))
                        return check_refuse(error,
                                            "emulator '%s' knows no CPU feature '%s' (-cpu help lists them)",
                                            machine->emulator, quoted);
        }
        return true;
}

static bool is_x86(const char *arch)
{
        return g_strcmp0(arch, "x86_64") == 0 || g_strcmp0(arch, "i686") == 0;
}

static bool check_vendor(const struct check *check, GError **error)
{
        static const char *const vendors[] = { "Intel", "AMD", "Hygon", NULL };
        const struct domain_cpu *cpu = &check->def->cpu;
        g_autofree char *quoted = error_quote(cpu->vendor_id ? cpu->vendor_id : cpu->vendor);

        if (cpu->vendor_id && strlen(cpu->vendor_id) != VENDOR_ID_BYTES)
                return check_refuse(error,
                                    "CPU vendor_id '%s' has %u bytes, and the CPU shows %d ('GenuineIntel')",
                                    quoted, (unsigned)strlen(cpu->vendor_id), VENDOR_ID_BYTES);
        if (cpu->vendor && is_x86(check->machine->arch) && !g_strv_contains(vendors, cpu->vendor))
                return check_refuse(error, "unknown CPU vendor '%s': expected Intel, AMD or Hygon", quoted);
        return true;
}

static bool check_cache(const struct check *check, GError **error)
{
        const struct domain_cpu *cpu = &check->def->cpu;

        if (!cpu->cache_mode)
                return true;
        if (strcmp(cpu->cache_mode, "passthrough") == 0 && cpu->mode != DOMAIN_CPU_HOST_PASSTHROUGH &&
            cpu->mode != DOMAIN_CPU_MAXIMUM)
                return check_refuse(error, "<cache mode='passthrough'> of <cpu> needs a CPU of mode "
                                           "'host-passthrough' or 'maximum'");
        if (strcmp(cpu->cache_mode, "emulate") == 0 && cpu->cache_level != -1 && cpu->cache_level != 3)
                return check_refuse(error, "<cache mode='emulate'> of <cpu> is for level 3, not %d",
                                    cpu->cache_level);
        if (strcmp(cpu->cache_mode, "emulate") != 0 && cpu->cache_level != -1)
                return check_refuse(error,
                                    "<cache mode='%s'> of <cpu> is for all levels, not for level %d alone",
                                    cpu->cache_mode, cpu->cache_level);
        return true;
}

/* How wide addresses are is the host's to say, or the document's. */
static bool check_address_bits(const struct check *check, GError **error)
{
        const struct domain_cpu *cpu = &check->def->cpu;
        bool host = g_strcmp0(cpu->maxphysaddr_mode, "passthrough") == 0;

        if (!cpu->maxphysaddr_mode)
                return true;
        if (!host && !cpu->maxphysaddr_bits)
                return check_refuse(error, "<maxphysaddr mode='emulate'> of <cpu> needs bits");
        if (host && cpu->maxphysaddr_bits)
                return check_refuse(error,
                                    "<maxphysaddr mode='passthrough'> of <cpu> has no bits: it may have "
                                    "a limit");
        if (!host && cpu->maxphysaddr_limit)
                return check_refuse(error, "<maxphysaddr mode='emulate'> of <cpu> has no limit: it has bits");
        return true;
}

/* ---- NUMA cells ---- */

static bool overlap(const struct domain_cpuset *a, const struct domain_cpuset *b, unsigned *number)
{
        for (unsigned i = 0; i < MIN(a->n_words, b->n_words); i++) {
                uint64_t both = a->words[i] & b->words[i];

                if (!both)
                        continue;
                *number = i * 64 + (unsigned)__builtin_ctzll(both);
                return true;
        }
        return false;
}

static bool check_distances(const struct domain_cpu *cpu, const struct domain_numa_cell *cell, GError **error)
{
        g_autofree char *there = check_format_count(cpu->n_cells);

        for (unsigned i = 0; i < cell->n_distances; i++) {
                const struct domain_numa_distance *distance = &cell->distances[i];

                if (distance->cell >= cpu->n_cells)
                        return check_refuse(error,
                                            "the distance of NUMA cell %u to cell %u: there is no such "
                                            "cell, only %s",
                                            cell->id, distance->cell, there);
                if (distance->cell == cell->id && distance->value != 10)
                        return check_refuse(error, "the distance of NUMA cell %u to itself is 10, not %u",
                                            cell->id, distance->value);
                for (unsigned j = 0; j < i; j++) {
                        if (cell->distances[j].cell == distance->cell)
                                return check_refuse(error,
                                                    "the distance of NUMA cell %u to cell %u is there twice",
                                                    cell->id, distance->cell);
                }
        }
        return true;
}

static bool check_cells(const struct check *check, GError **error)
{
        const struct domain_def *def = check->def;
        const struct domain_cpu *cpu = &def->cpu;

        for (unsigned i = 0; i < cpu->n_cells; i++) {
                const struct domain_numa_cell *cell = &cpu->cells[i];
                unsigned number;

                for (number = def->max_vcpus; number < cell->cpus.n_words * 64; number++) {
                        if (domain_cpuset_has(&cell->cpus, number))
                                return check_refuse(
                                        error,
                                        "NUMA cell %u has vCPU %u, but <vcpu> says that there are "
                                        "%u (counted from 0)",
                                        cell->id, number, def->max_vcpus);
                }
                for (unsigned j = 0; j < i; j++) {
                        if (overlap(&cpu->cells[j].cpus, &cell->cpus, &number))
                                return check_refuse(error, "vCPU %u is both in NUMA cell %u and in cell %u",
                                                    number, cpu->cells[j].id, cell->id);
                }
                if (!check_distances(cpu, cell, error))
                        return false;
        }
        return true;
}

/* ---- memory attributes ---- */

static const struct domain_numa_cell *find_cell(const struct domain_cpu *cpu, uint32_t id)
{
        for (unsigned i = 0; i < cpu->n_cells; i++) {
                if (cpu->cells[i].id == id)
                        return &cpu->cells[i];
        }
        return NULL;
}

static bool has_level(const struct domain_numa_cell *cell, uint32_t level)
{
        for (unsigned i = 0; i < cell->n_caches; i++) {
                if (cell->caches[i].level == level)
                        return true;
        }
        return false;
}

static bool check_link(const struct domain_cpu *cpu, const char *what, const struct domain_numa_link *link,
                       GError **error)
{
        const struct domain_numa_cell *initiator = find_cell(cpu, link->initiator),
                                      *target = find_cell(cpu, link->target);
        g_autofree char *there = check_format_count(cpu->n_cells);

        if (!initiator || !target)
                return check_refuse(error, "a <%s> is between NUMA cells %u and %u: there are %s", what,
                                    link->initiator, link->target, there);
        if (!domain_cpuset_has_above(&initiator->cpus, 0))
                return check_refuse(error, "a <%s> has NUMA cell %u as initiator, which has no CPUs", what,
                                    link->initiator);
        if (link->cache && !has_level(target, link->cache))
                return check_refuse(error, "a <%s> is to a cache of level %u of NUMA cell %u, which has none",
                                    what, link->cache, link->target);
        return true;
}

static bool check_links(const struct domain_cpu *cpu, const char *what, const struct domain_numa_link *links,
                        unsigned n, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < n; i++) {
                const struct domain_numa_link *link = &links[i];
                /* Cells are below DOMAIN_VCPUS_MAX, levels below 4, and each type begins with another letter.
                 */
                uintptr_t key = (((uintptr_t)link->initiator * (DOMAIN_VCPUS_MAX + 1) + link->target) * 4 +
                                 link->cache) *
                                        256 +
                                (unsigned char)link->type[0];

                if (!check_link(cpu, what, link, error))
                        return false;
                if (!g_hash_table_add(seen, (gpointer)key))
                        return check_refuse(
                                error, "the <%s> of type '%s' from NUMA cell %u to cell %u is there twice",
                                what, link->type, link->initiator, link->target);
        }
        return true;
}

static bool check_attributes(const struct check *check, GError **error)
{
        const struct domain_cpu *cpu = &check->def->cpu;

        for (unsigned i = 0; i < cpu->n_cells; i++) {
                const struct domain_numa_cell *cell = &cpu->cells[i];

                for (unsigned j = 1; j < cell->n_caches; j++) {
                        for (unsigned k = 0; k < j; k++) {
                                if (cell->caches[k].level == cell->caches[j].level)
                                        return check_refuse(error, "NUMA cell %u has two caches of level %u",
                                                            cell->id, cell->caches[j].level);
                        }
                }
        }
        return check_links(cpu, "latency", cpu->latencies, cpu->n_latencies, error) &&
               check_links(cpu, "bandwidth", cpu->bandwidths, cpu->n_bandwidths, error);
}

const check_function domain_check_cpu[] = {
        check_list,         check_pins,  check_features,   check_vendor, check_cache,
        check_address_bits, check_cells, check_attributes, NULL,
};
