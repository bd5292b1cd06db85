/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a storage pool: read, checked, completed and put in libvirt's order. The document is kept,
 * with what the typed view does not know; the view is read from it. Any thread.
 */
#include "drivers/storage/pool-xml.h"
#include "drivers/storage/volume.h"

#include <string.h>

#define FS_NAMESPACE  "http://libvirt.org/schemas/storagepool/fs/1.0"
#define RBD_NAMESPACE "http://libvirt.org/schemas/storagepool/rbd/1.0"

char *pool_path_clean(const char *path)
{
        GString *clean;

        if (!path)
                return NULL;
        clean = g_string_sized_new(strlen(path));
        for (const char *c = path; *c; c++) {
                if (*c != '/' || c[1] != '/')
                        g_string_append_c(clean, *c);
        }
        if (clean->len > 1 && clean->str[clean->len - 1] == '/')
                g_string_truncate(clean, clean->len - 1);
        return g_string_free(clean, FALSE);
}

/* ---- permissions ---- */

static bool read_mode(const xmlNode *node, int *mode, GError **error)
{
        g_autofree char *text = xml_text(node);
        unsigned value = 0;

        if (!text || !*g_strstrip(text))
                return true;
        if (strlen(text) > 5 || strspn(text, "01234567") != strlen(text))
                return xml_error(error, node, "malformed octal mode");
        for (const char *c = text; *c; c++)
                value = value * 8 + (unsigned)(*c - '0');
        /* As libvirt: a volume is nothing to run with its owner's rights. */
        if (value > STORAGE_MODE_MASK)
                return xml_error(error, node, "malformed octal mode");
        *mode = (int)value;
        return true;
}

static bool read_id(const xmlNode *node, const char *what, int64_t *id, GError **error)
{
        if (!xml_get_int64(node, NULL, id, error))
                return false;
        if (*id < -1 || *id > (int64_t)UINT32_MAX - 1)
                return xml_error(error, node, "malformed %s element", what);
        return true;
}

bool storage_permissions_read(const xmlNode *node, struct storage_permissions *permissions, GError **error)
{
        permissions->mode = -1;
        permissions->owner = permissions->group = -1;
        permissions->label = xml_child_text(node, "label");
        return read_mode(xml_child(node, "mode"), &permissions->mode, error) &&
               read_id(xml_child(node, "owner"), "owner", &permissions->owner, error) &&
               read_id(xml_child(node, "group"), "group", &permissions->group, error);
}

void storage_permissions_write(xmlNode *parent, const struct storage_permissions *permissions)
{
        xmlNode *node;

        if (permissions->mode < 0 && permissions->owner < 0 && permissions->group < 0 && !permissions->label)
                return;
        node = xml_add(parent, "permissions");
        if (permissions->mode >= 0)
                xml_add_text_format(node, "mode", "0%o", (unsigned)permissions->mode);
        if (permissions->owner >= 0)
                xml_add_text_format(node, "owner", "%" G_GINT64_FORMAT, permissions->owner);
        if (permissions->group >= 0)
                xml_add_text_format(node, "group", "%" G_GINT64_FORMAT, permissions->group);
        if (permissions->label)
                xml_add_text(node, "label", permissions->label);
}

/* ---- identity ---- */

static bool check_name(const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        if (strchr(name, '/'))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "name %s cannot contain '/'",
                                 quoted);
        if (strlen(name) > POOL_NAME_MAX)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "storage pool name '%s' is longer than %d bytes", quoted, POOL_NAME_MAX);
        for (const char *c = name; *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                         "storage pool name '%s' has a control character in it", quoted);
        }
        if (strspn(name, " ") == strlen(name) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "'%s' cannot be a storage pool's name", quoted);
        return true;
}

static bool read_type(const xmlNode *root, enum pool_type *type, GError **error)
{
        g_autofree char *text = xml_attr(root, "type"), *quoted = error_quote(text);

        if (!text)
                return xml_error(error, root, "missing required attribute 'type'");
        if (!pool_type_parse(text, type))
                return xml_error(error, root, "unknown storage pool type '%s'", quoted);
        return true;
}

