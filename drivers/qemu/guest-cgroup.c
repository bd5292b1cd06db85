/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control group of a guest: made before the emulator, which enters it before it is the emulator, found by
 * the next agent, and gone with the guest. Lane of the domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"
#include "base/systemd.h"

#include <unistd.h>

#define SERVICE "libvirt-qemu"

static void note(struct guest *guest)
{
        struct status *status = guest->status;

        g_free(status->cgroup);
        g_free(status->unit);
        status->cgroup = g_strdup(cgroup_get_path(guest->cgroup));
        status->unit = g_strdup(cgroup_get_unit(guest->cgroup));
        guest->changed = true;
}

bool guest_make_cgroup(struct guest *guest, const struct domain_def *def, GError **error)
{
        const struct status *status = guest->status;
        g_autofree char *machine = cgroup_make_machine_name("qemu", status->id, status->name);
        g_autofree char *description = g_strdup_printf("Virtual machine %s", machine);
        const struct cgroup_spec spec = { machine, def->partition ? def->partition : GUEST_PARTITION,
                                          description };
        g_autoptr(GError) failure = NULL;

        if (!cgroup_check_partition(spec.partition, error))
                return false;
        guest->cgroup = cgroup_new(guest->domain->base.lane, &spec, &failure);
        if (failure) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        if (!guest->cgroup)
                return true;
        note(guest);
        return true;
}

void guest_register_machine(struct guest *guest)
{
        const struct status *status = guest->status;
        g_autofree char *machine = cgroup_make_machine_name("qemu", status->id, status->name);
        g_autoptr(GError) error = NULL;
        bool missing;

        if (!guest->cgroup || !cgroup_get_unit(guest->cgroup) || geteuid() != 0)
                return;
        if (!systemd_register_machine(guest->domain->base.lane,
                                      &(const struct systemd_machine){ machine, status->uuid.bytes, SERVICE,
                                                                       guest->emulator.pid },
                                      &missing, &error) &&
            !missing && !error_is(error, ERROR_OPERATION_ABORTED))
                log_gerror(LOG_LEVEL_WARNING, error, "machined does not know of %s", guest->who);
}

void guest_find_cgroup(struct guest *guest)
{
        const struct status *status = guest->status;

        if (status->cgroup)
                guest->cgroup = cgroup_open(status->cgroup, status->unit);
        if (guest->cgroup || !process_is_open(&guest->emulator))
                return;
        guest->cgroup = cgroup_find(guest->emulator.pid);
        if (guest->cgroup)
                note(guest);
}
