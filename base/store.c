/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Atomic files. No state but a random name for this process, by which its own temporary files are told from
 * those that an earlier one left behind. Blocks on the disk: lanes and start-up only.
 */
#include "base/store.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* How long store_lock() waits for the lock of an agent that has just ended: a second. */
#define LOCK_TRIES    20
#define LOCK_PAUSE_US 50000

/* Not made of the file's name, which may fill NAME_MAX alone. */
#define TEMPORARY_PREFIX ".tmp-"

DEFINE_CLEANUP(DIR, closedir);

/* Tells this process's temporary files from those that others left; const from its first use on. */
static char prefix[sizeof(TEMPORARY_PREFIX) + 2 * 8 + 1];
static pthread_once_t prefix_once = PTHREAD_ONCE_INIT;

static void make_prefix(void)
{
        g_snprintf(prefix, sizeof(prefix), TEMPORARY_PREFIX "%08x%08x-", g_random_int(), g_random_int());
}

static const char *process_prefix(void)
{
        pthread_once(&prefix_once, make_prefix);
        return prefix;
}

static bool sync_fd(int fd, const char *path, GError **error)
{
        if (fsync(fd) < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot sync '%s'", path);
        return true;
}

static bool sync_dir(const char *path, GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot open directory '%s'", path);
        return sync_fd(fd, path, error);
}

static bool make_component(const char *path, GError **error)
{
        g_autofree char *parent = NULL;
        struct stat st;

        if (mkdir(path, 0700) == 0) {
                parent = g_path_get_dirname(path);
                return sync_dir(parent, error);
        }
        if (errno != EEXIST)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot make directory '%s'", path);
        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return error_set_errno(error, ERROR_FROM_NONE, ENOTDIR, "cannot make directory '%s'", path);
        return true;
}

bool store_make_dir(const char *path, GError **error)
{
        g_autofree char *copy = g_strdup(path);

        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (!make_component(copy, error))
                        return false;
                *slash = '/';
        }
        return make_component(copy, error);
}

/* Names are made of object names; those are checked, and here is where it would hurt. */
static bool check_name(const char *dir, const char *name, GError **error)
{
        g_autofree char *quoted = NULL;

        if (*name && *name != '.' && !strchr(name, '/'))
                return true;
        quoted = error_quote(name);
        return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                         "'%s' cannot be the name of a file in '%s'", quoted, dir);
}

/* What is being written. */
struct draft {
        const char *dir;  /* borrowed */
        const char *name; /* borrowed */
        int dir_fd;
        char temporary[64]; /* empty when there is none to remove */
};

static bool draft_error(const struct draft *draft, int errnum, GError **error)
{
        return error_set_errno(error, ERROR_FROM_NONE, errnum, "cannot write '%s/%s'", draft->dir,
                               draft->name);
}

static int create_temporary(struct draft *draft)
{
        int fd;

        do {
                g_snprintf(draft->temporary, sizeof(draft->temporary), "%s%08x", process_prefix(),
                           g_random_int());
                fd = openat(draft->dir_fd, draft->temporary,
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        } while (fd < 0 && errno == EEXIST);
        if (fd < 0)
                draft->temporary[0] = '\0';
        return fd;
}

/* Opens the directory, makes it if somebody removed it, and a temporary file in it. */
static int open_draft(struct draft *draft, GError **error)
{
        int fd = -1;

        for (int attempt = 0; attempt < 2; attempt++) {
                draft->dir_fd = open(draft->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (draft->dir_fd >= 0)
                        fd = create_temporary(draft);
                if (fd >= 0)
                        return fd;
                if (errno != ENOENT || attempt > 0)
                        break;
                fd_cleanup(&draft->dir_fd);
                draft->dir_fd = -1;
                if (!store_make_dir(draft->dir, error))
                        return -1;
        }
        draft_error(draft, errno, error);
        return -1;
}

static bool write_all(int fd, const char *text, size_t length)
{
        while (length > 0) {
                ssize_t written = write(fd, text, length);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return false;
                text += written;
                length -= (size_t)written;
        }
        return true;
}

static bool fill_draft(struct draft *draft, int fd, const char *text, size_t length, bool durable,
                       GError **error)
{
        if (!write_all(fd, text, length) || (durable && fsync(fd) < 0)) {
                draft_error(draft, errno, error);
                close(fd);
                return false;
        }
        /* Network file systems report lost writes here. */
        if (close(fd) < 0)
                return draft_error(draft, errno, error);
        return true;
}

static bool write_draft(struct draft *draft, const char *text, size_t length, bool durable, GError **error)
{
        int fd = open_draft(draft, error);

        if (fd < 0 || !fill_draft(draft, fd, text, length, durable, error))
                return false;
        if (renameat(draft->dir_fd, draft->temporary, draft->dir_fd, draft->name) < 0)
                return draft_error(draft, errno, error);
        draft->temporary[0] = '\0';
        return !durable || sync_fd(draft->dir_fd, draft->dir, error);
}

bool store_write(const char *dir, const char *name, const char *text, bool durable, GError **error)
{
        struct draft draft = { .dir = dir, .name = name, .dir_fd = -1 };
        size_t length = strlen(text);
        bool written;

        if (!check_name(dir, name, error))
                return false;
        if (length > STORE_FILE_MAX)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                 "cannot write '%s/%s': more than %d bytes", dir, name, STORE_FILE_MAX);
        written = write_draft(&draft, text, length, durable, error);
        if (draft.temporary[0])
                unlinkat(draft.dir_fd, draft.temporary, 0);
        fd_cleanup(&draft.dir_fd);
        return written;
}

bool store_remove(const char *dir, const char *name, bool durable, GError **error)
{
        CLEANUP_FD int dir_fd = -1;

        if (!check_name(dir, name, error))
                return false;
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0 && errno == ENOENT)
                return true;
        if (dir_fd < 0 || (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT))
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot remove '%s/%s'", dir, name);
        return !durable || sync_fd(dir_fd, dir, error);
}

