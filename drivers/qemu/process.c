/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes by pidfd. Lane of their owner.
 */
#include "drivers/qemu/process.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_MS          1000
#define SLICE_MS         100
#define KILL_MS          15000
#define START_TIME_FIELD 22

bool process_read_stat(pid_t pid, uint64_t *start_time, char *state)
{
        char path[32], text[1024], *rest, *field, *position = NULL;
        ssize_t length;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        length = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (length <= 0)
                return false;
        text[length] = '\0';
        /* The second field is the name in parentheses, which may hold anything; the state is the third. */
        rest = strrchr(text, ')');
        if (!rest)
                return false;
        field = strtok_r(rest + 1, " ", &position);
        if (!field)
                return false;
        if (state)
                *state = field[0];
        for (unsigned i = 3; field && i < START_TIME_FIELD; i++)
                field = strtok_r(NULL, " ", &position);
        if (!field)
                return false;
        *start_time = strtoull(field, NULL, 10);
        return true;
}

/* What it has done so far, in pages touched and clock ticks of CPUs. */
struct work {
        unsigned long pages, user, kernel;
        bool runs;
};

static bool read_work(const struct process *process, struct work *work)
{
        unsigned long minor, major;
        char path[32], text[1024], state;
        const char *rest;
        CLEANUP_FD int fd = -1;
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)process->pid);
        fd = process->pid == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (length <= 0)
                return false;
        text[length] = '\0';
        rest = strrchr(text, ')');
        /* proc(5): state (3), minflt (10), majflt (12), utime (14), stime (15) */
        if (!rest || sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %lu %*u %lu %*u %lu %lu", &state, &minor,
                            &major, &work->user, &work->kernel) != 5)
                return false;
        work->pages = minor + major;
        work->runs = state == 'R' || state == 'D';
        return state != 'Z' && state != 'X';
}

bool process_read_progress(const struct process *process, uint64_t *progress, bool *runs)
{
        struct work work;

        if (!read_work(process, &work))
                return false;
        *progress = (uint64_t)work.pages + work.user + work.kernel;
        *runs = work.runs;
        return true;
}

/* It computes and computes, and nothing comes of it. */
static bool spins(struct process_patience *patience, const struct work *work)
{
        uint64_t computed_ms = (uint64_t)work->user * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);

        if (work->pages != patience->pages) {
                patience->pages = work->pages;
                patience->before_ms = computed_ms;
        }
        return patience->spin_max_ms > 0 && computed_ms - patience->before_ms >= patience->spin_max_ms;
}

lane_deadline process_go_on(void *data)
{
        struct process_patience *patience = data;
        uint64_t progress;
        struct work work;

        if (!read_work(patience->process, &work))
                return 0;
        progress = (uint64_t)work.pages + work.user + work.kernel;
        patience->still_ms =
                work.runs || progress != patience->progress ? 0 : patience->still_ms + patience->slice_ms;
        patience->progress = progress;
        if (patience->still_ms >= patience->still_max_ms || spins(patience, &work))
                return 0;
        return MIN(lane_deadline_in(patience->slice_ms), patience->total);
}

bool process_open(struct process *process, pid_t pid, uint64_t start_time, GError **error)
{
        uint64_t now_there;
        int pidfd;

        *process = (struct process)PROCESS_NONE;
        if (pid <= 1)
                return false;
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
                if (errno != ESRCH)
                        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot hold process %d", (int)pid);
                return false;
        }
        /* Only now that it cannot be reused is it worth asking whose pid it is. */
        if (!process_read_stat(pid, &now_there, NULL) || now_there != start_time) {
                close(pidfd);
                return false;
        }
        *process = (struct process){ .pid = pid, .start_time = start_time, .pidfd = pidfd };
        return true;
}

void process_close(struct process *process)
{
        siginfo_t info;

        if (process->pid == 0)
                return;
        /* ECHILD where it is no child of this agent: somebody else reaps it. */
        waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG);
        close(process->pidfd);
        *process = (struct process)PROCESS_NONE;
}

bool process_is_open(const struct process *process)
{
        return process->pid != 0;
}

bool process_has_ended(const struct process *process)
{
        struct pollfd poll_fd = { .fd = process->pidfd, .events = POLLIN };

        return process->pid == 0 || poll(&poll_fd, 1, 0) > 0;
}

bool process_is_stopped(const struct process *process)
{
        uint64_t start_time;
        char state;

        return process->pid != 0 && process_read_stat(process->pid, &start_time, &state) &&
               start_time == process->start_time && (state == 'T' || state == 't');
}

void process_signal(const struct process *process, int signal)
{
        if (process->pid != 0)
                pidfd_send_signal(process->pidfd, signal, NULL, 0);
}

enum lane_wake process_wait(const struct process *process, struct lane *lane, lane_deadline deadline)
{
        if (process->pid == 0)
                return LANE_READY;
        return lane_wait(lane, process->pidfd, POLLIN, NULL, deadline);
}

/* It may have been stopped a moment ago, or be stopped while it ends. */
static bool wait_unless_stopped(const struct process *process, struct lane *lane)
{
        for (unsigned waited = 0; waited < TERM_MS && !process_is_stopped(process); waited += SLICE_MS) {
                if (process_wait(process, lane, lane_deadline_in(SLICE_MS)) == LANE_READY)
                        return true;
        }
        return false;
}

/* A child of ours that is not reaped keeps its number, which is its group's, too. */
static void end_group(const struct process *process)
{
        siginfo_t info = { 0 };

        if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == process->pid)
                kill(-process->pid, SIGKILL);
}

bool process_end(const struct process *process, struct lane *lane)
{
        bool ended = process->pid == 0 || process_has_ended(process);

        if (!ended) {
                process_signal(process, SIGTERM);
                ended = wait_unless_stopped(process, lane);
        }
        if (!ended) {
                process_signal(process, SIGKILL);
                ended = process_wait(process, lane, lane_deadline_in(KILL_MS)) == LANE_READY;
        }
        if (ended && process->pid != 0)
                end_group(process);
        return ended;
}
