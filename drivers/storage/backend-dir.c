/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of type dir: a directory, as it is. Lanes as in backend.h; live is what follows its changes. */
#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* As libvirt makes them. */
#define TARGET_MODE 0711

static bool start(const struct backend_context *context, GError **error)
{
        CLEANUP_FD int fd = directory_open(context, error);

        if (fd < 0)
                return false;
        temporary_clean(fd);
        directory_watch(context, fd);
        return true;
}

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        *active = start(context, error);
        return *active;
}

static bool stop(const struct backend_context *context, GError **error)
{
        directory_unwatch(context);
        return true;
}

/* The directory may have been made anew. */
static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        directory_rewatch(context);
        return directory_refresh(context, scan, error);
}

static bool remove_target(const struct backend_context *context, GError **error)
{
        const char *path = context->def->path;

        return rmdir(path) == 0 ||
               error_set_errno(error, ERROR_FROM_STORAGE, errno, "failed to remove pool '%s'", path);
}

/* What we made is still a directory of that name, not a link to one that somebody has put there meanwhile. */
static bool set_permissions(const struct pool_def *def, bool made, GError **error)
{
        const struct storage_permissions *permissions = &def->permissions;
        int mode = permissions->mode >= 0 ? permissions->mode : TARGET_MODE;
        CLEANUP_FD int fd = open(def->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot open directory '%s'",
                                       def->path);
        if ((permissions->owner >= 0 || permissions->group >= 0) &&
            fchown(fd, (uid_t)permissions->owner, (gid_t)permissions->group) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot change the owner of '%s'",
                                       def->path);
        if ((made || permissions->mode >= 0) && fchmod(fd, (mode_t)mode) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot change the mode of '%s'",
                                       def->path);
        return true;
}

static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        const char *path = context->def->path;
        g_autofree char *parent = g_path_get_dirname(path);
        bool made;

        if (g_mkdir_with_parents(parent, 0755) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot create path '%s'", parent);
        made = mkdir(path, 0700) == 0;
        if (!made && errno != EEXIST)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot create path '%s'", path);
        if (!made && !g_file_test(path, G_FILE_TEST_IS_DIR))
                return error_set_errno(error, ERROR_FROM_STORAGE, ENOTDIR, "cannot create path '%s'", path);
        return set_permissions(context->def, made, error);
}

const struct backend backend_dir = {
        .type = POOL_DIR,
        .flags = { DIRECTORY_FLAGS },
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
