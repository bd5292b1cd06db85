/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look into disks and memory. Entry points run on the loop; the files of disks, which may be on a server
 * that does not answer, are read in a lane of the call's own, which lends its slot; the guest is asked in the
 * domain's lane.
 */
#include "drivers/domain/peek.h"

#include "base/lane.h"
#include "base/loop.h"
#include "drivers/domain/model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 4096

static const struct domain_driver_ops *ops_of(const struct domain *domain)
{
        return domain->driver->ops;
}

/* last: the greatest offset of a byte that there can be. */
static bool check_size(uint64_t offset, uint64_t size, uint64_t last, GError **error)
{
        if (size > DOMAIN_PEEK_MAX)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%" G_GUINT64_FORMAT " bytes are more than the %d that can be had at once",
                                 size, DOMAIN_PEEK_MAX);
        if (offset > last - size)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "there is nothing at offset %" G_GUINT64_FORMAT, offset);
        return true;
}

static bool check_name(const char *name, GError **error)
{
        if (*name && strlen(name) <= NAME_MAX_BYTES)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "a disk is named by its target or its source");
}

/* NULL with an error. */
static const struct domain_disk *find_disk(const struct domain_def *def, const char *name, GError **error)
{
        g_autofree char *quoted = NULL;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (strcmp(disk->target, name) == 0 || g_strcmp0(disk->source.path, name) == 0)
                        return disk;
        }
        quoted = error_quote(name);
        error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has no disk '%s'", def->base.name,
                  quoted);
        return NULL;
}

/* ---- what is in it ---- */

struct peek {
        struct domain *domain; /* ref */
        char *disk;            /* owned */
        char *path;            /* owned; of the image */
        uint64_t offset, size;
        unsigned flags;
        void *bytes;   /* owned; NULL: not read */
        GError *error; /* owned */
        domain_bytes_done done;
        void *data; /* owned by done */
};

static void peek_end(void *data)
{
        struct peek *peek = data;

        /* Of no bytes there is an array as well. */
        peek->done(peek->error ? NULL : peek->bytes ? peek->bytes : "", peek->size, peek->error, peek->data);
        managed_unref(&peek->domain->base);
        g_clear_error(&peek->error);
        g_free(peek->bytes);
        g_free(peek->disk);
        g_free(peek->path);
        g_free(peek);
}

static struct peek *peek_new(struct domain *domain, uint64_t offset, uint64_t size, unsigned flags,
                             domain_bytes_done done, void *data)
{
        struct peek *peek = g_new0(struct peek, 1);

        peek->domain = (struct domain *)managed_ref(&domain->base);
        peek->offset = offset;
        peek->size = size;
        peek->flags = flags;
        peek->done = done;
        peek->data = data;
        return peek;
}

static bool get_length(int fd, const struct stat *st, uint64_t *length)
{
        *length = (uint64_t)st->st_size;
        return S_ISREG(st->st_mode) || ioctl(fd, BLKGETSIZE64, length) == 0;
}

static bool read_image(struct peek *peek)
{
        CLEANUP_FD int fd = -1;
        struct stat st;
        uint64_t length;
        ssize_t got;

        /* A FIFO or a tape would notice. */
        if (stat(peek->path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
                return error_set(&peek->error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "'%s' of domain '%s' is neither a file nor a disk", peek->path,
                                 peek->domain->base.name);
        fd = open(peek->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0 || !get_length(fd, &st, &length))
                return error_set_errno(&peek->error, ERROR_FROM_DOMAIN, errno, "cannot open '%s'",
                                       peek->path);
        if (peek->offset + peek->size > length)
                return error_set(&peek->error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "'%s' has %" G_GUINT64_FORMAT " bytes, and %" G_GUINT64_FORMAT
                                 " from %" G_GUINT64_FORMAT " on are not all among them",
                                 peek->path, length, peek->size, peek->offset);
        if (peek->size == 0)
                return true;
        peek->bytes = g_try_malloc(peek->size);
        got = peek->bytes ? pread(fd, peek->bytes, peek->size, (off_t)peek->offset) : -1;
        if (got < 0)
                return error_set_errno(&peek->error, ERROR_FROM_DOMAIN, errno, "cannot read '%s'",
                                       peek->path);
        if ((uint64_t)got < peek->size)
                return error_set(&peek->error, ERROR_FROM_DOMAIN, ERROR_READ_FAILED,
                                 "'%s' has become shorter", peek->path);
        return true;
}

static void read_job(void *data)
{
        struct peek *peek = data;

        read_image(peek);
        loop_post(peek->domain->driver->loop, peek_end, peek);
}

/* Which file it is, in the domain's turn. */
static bool find_image_work(struct managed *object, void *data, GError **error)
{
        struct peek *peek = data;
        const struct domain_disk *disk;

        if (!managed_require_known(object, error))
                return false;
        if (!ops_of(peek->domain)->has_files)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "BlockPeek of domain '%s'",
                                 managed_get_current_name(object));
        disk = find_disk(domain_def_of(managed_state_get_definition(object->current)), peek->disk, error);
        if (!disk)
                return false;
        if (!disk->source.path ||
            (disk->source.type != DOMAIN_STORAGE_FILE && disk->source.type != DOMAIN_STORAGE_BLOCK))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "disk '%s' is no file or device of this host", disk->target);
        if (disk->source.format && strcmp(disk->source.format, "raw") != 0)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "the image of disk '%s' is of format '%s', and raw ones can be looked into",
                                 disk->target, disk->source.format);
        peek->path = g_strdup(disk->source.path);
        return true;
}

