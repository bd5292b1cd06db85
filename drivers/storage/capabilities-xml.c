/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <storagepoolCapabilities> document. Loop. */
#include "base/xml.h"
#include "drivers/storage/model.h"

static void write_options(xmlNode *pool, const char *element, const char *enum_name,
                          const char *default_format, const char *const *formats)
{
        xmlNode *options, *values;

        if (!formats)
                return;
        options = xml_add(pool, element);
        if (default_format)
                xml_set_attr(xml_add(options, "defaultFormat"), "type", default_format);
        values = xml_add(options, "enum");
        xml_set_attr(values, "name", enum_name);
        for (; *formats; formats++)
                xml_add_text(values, "value", *formats);
}

char *storage_get_capabilities(struct storage *storage, unsigned flags, GError **error)
{
        g_autoptr(xmlDoc) doc = NULL;

        if (!flags_check(flags, 0, ERROR_FROM_STORAGE, "GetStoragePoolCapabilities", error))
                return NULL;
        doc = xml_new("storagepoolCapabilities");
        for (unsigned type = 0; type < POOL_TYPE_COUNT; type++) {
                const struct pool_type_format *format = pool_type_get_format(type);
                xmlNode *pool = xml_add(xml_root(doc), "pool");

                xml_set_attr(pool, "type", format->name);
                xml_set_attr(pool, "supported", storage_get_backend(storage, type, NULL) ? "yes" : "no");
                write_options(pool, "poolOptions", "sourceFormatType", format->default_source_format,
                              format->source_formats);
                write_options(pool, "volOptions", "targetFormatType", format->default_volume_format,
                              format->volume_formats);
        }
        return xml_write(doc, NULL);
}
