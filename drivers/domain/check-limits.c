/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups of disks that have their limits in common: those that say so by <group_name>, and the
 * <throttlegroup> of that name. QEMU has one group of a name. Plain functions, any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"

/* NULL: the disk has no limits by such a name; <throttlefilters> have no numbers of their own. */
static const struct domain_iotune *get_grouped(const struct domain_disk *disk)
{
        return disk->iotune && !disk->iotune->is_filter && disk->iotune->group_name ? disk->iotune : NULL;
}

/* named: the <throttlegroup>s, disks: the first one of each group, both by the group's name. */
static bool check_limits(const struct domain_disk *disk, GHashTable *named, GHashTable *disks, GError **error)
{
        const struct domain_iotune *tune = disk->iotune,
                                   *group = g_hash_table_lookup(named, tune->group_name);
        const struct domain_disk *first = g_hash_table_lookup(disks, tune->group_name);
        g_autofree char *quoted = NULL;

        if (group && !domain_iotune_has_same_limits(group, tune)) {
                quoted = error_quote(tune->group_name);
                return check_refuse(error,
                                    "<iotune> of disk '%s' has other limits than <throttlegroup> '%s', whose "
                                    "name is its <group_name>: a group has one set of them (SetBlockIOTune "
                                    "changes it)",
                                    disk->target, quoted);
        }
        if (!first) {
                g_hash_table_insert(disks, (gpointer)tune->group_name, (gpointer)disk);
                return true;
        }
        if (domain_iotune_has_same_limits(first->iotune, tune))
                return true;
        quoted = error_quote(tune->group_name);
        return check_refuse(error,
                            "disks '%s' and '%s' have <group_name> '%s' and other limits each: a group "
                            "has one set of them (SetBlockIOTune changes it)",
                            first->target, disk->target, quoted);
}

bool check_limit_groups(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;
        g_autoptr(GHashTable) named = g_hash_table_new(g_str_hash, g_str_equal),
                              disks = g_hash_table_new(g_str_hash, g_str_equal);

        for (const struct domain_iotune *group = check->def->throttle_groups; group; group = group->next) {
                if (group->group_name && !g_hash_table_contains(named, group->group_name))
                        g_hash_table_insert(named, (gpointer)group->group_name, (gpointer)group);
        }
        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (get_grouped(&devices->disks[i]) && !check_limits(&devices->disks[i], named, disks, error))
                        return false;
        }
        return true;
}
