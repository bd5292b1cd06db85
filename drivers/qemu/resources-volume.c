/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that are volumes: what a volume is made of on this host, or, with mode='direct', the unit of an iSCSI
 * target that the emulator talks to itself. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/block.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/volume.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ISCSI_PORT 3260

/* ---- directly ---- */

/* Units of a target have the names that the pool gives them: "unit:<bus>:<target>:<lun>". */
static bool read_lun(const struct volume *volume, unsigned *lun)
{
        unsigned bus, target;
        int end = 0;

        return sscanf(volume->name, "unit:%u:%u:%u%n", &bus, &target, lun, &end) == 3 &&
               volume->name[end] == '\0';
}

static json_t *describe_unit(const struct pool_source *source, unsigned lun)
{
        const struct pool_host *host = &source->hosts[0];
        bool bare = strchr(host->name, ':') && *host->name != '[';
        g_autofree char *portal =
                g_strdup_printf(bare ? "[%s]:%u" : "%s:%u", host->name, host->port ? host->port : ISCSI_PORT);

        return block_iscsi_properties(portal, source->devices[0].path, lun, source->initiator,
                                      source->auth.username);
}

static bool add_password(struct resources *resources, const struct pool_def *pool, struct block_image *image,
                         GError **error)
{
        if (pool->source.auth.type == POOL_AUTH_NONE)
                return true;
        image->remote.password_key = "password-secret";
        return resources_add_secret(resources, &pool->source.auth.secret, &image->password_fd, error);
}

static bool find_direct(struct resources *resources, const struct domain_disk *disk,
                        const struct pool_def *pool, const struct volume *volume, struct block_image **image,
                        GError **error)
{
        CLEANUP(block_image_free)
        struct block_image *unit = block_image_new(volume->path, disk->source.format);
        unsigned lun;

        if (!read_lun(volume, &lun))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s': volume '%s' of pool '%s' is no unit of a target", disk->target,
                                 volume->name, pool->base.name);
        if (strcmp(unit->format, "raw") != 0 || disk->source.encryption)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "disk '%s': mode='direct' with another format than raw or with encryption is "
                        "not supported",
                        disk->target);
        unit->kind = BLOCK_REMOTE;
        unit->remote.properties = describe_unit(&pool->source, lun);
        if (!add_password(resources, pool, unit, error))
                return false;
        *image = g_steal_pointer(&unit);
        return true;
}

/* ---- through the host ---- */

/* Pools list no links. One that has come since is not followed to a file of the host's. */
static bool is_replaced(const struct volume *volume)
{
        struct stat st;

        return volume->type == VOLUME_FILE && lstat(volume->path, &st) == 0 && !S_ISREG(st.st_mode);
}

static bool find_on_host(const struct domain_disk *disk, const struct volume *volume,
                         struct domain_storage *source, GError **error)
{
        if (!volume->path || (volume->type != VOLUME_FILE && volume->type != VOLUME_BLOCK))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s': volume '%s' of pool '%s' is neither a file nor a block device",
                                 disk->target, source->volume, source->pool);
        if (is_replaced(volume))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "disk '%s': volume '%s' of pool '%s' is not a file any more", disk->target,
                                 source->volume, source->pool);
        source->type = volume->type == VOLUME_FILE ? DOMAIN_STORAGE_FILE : DOMAIN_STORAGE_BLOCK;
        source->path = volume->path;
        return true;
}

bool resources_find_volume(struct resources *resources, const struct domain_disk *disk,
                           struct domain_storage *source, struct block_image **image, GError **error)
{
        const struct pool_def *pool;
        const struct volume *volume;

        volume = takings_find_volume(resources->start->takings, source->pool, source->volume, &pool, error);
        if (!volume)
                return false;
        if (source->mode && pool->type != POOL_ISCSI)
                return error_set(error, ERROR_FROM_QEMU, ERROR_XML_ERROR,
                                 "disk '%s': a source mode is for pools of type 'iscsi', and '%s' is none",
                                 disk->target, source->pool);
        if (g_strcmp0(source->mode, "direct") == 0)
                return find_direct(resources, disk, pool, volume, image, error);
        return find_on_host(disk, volume, source, error);
}
