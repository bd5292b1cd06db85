/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The definition's limits, put into the guest's control group. No state of its own.
 */
#include "drivers/qemu/tuning.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define EMULATOR "emulator"

/* Of groups that nobody has given one. */
#define PERIOD_DEFAULT 100000

/* Weights of the second version of control groups. */
#define UNIFIED_WEIGHT_MAX 10000

/* ---- what no host can do ---- */

static bool refuse(const struct domain_def *def, const char *element, const char *parent, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "domain '%s': <%s> of <%s> is not supported", def->base.name, element, parent);
}

bool tuning_require_supported(const struct domain_def *def, GError **error)
{
        return !def->memtune.min_guarantee_kib || refuse(def, "min_guarantee", "memtune", error);
}

/* ---- CPU ---- */

bool tuning_set_shares(struct guest *guest, uint64_t shares, GError **error)
{
        if (!cgroup_require(guest->cgroup, CGROUP_CPU, "<shares> of <cputune>", error))
                return false;
        if (cgroup_is_unified(guest->cgroup, CGROUP_CPU) && shares > UNIFIED_WEIGHT_MAX)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<shares> of <cputune> is %" PRIu64 ", and the control groups of this host "
                                 "take 1 to %d",
                                 shares, UNIFIED_WEIGHT_MAX);
        return cgroup_set_cpu_weight(guest->domain->base.lane, guest->cgroup, shares, error);
}

static bool is_limited(const struct domain_quota *quota)
{
        return quota->quota_us > 0;
}

bool tuning_set_quota(struct guest *guest, const struct domain_def *def, enum domain_quota_scope scope,
                      const char *threads, GError **error)
{
        const struct domain_quota *quota = &def->cputune.quotas[scope];

        return cgroup_set_cpu_max(guest->cgroup, threads, is_limited(quota) ? quota->quota_us : -1,
                                  quota->period_us ? quota->period_us : PERIOD_DEFAULT, error);
}

/* threads NULL: the guest as a whole. */
static bool set_quota(struct guest *guest, const struct domain_def *def, enum domain_quota_scope scope,
                      const char *threads, GError **error)
{
        const struct domain_quota *quota = &def->cputune.quotas[scope];
        g_autofree char *what = g_strdup_printf("<%s> of <cputune>", domain_quota_get_quota_name(scope));

        return !is_limited(quota) ||
               (cgroup_require(guest->cgroup, CGROUP_CPU, what, error) &&
                cgroup_set_cpu_max(guest->cgroup, threads, quota->quota_us, quota->period_us, error));
}

/* ---- memory ---- */

static bool set_memory(struct guest *guest, const struct domain_memtune *tune, GError **error)
{
        const struct cgroup *group = guest->cgroup;
        uint64_t hard = tune->hard_limit_kib ? tune->hard_limit_kib * 1024 : CGROUP_UNLIMITED;

        if (!tune->hard_limit_kib && !tune->soft_limit_kib && !tune->swap_hard_limit_kib)
                return true;
        return cgroup_require(group, CGROUP_MEMORY, "<memtune>", error) &&
               (!tune->hard_limit_kib || cgroup_set_memory_max(group, hard, error)) &&
               (!tune->soft_limit_kib || cgroup_set_memory_soft(group, tune->soft_limit_kib * 1024, error)) &&
               (!tune->swap_hard_limit_kib ||
                cgroup_set_memory_swap(group, tune->swap_hard_limit_kib * 1024, hard, error));
}

bool tuning_limit_nodes(struct guest *guest, const struct domain_def *def, GError **error)
{
        const struct domain_numatune *tune = &def->numatune;
        g_autofree char *nodes = NULL;

        if (g_strcmp0(tune->mode, "restrictive") != 0 || !tune->nodes.words)
                return true;
        nodes = domain_cpuset_format(&tune->nodes);
        return cgroup_require(guest->cgroup, CGROUP_CPUSET, "<memory mode='restrictive'> of <numatune>",
                              error) &&
               cgroup_set_nodes(guest->cgroup, NULL, nodes, error) &&
               cgroup_set_nodes(guest->cgroup, EMULATOR, nodes, error);
}

static const struct domain_numatune_node *find_restrictive(const struct domain_numatune *tune, uint32_t cell)
{
        for (unsigned i = 0; i < tune->n_cells; i++) {
                if (tune->cells[i].cell == cell && g_strcmp0(tune->cells[i].mode, "restrictive") == 0)
                        return &tune->cells[i];
        }
        return NULL;
}

bool tuning_has_vcpu_nodes(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->cpu.n_cells; i++) {
                if (find_restrictive(&def->numatune, def->cpu.cells[i].id))
                        return true;
        }
        return false;
}

