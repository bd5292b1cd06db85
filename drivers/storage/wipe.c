/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wiping: the bytes that a volume has on the disk are overwritten, holes stay holes. The patterns other than
 * zero are scrub(1)'s. In a job's lane; interrupted between chunks.
 */
#include "drivers/storage/wipe.h"

#include "base/error.h"
#include "base/job.h"
#include "base/lane.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE (1024 * 1024)

/* As scrub calls them. */
static const char *const patterns[VOLUME_WIPE_COUNT] = {
        [VOLUME_WIPE_NNSA] = "nnsa",
        [VOLUME_WIPE_DOD] = "dod",
        [VOLUME_WIPE_BSI] = "bsi",
        [VOLUME_WIPE_GUTMANN] = "gutmann",
        [VOLUME_WIPE_SCHNEIER] = "schneier",
        [VOLUME_WIPE_PFITZNER7] = "pfitzner7",
        [VOLUME_WIPE_PFITZNER33] = "pfitzner33",
        [VOLUME_WIPE_RANDOM] = "random",
};

static bool wipe_error(const char *path, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot wipe '%s'", path);
}

static bool write_zeros(const struct backend_context *context, int fd, const char *path, uint64_t start,
                        uint64_t end, uint64_t length, const void *zeros, GError **error)
{
        for (uint64_t at = start; at < end;) {
                size_t size = (size_t)MIN(end - at, CHUNK_SIZE);
                ssize_t written = pwrite(fd, zeros, size, (off_t)at);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return wipe_error(path, error);
                at += (uint64_t)written;
                if (context->job)
                        job_set_progress(context->job, at, length);
                if (lane_is_interrupted(context->lane))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED,
                                         "wiping '%s' was interrupted", path);
        }
        return true;
}

/* A file system or device that knows no holes is all data. */
static bool next_data(int fd, uint64_t from, uint64_t length, uint64_t *start, uint64_t *end)
{
        off_t data = lseek(fd, (off_t)from, SEEK_DATA), hole;

        if (data < 0 && errno == ENXIO)
                return false;
        *start = data < 0 ? from : (uint64_t)data;
        hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
        *end = hole < 0 ? length : MIN((uint64_t)hole, length);
        return *start < *end;
}

static bool wipe_zero(const struct backend_context *context, int fd, const char *path, uint64_t length,
                      GError **error)
{
        g_autofree void *zeros = g_malloc0(CHUNK_SIZE);
        uint64_t start, end;

        for (uint64_t at = 0; at < length && next_data(fd, at, length, &start, &end); at = end) {
                if (!write_zeros(context, fd, path, start, end, length, zeros, error))
                        return false;
        }
        return fdatasync(fd) == 0 || wipe_error(path, error);
}

static bool wipe_trim(int fd, const char *path, uint64_t length, GError **error)
{
        uint64_t range[2] = { 0, length };
        struct stat st;

        if (fstat(fd, &st) < 0)
                return wipe_error(path, error);
        if (S_ISBLK(st.st_mode) && ioctl(fd, BLKDISCARD, range) < 0)
                return wipe_error(path, error);
        if (S_ISREG(st.st_mode) && length &&
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)length) < 0)
                return wipe_error(path, error);
        return true;
}

bool wipe_run(const struct backend_context *context, int fd, const char *path, uint64_t length,
              enum volume_wipe_algorithm algorithm, GError **error)
{
        /* The very file that was opened, whatever has its name now. */
        g_autofree char *opened = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
        const char *const scrub[] = { "scrub", "-f", "-p", patterns[algorithm], opened, NULL };

        if (algorithm == VOLUME_WIPE_ZERO)
                return wipe_zero(context, fd, path, length, error);
        if (algorithm == VOLUME_WIPE_TRIM)
                return wipe_trim(fd, path, length, error);
        return spawn_check(context->lane, scrub, UINT_MAX, NULL, error);
}
