/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Saving and restoring real guests: what they do goes on where it stopped, whatever way the state takes, and
 * whoever is killed; files that are not whole and disks that are full harm no guest.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/loop-device.h"
#include "tests/support/mounts.h"

enum {
        BYPASS_CACHE = 1,
        STARTED_RESTORED = 2,
        STOPPED_SAVED = 4,
        SHUTOFF_SAVED = 5,
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

/* The guest counts on from where it was: what is behind `before` goes on with it. */
static void expect_counting(const char *console, const char *before)
{
        unsigned last = guest_check_count(before);
        g_autofree char *text = NULL, *all = NULL, *wanted = g_strdup_printf("count %u", last + 3);

        ck_assert_uint_gt(last, 0);
        guest_wait_console(console, wanted);
        text = read_all(console);
        all = g_strconcat(before, text, NULL);
        ck_assert_uint_gt(guest_check_count(all), last);
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

/* It is known from its file alone. */
START_TEST(test_nothing_defines_it)
{
        g_autofree char *xml = guest_bare_xml("bare", NULL);
        g_autofree char *path =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        save(path, 0);
        restore(0);
        guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

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
        client_fails(client, LIBVIRT_ERROR, "operation failed: *", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainRestore", "ssu", file, "", 0);
        memcpy(data + 16, &newer, sizeof(newer));
        ck_assert(g_file_set_contents(file, data, (gssize)length, NULL));
        client_fails(client, LIBVIRT_ERROR, "*is of version 3, and 2 is the newest that is known", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_FAILED);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

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
        wanted = g_strdup_printf("count %u", guest_check_count(before) + 3);
        guest_wait_console(console, wanted);
        after = read_all(console);
        guest_check_count(after);
        ck_assert_uint_eq(harness_count_files(dir), 0);
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

static void wait_for_pause(const char *path)
{
        client_wait_event(client, path, EVENT_SUSPENDED, -1);
}

static void wait_for_end(const char *path)
{
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SAVED);
}

static void wait_for_nothing(const char *path)
{
}

/* An agent that has just started may have a program of its own for a moment. */
static bool has_none(void *data)
{
        return harness_count_guests(harness) == 0;
}

/* Is a guest in `file` that can be restored? */
static bool is_saved(void)
{
        char magic[16];
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        bool saved = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                     memcmp(magic, "LibvirtQemudSave", sizeof(magic)) == 0;

        if (fd >= 0)
                close(fd);
        return saved;
}

/* Either it is saved and off, or it runs and there is no file. */
static bool is_settled(void *data)
{
        int state = guest_get_state(client, data, NULL);

        if (state == STATE_SHUTOFF)
                ck_assert(is_saved());
        return state == STATE_SHUTOFF || state == STATE_RUNNING;
}

/* From now on `file` is a device of that size, until the descriptor that is returned is closed. -1: none
 * here. */
static int use_device(uint64_t size)
{
        char *device;
        int fd = loop_device_open(size, &device);

        if (fd < 0) {
                harness_skip("there are no loop devices");
                return -1;
        }
        g_free(file);
        file = device;
        return fd;
}

static bool is_device(void)
{
        struct stat status;

        return lstat(file, &status) == 0 && S_ISBLK(status.st_mode);
}

static bool begins_with(const char *magic, size_t length)
{
        g_autofree char *data = NULL;
        gsize have;

        ck_assert(g_file_get_contents(file, &data, &have, NULL));
        return have > 100000 && memcmp(data, magic, length) == 0;
}

START_TEST(test_on_a_device)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL)), *config = NULL;
        int fd = use_device(16 << 20), holder;

        if (fd < 0)
                return;
        for (unsigned flags = 0; flags <= BYPASS_CACHE; flags++) {
                save(path, flags);
                guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_SAVED);
                restore(flags);
                guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
        }
        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 0);
        ck_assert(begins_with("QEVM", 4));
        /* As one that is mounted is. */
        holder = open(file, O_RDONLY | O_EXCL | O_CLOEXEC);
        client_fails(client, LIBVIRT_ERROR,
                     "cannot write to the device '/dev/loop*': Device or resource busy", path,
                     DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        ck_assert(begins_with("QEVM", 4));
        close(holder);
        /* What the dump has left is behind it. */
        use_format("gzip", &config);
        for (unsigned flags = 0; flags <= BYPASS_CACHE; flags++) {
                save(path, flags);
                restore(flags);
                guest_expect_state(client, path, STATE_RUNNING, RUNNING_RESTORED);
        }
        ck_assert(is_device());
        close(fd);
}
END_TEST

