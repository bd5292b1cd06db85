/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Emulators outlive an agent, and so they would outlive a test that fails or is killed. A guard is a process
 * that waits for the end of the one that asked for it (and of its forks that do not execute anything),
 * whatever the end is, and then kills the processes whose command line names the folder, or that have a file
 * in it open, and removes the folder.
 */

/*
 * Removes the folder, as far as it is of one file system, and the control groups that agents in it have noted
 * for guests which have been killed. For the end of each case: no other program is asked.
 */
void guard_remove(const char *folder);

/*
 * folder is a path that nobody else uses. The process ends with its parent from now on. Before it has
 * threads.
 */
void guard_folder(const char *folder);
