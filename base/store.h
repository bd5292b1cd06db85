/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Atomic files. A file is there with its old content or with its new one, whatever happens: temporary file in
 * the same directory, fsync, rename, fsync of the directory. All files are made with mode 0600 by open(2).
 * These functions block on the disk: lanes and start-up only. Errors name the path: ERROR_SYSTEM_ERROR for
 * what the kernel refuses, ERROR_OPERATION_FAILED for a file that breaks a bound or is none,
 * ERROR_INVALID_ARG for a name that is empty, hidden or has a '/'.
 */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define STORE_FILE_MAX (1024 * 1024)

/* mkdir -p with mode 0700 for every missing component; an existing directory is left as it is. */
bool store_make_dir(const char *path, GError **error);

/*
 * Writes dir/name, at most STORE_FILE_MAX bytes; dir is made when it is not there. durable: fsync file and
 * directory (persistent state); otherwise only atomic (runtime state). After an error the old file stands as
 * it was.
 */
bool store_write(const char *dir, const char *name, const char *text, bool durable, GError **error);

/* Removes dir/name; a file that is not there is no error. */
bool store_remove(const char *dir, const char *name, bool durable, GError **error);

/*
 * Reads a regular file of at most STORE_FILE_MAX bytes: no symbolic link, and no FIFO or device that would
 * hang the reader. A NUL byte in it is an error. Returns a NUL-terminated string.
 */
char *store_read(const char *path, GError **error);

/*
 * The names in dir that end in suffix, sorted, whatever they are names of (store_read() says what cannot be
 * read); hidden files and left-over temporary files are not among them (the latter are removed). A directory
 * that does not exist gives an empty list.
 */
GPtrArray *store_list(const char *dir, const char *suffix, GError **error);

/* Makes or removes the durable mark dir/name (an empty file): autostart and the like. */
bool store_mark(const char *dir, const char *name, bool on, GError **error);
bool store_is_marked(const char *dir, const char *name);

/*
 * Takes the exclusive lock dir/lock (flock) for the life of the process. *fd is the descriptor to keep open.
 * Fails with ERROR_RESOURCE_BUSY, naming the directory, when another agent holds it. That
 * one is waited for a second: it may have ended just now.
 */
bool store_lock(const char *dir, int *fd, GError **error);
