/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a List call selects by. Flags stand in groups (active or not, persistent or not ...), whose bits are
 * alternatives: a group of which no flag is given excludes nothing. Any thread.
 */

#include "base/error.h"

#include <glib.h>
#include <stdbool.h>

struct filter {
        const unsigned *groups;
        unsigned n_groups;
        /* The flags that are true of a published object. */
        unsigned (*describe)(const void *object);
};

/* "unsupported flags (0x..)" unless each flag is in a group. */
bool filter_check(const struct filter *filter, unsigned flags, enum error_domain from, const char *function,
                  GError **error);

/* Leaves of objects (taken) those that flags select; free the array. */
GPtrArray *filter_select(const struct filter *filter, unsigned flags,
                         GPtrArray *objects) G_GNUC_WARN_UNUSED_RESULT;
