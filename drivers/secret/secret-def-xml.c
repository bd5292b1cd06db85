/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a secret: read, checked, completed and put in libvirt's order; and the references to
 * secrets in other documents. What the typed view does not know stays in the document. Any thread.
 */
#include "drivers/secret/secret-def.h"
#include "drivers/secret/secret-xml.h"
#include "drivers/secret/secret.h"

#include <string.h>

/* The element in <usage> that has the id, by type. */
static const char *const id_elements[SECRET_USAGE_COUNT] = {
        [SECRET_USAGE_VOLUME] = "volume", [SECRET_USAGE_CEPH] = "name", [SECRET_USAGE_ISCSI] = "target",
        [SECRET_USAGE_TLS] = "name",      [SECRET_USAGE_VTPM] = "name",
};

/* ---- references ---- */

static bool check_type(const xmlNode *node, enum secret_usage usage_type, GError **error)
{
        const char *expected =
                usage_type == SECRET_USAGE_VOLUME ? "passphrase" : secret_usage_get_name(usage_type);
        g_autofree char *type = xml_attr(node, "type"), *quoted = error_quote(type);

        if (!type || strcmp(type, expected) == 0)
                return true;
        return xml_error(error, node, "secret type '%s', expected '%s'", quoted, expected);
}

bool secret_ref_read(const xmlNode *node, enum secret_usage usage_type, struct secret_ref *ref,
                     GError **error)
{
        g_autofree char *uuid_text = xml_attr(node, "uuid");
        struct uuid uuid;

        ref->usage_type = usage_type;
        ref->usage = xml_attr(node, "usage");
        if (!uuid_text == !ref->usage)
                return xml_error(error, node, "a secret is named either by uuid or by usage");
        if (!check_type(node, usage_type, error))
                return false;
        if (!uuid_text)
                return true;
        if (!uuid_parse(&uuid, uuid_text, NULL))
                return xml_error(error, node, "malformed uuid of a secret");
        ref->uuid = uuid_format(&uuid, g_malloc(UUID_STRING_LENGTH + 1));
        return true;
}

void secret_ref_write(xmlNode *node, const struct secret_ref *ref)
{
        xml_set_attr(node, "type",
                     ref->usage_type == SECRET_USAGE_VOLUME ? "passphrase"
                                                            : secret_usage_get_name(ref->usage_type));
        xml_set_attr(node, "uuid", ref->uuid);
        xml_set_attr(node, "usage", ref->usage);
}

/* ---- reading ---- */

static bool read_uuid(struct secret_def *def, const xmlNode *root, GError **error)
{
        const xmlNode *node = xml_child(root, "uuid");
        g_autofree char *text = xml_text(node), *quoted = NULL;

        if (!node) {
                uuid_generate(&def->base.uuid);
                return true;
        }
        quoted = error_quote(text);
        return uuid_parse(&def->base.uuid, text, NULL) ||
               xml_error(error, node, "malformed uuid '%s'", quoted);
}

static bool read_usage_type(const xmlNode *node, enum secret_usage *usage, GError **error)
{
        g_autofree char *text = xml_attr(node, "type"), *quoted = error_quote(text);

        if (!text)
                return xml_error(error, node, "unknown secret usage type");
        for (unsigned i = 0; i < SECRET_USAGE_COUNT; i++) {
                if (strcmp(text, secret_usage_get_name(i)) == 0) {
                        *usage = i;
                        return true;
                }
        }
        return xml_error(error, node, "unknown secret usage type '%s'", quoted);
}

/* It is matched, shown in messages and written into command lines of tools. */
static bool check_id(const char *id, const xmlNode *node, GError **error)
{
        if (!id || !*id)
                return xml_error(error, node, "the usage of the secret does not say what it is for");
        if (strlen(id) > SECRET_USAGE_ID_MAX)
                return xml_error(error, node, "the usage of the secret has more than %d bytes",
                                 SECRET_USAGE_ID_MAX);
        for (const char *c = id; *c; c++) {
                if (g_ascii_iscntrl(*c))
                        return xml_error(error, node,
                                         "the usage of the secret has a control character in it");
        }
        return true;
}

