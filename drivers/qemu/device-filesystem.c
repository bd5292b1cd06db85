/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories of the host in the guest: by 9p, which the emulator serves itself, and by virtiofs, which a
 * program beside it does. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include <string.h>

/* What the devices have room for. */
#define TAG_9P_MAX       31
#define TAG_VIRTIOFS_MAX 36

static bool check(const struct domain_filesystem *fs, GError **error)
{
        bool is_virtiofs = g_strcmp0(fs->driver, "virtiofs") == 0;
        const char *name = fs->target ? fs->target : "";
        size_t max = is_virtiofs ? TAG_VIRTIOFS_MAX : TAG_9P_MAX;

        if (g_strcmp0(fs->type, "mount") != 0)
                return device_unsupported(error, "<filesystem type='%s'> is not supported; use type='mount'",
                                          fs->type);
        if (fs->driver && !is_virtiofs && strcmp(fs->driver, "path") != 0)
                return device_unsupported(
                        error,
                        "<driver type='%s'> of file system '%s' is not supported; use 'path' "
                        "or 'virtiofs'",
                        fs->driver, name);
        if (!*name || strlen(name) > max)
                return device_unsupported(error, "file system '%s' needs a <target dir=> of 1 to %zu bytes",
                                          name, max);
        if (fs->socket && !is_virtiofs)
                return device_unsupported(error,
                                          "<source socket=> of file system '%s' needs <driver "
                                          "type='virtiofs'>",
                                          name);
        if (!fs->socket && (!fs->source || *fs->source != '/'))
                return device_unsupported(error, "file system '%s' needs a <source dir=> that is absolute",
                                          name);
        return true;
}

/* ---- 9p ---- */

static bool check_9p(const struct domain_filesystem *fs, GError **error)
{
        const char *what = NULL;

        if (fs->binary || fs->cache || fs->sandbox || fs->xattr || fs->posix_lock || fs->flock ||
            fs->thread_pool >= 0 || fs->open_files)
                what = "<binary>";
        else if (fs->queue_size)
                what = "a queue size";
        else if (fs->info.boot_order)
                what = "<boot>";
        else if ((fs->fmode || fs->dmode) && g_strcmp0(fs->access_mode, "mapped") != 0)
                what = "fmode or dmode, which go with accessmode='mapped',";
        if (!what)
                return true;
        return device_unsupported(error, "%s of file system '%s' is not supported", what, fs->target);
}

static const char *get_security_model(const struct domain_filesystem *fs)
{
        if (g_strcmp0(fs->access_mode, "mapped") == 0)
                return "mapped";
        return g_strcmp0(fs->access_mode, "squash") == 0 ? "none" : "passthrough";
}

static void set_mode(json_t *backend, const char *name, unsigned mode)
{
        if (mode)
                device_set_format(backend, name, "%04o", mode);
}

static bool describe_9p(struct device_list *list, const struct device_context *context,
                        const struct domain_filesystem *fs, GError **error)
{
        g_autofree char *id = g_strconcat("fsdev-", fs->info.alias, NULL), *driver = NULL;
        json_t *backend, *device;

        if (!check_9p(fs, error))
                return false;
        backend = json_object();
        device_set_string(backend, "type", "local");
        device_set_string(backend, "security_model", get_security_model(fs));
        if (g_strcmp0(fs->multidevs, "default") != 0)
                device_set_string(backend, "multidevs", fs->multidevs);
        set_mode(backend, "fmode", fs->fmode);
        set_mode(backend, "dmode", fs->dmode);
        if (g_strcmp0(fs->write_policy, "immediate") == 0)
                device_set_string(backend, "writeout", "immediate");
        device_set_string(backend, "id", id);
        device_set_string(backend, "path", fs->source);
        if (fs->readonly)
                device_set_string(backend, "readonly", "on");
        device_list_add(list, DEVICE_FSDEV, backend);
        driver = device_virtio_driver("virtio-9p", fs->model, &fs->info);
        device = device_new(driver, fs->info.alias);
        device_set_virtio(device, &fs->virtio);
        device_set_string(device, "fsdev", id);
        device_set_string(device, "mount_tag", fs->target);
        return device_list_add_at(list, context, device, &fs->info, error);
}

/* ---- virtiofs ---- */

static bool check_virtiofs(const struct domain_def *def, const struct domain_filesystem *fs, GError **error)
{
        const char *what = NULL;

        if (fs->readonly)
                what = "<readonly>";
        else if (fs->fmode || fs->dmode)
                what = "fmode or dmode";
        else if (fs->multidevs && strcmp(fs->multidevs, "default") != 0)
                what = "multidevs";
        else if (fs->write_policy && strcmp(fs->write_policy, "default") != 0)
                what = "wrpolicy";
        else if (fs->model && strcmp(fs->model, "virtio") != 0)
                what = "the model";
        if (what)
                return device_unsupported(error,
                                          "%s of file system '%s' of driver 'virtiofs' is not supported",
                                          what, fs->target);
        if (domain_def_shares_memory(def))
                return true;
        return device_unsupported(error,
                                  "file system '%s' of driver 'virtiofs' needs the guest's memory shared: "
                                  "<memoryBacking><source type='memfd'/><access mode='shared'/>",
                                  fs->target);
}

static bool describe_virtiofs(struct device_list *list, const struct device_context *context,
                              const struct domain_filesystem *fs, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, fs->info.alias);
        const struct domain_char_source source = { .type = DOMAIN_CHAR_UNIX, .path = fs->socket };
        g_autofree char *id = g_strconcat("chr-vu-", fs->info.alias, NULL), *fd = NULL, *driver = NULL;
        json_t *device;

        if (!check_virtiofs(context->def, fs, error))
                return false;
        if (!fs->socket && (!resources || !resources->fds))
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no virtiofsd was started for file system '%s'", fs->target);
        if (!fs->socket)
                fd = device_list_add_fd(list, context, g_array_index(resources->fds, int, 0), "vu-%s",
                                        fs->info.alias);
        if (!device_list_add_chardev(list, context, id, &source, fd, error))
                return false;
        driver = device_virtio_driver("vhost-user-fs", NULL, &fs->info);
        device = device_new(driver, fs->info.alias);
        device_set_virtio(device, &fs->virtio);
        device_set_string(device, "chardev", id);
        device_set_uint(device, "queue-size", fs->queue_size);
        device_set_string(device, "tag", fs->target);
        device_set_uint(device, "bootindex", fs->info.boot_order);
        return device_list_add_at(list, context, device, &fs->info, error);
}

bool device_describe_filesystem(struct device_list *list, const struct device_context *context,
                                const void *data, GError **error)
{
        const struct domain_filesystem *fs = data;

        if (!check(fs, error))
                return false;
        if (g_strcmp0(fs->driver, "virtiofs") == 0)
                return describe_virtiofs(list, context, fs, error);
        return describe_9p(list, context, fs, error);
}
