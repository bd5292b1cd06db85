/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log. Messages travel to the journal in its native datagram protocol, written here rather than through
 * sd_journal_send() because that one blocks while journald does not read; the loop must not. Any thread; owns
 * the journal's socket for the life of the process.
 */
#include "base/log.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const struct level {
        const char *name;
        int priority;
} levels[] = {
        [LOG_LEVEL_ERROR] = { "error", LOG_ERR },      [LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
        [LOG_LEVEL_NOTICE] = { "notice", LOG_NOTICE }, [LOG_LEVEL_INFO] = { "info", LOG_INFO },
        [LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

static struct {
        atomic_int max;
        int journal;                 /* socket, -1 = standard error; const after log_init() */
        pthread_mutex_t stderr_lock; /* leaf: between "there is room" and the write */
} state = {
        .max = LOG_LEVEL_INFO,
        .journal = -1,
        .stderr_lock = PTHREAD_MUTEX_INITIALIZER,
};

/* Is standard error the stream that systemd connected to the journal, and has nobody redirected it since? */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;
        char tail;

        if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX "%c", &device, &inode, &tail) != 2)
                return false;
        return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int connect_journal(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return -1;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return fd_steal(&fd);
}

void log_init_at(enum log_level max, const char *journal_socket)
{
        signal(SIGPIPE, SIG_IGN);
        log_set_max(max);
        fd_cleanup(&state.journal);
        state.journal = stderr_is_journal() ? connect_journal(journal_socket) : -1;
}

void log_init(enum log_level max)
{
        log_init_at(max, JOURNAL_SOCKET);
}

void log_set_max(enum log_level max)
{
        atomic_store(&state.max, (int)max);
}

/* Appends text with all that could end a line or drive a terminal escaped, cut so that line stays within max
 * bytes. */
static void append_escaped(GString *line, const char *text, size_t max)
{
        g_autofree char *valid = g_utf8_make_valid(text, -1);

        for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                char escape[8];
                size_t length = (size_t)(g_utf8_next_char(p) - p);
                const char *piece = p;

                if (c == '\n' || c == '\t') {
                        piece = c == '\n' ? "\\n" : "\\t";
                        length = 2;
                } else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
                        length = (size_t)snprintf(escape, sizeof(escape), "\\x%02x", (unsigned)c);
                        piece = escape;
                }
                if (line->len + length > max - strlen("...")) {
                        g_string_append(line, "...");
                        return;
                }
                g_string_append_len(line, piece, (gssize)length);
        }
}

static void append_field(GString *text, const char *name, const char *value)
{
        g_autoptr(GString) line = g_string_sized_new(256);

        g_string_append_printf(line, "%s=", name);
        append_escaped(line, value, LOG_LINE_MAX - 1);
        g_string_append_printf(text, "%s\n", line->str);
}

static bool send_journal(const struct level *level, const char *message, const struct log_field more[],
                         unsigned count)
{
        g_autoptr(GString) fields = g_string_sized_new(256);

        if (state.journal < 0)
                return false;
        g_string_append_printf(fields, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", level->priority,
                               program_invocation_short_name);
        append_field(fields, "MESSAGE", message);
        for (unsigned i = 0; i < count; i++)
                if (more[i].value)
                        append_field(fields, more[i].name, more[i].value);
        /* A journal that restarts has a new socket behind the old path; until then the stream takes over. */
        return send(state.journal, fields->str, fields->len, MSG_NOSIGNAL) >= 0;
}

static void write_stderr(const struct level *level, const char *message)
{
        g_autoptr(GString) line = g_string_sized_new(256);
        struct pollfd poll_stderr = { .fd = STDERR_FILENO, .events = POLLOUT };
        ssize_t ignored;

        g_string_append_printf(line, "%s: ", level->name);
        append_escaped(line, message, LOG_LINE_MAX - 1);
        g_string_append_c(line, '\n');

        /* A pipe that polls writable takes PIPE_BUF bytes whole and at once. */
        pthread_mutex_lock(&state.stderr_lock);
        if (poll(&poll_stderr, 1, 0) > 0)
                ignored = write(STDERR_FILENO, line->str, line->len);
        pthread_mutex_unlock(&state.stderr_lock);
        (void)ignored;
}

static bool is_wanted(enum log_level level)
{
        return (int)level <= atomic_load_explicit(&state.max, memory_order_relaxed);
}

static void write_message(enum log_level level, const char *message)
{
        int saved_errno = errno;

        if (!send_journal(&levels[level], message, NULL, 0))
                write_stderr(&levels[level], message);
        errno = saved_errno;
}

void log_write(enum log_level level, const char *format, ...)
{
        g_autofree char *message = NULL;
        va_list args;

        if (!is_wanted(level))
                return;
        va_start(args, format);
        message = g_strdup_vprintf(format, args);
        va_end(args);
        write_message(level, message);
}

void log_record(const struct log_field fields[], unsigned count, const char *message)
{
        const struct level *level = &levels[LOG_LEVEL_INFO];
        int saved_errno = errno;

        if (!send_journal(level, message, fields, count) && is_wanted(LOG_LEVEL_INFO))
                write_stderr(level, message);
        errno = saved_errno;
}

void log_gerror(enum log_level level, const GError *error, const char *format, ...)
{
        g_autofree char *what = NULL, *message = NULL;
        va_list args;

        if (!is_wanted(level))
                return;
        va_start(args, format);
        what = g_strdup_vprintf(format, args);
        va_end(args);
        message = g_strdup_printf("%s: %s", what, error->message);
        write_message(level, message);
}
