/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in a pool's directory. A file that has not changed since the last scan (inode, size, times) keeps
 * its description; of one that is new the header is read. What cannot be a volume is passed over. Lanes as in
 * backend.h; a scan divides the files among threads of the pool (pool_for_each()).
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/pool.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/image.h"
#include "drivers/storage/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STAT_UNIT 512 /* of st_blocks */
/* Who looks at files beside the job that scans: enough to keep a disk's queue or a file server busy ... */
#define SCAN_HELPERS 15
/* ... when there is something to wait for, which so many files tell, by the waits of the job. */
#define FILES_ALONE   64
#define FILES_AT_ONCE 512
#define WAITS         8

/* A directory that was opened once is found again where it was, not behind a link that has come since. */
static int open_without_links(const char *path)
{
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };

        return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

int directory_open(const struct backend_context *context, GError **error)
{
        const struct pool_def *def = context->def;
        int fd = def->directory ? open_without_links(def->directory)
                                : open(def->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 && errno == ELOOP && def->directory)
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                          "a link has come in the place of directory '%s' of storage pool '%s': restart the "
                          "pool "
                          "if it is to be followed",
                          def->directory, def->base.name);
        else if (fd < 0)
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot open directory '%s'", def->path);
        return fd;
}

int directory_open_file(int directory_fd, const char *name, int flags, GError **error)
{
        struct open_how how = {
                .flags = (uint64_t)flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        CLEANUP_FD int fd = (int)syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                int errnum = errno;

                error_set_errno(error, ERROR_FROM_STORAGE, errnum, "cannot open volume '%s'", name);
                errno = errnum;
                return -1;
        }
        if (!S_ISREG(st.st_mode)) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                          "volume '%s' is not a regular file", name);
                return -1;
        }
        return fd_steal(&fd);
}

/* ---- one entry ---- */

static struct volume_time take_time(const struct statx_timestamp *time)
{
        return (struct volume_time){ time->tv_sec, time->tv_nsec };
}

static bool is_same_time(const struct volume_time *time, const struct statx_timestamp *now)
{
        return time->seconds == now->tv_sec && time->nanoseconds == now->tv_nsec;
}

static bool is_unchanged(const struct volume *before, const struct statx *now)
{
        uint64_t physical = S_ISREG(now->stx_mode) ? now->stx_size : 0;

        return before && before->inode == now->stx_ino &&
               before->device == makedev(now->stx_dev_major, now->stx_dev_minor) &&
               before->physical == physical && (before->type == VOLUME_DIR) == S_ISDIR(now->stx_mode) &&
               is_same_time(&before->mtime, &now->stx_mtime) &&
               is_same_time(&before->ctime, &now->stx_ctime) &&
               (before->type == VOLUME_DIR || before->allocation == now->stx_blocks * STAT_UNIT);
}

static void set_permissions(struct storage_permissions *permissions, const struct statx *now)
{
        permissions->mode = now->stx_mode & STORAGE_MODE_MASK;
        permissions->owner = now->stx_uid;
        permissions->group = now->stx_gid;
}

static struct volume *describe(const struct pool_def *def, const char *name, const struct statx *now)
{
        struct volume *volume = volume_new();

        volume->name = g_strdup(name);
        volume->path = g_build_filename(def->path, name, NULL);
        volume->key = g_strdup(volume->path);
        set_permissions(&volume->permissions, now);
        volume->atime = take_time(&now->stx_atime);
        volume->mtime = take_time(&now->stx_mtime);
        volume->ctime = take_time(&now->stx_ctime);
        if (now->stx_mask & STATX_BTIME)
                volume->btime = take_time(&now->stx_btime);
        volume->device = makedev(now->stx_dev_major, now->stx_dev_minor);
        volume->inode = now->stx_ino;
        if (S_ISDIR(now->stx_mode)) {
                volume->type = VOLUME_DIR;
                volume->format = VOLUME_FORMAT_DIR;
                return volume;
        }
        volume->type = VOLUME_FILE;
        volume->physical = now->stx_size;
        volume->allocation = now->stx_blocks * STAT_UNIT;
        volume->sparse = volume->allocation < volume->physical;
        return volume;
}

/*
 * A disk that was raw stays raw as long as it is the same file of the same size: its guest may write the
 * header of an image, with a backing file, at its beginning.
 */
static bool is_known_raw(const struct volume *before, const struct volume *now)
{
        return before && before->format == VOLUME_FORMAT_RAW && !before->encryption.format && now->physical &&
               before->inode == now->inode && before->physical == now->physical;
}

