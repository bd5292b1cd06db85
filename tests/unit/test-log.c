/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/log: one line per message whatever is in it, and no harm from whoever reads it.
 */
#include "base/log.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/check-main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Makes a pipe the standard error of this process (each test has its own) and returns the end to read from.
 */
static int capture_stderr(void)
{
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
        ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
        close(fds[1]);
        return fds[0];
}

static char *read_all(int fd)
{
        static char buffer[65536];
        ssize_t length = read(fd, buffer, sizeof(buffer) - 1);

        buffer[length > 0 ? length : 0] = '\0';
        return buffer;
}

START_TEST(test_levels)
{
        CLEANUP_FD int fd = capture_stderr();

        log_debug("not before init");
        log_init(LOG_LEVEL_WARNING);
        log_info("not wanted");
        log_warning("disk %d is full", 3);
        log_error("on fire");
        log_set_max(LOG_LEVEL_DEBUG);
        log_debug("details");
        ck_assert_str_eq(read_all(fd), "warning: disk 3 is full\nerror: on fire\ndebug: details\n");
}
END_TEST

START_TEST(test_gerror)
{
        CLEANUP_FD int fd = capture_stderr();
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR, "no luck");
        log_gerror(LOG_LEVEL_ERROR, error, "call by %s", ":1.7");
        ck_assert_str_eq(read_all(fd), "error: call by :1.7: internal error: no luck\n");
}
END_TEST

START_TEST(test_no_forged_lines)
{
        CLEANUP_FD int fd = capture_stderr();

        log_info("name 'a\nerror: forged\r\x1b[2J\tb\x7f\xc2\x85\xff %s'", "%n");
        ck_assert_str_eq(read_all(fd),
                         "info: name 'a\\nerror: forged\\x0d\\x1b[2J\\tb\\x7f\\x85\xef\xbf\xbd %n'\n");
}
END_TEST

START_TEST(test_long_line)
{
        CLEANUP_FD int fd = capture_stderr();
        g_autofree char *text = g_strnfill(100000, '\n');
        const char *line;

        log_info("%s", text);
        line = read_all(fd);
        ck_assert_uint_le(strlen(line), LOG_LINE_MAX);
        ck_assert(g_str_has_suffix(line, "\\n...\n"));
        ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(test_reader_gone)
{
        int fd = capture_stderr();

        log_init(LOG_LEVEL_INFO);
        close(fd);
        errno = EXDEV;
        log_info("nobody reads this");
        ck_assert_int_eq(errno, EXDEV);
        close(STDERR_FILENO);
        log_info("nor this");
}
END_TEST

/* The pipe is blocking for the writer: a log that waits would hang here until the time-out of the test. */
START_TEST(test_reader_stuck)
{
        CLEANUP_FD int fd = capture_stderr();
        g_autofree char *text = g_strnfill(3000, 'x');

        ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, 0), 0);
        for (unsigned i = 0; i < 1000; i++)
                log_info("%s", text);
        ck_assert(g_str_has_prefix(read_all(fd), "info: xxx"));
        log_info("reads again");
        while (!strstr(read_all(fd), "reads again"))
                ;
}
END_TEST

START_TEST(test_disk_full)
{
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
        log_info("no space");
        close(fd);
}
END_TEST

/* A journal of our own: a datagram socket at a path in a fresh directory. */
struct journal {
        char dir[32];
        struct sockaddr_un address;
        int fd;
};

static void journal_init(struct journal *journal)
{
        strcpy(journal->dir, "/tmp/test-log-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(journal->dir));
        journal->address.sun_family = AF_UNIX;
        g_snprintf(journal->address.sun_path, sizeof(journal->address.sun_path), "%s/socket", journal->dir);
        journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(journal->fd, 0);
        ck_assert_int_eq(bind(journal->fd, (struct sockaddr *)&journal->address, sizeof(journal->address)),
                         0);
}

static void journal_done(struct journal *journal)
{
        close(journal->fd);
        unlink(journal->address.sun_path);
        rmdir(journal->dir);
}

static void set_journal_stream(int inode_offset)
{
        g_autofree char *stream = NULL;
        struct stat st;

        ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
        stream = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev,
                                 (uintmax_t)st.st_ino + (uintmax_t)inode_offset);
        g_setenv("JOURNAL_STREAM", stream, TRUE);
}

START_TEST(test_journal)
{
        CLEANUP_FD int fd = capture_stderr();
        struct journal journal = { .fd = -1 };
        g_autofree char *expected = NULL;

        journal_init(&journal);
        set_journal_stream(0);
        log_init_at(LOG_LEVEL_INFO, journal.address.sun_path);
        log_warning("two\nPRIORITY=0\nlines");
        expected = g_strdup_printf("PRIORITY=4\nSYSLOG_IDENTIFIER=%s\nMESSAGE=two\\nPRIORITY=0\\nlines\n",
                                   program_invocation_short_name);
        ck_assert_str_eq(read_all(journal.fd), expected);
        ck_assert_str_eq(read_all(fd), "");

        /* A journal that does not read costs lines, not time. */
        for (unsigned i = 0; i < 10000; i++)
                log_info("flood");
        journal_done(&journal);
        ck_assert_str_ne(read_all(fd), "");
        log_info("journal gone");
        while (!strstr(read_all(fd), "info: journal gone\n"))
                log_info("journal gone");
}
END_TEST

START_TEST(test_redirected_stream)
{
        CLEANUP_FD int fd = capture_stderr();
        struct journal journal = { .fd = -1 };

        journal_init(&journal);
        set_journal_stream(1);
        log_init_at(LOG_LEVEL_INFO, journal.address.sun_path);
        log_info("here");
        ck_assert_str_eq(read_all(fd), "info: here\n");
        ck_assert_str_eq(read_all(journal.fd), "");
        g_setenv("JOURNAL_STREAM", "1:2:3", TRUE);
        log_init_at(LOG_LEVEL_INFO, journal.address.sun_path);
        log_info("and here");
        ck_assert_str_eq(read_all(fd), "info: and here\n");
        journal_done(&journal);
}
END_TEST

CHECK_MAIN("log", test_levels, test_gerror, test_no_forged_lines, test_long_line, test_reader_gone,
           test_reader_stuck, test_disk_full, test_journal, test_redirected_stream)
