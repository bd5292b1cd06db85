/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The host ends and sleeps, with real guests. logind is played by the test, on the bus that the agent takes
 * for the system's: it hands out locks, whose other ends the test keeps, and tells what is about to be. Needs
 * root.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LOGIN      "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"
#define MANAGER    LOGIN ".Manager"

enum {
        STARTED_RESTORED = 2,
        STOPPED_SAVED = 4,
        SHUTOFF_SAVED = 5,
};

enum lock {
        SHUTDOWN,
        SLEEP,
        LOCKS,
};

static const char *const names[LOCKS] = { "shutdown", "sleep" };

static struct harness *harness;
static struct client *client;
static sd_bus *login;
static char *agent; /* its unique name, as logind sees it */
static bool
        wakes_in_time; /* whoever asks whether the host sleeps is told that it does, and then that it woke */
static struct lock_state {
        int end; /* of the pipe whose other end the agent has; -1: not handed out, or given back */
        unsigned count;
        int near; /* it is about to be: what the property says */
} locks[LOCKS];

/* ---- logind ---- */

static void look_for_returned_locks(void)
{
        for (unsigned i = 0; i < LOCKS; i++) {
                struct pollfd end = { .fd = locks[i].end };

                if (locks[i].end >= 0 && poll(&end, 1, 0) > 0 && (end.revents & POLLHUP)) {
                        close(locks[i].end);
                        locks[i].end = -1;
                }
        }
}

static int on_inhibit(sd_bus_message *call, void *data, sd_bus_error *error)
{
        const char *what, *who, *why, *mode;
        int fds[2], result;

        ck_assert_int_ge(sd_bus_message_read(call, "ssss", &what, &who, &why, &mode), 0);
        ck_assert_str_eq(who, "virtbusd");
        g_free(agent);
        agent = g_strdup(sd_bus_message_get_sender(call));
        ck_assert_str_eq(mode, "delay");
        look_for_returned_locks();
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        for (unsigned i = 0; i < LOCKS; i++) {
                if (strcmp(what, names[i]) != 0)
                        continue;
                ck_assert_int_eq(locks[i].end, -1);
                locks[i].end = fds[0];
                locks[i].count++;
        }
        result = sd_bus_reply_method_return(call, "h", fds[1]);
        close(fds[1]);
        return result;
}

static int get_near(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *data, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "b", *(int *)data);
}

/* The agent reads nothing until both are there. */
static int get_sleeps(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *data, sd_bus_error *error)
{
        if (wakes_in_time)
                kill(harness_get_agent_pid(harness), SIGSTOP);
        wakes_in_time = false;
        return get_near(bus, path, interface, property, reply, data, error);
}

static const sd_bus_vtable manager[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("PreparingForShutdown", "b", get_near, offsetof(struct lock_state, near), 0),
        SD_BUS_PROPERTY("PreparingForSleep", "b", get_sleeps,
                        sizeof(locks[0]) + offsetof(struct lock_state, near), 0),
        SD_BUS_METHOD("Inhibit", "ssss", "h", on_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void process(void)
{
        while (sd_bus_process(login, NULL) > 0)
                ;
        look_for_returned_locks();
}

static bool is_held(void *data)
{
        process();
        return locks[*(enum lock *)data].end >= 0;
}

static bool is_given_back(void *data)
{
        process();
        return locks[*(enum lock *)data].end < 0;
}

static void wait_held(enum lock lock)
{
        harness_wait_until(is_held, &lock, "a lock");
}

static void wait_given_back(enum lock lock)
{
        harness_wait_until(is_given_back, &lock, "the end of a lock");
}

static void start_logind(void)
{
        ck_assert_int_ge(sd_bus_new(&login), 0);
        ck_assert_int_ge(sd_bus_set_address(login, harness_get_address(harness)), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(login, true), 0);
        ck_assert_int_ge(sd_bus_start(login), 0);
        ck_assert_int_ge(sd_bus_add_object_vtable(login, NULL, LOGIN_PATH, MANAGER, manager, locks), 0);
        ck_assert_int_ge(sd_bus_request_name(login, LOGIN, 0), 0);
        for (unsigned i = 0; i < LOCKS; i++)
                locks[i].end = -1;
}

static void tell(enum lock what, bool begins)
{
        locks[what].near = begins;
        ck_assert_int_ge(sd_bus_emit_signal(login, LOGIN_PATH, MANAGER,
                                            what == SHUTDOWN ? "PrepareForShutdown" : "PrepareForSleep", "b",
                                            (int)begins),
                         0);
        ck_assert_int_ge(sd_bus_flush(login), 0);
}

/* ---- the agent ---- */

static bool set_up(const char *config)
{
        g_autofree char *path = NULL;

        if (geteuid() != 0) {
                harness_skip("the host's end is the business of root's agent");
                return false;
        }
        harness = harness_new_bus();
        client = harness_get_client(harness);
        path = harness_path(harness, "virtbusd.conf");
        ck_assert(g_file_set_contents(path, config, -1, NULL));
        start_logind();
        harness_start_agent(harness);
        wait_held(SHUTDOWN);
        wait_held(SLEEP);
        return true;
}

static void tear_down(void)
{
        sd_bus_close_unref(login);
        harness_free(harness);
}

static bool is_ending(void *data)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "the host ends: ") != NULL;
}

