/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/iothread.h"

#include "base/lane.h"
#include "drivers/qemu/affinity.h"
#include "drivers/qemu/device.h"

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

/* One that is new has no element yet: it is as QEMU makes them. One that is put back has its own. */
static struct domain_iothread get_element(const struct domain_def *def, unsigned id)
{
        for (unsigned i = 0; i < def->iothreads; i++) {
                if (def->iothread_list[i].id == id)
                        return def->iothread_list[i];
        }
        return (struct domain_iothread){ .id = id, .pool = { -1, -1 }, .poll = { -1, -1, -1 } };
}

static bool add(struct guest *guest, unsigned id, const struct domain_def *def, GError **error)
{
        const struct domain_iothread element = get_element(def, id);

        if (!qmp_execute(guest->qmp, "object-add", device_iothread(&element), QMP_TIMEOUT_MS, NULL, error))
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
