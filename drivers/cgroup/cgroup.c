/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's groups: finding them again, who is in them, how they go.
 */
#include "drivers/cgroup/cgroup-private.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/systemd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where libvirt's tools look below a scope. */
#define INNER "libvirt"
#define START "emulator"

DEFINE_CLEANUP(DIR, closedir);

/* Groups of our own, unless their guest has a partition. */
#define MACHINES "/machine"
/* Between making a group and having a process in it there is less. */
#define STALE_S 60

/* How long an end may be on its way into the kernel's books. */
#define REMOVE_MS 500
/* Between two looks where nobody tells: version 1 runs a program of the host's choice, or none. */
#define REMOVE_PAUSE_MS 5

const char *cgroup_get_inner(const struct cgroup *group)
{
        return group->unit ? INNER : "";
}

const char *cgroup_get_path(const struct cgroup *group)
{
        return group->path;
}

const char *cgroup_get_unit(const struct cgroup *group)
{
        return group->unit;
}

void cgroup_free(struct cgroup *group)
{
        if (!group)
                return;
        cgroup_settle(group);
        hierarchies_clear(&group->hierarchies);
        g_free(group->path);
        g_free(group->unit);
        g_free(group);
}

/* ---- finding ---- */

/* Only hierarchies that have it stay. */
static bool keep_existing(struct cgroup *group)
{
        struct hierarchies *all = &group->hierarchies;
        unsigned kept = 0;

        for (unsigned i = 0; i < all->count; i++) {
                struct hierarchy hierarchy = all->list[i];
                g_autofree char *directory =
                        hierarchy_path(&hierarchy, group->path, cgroup_get_inner(group), NULL);

                if (access(directory, F_OK) == 0) {
                        all->list[kept++] = hierarchy;
                        continue;
                }
                g_free(hierarchy.mount);
                g_free(hierarchy.root);
        }
        all->count = kept;
        return kept > 0;
}

struct cgroup *cgroup_open(const char *path, const char *unit)
{
        CLEANUP(cgroup_free) struct cgroup *group = g_new0(struct cgroup, 1);

        group->keeper_end = -1;
        if (path[0] != '/' || !path[1] || strstr(path, "/.."))
                return NULL;
        group->path = g_strdup(path);
        group->unit = g_strdup(unit);
        hierarchies_read(&group->hierarchies);
        return keep_existing(group) ? g_steal_pointer(&group) : NULL;
}

static bool is_home(const char *path)
{
        return g_str_has_suffix(path, ".scope/" INNER) || g_str_has_suffix(path, CGROUP_SUFFIX) ||
               g_str_has_suffix(path, ".libvirt-qemu");
}

/* "/machine.slice/machine-x.scope/libvirt/emulator": the scope; "/machine/x.virtbus-qemu/emulator": the
 * group. So does libvirt, with ".libvirt-qemu". */
static struct cgroup *open_above(const char *path)
{
        g_autofree char *home = is_home(path) ? g_strdup(path) : g_path_get_dirname(path);
        g_autofree char *scope = g_path_get_dirname(home), *unit = g_path_get_basename(scope);

        if (!is_home(home))
                return NULL;
        return g_str_has_suffix(home, "/" INNER) ? cgroup_open(scope, unit) : cgroup_open(home, NULL);
}

struct cgroup *cgroup_find(pid_t pid)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL;
        struct hierarchies all;
        struct cgroup *group = NULL;

        if (!g_file_get_contents(file, &text, NULL, NULL))
                return NULL;
        hierarchies_read(&all);
        for (unsigned i = 0; i < all.count && !group; i++) {
                g_autofree char *path = hierarchy_locate(&all.list[i], text);

                group = path ? open_above(path) : NULL;
        }
        hierarchies_clear(&all);
        return group;
}

/* ---- removing ---- */

struct removal {
        struct lane *lane; /* borrowed */
        lane_deadline deadline;
};

/*
 * Version 2 tells when the last process has left: what has changed since its file was read is an event.
 * False: nothing more is to be waited for.
 */
