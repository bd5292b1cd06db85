/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that crash: their boot sector tells the panic device, and the definition says what becomes of them
 * and of their memory.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/mounts.h"
#include "tests/support/script.h"

enum {
        SHUTOFF_CRASHED = 3,
        START_PAUSED = 1,
        MEMORY_ONLY = 16,
        DUMPS_MAX = 4,
        MEMORY = 64 * 1024 * 1024,
        DISK = 1024 * 1024,
};

static struct harness *harness;
static struct client *client;
static char *dumps;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        dumps = harness_path(harness, "state/qemu/dump");
}

static void tear_down(void)
{
        g_free(dumps);
        harness_free(harness);
}

/* mov $0x505,%dx; mov $1,%al; out %al,(%dx); hlt; jmp to the hlt */
static char *make_disk_xml(void)
{
        static const uint8_t code[] = { 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd };
        g_autofree char *disk = harness_path(harness, "disk");
        g_autofree uint8_t *disk_bytes = g_malloc0(DISK);

        memcpy(disk_bytes, code, sizeof(code));
        disk_bytes[510] = 0x55;
        disk_bytes[511] = 0xaa;
        ck_assert(g_file_set_contents(disk, (const char *)disk_bytes, DISK, NULL));
        return g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                               "<target dev='vda' bus='virtio'/></disk><panic model='isa'/>",
                               disk);
}

/* Takes xml. */
static GString *set_action(char *xml, const char *action)
{
        g_autofree char *element = g_strdup_printf("<on_crash>%s</on_crash><devices>", action);
        GString *whole = g_string_new(xml);

        g_free(xml);
        g_string_replace(whole, "<devices>", element, 1);
        /* A processor that is emulated is in real mode as quickly as in any other. */
        g_string_replace(whole, "<domain type='kvm'>", "<domain type='qemu'>", 1);
        return whole;
}

static char *make_xml(const char *action)
{
        g_autofree char *disk = make_disk_xml();

        return g_string_free(set_action(guest_bare_xml("linux", disk), action), FALSE);
}

/* How many there are; each is whole. */
static unsigned check_dumps(void)
{
        g_autoptr(GDir) dir = g_dir_open(dumps, 0, NULL);
        const char *name;
        unsigned count = 0;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(dumps, name, NULL);
                g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);

                /* Or on its way to be one. */
                if (*name == '.')
                        continue;
                ck_assert_msg(file && g_mapped_file_get_length(file) > MEMORY, "%s", name);
                ck_assert_mem_eq(g_mapped_file_get_contents(file), "\177ELF", 4);
                count++;
        }
        return count;
}

static unsigned count_files(void)
{
        g_autoptr(GDir) dir = g_dir_open(dumps, 0, NULL);
        unsigned count = 0;

        while (dir && g_dir_read_name(dir))
                count++;
        return count;
}

START_TEST(test_dumped_and_destroyed)
{
        g_autofree char *path = guest_define(client, make_xml("coredump-destroy"));

        guest_do_flags(client, path, "Create", 0);
        client_wait_event(client, path, EVENT_CRASHED, 0);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_CRASHED);
        guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_CRASHED);
        ck_assert_uint_eq(check_dumps(), 1);
        ck_assert_uint_eq(count_files(), 1);
}
END_TEST

static unsigned count_told(void)
{
        g_autofree char *log = harness_read_log(harness);
        unsigned count = 0;

        for (const char *at = log; (at = strstr(at, "its memory is in")); at++)
                count++;
        return count;
}

static bool has_given_up(void *data)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "has 4 of its dumps already");
}

/* Again and again: it starts over each time, and the disk does not fill. */
START_TEST(test_dumped_and_restarted)
{
        g_autofree char *path = guest_define(client, make_xml("coredump-restart"));

        guest_do_flags(client, path, "Create", 0);
        for (unsigned i = 0; i <= DUMPS_MAX; i++)
                client_wait_event(client, path, EVENT_CRASHED, 0);
        harness_wait_until(has_given_up, NULL, "the agent says that there are enough");
        client_wait_event(client, path, EVENT_RESUMED, 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_uint_eq(check_dumps(), DUMPS_MAX);
        ck_assert_uint_eq(count_files(), DUMPS_MAX);
        ck_assert_uint_eq(count_told(), DUMPS_MAX);
}
END_TEST

/* It is destroyed all the same, and nothing half is left. */
START_TEST(test_full_disk)
{
        g_autofree char *log = NULL, *path = NULL;

        if (geteuid() != 0) {
                harness_skip("a small file system takes root");
                return;
        }
        ck_assert_int_eq(mkdir(dumps, 0700), 0);
        ck_assert_int_eq(mount("none", dumps, "tmpfs", 0, "size=4m,mode=0700"), 0);
        path = guest_define(client, make_xml("coredump-destroy"));
        guest_do_flags(client, path, "Create", 0);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_CRASHED);
        ck_assert_uint_eq(count_files(), 0);
        log = harness_read_log(harness);
        ck_assert_msg(strstr(log, "has crashed, and is not dumped"), "%s", log);
        umount2(dumps, MNT_DETACH);
}
END_TEST