/* What a header does not say of an encrypted file, and the file that it was made as does. */
static void keep_encryption(struct volume *volume, const struct volume *before)
{
        struct volume_encryption *now = &volume->encryption;
        const struct volume_encryption *then = before ? &before->encryption : NULL;

        if (!then || !now->format || before->inode != volume->inode)
                return;
        secret_ref_copy(&now->secret, &then->secret);
        now->cipher_name = g_strdup(then->cipher_name);
        now->cipher_mode = g_strdup(then->cipher_mode);
        now->cipher_hash = g_strdup(then->cipher_hash);
        now->cipher_size = then->cipher_size;
        now->ivgen_name = g_strdup(then->ivgen_name);
        now->ivgen_hash = g_strdup(then->ivgen_hash);
}

/*
 * Whose the backing file is. A header may name any path, behind which may be a dead file server: looked at
 * are files of the same directory, of others what was seen when the volume was made.
 */
static void see_backing(const struct pool_def *def, int directory_fd, struct volume *volume,
                        const struct volume *before)
{
        const char *path = volume->backing.path, *name = path ? strrchr(path, '/') : NULL;
        size_t length = strlen(def->path);
        struct statx now;

        if (!name)
                return;
        if ((size_t)(name - path) == length && strncmp(path, def->path, length) == 0) {
                if (statx(directory_fd, name + 1, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
                          &now) == 0)
                        set_permissions(&volume->backing.permissions, &now);
                return;
        }
        if (before && before->inode == volume->inode && g_strcmp0(before->backing.path, path) == 0) {
                volume->backing.permissions = before->backing.permissions;
                volume->backing.permissions.label = g_strdup(before->backing.permissions.label);
        }
}

/* That there are no descriptors left says nothing about the file: what was known of it goes on. */
static bool keep(const struct volume *before, int errnum, struct volume **volume, GError **error)
{
        if (!before || (errnum != EMFILE && errnum != ENFILE && errnum != ENOMEM))
                return false;
        g_clear_error(error);
        *volume = volume_ref((struct volume *)before);
        return true;
}

/* True with *volume NULL: not a volume. False: it cannot be read. */
static bool look(const struct pool_def *def, int directory_fd, const char *name, const struct volume *before,
                 struct volume **volume, GError **error)
{
        CLEANUP(volume_unref) struct volume *found = NULL;
        struct statx now;

        *volume = NULL;
        if (statx(directory_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME,
                  &now) < 0)
                return errno == ENOENT ||
                       error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot look at volume '%s'", name);
        if ((!S_ISREG(now.stx_mode) && !S_ISDIR(now.stx_mode)) || !volume_check_name(name, NULL))
                return true;
        if (is_unchanged(before, &now)) {
                *volume = volume_ref((struct volume *)before);
                return true;
        }
        found = describe(def, name, &now);
        if (found->type == VOLUME_FILE) {
                CLEANUP_FD int fd = directory_open_file(directory_fd, name, O_RDONLY, error);

                if (fd < 0)
                        return keep(before, errno, volume, error);
                if (is_known_raw(before, found))
                        image_set_raw(found, now.stx_size);
                else
                        image_probe(fd, now.stx_size, found);
                keep_encryption(found, before);
                see_backing(def, directory_fd, found, before);
        }
        *volume = g_steal_pointer(&found);
        return true;
}

bool directory_probe(const struct backend_context *context, const char *name, const struct volume *before,
                     struct volume **volume, GError **error)
{
        CLEANUP_FD int directory_fd = directory_open(context, error);
        g_autoptr(GError) failure = NULL;

        *volume = NULL;
        if (directory_fd < 0)
                return false;
        if (!look(context->def, directory_fd, name, before, volume, &failure))
                backend_left_out(context, name, failure);
        return true;
}

/* ---- all of them ---- */

/* A name in the directory, and what it turned out to be. */
struct find {
        char *name;            /* owned */
        struct volume *volume; /* ref; NULL: none */
        GError *failure;       /* owned; of what cannot be read */
};

static void find_clear(void *data)
{
        struct find *find = data;

        g_free(find->name);
        volume_unref(find->volume);
        g_clear_error(&find->failure);
}

struct sweep {
        /* const */
        const struct backend_context *context;
        int directory_fd;                /* borrowed */
        const struct object_set *before; /* borrowed; NULL: nothing is known */
        struct find *finds;              /* borrowed; of the part that is looked at, each has its index */
        /* atomic */
        gint interrupted;
};

/* Any thread of the pool. */
static void sweep_one(unsigned index, void *data)
{
        struct sweep *sweep = data;
        struct find *find = &sweep->finds[index];

        if (lane_is_interrupted(sweep->context->lane)) {
                g_atomic_int_set(&sweep->interrupted, 1);
                return;
        }
        look(sweep->context->def, sweep->directory_fd, find->name, object_set_find(sweep->before, find->name),
             &find->volume, &find->failure);
}

static void take_find(const struct backend_context *context, struct find *find, struct pool_scan *scan)
{
        if (find->failure)
                backend_left_out(context, find->name, find->failure);
        else if (find->volume)
                g_ptr_array_add(scan->volumes, g_steal_pointer(&find->volume));
}

