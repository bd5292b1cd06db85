/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Network filters as the bus shows them. Loop thread. */

#include "bus/tree.h"

extern const struct object_kind nwfilter_object_kind;
