/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running helper programs. Everything about one run is on the stack of the job that waits for it, in its
 * lane; the descriptors it has to wait for stand behind one epoll descriptor, because a lane waits for one.
 */
#include "base/spawn.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_MAX 4096

/* What is read at once, and how often a child that has ended is read from: a pipe holds 64 KiB, or what it
 * was set to. */
#define CHUNK_SIZE      (16 * 1024)
#define LAST_CHUNKS_MAX 16

/* A killed process is gone in no time, unless a dead disk or file server holds it. */
#define KILL_TIMEOUT_MS 1000

enum {
        INPUT = STDIN_FILENO,
        OUTPUT = STDOUT_FILENO,
        ERRORS = STDERR_FILENO,
        EXIT, /* the pidfd, in events only */
};

struct run {
        struct lane *lane; /* borrowed */
        char *tool;        /* owned: the program's name for messages */
        pid_t pid;         /* 0 = none to reap */
        int pidfd;
        int epoll;
        int ours[3];       /* our ends of its standard descriptors, -1 = none or closed */
        int theirs[3];     /* its ends, until it runs */
        const char *input; /* borrowed: what is left to write */
        size_t input_left;
        GString *output; /* owned */
        GString *errors; /* owned */
        bool truncated;
        const char *const *variables; /* borrowed; of its environment, "NAME=value"; NULL: none of its own */
        bool foreign;                 /* it has of the agent's environment only what everybody needs */
        spawn_reader reader;          /* NULL: output is kept */
        void *reader_data;            /* borrowed */
};

void spawn_result_clear(struct spawn_result *result)
{
        g_free(result->output);
        g_free(result->errors);
        *result = (struct spawn_result){ 0 };
}

static void close_fd(int *fd)
{
        fd_cleanup(fd);
        *fd = -1;
}

static void run_init(struct run *run, struct lane *lane, const char *program, const char *input)
{
        *run = (struct run){
                .lane = lane,
                .tool = g_path_get_basename(program),
                .pidfd = -1,
                .epoll = -1,
                .ours = { -1, -1, -1 },
                .theirs = { -1, -1, -1 },
                .input = input,
                .input_left = input ? strlen(input) : 0,
                .output = g_string_new(NULL),
                .errors = g_string_new(NULL),
        };
}

/* Kills what still runs, with all its group, and reaps it. */
static void kill_child(struct run *run)
{
        struct pollfd exited = { .fd = run->pidfd, .events = POLLIN };

        kill(-run->pid, SIGKILL);
        kill(run->pid, SIGKILL); /* it may have left its group */
        /* Without a pidfd this polls nothing and the child is waited for as long as it takes to die. */
        if (run->pidfd >= 0 && poll(&exited, 1, KILL_TIMEOUT_MS) == 0) {
                log_warning("process %d (%s) does not die: it is left behind", (int)run->pid, run->tool);
                return;
        }
        while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static void run_done(struct run *run)
{
        if (run->pid > 0)
                kill_child(run);
        for (int i = INPUT; i <= ERRORS; i++) {
                close_fd(&run->ours[i]);
                close_fd(&run->theirs[i]);
        }
        close_fd(&run->pidfd);
        close_fd(&run->epoll);
        g_string_free(run->output, TRUE);
        g_string_free(run->errors, TRUE);
        g_free(run->tool);
}

static bool start_error(const struct run *run, int errnum, GError **error)
{
        g_autofree char *quoted = error_quote(run->tool);

        if (errnum == ENOENT)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "missing tool '%s'", quoted);
        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "cannot run '%s': %s", quoted,
                         g_strerror(errnum));
}

/* A script whose interpreter is not there gives the error of a program that is not. */
static bool spawn_error(const struct run *run, const char *program, int errnum, GError **error)
{
        g_autofree char *quoted = error_quote(run->tool);

        if (errnum == ENOENT && g_path_is_absolute(program) && access(program, F_OK) == 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                 "cannot run '%s': the interpreter in its first line is missing", quoted);
        return start_error(run, errnum, error);
}

