/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What LVM reports of a volume group. Pool's lane or a job's.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

struct lvm_group {
        uint64_t size;   /* bytes */
        uint64_t free;   /* bytes */
        uint64_t extent; /* bytes */
        uint64_t volumes;
};

/* A part of a logical volume on one device. */
struct lvm_extent {
        char *device;   /* owned */
        uint64_t start; /* bytes */
        uint64_t size;  /* bytes */
};

struct lvm_volume {
        char *name;   /* owned */
        char *uuid;   /* owned */
        char *origin; /* owned; of a snapshot; "" none */
        char kind;    /* the first of lv_attr: 's' snapshot, 't' thin pool, 'V' thin volume ... */
        bool is_active;
        bool is_thin;  /* in a thin pool, whatever kind says: it is 'o' when it has a snapshot that is not */
        uint64_t size; /* as it looks to its user */
        uint64_t allocation; /* of the volume group or the thin pool */
        GArray *extents;     /* owned; struct lvm_extent */
};

/* Letters, digits, "+_.-", as LVM has it; what says what it is in the error. */
bool lvm_check_name(const char *what, const char *name, GError **error);

bool lvm_read_group(struct lane *lane, const char *group, struct lvm_group *numbers, GError **error);
/* struct lvm_volume *; free the array. */
GPtrArray *lvm_read_volumes(struct lane *lane, const char *group, GError **error);
/* A snapshot with room of its own for what differs, also of nothing (a sparse volume without a thin pool). */
bool lvm_is_copy_on_write(const struct lvm_volume *volume);
/* Borrowed from volumes; NULL when there is none. */
const struct lvm_volume *lvm_find(const GPtrArray *volumes, const char *name);
/* Calls fn for each physical volume of a group, sorted as LVM has them. */
bool lvm_foreach_device(struct lane *lane, void (*fn)(const char *device, const char *group, void *data),
                        void *data, GError **error);
