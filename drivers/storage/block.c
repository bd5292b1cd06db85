/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block devices. Nothing is kept; lanes only.
 */
#include "drivers/storage/block.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/image-tool.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The unit of sysfs, whatever the disk's is. */
#define SYSFS_SECTOR 512

static inline void probe_free(blkid_probe probe)
{
        blkid_free_probe(probe);
}

DEFINE_CLEANUP(struct blkid_struct_probe, probe_free);

static int open_device(const char *path, int flags, struct stat *status, GError **error)
{
        CLEANUP_FD int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0 || fstat(fd, status) < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot open device '%s'", path);
                return -1;
        }
        if (!S_ISBLK(status->st_mode)) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "'%s' is not a block device",
                          path);
                return -1;
        }
        return fd_steal(&fd);
}

int block_open(const char *path, bool writable, uint64_t *size, GError **error)
{
        struct stat status;
        CLEANUP_FD int fd = open_device(path, writable ? O_RDWR : O_RDONLY, &status, error);

        if (fd < 0)
                return -1;
        if (size && ioctl(fd, BLKGETSIZE64, size) < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot read the size of '%s'", path);
                return -1;
        }
        return fd_steal(&fd);
}

bool block_check_unused(const char *path, GError **error)
{
        struct stat status;
        CLEANUP_FD int fd = -1;

        if (stat(path, &status) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot find device '%s'", path);
        if (!S_ISBLK(status.st_mode))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "'%s' is not a block device", path);
        fd = open_device(path, O_RDONLY | O_EXCL, &status, error);
        return fd >= 0;
}

static char *probed_type(blkid_probe probe)
{
        const char *type;

        if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0 ||
            blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL) == 0)
                return g_strdup(type);
        return NULL;
}

bool block_probe(const char *path, char **type, GError **error)
{
        CLEANUP_FD int fd = block_open(path, false, NULL, error);
        CLEANUP(probe_free) struct blkid_struct_probe *probe = NULL;

        *type = NULL;
        if (fd < 0)
                return false;
        probe = blkid_new_probe();
        if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_PROBE_FAILED,
                                 "cannot read device '%s'", path);
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
        blkid_probe_enable_partitions(probe, 1);
        switch (blkid_do_safeprobe(probe)) {
        case 0:
                *type = probed_type(probe);
                return true;
        case 1:
                return true;
        case -2:
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_PROBE_FAILED,
                                 "device '%s' has signatures of several kinds", path);
        default:
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_PROBE_FAILED,
                                 "cannot read device '%s'", path);
        }
}

bool block_check_build(const char *path, unsigned flags, GError **error)
{
        g_autofree char *type = NULL;

        if (!block_check_unused(path, error))
                return false;
        if (flags & POOL_BUILD_OVERWRITE)
                return true;
        if (!block_probe(path, &type, error))
                return false;
        if (type)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_POOL_BUILT,
                                 "device '%s' already holds '%s'; it must be told to overwrite that", path,
                                 type);
        return true;
}

bool block_wipe_signatures(const char *path, GError **error)
{
        CLEANUP_FD int fd = block_open(path, true, NULL, error);
        CLEANUP(probe_free) struct blkid_struct_probe *probe = NULL;

        if (fd < 0)
                return false;
        probe = blkid_new_probe();
        if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_PROBE_FAILED,
                                 "cannot read device '%s'", path);
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_MAGIC);
        blkid_probe_enable_partitions(probe, 1);
        blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
        while (blkid_do_probe(probe) == 0) {
                if (blkid_do_wipe(probe, 0) < 0)
                        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot wipe '%s'", path);
        }
        return true;
}

GHashTable *block_read_names(const char *dir)
{
        g_autoptr(GDir) entries = NULL;
        GHashTable *names;
        const char *entry;

        if (!dir || !g_str_has_prefix(dir, "/dev/"))
                return NULL;
        names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        entries = g_dir_open(dir, 0, NULL);
        while (entries && (entry = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, entry, NULL);
                const char *before;
                char real[PATH_MAX];

                if (!realpath(path, real))
                        continue;
                before = g_hash_table_lookup(names, real);
                if (!before || strcmp(path, before) < 0)
                        g_hash_table_insert(names, g_strdup(real), g_steal_pointer(&path));
        }
        return names;
}

char *block_get_name(GHashTable *names, const char *device)
{
        char real[PATH_MAX];

        if (!names)
                return g_strdup(device);
        return g_strdup(g_hash_table_lookup(names, realpath(device, real) ? real : device));
}

char *block_find_name(const char *dir, const char *device)
{
        g_autoptr(GHashTable) names = block_read_names(dir);

        return block_get_name(names, device);
}

