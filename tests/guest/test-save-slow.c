/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Saves and dumps that take long: what becomes of the domain, of its guest and of their settings meanwhile,
 * and when the agent is killed.
 */

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/script.h"

enum { PAUSED_DUMP = 4 };

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

/* A program of that name that does `first`, and `last` when there is a file `gate`. */
static void use_slow_program(const char *name, const char *first, const char *last, const char *gate)
{
        g_autofree char *folder = harness_path(harness, "programs");
        g_autofree char *program = g_build_filename(folder, name, NULL);
        g_autofree char *places = g_strconcat(folder, ":", g_getenv("PATH"), NULL);
        g_autofree char *text = g_strdup_printf(
                "#!/bin/sh\n%s\nwhile ! test -e '%s'; do sleep 0.05; done\n%s\n", first, gate, last);

        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert(g_file_set_contents(program, text, -1, NULL));
        ck_assert_int_eq(chmod(program, 0755), 0);
        harness_set_environment(harness, "PATH", places);
}

/* Saves go through a program that reads all at once, and ends when there is a file `gate`. */
static void save_slowly(const char *gate)
{
        g_autofree char *config = harness_path(harness, "virtbusd.conf"), *before = NULL, *text = NULL;

        harness_end_agent(harness, SIGTERM);
        use_slow_program("xz", "cat", "", gate);
        ck_assert(g_file_get_contents(config, &before, NULL, NULL));
        text = g_strconcat(before, "\n[qemu]\nsave_image_format=xz\n", NULL);
        ck_assert(g_file_set_contents(config, text, -1, NULL));
        harness_start_agent(harness);
}

static bool is_written(void *path)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetJobInfo", NULL);
        uint64_t processed;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ittttttttttt"), 0);
        ck_assert_int_ge(sd_bus_message_skip(reply, "ittt"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "t", &processed), 0);
        return processed > 0;
}

/* Undefined in the midst of it: the guest runs on, and no file stays behind that would be nobody's. */
START_TEST(test_undefined_meanwhile)
{
        g_autofree char *saves = harness_path(harness, "state/qemu/save"), *path = NULL;
        g_autofree char *gate = harness_path(harness, "gate");
        struct client_answer answer = { 0 };

        save_slowly(gate);
        path = guest_start(client, guest_bare_xml("bare", NULL));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "ManagedSave", "u", 0);
        harness_wait_until(is_written, path, "the guest's memory is in the program");
        guest_do_flags(client, path, "Undefine", 0);
        ck_assert(g_file_set_contents(gate, "", 0, NULL));
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        ck_assert_msg(strstr(answer.error, "is transient"), "%s", answer.error);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_uint_eq(harness_count_files(saves), 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_uint_eq(harness_count_files(saves), 0);
}
END_TEST

/* What a save of a guest that has ended leaves alone: the next guest of the domain, and what it waits for. */
START_TEST(test_the_next_guest)
{
        g_autofree char *gate = harness_path(harness, "gate"), *path = NULL, *xml = NULL;
        struct client_answer answer = { 0 };

        save_slowly(gate);
        path = guest_start(client, guest_bare_xml("bare", NULL));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        harness_wait_until(is_written, path, "the guest's memory is in the program");
        guest_do_flags(client, path, "Destroy", 0);
        client_do(client, QEMU_PATH, "org.virtbus.Migration", "Prepare", "sa{sv}u", xml, 0, 1);
        client_fails(client, LIBVIRT_ERROR, "*is busy with 'migration'", path, DOMAIN_INTERFACE, "Resume",
                     NULL);
        ck_assert(!answer.done);
        ck_assert(g_file_set_contents(gate, "", 0, NULL));
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "ended with its guest"));
        g_free(answer.error);
        client_fails(client, LIBVIRT_ERROR, "*is busy with 'migration'", path, DOMAIN_INTERFACE, "Resume",
                     NULL);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static bool is_running(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_RUNNING;
}

static uint64_t get_number(const char *path, const char *member)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, member, "u", 0);
        uint64_t value;

        ck_assert_int_gt(sd_bus_message_read(reply, "t", &value), 0);
        return value;
}

/* A dump of memory that QEMU is in the midst of when the agent dies, and for longer than it is asked to go
 * on. */
