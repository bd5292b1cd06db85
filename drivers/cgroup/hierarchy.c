/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the kernel's control groups are mounted (proc(5), cgroups(7)), and directories in them. No state.
 */
#include "drivers/cgroup/cgroup-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names ---- */

static const char *const names_v1[CGROUP_CONTROLLERS] = {
        [CGROUP_CPU] = "cpu",         [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",
        [CGROUP_MEMORY] = "memory",   [CGROUP_IO] = "blkio",        [CGROUP_SYSTEMD] = "name=systemd",
        [CGROUP_DEVICES] = "devices",
};

/* What is NULL is there without a controller. */
static const char *const names_v2[CGROUP_CONTROLLERS] = {
        [CGROUP_CPU] = "cpu",
        [CGROUP_CPUSET] = "cpuset",
        [CGROUP_MEMORY] = "memory",
        [CGROUP_IO] = "io",
};

const char *controller_get_name(enum cgroup_controller controller, bool unified)
{
        return unified ? names_v2[controller] : names_v1[controller];
}

/* Bits of those in a list like "rw,cpu,cpuacct". */
static unsigned read_names(const char *list, const char *separator, bool unified)
{
        g_auto(GStrv) words = g_strsplit(list, separator, -1);
        unsigned found = 0;

        for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++) {
                const char *name = controller_get_name((enum cgroup_controller)i, unified);

                if (name && g_strv_contains((const char *const *)words, name))
                        found |= 1U << i;
        }
        return found;
}

/* ---- what is mounted ---- */

/* The kernel writes what would end a field as \ooo. */
static char *unescape(const char *field)
{
        GString *text = g_string_new(NULL);

        for (const char *p = field; *p; p++) {
                if (p[0] == '\\' && p[1] && p[2] && p[3]) {
                        g_string_append_c(text, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
                        p += 3;
                } else {
                        g_string_append_c(text, *p);
                }
        }
        return g_string_free(text, FALSE);
}

static void add(struct hierarchies *hierarchies, char **fields, char **tail)
{
        bool unified = strcmp(tail[0], "cgroup2") == 0;
        unsigned controllers = unified ? 1U << CGROUP_SYSTEMD : read_names(tail[2], ",", false);

        /* Mounted a second time, or nothing for us. */
        for (unsigned i = 0; i < hierarchies->count; i++) {
                const struct hierarchy *known = &hierarchies->list[i];

                if (known->unified == unified)
                        controllers &= ~known->controllers;
        }
        if (controllers == 0 || hierarchies->count == HIERARCHIES_MAX)
                return;
        hierarchies->list[hierarchies->count++] =
                (struct hierarchy){ unescape(fields[4]), unescape(fields[3]), unified, controllers };
}

/* "31 24 0:27 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct" */
static void read_line(struct hierarchies *hierarchies, const char *line)
{
        const char *dash = strstr(line, " - ");
        g_auto(GStrv) fields = NULL, tail = NULL;

        if (!dash || !g_str_has_prefix(dash + strlen(" - "), "cgroup"))
                return;
        fields = g_strsplit(line, " ", 7);
        tail = g_strsplit(dash + strlen(" - "), " ", 3);
        if (g_strv_length(fields) >= 6 && g_strv_length(tail) == 3)
                add(hierarchies, fields, tail);
}

void hierarchies_parse(struct hierarchies *hierarchies, const char *mountinfo)
{
        g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);

        *hierarchies = (struct hierarchies){ .count = 0 };
        for (unsigned i = 0; lines[i]; i++)
                read_line(hierarchies, lines[i]);
}

static void learn_controllers(struct hierarchy *hierarchy)
{
        g_autofree char *path = g_build_filename(hierarchy->mount, "cgroup.controllers", NULL);
        g_autofree char *text = NULL;

        if (hierarchy->unified && g_file_get_contents(path, &text, NULL, NULL))
                hierarchy->controllers |= read_names(g_strchomp(text), " ", true);
}

void hierarchies_read(struct hierarchies *hierarchies)
{
        g_autofree char *text = NULL;

        g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL);
        hierarchies_parse(hierarchies, text ? text : "");
        for (unsigned i = 0; i < hierarchies->count; i++)
                learn_controllers(&hierarchies->list[i]);
}

void hierarchies_clear(struct hierarchies *hierarchies)
{
        for (unsigned i = 0; i < hierarchies->count; i++) {
                g_free(hierarchies->list[i].mount);
                g_free(hierarchies->list[i].root);
        }
        hierarchies->count = 0;
}

