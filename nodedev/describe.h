/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From a device of udev to its description. What udev's database and the hardware database have to say comes
 * in when they are there; without a running udevd sysfs alone says less. A device that disappears while it is
 * being read is described by what could be read.
 */

#include "nodedev/device.h"

struct describer;
struct udev;
struct udev_device;

/*
 * What devices are described with: belongs to the thread that made it. find_name says what the device at a
 * path of sysfs is called if it is in the tree, borrowed; NULL: it is not.
 */
struct describer *describer_new(struct udev *udev, const char *(*find_name)(const char *path, void *data),
                                void *data);
void describer_free(struct describer *describer);

/* NULL when it is none of the kinds that are listed. */
struct node_device *describer_describe(struct describer *describer, struct udev_device *device);
/* The root, "computer". */
struct node_device *describer_describe_system(struct describer *describer);

DEFINE_CLEANUP(struct describer, describer_free);
