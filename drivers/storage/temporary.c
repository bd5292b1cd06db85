/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Temporary files of volumes in the making. Their maker holds a lock (flock(2)) on them as long as it lives,
 * so that what a dead agent left is told from what another one is making. Lanes.
 */
#include "drivers/storage/temporary.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX ".virtbus-"
#define SUFFIX ".tmp"

bool temporary_is_name(const char *name)
{
        return g_str_has_prefix(name, PREFIX) && g_str_has_suffix(name, SUFFIX);
}

int temporary_new(int directory_fd, char **name, GError **error)
{
        int fd;

        do {
                g_free(*name);
                *name = g_strdup_printf(PREFIX "%08x%08x" SUFFIX, g_random_int(), g_random_int());
                fd = openat(directory_fd, *name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        } while (fd < 0 && errno == EEXIST);
        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                "cannot create a file in the pool's directory");
                g_clear_pointer(name, g_free);
                return -1;
        }
        flock(fd, LOCK_EX | LOCK_NB);
        return fd;
}

/* Some file systems (NFS) cannot rename without replacing, but all that cannot can link. */
static int rename_noreplace(int directory_fd, const char *from, const char *to)
{
        if (renameat2(directory_fd, from, directory_fd, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -1;
        if (linkat(directory_fd, from, directory_fd, to, 0) < 0)
                return -1;
        return unlinkat(directory_fd, from, 0);
}

bool temporary_finish(int directory_fd, const char *temporary, const char *name, GError **error)
{
        if (rename_noreplace(directory_fd, temporary, name) == 0)
                return true;
        if (errno == EEXIST)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'", name);
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot name the new volume '%s'", name);
}

static void clean_one(int directory_fd, const char *name)
{
        CLEANUP_FD int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return;
        if (unlinkat(directory_fd, name, 0) == 0)
                log_info("removed '%s', which was left of a volume never finished", name);
}

void temporary_clean(int directory_fd)
{
        int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

        if (!directory) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
                if (temporary_is_name(entry->d_name))
                        clean_one(directory_fd, entry->d_name);
        }
        closedir(directory);
}