/* What the definition keeps can be looked at. */
START_TEST(test_preserved_and_dumped)
{
        g_autofree char *path = guest_define(client, make_xml("preserve"));
        g_autofree char *file = harness_path(harness, "core"), *text = NULL;
        gsize length;

        guest_do_flags(client, path, "Create", 0);
        client_wait_event(client, path, EVENT_CRASHED, 0);
        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, MEMORY_ONLY);
        guest_expect_state(client, path, STATE_CRASHED, -1);
        ck_assert(g_file_get_contents(file, &text, &length, NULL));
        ck_assert_uint_gt(length, MEMORY);
        client_fails(client, LIBVIRT_ERROR, "*neither runs nor is paused", path, DOMAIN_INTERFACE, "Save",
                     "ssu", file, "", 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_uint_eq(count_files(), 0);
}
END_TEST

static bool has_ended(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_SHUTOFF;
}

static bool has_file(pid_t emulator)
{
        g_autofree char *all = g_strconcat(dumps, "/*", NULL);

        return harness_has_open(emulator, all);
}

/*
 * A guest with much memory has crashed, and its agent is killed when it has told QEMU to write that. The
 * emulator's pid goes to *emulator.
 */
static char *crash_and_kill_agent(pid_t *emulator)
{
        g_autofree char *script = script_new(harness, "script"), *name = script_name_emulator("crash");
        g_autofree char *disk = make_disk_xml();
        GString *xml = set_action(script_make_xml(script, "crash", disk), "coredump-destroy");
        char *path;

        g_string_replace(xml, "<memory unit='MiB'>64<", "<memory unit='MiB'>512<", 1);
        path = guest_define(client, g_string_free(xml, FALSE));
        guest_do_flags(client, path, "Create", START_PAUSED);
        script_tell(script, "dump hold");
        guest_do(client, path, "Resume");
        client_wait_event(client, path, EVENT_CRASHED, 0);
        harness_wait_until(script_is_held, script, "QEMU is about to write");
        *emulator = harness_find_guest(harness, name);
        ck_assert(has_file(*emulator));
        harness_end_agent(harness, SIGKILL);
        script_tell(script, "pass");
        return path;
}

/* Its successor does what it had begun, when QEMU is done with what that had asked for. */
START_TEST(test_the_agent_is_killed)
{
        pid_t emulator;
        g_autofree char *path = crash_and_kill_agent(&emulator);

        harness_start_agent(harness);
        harness_wait_until(has_ended, path, "the guest is destroyed");
        ck_assert_uint_ge(check_dumps(), 1);
}
END_TEST

static bool has_written(void *emulator)
{
        return !has_file(*(pid_t *)emulator);
}

/* The same, when QEMU is done before it comes. */
START_TEST(test_found_crashed)
{
        pid_t emulator;
        g_autofree char *path = crash_and_kill_agent(&emulator);

        harness_wait_until(has_written, &emulator, "all of its memory is written");
        harness_start_agent(harness);
        harness_wait_until(has_ended, path, "the guest is destroyed");
        ck_assert_uint_ge(check_dumps(), 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/crash");
        TCase *tests = tcase_create("crash");

        if (geteuid() == 0 && !mounts_leave())
                perror("a mount namespace");
        tcase_set_timeout(tests, 300);
        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, test_dumped_and_destroyed);
        tcase_add_test(tests, test_dumped_and_restarted);
        tcase_add_test(tests, test_full_disk);
        tcase_add_test(tests, test_preserved_and_dumped);
        tcase_add_test(tests, test_the_agent_is_killed);
        tcase_add_test(tests, test_found_crashed);
        suite_add_tcase(suite, tests);
        return harness_main(suite);
}
