/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What List calls select by. No state; any thread. */
#include "base/filter.h"

#include "base/flags.h"

bool filter_check(const struct filter *filter, unsigned flags, enum error_domain from, const char *function,
                  GError **error)
{
        unsigned known = 0;

        for (unsigned i = 0; i < filter->n_groups; i++)
                known |= filter->groups[i];
        return flags_check(flags, known, from, function, error);
}

static bool is_selected(const struct filter *filter, const void *object, unsigned flags)
{
        unsigned bits = filter->describe(object);

        for (unsigned i = 0; i < filter->n_groups; i++) {
                unsigned wanted = flags & filter->groups[i];

                if (wanted && !(bits & wanted))
                        return false;
        }
        return true;
}

GPtrArray *filter_select(const struct filter *filter, unsigned flags, GPtrArray *objects)
{
        unsigned kept = 0;

        if (!flags)
                return objects;
        for (unsigned i = 0; i < objects->len; i++) {
                void *object = g_ptr_array_index(objects, i);

                if (is_selected(filter, object, flags))
                        objects->pdata[kept++] = object;
        }
        g_ptr_array_set_size(objects, (int)kept);
        return objects;
}
