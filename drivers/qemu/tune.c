/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/tune.h"

#include "base/lane.h"
#include "base/log.h"
#include "drivers/domain/driver.h"
#include "drivers/qemu/affinity.h"

static bool apply(struct guest *guest, unsigned parts, const struct domain_def *def, GError **error)
{
        return !(parts & DOMAIN_TUNE_PINS) || affinity_repin(guest, def, error);
}

bool tune_guest(struct domain *domain, unsigned parts, const struct domain_def *def, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_def *before = domain_state_get_def(domain_get_current(domain));
        g_autoptr(GError) failure = NULL;

        if (!guest_get_monitor(guest, error))
                return false;
        if (apply(guest, parts, def, error))
                return true;
        lane_shield(domain->base.lane);
        if (!apply(guest, parts, before, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "%s is not what its definition says", guest->who);
        return false;
}
