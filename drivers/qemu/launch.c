/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone(2) as vfork: the child runs on a stack of its own in the agent's memory while the calling thread
 * waits, so it costs the same however large the agent is. In the child only system calls are made; it reports
 * a failure by writing to the parent's variables. All signals are blocked meanwhile, so that no handler runs
 * in the child.
 */
#include "drivers/qemu/launch.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/qemu/affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (128 * 1024)

/* Sanitizers keep a record of each thread and stack in their memory, which a child that shares it would
 * spoil. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SHARE_MEMORY 0
#else
#define SHARE_MEMORY CLONE_VM
#endif

/* Where sd_listen_fds(3) looks for sockets, and how it is told. */
#define LISTEN_FD  3
#define LISTEN_PID "LISTEN_PID="

enum step {
        STEP_NONE,
        STEP_SESSION,
        STEP_PID_FILE,
        STEP_OUTPUT,
        STEP_DESCRIPTORS,
        STEP_GROUP,
        STEP_LIMITS,
        STEP_CPUS,
        STEP_LABEL,
        STEP_ACCOUNT,
        STEP_CAPABILITIES,
        STEP_CHECK,
        STEP_EXEC,
};

/* Shared by the two sides; the child's stack is behind it. */
struct child {
        alignas(16) const struct launch *launch;
        pid_t agent;
        const int *keep; /* all descriptors above the standard ones that are needed, ascending */
        unsigned n_keep;
        enum step failed;
        int errnum;
        unsigned check; /* the one that failed */
        char *const *env;
        char listen_pid[32]; /* "LISTEN_PID=...", of env */
        size_t component;    /* of its path: the length up to the directory that cannot be entered; 0: none */
};

/* ---- the child: async-signal-safe only ---- */

static int open_null(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool set_up_output(const struct launch *launch)
{
        int null = open_null();

        return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(launch->output_fd, STDOUT_FILENO) >= 0 &&
               dup2(launch->output_fd, STDERR_FILENO) >= 0;
}

/*
 * First of all: whatever becomes of the agent, nobody holds what was its own (the lock on its directory) any
 * longer than it does.
 */
static bool close_others(const struct child *child)
{
        unsigned next = STDERR_FILENO + 1;

        for (unsigned i = 0; i < child->n_keep; i++) {
                unsigned fd = (unsigned)child->keep[i];

                if (fd > next && close_range(next, fd - 1, 0) < 0)
                        return false;
                next = MAX(next, fd + 1);
        }
        return close_range(next, ~0U, 0) == 0;
}

static bool pass_descriptors(const struct launch *launch)
{
        for (unsigned i = 0; i < launch->n_fds; i++) {
                if (fcntl(launch->fds[i], F_SETFD, 0) < 0)
                        return false;
        }
        return true;
}

static size_t put_number(char *text, uint64_t number)
{
        char digits[20];
        size_t count = 0, length = 0;

        do
                digits[count++] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        while (count > 0)
                text[length++] = digits[--count];
        return length;
}

/* In the place that sd_listen_fds(3) says. Last of all: who was there is needed no more. */
static bool pass_listener(struct child *child)
{
        int fd = child->launch->listen_fd;

        if (fd <= 0)
                return true;
        put_number(child->listen_pid + strlen(LISTEN_PID), (uint64_t)getpid());
        return fd == LISTEN_FD ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, LISTEN_FD) >= 0;
}

/* The start time in our own /proc/self/stat: the 22nd field; the name in the second may hold spaces. */
static bool read_own_start_time(uint64_t *start_time)
{
        char text[1024], *p;
        ssize_t length;
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return false;
        length = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (length <= 0)
                return false;
        text[length] = '\0';
        p = strrchr(text, ')');
        for (unsigned field = 2; p && field < 22; field++)
                p = strchr(p + 1, ' ');
        if (!p)
                return false;
        *start_time = 0;
        for (p++; *p >= '0' && *p <= '9'; p++)
                *start_time = *start_time * 10 + (uint64_t)(*p - '0');
        return true;
}

static bool write_pid(const struct launch *launch)
{
        uint64_t start_time;
        char text[64];
        size_t length;

        if (!read_own_start_time(&start_time))
                return false;
        length = put_number(text, (uint64_t)getpid());
        text[length++] = ' ';
        length += put_number(text + length, start_time);
        text[length++] = '\n';
        return write(launch->pid_fd, text, length) == (ssize_t)length;
}

