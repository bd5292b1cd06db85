/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type zfs: a zpool, or a dataset in one, whose ZFS volumes are the volumes. Lanes as in backend.h;
 * keeps nothing.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/storage/block.h"
#include "drivers/storage/tool.h"

#include <string.h>
#include <sys/stat.h>

/* A multiple of every block size that ZFS takes for a volume. */
#define GRAIN ((uint64_t)128 * 1024)

/* virStorageVolDeleteFlags */

static const char *dataset_of(const struct backend_context *context)
{
        return context->def->source.name;
}

static bool check_def(const struct pool_def *def, GError **error)
{
        for (unsigned i = 0; i < def->source.n_devices; i++) {
                if (!tool_check_path("source device", def->source.devices[i].path, error))
                        return false;
        }
        return tool_check_word("ZFS pool name", def->source.name, "_.:-/", error);
}

static bool read_numbers(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        /* Of a dataset as of a pool: what it uses and what it may. */
        const char *const argv[] = {
                "zfs", "list", "-Hp", "-o", "used,available", dataset_of(context), NULL
        };
        g_autofree char *output = NULL;
        g_auto(GStrv) fields = NULL;

        if (!tool_read(context->lane, argv, &output, error))
                return false;
        fields = g_strsplit(g_strchomp(output), "\t", -1);
        if (g_strv_length(fields) != 2 || !tool_parse_uint64(fields[0], &numbers->allocation) ||
            !tool_parse_uint64(fields[1], &numbers->available))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED,
                                 "the report of 'zfs' on '%s' makes no sense", dataset_of(context));
        numbers->capacity = numbers->allocation + numbers->available;
        return true;
}

/* ---- life ---- */

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        struct pool_numbers numbers;

        *active = read_numbers(context, &numbers, NULL);
        return true;
}

static bool start(const struct backend_context *context, GError **error)
{
        struct pool_numbers numbers;

        return read_numbers(context, &numbers, error);
}

static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        const struct pool_source *source = &context->def->source;
        const char *argv[POOL_DEVICES_MAX + 5] = { "zpool", "create" };
        unsigned n = 2;

        if (!source->n_devices || strchr(source->name, '/'))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "ZFS pool '%s' cannot be made without source devices", source->name);
        if (flags & POOL_BUILD_OVERWRITE)
                argv[n++] = "-f";
        argv[n++] = source->name;
        for (unsigned i = 0; i < source->n_devices; i++) {
                if (!block_check_build(source->devices[i].path, flags, error))
                        return false;
                argv[n++] = source->devices[i].path;
        }
        return tool_run(context->lane, argv, error);
}

static bool remove_pool(const struct backend_context *context, GError **error)
{
        const char *const argv[] = { "zpool", "destroy", dataset_of(context), NULL };

        if (strchr(dataset_of(context), '/'))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "'%s' is a part of a ZFS pool, which is not removed with it",
                                 dataset_of(context));
        return tool_run(context->lane, argv, error);
}

/* ---- volumes ---- */

static char *path_of(const char *full)
{
        return g_build_filename("/dev/zvol", full, NULL);
}

static char *full_name(const struct backend_context *context, const char *name)
{
        return g_strdup_printf("%s/%s", dataset_of(context), name);
}

/* "pool/name", size, what it takes */
static struct volume *read_line(const struct backend_context *context, const char *line)
{
        g_auto(GStrv) fields = g_strsplit(line, "\t", -1);
        const char *name = fields[0] ? strrchr(fields[0], '/') : NULL;
        uint64_t capacity, used;
        struct volume *volume;
        struct stat status;

