/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Statistics of domains. Published states, the host's /proc and the counters of its links are read without
 * the guest; what only the guest knows (drivers/domain/answer.h) it is asked for, and what it has answered is
 * kept: a guest that hangs, or whose lane is busy, is answered for by what it said last. Nothing is counted,
 * and nothing runs, while nobody asks. Loop thread.
 */

#include "base/params.h"
#include "drivers/domain/answer.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/measure.h"

/* virDomainStatsTypes */
enum domain_stats_group {
        DOMAIN_STATS_STATE = 1 << 0,
        DOMAIN_STATS_CPU_TOTAL = 1 << 1,
        DOMAIN_STATS_BALLOON = 1 << 2,
        DOMAIN_STATS_VCPU = 1 << 3,
        DOMAIN_STATS_INTERFACE = 1 << 4,
        DOMAIN_STATS_BLOCK = 1 << 5,
        DOMAIN_STATS_PERF = 1 << 6,
        DOMAIN_STATS_IOTHREAD = 1 << 7,
        DOMAIN_STATS_MEMORY = 1 << 8, /* of monitors of memory's bandwidth */
        DOMAIN_STATS_DIRTYRATE = 1 << 9,
        DOMAIN_STATS_VM = 1 << 10, /* what the hypervisor counts, by its own names */
        DOMAIN_STATS_ALL = (1 << 11) - 1,
};

/* virConnectGetAllDomainStatsFlags, beside the bits of virConnectListAllDomainsFlags up to 128. */
enum domain_stats_flags {
        DOMAIN_STATS_NOWAIT = 1 << 29,  /* a guest is not waited for longer than in a call for all */
        DOMAIN_STATS_BACKING = 1 << 30, /* images below those of the disks, too */
};
#define DOMAIN_STATS_ENFORCE (1u << 31) /* a group that is not known is an error */

/* What is told of one domain. */
struct domain_stats {
        struct domain *domain; /* ref */
        char *name;            /* owned; as it was then */
        struct params *params; /* owned; names and types are those of virConnectGetAllDomainStats() */
};

/* stats: of struct domain_stats, borrowed during the call; NULL with an error. Called once; owns data. */
typedef void (*domain_stats_done)(const GPtrArray *stats, const GError *error, void *data);

/*
 * The domains that flags select; borrowed, free the array. NULL with an error when the flags or the groups
 * are refused.
 */
GPtrArray *domain_select_for_stats(struct domain_driver *driver, unsigned groups, unsigned flags,
                                   GError **error);

/*
 * Tells of each of domains (borrowed; all of one driver), in their order; groups 0: all. The whole takes
 * 250 ms at most: guests have 200 of them to answer, or less when many are to be told of, and are asked in
 * turn (stats-ask.c). One that has not answered is told of by what it said before, with "<group>.age"
 * (PARAM_ULONG, ms), and by what can be known without it: no domain makes the call fail. Flags and groups
 * have been checked.
 */
void domain_get_all_stats(struct domain_driver *driver, const GPtrArray *domains, unsigned groups,
                          unsigned flags, domain_stats_done done, void *data);
/*
 * The same of one; flags: NOWAIT, BACKING, ENFORCE. A guest that has never answered has five seconds to do
 * so, unless NOWAIT says otherwise.
 */
void domain_get_stats(struct domain *domain, unsigned groups, unsigned flags, domain_stats_done done,
                      void *data);

/*
 * The same of all domains as text (OpenMetrics 1.0): times in seconds, sizes in bytes, each with labels for
 * the domain's name and uuid, and for the vCPU, disk or interface. ERROR_CONFIG_UNSUPPORTED for groups that
 * are not known.
 */
void domain_get_metrics(struct domain_driver *driver, unsigned groups, domain_text_done done, void *data);

/* ---- one thing at a time ---- */

/* answer is borrowed during the call; NULL with an error. Called once; owns data. */
typedef void (*domain_answer_done)(const struct domain_answer *answer, const GError *error, void *data);

