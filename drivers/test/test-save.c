/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest of the in-memory driver is saved as: its document. */
#include "drivers/test/test-save.h"

#include "base/error.h"
#include "base/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "TestGuestMagic";

#define MAGIC_LENGTH (sizeof(magic) - 1)
#define HEAD_LENGTH  (MAGIC_LENGTH + sizeof(uint32_t))
/* No document of a domain is longer. */
#define DOCUMENT_MAX (1024 * 1024)

static bool write_file(const char *path, const char *xml, GError **error)
{
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GError) failure = NULL;
        uint32_t length = (uint32_t)strlen(xml);

        g_byte_array_append(bytes, (const guint8 *)magic, MAGIC_LENGTH);
        g_byte_array_append(bytes, (const guint8 *)&length, sizeof(length));
        g_byte_array_append(bytes, (const guint8 *)xml, length);
        if (g_file_set_contents_full(path, (const char *)bytes->data, bytes->len,
                                     G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                     &failure))
                return true;
        return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "cannot save: %s", failure->message);
}

/* As libvirt's, which writes no more either. */
static bool write_dump(const char *path, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (g_file_set_contents_full(path, magic, MAGIC_LENGTH, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                     &failure))
                return true;
        return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "cannot dump: %s", failure->message);
}

bool test_save_open(struct domain_save *save, GError **error)
{
        struct stat status;

        if (!save->path || lstat(save->path, &status) < 0 || S_ISREG(status.st_mode))
                return true;
        return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_INVALID,
                         "'%s' is there and no regular file, so it is not written to", save->path);
}

bool test_save_begin(struct domain_save *save, GError **error)
{
        operation_complete(&save->base, NULL);
        return true;
}

/* It is over before anybody could. */
void test_save_cancel(struct domain_save *save)
{
}

bool test_save_finish(struct domain_save *save, GError **error)
{
        return true;
}

bool test_save_publish(struct domain_save *save, GError **error)
{
        struct domain *domain = (struct domain *)save->base.object;

        if (save->is_dump)
                return write_dump(save->path, error);
        if (save->path)
                return write_file(save->path, save->xml, error);
        domain_image_free(domain->kept);
        domain->kept = g_new0(struct domain_image, 1);
        domain->kept->xml = g_strdup(save->xml);
        domain->kept->runs = save->runs;
        domain->kept->fd = -1;
        return true;
}

void test_save_free(struct domain_save *save)
{
}

static char *refuse(GError **error, const char *path, const char *why)
{
        error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "'%s' %s", path, why);
        return NULL;
}

/* No more than a document may have is read of it. */
static char *read_file(const char *path, GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        g_autofree char *data = g_malloc(HEAD_LENGTH + DOCUMENT_MAX + 1);
        uint32_t length;
        ssize_t got = fd < 0 ? -1 : read(fd, data, HEAD_LENGTH + DOCUMENT_MAX);

        if (got < 0) {
                error_set_errno(error, ERROR_FROM_TEST, errno, "cannot read '%s'", path);
                return NULL;
        }
        if ((size_t)got < MAGIC_LENGTH || memcmp(data, magic, MAGIC_LENGTH) != 0)
                return refuse(error, path, "is not a guest that was saved");
        if ((size_t)got < HEAD_LENGTH)
                return refuse(error, path, "was cut off: it ends in its head");
        memcpy(&length, data + MAGIC_LENGTH, sizeof(length));
        if (length > DOCUMENT_MAX)
                return refuse(error, path, "is damaged: its head makes no sense");
        if ((size_t)got < HEAD_LENGTH + length)
                return refuse(error, path, "was cut off: it ends in its document");
        data[HEAD_LENGTH + length] = '\0';
        return g_strdup(data + HEAD_LENGTH);
}

/* The file does not say what the guest did. */
struct domain_image *test_image_open(struct domain_driver *driver, const char *path, GError **error)
{
        struct domain_image *image;
        char *xml = read_file(path, error);

        if (!xml)
                return NULL;
        image = g_new0(struct domain_image, 1);
        image->path = g_strdup(path);
        image->xml = xml;
        image->runs = true;
        image->fd = -1;
        return image;
}

bool test_image_write(struct domain_image *image, const char *xml, bool runs, GError **error)
{
        return write_file(image->path, xml, error);
}