static bool enter_groups(const struct launch *launch)
{
        for (unsigned i = 0; i < launch->n_group_fds; i++) {
                if (write(launch->group_fds[i], "0", 1) < 0)
                        return false;
                close(launch->group_fds[i]);
        }
        return true;
}

/*
 * Until it has written down which process it is, it ends with the agent: an emulator that no successor knows
 * of would run on.
 */
static bool end_with_agent(const struct child *child)
{
        return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == child->agent;
}

static bool outlive_agent(void)
{
        return prctl(PR_SET_PDEATHSIG, 0) == 0;
}

static bool set_limits(const struct launch *launch)
{
        struct rlimit limit = { launch->lock_bytes, launch->lock_bytes };
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        /* The agent may be protected from the OOM killer; a guest is not. */
        if (fd >= 0) {
                if (write(fd, "0", 1) < 0)
                        errno = 0;
                close(fd);
        }
        return launch->lock_bytes == 0 || setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

/* Takes effect when the program runs, for this thread, which is all there is of the process. */
static bool set_label(const struct launch *launch)
{
        size_t length = launch->label_file ? strlen(launch->label) : 0;
        int fd = launch->label_file ? open(launch->label_file, O_WRONLY | O_CLOEXEC) : -1;
        bool ok;

        if (!launch->label_file)
                return true;
        ok = fd >= 0 && write(fd, launch->label, length) == (ssize_t)length;
        if (fd >= 0)
                close(fd);
        return ok;
}

/* System calls, not the library's functions: those would change all threads of the agent, whose memory this
 * is. */
static bool switch_account(const struct account *account, bool keeps)
{
        if (geteuid() != 0)
                return true;
        if (keeps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return false;
        return syscall(SYS_setgroups, account->n_groups, account->groups) == 0 &&
               syscall(SYS_setresgid, account->gid, account->gid, account->gid) == 0 &&
               syscall(SYS_setresuid, account->uid, account->uid, account->uid) == 0;
}

/* With the right to do so: root without a user to switch to would get its capabilities back by exec
 * otherwise. */
static void empty_bounding_set(bool raw_io)
{
        for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
                if (!raw_io || cap != CAP_SYS_RAWIO)
                        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        }
}

/* What is ambient outlives exec by a user that is not root (capabilities(7)). */
static bool drop_capabilities(bool raw_io)
{
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        const uint32_t kept = raw_io ? 1U << CAP_SYS_RAWIO : 0;
        struct __user_cap_data_struct sets[2] = { { kept, kept, kept }, { 0 } };

        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        return syscall(SYS_capset, &header, sets) == 0 &&
               (!raw_io || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_RAWIO, 0, 0) == 0) &&
               prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool may_enter(const char *directory)
{
        int fd = open(directory, O_PATH | O_CLOEXEC);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

/* "Permission denied" about an image in a home directory is mostly about the home directory. */
static size_t find_closed_directory(const char *path)
{
        size_t length = strlen(path);
        char prefix[PATH_MAX + 2];

        if (length >= PATH_MAX)
                return 0;
        for (size_t i = 1; i < length; i++) {
                if (path[i] != '/')
                        continue;
                memcpy(prefix, path, i);
                memcpy(prefix + i, "/.", sizeof("/."));
                if (!may_enter(prefix))
                        return i;
        }
        return 0;
}

static bool run_checks(struct child *child)
{
        const struct launch *launch = child->launch;

        for (unsigned i = 0; i < launch->n_checks; i++) {
                int fd = open(launch->checks[i].path,
                              launch->checks[i].flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

                int errnum = errno;

                child->check = i;
                /* What can be open once only, a guest that runs may have open: it is asked for more of that.
                 */
                if (fd < 0 && errnum == EBUSY && !launch->argv)
                        continue;
                if (fd < 0) {
                        child->component = find_closed_directory(launch->checks[i].path);
                        errno = errnum;
                        return false;
                }
                close(fd);
        }
        return true;
}

static void reset_signals(const sigset_t *mask)
{
        struct sigaction action = { .sa_handler = SIG_DFL };

        for (int signal = 1; signal < NSIG; signal++)
                sigaction(signal, &action, NULL);
        sigprocmask(SIG_SETMASK, mask, NULL);
}

static enum step set_up(struct child *child)
{
        const struct launch *launch = child->launch;

        if (!end_with_agent(child))
                return STEP_SESSION;
        if (!close_others(child))
                return STEP_DESCRIPTORS;
        umask(0077);
        if (setsid() < 0 || chdir("/") < 0)
                return STEP_SESSION;
        if (launch->pid_fd >= 0 && !write_pid(launch))
                return STEP_PID_FILE;
        if (!launch->dies_with_agent && !outlive_agent())
                return STEP_PID_FILE;
        if (!enter_groups(launch))
                return STEP_GROUP;
        if (!set_up_output(launch))
                return STEP_OUTPUT;
        if (!pass_descriptors(launch))
                return STEP_DESCRIPTORS;
        if (!set_limits(launch))
                return STEP_LIMITS;
        if (launch->cpus && sched_setaffinity(0, launch->n_cpu_words * sizeof(uint64_t),
                                              (const cpu_set_t *)(const void *)launch->cpus) < 0)
                return STEP_CPUS;
        if (!set_label(launch))
                return STEP_LABEL;
        if (launch->privileged)
                return pass_listener(child) ? STEP_NONE : STEP_DESCRIPTORS;
        empty_bounding_set(launch->raw_io);
        if (!switch_account(launch->account, launch->raw_io))
                return STEP_ACCOUNT;
        if (!drop_capabilities(launch->raw_io))
                return STEP_CAPABILITIES;
        /* After the credentials, whose change forgets it. */
        if (launch->dies_with_agent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return STEP_LIMITS;
        if (!run_checks(child))
                return STEP_CHECK;
        return pass_listener(child) ? STEP_NONE : STEP_DESCRIPTORS;
}

static int run_child(void *data)
{
        struct child *child = data;
        sigset_t none;

        sigemptyset(&none);
        child->failed = set_up(child);
        if (child->failed == STEP_NONE && !child->launch->argv)
                _exit(0);
        if (child->failed == STEP_NONE) {
                reset_signals(&none);
                execve(child->launch->argv[0], child->launch->argv, child->env);
                child->failed = STEP_EXEC;
        }
        child->errnum = errno;
        _exit(127);
}

/* ---- the parent ---- */

/* Names the first component of the path that fails. */
static bool set_check_error(const struct child *child, GError **error)
{
        const struct launch_check *check = &child->launch->checks[child->check];
        g_autofree char *closed = g_strndup(check->path, child->component);

        return error_set_errno(error, ERROR_FROM_QEMU, child->errnum, "cannot open %s as user '%s'%s%s%s",
                               check->what, child->launch->account->name, *closed ? ": directory '" : "",
                               closed, *closed ? "'" : "");
}

static const char *get_program(const struct launch *launch)
{
        return launch->argv ? launch->argv[0] : "access check";
}

static bool set_launch_error(const struct child *child, GError **error)
{
        static const char *const steps[] = {
                [STEP_SESSION] = "making its session",
                [STEP_PID_FILE] = "writing its pid file",
                [STEP_OUTPUT] = "opening its output",
                [STEP_DESCRIPTORS] = "passing its descriptors",
                [STEP_GROUP] = "entering its control group",
                [STEP_LIMITS] = "setting its limits",
                [STEP_ACCOUNT] = "switching its user",
                [STEP_CAPABILITIES] = "dropping its capabilities",
        };
        const struct launch *launch = child->launch;
        const char *program = get_program(launch);

        if (child->failed == STEP_CHECK)
                return set_check_error(child, error);
        if (child->failed == STEP_CPUS) {
                const struct domain_cpuset cpus = { launch->cpus, launch->n_cpu_words };
                g_autofree char *wanted = domain_cpuset_format(&cpus), *there = affinity_get_host_cpus();

                return error_set_errno(error, ERROR_FROM_QEMU, child->errnum,
                                       "cannot run '%s' on the host CPUs %s (the host has %s)", program,
                                       wanted, there);
        }
        if (child->failed == STEP_LABEL)
                return error_set_errno(error, ERROR_FROM_QEMU, child->errnum,
                                       "cannot run '%s' confined by '%s'", program, launch->label);
        if (child->failed == STEP_EXEC)
                return error_set_errno(error, ERROR_FROM_QEMU, child->errnum,
                                       "cannot run '%s' as user '%s'%s%s", program, launch->account->name,
                                       launch->label_file ? ", confined by " : "",
                                       launch->label_file ? launch->label : "");
        return error_set_errno(error, ERROR_FROM_QEMU, child->errnum, "cannot run '%s': %s", program,
                               steps[child->failed]);
}

static pid_t clone_child(struct child *child, char *stack, int *pidfd)
{
        sigset_t all, before;
        pid_t pid;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        pid = clone(run_child, stack + STACK_SIZE, SHARE_MEMORY | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child,
                    pidfd);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return pid;
}

static bool run_in(struct child *child, char *stack, struct process *process, GError **error)
{
        int pidfd = -1;
        pid_t pid = clone_child(child, stack, &pidfd);
        siginfo_t info;

        if (pid < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a process for '%s'",
                                       get_program(child->launch));
        *process = (struct process){ .pid = pid, .pidfd = pidfd };
        if (child->failed != STEP_NONE) {
                waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
                process_close(process);
                return set_launch_error(child, error);
        }
        /* Not reaped yet even if it has ended: the entry in /proc is there. */
        process_read_stat(pid, &process->start_time, NULL);
        return true;
}

static int compare_fds(const void *a, const void *b)
{
        return *(const int *)a - *(const int *)b;
}

static GArray *list_kept(const struct launch *launch)
{
        GArray *kept = g_array_new(FALSE, FALSE, sizeof(int));

        if (launch->n_fds > 0)
                g_array_append_vals(kept, launch->fds, launch->n_fds);
        if (launch->n_group_fds > 0)
                g_array_append_vals(kept, launch->group_fds, launch->n_group_fds);
        g_array_append_val(kept, launch->output_fd);
        if (launch->pid_fd >= 0)
                g_array_append_val(kept, launch->pid_fd);
        if (launch->listen_fd > 0)
                g_array_append_val(kept, launch->listen_fd);
        g_array_sort(kept, compare_fds);
        return kept;
}

/* The strings are whoever launches' and the child's. Free the array. */
static char **make_env(struct child *child)
{
        char *const *env = child->launch->env;
        GPtrArray *all = g_ptr_array_new();

        for (unsigned i = 0; env && env[i]; i++)
                g_ptr_array_add(all, env[i]);
        if (child->launch->listen_fd > 0) {
                g_strlcpy(child->listen_pid, LISTEN_PID, sizeof(child->listen_pid));
                g_ptr_array_add(all, child->listen_pid);
                g_ptr_array_add(all, (char *)"LISTEN_FDS=1");
        }
        g_ptr_array_add(all, NULL);
        return (char **)(void *)g_ptr_array_free(all, FALSE);
}

bool launch_run(const struct launch *launch, struct process *process, GError **error)
{
        g_autofree char **env = NULL;
        g_autoptr(GArray) kept = list_kept(launch);
        size_t size = sizeof(struct child) + STACK_SIZE;
        struct child *child = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        bool ok;

        *process = (struct process)PROCESS_NONE;
        if (child == MAP_FAILED)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a process for '%s'",
                                       launch->argv[0]);
        child->launch = launch;
        child->agent = getpid();
        child->env = env = make_env(child);
        child->keep = (const int *)(const void *)kept->data;
        child->n_keep = kept->len;
        ok = run_in(child, (char *)(child + 1), process, error);
        munmap(child, size);
        return ok;
}

/* As waitpid(2) would have it. */
static int reap(struct process *process)
{
        siginfo_t info = { 0 };
        int status = 0;

        while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
        process_close(process);
        return status;
}

bool launch_run_to_end(const struct launch *launch, struct lane *lane, unsigned timeout_ms, int *status,
                       GError **error)
{
        struct process process;
        enum lane_wake wake;

        if (!launch_run(launch, &process, error))
                return false;
        wake = process_wait(&process, lane, lane_deadline_in(timeout_ms));
        if (wake != LANE_READY)
                process_signal(&process, SIGKILL);
        *status = reap(&process);
        if (wake == LANE_READY)
                return true;
        if (wake == LANE_INTERRUPTED)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "'%s' was given up, because something more urgent came", launch->argv[0]);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT, "'%s' did not end within %u s",
                         launch->argv[0], timeout_ms / 1000);
}

bool launch_try_checks(const struct account *account, const struct launch_check *checks, unsigned n_checks,
                       GError **error)
{
        CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        const struct launch launch = {
                .account = account, .output_fd = null, .pid_fd = -1, .checks = checks, .n_checks = n_checks
        };
        struct process process;
        siginfo_t info;

        if (n_checks == 0)
                return true;
        if (null < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open /dev/null");
        if (!launch_run(&launch, &process, error))
                return false;
        waitid(P_PIDFD, (id_t)process.pidfd, &info, WEXITED);
        process_close(&process);
        return true;
}

void launch_check_clear(void *check)
{
        struct launch_check *this = check;

        g_free(this->path);
        g_free(this->what);
}
