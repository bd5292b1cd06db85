/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Flags of calls: what a function does not know is refused, never ignored. Any thread. */

#include "base/error.h"

#include <stdbool.h>

/* "unsupported flags (0x..) in function F" as ERROR_INVALID_ARG unless flags has no bit outside allowed. */
bool flags_check(unsigned flags, unsigned allowed, enum error_domain from, const char *function,
                 GError **error);

/* ERROR_INVALID_ARG when flags has all bits of both; names: "A and B". */
bool flags_check_exclusive(unsigned flags, unsigned both, enum error_domain from, const char *names,
                           GError **error);