static bool open_pipe(struct run *run, int i)
{
        int fds[2];

        if (i == INPUT && !run->input) {
                run->theirs[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
                return run->theirs[i] >= 0;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
                return false;
        run->ours[i] = fds[i == INPUT ? 1 : 0];
        run->theirs[i] = fds[i == INPUT ? 0 : 1];
        return fcntl(run->ours[i], F_SETFL, O_NONBLOCK) == 0;
}

static bool watch(struct run *run, int fd, uint32_t events, int what)
{
        struct epoll_event event = { .events = events, .data.u32 = (uint32_t)what };

        return fd < 0 || epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*
 * In this order no end of the child's is lower than what it becomes (0, 1 or 2), so that none is overwritten
 * before its turn, even in an agent that was started with these closed.
 */
static bool open_descriptors(struct run *run, GError **error)
{
        run->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (run->epoll < 0)
                return start_error(run, errno, error);
        for (int i = INPUT; i <= ERRORS; i++) {
                if (!open_pipe(run, i) || !watch(run, run->ours[i], i == INPUT ? EPOLLOUT : EPOLLIN, i))
                        return start_error(run, errno, error);
        }
        return true;
}

static int spawn_child(struct run *run, const char *const argv[], char **environment)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int result;

        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes,
                                 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawn_file_actions_init(&actions);
        for (int i = INPUT; i <= ERRORS; i++)
                posix_spawn_file_actions_adddup2(&actions, run->theirs[i], i);
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        result = posix_spawnp(&run->pid, argv[0], &actions, &attributes, (char *const *)argv, environment);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        if (result != 0)
                run->pid = 0;
        return result;
}

static char **make_common_environment(void)
{
        static const char *const names[] = { "HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "LOGNAME",
                                             "PATH", "TMPDIR",          "USER" };
        char **environment = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                const char *value = g_getenv(names[i]);

                if (value)
                        environment = g_environ_setenv(environment, names[i], value, TRUE);
        }
        return environment;
}

static char **make_environment(const struct run *run)
{
        char **inherited = run->foreign ? make_common_environment() : g_get_environ();
        char **environment = g_environ_setenv(inherited, "LC_ALL", "C", TRUE);

        for (unsigned i = 0; run->variables && run->variables[i]; i++) {
                g_auto(GStrv) parts = g_strsplit(run->variables[i], "=", 2);

                environment = g_environ_setenv(environment, parts[0], parts[1], TRUE);
        }
        return environment;
}

static bool start(struct run *run, const char *const argv[], GError **error)
{
        g_auto(GStrv) environment = make_environment(run);
        int result;

        if (!open_descriptors(run, error))
                return false;
        result = spawn_child(run, argv, environment);
        for (int i = INPUT; i <= ERRORS; i++)
                close_fd(&run->theirs[i]);
        if (result != 0)
                return spawn_error(run, argv[0], result, error);
        run->pidfd = pidfd_open(run->pid, 0);
        if (run->pidfd < 0 || !watch(run, run->pidfd, EPOLLIN, EXIT))
                return start_error(run, errno, error);
        return true;
}

/* Other children may hold a copy of fd until they run their program: epoll would not forget it by the close
 * alone. */
static void close_end(struct run *run, int i)
{
        epoll_ctl(run->epoll, EPOLL_CTL_DEL, run->ours[i], NULL);
        close_fd(&run->ours[i]);
}

static void feed(struct run *run)
{
        ssize_t written = write(run->ours[INPUT], run->input, run->input_left);

        if (written < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (written >= 0) {
                run->input += written;
                run->input_left -= (size_t)written;
        }
        /* A child that does not want its input to the end says in its exit status how it went. */
        if (written < 0 || run->input_left == 0)
                close_end(run, INPUT);
}

static void keep_output(struct run *run, const char *chunk, size_t length)
{
        size_t room = SPAWN_OUTPUT_MAX - run->output->len;

        if (run->reader) {
                run->reader(chunk, length, run->reader_data);
                return;
        }
        g_string_append_len(run->output, chunk, (gssize)MIN(length, room));
        if (length <= room)
                return;
        run->truncated = true;
        close_end(run, OUTPUT);
}

static void keep_errors(struct run *run, const char *chunk, size_t length)
{
        g_string_append_len(run->errors, chunk, (gssize)length);
        if (run->errors->len > ERRORS_MAX)
                g_string_erase(run->errors, 0, (gssize)(run->errors->len - ERRORS_MAX));
}

/* Reads once from end i; false when there is nothing more to read now. */
static bool drain(struct run *run, int i)
{
        char chunk[CHUNK_SIZE];
        ssize_t length;

        if (run->ours[i] < 0)
                return false;
        length = read(run->ours[i], chunk, sizeof(chunk));
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
                return errno == EINTR;
        if (length <= 0)
                close_end(run, i);
        else if (i == OUTPUT)
                keep_output(run, chunk, (size_t)length);
        else
                keep_errors(run, chunk, (size_t)length);
        return length > 0;
}

/* Does what is ready; true when the child has ended. */
static bool serve(struct run *run)
{
        struct epoll_event events[EXIT + 1];
        int count = epoll_wait(run->epoll, events, G_N_ELEMENTS(events), 0);
        bool ended = false;

        for (int i = 0; i < count; i++) {
                int what = (int)events[i].data.u32;

                if (what == EXIT)
                        ended = true;
                else if (what == INPUT)
                        feed(run);
                else
                        drain(run, what);
        }
        return ended;
}

static bool wait_for_end(struct run *run, unsigned timeout_ms, GError **error)
{
        lane_deadline deadline = lane_deadline_in(timeout_ms);
        g_autofree char *quoted = error_quote(run->tool);
        enum lane_wake wake;

        do {
                wake = lane_wait(run->lane, run->epoll, POLLIN, NULL, deadline);
                if (wake == LANE_INTERRUPTED)
                        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_ABORTED,
                                         "'%s' was interrupted", quoted);
                /* One that always has something to say is ready at the deadline, too. */
                if (wake == LANE_TIMEOUT || g_get_monotonic_time() / 1000 >= deadline)
                        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_TIMEOUT,
                                         "'%s' did not end within %u ms", quoted, timeout_ms);
        } while (!serve(run));
        return true;
}

