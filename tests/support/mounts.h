/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mounts of a test program's own. */

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>

/*
 * What is mounted from now on is seen by this process, which has one thread, and by those that it starts, and
 * goes with the last of them. False: it may not (errno).
 */
static inline bool mounts_leave(void)
{
        return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}
