/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/server.h"

#include "tests/support/harness.h"

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does anybody listen to it? (The kernel's list: flags __SO_ACCEPTCON, then state and so on, then the path.)
 */
static bool is_listening(void *socket)
{
        g_autofree char *text = NULL, *ending = g_strconcat(" ", socket, NULL);
        g_auto(GStrv) lines = NULL;

        ck_assert(g_file_get_contents("/proc/net/unix", &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                if (g_str_has_suffix(lines[i], ending) && strstr(lines[i], " 00010000 "))
                        return true;
        }
        return false;
}

GPid server_start(const char *socket, const char *const *argv)
{
        g_autoptr(GError) error = NULL;
        GPid pid;

        unlink(socket);
        ck_assert_msg(g_spawn_async(NULL, (char **)argv, NULL,
                                    G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                    &error),
                      "%s", error ? error->message : "");
        harness_wait_until(is_listening, (void *)socket, "the server listens");
        ck_assert_int_eq(chmod(socket, 0777), 0);
        return pid;
}

void server_end(GPid pid)
{
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

bool server_is_installed(const char *name)
{
        g_autofree char *path = g_find_program_in_path(name);

        if (!path)
                harness_skip(name);
        return path != NULL;
}
