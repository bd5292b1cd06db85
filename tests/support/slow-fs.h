/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A file system that takes its time: a flat directory of raw images of one page, whose opening waits while a
 * gate is shut. It is served through /dev/fuse by a process of its own, whose death fails what waits.
 */

#include <stdbool.h>

struct slow_fs;

#define SLOW_FS_FILES 200

/*
 * Gives this process and those it starts from now on mounts of their own, which go with the last of them.
 * False when this host does not let us, with *why set (static).
 */
bool slow_fs_enter(const char **why);

/* Mounts it on directory, gate shut; NULL when this host does not let us, with *why set (static). */
struct slow_fs *slow_fs_mount(const char *directory, const char **why);
/* Unmounts and ends it. NULL is fine. */
void slow_fs_free(struct slow_fs *fs);

/* Waits until somebody waits at the gate. */
void slow_fs_wait_visitor(struct slow_fs *fs);
void slow_fs_open_gate(struct slow_fs *fs);
/* From now on files are to be opened again (their time changed), and wait. */
void slow_fs_shut_gate(struct slow_fs *fs);
