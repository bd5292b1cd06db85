/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing to sysfs. No state. */
#include "nodedev/sysfs.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_here(const char *path, const char *text, GError **error)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return error_set_errno(error, ERROR_FROM_NODEDEV, errno, "cannot write '%s'", path);
        return true;
}

static bool write_there(struct lane *lane, const char *path, const char *text, GError **error)
{
        const char *const argv[] = { "sh", "-c", "printf %s \"$1\" >\"$2\"", "sh", text, path, NULL };
        struct spawn_result result;
        g_autoptr(GError) failure = NULL;
        g_autofree char *why = NULL;
        bool written;

        if (!spawn_run(lane, argv, NULL, SYSFS_WRITE_MS, &result, &failure)) {
                if (error_is(failure, ERROR_OPERATION_TIMEOUT))
                        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_TIMEOUT,
                                         "the kernel is still at it, %d s after '%s' was written to",
                                         SYSFS_WRITE_MS / 1000, path);
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        written = result.status == 0;
        /* "sh: 1: printf: I/O error" */
        why = g_strdup(strrchr(result.errors, ':') ? strrchr(result.errors, ':') + 1 : "");
        spawn_result_clear(&result);
        return written || error_set(error, ERROR_FROM_NODEDEV, ERROR_SYSTEM_ERROR, "cannot write '%s': %s",
                                    path, g_strstrip(why));
}

bool sysfs_write(struct lane *lane, const char *path, const char *text, GError **error)
{
        return lane ? write_there(lane, path, text, error) : write_here(path, text, error);
}

char *sysfs_resolve(const char *path)
{
        char real[PATH_MAX];

        return realpath(path, real) ? g_strdup(real) : NULL;
}
