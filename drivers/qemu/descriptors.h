/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files that describe what packages have brought for QEMU: firmware, programs that serve devices (QEMU's
 * docs/interop/firmware.json and vhost-user.json, which say the same of where they are). Lanes and start-up.
 */

#include <glib.h>

/*
 * Paths of all of that kind ("firmware", "vhost-user"), in the order of their file names: a new array of
 * owned strings. Those in home (NULL: none, else like ~/.config) hide those of /etc, and these those of
 * /usr/share, below root.
 */
GPtrArray *descriptors_list(const char *root, const char *home, const char *kind);
/* The text of one, owned; NULL: an empty one, which hides others, or one that cannot be read (logged). */
char *descriptor_read(const char *path);