/* How often this thread has waited so far. */
static long count_waits(void)
{
        struct rusage usage;

        return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

/*
 * What is in the kernel's caches is looked at by the job alone: more threads would be quicker by little, and
 * in the way of the loop.
 */
static void sweep_parts(struct sweep *sweep, GArray *finds)
{
        struct pool *pool = lane_get_pool(sweep->context->lane);
        unsigned helpers = 0;

        for (unsigned done = 0, count; done < finds->len && !sweep->interrupted; done += count) {
                long waits = count_waits();

                count = MIN(helpers ? FILES_AT_ONCE : FILES_ALONE, finds->len - done);
                sweep->finds = &g_array_index(finds, struct find, done);
                pool_for_each(pool, count, helpers, sweep_one, sweep);
                helpers = count_waits() - waits > WAITS ? SCAN_HELPERS : 0;
        }
}

static bool sweep(const struct backend_context *context, int directory_fd, GArray *finds,
                  struct pool_scan *scan, GError **error)
{
        struct sweep sweep = { .context = context, .directory_fd = directory_fd, .before = scan->before };

        sweep_parts(&sweep, finds);
        if (sweep.interrupted)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED,
                                 "refresh of storage pool '%s' was interrupted", context->def->base.name);
        for (unsigned i = 0; i < finds->len; i++)
                take_find(context, &g_array_index(finds, struct find, i), scan);
        return true;
}

static bool is_passed_over(const char *name)
{
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || temporary_is_name(name);
}

static bool list_names(const struct backend_context *context, DIR *directory, GArray *finds, GError **error)
{
        struct dirent *entry;

        for (errno = 0; (entry = readdir(directory)); errno = 0) {
                struct find find = { .name = entry->d_name };

                if (is_passed_over(find.name))
                        continue;
                find.name = g_strdup(find.name);
                g_array_append_val(finds, find);
        }
        return errno == 0 || error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot read directory '%s'",
                                             context->def->path);
}

static bool take_permissions(int directory_fd, struct storage_permissions *permissions, GError **error)
{
        struct stat st;

        if (fstat(directory_fd, &st) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                       "cannot look at the pool's directory");
        permissions->mode = st.st_mode & STORAGE_MODE_MASK;
        permissions->owner = st.st_uid;
        permissions->group = st.st_gid;
        return true;
}

static bool take_numbers(const struct backend_context *context, int directory_fd,
                         struct pool_numbers *numbers, GError **error)
{
        struct statvfs st;
        uint64_t unit;

        if (fstatvfs(directory_fd, &st) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot statvfs path '%s'",
                                       context->def->path);
        unit = st.f_frsize ? st.f_frsize : st.f_bsize;
        numbers->capacity = st.f_blocks * unit;
        numbers->available = st.f_bfree * unit;
        numbers->allocation = numbers->capacity - numbers->available;
        return true;
}

/* Where the kernel says that it is. */
static char *find_place(int directory_fd)
{
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", directory_fd);

        return g_file_read_link(link, NULL);
}

/* What there is to know of the directory itself, and the names in it. */
static DIR *begin_refresh(const struct backend_context *context, struct pool_scan *scan, GArray *finds,
                          GError **error)
{
        int fd = directory_open(context, error);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

        if (!directory) {
                fd_cleanup(&fd);
                return NULL;
        }
        if (list_names(context, directory, finds, error) && take_permissions(fd, &scan->permissions, error) &&
            take_numbers(context, fd, &scan->numbers, error)) {
                if (!context->def->directory)
                        scan->directory = find_place(fd);
                return directory;
        }
        closedir(directory);
        return NULL;
}

bool directory_refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        g_autoptr(GArray) finds = g_array_new(FALSE, FALSE, sizeof(struct find));
        DIR *directory;
        bool good;

        g_array_set_clear_func(finds, find_clear);
        directory = begin_refresh(context, scan, finds, error);
        if (!directory)
                return false;
        good = sweep(context, dirfd(directory), finds, scan, error);
        closedir(directory);
        return good;
}

bool directory_measure(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        CLEANUP_FD int fd = directory_open(context, error);

        return fd >= 0 && take_numbers(context, fd, numbers, error);
}

bool directory_stat(const struct backend_context *context, const struct volume *volume, uint64_t *capacity,
                    uint64_t *allocation, uint64_t *physical, GError **error)
{
        CLEANUP_FD int directory_fd = directory_open(context, error);
        CLEANUP(volume_unref) struct volume *now = NULL;

        if (directory_fd < 0 || !look(context->def, directory_fd, volume->name, volume, &now, error))
                return false;
        if (!now)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                                 "no storage vol with matching name '%s'", volume->name);
        *capacity = now->capacity;
        *allocation = now->allocation;
        *physical = now->physical;
        return true;
}
