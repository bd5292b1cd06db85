/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small files of /proc and /sys, below a root directory ("" for the real ones), whose absence is an answer
 * and no error. Any thread; nothing here waits for more than the kernel.
 */

#include <glib.h>
#include <stdbool.h>

/* The content without white space at its end; NULL when there is no such file. */
char *sysfile_read(const char *root, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The number that the file starts with; fallback when there is none. */
unsigned sysfile_read_unsigned(const char *root, unsigned fallback, const char *format, ...)
        G_GNUC_PRINTF(3, 4);

/* All of a file of at most max bytes; NULL when there is none, or more. */
GBytes *sysfile_read_bytes(const char *root, const char *path, size_t max);

/*
 * Tells the kernel: text and the end of its line. ERROR_SYSTEM_ERROR naming the file. May take its time: in
 * lanes.
 */
bool sysfile_write(const char *root, const char *path, const char *text, GError **error);

bool sysfile_exists(const char *root, const char *path);

/* The names in a directory, sorted; empty when there is none. Free the array. */
GPtrArray *sysfile_list(const char *root, const char *format, ...) G_GNUC_PRINTF(2, 3);

/*
 * The number behind "key:" at the start of a line of text like that of /proc/meminfo; in a node's file each
 * line has a prefix before the key. False when there is no such line.
 */
bool sysfile_find_number(const char *text, const char *key, guint64 *value);