/* Systemd's hierarchy is of no use to us without systemd, and neither is an empty one. */
void hierarchies_drop_useless(struct hierarchies *all)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < all->count; i++) {
                struct hierarchy hierarchy = all->list[i];

                if (hierarchy.controllers & ~(1U << CGROUP_SYSTEMD)) {
                        all->list[kept++] = hierarchy;
                        continue;
                }
                g_free(hierarchy.mount);
                g_free(hierarchy.root);
        }
        all->count = kept;
}

/* ---- where a process is ---- */

/* "4:cpu,cpuacct:/machine/x", "0::/machine/x": is it about the hierarchy? Borrowed path. */
static const char *match_line(const struct hierarchy *hierarchy, const char *line)
{
        const char *names = strchr(line, ':');
        const char *path = names ? strchr(names + 1, ':') : NULL;
        g_autofree char *list = NULL;

        /* The name of a hierarchy without controllers may have a colon, a path begins with a slash. */
        if (!path || path[1] != '/')
                return NULL;
        if (hierarchy->unified)
                return g_str_has_prefix(line, "0::") ? path + 1 : NULL;
        list = g_strndup(names + 1, (gsize)(path - names - 1));
        return read_names(list, ",", false) & hierarchy->controllers ? path + 1 : NULL;
}

char *hierarchy_locate(const struct hierarchy *hierarchy, const char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        size_t root = strcmp(hierarchy->root, "/") == 0 ? 0 : strlen(hierarchy->root);

        for (unsigned i = 0; lines[i]; i++) {
                const char *path = match_line(hierarchy, lines[i]);

                if (path && strncmp(path, hierarchy->root, root) == 0 && (path[root] == '/' || !path[root]))
                        return g_strdup(path[root] ? path + root : "/");
        }
        return NULL;
}

/* ---- directories ---- */

char *hierarchy_path(const struct hierarchy *hierarchy, const char *path, const char *inner,
                     const char *threads)
{
        return g_build_filename(hierarchy->mount, path, inner && *inner ? inner : threads,
                                inner && *inner ? threads : NULL, NULL);
}

bool cgroup_write_file(const char *directory, const char *file, const char *text)
{
        g_autofree char *path = g_build_filename(directory, file, NULL);
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, text, strlen(text)) >= 0;
}

static void inherit(const char *parent, const char *directory, const char *file)
{
        g_autofree char *from = g_build_filename(parent, file, NULL),
                        *to = g_build_filename(directory, file, NULL);
        g_autofree char *text = NULL, *own = NULL;

        if (g_file_get_contents(to, &own, NULL, NULL) && *g_strchomp(own) == '\0' &&
            g_file_get_contents(from, &text, NULL, NULL))
                cgroup_write_file(directory, file, g_strchomp(text));
}

/* A group of cpuset's first version is of no use until it has CPUs and nodes. */
static void fill_in(const struct hierarchy *hierarchy, const char *parent, const char *directory)
{
        if (hierarchy->unified || !(hierarchy->controllers & 1U << CGROUP_CPUSET))
                return;
        inherit(parent, directory, "cpuset.cpus");
        inherit(parent, directory, "cpuset.mems");
}

void hierarchy_fill_in(const struct hierarchy *hierarchy, const char *path)
{
        g_autofree char *directory = hierarchy_path(hierarchy, path, NULL, NULL);
        g_autofree char *parent = g_path_get_dirname(directory);

        fill_in(hierarchy, parent, directory);
}

void hierarchy_pass_on(const struct hierarchy *hierarchy, const char *directory, unsigned controllers)
{
        for (unsigned i = 0; hierarchy->unified && i < CGROUP_CONTROLLERS; i++) {
                const char *name = controller_get_name((enum cgroup_controller)i, true);
                char word[32];

                if (!name || !(controllers & hierarchy->controllers & 1U << i))
                        continue;
                snprintf(word, sizeof(word), "+%s", name);
                cgroup_write_file(directory, "cgroup.subtree_control", word);
        }
}

bool hierarchy_make(const struct hierarchy *hierarchy, const char *path)
{
        g_auto(GStrv) names = g_strsplit(path, "/", -1);
        g_autofree char *directory = g_strdup(hierarchy->mount);

        for (unsigned i = 0; names[i]; i++) {
                g_autofree char *parent = NULL;

                if (!*names[i])
                        continue;
                parent = g_steal_pointer(&directory);
                directory = g_build_filename(parent, names[i], NULL);
                if (access(directory, F_OK) < 0) {
                        hierarchy_pass_on(hierarchy, parent, ~0U);
                        if (mkdir(directory, 0755) < 0 && errno != EEXIST)
                                return false;
                }
                /* Whoever made it just now may not have come to that. */
                fill_in(hierarchy, parent, directory);
        }
        return true;
}
