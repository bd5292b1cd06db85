/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest takes from its host: logs, ports, variable stores.
 */
#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/kvm.h"
#include "drivers/qemu/log-keeper.h"
#include "drivers/qemu/nvram.h"
#include "drivers/qemu/ports.h"
#include "drivers/security/account.h"
#include "tests/unit/check-main.h"

#include <check.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir, *file;

static void setup(void)
{
        dir = g_dir_make_tmp("virtbus-host-XXXXXX", NULL);
        file = g_build_filename(dir, "image", NULL);
}

static void teardown(void)
{
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);

                g_remove(path);
        }
        g_rmdir(dir);
        g_free(dir);
        g_free(file);
}

static char *path_of(const char *name)
{
        return g_build_filename(dir, name, NULL);
}

static off_t size_of(const char *name)
{
        g_autofree char *path = path_of(name);
        struct stat st;

        return stat(path, &st) == 0 ? st.st_size : -1;
}

static void put(const char *name, const char *text)
{
        g_autofree char *path = path_of(name);

        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* ---- logs ---- */

static void write_log(const struct guest_log *log, const char *text)
{
        ck_assert_int_eq(write(log->fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(a_log_tells_of_its_run_only)
{
        struct guest_log log;
        g_autofree char *tail = NULL, *nothing = NULL;
        struct stat st;

        ck_assert(guest_log_open(&log, dir, "web", "first start", NULL));
        write_log(&log, "an old error\n");
        guest_log_close(&log);
        ck_assert(guest_log_open(&log, dir, "web", "second start", NULL));
        nothing = guest_log_read_tail(&log);
        ck_assert_str_eq(nothing, "");
        write_log(&log, "a new error\nand more\n\n");
        tail = guest_log_read_tail(&log);
        ck_assert_str_eq(tail, "a new error\nand more");
        ck_assert_int_eq(fstat(log.fd, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        guest_log_close(&log);
}
END_TEST

/* The reason stands first, and what is all that was said stays. */
START_TEST(chatter_is_no_reason)
{
        g_autofree char *text = guest_log_drop_chatter(g_strdup(
                "char device redirected to /dev/pts/1 (label charserial0)\n"
                "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.x2apic\n"
                "qemu-system-x86_64: -device x: Bus 'pci.2' not found\nmore"));
        g_autofree char *only = guest_log_drop_chatter(g_strdup("qemu: warning: odd"));

        ck_assert_str_eq(text, "qemu-system-x86_64: -device x: Bus 'pci.2' not found\nmore");
        ck_assert_str_eq(only, "qemu: warning: odd");
}
END_TEST

START_TEST(the_tail_of_a_long_log_is_short)
{
        g_autofree char *line = g_strnfill(50, 'x'), *tail = NULL;
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        for (unsigned i = 0; i < 1000; i++) {
                write_log(&log, line);
                write_log(&log, "\n");
        }
        write_log(&log, "the last line\n");
        tail = guest_log_read_tail(&log);
        ck_assert_uint_le(strlen(tail), 600);
        ck_assert(g_str_has_suffix(tail, "\nthe last line"));
        ck_assert_uint_eq(strcspn(tail, "\n"), 50);
        guest_log_close(&log);
}
END_TEST

START_TEST(a_log_is_no_link_and_no_fifo)
{
        g_autofree char *link = path_of("link.log"), *fifo = path_of("fifo.log");
        struct guest_log log;

        put("target", "");
        ck_assert_int_eq(symlink("target", link), 0);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert(!guest_log_open(&log, dir, "link", "start", NULL));
        ck_assert(!guest_log_open(&log, dir, "fifo", "start", NULL));
        ck_assert_int_eq(size_of("target"), 0);
}
END_TEST

static void fill_log(const struct guest_log *log, size_t size)
{
        g_autofree char *block = g_strnfill(65536, 'x');

        for (size_t written = 0; written < size; written += 65536)
                ck_assert_int_eq(write(log->fd, block, 65536), 65536);
}

START_TEST(a_long_log_is_rotated_at_start)
{
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, GUEST_LOG_MAX);
        guest_log_close(&log);
        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        ck_assert_int_eq(size_of("web.log"), 6);
        ck_assert_int_ge(size_of("web.old"), GUEST_LOG_MAX);
        guest_log_close(&log);
}
END_TEST

START_TEST(a_running_guest_goes_on_in_a_log_that_was_trimmed)
{
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, GUEST_LOG_MAX / 2);
        guest_log_trim(dir, "web.log");
        ck_assert_int_gt(size_of("web.log"), GUEST_LOG_MAX / 2);
        fill_log(&log, GUEST_LOG_MAX);
        guest_log_trim(dir, "web.log");
        ck_assert_int_eq(size_of("web.log"), 0);
        ck_assert_int_eq(size_of("web.old"), GUEST_LOG_MAX);
        write_log(&log, "more\n");
        ck_assert_int_eq(size_of("web.log"), 5);
        guest_log_close(&log);
}
END_TEST

START_TEST(the_keeper_trims_what_grows)
{
        struct loop *loop = loop_new(NULL);
        struct pool *pool = pool_new(1, NULL);
        struct log_keeper *keeper = log_keeper_new(loop, pool, dir, NULL);
        struct guest_log log;

        ck_assert_ptr_nonnull(keeper);
        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, 2 * GUEST_LOG_MAX);
        while (size_of("web.log") > 0)
                loop_step(loop, true);
        ck_assert_int_eq(size_of("web.old"), GUEST_LOG_MAX);
        guest_log_close(&log);
        log_keeper_free(keeper);
        pool_free(pool);
        loop_free(loop);
}
END_TEST

/* ---- ports ---- */

static int listen_on(int port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0)
                return fd;
        close(fd);
        return -1;
}

START_TEST(ports_are_claimed_once)
{
        struct ports *ports = g_new0(struct ports, 1);
        int first, second, fd;

        first = ports_claim_free(ports, PORTS_FIRST, PORTS_LAST);
        ck_assert_int_ge(first, PORTS_FIRST);
        ck_assert(!ports_claim(ports, first));
        fd = listen_on(first + 1);
        second = ports_claim_free(ports, PORTS_FIRST, PORTS_LAST);
        ck_assert_int_gt(second, fd >= 0 ? first + 1 : first);
        if (fd >= 0)
                close(fd);
        ports_release(ports, first);
        ck_assert(ports_claim(ports, first));
        ck_assert(!ports_claim(ports, 0));
        ck_assert(!ports_claim(ports, -1));
        ck_assert(!ports_claim(ports, 65536));
        ports_release(ports, -1);
        ports_release(ports, 70000);
        ck_assert(ports_claim(ports, 65535));
        g_free(ports);
}
END_TEST

/* ---- variable stores ---- */

START_TEST(a_store_is_made_once)
{
        CLEANUP(account_unref) const struct account *own = account_new(NULL, NULL, NULL);
        g_autofree char *template = path_of("template"), *text = NULL;
        g_autoptr(GError) error = NULL;
        struct stat st;

        put("template", "fresh");
        ck_assert(!nvram_make(file, NULL, false, own, &error));
        ck_assert_ptr_nonnull(strstr(error->message, file));
        ck_assert(nvram_make(file, template, false, own, NULL));
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        put("image", "changed");
        ck_assert(nvram_make(file, template, false, own, NULL));
        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        ck_assert_str_eq(text, "changed");
        g_free(text);
        ck_assert(nvram_make(file, template, true, own, NULL));
        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        ck_assert_str_eq(text, "fresh");
        ck_assert_int_eq(size_of("image.new"), -1);
}
END_TEST

/* ---- KVM ---- */

static void expect_explanation(const char *device, const struct account *account, const char *pattern)
{
        g_autofree char *why = kvm_explain(device, account);

        ck_assert_msg(why && g_pattern_match_simple(pattern, why) && strstr(why, device), "%s", why);
}

/* Missing, denied and not what it should be are told apart; a terminal stands in for a device. */
START_TEST(why_there_is_no_kvm)
{
        struct account own = { .name = (char *)"me", .uid = geteuid(), .gid = getegid() };
        struct account other = { .name = (char *)"guests", .uid = 64055, .gid = 64055 };
        g_autofree char *missing = path_of("kvm");
        char terminal[64];
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(grantpt(fd) | unlockpt(fd) | ptsname_r(fd, terminal, sizeof(terminal)), 0);
        ck_assert_int_eq(chmod(terminal, 0620), 0);
        expect_explanation(missing, &own, "there is no */kvm: load the module * or use <domain type='qemu'>");
        put("kvm", "");
        expect_explanation(missing, &own, "*is no KVM device: it is no device at all");
        expect_explanation(terminal, &own, "*is no KVM device: it does not answer as one");
        expect_explanation(terminal, &other, "user 'guests' may not open *: Permission denied (*)");
        close(fd);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-host");
        TCase *tests = tcase_create("host");

        tcase_set_timeout(tests, 30);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, a_log_tells_of_its_run_only);
        tcase_add_test(tests, chatter_is_no_reason);
        tcase_add_test(tests, the_tail_of_a_long_log_is_short);
        tcase_add_test(tests, a_log_is_no_link_and_no_fifo);
        tcase_add_test(tests, a_long_log_is_rotated_at_start);
        tcase_add_test(tests, a_running_guest_goes_on_in_a_log_that_was_trimmed);
        tcase_add_test(tests, the_keeper_trims_what_grows);
        tcase_add_test(tests, ports_are_claimed_once);
        tcase_add_test(tests, a_store_is_made_once);
        tcase_add_test(tests, why_there_is_no_kvm);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
