/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two hosts, as far as their networks go: each agent has a bus and a network of its own, and a link leads
 * from one network to the other. What emulators say to each other goes over it, and it can be cut.
 */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/moves.h"

#define HERE_ADDRESS  "192.0.2.101"
#define THERE_ADDRESS "192.0.2.102"

/* The networks; entered by the agents' processes. -1: none. */
static int here_fd = -1, there_fd = -1;

static void enter_here(void)
{
        if (setns(here_fd, CLONE_NEWNET) < 0)
                _exit(1);
}

static void enter_there(void)
{
        if (setns(there_fd, CLONE_NEWNET) < 0)
                _exit(1);
}

/* ---- networks ---- */

/* Somebody in a network of its own, by whom links find it; -1: it cannot be had. */
static pid_t spawn_inhabitant(int *fd)
{
        g_autofree char *file = NULL;
        char ready = 0;
        int fds[2];
        pid_t pid;

        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                if (unshare(CLONE_NEWNET) == 0 && write(fds[1], "+", 1) == 1) {
                        close(fds[1]);
                        pause();
                }
                _exit(0);
        }
        close(fds[1]);
        if (read(fds[0], &ready, 1) == 1) {
                file = g_strdup_printf("/proc/%d/ns/net", pid);
                *fd = open(file, O_RDONLY | O_CLOEXEC);
                ck_assert_int_ge(*fd, 0);
        }
        close(fds[0]);
        return pid;
}

static void end_inhabitant(pid_t pid)
{
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void run_in(void (*enter)(void), const char *command)
{
        int status = -1;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                enter();
                _exit(system(command) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(status == 0, "%s", command);
}

static void make_link(void)
{
        pid_t one = spawn_inhabitant(&here_fd), other = spawn_inhabitant(&there_fd);
        g_autofree char *command = g_strdup_printf(
                "ip link add name wire type veth peer name wire netns %d && ip address add " HERE_ADDRESS
                "/24 dev wire && ip link set wire up && ip link set lo up",
                other);

        if (here_fd >= 0 && there_fd >= 0) {
                run_in(enter_here, command);
                run_in(enter_there, "ip address add " THERE_ADDRESS
                                    "/24 dev wire && ip link set wire up && ip link set lo up");
        }
        end_inhabitant(one);
        end_inhabitant(other);
}

static void cut_link(void)
{
        run_in(enter_here, "ip link set wire down");
}

static void mend_link(void)
{
        run_in(enter_here, "ip link set wire up");
}

static void set_up(void)
{
        make_link();
        sides_set_up_in(here_fd >= 0 ? enter_here : NULL, there_fd >= 0 ? enter_there : NULL);
}

/* Without the privilege there are no networks to be had. */
static bool have_networks(void)
{
        if (here_fd >= 0 && there_fd >= 0)
                return true;
        harness_skip("networks of their own are root's");
        return false;
}

/* ---- moves ---- */

/*
 * With the usual downtime: QEMU emulates a processor without noting all that it writes while the notes are
 * read (7.2), and the fewer rounds there are, the less of the guest is lost.
 */
static void migrate(const struct side *from, const char *path, const struct side *to, const char *address)
{
        g_autofree char *uri = g_strconcat("tcp:", address, NULL);

        client_do(from->client, path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)300, 0);
        client_do(from->client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", to->uri, 1, "migrate_uri",
                  "s", uri, LIVE);
}

/* As slowly as can be said. */
static void begin(struct move *move, unsigned flags)
{
        move_forget_answer(move);
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1, 0);
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1, 1);
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 1, "migrate_uri", "s", "tcp:" THERE_ADDRESS, flags);
        move_wait_under_way(move);
}

static void try_to_resume(struct move *move)
{
        move_forget_answer(move);
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                    there.uri, 2, "bandwidth.postcopy", "t", (uint64_t)1000, "migrate_uri", "s",
                    "tcp:" THERE_ADDRESS, LIVE | POSTCOPY | POSTCOPY_RESUME);
        client_wait_answer(here.client, &move->answer);
}

START_TEST(test_over_the_link)
{
        struct move move;

        if (!have_networks() || !move_start(&move, false))
                return;
        migrate(&here, move.path, &there, THERE_ADDRESS);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        migrate(&there, move.path, &here, HERE_ADDRESS);
        guest_expect_state(here.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* The guest stays, the other side is as it was, and when the link is there again it goes. */
START_TEST(test_the_link_is_cut)
{
        struct move move;

        if (!have_networks() || !move_start(&move, false))
                return;
        begin(&move, LIVE);
        cut_link();
        move_expect_counting(&move);
        ck_assert(!side_runs(&there, move.path));
        guest_do(here.client, move.path, "AbortJob");
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(move.answer.error);
        guest_expect_state(here.client, move.path, STATE_RUNNING, -1);
        harness_wait_until(move_is_gone_there, move.path, "nothing is left of the guest there");
        ck_assert_uint_eq(harness_count_guests(here.harness), 1);
        move_expect_counting(&move);
        mend_link();
        client_do(here.client, move.path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1000, 0);
        migrate(&here, move.path, &there, THERE_ADDRESS);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

/* The guest is there, its memory here, and neither comes to the other before the link is there again. */
START_TEST(test_the_link_is_cut_in_postcopy)
{
        struct move move;

        if (!have_networks() || !move_start(&move, true))
                return;
        begin(&move, LIVE | POSTCOPY);
        move_start_postcopy(move.path);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_POSTCOPY);
        cut_link();
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_POSTCOPY);
        move_interrupt(move.path);
        client_wait_answer(here.client, &move.answer);
        ck_assert_ptr_nonnull(strstr(move.answer.error, "is cut"));
        client_wait_event(here.client, move.path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY_FAILED);
        /* The agents get through to each other, and the emulators do not. */
        try_to_resume(&move);
        ck_assert_ptr_nonnull(strstr(move.answer.error, "does not get through"));
        guest_expect_state(here.client, move.path, STATE_PAUSED, PAUSED_POSTCOPY_FAILED);
        ck_assert_uint_eq(harness_count_guests(here.harness), 2);
        mend_link();
        try_to_resume(&move);
        ck_assert_msg(!move.answer.error, "%s", move.answer.error);
        guest_expect_state(here.client, move.path, STATE_SHUTOFF, SHUTOFF_MIGRATED);
        client_wait_event(there.client, move.path, EVENT_RESUMED, RESUMED_MIGRATED);
        guest_expect_state(there.client, move.path, STATE_RUNNING, RUNNING_MIGRATED);
        ck_assert_uint_eq(harness_count_guests(here.harness), 1);
        move_expect_counting(&move);
        move_clear(&move);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/migration-hosts");
        TCase *tests = tcase_create("hosts");

        tcase_set_timeout(tests, 300);
        tcase_add_checked_fixture(tests, set_up, sides_tear_down);
        tcase_add_test(tests, test_over_the_link);
        tcase_add_test(tests, test_the_link_is_cut);
        tcase_add_test(tests, test_the_link_is_cut_in_postcopy);
        suite_add_tcase(suite, tests);
        return harness_main(suite);
}
