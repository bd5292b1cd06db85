/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that another program serves (vhost-user). Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

/* It does all that the block layer of the emulator's does for other disks. */
static bool check_served(const struct domain_def *def, const struct domain_disk *disk, GError **error)
{
        const struct {
                bool given;
                const char *what;
        } rows[] = {
                { disk->iotune, "<iotune>" },
                { disk->serial, "<serial>" },
                { disk->readonly, "<readonly>" },
                { disk->shareable, "<shareable>" },
                { disk->transient, "<transient>" },
                { disk->source.encryption, "<encryption>" },
                { disk->logical_block_size || disk->physical_block_size || disk->discard_granularity,
                  "<blockio>" },
                { disk->cache || disk->io || disk->discard || disk->detect_zeroes, "cache, io or discard" },
                { disk->error_policy || disk->rerror_policy, "an error policy" },
                { disk->copy_on_read != DOMAIN_SWITCH_ABSENT, "copy_on_read" },
                { disk->iothread > 0 || disk->iothread_map, "an I/O thread" },
                { disk->ioeventfd != DOMAIN_SWITCH_ABSENT, "ioeventfd" },
                { disk->event_idx != DOMAIN_SWITCH_ABSENT, "event_idx" },
                { disk->source.backing, "<backingStore>" },
        };

        if (disk->bus != DOMAIN_BUS_VIRTIO || disk->device != DOMAIN_DISK_DISK)
                return device_unsupported(error,
                                          "disk '%s' of type 'vhostuser' has to be a disk on bus 'virtio'",
                                          disk->target);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (rows[i].given)
                        return device_unsupported(error, "%s of disk '%s', whose type is 'vhostuser'",
                                                  rows[i].what, disk->target);
        }
        if (domain_def_shares_memory(def))
                return true;
        return device_unsupported(error,
                                  "disk '%s' of type 'vhostuser' needs the guest's memory shared: "
                                  "<memoryBacking><source type='memfd'/><access mode='shared'/>",
                                  disk->target);
}

bool device_describe_served_disk(struct device_list *list, const struct device_context *context,
                                 const struct domain_disk *disk, GError **error)
{
        g_autofree char *id = g_strconcat("chr-vu-", disk->info.alias, NULL), *driver = NULL;
        json_t *device;

        if (!check_served(context->def, disk, error) ||
            !device_list_add_chardev(list, context, id, disk->source.vhost_user, NULL, error))
                return false;
        driver = device_virtio_driver("vhost-user-blk", disk->model, &disk->info);
        device = device_new(driver, disk->info.alias);
        device_set_string(device, "chardev", id);
        device_set_virtio(device, &disk->virtio);
        device_set_uint(device, "num-queues", disk->queues);
        device_set_uint(device, "queue-size", disk->queue_size);
        device_set_uint(device, "bootindex", device_disk_boot_index(context, disk));
        return device_list_add_at(list, context, device, &disk->info, error);
}
