/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a guest's groups: a scope of systemd's where that is the host's init, groups of our own elsewhere.
 */
#include "drivers/cgroup/cgroup-private.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Names that other agents' guests may have before we look for another. */
#define NAMES_MAX 1000

/* ---- names ---- */

#define MACHINE_NAME_MAX 64

char *cgroup_make_machine_name(const char *driver, int id, const char *name)
{
        GString *text = g_string_new(NULL);
        bool skips = true; /* no second dot or hyphen */

        g_string_printf(text, "%s-%d-", driver, id);
        for (const char *p = name; *p && text->len < MACHINE_NAME_MAX; p++) {
                bool separates = *p == '.' || *p == '-';

                if ((!separates || skips) && !g_ascii_isalnum(*p))
                        continue;
                g_string_append_c(text, *p);
                skips = separates;
        }
        while (text->len > 0 && (text->str[text->len - 1] == '.' || text->str[text->len - 1] == '-'))
                g_string_truncate(text, text->len - 1);
        return g_string_free(text, FALSE);
}

bool cgroup_check_partition(const char *partition, GError **error)
{
        g_auto(GStrv) names = g_strsplit(partition, "/", -1);
        bool ok = partition[0] == '/' && partition[1] && strlen(partition) < 200;

        for (unsigned i = 1; ok && names[i]; i++)
                ok = *names[i] && *names[i] != '.' && !strpbrk(names[i], "\n\r\\");
        return ok ||
               error_set(error, ERROR_FROM_CGROUP, ERROR_CONFIG_UNSUPPORTED,
                         "the resource partition '%s' is not supported: it has to be a path below '/' of "
                         "names without dots at their beginning",
                         partition);
}

/* "/machine/prod": "machine-prod.slice" */
static char *make_slice_name(const char *partition)
{
        g_auto(GStrv) names = g_strsplit(partition + 1, "/", -1);
        GString *slice = g_string_new(NULL);

        for (unsigned i = 0; names[i]; i++) {
                g_autofree char *escaped = systemd_escape(names[i]);

                g_string_append_printf(slice, "%s%s", i > 0 ? "-" : "", escaped);
        }
        return g_string_free(g_string_append(slice, ".slice"), FALSE);
}

/* "/machine/prod": "/machine/prod.partition", as administrators of such hosts call them. */
static char *make_partition_path(const char *partition)
{
        g_auto(GStrv) names = g_strsplit(partition + 1, "/", -1);
        GString *path = g_string_new(NULL);

        for (unsigned i = 0; names[i]; i++) {
                bool plain = i == 0 && (strcmp(names[i], "machine") == 0 || strcmp(names[i], "user") == 0 ||
                                        strcmp(names[i], "system") == 0);

                g_string_append_printf(path, "/%s%s", names[i], plain ? "" : ".partition");
        }
        return g_string_free(path, FALSE);
}

/* ---- furnishing ---- */

/* Threads of their own need a group of type "threaded", which only the cpu and cpuset controllers know. */
static void make_threads_possible(const struct hierarchy *hierarchy, const struct cgroup *group)
{
        g_autofree char *inner = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), NULL);
        g_autofree char *start = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), "emulator");

        if (!hierarchy->unified)
                return;
        if (!cgroup_write_file(start, "cgroup.type", "threaded")) {
                rmdir(start);
                return;
        }
        hierarchy_pass_on(hierarchy, inner, 1U << CGROUP_CPU | 1U << CGROUP_CPUSET);
}

/* A scope must not pass on anything yet: it would become the root of threads with the keeper in it. */
static bool make_home(const struct hierarchy *hierarchy, const struct cgroup *group, const char *path,
                      const char *home)
{
        if (group->unit && hierarchy->unified)
                return mkdir(home, 0755) == 0 || errno == EEXIST;
        return hierarchy_make(hierarchy, path);
}

