/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files of sysfs that the kernel acts on. Lanes: it may take its time. */

#include <glib.h>
#include <stdbool.h>

/* ERROR_SYSTEM_ERROR naming the file. */
bool sysfs_write(const char *path, const char *text, GError **error);

/* Where a path leads through its links; owned, NULL when it leads nowhere. */
char *sysfs_resolve(const char *path);
