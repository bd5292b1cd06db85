/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owners of images. Where the file system keeps no notes, the first guest that ends gives the file back.
 */
#include "drivers/security/ownership.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "drivers/security/file-note.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* As libvirt notes it: "+0:+0". */
static bool read_note(int fd, struct file_note *note, uid_t *uid, gid_t *gid)
{
        unsigned user, group;

        if (!file_note_read(fd, &file_note_owner, note))
                return false;
        if (sscanf(note->before, "+%u:+%u", &user, &group) == 2) {
                *uid = user;
                *gid = group;
                return true;
        }
        file_note_clear(note);
        return false;
}

bool ownership_is_needed(const struct account *account, const char *path, bool write,
                         struct ownership *ownership)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        CLEANUP_FD int fd = -1;
        struct stat st;
        uid_t uid;
        gid_t gid;

        if (geteuid() != 0)
                return false;
        fd = file_note_open(path, &st);
        if (fd < 0)
                return false;
        if (!read_note(fd, &note, &uid, &gid)) {
                if (account_may_open(account, st.st_uid, st.st_gid, st.st_mode, write))
                        return false;
                uid = st.st_uid;
                gid = st.st_gid;
        }
        *ownership = (struct ownership){ uid, gid, st.st_dev, st.st_ino };
        return true;
}

bool ownership_is_noted(const char *path, struct ownership *ownership)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);
        uid_t uid;
        gid_t gid;

        if (fd < 0 || !read_note(fd, &note, &uid, &gid))
                return false;
        *ownership = (struct ownership){ uid, gid, st.st_dev, st.st_ino };
        return true;
}

static bool is_same_file(const struct ownership *ownership, const struct stat *st)
{
        return st->st_dev == ownership->device && st->st_ino == ownership->inode;
}

bool ownership_take(const struct account *account, const char *path, const struct ownership *ownership)
{
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        char name[FILE_NOTE_PATH_SIZE];
        uid_t uid;
        gid_t gid;

        if (fd < 0)
                return false;
        if (!is_same_file(ownership, &st)) {
                log_warning("'%s' was replaced while a guest that uses it was starting: it keeps its owner",
                            path);
                return false;
        }
        if (!read_note(fd, &note, &uid, &gid))
                note.before = g_strdup_printf("+%u:+%u", (unsigned)st.st_uid, (unsigned)st.st_gid);
        if (chown(file_note_path(fd, name), account->uid, account->gid) < 0)
                return false;
        note.count++;
        g_free(note.holder);
        note.holder = g_strdup_printf("%u", (unsigned)account->uid);
        file_note_write(fd, &file_note_owner, &note);
        return true;
}

/* False: others use it still. */
static bool end_note(int fd, struct file_note *note, const struct account *account)
{
        if (note->count <= 1) {
                file_note_remove(fd, &file_note_owner);
                return true;
        }
        note->count--;
        if (!note->holder)
                note->holder = g_strdup_printf("%u", (unsigned)account->uid);
        file_note_write(fd, &file_note_owner, note);
        return false;
}

void ownership_return(const struct account *account, const char *path, uid_t uid, gid_t gid)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        CLEANUP_FD int fd = -1;
        char name[FILE_NOTE_PATH_SIZE];
        uid_t holder = account->uid, noted_uid;
        gid_t noted_gid;
        struct stat st;
        bool last;

        fd = file_note_open(path, &st);
        if (fd < 0) {
                if (errno != ENOENT)
                        log_warning("cannot look whether '%s' is to be given back to its owner: %s", path,
                                    g_strerror(errno));
                return;
        }
        last = !read_note(fd, &note, &noted_uid, &noted_gid) || end_note(fd, &note, account);
        if (note.holder)
                holder = (uid_t)g_ascii_strtoull(note.holder, NULL, 10);
        /* Whoever gave it to somebody else meanwhile knows better. */
        if (last && (st.st_uid == account->uid || st.st_uid == holder) &&
            chown(file_note_path(fd, name), uid, gid) < 0)
                log_warning("cannot give '%s' back to its owner: %s", path, g_strerror(errno));
}
