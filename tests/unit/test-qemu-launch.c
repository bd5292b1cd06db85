/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that outlive the agent: what they hold, how they are known again, how they end.
 */
#include "drivers/qemu/launch.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/qemu/status.h"
#include "tests/unit/check-main.h"

#include <check.h>
#include <pthread.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;
static const struct account *own;
static int output_fd;
static char *dir, *pid_path;
static int pid_fd;

static void setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        lane = lane_new(pool, loop, "launch");
        own = account_new(NULL, NULL, NULL);
        output_fd = memfd_create("output", MFD_CLOEXEC);
        dir = g_dir_make_tmp("virtbus-launch-XXXXXX", NULL);
        pid_path = g_build_filename(dir, "pid", NULL);
        pid_fd = open(pid_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void teardown(void)
{
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
        account_unref(own);
        close(output_fd);
        close(pid_fd);
        g_remove(pid_path);
        g_rmdir(dir);
        g_free(dir);
        g_free(pid_path);
}

static void run(lane_fn fn)
{
        lane_post(lane, fn, NULL);
        loop_run(loop);
}

static void quit(void *data)
{
        loop_quit(loop);
}

static void finish(void)
{
        loop_post(loop, quit, NULL);
}

/* Starts /bin/sh -c script. */
static bool launch(const char *script, const struct launch *model, struct process *process, GError **error)
{
        char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)script, NULL };
        char *env[] = { (char *)"PATH=/usr/bin:/bin", (char *)"MARK=yes", NULL };
        struct launch what = *model;

        what.argv = argv;
        what.env = env;
        what.account = own;
        what.output_fd = output_fd;
        what.pid_fd = pid_fd;
        return launch_run(&what, process, error);
}

static char *read_output(void)
{
        char *text = g_malloc0(65536);

        ck_assert_int_ge(pread(output_fd, text, 65535, 0), 0);
        return text;
}

static void job_inheritance(void *data)
{
        int kept = eventfd(0, EFD_CLOEXEC), other = eventfd(0, 0);
        struct launch model = { .fds = &kept, .n_fds = 1 };
        g_autofree char *text = NULL, *line = NULL;
        struct status_process known;
        struct process process;

        signal(SIGPIPE, SIG_IGN);
        ck_assert(launch("n=0; while [ $n -lt 200 ]; do [ -e /proc/$$/fd/$n ] && printf '%s ' $n; n=$((n + "
                         "1)); done; echo; cat /proc/self/status; env; pwd; umask; "
                         "exec sleep 100",
                         &model, &process, NULL));
        ck_assert(status_read_pid(dir, STATUS_PID_FILE, &known));
        ck_assert_int_eq(known.pid, process.pid);
        ck_assert_uint_eq(known.start_time, process.start_time);
        ck_assert_uint_gt(process.start_time, 0);
        ck_assert(!process_has_ended(&process));
        do {
                g_free(text);
                text = read_output();
                ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(1)), LANE_TIMEOUT);
        } while (!strstr(text, "\n0077\n"));
        line = g_strdup_printf("0 1 2 %d \n", kept);
        ck_assert_msg(g_str_has_prefix(text, line), "%s instead of %s", text, line);
        ck_assert_ptr_nonnull(strstr(text, "CapEff:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "CapPrm:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "CapBnd:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "NoNewPrivs:\t1"));
        ck_assert_ptr_nonnull(strstr(text, "SigBlk:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "SigIgn:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "MARK=yes\n"));
        ck_assert_ptr_null(strstr(text, "HOME="));
        ck_assert_ptr_nonnull(strstr(text, "\n/\n"));
        ck_assert_int_eq(getsid(process.pid), process.pid);
        ck_assert(process_end(&process, lane));
        process_close(&process);
        close(kept);
        close(other);
        finish();
}

START_TEST(a_process_holds_only_what_it_is_given)
{
        if (geteuid() == 0)
                run(job_inheritance);
}
END_TEST

static void job_listening(void *data)
{
        int listener = eventfd(0, EFD_CLOEXEC), high = fcntl(listener, F_DUPFD_CLOEXEC, 50);
        struct launch model = { .listen_fd = high };
        g_autofree char *text = NULL, *wanted = NULL;
        struct process process;

        ck_assert(launch(
                "[ -e /proc/$$/fd/3 ] && [ ! -e /proc/$$/fd/50 ] && echo $LISTEN_PID $LISTEN_FDS; echo end; "
                "exec sleep 100",
                &model, &process, NULL));
        do {
                g_free(text);
                text = read_output();
                ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(1)), LANE_TIMEOUT);
        } while (!strstr(text, "end\n"));
        wanted = g_strdup_printf("%d 1\nend\n", (int)process.pid);
        ck_assert_str_eq(text, wanted);
        ck_assert(process_end(&process, lane));
        process_close(&process);
        close(listener);
        close(high);
        finish();
}

