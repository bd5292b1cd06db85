/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and changing volumes that are files. A new one is made under a temporary name and gets its own when
 * it is whole. Raw files are made and copied by the agent, everything else by qemu-img. Lanes as in
 * backend.h.
 */
#include "base/error.h"
#include "base/job.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/image-source.h"
#include "drivers/storage/image-tool.h"
#include "drivers/storage/image.h"
#include "drivers/storage/temporary.h"
#include "drivers/storage/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FILE_MODE      0600
#define DIRECTORY_MODE 0700
#define CHUNK_SIZE     (1024 * 1024)

/* Copied by the kernel at once: not long, for progress and interrupts. */
#define KERNEL_CHUNK_SIZE (16 * 1024 * 1024)

/* ---- what is asked for ---- */

static bool unsupported(GError **error, const char *format, const char *name)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED, "%s%s", format, name);
}

/* Written by us: these formats are what is in a raw file. */
static bool is_plain(const struct volume *volume)
{
        return (volume->format == VOLUME_FORMAT_RAW || volume->format == VOLUME_FORMAT_ISO) &&
               !volume->encryption.format;
}

static bool check_format(const struct volume *volume, GError **error)
{
        bool qcow2 = volume->format == VOLUME_FORMAT_QCOW2;

        if (!is_plain(volume) && volume->format != VOLUME_FORMAT_RAW && volume->format != VOLUME_FORMAT_DIR &&
            !image_tool_can_create(volume->format))
                return unsupported(error, "cannot create volumes of format ",
                                   volume_format_get_name(volume->format));
        if (volume->encryption.format && volume->format != VOLUME_FORMAT_RAW && !qcow2)
                return unsupported(error, "encryption is not supported with format ",
                                   volume_format_get_name(volume->format));
        if (volume->lazy_refcounts && g_strcmp0(volume->compat, "0.10") == 0)
                return unsupported(error, "lazy_refcounts not supported with compat level 0.10", "");
        if (volume->extended_l2 && g_strcmp0(volume->compat, "0.10") == 0)
                return unsupported(error, "extended_l2 not supported with compat level 0.10", "");
        if ((volume->compat || volume->cluster_size) && !qcow2)
                return unsupported(error, "compat, features and clusterSize are those of format qcow2", "");
        return true;
}

static bool check_backing(struct volume *volume, GError **error)
{
        g_autofree char *quoted = error_quote(volume->backing.path);
        struct stat st;

        if (!volume->backing.path)
                return true;
        if (volume->format != VOLUME_FORMAT_QCOW2 && volume->format != VOLUME_FORMAT_QED &&
            volume->format != VOLUME_FORMAT_VMDK && volume->format != VOLUME_FORMAT_QCOW)
                return unsupported(error, "backing storage not supported for volumes of format ",
                                   volume_format_get_name(volume->format));
        if (volume->backing.path[0] != '/')
                return unsupported(error, "the backing file's path is not absolute: ", quoted);
        if (volume->backing.format == VOLUME_FORMAT_NONE)
                volume->backing.format = VOLUME_FORMAT_RAW;
        if (access(volume->backing.path, R_OK) < 0 || stat(volume->backing.path, &st) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                       "inaccessible backing store volume %s", quoted);
        volume->backing.permissions.mode = (int)(st.st_mode & STORAGE_MODE_MASK);
        volume->backing.permissions.owner = st.st_uid;
        volume->backing.permissions.group = st.st_gid;
        /* qemu-img would wait for the other end of a pipe, and the pool for qemu-img. */
        return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ||
               unsupported(error, "the backing file is neither a file nor a block device: ", quoted);
}

bool directory_prepare(const struct backend_context *context, struct volume *volume, unsigned flags,
                       bool *slow, GError **error)
{
        if (volume->format == VOLUME_FORMAT_NONE)
                volume->format = VOLUME_FORMAT_RAW;
        volume->type = volume->format == VOLUME_FORMAT_DIR ? VOLUME_DIR : VOLUME_FILE;
        if (!check_format(volume, error) || !check_backing(volume, error))
                return false;
        if ((flags & VOLUME_CREATE_PREALLOC_METADATA) && volume->format != VOLUME_FORMAT_QCOW2)
                return unsupported(error, "metadata preallocation only available with qcow2", "");
        volume->path = g_build_filename(context->def->path, volume->name, NULL);
        volume->key = g_strdup(volume->path);
        *slow = (is_plain(volume) && volume->allocation) || (flags & VOLUME_CREATE_PREALLOC_METADATA);
        return true;
}

/* ---- making ---- */

