/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a device can change while its guest runs: the medium of a drive, the link of an interface. All else
 * must be as it was, which is so when the two definitions are the same but for that. No state but the
 * guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/plug-private.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/resources.h"
#include "interfaces/tap.h"

#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* ---- only that ---- */

/* Both definitions without it: what is left is to be the same. */
bool plug_differs_by(const struct domain_def *one, const struct domain_def *other,
                     void (*leave_out)(struct domain_edit *edit, const void *data), const void *data)
{
        const struct domain_def *both[] = { one, other };
        struct domain_def *left[2];
        bool same;

        for (unsigned i = 0; i < 2; i++) {
                struct domain_edit *edit = domain_edit_new(both[i], NULL);

                leave_out(edit, data);
                left[i] = domain_edit_commit(edit, NULL);
        }
        same = left[0] && left[1] && strcmp(left[0]->base.xml, left[1]->base.xml) == 0;
        domain_def_unref(left[0]);
        domain_def_unref(left[1]);
        return same;
}

/* ---- the link of an interface, and where it leads ---- */

static void leave_out_link(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_interface_link(edit, alias, true);
}

static void leave_out_bridge(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_interface_link(edit, alias, true);
        domain_edit_set_interface_bridge(edit, alias, "any");
}

/* What the start chose for it stays. */
static bool keep_chosen(const struct domain_interface *before, struct domain_def **live, GError **error)
{
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        if (before->target)
                domain_edit_set_interface_target(edit, before->info.alias, before->target);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* A tap may go from bridge to bridge. */
static bool check_changes(const struct guest *guest, const struct domain_interface *before,
                          const struct domain_def *live, unsigned index, GError **error)
{
        bool has_bridge =
                resources_get_bridge(before) && resources_get_bridge(&live->devices.interfaces[index]);

        if (plug_differs_by(get_def(guest), live, has_bridge ? leave_out_bridge : leave_out_link,
                            before->info.alias))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "of interface '%s' only %s can change while the guest runs", before->info.alias,
                         has_bridge ? "the link and the bridge or network" : "the link");
}

static bool move(struct guest *guest, const char *target, const struct domain_interface *to,
                 const struct domain_takings *takings, GError **error)
{
        const struct tap tap = {
                .name = target,
                .bridge = resources_get_bridge(to),
                .lane = guest->domain->base.lane,
                .isolated = resources_is_isolated(takings, to),
        };

        return tap_move(&tap, error);
}

