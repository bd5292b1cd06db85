/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written to a transient disk goes into an image above it that nobody has a name for: the kernel
 * removes it behind the emulator. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/spawn.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/storage/image-header.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define QEMU_IMG_MS 30000

/* ---- as large as the image ---- */

static bool refuse(const struct domain_disk *disk, const char *why, GError **error)
{
        return device_unsupported(error, "disk '%s' is transient, and %s", disk->target, why);
}

static bool read_raw_size(int fd, const struct block_image *image, uint64_t *size)
{
        struct stat status;

        if (image->slice) {
                *size = image->slice->size;
                return true;
        }
        if (image->kind != BLOCK_FILE)
                return ioctl(fd, BLKGETSIZE64, size) == 0;
        if (fstat(fd, &status) < 0)
                return false;
        *size = (uint64_t)status.st_size;
        return true;
}

static bool read_header_size(int fd, const struct block_image *image, uint64_t *size)
{
        off_t start = image->slice ? (off_t)image->slice->offset : 0;
        uint8_t head[IMAGE_HEADER_SIZE];
        ssize_t length = pread(fd, head, sizeof(head), start);
        struct image_header header;

        if (length < 0)
                return false;
        errno = EINVAL;
        if (!(strcmp(image->format, "qcow2") == 0 ? image_header_parse_qcow2(head, (size_t)length, &header)
                                                  : image_header_parse_qed(head, (size_t)length, &header)))
                return false;
        *size = header.capacity;
        return true;
}

static bool find_size(const struct domain_disk *disk, const struct block_image *image, uint64_t *size,
                      GError **error)
{
        bool raw = strcmp(image->format, "raw") == 0;
        CLEANUP_FD int fd = -1;

        if (image->kind != BLOCK_FILE && image->kind != BLOCK_DEVICE)
                return refuse(disk, "its source is neither a file nor a block device of this host", error);
        if (image->encryption)
                return refuse(disk, "encrypted: what its guest writes would not be", error);
        if (!raw && strcmp(image->format, "qcow2") != 0 && strcmp(image->format, "qed") != 0)
                return refuse(disk, "its format is neither 'raw' nor 'qcow2' nor 'qed'", error);
        fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 && (raw ? read_raw_size(fd, image, size) : read_header_size(fd, image, size)))
                return true;
        return error_set_errno(error, ERROR_FROM_QEMU, errno,
                               "cannot tell the size of image '%s' of disk '%s'", image->path, disk->target);
}

/* ---- the file ---- */

/* Some file systems have no files without a name, so it loses the one that it gets. */
static int open_named(const char *folder)
{
        g_autofree char *path = g_build_filename(folder, ".virtbus-XXXXXX", NULL);
        int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0)
                unlink(path);
        return fd;
}

static int open_file(const struct domain_disk *disk, const char *folder, GError **error)
{
        int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
                fd = open_named(folder);
        if (fd < 0)
                error_set_errno(error, ERROR_FROM_QEMU, errno,
                                "cannot make a file in '%s' for what is written to transient disk '%s'",
                                folder, disk->target);
        return fd;
}

/* The name of the image below is never looked at: the emulator is told which node that is. */
static bool format_file(const struct resources *resources, int fd, uint64_t size, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd),
                        *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, size);
        const char *argv[] = { "qemu-img", "create", "-q",  "-f", "qcow2", "-u", "-b",
                               "the-disk", "-F",     "raw", path, bytes,   NULL };

        return spawn_check(resources->guest->domain->base.lane, argv, QEMU_IMG_MS, NULL, error);
}

bool resources_make_overlay(struct resources *resources, const struct domain_disk *disk,
                            const struct block_image *image, int *fd, GError **error)
{
        g_autofree char *beside = g_path_get_dirname(image->path);
        const char *folder = image->kind == BLOCK_FILE ? beside : resources->guest->driver->state_dir;
        uint64_t size;

        if (!find_size(disk, image, &size, error))
                return false;
        *fd = open_file(disk, folder, error);
        if (*fd < 0) {
                *fd = 0;
                return false;
        }
        resources_add_fd(resources, *fd);
        return format_file(resources, *fd, size, error);
}