static bool set_permissions(const struct volume *volume, int fd, mode_t default_mode, GError **error)
{
        const struct storage_permissions *permissions = &volume->permissions;
        mode_t mode = permissions->mode >= 0 ? (mode_t)permissions->mode : default_mode;

        if ((permissions->owner >= 0 || permissions->group >= 0) &&
            fchown(fd, (uid_t)permissions->owner, (gid_t)permissions->group) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                       "cannot change the owner of volume '%s'", volume->name);
        if (fchmod(fd, mode) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                       "cannot set mode of volume '%s' to %04o", volume->name, mode);
        return true;
}

/* File systems without the flag have nothing to turn off. */
static void disable_cow(const struct backend_context *context, const struct volume *volume, int fd)
{
        int flags = 0;

        if ((volume->nocow || context->def->cow_disabled) && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
                flags |= FS_NOCOW_FL;
                ioctl(fd, FS_IOC_SETFLAGS, &flags);
        }
}

static bool interrupted(const struct volume *volume, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED,
                         "making volume '%s' was interrupted", volume->name);
}

static bool extend_error(const struct volume *volume, GError **error)
{
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot extend volume '%s'", volume->name);
}

static void report(const struct backend_context *context, uint64_t processed, uint64_t total)
{
        if (context->job)
                job_set_progress(context->job, processed, total);
}

/* For file systems that cannot allocate without writing. */
static bool write_zeros(const struct backend_context *context, const struct volume *volume, int fd,
                        uint64_t start, uint64_t end, GError **error)
{
        g_autofree void *zeros = g_malloc0(CHUNK_SIZE);

        for (uint64_t at = start; at < end;) {
                ssize_t written = pwrite(fd, zeros, (size_t)MIN(end - at, CHUNK_SIZE), (off_t)at);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return extend_error(volume, error);
                at += (uint64_t)written;
                report(context, at - start, end - start);
                if (lane_is_interrupted(context->lane))
                        return interrupted(volume, error);
        }
        return true;
}

static bool allocate(const struct backend_context *context, const struct volume *volume, int fd,
                     uint64_t start, uint64_t end, GError **error)
{
        if (start >= end)
                return true;
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)(end - start)) == 0)
                return true;
        if (errno != EOPNOTSUPP && errno != ENOSYS)
                return extend_error(volume, error);
        return write_zeros(context, volume, fd, start, end, error);
}

static bool make_plain(const struct backend_context *context, const struct volume *volume, int fd,
                       GError **error)
{
        if (ftruncate(fd, (off_t)volume->capacity) < 0)
                return extend_error(volume, error);
        return allocate(context, volume, fd, 0, MIN(volume->allocation, volume->capacity), error);
}

/* What is answered for is on the disk; but as with qemu-img itself not what it converted, which may be a lot.
 */
static bool sync_file(const struct volume *volume, int fd, GError **error)
{
        return fdatasync(fd) == 0 || error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                                     "cannot sync data of volume '%s'", volume->name);
}

static const char *preallocation_of(const struct volume *volume, unsigned flags)
{
        if (!(flags & VOLUME_CREATE_PREALLOC_METADATA))
                return "off";
        return volume->allocation >= volume->capacity ? "falloc" : "metadata";
}

static bool make_directory(int directory_fd, const struct volume *volume, GError **error)
{
        CLEANUP_FD int fd = -1;

        if (mkdirat(directory_fd, volume->name, DIRECTORY_MODE) < 0) {
                if (errno == EEXIST)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'",
                                         volume->name);
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot create directory '%s'",
                                       volume->path);
        }
        fd = openat(directory_fd, volume->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && set_permissions(volume, fd, DIRECTORY_MODE, error))
                return true;
        unlinkat(directory_fd, volume->name, AT_REMOVEDIR);
        return error_set_errno(error && *error ? NULL : error, ERROR_FROM_STORAGE, errno,
                               "cannot create directory '%s'", volume->path);
}

/* The content of a new file. */
typedef bool (*maker)(const struct backend_context *context, struct volume *volume,
                      const struct volume *source, int fd, unsigned flags, GError **error);

/* For the first look at it: what was made raw is raw, whatever was copied into it. */
static bool take_identity(struct volume *volume, int fd, GError **error)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot look at volume '%s'",
                                       volume->name);
        volume->inode = st.st_ino;
        volume->physical = (uint64_t)st.st_size;
        return true;
}

