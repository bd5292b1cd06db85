/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Virtual networks as the bus shows them. Loop thread. */

#include "bus/tree.h"

extern const struct object_kind network_object_kind;
