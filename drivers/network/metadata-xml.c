/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Title, description and <metadata> of a network: what others keep in its document. Any thread. */
#include "base/error.h"
#include "base/xml-metadata.h"
#include "drivers/network/network-xml.h"

#include <string.h>

/* ---- writing ---- */

static bool refuse(GError **error, const char *detail)
{
        return error_set(error, ERROR_FROM_NETWORK, ERROR_INVALID_ARG, "%s", detail);
}

static bool set_text(xmlNode *root, const char *element, const char *text)
{
        xml_remove_children(root, element);
        if (text)
                xml_add_text(root, element, text);
        return true;
}

static bool set(xmlNode *root, const struct network_metadata *metadata, GError **error)
{
        switch (metadata->type) {
        case NETWORK_METADATA_DESCRIPTION:
                return set_text(root, "description", metadata->text);
        case NETWORK_METADATA_TITLE:
                if (metadata->text && strpbrk(metadata->text, "\r\n"))
                        return refuse(error, "a title is a single line");
                return set_text(root, "title", metadata->text);
        case NETWORK_METADATA_ELEMENT:
                return xml_metadata_set(root, ERROR_FROM_NETWORK, metadata->text, metadata->key,
                                        metadata->uri, error);
        default:
                return error_set(error, ERROR_FROM_NETWORK, ERROR_INVALID_ARG, "unknown metadata type %d",
                                 metadata->type);
        }
}

struct network_def *network_def_with_metadata(const struct network_def *def,
                                              const struct network_metadata *metadata, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "network", error);

        return doc && set(xml_root(doc), metadata, error) ? network_def_from(doc, error) : NULL;
}

/* ---- reading ---- */

static char *read_text(xmlNode *root, int type, const char *uri, GError **error)
{
        switch (type) {
        case NETWORK_METADATA_DESCRIPTION:
                return xml_child_text(root, "description");
        case NETWORK_METADATA_TITLE:
                return xml_child_text(root, "title");
        case NETWORK_METADATA_ELEMENT:
                if (*uri)
                        return xml_metadata_get(root, uri);
                refuse(error, "a metadata element is addressed by its namespace uri, which is missing");
                return NULL;
        default:
                error_set(error, ERROR_FROM_NETWORK, ERROR_INVALID_ARG, "unknown metadata type %d", type);
                return NULL;
        }
}

char *network_def_get_metadata(const struct network_def *def, int type, const char *uri, GError **error)
{
        static const char *const nouns[] = { "description", "title", "metadata in that namespace" };
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "network", error);
        g_autoptr(GError) failure = NULL;
        char *text = doc ? read_text(xml_root(doc), type, uri, &failure) : NULL;

        if (failure)
                g_propagate_error(error, g_steal_pointer(&failure));
        else if (doc && !text)
                error_set(error, ERROR_FROM_NETWORK, ERROR_NO_NETWORK_METADATA, "network '%s' has no %s",
                          def->base.name, nouns[type]);
        return text;
}
