/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory devices: DIMMs, NVDIMMs, virtio-mem and virtio-pmem, each with a back end of its own; pages for
 * enclaves of SGX are a back end alone, which a property of the machine names. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include "drivers/domain/cpuset.h"
#include "drivers/qemu/memory-backend.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

static bool is_model(const struct domain_memory *memory, const char *model)
{
        return strcmp(memory->model, model) == 0;
}

static const struct domain_numa_cell *find_cell(const struct domain_def *def, int node)
{
        for (unsigned i = 0; node >= 0 && i < def->cpu.n_cells; i++) {
                if ((int)def->cpu.cells[i].id == node)
                        return &def->cpu.cells[i];
        }
        return NULL;
}

/* What the device says, else its cell, else the domain. */
static enum domain_switch get_shared(const struct domain_def *def, const struct domain_memory *memory)
{
        const struct domain_numa_cell *cell = find_cell(def, memory->node);

        if (memory->shared != DOMAIN_SWITCH_ABSENT)
                return memory->shared;
        if (memory->path)
                return DOMAIN_SWITCH_ABSENT;
        return cell && cell->shared != DOMAIN_SWITCH_ABSENT ? cell->shared : def->memory_backing.shared;
}

static enum domain_switch get_discard(const struct domain_def *def, const struct domain_memory *memory)
{
        const struct domain_numa_cell *cell = find_cell(def, memory->node);

        if (memory->discard != DOMAIN_SWITCH_ABSENT)
                return memory->discard;
        if (cell && cell->discard != DOMAIN_SWITCH_ABSENT)
                return cell->discard;
        return def->memory_backing.discard ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_ABSENT;
}

static json_t *make_backend(const struct device_context *context, const struct domain_memory *memory,
                            const char *id, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, memory->info.alias);
        uint64_t words[DOMAIN_VCPUS_MAX / 64] = { 0 };
        const struct domain_cpuset nodes = { words, G_N_ELEMENTS(words) };
        struct memory_part part = {
                .id = id,
                .dir = resources ? resources->path : NULL,
                .size_kib = memory->size_kib,
                .cell = memory->node,
                .shared = get_shared(context->def, memory),
                .discard = get_discard(context->def, memory),
                .device = true,
                .pmem = memory->pmem,
                .sparse = is_model(memory, "virtio-mem"),
                /* A real device is only worn by it. */
                .filled = (is_model(memory, "nvdimm") && !memory->pmem) || is_model(memory, "sgx-epc"),
                .enclave = is_model(memory, "sgx-epc"),
                .path = memory->path,
                .page_kib = memory->page_size_kib,
                .align_kib = memory->align_kib,
        };

        if (memory->nodemask && !domain_cpuset_parse(memory->nodemask, DOMAIN_VCPUS_MAX, words)) {
                device_unsupported(error, "<nodemask> '%s' of memory device '%s'", memory->nodemask,
                                   memory->info.alias);
                return NULL;
        }
        if (memory->nodemask)
                part.nodes = &nodes;
        return memory_backend_new(context->def, &part, error);
}

static void set_slot(json_t *device, const struct domain_memory *memory)
{
        if (memory->info.address.type == DOMAIN_ADDRESS_DIMM) {
                device_set_int(device, "slot", memory->info.address.dimm.slot);
                device_set_uint(device, "addr", memory->info.address.dimm.base);
        }
}

static json_t *new_device(const struct device_context *context, const struct domain_memory *memory,
                          const char *backend)
{
        static const char *const drivers[][2] = {
                { "dimm", "pc-dimm" },
                { "nvdimm", "nvdimm" },
                { "virtio-mem", "virtio-mem-pci" },
                { "virtio-pmem", "virtio-pmem-pci" },
        };
        bool prealloc = g_strcmp0(context->def->memory_backing.allocation, "immediate") == 0;
        json_t *device = json_object();

        for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
                if (is_model(memory, drivers[i][0]))
                        device_set_string(device, "driver", drivers[i][1]);
        }
        if (memory->node >= 0 && !is_model(memory, "virtio-pmem"))
                device_set_int(device, "node", memory->node);
        if (is_model(memory, "nvdimm")) {
                device_set_uint(device, "label-size", memory->label_kib * 1024);
                if (memory->readonly)
                        device_set_bool(device, "unarmed", true);
                device_set_string(device, "uuid", memory->uuid);
        }
        if (is_model(memory, "virtio-mem")) {
                device_set_uint(device, "block-size", memory->block_kib * 1024);
                device_set_int(device, "requested-size", (json_int_t)(memory->requested_kib * 1024));
                if (prealloc)
                        device_set_bool(device, "prealloc", true);
                device_set_switch(device, "dynamic-memslots", memory->dynamic_slots);
        }
        device_set_string(device, "memdev", backend);
        device_set_string(device, "id", memory->info.alias);
        return device;
}

static bool check_slots(const struct device_context *context, const struct domain_memory *memory,
                        GError **error)
{
        if (memory->dynamic_slots == DOMAIN_SWITCH_ABSENT ||
            qemu_caps_has_property(context->caps, "virtio-mem-pci", "dynamic-memslots"))
                return true;
        return device_unsupported(
                error,
                "memory device '%s' has dynamicMemslots, which QEMU has from version 8.2 on "
                "and emulator '%s' has not",
                memory->info.alias, qemu_caps_get_path(context->caps));
}

static bool check(const struct domain_def *def, const struct domain_memory *memory, GError **error)
{
        if (is_model(memory, "sgx-epc") && g_strcmp0(def->os.arch, "x86_64") != 0)
                return device_unsupported(error,
                                          "memory device '%s' of model 'sgx-epc' is for guests of x86_64",
                                          memory->info.alias);
        if (is_model(memory, "nvdimm") && memory->label_kib && memory->label_kib >= memory->size_kib)
                return device_unsupported(error, "memory device '%s' has no room beside its <label>",
                                          memory->info.alias);
        return true;
}

bool device_describe_memory(struct device_list *list, const struct device_context *context, const void *data,
                            GError **error)
{
        const struct domain_memory *memory = data;
        g_autofree char *id = g_strconcat("mem", memory->info.alias, NULL);
        json_t *backend, *device;

        if (!check(context->def, memory, error) || !check_slots(context, memory, error))
                return false;
        backend = make_backend(context, memory, id, error);
        if (!backend)
                return false;
        device_list_add(list, DEVICE_OBJECT, backend);
        if (is_model(memory, "sgx-epc"))
                return true;
        device = new_device(context, memory, id);
        if (is_model(memory, "virtio-mem") || is_model(memory, "virtio-pmem"))
                return device_list_add_at(list, context, device, &memory->info, error);
        set_slot(device, memory);
        return device_list_add_device(list, context, device, error);
}
