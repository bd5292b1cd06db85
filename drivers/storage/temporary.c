/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Temporary files of volumes in the making. Their names say who makes them (boot, process, its start time),
 * so that what a dead agent left is told from what another one is making, here or on another host of a shared
 * directory. No locks: on NFS they would keep qemu-img out. Lanes.
 */
#include "drivers/storage/temporary.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX ".virtbus-"
#define SUFFIX ".tmp"

/* What was made under another boot may be another host's; nothing takes that long. */
#define FOREIGN_AGE_S (24 * 60 * 60)

struct maker {
        char boot[9]; /* the first 8 digits of the boot id */
        int pid;
        uint64_t start; /* clock ticks after the boot */
};

bool temporary_is_name(const char *name)
{
        return g_str_has_prefix(name, PREFIX) && g_str_has_suffix(name, SUFFIX);
}

/* proc_pid_stat(5), fields 3 and 22; 0: no such process, or one that has ended and is not reaped yet. */
static uint64_t read_start(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
        uint64_t start = 0;
        const char *tail;
        char state;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        tail = strrchr(text, ')');
        if (!tail ||
            sscanf(tail + 1,
                   " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                   &state, &start) != 2)
                return 0;
        return state == 'Z' || state == 'X' ? 0 : start;
}

static void get_maker(struct maker *maker)
{
        g_autofree char *text = NULL;

        *maker = (struct maker){ .boot = "00000000", .pid = (int)getpid() };
        if (g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL) && strlen(text) > 8)
                memcpy(maker->boot, text, 8);
        maker->start = read_start(maker->pid);
}

int temporary_new(int directory_fd, char **name, GError **error)
{
        struct maker maker;
        int fd;

        get_maker(&maker);
        *name = NULL;
        do {
                g_free(*name);
                *name = g_strdup_printf(PREFIX "%s-%d-%" PRIu64 "-%08x" SUFFIX, maker.boot, maker.pid,
                                        maker.start, g_random_int());
                fd = openat(directory_fd, *name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        } while (fd < 0 && errno == EEXIST);
        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno,
                                "cannot create a file in the pool's directory");
                g_clear_pointer(name, g_free);
        }
        return fd;
}

/* Some file systems (NFS) cannot rename without replacing, but those can link. */
static int rename_noreplace(int directory_fd, const char *from, const char *to)
{
        if (renameat2(directory_fd, from, directory_fd, to, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -1;
        if (linkat(directory_fd, from, directory_fd, to, 0) < 0)
                return -1;
        return unlinkat(directory_fd, from, 0);
}

/* Some file systems know no such thing, and are as good as they can be. */
static bool sync_directory(int directory_fd)
{
        return fsync(directory_fd) == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

bool temporary_finish(int directory_fd, const char *temporary, const char *name, GError **error)
{
        if (rename_noreplace(directory_fd, temporary, name) == 0) {
                if (sync_directory(directory_fd))
                        return true;
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot sync the directory of volume '%s'",
                                name);
                unlinkat(directory_fd, name, 0);
                return false;
        }
        if (errno == EEXIST)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'", name);
        return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot name the new volume '%s'", name);
}

static bool is_left_over(int directory_fd, const char *name, const struct maker *self)
{
        struct maker maker = { 0 };
        struct stat st;

        if (fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return false;
        if (sscanf(name, PREFIX "%8[0-9a-f]-%d-%" SCNu64 "-", maker.boot, &maker.pid, &maker.start) != 3 ||
            strcmp(maker.boot, self->boot) != 0)
                return time(NULL) - st.st_mtime > FOREIGN_AGE_S;
        return read_start(maker.pid) != maker.start;
}

void temporary_clean(int directory_fd)
{
        int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
        struct maker self;

        if (!directory) {
                fd_cleanup(&fd);
                return;
        }
        get_maker(&self);
        for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
                const char *name = entry->d_name;

                if (temporary_is_name(name) && is_left_over(directory_fd, name, &self) &&
                    unlinkat(directory_fd, name, 0) == 0)
                        log_info("removed '%s', which was left of a volume never finished", name);
        }
        closedir(directory);
}
