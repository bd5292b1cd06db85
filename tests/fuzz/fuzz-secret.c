/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A secret's document: whatever is accepted is complete, and is read back as what it is. */

#include "drivers/secret/secret-def.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size);
        CLEANUP(secret_def_unref) struct secret_def *def = secret_def_parse(text, NULL);
        CLEANUP(secret_def_unref) struct secret_def *again = NULL;
        g_autoptr(GError) error = NULL;

        if (!def)
                return 0;
        again = secret_def_parse(def->base.xml, &error);
        if (!again)
                g_error("what was made of a document is refused: %s\n%s", error->message, def->base.xml);
        if (strcmp(def->base.xml, again->base.xml) != 0 || strcmp(def->base.name, again->base.name) != 0)
                g_error("read back differently:\n%s\n%s", def->base.xml, again->base.xml);
        return 0;
}