/* As systemd does it: descriptor 3, and the process that is meant. */
START_TEST(a_listening_socket_is_handed_over)
{
        run(job_listening);
}
END_TEST

static void *launch_and_end(void *data)
{
        struct launch model = { .dies_with_agent = true };

        ck_assert(launch("exec sleep 100", &model, data, NULL));
        return NULL;
}

static void job_dies_with_its_thread(void *data)
{
        struct process process;
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, launch_and_end, &process), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(60000)), LANE_READY);
        process_close(&process);
        finish();
}

START_TEST(a_probe_does_not_outlive_its_thread)
{
        run(job_dies_with_its_thread);
}
END_TEST

static void job_account(void *data)
{
        struct account nobody = { .name = (char *)"nobody", .uid = 65534, .gid = 65533 };
        gid_t groups[] = { 65533, 65532 };
        char *argv[] = { (char *)"/bin/sh", (char *)"-c",
                         (char *)"id -u; id -g; id -G; echo end; exec sleep 100", NULL };
        char *env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
        struct launch what = {
                .argv = argv, .env = env, .account = &nobody, .output_fd = output_fd, .pid_fd = -1
        };
        g_autofree char *text = NULL;
        struct process process;

        nobody.groups = groups;
        nobody.n_groups = 2;
        ck_assert(launch_run(&what, &process, NULL));
        do {
                g_free(text);
                text = read_output();
                ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(1)), LANE_TIMEOUT);
        } while (!strstr(text, "end"));
        ck_assert_msg(g_str_has_prefix(text, "65534\n65533\n65533 65532\nend\n"), "%s", text);
        ck_assert_int_eq((int)geteuid(), 0);
        ck_assert(process_end(&process, lane));
        process_close(&process);
        finish();
}

START_TEST(the_user_is_switched_with_all_its_groups)
{
        if (geteuid() == 0)
                run(job_account);
}
END_TEST

/* All that it has is what was asked for, also behind the exec. */
static void job_raw_io(void *data)
{
        static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
        struct account nobody = { .name = (char *)"nobody", .uid = 65534, .gid = 65534 };
        char *argv[] = { (char *)"/bin/sh", (char *)"-c",
                         (char *)"cat /proc/self/status; echo end; exec sleep 100", NULL };
        char *env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
        struct launch what = { .argv = argv,
                               .env = env,
                               .account = &nobody,
                               .raw_io = true,
                               .output_fd = output_fd,
                               .pid_fd = -1 };
        g_autofree char *text = NULL;
        struct process process;

        ck_assert(launch_run(&what, &process, NULL));
        do {
                g_free(text);
                text = read_output();
                ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(1)), LANE_TIMEOUT);
        } while (!strstr(text, "\nend\n"));
        for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++) {
                g_autofree char *line = g_strdup_printf("%s:\t0000000000020000", sets[i]);

                ck_assert_msg(strstr(text, line), "no '%s' in %s", line, text);
        }
        ck_assert_ptr_nonnull(strstr(text, "Uid:\t65534\t65534"));
        ck_assert_ptr_nonnull(strstr(text, "NoNewPrivs:\t1"));
        ck_assert(process_end(&process, lane));
        process_close(&process);
        finish();
}

START_TEST(one_capability_may_be_kept)
{
        if (geteuid() == 0)
                run(job_raw_io);
}
END_TEST

