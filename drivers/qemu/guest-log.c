/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests' logs as files. No state.
 */
#include "drivers/qemu/guest-log.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX   ".log"
#define TAIL_MAX 600

static int open_log(const char *path, int flags, struct stat *st)
{
        int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

        if (fd < 0)
                return -1;
        if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
                return fd;
        close(fd);
        errno = EINVAL;
        return -1;
}

/* "/x/web.log" to "/x/web.old": no longer, so that it fits where the log fits. */
static char *get_old_path(const char *path)
{
        return g_strdup_printf("%.*s.old", (int)(strlen(path) - strlen(SUFFIX)), path);
}

static void rotate(const char *path)
{
        g_autofree char *old = get_old_path(path);
        struct stat st;

        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > GUEST_LOG_MAX / 2)
                rename(path, old);
}

bool guest_log_open(struct guest_log *log, const char *dir, const char *name, const char *header,
                    GError **error)
{
        g_autofree char *line = g_strconcat(header, "\n", NULL);
        struct stat st;

        *log = (struct guest_log)GUEST_LOG_NONE;
        log->path = g_strdup_printf("%s/%s" SUFFIX, dir, name);
        rotate(log->path);
        log->fd = open_log(log->path, O_WRONLY | O_APPEND | O_CREAT, &st);
        if (log->fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open log '%s'", log->path);
                guest_log_close(log);
                return false;
        }
        /* A disk that is full does not keep a guest from starting. */
        if (write(log->fd, line, strlen(line)) < 0 || fstat(log->fd, &st) < 0)
                st.st_size = 0;
        log->start = st.st_size;
        return true;
}

void guest_log_close(struct guest_log *log)
{
        if (log->fd >= 0)
                close(log->fd);
        g_free(log->path);
        *log = (struct guest_log)GUEST_LOG_NONE;
}

char *guest_log_read_tail(const struct guest_log *log)
{
        char text[TAIL_MAX + 1], *begin = text, *newline;
        struct stat st;
        CLEANUP_FD int fd = open_log(log->path, O_RDONLY, &st);
        off_t from;
        ssize_t length;

        if (fd < 0)
                return g_strdup("");
        from = MAX(log->start, st.st_size - TAIL_MAX);
        length = pread(fd, text, TAIL_MAX, from);
        if (length <= 0)
                return g_strdup("");
        text[length] = '\0';
        newline = strchr(text, '\n');
        if (from > log->start && newline && newline[1])
                begin = newline + 1;
        return g_strchomp(g_utf8_make_valid(begin, -1));
}

char *guest_log_read_head(const struct guest_log *log)
{
        char text[TAIL_MAX + 1];
        struct stat st;
        CLEANUP_FD int fd = open_log(log->path, O_RDONLY, &st);
        ssize_t length = fd < 0 ? -1 : pread(fd, text, TAIL_MAX, log->start);

        if (length <= 0)
                return g_strdup("");
        text[length] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return g_utf8_make_valid(text, -1);
}

static bool is_chatter(const char *line)
{
        return g_str_has_prefix(line, "char device redirected to ") || strstr(line, ": warning: ") ||
               strstr(line, ": info: ");
}

char *guest_log_drop_chatter(char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        g_autoptr(GString) rest = g_string_new(NULL);

        for (unsigned i = 0; lines[i]; i++) {
                if (*lines[i] && !is_chatter(lines[i]))
                        g_string_append_printf(rest, "%s%s", rest->len ? "\n" : "", lines[i]);
        }
        if (rest->len > 0)
                memcpy(text, rest->str, rest->len + 1);
        return text;
}

static bool copy(int from, int to, off_t size)
{
        off_t offset = 0;

        while (offset < size) {
                ssize_t sent = sendfile(to, from, &offset, (size_t)(size - offset));

                if (sent <= 0)
                        return false;
        }
        return true;
}

void guest_log_trim(const char *dir, const char *file)
{
        g_autofree char *path = NULL, *old = NULL;
        struct stat st, old_st;
        CLEANUP_FD int fd = -1, old_fd = -1;

        if (!g_str_has_suffix(file, SUFFIX))
                return;
        path = g_build_filename(dir, file, NULL);
        fd = open_log(path, O_RDWR, &st);
        if (fd < 0 || st.st_size <= GUEST_LOG_MAX)
                return;
        old = get_old_path(path);
        old_fd = open_log(old, O_WRONLY | O_CREAT | O_TRUNC, &old_st);
        if (old_fd >= 0)
                copy(fd, old_fd, MIN(st.st_size, GUEST_LOG_MAX));
        if (ftruncate(fd, 0) < 0)
                errno = 0;
}
