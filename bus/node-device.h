/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Node devices as the bus shows them, by their name. Loop thread. */

#include "bus/tree.h"

extern const struct object_kind node_device_object_kind;
