/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of what a domain gets of its host: what is scheduled, given cache or limited is there, is there
 * once, and is within what kernels take. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"

#include <inttypes.h>
#include <string.h>

#define BITS 64

/* What kernels take: cpu.shares of the first kind of cgroups, whose numbers the format has. */
#define SHARES_MIN UINT64_C(2)
#define SHARES_MAX UINT64_C(262144)
#define PERIOD_MIN UINT64_C(1000) /* cpu.cfs_period_us, as is what follows */
#define PERIOD_MAX UINT64_C(1000000)
#define QUOTA_MIN  INT64_C(1000)
#define QUOTA_MAX  (INT64_MAX / 1000 * 2) /* nanoseconds of 64 bits */
/* Both kinds of cgroups together: blkio.weight from 10, io.weight to 10000. */
#define WEIGHT_MIN   1
#define WEIGHT_MAX   10000
#define PRIORITY_MIN 1 /* sched(7) */
#define PRIORITY_MAX 99
/* "L3_MON" of resctrl. */
#define MONITOR_LEVEL 3

/* ---- who is meant ---- */

/* vCPUs or I/O threads that an element names. */
struct subject {
        const char *element;
        const char *attr;
        const char *noun;
        bool iothreads;
        uint64_t seen[DOMAIN_VCPUS_MAX / BITS];
};

static bool is_there(const struct check *check, const struct subject *subject, unsigned number)
{
        return subject->iothreads ? check_has_iothread(check->def, number) : number < check->def->max_vcpus;
}

static bool check_numbers(const struct check *check, struct subject *subject, const struct domain_cpuset *set,
                          GError **error)
{
        for (unsigned i = 0; i < MIN(set->n_words * BITS, DOMAIN_VCPUS_MAX); i++) {
                g_autofree char *there = NULL;

                if (!domain_cpuset_has(set, i))
                        continue;
                if (subject->seen[i / BITS] >> (i % BITS) & 1)
                        return check_refuse(error, "%s %u is in two <%s>", subject->noun, i,
                                            subject->element);
                subject->seen[i / BITS] |= UINT64_C(1) << (i % BITS);
                if (is_there(check, subject, i))
                        continue;
                there = subject->iothreads ? check_format_iothreads(check->def)
                                           : check_format_count(check->def->max_vcpus);
                return check_refuse(error, "<%s %s=> names %s %u, which the domain does not have (%s)",
                                    subject->element, subject->attr, subject->noun, i, there);
        }
        return true;
}

/* ---- shares and quotas ---- */

static bool check_quotas(const struct check *check, GError **error)
{
        const struct domain_cputune *tune = &check->def->cputune;

        if (tune->shares && (tune->shares < SHARES_MIN || tune->shares > SHARES_MAX))
                return check_refuse(
                        error, "<shares> of <cputune> is %" PRIu64 ": it is from %" PRIu64 " to %" PRIu64,
                        tune->shares, SHARES_MIN, SHARES_MAX);
        for (unsigned i = 0; i < DOMAIN_QUOTA_SCOPES; i++) {
                const struct domain_quota *quota = &tune->quotas[i];

                if (quota->period_us && (quota->period_us < PERIOD_MIN || quota->period_us > PERIOD_MAX))
                        return check_refuse(error,
                                            "<%s> of <cputune> is %" PRIu64 " microseconds: it is from "
                                            "%" PRIu64 " to %" PRIu64,
                                            domain_quota_get_period_name(i), quota->period_us, PERIOD_MIN,
                                            PERIOD_MAX);
                if (quota->quota_us > 0 && (quota->quota_us < QUOTA_MIN || quota->quota_us > QUOTA_MAX))
                        return check_refuse(error,
                                            "<%s> of <cputune> is %" PRIi64 " microseconds: it is from "
                                            "%" PRIi64 " to %" PRIi64 ", or negative for none",
                                            domain_quota_get_quota_name(i), quota->quota_us, QUOTA_MIN,
                                            QUOTA_MAX);
        }
        return true;
}

/* ---- schedulers ---- */

