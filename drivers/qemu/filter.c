/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that a guest's state goes through. */
#include "drivers/qemu/filter.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/lane.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct filter {
        char *program; /* owned */
        pid_t pid;     /* 0: it has been waited for */
        int pidfd;     /* owned */
        int errors_fd; /* owned; what it says */
        int status;    /* as from waitpid(2); once pid is 0 */
};

/* In the child, between fork and exec. */
static void set_up(gpointer data)
{
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setpgid(0, 0);
}

struct filter *filter_start(const char *const argv[], int input_fd, int output_fd, GError **error)
{
        struct filter *filter = g_new0(struct filter, 1);
        g_autoptr(GError) failure = NULL;

        filter->program = g_strdup(argv[0]);
        filter->pidfd = -1;
        filter->errors_fd = memfd_create("errors", MFD_CLOEXEC);
        if (filter->errors_fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot start '%s'", argv[0]);
        } else if (g_spawn_async_with_fds(NULL, (char **)argv, NULL,
                                          G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, set_up, NULL,
                                          &filter->pid, input_fd, output_fd, filter->errors_fd, &failure)) {
                filter->pidfd = (int)syscall(SYS_pidfd_open, filter->pid, 0);
                if (filter->pidfd >= 0)
                        return filter;
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot watch '%s'", argv[0]);
        } else if (g_error_matches(failure, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT)) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "missing tool '%s'", argv[0]);
        } else {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "cannot start '%s': %s", argv[0],
                          failure->message);
        }
        filter_free(filter);
        return NULL;
}

/* The first line of what it has said. */
static char *read_reason(const struct filter *filter)
{
        char text[512];
        ssize_t length = pread(filter->errors_fd, text, sizeof(text) - 1, 0);

        if (length <= 0)
                return g_strdup_printf("it ended with status 0x%x", (unsigned)filter->status);
        text[length] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return error_quote(text);
}

static bool judge(struct filter *filter, GError **error)
{
        g_autofree char *reason = NULL;

        if (WIFEXITED(filter->status) && WEXITSTATUS(filter->status) == 0)
                return true;
        reason = read_reason(filter);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "'%s' failed: %s", filter->program,
                         reason);
}

/* True: it has ended. */
static bool reap(struct filter *filter, int options)
{
        if (filter->pid > 0 && waitpid(filter->pid, &filter->status, options) == filter->pid)
                filter->pid = 0;
        return filter->pid == 0;
}

bool filter_wait(struct filter *filter, struct lane *lane, GError **error)
{
        if (filter->pid > 0 && lane_wait(lane, filter->pidfd, POLLIN, NULL, LANE_FOREVER) != LANE_READY)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "'%s' was not waited for any more", filter->program);
        reap(filter, 0);
        return judge(filter, error);
}

bool filter_has_failed(struct filter *filter, GError **error)
{
        return reap(filter, WNOHANG) && !judge(filter, error);
}

void filter_free(struct filter *filter)
{
        if (!filter)
                return;
        if (filter->pid > 0) {
                kill(filter->pid, SIGKILL);
                reap(filter, 0);
        }
        if (filter->pidfd >= 0)
                close(filter->pidfd);
        if (filter->errors_fd >= 0)
                close(filter->errors_fd);
        g_free(filter->program);
        g_free(filter);
}
