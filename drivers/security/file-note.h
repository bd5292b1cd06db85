/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is noted at a file that guests use, in extended attributes of it: what it was before, how many guests
 * use it, and what it is meanwhile. The names and forms are libvirt's, so either finds what the other has
 * left. A note is changed under flock(2) on the file; one from before the last boot counts nobody. Where the
 * file system keeps no such attributes there is no note. Lanes.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Names of attributes; one set for each thing that is noted. */
struct file_note_names {
        const char *before; /* libvirt's: what it was */
        const char *count;  /* libvirt's: how many use it */
        const char *time_s; /* libvirt's: when the host booted, which moves with the clock */
        const char *boot;   /* ours: the boot's own id, which does not, and what the file is meanwhile */
};

extern const struct file_note_names file_note_owner; /* "+0:+0" */
extern const struct file_note_names file_note_label; /* a context of SELinux */

struct file_note {
        char *before;   /* owned */
        char *holder;   /* owned; what it is meanwhile; NULL: not known */
        unsigned count; /* guests that use it */
};

/*
 * Opens path, following links, and locks it; -1 with errno. What cannot be opened, a socket for instance, or
 * can be open once only and is, as an IOMMU group, is opened without that (O_PATH) and without a lock:
 * whoever has it open is the only one who uses it.
 */
int file_note_open(const char *path, struct stat *st);

/* The file behind a descriptor, also one of O_PATH, for calls that take no such descriptors. */
#define FILE_NOTE_PATH_SIZE 32
const char *file_note_path(int fd, char path[FILE_NOTE_PATH_SIZE]);

/* An attribute's text, without a NUL that may end it; owned. NULL with errno: there is none. */
char *file_note_get(int fd, const char *name);

/* False when there is none; one of another boot has no users. Clear it. */
bool file_note_read(int fd, const struct file_note_names *names, struct file_note *note);
/* holder is to be known. Failures are ignored: the guest's status document remembers, too. */
void file_note_write(int fd, const struct file_note_names *names, const struct file_note *note);
void file_note_remove(int fd, const struct file_note_names *names);
void file_note_clear(struct file_note *note);

static inline void file_note_clear_cleanup(struct file_note *note)
{
        file_note_clear(note);
}
