/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images: the chains of the disks are found, made accessible to the emulators' user, and written into the
 * active definition. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/pool.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/reservations.h"
#include "drivers/secret/secret-ref.h"

#include <string.h>
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

static bool add_data(struct resources *resources, const struct domain_disk *disk,
                     const struct domain_storage *data, const struct block_image *image, bool write,
                     GError **error)
{
        if (!resources_use_labels(resources, &data->labels, disk->target, error))
                return false;
        resources_add_file(resources, image->path, write, "data file '%s' of disk '%s'", image->path,
                           disk->target);
        return true;
}

/* storage: what the definition says of the top image. Each image has labels of its own, if it is spelled out.
 */
static bool add_chain(struct resources *resources, const struct domain_disk *disk,
                      const struct domain_storage *storage, const GPtrArray *chain, GError **error)
{
        static const struct domain_device_labels none;

        for (unsigned i = 0; i < chain->len; i++) {
                const struct block_image *image = g_ptr_array_index(chain, i);

                resources->shared = i == 0 && disk->shareable;
                if (image->data &&
                    !add_data(resources, disk, storage->data, image->data, needs_write(disk, i), error))
                        return false;
                if (!resources_use_labels(resources, storage ? &storage->labels : &none, disk->target, error))
                        return false;
                storage = storage ? storage->backing : NULL;
                if (image->kind == BLOCK_REMOTE)
                        continue;
                /* What is in a directory belongs to others, and so does the directory. */
                if (image->kind == BLOCK_FAT) {
                        resources_add_check(resources, image->path, false, "directory '%s' of disk '%s'",
                                            image->path, disk->target);
                        resources_allow(resources, image->path, false, true);
                        continue;
                }
                resources_add_file(resources, image->path, needs_write(disk, i), "image '%s' of disk '%s'",
                                   image->path, disk->target);
        }
        return true;
}

static void write_chain(struct resources *resources, const struct domain_disk *disk, const GPtrArray *chain)
{
        g_autofree struct domain_edit_image *images = g_new0(struct domain_edit_image, chain->len);

        for (unsigned i = 0; i < chain->len; i++) {
                const struct block_image *image = g_ptr_array_index(chain, i);

                images[i] = (struct domain_edit_image){
                        .path = image->path,
                        .format = image->format,
                        .block = image->kind == BLOCK_DEVICE || image->kind == BLOCK_CDROM,
                        .remote = image->kind == BLOCK_REMOTE,
                        .index = image->index,
                        .data_index = image->data ? image->data->index : 0,
                        .encryption = image->encryption,
                };
        }
        domain_edit_set_disk_chain(resources->edit, disk->info.alias, images, chain->len);
}

/* May the medium be missing? 'requisite': from a guest that goes on, here or on another host. */
static bool is_optional(const struct resources *resources, const struct domain_disk *disk)
{
        bool goes_on = resources->start->image || resources->start->arrival;
        const char *policy = disk->source.startup_policy;

        return g_strcmp0(policy, "optional") == 0 || (goes_on && g_strcmp0(policy, "requisite") == 0);
}

/* What may be missing is left out, of a drive the medium alone. */
static bool leave_out(struct resources *resources, const struct domain_disk *disk)
{
        /* virConnectDomainEventDiskChangeReason */
        enum { MISSING_ON_START = 0, DROPPED_MISSING_ON_START = 1 };
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_DISK_CHANGE);

        event->text[0] = g_strdup(disk->source.path);
        event->text[2] = g_strdup(disk->info.alias);
        event->base.detail = is_removable(disk) ? MISSING_ON_START : DROPPED_MISSING_ON_START;
        managed_emit(&resources->guest->domain->base, &event->base);
        if (is_removable(disk))
                domain_edit_set_disk_path(resources->edit, disk->info.alias, NULL);
        else
                domain_edit_leave_out(resources->edit, disk->info.alias);
        return true;
}

/* What opens an encrypted image. */
static bool add_passphrase(struct resources *resources, struct block_image *image, GError **error)
{
        const struct secret_ref ref = { SECRET_USAGE_VOLUME, (char *)image->encryption->secret_uuid,
                                        (char *)image->encryption->secret_usage };

        return resources_add_secret(resources, &ref, &image->passphrase_fd, error);
}

