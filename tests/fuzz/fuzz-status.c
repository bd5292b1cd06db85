/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A status document, as a full disk or a bad one may leave it.
 */

#include "drivers/qemu/status.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size);
        g_autoptr(GError) error = NULL;
        CLEANUP(status_free) struct status *status = status_parse(text, &error);

        if (status)
                g_free(status_format(status));
        return 0;
}