/* Reads what the child wrote last, but not for as long as one that it left in the background goes on. */
static void finish(struct run *run, struct spawn_result *result)
{
        for (int i = OUTPUT; i <= ERRORS; i++) {
                for (unsigned chunks = 0; chunks < LAST_CHUNKS_MAX && drain(run, i); chunks++)
                        ;
        }
        while (waitpid(run->pid, &result->status, 0) < 0 && errno == EINTR)
                ;
        run->pid = 0;
        result->truncated = run->truncated;
        result->output = g_strndup(run->output->str, run->output->len);
        result->errors = g_strndup(run->errors->str, run->errors->len);
}

static bool run_whole(struct run *run, const char *const argv[], unsigned timeout_ms,
                      struct spawn_result *result, GError **error)
{
        bool done;

        g_assert(in_lane(run->lane));
        *result = (struct spawn_result){ 0 };
        done = start(run, argv, error) && wait_for_end(run, timeout_ms, error);
        if (done)
                finish(run, result);
        run_done(run);
        return done;
}

bool spawn_run(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
               struct spawn_result *result, GError **error)
{
        struct run run;

        run_init(&run, lane, argv[0], input);
        return run_whole(&run, argv, timeout_ms, result, error);
}

bool spawn_run_foreign(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                       struct spawn_result *result, GError **error)
{
        struct run run;

        run_init(&run, lane, argv[0], input);
        run.foreign = true;
        return run_whole(&run, argv, timeout_ms, result, error);
}

#define CUT "..."
/* Of a line that is cut. */
#define HEAD 25

/* What tools say before the reason, or as an end to it, after their own name. */
static const char *const chatter[] = {
        "warning",                  /* qemu-img, swtpm */
        "WARNING",                  /* LVM, sfdisk */
        "File descriptor ",         /* LVM: "... (socket:[1]) leaked" */
        "mke2fs ",                  /* its version */
        "dmesg(1) may have more",   /* mount */
        "Checking that no-one",     /* sfdisk */
        "Could not login to [",     /* iscsiadm: what the initiator reported follows */
        "Error when deleting file", /* qemu-img: of what it could not make */
};

