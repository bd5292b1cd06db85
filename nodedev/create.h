/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How devices are made, for the other files of this folder. Loop thread. */

#include "nodedev/node-devices-private.h"
#include "nodedev/spec.h"

/* The device that spec names as parent and that can have such children, borrowed; NULL with an error. */
const struct node_device *create_find_parent(const struct node_devices *devices,
                                             const struct node_device_spec *spec, GError **error);
/* Makes the mediated device that is described as inactive. */
void create_start_mdev(struct node_devices *devices, const struct node_device *device, node_device_done done,
                       void *data);
