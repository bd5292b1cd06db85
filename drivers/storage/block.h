/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Block devices, as sources of pools and as volumes: size, names that stay, what libblkid finds on them.
 * Blocks on the device: lanes only.
 */

#include "drivers/storage/backend.h"

#include <sys/stat.h>

/* O_CLOEXEC, not to be created, a block device for sure; -1 with an error. size may be NULL. */
int block_open(const char *path, bool writable, uint64_t *size, GError **error);

/* Nobody else has it (no mount, no volume group): ERROR_OPERATION_FAILED otherwise. */
bool block_check_unused(const char *path, GError **error);

/*
 * What libblkid finds: *type is a file system's or a member's name ("ext4", "LVM2_member"), or a partition
 * table's ("dos", "gpt"); NULL when nothing is there. Owned. An ambivalent content is an error.
 */
bool block_probe(const char *path, char **type, GError **error);

/*
 * May a build write to the device: unused; and, unless flags has POOL_BUILD_OVERWRITE, without anything that
 * libblkid knows (ERROR_STORAGE_POOL_BUILT)?
 */
bool block_check_build(const char *path, unsigned flags, GError **error);

/* Takes away everything that block_probe() knows. */
bool block_wipe_signatures(const char *path, GError **error);

/*
 * The names in a directory of links (/dev/disk/by-path ...): device ("/dev/sdb") -> name, the first in the
 * order of strcmp() where there are several. NULL when dir is none ("/dev").
 */
GHashTable *block_read_names(const char *dir);
/* The name of a device, the device itself when names is NULL, NULL when it has none. Owned. */
char *block_get_name(GHashTable *names, const char *device);
/* Both in one. */
char *block_find_name(const char *dir, const char *device);

/*
 * A volume of type block with size and permissions of the device at path; NULL with an error. name is copied.
 */
struct volume *block_volume_new(const char *name, const char *path, GError **error);

/*
 * The same without opening the device: the size is what sysfs says of the disk ("sdb"). Format unknown, no
 * key.
 */
struct volume *block_volume_new_of_disk(const char *name, const char *path, const char *disk);
/* Adds a volume (taken) that is a whole device to a scan and its numbers. */
void block_scan_add(struct pool_scan *scan, struct volume *volume);

/* Permissions, times and identity of its node. */
void block_volume_set_status(struct volume *volume, const struct stat *status);
/* Owner, group and mode that a client asked for; what it did not stays. */
bool block_volume_apply_permissions(const struct volume *volume, GError **error);

/* ---- operations of backends whose volumes are block devices; see struct backend ---- */

int block_volume_open(const struct backend_context *context, const struct volume *volume, bool writable,
                      uint64_t *length, GError **error);
bool block_volume_stat(const struct backend_context *context, const struct volume *volume, uint64_t *capacity,
                       uint64_t *allocation, uint64_t *physical, GError **error);
/*
 * Copies the content of source, which may be an image of any format, to the device of volume, and no more
 * than fits. Job's lane.
 */
bool block_volume_copy(const struct backend_context *context, const struct volume *volume,
                       const struct volume *source, GError **error);
