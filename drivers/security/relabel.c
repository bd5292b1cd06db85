/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Labels of files, by way of their attribute, of which the kernel knows more than the file system. No state.
 */
#include "drivers/security/relabel.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "drivers/security/file-note.h"
#include "drivers/security/svirt.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#define LABEL "security.selinux"

/* 0, or errno. With the NUL, as everybody writes it. */
static int set_label(int fd, const char *label)
{
        char path[FILE_NOTE_PATH_SIZE];

        return setxattr(file_note_path(fd, path), LABEL, label, strlen(label) + 1, 0) == 0 ? 0 : errno;
}

/* NFS without labels, and what is mounted read-only, is for the policy to allow or not. */
static bool is_harmless(int errnum)
{
        return errnum == EOPNOTSUPP || errnum == EROFS;
}

static bool refuse(const char *path, const char *label, int errnum, GError **error)
{
        return error_set_errno(error, ERROR_FROM_QEMU, errnum, "cannot label '%s' as '%s'", path, label);
}

bool relabel_look(const char *path, struct relabel *relabel)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);

        if (fd < 0)
                return false;
        *relabel = (struct relabel){ .device = st.st_dev, .inode = st.st_ino };
        relabel->before = file_note_read(fd, &file_note_label, &note) ? g_steal_pointer(&note.before)
                                                                      : file_note_get(fd, LABEL);
        return true;
}

bool relabel_is_noted(const char *path, struct relabel *relabel, char **label)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);

        *label = fd >= 0 && file_note_read(fd, &file_note_label, &note) ? file_note_get(fd, LABEL) : NULL;
        if (!*label)
                return false;
        *relabel = (struct relabel){ g_steal_pointer(&note.before), st.st_dev, st.st_ino };
        return true;
}

static bool is_same_file(const struct relabel *relabel, const struct stat *st)
{
        return relabel->inode == 0 || (st->st_dev == relabel->device && st->st_ino == relabel->inode);
}

static bool set_and_note(int fd, const char *path, const char *label, struct file_note *note, GError **error)
{
        g_autofree char *current = file_note_get(fd, LABEL);
        const char *meanwhile = note->holder ? note->holder : current;
        int errnum;

        if (note->count > 0 && g_strcmp0(meanwhile, label) != 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "'%s' cannot be labelled as '%s': another guest that uses it has it as '%s'",
                                 path, label, meanwhile ? meanwhile : "");
        errnum = set_label(fd, label);
        if (is_harmless(errnum)) {
                log_debug("'%s' is not labelled as '%s': %s", path, label, g_strerror(errnum));
                return true;
        }
        if (errnum != 0 && g_strcmp0(current, label) != 0)
                return refuse(path, label, errnum, error);
        if (!note->before)
                note->before = g_strdup(current);
        if (!note->before)
                return true;
        note->count++;
        g_free(note->holder);
        note->holder = g_strdup(label);
        file_note_write(fd, &file_note_label, note);
        return true;
}

bool relabel_take(const char *path, const char *label, const struct relabel *relabel, GError **error)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);

        if (fd < 0)
                return refuse(path, label, errno, error);
        if (!is_same_file(relabel, &st)) {
                log_warning("'%s' was replaced while a guest that uses it was starting: it keeps its label",
                            path);
                return true;
        }
        file_note_read(fd, &file_note_label, &note);
        return set_and_note(fd, path, label, &note, error);
}

/* What was noted may be a label that the policy does not know any more. */
static void give_back(int fd, const char *path, const char *before, mode_t mode)
{
        int errnum = before ? set_label(fd, before) : EINVAL;

        if (errnum == EINVAL) {
                g_autofree char *usual = svirt_find_default(path, mode);

                errnum = usual ? set_label(fd, usual) : 0;
        }
        if (errnum != 0 && !is_harmless(errnum))
                log_warning("cannot give '%s' its label back: %s", path, g_strerror(errnum));
}

void relabel_return(const char *path, const char *label, const char *before)
{
        CLEANUP(file_note_clear) struct file_note note = { 0 };
        g_autofree char *current = NULL;
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);

        if (fd < 0) {
                if (errno != ENOENT)
                        log_warning("cannot look whether '%s' is to get its label back: %s", path,
                                    g_strerror(errno));
                return;
        }
        current = file_note_get(fd, LABEL);
        if (file_note_read(fd, &file_note_label, &note)) {
                /* They have it for another one, so we never had it. */
                if (note.count > 0 && g_strcmp0(note.holder ? note.holder : current, label) != 0)
                        return;
                if (note.count > 1) {
                        note.count--;
                        if (!note.holder)
                                note.holder = g_strdup(label);
                        file_note_write(fd, &file_note_label, &note);
                        return;
                }
                file_note_remove(fd, &file_note_label);
        }
        if (g_strcmp0(current, label) == 0 || (note.holder && g_strcmp0(current, note.holder) == 0))
                give_back(fd, path, note.before ? note.before : before, st.st_mode);
}

bool relabel_set(const char *path, const char *label, GError **error)
{
        struct stat st;
        CLEANUP_FD int fd = file_note_open(path, &st);
        int errnum = fd < 0 ? errno : set_label(fd, label);

        return errnum == 0 || is_harmless(errnum) || refuse(path, label, errnum, error);
}

bool relabel_fd(int fd, const char *label, char **before, GError **error)
{
        g_autofree char *current = file_note_get(fd, LABEL);
        int errnum = set_label(fd, label);
        struct stat st;

        if (errnum != 0 && !is_harmless(errnum) && g_strcmp0(current, label) != 0)
                return refuse("what the emulator is given", label, errnum, error);
        if (before)
                *before = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
                                  ? g_steal_pointer(&current)
                                  : NULL;
        return true;
}
