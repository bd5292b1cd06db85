/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files that change hands while a guest uses them: an image that the emulators' user may not open becomes
 * that user's, and goes back to its owner when the last guest that uses it has ended. How many do is noted at
 * the file itself (in extended attributes, those of libvirt), so guests that share a backing image
 * need not know of each other, and the note survives the agent. Lanes.
 */

#include "drivers/security/account.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Whose a file is, and which one it is. */
struct ownership {
        uid_t uid; /* to be given back to */
        gid_t gid;
        dev_t device; /* with inode 0: not known */
        ino_t inode;
};

/*
 * Must path be taken so that account may open it, for writing if write? If so, *ownership is filled in.
 * Nothing is changed. Symbolic links are followed, as the emulator will. No when the agent is not root, or
 * path cannot be opened.
 */
bool ownership_is_needed(const struct account *account, const char *path, bool write,
                         struct ownership *ownership);

/* Is it noted at path, in whatever boot, whose it was before guests used it? Then *ownership is filled in. */
bool ownership_is_noted(const char *path, struct ownership *ownership);

/*
 * One guest more uses path. Where the file system does not let us, opening it will tell. A file that has come
 * in the place of the one that ownership was found of stays as it is. False: nothing was done.
 */
bool ownership_take(const struct account *account, const char *path, const struct ownership *ownership);

/* One guest less uses path; the last one gives it back to the owner before. Failures are logged. */
void ownership_return(const struct account *account, const char *path, uid_t uid, gid_t gid);
