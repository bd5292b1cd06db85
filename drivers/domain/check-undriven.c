/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the format knows and nothing drives, here or anywhere any more: refused when a domain is defined, with
 * what to do instead. The rest of what is not driven is refused by the start alone, because documents with it
 * are kept and edited. No state; any thread.
 */
#include "drivers/domain/check.h"

#include <string.h>

static const struct {
        const char *name; /* as domain_order() names it, with what may follow */
        const char *why;
} rows[] = {
        { "<route>",
          "no emulator tells its guest routes; those of the host on a tap belong into the <source> of an "
          "interface of type 'ethernet'" },
        { "<ip>", "no emulator tells its guest the address of a device of the host" },
};

static bool check_each(const struct check *check, GError **error)
{
        const struct domain_remarks *remarks = &check->def->unsupported;

        for (unsigned i = 0; i < remarks->count; i++) {
                for (unsigned j = 0; j < G_N_ELEMENTS(rows); j++) {
                        if (g_str_has_prefix(remarks->texts[i], rows[j].name))
                                return check_refuse(error, "%s is not supported: %s", remarks->texts[i],
                                                    rows[j].why);
                }
        }
        return true;
}

const check_function domain_check_undriven[] = { check_each, NULL };
