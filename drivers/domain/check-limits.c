/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups of disks that have their limits in common: those that say so by <group_name>, and the
 * <throttlegroup> of that name. QEMU has one group of a name. Plain functions, any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"

#include <string.h>

/* NULL: the disk has no limits by such a name; <throttlefilters> have no numbers of their own. */
static const struct domain_iotune *get_grouped(const struct domain_disk *disk)
{
        return disk->iotune && !disk->iotune->is_filter && disk->iotune->group_name ? disk->iotune : NULL;
}

static bool check_throttle_groups(const struct domain_def *def, const struct domain_disk *disk,
                                  GError **error)
{
        const struct domain_iotune *tune = disk->iotune;

        for (const struct domain_iotune *group = def->throttle_groups; group; group = group->next) {
                g_autofree char *quoted = error_quote(tune->group_name);

                if (g_strcmp0(group->group_name, tune->group_name) != 0)
                        continue;
                return domain_iotune_has_same_limits(group, tune) ||
                       check_refuse(error,
                                    "<iotune> of disk '%s' has other limits than <throttlegroup> '%s', whose "
                                    "name is its <group_name>: a group has one set of them (SetBlockIOTune "
                                    "changes it)",
                                    disk->target, quoted);
        }
        return true;
}

static bool check_before(const struct domain_devices *devices, unsigned index, GError **error)
{
        const struct domain_disk *disk = &devices->disks[index];

        for (unsigned i = 0; i < index; i++) {
                const struct domain_disk *other = &devices->disks[i];
                const struct domain_iotune *tune = get_grouped(other);
                g_autofree char *quoted = NULL;

                if (!tune || strcmp(tune->group_name, disk->iotune->group_name) != 0)
                        continue;
                quoted = error_quote(tune->group_name);
                return domain_iotune_has_same_limits(tune, disk->iotune) ||
                       check_refuse(
                               error,
                               "disks '%s' and '%s' have <group_name> '%s' and other limits each: a group "
                               "has one set of them (SetBlockIOTune changes it)",
                               other->target, disk->target, quoted);
        }
        return true;
}

bool check_limit_groups(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (get_grouped(&devices->disks[i]) &&
                    (!check_throttle_groups(check->def, &devices->disks[i], error) ||
                     !check_before(devices, i, error)))
                        return false;
        }
        return true;
}
