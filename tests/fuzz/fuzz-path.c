/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An element of an object path: what can be decoded has one spelling.
 */

#include "bus/object-path.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *element = g_strndup((const char *)data, size);
        g_autofree char *name = object_path_decode(element);
        g_autofree char *again = name ? object_path_encode(name) : NULL;
        struct uuid uuid;

        if (again && strcmp(element, again) != 0)
                g_error("'%s' is '%s' is '%s'", element, name, again);
        object_path_get_uuid(element, &uuid);
        return 0;
}