static struct volume_time volume_time(const struct timespec *time)
{
        return (struct volume_time){ .seconds = time->tv_sec, .nanoseconds = (uint32_t)time->tv_nsec };
}

void block_volume_set_status(struct volume *volume, const struct stat *status)
{
        volume->permissions.mode = (int)(status->st_mode & STORAGE_MODE_MASK);
        volume->permissions.owner = status->st_uid;
        volume->permissions.group = status->st_gid;
        volume->atime = volume_time(&status->st_atim);
        volume->mtime = volume_time(&status->st_mtim);
        volume->ctime = volume_time(&status->st_ctim);
        volume->device = status->st_dev;
        volume->inode = status->st_ino;
}

struct volume *block_volume_new_of_disk(const char *name, const char *path, const char *disk)
{
        g_autofree char *file = g_strdup_printf("/sys/class/block/%s/size", disk);
        g_autofree char *text = NULL;
        struct volume *volume;
        struct stat status;

        if (!g_file_get_contents(file, &text, NULL, NULL))
                return NULL;
        volume = volume_new();
        volume->name = g_strdup(name);
        volume->path = g_strdup(path);
        volume->type = VOLUME_BLOCK;
        volume->format = VOLUME_FORMAT_UNKNOWN;
        volume->capacity = g_ascii_strtoull(text, NULL, 10) * SYSFS_SECTOR;
        volume->allocation = volume->physical = volume->capacity;
        if (stat(path, &status) == 0)
                block_volume_set_status(volume, &status);
        return volume;
}

void block_scan_add(struct pool_scan *scan, struct volume *volume)
{
        scan->numbers.capacity += volume->capacity;
        scan->numbers.allocation += volume->allocation;
        g_ptr_array_add(scan->volumes, volume);
}

bool block_volume_apply_permissions(const struct volume *volume, GError **error)
{
        const struct storage_permissions *wanted = &volume->permissions;
        struct stat status;
        CLEANUP_FD int fd = -1;

        if (wanted->mode < 0 && wanted->owner < 0 && wanted->group < 0)
                return true;
        fd = open_device(volume->path, O_RDONLY, &status, error);
        if (fd < 0)
                return false;
        if ((wanted->owner >= 0 || wanted->group >= 0) &&
            fchown(fd, (uid_t)wanted->owner, (gid_t)wanted->group) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot change the owner of '%s'",
                                       volume->path);
        if (wanted->mode >= 0 && fchmod(fd, (mode_t)wanted->mode) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot change the mode of '%s'",
                                       volume->path);
        return true;
}

struct volume *block_volume_new(const char *name, const char *path, GError **error)
{
        struct stat status;
        CLEANUP_FD int fd = open_device(path, O_RDONLY, &status, error);
        struct volume *volume;
        uint64_t size;

        if (fd < 0)
                return NULL;
        if (ioctl(fd, BLKGETSIZE64, &size) < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot read the size of '%s'", path);
                return NULL;
        }
        volume = volume_new();
        volume->name = g_strdup(name);
        volume->path = g_strdup(path);
        volume->type = VOLUME_BLOCK;
        volume->capacity = volume->allocation = volume->physical = size;
        block_volume_set_status(volume, &status);
        return volume;
}

int block_volume_open(const struct backend_context *context, const struct volume *volume, bool writable,
                      uint64_t *length, GError **error)
{
        return block_open(volume->path, writable, length, error);
}

bool block_volume_stat(const struct backend_context *context, const struct volume *volume, uint64_t *capacity,
                       uint64_t *allocation, uint64_t *physical, GError **error)
{
        CLEANUP_FD int fd = block_open(volume->path, false, capacity, error);

        if (fd < 0)
                return false;
        *physical = *capacity;
        *allocation = volume->allocation == volume->capacity ? *capacity : volume->allocation;
        return true;
}

bool block_volume_copy(const struct backend_context *context, const struct volume *volume,
                       const struct volume *source, GError **error)
{
        struct volume raw = *volume;
        CLEANUP_FD int to = -1;

        if (source->type != VOLUME_BLOCK && source->type != VOLUME_FILE)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "volume '%s' is not one whose content can be copied", source->name);
        if (source->capacity > volume->capacity)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "volume '%s' is smaller than '%s', whose content it is to have",
                                 volume->name, source->name);
        to = block_open(volume->path, true, NULL, error);
        if (to < 0)
                return false;
        raw.format = VOLUME_FORMAT_RAW;
        raw.backing.path = NULL;
        return image_tool_convert(context, to, &raw, error);
}