        if (g_strv_length(fields) != 3 || !name || !tool_parse_uint64(fields[1], &capacity) ||
            !tool_parse_uint64(fields[2], &used))
                return NULL;
        volume = volume_new();
        volume->name = g_strdup(name + 1);
        volume->key = g_strdup(fields[0]);
        volume->path = path_of(fields[0]);
        volume->type = VOLUME_BLOCK;
        volume->format = VOLUME_FORMAT_RAW;
        volume->capacity = volume->physical = capacity;
        volume->allocation = used;
        volume->sparse = used < capacity;
        if (stat(volume->path, &status) == 0)
                block_volume_set_status(volume, &status);
        return volume;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        const char *const argv[] = { "zfs",
                                     "list",
                                     "-Hp",
                                     "-t",
                                     "volume",
                                     "-d",
                                     "1",
                                     "-o",
                                     "name,volsize,used",
                                     dataset_of(context),
                                     NULL };
        g_autofree char *output = NULL;
        g_auto(GStrv) lines = NULL;

        if (!read_numbers(context, &scan->numbers, error) || !tool_read(context->lane, argv, &output, error))
                return false;
        lines = g_strsplit(g_strchomp(output), "\n", -1);
        for (char **line = lines; *line && **line; line++) {
                struct volume *volume = read_line(context, *line);

                if (volume)
                        g_ptr_array_add(scan->volumes, volume);
                else
                        log_warning("a line of 'zfs list' on '%s' makes no sense: left out",
                                    dataset_of(context));
        }
        return true;
}

static uint64_t round_up(uint64_t size)
{
        return MAX(size / GRAIN + (size % GRAIN != 0), 1) * GRAIN;
}

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        if (!tool_check_word("volume name", volume->name, "_.:-", error))
                return false;
        if (volume->backing.path || volume->encryption.format)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "backing store or encryption of ZFS volume '%s'", volume->name);
        volume->type = VOLUME_BLOCK;
        volume->format = VOLUME_FORMAT_RAW;
        volume->sparse = volume->allocation < volume->capacity;
        volume->capacity = round_up(volume->capacity);
        volume->key = full_name(context, volume->name);
        volume->path = path_of(volume->key);
        *slow = false;
        return true;
}

static bool run_destroy(const struct backend_context *context, const char *name, unsigned flags,
                        GError **error)
{
        g_autofree char *full = full_name(context, name);
        const char *const plain[] = { "zfs", "destroy", full, NULL };
        const char *const deep[] = { "zfs", "destroy", "-r", full, NULL };

        return tool_run(context->lane, flags & VOLUME_DELETE_WITH_SNAPSHOTS ? deep : plain, error);
}

static bool create(const struct backend_context *context, struct volume *volume, unsigned flags,
                   GError **error)
{
        g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, volume->capacity);
        const char *const full[] = { "zfs", "create", "-V", size, volume->key, NULL };
        const char *const sparse[] = { "zfs", "create", "-s", "-V", size, volume->key, NULL };

        if (!tool_run(context->lane, volume->sparse ? sparse : full, error))
                return false;
        /* Its node comes a moment after it. */
        tool_settle(context->lane);
        return true;
}

static bool create_copy(const struct backend_context *context, struct volume *volume,
                        const struct volume *source, unsigned flags, GError **error)
{
        if (!create(context, volume, flags, error))
                return false;
        if (block_volume_copy(context, volume, source, error))
                return true;
        lane_shield(context->lane);
        run_destroy(context, volume->name, 0, NULL);
        return false;
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        return run_destroy(context, volume->name, flags, error);
}

static bool resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                   unsigned flags, GError **error)
{
        g_autofree char *size = g_strdup_printf("volsize=%" G_GUINT64_FORMAT, round_up(capacity));
        g_autofree char *full = full_name(context, volume->name);
        const char *const argv[] = { "zfs", "set", size, full, NULL };

        return tool_run(context->lane, argv, error);
}

const struct backend backend_zfs = {
        .type = POOL_ZFS,
        .flags = { .build = POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE,
                   .destroy = VOLUME_DELETE_WITH_SNAPSHOTS,
                   .resize = VOLUME_RESIZE_SHRINK },
        .check_def = check_def,
        .check = check,
        .start = start,
        .remove = remove_pool,
        .refresh = refresh,
        .build = build,
        .prepare = prepare,
        .create = create,
        .clone = create_copy,
        .destroy = destroy,
        .resize = resize,
        .open = block_volume_open,
        .stat = block_volume_stat,
};
