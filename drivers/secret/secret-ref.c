/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* References to secrets. Any thread. */
#include "drivers/secret/secret-ref.h"

#include <glib.h>

const char *secret_usage_get_name(enum secret_usage usage)
{
        static const char *const names[SECRET_USAGE_COUNT] = {
                [SECRET_USAGE_NONE] = "none", [SECRET_USAGE_VOLUME] = "volume",
                [SECRET_USAGE_CEPH] = "ceph", [SECRET_USAGE_ISCSI] = "iscsi",
                [SECRET_USAGE_TLS] = "tls",   [SECRET_USAGE_VTPM] = "vtpm",
        };

        return names[usage];
}

void secret_ref_copy(struct secret_ref *to, const struct secret_ref *from)
{
        *to = (struct secret_ref){ from->usage_type, g_strdup(from->uuid), g_strdup(from->usage) };
}

void secret_ref_clear(struct secret_ref *ref)
{
        g_free(ref->uuid);
        g_free(ref->usage);
        *ref = (struct secret_ref){ 0 };
}

bool secret_ref_equal(const struct secret_ref *a, const struct secret_ref *b)
{
        return a->usage_type == b->usage_type && g_strcmp0(a->uuid, b->uuid) == 0 &&
               g_strcmp0(a->usage, b->usage) == 0;
}
