/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The limits of a disk (<iotune>) while its guest runs: the filter that keeps to them comes, goes, or gets
 * other numbers. The device is told which node it reads before an old one is taken away, so whatever fails
 * leaves the disk as it was. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/plug-private.h"

#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* Beside the limits, what a start has found out of the images. */
static void leave_out_limits(struct domain_edit *edit, const void *alias)
{
        domain_edit_drop_disk_part(edit, alias, "iotune");
        domain_edit_forget_disk_chain(edit, alias);
}

bool plug_changes_limits(const struct guest *guest, const struct domain_disk *disk,
                         const struct domain_def *live)
{
        return plug_differs_by(get_def(guest), live, leave_out_limits, disk->info.alias);
}

/* ---- the definition ---- */

static const char *get_group(const struct domain_disk *disk)
{
        return disk->iotune ? disk->iotune->group_name : NULL;
}

/* The active one with other limits, which all disks of the group have. NULL with an error. */
static struct domain_def *change_limits(const struct domain_def *before, const struct domain_def *wanted,
                                        unsigned index, GError **error)
{
        const struct domain_disk *disk = &wanted->devices.disks[index];
        struct domain_edit *edit = domain_edit_new(before, error);

        if (!edit)
                return NULL;
        domain_edit_take_disk_part(edit, disk->info.alias, wanted, disk->info.alias, "iotune");
        for (unsigned i = 0; get_group(disk) && i < before->devices.n_disks; i++) {
                const struct domain_disk *other = &before->devices.disks[i];

                if (i != index && g_strcmp0(get_group(other), get_group(disk)) == 0)
                        domain_edit_take_disk_part(edit, other->info.alias, wanted, disk->info.alias,
                                                   "iotune");
        }
        return domain_edit_commit(edit, error);
}

/* ---- the emulator ---- */

struct limits {
        struct guest *guest;                /* borrowed */
        lane_deadline deadline;             /* of all that is said */
        struct device_list *before, *after; /* owned; what makes the disk */
};

static const json_t *last_arguments(const struct device_list *list)
{
        return device_list_get(list, device_list_get_length(list) - 1)->arguments;
}

static const char *get_drive(const struct device_list *list)
{
        return json_string_value(json_object_get(last_arguments(list), "drive"));
}

/*
 * Where that which reads is in QEMU's tree. A USB disk is a bridge that has handed its node on to the SCSI
 * disk behind it, which has no id; told another node itself, it keeps that, and the guest reads the one
 * before.
 */
static char *get_drive_path(const struct device_list *list)
{
        const char *alias = json_string_value(json_object_get(last_arguments(list), "id"));
        const char *driver = json_string_value(json_object_get(last_arguments(list), "driver"));

        if (g_strcmp0(driver, "usb-storage") == 0)
                return g_strdup_printf("/machine/peripheral/%s/%s.0/legacy[0]", alias, alias);
        return g_strconcat("/machine/peripheral/", alias, NULL);
}

static bool set_drive(const struct limits *limits, const struct device_list *list, GError **error)
{
        g_autofree char *path = get_drive_path(list);

        return qmp_execute(
                limits->guest->qmp, "qom-set",
                json_pack("{s:s, s:s, s:s}", "path", path, "property", "drive", "value", get_drive(list)),
                plug_get_timeout(limits->deadline, QMP_TIMEOUT_MS), NULL, error);
}

static bool has_own_group(const struct domain_disk *disk)
{
        return device_has_throttle(disk) && !disk->iotune->group_name;
}

/*
 * The numbers of after, those that are none as well: all of a group that others are in. Of the disk's own
 * those are left out that have been none before, because QEMU reads a command byte by byte, and all are 500.
 */
static json_t *describe_numbers(const struct domain_disk *before, const struct domain_disk *after)
{
        json_t *all = device_throttle_limits(after->iotune, true), *some, *value;
        const char *name;

        if (!has_own_group(before) || !has_own_group(after))
                return all;
        some = device_throttle_limits(before->iotune, false);
        json_object_update_new(some, device_throttle_limits(after->iotune, false));
        json_object_foreach(some, name, value) json_object_set(some, name, json_object_get(all, name));
        json_decref(all);
        return some;
}

