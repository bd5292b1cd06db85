/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Variable stores as files. No state.
 */
#include "drivers/qemu/nvram.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Templates are some hundred KiB; a few MiB on ARM. */
#define TEMPLATE_MAX (256 * 1024 * 1024)

/* Beyond the end of any store and where QEMU's own locks are: the byte that says that a guest has it. */
#define CLAIM_OFFSET (INT64_MAX - 1)

static int open_template(const char *path, off_t *size, GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open NVRAM template '%s'", path);
                return -1;
        }
        if (!S_ISREG(st.st_mode) || st.st_size > TEMPLATE_MAX) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                          "NVRAM template '%s' is no file of at most %d bytes", path, TEMPLATE_MAX);
                return -1;
        }
        *size = st.st_size;
        return fd_steal(&fd);
}

static bool copy(int from, int to, off_t size)
{
        off_t offset = 0;

        while (offset < size) {
                ssize_t sent = sendfile(to, from, &offset, (size_t)(size - offset));

                if (sent < 0)
                        return false;
                if (sent == 0) {
                        errno = EIO;
                        return false;
                }
        }
        return fsync(to) == 0;
}

static bool make_store(const char *temporary, const char *path, const char *template,
                       const struct account *account, GError **error)
{
        off_t size = 0;
        CLEANUP_FD int from = open_template(template, &size, error);
        CLEANUP_FD int to = -1;

        if (from < 0)
                return false;
        to = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0 || (!account->is_own && fchown(to, account->uid, account->gid) < 0) ||
            !copy(from, to, size) || rename(temporary, path) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make NVRAM file '%s'", path);
        return true;
}

bool nvram_make(const char *path, const char *template, bool reset, const struct account *account,
                GError **error)
{
        g_autofree char *temporary = g_strconcat(path, ".new", NULL);
        bool there = access(path, F_OK) == 0;

        if (there && !reset)
                return true;
        if (!template)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "there is no template to make NVRAM file '%s' from", path);
        unlink(temporary);
        if (make_store(temporary, path, template, account, error))
                return true;
        unlink(temporary);
        return false;
}

/* A lock of the open file: it goes with the last process that has it, whatever becomes of the agent. */
int nvram_claim(const char *path, bool *busy, GError **error)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CLAIM_OFFSET, .l_len = 1 };
        CLEANUP_FD int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        *busy = false;
        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s'", path);
                return -1;
        }
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
                return fd_steal(&fd);
        *busy = true;
        return -1;
}
