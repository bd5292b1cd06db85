/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout of files that guests are saved to. */
#include "drivers/qemu/save-image.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_LENGTH 16
#define VERSION      2
/* Room for a document that takes this one's place. */
#define ROOM (64 * 1024)

static const char magic_whole[] = "LibvirtQemudSave", magic_part[] = "LibvirtQemudPart";
static const char magic_change[] = "LibvirtQemudMove";

struct head {
        char magic[MAGIC_LENGTH];
        uint32_t version;
        uint32_t documents; /* bytes */
        uint32_t runs;
        uint32_t format;
        uint32_t second; /* offset */
        uint32_t state_low, state_high;
        uint32_t move_low, move_high; /* offset; of a change */
        uint32_t is_written;          /* likewise */
        uint32_t zero[9];
};

G_STATIC_ASSERT(sizeof(struct head) == 92);

static const char *const names[SAVE_FORMATS] = { "raw", "gzip", "bzip2", "xz", "lzop", "zstd" };

const char *save_format_get_name(unsigned format)
{
        return format < SAVE_FORMATS ? names[format] : NULL;
}

/* ---- writing ---- */

static bool write_at(int fd, const char *path, const void *data, size_t length, off_t offset, GError **error)
{
        const char *from = data;

        while (length > 0) {
                ssize_t written = pwrite(fd, from, length, offset);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", path);
                from += written;
                length -= (size_t)written;
                offset += written;
        }
        return true;
}

static bool sync_file(int fd, const char *path, GError **error)
{
        return fsync(fd) == 0 || error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", path);
}

static bool is_device(int fd)
{
        struct stat status;

        return fstat(fd, &status) == 0 && S_ISBLK(status.st_mode);
}

bool save_image_begin(int fd, const char *path, const char *xml, bool runs, enum save_format format,
                      uint64_t *length, GError **error)
{
        size_t used = sizeof(struct head) + strlen(xml) + 1 + ROOM;
        size_t all = (used + SAVE_IMAGE_ALIGNMENT - 1) / SAVE_IMAGE_ALIGNMENT * SAVE_IMAGE_ALIGNMENT;
        g_autofree char *data = g_malloc0(all);
        struct head head = { .version = VERSION,
                             .documents = (uint32_t)(all - sizeof(head)),
                             .runs = runs,
                             .format = format };

        memcpy(head.magic, magic_part, MAGIC_LENGTH);
        memcpy(data, &head, sizeof(head));
        memcpy(data + sizeof(head), xml, strlen(xml));
        *length = all;
        /* What was on a device before is no save any more when the first of this one's state is there. */
        if (!write_at(fd, path, data, all, 0, error) || (is_device(fd) && !sync_file(fd, path, error)))
                return false;
        return lseek(fd, (off_t)all, SEEK_SET) >= 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", path);
}

bool save_image_finish(int fd, const char *path, uint64_t begin, uint64_t end, GError **error)
{
        const uint32_t size[2] = { (uint32_t)(end - begin), (uint32_t)((end - begin) >> 32) };

        /* The state is on the disk before the head says that it is. */
        return write_at(fd, path, size, sizeof(size), offsetof(struct head, state_low), error) &&
               sync_file(fd, path, error);
}

bool save_image_seal(int fd, const char *path, bool whole, GError **error)
{
        return write_at(fd, path, whole ? magic_whole : magic_part, MAGIC_LENGTH, 0, error) &&
               sync_file(fd, path, error);
}

bool save_image_is_sealed(const char *path)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char magic[MAGIC_LENGTH];

        return fd >= 0 && pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
               memcmp(magic, magic_whole, MAGIC_LENGTH) == 0;
}

/* ---- reading ---- */

static bool read_at(int fd, void *data, size_t length, off_t offset, const char *path, GError **error)
{
        char *to = data;

        while (length > 0) {
                ssize_t got = pread(fd, to, length, offset);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot read '%s'", path);
                if (got == 0)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                         "'%s' was cut off: it ends in its head", path);
                to += got;
                length -= (size_t)got;
                offset += got;
        }
        return true;
}