static bool check_scheduler(const char *element, const struct domain_scheduler *scheduler, GError **error)
{
        bool real_time = strcmp(scheduler->policy, "fifo") == 0 || strcmp(scheduler->policy, "rr") == 0;

        if (!real_time)
                return true;
        if (scheduler->priority < 0)
                return check_refuse(error, "<%s scheduler='%s'> has no priority", element, scheduler->policy);
        if (scheduler->priority < PRIORITY_MIN || scheduler->priority > PRIORITY_MAX)
                return check_refuse(error, "<%s scheduler='%s'> has the priority %d: it is from %d to %d",
                                    element, scheduler->policy, scheduler->priority, PRIORITY_MIN,
                                    PRIORITY_MAX);
        return true;
}

static bool check_scheduler_list(const struct check *check, struct subject *subject,
                                 const struct domain_scheduler *list, unsigned n, GError **error)
{
        for (unsigned i = 0; i < n; i++) {
                if (!check_numbers(check, subject, &list[i].ids, error) ||
                    !check_scheduler(subject->element, &list[i], error))
                        return false;
        }
        return true;
}

static bool check_schedulers(const struct check *check, GError **error)
{
        struct subject vcpus = { "vcpusched", "vcpus", "vCPU", false, { 0 } };
        struct subject iothreads = { "iothreadsched", "iothreads", "I/O thread", true, { 0 } };
        const struct domain_cputune *tune = &check->def->cputune;

        return check_scheduler_list(check, &vcpus, tune->vcpu_schedulers, tune->n_vcpu_schedulers, error) &&
               check_scheduler_list(check, &iothreads, tune->iothread_schedulers, tune->n_iothread_schedulers,
                                    error) &&
               (!tune->emulator_scheduler.policy ||
                check_scheduler("emulatorsched", &tune->emulator_scheduler, error));
}

/* ---- caches and memory bandwidth ---- */

/* A level of one cache is given out once; "both" is neither code nor data. */
static bool check_caches(const struct domain_resource_share *share, GError **error)
{
        for (unsigned i = 0; i < share->n_caches; i++) {
                const struct domain_cache *cache = &share->caches[i];

                for (unsigned j = 0; j < i; j++) {
                        const struct domain_cache *other = &share->caches[j];

                        if (other->level == cache->level && other->id == cache->id &&
                            strcmp(other->type, cache->type) == 0)
                                return check_refuse(error,
                                                    "a <cachetune> gives out the cache of level '%u', id "
                                                    "'%u' and type '%s' twice",
                                                    cache->level, cache->id, cache->type);
                }
        }
        return true;
}

static bool check_bandwidths(const struct domain_resource_share *share, GError **error)
{
        for (unsigned i = 0; i < share->n_bandwidths; i++) {
                const struct domain_memory_bandwidth *node = &share->bandwidths[i];

                if (node->percent < 1 || node->percent > 100)
                        return check_refuse(error,
                                            "a <memorytune> gives %u %% of the bandwidth of node %u: it is "
                                            "from 1 to 100",
                                            node->percent, node->id);
                for (unsigned j = 0; j < i; j++) {
                        if (share->bandwidths[j].id == node->id)
                                return check_refuse(error,
                                                    "a <memorytune> gives out the bandwidth of node %u twice",
                                                    node->id);
                }
        }
        return true;
}

static bool is_same_set(const struct domain_cpuset *one, const struct domain_cpuset *other)
{
        for (unsigned i = 0; i < MAX(one->n_words, other->n_words); i++) {
                if ((i < one->n_words ? one->words[i] : 0) != (i < other->n_words ? other->words[i] : 0))
                        return false;
        }
        return true;
}

static bool is_disjoint(const struct domain_cpuset *one, const struct domain_cpuset *other)
{
        for (unsigned i = 0; i < MIN(one->n_words, other->n_words); i++) {
                if (one->words[i] & other->words[i])
                        return false;
        }
        return true;
}

/* A vCPU is in one group, which has cache and bandwidth. */
static bool check_groups(const struct domain_cputune *tune, GError **error)
{
        for (unsigned i = 0; i < tune->n_cachetunes; i++) {
                for (unsigned j = 0; j < tune->n_memorytunes; j++) {
                        const struct domain_cpuset *caches = &tune->cachetunes[i].vcpus,
                                                   *bandwidths = &tune->memorytunes[j].vcpus;
                        g_autofree char *one = NULL, *other = NULL;

                        if (is_same_set(caches, bandwidths) || is_disjoint(caches, bandwidths))
                                continue;
                        one = domain_cpuset_format(caches);
                        other = domain_cpuset_format(bandwidths);
                        return check_refuse(error,
                                            "a <cachetune> is of the vCPUs %s and a <memorytune> of %s: they "
                                            "are of the same vCPUs, or have none in common",
                                            one, other);
                }
        }
        return true;
}

