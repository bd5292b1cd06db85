/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks whose medium or limits were being changed, by an agent that was killed meanwhile, or by a call that
 * has failed while QEMU may do the rest of it yet: they become again what the document says, and nothing is
 * left of what was to come. What is not settled stands in the guest's status (medium, limits). No state but
 * that; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/plug-private.h"

#include <stdio.h>
#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* ---- what is being changed ---- */

bool plug_is_unsure(const GError *failure)
{
        return error_is(failure, ERROR_OPERATION_TIMEOUT) || error_is(failure, ERROR_OPERATION_ABORTED);
}

bool plug_tell(struct guest *guest, const char *command, json_t *arguments, unsigned timeout_ms,
               json_t **answer, bool *unsure, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (qmp_execute(guest->qmp, command, arguments, timeout_ms, answer, &failure))
                return true;
        *unsure |= plug_is_unsure(failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

void plug_note_change(struct guest *guest, char **which, const char *alias)
{
        if (g_strcmp0(*which, alias) == 0)
                return;
        g_free(*which);
        *which = g_strdup(alias);
        guest->changed = true;
}

/* ---- what is left over ---- */

static bool has_index(const struct domain_storage *storage, unsigned index)
{
        for (; storage; storage = storage->backing) {
                if (storage->index == index)
                        return true;
        }
        return false;
}

static bool is_known(const struct domain_def *def, unsigned index)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (has_index(&def->devices.disks[i].source, index))
                        return true;
        }
        return false;
}

static bool run_quietly(struct guest *guest, const char *command, const char *key, const char *name)
{
        return qmp_execute(guest->qmp, command, json_pack("{s:s}", key, name), QMP_TIMEOUT_MS, NULL, NULL);
}

/* Nodes of images that the definition does not name. Those that others sit on go in a later round. */
static unsigned remove_nodes(struct guest *guest, const json_t *nodes, GArray *indexes)
{
        unsigned removed = 0, index;
        const json_t *node;
        size_t i;

        json_array_foreach((json_t *)nodes, i, node)
        {
                const char *name = json_string_value(json_object_get(node, "node-name"));

                if (!name || sscanf(name, "libvirt-%u-", &index) != 1 || is_known(get_def(guest), index) ||
                    !run_quietly(guest, "blockdev-del", "node-name", name))
                        continue;
                g_array_append_val(indexes, index);
                removed++;
        }
        return removed;
}

static void remove_secrets(struct guest *guest, const GArray *indexes)
{
        char id[BLOCK_SECRET_ID_SIZE];

        for (unsigned i = 0; i < indexes->len; i++) {
                const struct block_image image = { .index = g_array_index(indexes, unsigned, i) };

                block_passphrase_id(&image, id);
                run_quietly(guest, "object-del", "id", id);
                block_password_id(&image, id);
                run_quietly(guest, "object-del", "id", id);
                block_cookie_id(&image, id);
                run_quietly(guest, "object-del", "id", id);
                block_tls_id(&image, id);
                run_quietly(guest, "object-del", "id", id);
        }
}

/* What a disk was to be copied to, for an agent that is gone; as long as its job is there it stays. */
static void remove_copies(struct guest *guest, const json_t *nodes)
{
        const json_t *node;
        size_t i;

        json_array_foreach((json_t *)nodes, i, node)
        {
                const char *name = json_string_value(json_object_get(node, "node-name"));

                if (name && g_str_has_prefix(name, DEPART_DISKS_PREFIX))
                        run_quietly(guest, "blockdev-del", "node-name", name);
        }
}

static void remove_strays(struct guest *guest)
{
        g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
        json_t *nodes = NULL;

        if (!qmp_execute(guest->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), QMP_TIMEOUT_MS,
                         &nodes, NULL))
                return;
        while (remove_nodes(guest, nodes, indexes) > 0)
                ;
        if (guest->inherited)
                remove_copies(guest, nodes);
        remove_secrets(guest, indexes);
        json_decref(nodes);
}

