/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Labels of files that guests use (SELinux): an image gets the guest's while it runs, and its own again when
 * the last guest that uses it has ended. That is noted at the file, as owners are (file-note.h). Links are
 * followed, as the emulator will. Lanes.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Which file it is, and what it is labelled with. */
struct relabel {
        char *before; /* owned; to be given back; NULL: not known */
        dev_t device; /* with inode 0: not known */
        ino_t inode;
};

/* False: there is no such file. Nothing is changed. */
bool relabel_look(const char *path, struct relabel *relabel);
/* Is it noted what it was before guests used it? *label: owned, what it has now. */
bool relabel_is_noted(const char *path, struct relabel *relabel, char **label);

/*
 * One guest more uses path, which is to have label. File systems that keep no labels are fine, and so is a
 * file that has come in the place of the one that was looked at: it stays as it is. Errors: guests that use
 * it already have it labelled otherwise; the kernel does not let us.
 */
bool relabel_take(const char *path, const char *label, const struct relabel *relabel, GError **error);
/*
 * One guest less uses path, for label, which nothing is done for if it never had it; the last one gives back
 * what it was: what is noted, else before, else what the policy has for such files. A file that somebody else
 * has labelled meanwhile stays so. Failures are logged.
 */
void relabel_return(const char *path, const char *label, const char *before);

/*
 * What is open, and goes to an emulator, gets that label. *before (NULL: not wanted): owned, what a file had;
 * NULL of what is none. Errors as of relabel_take().
 */
bool relabel_fd(int fd, const char *label, char **before, GError **error);

/* The agent's own directory or file gets that label, for good. Errors as of relabel_take(). */
bool relabel_set(const char *path, const char *label, GError **error);