static void end_host(void)
{
        tell(SHUTDOWN, true);
        harness_wait_until(is_ending, NULL, "the guests' shutdown");
}

/* ---- tests ---- */

START_TEST(test_a_guest_is_shut_down)
{
        g_autofree char *console = NULL, *path = NULL;

        if (!set_up(""))
                return;
        console = harness_path(harness, "console");
        path = guest_start(client, guest_linux_xml("linux", console, "watch"));
        guest_wait_console(console, "virtbus-guest: ready");
        process();
        ck_assert_int_ge(locks[SHUTDOWN].end, 0);
        tell(SHUTDOWN, true);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        wait_given_back(SHUTDOWN);
        guest_wait_console(console, "virtbus-guest: power button");
}
END_TEST

/* ---- saved for the next boot ---- */

static void boot(void)
{
        g_autofree char *mark = harness_path(harness, "run/qemu/autostarted");

        ck_assert_int_eq(harness_end_agent(harness, SIGTERM), 0);
        ck_assert_int_eq(unlink(mark), 0);
        locks[SHUTDOWN].near = 0;
        harness_start_agent(harness);
}

static bool has_one_file(void *path)
{
        return harness_count_files(path) == 1;
}

/* The one that was saved by a client waits for a client. */
START_TEST(test_guests_are_saved_and_go_on)
{
        g_autofree char *console = NULL, *path = NULL, *paused = NULL, *waits = NULL, *saves = NULL;

        if (!set_up("[shutdown]\nguests=save\n"))
                return;
        console = harness_path(harness, "console");
        path = guest_start(client, guest_linux_xml("linux", console, "count"));
        paused = guest_start(client, guest_bare_xml("paused", NULL));
        waits = guest_start(client, guest_bare_xml("waits", NULL));
        guest_do(client, paused, "Suspend");
        guest_do_flags(client, waits, "ManagedSave", 0);
        guest_wait_console(console, "virtbus-guest: ready");
        tell(SHUTDOWN, true);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SAVED);
        wait_given_back(SHUTDOWN);
        guest_expect_state(client, paused, STATE_SHUTOFF, SHUTOFF_SAVED);
        client_forget_signals(client);
        boot();
        client_wait_event(client, path, EVENT_STARTED, STARTED_RESTORED);
        client_wait_event(client, paused, EVENT_STARTED, STARTED_RESTORED);
        guest_expect_state(client, paused, STATE_PAUSED, -1);
        guest_expect_state(client, waits, STATE_SHUTOFF, -1);
        /* Nothing goes on twice. */
        saves = harness_path(harness, "state/qemu/save");
        harness_wait_until(has_one_file, saves, "the saves that were used are removed");
}
END_TEST

/* A transient one cannot be saved; this one hears the power button. */
START_TEST(test_who_cannot_be_saved_is_shut_down)
{
        g_autofree char *console = NULL, *xml = NULL, *path = NULL;

        if (!set_up("[shutdown]\nguests=save\n"))
                return;
        console = harness_path(harness, "console");
        xml = guest_linux_xml("passing", console, "watch");
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        guest_wait_console(console, "virtbus-guest: ready");
        tell(SHUTDOWN, true);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        wait_given_back(SHUTDOWN);
        guest_wait_console(console, "virtbus-guest: power button");
}
END_TEST

