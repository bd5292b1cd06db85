/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images: the chains of the disks are found, made accessible to the emulators' user, and written into the
 * active definition. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/device.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/volume.h"

#include <sys/stat.h>

static bool is_removable(const struct domain_disk *disk)
{
        return disk->device == DOMAIN_DISK_CDROM || disk->device == DOMAIN_DISK_FLOPPY;
}

/* The top image of a disk is written to unless that is forbidden, those below never. */
static bool needs_write(const struct domain_disk *disk, unsigned position)
{
        return position == 0 && !disk->readonly && disk->device != DOMAIN_DISK_CDROM && !disk->transient;
}

static void add_chain(struct resources *resources, const struct domain_disk *disk, const GPtrArray *chain)
{
        for (unsigned i = 0; i < chain->len; i++) {
                const struct block_image *image = g_ptr_array_index(chain, i);

                resources_add_file(resources, image->path, needs_write(disk, i), "image '%s' of disk '%s'",
                                   image->path, disk->target);
        }
}

static void write_chain(struct resources *resources, const struct domain_disk *disk, const GPtrArray *chain)
{
        g_autofree struct domain_edit_image *images = g_new0(struct domain_edit_image, chain->len);

        for (unsigned i = 0; i < chain->len; i++) {
                const struct block_image *image = g_ptr_array_index(chain, i);

                images[i] = (struct domain_edit_image){
                        .path = image->path,
                        .format = image->format,
                        .block = image->kind != BLOCK_FILE,
                        .index = image->index,
                        .encryption = image->encryption,
                };
        }
        domain_edit_set_disk_chain(resources->edit, disk->info.alias, images, chain->len);
}

/* startupPolicy: a medium that is not there is left out of the drive where the definition says so. */
static bool may_leave_out(const struct domain_disk *disk)
{
        struct stat st;

        return is_removable(disk) && disk->source.path &&
               g_strcmp0(disk->source.startup_policy, "optional") == 0 && stat(disk->source.path, &st) < 0;
}

/* The passphrase reaches the emulator through a descriptor: it is in no command line, file or log. */
static bool add_secret(struct resources *resources, const struct domain_disk *disk, struct block_image *image,
                       GError **error)
{
        const struct secret_snapshot *secrets = resources->guest->domain->secrets;
        const struct secret_ref ref = { SECRET_USAGE_VOLUME, (char *)image->encryption->secret_uuid,
                                        (char *)image->encryption->secret_usage };
        GBytes *value;

        if (!secrets)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s' is encrypted, and there are no secrets here", disk->target);
        value = secret_snapshot_find(secrets, &ref, error);
        if (!value)
                return false;
        image->secret_fd = secret_value_to_fd(value, error);
        g_bytes_unref(value);
        if (image->secret_fd < 0)
                return false;
        resources_add_fd(resources, image->secret_fd);
        return true;
}

static bool add_secrets(struct resources *resources, const struct domain_disk *disk, const GPtrArray *chain,
                        GError **error)
{
        for (unsigned i = 0; i < chain->len; i++) {
                struct block_image *image = g_ptr_array_index(chain, i);

                if (image->encryption && !add_secret(resources, disk, image, error))
                        return false;
        }
        return true;
}

/* What a volume is made of on this host; source is that of the disk, whose format stays the definition's. */
static bool find_volume(const struct resources *resources, const struct domain_disk *disk,
                        struct domain_storage *source, GError **error)
{
        const struct storage_snapshot *pools = resources->guest->domain->volumes;
        const struct volume *volume;

        if (!pools)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s' is a volume, and there is no storage here", disk->target);
        volume = storage_snapshot_find(pools, source->pool, source->volume, error);
        if (!volume)
                return false;
        if (!volume->path || (volume->type != VOLUME_FILE && volume->type != VOLUME_BLOCK))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s': volume '%s' of pool '%s' is neither a file nor a block device",
                                 disk->target, source->volume, source->pool);
        source->type = volume->type == VOLUME_FILE ? DOMAIN_STORAGE_FILE : DOMAIN_STORAGE_BLOCK;
        source->path = volume->path;
        return true;
}

static bool prepare_disk(struct resources *resources, const struct domain_disk *disk, GError **error)
{
        struct domain_storage source = disk->source;
        g_autoptr(GPtrArray) chain = NULL;

        if (source.type == DOMAIN_STORAGE_VOLUME && source.volume &&
            !find_volume(resources, disk, &source, error))
                return false;
        if (!source.path)
                return true;
        if (may_leave_out(disk)) {
                domain_edit_set_disk_path(resources->edit, disk->info.alias, NULL);
                return true;
        }
        chain = block_chain_resolve(&source, &resources->next_image, error);
        if (!chain || !add_secrets(resources, disk, chain, error))
                return false;
        add_chain(resources, disk, chain);
        write_chain(resources, disk, chain);
        resources_get(resources, disk->info.alias)->chain = g_steal_pointer(&chain);
        return true;
}

bool resources_prepare_disks(struct resources *resources, GError **error)
{
        const struct domain_devices *devices = &resources->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (!prepare_disk(resources, &devices->disks[i], error))
                        return false;
        }
        return true;
}
