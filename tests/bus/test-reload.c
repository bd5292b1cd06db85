/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration that is read again, as the service manager and the administrator see it: what is told to
 * NOTIFY_SOCKET, what the log says, what holds afterwards.
 */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define DEADLINE_MS 60000

static struct harness *harness;
static struct client *client;
static int manager = -1; /* the service manager's end */

static void set_up(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        g_autofree char *path = NULL;

        harness = harness_new_bus();
        client = harness_get_client(harness);
        path = harness_path(harness, "notify");
        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
        harness_set_environment(harness, "NOTIFY_SOCKET", path);
}

static void tear_down(void)
{
        harness_free(harness);
        close(manager);
}

/* Waits for the next message that begins so, and returns all of it; the others are read over. */
static char *await(const char *beginning)
{
        for (;;) {
                struct pollfd poll_manager = { .fd = manager, .events = POLLIN };
                char message[1024] = "";
                ssize_t length;

                ck_assert_msg(poll(&poll_manager, 1, DEADLINE_MS) > 0, "no message '%s'", beginning);
                length = recv(manager, message, sizeof(message) - 1, 0);
                ck_assert_int_gt(length, 0);
                if (g_str_has_prefix(message, beginning))
                        return g_strdup(message);
        }
}

static void expect(const char *beginning)
{
        g_free(await(beginning));
}

static void write_config(const char *text)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf");

        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* What systemctl reload does; returns when the agent says that it is over. */
static char *reload(const char *text)
{
        char *status;

        write_config(text);
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGHUP), 0);
        expect("RELOADING=1\nMONOTONIC_USEC=");
        status = await("STATUS=");
        expect("READY=1");
        return status;
}

static void start(const char *config)
{
        write_config(config);
        harness_start_agent(harness);
        expect("READY=1");
}

static void expect_log(const char *text)
{
        g_autofree char *log = harness_read_log(harness);

        ck_assert_msg(strstr(log, text), "'%s' is not in: %s", text, log);
}

static void expect_no_log(const char *text)
{
        g_autofree char *log = harness_read_log(harness);

        ck_assert_msg(!strstr(log, text), "'%s' is in: %s", text, log);
}

static void fail_a_call(const char *name)
{
        client_fails(client, LIBVIRT_ERROR, NULL, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s",
                     name);
}

START_TEST(test_level_of_the_log)
{
        g_autofree char *first = NULL, *second = NULL, *status = NULL;

        write_config("");
        harness_start_agent(harness);
        status = await("STATUS=");
        ck_assert_msg(g_str_has_prefix(status, "STATUS=Serving the "), "%s", status);
        expect("READY=1");
        fail_a_call("before");
        first = reload("[log]\nlevel=info\n");
        expect_log("changed: [log] level");
        fail_a_call("meanwhile");
        expect_log("no domain with matching name 'meanwhile'");
        second = reload("");
        fail_a_call("after");
        expect_no_log("matching name 'before'");
        expect_no_log("matching name 'after'");
}
END_TEST

START_TEST(test_a_mistake_changes_nothing)
{
        g_autofree char *bad = NULL, *good = NULL;

        start("[log]\nlevel=info\n");
        bad = reload("[log]\nlevel=error\n[qemu]\nusr=x\n");
        ck_assert_msg(strstr(bad, "has a mistake"), "%s", bad);
        expect_log("the configuration stays as it was: ");
        expect_log("virtbusd.conf, line 4: the group [qemu] has no key for 'usr=x'");
        fail_a_call("still");
        expect_log("matching name 'still'");
        good = reload("[log]\nlevel=info\n");
        ck_assert_msg(!strstr(good, "mistake"), "%s", good);
        expect_log("changed: nothing");
}
END_TEST

/* A file that cannot be read is one with a mistake; without one the defaults hold, if it was not asked for.
 */
START_TEST(test_no_file)
{
        g_autofree char *path = harness_path(harness, "virtbusd.conf"), *status = NULL;

        start("[log]\nlevel=info\n");
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGHUP), 0);
        status = await("STATUS=Serving");
        expect("READY=1");
        ck_assert_msg(strstr(status, "has a mistake"), "%s", status);
        expect_log(path);
        fail_a_call("still");
        expect_log("matching name 'still'");
}
END_TEST

START_TEST(test_what_needs_a_restart)
{
        g_autofree char *first = NULL, *second = NULL, *third = NULL;

        start("");
        first = reload("[qemu]\nmemory_dir=/nowhere\n[network]\ndefault=false\nstart_for_guests=false\n");
        ck_assert_msg(strstr(first, "needs a restart for [qemu] memory_dir, [network] default"), "%s", first);
        expect_log("changed: [network] start_for_guests");
        expect_log("taken over when the agent is restarted (guests run on): [qemu] memory_dir, [network] "
                   "default");
        /* It stays said until it is so, or taken back. */
        second = reload("[qemu]\nmemory_dir=/nowhere\n");
        ck_assert_msg(strstr(second, "needs a restart for [qemu] memory_dir") && !strstr(second, "default"),
                      "%s", second);
        third = reload("");
        ck_assert_msg(!strstr(third, "restart"), "%s", third);
        client_ping(client);
}
END_TEST

static void drain(void)
{
        char message[1024];

        while (recv(manager, message, sizeof(message), MSG_DONTWAIT) > 0)
                ;
}

START_TEST(test_many_at_once)
{
        start("");
        for (unsigned i = 0; i < 100; i++) {
                write_config(i & 1 ? "[log]\nlevel=info\n" : "[log\n");
                ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGHUP), 0);
                client_ping(client);
                drain();
        }
        kill(harness_get_agent_pid(harness), SIGHUP);
        ck_assert_int_eq(harness_end_agent(harness, SIGTERM), 0);
}
END_TEST

START_TEST(test_watchdog)
{
        harness_set_environment(harness, "WATCHDOG_USEC", "300000");
        start("");
        for (unsigned i = 0; i < 5; i++)
                expect("WATCHDOG=1");
        ck_assert_int_eq(kill(harness_get_agent_pid(harness), SIGTERM), 0);
        expect("STOPPING=1");
        ck_assert_int_eq(harness_wait_agent(harness), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reload");
        TCase *tcase = tcase_create("reload");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_level_of_the_log);
        tcase_add_test(tcase, test_a_mistake_changes_nothing);
        tcase_add_test(tcase, test_no_file);
        tcase_add_test(tcase, test_what_needs_a_restart);
        tcase_add_test(tcase, test_many_at_once);
        tcase_add_test(tcase, test_watchdog);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
