/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes at files. No state.
 */
#include "drivers/security/file-note.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

#define BOOT_LENGTH 36
#define VALUE_MAX   4096

const struct file_note_names file_note_owner = {
        .before = "trusted.libvirt.security.dac",
        .count = "trusted.libvirt.security.ref_dac",
        .time_s = "trusted.libvirt.security.timestamp_dac",
        .boot = "trusted.virtbus.boot",
};

const struct file_note_names file_note_label = {
        .before = "trusted.libvirt.security.selinux",
        .count = "trusted.libvirt.security.ref_selinux",
        .time_s = "trusted.libvirt.security.timestamp_selinux",
        .boot = "trusted.virtbus.boot_selinux",
};

/* ---- which boot it is ---- */

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

/* ---- attributes ---- */

const char *file_note_path(int fd, char path[FILE_NOTE_PATH_SIZE])
{
        snprintf(path, FILE_NOTE_PATH_SIZE, "/proc/self/fd/%d", fd);
        return path;
}

char *file_note_get(int fd, const char *name)
{
        char path[FILE_NOTE_PATH_SIZE], text[VALUE_MAX + 1];
        ssize_t length = getxattr(file_note_path(fd, path), name, text, VALUE_MAX);

        if (length < 0)
                return NULL;
        text[length] = '\0';
        return g_strdup(text);
}

/* *holder: owned, NULL when it is not known. */
static bool is_of_this_boot(int fd, const struct file_note_names *names, char **holder)
{
        g_autofree char *noted = file_note_get(fd, names->boot), *time_s = NULL;
        char boot[64];

        if (noted) {
                const char *space = strchr(noted, ' ');

                read_boot(boot);
                if (!space || strncmp(noted, boot, BOOT_LENGTH) != 0)
                        return false;
                *holder = g_strdup(space + 1);
                return true;
        }
        format_boot_time(boot, sizeof(boot));
        time_s = file_note_get(fd, names->time_s);
        return g_strcmp0(time_s, boot) == 0;
}

bool file_note_read(int fd, const struct file_note_names *names, struct file_note *note)
{
        g_autofree char *count = NULL;

        *note = (struct file_note){ .before = file_note_get(fd, names->before) };
        if (!note->before)
                return false;
        if (is_of_this_boot(fd, names, &note->holder))
                count = file_note_get(fd, names->count);
        if (count)
                note->count = (unsigned)g_ascii_strtoull(count, NULL, 10);
        return true;
}

void file_note_write(int fd, const struct file_note_names *names, const struct file_note *note)
{
        char id[BOOT_LENGTH + 1], count[32], time_s[32], path[FILE_NOTE_PATH_SIZE];
        g_autofree char *boot = NULL;

        read_boot(id);
        boot = g_strdup_printf("%s %s", id, note->holder);
        format_boot_time(time_s, sizeof(time_s));
        snprintf(count, sizeof(count), "%u", note->count);
        file_note_path(fd, path);
        setxattr(path, names->boot, boot, strlen(boot), 0);
        setxattr(path, names->time_s, time_s, strlen(time_s), 0);
        setxattr(path, names->before, note->before, strlen(note->before), 0);
        setxattr(path, names->count, count, strlen(count), 0);
}

void file_note_remove(int fd, const struct file_note_names *names)
{
        const char *const all[] = { names->count, names->before, names->time_s, names->boot };
        char path[FILE_NOTE_PATH_SIZE];

        file_note_path(fd, path);
        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
                removexattr(path, all[i]);
}

void file_note_clear(struct file_note *note)
{
        g_clear_pointer(&note->before, g_free);
        g_clear_pointer(&note->holder, g_free);
}

/* ---- files ---- */

/* We hold it for some system calls. Whoever may read the file can hold it for good. */
#define LOCK_TRIES    50
#define LOCK_PAUSE_US (10 * 1000)

static bool lock(int fd)
{
        for (unsigned i = 0; i < LOCK_TRIES; i++) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return true;
                /* NFS has no such lock of what is open for reading, and no notes. */
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return true;
                g_usleep(LOCK_PAUSE_US);
        }
        return false;
}

int file_note_open(const char *path, struct stat *st)
{
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        if (fd < 0 && (errno == EBUSY || errno == ENXIO)) {
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
