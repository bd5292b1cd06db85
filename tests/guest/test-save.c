/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Saving and restoring real guests: what they do goes on where it stopped, whatever way the state takes, and
 * whoever is killed; files that are not whole and disks that are full harm no guest.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

enum {
        BYPASS_CACHE = 1,
        STARTED_RESTORED = 2,
        STOPPED_SAVED = 4,
        SHUTOFF_SAVED = 5,
        PAUSED_SAVE = 3,
        RUNNING_RESTORED = 3,
        FORCE_BOOT = 8,
};

static struct harness *harness;
static struct client *client;
static char *file;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        file = harness_path(harness, "guest.save");
}

static void tear_down(void)
{
        g_free(file);
        harness_free(harness);
}

static void save(const char *path, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", flags);
}

static void restore(unsigned flags)
{
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", flags);
}

static bool has_managed(const char *path)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "HasManagedSaveImage", "u", 0);
        int has;

        ck_assert_int_gt(sd_bus_message_read(reply, "b", &has), 0);
        return has;
}

static char *read_all(const char *name)
{
        char *text = NULL;

        ck_assert(g_file_get_contents(name, &text, NULL, NULL));
        return text;
}

/* The numbers in it come one after the other; returns the last one that is complete. */
static unsigned check_count(const char *text)
{
        unsigned last = 0;

        for (const char *p = text; (p = strstr(p, "count ")); p++) {
                unsigned number = (unsigned)strtoul(p + strlen("count "), NULL, 10);

                if (!strchr(p, '\n'))
                        break;
                if (last > 0)
                        ck_assert_uint_eq(number, last + 1);
                last = number;
        }
        return last;
}

/* The guest counts on from where it was: what is behind `before` goes on with it. */
static void expect_counting(const char *console, const char *before)
{
        unsigned last = check_count(before);
        g_autofree char *text = NULL, *all = NULL, *wanted = g_strdup_printf("count %u", last + 3);

        ck_assert_uint_gt(last, 0);
        guest_wait_console(console, wanted);
        text = read_all(console);
        all = g_strconcat(before, text, NULL);
        ck_assert_uint_gt(check_count(all), last);
}

START_TEST(test_the_guest_counts_on)
{
        static const unsigned flags[] = { 0, BYPASS_CACHE };
        g_autofree char *console = harness_path(harness, "console"), *before = NULL;
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "count"));

        guest_wait_console(console, "count 5");
        for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
                g_autofree char *more = NULL, *all = NULL;

                save(path, flags[i]);
                client_wait_event(client, path, EVENT_STOPPED, STOPPED_SAVED);
                guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_SAVED);
                more = read_all(console);
                all = g_strconcat(before ? before : "", more, NULL);
                g_free(before);
                before = g_steal_pointer(&all);
                restore(flags[i]);
                client_wait_event(client, path, EVENT_STARTED, STARTED_RESTORED);
                guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
                expect_counting(console, before);
        }
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* The next agent saves so; the first time, `config` is what the harness has written. */
static void use_format(const char *format, char **config)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf"), *text = NULL;

        harness_end_agent(harness, SIGTERM);
        if (!*config && !g_file_get_contents(path, config, NULL, NULL))
                *config = g_strdup("");
        text = g_strdup_printf("%s\n[qemu]\nsave_image_format=%s\n", *config, format);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        harness_start_agent(harness);
}

START_TEST(test_compressed)
{
        static const char *const formats[] = { "gzip", "zstd", "xz" };
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));
        g_autofree char *program = g_find_program_in_path(formats[_i]), *config = NULL;
        struct stat status;

        if (!program) {
                harness_skip("the program of that format is not installed");
                return;
        }
        use_format(formats[_i], &config);
        for (unsigned flags = 0; flags <= BYPASS_CACHE; flags++) {
                save(path, flags);
                ck_assert_int_eq(stat(file, &status), 0);
                ck_assert_int_lt(status.st_size, 400000);
                restore(flags);
                guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
        }
        /* Any agent reads it. */
        save(path, 0);
        use_format("raw", &config);
        restore(0);
        guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
}
END_TEST

START_TEST(test_paused)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));

        guest_do(client, path, "Suspend");
        save(path, 0);
        restore(0);
        guest_expect_state(client, path, STATE_PAUSED, 1);
        guest_do(client, path, "Resume");
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

START_TEST(test_managed)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));

        guest_do_flags(client, path, "ManagedSave", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_SAVED);
        ck_assert(has_managed(path));
        /* The next agent knows it. */
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        ck_assert(has_managed(path));
        client_forget_signals(client);
        guest_do_flags(client, path, "Create", 0);
        client_wait_event(client, path, EVENT_STARTED, STARTED_RESTORED);
        ck_assert(!has_managed(path));
        guest_do_flags(client, path, "ManagedSave", 0);
        guest_do_flags(client, path, "Create", FORCE_BOOT);
        client_wait_event(client, path, EVENT_STARTED, STARTED_BOOTED);
        ck_assert(!has_managed(path));
}
END_TEST

