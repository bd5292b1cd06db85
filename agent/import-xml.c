/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an import has to know of a document before the model reads it. Any thread. */
#include "agent/import.h"

#include "base/xml.h"

#include <string.h>

static bool has_emulated_tpm(const xmlNode *devices)
{
        XML_FOREACH_CHILD (node, devices) {
                g_autofree char *type = NULL;

                if (!xml_is(node, "tpm"))
                        continue;
                type = xml_attr(xml_child(node, "backend"), "type");
                if (g_strcmp0(type, "emulator") == 0)
                        return true;
        }
        return false;
}

bool import_document_read(struct import_document *document, const char *text, const char *root,
                          GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(text, root, error);
        const xmlNode *node;

        *document = (struct import_document){ 0 };
        if (!doc)
                return false;
        node = xml_root(doc);
        document->name = xml_child_text(node, "name");
        if (!document->name)
                document->name = xml_attr(node, "name"); /* filters */
        document->uuid = xml_child_text(node, "uuid");
        if (strcmp(root, "domain") == 0) {
                document->nvram = xml_child_text(xml_child(node, "os"), "nvram");
                document->has_tpm_state = has_emulated_tpm(xml_child(node, "devices"));
        }
        return true;
}

void import_document_clear(struct import_document *document)
{
        g_free(document->name);
        g_free(document->uuid);
        g_free(document->nvram);
}
