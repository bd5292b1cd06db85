/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where the host's CPUs and memory are: NUMA cells, packages, dies, cores and threads, page sizes, caches. A
 * topology is immutable once made. Any thread; topology_scan() reads a few small files of /sys per CPU.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* CPUs, cells and distances beyond these numbers are left out. */
#define TOPOLOGY_CPUS_MAX  16384
#define TOPOLOGY_CELLS_MAX 1024

struct topology_cpu {
        unsigned id;
        unsigned socket;
        unsigned die;
        unsigned core;
        unsigned threads; /* of its core */
        char *siblings;   /* owned; the threads of its core: "0,4" */
};

struct topology_pages {
        unsigned size_kib;
        uint64_t count; /* how many are reserved for this size; of the smallest: all other memory */
};

struct topology_distance {
        unsigned cell;
        unsigned value; /* 10: here */
};

struct topology_cell {
        unsigned id;
        uint64_t memory_kib;
        GArray *pages;     /* owned; struct topology_pages */
        GArray *distances; /* owned; struct topology_distance; empty when the kernel does not say */
        GArray *cpus;      /* owned; struct topology_cpu, those that are online */
};

struct topology_cache {
        unsigned id;
        unsigned level;
        const char *type; /* "both", "data", "code" */
        uint64_t size_kib;
        char *cpus; /* owned; "0-3" */
};

struct topology {
        GPtrArray *cells;   /* owned; struct topology_cell, by id */
        GArray *page_sizes; /* owned; unsigned, KiB, ascending */
        GPtrArray *caches;  /* owned; struct topology_cache of the last level, by id */
        unsigned offline;   /* CPUs that are there and switched off */
};

/* What NodeGetInfo says: nodes * sockets * cores * threads is at least the number of CPUs. */
struct topology_counts {
        unsigned cpus;
        unsigned nodes;
        unsigned sockets; /* per node */
        unsigned cores;   /* per socket */
        unsigned threads; /* per core */
};

/* The topology under root ("" is the real one, as in "<root>/sys/devices/system"). */
struct topology *topology_scan(const char *root);
/* How large a cache of any level is; of level 1, any of the two that have the number. 0: it is not there. */
uint64_t topology_find_cache_kib(const char *root, unsigned level, unsigned id);
/* An empty one and a new cell at its end, for hosts that are made up. */
struct topology *topology_new(void);
struct topology_cell *topology_add_cell(struct topology *topology, unsigned id, uint64_t memory_kib);
void topology_add_cpu(struct topology_cell *cell, unsigned id, unsigned socket, unsigned die, unsigned core,
                      unsigned threads, const char *siblings);
void topology_free(struct topology *topology);

void topology_count(const struct topology *topology, struct topology_counts *counts);

/*
 * Reads a list of numbers as the kernel writes it ("0-3,8"): sorted unsigneds below max; what is malformed
 * ends it. Free the array.
 */
GArray *topology_parse_list(const char *text, unsigned max);

DEFINE_CLEANUP(struct topology, topology_free);