/* What a file says of itself, cut anywhere; and in its state, which only QEMU understands. */
START_TEST(test_cut_off)
{
        static const long lengths[] = { 0, 1, 16, 50, 91, 92, 500, 5000, 60000, 100000, 300000 };
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL)), *data = NULL;
        const uint32_t zero[2] = { 0, 0 }, newer = 3;
        gsize length;

        save(path, 0);
        ck_assert(g_file_get_contents(file, &data, &length, NULL));
        for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
                ck_assert(g_file_set_contents(file, data, lengths[i], NULL));
                client_fails(client, LIBVIRT_ERROR, "operation failed: '*", QEMU_PATH, CONNECT_INTERFACE,
                             "DomainRestore", "ssu", file, "", 0);
        }
        /* A head that does not say how much there is to be, as other programs' do not. */
        memcpy(data + 36, zero, sizeof(zero));
        ck_assert(g_file_set_contents(file, data, 300000, NULL));
        client_fails(client, LIBVIRT_ERROR, "operation failed: the emulator*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainRestore", "ssu", file, "", 0);
        memcpy(data + 16, &newer, sizeof(newer));
        ck_assert(g_file_set_contents(file, data, (gssize)length, NULL));
        client_fails(client, LIBVIRT_ERROR, "*is of version 3, and 2 is the newest that is known", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_SAVED);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

static unsigned count_files(const char *dir)
{
        GDir *entries = g_dir_open(dir, 0, NULL);
        unsigned count = 0;

        ck_assert_ptr_nonnull(entries);
        while (g_dir_read_name(entries))
                count++;
        g_dir_close(entries);
        return count;
}

START_TEST(test_full_disk)
{
        g_autofree char *dir = harness_path(harness, "small"), *on_it = g_build_filename(dir, "x.save", NULL);
        g_autofree char *console = harness_path(harness, "console"), *before = NULL, *path = NULL;
        g_autofree char *wanted = NULL, *after = NULL;

        if (geteuid() != 0) {
                harness_skip("a small file system takes root");
                return;
        }
        ck_assert_int_eq(mkdir(dir, 0755), 0);
        ck_assert_int_eq(mount("none", dir, "tmpfs", 0, "size=4m"), 0);
        path = guest_start(client, guest_linux_xml("linux", console, "count"));
        guest_wait_console(console, "count 5");
        client_fails(client, LIBVIRT_ERROR, "operation failed: 'save' of domain 'linux' failed: *", path,
                     DOMAIN_INTERFACE, "Save", "ssu", on_it, "", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        before = read_all(console);
        wanted = g_strdup_printf("count %u", check_count(before) + 3);
        guest_wait_console(console, wanted);
        after = read_all(console);
        check_count(after);
        ck_assert_uint_eq(count_files(dir), 0);
        umount2(dir, MNT_DETACH);
        /* And where there is room it is saved. */
        save(path, 0);
}
END_TEST

/* 64 at once: each is saved, and each comes back. */
START_TEST(test_many_at_once)
{
        enum { GUESTS = 64 };
        struct client_answer answers[GUESTS] = { 0 };
        char *paths[GUESTS];

        for (unsigned i = 0; i < GUESTS; i++) {
                g_autofree char *name = g_strdup_printf("bare%u", i);

                paths[i] = guest_define(client, guest_bare_xml(name, NULL));
                client_send(client, &answers[i], paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
        }
        for (unsigned round = 0; round < 3; round++) {
                for (unsigned i = 0; i < GUESTS; i++) {
                        client_wait_answer(client, &answers[i]);
                        ck_assert_pstr_eq(answers[i].error, NULL);
                        answers[i] = (struct client_answer){ 0 };
                        if (round < 2)
                                client_send(client, &answers[i], paths[i], DOMAIN_INTERFACE,
                                            round == 0 ? "ManagedSave" : "Create", "u", 0);
                }
        }
        for (unsigned i = 0; i < GUESTS; i++) {
                guest_expect_state(client, paths[i], STATE_RUNNING, RUNNING_RESTORED);
                g_free(paths[i]);
        }
}
END_TEST

/* What is mounted is seen by this program and by what it starts. */
static void leave_mounts(void)
{
        if (geteuid() == 0 &&
            (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
                perror("a mount namespace");
}

int main(void)
{
        Suite *suite = suite_create("save");
        TCase *tcase = tcase_create("save");

        leave_mounts();

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_guest_counts_on);
        tcase_add_loop_test(tcase, test_compressed, 0, 3);
        tcase_add_test(tcase, test_paused);
        tcase_add_test(tcase, test_managed);
        tcase_add_test(tcase, test_cut_off);
        tcase_add_test(tcase, test_full_disk);
        tcase_add_test(tcase, test_many_at_once);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
