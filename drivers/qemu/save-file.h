/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A file that is there when it is whole, or not at all: what is written while there is no name for it, or a
 * hidden one where the file system cannot do without. Any lane that may wait for storage.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct save_file {
        char *path;    /* owned; its name to be */
        char *hidden;  /* owned; the one that it has meanwhile, NULL: none */
        bool in_place; /* path is a device, which is written as it stands */
        int guard;     /* owned; that keeps others from having the device for themselves; -1: none */
        int fd;        /* owned; to write to */
};

/*
 * A new one, of mode 0600. What is at path may be a regular file, which it will replace, or nothing. NULL
 * with an error.
 */
struct save_file *save_file_new(const char *path, GError **error);

/*
 * The same for a path that a caller has named (domain_save_find_target() has followed its links), which may
 * also be that of a block device. One that nothing else has for itself (a file system that is mounted, a
 * volume group) is opened to be written as it stands: publishing gives it nothing, and freeing takes nothing
 * from it.
 */
struct save_file *save_file_new_named(const char *path, GError **error);

/* The identity that it will have, for save_file_is(). */
bool save_file_identify(const struct save_file *file, uint64_t *device, uint64_t *inode, GError **error);
/* Is that file the one at path? */
bool save_file_is(const char *path, uint64_t device, uint64_t inode);

/* It gets its name, durably. */
bool save_file_publish(struct save_file *file, GError **error);

/* It gets its name, which nothing else may have. */
bool save_file_publish_new(struct save_file *file, GError **error);

/* Removes one without its name. NULL is fine. */
void save_file_free(struct save_file *file);

DEFINE_CLEANUP(struct save_file, save_file_free);