static const char *skip_tool(const char *tool, const char *line)
{
        size_t length = strlen(tool);

        return strncmp(line, tool, length) == 0 && strncmp(line + length, ": ", 2) == 0 ? line + length + 2
                                                                                        : line;
}

/* Not chatter? tool: the program, which many put before each line. */
static bool says_something(const char *tool, const char *line)
{
        line = skip_tool(tool, line);
        for (unsigned i = 0; i < G_N_ELEMENTS(chatter); i++) {
                if (g_str_has_prefix(line, chatter[i]))
                        return false;
        }
        return *line != '\0';
}

/* Of a long line how it begins, and the end: that is where tools give the reason, and names of files are
 * between. */
static char *quote_ends(const char *tool, const char *line)
{
        const char *said = skip_tool(tool, line);
        size_t length = strlen(line);
        g_autofree char *begin = NULL, *head = NULL, *end = NULL;

        if (length <= ERROR_QUOTE_MAX)
                return error_quote(line);
        begin = g_strndup(said, HEAD);
        line += length - (ERROR_QUOTE_MAX - HEAD - strlen(CUT));
        while ((*line & 0xc0) == 0x80)
                line++;
        head = error_quote(begin);
        end = error_quote(line);
        return g_strconcat(head, CUT, end, NULL);
}

/* The reason is the first line that is one; where none is, the last says at least something. */
static char *find_reason(const char *tool, const char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        const char *last = "";

        for (unsigned i = 0; lines[i]; i++) {
                const char *line = g_strstrip(lines[i]);

                if (says_something(tool, line))
                        return quote_ends(tool, line);
                if (*line)
                        last = line;
        }
        return quote_ends(tool, last);
}

bool spawn_result_check(const char *program, struct spawn_result *result, GError **error)
{
        g_autofree char *tool = g_path_get_basename(program), *said = NULL, *how = NULL;

        if (result->status == 0 && !result->truncated)
                return true;
        if (result->truncated)
                how = g_strdup_printf("wrote more than %d bytes", SPAWN_OUTPUT_MAX);
        else if (WIFSIGNALED(result->status))
                how = g_strdup_printf("was killed by signal %d", WTERMSIG(result->status));
        else
                how = g_strdup_printf("ended with status %d", WEXITSTATUS(result->status));
        said = find_reason(tool, result->errors);
        return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "'%s' %s%s%s", tool, how,
                         *said ? ": " : "", said);
}

bool spawn_check(struct lane *lane, const char *const argv[], unsigned timeout_ms, char **output,
                 GError **error)
{
        struct spawn_result result;
        bool passed;

        if (!spawn_run(lane, argv, NULL, timeout_ms, &result, error))
                return false;
        passed = spawn_result_check(argv[0], &result, error);
        if (passed && output)
                *output = g_steal_pointer(&result.output);
        spawn_result_clear(&result);
        return passed;
}

bool spawn_check_foreign(struct lane *lane, const char *const argv[], unsigned timeout_ms, GError **error)
{
        struct spawn_result result;
        bool passed;

        if (!spawn_run_foreign(lane, argv, NULL, timeout_ms, &result, error))
                return false;
        passed = spawn_result_check(argv[0], &result, error);
        spawn_result_clear(&result);
        return passed;
}

bool spawn_check_with(struct lane *lane, const char *const argv[], const char *const variables[],
                      unsigned timeout_ms, GError **error)
{
        struct spawn_result result;
        struct run run;
        bool passed;

        run_init(&run, lane, argv[0], NULL);
        run.variables = variables;
        if (!run_whole(&run, argv, timeout_ms, &result, error))
                return false;
        passed = spawn_result_check(argv[0], &result, error);
        spawn_result_clear(&result);
        return passed;
}

bool spawn_follow(struct lane *lane, const char *const argv[], const char *input, unsigned timeout_ms,
                  spawn_reader reader, void *data, GError **error)
{
        struct spawn_result result;
        struct run run;
        bool passed;

        run_init(&run, lane, argv[0], input);
        run.reader = reader;
        run.reader_data = data;
        if (!run_whole(&run, argv, timeout_ms, &result, error))
                return false;
        passed = spawn_result_check(argv[0], &result, error);
        spawn_result_clear(&result);
        return passed;
}
