/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/tune.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/domain/cpuset.h"
#include "drivers/qemu/affinity.h"
#include "drivers/qemu/perf.h"
#include "drivers/qemu/tuning.h"

#include <math.h>
#include <string.h>

/* What a group has that nobody has set. */
#define SHARES_DEFAULT(unified) ((unified) ? 100U : 1024U)
#define WEIGHT_DEFAULT          100
#define PERIOD_DEFAULT          100000
#define EMULATOR                "emulator"

/* A change in the guest's control group: what it is, and what it is to be. */
struct change {
        struct guest *guest;                /* borrowed */
        const struct domain_def *from, *to; /* borrowed */
};

static bool require(const struct guest *guest, enum cgroup_controller controller, const char *name,
                    GError **error)
{
        /* systemd removes a scope whose last process is moved away. */
        if (guest->cgroup && !cgroup_check_member(guest->cgroup, controller, guest->emulator.pid, error))
                return false;
        return cgroup_has(guest->cgroup, controller) ||
               error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                         "%s has no control group with the controller '%s' on this host", guest->who, name);
}

/* ---- CPU ---- */

static bool change_shares(const struct change *change, GError **error)
{
        bool unified = cgroup_is_unified(change->guest->cgroup, CGROUP_CPU);
        uint64_t shares = change->to->cputune.shares;

        return shares == change->from->cputune.shares ||
               tuning_set_shares(change->guest, shares ? shares : SHARES_DEFAULT(unified), error);
}

static bool is_same(const struct domain_quota *one, const struct domain_quota *other)
{
        return one->period_us == other->period_us && one->quota_us == other->quota_us;
}

static bool change_global(const struct change *change, GError **error)
{
        return tuning_set_quota(change->guest, change->to, DOMAIN_QUOTA_GLOBAL, NULL, error);
}

static bool change_threads(const struct change *change, GError **error)
{
        return affinity_limit(change->guest, change->to, error) &&
               tuning_set_quota(change->guest, change->to, DOMAIN_QUOTA_EMULATOR, EMULATOR, error);
}

/* CPUs that it leaves a guest. */
static double get_share(const struct domain_quota *quota)
{
        uint64_t period_us = quota->period_us ? quota->period_us : PERIOD_DEFAULT;

        return quota->quota_us > 0 ? (double)quota->quota_us / (double)period_us : HUGE_VAL;
}

/* Version 1 refuses threads more than their guest has: it gets more before they do, and less after them. */
static bool change_cpu(const struct change *change, GError **error)
{
        const struct domain_quota *from = change->from->cputune.quotas, *to = change->to->cputune.quotas;
        bool global = !is_same(&from[DOMAIN_QUOTA_GLOBAL], &to[DOMAIN_QUOTA_GLOBAL]), threads = false;
        bool shrinks = get_share(&to[DOMAIN_QUOTA_GLOBAL]) < get_share(&from[DOMAIN_QUOTA_GLOBAL]);

        for (unsigned i = 0; i < DOMAIN_QUOTA_SCOPES; i++)
                threads |= i != DOMAIN_QUOTA_GLOBAL && !is_same(&from[i], &to[i]);
        return require(change->guest, CGROUP_CPU, "cpu", error) && change_shares(change, error) &&
               (!global || shrinks || change_global(change, error)) &&
               (!threads || change_threads(change, error)) &&
               (!global || !shrinks || change_global(change, error));
}

/* One without a group of its own is not limited. */
static void read_quota(struct guest *guest, const char *threads, struct domain_quota *quota)
{
        if (cgroup_read_cpu_max(guest->cgroup, threads, &quota->quota_us, &quota->period_us, NULL))
                return;
        *quota = (struct domain_quota){ PERIOD_DEFAULT, -1 };
}

static bool read_cpu(struct guest *guest, const struct domain_def *def, struct domain_tuning *tuning,
                     GError **error)
{
        g_autofree char *iothread =
                g_strdup_printf("iothread%u", def->iothreads ? (unsigned)def->iothread_list[0].id : 1U);

        if (!require(guest, CGROUP_CPU, "cpu", error) ||
            !cgroup_read_cpu_weight(guest->cgroup, &tuning->shares, error))
                return false;
        read_quota(guest, "vcpu0", &tuning->quotas[DOMAIN_QUOTA_VCPU]);
        read_quota(guest, EMULATOR, &tuning->quotas[DOMAIN_QUOTA_EMULATOR]);
        read_quota(guest, NULL, &tuning->quotas[DOMAIN_QUOTA_GLOBAL]);
        read_quota(guest, iothread, &tuning->quotas[DOMAIN_QUOTA_IOTHREAD]);
        return true;
}