/*
 * What is known of one part: as the guest says now, or said last when it does not answer. Of a domain that is
 * off there is DOMAIN_PART_BLOCK only; ERROR_OPERATION_INVALID otherwise. A guest that has never answered
 * within five seconds is ERROR_OPERATION_TIMEOUT. from_off: a domain that is off is answered for, too.
 */
void domain_ask(struct domain *domain, enum domain_part part, bool from_off, domain_answer_done done,
                void *data);

/* The numbers of virDomainMemoryStatTags. */
struct domain_memory_stat {
        int tag;
        uint64_t value;
};
/* stats: of struct domain_memory_stat, borrowed; NULL with an error. */
typedef void (*domain_memory_stats_done)(const GArray *stats, const GError *error, void *data);
/* Of a guest that runs (virDomainMemoryStats). flags: none. */
void domain_get_memory_stats(struct domain *domain, unsigned flags, domain_memory_stats_done done,
                             void *data);

/* image is borrowed during the call; NULL with an error. */
typedef void (*domain_image_stats_done)(const struct domain_image_stats *image, const GError *error,
                                        void *data);
/*
 * Of the disk with that target, or that source, of a guest that runs; the counters. disk "" stands for all
 * disks together.
 */
void domain_get_block_stats(struct domain *domain, const char *disk, domain_image_stats_done done,
                            void *data);
/* Of the disk with that target or source; the sizes, of a domain that is off as well. flags: none. */
void domain_get_block_info(struct domain *domain, const char *disk, unsigned flags,
                           domain_image_stats_done done, void *data);
/* answer: the images of DOMAIN_PART_DISK_ERRORS, whose member error says which have met one. flags: none. */
void domain_get_disk_errors(struct domain *domain, unsigned flags, domain_answer_done done, void *data);

/*
 * measure: what the host knows of the guest of state, both borrowed during the call; NULL with an error.
 * Called once; owns data.
 */
typedef void (*domain_measure_done)(const struct domain_state *state, const struct domain_measure *measure,
                                    const GError *error, void *data);
/*
 * Of a guest that runs (ERROR_OPERATION_INVALID otherwise), without asking it; parts: enum
 * domain_measure_parts.
 */
void domain_get_measure(struct domain *domain, unsigned parts, domain_measure_done done, void *data);

/* stats is borrowed during the call; NULL with an error. Called once; owns data. */
typedef void (*domain_interface_stats_done)(const struct domain_interface_stats *stats, const GError *error,
                                            void *data);
/* Of the interface of a guest that runs which has that name on the host. */
void domain_get_interface_stats(struct domain *domain, const char *device, domain_interface_stats_done done,
                                void *data);

/* stats: of struct params, borrowed; NULL with an error. */
typedef void (*domain_cpu_stats_done)(const GPtrArray *stats, const GError *error, void *data);
/*
 * CPU time of a guest that runs (virDomainGetCPUStats), in ns: start -1, count 1 is what it has had in all
 * ("cpu_time", "user_time", "system_time"), else count of the host's CPUs from start on, as many as there are
 * ("cpu_time", "vcpu_time"). flags: none.
 */
void domain_get_cpu_stats(struct domain *domain, int start, unsigned count, unsigned flags,
                          domain_cpu_stats_done done, void *data);

/* virDomainControlState */
enum domain_control_state {
        DOMAIN_CONTROL_OK = 0,
        DOMAIN_CONTROL_JOB = 1,      /* an operation works on it */
        DOMAIN_CONTROL_OCCUPIED = 2, /* a question to the guest is open */
};
struct domain_control {
        enum domain_control_state state;
        unsigned details;       /* virDomainControlErrorReason: 0 none */
        uint64_t state_time_ms; /* since when, as far as it is known */
};
/* Of a guest that runs, without asking it; flags: none. */
bool domain_get_control(const struct domain *domain, unsigned flags, struct domain_control *control,
                        GError **error);

/* ---- for the model ---- */

/* How many collections and measurements are on their way. */
unsigned domain_stats_get_pending(const struct domain_driver *driver);
/* Nobody is waited for any longer: for the end of the agent. */
void domain_stats_quiesce(struct domain_driver *driver);