static bool wait_for_end(const struct removal *removal, int events)
{
        char text[256] = "";
        lane_deadline pause = MIN(removal->deadline, lane_deadline_in(REMOVE_PAUSE_MS));
        enum lane_wake wake;

        if (events >= 0 && pread(events, text, sizeof(text) - 1, 0) > 0 && strstr(text, "populated 1"))
                return lane_wait(removal->lane, events, POLLPRI, NULL, removal->deadline) == LANE_READY;
        wake = lane_wait(removal->lane, -1, 0, NULL, pause);
        return wake == LANE_TIMEOUT && pause < removal->deadline;
}

/* False with errno. */
static bool remove_directory(const struct removal *removal, const char *path)
{
        g_autofree char *file = g_build_filename(path, "cgroup.events", NULL);
        CLEANUP_FD int events = open(file, O_RDONLY | O_CLOEXEC);

        while (rmdir(path) < 0 && errno != ENOENT) {
                if (errno != EBUSY)
                        return false;
                if (!wait_for_end(removal, events)) {
                        errno = EBUSY;
                        return false;
                }
        }
        return true;
}

/* The groups of threads, and the group. */
static bool remove_tree(const struct removal *removal, const char *path)
{
        CLEANUP(closedir) DIR *dir = opendir(path);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                g_autofree char *below = NULL;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                below = g_build_filename(path, entry->d_name, NULL);
                remove_directory(removal, below);
        }
        return remove_directory(removal, path);
}

/* Parents that are empty; those that are not are somebody else's. */
static void remove_parents(const struct hierarchy *hierarchy, const char *path)
{
        g_autofree char *parent = g_path_get_dirname(path);

        while (strlen(parent) > 1) {
                g_autofree char *directory = hierarchy_path(hierarchy, parent, NULL, NULL), *next = NULL;

                if (rmdir(directory) < 0)
                        return;
                next = g_path_get_dirname(parent);
                g_free(parent);
                parent = g_steal_pointer(&next);
        }
}

/* The first hierarchy last: whoever wants the name has it when it is free there. */
void cgroup_remove(struct lane *lane, struct cgroup *group)
{
        const struct removal removal = { lane, lane_deadline_in(REMOVE_MS) };

        if (!group)
                return;
        cgroup_settle(group);
        for (unsigned i = group->hierarchies.count; group->path && !group->unit && i-- > 0;) {
                const struct hierarchy *hierarchy = &group->hierarchies.list[i];
                g_autofree char *path = hierarchy_path(hierarchy, group->path, NULL, NULL);

                if (remove_tree(&removal, path))
                        remove_parents(hierarchy, group->path);
                else
                        log_warning("the control group '%s' stays: %s", path, g_strerror(errno));
        }
        cgroup_free(group);
}

/* ---- what others have left ---- */

static bool is_old(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && st.st_ctime < time(NULL) - STALE_S;
}

/* Once, without waiting: what has processes stays. */
static bool remove_empty(const char *path)
{
        CLEANUP(closedir) DIR *dir = opendir(path);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
                    unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
                        return false;
        }
        return rmdir(path) == 0;
}

bool cgroup_remove_stale(const struct hierarchies *hierarchies, const char *path)
{
        for (unsigned i = hierarchies->count; i-- > 0;) {
                g_autofree char *directory = hierarchy_path(&hierarchies->list[i], path, NULL, NULL);

                if (access(directory, F_OK) == 0 && (!is_old(directory) || !remove_empty(directory)))
                        return false;
        }
        return true;
}

static void sweep(const struct hierarchies *hierarchies, const char *parent)
{
        CLEANUP(closedir) DIR *dir = opendir(parent);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                g_autofree char *path = g_strconcat(MACHINES, "/", entry->d_name, NULL);

                if (entry->d_type == DT_DIR && g_str_has_suffix(path, CGROUP_SUFFIX) &&
                    cgroup_remove_stale(hierarchies, path))
                        log_info("the control group '%s' was left and is removed", path);
        }
}