/* Whose use is told apart has to be a group of its own, or part of this one. */
static bool check_monitors(const char *element, const struct domain_resource_share *share, GError **error)
{
        bool of_caches = strcmp(element, "cachetune") == 0;

        for (unsigned i = 0; i < share->n_monitors; i++) {
                const struct domain_resource_monitor *monitor = &share->monitors[i];

                if (of_caches && monitor->level == 0)
                        return check_refuse(error, "a <monitor> of <cachetune> names no level");
                if (of_caches && monitor->level != MONITOR_LEVEL)
                        return check_refuse(error,
                                            "a <monitor> of <cachetune> is of level %u: only use of the "
                                            "cache of level %d is counted",
                                            monitor->level, MONITOR_LEVEL);
                for (unsigned j = 0; j < i; j++) {
                        if (is_same_set(&share->monitors[j].vcpus, &monitor->vcpus))
                                return check_refuse(error, "a <%s> has two <monitor> of the same vCPUs",
                                                    element);
                }
                for (unsigned j = 0; j < monitor->vcpus.n_words; j++) {
                        uint64_t all = j < share->vcpus.n_words ? share->vcpus.words[j] : 0;

                        if (monitor->vcpus.words[j] & ~all)
                                return check_refuse(error,
                                                    "a <monitor> of <%s> is of vCPUs that the <%s> is not of",
                                                    element, element);
                }
        }
        return true;
}

static bool check_share_list(const struct check *check, struct subject *subject,
                             const struct domain_resource_share *list, unsigned n, GError **error)
{
        for (unsigned i = 0; i < n; i++) {
                if (!check_numbers(check, subject, &list[i].vcpus, error) || !check_caches(&list[i], error) ||
                    !check_bandwidths(&list[i], error) || !check_monitors(subject->element, &list[i], error))
                        return false;
        }
        return true;
}

static bool check_shares(const struct check *check, GError **error)
{
        struct subject caches = { "cachetune", "vcpus", "vCPU", false, { 0 } };
        struct subject bandwidths = { "memorytune", "vcpus", "vCPU", false, { 0 } };
        const struct domain_cputune *tune = &check->def->cputune;

        return check_share_list(check, &caches, tune->cachetunes, tune->n_cachetunes, error) &&
               check_share_list(check, &bandwidths, tune->memorytunes, tune->n_memorytunes, error) &&
               check_groups(tune, error);
}

/* ---- memory and block devices ---- */

static bool check_memtune(const struct check *check, GError **error)
{
        const struct domain_memtune *tune = &check->def->memtune;

        if (tune->swap_hard_limit_kib && tune->swap_hard_limit_kib < tune->hard_limit_kib)
                return check_refuse(
                        error,
                        "<swap_hard_limit> of <memtune>, which is of memory and swap together, is "
                        "%" PRIu64 " KiB, less than the <hard_limit> of %" PRIu64 " KiB",
                        tune->swap_hard_limit_kib, tune->hard_limit_kib);
        return true;
}

static bool check_weight(const char *whose, uint32_t weight, GError **error)
{
        if (weight == 0 || (weight >= WEIGHT_MIN && weight <= WEIGHT_MAX))
                return true;
        return check_refuse(error, "<weight> of %s is %u: it is from %u to %u", whose, weight, WEIGHT_MIN,
                            WEIGHT_MAX);
}

static bool check_blkiotune(const struct check *check, GError **error)
{
        const struct domain_blkiotune *tune = &check->def->blkiotune;
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        if (!check_weight("<blkiotune>", tune->weight, error))
                return false;
        for (unsigned i = 0; i < tune->n_devices; i++) {
                const struct domain_blkio_device *device = &tune->devices[i];

                if (!g_hash_table_add(seen, (gpointer)device->path))
                        return check_refuse(error, "<blkiotune> names the device '%s' twice", device->path);
                if (!check_weight(device->path, device->weight, error))
                        return false;
        }
        return true;
}

const check_function domain_check_tuning[] = {
        check_tuning_once, check_quotas, check_schedulers, check_shares, check_memtune, check_blkiotune, NULL
};