static void job_checks(void *data)
{
        struct account nobody = { .name = (char *)"nobody", .uid = 65534, .gid = 65534 };
        struct launch_check checks[] = {
                { (char *)"/dev/null", O_RDWR, (char *)"the null device" },
                { pid_path, O_RDONLY, (char *)"image of disk 'vda'" },
        };
        char *argv[] = { (char *)"/bin/true", NULL }, *env[] = { NULL };
        struct launch what = { .argv = argv,
                               .env = env,
                               .account = &nobody,
                               .output_fd = output_fd,
                               .pid_fd = -1,
                               .checks = checks,
                               .n_checks = 2 };
        g_autofree char *directory = g_path_get_dirname(pid_path);
        g_autofree char *denied = g_strdup_printf(
                "cannot open image of disk 'vda' as user 'nobody': directory '%s': Permission denied",
                directory);
        struct process process;
        GError *error = NULL;

        ck_assert_int_eq(chmod(directory, 0711), 0);
        ck_assert(!launch_run(&what, &process, &error));
        ck_assert(!process_is_open(&process));
        ck_assert_str_eq(error->message,
                         "cannot open image of disk 'vda' as user 'nobody': Permission denied");
        g_clear_error(&error);
        /* A directory on the way that the user may not enter. */
        ck_assert_int_eq(chmod(directory, 0700), 0);
        ck_assert(!launch_run(&what, &process, &error));
        ck_assert_str_eq(error->message, denied);
        g_clear_error(&error);
        argv[0] = (char *)"/nonexistent/qemu";
        what.n_checks = 0;
        ck_assert(!launch_run(&what, &process, &error));
        ck_assert_str_eq(error->message,
                         "cannot run '/nonexistent/qemu' as user 'nobody': No such file or directory");
        g_clear_error(&error);
        /* Nothing is left to reap. */
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        finish();
}

START_TEST(what_the_user_may_not_open_is_named)
{
        if (geteuid() == 0)
                run(job_checks);
}
END_TEST

static void job_known_again(void *data)
{
        struct launch model = { 0 };
        struct process process, again;

        ck_assert(launch("exec sleep 100", &model, &process, NULL));
        ck_assert(!process_open(&again, process.pid, process.start_time + 1, NULL));
        ck_assert(!process_is_open(&again));
        ck_assert(process_open(&again, process.pid, process.start_time, NULL));
        process_signal(&again, SIGKILL);
        ck_assert_int_eq(process_wait(&again, lane, lane_deadline_in(5000)), LANE_READY);
        ck_assert(process_has_ended(&process));
        process_close(&again);
        process_close(&process);
        ck_assert(!process_open(&again, 1 << 30, 5, NULL));
        finish();
}

static pid_t find_child(pid_t parent)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)parent, (int)parent);

        for (unsigned i = 0; i < 6000; i++) {
                g_autofree char *text = NULL;

                if (g_file_get_contents(path, &text, NULL, NULL) && *text)
                        return atoi(text);
                poll(NULL, 0, 10);
        }
        return -1;
}

/* Its pid file is a pipe that takes nothing more, so it never gets as far as having written it. */
START_TEST(a_process_nobody_knows_of_ends_with_the_agent)
{
        int full[2], pidfd;
        struct process process;
        pid_t agent, child;

        ck_assert_int_eq(pipe2(full, O_CLOEXEC), 0);
        fcntl(full[1], F_SETFL, O_NONBLOCK);
        while (write(full[1], dir, 1) == 1)
                ;
        fcntl(full[1], F_SETFL, 0);
        agent = fork();
        if (agent == 0) {
                const struct launch model = { 0 };

                pid_fd = full[1];

                launch("sleep 600", &model, &process, NULL);
                _exit(0);
        }
        child = find_child(agent);
        ck_assert_int_gt(child, 0);
        pidfd = pidfd_open(child, 0);
        ck_assert_int_ge(pidfd, 0);
        kill(agent, SIGKILL);
        waitpid(agent, NULL, 0);
        ck_assert_int_eq(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 60000), 1);
        close(pidfd);
        close(full[0]);
        close(full[1]);
}
END_TEST

START_TEST(a_pid_alone_is_not_a_process)
{
        run(job_known_again);
}
END_TEST

static void end_of_job(void *data)
{
        struct launch model = { 0 };
        struct process process;
        gint64 begin;
        char state;
        uint64_t start_time;

        /* One that ignores SIGTERM is killed after a second, one that is stopped at once. */
        ck_assert(launch("trap '' TERM; echo ready; while :; do sleep 100; done", &model, &process, NULL));
        while (pread(output_fd, &state, 1, 0) <= 0)
                ck_assert_int_eq(process_wait(&process, lane, lane_deadline_in(1)), LANE_TIMEOUT);
        process_signal(&process, SIGSTOP);
        do
                ck_assert(process_read_stat(process.pid, &start_time, &state));
        while (state != 'T');
        ck_assert(process_is_stopped(&process));
        begin = g_get_monotonic_time();
        ck_assert(process_end(&process, lane));
        ck_assert_int_lt(g_get_monotonic_time() - begin, 500000);
        process_close(&process);
        finish();
}

