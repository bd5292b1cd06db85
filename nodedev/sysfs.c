/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing to sysfs. No state. */
#include "nodedev/sysfs.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool sysfs_write(const char *path, const char *text, GError **error)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return error_set_errno(error, ERROR_FROM_NODEDEV, errno, "cannot write '%s'", path);
        return true;
}

char *sysfs_resolve(const char *path)
{
        char real[PATH_MAX];

        return realpath(path, real) ? g_strdup(real) : NULL;
}
