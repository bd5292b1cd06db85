/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guard: an orphan in a session of its own, which has nothing of the test but the end of a pipe. */
#include "tests/support/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS "/sys/fs/cgroup"
/* Of directories that are open at once. */
#define DEPTH 32

/* What comes to be while the others are killed is found at the next round. */
#define ROUNDS 20

static bool is_told(pid_t pid, const char *folder)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
        g_autofree char *text = NULL;
        gsize length;

        return g_file_get_contents(path, &text, &length, NULL) &&
               memmem(text, length, folder, strlen(folder)) != NULL;
}

static bool has_open(pid_t pid, const char *folder)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
        g_autoptr(GDir) files = g_dir_open(path, 0, NULL);
        const char *name;
        bool found = false;

        while (!found && files && (name = g_dir_read_name(files))) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                g_autofree char *target = g_file_read_link(link, NULL);

                found = target && strstr(target, folder);
        }
        return found;
}

/* False: there was none. */
static bool kill_round(const char *folder)
{
        g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
        const char *name;
        bool found = false;

        while (processes && (name = g_dir_read_name(processes))) {
                pid_t pid = atoi(name);

                if (pid <= 1 || pid == getpid() || (!is_told(pid, folder) && !has_open(pid, folder)))
                        continue;
                kill(pid, SIGKILL);
                found = true;
        }
        return found;
}

/* With what is below it: a guest's parts have groups of their own */
static void remove_group(const char *mount, const char *group)
{
        g_autofree char *path = g_strconcat(mount, group, NULL);
        g_autoptr(GDir) parts = g_dir_open(path, 0, NULL);
        const char *name;

        while (parts && (name = g_dir_read_name(parts))) {
                g_autofree char *part = g_build_filename(path, name, NULL);

                rmdir(part);
        }
        rmdir(path);
}

/* In the one tree of version 2, and in each of version 1. */
static void remove_groups(const char *group)
{
        g_autoptr(GDir) trees = g_dir_open(GROUPS, 0, NULL);
        const char *name;

        remove_group(GROUPS, group);
        while (trees && (name = g_dir_read_name(trees))) {
                g_autofree char *tree = g_build_filename(GROUPS, name, NULL);

                remove_group(tree, group);
        }
}

/* systemd ends its scopes itself: only what has a group alone. */
static void remove_noted_groups(const char *status_path)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) notes = NULL;

        if (!g_file_get_contents(status_path, &text, NULL, NULL))
                return;
        notes = g_strsplit(text, "<cgroup path='", -1);
        for (char **note = notes + 1; *notes && *note; note++) {
                char *end = strchr(*note, '\'');

                if (!end || !g_str_has_prefix(end, "'/>"))
                        continue;
                *end = '\0';
                remove_groups(*note);
        }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
        if (strcmp(path + place->base, "status.xml") == 0)
                remove_noted_groups(path);
        remove(path);
        return 0;
}

void guard_remove(const char *folder)
{
        nftw(folder, remove_entry, DEPTH, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
}

/* The output of the test is not kept open by it: whoever reads that would wait. */
static G_NORETURN void watch(const char *folder, int end)
{
        char byte;
        int null = open("/dev/null", O_RDWR);

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                dup2(null, fd);
        for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
                if (fd != end)
                        close(fd);
        while (read(end, &byte, 1) != 0)
                ;
        for (unsigned i = 0; i < ROUNDS && kill_round(folder); i++)
                g_usleep(20 * 1000);
        guard_remove(folder);
        _exit(0);
}

void guard_folder(const char *folder)
{
        int ends[2];
        pid_t pid;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
                g_error("no guard of %s: %s", folder, g_strerror(errno));
        if (pid == 0) {
                setsid();
                close(ends[1]);
                if (fork() == 0)
                        watch(folder, ends[0]);
                _exit(0);
        }
        close(ends[0]);
        waitpid(pid, NULL, 0);
        /* The other end stays open as long as this process lives. */
}
