/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a group is made of; between the files of this folder. */

#include "drivers/cgroup/cgroup.h"

#define HIERARCHIES_MAX 16

/* One mounted hierarchy. */
struct hierarchy {
        char *mount;          /* owned */
        char *root;           /* owned; which part of the hierarchy is mounted there: "/" mostly */
        bool unified;         /* version 2 */
        unsigned controllers; /* bits by enum cgroup_controller */
};

/* Those that have something for us; in the order of mounting, the unified one last. */
struct hierarchies {
        struct hierarchy list[HIERARCHIES_MAX];
        unsigned count;
};

/* hierarchy.c: what mountinfo (text of /proc/self/mountinfo) says. */
void hierarchies_parse(struct hierarchies *hierarchies, const char *mountinfo);
void hierarchies_read(struct hierarchies *hierarchies);
void hierarchies_clear(struct hierarchies *hierarchies);

/*
 * Where in that hierarchy the process is, below what is mounted, by /proc/<pid>/cgroup (text); NULL: not
 * known. Free it.
 */
char *hierarchy_locate(const struct hierarchy *hierarchy, const char *text);

/* The name of a controller in both versions. */
const char *controller_get_name(enum cgroup_controller controller, bool unified);

/* The directory of a group; NULL ends the names. */
char *hierarchy_path(const struct hierarchy *hierarchy, const char *path, const char *inner,
                     const char *threads);

/*
 * mkdir -p below the mount; what a directory needs to be of use is done to each that is new (cpuset) or on
 * the way (controllers of version 2 are passed on to path, itself excluded). False with errno.
 */
bool hierarchy_make(const struct hierarchy *hierarchy, const char *path);
/* What a directory of that hierarchy needs to be of use, once it has been made. */
void hierarchy_fill_in(const struct hierarchy *hierarchy, const char *path);
/* Passes controllers of version 2 on to the children of directory; those that are not there are left out. */
void hierarchy_pass_on(const struct hierarchy *hierarchy, const char *directory, unsigned controllers);

struct cgroup {
        struct hierarchies hierarchies;
        char *path;     /* owned; below the mounts */
        char *unit;     /* owned; NULL: our own */
        pid_t keeper;   /* a process that keeps the scope; 0: none */
        int keeper_end; /* owned; closed, it ends; -1: none */
};

/* Where processes begin; without threads of their own, in the group itself. Free it. */
char *cgroup_get_start(const struct hierarchy *hierarchy, const struct cgroup *group);

/* Below a scope everything of ours is in one group. */
const char *cgroup_get_inner(const struct cgroup *group);

/* Writes text into a file of a cgroup file system; false with errno. */
bool cgroup_write_file(const char *directory, const char *file, const char *text);

/* The last part of the names of groups of our own. */
#define CGROUP_SUFFIX ".virtbus-qemu"

/*
 * Removes the group at path if it has been empty for a minute: one that is younger is being made by somebody.
 * Its place in the first hierarchy, which whoever makes one makes first, is free when this returns true.
 */
bool cgroup_remove_stale(const struct hierarchies *hierarchies, const char *path);

/* Those hierarchies only that are of use without systemd. */
void hierarchies_drop_useless(struct hierarchies *hierarchies);

/* create.c: the inner group, and the one where processes begin. False with errno: not in that hierarchy. */
bool cgroup_furnish(struct cgroup *group);