/* A whole new file or none. */
static bool make_file(const struct backend_context *context, struct volume *volume,
                      const struct volume *source, unsigned flags, maker make, GError **error)
{
        CLEANUP_FD int directory_fd = directory_open(context, error), fd = -1;
        g_autofree char *temporary = NULL;

        if (directory_fd < 0)
                return false;
        fd = temporary_new(directory_fd, &temporary, error);
        if (fd < 0)
                return false;
        disable_cow(context, volume, fd);
        if (make(context, volume, source, fd, flags, error) && take_identity(volume, fd, error) &&
            set_permissions(volume, fd, FILE_MODE, error) &&
            temporary_finish(directory_fd, temporary, volume->name, error))
                return true;
        unlinkat(directory_fd, temporary, 0);
        return false;
}

static bool fill_new(const struct backend_context *context, struct volume *volume,
                     const struct volume *source, int fd, unsigned flags, GError **error)
{
        bool made = is_plain(volume)
                            ? make_plain(context, volume, fd, error)
                            : image_tool_create(context, fd, volume, preallocation_of(volume, flags), error);

        return made && sync_file(volume, fd, error);
}

bool directory_create(const struct backend_context *context, struct volume *volume, unsigned flags,
                      GError **error)
{
        CLEANUP_FD int directory_fd = -1;

        if (volume->type != VOLUME_DIR)
                return make_file(context, volume, NULL, flags, fill_new, error);
        directory_fd = directory_open(context, error);
        return directory_fd >= 0 && make_directory(directory_fd, volume, error);
}

/* ---- clone ---- */

/* One copy of data. */
struct copy {
        const struct backend_context *context;
        const struct volume *volume;
        int from, to;
        uint64_t total;
        char *chunk;  /* borrowed; CHUNK_SIZE bytes */
        bool by_hand; /* the kernel cannot copy between these */
};

static ssize_t write_chunk(const struct copy *copy, uint64_t at, ssize_t length)
{
        for (ssize_t done = 0; done < length;) {
                ssize_t written =
                        pwrite(copy->to, copy->chunk + done, (size_t)(length - done), (off_t)at + done);

                if (written < 0 && errno != EINTR)
                        return -1;
                done += MAX(written, 0);
        }
        return length;
}

/* How much was copied, 0 at the end of the source; -1 with errno. */
static ssize_t copy_some(struct copy *copy, uint64_t at, uint64_t length)
{
        off_t in = (off_t)at, out = (off_t)at;
        ssize_t done;

        if (!copy->by_hand) {
                done = copy_file_range(copy->from, &in, copy->to, &out,
                                       (size_t)MIN(length, KERNEL_CHUNK_SIZE), 0);
                if (done > 0 || (done < 0 && (errno == EINTR || errno == ENOSPC || errno == EIO)))
                        return done;
                copy->by_hand = true;
        }
        done = pread(copy->from, copy->chunk, (size_t)MIN(length, CHUNK_SIZE), (off_t)at);
        return done > 0 ? write_chunk(copy, at, done) : done;
}

static bool copy_range(struct copy *copy, uint64_t start, uint64_t end, GError **error)
{
        for (uint64_t at = start; at < end;) {
                ssize_t done = copy_some(copy, at, end - at);

                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot copy to volume '%s'",
                                               copy->volume->name);
                if (done == 0)
                        return true;
                at += (uint64_t)done;
                report(copy->context, at, copy->total);
                if (lane_is_interrupted(copy->context->lane))
                        return interrupted(copy->volume, error);
        }
        return true;
}

/* Holes stay holes. */
static bool copy_data(const struct backend_context *context, const struct volume *volume, int from, int to,
                      uint64_t length, GError **error)
{
        g_autofree char *chunk = g_malloc(CHUNK_SIZE);
        struct copy copy = { context, volume, from, to, length, chunk, false };

        for (uint64_t at = 0; at < length;) {
                off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;
                uint64_t start = at, end = length;

                if (data < 0 && errno == ENXIO)
                        return true;
                if (data >= 0) {
                        start = (uint64_t)data;
                        hole = lseek(from, data, SEEK_HOLE);
                        end = hole < 0 ? length : MIN((uint64_t)hole, length);
                }
                if (!copy_range(&copy, start, end, error))
                        return false;
                at = end;
        }
        return true;
}

static bool clone_plain(const struct backend_context *context, const struct volume *volume,
                        const struct volume *source, int from, int to, unsigned flags, GError **error)
{
        bool linked = ioctl(to, FICLONE, from) == 0;

        if (!linked && (flags & VOLUME_CREATE_REFLINK))
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "failed to clone files from '%s'",
                                       source->path);
        if (!linked && !copy_data(context, volume, from, to, source->capacity, error))
                return false;
        if (ftruncate(to, (off_t)volume->capacity) < 0)
                return extend_error(volume, error);
        if (!linked && !allocate(context, volume, to, 0, MIN(volume->allocation, volume->capacity), error))
                return false;
        return sync_file(volume, to, error);
}