void cgroup_sweep(void)
{
        struct hierarchies all;

        if (geteuid() != 0 || systemd_is_booted())
                return;
        hierarchies_read(&all);
        hierarchies_drop_useless(&all);
        for (unsigned i = 0; i < all.count; i++) {
                g_autofree char *parent = hierarchy_path(&all.list[i], MACHINES, NULL, NULL);

                sweep(&all, parent);
        }
        hierarchies_clear(&all);
}

/* ---- who is in it ---- */

char *cgroup_get_start(const struct hierarchy *hierarchy, const struct cgroup *group)
{
        g_autofree char *start = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), START);

        if (access(start, F_OK) == 0)
                return g_steal_pointer(&start);
        return hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), NULL);
}

GArray *cgroup_open_fds(const struct cgroup *group)
{
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

        for (unsigned i = 0; group && i < group->hierarchies.count; i++) {
                g_autofree char *start = cgroup_get_start(&group->hierarchies.list[i], group);
                g_autofree char *procs = g_build_filename(start, "cgroup.procs", NULL);
                int fd = open(procs, O_WRONLY | O_CLOEXEC);

                if (fd >= 0)
                        g_array_append_val(fds, fd);
                else
                        log_warning("cannot open '%s': %s", procs, g_strerror(errno));
        }
        return fds;
}

void cgroup_close_fds(GArray *fds)
{
        for (unsigned i = 0; fds && i < fds->len; i++)
                close(g_array_index(fds, int, i));
        if (fds)
                g_array_unref(fds);
}

bool cgroup_add_process(const struct cgroup *group, pid_t pid, GError **error)
{
        char text[16];

        snprintf(text, sizeof(text), "%d", (int)pid);
        for (unsigned i = 0; i < group->hierarchies.count; i++) {
                g_autofree char *start = cgroup_get_start(&group->hierarchies.list[i], group);

                if (!cgroup_write_file(start, "cgroup.procs", text))
                        return error_set_errno(error, ERROR_FROM_CGROUP, errno,
                                               "cannot move process %d to '%s'", (int)pid, start);
        }
        return true;
}

/* Threads are of interest to cpu, cpuacct and cpuset. */
static bool is_for_threads(const struct hierarchy *hierarchy)
{
        return hierarchy->controllers & (1U << CGROUP_CPU | 1U << CGROUP_CPUACCT | 1U << CGROUP_CPUSET);
}

static bool make_threads(const struct hierarchy *hierarchy, const struct cgroup *group, const char *directory,
                         const char *threads)
{
        g_autofree char *path = g_build_filename(group->path, cgroup_get_inner(group), threads, NULL);

        if (access(directory, F_OK) == 0)
                return true;
        if (!hierarchy->unified)
                return hierarchy_make(hierarchy, path);
        if (mkdir(directory, 0755) < 0)
                return false;
        return cgroup_write_file(directory, "cgroup.type", "threaded");
}

bool cgroup_add_thread(const struct cgroup *group, const char *threads, pid_t tid, GError **error)
{
        char text[16];

        snprintf(text, sizeof(text), "%d", (int)tid);
        for (unsigned i = 0; i < group->hierarchies.count; i++) {
                const struct hierarchy *hierarchy = &group->hierarchies.list[i];
                g_autofree char *directory =
                        hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), threads);

                if (!is_for_threads(hierarchy))
                        continue;
                if (!make_threads(hierarchy, group, directory, threads) ||
                    !cgroup_write_file(directory, hierarchy->unified ? "cgroup.threads" : "tasks", text))
                        return error_set_errno(error, ERROR_FROM_CGROUP, errno,
                                               "cannot move thread %d to '%s'", (int)tid, directory);
        }
        return true;
}

void cgroup_remove_threads(struct lane *lane, const struct cgroup *group, const char *threads)
{
        const struct removal removal = { lane, lane_deadline_in(REMOVE_MS) };

        for (unsigned i = 0; i < group->hierarchies.count; i++) {
                g_autofree char *directory = hierarchy_path(&group->hierarchies.list[i], group->path,
                                                            cgroup_get_inner(group), threads);

                remove_directory(&removal, directory);
        }
}
