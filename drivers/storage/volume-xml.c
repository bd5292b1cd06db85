/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The document of a volume: read when one is to be made, written when it is asked for. Any thread. */
#include "base/units.h"
#include "drivers/secret/secret-xml.h"
#include "drivers/storage/pool-xml.h"
#include "drivers/storage/volume.h"

#include <string.h>

/* ---- what is known ---- */

static const char *const volume_children[] = { "name",     "key",    "source",       "capacity", "allocation",
                                               "physical", "target", "backingStore", NULL };
static const char *const target_children[] = { "path",       "format", "permissions", "timestamps",
                                               "encryption", "compat", "clusterSize", "nocow",
                                               "features",   NULL };
static const char *const backing_children[] = { "path", "format", "permissions", "timestamps", NULL };
static const char *const encryption_children[] = { "secret", "cipher", "ivgen", NULL };

static bool check_children(const xmlNode *node, const char *const children[], enum error_code code,
                           GError **error)
{
        if (!node)
                return true;
        XML_FOREACH_CHILD (child, node) {
                g_autofree char *quoted = error_quote((const char *)child->name);

                if (!g_strv_contains(children, (const char *)child->name))
                        return error_set(error, ERROR_FROM_STORAGE, code, "unknown element <%s> in <%s>",
                                         quoted, (const char *)node->name);
        }
        return true;
}

/* Nothing that is asked for is passed over in silence. */
static bool check_elements(const xmlNode *root, enum error_code code, GError **error)
{
        const xmlNode *target = xml_child(root, "target");

        return check_children(root, volume_children, code, error) &&
               check_children(target, target_children, code, error) &&
               check_children(xml_child(target, "encryption"), encryption_children, code, error) &&
               check_children(xml_child(root, "backingStore"), backing_children, code, error);
}

/* ---- reading ---- */

/* An element with nothing in it counts as absent. */
static bool is_filled(const xmlNode *node)
{
        g_autofree char *text = xml_text(node);

        return text && *g_strstrip(text);
}

static bool read_size(const xmlNode *node, uint64_t *bytes, GError **error)
{
        g_autofree char *unit = xml_attr(node, "unit");
        uint64_t value = 0;

        if (!is_filled(node))
                return true;
        return xml_get_uint64(node, NULL, &value, error) &&
               units_scale(value, unit, 1, VOLUME_BYTES_MAX, bytes, error);
}

static bool read_sizes(struct volume *volume, const xmlNode *root, struct volume_given *given, GError **error)
{
        const xmlNode *capacity = xml_child(root, "capacity"), *allocation = xml_child(root, "allocation");

        given->capacity = is_filled(capacity);
        given->allocation = is_filled(allocation);
        if (!read_size(capacity, &volume->capacity, error))
                return false;
        volume->allocation = volume->capacity;
        return read_size(allocation, &volume->allocation, error);
}

/* Partitions have types of their own; logical volumes and LUNs have no format. */
static bool read_format(const xmlNode *node, enum pool_type type, enum volume_format *format, char **name,
                        GError **error)
{
        const struct pool_type_format *pool = pool_type_get_format(type);
        g_autofree char *text = xml_attr(xml_child(node, "format"), "type"), *quoted = error_quote(text);

        *format = VOLUME_FORMAT_NONE;
        if (!text || !*text || !pool->volume_formats)
                return true;
        if (type == POOL_DISK) {
                if (!g_strv_contains(pool->volume_formats, text))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                         "unknown volume format type %s", quoted);
                *name = g_steal_pointer(&text);
                return true;
        }
        *format = volume_format_parse(text);
        if (*format == VOLUME_FORMAT_NONE)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "unknown volume format type %s", quoted);
        return true;
}

static bool read_encryption(struct volume_encryption *encryption, const xmlNode *node, GError **error)
{
        const xmlNode *cipher = xml_child(node, "cipher"), *ivgen = xml_child(node, "ivgen");

        if (!node)
                return true;
        encryption->format = xml_attr(node, "format");
        if (!encryption->format)
                return xml_error(error, node, "missing volume encryption format");
        if (strcmp(encryption->format, "luks") != 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "volumes are encrypted in format 'luks' only");
        if (!xml_child(node, "secret"))
                return xml_error(error, node, "missing <secret> of the encryption");
        encryption->cipher_name = xml_attr(cipher, "name");
        encryption->cipher_mode = xml_attr(cipher, "mode");
        encryption->cipher_hash = xml_attr(cipher, "hash");
        encryption->ivgen_name = xml_attr(ivgen, "name");
        encryption->ivgen_hash = xml_attr(ivgen, "hash");
        if (cipher && (!encryption->cipher_name || !xml_has_attr(cipher, "size")))
                return xml_error(error, cipher, "cipher info missing 'name' or 'size' attribute");
        if (ivgen && !encryption->ivgen_name)
                return xml_error(error, ivgen, "missing ivgen info name string");
        return xml_get_uint(cipher, "size", &encryption->cipher_size, error) &&
               secret_ref_read(xml_child(node, "secret"), SECRET_USAGE_VOLUME, &encryption->secret, error);
}

