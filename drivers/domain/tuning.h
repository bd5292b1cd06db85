/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a domain gets of the host's CPUs, memory and block devices, as its definition names it: <cputune>,
 * <memtune>, <blkiotune>, <numatune>. Part of definition.h, which says what holds for all of it.
 */

#include <stdbool.h>
#include <stdint.h>

/* Numbers of host CPUs or nodes, or of vCPUs ("0-3,^2"). */
struct domain_cpuset {
        const uint64_t *words; /* NULL: not given */
        uint32_t n_words;
};

static inline bool domain_cpuset_has(const struct domain_cpuset *set, unsigned number)
{
        return number / 64 < set->n_words && (set->words[number / 64] >> (number % 64) & 1);
}

/* ---- CPUs ---- */

/* <vcpupin>, <iothreadpin>: id; <emulatorpin>: alone. */
struct domain_pin {
        uint32_t id;
        struct domain_cpuset cpus;
};

/* Whose CPUs are told apart: a vCPU's, an I/O thread's, and those of all else that the emulator does. */
enum domain_threads {
        DOMAIN_THREADS_VCPU,
        DOMAIN_THREADS_EMULATOR,
        DOMAIN_THREADS_IOTHREAD,
};

/* How much of each period threads may run, as the kernel's CFS counts it. */
struct domain_quota {
        uint64_t period_us; /* 0: the default */
        int64_t quota_us;   /* 0: none given; negative: without limit */
};

enum domain_quota_scope {
        DOMAIN_QUOTA_VCPU, /* <period>, <quota>: of each vCPU */
        DOMAIN_QUOTA_GLOBAL,
        DOMAIN_QUOTA_EMULATOR,
        DOMAIN_QUOTA_IOTHREAD,
        DOMAIN_QUOTA_SCOPES,
} __attribute__((packed));

/* <vcpusched>, <iothreadsched>, <emulatorsched>. */
struct domain_scheduler {
        struct domain_cpuset ids; /* vCPUs or I/O threads; of the emulator none */
        const char *policy;       /* "batch", "idle", "fifo", "rr"; NULL: none given */
        int priority;             /* fifo, rr; -1: none given */
};

/* <cachetune><cache>: a part of a cache of the host for some vCPUs. */
struct domain_cache {
        uint32_t level;
        uint32_t id;
        const char *type; /* "both", "code", "data" */
        uint64_t size_kib;
};

/* <memorytune><node> */
struct domain_memory_bandwidth {
        uint32_t id;
        uint32_t percent;
};

/* <monitor>: of the cache of that level, or of memory bandwidth. */
struct domain_resource_monitor {
        uint32_t level; /* 0: of memory bandwidth */
        struct domain_cpuset vcpus;
};

/* <cachetune> and <memorytune>: what the kernel's resctrl gives to some vCPUs. */
struct domain_resource_share {
        struct domain_cpuset vcpus;
        const struct domain_cache *caches;
        const struct domain_memory_bandwidth *bandwidths;
        const struct domain_resource_monitor *monitors;
        uint32_t n_caches, n_bandwidths, n_monitors;
};

struct domain_cputune {
        uint64_t shares; /* 0: the default */
        struct domain_quota quotas[DOMAIN_QUOTA_SCOPES];
        struct domain_scheduler emulator_scheduler;
        const struct domain_scheduler *vcpu_schedulers;
        const struct domain_scheduler *iothread_schedulers;
        const struct domain_resource_share *cachetunes;
        const struct domain_resource_share *memorytunes;
        uint32_t n_vcpu_schedulers, n_iothread_schedulers, n_cachetunes, n_memorytunes;
};

/* The elements that say it, "emulator_period" and "emulator_quota"; for messages. */
const char *domain_quota_get_period_name(enum domain_quota_scope scope);
const char *domain_quota_get_quota_name(enum domain_quota_scope scope);

/* ---- memory ---- */

/* <memtune>; 0: no limit. What says that there is none is taken away when a document is defined. */
struct domain_memtune {
        uint64_t hard_limit_kib;
        uint64_t soft_limit_kib;
        uint64_t min_guarantee_kib;
        uint64_t swap_hard_limit_kib; /* of memory and swap together */
};

struct domain_numatune_node {
        uint32_t cell;
        const char *mode; /* "strict", "preferred", "interleave", "restrictive" */
        struct domain_cpuset nodes;
};

struct domain_numatune {
        const char *mode;      /* NULL: no <memory> */
        const char *placement; /* "static", "auto" */
        struct domain_cpuset nodes;
        const struct domain_numatune_node *cells;
        uint32_t n_cells;
};

/* ---- block devices ---- */

/* <blkiotune><device>; 0: none. */
struct domain_blkio_device {
        const char *path;
        uint32_t weight;
        uint64_t read_bytes_sec, write_bytes_sec;
        uint64_t read_iops_sec, write_iops_sec;
};

struct domain_blkiotune {
        uint32_t weight; /* 0: the default */
        uint32_t n_devices;
        const struct domain_blkio_device *devices;
};

/* ---- what the kernel counts ---- */

/* <perf><event>, in the order of virDomainGetPerfEvents(). */
#define DOMAIN_PERF_LIST(X)                                                                                  \
        X(CMT, "cmt")                                                                                        \
        X(MBMT, "mbmt")                                                                                      \
        X(MBML, "mbml")                                                                                      \
        X(CPU_CYCLES, "cpu_cycles")                                                                          \
        X(INSTRUCTIONS, "instructions")                                                                      \
        X(CACHE_REFERENCES, "cache_references")                                                              \
        X(CACHE_MISSES, "cache_misses")                                                                      \
        X(BRANCH_INSTRUCTIONS, "branch_instructions")                                                        \
        X(BRANCH_MISSES, "branch_misses")                                                                    \
        X(BUS_CYCLES, "bus_cycles")                                                                          \
        X(STALLED_CYCLES_FRONTEND, "stalled_cycles_frontend")                                                \
        X(STALLED_CYCLES_BACKEND, "stalled_cycles_backend")                                                  \
        X(REF_CPU_CYCLES, "ref_cpu_cycles")                                                                  \
        X(CPU_CLOCK, "cpu_clock")                                                                            \
        X(TASK_CLOCK, "task_clock")                                                                          \
        X(PAGE_FAULTS, "page_faults")                                                                        \
        X(CONTEXT_SWITCHES, "context_switches")                                                              \
        X(CPU_MIGRATIONS, "cpu_migrations")                                                                  \
        X(PAGE_FAULTS_MIN, "page_faults_min")                                                                \
        X(PAGE_FAULTS_MAJ, "page_faults_maj")                                                                \
        X(ALIGNMENT_FAULTS, "alignment_faults")                                                              \
        X(EMULATION_FAULTS, "emulation_faults")

#define DOMAIN_PERF_ID(id, name) DOMAIN_PERF_##id,
enum domain_perf_event { DOMAIN_PERF_LIST(DOMAIN_PERF_ID) DOMAIN_PERF_EVENTS };

/* By number; ends with NULL. */
extern const char *const domain_perf_names[DOMAIN_PERF_EVENTS + 1];
