/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owners of images. The note is changed under flock(2) on the file; one from before the last boot counts
 * nobody. Where the file system keeps no such attributes, the first guest that ends gives the file back.
 */
#include "drivers/security/ownership.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

/*
 * libvirt's names and forms: "+0:+0", "2", and the time of the boot by which it knows notes of an earlier
 * one. That one is in seconds and moves with the clock; the boot's own id, beside which stands who has the
 * file, says the same for certain.
 */
#define OWNER       "trusted.libvirt.security.dac"
#define COUNT       "trusted.libvirt.security.ref_dac"
#define BOOT_TIME_S "trusted.libvirt.security.timestamp_dac"
#define BOOT        "trusted.virtbus.boot"
#define BOOT_LENGTH 36

struct note {
        unsigned uid, gid, count;
        unsigned holder; /* whose it is meanwhile: guests may have users of their own */
};

static void read_boot(char boot[BOOT_LENGTH + 1])
{
        CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

        memset(boot, '-', BOOT_LENGTH);
        if (fd >= 0 && read(fd, boot, BOOT_LENGTH) != BOOT_LENGTH)
                memset(boot, '-', BOOT_LENGTH);
        boot[BOOT_LENGTH] = '\0';
}

/* When utmp says that the host booted; 0: it does not. getutxid(3) is for one thread. */
static gint64 read_boot_record(void)
{
        CLEANUP_FD int fd = open(_PATH_UTMP, O_RDONLY | O_CLOEXEC);
        struct utmpx entry;

        while (fd >= 0 && read(fd, &entry, sizeof(entry)) == sizeof(entry)) {
                if (entry.ut_type == BOOT_TIME)
                        return entry.ut_tv.tv_sec;
        }
        return 0;
}

/* As libvirt finds it out: that, else how long the host has been up. */
static void format_boot_time(char *text, size_t size)
{
        gint64 seconds = read_boot_record();
        struct timespec up = { 0 };

        clock_gettime(CLOCK_BOOTTIME, &up);
        if (seconds == 0)
                seconds = g_get_real_time() / G_USEC_PER_SEC - up.tv_sec;
        snprintf(text, size, "%" G_GINT64_FORMAT, seconds);
}

/* The file behind a descriptor, also one of O_PATH, for calls that take no such descriptors. */
#define FD_PATH_SIZE 32

