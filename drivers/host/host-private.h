/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of struct host, for the files of this folder. */

#include "drivers/host/host.h"

/* The answers of a host that is made up. */
struct host_fixed {
        struct host_node_info info;
        struct host_memory_stats memory;
        struct host_cpu_stats cpu;
        const char *cpu_map; /* "y-y-y---" */
        uint64_t free_bytes;
        uint64_t cells_free_bytes[2];
        struct topology *(*topology)(void);
};

struct host {
        /* atomic */
        gint refs;
        /* const */
        const struct host_fixed *fixed; /* NULL: a real host */
        char *root;                     /* owned; "" for this machine */
        char arch[32];
        bool has_uuid;
        struct uuid uuid;
        bool has_cpu;
        struct host_cpu cpu;
        const char *security_model;
        char *sysinfo; /* owned; NULL: the firmware says nothing */
        /* Read once: some kernels ask every CPU for it, which takes them 10 ms. */
        unsigned mhz;
        /* The counts, and the list of CPUs on line that they are for. */
        char *online; /* owned; NULL: unknown */
        struct topology_counts counts;
};

/* The numbers of the NUMA cells, at least one: a kernel without NUMA has cell 0. Free the array. */
GArray *host_list_cells(const struct host *host);