/* The guest goes on, and what was written of it is no guest. */
START_TEST(test_small_device)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));
        int fd = use_device(256 << 10);

        if (fd < 0)
                return;
        for (unsigned flags = 0; flags <= BYPASS_CACHE; flags++) {
                client_fails(client, LIBVIRT_ERROR, "*: No space left on device*", path, DOMAIN_INTERFACE,
                             "Save", "ssu", file, "", flags);
                guest_expect_state(client, path, STATE_RUNNING, -1);
                client_fails(client, LIBVIRT_ERROR, "*'/dev/loop*' was never finished*", QEMU_PATH,
                             CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
                client_fails(client, LIBVIRT_ERROR, "*'dump' of domain 'bare' failed: *", path,
                             DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 16);
                guest_expect_state(client, path, STATE_RUNNING, -1);
        }
        ck_assert(is_device());
        client_fails(client, LIBVIRT_ERROR, "*neither a regular file nor a block device*", path,
                     DOMAIN_INTERFACE, "Save", "ssu", "/dev/null", "", 0);
        client_fails(client, LIBVIRT_ERROR, "*neither a regular file nor a block device*", path,
                     DOMAIN_INTERFACE, "CoreDump", "suu", "/dev/null", 0, 0);
        close(fd);
}
END_TEST

/* Links stay, and what they name is what a guest is saved to, there or not. */
START_TEST(test_through_links)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));
        g_autofree char *link = harness_path(harness, "link"), *target = harness_path(harness, "saves/x");
        g_autofree char *dir = harness_path(harness, "saves"), *foreign = harness_path(harness, "foreign");

        ck_assert_int_eq(mkdir(dir, 0755), 0);
        ck_assert_int_eq(symlink("link", file), 0);
        ck_assert_int_eq(symlink("saves/x", link), 0);
        for (unsigned i = 0; i < 2; i++) {
                save(path, 0);
                ck_assert(g_file_test(file, G_FILE_TEST_IS_SYMLINK) &&
                          g_file_test(link, G_FILE_TEST_IS_SYMLINK));
                ck_assert(!g_file_test(target, G_FILE_TEST_IS_SYMLINK));
                ck_assert(is_saved());
                restore(0);
        }
        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 16);
        g_free(file);
        file = g_strdup(target);
        ck_assert(begins_with("\177ELF", 4));
        ck_assert_uint_eq(harness_count_files(dir), 1);
        if (geteuid() != 0)
                return;
        /* Whoever may write to the directory could have made it. */
        ck_assert_int_eq(symlink("saves/y", foreign), 0);
        ck_assert_int_eq(lchown(foreign, 12345, 12345), 0);
        client_fails(client, LIBVIRT_ERROR, "*'*/foreign' is a symbolic link of user 12345*", path,
                     DOMAIN_INTERFACE, "Save", "ssu", foreign, "", 0);
        ck_assert_uint_eq(harness_count_files(dir), 1);
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* The agent dies in the midst of it, early, late and in between. */
START_TEST(test_agent_is_killed)
{
        static void (*const moments[])(const char *path) = { wait_for_nothing, wait_for_pause, wait_for_end };
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));
        int fd = _i == 0 ? -1 : use_device(16 << 20);

        if (_i > 0 && fd < 0)
                return;
        for (unsigned i = 0; i < 4 * G_N_ELEMENTS(moments); i++) {
                struct client_answer answer = { 0 };

                client_forget_signals(client);
                client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
                moments[i % G_N_ELEMENTS(moments)](path);
                /* Somewhere else each time; all of it takes some tens of milliseconds. */
                g_usleep(i * 700);
                harness_end_agent(harness, SIGKILL);
                client_wait_answer(client, &answer);
                g_free(answer.error);
                harness_start_agent(harness);
                harness_wait_until(is_settled, path, "the guest is saved, or runs on");
                if (guest_get_state(client, path, NULL) == STATE_SHUTOFF) {
                        harness_wait_until(has_none, NULL, "the guest that was saved is gone");
                        restore(0);
                } else {
                        ck_assert(!is_saved() && (fd >= 0 || access(file, F_OK) != 0));
                }
                guest_expect_state(client, path, STATE_RUNNING, -1);
                if (fd < 0)
                        unlink(file);
                else
                        ck_assert_int_eq(pwrite(fd, "no more of a save", 16, 0), 16);
        }
        if (fd >= 0)
                close(fd);
}
END_TEST