/* Its firmware has found nothing to boot, and hears no power button. */
START_TEST(test_a_guest_that_does_not_hear_is_destroyed)
{
        g_autofree char *path = NULL;

        if (!set_up("[shutdown]\ntimeout=1\n"))
                return;
        path = guest_start(client, guest_bare_xml("deaf", NULL));
        tell(SHUTDOWN, true);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_DESTROYED);
        wait_given_back(SHUTDOWN);
}
END_TEST

START_TEST(test_guests_may_be_left)
{
        g_autofree char *path = NULL;

        if (!set_up("[shutdown]\ntimeout=1\nlate=leave\n"))
                return;
        path = guest_start(client, guest_bare_xml("deaf", NULL));
        tell(SHUTDOWN, true);
        wait_given_back(SHUTDOWN);
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

START_TEST(test_the_agent_ends_after_its_guests)
{
        g_autofree char *path = NULL;
        int status;

        if (!set_up("[shutdown]\ntimeout=3\n"))
                return;
        path = guest_start(client, guest_bare_xml("before-the-agent", NULL));
        ck_assert_int_gt(harness_find_guest(harness, "before-the-agent"), 0);
        end_host();
        status = harness_end_agent(harness, SIGTERM);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        ck_assert_int_eq(harness_find_guest(harness, "before-the-agent"), 0);
}
END_TEST

static bool is_waiting(void *data)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "ending when the guests are off") != NULL;
}

/* Who sends a second one means it. */
START_TEST(test_a_second_signal_is_obeyed)
{
        g_autofree char *path = NULL;
        int status;

        if (!set_up("[shutdown]\ntimeout=3600\n"))
                return;
        path = guest_start(client, guest_bare_xml("after-the-agent", NULL));
        end_host();
        kill(harness_get_agent_pid(harness), SIGTERM);
        harness_wait_until(is_waiting, NULL, "the agent's patience");
        client_ping(client);
        status = harness_end_agent(harness, SIGTERM);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        ck_assert_int_gt(harness_find_guest(harness, "after-the-agent"), 0);
}
END_TEST

START_TEST(test_guests_are_paused_while_the_host_sleeps)
{
        g_autofree char *path = NULL, *paused = NULL;

        if (!set_up(""))
                return;
        path = guest_start(client, guest_bare_xml("runs", NULL));
        paused = guest_start(client, guest_bare_xml("paused", NULL));
        guest_do(client, paused, "Suspend");
        for (unsigned round = 1; round <= 3; round++) {
                tell(SLEEP, true);
                wait_given_back(SLEEP);
                guest_expect_state(client, path, STATE_PAUSED, -1);
                client_forget_signals(client);
                tell(SLEEP, false);
                client_wait_event(client, path, EVENT_RESUMED, -1);
                wait_held(SLEEP);
                ck_assert_uint_eq(locks[SLEEP].count, round + 1);
                guest_expect_state(client, path, STATE_RUNNING, -1);
                guest_expect_state(client, paused, STATE_PAUSED, -1);
        }
        ck_assert_uint_eq(locks[SHUTDOWN].count, 1);
}
END_TEST

/* Killed while the host is about to sleep; the next agent begins before, or after. */
START_TEST(test_the_next_agent_knows_who_sleeps)
{
        g_autofree char *path = NULL, *paused = NULL;

        if (!set_up(""))
                return;
        path = guest_start(client, guest_bare_xml("runs", NULL));
        paused = guest_start(client, guest_bare_xml("paused", NULL));
        guest_do(client, paused, "Suspend");
        tell(SLEEP, true);
        wait_given_back(SLEEP);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        wait_held(SHUTDOWN);
        guest_expect_state(client, path, STATE_PAUSED, -1);
        harness_end_agent(harness, SIGKILL);
        tell(SLEEP, false);
        client_forget_signals(client);
        harness_start_agent(harness);
        wait_held(SLEEP);
        client_wait_event(client, path, EVENT_RESUMED, -1);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_expect_state(client, paused, STATE_PAUSED, -1);
}
END_TEST

static bool is_answered(void *data)
{
        process();
        return !wakes_in_time;
}

