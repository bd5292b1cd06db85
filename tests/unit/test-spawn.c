/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/spawn: what a child gets, what comes back, and that none is left behind.
 */
#include "base/spawn.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "tests/unit/check-main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 30000

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;

static void setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        ck_assert(loop && pool);
        lane = lane_new(pool, loop, "spawn");
}

static void teardown(void)
{
        /* No child is left, neither running nor as a zombie. */
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}

/* A call of spawn_run() or, with check, spawn_check() made in the lane. */
struct call {
        const char *const *argv;
        const char *input;
        unsigned timeout_ms;
        bool check;
        bool blocked; /* with all signals blocked */
        bool done;
        struct spawn_result result;
        GError *error;
};

static void quit(void *data)
{
        loop_quit(loop);
}

static void make_call(void *data)
{
        struct call *call = data;
        sigset_t all, before;

        sigfillset(&all);
        if (call->blocked)
                pthread_sigmask(SIG_BLOCK, &all, &before);
        if (call->check)
                call->done =
                        spawn_check(lane, call->argv, call->timeout_ms, &call->result.output, &call->error);
        else
                call->done = spawn_run(lane, call->argv, call->input, call->timeout_ms, &call->result,
                                       &call->error);
        if (call->blocked)
                pthread_sigmask(SIG_SETMASK, &before, NULL);
        ck_assert(call->done == (call->error == NULL));
        loop_post(loop, quit, NULL);
}

static void run_call(struct call *call)
{
        if (call->timeout_ms == 0)
                call->timeout_ms = LONG_MS;
        lane_post(lane, make_call, call);
        loop_run(loop);
}

static void call_clear(struct call *call)
{
        spawn_result_clear(&call->result);
        g_clear_error(&call->error);
}

static struct call run_shell(const char *script, const char *input, unsigned timeout_ms)
{
        const char *const argv[] = { "sh", "-c", script, NULL };
        struct call call = { .argv = argv, .input = input, .timeout_ms = timeout_ms };

        run_call(&call);
        call.argv = NULL;
        return call;
}

START_TEST(test_output)
{
        struct call call = run_shell("echo out; echo err >&2; exit 3", NULL, 0);

        ck_assert(call.done);
        ck_assert(WIFEXITED(call.result.status) && WEXITSTATUS(call.result.status) == 3);
        ck_assert_str_eq(call.result.output, "out\n");
        ck_assert_str_eq(call.result.errors, "err\n");
        ck_assert(!call.result.truncated);
        call_clear(&call);
        ck_assert_ptr_null(call.result.output);
        call_clear(&call);
}
END_TEST

START_TEST(test_signalled)
{
        struct call call = run_shell("kill -TERM $$", NULL, 0);

        ck_assert(call.done);
        ck_assert(WIFSIGNALED(call.result.status) && WTERMSIG(call.result.status) == SIGTERM);
        call_clear(&call);
}
END_TEST

/* More than pipes hold goes both ways at once. */
START_TEST(test_input)
{
        g_autofree char *text = g_strnfill(1000000, 'x');
        struct call call = run_shell("cat", text, 0), none = run_shell("cat", NULL, 0);
        struct call empty = run_shell("cat", "", 0);

        ck_assert(call.done && call.result.status == 0);
        ck_assert_str_eq(call.result.output, text);
        ck_assert(none.done && none.result.status == 0);
        ck_assert_str_eq(none.result.output, "");
        ck_assert(empty.done && empty.result.status == 0);
        call_clear(&call);
        call_clear(&none);
        call_clear(&empty);
}
END_TEST

START_TEST(test_input_not_read)
{
        g_autofree char *text = g_strnfill(1000000, 'x');
        struct call call = run_shell("exec <&-; echo done", text, 0);

        ck_assert(call.done && call.result.status == 0);
        ck_assert_str_eq(call.result.output, "done\n");
        call_clear(&call);
}
END_TEST

/* A shell would clear the mask by itself. */
START_TEST(test_signal_mask)
{
        static const char *const argv[] = { "grep", "SigBlk", "/proc/self/status", NULL };
        struct call call = { .argv = argv, .blocked = true };

        run_call(&call);
        ck_assert(call.done);
        ck_assert_str_eq(call.result.output, "SigBlk:\t0000000000000000\n");
        call_clear(&call);
}
END_TEST

START_TEST(test_surroundings)
{
        int leaked = open("/dev/null", O_RDONLY);
        unsigned long ignored;
        struct call call;
        unsigned fds;

        ck_assert_int_ge(leaked, 3);
        signal(SIGINT, SIG_IGN);
        g_setenv("LC_ALL", "de_DE.UTF-8", TRUE);
        call = run_shell("echo $LC_ALL; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l;"
                         "grep SigIgn /proc/self/status; test $$ = $(cut -d ' ' -f 5 /proc/$$/stat)",
                         NULL, 0);
        ck_assert(call.done);
        ck_assert_int_eq(sscanf(call.result.output, "C\n/dev/null\n%u\nSigIgn: %lx\n", &fds, &ignored), 2);
        /* The fourth descriptor is the directory that ls reads. */
        ck_assert_uint_eq(fds, 4);
        /* glibc keeps two of its own above those. */
        ck_assert_uint_eq(ignored & 0x7fffffff, 0);
        ck_assert_int_eq(call.result.status, 0);
        call_clear(&call);
        close(leaked);
}
END_TEST

