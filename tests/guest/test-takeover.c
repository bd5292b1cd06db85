/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests never notice that the agent goes away: it finds them again with pid, state and events, and nothing
 * else.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/script.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static void kill_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
}

static void restart(void)
{
        kill_agent();
        client_forget_signals(client);
        harness_start_agent(harness);
}

START_TEST(test_running_and_paused_guests)
{
        g_autofree char *running = guest_start(client, guest_bare_xml("runner", NULL));
        g_autofree char *paused = guest_start(client, guest_bare_xml("sleeper", NULL));
        g_autofree char *before = client_call_string(client, running, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *after = NULL;
        pid_t pid = harness_find_guest(harness, "runner");
        unsigned old_id = 0;
        unsigned id = 0;

        client_get(client, running, DOMAIN_INTERFACE, "Id", 'u', &old_id);
        guest_do(client, paused, "Suspend");
        restart();
        guest_expect_state(client, running, STATE_RUNNING, -1);
        guest_expect_state(client, paused, STATE_PAUSED, 1);
        ck_assert_int_eq(harness_find_guest(harness, "runner"), pid);
        client_get(client, running, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_eq(id, old_id);
        after = client_call_string(client, running, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(before, after);

        guest_do(client, paused, "Resume");
        client_wait_event(client, paused, EVENT_RESUMED, 0);
        guest_do_flags(client, running, "Destroy", 0);
        client_wait_event(client, running, EVENT_STOPPED, STOPPED_DESTROYED);
        harness_wait_gone(pid);
        guest_do_flags(client, running, "Create", 0);
        guest_expect_state(client, running, STATE_RUNNING, 1);
}
END_TEST

/* An orderly end leaves guests running just as well. */
START_TEST(test_sigterm_leaves_guests_running)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");

        harness_end_agent(harness, SIGTERM);
        client_wait_name(client, false);
        ck_assert_int_eq(harness_find_guest(harness, "web"), pid);
        harness_start_agent(harness);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_int_eq(harness_find_guest(harness, "web"), pid);
}
END_TEST

START_TEST(test_a_transient_guest)
{
        g_autofree char *xml = guest_bare_xml("web", NULL);
        g_autofree char *path =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        restart();
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert(!client_get_bool(client, path, DOMAIN_INTERFACE, "Persistent"));
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", path, DOMAIN_INTERFACE, "GetState", "u", 0);
}
END_TEST

static void kill_guest(const char *name)
{
        pid_t pid = harness_find_guest(harness, name);

        kill(pid, SIGKILL);
        harness_wait_gone(pid);
}

static bool is_off(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_SHUTOFF;
}

static bool is_unknown(void *path)
{
        g_autofree char *outcome = client_try(client, path, DOMAIN_INTERFACE, "GetState", "u", 0);

        return outcome && strstr(outcome, "Domain not found");
}

START_TEST(test_a_guest_that_died_meanwhile)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        g_autofree char *xml = guest_bare_xml("passing", NULL);
        g_autofree char *transient =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        kill_agent();
        kill_guest("web");
        kill_guest("passing");
        harness_start_agent(harness);
        /* Taking over goes on while the first calls are answered. */
        harness_wait_until(is_off, path, "the guest that died is off");
        harness_wait_until(is_unknown, transient, "the transient guest that died is gone");
        guest_do_flags(client, path, "Create", 0);
        guest_expect_state(client, path, STATE_RUNNING, 1);
}
END_TEST

START_TEST(test_a_guest_that_is_stopped_and_continued_meanwhile)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");

        kill_agent();
        kill(pid, SIGSTOP);
        harness_start_agent(harness);
        /* Start-up does not wait for it; whatever it is taken for, it is not off. */
        ck_assert_int_ne(guest_get_state(client, path, NULL), STATE_SHUTOFF);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        kill(pid, SIGCONT);
        guest_do(client, path, "Suspend");
        guest_expect_state(client, path, STATE_PAUSED, 1);
}
END_TEST

/* ---- one that is slow to say how it is ---- */

static bool has_given_up(void *data)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "the state of domain 'fault-plug-late' is not known") != NULL;
}

static bool is_paused(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_PAUSED;
}

/* It was paused while there was no agent, and says so when the next one does not wait any more. */
START_TEST(test_a_guest_that_tells_its_state_late)
{
        g_autofree char *script = script_new(harness, "script");
        g_autofree char *path = guest_start(client, script_make_xml(script, "late", ""));
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("run/qemu/%s/monitor.sock", uuid);
        g_autofree char *monitor = harness_path(harness, below);

        kill_agent();
        guest_tell_monitor(monitor, "{'execute': 'stop', 'id': 'stopped'}", "\"stopped\"", "return");
        script_tell(script, "ask hold");
        harness_start_agent(harness);
        harness_wait_until(script_is_held, script, "the agent has asked");
        harness_wait_until(has_given_up, NULL, "nobody waits any more");
        guest_expect_state(client, path, STATE_RUNNING, -1);
        script_tell(script, "pass");
        harness_wait_until(is_paused, path, "the late answer is heeded");
}
END_TEST