/* The signal lies behind the last answer, and nothing comes after it. */
START_TEST(test_the_host_wakes_while_the_next_agent_asks)
{
        g_autofree char *path = NULL;

        if (!set_up(""))
                return;
        path = guest_start(client, guest_bare_xml("runs", NULL));
        tell(SLEEP, true);
        wait_given_back(SLEEP);
        harness_end_agent(harness, SIGKILL);
        client_forget_signals(client);
        wakes_in_time = true;
        harness_start_agent(harness);
        harness_wait_until(is_answered, NULL, "the agent asks whether the host sleeps");
        tell(SLEEP, false);
        kill(harness_get_agent_pid(harness), SIGCONT);
        wait_held(SLEEP);
        client_wait_event(client, path, EVENT_RESUMED, -1);
}
END_TEST

static void forge(sd_bus *forger, const char *path, const char *interface, const char *member,
                  const char *types, ...)
{
        sd_bus_message *signal = NULL;
        va_list args;

        ck_assert_int_ge(sd_bus_message_new_signal(forger, &signal, path, interface, member), 0);
        ck_assert_int_ge(sd_bus_message_set_destination(signal, agent), 0);
        va_start(args, types);
        ck_assert_int_ge(sd_bus_message_appendv(signal, types, args), 0);
        va_end(args);
        ck_assert_int_ge(sd_bus_send(forger, signal, NULL), 0);
        sd_bus_message_unref(signal);
}

/* Whoever is on the bus may send such signals, straight to the agent; only the owner of the name is believed.
 */
START_TEST(test_forged_signals)
{
        g_autofree char *path = NULL, *log = NULL;
        struct client *forger;

        if (!set_up(""))
                return;
        path = guest_start(client, guest_bare_xml("unmoved", NULL));
        forger = harness_connect(harness);
        client_forget_signals(client);
        forge(client_get_bus(forger), LOGIN_PATH, MANAGER, "PrepareForShutdown", "b", 1);
        forge(client_get_bus(forger), LOGIN_PATH, MANAGER, "PrepareForSleep", "b", 1);
        forge(client_get_bus(forger), "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
              "sss", LOGIN, "", ":1.1");
        client_ping(forger);
        /* What is true comes behind what was forged. */
        tell(SLEEP, true);
        client_wait_event(client, path, EVENT_SUSPENDED, -1);
        tell(SLEEP, false);
        client_wait_event(client, path, EVENT_RESUMED, -1);
        process();
        ck_assert_int_ge(locks[SHUTDOWN].end, 0);
        ck_assert_uint_eq(locks[SHUTDOWN].count, 1);
        ck_assert_uint_eq(client_count_signals(client, QEMU_PATH, CONNECT_INTERFACE, "DomainEvent"), 0);
        log = harness_read_log(harness);
        ck_assert_ptr_null(strstr(log, "the host ends"));
        client_free(forger);
}
END_TEST

START_TEST(test_logind_begins_anew)
{
        if (!set_up(""))
                return;
        sd_bus_close_unref(login);
        for (unsigned i = 0; i < LOCKS; i++)
                close(locks[i].end);
        start_logind();
        wait_held(SHUTDOWN);
        wait_held(SLEEP);
        client_ping(client);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("host-power");
        TCase *tcase = tcase_create("host-power");

        tcase_add_checked_fixture(tcase, NULL, tear_down);
        tcase_add_test(tcase, test_a_guest_is_shut_down);
        tcase_add_test(tcase, test_guests_are_saved_and_go_on);
        tcase_add_test(tcase, test_who_cannot_be_saved_is_shut_down);
        tcase_add_test(tcase, test_a_guest_that_does_not_hear_is_destroyed);
        tcase_add_test(tcase, test_guests_may_be_left);
        tcase_add_test(tcase, test_the_agent_ends_after_its_guests);
        tcase_add_test(tcase, test_a_second_signal_is_obeyed);
        tcase_add_test(tcase, test_guests_are_paused_while_the_host_sleeps);
        tcase_add_test(tcase, test_the_next_agent_knows_who_sleeps);
        tcase_add_test(tcase, test_the_host_wakes_while_the_next_agent_asks);
        tcase_add_test(tcase, test_forged_signals);
        tcase_add_test(tcase, test_logind_begins_anew);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
