/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defined mediated devices, on disk and as descriptions. Lane.
 */
#include "nodedev/definitions.h"

#include "base/error.h"
#include "base/log.h"
#include "base/store.h"
#include "base/xml.h"

#define SUFFIX ".xml"
#define MARKS  "autostart"

struct definitions {
        char *dir, *marks; /* owned */
        GHashTable *table; /* owned; name -> struct node_device, ref */
};

/* What it says while it is not there. */
static struct node_device *describe(const struct node_device_spec *spec, bool autostart)
{
        struct node_device *device = node_device_new();
        g_autoptr(xmlDoc) doc = xml_new("device");
        xmlNode *capability;

        device->name = node_device_name_mdev(spec->uuid, spec->parent_address);
        device->parent = g_strdup(spec->parent);
        device->capabilities = UINT32_C(1) << NODE_DEVICE_MDEV;
        device->is_inactive = true;
        device->is_transient = false;
        device->is_started_by_hand = !autostart;
        xml_add_text(xml_root(doc), "name", device->name);
        xml_add_text(xml_root(doc), "parent", device->parent);
        capability = xml_add(xml_root(doc), "capability");
        xml_set_attr(capability, "type", "mdev");
        xml_set_attr(xml_add(capability, "type"), "id", spec->type);
        xml_add_text(capability, "uuid", spec->uuid);
        xml_add_text(capability, "parent_addr", spec->parent_address);
        device->xml = xml_write(doc, NULL);
        return device;
}

static void put(struct definitions *definitions, struct node_device *device)
{
        g_hash_table_replace(definitions->table, device->name, device);
}

/* ---- files ---- */

static bool load_one(struct definitions *definitions, const char *file, GError **error)
{
        g_autofree char *path = g_build_filename(definitions->dir, file, NULL);
        g_autofree char *text = store_read(path, error);
        CLEANUP(node_device_spec_free)
        struct node_device_spec *spec = text ? node_device_spec_parse(text, error) : NULL;
        struct node_device *device;

        if (!spec)
                return false;
        if (!spec->type || !spec->parent || !spec->parent_address)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INTERNAL_ERROR,
                                 "'%s' is not the definition of a mediated device", path);
        device = describe(spec, false);
        device->is_started_by_hand = !store_is_marked(definitions->marks, device->name);
        put(definitions, device);
        return true;
}

void definitions_load(struct definitions *definitions)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) files = store_list(definitions->dir, SUFFIX, &error);

        if (!files)
                log_warning("definitions of node devices cannot be read: %s", error->message);
        for (unsigned i = 0; files && i < files->len; i++) {
                g_autoptr(GError) failure = NULL;

                if (!load_one(definitions, g_ptr_array_index(files, i), &failure))
                        log_warning("the definition of a node device is left out: %s", failure->message);
        }
}

/* ---- changes ---- */

static struct node_device *require(const struct definitions *definitions, const char *name, GError **error)
{
        struct node_device *device = definitions_find(definitions, name);

        if (!device)
                error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                          "node device '%s' is not defined", name);
        return device;
}

bool definitions_add(struct definitions *definitions, const struct node_device_spec *spec, GError **error)
{
        CLEANUP(node_device_unref) struct node_device *device = describe(spec, false);
        g_autofree char *file = g_strconcat(device->name, SUFFIX, NULL);

        if (definitions_find(definitions, device->name))
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                                 "node device '%s' is defined already", device->name);
        if (!store_write(definitions->dir, file, device->xml, true, error))
                return false;
        put(definitions, g_steal_pointer(&device));
        return true;
}

bool definitions_remove(struct definitions *definitions, const char *name, GError **error)
{
        g_autofree char *file = g_strconcat(name, SUFFIX, NULL);

        if (!require(definitions, name, error) || !store_mark(definitions->marks, name, false, error) ||
            !store_remove(definitions->dir, file, true, error))
                return false;
        g_hash_table_remove(definitions->table, name);
        return true;
}

bool definitions_set_autostart(struct definitions *definitions, const char *name, bool autostart,
                               GError **error)
{
        const struct node_device *before = require(definitions, name, error);
        CLEANUP(node_device_spec_free) struct node_device_spec *spec = NULL;

        if (!before || !store_mark(definitions->marks, name, autostart, error))
                return false;
        spec = node_device_spec_parse(before->xml, error);
        if (spec)
                put(definitions, describe(spec, autostart));
        return spec != NULL;
}

/* ---- what there is ---- */

struct node_device *definitions_find(const struct definitions *definitions, const char *name)
{
        return g_hash_table_lookup(definitions->table, name);
}

GPtrArray *definitions_list(const struct definitions *definitions)
{
        GPtrArray *list = g_ptr_array_sized_new(g_hash_table_size(definitions->table));
        GHashTableIter iter;
        gpointer device;

        g_hash_table_iter_init(&iter, definitions->table);
        while (g_hash_table_iter_next(&iter, NULL, &device))
                g_ptr_array_add(list, device);
        return list;
}

struct definitions *definitions_new(const char *dir)
{
        struct definitions *definitions = g_new0(struct definitions, 1);

        definitions->dir = g_strdup(dir);
        definitions->marks = g_build_filename(dir, MARKS, NULL);
        definitions->table =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)node_device_unref);
        return definitions;
}

void definitions_free(struct definitions *definitions)
{
        if (!definitions)
                return;
        g_hash_table_unref(definitions->table);
        g_free(definitions->dir);
        g_free(definitions->marks);
        g_free(definitions);
}
