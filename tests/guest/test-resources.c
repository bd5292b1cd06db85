/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * No descriptors left, no room left in the runtime directory: errors, and no guest is lost for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/mounts.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new_bus();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* A limit allows no number beyond it, and what is open already stays. */
static int lowest_free_agent_fd(void)
{
        struct stat info;
        int fd = 0;

        for (;; fd++) {
                g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", harness_get_agent_pid(harness), fd);

                if (lstat(path, &info) < 0)
                        return fd;
        }
}

START_TEST(test_no_descriptors_left)
{
        g_autofree char *running = NULL;
        g_autofree char *path = NULL;
        struct rlimit before;
        struct rlimit tight;

        harness_start_agent(harness);
        running = guest_start(client, guest_bare_xml("running", NULL));
        path = guest_define(client, guest_bare_xml("late", NULL));
        ck_assert_int_eq(prlimit(harness_get_agent_pid(harness), RLIMIT_NOFILE, NULL, &before), 0);
        tight = (struct rlimit){ lowest_free_agent_fd() + 2, before.rlim_max };
        ck_assert_int_eq(prlimit(harness_get_agent_pid(harness), RLIMIT_NOFILE, &tight, NULL), 0);
        for (unsigned i = 0; i < 3; i++) {
                client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "Create", "u", 0);
                guest_expect_state(client, path, STATE_SHUTOFF, -1);
                guest_expect_state(client, running, STATE_RUNNING, -1);
        }
        ck_assert_int_eq(harness_find_guest(harness, "late"), 0);
        ck_assert_int_eq(prlimit(harness_get_agent_pid(harness), RLIMIT_NOFILE, &before, NULL), 0);
        guest_do_flags(client, path, "Create", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do(client, running, "Suspend");
}
END_TEST

/* The runtime directory that make_small_runtime() makes a file system of 256 KiB. */
static char runtime_dir[200];
/* The guest whose mount namespace join_guest() enters. */
static pid_t guest_pid;

/* In the agent's process. */
static void make_small_runtime(void)
{
        if (!mounts_leave() || (mkdir(runtime_dir, 0755) < 0 && errno != EEXIST) ||
            mount("tmpfs", runtime_dir, "tmpfs", 0, "size=256k,mode=755") < 0)
                _exit(99);
}

/* In the agent's process: where the first agent's file system lives on. */
static void join_guest(void)
{
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", guest_pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
                _exit(99);
}

static bool may_mount(void)
{
        pid_t probe = fork();
        int status;

        if (probe == 0) {
                make_small_runtime();
                _exit(0);
        }
        waitpid(probe, &status, 0);
        return status == 0;
}

static bool has_owner_or_ended(void *data)
{
        siginfo_t info = { 0 };

        waitid(P_PID, harness_get_agent_pid(harness), &info, WEXITED | WNOHANG | WNOWAIT);
        return info.si_pid != 0 || client_get_owner_pid(client) != 0;
}

static void fill(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        char block[1024] = { 0 };

        ck_assert_int_ge(fd, 0);
        for (size_t size = sizeof(block); size > 0; size /= 2)
                while (write(fd, block, size) == (ssize_t)size)
                        ;
        close(fd);
}

/* The peer kills the guests whose status it cannot write. */
START_TEST(test_full_runtime_directory)
{
        g_autofree char *run = harness_path(harness, "run");
        g_autofree char *filler = NULL;
        g_autofree char *path = NULL;

        g_strlcpy(runtime_dir, run, sizeof(runtime_dir));
        if (!may_mount())
                return harness_skip("may not mount in a namespace of its own");
        harness_set_child_setup(harness, make_small_runtime);
        harness_start_agent(harness);
        path = guest_start(client, guest_bare_xml("web", NULL));
        guest_pid = harness_find_guest(harness, "web");
        filler = g_strdup_printf("/proc/%d/root%s/filler", guest_pid, run);
        fill(filler);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);

        harness_set_child_setup(harness, join_guest);
        harness_spawn_agent(harness);
        harness_wait_until(has_owner_or_ended, NULL, "the agent runs or has refused to");
        ck_assert_int_eq(harness_find_guest(harness, "web"), guest_pid);
        if (client_get_owner_pid(client) == 0) {
                harness_wait_agent(harness);
                ck_assert_int_eq(unlink(filler), 0);
                harness_start_agent(harness);
        } else {
                ck_assert_int_ne(guest_get_state(client, path, NULL), STATE_SHUTOFF);
                ck_assert_int_eq(unlink(filler), 0);
        }
        ck_assert_int_eq(harness_find_guest(harness, "web"), guest_pid);
        guest_do(client, path, "Suspend");
        guest_expect_state(client, path, STATE_PAUSED, -1);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("resources");
        TCase *tcase = tcase_create("resources");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_no_descriptors_left);
        tcase_add_test(tcase, test_full_runtime_directory);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
