/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of secrets: in memory, where what held one is overwritten before it is given back, and as files.
 * No state.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/store.h"
#include "drivers/secret/model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".base64"

/* ---- memory ---- */

struct buffer {
        size_t length;
        char bytes[];
};

static void buffer_free(void *data)
{
        struct buffer *buffer = data;

        explicit_bzero(buffer->bytes, buffer->length);
        g_free(buffer);
}

GBytes *secret_value_new(const void *value, size_t length)
{
        struct buffer *buffer = g_malloc(sizeof(*buffer) + length);

        buffer->length = length;
        if (length)
                memcpy(buffer->bytes, value, length);
        return g_bytes_new_with_free_func(buffer->bytes, length, buffer_free, buffer);
}

static void text_free(char *text)
{
        explicit_bzero(text, strlen(text));
        g_free(text);
}

int secret_value_to_fd(GBytes *value, GError **error)
{
        CLEANUP_FD int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        size_t length;
        const void *bytes = g_bytes_get_data(value, &length);

        if (fd >= 0 && write(fd, bytes, length) == (ssize_t)length &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
            lseek(fd, 0, SEEK_SET) == 0)
                return fd_steal(&fd);
        error_set_errno(error, ERROR_FROM_SECRET, errno, "cannot pass the value of a secret on");
        return -1;
}

/* ---- files ---- */

static char *file_name(const char *uuid_text)
{
        return g_strconcat(uuid_text, SUFFIX, NULL);
}

bool secret_value_store(const char *directory, const char *uuid_text, GBytes *value, GError **error)
{
        g_autofree char *name = file_name(uuid_text);
        size_t length;
        const void *bytes = g_bytes_get_data(value, &length);
        char *text;
        bool stored;

        if (!directory)
                return true;
        text = g_base64_encode(bytes, length);
        stored = store_write(directory, name, text, true, error);
        text_free(text);
        return stored;
}

bool secret_value_erase(const char *directory, const char *uuid_text, GError **error)
{
        g_autofree char *name = file_name(uuid_text);

        return !directory || store_remove(directory, name, true, error);
}

/* g_base64_decode() passes over what does not belong there; a file that was damaged is to be told. */
static bool is_base64(const char *text)
{
        size_t length = strlen(text),
               digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789+/");

        return length % 4 == 0 && length - digits <= 2 && strspn(text + digits, "=") == length - digits;
}

static GBytes *decode(char *text, const char *path, GError **error)
{
        guchar *bytes;
        GBytes *value;
        gsize length;

        g_strchomp(text);
        if (!is_base64(text)) {
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "'%s' is not base64", path);
                return NULL;
        }
        bytes = g_base64_decode(text, &length);
        value = secret_value_new(bytes, length);
        explicit_bzero(bytes, length);
        g_free(bytes);
        return value;
}

GBytes *secret_value_load(const char *directory, const char *uuid_text, GError **error)
{
        g_autofree char *name = file_name(uuid_text);
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;
        GBytes *value;
        char *text;

        if (lstat(path, &st) < 0 && errno == ENOENT)
                return NULL;
        text = store_read(path, error);
        if (!text)
                return NULL;
        value = decode(text, path, error);
        text_free(text);
        return value;
}

static bool has_definition(const char *directory, const char *uuid_text)
{
        g_autofree char *path = g_strconcat(directory, "/", uuid_text, ".xml", NULL);
        struct stat st;

        return lstat(path, &st) == 0 || errno != ENOENT;
}

void secret_value_clean(const char *directory)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) names = store_list(directory, SUFFIX, &error);

        for (unsigned i = 0; names && i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autofree char *uuid_text = g_strndup(name, strlen(name) - strlen(SUFFIX));

                if (!has_definition(directory, uuid_text))
                        secret_value_erase(directory, uuid_text, error ? NULL : &error);
        }
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "values of secrets that were undefined stay in %s",
                           directory);
}
