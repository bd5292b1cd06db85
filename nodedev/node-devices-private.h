/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Node devices as their own files see them. Loop thread. */

#include "nodedev/node-devices.h"
#include "nodedev/source.h"

struct node_devices {
        struct loop *loop;               /* borrowed */
        struct pool *pool;               /* borrowed; NULL: in memory */
        struct collection *collection;   /* owned */
        struct lane *lane;               /* ref; NULL: in memory */
        struct device_source *source;    /* owned; NULL: in memory */
        struct definitions *definitions; /* owned; the lane's. NULL: nothing is stored */
        GPtrArray *uses;      /* owned; struct device_use, borrowed: what is taken (device-use.h) */
        unsigned change_ms;   /* NODE_DEVICE_CHANGE_MS, shorter in tests */
        GHashTable *changing; /* owned; PCI address -> struct change_lane, which end with their changes */
};
