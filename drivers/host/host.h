/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The host: what it is made of, and how its memory and processors are doing. An object is immutable and
 * ref-counted; any thread. The functions that read do so from /proc and /sys on each call, a few small files
 * that never wait: they may be called on the loop. The host of the in-memory test driver answers the same
 * questions with fixed numbers.
 */

#include "base/cleanup.h"
#include "base/params.h"
#include "base/uuid.h"
#include "drivers/host/cpu-features.h"
#include "drivers/host/cpu-models.h"
#include "drivers/host/topology.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* All cells or all CPUs together, where a number of one is asked for. */
#define HOST_ALL (-1)

/* As NodeGetInfo returns it. */
struct host_node_info {
        char model[32]; /* the architecture: "x86_64" */
        uint64_t memory_kib;
        unsigned mhz; /* when the agent started; 0: unknown */
        struct topology_counts counts;
};

struct host_memory_stats {
        uint64_t total_kib;
        uint64_t free_kib;
        /* for HOST_ALL only */
        bool has_caches;
        uint64_t buffers_kib;
        uint64_t cached_kib;
};

struct host_cpu_stats {
        uint64_t kernel_ns;
        uint64_t user_ns;
        uint64_t idle_ns;
        uint64_t iowait_ns;
};

struct host;

/* The machine that this runs on. */
struct host *host_new_real(void);
/* The machine whose /proc and /sys are below root, with a CPU of these features. For tests. */
struct host *host_new_at(const char *root, const struct cpu_features *features);
/* The made-up machine of test:///default. */
struct host *host_new_test(void);

/* const: a reference is counted, nothing else changes. */
const struct host *host_ref(const struct host *host);
void host_unref(const struct host *host);

/* ---- what it is: constant, borrowed ---- */

/* Is it the made-up one? */
bool host_is_test(const struct host *host);

/* The kernel's name of the architecture: "x86_64". */
const char *host_get_arch(const struct host *host);
/* Below it are the /proc and /sys that it is read from; "" for this machine's own. NULL for the test host. */
const char *host_get_root(const struct host *host);
/*
 * That of the mainboard, else of the installation (machine-id), else a random one; NULL for the test host,
 * which has none.
 */
const struct uuid *host_get_uuid(const struct host *host);

struct host_cpu {
        struct cpu_identity identity;
        struct cpu_features features;
        uint64_t microcode;            /* 0: unknown */
        unsigned physical_bits;        /* of addresses; 0: unknown */
        const struct cpu_model *model; /* the named model nearest to it; NULL: none */
};

/* NULL when CPUs of this architecture are not described further. */
const struct host_cpu *host_get_cpu(const struct host *host);

/* The mandatory access control that the kernel enforces: "apparmor", "selinux" or "none". */
const char *host_get_security_model(const struct host *host);

/*
 * The <sysinfo> document of what the firmware says; borrowed. NULL with ERROR_CONFIG_UNSUPPORTED when it says
 * nothing. Knows no flags.
 */
const char *host_get_sysinfo(const struct host *host, unsigned flags, GError **error);

/* ---- how it is now ---- */

/* The name that the kernel has for the host; free it. */
char *host_get_hostname(const struct host *host);

void host_get_node_info(const struct host *host, struct host_node_info *info);

/*
 * One element per CPU that is there, true: it is on line. Free the array (of bool). This and the next two
 * know no flags.
 */
GArray *host_get_cpu_map(const struct host *host, unsigned flags, GError **error);
/* How many elements that has. */
unsigned host_count_cpus(const struct host *host);

/* Bytes. */
uint64_t host_get_free_memory(const struct host *host);

/* Of one NUMA cell or of HOST_ALL. No such cell: ERROR_INVALID_ARG. */
bool host_get_memory_stats(const struct host *host, int cell, unsigned flags, struct host_memory_stats *stats,
                           GError **error);

/* Since boot, of one CPU or of HOST_ALL. No such CPU, or one that is off: ERROR_INVALID_ARG. */
bool host_get_cpu_stats(const struct host *host, int cpu, unsigned flags, struct host_cpu_stats *stats,
                        GError **error);

/* As typed parameters, by the names of virNodeGetMemoryStats() and virNodeGetCPUStats(). */
void host_memory_stats_tell(const struct host_memory_stats *stats, struct params *params);
void host_cpu_stats_tell(const struct host_cpu_stats *stats, struct params *params);

/* The topology as it is now; a few files per CPU. Free it. */
struct topology *host_get_topology(const struct host *host);

bool host_has_iommu(const struct host *host);
/* What the kernel can do: sleep in memory, on disk, and on disk with memory kept up. */
struct host_power {
        bool suspend_mem;
        bool suspend_disk;
        bool suspend_hybrid;
};
void host_get_power(const struct host *host, struct host_power *power);

DEFINE_CLEANUP(const struct host, host_unref);