/* Every file of the runtime directory that names the guest's state is cut in half. */
static void tear_files(const char *dir)
{
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);
                g_autofree char *text = NULL;
                size_t length;

                if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
                        tear_files(path);
                else if (g_str_has_suffix(name, ".xml") && g_file_get_contents(path, &text, &length, NULL))
                        ck_assert(g_file_set_contents(path, text, length / 2, NULL));
        }
}

START_TEST(test_a_torn_status_file)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        g_autofree char *run = harness_path(harness, "run");
        pid_t pid = harness_find_guest(harness, "web");

        kill_agent();
        tear_files(run);
        harness_start_agent(harness);
        ck_assert_int_eq(harness_find_guest(harness, "web"), pid);
        ck_assert_int_ne(guest_get_state(client, path, NULL), STATE_SHUTOFF);
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(pid);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
}
END_TEST

/* In every file below dir, the number of one process takes the place of another's. */
static void swap_pid(const char *dir, pid_t from, pid_t to)
{
        g_autofree char *old = g_strdup_printf("\\b%d\\b", (int)from), *new = g_strdup_printf("%d", (int)to);
        g_autoptr(GRegex) regex = g_regex_new(old, 0, 0, NULL);
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);
                g_autofree char *text = NULL, *swapped = NULL;

                if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
                        swap_pid(path, from, to);
                else if (g_file_test(path, G_FILE_TEST_IS_REGULAR) &&
                         g_file_get_contents(path, &text, NULL, NULL)) {
                        swapped = g_regex_replace_literal(regex, text, -1, 0, new, 0, NULL);
                        ck_assert(g_file_set_contents(path, swapped, -1, NULL));
                }
        }
}

/* Ends the guest; its pid has become that of other. */
static void reuse_pid(const char *run, const char *name, pid_t other)
{
        pid_t pid = harness_find_guest(harness, name);

        kill_guest(name);
        swap_pid(run, pid, other);
}

/* A pid is used again: who has it now is no guest, and is left alone. */
START_TEST(test_another_process_with_its_pid)
{
        const char *argv[] = { "/bin/sleep", "600", NULL };
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        g_autofree char *xml = guest_bare_xml("torn", NULL);
        g_autofree char *torn =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        g_autofree char *uuid = client_get_string(client, torn, DOMAIN_INTERFACE, "UUID");
        g_autofree char *run = harness_path(harness, "run"),
                        *files = g_build_filename(run, "qemu", uuid, NULL);
        g_autofree char *pid_file = g_build_filename(files, "pid", NULL);
        GPid other;

        ck_assert(g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &other,
                                NULL));
        kill_agent();
        reuse_pid(run, "web", other);
        reuse_pid(run, "torn", other);
        tear_files(files);
        ck_assert(g_file_test(pid_file, G_FILE_TEST_EXISTS));
        harness_start_agent(harness);
        harness_wait_until(is_off, path, "the guest that died is off");
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", torn, DOMAIN_INTERFACE, "GetState", "u", 0);
        guest_do_flags(client, path, "Create", 0);
        /* Nothing was made of what says no more than a pid. */
        ck_assert(g_file_test(pid_file, G_FILE_TEST_EXISTS));
        ck_assert_int_eq(kill(other, 0), 0);
        ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
        kill(other, SIGKILL);
        waitpid(other, NULL, 0);
}
END_TEST