/* An agent that was started with its standard descriptors closed. */
START_TEST(test_stdio_closed)
{
        struct call call;

        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        close(STDERR_FILENO);
        call = run_shell("cat; echo err >&2", "in", 0);
        ck_assert(call.done);
        ck_assert_str_eq(call.result.output, "in");
        ck_assert_str_eq(call.result.errors, "err\n");
        call_clear(&call);
}
END_TEST

START_TEST(test_missing_tool)
{
        const char *const argv[] = { "no-such-tool-here", NULL }, *const directory[] = { "/tmp", NULL };
        struct call call = { .argv = argv }, denied = { .argv = directory };

        run_call(&call);
        ck_assert(!call.done);
        ck_assert_str_eq(call.error->message, "operation failed: missing tool 'no-such-tool-here'");
        ck_assert(error_is(call.error, ERROR_OPERATION_FAILED));
        ck_assert_ptr_null(call.result.output);
        run_call(&denied);
        ck_assert_str_eq(denied.error->message, "operation failed: cannot run 'tmp': Permission denied");
        call_clear(&call);
        call_clear(&denied);
}
END_TEST

/* The script is there, so it is not called missing. */
START_TEST(test_missing_interpreter)
{
        g_autofree char *dir = g_dir_make_tmp("virtbus-spawn-XXXXXX", NULL);
        g_autofree char *script = g_build_filename(dir, "script", NULL);
        const char *const argv[] = { script, NULL };
        struct call call = { .argv = argv };

        ck_assert(g_file_set_contents(script, "#!/no/such/sh\n", -1, NULL));
        ck_assert_int_eq(chmod(script, 0755), 0);
        run_call(&call);
        ck_assert_str_eq(call.error->message, "operation failed: cannot run 'script': the interpreter in its "
                                              "first line is missing");
        call_clear(&call);
        ck_assert_int_eq(unlink(script), 0);
        ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_bounded_output)
{
        struct call call = run_shell("exec yes", NULL, 0);
        struct call errors = run_shell("yes xxxxxxx | head -c 1000000 >&2; echo last >&2", NULL, 0);

        ck_assert(call.done && call.result.truncated);
        ck_assert_uint_eq(strlen(call.result.output), SPAWN_OUTPUT_MAX);
        ck_assert(WIFSIGNALED(call.result.status) && WTERMSIG(call.result.status) == SIGPIPE);
        ck_assert(errors.done);
        ck_assert_uint_eq(strlen(errors.result.errors), 4096);
        ck_assert(g_str_has_suffix(errors.result.errors, "xxx\nlast\n"));
        call_clear(&call);
        call_clear(&errors);
}
END_TEST

/* Neither silence nor an endless complaint outlasts the deadline; the group goes with the child. */
START_TEST(test_deadline)
{
        static const char *const scripts[] = { "sleep 1000 & sleep 1000", "yes >&2",
                                               "trap '' TERM; read x </dev/zero",
                                               "exec >&- 2>&-; sleep 1000" };

        for (unsigned i = 0; i < G_N_ELEMENTS(scripts); i++) {
                struct call call = run_shell(scripts[i], NULL, 100);

                ck_assert(!call.done);
                ck_assert(error_is(call.error, ERROR_OPERATION_TIMEOUT));
                ck_assert_str_eq(call.error->message,
                                 "Timed out during operation: 'sh' did not end within 100 ms");
                call_clear(&call);
        }
}
END_TEST

/* All of the group hold a pipe open, so that its end tells of theirs. */
START_TEST(test_group_killed)
{
        char dir[] = "/tmp/test-spawn-XXXXXX";
        g_autofree char *path = NULL, *script = NULL;
        struct pollfd end = { .events = POLLIN };
        struct call call;

        ck_assert_ptr_nonnull(mkdtemp(dir));
        path = g_build_filename(dir, "fifo", NULL);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        end.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(end.fd, 0);
        script = g_strdup_printf("exec >%s; sleep 100 & (sleep 100 & sleep 100) & sleep 100", path);
        call = run_shell(script, NULL, 200);
        ck_assert(error_is(call.error, ERROR_OPERATION_TIMEOUT));
        ck_assert_int_eq(poll(&end, 1, 10000), 1);
        ck_assert_int_eq(end.revents, POLLHUP);
        close(end.fd);
        unlink(path);
        rmdir(dir);
        call_clear(&call);
}
END_TEST

static void nothing(void *data)
{
}

static void interrupt(void *data)
{
        lane_post_urgent(lane, nothing, NULL);
}

START_TEST(test_interrupt)
{
        const char *const argv[] = { "sleep", "1000", NULL };
        struct call call = { .argv = argv, .timeout_ms = LONG_MS };
        struct loop_timer *timer = loop_timer_new(loop, 50, interrupt, NULL);

        run_call(&call);
        ck_assert(!call.done);
        ck_assert(error_is(call.error, ERROR_OPERATION_ABORTED));
        call_clear(&call);
        loop_timer_free(timer);
}
END_TEST