static void image_found(struct managed *object, const GError *error, void *data)
{
        struct peek *peek = data;
        struct lane *lane;

        if (error) {
                peek->error = g_error_copy(error);
                peek_end(peek);
                return;
        }
        lane = lane_new(peek->domain->driver->pool, peek->domain->driver->loop, "peek");
        lane_set_lending(lane);
        lane_post(lane, read_job, peek);
        lane_unref(lane);
}

void domain_peek_block(struct domain *domain, const char *disk, uint64_t offset, uint64_t size,
                       unsigned flags, domain_bytes_done done, void *data)
{
        struct peek *peek = peek_new(domain, offset, size, flags, done, data);

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "BlockPeek", &peek->error) &&
            check_size(offset, size, INT64_MAX, &peek->error) && check_name(disk, &peek->error)) {
                peek->disk = g_strdup(disk);
                managed_run(&domain->base, MANAGED_IN_TURN, find_image_work, image_found, peek);
        } else {
                peek_end(peek);
        }
}

static bool memory_work(struct managed *object, void *data, GError **error)
{
        struct peek *peek = data;
        const struct domain_driver_ops *ops = ops_of(peek->domain);

        if (!managed_require_active(object, error))
                return false;
        if (!ops->peek_memory)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "MemoryPeek of domain '%s'",
                                 managed_get_current_name(object));
        if (peek->size == 0)
                return true;
        peek->bytes = g_try_malloc(peek->size);
        if (!peek->bytes)
                return error_set_errno(error, ERROR_FROM_DOMAIN, ENOMEM,
                                       "cannot look into the memory of domain '%s'",
                                       managed_get_current_name(object));
        return ops->peek_memory(peek->domain, peek->offset, peek->bytes, peek->size,
                                peek->flags == DOMAIN_PEEK_PHYSICAL, error);
}

static void memory_done(struct managed *object, const GError *error, void *data)
{
        struct peek *peek = data;

        if (error)
                peek->error = g_error_copy(error);
        peek_end(peek);
}

void domain_peek_memory(struct domain *domain, uint64_t offset, uint64_t size, unsigned flags,
                        domain_bytes_done done, void *data)
{
        struct peek *peek = peek_new(domain, offset, size, flags, done, data);
        /* Kernels have the upper half of what is virtual. */
        uint64_t last = flags == DOMAIN_PEEK_VIRTUAL ? UINT64_MAX : INT64_MAX;

        if (flags_check(flags, DOMAIN_PEEK_VIRTUAL | DOMAIN_PEEK_PHYSICAL, ERROR_FROM_DOMAIN, "MemoryPeek",
                        &peek->error) &&
            check_size(offset, size, last, &peek->error) && flags != DOMAIN_PEEK_VIRTUAL &&
            flags != DOMAIN_PEEK_PHYSICAL)
                error_set(&peek->error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "flags say either VIRTUAL (1) or PHYSICAL (2)");
        if (peek->error)
                peek_end(peek);
        else
                managed_run(&domain->base, MANAGED_IN_TURN, memory_work, memory_done, peek);
}

/* ---- what is changed at a disk ---- */

struct disk_change {
        uint64_t number;
        uint32_t index; /* of the image in its chain; 0: the disk's own */
        bool capacity;  /* number is that of the host's device, 0: whatever it is */
        char *disk;     /* owned */
};

static void disk_change_free(void *data)
{
        struct disk_change *change = data;

        g_free(change->disk);
        g_free(change);
}

/* How large the device of the host is that the disk consists of, all of it and as it is. */
static bool find_capacity(const struct domain_disk *disk, uint64_t *bytes, GError **error)
{
        const struct domain_storage *source = &disk->source;
        CLEANUP_FD int fd = -1;

        if (source->type != DOMAIN_STORAGE_BLOCK || !source->path || source->slice || source->encryption ||
            (source->format && strcmp(source->format, "raw") != 0))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "disk '%s' is not all of a device of the host, of type 'block' and format "
                                 "'raw', whose capacity (CAPACITY) it could have: say a size",
                                 disk->target);
        fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return (fd >= 0 && ioctl(fd, BLKGETSIZE64, bytes) == 0) ||
               error_set_errno(error, ERROR_FROM_DOMAIN, errno, "cannot find out how large '%s' is",
                               source->path);
}

