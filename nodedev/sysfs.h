/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files of sysfs that the kernel acts on. Lanes: it may take its time. */

#include <glib.h>
#include <stdbool.h>

struct lane;

/*
 * ERROR_SYSTEM_ERROR naming the file. A driver may keep the writer as long as it likes, and no signal ends
 * that. lane NULL: then it keeps the caller; for lanes that do nothing else. Otherwise, in that lane, a
 * program writes (lane_wait()): it is left behind after SYSFS_WRITE_MS (ERROR_OPERATION_TIMEOUT), or when the
 * lane is interrupted (ERROR_OPERATION_ABORTED).
 */
#define SYSFS_WRITE_MS 15000
bool sysfs_write(struct lane *lane, const char *path, const char *text, GError **error);

/* Where a path leads through its links; owned, NULL when it leads nowhere. */
char *sysfs_resolve(const char *path);
