/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives whose media change while the guest runs. The status document says that the old medium is in until
 * QEMU has the new one, and the nodes of the old one are there until the document says that: whoever finds a
 * guest whose agent was killed meanwhile can always put in what the document names, and takes away the rest
 * (plug-settle.c). Which drive it is says status.medium. No state but the guest's; lane of the domain.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/monitor-private.h"
#include "drivers/qemu/plug-private.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/resources.h"

#include <stdio.h>
#include <string.h>

/* What was taken for a medium that is being replaced is noted under the alias of its drive and this. */
#define BEFORE "/before"

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

struct medium {
        struct guest *guest;            /* borrowed */
        const struct domain_disk *disk; /* borrowed; as it was */
        const struct qemu_caps *caps;   /* ref */
        struct resources resources;
        struct domain_def *def;             /* ref; with the new medium */
        struct device_list *before, *after; /* owned; what makes the drive with the old and the new medium */
        struct device_list *come, *go;      /* owned; of that, what the other does not have */
        bool force;
        bool unsure;            /* something was not answered, and QEMU may do it yet */
        lane_deadline deadline; /* of all that is said */
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
        for (unsigned i = 0; i < guest->status->labels->len; i++) {
                struct status_label *label = g_ptr_array_index(guest->status->labels, i);

                if (g_strcmp0(label->alias, from) != 0)
                        continue;
                g_free(label->alias);
                label->alias = g_strdup(to);
        }
        for (unsigned i = 0; i < guest->status->files->len; i++) {
                struct status_file *file = g_ptr_array_index(guest->status->files, i);

                if (g_strcmp0(file->alias, from) != 0)
                        continue;
                g_free(file->alias);
                file->alias = g_strdup(to);
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

/* Of its drive. What QEMU does not answer it may do yet. */
static bool say(struct medium *medium, const char *command, json_t *arguments, GError **error)
{
        device_set_string(arguments, "id", medium->disk->info.alias);
        return plug_tell(medium->guest, command, arguments,
                         plug_get_timeout(medium->deadline, QMP_TIMEOUT_JOB_MS), NULL, &medium->unsure,
                         error);
}

/* node NULL: none. */
static bool insert(struct medium *medium, const char *node, GError **error)
{
        return !node || say(medium, "blockdev-insert-medium", json_pack("{s:s}", "node-name", node), error);
}

static void close_tray(struct medium *medium)
{
        g_autoptr(GError) failure = NULL;

        if (!say(medium, "blockdev-close-tray", json_object(), &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "the tray of drive '%s' of %s stays open",
                           medium->disk->info.alias, medium->guest->who);
}

/* A guest that has locked its drive is asked by QEMU to let go, and the tray stays shut unless forced. */
static bool change(struct medium *medium, const char *from, const char *to, bool force, GError **error)
{
        g_autoptr(GError) failure = NULL;
        bool changed;

        if (!say(medium, "blockdev-open-tray", json_pack("{s:b}", "force", force), error) ||
            !say(medium, "blockdev-remove-medium", json_object(), error))
                return false;
        changed = insert(medium, to, error);
        if (!changed && !insert(medium, from, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "drive '%s' of %s has lost its medium",
                           medium->disk->info.alias, medium->guest->who);
        close_tray(medium);
        return changed;
}

/* With the new medium in, the status document says so; else the old one is in. A tray that does not close in
   time may yet, and whoever looks is told. */
static bool exchange(struct medium *medium, GError **error)
{
        const char *from = get_node(medium->before), *to = get_node(medium->after);
        struct guest *guest = medium->guest;

        if (!change(medium, from, to, medium->force, error))
                return false;
        plug_note_change(guest, &guest->status->medium, NULL);
        if (plug_write_down(guest, medium->def, error))
                return true;
        lane_shield(guest->domain->base.lane);
        plug_note_change(guest, &guest->status->medium, medium->disk->info.alias);
        change(medium, to, from, true, NULL);
        return false;
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
                resources_skip_image(&medium->resources, storage);
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
        const struct device_context context = { .def = medium->def,
                                                .caps = medium->caps,
                                                .resources = medium->resources.by_alias,
                                                .tls_dir = medium->guest->driver->tls_dir,
                                                .hot = true };

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

        medium->caps = guest_get_caps(guest, error);
        if (!medium->caps || !prepare(medium, live, index, how, error) || !describe(medium, index, error) ||
            !plug_hand_over(&medium->resources, NULL, medium->def, error))
                return false;
        /* The limits are the drive's, whatever is in it. */
        medium->come = plug_subtract_parts(medium->after, medium->before);
        medium->go = plug_subtract_parts(medium->before, medium->after);
        nodes = device_list_get_length(medium->come);
        medium->deadline = plug_begin_call();
        if (!plug_make_parts(guest, medium->come, nodes, medium->deadline, NULL, error)) {
                plug_explain(&medium->resources, error);
                return false;
        }
        if (exchange(medium, error))
                return true;
        lane_shield(guest->domain->base.lane);
        plug_undo_parts(guest, medium->come, nodes, medium->deadline);
        return false;
}

/* As long as it is not known which medium is in, what was taken for both stays. */
static void clear(struct medium *medium, bool ok)
{
        struct guest *guest = medium->guest;
        const char *alias = medium->disk->info.alias;
        g_autofree char *before = g_strconcat(alias, BEFORE, NULL);
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        if (ok) {
                plug_undo_parts(guest, medium->go, device_list_get_length(medium->go), medium->deadline);
                guest_release_device(guest, before);
        } else if (!medium->unsure) {
                guest_release_device(guest, alias);
                plug_note_change(guest, &guest->status->medium, NULL);
                rename_files(guest, before, alias);
                if (!plug_write_down(guest, NULL, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
        }
        if (medium->resources.by_alias)
                resources_done(&medium->resources);
        device_list_free(medium->before);
        device_list_free(medium->after);
        device_list_free(medium->come);
        device_list_free(medium->go);
        qemu_caps_unref(medium->caps);
}

/* ---- what QEMU knows nothing of ---- */

/* Beside that, what a start has found out of the images. */
static void leave_out_policies(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_disk_policies(edit, alias, NULL, NULL);
        domain_edit_forget_disk_chain(edit, alias);
}

/* The active definition, which says what the start found out, with the policies of *live in its place. */
static bool update_policies(const struct guest *guest, unsigned index, struct domain_def **live,
                            GError **error)
{
        const struct domain_disk *disk = &(*live)->devices.disks[index];
        struct domain_edit *edit = domain_edit_new(get_def(guest), error);
        struct domain_def *def;

        if (!edit)
                return false;
        domain_edit_set_disk_policies(edit, disk->info.alias, disk->source.startup_policy, disk->snapshot);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* ---- found ---- */

static void note_tray(struct guest *guest, const char *alias, bool open)
{
        struct domain_edit *edit = domain_edit_new(get_def(guest), NULL);

        if (!edit)
                return;
        domain_edit_set_disk_tray(edit, alias, open);
        monitor_commit(guest, edit);
}

/* A tray that nobody here has opened the guest has, and nobody was told. */
bool plug_restore_medium(struct guest *guest, const struct qemu_caps *caps, const struct domain_disk *disk,
                         const json_t *drive)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        const char *inserted =
                json_string_value(json_object_get(json_object_get(drive, "inserted"), "node-name"));
        struct medium medium = { .guest = guest, .disk = disk, .deadline = plug_begin_call() };
        bool open = json_is_true(json_object_get(drive, "tray_open"));
        g_autoptr(GError) failure = NULL;

        if (!device_describe_made(list, get_def(guest), caps, DOMAIN_DEVICE_DISK, disk, NULL))
                return true;
        if (g_strcmp0(get_node(list), inserted) != 0) {
                log_notice(
                        "a change of the medium in drive '%s' of %s was cut short: what was in is put back",
                        disk->target, guest->who);
                if (!change(&medium, NULL, get_node(list), true, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "drive '%s' of %s has lost its medium",
                                   disk->target, guest->who);
        } else if (open && g_strcmp0(guest->status->medium, disk->info.alias) == 0) {
                close_tray(&medium);
        } else if (open != disk->tray_open) {
                note_tray(guest, disk->info.alias, open);
        }
        return !medium.unsure;
}

static bool has_taken(const struct guest *guest, const char *alias)
{
        const struct status *status = guest->status;

        for (unsigned i = 0; i < status->images->len; i++) {
                if (g_strcmp0(((struct status_image *)g_ptr_array_index(status->images, i))->alias, alias) ==
                    0)
                        return true;
        }
        for (unsigned i = 0; i < status->labels->len; i++) {
                if (g_strcmp0(((struct status_label *)g_ptr_array_index(status->labels, i))->alias, alias) ==
                    0)
                        return true;
        }
        for (unsigned i = 0; i < status->files->len; i++) {
                if (g_strcmp0(((struct status_file *)g_ptr_array_index(status->files, i))->alias, alias) == 0)
                        return true;
        }
        return false;
}

void plug_sort_media(struct guest *guest, const struct domain_disk *disk)
{
        const char *alias = disk->info.alias;
        g_autofree char *before = g_strconcat(alias, BEFORE, NULL);

        if (g_strcmp0(guest->status->medium, alias) == 0) {
                guest_release_device(guest, alias);
                rename_files(guest, before, alias);
        } else if (has_taken(guest, before)) {
                guest_release_device(guest, before);
        }
}

/* ---- whatever changes in a disk ---- */

static bool update_medium(struct guest *guest, unsigned index, const struct domain_update *update,
                          struct domain_def **live, GError **error)
{
        const struct domain_start how = { 0, update->takings };
        const struct domain_disk *disk = &get_def(guest)->devices.disks[index];
        struct medium medium = { .guest = guest, .disk = disk, .force = update->force };
        g_autofree char *before = g_strconcat(disk->info.alias, BEFORE, NULL);
        bool ok;

        plug_note_change(guest, &guest->status->medium, disk->info.alias);
        rename_files(guest, disk->info.alias, before);
        ok = run(&medium, *live, index, &how, error);
        clear(&medium, ok);
        plug_settle_later(guest);
        if (!ok) {
                domain_def_unref(medium.def);
                return false;
        }
        domain_def_unref(*live);
        *live = medium.def;
        return true;
}

/* The definition may be another one behind what is settled. */
bool plug_update_disk(struct guest *guest, unsigned index, const struct domain_update *update,
                      struct domain_def **live, GError **error)
{
        const struct domain_disk *disk;

        if (!plug_require_settled(guest, error))
                return false;
        disk = &get_def(guest)->devices.disks[index];
        if (update->limits || plug_changes_limits(guest, disk, *live))
                return plug_update_limits(guest, index, update->limits, live, error);
        if (plug_differs_by(get_def(guest), *live, leave_out_policies, disk->info.alias))
                return update_policies(guest, index, live, error);
        if (plug_is_drive(disk) && plug_differs_by(get_def(guest), *live, leave_out_medium, disk->info.alias))
                return update_medium(guest, index, update, live, error);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "of disk '%s' only a medium that can be taken out, its startupPolicy and snapshot, "
                         "and its limits can change while the guest runs, one at a time",
                         disk->target);
}
