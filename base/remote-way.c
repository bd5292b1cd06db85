/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that lead to other hosts. They belong to whoever uses them. */
#include "base/remote-way.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the other side complains of is kept in memory. */
#define ERRORS_MAX (1024 * 1024)

/* In the child, between fork and exec. */
static void set_up(gpointer data)
{
        const struct rlimit limit = { ERRORS_MAX, ERRORS_MAX };
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        setpgid(0, 0);
}

int remote_way_open(struct remote_way *way, const char *const *command, const char *what, GError **error)
{
        g_autoptr(GError) failure = NULL;
        CLEANUP_FD int ours = -1;
        CLEANUP_FD int theirs = -1;
        int ends[2];

        way->errors_fd = memfd_create("errors", MFD_CLOEXEC);
        if (way->errors_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
                error_set_errno(error, ERROR_FROM_RPC, errno, "cannot connect to '%s'", what);
                return -1;
        }
        ours = ends[0];
        theirs = ends[1];
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0 ||
            !g_spawn_async_with_fds(NULL, (char **)command, NULL,
                                    G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, set_up, NULL, &way->pid,
                                    theirs, theirs, way->errors_fd, &failure)) {
                way->pid = 0;
                error_set(error, ERROR_FROM_RPC, ERROR_OPERATION_FAILED, "cannot run '%s': %s", command[0],
                          failure ? failure->message : g_strerror(errno));
                return -1;
        }
        return fd_steal(&ours);
}

char *remote_way_get_complaint(const struct remote_way *way)
{
        char text[512];
        ssize_t length = way->errors_fd >= 0 ? pread(way->errors_fd, text, sizeof(text) - 1, 0) : 0;

        if (length <= 0)
                return NULL;
        text[length] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        return error_quote(text);
}

void remote_way_close(struct remote_way *way)
{
        if (way->pid > 0) {
                kill(-way->pid, SIGKILL);
                kill(way->pid, SIGKILL);
                while (waitpid(way->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        if (way->errors_fd >= 0)
                close(way->errors_fd);
        *way = REMOTE_WAY_NONE;
}
