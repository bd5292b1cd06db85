/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI devices in sysfs. No state.
 */
#include "nodedev/scsi.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

char *scsi_find_generic(const char *root, const char *adapter, unsigned bus, unsigned target, uint64_t unit,
                        GError **error)
{
        g_autofree char *place = NULL, *path = NULL, *quoted = error_quote(adapter);
        g_autoptr(GDir) entries = NULL;
        const char *name;
        unsigned host;
        char end;

        if (sscanf(adapter, "scsi_host%u%c", &host, &end) != 1) {
                error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                          "'%s' is no SCSI host: its name is 'scsi_host' and a number", quoted);
                return NULL;
        }
        place = g_strdup_printf("%u:%u:%u:%" G_GUINT64_FORMAT, host, bus, target, unit);
        path = g_build_filename(root, "sys/bus/scsi/devices", place, "scsi_generic", NULL);
        entries = g_dir_open(path, 0, NULL);
        name = entries ? g_dir_read_name(entries) : NULL;
        if (name)
                return g_strdup_printf("%s/dev/%s", strcmp(root, "/") ? root : "", name);
        error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                  "there is no SCSI device %s with a generic file (is the module sg loaded?)", place);
        return NULL;
}
