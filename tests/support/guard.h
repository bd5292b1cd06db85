/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Emulators outlive an agent, and so they would outlive a test that fails or is killed. A guard is a process
 * that waits for the end of the one that asked for it (and of its forks that do not execute anything),
 * whatever the end is, and then kills the processes whose command line names the folder, or that have a file
 * in it open, and removes the folder.
 */

/*
 * For sh -c, "sh", folder: removes the folder, and the control groups that agents in it have noted for guests
 * which have been killed.
 */
#define GUARD_REMOVE                                                                                         \
        "find \"$1\" -name status.xml -exec sed -n \"s|.*<cgroup path='\\([^']*\\)'/>.*|\\1|p\" {} + |"      \
        "while read -r group; do for mount in /sys/fs/cgroup /sys/fs/cgroup/*; do"                           \
        " [ ! -d \"$mount$group\" ] || rmdir \"$mount$group\"/*/ \"$mount$group\";"                          \
        " done; done 2>/dev/null; exec rm -rf --one-file-system \"$1\""

/*
 * folder is a path that nobody else uses. The process ends with its parent from now on. Before it has
 * threads.
 */
void guard_folder(const char *folder);