static bool furnish(const struct hierarchy *hierarchy, const struct cgroup *group)
{
        const char *inner = cgroup_get_inner(group);
        g_autofree char *outer = hierarchy_path(hierarchy, group->path, NULL, NULL);
        g_autofree char *inner_path = g_build_filename(group->path, inner, NULL);
        g_autofree char *start_path = g_build_filename(inner_path, "emulator", NULL);
        g_autofree char *home = hierarchy_path(hierarchy, inner_path, NULL, NULL), *start = NULL;
        char keeper[16];

        snprintf(keeper, sizeof(keeper), "%d", (int)group->keeper);
        if (!make_home(hierarchy, group, inner_path, home))
                return false;
        if (group->keeper > 0 && !cgroup_write_file(home, "cgroup.procs", keeper))
                return false;
        /* A group with processes in it passes nothing on: they are one further down now. */
        if (*inner)
                hierarchy_pass_on(hierarchy, outer, ~0U);
        if (!hierarchy->unified)
                return hierarchy_make(hierarchy, start_path);
        start = hierarchy_path(hierarchy, start_path, NULL, NULL);
        if (mkdir(start, 0755) == 0 || errno == EEXIST)
                make_threads_possible(hierarchy, group);
        return true;
}

bool cgroup_furnish(struct cgroup *group)
{
        struct hierarchies *all = &group->hierarchies;
        unsigned kept = 0;

        for (unsigned i = 0; i < all->count; i++) {
                struct hierarchy hierarchy = all->list[i];
                bool ok = furnish(&hierarchy, group);

                if (ok) {
                        all->list[kept++] = hierarchy;
                        continue;
                }
                log_info("no control groups of guests in '%s': %s", hierarchy.mount, g_strerror(errno));
                g_free(hierarchy.mount);
                g_free(hierarchy.root);
        }
        all->count = kept;
        return kept > 0;
}

/* ---- a scope ---- */

/* What keeps a scope until the emulator is there: ends with us, whatever becomes of us. */
static pid_t start_keeper(int *end, GError **error)
{
        int ends[2];
        pid_t pid;
        char byte;

        if (pipe2(ends, O_CLOEXEC) < 0) {
                error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot make a pipe");
                return -1;
        }
        pid = fork();
        if (pid == 0) {
                dup2(ends[0], STDIN_FILENO);
                close_range(STDIN_FILENO + 1, ~0U, 0);
                while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
                        ;
                _exit(0);
        }
        close(ends[0]);
        *end = ends[1];
        if (pid < 0) {
                error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot make a process");
                close(fd_steal(end));
        }
        return pid;
}

static void end_keeper(pid_t *keeper, int *end)
{
        if (*keeper <= 0)
                return;
        close(fd_steal(end));
        kill(*keeper, SIGKILL);
        waitpid(*keeper, NULL, 0);
        *keeper = 0;
}

void cgroup_settle(struct cgroup *group)
{
        end_keeper(&group->keeper, &group->keeper_end);
}

/* Where systemd has put it. */
static char *locate_scope(const struct hierarchies *hierarchies, pid_t pid, const char *unit)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL;

        if (!g_file_get_contents(file, &text, NULL, NULL))
                return NULL;
        for (unsigned i = 0; i < hierarchies->count; i++) {
                const struct hierarchy *hierarchy = &hierarchies->list[i];
                g_autofree char *path = NULL, *name = NULL;

                if (!(hierarchy->controllers & 1U << CGROUP_SYSTEMD))
                        continue;
                path = hierarchy_locate(hierarchy, text);
                name = path ? g_path_get_basename(path) : NULL;
                if (name && strcmp(name, unit) == 0)
                        return g_steal_pointer(&path);
        }
        return NULL;
}

static bool start_scope(struct lane *lane, const struct cgroup_spec *spec, struct cgroup *group,
                        GError **error)
{
        g_autofree char *slice = make_slice_name(spec->partition), *escaped = systemd_escape(spec->machine);
        enum systemd_manager manager = geteuid() == 0 ? SYSTEMD_HOST : SYSTEMD_USER;
        bool exists = false;

        for (unsigned i = 1; i <= NAMES_MAX; i++) {
                g_clear_error(error);
                g_free(group->unit);
                /* Another agent's, or what a guest that was killed has not left yet. */
                group->unit = i == 1 ? g_strdup_printf("machine-%s.scope", escaped)
                                     : g_strdup_printf("machine-%s\\x2d%u.scope", escaped, i);
                if (systemd_start_scope(lane, manager,
                                        &(const struct systemd_scope){ group->unit, slice, spec->description,
                                                                       group->keeper },
                                        &exists, error))
                        return true;
                if (!exists)
                        break;
        }
        return false;
}