bool tuning_limit_vcpu_nodes(struct guest *guest, const struct domain_def *def, unsigned id, pid_t thread,
                             GError **error)
{
        const struct domain_numatune_node *node = NULL;
        g_autofree char *threads = g_strdup_printf("vcpu%u", id), *nodes = NULL;

        for (unsigned i = 0; i < def->cpu.n_cells && !node; i++) {
                if (domain_cpuset_has(&def->cpu.cells[i].cpus, id))
                        node = find_restrictive(&def->numatune, def->cpu.cells[i].id);
        }
        if (!node || !node->nodes.words)
                return true;
        nodes = domain_cpuset_format(&node->nodes);
        return cgroup_require(guest->cgroup, CGROUP_CPUSET, "<memnode mode='restrictive'> of <numatune>",
                              error) &&
               cgroup_add_thread(guest->cgroup, threads, thread, error) &&
               cgroup_set_nodes(guest->cgroup, threads, nodes, error);
}

/* ---- block devices ---- */

bool tuning_change_device(struct guest *guest, const struct domain_blkio_device *from,
                          const struct domain_blkio_device *to, GError **error)
{
        const uint64_t values[CGROUP_IO_VALUES][2] = {
                [CGROUP_IO_WEIGHT] = { from->weight, to->weight },
                [CGROUP_IO_READ_BYTES] = { from->read_bytes_sec, to->read_bytes_sec },
                [CGROUP_IO_WRITE_BYTES] = { from->write_bytes_sec, to->write_bytes_sec },
                [CGROUP_IO_READ_OPERATIONS] = { from->read_iops_sec, to->read_iops_sec },
                [CGROUP_IO_WRITE_OPERATIONS] = { from->write_iops_sec, to->write_iops_sec },
        };
        struct stat status;

        if (stat(to->path, &status) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot limit '%s' (<blkiotune>)",
                                       to->path);
        if (!S_ISBLK(status.st_mode))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "'%s', which <blkiotune> limits, is not a block device", to->path);
        for (unsigned i = 0; i < CGROUP_IO_VALUES; i++) {
                if (values[i][0] != values[i][1] &&
                    !cgroup_set_io_device(guest->domain->base.lane, guest->cgroup, status.st_rdev, i,
                                          values[i][1], error))
                        return false;
        }
        return true;
}

static bool set_io(struct guest *guest, const struct domain_blkiotune *tune, GError **error)
{
        if (!tune->weight && tune->n_devices == 0)
                return true;
        if (!cgroup_require(guest->cgroup, CGROUP_IO, "<blkiotune>", error))
                return false;
        if (tune->weight &&
            !cgroup_set_io_weight(guest->domain->base.lane, guest->cgroup, tune->weight, error))
                return false;
        for (unsigned i = 0; i < tune->n_devices; i++) {
                const struct domain_blkio_device none = { .path = tune->devices[i].path };

                if (!tuning_change_device(guest, &none, &tune->devices[i], error))
                        return false;
        }
        return true;
}

bool tuning_limit_guest(struct guest *guest, const struct domain_def *def, GError **error)
{
        return (!def->cputune.shares || tuning_set_shares(guest, def->cputune.shares, error)) &&
               set_quota(guest, def, DOMAIN_QUOTA_GLOBAL, NULL, error) &&
               set_memory(guest, &def->memtune, error) && set_io(guest, &def->blkiotune, error);
}

/* ---- threads ---- */

bool tuning_has_threads(const struct domain_def *def)
{
        const struct domain_quota *quotas = def->cputune.quotas;

        return is_limited(&quotas[DOMAIN_QUOTA_VCPU]) || is_limited(&quotas[DOMAIN_QUOTA_IOTHREAD]) ||
               is_limited(&quotas[DOMAIN_QUOTA_EMULATOR]);
}

bool tuning_limit_thread(struct guest *guest, const struct domain_def *def, enum domain_quota_scope scope,
                         unsigned id, pid_t thread, bool runs, GError **error)
{
        const char *what = scope == DOMAIN_QUOTA_VCPU ? "vcpu" : "iothread";
        g_autofree char *threads = g_strdup_printf("%s%u", what, id);

        return cgroup_require(guest->cgroup, CGROUP_CPU, "a quota of <cputune>", error) &&
               cgroup_add_thread(guest->cgroup, threads, thread, error) &&
               (runs ? tuning_set_quota(guest, def, scope, threads, error)
                     : set_quota(guest, def, scope, threads, error));
}

bool tuning_limit_emulator(struct guest *guest, const struct domain_def *def, GError **error)
{
        if (!is_limited(&def->cputune.quotas[DOMAIN_QUOTA_EMULATOR]))
                return true;
        return cgroup_require(guest->cgroup, CGROUP_CPU, "<emulator_quota> of <cputune>", error) &&
               cgroup_add_thread(guest->cgroup, EMULATOR, guest->emulator.pid, error) &&
               set_quota(guest, def, DOMAIN_QUOTA_EMULATOR, EMULATOR, error);
}
