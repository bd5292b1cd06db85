/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are there when they are whole. */
#include "drivers/qemu/save-file.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool check_target(const char *path, GError **error)
{
        struct stat status;

        if (lstat(path, &status) < 0)
                return errno == ENOENT || errno == ENOTDIR ||
                       error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot look at '%s'", path);
        if (S_ISREG(status.st_mode))
                return true;
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                "'%s' is there and neither a regular file nor a block device, so it is not written to", path);
}

static char *make_hidden(const char *path)
{
        g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);
        g_autofree char *hidden = g_strdup_printf(".%.200s.%08x", name, g_random_int());

        return g_build_filename(dir, hidden, NULL);
}

struct save_file *save_file_new(const char *path, GError **error)
{
        struct save_file *file = g_new0(struct save_file, 1);
        g_autofree char *dir = g_path_get_dirname(path);

        file->fd = file->guard = -1;
        if (!check_target(path, error)) {
                save_file_free(file);
                return NULL;
        }
        file->path = g_strdup(path);
        file->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
                file->hidden = make_hidden(path);
                file->fd = open(file->hidden, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        }
        if (file->fd >= 0)
                return file;
        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a file in '%s'", dir);
        g_clear_pointer(&file->hidden, g_free);
        save_file_free(file);
        return NULL;
}

/* ---- what callers name ---- */

static bool is_device(const char *path)
{
        struct stat status;

        return lstat(path, &status) == 0 && S_ISBLK(status.st_mode);
}

static int open_again(int fd)
{
        char self[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        return open(self, O_WRONLY | O_CLOEXEC);
}

static struct save_file *open_device(const char *path, GError **error)
{
        /* O_EXCL: not while it is mounted, or part of something. */
        CLEANUP_FD int guard = open(path, O_WRONLY | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), fd = -1;
        struct save_file *file;
        struct stat status;

        if (guard < 0 || fstat(guard, &status) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write to the device '%s'", path);
                return NULL;
        }
        if (!S_ISBLK(status.st_mode)) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                          "'%s' is no block device any more, so it is not written to", path);
                return NULL;
        }
        /* An emulator that has it longer than we want must not keep it from the next save. */
        fd = open_again(guard);
        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write to the device '%s'", path);
                return NULL;
        }
        file = g_new0(struct save_file, 1);
        file->path = g_strdup(path);
        file->in_place = true;
        file->guard = fd_steal(&guard);
        file->fd = fd_steal(&fd);
        return file;
}

struct save_file *save_file_new_named(const char *path, GError **error)
{
        return is_device(path) ? open_device(path, error) : save_file_new(path, error);
}

/* ---- */

bool save_file_identify(const struct save_file *file, uint64_t *device, uint64_t *inode, GError **error)
{
        struct stat status;

        if (fstat(file->fd, &status) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot look at '%s'", file->path);
        *device = status.st_dev;
        *inode = status.st_ino;
        return true;
}

bool save_file_is(const char *path, uint64_t device, uint64_t inode)
{
        struct stat status;

        return lstat(path, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

/* One without a name gets the hidden one first: a link replaces nothing. */
static bool name_it(struct save_file *file, GError **error)
{
        char self[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
        file->hidden = make_hidden(file->path);
        if (linkat(AT_FDCWD, self, AT_FDCWD, file->hidden, AT_SYMLINK_FOLLOW) == 0)
                return true;
        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' its name", file->path);
        g_clear_pointer(&file->hidden, g_free);
        return false;
}

bool save_file_publish(struct save_file *file, GError **error)
{
        g_autofree char *dir = g_path_get_dirname(file->path);
        CLEANUP_FD int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (file->in_place)
                return true;
        if (!file->hidden && !name_it(file, error))
                return false;
        if (rename(file->hidden, file->path) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' its name",
                                       file->path);
        g_clear_pointer(&file->hidden, g_free);
        if (dir_fd >= 0 && fsync(dir_fd) == 0)
                return true;
        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write directory '%s'", dir);
        unlink(file->path);
        return false;
}

bool save_file_publish_new(struct save_file *file, GError **error)
{
        char self[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
        return linkat(AT_FDCWD, file->hidden ? file->hidden : self, AT_FDCWD, file->path,
                      AT_SYMLINK_FOLLOW) == 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' its name", file->path);
}

void save_file_free(struct save_file *file)
{
        if (!file)
                return;
        if (file->hidden)
                unlink(file->hidden);
        if (file->fd >= 0)
                close(file->fd);
        if (file->guard >= 0)
                close(file->guard);
        g_free(file->hidden);
        g_free(file->path);
        g_free(file);
}
