/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type scsi: the disks of a SCSI host, by name or PCI address, or of a virtual Fibre Channel
 * adapter, which the pool makes when it is not there. Lanes as in backend.h; keeps a mark in the runtime
 * directory for an adapter that it made.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/store.h"
#include "base/uuid.h"
#include "drivers/storage/block.h"
#include "drivers/storage/scsi.h"
#include "drivers/storage/tool.h"
#include "drivers/storage/vhba.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct pool_adapter *adapter_of(const struct backend_context *context)
{
        return &context->def->source.adapter;
}

static bool check_def(const struct pool_def *def, GError **error)
{
        const struct pool_adapter *adapter = &def->source.adapter;
        unsigned number;

        if (adapter->type == POOL_ADAPTER_SCSI_HOST && !adapter->parent_address &&
            !scsi_parse_host(adapter->name, &number))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "'%s' is no SCSI host",
                                 adapter->name);
        if (adapter->parent && !scsi_parse_host(adapter->parent, &number))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "'%s' is no SCSI host",
                                 adapter->parent);
        return tool_check_names_path("target path", def->path, error);
}

/* ---- which host it is ---- */

struct search {
        const struct pool_adapter *adapter; /* borrowed */
        unsigned number;
};

static bool has_address(const char *dir, const char *name, void *data)
{
        struct search *search = data;
        g_autofree char *part = g_strdup_printf("/%s/", search->adapter->parent_address);
        g_autofree char *unique = scsi_read_text(dir, "unique_id");
        char real[PATH_MAX];

        return unique && g_ascii_strtoull(unique, NULL, 10) == search->adapter->unique_id &&
               realpath(dir, real) && strstr(real, part) && scsi_parse_host(name, &search->number);
}

static bool host_exists(unsigned number)
{
        g_autofree char *dir = g_strdup_printf("/sys/class/scsi_host/host%u", number);

        return g_file_test(dir, G_FILE_TEST_IS_DIR);
}

static bool find_host(const struct backend_context *context, unsigned *number)
{
        struct search search = { .adapter = adapter_of(context) };

        if (search.adapter->type == POOL_ADAPTER_FC_HOST)
                return vhba_find(search.adapter->wwnn, search.adapter->wwpn, number);
        if (!search.adapter->parent_address)
                return scsi_parse_host(search.adapter->name, number) && host_exists(*number);
        if (!scsi_foreach("scsi_host", has_address, &search))
                return false;
        *number = search.number;
        return true;
}

static bool missing_host(const struct backend_context *context, GError **error)
{
        const struct pool_adapter *adapter = adapter_of(context);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "there is no SCSI host '%s'",
                         adapter->type == POOL_ADAPTER_FC_HOST ? adapter->wwpn
                         : adapter->parent_address             ? adapter->parent_address
                                                               : adapter->name);
}

/* ---- life ---- */

/* The mark that says that the pool made its adapter. Owned. */
static char *mark_of(const struct backend_context *context)
{
        char uuid[UUID_STRING_LENGTH + 1];

        return g_strconcat(uuid_format(&context->def->base.uuid, uuid), ".vhba", NULL);
}

static bool set_mark(const struct backend_context *context, bool on, GError **error)
{
        g_autofree char *mark = mark_of(context);

        return !context->runtime_dir || store_mark(context->runtime_dir, mark, on, error);
}

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        unsigned number;

        *active = find_host(context, &number);
        return true;
}

static bool start(const struct backend_context *context, GError **error)
{
        unsigned number;

        if (find_host(context, &number))
                return scsi_scan(context->lane, number, error);
        if (adapter_of(context)->type != POOL_ADAPTER_FC_HOST)
                return missing_host(context, error);
        if (!vhba_create(context->lane, adapter_of(context), &number, error))
                return false;
        if (set_mark(context, true, error) && scsi_scan(context->lane, number, error))
                return true;
        lane_shield(context->lane);
        vhba_delete(context->lane, adapter_of(context), number, NULL);
        set_mark(context, false, NULL);
        return false;
}

static bool stop(const struct backend_context *context, GError **error)
{
        const struct pool_adapter *adapter = adapter_of(context);
        g_autofree char *mark = mark_of(context);
        bool ours = context->runtime_dir && store_is_marked(context->runtime_dir, mark);
        unsigned number;

        if (adapter->type != POOL_ADAPTER_FC_HOST || adapter->managed == 0 ||
            !(ours || adapter->managed == 1))
                return true;
        if (find_host(context, &number) && !vhba_delete(context->lane, adapter, number, error))
                return false;
        return set_mark(context, false, error);
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        unsigned number;

        if (!find_host(context, &number))
                return missing_host(context, error);
        return scsi_scan(context->lane, number, error) && scsi_read_units(context, number, scan, error);
}

const struct backend backend_scsi = {
        .type = POOL_SCSI,
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .refresh = refresh,
        .open = block_volume_open,
        .stat = block_volume_stat,
};
