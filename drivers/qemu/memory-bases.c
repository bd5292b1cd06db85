/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bases of memory devices. No state; lane of the domain.
 */
#include "drivers/qemu/memory-bases.h"

#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/qmp.h"

static bool is_in_slot(const struct domain_memory *memory)
{
        return memory->info.alias && memory->info.address.type == DOMAIN_ADDRESS_DIMM;
}

bool memory_has_slots(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                if (is_in_slot(&def->devices.memories[i]))
                        return true;
        }
        return false;
}

static json_int_t find_base(const json_t *answer, const char *alias)
{
        const json_t *device;
        size_t i;

        json_array_foreach(answer, i, device)
        {
                const json_t *data = json_object_get(device, "data");
                const char *id = json_string_value(json_object_get(data, "id"));

                if (g_strcmp0(id, alias) == 0)
                        return json_integer_value(json_object_get(data, "addr"));
        }
        return 0;
}

bool memory_set_bases(struct domain_edit *edit, const struct domain_def *def, const json_t *answer)
{
        bool changed = false;

        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                const struct domain_memory *memory = &def->devices.memories[i];
                json_int_t base = is_in_slot(memory) ? find_base(answer, memory->info.alias) : 0;

                if (base <= 0 || (uint64_t)base == memory->info.address.dimm.base)
                        continue;
                domain_edit_set_memory_base(edit, memory->info.alias, (uint64_t)base);
                changed = true;
        }
        return changed;
}

bool memory_ask_bases(struct qmp *qmp, struct domain_edit *edit, const struct domain_def *def)
{
        json_t *answer = NULL;
        bool changed = qmp_execute(qmp, "query-memory-devices", NULL, QMP_TIMEOUT_MS, &answer, NULL) &&
                       memory_set_bases(edit, def, answer);

        json_decref(answer);
        return changed;
}
