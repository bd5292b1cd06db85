/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The partition table of a disk: reading it, finding room in it, and keeping the kernel's idea of it in step.
 * Tables are written and read by sfdisk(8); the kernel is told by us, partition by partition, so that a disk
 * with partitions in use can be changed. Lanes only.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

enum partition_kind {
        PARTITION_PRIMARY,
        PARTITION_EXTENDED,
        PARTITION_LOGICAL,
};

const char *partition_kind_get_name(enum partition_kind kind);

/* All in sectors. */
struct partition {
        unsigned number;
        enum partition_kind kind;
        uint64_t start;
        uint64_t size;
        char *node; /* owned; "/dev/sda1" */
        char *type; /* owned; "83", a GUID */
};

struct partition_table {
        char *device;       /* owned */
        char *label;        /* owned; "dos", "gpt", "sun", "sgi" */
        uint64_t sector;    /* bytes */
        uint64_t sectors;   /* of the disk */
        uint64_t first;     /* sector that a partition may have */
        uint64_t last;      /* likewise */
        GArray *partitions; /* owned; struct partition, by start */
};

/* NULL with an error, also when there is no table that sfdisk knows. */
struct partition_table *partition_table_read(struct lane *lane, const char *device, GError **error);
void partition_table_free(struct partition_table *table);

/* Borrowed; NULL when there is none. */
const struct partition *partition_table_find(const struct partition_table *table, unsigned number);
/* The extended one, NULL when there is none. */
const struct partition *partition_table_find_extended(const struct partition_table *table);
/* The node of a partition of that number. part_separator as in struct pool_device. Owned. */
char *partition_table_get_node(const struct partition_table *table, unsigned number, int part_separator);

/*
 * Room for a new partition of kind and bytes: the smallest one that it fits in. Sets number, kind, start and
 * size of *partition. ERROR_OPERATION_FAILED when there is none.
 */
bool partition_table_place(const struct partition_table *table, enum partition_kind kind, uint64_t bytes,
                           struct partition *partition, GError **error);
/* Bytes in all free ranges together. */
uint64_t partition_table_get_free(const struct partition_table *table);

/*
 * Makes the kernel's partitions those of the table: what is stale goes, what is missing comes, what is the
 * same is not touched. ERROR_OPERATION_FAILED when a stale one is in use; whoever only looks at it is waited
 * for a moment.
 */
bool partition_table_tell_kernel(struct lane *lane, const struct partition_table *table, GError **error);
/*
 * Takes one away from the kernel; fails when it is in use, likewise. One that the kernel does not know is
 * fine.
 */
bool partition_table_forget(struct lane *lane, const struct partition_table *table, unsigned number,
                            GError **error);

DEFINE_CLEANUP(struct partition_table, partition_table_free);