/* Limits that came with a medium which is not in. Those of a group that others are in stay. */
static void remove_limits(struct guest *guest)
{
        const struct domain_def *def = get_def(guest);

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                const struct domain_iotune *tune = disk->iotune;

                for (; plug_is_drive(disk) && !disk->source.index && tune; tune = tune->next) {
                        g_autofree char *id = device_throttle_id(disk, tune);

                        run_quietly(guest, "object-del", "id", id);
                }
        }
}

/* ---- settling ---- */

/* What QEMU says of the drive; NULL: there is none such. */
static const json_t *find_drive(const json_t *drives, const char *alias)
{
        const json_t *drive;
        size_t i;

        json_array_foreach((json_t *)drives, i, drive)
        {
                if (g_strcmp0(json_string_value(json_object_get(drive, "qdev")), alias) == 0)
                        return drive;
        }
        return NULL;
}

/* The definition is another one when a tray has been noted. */
static const struct domain_disk *get_drive(const struct guest *guest, unsigned i)
{
        const struct domain_disk *disk = &get_def(guest)->devices.disks[i];

        return plug_is_drive(disk) ? disk : NULL;
}

/*
 * When QEMU has done all that it was told it is asked what it has (monitor_resync()), whether or not somebody
 * waits. False: it has answered by now.
 */
static bool heed_later(struct guest *guest)
{
        uint64_t id = qmp_send(guest->qmp, "query-status", NULL);

        if (qmp_receive(guest->qmp, id, lane_deadline_in(0), NULL, NULL))
                return false;
        qmp_heed_late(guest->qmp, id);
        return true;
}

/* The limits come first: a medium that is put in is read through their filters. */
static bool settle_limits(struct guest *guest, const struct qemu_caps *caps)
{
        const struct domain_devices *devices = &get_def(guest)->devices;

        for (unsigned i = 0; guest->status->limits && i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];

                if (strcmp(disk->info.alias, guest->status->limits) == 0 &&
                    !plug_restore_limits(guest, caps, disk))
                        return false;
        }
        plug_note_change(guest, &guest->status->limits, NULL);
        return true;
}

static bool settle_media(struct guest *guest, const struct qemu_caps *caps, const json_t *drives)
{
        bool sure = true;

        for (unsigned i = 0; i < get_def(guest)->devices.n_disks; i++) {
                const struct domain_disk *disk = get_drive(guest, i);
                const json_t *drive = disk ? find_drive(drives, disk->info.alias) : NULL;

                if (drive && !plug_restore_medium(guest, caps, disk, drive))
                        sure = false;
        }
        return sure;
}

static void put_away(struct guest *guest)
{
        remove_strays(guest);
        remove_limits(guest);
        for (unsigned i = 0; i < get_def(guest)->devices.n_disks; i++) {
                if (get_drive(guest, i))
                        plug_sort_media(guest, get_drive(guest, i));
        }
        plug_note_change(guest, &guest->status->medium, NULL);
}

void plug_resync_disks(struct guest *guest)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = NULL;
        g_autoptr(GError) failure = NULL;
        json_t *drives = NULL;

        /* Nothing is known of a guest whose status is torn. */
        if (!get_def(guest)->devices.emulator)
                return;
        caps = guest_get_names_caps(guest);
        if (!caps || !qmp_execute(guest->qmp, "query-block", NULL, QMP_TIMEOUT_MS, &drives, NULL))
                return;
        lane_shield(guest->domain->base.lane);
        if (settle_limits(guest, caps) && settle_media(guest, caps, drives))
                put_away(guest);
        else
                heed_later(guest);
        json_decref(drives);
        if (guest->changed && !plug_write_down(guest, NULL, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
}

static bool is_settled(const struct guest *guest)
{
        return !guest->status->medium && !guest->status->limits;
}

void plug_settle_later(struct guest *guest)
{
        if (!is_settled(guest) && !heed_later(guest))
                plug_resync_disks(guest);
}

bool plug_require_settled(struct guest *guest, GError **error)
{
        if (!is_settled(guest))
                plug_resync_disks(guest);
        return is_settled(guest) ||
               error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                         "QEMU of %s has not answered when disk '%s' was changed before, and does not yet: "
                         "when it does, that is put right; repeat this then",
                         guest->who, guest->status->medium ? guest->status->medium : guest->status->limits);
}