static bool read_identity(struct pool_def *def, const xmlNode *root, GError **error)
{
        g_autofree char *uuid = xml_child_text(root, "uuid");
        bool is_given = uuid && *g_strstrip(uuid);

        def->base.name = xml_child_text(root, "name");
        if (!def->base.name) /* libvirt takes the name of the storage, too */
                def->base.name = xml_child_text(xml_child(root, "source"), "name");
        if (!def->base.name)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "missing pool source name element");
        if (!check_name(def->base.name, error))
                return false;
        if (!is_given)
                uuid_generate(&def->base.uuid);
        else if (!uuid_parse(&def->base.uuid, uuid, NULL))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "malformed uuid element");
        return true;
}

/* ---- target, features, options ---- */

static bool read_target(struct pool_def *def, const xmlNode *node, GError **error)
{
        const struct pool_type_format *format = pool_type_get_format(def->type);
        g_autofree char *path = xml_child_text(node, "path");

        if (format->target_prefix)
                def->path = g_strconcat(format->target_prefix, def->source.name, NULL);
        else
                def->path = pool_path_clean(path ? g_strstrip(path) : NULL);
        if ((format->needs & POOL_NEEDS_TARGET) && (!def->path || !*def->path))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "missing storage pool target path");
        if (def->path && def->path[0] != '/' && !(format->needs & POOL_NAMES_DEVICES))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "the target path of storage pool '%s' is not absolute", def->base.name);
        for (const char *c = def->path; c && *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                         "the target path of storage pool '%s' has a control character in it",
                                         def->base.name);
        }
        return storage_permissions_read(xml_child(node, "permissions"), &def->permissions, error);
}

static bool read_features(struct pool_def *def, const xmlNode *node, GError **error)
{
        const xmlNode *cow = xml_child(node, "cow");
        bool state = true;

        if (!xml_get_yes_no(cow, "state", &state, error))
                return false;
        if (cow && def->type != POOL_DIR && def->type != POOL_FS)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "cow feature may only be used for 'fs' and 'dir' pools");
        def->cow_disabled = !state;
        return true;
}

static bool read_options(const xmlNode *node, const char *uri, struct pool_option **options, unsigned *count,
                         GError **error)
{
        GArray *list = g_array_new(FALSE, FALSE, sizeof(struct pool_option));
        bool good = true;

        for (xmlNode *child = xml_child_ns(node, uri, "option"); good && child; child = xml_next(child)) {
                struct pool_option option = { xml_attr(child, "name"), xml_attr(child, "value") };

                g_array_append_val(list, option);
                if (!option.name || !*option.name)
                        good = xml_error(error, child, "an option without a name");
                else if (list->len > POOL_OPTIONS_MAX)
                        good = xml_error(error, child, "more than %d options", POOL_OPTIONS_MAX);
        }
        *count = list->len;
        *options = (struct pool_option *)(void *)g_array_free(list, FALSE);
        return good;
}

/* ---- the document ---- */

static const char *const pool_order[] = { "name",     "uuid",   "capacity", "allocation", "available",
                                          "features", "source", "target",   "refresh",    NULL };
static const char *const target_order[] = { "path", "permissions", NULL };

static void set_child_text(xmlNode *parent, const char *name, const char *text)
{
        xml_remove_children(parent, name);
        xml_add_text(parent, name, text);
}

static void complete_target(const struct pool_def *def, xmlNode *root)
{
        xmlNode *target = xml_child(root, "target");

        if (!def->path)
                return;
        if (!target)
                target = xml_add(root, "target");
        set_child_text(target, "path", def->path);
        xml_remove_children(target, "permissions");
        storage_permissions_write(target, &def->permissions);
        xml_order_children(target, target_order);
}

static void set_zero(xmlNode *root, const char *name)
{
        xml_remove_children(root, name);
        xml_set_attr(xml_add_text(root, name, "0"), "unit", "bytes");
}

static void complete(const struct pool_def *def, xmlNode *root)
{
        char uuid[UUID_STRING_LENGTH + 1];
        xmlNode *source = xml_child(root, "source");

        /* What would come between the elements whose place matters. */
        xml_keep_elements(root);
        set_child_text(root, "name", def->base.name);
        set_child_text(root, "uuid", uuid_format(&def->base.uuid, uuid));
        set_zero(root, "capacity");
        set_zero(root, "allocation");
        set_zero(root, "available");
        if (!source)
                source = xml_add(root, "source");
        pool_source_complete(source, &def->source);
        complete_target(def, root);
        xml_order_children(root, pool_order);
}