/* A daemon that keeps the pipes of the program which started it. */
START_TEST(test_background)
{
        struct call call = run_shell("echo started; sleep 1000 & echo $!", NULL, 0);
        pid_t daemon;

        ck_assert(call.done && call.result.status == 0);
        ck_assert(g_str_has_prefix(call.result.output, "started\n"));
        daemon = (pid_t)atoi(call.result.output + strlen("started\n"));
        ck_assert_int_gt(daemon, 1);
        ck_assert_int_eq(kill(daemon, SIGKILL), 0);
        call_clear(&call);
}
END_TEST

static struct call check_shell(const char *script)
{
        const char *const argv[] = { "/bin/sh", "-c", script, NULL };
        struct call call = { .argv = argv, .check = true };

        run_call(&call);
        call.argv = NULL;
        return call;
}

START_TEST(test_check)
{
        static const struct {
                const char *script, *message;
        } failures[] = {
                { "exit 2", "operation failed: 'sh' ended with status 2" },
                { "printf '\\n  first \\033line\\nlast line\\n\\n' >&2; exit 1",
                  "operation failed: 'sh' ended with status 1: first ?line" },
                { "echo \"sh: /t: unknown filesystem type 'nfs'.\" >&2;"
                  "echo '       dmesg(1) may have more information after failed mount system call.' >&2; "
                  "exit 32",
                  "operation failed: 'sh' ended with status 32: sh: /t: unknown filesystem type 'nfs'." },
                { "printf 'mke2fs 1.47.0\\n  WARNING: odd.\\nsh: warning: odd\\n  the reason\\n' >&2; exit 1",
                  "operation failed: 'sh' ended with status 1: the reason" },
                { "printf 'sh: warning: one\\nsh: warning: two\\n' >&2; exit 1",
                  "operation failed: 'sh' ended with status 1: sh: warning: two" },
                { "kill -9 $$", "operation failed: 'sh' was killed by signal 9" },
                { "yes", "operation failed: 'sh' wrote more than 8388608 bytes" },
        };
        struct call passed = check_shell("echo fine; echo warning >&2");

        ck_assert(passed.done);
        ck_assert_str_eq(passed.result.output, "fine\n");
        call_clear(&passed);
        for (unsigned i = 0; i < G_N_ELEMENTS(failures); i++) {
                struct call call = check_shell(failures[i].script);

                ck_assert(!call.done);
                ck_assert_str_eq(call.error->message, failures[i].message);
                ck_assert_ptr_null(call.result.output);
                call_clear(&call);
        }
}
END_TEST

static unsigned count_fds(void)
{
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        return count;
}

/* With few descriptors to be had: an error or a result, and all of them given back. */
START_TEST(test_no_descriptors)
{
        unsigned before = count_fds(), succeeded = 0;
        struct rlimit limit;

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        for (rlim_t free_fds = 0; free_fds < 12; free_fds++) {
                int next = dup(STDIN_FILENO);
                const struct rlimit tight = { (rlim_t)next + free_fds, limit.rlim_max };
                struct call call;

                close(next);
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
                call = run_shell("echo x", "input", 0);
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
                ck_assert(call.done || strstr(call.error->message, "Too many open files"));
                ck_assert(!call.done || strcmp(call.result.output, "x\n") == 0);
                succeeded += call.done;
                call_clear(&call);
        }
        ck_assert_uint_gt(succeeded, 0);
        ck_assert_uint_lt(succeeded, 12);
        /* The pool's threads have one each and may have become more. */
        ck_assert_uint_le(count_fds(), before + 6);
}
END_TEST

static void collect(const char *chunk, size_t length, void *data)
{
        g_string_append_len(data, chunk, (gssize)length);
}

static void follow(void *data)
{
        const char *const good[] = { "sh", "-c", "cat; echo end", NULL };
        const char *const bad[] = { "sh", "-c", "echo said; echo why >&2; exit 3", NULL };
        g_autoptr(GString) output = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        ck_assert(spawn_follow(lane, good, "in ", LONG_MS, collect, output, NULL));
        ck_assert_str_eq(output->str, "in end\n");
        ck_assert(!spawn_follow(lane, bad, NULL, LONG_MS, collect, output, &error));
        ck_assert_str_eq(output->str, "in end\nsaid\n");
        ck_assert_ptr_nonnull(strstr(error->message, "ended with status 3: why"));
        loop_post(loop, quit, NULL);
}

/* Output goes to a reader. */
START_TEST(test_follow)
{
        lane_post(lane, follow, NULL);
        loop_run(loop);
}
END_TEST

CHECK_MAIN_FIXTURE("spawn", setup, teardown, test_output, test_signalled, test_input, test_input_not_read,
                   test_signal_mask, test_surroundings, test_stdio_closed, test_missing_tool,
                   test_missing_interpreter, test_bounded_output, test_deadline, test_group_killed,
                   test_interrupt, test_background, test_check, test_follow, test_no_descriptors)
