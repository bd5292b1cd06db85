/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inventory of test:///default. Any thread. */

#include "nodedev/device.h"
#include "nodedev/spec.h"

/* The devices that it comes up with. */
struct object_set *test_devices_new(void);
/* A virtual adapter on a parent, with the next free number. */
struct node_device *test_devices_make_host(const struct object_set *set, const struct node_device *parent,
                                           const struct node_device_spec *spec);
