/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Network interfaces of the host as the bus shows them. Loop thread. */

#include "bus/tree.h"

extern const struct object_kind host_interface_object_kind;
