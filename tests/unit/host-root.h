/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A made-up /proc and /sys below a folder of the test's own. */

#include <check.h>
#include <ftw.h>
#include <glib.h>
#include <stdio.h>
#include <unistd.h>

static char *root;

static inline char *root_path(const char *path)
{
        return g_strconcat(root, path, NULL);
}

/* A file at a path that is given with its numbers: put("text", "/sys/x%u", 1). */
static inline void G_GNUC_PRINTF(2, 3) put(const char *text, const char *format, ...)
{
        g_autofree char *path = NULL, *file = NULL, *dir = NULL;
        va_list args;

        va_start(args, format);
        path = g_strdup_vprintf(format, args);
        va_end(args);
        file = root_path(path);
        dir = g_path_get_dirname(file);
        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(file, text, -1, NULL));
}

/* In the place of a file: what is at target. */
static inline void put_link(const char *target, const char *path)
{
        g_autofree char *file = root_path(path);

        unlink(file);
        ck_assert_int_eq(symlink(target, file), 0);
}

static inline void expect_file(const char *path, const char *text)
{
        g_autofree char *file = root_path(path), *is = NULL;

        ck_assert(g_file_get_contents(file, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

static inline void make_root(void)
{
        root = g_dir_make_tmp("test-host-XXXXXX", NULL);
        ck_assert_ptr_nonnull(root);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static inline void remove_root(void)
{
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(root);
}