static void move_back(struct guest *guest, const struct domain_interface *before)
{
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        if (!move(guest, before->target, before, guest->domain->takings, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "interface '%s' of %s is not in its bridge any more",
                           before->info.alias, guest->who);
}

static bool update_interface(struct guest *guest, unsigned index, const struct domain_update *update,
                             struct domain_def **live, GError **error)
{
        const struct domain_interface *before = &get_def(guest)->devices.interfaces[index], *after;
        bool moves, up;

        if (!keep_chosen(before, live, error) || !check_changes(guest, before, *live, index, error))
                return false;
        after = &(*live)->devices.interfaces[index];
        moves = g_strcmp0(resources_get_bridge(before), resources_get_bridge(after)) != 0;
        if (moves && !move(guest, before->target, after, update->takings, error))
                return false;
        up = after->link_up != DOMAIN_SWITCH_OFF;
        if (qmp_execute(guest->qmp, "set_link", json_pack("{s:s, s:b}", "name", before->info.alias, "up", up),
                        QMP_TIMEOUT_MS, NULL, error))
                return true;
        if (moves)
                move_back(guest, before);
        return false;
}

/* ---- the medium of a drive ---- */

struct medium {
        struct guest *guest;            /* borrowed */
        const struct domain_disk *disk; /* borrowed; as it was */
        const struct qemu_caps *caps;   /* ref */
        struct resources resources;
        struct domain_def *def;             /* ref; with the new medium */
        struct device_list *before, *after; /* owned; what makes the drive with the old and the new medium */
        char *kept;                         /* owned; what the old medium's files are noted as meanwhile */
        bool force;
};

static void leave_out_medium(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_disk_path(edit, alias, NULL);
        domain_edit_set_disk_tray(edit, alias, false);
}

/* What was taken for a device is noted under another name. */
static void rename_files(struct guest *guest, const char *from, const char *to)
{
        for (unsigned i = 0; i < guest->status->images->len; i++) {
                struct status_image *image = g_ptr_array_index(guest->status->images, i);

                if (g_strcmp0(image->alias, from) != 0)
                        continue;
                g_free(image->alias);
                image->alias = g_strdup(to);
        }
}

static const struct device_part *last_part(const struct device_list *list)
{
        return device_list_get(list, device_list_get_length(list) - 1);
}

/* The node that the drive of the list reads; NULL: it is empty. */
static const char *get_node(const struct device_list *list)
{
        return json_string_value(json_object_get(last_part(list)->arguments, "drive"));
}

static bool say(const struct medium *medium, const char *command, json_t *arguments, GError **error)
{
        device_set_string(arguments, "id", medium->disk->info.alias);
        return qmp_execute(medium->guest->qmp, command, arguments, QMP_TIMEOUT_JOB_MS, NULL, error);
}

static bool insert(const struct medium *medium, const struct device_list *list, GError **error)
{
        if (!get_node(list))
                return true;
        return say(medium, "blockdev-insert-medium", json_pack("{s:s}", "node-name", get_node(list)), error);
}

/* A guest that has locked its drive is asked by QEMU to let go, and the tray stays shut unless forced. */
static bool change(const struct medium *medium, GError **error)
{
        g_autoptr(GError) failure = NULL;
        bool changed;

        if (!say(medium, "blockdev-open-tray", json_pack("{s:b}", "force", medium->force), error) ||
            !say(medium, "blockdev-remove-medium", json_object(), error))
                return false;
        changed = insert(medium, medium->after, error);
        if (!changed && !insert(medium, medium->before, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "drive '%s' of %s has lost its medium",
                           medium->disk->info.alias, medium->guest->who);
        g_clear_error(&failure);
        if (!say(medium, "blockdev-close-tray", json_object(), &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "the tray of drive '%s' of %s stays open",
                           medium->disk->info.alias, medium->guest->who);
        return changed;
}

static bool prepare(struct medium *medium, struct domain_def *live, unsigned index,
                    const struct domain_start *how, GError **error)
{
        struct domain_edit *edit = domain_edit_new(live, error);

        if (!edit)
                return false;
        resources_init(&medium->resources, medium->guest, live, edit, how);
        /* Both media are known to QEMU for a moment. */
        for (const struct domain_storage *storage = &medium->disk->source; storage;
             storage = storage->backing)
                medium->resources.next_image = MAX(medium->resources.next_image, storage->index + 1);
        if (!resources_resume(&medium->resources, error) ||
            !resources_prepare_device(&medium->resources, DOMAIN_DEVICE_DISK, &live->devices.disks[index],
                                      error)) {
                domain_edit_free(edit);
                return false;
        }
        medium->def = domain_edit_commit(edit, error);
        medium->resources.def = medium->def;
        medium->resources.edit = NULL;
        return medium->def != NULL;
}

static bool describe(struct medium *medium, unsigned index, GError **error)
{
        const struct device_context context = {
                .def = medium->def, .caps = medium->caps, .resources = medium->resources.by_alias, .hot = true
        };

        medium->before = device_list_new();
        medium->after = device_list_new();
        return device_describe_made(medium->before, get_def(medium->guest), medium->caps, DOMAIN_DEVICE_DISK,
                                    medium->disk, error) &&
               device_describe_disk(medium->after, &context, &medium->def->devices.disks[index], error);
}

static bool run(struct medium *medium, struct domain_def *live, unsigned index,
                const struct domain_start *how, GError **error)
{
        struct guest *guest = medium->guest;
        unsigned nodes;

        medium->caps = plug_get_caps(guest, error);
        if (!medium->caps || !prepare(medium, live, index, how, error) || !describe(medium, index, error) ||
            !plug_hand_over(&medium->resources, medium->def, error))
                return false;
        nodes = device_list_get_length(medium->after) - 1;
        if (!plug_make_parts(guest, medium->after, nodes, NULL, NULL, error))
                return false;
        if (change(medium, error))
                return true;
        lane_shield(guest->domain->base.lane);
        plug_undo_parts(guest, medium->after, nodes);
        return false;
}

static void clear(struct medium *medium, bool ok)
{
        struct guest *guest = medium->guest;
        const char *alias = medium->disk->info.alias;
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        if (ok) {
                plug_undo_parts(guest, medium->before, device_list_get_length(medium->before) - 1);
                guest_release_device(guest, medium->kept);
        } else {
                guest_release_device(guest, alias);
                rename_files(guest, medium->kept, alias);
                if (!plug_write_down(guest, NULL, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
        }
        if (medium->resources.by_alias)
                resources_done(&medium->resources);
        device_list_free(medium->before);
        device_list_free(medium->after);
        qemu_caps_unref(medium->caps);
        g_free(medium->kept);
}

static bool update_disk(struct guest *guest, unsigned index, const struct domain_update *update,
                        struct domain_def **live, GError **error)
{
        const struct domain_start how = { 0, update->takings };
        const struct domain_disk *disk = &get_def(guest)->devices.disks[index];
        struct medium medium = { .guest = guest, .disk = disk, .force = update->force };
        bool ok;

        if ((disk->device != DOMAIN_DISK_CDROM && disk->device != DOMAIN_DISK_FLOPPY) ||
            !plug_differs_by(get_def(guest), *live, leave_out_medium, disk->info.alias))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                 "of disk '%s' only a medium that can be taken out can change while the "
                                 "guest runs",
                                 disk->target);
        medium.kept = g_strconcat(disk->info.alias, "/before", NULL);
        rename_files(guest, disk->info.alias, medium.kept);
        ok = run(&medium, *live, index, &how, error);
        clear(&medium, ok);
        if (!ok) {
                domain_def_unref(medium.def);
                return false;
        }
        domain_def_unref(*live);
        *live = medium.def;
        return true;
}

bool plug_update(struct domain *domain, const struct domain_update *update, struct domain_def **live,
                 GError **error)
{
        const struct domain_edit_device *device = &update->device;
        struct guest *guest = guest_of(domain);

        if (!guest_get_monitor(guest, error))
                return false;
        if (device->kind == DOMAIN_DEVICE_INTERFACE)
                return update_interface(guest, device->index, update, live, error);
        if (device->kind == DOMAIN_DEVICE_GRAPHICS)
                return plug_update_graphics(guest, device->index, live, error);
        if (device->kind == DOMAIN_DEVICE_DISK)
                return update_disk(guest, device->index, update, live, error);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "<%s> cannot change while the guest runs",
                         domain_device_kind_get_name(device->kind));
}
