/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inventory of test:///default. Any thread. */

#include "nodedev/device.h"

/* The devices that it comes up with. */
struct object_set *test_devices_new(void);