START_TEST(a_stopped_process_ends_at_once)
{
        run(end_of_job);
}
END_TEST

/* Of one that the test does not get to end, the kernel does. */
#define BOUNDED "ulimit -t 60; "

static void job_patience(void *data)
{
        struct launch model = { 0 };
        struct process process;
        struct process_patience patience = {
                .process = &process, .slice_ms = 10000, .still_max_ms = 30000, .total = LANE_FOREVER
        };

        ck_assert(launch(BOUNDED "while :; do :; done", &model, &process, NULL));
        /* As often as one asks. */
        for (unsigned i = 0; i < 100; i++)
                ck_assert_int_gt(process_go_on(&patience), g_get_monotonic_time() / 1000);
        patience.total = 1;
        ck_assert_int_eq(process_go_on(&patience), 1);
        patience.total = LANE_FOREVER;
        process_signal(&process, SIGSTOP);
        while (!process_is_stopped(&process))
                ;
        /* What it did before it was stopped is heeded once. */
        ck_assert_int_gt(process_go_on(&patience), 0);
        patience.still_ms = 0;
        ck_assert_int_gt(process_go_on(&patience), 0);
        ck_assert_int_gt(process_go_on(&patience), 0);
        ck_assert_int_eq(process_go_on(&patience), 0);
        process_signal(&process, SIGCONT);
        ck_assert_int_gt(process_go_on(&patience), 0);
        ck_assert(process_end(&process, lane));
        ck_assert_int_eq(process_go_on(&patience), 0);
        process_close(&process);
        finish();
}

static void launch_patience(const char *script, struct process *process, struct process_patience *patience)
{
        struct launch model = { 0 };

        ck_assert(launch(script, &model, process, NULL));
        *patience = (struct process_patience){
                .process = process,
                .slice_ms = 10000,
                .still_max_ms = 30000,
                .spin_max_ms = 300,
                .total = LANE_FOREVER,
        };
}

static void end_patience(struct process *process)
{
        ck_assert(process_end(process, lane));
        process_close(process);
}

/* One that fills memory may compute for as long as it takes, one that only computes may not. */
static void job_spin(void *data)
{
        struct process_patience patience;
        struct process process;

        launch_patience(
                BOUNDED
                "x=0123456789; while :; do x=$x$x; while [ ${#x} -gt 9999999 ]; do y=$x; x=1; done; done",
                &process, &patience);
        while (patience.before_ms < 3 * patience.spin_max_ms)
                ck_assert_int_gt(process_go_on(&patience), 0);
        end_patience(&process);
        launch_patience(BOUNDED "while :; do :; done", &process, &patience);
        while (process_go_on(&patience) > 0)
                ;
        ck_assert(!process_has_ended(&process));
        ck_assert_uint_eq(patience.still_ms, 0);
        /* Who has no bound, like an emulator that is asked what it can do, goes on. */
        patience.spin_max_ms = 0;
        ck_assert_int_gt(process_go_on(&patience), 0);
        end_patience(&process);
        finish();
}

START_TEST(who_spins_is_given_up)
{
        run(job_spin);
}
END_TEST

START_TEST(who_works_is_waited_for)
{
        run(job_patience);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-launch");
        TCase *tests = tcase_create("launch");

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, a_process_holds_only_what_it_is_given);
        tcase_add_test(tests, a_listening_socket_is_handed_over);
        tcase_add_test(tests, a_probe_does_not_outlive_its_thread);
        tcase_add_test(tests, the_user_is_switched_with_all_its_groups);
        tcase_add_test(tests, one_capability_may_be_kept);
        tcase_add_test(tests, what_the_user_may_not_open_is_named);
        tcase_add_test(tests, a_process_nobody_knows_of_ends_with_the_agent);
        tcase_add_test(tests, a_pid_alone_is_not_a_process);
        tcase_add_test(tests, a_stopped_process_ends_at_once);
        tcase_add_test(tests, who_works_is_waited_for);
        tcase_add_test(tests, who_spins_is_given_up);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