bool resources_prepare_remote(struct resources *resources, const struct domain_network_source *source,
                              struct block_image *image, GError **error)
{
        if (image->remote.password_key) {
                const struct secret_ref ref = takings_auth_secret(source->auth);

                if (!resources_add_secret(resources, &ref, &image->password_fd, error))
                        return false;
        }
        if (image->remote.tls)
                resources_add_tls_check(resources, resources->guest->driver->tls_dir, false);
        if (image->remote.cookie_key) {
                char *cookies = block_format_cookies(source);
                g_autoptr(GBytes) value = g_bytes_new_take(cookies, strlen(cookies));

                return resources_add_value(resources, value, &image->cookie_fd, error);
        }
        return true;
}

static bool add_secrets(struct resources *resources, const struct domain_storage *storage,
                        const GPtrArray *chain, GError **error)
{
        for (unsigned i = 0; i < chain->len; i++) {
                struct block_image *image = g_ptr_array_index(chain, i);

                /* Only what the definition spells out is on the network. */
                if (storage && storage->network &&
                    !resources_prepare_remote(resources, storage->network, image, error))
                        return false;
                if (image->encryption && !add_passphrase(resources, image, error))
                        return false;
                storage = storage ? storage->backing : NULL;
        }
        return true;
}

/* Takes chain. */
static bool take_chain(struct resources *resources, const struct domain_disk *disk, GPtrArray *chain,
                       GError **error)
{
        struct device_resources *own = resources_get(resources, disk->info.alias);

        write_chain(resources, disk, chain);
        own->chain = chain;
        return !device_has_overlay(disk) ||
               resources_make_overlay(resources, disk, chain->pdata[0], &own->overlay_fd, error);
}

/* What is not on this host has no chain to look at. */
static bool take_image(struct resources *resources, const struct domain_disk *disk, struct block_image *image,
                       GError **error)
{
        GPtrArray *chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);

        image->index = disk->source.index ? disk->source.index : resources->next_image++;
        g_ptr_array_add(chain, image);
        return take_chain(resources, disk, chain, error);
}

/* What the emulator drives itself: its controller, which leaves the host's driver, or its file. */
static bool prepare_driven(struct resources *resources, const struct domain_disk *disk,
                           struct block_image *image, GError **error)
{
        const struct domain_nvme *nvme = disk->source.nvme;
        bool ok = true;

        if (nvme)
                ok = resources_prepare_pci(resources, &nvme->pci, nvme->managed == DOMAIN_SWITCH_ON, error);
        else
                resources_add_file(resources, disk->source.path, true, "vDPA device '%s' of disk '%s'",
                                   disk->source.path, disk->target);
        if (ok)
                return take_image(resources, disk, image, error);
        block_image_free(image);
        return false;
}

static bool prepare_disk(struct resources *resources, const struct domain_disk *disk, GError **error)
{
        struct domain_storage source = disk->source;
        struct block_image *image = NULL;
        g_autoptr(GPtrArray) chain = NULL;
        g_autoptr(GError) failure = NULL;
        struct stat st;

        if (source.type == DOMAIN_STORAGE_VOLUME && source.volume &&
            !resources_find_volume(resources, disk, &source, &image, &failure)) {
                if (is_optional(resources, disk))
                        return leave_out(resources, disk);
                g_propagate_error(error, g_steal_pointer(&failure));
                return false;
        }
        if (image)
                return take_image(resources, disk, image, error);
        image = block_image_new_driven(&source);
        if (image)
                return prepare_driven(resources, disk, image, error);
        if (!source.path && !source.network)
                return true;
        if (is_optional(resources, disk) && source.path && stat(source.path, &st) < 0)
                return leave_out(resources, disk);
        chain = block_chain_resolve(disk->target, &source, &resources->next_image, error);
        if (!chain || !reservations_prepare(resources, disk, error) ||
            !add_secrets(resources, &source, chain, error) ||
            !add_chain(resources, disk, &source, chain, error))
                return false;
        return take_chain(resources, disk, g_steal_pointer(&chain), error);
}

/* Without a slot: images may be on a file system that does not answer. */
bool resources_prepare_disk(struct resources *resources, const void *disk, GError **error)
{
        struct pool *pool = lane_get_pool(resources->guest->domain->base.lane);
        bool prepared;

        pool_lend(pool);
        prepared = prepare_disk(resources, disk, error);
        pool_reclaim(pool);
        return prepared;
}

void resources_skip_image(struct resources *resources, const struct domain_storage *storage)
{
        resources->next_image = MAX(resources->next_image, storage->index + 1);
        if (storage->data)
                resources->next_image = MAX(resources->next_image, storage->data->index + 1);
}

void resources_skip_images(struct resources *resources)
{
        const struct domain_devices *devices = &resources->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                for (const struct domain_storage *storage = &devices->disks[i].source; storage;
                     storage = storage->backing)
                        resources_skip_image(resources, storage);
        }
}
