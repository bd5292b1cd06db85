/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a part of the guest's memory comes from on the host. Values only; any thread.
 */
#include "drivers/qemu/memory-backend.h"

#include "drivers/qemu/device-internal.h"

#include <string.h>

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

static void set_host_nodes(json_t *object, const struct domain_numatune *tune, const struct memory_part *part)
{
        const struct domain_numatune_node *cell = find_cell(tune, part->cell);
        const char *mode = cell ? cell->mode : tune->mode;
        const struct domain_cpuset *nodes = cell ? &cell->nodes : &tune->nodes;

        if (part->nodes)
                nodes = part->nodes;

        if (!nodes->words)
                return;
        if (!mode)
                mode = "strict";
        /* The control groups of the guest and of its vCPUs see to that (tuning.c). */
        if (strcmp(mode, "restrictive") == 0)
                return;
        json_object_set_new(object, "host-nodes", node_numbers(nodes));
        device_set_string(object, "policy", strcmp(mode, "strict") == 0 ? "bind" : mode);
}

/* ---- back ends ---- */

/* Guests migrate between us and libvirt, so the block of all of the memory is called as there; cells are not.
 */
static void set_ramblock_name(json_t *object, const struct memory_part *part)
{
        if (part->cell < 0 && !part->device)
                device_set_bool(object, "x-use-canonical-path-for-ramblock-id", false);
}

/* Huge pages are anonymous (memfd), so that no hugetlbfs has to be mounted and opened to the emulator. */
static json_t *hugepage_backend(uint64_t page_kib, const struct memory_part *part)
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

static json_t *memfd_backend(const struct memory_part *part)
{
        json_t *object = device_object("memory-backend-memfd", part->id);

        device_set_bool(object, "share", part->shared != DOMAIN_SWITCH_OFF);
        set_ramblock_name(object, part);
        return object;
}

static json_t *file_backend(const struct memory_part *part, GError **error)
{
        json_t *object;

        if (!part->dir) {
                device_unsupported(error, "<source type='file'/> of <memoryBacking> is not supported");
                return NULL;
        }
        object = device_object("memory-backend-file", part->id);
        device_set_string(object, "mem-path", part->dir);
        device_set_switch(object, "discard-data", part->discard);
        device_set_switch(object, "share", part->shared);
        set_ramblock_name(object, part);
        return object;
}

/* A file of the host's that is to be there for longer than the guest. */
static json_t *persistent_backend(const struct memory_part *part)
{
        json_t *object = device_object("memory-backend-file", part->id);

        device_set_string(object, "mem-path", part->path);
        device_set_switch(object, "share", part->shared);
        device_set_switch(object, "discard-data", part->discard);
        device_set_uint(object, "align", part->align_kib * 1024);
        if (part->pmem)
                device_set_bool(object, "pmem", true);
        return object;
}

static json_t *new_backend(const struct domain_def *def, const struct memory_part *part, GError **error)
{
        const struct domain_memory_backing *backing = &def->memory_backing;
        uint64_t page_kib;
        json_t *object;

        if (part->enclave)
                return device_object("memory-backend-epc", part->id);
        if (part->path)
                return persistent_backend(part);
        if (part->page_kib)
                return hugepage_backend(part->page_kib, part);
        if (domain_def_get_hugepage(def, part->cell, &page_kib))
                return hugepage_backend(page_kib, part);
        if (g_strcmp0(backing->source, "memfd") == 0)
                return memfd_backend(part);
        if (g_strcmp0(backing->source, "file") == 0)
                return file_backend(part, error);
        /* Who shares it (vhost-user) maps it by a descriptor, which plain RAM does not have. */
        if (part->shared == DOMAIN_SWITCH_ON)
                return memfd_backend(part);
        object = device_object("memory-backend-ram", part->id);
        device_set_switch(object, "share", part->shared);
        return object;
}

json_t *memory_backend_new(const struct domain_def *def, const struct memory_part *part, GError **error)
{
        const struct domain_memory_backing *backing = &def->memory_backing;
        json_t *object = new_backend(def, part, error);

        if (!object)
                return NULL;
        if (part->sparse) {
                device_set_bool(object, "reserve", false);
                json_object_del(object, "prealloc");
        } else if (part->filled || (!part->path && g_strcmp0(backing->allocation, "immediate") == 0)) {
                device_set_bool(object, "prealloc", true);
        }
        if (!part->sparse)
                device_set_uint(object, "prealloc-threads", backing->allocation_threads);
        device_set_int(object, "size", (json_int_t)(part->size_kib * 1024));
        set_host_nodes(object, &def->numatune, part);
        return object;
}

uint64_t memory_get_initial_kib(const struct domain_def *def)
{
        uint64_t kib = def->memory_kib;

        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                uint64_t size_kib = def->devices.memories[i].size_kib;

                kib = size_kib < kib ? kib - size_kib : kib;
        }
        return kib;
}
