/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kind of managed object that networks are. */
#include "base/error.h"
#include "drivers/network/network-def.h"

static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        struct network_def *def = network_def_parse(xml, error);

        return def ? &def->base : NULL;
}

const struct managed_kind network_kind = {
        .noun = "network",
        .from = ERROR_FROM_NETWORK,
        .missing = ERROR_NO_NETWORK,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct managed),
        .state_size = sizeof(struct managed_state),
        .parse = kind_parse,
        .definition_free = network_def_free,
};