/* libvirt never closes an empty <source> in place. */
static char *write_document(const xmlDoc *doc)
{
        static const char empty[] = "\n  <source/>\n";
        char *text = xml_write(doc, NULL), *found = strstr(text, empty), *written;

        if (!found)
                return text;
        written = g_strdup_printf("%.*s\n  <source>\n  </source>\n%s", (int)(found - text), text,
                                  found + strlen(empty));
        g_free(text);
        return written;
}

static bool read_document(struct pool_def *def, xmlNode *root, GError **error)
{
        const xmlNode *source = xml_child(root, "source");

        if (!read_type(root, &def->type, error) || !read_identity(def, root, error) ||
            !pool_source_read(source, def->type, &def->source, error))
                return false;
        if (!def->source.name && (pool_type_get_format(def->type)->needs & POOL_TAKES_NAME))
                def->source.name = g_strdup(def->base.name);
        return pool_source_check(&def->source, def->type, error) &&
               read_target(def, xml_child(root, "target"), error) &&
               read_features(def, xml_child(root, "features"), error) &&
               read_options(xml_child_ns(root, FS_NAMESPACE, "mount_opts"), FS_NAMESPACE, &def->mount_options,
                            &def->n_mount_options, error) &&
               read_options(xml_child_ns(root, RBD_NAMESPACE, "config_opts"), RBD_NAMESPACE,
                            &def->config_options, &def->n_config_options, error);
}

static struct pool_def *def_from(xmlDoc *doc, GError **error)
{
        CLEANUP(pool_def_unref) struct pool_def *def = g_new0(struct pool_def, 1);

        definition_init(&def->base, &storage_pool_kind);
        if (!read_document(def, xml_root(doc), error))
                return NULL;
        complete(def, xml_root(doc));
        def->base.xml = write_document(doc);
        def->numbers = (size_t)(strstr(def->base.xml, "</uuid>\n") - def->base.xml) + strlen("</uuid>\n");
        return g_steal_pointer(&def);
}

struct pool_def *pool_def_parse(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "pool", error);

        return doc ? def_from(doc, error) : NULL;
}

struct pool_def *pool_def_with_target(const struct pool_def *def,
                                      const struct storage_permissions *permissions, const char *directory,
                                      GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(def->base.xml, "pool", error);
        struct pool_def *made;
        xmlNode *target;

        if (!doc)
                return NULL;
        target = xml_child(xml_root(doc), "target");
        if (target) {
                xml_remove_children(target, "permissions");
                storage_permissions_write(target, permissions);
        }
        made = def_from(doc, error);
        if (made)
                made->directory = g_strdup(directory ? directory : def->directory);
        return made;
}

/* ---- validation ---- */

struct known {
        const char *element;
        const char *const *children;
};

static const char *const permissions_children[] = { "mode", "owner", "group", "label", NULL };
static const char *const source_children[] = { "host",     "device",    "dir",     "adapter",
                                               "name",     "initiator", "format",  "auth",
                                               "protocol", "vendor",    "product", NULL };
static const char *const features_children[] = { "cow", NULL };
static const char *const refresh_children[] = { "volume", NULL };

static const struct known known[] = {
        { "pool", pool_order },
        { "source", source_children },
        { "target", target_order },
        { "permissions", permissions_children },
        { "features", features_children },
        { "refresh", refresh_children },
};

static bool validate_element(const xmlNode *node, GError **error)
{
        const struct known *entry = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
                if (xml_is(node, known[i].element))
                        entry = &known[i];
        }
        if (!entry)
                return true;
        XML_FOREACH_CHILD (child, node) {
                if (child->ns)
                        continue;
                if (!g_strv_contains(entry->children, (const char *)child->name)) {
                        g_autofree char *quoted = error_quote((const char *)child->name);

                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_INVALID_SCHEMA,
                                         "unknown element <%s> in <%s>", quoted, entry->element);
                }
                if (!validate_element(child, error))
                        return false;
        }
        return true;
}

bool pool_def_validate(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "pool", error);

        return doc && validate_element(xml_root(doc), error);
}