/* Is a group, with its numbers, among them? */
static bool has_group(const struct device_list *list)
{
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const json_t *arguments = device_list_get(list, i)->arguments;
                const char *type = json_string_value(json_object_get(arguments, "qom-type"));

                if (g_strcmp0(type, "throttle-group") == 0)
                        return true;
        }
        return false;
}

/* Of a group that is there. */
static bool set_numbers(const struct limits *limits, const struct domain_disk *before,
                        const struct domain_disk *disk, GError **error)
{
        g_autofree char *id = device_throttle_id(disk), *path = NULL;

        if (!device_has_throttle(disk))
                return true;
        path = g_strconcat("/objects/", id, NULL);
        return qmp_execute(limits->guest->qmp, "qom-set",
                           json_pack("{s:s, s:s, s:o}", "path", path, "property", "limits", "value",
                                     describe_numbers(before, disk)),
                           plug_get_timeout(limits->deadline, QMP_TIMEOUT_MS), NULL, error);
}

/* The filter, whose name does not change, keeps to the group that the one list says in place of the other's.
 */
static bool set_group(const struct limits *limits, const struct device_list *before,
                      const struct device_list *after, GError **error)
{
        for (unsigned i = 0; i < device_list_get_length(after); i++) {
                const struct device_part *part = device_list_get(after, i),
                                         *old = plug_find_part(before, part);

                if (old && json_object_get(part->arguments, "throttle-group") &&
                    !json_equal(old->arguments, part->arguments))
                        return qmp_execute(limits->guest->qmp, "blockdev-reopen",
                                           json_pack("{s:[O]}", "options", part->arguments),
                                           plug_get_timeout(limits->deadline, QMP_TIMEOUT_MS), NULL, error);
        }
        return true;
}

static bool change(const struct limits *limits, const struct domain_disk *before,
                   const struct domain_disk *disk, GError **error)
{
        CLEANUP(device_list_free)
        struct device_list *come = plug_subtract_parts(limits->after, limits->before);
        CLEANUP(device_list_free) struct device_list *go = plug_subtract_parts(limits->before, limits->after);
        struct guest *guest = limits->guest;
        unsigned n = device_list_get_length(come);

        if (!plug_make_parts(guest, come, n, limits->deadline, NULL, error))
                return false;
        if ((!has_group(come) && !set_numbers(limits, before, disk, error)) ||
            !set_group(limits, limits->before, limits->after, error) ||
            (g_strcmp0(get_drive(limits->before), get_drive(limits->after)) != 0 &&
             !set_drive(limits, limits->after, error))) {
                lane_shield(guest->domain->base.lane);
                plug_undo_parts(guest, come, n, limits->deadline);
                return false;
        }
        plug_undo_parts(guest, go, device_list_get_length(go), limits->deadline);
        return true;
}

static bool run(struct limits *limits, const struct domain_disk *before, const struct domain_def *def,
                unsigned index, GError **error)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = plug_get_caps(limits->guest, error);
        const struct domain_disk *after = &def->devices.disks[index];

        return caps &&
               device_describe_made(limits->before, get_def(limits->guest), caps, DOMAIN_DEVICE_DISK, before,
                                    error) &&
               device_describe_made(limits->after, def, caps, DOMAIN_DEVICE_DISK, after, error) &&
               change(limits, before, after, error);
}

bool plug_update_limits(struct guest *guest, unsigned index, bool complete, struct domain_def **live,
                        GError **error)
{
        const struct domain_disk *disk = &get_def(guest)->devices.disks[index];
        struct domain_def *def =
                complete ? domain_def_ref(*live) : change_limits(get_def(guest), *live, index, error);
        struct limits limits = { guest, plug_begin_call(), device_list_new(), device_list_new() };
        bool ok = def && run(&limits, disk, def, index, error);

        device_list_free(limits.before);
        device_list_free(limits.after);
        if (!ok) {
                domain_def_unref(def);
                return false;
        }
        domain_def_unref(*live);
        *live = def;
        return true;
}