static bool refuse(GError **error, const char *path, const char *why)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "'%s' %s", path, why);
}

static bool check_head(const struct head *head, const char *path, GError **error)
{
        if (memcmp(head->magic, magic_part, MAGIC_LENGTH) == 0)
                return refuse(error, path, "was never finished: the save that wrote it failed");
        if (memcmp(head->magic, magic_whole, MAGIC_LENGTH) != 0)
                return refuse(error, path, "is not a guest that was saved");
        if (head->version > VERSION || head->version == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "'%s' is of version %u, and %u is the newest that is known", path,
                                 head->version, VERSION);
        if (!save_format_get_name(head->format))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "'%s' has format %u, which is not known", path, head->format);
        if (head->documents == 0 || head->documents > SAVE_IMAGE_DOCUMENTS_MAX ||
            head->second > head->documents)
                return refuse(error, path, "is damaged: its head makes no sense");
        return true;
}

static uint64_t get_state(const struct head *head)
{
        return (uint64_t)head->state_high << 32 | head->state_low;
}

static bool check_size(int fd, const struct head *head, const char *path, GError **error)
{
        uint64_t state = get_state(head), have;
        off_t end = lseek(fd, 0, SEEK_END);

        if (end < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot look at '%s'", path);
        have = (uint64_t)end - MIN((uint64_t)end, sizeof(*head) + head->documents);
        if (have > 0 && (state == 0 || have >= state))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "'%s' was cut off: it has %" PRIu64 " bytes of the guest's state%s", path, have,
                         state ? ", not all" : "");
}

static char *read_document(int fd, const struct head *head, const char *path, GError **error)
{
        g_autofree char *data = g_malloc(head->documents + 1);

        if (!read_at(fd, data, head->documents, sizeof(*head), path, error))
                return NULL;
        data[head->documents] = '\0';
        if (*data && g_utf8_validate(data, -1, NULL))
                return g_strdup(data);
        refuse(error, path, "is damaged: there is no document in it");
        return NULL;
}

/* ---- changing ---- */

/*
 * The new document is written behind the state first, the head says so, and only then it takes the old one's
 * place: a change that is interrupted is finished, or undone, by whoever opens the file next.
 */
static bool write_head(int fd, const char *path, const struct head *head, GError **error)
{
        return write_at(fd, path, head, sizeof(*head), 0, error) && sync_file(fd, path, error);
}

static uint64_t get_end(const struct head *head)
{
        return (uint64_t)head->move_high << 32 | head->move_low;
}