/* Reads fd to its end; files that grow meanwhile are bounded too. */
static bool read_all(int fd, const char *path, GString *text, GError **error)
{
        char chunk[16384];
        ssize_t length;

        while ((length = read(fd, chunk, sizeof(chunk))) != 0) {
                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot read '%s'", path);
                if (text->len + (size_t)length > STORE_FILE_MAX)
                        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                         "cannot read '%s': more than %d bytes", path, STORE_FILE_MAX);
                if (memchr(chunk, '\0', (size_t)length))
                        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                         "cannot read '%s': it has a NUL byte", path);
                g_string_append_len(text, chunk, length);
        }
        return true;
}

char *store_read(const char *path, GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
        g_autoptr(GString) text = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                error_set_errno(error, ERROR_FROM_NONE, errno, "cannot open '%s'", path);
                return NULL;
        }
        if (!S_ISREG(st.st_mode)) {
                error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                          "cannot read '%s': not a regular file", path);
                return NULL;
        }
        text = g_string_sized_new(st.st_size <= STORE_FILE_MAX ? (gsize)st.st_size + 1 : 0);
        if (!read_all(fd, path, text, error))
                return NULL;
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void remove_leftover(DIR *dir, const char *name)
{
        if (g_str_has_prefix(name, TEMPORARY_PREFIX) && !g_str_has_prefix(name, process_prefix()))
                unlinkat(dirfd(dir), name, 0);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *store_list(const char *path, const char *suffix, GError **error)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        CLEANUP(closedir) DIR *dir = opendir(path);
        const struct dirent *entry;

        if (!dir && errno == ENOENT)
                return g_steal_pointer(&names);
        if (!dir) {
                error_set_errno(error, ERROR_FROM_NONE, errno, "cannot open directory '%s'", path);
                return NULL;
        }
        while (errno = 0, (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        remove_leftover(dir, entry->d_name);
                else if (g_str_has_suffix(entry->d_name, suffix))
                        g_ptr_array_add(names, g_strdup(entry->d_name));
        }
        if (errno != 0) {
                error_set_errno(error, ERROR_FROM_NONE, errno, "cannot read directory '%s'", path);
                return NULL;
        }
        g_ptr_array_sort(names, compare_names);
        return g_steal_pointer(&names);
}

bool store_is_marked(const char *dir, const char *name)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat st;

        return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool store_mark(const char *dir, const char *name, bool on, GError **error)
{
        return on ? store_write(dir, name, "", true, error) : store_remove(dir, name, true, error);
}

/* A process that an agent was just starting when it was killed holds the lock until it runs its own program.
 */
static bool take_lock(int lock)
{
        for (unsigned try = 0; try < LOCK_TRIES; try++) {
                if (flock(lock, LOCK_EX | LOCK_NB) == 0)
                        return true;
                if (errno != EWOULDBLOCK)
                        return false;
                g_usleep(LOCK_PAUSE_US);
        }
        errno = EWOULDBLOCK;
        return false;
}

bool store_lock(const char *dir, int *fd, GError **error)
{
        g_autofree char *path = g_build_filename(dir, "lock", NULL);
        CLEANUP_FD int lock = -1;

        if (!store_make_dir(dir, error))
                return false;
        lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot open '%s'", path);
        if (!take_lock(lock)) {
                if (errno == EWOULDBLOCK)
                        return error_set(error, ERROR_FROM_NONE, ERROR_RESOURCE_BUSY,
                                         "another agent uses the directory '%s'", dir);
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot lock '%s'", path);
        }
        *fd = fd_steal(&lock);
        return true;
}
