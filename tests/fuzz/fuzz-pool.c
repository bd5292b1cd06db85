/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A pool's document: whatever is accepted is complete, and is read back as what it is. */

#include "drivers/storage/pool-def.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size), *formatted = NULL;
        CLEANUP(pool_def_unref) struct pool_def *def = pool_def_parse(text, NULL);
        CLEANUP(pool_def_unref) struct pool_def *again = NULL;
        g_autoptr(GError) error = NULL;

        if (!def)
                return 0;
        formatted = pool_def_format(def, &(struct pool_numbers){ 3, 2, 1 });
        again = pool_def_parse(formatted, &error);
        if (!again)
                g_error("what was made of a document is refused: %s\n%s", error->message, formatted);
        if (strcmp(def->base.xml, again->base.xml) != 0)
                g_error("read back differently:\n%s\n%s", def->base.xml, again->base.xml);
        if (!pool_def_is_same_storage(def, again))
                g_error("read back as other storage:\n%s", def->base.xml);
        return 0;
}
