/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which paths are on file systems of servers, found out without touching any: one whose server is gone lets
 * whoever looks at a file wait without end. Values only; any thread.
 */

#include "base/cleanup.h"

struct mounted;

/* The mounts as getmntent(3) reads them; table: "/proc/self/mounts". NULL: it cannot be read. Owned. */
struct mounted *mounted_new(const char *table);
void mounted_free(struct mounted *mounted);
DEFINE_CLEANUP(struct mounted, mounted_free);

/*
 * The server ("host" of "host:/export"; what is mounted, where that has none) whose file system an absolute
 * path is on, by the names of its directories: a link among them is not followed. NULL: it is on none.
 * Borrowed.
 */
const char *mounted_find_server(const struct mounted *mounted, const char *path);