static bool make_scope(struct lane *lane, const struct cgroup_spec *spec, struct cgroup *group,
                       GError **error)
{
        group->keeper = start_keeper(&group->keeper_end, error);
        if (group->keeper < 0 || !start_scope(lane, spec, group, error))
                return false;
        group->path = locate_scope(&group->hierarchies, group->keeper, group->unit);
        if (!group->path)
                return error_set(error, ERROR_FROM_CGROUP, ERROR_SYSTEM_ERROR,
                                 "systemd has made '%s', and nobody is in it", group->unit);
        if (!cgroup_furnish(group))
                return error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot use the scope '%s'",
                                       group->unit);
        return true;
}

/* ---- our own ---- */

/* Makes the directory of the first hierarchy, which nobody else has then. False with errno: EEXIST. */
static bool claim(const struct hierarchies *hierarchies, const char *path)
{
        const struct hierarchy *hierarchy = &hierarchies->list[0];
        int failure;
        g_autofree char *parent = g_path_get_dirname(path);
        g_autofree char *directory = hierarchy_path(hierarchy, path, NULL, NULL);
        g_autofree char *above = hierarchy_path(hierarchy, parent, NULL, NULL);

        /* Whoever removes his last guest takes the parent away. */
        for (unsigned i = 0; i < 10; i++) {
                if (!hierarchy_make(hierarchy, parent))
                        return false;
                hierarchy_pass_on(hierarchy, above, ~0U);
                if (mkdir(directory, 0755) == 0) {
                        hierarchy_fill_in(hierarchy, path);
                        return true;
                }
                failure = errno;
                if (failure == EEXIST && cgroup_remove_stale(hierarchies, path))
                        continue;
                if (failure != ENOENT) {
                        errno = failure;
                        return false;
                }
        }
        return false;
}

static bool make_own(const struct cgroup_spec *spec, struct cgroup *group, GError **error)
{
        g_autofree char *parent = make_partition_path(spec->partition);

        hierarchies_drop_useless(&group->hierarchies);
        if (geteuid() != 0 || group->hierarchies.count == 0)
                return error_set(error, ERROR_FROM_CGROUP, ERROR_NO_SUPPORT, "%s",
                                 geteuid() != 0 ? "only systemd gives some to a user, and it does not run"
                                                : "the host has none mounted");
        for (unsigned i = 1; i <= NAMES_MAX; i++) {
                g_free(group->path);
                group->path = i == 1 ? g_strdup_printf("%s/%s" CGROUP_SUFFIX, parent, spec->machine)
                                     : g_strdup_printf("%s/%s-%u" CGROUP_SUFFIX, parent, spec->machine, i);
                errno = 0;
                if (claim(&group->hierarchies, group->path))
                        break;
                if (errno != EEXIST || i == NAMES_MAX)
                        return error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot make '%s' in '%s'",
                                               group->path, group->hierarchies.list[0].mount);
        }
        return cgroup_furnish(group) ||
               error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot use '%s'", group->path);
}

/* ---- either ---- */

struct cgroup *cgroup_new(struct lane *lane, const struct cgroup_spec *spec, GError **error)
{
        struct cgroup *group = g_new0(struct cgroup, 1);
        g_autoptr(GError) reason = NULL;

        group->keeper_end = -1;
        hierarchies_read(&group->hierarchies);
        if (systemd_is_booted() ? make_scope(lane, spec, group, &reason) : make_own(spec, group, &reason))
                return group;
        cgroup_remove(lane, group);
        if (error_is(reason, ERROR_OPERATION_ABORTED))
                g_propagate_error(error, g_steal_pointer(&reason));
        else
                log_gerror(LOG_LEVEL_INFO, reason, "guest '%s' gets no control group of its own",
                           spec->machine);
        return NULL;
}