static bool unsupported_feature(const xmlNode *feature, GError **error)
{
        g_autofree char *quoted = error_quote((const char *)feature->name);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED, "unsupported feature %s",
                         quoted);
}

static bool read_qcow2(struct volume *volume, const xmlNode *target, GError **error)
{
        const xmlNode *features = xml_child(target, "features"), *cluster = xml_child(target, "clusterSize");
        g_autofree char *quoted = NULL;

        XML_FOREACH_CHILD (feature, features) {
                if (!xml_is(feature, "lazy_refcounts") && !xml_is(feature, "extended_l2"))
                        return unsupported_feature(feature, error);
        }
        volume->compat = is_filled(xml_child(target, "compat")) ? xml_child_text(target, "compat") : NULL;
        volume->lazy_refcounts = xml_child(features, "lazy_refcounts");
        volume->extended_l2 = xml_child(features, "extended_l2");
        volume->nocow = xml_child(target, "nocow");
        if (!read_size(cluster, &volume->cluster_size, error))
                return false;
        quoted = error_quote(volume->compat);
        if (volume->compat && strcmp(volume->compat, "0.10") != 0 && strcmp(volume->compat, "1.1") != 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "forbidden characters or unknown level in 'compat' attribute '%s'", quoted);
        if (features && !volume->compat)
                volume->compat = g_strdup("1.1");
        return true;
}

static bool read_backing(struct volume_backing *backing, const xmlNode *node, enum pool_type type,
                         GError **error)
{
        g_autofree char *name = NULL;

        if (!node)
                return true;
        backing->path = xml_child_text(node, "path");
        if (backing->path && !*backing->path)
                g_clear_pointer(&backing->path, g_free);
        for (const char *c = backing->path; c && *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return xml_error(error, node, "the path has a control character in it");
        }
        return read_format(node, type, &backing->format, &name, error) &&
               storage_permissions_read(xml_child(node, "permissions"), &backing->permissions, error);
}

static bool read_volume(struct volume *volume, xmlNode *root, enum pool_type type, struct volume_given *given,
                        GError **error)
{
        const xmlNode *target = xml_child(root, "target");

        volume->name = xml_child_text(root, "name");
        if (!volume->name)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "missing volume name element");
        return volume_check_name(volume->name, error) && read_sizes(volume, root, given, error) &&
               read_format(target, type, &volume->format, &volume->format_name, error) &&
               storage_permissions_read(xml_child(target, "permissions"), &volume->permissions, error) &&
               read_encryption(&volume->encryption, xml_child(target, "encryption"), error) &&
               read_qcow2(volume, target, error) &&
               read_backing(&volume->backing, xml_child(root, "backingStore"), type, error);
}

struct volume *volume_parse(const char *xml, enum pool_type type, struct volume_given *given, GError **error)
{
        CLEANUP(volume_unref) struct volume *volume = volume_new();
        g_autoptr(xmlDoc) doc = xml_parse(xml, "volume", error);

        if (!doc || !check_elements(xml_root(doc), ERROR_CONFIG_UNSUPPORTED, error) ||
            !read_volume(volume, xml_root(doc), type, given, error))
                return NULL;
        return g_steal_pointer(&volume);
}

bool volume_validate(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "volume", error);

        return doc && check_elements(xml_root(doc), ERROR_XML_INVALID_SCHEMA, error);
}

/* ---- writing ---- */

static void write_bytes(xmlNode *parent, const char *name, uint64_t bytes)
{
        xmlNode *node = xml_add_text_format(parent, name, "%" G_GUINT64_FORMAT, bytes);

        xml_set_attr(node, "unit", "bytes");
}