/* ---- memory ---- */

static uint64_t bytes_of(uint64_t kib)
{
        return kib ? kib * 1024 : CGROUP_UNLIMITED;
}

/* The limit of memory is never above that of memory and swap together. */
static bool change_memory(const struct change *change, GError **error)
{
        const struct domain_memtune *from = &change->from->memtune, *to = &change->to->memtune;
        const struct cgroup *group = change->guest->cgroup;
        uint64_t hard = bytes_of(to->hard_limit_kib);
        bool moves = to->hard_limit_kib != from->hard_limit_kib;
        bool grows = hard > bytes_of(from->hard_limit_kib);
        /* Version 2 limits swap alone, to what memory leaves of both. */
        bool swap = to->swap_hard_limit_kib != from->swap_hard_limit_kib ||
                    (moves && to->swap_hard_limit_kib && cgroup_is_unified(group, CGROUP_MEMORY));

        if (!require(change->guest, CGROUP_MEMORY, "memory", error))
                return false;
        if (to->soft_limit_kib != from->soft_limit_kib &&
            !cgroup_set_memory_soft(group, bytes_of(to->soft_limit_kib), error))
                return false;
        if (swap && grows && !cgroup_set_memory_swap(group, bytes_of(to->swap_hard_limit_kib), hard, error))
                return false;
        if (moves && !cgroup_set_memory_max(group, hard, error))
                return false;
        return !swap || grows ||
               cgroup_set_memory_swap(group, bytes_of(to->swap_hard_limit_kib), hard, error);
}

static bool read_memory(struct guest *guest, struct domain_tuning *tuning, GError **error)
{
        uint64_t *const limits[] = { &tuning->memtune.hard_limit_kib, &tuning->memtune.soft_limit_kib,
                                     &tuning->memtune.swap_hard_limit_kib };
        uint64_t bytes[G_N_ELEMENTS(limits)];

        if (!require(guest, CGROUP_MEMORY, "memory", error) ||
            !cgroup_read_memory_max(guest->cgroup, &bytes[0], error) ||
            !cgroup_read_memory_soft(guest->cgroup, &bytes[1], error) ||
            !cgroup_read_memory_swap(guest->cgroup, &bytes[2], error))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++)
                *limits[i] = bytes[i] == CGROUP_UNLIMITED ? 0 : bytes[i] / 1024;
        return true;
}

/* ---- nodes ---- */

static bool set_thread_nodes(struct guest *guest, const struct domain_def *def, const char *nodes,
                             GError **error)
{
        for (unsigned i = 0; i < def->max_vcpus + def->iothreads; i++) {
                bool is_vcpu = i < def->max_vcpus;
                unsigned id = is_vcpu ? i : def->iothread_list[i - def->max_vcpus].id;
                g_autofree char *threads = g_strdup_printf("%s%u", is_vcpu ? "vcpu" : "iothread", id);

                if (cgroup_has_threads(guest->cgroup, CGROUP_CPUSET, threads) &&
                    !cgroup_set_nodes(guest->cgroup, threads, nodes, error))
                        return false;
        }
        return cgroup_set_nodes(guest->cgroup, EMULATOR, nodes, error);
}

/* A group has no node that the one above it has not: first all have both. */
static bool change_nodes(const struct change *change, GError **error)
{
        const struct domain_cpuset *from = &change->from->numatune.nodes, *to = &change->to->numatune.nodes;
        struct guest *guest = change->guest;
        g_autofree char *before = NULL, *after = NULL, *both = NULL;

        if (!require(guest, CGROUP_CPUSET, "cpuset", error))
                return false;
        after = to->words ? domain_cpuset_format(to) : cgroup_read_parent_nodes(guest->cgroup, error);
        before = from->words ? domain_cpuset_format(from) : cgroup_read_parent_nodes(guest->cgroup, error);
        if (!after || !before)
                return false;
        both = g_strconcat(before, ",", after, NULL);
        return strcmp(before, after) == 0 || (cgroup_set_nodes(guest->cgroup, NULL, both, error) &&
                                              set_thread_nodes(guest, change->to, after, error) &&
                                              cgroup_set_nodes(guest->cgroup, NULL, after, error));
}