static bool read_usage(struct secret_def *def, const xmlNode *node, GError **error)
{
        const char *element;
        const xmlNode *id;

        if (!node)
                return true;
        if (!read_usage_type(node, &def->usage_type, error))
                return false;
        element = id_elements[def->usage_type];
        if (!element)
                return true;
        id = xml_child(node, element);
        if (!id)
                return xml_error(error, node, "%s usage without <%s>", secret_usage_get_name(def->usage_type),
                                 element);
        def->usage_id = xml_text(id);
        return check_id(def->usage_id, id, error);
}

char *secret_def_make_name(enum secret_usage usage_type, const char *usage_id)
{
        return g_strconcat(secret_usage_get_name(usage_type), ":", usage_id, NULL);
}

static void set_name(struct secret_def *def)
{
        if (def->usage_id)
                def->base.name = secret_def_make_name(def->usage_type, def->usage_id);
        else
                def->base.name = uuid_format(&def->base.uuid, g_malloc(UUID_STRING_LENGTH + 1));
}

static bool read_document(struct secret_def *def, const xmlNode *root, GError **error)
{
        return xml_get_yes_no(root, "ephemeral", &def->ephemeral, error) &&
               xml_get_yes_no(root, "private", &def->is_private, error) && read_uuid(def, root, error) &&
               read_usage(def, xml_child(root, "usage"), error);
}

/* ---- the document ---- */

static const char *const secret_order[] = { "uuid", "description", "usage", NULL };

/* Behind one another, in this order, before what else there is. */
static void complete_attributes(const struct secret_def *def, xmlNode *root)
{
        xml_set_attr(root, "ephemeral", NULL);
        xml_set_attr(root, "private", NULL);
        xml_set_attr(root, "ephemeral", def->ephemeral ? "yes" : "no");
        xml_set_attr(root, "private", def->is_private ? "yes" : "no");
}

static void complete(const struct secret_def *def, xmlNode *root)
{
        char uuid[UUID_STRING_LENGTH + 1];

        complete_attributes(def, root);
        xml_keep_elements(root);
        xml_remove_children(root, "uuid");
        xml_add_text(root, "uuid", uuid_format(&def->base.uuid, uuid));
        if (def->usage_type == SECRET_USAGE_NONE)
                xml_remove_children(root, "usage");
        xml_order_children(root, secret_order);
}

struct secret_def *secret_def_parse(const char *xml, GError **error)
{
        CLEANUP(secret_def_unref) struct secret_def *def = g_new0(struct secret_def, 1);
        g_autoptr(xmlDoc) doc = xml_parse(xml, "secret", error);

        definition_init(&def->base, &secret_kind);
        if (!doc || !read_document(def, xml_root(doc), error))
                return NULL;
        set_name(def);
        complete(def, xml_root(doc));
        def->base.xml = xml_write(doc, NULL);
        return g_steal_pointer(&def);
}

void secret_def_free(struct definition *definition)
{
        struct secret_def *def = secret_def_of(definition);

        g_free(def->usage_id);
        definition_clear(definition);
        g_free(def);
}

/* ---- validation ---- */

static const char *const usage_children[] = { "volume", "name", "target", NULL };

static bool validate_children(const xmlNode *node, const char *const children[], GError **error)
{
        XML_FOREACH_CHILD (child, node) {
                g_autofree char *quoted = error_quote((const char *)child->name);

                if (!g_strv_contains(children, (const char *)child->name))
                        return error_set(error, ERROR_FROM_SECRET, ERROR_XML_INVALID_SCHEMA,
                                         "unknown element <%s> in <%s>", quoted, (const char *)node->name);
        }
        return true;
}

bool secret_def_validate(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "secret", error);
        const xmlNode *usage;

        if (!doc || !validate_children(xml_root(doc), secret_order, error))
                return false;
        usage = xml_child(xml_root(doc), "usage");
        return !usage || validate_children(usage, usage_children, error);
}