/* Where the state ends, and there is room for a document. */
static bool find_end(int fd, const char *path, const struct head *head, uint64_t *end, GError **error)
{
        off_t size = lseek(fd, 0, SEEK_END);

        if (size < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot look at '%s'", path);
        *end = (uint64_t)size;
        if (!is_device(fd))
                return true;
        if (get_state(head) == 0)
                return refuse(
                        error, path,
                        "is a device, and does not say where the guest's state ends on it: its document "
                        "cannot be changed");
        *end = sizeof(*head) + head->documents + get_state(head);
        if (get_state(head) <= (uint64_t)size && *end <= (uint64_t)size &&
            head->documents <= (uint64_t)size - *end)
                return true;
        return error_set_errno(error, ERROR_FROM_QEMU, ENOSPC, "cannot change '%s'", path);
}

static bool begin_change(int fd, const char *path, struct head *head, GError **error)
{
        uint64_t end = 0;

        if (!find_end(fd, path, head, &end, error))
                return false;
        memcpy(head->magic, magic_change, MAGIC_LENGTH);
        head->move_low = (uint32_t)end;
        head->move_high = (uint32_t)(end >> 32);
        head->is_written = 0;
        return write_head(fd, path, head, error);
}

/* The head is as it was, or with the new document in place; what is behind the state goes. */
static bool end_change(int fd, const char *path, struct head *head, GError **error)
{
        /* First, while the head still says where the end is. */
        if (!is_device(fd) && ftruncate(fd, (off_t)get_end(head)) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", path);
        memcpy(head->magic, magic_whole, MAGIC_LENGTH);
        head->move_low = head->move_high = head->is_written = 0;
        return write_head(fd, path, head, error);
}

/* Moves the new document to its place. */
static bool finish_change(int fd, const char *path, struct head *head, GError **error)
{
        g_autofree char *data = g_malloc(head->documents);

        if (!read_at(fd, data, head->documents, (off_t)get_end(head), path, error) ||
            !write_at(fd, path, data, head->documents, sizeof(*head), error) || !sync_file(fd, path, error))
                return false;
        head->is_written = 0;
        return write_head(fd, path, head, error) && end_change(fd, path, head, error);
}

static bool is_changing(const struct head *head)
{
        return memcmp(head->magic, magic_change, MAGIC_LENGTH) == 0;
}

static bool check_change(int fd, const struct head *head, const char *path, GError **error)
{
        off_t size = lseek(fd, 0, SEEK_END);

        if (size >= 0 && head->documents > 0 && head->documents <= SAVE_IMAGE_DOCUMENTS_MAX &&
            get_end(head) >= sizeof(*head) + head->documents && get_end(head) <= (uint64_t)size)
                return true;
        return refuse(error, path, "is damaged: its head makes no sense");
}

/* Opens the file for a change of its own, without one that was cut off by the end of an agent; -1: error. */
static int open_for_change(const char *path, struct head *head, GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        /* Whoever else changes it has ended when the lock is there. */
        if (fd < 0 || flock(fd, LOCK_EX) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot change '%s'", path);
                return -1;
        }
        if (!read_at(fd, head, sizeof(*head), 0, path, error) ||
            (is_changing(head) &&
             (!check_change(fd, head, path, error) ||
              !(head->is_written ? finish_change : end_change)(fd, path, head, error))) ||
            !check_head(head, path, error))
                return -1;
        return fd_steal(&fd);
}

/* ---- files ---- */

struct domain_image *save_image_open(struct domain_driver *driver, const char *path, GError **error)
{
        CLEANUP(domain_image_free) struct domain_image *image = g_new0(struct domain_image, 1);
        struct head head;

        image->path = g_strdup(path);
        /* A FIFO would keep whoever opens it. */
        image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (image->fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s'", path);
                return NULL;
        }
        if (!read_at(image->fd, &head, sizeof(head), 0, path, error))
                return NULL;
        if (is_changing(&head)) {
                CLEANUP_FD int fd = open_for_change(path, &head, error);

                if (fd < 0)
                        return NULL;
        }
        if (!check_head(&head, path, error))
                return NULL;
        image->xml = read_document(image->fd, &head, path, error);
        if (!image->xml || !check_size(image->fd, &head, path, error))
                return NULL;
        image->runs = head.runs != 0;
        image->format = head.format;
        image->offset = sizeof(head) + head.documents;
        image->length = is_device(image->fd) ? get_state(&head) : 0;
        if (lseek(image->fd, (off_t)image->offset, SEEK_SET) < 0 || fcntl(image->fd, F_SETFL, 0) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot read '%s'", path);
                return NULL;
        }
        return g_steal_pointer(&image);
}

/* The second document goes: it says in other words what the first one said. */
bool save_image_write(struct domain_image *image, const char *xml, bool runs, GError **error)
{
        struct head head;
        CLEANUP_FD int fd = open_for_change(image->path, &head, error);
        g_autofree char *data = NULL;

        if (fd < 0)
                return false;
        if (strlen(xml) >= head.documents)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "'%s' has room for a document of %u bytes, and not for %zu", image->path,
                                 head.documents - 1, strlen(xml));
        if (!begin_change(fd, image->path, &head, error))
                return false;
        data = g_malloc0(head.documents);
        memcpy(data, xml, strlen(xml));
        if (!write_at(fd, image->path, data, head.documents, (off_t)get_end(&head), error) ||
            !sync_file(fd, image->path, error)) {
                end_change(fd, image->path, &head, NULL);
                return false;
        }
        head.runs = runs;
        head.second = 0;
        head.is_written = 1;
        return write_head(fd, image->path, &head, error) && finish_change(fd, image->path, &head, error);
}
