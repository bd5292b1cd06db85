/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SCSI hosts and units. Everything is read from sysfs, which does not touch the devices. Nothing is kept.
 */
#include "drivers/storage/scsi.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/storage/block.h"
#include "drivers/storage/tool.h"

#include <stdio.h>
#include <string.h>

/* Peripheral device types that are volumes: disks. */
#define TYPE_DISK "0"

char *scsi_read_text(const char *dir, const char *name)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return NULL;
        return g_strstrip(text);
}

bool scsi_write_text(struct lane *lane, const char *path, const char *text, GError **error)
{
        const char *const argv[] = { "tee", "--", path, NULL };

        return tool_run_input(lane, argv, text, TOOL_TIMEOUT_MS, error);
}

bool scsi_parse_host(const char *name, unsigned *number)
{
        char end;

        if (g_str_has_prefix(name, "scsi_"))
                name += strlen("scsi_");
        return strspn(name, "host0123456789") == strlen(name) && sscanf(name, "host%9u%c", number, &end) == 1;
}

bool scsi_foreach(const char *class, bool (*fn)(const char *dir, const char *name, void *data), void *data)
{
        g_autofree char *all = g_build_filename("/sys/class", class, NULL);
        g_autoptr(GDir) names = g_dir_open(all, 0, NULL);
        const char *name;

        while (names && (name = g_dir_read_name(names))) {
                g_autofree char *dir = g_build_filename(all, name, NULL);

                if (fn(dir, name, data))
                        return true;
        }
        return false;
}

bool scsi_scan(struct lane *lane, unsigned number, GError **error)
{
        g_autofree char *path = g_strdup_printf("/sys/class/scsi_host/host%u/scan", number);

        return scsi_write_text(lane, path, "- - -", error);
}

/* One that stays: of the identification that the disk gives, as scsi_id(8) has it. NULL when there is none.
 */
static char *read_serial(const char *unit)
{
        static const struct {
                const char *prefix;
                const char *kind;
        } kinds[] = { { "naa.", "3" }, { "eui.", "2" }, { "t10.", "1" } };
        g_autofree char *wwid = scsi_read_text(unit, "wwid");

        for (unsigned i = 0; wwid && i < G_N_ELEMENTS(kinds); i++) {
                if (g_str_has_prefix(wwid, kinds[i].prefix))
                        return g_strconcat(kinds[i].kind, wwid + strlen(kinds[i].prefix), NULL);
        }
        return NULL;
}

/* The disk of a unit ("sda"). Owned; NULL when no driver has made one. */
static char *read_disk(const char *unit)
{
        g_autofree char *dir = g_build_filename(unit, "block", NULL);
        g_autoptr(GDir) names = g_dir_open(dir, 0, NULL);

        return names ? g_strdup(g_dir_read_name(names)) : NULL;
}

static struct volume *read_unit(GHashTable *names, const char *unit, const char *name)
{
        g_autofree char *type = scsi_read_text(unit, "type"), *disk = read_disk(unit), *device = NULL,
                        *path = NULL;
        struct volume *volume;

        if (!disk || g_strcmp0(type, TYPE_DISK) != 0)
                return NULL;
        device = g_build_filename("/dev", disk, NULL);
        path = block_get_name(names, device);
        if (!path) {
                log_debug("'%s' has no name that stays: left out", device);
                return NULL;
        }
        volume = block_volume_new_of_disk(name, path, disk);
        if (!volume)
                return NULL;
        volume->key = read_serial(unit);
        if (!volume->key)
                volume->key = g_strdup(volume->path);
        return volume;
}

bool scsi_read_units(const struct backend_context *context, unsigned number, struct pool_scan *scan,
                     GError **error)
{
        g_autoptr(GHashTable) names = NULL;
        g_autoptr(GDir) entries = g_dir_open("/sys/bus/scsi/devices", 0, NULL);
        const char *entry;

        /* What a scan or a login has just found gets its name now. */
        tool_settle(context->lane);
        names = block_read_names(context->def->path);
        while (entries && (entry = g_dir_read_name(entries))) {
                g_autofree char *dir = g_build_filename("/sys/bus/scsi/devices", entry, NULL), *name = NULL;
                unsigned owner, bus, target;
                unsigned long long lun;
                struct volume *volume;
                char end;

                if (sscanf(entry, "%u:%u:%u:%llu%c", &owner, &bus, &target, &lun, &end) != 4 ||
                    owner != number)
                        continue;
                name = g_strdup_printf("unit:%u:%u:%llu", bus, target, lun);
                volume = read_unit(names, dir, name);
                if (volume)
                        block_scan_add(scan, volume);
        }
        return true;
}
