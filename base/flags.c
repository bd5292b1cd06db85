/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flags of calls. No state; any thread. */
#include "base/flags.h"

bool flags_check(unsigned flags, unsigned allowed, enum error_domain from, const char *function,
                 GError **error)
{
        if ((flags & ~allowed) == 0)
                return true;
        return error_set(error, from, ERROR_INVALID_ARG, "unsupported flags (0x%x) in function %s",
                         flags & ~allowed, function);
}

bool flags_check_exclusive(unsigned flags, unsigned both, enum error_domain from, const char *names,
                           GError **error)
{
        if ((flags & both) != both)
                return true;
        return error_set(error, from, ERROR_INVALID_ARG, "flags %s exclude each other", names);
}
