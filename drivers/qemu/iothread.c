/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/iothread.h"

#include "base/lane.h"
#include "drivers/qemu/affinity.h"

static json_t *name_it(unsigned id)
{
        json_t *arguments = json_object();

        json_object_set_new(arguments, "id", json_sprintf("iothread%u", id));
        return arguments;
}

static bool take_away(struct guest *guest, unsigned id, GError **error)
{
        g_autofree char *threads = g_strdup_printf("iothread%u", id);

        if (!qmp_execute(guest->qmp, "object-del", name_it(id), QMP_TIMEOUT_MS, NULL, error))
                return false;
        if (guest->cgroup)
                cgroup_remove_threads(guest->domain->base.lane, guest->cgroup, threads);
        return true;
}

static bool add(struct guest *guest, unsigned id, const struct domain_def *def, GError **error)
{
        json_t *arguments = name_it(id);

        json_object_set_new(arguments, "qom-type", json_string("iothread"));
        if (!qmp_execute(guest->qmp, "object-add", arguments, QMP_TIMEOUT_MS, NULL, error))
                return false;
        if (affinity_settle_iothread(guest, def, id, error))
                return true;
        lane_shield(guest->domain->base.lane);
        take_away(guest, id, NULL);
        return false;
}

bool iothread_set(struct domain *domain, unsigned id, bool there, const struct domain_def *def,
                  GError **error)
{
        struct guest *guest = guest_of(domain);

        if (!guest_get_monitor(guest, error))
                return false;
        return there ? add(guest, id, def, error) : take_away(guest, id, error);
}