static bool fill_clone(const struct backend_context *context, struct volume *volume,
                       const struct volume *source, int fd, unsigned flags, GError **error)
{
        CLEANUP_FD int source_fd = -1;

        /* A block device is raw. */
        if (is_plain(volume) && (is_plain(source) || source->type == VOLUME_BLOCK)) {
                source_fd = image_source_open_file(source, error);
                return source_fd >= 0 && clone_plain(context, volume, source, source_fd, fd, flags, error);
        }
        if (flags & VOLUME_CREATE_REFLINK)
                return unsupported(error, "only raw volumes can be cloned by reflink", "");
        if (!image_tool_convert(context, fd, volume, error))
                return false;
        return volume->capacity == source->capacity ||
               image_tool_resize(context, fd, volume, volume->capacity, false, false, error);
}

bool directory_clone(const struct backend_context *context, struct volume *volume,
                     const struct volume *source, unsigned flags, GError **error)
{
        if (volume->type == VOLUME_DIR || source->type == VOLUME_DIR || source->type == VOLUME_NETWORK)
                return unsupported(error, "cannot copy from or to a directory or network volume", "");
        return make_file(context, volume, source, flags, fill_clone, error);
}

/* ---- changes ---- */

bool directory_destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                       GError **error)
{
        CLEANUP_FD int directory_fd = -1;

        directory_fd = directory_open(context, error);
        if (directory_fd < 0)
                return false;
        /* Gone already: that is what was asked for. */
        return unlinkat(directory_fd, volume->name, volume->type == VOLUME_DIR ? AT_REMOVEDIR : 0) == 0 ||
               errno == ENOENT ||
               error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot remove %s '%s'",
                               volume->type == VOLUME_DIR ? "directory" : "file", volume->path);
}

int directory_open_volume(const struct backend_context *context, const struct volume *volume, bool writable,
                          uint64_t *length, GError **error)
{
        CLEANUP_FD int directory_fd = directory_open(context, error), fd = -1;
        struct stat st;

        if (directory_fd < 0)
                return -1;
        fd = directory_open_file(directory_fd, volume->name, writable ? O_RDWR : O_RDONLY, error);
        if (fd < 0)
                return -1;
        if (fstat(fd, &st) < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot look at volume '%s'", volume->name);
                return -1;
        }
        *length = (uint64_t)st.st_size;
        return fd_steal(&fd);
}

/* Room first, so that a volume for which there is none keeps its size. */
static bool resize_plain(const struct backend_context *context, const struct volume *volume, int fd,
                         uint64_t length, uint64_t capacity, bool make_room, GError **error)
{
        bool good = (!make_room || allocate(context, volume, fd, length, capacity, error)) &&
                    (ftruncate(fd, (off_t)capacity) == 0 || extend_error(volume, error));

        /* Where room is made by writing, the file has grown. */
        if (!good && capacity > length && ftruncate(fd, (off_t)length) < 0)
                log_warning("volume '%s' could not be given back its size: %s", volume->path,
                            g_strerror(errno));
        return good;
}

bool directory_resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                      unsigned flags, GError **error)
{
        uint64_t length;
        CLEANUP_FD int fd = directory_open_volume(context, volume, true, &length, error);

        if (fd < 0)
                return false;
        /* Its guest may have grown it, which nobody told us. */
        if (is_plain(volume) && capacity < length && !(flags & VOLUME_RESIZE_SHRINK))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "volume '%s' has %" G_GUINT64_FORMAT
                                 " bytes by now: it is not shrunk without the flag for it",
                                 volume->name, length);
        if (!is_plain(volume))
                return image_check(fd, volume, error) && image_check_backing(volume, -1, NULL, error) &&
                       image_tool_resize(context, fd, volume, capacity, capacity < volume->capacity,
                                         flags & VOLUME_RESIZE_ALLOCATE, error);
        return resize_plain(context, volume, fd, length, capacity, flags & VOLUME_RESIZE_ALLOCATE, error);
}

bool directory_wipe(const struct backend_context *context, const struct volume *volume,
                    enum volume_wipe_algorithm algorithm, GError **error)
{
        uint64_t length;
        CLEANUP_FD int fd = directory_open_volume(context, volume, true, &length, error);

        return fd >= 0 && wipe_run(context, fd, volume->path, length, algorithm, error);
}