/* ---- block devices ---- */

static const struct domain_blkio_device *find_device(const struct domain_blkiotune *tune, const char *path)
{
        for (unsigned i = 0; i < tune->n_devices; i++) {
                if (strcmp(tune->devices[i].path, path) == 0)
                        return &tune->devices[i];
        }
        return NULL;
}

static bool change_devices(struct guest *guest, const struct domain_blkiotune *from,
                           const struct domain_blkiotune *to, GError **error)
{
        for (unsigned i = 0; i < to->n_devices; i++) {
                const struct domain_blkio_device none = { .path = to->devices[i].path };
                const struct domain_blkio_device *before = find_device(from, none.path);

                if (!tuning_change_device(guest, before ? before : &none, &to->devices[i], error))
                        return false;
        }
        for (unsigned i = 0; i < from->n_devices; i++) {
                const struct domain_blkio_device none = { .path = from->devices[i].path };

                if (!find_device(to, none.path) &&
                    !tuning_change_device(guest, &from->devices[i], &none, error))
                        return false;
        }
        return true;
}

static bool change_block(const struct change *change, GError **error)
{
        const struct domain_blkiotune *from = &change->from->blkiotune, *to = &change->to->blkiotune;
        struct guest *guest = change->guest;

        return require(guest, CGROUP_IO, "blkio", error) &&
               (to->weight == from->weight ||
                cgroup_set_io_weight(guest->domain->base.lane, guest->cgroup,
                                     to->weight ? to->weight : WEIGHT_DEFAULT, error)) &&
               change_devices(guest, from, to, error);
}

static bool read_block(struct guest *guest, struct domain_tuning *tuning, GError **error)
{
        uint64_t weight = 0;
        g_autoptr(GError) failure = NULL;

        if (!require(guest, CGROUP_IO, "blkio", error))
                return false;
        /* Without a scheduler of weights there is no such file, and 0 says so. */
        if (!cgroup_read_io_weight(guest->cgroup, &weight, &failure))
                log_gerror(LOG_LEVEL_DEBUG, failure, "%s has no weight", guest->who);
        tuning->weight = (uint32_t)MIN(weight, UINT32_MAX);
        return true;
}

/* ---- all of it ---- */

static bool apply(const struct change *change, unsigned parts, GError **error)
{
        return (!(parts & DOMAIN_TUNE_PINS) || affinity_repin(change->guest, change->to, error)) &&
               (!(parts & DOMAIN_TUNE_CPU) || change_cpu(change, error)) &&
               (!(parts & DOMAIN_TUNE_MEMORY) || change_memory(change, error)) &&
               (!(parts & DOMAIN_TUNE_NODES) || change_nodes(change, error)) &&
               (!(parts & DOMAIN_TUNE_BLOCK) || change_block(change, error)) &&
               (!(parts & DOMAIN_TUNE_PERF) || perf_set(change->guest, change->to->perf_events, error));
}

bool tune_guest(struct domain *domain, unsigned parts, const struct domain_def *from,
                const struct domain_def *to, GError **error)
{
        struct guest *guest = guest_of(domain);
        struct change change = { guest, from, to }, back = { guest, to, from };
        g_autoptr(GError) failure = NULL;

        if (!guest_get_monitor(guest, error))
                return false;
        if (apply(&change, parts, error))
                return true;
        lane_shield(domain->base.lane);
        if (!apply(&back, parts, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "%s may not have all that its definition says",
                           guest->who);
        return false;
}

bool tune_read(struct domain *domain, unsigned parts, struct domain_tuning *tuning, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_def *def = domain_state_get_def(domain_get_current(domain));

        return (!(parts & DOMAIN_TUNE_CPU) || read_cpu(guest, def, tuning, error)) &&
               (!(parts & DOMAIN_TUNE_MEMORY) || read_memory(guest, tuning, error)) &&
               (!(parts & DOMAIN_TUNE_BLOCK) || read_block(guest, tuning, error));
}
