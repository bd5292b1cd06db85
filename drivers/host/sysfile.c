/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading small files of /proc and /sys. Any thread. */

#include "drivers/host/sysfile.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *sysfile_read(const char *root, const char *format, ...)
{
        g_autofree char *path = NULL;
        g_autofree char *file = NULL;
        char *text = NULL;
        va_list args;

        va_start(args, format);
        path = g_strdup_vprintf(format, args);
        va_end(args);
        file = g_strconcat(root, path, NULL);
        if (!g_file_get_contents(file, &text, NULL, NULL))
                return NULL;
        return g_strchomp(text);
}

unsigned sysfile_read_unsigned(const char *root, unsigned fallback, const char *format, ...)
{
        g_autofree char *path = NULL;
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        path = g_strdup_vprintf(format, args);
        va_end(args);
        text = sysfile_read(root, "%s", path);
        if (!text || !g_ascii_isdigit(*text))
                return fallback;
        return (unsigned)MIN(g_ascii_strtoull(text, NULL, 10), G_MAXUINT);
}

GBytes *sysfile_read_bytes(const char *root, const char *path, size_t max)
{
        g_autofree char *file = g_strconcat(root, path, NULL);
        CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        uint8_t buffer[4096];
        ssize_t got;

        while (fd >= 0 && (got = read(fd, buffer, sizeof(buffer))) > 0 && bytes->len <= max)
                g_byte_array_append(bytes, buffer, (guint)got);
        if (fd < 0 || got < 0 || bytes->len > max)
                return NULL;
        return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

bool sysfile_write(const char *root, const char *path, const char *text, GError **error)
{
        g_autofree char *file = g_strconcat(root, path, NULL);
        g_autofree char *line = g_strconcat(text, "\n", NULL);
        CLEANUP_FD int fd = open(file, O_WRONLY | O_CLOEXEC);

        return (fd >= 0 && write(fd, line, strlen(line)) >= 0) ||
               error_set_errno(error, ERROR_FROM_NONE, errno, "cannot write '%s'", path);
}

bool sysfile_exists(const char *root, const char *path)
{
        g_autofree char *file = g_strconcat(root, path, NULL);

        return g_file_test(file, G_FILE_TEST_EXISTS);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *sysfile_list(const char *root, const char *format, ...)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *path = NULL;
        g_autofree char *file = NULL;
        const char *name;
        va_list args;
        GDir *dir;

        va_start(args, format);
        path = g_strdup_vprintf(format, args);
        va_end(args);
        file = g_strconcat(root, path, NULL);
        dir = g_dir_open(file, 0, NULL);
        if (!dir)
                return names;
        while ((name = g_dir_read_name(dir)))
                g_ptr_array_add(names, g_strdup(name));
        g_dir_close(dir);
        g_ptr_array_sort(names, compare_names);
        return names;
}

bool sysfile_find_number(const char *text, const char *key, guint64 *value)
{
        size_t length = strlen(key);

        for (const char *at = strstr(text, key); at; at = strstr(at + length, key)) {
                bool whole = at == text || at[-1] == ' ' || at[-1] == '\n';

                if (!whole || at[length] != ':')
                        continue;
                *value = g_ascii_strtoull(at + length + 1, NULL, 10);
                return true;
        }
        return false;
}
