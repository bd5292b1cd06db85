/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Can a guest be moved to another host? What of that the source can tell from its definition. No state; any
 * thread that may wait for storage.
 */
#include "drivers/domain/migrate.h"

#include "base/error.h"

#include <string.h>
#include <sys/vfs.h>

/* File systems that several hosts see the same of; f_type of statfs(2). */
static const struct {
        uint64_t type;
        bool coherent; /* a host sees at once what another one has written, whatever is cached */
} shared[] = {
        { 0x6969, false },     /* nfs */
        { 0xff534d42, false }, /* cifs */
        { 0xfe534d42, false }, /* smb3 */
        { 0x5346414f, false }, /* afs */
        { 0x01161970, false }, /* gfs2 */
        { 0x7461636f, false }, /* ocfs2 */
        { 0x19830326, false }, /* beegfs */
        { 0x00c36400, true },  /* ceph */
        { 0x47504653, true },  /* gpfs */
        { 0x0bd00bd0, true },  /* lustre */
};

static bool refuse(const struct domain_disk *disk, const char *what, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_MIGRATE_UNSAFE,
                         "disk '%s' %s (the flag UNSAFE leaves that to the caller)", disk->target, what);
}

static bool check_file(const struct domain_disk *disk, bool *coherent, GError **error)
{
        struct statfs fs;

        if (statfs(disk->source.path, &fs) < 0)
                return refuse(disk, "cannot be looked at", error);
        for (unsigned i = 0; i < G_N_ELEMENTS(shared); i++) {
                if ((uint64_t)(unsigned long)fs.f_type % (1ULL << 32) == shared[i].type) {
                        *coherent = shared[i].coherent;
                        return true;
                }
        }
        return refuse(disk, "is not on storage that both hosts share", error);
}

/* What the other host reads must not be older than what this one has written. */
static bool is_uncached(const struct domain_disk *disk)
{
        const char *cache = domain_disk_get_cache(disk);

        return g_strcmp0(cache, "none") == 0 || g_strcmp0(cache, "directsync") == 0;
}

static bool check_disk(const struct domain_disk *disk, GError **error)
{
        const struct domain_storage *source = &disk->source;
        bool coherent = false;

        if (disk->readonly || disk->shareable || (!source->path && !source->network && !source->volume))
                return true;
        switch (source->type) {
        case DOMAIN_STORAGE_FILE:
                if (!check_file(disk, &coherent, error))
                        return false;
                break;
        case DOMAIN_STORAGE_NETWORK:
                coherent = source->network && strcmp(source->network->protocol, "rbd") == 0;
                break;
        case DOMAIN_STORAGE_BLOCK:
        case DOMAIN_STORAGE_VOLUME:
                break;
        default:
                return refuse(disk, "is of a type that no other host has", error);
        }
        return coherent || is_uncached(disk) ||
               refuse(disk, "may be cached by this host, as its cache is neither 'none' nor 'directsync'",
                      error);
}

bool domain_check_migration_storage(const struct domain_def *def, unsigned flags, const struct params *params,
                                    GError **error)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (!domain_migrate_copies(disk, flags, params) && !check_disk(disk, error))
                        return false;
        }
        return true;
}

bool domain_check_migration_devices(const struct domain_def *def, GError **error)
{
        const struct domain_devices *devices = &def->devices;
        const char *what = NULL;

        if (devices->n_hostdevs > 0)
                what = "devices of the host";
        for (unsigned i = 0; i < devices->n_interfaces; i++) {
                if (devices->interfaces[i].type == DOMAIN_INTERFACE_HOSTDEV)
                        what = "cards of the host";
        }
        if (devices->n_filesystems > 0)
                what = "directories of the host";
        for (unsigned i = 0; i < devices->n_disks; i++) {
                if (devices->disks[i].transient)
                        what = "transient disks";
                if (devices->disks[i].source.nvme ||
                    devices->disks[i].source.type == DOMAIN_STORAGE_VHOSTVDPA)
                        what = "disks that are devices of the host";
        }
        if (what)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' has %s, which cannot go with it", def->base.name, what);
        return true;
}
