/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command line of QEMU: whatever becomes a document is one.
 */

#include "base/xml.h"
#include "drivers/qemu/native-parse.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *raw = g_strndup((const char *)data, size), *text = g_utf8_make_valid(raw, -1);
        g_autofree char *xml = native_parse(text, "x86_64", NULL);
        g_autoptr(GError) error = NULL;
        xmlDoc *doc = xml ? xml_parse(xml, "domain", &error) : NULL;

        if (xml && !doc)
                g_error("'%s' becomes '%s': %s", text, xml, error->message);
        xmlFreeDoc(doc);
        return 0;
}