static bool find_size(const struct disk_change *change, const struct domain_disk *disk, uint64_t *bytes,
                      GError **error)
{
        *bytes = change->number;
        if (!change->capacity)
                return true;
        if (!find_capacity(disk, bytes, error))
                return false;
        return change->number == 0 || change->number == *bytes ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "disk '%s' would have the capacity of its device (CAPACITY), which is "
                         "%" G_GUINT64_FORMAT " bytes, not %" G_GUINT64_FORMAT ": say that, or 0",
                         disk->target, *bytes, change->number);
}

static bool resize_work(struct managed *object, void *data, GError **error)
{
        const struct disk_change *change = data;
        struct domain *domain = domain_from(object);
        const struct domain_disk *disk;
        uint64_t bytes;

        if (!managed_require_active(object, error) || !domain_require_idle(domain, error))
                return false;
        if (!ops_of(domain)->resize_block)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "BlockResize of domain '%s'",
                                 managed_get_current_name(object));
        disk = find_disk(domain_def_of(object->current->active), change->disk, error);
        if (!disk)
                return false;
        if (!disk->source.path && !disk->source.network)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "disk '%s' is empty",
                                 disk->target);
        if (disk->readonly)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "disk '%s' is read-only",
                                 disk->target);
        return find_size(change, disk, &bytes, error) &&
               ops_of(domain)->resize_block(domain, disk, bytes, error);
}

/* like: what is asked for, without the name. */
static void run_change(struct domain *domain, managed_work work, const char *disk,
                       const struct disk_change *like, GError *error, managed_done done, void *data)
{
        struct managed_task task = { .work = work, .free_args = disk_change_free };
        struct disk_change *change;

        if (error) {
                managed_fail(error, done, data);
                return;
        }
        change = g_new(struct disk_change, 1);
        *change = *like;
        change->disk = g_strdup(disk);
        task.args = change;
        managed_run_task(&domain->base, &task, done, data);
}

void domain_resize_block(struct domain *domain, const char *disk, uint64_t size, unsigned flags,
                         managed_done done, void *data)
{
        const uint64_t unit = flags & DOMAIN_RESIZE_BYTES ? 1 : 1024;
        const struct disk_change change = { .number = size * unit,
                                            .capacity = flags & DOMAIN_RESIZE_CAPACITY };
        GError *error = NULL;

        if (flags_check(flags, DOMAIN_RESIZE_BYTES | DOMAIN_RESIZE_CAPACITY, ERROR_FROM_DOMAIN, "BlockResize",
                        &error) &&
            check_name(disk, &error) && size > INT64_MAX / unit)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OVERFLOW,
                          "size %" G_GUINT64_FORMAT " is too large", size);
        run_change(domain, resize_work, disk, &change, error, done, data);
}

static const struct domain_storage *find_index(const struct domain_disk *disk, uint32_t index)
{
        const struct domain_storage *source = &disk->source;

        while (source && index > 0 && source->index != index)
                source = source->backing;
        return source;
}

static bool threshold_work(struct managed *object, void *data, GError **error)
{
        const struct disk_change *change = data;
        struct domain *domain = domain_from(object);
        const struct domain_storage *source;
        const struct domain_disk *disk;

        if (!managed_require_active(object, error))
                return false;
        if (!ops_of(domain)->set_block_threshold)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT,
                                 "SetBlockThreshold of domain '%s'", managed_get_current_name(object));
        disk = find_disk(domain_def_of(object->current->active), change->disk, error);
        if (!disk)
                return false;
        source = find_index(disk, change->index);
        if (!source || source->index == 0)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "disk '%s' has no image %u",
                                 disk->target, change->index);
        return ops_of(domain)->set_block_threshold(domain, source, change->number, error);
}

/* "vda[2]": the name is what is before the bracket. */
static char *split_index(const char *device, uint32_t *index, GError **error)
{
        const char *bracket = strchr(device, '[');
        guint64 number = 0;
        char *end = NULL;

        *index = 0;
        if (!bracket)
                return g_strdup(device);
        if (g_ascii_isdigit(bracket[1]))
                number = g_ascii_strtoull(bracket + 1, &end, 10);
        if (number == 0 || number > UINT32_MAX || strcmp(end, "]") != 0) {
                g_autofree char *quoted = error_quote(device);

                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "'%s' is no disk, and no 'disk[index]'", quoted);
                return NULL;
        }
        *index = (uint32_t)number;
        return g_strndup(device, (gsize)(bracket - device));
}

void domain_set_block_threshold(struct domain *domain, const char *device, uint64_t threshold, unsigned flags,
                                managed_done done, void *data)
{
        struct disk_change change = { .number = threshold };
        g_autofree char *disk = NULL;
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "SetBlockThreshold", &error) &&
            check_name(device, &error)) {
                disk = split_index(device, &change.index, &error);
                if (disk && threshold > INT64_MAX)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_OVERFLOW,
                                  "threshold %" G_GUINT64_FORMAT " is too large", threshold);
        }
        run_change(domain, threshold_work, disk, &change, error, done, data);
}
