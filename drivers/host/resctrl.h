/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Parts of the host's caches, and of its memory bandwidth, for single threads: the kernel's resctrl
 * (Documentation/arch/x86/resctrl.rst), a file system of its own, which is the administrator's to mount.
 *
 *     /sys/fs/resctrl/
 *         info/L3/, info/L3CODE/, info/L3DATA/, info/L2/, info/MB/, info/L3_MON/   what there is
 *         schemata, tasks                             what the default group may use, and who is in it
 *         mon_groups/qemu-3-web-vcpus_2/              part of a group, counted on its own
 *         qemu-3-web-vcpus_0-1/                       a group: the same files
 *
 * Groups are named as libvirt names them. A path of a group is below that directory; "" is the default group.
 * root: as of host_new_at(). Any thread; lanes where something is changed. The files answer at once.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lane;

#define RESCTRL_DIR       "/sys/fs/resctrl"
#define RESCTRL_NAME_SIZE 16

/* Bounds of what is read: of a file, of values in it, of groups. */
#define RESCTRL_TEXT_MAX    65536
#define RESCTRL_ENTRIES_MAX 4096
#define RESCTRL_GROUPS_MAX  1024

/* The level of the cache whose use is counted ("L3_MON"). */
#define RESCTRL_MONITOR_LEVEL 3

/* ---- what there is (resctrl.c) ---- */

/* Something of which groups get a part. */
struct resctrl_resource {
        char name[RESCTRL_NAME_SIZE]; /* "L3", "L3CODE", "MB" */
        unsigned level;               /* of the cache; 0: memory bandwidth */
        const char *type;             /* "both", "code", "data"; NULL: memory bandwidth */
        unsigned groups;              /* how many there can be, the default one among them */
        uint64_t mask;                /* of a cache: a bit for each part of the same size */
        unsigned min_bits;            /* at least 1 */
        uint64_t shareable;           /* bits that devices use as well */
        unsigned granularity;         /* of memory bandwidth, per cent; at least 1 */
        unsigned minimum;             /* likewise */
};

struct resctrl {
        GArray *resources;        /* owned; struct resctrl_resource, by name */
        unsigned monitors;        /* groups that can be counted on their own; 0: none */
        uint64_t reuse_threshold; /* bytes of cache below which a counter is given to another group */
        char **features;          /* owned; "llc_occupancy", "mbm_total_bytes", "mbm_local_bytes" */
};

/* NULL: resctrl is not mounted. Free it. */
struct resctrl *resctrl_new(const char *root);
void resctrl_free(struct resctrl *resctrl);
/* Borrowed; NULL: there is none. level 0: memory bandwidth, whatever type is. */
const struct resctrl_resource *resctrl_find(const struct resctrl *resctrl, unsigned level, const char *type);
unsigned resctrl_count_bits(uint64_t mask);

DEFINE_CLEANUP(struct resctrl, resctrl_free);

/* ---- who gets what: computing only (resctrl-schemata.c) ---- */

/* Of a file "schemata": "L3:0=fffff;1=00fff", "MB:0=100". */
struct resctrl_entry {
        char resource[RESCTRL_NAME_SIZE];
        unsigned id;    /* of the cache, or of the last cache before that memory */
        uint64_t value; /* a mask, or per cent (or MB/s, see resctrl_plan()) */
};

/*
 * Struct resctrl_entry, in the order of text. Lines of resources that are not known here are left out. NULL
 * with ERROR_INTERNAL_ERROR naming the line that cannot be, and the group. Free it.
 */
GArray *resctrl_parse(const char *text, const char *group, GError **error);
/* A line for each run of entries of a resource; free it. */
char *resctrl_format(const GArray *entries);
struct resctrl_entry *resctrl_find_entry(const GArray *entries, const char *resource, unsigned id);

/*
 * The smallest run of at least count bits among those of free, from its lowest bit on: as libvirt chooses it.
 * False: there is none, or count is 0.
 */
bool resctrl_choose_bits(uint64_t free, unsigned count, uint64_t *mask);

/* A part that a group is to have for itself. */
struct resctrl_request {
        unsigned level;   /* of the cache; 0: memory bandwidth */
        unsigned id;      /* which */
        const char *type; /* borrowed; "both", "code", "data" */
        uint64_t amount;  /* bytes of the cache, or per cent of the bandwidth */
        uint64_t size;    /* bytes that this cache has in all */
};

/*
 * What a new group is to have (struct resctrl_entry; free it): of what is asked for, cache that is neither
 * the default group's nor anybody else's, where that can be none that devices use as well, and a bandwidth;
 * of all else what the default group has. defaults, others (GArrays): what is given out already. Errors,
 * ERROR_CONFIG_UNSUPPORTED: what there is not, sizes that are too small or not a multiple of what the host
 * gives out, no room.
 */
GArray *resctrl_plan(const struct resctrl *resctrl, const GArray *defaults, const GPtrArray *others,
                     const struct resctrl_request *requests, unsigned n, GError **error);

/* ---- groups (resctrl-group.c) ---- */

/* Else ERROR_CONFIG_UNSUPPORTED: "... needs resctrl, which is not mounted ...". */
bool resctrl_require(const char *root, const char *what, GError **error);

/*
 * The lock by which those who give out parts keep out of each other's way, as the kernel's documentation has
 * it. A descriptor that holds it until it is closed; -1 with an error when others keep it for seconds.
 */
int resctrl_lock(struct lane *lane, const char *root, GError **error);

/* resctrl_plan() for what is given out now, under the lock. Fills in the sizes of the requests. */
GArray *resctrl_find_room(const char *root, struct resctrl_request *requests, unsigned n, GError **error);

bool resctrl_exists(const char *root, const char *path);
/* A group or a monitor; one that is there is an error. */
bool resctrl_make(const char *root, const char *path, GError **error);
/* A group gets what entries say. */
bool resctrl_assign(const char *root, const char *path, const GArray *entries, GError **error);
/* A thread that has ended is fine. Into the group first, then into its monitor. */
bool resctrl_add_thread(const char *root, const char *path, pid_t thread, GError **error);
/* Who is in it is in the default group then. One that is not there is fine; failures are logged. */
void resctrl_remove(const char *root, const char *path);

/* What a group, or a monitor, has used behind one cache. */
struct resctrl_reading {
        unsigned id;
        bool has_occupancy, has_total, has_local;
        uint64_t occupancy; /* bytes of the cache, now */
        uint64_t total;     /* bytes of memory, so far */
        uint64_t local;     /* of these, of the memory next to it */
};

/* By id; empty when nothing is counted. Free it. */
GArray *resctrl_read(const char *root, const char *path);
