/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading small files of /proc and /sys. Any thread. */

#include "drivers/host/sysfile.h"

#include <stdlib.h>
#include <string.h>

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