static const char *path_of(int fd, char path[FD_PATH_SIZE])
{
        snprintf(path, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
        return path;
}

static bool read_attribute(int fd, const char *name, char *text, size_t size)
{
        char path[FD_PATH_SIZE];
        ssize_t length = getxattr(path_of(fd, path), name, text, size - 1);

        if (length <= 0)
                return false;
        text[length] = '\0';
        return true;
}

static bool is_of_this_boot(int fd, unsigned *holder)
{
        char text[64], boot[64];

        if (read_attribute(fd, BOOT, text, sizeof(text))) {
                read_boot(boot);
                return sscanf(text + strcspn(text, " "), " %u", holder) == 1 &&
                       strncmp(text, boot, BOOT_LENGTH) == 0;
        }
        format_boot_time(boot, sizeof(boot));
        return read_attribute(fd, BOOT_TIME_S, text, sizeof(text)) && strcmp(text, boot) == 0;
}

/* False when there is none; one of another boot has the owner and no users. */
static bool read_note(int fd, struct note *note)
{
        char owner[64], count[32];

        if (!read_attribute(fd, OWNER, owner, sizeof(owner)) ||
            sscanf(owner, "+%u:+%u", &note->uid, &note->gid) != 2)
                return false;
        note->count = 0;
        note->holder = UINT_MAX;
        if (is_of_this_boot(fd, &note->holder) && read_attribute(fd, COUNT, count, sizeof(count)))
                note->count = (unsigned)g_ascii_strtoull(count, NULL, 10);
        return true;
}

static void write_note(int fd, const struct note *note)
{
        char owner[64], count[32], time[32], boot[64], path[FD_PATH_SIZE];
        const char *const attributes[][2] = {
                { BOOT, boot }, { BOOT_TIME_S, time }, { OWNER, owner }, { COUNT, count }
        };

        read_boot(boot);
        snprintf(boot + BOOT_LENGTH, sizeof(boot) - BOOT_LENGTH, " %u", note->holder);
        format_boot_time(time, sizeof(time));
        snprintf(owner, sizeof(owner), "+%u:+%u", note->uid, note->gid);
        snprintf(count, sizeof(count), "%u", note->count);
        path_of(fd, path);
        /* Without attributes the status document of the guest remembers the owner. */
        for (unsigned i = 0; i < G_N_ELEMENTS(attributes); i++)
                setxattr(path, attributes[i][0], attributes[i][1], strlen(attributes[i][1]), 0);
}

static void remove_note(int fd)
{
        static const char *const names[] = { COUNT, OWNER, BOOT_TIME_S, BOOT };
        char path[FD_PATH_SIZE];

        path_of(fd, path);
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                removexattr(path, names[i]);
}

/* We hold it for some system calls. Whoever may read the file can hold it for good. */
#define LOCK_TRIES    50
#define LOCK_PAUSE_US (10 * 1000)

static bool lock(int fd)
{
        for (unsigned i = 0; i < LOCK_TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return true;
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return false;
                g_usleep(LOCK_PAUSE_US);
        }
        return false;
}

/*
 * What can be open once only, as an IOMMU group can, and is open, is taken without being opened (O_PATH) and
 * without a lock: whoever has it open is the only one who uses it.
 */
static int open_locked(const char *path, struct stat *st)
{
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        if (fd < 0 && errno == EBUSY) {
                fd = open(path, O_PATH | O_CLOEXEC);
                if (fd >= 0 && fstat(fd, st) == 0)
                        return fd;
        }
        if (fd < 0)
                return -1;
        if (lock(fd) && fstat(fd, st) == 0)
                return fd;
        close(fd);
        errno = EBUSY;
        return -1;
}

bool ownership_is_needed(const struct account *account, const char *path, bool write,
                         struct ownership *ownership)
{
        CLEANUP_FD int fd = -1;
        struct stat st;
        struct note note;

        if (geteuid() != 0)
                return false;
        fd = open_locked(path, &st);
        if (fd < 0)
                return false;
        if (!read_note(fd, &note)) {
                if (account_may_open(account, st.st_uid, st.st_gid, st.st_mode, write))
                        return false;
                note = (struct note){ .uid = st.st_uid, .gid = st.st_gid };
        }
        *ownership = (struct ownership){ note.uid, note.gid, st.st_dev, st.st_ino };
        return true;
}

bool ownership_is_noted(const char *path, struct ownership *ownership)
{
        struct stat st;
        CLEANUP_FD int fd = open_locked(path, &st);
        struct note note;

        if (fd < 0 || !read_note(fd, &note))
                return false;
        *ownership = (struct ownership){ note.uid, note.gid, st.st_dev, st.st_ino };
        return true;
}

static bool is_same_file(const struct ownership *ownership, const struct stat *st)
{
        return st->st_dev == ownership->device && st->st_ino == ownership->inode;
}

void ownership_take(const struct account *account, const char *path, const struct ownership *ownership)
{
        struct stat st;
        CLEANUP_FD int fd = open_locked(path, &st);
        char name[FD_PATH_SIZE];
        struct note note;

        if (fd < 0)
                return;
        if (!is_same_file(ownership, &st)) {
                log_warning("'%s' was replaced while a guest that uses it was starting: it keeps its owner",
                            path);
                return;
        }
        if (!read_note(fd, &note))
                note = (struct note){ .uid = st.st_uid, .gid = st.st_gid };
        if (chown(path_of(fd, name), account->uid, account->gid) < 0)
                return;
        note.count++;
        note.holder = account->uid;
        write_note(fd, &note);
}

void ownership_return(const struct account *account, const char *path, uid_t uid, gid_t gid)
{
        CLEANUP_FD int fd = -1;
        char name[FD_PATH_SIZE];
        struct stat st;
        struct note note;

        fd = open_locked(path, &st);
        if (fd < 0) {
                if (errno != ENOENT)
                        log_warning("cannot look whether '%s' is to be given back to its owner: %s", path,
                                    g_strerror(errno));
                return;
        }
        note.holder = account->uid;
        if (read_note(fd, &note)) {
                if (note.count > 1) {
                        note.count--;
                        write_note(fd, &note);
                        return;
                }
                remove_note(fd);
        }
        /* Whoever gave it to somebody else meanwhile knows better. */
        if ((st.st_uid == account->uid || st.st_uid == note.holder) && chown(path_of(fd, name), uid, gid) < 0)
                log_warning("cannot give '%s' back to its owner: %s", path, g_strerror(errno));
}
