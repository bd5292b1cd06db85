/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's memory and its NUMA nodes: -m, memory back ends, -numa, -overcommit. Values only; any thread.
 */
#include "drivers/qemu/balloon.h"
#include "drivers/qemu/command-internal.h"
#include "drivers/qemu/memory-backend.h"

#include <string.h>

uint64_t qemu_command_get_memory_unit_kib(const char *arch)
{
        return g_str_has_prefix(arch, "ppc64") ? 256 * 1024 : 1024;
}

const char *command_memory_get_default(const struct command_builder *builder)
{
        return builder->def->cpu.n_cells ? NULL : builder->machine->default_ram_id;
}

/* ---- back ends ---- */

static bool add_backend(struct command_builder *builder, const struct memory_part *part, GError **error)
{
        struct device_part described = { .kind = DEVICE_OBJECT };

        described.arguments = memory_backend_new(builder->def, part, error);
        if (!described.arguments)
                return false;
        device_part_append_option(&described, builder->command->argv);
        json_decref(described.arguments);
        return true;
}

/* ---- NUMA ---- */

/* ",cpus=0-1,cpus=4": one for each run. */
static void append_cpus(GString *option, const struct domain_cpuset *cpus)
{
        unsigned end = cpus->n_words * 64;

        for (unsigned i = 0; i < end; i++) {
                unsigned first = i;

                if (!domain_cpuset_has(cpus, i))
                        continue;
                while (i + 1 < end && domain_cpuset_has(cpus, i + 1))
                        i++;
                g_string_append_printf(option, first == i ? ",cpus=%u" : ",cpus=%u-%u", first, i);
        }
}

static enum domain_switch first_said(enum domain_switch a, enum domain_switch b)
{
        return a == DOMAIN_SWITCH_ABSENT ? b : a;
}

static bool add_cell(struct command_builder *builder, const struct domain_numa_cell *cell, GError **error)
{
        const struct domain_memory_backing *backing = &builder->def->memory_backing;
        g_autofree char *id = g_strdup_printf("ram-node%u", (unsigned)cell->id);
        g_autoptr(GString) option = g_string_new(NULL);
        struct memory_part part = {
                .id = id,
                .dir = builder->context->memory,
                .size_kib = cell->memory_kib,
                .cell = (int)cell->id,
                .shared = first_said(cell->shared, backing->shared),
                .discard =
                        first_said(cell->discard, backing->discard ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_ABSENT),
        };

        if (cell->memory_kib && !add_backend(builder, &part, error))
                return false;
        g_string_append_printf(option, "node,nodeid=%u", (unsigned)cell->id);
        append_cpus(option, &cell->cpus);
        if (command_hmat_is_there(builder->def))
                g_string_append_printf(option, ",initiator=%u",
                                       command_hmat_find_initiator(&builder->def->cpu, cell));
        if (cell->memory_kib)
                command_option_add(option, "memdev", id);
        command_append(builder, "-numa", option->str);
        return true;
}

static void add_distances(struct command_builder *builder, const struct domain_numa_cell *cell)
{
        for (unsigned i = 0; i < cell->n_distances; i++)
                command_append_format(builder, "-numa", "dist,src=%u,dst=%u,val=%u", (unsigned)cell->id,
                                      (unsigned)cell->distances[i].cell, (unsigned)cell->distances[i].value);
}

static bool add_cells(struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;

        for (unsigned i = 0; i < cpu->n_cells; i++) {
                if (!add_cell(builder, &cpu->cells[i], error))
                        return false;
        }
        for (unsigned i = 0; i < cpu->n_cells; i++)
                add_distances(builder, &cpu->cells[i]);
        return !command_hmat_is_there(builder->def) || command_hmat_add(builder, error);
}

/* ---- all of it ---- */

/* Without what its memory devices add. */
static void add_size(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;
        uint64_t size_kib = memory_get_initial_kib(def);

        if (def->max_memory_kib)
                command_append_format(builder, "-m",
                                      "size=%" G_GUINT64_FORMAT "k,slots=%u,maxmem=%" G_GUINT64_FORMAT "k",
                                      size_kib, (unsigned)def->memory_slots, def->max_memory_kib);
        else
                command_append_format(builder, "-m", "size=%" G_GUINT64_FORMAT "k", size_kib);
}

static bool add_single(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;
        const struct domain_memory_backing *backing = &def->memory_backing;
        struct memory_part part = {
                .dir = builder->context->memory,
                .id = command_memory_get_default(builder),
                .size_kib = memory_get_initial_kib(def),
                .cell = -1,
                .shared = backing->shared,
                .discard = backing->discard ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_ABSENT,
        };

        if (!part.id)
                return device_unsupported(error, "machine '%s' does not let its memory be described",
                                          builder->machine->name);
        return add_backend(builder, &part, error);
}

/* The balloon takes the difference between <memory> and <currentMemory>. */
static void add_balloon_setup(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;
        const struct domain_memballoon *balloon = def->devices.memballoon;
        json_t *arguments;

        if (!balloon || g_strcmp0(balloon->model, "none") == 0)
                return;
        if (balloon->stats_period_s)
                command_append_setup(builder, "qom-set", balloon_describe_period(balloon));
        if (def->current_memory_kib && def->current_memory_kib < def->memory_kib) {
                arguments = json_object();
                device_set_int(arguments, "value", (json_int_t)(def->current_memory_kib * 1024));
                command_append_setup(builder, "balloon", arguments);
        }
}

bool command_memory_add(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;

        add_size(builder);
        if (def->cpu.n_cells ? !add_cells(builder, error) : !add_single(builder, error))
                return false;
        command_append(builder, "-overcommit", def->memory_backing.locked ? "mem-lock=on" : "mem-lock=off");
        add_balloon_setup(builder);
        return true;
}
