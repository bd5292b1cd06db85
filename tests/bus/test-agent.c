/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent as a process: options, a second one, buses that are not there or go away, signals, broken
 * standard streams.
 */

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define WEB  TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"

static struct harness *harness;
static struct client *client;

/* A bus only: most cases start agents of their own kind. */
static void set_up(void)
{
        harness = harness_new_bus();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

struct outcome {
        int status;   /* as from exit(3), -1 after a signal */
        char *output; /* owned, standard output and standard error */
};

/* Runs an agent to its end on a bus at `address`. */
static void run_agent(const char *address, const char *state_dir, const char *option, struct outcome *outcome)
{
        g_autofree char *runtime_dir = harness_path(harness, "second-run");
        g_autofree char *log_dir = harness_path(harness, "second-log");
        g_autofree char *cache_dir = harness_path(harness, "second-cache");
        const char *argv[] = { g_getenv("VIRTBUSD"),
                               getuid() == 0 ? "--system" : "--session",
                               "--state-dir",
                               state_dir,
                               "--runtime-dir",
                               runtime_dir,
                               "--log-dir",
                               log_dir,
                               "--cache-dir",
                               cache_dir,
                               option,
                               NULL };
        g_auto(GStrv) environment =
                g_environ_setenv(g_get_environ(), "DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
        g_autofree char *output = NULL;
        g_autofree char *errors = NULL;
        int status = 0;

        environment = g_environ_setenv(environment, "DBUS_SESSION_BUS_ADDRESS", address, TRUE);
        ck_assert(g_spawn_sync(NULL, (char **)argv, environment, G_SPAWN_DEFAULT, NULL, NULL, &output,
                               &errors, &status, NULL));
        outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        outcome->output = g_strconcat(output, errors, NULL);
}

static void define_web(void)
{
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

START_TEST(test_version_and_help)
{
        g_autofree char *state = harness_path(harness, "state");
        struct outcome version = { 0 };
        struct outcome help = { 0 };
        struct outcome wrong = { 0 };

        run_agent(harness_get_address(harness), state, "--version", &version);
        ck_assert_int_eq(version.status, 0);
        ck_assert_ptr_nonnull(strstr(version.output, "virtbus"));
        run_agent(harness_get_address(harness), state, "--help", &help);
        ck_assert_int_eq(help.status, 0);
        ck_assert_ptr_nonnull(strstr(help.output, "--state-dir"));
        run_agent(harness_get_address(harness), state, "--windmill", &wrong);
        ck_assert_int_gt(wrong.status, 0);
        g_free(version.output);
        g_free(help.output);
        g_free(wrong.output);
}
END_TEST

/* Without systemd: the call that starts it is answered, and it finds its tools without being told where. */
START_TEST(test_started_by_the_bus)
{
        g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
        g_autofree char *capabilities = NULL;
        pid_t pid;

        harness_stop_bus(harness);
        harness_make_activatable(harness);
        harness_start_bus(harness);
        harness_reconnect(harness);
        client = harness_get_client(harness);
        capabilities = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetCapabilities", NULL);
        if (qemu)
                ck_assert_ptr_nonnull(strstr(capabilities, "<emulator>/usr/"));
        ck_assert_ptr_null(strstr(capabilities, "<emulator>/bin/"));
        pid = client_get_owner_pid(client);
        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(kill(pid, SIGTERM), 0);
        client_wait_name(client, false);
        harness_wait_gone(pid);
}
END_TEST

static void expect_log(const char *config, const char *text)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf");
        g_autofree char *log = NULL;

        ck_assert(g_file_set_contents(path, config, -1, NULL));
        harness_start_agent(harness);
        harness_end_agent(harness, SIGTERM);
        client_wait_name(client, false);
        log = harness_read_log(harness);
        ck_assert_msg(strstr(log, text), "'%s' is not in: %s", text, log);
}

START_TEST(test_guests_as_root_are_no_secret)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf");
        g_autofree char *option = g_strconcat("--config=", path, NULL);

        if (geteuid() != 0) {
                harness_skip("guests as root take an agent that root runs");
                return;
        }
        harness_add_option(harness, option);
        expect_log("[qemu]\nuser=\n", "warning: guests run as root, as ");
        if (!getpwnam("virtbus-qemu"))
                expect_log("", "error: GUESTS RUN AS ROOT: this host has no user 'virtbus-qemu'");
}
END_TEST

START_TEST(test_second_agent_on_the_bus)
{
        g_autofree char *other_state = harness_path(harness, "other-state");
        struct outcome second = { 0 };
        pid_t pid;

        harness_start_agent(harness);
        pid = client_get_owner_pid(client);
        run_agent(harness_get_address(harness), other_state, NULL, &second);
        ck_assert_int_gt(second.status, 0);
        ck_assert_ptr_nonnull(strstr(second.output, "org.libvirt"));
        ck_assert_int_eq(client_get_owner_pid(client), pid);
        client_ping(client);
        g_free(second.output);
}
END_TEST

START_TEST(test_second_agent_in_the_state_directory)
{
        struct harness *other = harness_new_bus();
        g_autofree char *state = harness_path(harness, "state");
        struct outcome second = { 0 };

        harness_start_agent(harness);
        run_agent(harness_get_address(other), state, NULL, &second);
        ck_assert_int_gt(second.status, 0);
        ck_assert_ptr_nonnull(strstr(second.output, state));
        client_ping(client);
        g_free(second.output);
        harness_free(other);
}
END_TEST

/* The XDG Base Directory Specification: a relative path in one of its variables is to be ignored. */
START_TEST(test_relative_directories_of_the_environment)
{
        static const char *const variables[] = { "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR" };
        const char *argv[] = { g_getenv("VIRTBUSD"), "--session", NULL };
        g_autofree char *home = harness_path(harness, "home"), *here = harness_path(harness, "here");
        g_autofree char *state = g_build_filename(home, ".local/state/virtbus", NULL);
        g_autofree char *cache = g_build_filename(home, ".cache/virtbus", NULL);
        g_autofree char *relative = g_build_filename(here, "relative", NULL);
        g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "HOME", home, TRUE);

        ck_assert(g_mkdir_with_parents(home, 0700) == 0 && g_mkdir_with_parents(here, 0700) == 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(variables); i++)
                environment = g_environ_setenv(environment, variables[i], "relative", TRUE);
        /* It has its directories before it finds that there is no bus. */
        environment =
                g_environ_setenv(environment, "DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
        ck_assert(g_spawn_sync(here, (char **)argv, environment,
                               G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL,
                               NULL, NULL, NULL));
        ck_assert(g_file_test(state, G_FILE_TEST_IS_DIR));
        ck_assert(g_file_test(cache, G_FILE_TEST_IS_DIR));
        ck_assert(!g_file_test(relative, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(test_no_bus_at_start)
{
        g_autofree char *state = harness_path(harness, "state");
        struct outcome outcome = { 0 };

        run_agent("unix:path=/nonexistent/bus", state, NULL, &outcome);
        ck_assert_int_gt(outcome.status, 0);
        ck_assert_uint_gt(strlen(outcome.output), 0);
        g_free(outcome.output);
}
END_TEST

/* The bus goes and comes back: the same process takes the name again, knows what it knew, and is heard. */
START_TEST(test_bus_goes_and_comes_back)
{
        pid_t pid;

        harness_start_agent(harness);
        pid = harness_get_agent_pid(harness);
        define_web();
        for (unsigned round = 0; round < 3; round++) {
                harness_stop_bus(harness);
                harness_start_bus(harness);
                harness_reconnect(harness);
                client = harness_get_client(harness);
                client_wait_name(client, true);
                ck_assert_int_eq(client_get_owner_pid(client), pid);
                client_do(client, WEB, DOMAIN_INTERFACE, "Create", "u", 0);
                client_wait_event(client, WEB, 2, 0);
                client_do(client, WEB, DOMAIN_INTERFACE, "Destroy", "u", 0);
                client_wait_event(client, WEB, 5, 1);
        }
}
END_TEST

START_TEST(test_sigterm_while_the_bus_is_away)
{
        int status;

        harness_start_agent(harness);
        harness_stop_bus(harness);
        status = harness_end_agent(harness, SIGTERM);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        harness_start_bus(harness);
        harness_reconnect(harness);
}
END_TEST

static int ignore_reply(sd_bus_message *reply, void *data, sd_bus_error *error)
{
        return 0;
}

static void end_with_calls_in_flight(int signal)
{
        sd_bus *bus = client_get_bus(client);
        g_autofree char *xml = guest_test_xml("web", UUID);
        int status;

        harness_start_agent(harness);
        for (unsigned i = 0; i < 100; i++) {
                ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.libvirt", TEST_PATH,
                                                          CONNECT_INTERFACE, "DomainDefineXML", ignore_reply,
                                                          NULL, "s", xml),
                                 0);
                ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.libvirt", WEB, DOMAIN_INTERFACE,
                                                          "Create", ignore_reply, NULL, "u", 0),
                                 0);
        }
        ck_assert_int_ge(sd_bus_flush(bus), 0);
        status = harness_end_agent(harness, signal);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
        client_wait_name(client, false);
}