static bool is_missing(void *path)
{
        return !g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Killed before anything was written down of a guest, which may be one that nobody starts again. */
START_TEST(test_a_start_that_has_not_begun)
{
        static const char name[] = "run/qemu/6695eb01-f6a4-8304-79aa-97f2502e193f";
        g_autofree char *dir = harness_path(harness, name), *io = g_build_filename(dir, "io", NULL);
        g_autofree char *torn = g_build_filename(dir, ".tmp-1-2", NULL);

        kill_agent();
        ck_assert_int_eq(g_mkdir_with_parents(io, 0700), 0);
        ck_assert(g_file_set_contents(torn, "<", 1, NULL));
        harness_start_agent(harness);
        harness_wait_until(is_missing, dir, "the directory has gone");
}
END_TEST

/* Killed while guests start: each is there with its process, or gone without one. */
START_TEST(test_kill_while_guests_start)
{
        enum { COUNT = 6 };
        const unsigned moments_ms[] = { 20, 60, 150, 400 };
        char *paths[COUNT];

        for (unsigned i = 0; i < COUNT; i++) {
                g_autofree char *name = g_strdup_printf("start-%u.", i);

                paths[i] = guest_define(client, guest_bare_xml(name, NULL));
        }
        for (unsigned round = 0; round < G_N_ELEMENTS(moments_ms); round++) {
                struct client *starter = harness_connect(harness);
                struct client_answer answers[COUNT] = { 0 };

                for (unsigned i = 0; i < COUNT; i++)
                        client_send(starter, &answers[i], paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
                /* The one pause of these tests: the moment of the fault is what is tested. */
                g_usleep(moments_ms[round] * 1000);
                kill_agent();
                client_free(starter);
                harness_start_agent(harness);
                for (unsigned i = 0; i < COUNT; i++) {
                        g_autofree char *name = g_strdup_printf("start-%u.", i);
                        g_autofree char *outcome =
                                client_try(client, paths[i], DOMAIN_INTERFACE, "Destroy", "u", 0);

                        /* A destroy that works found a guest, one that does not finds it off. */
                        ck_assert_msg(!outcome || strstr(outcome, "Requested operation is not valid"), "%s",
                                      outcome);
                        guest_expect_state(client, paths[i], STATE_SHUTOFF, -1);
                        ck_assert_msg(harness_find_guest(harness, name) == 0, "orphan of '%s'", name);
                }
        }
        for (unsigned i = 0; i < COUNT; i++)
                g_free(paths[i]);
}
END_TEST

/* ---- the program that it runs ---- */

/* What is installed under that name is another one. */
static char *start_with_emulator(const char *name, const char *emulator)
{
        g_autofree char *installed = g_find_program_in_path("qemu-system-x86_64");
        g_autofree char *devices =
                g_strdup_printf("<emulator>%s</emulator>"
                                "<controller type='pci' index='1' model='pcie-root-port'/>"
                                "<controller type='pci' index='2' model='pcie-root-port'/>",
                                emulator);
        char *path;

        ck_assert_ptr_nonnull(installed);
        ck_assert_int_eq(symlink(installed, emulator), 0);
        path = guest_start(client, guest_bare_xml(name, devices));
        ck_assert_int_eq(unlink(emulator), 0);
        return path;
}

static void attach_interface(const char *path, const char *mac)
{
        g_autofree char *xml = g_strdup_printf("<interface type='user'><mac address='%s'/>"
                                               "<model type='virtio'/></interface>",
                                               mac);
        g_autofree char *after = NULL;

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, 1);
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(after, mac));
}

/* An update of the host's packages does that: the guest is told what it understands, not what its next start
 * would. */
START_TEST(test_an_emulator_that_is_replaced)
{
        g_autofree char *emulator = harness_path(harness, "qemu");
        g_autofree char *path = start_with_emulator("old", emulator);

        attach_interface(path, "52:54:00:00:00:01");
        ck_assert(g_file_set_contents(emulator, "#!/bin/sh\necho 'another one' >&2\nexit 1\n", -1, NULL));
        ck_assert_int_eq(chmod(emulator, 0755), 0);
        restart();
        attach_interface(path, "52:54:00:00:00:02");
        /* Its next start is that of the other one. */
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "*another one*", path, DOMAIN_INTERFACE, "Create", "u", 0);
}
END_TEST

START_TEST(test_an_emulator_that_is_removed)
{
        g_autofree char *emulator = harness_path(harness, "qemu");
        g_autofree char *path = start_with_emulator("old", emulator);

        restart();
        attach_interface(path, "52:54:00:00:00:01");
}
END_TEST

START_TEST(test_autostart)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", NULL));

        client_do(client, path, "org.freedesktop.DBus.Properties", "Set", "ssv", DOMAIN_INTERFACE,
                  "Autostart", "b", 1);
        kill_agent();
        /* At boot the runtime directory is empty: that is how the agent knows. */
        {
                g_autofree char *run = harness_path(harness, "run");
                const char *argv[] = { "rm", "-rf", run, NULL };

                ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                                       NULL, NULL));
        }
        client_forget_signals(client);
        harness_start_agent(harness);
        client_wait_event(client, path, EVENT_STARTED, STARTED_BOOTED);
        guest_expect_state(client, path, STATE_RUNNING, 1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("takeover");
        TCase *tcase = tcase_create("takeover"), *late = tcase_create("late");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_running_and_paused_guests);
        tcase_add_test(tcase, test_sigterm_leaves_guests_running);
        tcase_add_test(tcase, test_a_transient_guest);
        tcase_add_test(tcase, test_a_guest_that_died_meanwhile);
        tcase_add_test(tcase, test_a_guest_that_is_stopped_and_continued_meanwhile);
        tcase_add_test(tcase, test_a_torn_status_file);
        tcase_add_test(tcase, test_another_process_with_its_pid);
        tcase_add_test(tcase, test_a_start_that_has_not_begun);
        tcase_add_test(tcase, test_kill_while_guests_start);
        tcase_add_test(tcase, test_an_emulator_that_is_replaced);
        tcase_add_test(tcase, test_an_emulator_that_is_removed);
        tcase_add_test(tcase, test_autostart);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(late, set_up, tear_down);
        tcase_add_test(late, test_a_guest_that_tells_its_state_late);
        suite_add_tcase(suite, late);
        return harness_main(suite);
}
