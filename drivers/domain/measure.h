/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the host knows of a guest that runs, without asking it: CPU time, memory, the counters of its links.
 * Values of one moment, filled in by the driver (struct domain_driver_ops.measure).
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct link_counters;

struct domain_vcpu_stats {
        unsigned number;
        uint64_t time_ns;
        bool has_wait;    /* DOMAIN_MEASURE_WAITS, as what follows */
        uint64_t wait_ns; /* it could have run, and something else did (schedstats of the kernel) */
        bool has_delay;
        uint64_t delay_ns; /* it stood in a queue of the scheduler */
        int cpu;           /* of the host, where it runs or ran last; -1: not known */
        bool *may_use;     /* owned; by number of the host's CPU; DOMAIN_MEASURE_AFFINITY */
        unsigned n_cpus;   /* in may_use */
};

/* For arrays of them (g_array_set_clear_func()). */
void domain_vcpu_stats_clear(void *vcpu);

/* As the guest sees it: rx is what it received. */
struct domain_interface_stats {
        bool known; /* the interface has a link on the host, and its counters */
        uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
        uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* What vCPUs use behind one of the host's last caches. */
struct domain_bank_stats {
        unsigned id; /* of the cache */
        bool has_occupancy, has_total, has_local;
        uint64_t occupancy; /* bytes of the cache, now */
        uint64_t total;     /* bytes of memory, so far */
        uint64_t local;     /* of these, of the memory next to it */
};

/* A <monitor> of <cachetune> or <memorytune>. */
struct domain_monitor_stats {
        bool of_bandwidth; /* of <memorytune> */
        char *name;        /* owned; "vcpus_0-1" */
        char *vcpus;       /* owned; "0-1" */
        GArray *banks;     /* owned; struct domain_bank_stats by id */
};

/* For arrays of them (g_array_set_clear_func()). */
void domain_monitor_stats_clear(void *monitor);

/* What to fill in. */
enum domain_measure_parts {
        DOMAIN_MEASURE_PROCESS = 1 << 0,
        DOMAIN_MEASURE_VCPUS = 1 << 1,
        DOMAIN_MEASURE_INTERFACES = 1 << 2,
        DOMAIN_MEASURE_CPUS = 1 << 3,
        DOMAIN_MEASURE_AFFINITY = 1 << 4, /* of _VCPUS */
        DOMAIN_MEASURE_MONITORS = 1 << 5,
        DOMAIN_MEASURE_WAITS = 1 << 6, /* of _VCPUS */
};

/* Of one of the host's CPUs. */
struct domain_cpu_stats {
        uint64_t cpu_ns;  /* that the guest has had of it in all */
        uint64_t vcpu_ns; /* of these, its vCPUs */
        bool has_vcpus;   /* they are told apart */
};

struct domain_measure {
        unsigned parts;                    /* enum domain_measure_parts */
        const struct link_counters *links; /* borrowed; of all links of the host, for _INTERFACES */
        /* filled in */
        bool has_process;
        uint64_t cpu_ns, user_ns, system_ns; /* of all that it is on the host */
        uint64_t rss_kib;
        GArray *vcpus;      /* owned; struct domain_vcpu_stats by number; those that are there */
        GArray *interfaces; /* owned; struct domain_interface_stats, one for each of the definition's */
        GArray *monitors;   /* owned; struct domain_monitor_stats, in the order of the definition */
        GArray *cpus; /* owned; struct domain_cpu_stats by number; NULL: the host does not tell them apart */
};

void domain_measure_clear(struct domain_measure *measure);