START_TEST(test_sigterm_with_calls_in_flight)
{
        for (unsigned round = 0; round < 10; round++)
                end_with_calls_in_flight(round & 1 ? SIGTERM : SIGINT);
}
END_TEST

START_TEST(test_sigpipe_is_nothing)
{
        harness_start_agent(harness);
        kill(harness_get_agent_pid(harness), SIGPIPE);
        client_ping(client);
}
END_TEST

static void close_streams(void)
{
        for (int fd = 0; fd <= 2; fd++)
                close(fd);
}

START_TEST(test_without_standard_streams)
{
        harness_set_child_setup(harness, close_streams);
        harness_start_agent(harness);
        define_web();
        client_fails(client, LIBVIRT_ERROR, NULL, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", "<x");
        client_ping(client);
}
END_TEST

static void fill_streams(void)
{
        int fd = open("/dev/full", O_WRONLY);

        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
}

START_TEST(test_log_to_a_full_device)
{
        harness_set_child_setup(harness, fill_streams);
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, NULL, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", "<x");
        client_ping(client);
}
END_TEST

/* A log reader that is gone. */
static void break_streams(void)
{
        int fds[2];

        if (pipe(fds) < 0)
                return;
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
}

START_TEST(test_log_to_a_broken_pipe)
{
        harness_set_child_setup(harness, break_streams);
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, NULL, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", "<x");
        client_ping(client);
}
END_TEST

START_TEST(test_restart_finds_the_default_inventory)
{
        harness_start_agent(harness);
        define_web();
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        /* The test connection lives in memory. */
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", WEB, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "test");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("agent");
        TCase *tcase = tcase_create("agent");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_version_and_help);
        tcase_add_test(tcase, test_started_by_the_bus);
        tcase_add_test(tcase, test_guests_as_root_are_no_secret);
        tcase_add_test(tcase, test_second_agent_on_the_bus);
        tcase_add_test(tcase, test_second_agent_in_the_state_directory);
        tcase_add_test(tcase, test_relative_directories_of_the_environment);
        tcase_add_test(tcase, test_no_bus_at_start);
        tcase_add_test(tcase, test_bus_goes_and_comes_back);
        tcase_add_test(tcase, test_sigterm_while_the_bus_is_away);
        tcase_add_test(tcase, test_sigterm_with_calls_in_flight);
        tcase_add_test(tcase, test_sigpipe_is_nothing);
        tcase_add_test(tcase, test_without_standard_streams);
        tcase_add_test(tcase, test_log_to_a_full_device);
        tcase_add_test(tcase, test_log_to_a_broken_pipe);
        tcase_add_test(tcase, test_restart_finds_the_default_inventory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
