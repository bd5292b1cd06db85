/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type fs: the file system of a block device, mounted at the target. What is in it is the dir
 * backend's. Lanes as in backend.h; keeps nothing of its own.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/spawn.h"
#include "drivers/storage/block.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/mount.h"
#include "drivers/storage/tool.h"

#include <string.h>

/* How a format is made, without a question asked; what is not here can be mounted only. */
static const struct maker {
        const char *format;
        const char *argv[4];
} makers[] = {
        { "ext2", { "mkfs.ext2", "-q", "-F" } }, { "ext3", { "mkfs.ext3", "-q", "-F" } },
        { "ext4", { "mkfs.ext4", "-q", "-F" } }, { "xfs", { "mkfs.xfs", "-q", "-f" } },
        { "vfat", { "mkfs.vfat", "-I" } },       { "udf", { "mkudffs" } },
};

static const char *device_of(const struct backend_context *context)
{
        return context->def->source.devices[0].path;
}

static bool check_def(const struct pool_def *def, GError **error)
{
        if (def->source.n_devices != 1)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "a pool of type 'fs' has one source device, not %u", def->source.n_devices);
        return tool_check_path("source device", def->source.devices[0].path, error) &&
               tool_check_path("target path", def->path, error) && mount_check_options(def, error);
}

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        if (!mount_is_active(context, device_of(context), active, error))
                return false;
        return !*active || backend_dir.check(context, active, error);
}

/* libblkid's name of what the definition calls format. */
static bool is_format(const char *found, const char *format)
{
        return strcmp(found, format) == 0 || (strcmp(format, "hfs+") == 0 && strcmp(found, "hfsplus") == 0) ||
               (strcmp(format, "vmfs") == 0 && g_str_has_prefix(found, "VMFS"));
}

/* The kernel gets no content to guess at: what is mounted is what libblkid and the definition agree on. */
static bool probe_format(const struct backend_context *context, char **type, GError **error)
{
        const char *device = device_of(context), *format = context->def->source.format;

        if (!block_probe(device, type, error))
                return false;
        if (!*type)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_PROBE_FAILED,
                                 "there is no file system on '%s'", device);
        if (format && strcmp(format, "auto") != 0 && !is_format(*type, format))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "'%s' holds '%s', not the pool's format '%s'", device, *type, format);
        return true;
}

static bool start(const struct backend_context *context, GError **error)
{
        g_autoptr(GString) options = mount_options(context->def);
        g_autofree char *type = NULL;
        struct mount_request request = { .source = device_of(context), .options = options->str };

        if (!probe_format(context, &type, error))
                return false;
        request.type = type;
        return mount_start(context, &request, error);
}

static bool stop(const struct backend_context *context, GError **error)
{
        return mount_stop(context, device_of(context), error);
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        return mount_check_alive(context, device_of(context), error) &&
               directory_refresh(context, scan, error);
}

static const struct maker *find_maker(const char *format, GError **error)
{
        g_autofree char *quoted = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(makers); i++) {
                if (g_strcmp0(makers[i].format, format) == 0)
                        return &makers[i];
        }
        quoted = error_quote(format);
        error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                  "cannot make a file system of format '%s'", quoted);
        return NULL;
}

static bool make_file_system(const struct backend_context *context, unsigned flags, GError **error)
{
        const struct maker *maker = find_maker(context->def->source.format, error);
        const char *argv[G_N_ELEMENTS(maker->argv) + 2];
        unsigned n = 0;

        if (!maker || !block_check_build(device_of(context), flags, error))
                return false;
        while (maker->argv[n]) {
                argv[n] = maker->argv[n];
                n++;
        }
        argv[n++] = device_of(context);
        argv[n] = NULL;
        return spawn_check(context->lane, argv, TOOL_LONG_TIMEOUT_MS, NULL, error);
}

/* Without a word about overwriting only the mount point is made, as libvirt does. */
static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        return (!flags || make_file_system(context, flags, error)) && backend_dir.build(context, 0, error);
}

static bool remove_target(const struct backend_context *context, GError **error)
{
        return backend_dir.remove(context, error);
}

const struct backend backend_fs = {
        .type = POOL_FS,
        .flags = { DIRECTORY_FLAGS, .build = POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE },
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .forget = directory_unwatch,
        .remove = remove_target,
        .refresh = refresh,
        .build = build,
        .prepare = directory_prepare,
        .create = directory_create,
        .clone = directory_clone,
        .destroy = directory_destroy,
        .resize = directory_resize,
        .wipe = directory_wipe,
        .open = directory_open_volume,
        .probe = directory_probe,
        .measure = directory_measure,
        .stat = directory_stat,
};