START_TEST(test_emulator_is_killed)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));
        struct client_answer answer = { 0 };
        pid_t pid = harness_find_guest(harness, "bare");

        /* One that does not answer any more when it is to write. */
        ck_assert_int_eq(kill(pid, SIGSTOP), 0);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        kill(pid, SIGKILL);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        client_wait_event(client, path, EVENT_STOPPED, -1);
        guest_expect_state(client, path, STATE_SHUTOFF, 3);
        ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

/* One that takes long, because of what it goes through. */
START_TEST(test_aborted)
{
        g_autofree char *console = harness_path(harness, "console"), *config = NULL, *before = NULL;
        g_autofree char *program = g_find_program_in_path("xz"), *path = NULL, *wanted = NULL, *after = NULL;
        struct client_answer answer = { 0 };

        if (!program) {
                harness_skip("xz is not installed");
                return;
        }
        use_format("xz", &config);
        path = guest_start(client, guest_linux_xml("linux", console, "count"));
        guest_wait_console(console, "count 5");
        client_forget_signals(client);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        client_wait_event(client, path, EVENT_SUSPENDED, -1);
        client_fails(client, LIBVIRT_ERROR, "*is busy with 'save': call Resume when that is over;*", path,
                     DOMAIN_INTERFACE, "Resume", NULL);
        client_fails(client, LIBVIRT_ERROR, "*is busy with 'save': call Suspend when that is over;*", path,
                     DOMAIN_INTERFACE, "Suspend", NULL);
        guest_do(client, path, "AbortJob");
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_int_ne(access(file, F_OK), 0);
        before = read_all(console);
        wanted = g_strdup_printf("count %u", guest_check_count(before) + 3);
        guest_wait_console(console, wanted);
        after = read_all(console);
        guest_check_count(after);
}
END_TEST

START_TEST(test_dumps)
{
        enum { RAW, ZLIB, WINDOWS = 4, CRASH = 1, LIVE = 2, DIRECT = 4, RESET = 8, MEMORY_ONLY = 16 };
        static const struct {
                unsigned format, flags;
                const char *magic;
        } dumps[] = {
                { RAW, 0, "QEVM" },
                { RAW, LIVE, "QEVM" },
                { RAW, DIRECT, "QEVM" },
                { RAW, RESET, "QEVM" },
                { RAW, MEMORY_ONLY, "\177ELF" },
                { RAW, MEMORY_ONLY | LIVE, "\177ELF" },
                { ZLIB, MEMORY_ONLY, "makedumpfile" },
                { RAW, MEMORY_ONLY | CRASH, "\177ELF" },
        };
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));

        for (unsigned i = 0; i < G_N_ELEMENTS(dumps); i++) {
                client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, dumps[i].format,
                          dumps[i].flags);
                ck_assert(begins_with(dumps[i].magic, strlen(dumps[i].magic)));
                unlink(file);
                if (!(dumps[i].flags & CRASH))
                        guest_expect_state(client, path, STATE_RUNNING, -1);
                if (dumps[i].format != ZLIB)
                        continue;
                /* It is no Windows. */
                client_fails(client, LIBVIRT_ERROR, "*'dump' of domain 'bare' failed: win-dump: *", path,
                             DOMAIN_INTERFACE, "CoreDump", "suu", file, WINDOWS, MEMORY_ONLY);
                guest_expect_state(client, path, STATE_RUNNING, -1);
                ck_assert_int_ne(access(file, F_OK), 0);
        }
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_CRASHED);
        guest_expect_state(client, path, STATE_SHUTOFF, 3);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("save");
        TCase *tcase = tcase_create("save"), *targets = tcase_create("targets");

        if (geteuid() == 0 && !mounts_leave())
                perror("a mount namespace");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_guest_counts_on);
        tcase_add_test(tcase, test_nothing_defines_it);
        tcase_add_loop_test(tcase, test_compressed, 0, 3);
        tcase_add_test(tcase, test_paused);
        tcase_add_test(tcase, test_managed);
        tcase_add_test(tcase, test_cut_off);
        tcase_add_test(tcase, test_full_disk);
        tcase_add_test(tcase, test_many_at_once);
        tcase_add_loop_test(tcase, test_agent_is_killed, 0, 2);
        tcase_add_test(tcase, test_emulator_is_killed);
        tcase_add_test(tcase, test_aborted);
        tcase_add_test(tcase, test_dumps);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(targets, set_up, tear_down);
        tcase_add_test(targets, test_on_a_device);
        tcase_add_test(targets, test_small_device);
        tcase_add_test(targets, test_through_links);
        suite_add_tcase(suite, targets);
        return harness_main(suite);
}
