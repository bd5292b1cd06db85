/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory devices of a guest that runs: which its machine takes, and how much of a virtio-mem device it is to
 * have. No state but the
 * guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "drivers/qemu/monitor-private.h"
#include "drivers/qemu/plug-private.h"

#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

bool plug_check_memory(struct guest *guest, const struct domain_memory *memory, GError **error)
{
        json_t *there = NULL;
        bool fits;

        if (strcmp(memory->model, "nvdimm") != 0)
                return true;
        fits = qmp_execute(guest->qmp, "qom-get",
                           json_pack("{s:s, s:s}", "path", "/machine", "property", "nvdimm"), QMP_TIMEOUT_MS,
                           &there, NULL) &&
               json_is_true(there);
        json_decref(there);
        if (fits)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "memory device '%s' of model 'nvdimm' cannot be plugged into a machine that was "
                         "started without one: change the definition alone, for the next start",
                         memory->info.alias);
}

static void leave_out_sizes(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_memory_requested(edit, alias, 0);
        domain_edit_set_memory_taken(edit, alias, 0);
}

/* What it has taken is for the guest to say, not for whoever asks for more. */
static bool keep_taken(const struct domain_memory *before, struct domain_def **live, GError **error)
{
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        domain_edit_set_memory_taken(edit, before->info.alias, before->current_kib);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

bool plug_update_memory(struct guest *guest, unsigned index, struct domain_def **live, GError **error)
{
        const struct domain_memory *before = &get_def(guest)->devices.memories[index];
        const struct domain_memory *after = &(*live)->devices.memories[index];
        g_autofree char *path = g_strconcat("/machine/peripheral/", before->info.alias, NULL);

        if (strcmp(before->model, "virtio-mem") != 0 ||
            !plug_differs_by(get_def(guest), *live, leave_out_sizes, before->info.alias))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                 "of memory device '%s' only the requested size of model 'virtio-mem' can "
                                 "change while the guest runs",
                                 before->info.alias);
        if (after->requested_kib > after->size_kib)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "memory device '%s' cannot give %" G_GUINT64_FORMAT
                                 " KiB: its size is %" G_GUINT64_FORMAT " KiB",
                                 before->info.alias, after->requested_kib, after->size_kib);
        return qmp_execute(guest->qmp, "qom-set",
                           json_pack("{s:s, s:s, s:I}", "path", path, "property", "requested-size", "value",
                                     (json_int_t)(after->requested_kib * 1024)),
                           QMP_TIMEOUT_MS, NULL, error) &&
               keep_taken(before, live, error);
}

void plug_on_memory_size(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const char *alias = json_string_value(json_object_get(arguments, "id"));
        json_int_t bytes = json_integer_value(json_object_get(arguments, "size"));
        const struct domain_devices *devices = &get_def(guest)->devices;
        struct domain_edit *edit;

        for (unsigned i = 0; alias && bytes >= 0 && i < devices->n_memories; i++) {
                const struct domain_memory *memory = &devices->memories[i];

                if (g_strcmp0(memory->info.alias, alias) != 0 ||
                    memory->current_kib == (uint64_t)bytes / 1024)
                        continue;
                edit = domain_edit_new(get_def(guest), NULL);
                if (!edit)
                        return;
                domain_edit_set_memory_taken(edit, alias, (uint64_t)bytes / 1024);
                monitor_commit(guest, edit);
                return;
        }
}
