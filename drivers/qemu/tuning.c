/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <cputune>, <memtune> and <blkiotune> before a start. No state.
 */
#include "drivers/qemu/tuning.h"

#include "base/error.h"

static bool refuse(const struct domain_def *def, const char *element, const char *parent, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "domain '%s': <%s> of <%s> is not supported", def->base.name, element, parent);
}

static bool check_cputune(const struct domain_def *def, GError **error)
{
        const struct domain_cputune *tune = &def->cputune;

        if (tune->shares)
                return refuse(def, "shares", "cputune", error);
        for (unsigned i = 0; i < DOMAIN_QUOTA_SCOPES; i++) {
                if (tune->quotas[i].quota_us > 0)
                        return refuse(def, domain_quota_get_quota_name(i), "cputune", error);
        }
        if (tune->n_cachetunes > 0)
                return refuse(def, "cachetune", "cputune", error);
        return tune->n_memorytunes == 0 || refuse(def, "memorytune", "cputune", error);
}

static bool check_memtune(const struct domain_def *def, GError **error)
{
        const struct domain_memtune *tune = &def->memtune;

        if (tune->hard_limit_kib)
                return refuse(def, "hard_limit", "memtune", error);
        if (tune->soft_limit_kib)
                return refuse(def, "soft_limit", "memtune", error);
        if (tune->min_guarantee_kib)
                return refuse(def, "min_guarantee", "memtune", error);
        return !tune->swap_hard_limit_kib || refuse(def, "swap_hard_limit", "memtune", error);
}

static bool check_blkiotune(const struct domain_def *def, GError **error)
{
        if (def->blkiotune.weight)
                return refuse(def, "weight", "blkiotune", error);
        return def->blkiotune.n_devices == 0 || refuse(def, "device", "blkiotune", error);
}

bool tuning_require_supported(const struct domain_def *def, GError **error)
{
        return check_cputune(def, error) && check_memtune(def, error) && check_blkiotune(def, error);
}
