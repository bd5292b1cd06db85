/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The types of storage pools: what their documents must have and may say. Constant; any thread. */
#include "drivers/storage/pool-def.h"

#include <string.h>

static const char *const fs_formats[] = { "auto", "ext2", "ext3", "ext4", "ufs",   "iso9660", "udf", "gfs",
                                          "gfs2", "vfat", "hfs+", "xfs",  "ocfs2", "vmfs",    NULL };
static const char *const netfs_formats[] = { "auto", "nfs", "glusterfs", "cifs", NULL };
static const char *const logical_formats[] = { "unknown", "lvm2", NULL };
static const char *const disk_formats[] = { "unknown", "dos",  "dvh", "gpt",  "mac",
                                            "bsd",     "pc98", "sun", "lvm2", NULL };
static const char *const file_volume_formats[] = { "none",  "raw", "dir",  "bochs", "cloop", "dmg", "iso",
                                                   "vpc",   "vdi", "fat",  "vhd",   "ploop", "cow", "qcow",
                                                   "qcow2", "qed", "vmdk", "vhdx",  NULL };
static const char *const disk_volume_formats[] = { "none",       "linux",      "fat16",
                                                   "fat32",      "linux-swap", "linux-lvm",
                                                   "linux-raid", "extended",   NULL };
static const char *const no_formats[] = { NULL };

static const struct pool_type_format formats[POOL_TYPE_COUNT] = {
        [POOL_DIR] = { "dir", POOL_NEEDS_TARGET, NULL, NULL, file_volume_formats, "raw", NULL },
        [POOL_FS] = { "fs", POOL_NEEDS_DEVICE | POOL_NEEDS_TARGET, fs_formats, "auto", file_volume_formats,
                      "raw", NULL },
        [POOL_NETFS] = { "netfs", POOL_NEEDS_HOST | POOL_NEEDS_DIR | POOL_NEEDS_TARGET, netfs_formats, "auto",
                         file_volume_formats, "raw", NULL },
        [POOL_LOGICAL] = { "logical", POOL_TAKES_NAME, logical_formats, "lvm2", NULL, NULL, "/dev/" },
        [POOL_DISK] = { "disk", POOL_NEEDS_DEVICE | POOL_NEEDS_TARGET | POOL_NAMES_DEVICES, disk_formats,
                        "unknown", disk_volume_formats, "none", NULL },
        [POOL_ISCSI] = { "iscsi",
                         POOL_NEEDS_HOST | POOL_NEEDS_DEVICE | POOL_NEEDS_TARGET | POOL_NAMES_DEVICES, NULL,
                         NULL, NULL, NULL, NULL },
        [POOL_SCSI] = { "scsi", POOL_NEEDS_ADAPTER | POOL_NEEDS_TARGET | POOL_NAMES_DEVICES, NULL, NULL, NULL,
                        NULL, NULL },
        [POOL_MPATH] = { "mpath", POOL_NEEDS_TARGET | POOL_NAMES_DEVICES, NULL, NULL, NULL, NULL, NULL },
        [POOL_RBD] = { "rbd", POOL_NEEDS_NAME, NULL, NULL, no_formats, "raw", NULL },
        [POOL_SHEEPDOG] = { "sheepdog", POOL_NEEDS_HOST | POOL_NEEDS_NAME, NULL, NULL, NULL, NULL, NULL },
        [POOL_GLUSTER] = { "gluster", POOL_NEEDS_HOST | POOL_NEEDS_NAME, NULL, NULL, file_volume_formats,
                           "raw", NULL },
        [POOL_ZFS] = { "zfs", POOL_TAKES_NAME, NULL, NULL, NULL, NULL, "/dev/zvol/" },
        [POOL_VSTORAGE] = { "vstorage", POOL_NEEDS_NAME | POOL_NEEDS_TARGET, NULL, NULL, file_volume_formats,
                            "raw", NULL },
        [POOL_ISCSI_DIRECT] = { "iscsi-direct", POOL_NEEDS_HOST | POOL_NEEDS_DEVICE | POOL_NEEDS_INITIATOR,
                                NULL, NULL, NULL, NULL, NULL },
};

const struct pool_type_format *pool_type_get_format(enum pool_type type)
{
        return &formats[type];
}

const char *pool_type_get_name(enum pool_type type)
{
        return formats[type].name;
}

bool pool_type_parse(const char *name, enum pool_type *type)
{
        for (unsigned i = 0; i < POOL_TYPE_COUNT; i++) {
                if (strcmp(formats[i].name, name) == 0) {
                        *type = i;
                        return true;
                }
        }
        return false;
}