START_TEST(test_a_dump_outlasts_its_agent)
{
        enum { DIRECT = 4, MEMORY_ONLY = 16 };
        g_autofree char *gate = harness_path(harness, "gate"), *path = NULL;
        g_autofree char *dd = g_find_program_in_path("dd"), *run = g_strdup_printf("exec %s \"$@\"", dd);
        struct client_answer answer = { 0 };

        harness_end_agent(harness, SIGTERM);
        use_slow_program("dd", "", run, gate);
        harness_start_agent(harness);
        path = guest_start(client, guest_bare_xml("bare", NULL));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0,
                    DIRECT | MEMORY_ONLY);
        harness_wait_until(is_written, path, "some of the guest's memory is written");
        harness_end_agent(harness, SIGKILL);
        client_wait_answer(client, &answer);
        g_free(answer.error);
        harness_start_agent(harness);
        guest_expect_state(client, path, STATE_PAUSED, PAUSED_DUMP);
        /* Behind the first look at it. */
        get_number(path, "MigrateGetMaxSpeed");
        guest_expect_state(client, path, STATE_PAUSED, PAUSED_DUMP);
        ck_assert(g_file_set_contents(gate, "", 0, NULL));
        client_wait_event(client, path, EVENT_RESUMED, -1);
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* What is set for migrations holds, and a save is none. */
START_TEST(test_how_to_migrate)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("bare", NULL));

        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), INT64_MAX >> 20);
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(7), 0);
        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 0);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 7);
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", UINT64_C(200), 0);
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetCompressionCache", "tu", UINT64_C(1) << 25, 0);
        ck_assert_uint_eq(get_number(path, "MigrateGetCompressionCache"), 1 << 25);
        client_fails(client, LIBVIRT_ERROR, "*is more than*", path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed",
                     "tu", UINT64_MAX, 0);
        guest_do_flags(client, path, "Destroy", 0);
        /* The speed is the domain's, the rest a guest's. */
        client_fails(client, LIBVIRT_ERROR, "*not running*", path, DOMAIN_INTERFACE, "MigrateGetMaxSpeed",
                     "u", 1);
        client_fails(client, LIBVIRT_ERROR, "*not running*", path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime",
                     "tu", UINT64_C(200), 0);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 7);
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(9), 0);
        guest_do_flags(client, path, "Create", 0);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 9);
        guest_do_flags(client, path, "Destroy", 0);
        harness_end_agent(harness, SIGTERM);
        harness_start_agent(harness);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), INT64_MAX >> 20);
}
END_TEST

/* Also what is set while one of them goes on. */
START_TEST(test_how_to_migrate_next)
{
        g_autofree char *gate = harness_path(harness, "gate"), *path = NULL;
        struct client_answer answer = { 0 };

        save_slowly(gate);
        path = guest_start(client, guest_bare_xml("bare", NULL));
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        harness_wait_until(is_written, path, "the guest's memory is in the program");
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(7), 0);
        guest_do(client, path, "AbortJob");
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 7);
}
END_TEST

/* Whoever is killed in the midst of it. */
START_TEST(test_how_to_migrate_then)
{
        g_autofree char *gate = harness_path(harness, "gate"), *path = NULL;
        struct client_answer answer = { 0 };

        save_slowly(gate);
        path = guest_start(client, guest_bare_xml("bare", NULL));
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(7), 0);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        harness_wait_until(is_written, path, "the guest's memory is in the program");
        harness_end_agent(harness, SIGKILL);
        client_wait_answer(client, &answer);
        g_free(answer.error);
        ck_assert(g_file_set_contents(gate, "", 0, NULL));
        harness_start_agent(harness);
        harness_wait_until(is_running, path, "the guest runs on");
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 7);
        /* It is the guest's own again. */
        client_do(client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", UINT64_C(8), 0);
        harness_end_agent(harness, SIGTERM);
        harness_start_agent(harness);
        ck_assert_uint_eq(get_number(path, "MigrateGetMaxSpeed"), 8);
}
END_TEST

/* ---- a file that QEMU has been given, and does not use ---- */

static bool has_file(pid_t emulator)
{
        /* one that has no name yet (O_TMPFILE) */
        g_autofree char *unnamed = g_strconcat(harness_get_root(harness), "/#*", NULL);

        return harness_has_open(emulator, unnamed);
}

static bool has_let_go(void *emulator)
{
        return !has_file(*(pid_t *)emulator);
}

/* One that nobody can take this guest's memory to. */
START_TEST(test_it_refuses)
{
        g_autofree char *bare = guest_bare_xml("bare", "<shmem name='peer' role='peer'>"
                                                       "<model type='ivshmem-plain'/>"
                                                       "<size unit='M'>4</size></shmem>");
        g_autofree char *path = guest_start(client, g_steal_pointer(&bare));
        pid_t emulator = harness_find_guest(harness, "guest=bare");

        client_fails(client, LIBVIRT_ERROR, "*ivshmem*", path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        harness_wait_until(has_let_go, &emulator, "the file is nobody's");
}
END_TEST

/* The agent ends before it has said what it is for. */
START_TEST(test_it_is_not_told)
{
        g_autofree char *script = script_new(harness, "script"), *name = script_name_emulator("save");
        g_autofree char *path = guest_start(client, script_make_xml(script, "save", ""));
        pid_t emulator = harness_find_guest(harness, name);
        struct client_answer answer = { 0 };

        script_tell(script, "move hold");
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        harness_wait_until(script_is_held, script, "it is about to be told");
        ck_assert(has_file(emulator));
        harness_end_agent(harness, SIGKILL);
        client_wait_answer(client, &answer);
        g_free(answer.error);
        script_tell(script, "drop");
        harness_start_agent(harness);
        harness_wait_until(is_running, path, "the guest runs on");
        harness_wait_until(has_let_go, &emulator, "the file is nobody's");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("save-slow");
        TCase *tcase = tcase_create("save-slow");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_undefined_meanwhile);
        tcase_add_test(tcase, test_the_next_guest);
        tcase_add_test(tcase, test_a_dump_outlasts_its_agent);
        tcase_add_test(tcase, test_how_to_migrate);
        tcase_add_test(tcase, test_how_to_migrate_next);
        tcase_add_test(tcase, test_how_to_migrate_then);
        tcase_add_test(tcase, test_it_refuses);
        tcase_add_test(tcase, test_it_is_not_told);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
