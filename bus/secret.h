/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Secrets as the bus shows them. Loop thread. */

#include "bus/tree.h"

extern const struct object_kind secret_object_kind;
