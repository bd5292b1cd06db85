/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/store: files that are whole or as they were, and reads that nothing in a directory can hang or flood.
 */
#include "base/store.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/check-main.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A fresh directory for the test; its path is top. */
static char top[64];

static void setup(void)
{
        strcpy(top, "/tmp/test-store-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(top));
}

static void teardown(void)
{
        const char *const argv[] = { "rm", "-rf", top, NULL };

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
}

static char *path_of(const char *name)
{
        return g_build_filename(top, name, NULL);
}

/* The names in top, hidden ones too. */
static unsigned count_entries(void)
{
        g_autoptr(GDir) dir = g_dir_open(top, 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        return count;
}

static void assert_content(const char *name, const char *expected)
{
        g_autofree char *path = path_of(name), *text = NULL;
        g_autoptr(GError) error = NULL;

        text = store_read(path, &error);
        ck_assert_msg(text != NULL, "%s", error ? error->message : "");
        ck_assert_str_eq(text, expected);
}

START_TEST(test_write)
{
        g_autofree char *path = path_of("a.xml");
        struct stat st;

        umask(0);
        ck_assert(store_write(top, "a.xml", "<a/>\n", true, NULL));
        assert_content("a.xml", "<a/>\n");
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert(store_write(top, "a.xml", "", false, NULL));
        assert_content("a.xml", "");
        ck_assert_uint_eq(count_entries(), 1);
        ck_assert(store_remove(top, "a.xml", true, NULL));
        ck_assert(store_remove(top, "a.xml", true, NULL));
        ck_assert_uint_eq(count_entries(), 0);
}
END_TEST

START_TEST(test_directories)
{
        g_autofree char *deep = path_of("x//y/z"), *file = path_of("file"), *below = path_of("file/y");
        g_autoptr(GError) error = NULL;
        struct stat st;

        umask(0);
        ck_assert(store_make_dir(deep, NULL));
        ck_assert(store_make_dir(deep, NULL));
        ck_assert_int_eq(stat(deep, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0700);
        ck_assert_int_eq(chmod(deep, 0750), 0);
        ck_assert(store_make_dir(deep, NULL));
        ck_assert_int_eq(stat(deep, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0750);

        ck_assert(store_write(top, "file", "", false, NULL));
        ck_assert(!store_make_dir(file, NULL));
        ck_assert(!store_make_dir(below, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "file': Not a directory"));
        ck_assert(store_make_dir("/", NULL));
}
END_TEST

START_TEST(test_directory_removed)
{
        g_autofree char *dir = path_of("qemu/networks");
        g_autoptr(GPtrArray) names = NULL;

        names = store_list(dir, ".xml", NULL);
        ck_assert_uint_eq(names->len, 0);
        ck_assert(store_remove(dir, "a.xml", true, NULL));
        ck_assert(store_write(dir, "a.xml", "one", true, NULL));
        ck_assert(store_remove(dir, "a.xml", true, NULL));
        ck_assert_int_eq(rmdir(dir), 0);
        ck_assert(store_write(dir, "a.xml", "two", true, NULL));
        assert_content("qemu/networks/a.xml", "two");
}
END_TEST

START_TEST(test_bad_names)
{
        static const char *const names[] = { "", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert(!store_write(top, names[i], "", true, &error));
                ck_assert(error_is(error, ERROR_INVALID_ARG));
                ck_assert(!store_remove(top, names[i], true, NULL));
                ck_assert(!store_mark(top, names[i], true, NULL));
        }
        ck_assert_uint_eq(count_entries(), 0);
}
END_TEST

START_TEST(test_longest_name)
{
        g_autofree char *name = g_strnfill(255, 'n'), *longer = g_strnfill(256, 'n');
        g_autoptr(GError) error = NULL;

        ck_assert(store_write(top, name, "x", true, NULL));
        ck_assert(!store_write(top, longer, "x", true, &error));
        ck_assert(error_is(error, ERROR_SYSTEM_ERROR));
        ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

/* The size limit of the process stands for a full disk: some bytes are written, then no more. */
START_TEST(test_disk_full)
{
        const struct rlimit limit = { 100, 100 };
        g_autofree char *text = g_strnfill(1000, 'x');
        g_autoptr(GError) error = NULL;

        ck_assert(store_write(top, "a.xml", "old", true, NULL));
        signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert(!store_write(top, "a.xml", text, true, &error));
        ck_assert(error_is(error, ERROR_SYSTEM_ERROR));
        ck_assert(g_str_has_prefix(error->message, "cannot write '/tmp/test-store-"));
        ck_assert_ptr_nonnull(strstr(error->message, "/a.xml': File too large"));
        assert_content("a.xml", "old");
        ck_assert_uint_eq(count_entries(), 1);
        ck_assert(store_write(top, "a.xml", "new", true, NULL));
        assert_content("a.xml", "new");
}
END_TEST

START_TEST(test_refused_writes)
{
        g_autofree char *dir = path_of("d.xml"), *file = path_of("f"), *inside = path_of("d.xml/x");
        g_autofree char *large = g_strnfill(STORE_FILE_MAX + 1, 'x');
        g_autoptr(GError) no_dir = NULL, is_dir = NULL, too_large = NULL, no_space = NULL;

        ck_assert(store_write(top, "f", "", false, NULL));
        ck_assert(!store_write(file, "a", "", true, &no_dir));
        ck_assert_ptr_nonnull(strstr(no_dir->message, "/f/a': Not a directory"));
        ck_assert(store_make_dir(inside, NULL));
        ck_assert(!store_write(top, "d.xml", "", true, &is_dir));
        ck_assert(error_is(is_dir, ERROR_SYSTEM_ERROR));
        ck_assert(!store_remove(top, "d.xml", true, NULL));
        ck_assert(g_file_test(dir, G_FILE_TEST_IS_DIR));
        ck_assert(!store_write(top, "f", large, true, &too_large));
        ck_assert(error_is(too_large, ERROR_OPERATION_FAILED));
        ck_assert_uint_eq(count_entries(), 2);
        ck_assert(!store_write("/proc/self", "a", "", true, &no_space));
        ck_assert_ptr_nonnull(strstr(no_space->message, "/proc/self/a'"));
}
END_TEST

static void assert_unreadable(const char *path, const char *part)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(store_read(path, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error->message, path) && strstr(error->message, part), "%s", error->message);
}

START_TEST(test_hostile_files)
{
        g_autofree char *fifo = path_of("fifo"), *loop = path_of("loop"), *link = path_of("link");
        g_autofree char *large = path_of("large"), *nul = path_of("nul"), *none = path_of("none");
        CLEANUP_FD int fd = open(large, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        assert_unreadable(fifo, "not a regular file");
        ck_assert_int_eq(symlink("loop", loop), 0);
        assert_unreadable(loop, "Too many levels of symbolic links");
        ck_assert_int_eq(symlink("/etc/passwd", link), 0);
        assert_unreadable(link, "Too many levels of symbolic links");
        ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
        ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
        assert_unreadable(large, "NUL byte");
        ck_assert(g_file_set_contents(nul, "a\0b", 3, NULL));
        assert_unreadable(nul, "NUL byte");
        assert_unreadable(none, "No such file or directory");
        assert_unreadable(top, "not a regular file");
        assert_unreadable("/dev/zero", "not a regular file");
}
END_TEST

START_TEST(test_size_bound)
{
        g_autofree char *text = g_strnfill(STORE_FILE_MAX + 1, 'x'), *path = path_of("large");

        ck_assert(g_file_set_contents(path, text, STORE_FILE_MAX + 1, NULL));
        assert_unreadable(path, "more than 1048576 bytes");
        text[STORE_FILE_MAX] = '\0';
        ck_assert(store_write(top, "large", text, true, NULL));
        assert_content("large", text);
}
END_TEST

START_TEST(test_list)
{
        static const char *const files[] = { "b.xml",       "a.xml",        "a.xml.new", "c.XML",
                                             ".hidden.xml", ".tmp-foreign", "xml",       "\xff.xml" };
        g_autofree char *dir = path_of("d.xml"), *link = path_of("l.xml"), *file = path_of("a.xml");
        g_autofree char *leftover = path_of(".tmp-foreign"), *hidden = path_of(".hidden.xml");
        g_autoptr(GPtrArray) names = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = path_of(files[i]);

                ck_assert(g_file_set_contents(path, "", 0, NULL));
        }
        ck_assert(store_make_dir(dir, NULL));
        ck_assert_int_eq(symlink("nowhere", link), 0);
        names = store_list(top, ".xml", NULL);
        ck_assert_uint_eq(names->len, 5);
        ck_assert_str_eq(names->pdata[0], "a.xml");
        ck_assert_str_eq(names->pdata[1], "b.xml");
        ck_assert_str_eq(names->pdata[2], "d.xml");
        ck_assert_str_eq(names->pdata[3], "l.xml");
        ck_assert_str_eq(names->pdata[4], "\xff.xml");
        ck_assert_int_ne(access(leftover, F_OK), 0);
        ck_assert_int_eq(access(hidden, F_OK), 0);
        ck_assert_ptr_null(store_list(file, ".xml", NULL));
}
END_TEST

START_TEST(test_marks)
{
        ck_assert(!store_is_marked(top, "web"));
        ck_assert(store_mark(top, "web", true, NULL));
        ck_assert(store_mark(top, "web", true, NULL));
        ck_assert(store_is_marked(top, "web"));
        ck_assert(store_mark(top, "web", false, NULL));
        ck_assert(store_mark(top, "web", false, NULL));
        ck_assert(!store_is_marked(top, "web"));
}
END_TEST

START_TEST(test_lock)
{
        g_autofree char *dir = path_of("state");
        g_autoptr(GError) error = NULL;
        int first = -1, second = -1;

        ck_assert(store_lock(dir, &first, NULL));
        ck_assert_int_ge(first, 0);
        ck_assert(fcntl(first, F_GETFD) & FD_CLOEXEC);
        ck_assert(!store_lock(dir, &second, &error));
        ck_assert_int_eq(second, -1);
        ck_assert(error_is(error, ERROR_RESOURCE_BUSY));
        ck_assert_ptr_nonnull(strstr(error->message, dir));
        close(first);
        ck_assert(store_lock(dir, &second, NULL));
        close(second);
}
END_TEST

static void write_until_killed(const char *a, const char *b)
{
        for (;;) {
                store_write(top, "x.xml", b, false, NULL);
                store_write(top, "x.xml", a, false, NULL);
        }
}

static int list_top(void)
{
        g_autoptr(GPtrArray) names = store_list(top, ".xml", NULL);

        return names && names->len == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * A writer is killed at any moment: the file is one of the two versions, and what the writer left goes when
 * the next agent (here another child: a process keeps its own files) lists the directory.
 */
START_TEST(test_killed_writer)
{
        g_autofree char *a = g_strnfill(300000, 'a'), *b = g_strnfill(300000, 'b'), *path = path_of("x.xml");

        ck_assert(g_file_set_contents(path, a, -1, NULL));
        for (unsigned round = 0; round < 20; round++) {
                pid_t writer = fork(), lister;
                int status;

                ck_assert_int_ge(writer, 0);
                if (writer == 0)
                        write_until_killed(a, b);
                for (unsigned i = 0; i < 5 + round; i++) {
                        g_autofree char *text = store_read(path, NULL);

                        ck_assert_ptr_nonnull(text);
                        ck_assert(strcmp(text, a) == 0 || strcmp(text, b) == 0);
                }
                ck_assert_int_eq(kill(writer, SIGKILL), 0);
                ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
                lister = fork();
                ck_assert_int_ge(lister, 0);
                if (lister == 0)
                        _exit(list_top());
                ck_assert_int_eq(waitpid(lister, &status, 0), lister);
                ck_assert_int_eq(status, 0);
                ck_assert_uint_eq(count_entries(), 1);
        }
}
END_TEST

START_TEST(test_no_descriptors)
{
        struct rlimit limit;
        g_autofree char *path = path_of("a.xml");

        ck_assert(store_write(top, "a.xml", "old", true, NULL));
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        for (rlim_t files = 0; files < 2; files++) {
                CLEANUP_FD int next = dup(STDIN_FILENO);
                const struct rlimit tight = { (rlim_t)next + files, limit.rlim_max };
                g_autoptr(GError) error = NULL;

                fd_cleanup(&next);
                fd_steal(&next);
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
                ck_assert(!store_write(top, "a.xml", "new", true, &error));
                ck_assert_ptr_nonnull(strstr(error->message, "/a.xml': Too many open files"));
                if (files == 0)
                        assert_unreadable(path, "Too many open files");
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        }
        assert_content("a.xml", "old");
        ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

CHECK_MAIN_FIXTURE("store", setup, teardown, test_write, test_directories, test_directory_removed,
                   test_bad_names, test_longest_name, test_disk_full, test_refused_writes, test_hostile_files,
                   test_size_bound, test_list, test_marks, test_lock, test_killed_writer, test_no_descriptors)
