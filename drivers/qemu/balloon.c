/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory balloon of a running guest. No state; the domain's lane.
 */
#include "drivers/qemu/balloon.h"

#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/guest.h"

json_t *balloon_describe_period(const struct domain_memballoon *balloon)
{
        json_t *arguments = json_object();

        device_set_format(arguments, "path", "/machine/peripheral/%s", balloon->info.alias);
        device_set_string(arguments, "property", "guest-stats-polling-interval");
        device_set_int(arguments, "value", balloon->stats_period_s);
        return arguments;
}

static bool execute(struct domain *domain, const char *command, json_t *arguments, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);

        if (qmp)
                return qmp_execute(qmp, command, arguments, QMP_TIMEOUT_MS, NULL, error);
        json_decref(arguments);
        return false;
}

/* What the guest has of it, and when, is told by events. */
bool balloon_set_memory(struct domain *domain, uint64_t kib, struct domain_def **live, GError **error)
{
        json_t *arguments = json_object();

        device_set_int(arguments, "value", (json_int_t)(kib * 1024));
        return execute(domain, "balloon", arguments, error);
}

bool balloon_set_period(struct domain *domain, const struct domain_def *live, GError **error)
{
        return execute(domain, "qom-set", balloon_describe_period(live->devices.memballoon), error);
}
