/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's memory and its NUMA nodes: -m, memory back ends, -numa, -overcommit. Values only; any thread.
 */
#include "drivers/qemu/balloon.h"
#include "drivers/qemu/command-internal.h"

#include <string.h>

/* One back end in the making: which part of the guest's memory it is. */
struct part {
        const char *id;
        uint64_t size_kib;
        int cell; /* -1: all of it */
        enum domain_switch shared;
        enum domain_switch discard;
};

uint64_t qemu_command_get_memory_unit_kib(const char *arch)
{
        return g_str_has_prefix(arch, "ppc64") ? 256 * 1024 : 1024;
}

const char *command_memory_get_default(const struct command_builder *builder)
{
        return builder->def->cpu.n_cells ? NULL : builder->machine->default_ram_id;
}

/* ---- host nodes ---- */

static const struct domain_numatune_node *find_cell(const struct domain_numatune *tune, int cell)
{
        for (unsigned i = 0; i < tune->n_cells; i++) {
                if ((int)tune->cells[i].cell == cell)
                        return &tune->cells[i];
        }
        return NULL;
}

static json_t *node_numbers(const struct domain_cpuset *nodes)
{
        json_t *numbers = json_array();

        for (unsigned i = 0; i < nodes->n_words * 64; i++) {
                if (domain_cpuset_has(nodes, i))
                        json_array_append_new(numbers, json_integer(i));
        }
        return numbers;
}

static bool set_host_nodes(json_t *object, const struct domain_numatune *tune, const struct part *part,
                           GError **error)
{
        const struct domain_numatune_node *cell = find_cell(tune, part->cell);
        const char *mode = cell ? cell->mode : tune->mode;
        const struct domain_cpuset *nodes = cell ? &cell->nodes : &tune->nodes;

        if (g_strcmp0(tune->placement, "auto") == 0)
                return device_unsupported(error, "<memory placement='auto'> of <numatune> is not supported");
        if (!nodes->words)
                return true;
        if (!mode)
                mode = "strict";
        /* The control group sees to that, for all of the memory alike. */
        if (strcmp(mode, "restrictive") == 0 && !cell)
                return true;
        if (strcmp(mode, "restrictive") == 0)
                return device_unsupported(error, "<memnode mode='restrictive'> of <numatune> is not "
                                                 "supported");
        json_object_set_new(object, "host-nodes", node_numbers(nodes));
        device_set_string(object, "policy", strcmp(mode, "strict") == 0 ? "bind" : mode);
        return true;
}

/* ---- back ends ---- */

/* Guests migrate between us and libvirt, so the block of all of the memory is called as there; cells are not.
 */
static void set_ramblock_name(json_t *object, const struct part *part)
{
        if (part->cell < 0)
                device_set_bool(object, "x-use-canonical-path-for-ramblock-id", false);
}

/* Huge pages are anonymous (memfd), so that no hugetlbfs has to be mounted and opened to the emulator. */
static json_t *hugepage_backend(uint64_t page_kib, const struct part *part)
{
        json_t *object = device_object("memory-backend-memfd", part->id);

        device_set_bool(object, "hugetlb", true);
        if (page_kib)
                device_set_uint(object, "hugetlbsize", page_kib * 1024);
        device_set_bool(object, "share", part->shared == DOMAIN_SWITCH_ON);
        device_set_bool(object, "prealloc", true);
        set_ramblock_name(object, part);
        return object;
}

static json_t *memfd_backend(const struct part *part)
{
        json_t *object = device_object("memory-backend-memfd", part->id);

        device_set_bool(object, "share", part->shared != DOMAIN_SWITCH_OFF);
        set_ramblock_name(object, part);
        return object;
}

static json_t *file_backend(const struct command_builder *builder, const struct part *part, GError **error)
{
        json_t *object;

        if (!builder->context->memory) {
                device_unsupported(error, "<source type='file'/> of <memoryBacking> is not supported");
                return NULL;
        }
        object = device_object("memory-backend-file", part->id);
        device_set_string(object, "mem-path", builder->context->memory);
        device_set_switch(object, "discard-data", part->discard);
        device_set_switch(object, "share", part->shared);
        set_ramblock_name(object, part);
        return object;
}

static json_t *new_backend(const struct command_builder *builder, const struct part *part, GError **error)
{
        const struct domain_memory_backing *backing = &builder->def->memory_backing;
        uint64_t page_kib;
        json_t *object;

        if (domain_def_get_hugepage(builder->def, part->cell, &page_kib))
                return hugepage_backend(page_kib, part);
        if (g_strcmp0(backing->source, "memfd") == 0)
                return memfd_backend(part);
        if (g_strcmp0(backing->source, "file") == 0)
                return file_backend(builder, part, error);
        /* Who shares it (vhost-user) maps it by a descriptor, which plain RAM does not have. */
        if (part->shared == DOMAIN_SWITCH_ON)
                return memfd_backend(part);
        object = device_object("memory-backend-ram", part->id);
        device_set_switch(object, "share", part->shared);
        return object;
}

static bool add_backend(struct command_builder *builder, const struct part *part, GError **error)
{
        const struct domain_memory_backing *backing = &builder->def->memory_backing;
        struct device_part described = { .kind = DEVICE_OBJECT };
        json_t *object = new_backend(builder, part, error);

        if (!object)
                return false;
        if (g_strcmp0(backing->allocation, "immediate") == 0)
                device_set_bool(object, "prealloc", true);
        device_set_uint(object, "prealloc-threads", backing->allocation_threads);
        device_set_int(object, "size", (json_int_t)(part->size_kib * 1024));
        if (!set_host_nodes(object, &builder->def->numatune, part, error)) {
                json_decref(object);
                return false;
        }
        described.arguments = object;
        device_part_append_option(&described, builder->command->argv);
        json_decref(object);
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
        struct part part = {
                .id = id,
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
        return true;
}

/* ---- all of it ---- */

static void add_size(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;

        if (def->max_memory_kib)
                command_append_format(builder, "-m",
                                      "size=%" G_GUINT64_FORMAT "k,slots=%u,maxmem=%" G_GUINT64_FORMAT "k",
                                      def->memory_kib, (unsigned)def->memory_slots, def->max_memory_kib);
        else
                command_append_format(builder, "-m", "size=%" G_GUINT64_FORMAT "k", def->memory_kib);
}

static bool add_single(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;
        const struct domain_memory_backing *backing = &def->memory_backing;
        struct part part = {
                .id = command_memory_get_default(builder),
                .size_kib = def->memory_kib,
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
