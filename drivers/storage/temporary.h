/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Temporary files of volumes that are being made, beside their place: hidden, never listed, removed when the
 * pool is started after a crash. Lanes only, but for temporary_is_name().
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Is that the name of such a file? Any thread. */
bool temporary_is_name(const char *name);

/*
 * Makes one in the directory; *name (owned) is its name. A descriptor for reading and writing, mode 0600; -1
 * with an error.
 */
int temporary_new(int directory_fd, char **name, GError **error);

/*
 * Gives it its name, which must be free: ERROR_STORAGE_VOL_EXIST when it is not. what names the volume in the
 * error.
 */
bool temporary_finish(int directory_fd, const char *temporary, const char *name, GError **error);

/* Removes those whose makers are no more. */
void temporary_clean(int directory_fd);
