/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The document of a new volume, in each type of pool: whatever is accepted can be written and read again. */

#include "drivers/storage/volume.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void try(const char *text, enum pool_type type)
{
        struct volume_given given;
        CLEANUP(volume_unref) struct volume *volume = volume_parse(text, type, &given, NULL);
        CLEANUP(volume_unref) struct volume *again = NULL;
        g_autofree char *written = NULL, *rewritten = NULL;
        g_autoptr(GError) error = NULL;

        if (!volume)
                return;
        volume->key = g_strdup("/key");
        written = volume_format_xml(volume);
        again = volume_parse(written, type, &given, &error);
        if (!again)
                g_error("what was made of a document is refused: %s\n%s", error->message, written);
        again->key = g_strdup("/key");
        rewritten = volume_format_xml(again);
        if (strcmp(written, rewritten) != 0)
                g_error("read back differently:\n%s\n%s", written, rewritten);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size);

        for (unsigned type = 0; type < POOL_TYPE_COUNT; type++)
                try(text, type);
        return 0;
}