static void write_extents(xmlNode *source, const struct volume *volume)
{
        xmlNode *device = NULL;

        for (unsigned i = 0; i < volume->n_extents; i++) {
                const struct volume_extent *extent = &volume->extents[i];
                xmlNode *node;

                if (!device || strcmp(extent->path, volume->extents[i - 1].path) != 0) {
                        device = xml_add(source, "device");
                        xml_set_attr(device, "path", extent->path);
                }
                node = xml_add(device, "extent");
                xml_set_attr_format(node, "start", "%" G_GUINT64_FORMAT, extent->start);
                xml_set_attr_format(node, "end", "%" G_GUINT64_FORMAT, extent->end);
        }
}

static void write_time(xmlNode *parent, const char *name, const struct volume_time *time)
{
        if (time->nanoseconds)
                xml_add_text_format(parent, name, "%" G_GINT64_FORMAT ".%09u", time->seconds,
                                    time->nanoseconds);
        else
                xml_add_text_format(parent, name, "%" G_GINT64_FORMAT, time->seconds);
}

static void write_timestamps(xmlNode *target, const struct volume *volume)
{
        xmlNode *node;

        if (!volume->mtime.seconds)
                return;
        node = xml_add(target, "timestamps");
        write_time(node, "atime", &volume->atime);
        write_time(node, "mtime", &volume->mtime);
        write_time(node, "ctime", &volume->ctime);
        write_time(node, "btime", &volume->btime);
}

static void write_cipher(xmlNode *node, const struct volume_encryption *encryption)
{
        xmlNode *child;

        if (encryption->cipher_name) {
                child = xml_add(node, "cipher");
                xml_set_attr(child, "name", encryption->cipher_name);
                xml_set_attr_format(child, "size", "%u", encryption->cipher_size);
                xml_set_attr(child, "mode", encryption->cipher_mode);
                xml_set_attr(child, "hash", encryption->cipher_hash);
        }
        if (encryption->ivgen_name) {
                child = xml_add(node, "ivgen");
                xml_set_attr(child, "name", encryption->ivgen_name);
                xml_set_attr(child, "hash", encryption->ivgen_hash);
        }
}

static void write_encryption(xmlNode *target, const struct volume_encryption *encryption)
{
        xmlNode *node;

        if (!encryption->format)
                return;
        node = xml_add(target, "encryption");
        xml_set_attr(node, "format", encryption->format);
        if (secret_ref_is_given(&encryption->secret))
                secret_ref_write(xml_add(node, "secret"), &encryption->secret);
        write_cipher(node, encryption);
}

static void write_features(xmlNode *target, const struct volume *volume)
{
        xmlNode *features;

        if (volume->compat)
                xml_add_text(target, "compat", volume->compat);
        if (volume->cluster_size)
                xml_set_attr(xml_add_text_format(target, "clusterSize", "%" G_GUINT64_FORMAT,
                                                 volume->cluster_size),
                             "unit", "B");
        if (volume->nocow)
                xml_add(target, "nocow");
        if (!volume->compat || strcmp(volume->compat, "0.10") == 0)
                return;
        features = xml_add(target, "features");
        if (volume->lazy_refcounts)
                xml_add(features, "lazy_refcounts");
        if (volume->extended_l2)
                xml_add(features, "extended_l2");
}

static void write_format(xmlNode *parent, enum volume_format format, const char *name)
{
        if (!name)
                name = volume_format_get_name(format);
        if (name)
                xml_set_attr(xml_add(parent, "format"), "type", name);
}

static void write_target(xmlNode *root, const struct volume *volume)
{
        xmlNode *target = xml_add(root, "target");

        if (volume->path)
                xml_add_text(target, "path", volume->path);
        write_format(target, volume->format, volume->format_name);
        storage_permissions_write(target, &volume->permissions);
        write_timestamps(target, volume);
        write_encryption(target, &volume->encryption);
        write_features(target, volume);
}

char *volume_format_xml(const struct volume *volume)
{
        g_autoptr(xmlDoc) doc = xml_new("volume");
        xmlNode *root = xml_root(doc), *backing;

        xml_set_attr(root, "type", volume_type_get_name(volume->type));
        xml_add_text(root, "name", volume->name);
        xml_add_text(root, "key", volume->key);
        if (volume->n_extents)
                write_extents(xml_add(root, "source"), volume);
        write_bytes(root, "capacity", volume->capacity);
        write_bytes(root, "allocation", volume->allocation);
        if (volume->physical)
                write_bytes(root, "physical", volume->physical);
        write_target(root, volume);
        if (volume->backing.path) {
                backing = xml_add(root, "backingStore");
                xml_add_text(backing, "path", volume->backing.path);
                write_format(backing, volume->backing.format, NULL);
                storage_permissions_write(backing, &volume->backing.permissions);
        }
        return xml_write(doc, NULL);
}
