/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Changes of devices through files of the kernel, which may take its time or never return (a driver that does
 * not let go). Each device that is changing has a lane of its own, whose jobs hold no slot; whoever asked is
 * answered in time, and reads the device as it is then. Loop thread unless said otherwise.
 */

#include "nodedev/node-devices-private.h"

struct change;

struct change_kind {
        const char *function; /* as clients call it */
        const char *verb;     /* "detached": what is not so yet when it takes too long */
        /* In the device's lane. */
        bool (*work)(struct lane *lane, struct change *change, GError **error);
        bool is_of_group; /* guests that have another device of the IOMMU group are in the way, too */
};

struct change {
        /* const */
        const struct change_kind *kind;
        char *subject;     /* owned; "PCI device 0000:01:00.0" */
        char *path;        /* owned; of the device in sysfs. NULL: its maker finds out */
        char *pci;         /* owned; its address, NULL: none */
        char *file, *text; /* owned; what is told to the kernel, NULL when the work knows */
        char *name;        /* owned; of the device that is awaited, or NULL */
        /* loop */
        struct change_lane *place; /* borrowed: it ends after this */
        struct loop_timer *timer;  /* owned */
        bool is_answered;
        node_device_done done; /* one of both */
        node_device_created created;
        void *data;    /* owned by the other */
        GError *error; /* owned; the lane's until its work ends */
};

/* What can still be filled in before it starts. subject is taken. */
struct change *change_new(const struct change_kind *kind, char *subject, node_device_done done, void *data);
/* Does it behind what else was started with that key, and ends it; takes change. */
void change_start(struct node_devices *devices, const char *key, struct change *change);
