/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type mpath: all multipath devices of the host, as device-mapper shows them in sysfs. Lanes as in
 * backend.h; keeps nothing.
 */
#include "drivers/storage/backend.h"

#include "drivers/storage/block.h"
#include "drivers/storage/scsi.h"

#include <string.h>

static void add_device(const char *disk, struct pool_scan *scan)
{
        g_autofree char *dir = g_strdup_printf("/sys/block/%s/dm", disk);
        g_autofree char *uuid = scsi_read_text(dir, "uuid"), *name = scsi_read_text(dir, "name"),
                        *path = NULL;
        struct volume *volume;

        if (!uuid || !g_str_has_prefix(uuid, "mpath-") || !name || !*name || strchr(name, '/'))
                return;
        path = g_build_filename("/dev/mapper", name, NULL);
        volume = block_volume_new_of_disk(disk, path, disk);
        if (!volume)
                return;
        volume->key = g_strdup(path);
        block_scan_add(scan, volume);
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        g_autoptr(GDir) disks = g_dir_open("/sys/block", 0, NULL);
        const char *disk;

        while (disks && (disk = g_dir_read_name(disks))) {
                if (g_str_has_prefix(disk, "dm-"))
                        add_device(disk, scan);
        }
        return true;
}

const struct backend backend_mpath = {
        .type = POOL_MPATH,
        .refresh = refresh,
        .open = block_volume_open,
        .stat = block_volume_stat,
};
