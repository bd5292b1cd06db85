/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers of what stands in the namespace of QEMU. No state; any thread.
 */
#include "drivers/domain/definition-xml.h"
#include "drivers/domain/schema.h"

#include <string.h>

/* ---- <qemu:commandline>, <qemu:deprecation> ---- */

static const struct field arg_fields[] = {
        TEXT("value", struct domain_env, value, .required = true),
        FIELDS_END,
};
static const struct field env_fields[] = {
        STRING("name", struct domain_env, name, .required = true, .max = 255),
        TEXT("value", struct domain_env, value),
        FIELDS_END,
};

static const char *const deprecation_names[] = { "none", "omit", "reject", "crash", NULL };
static const struct field deprecation_fields[] = {
        NAME("behavior", struct domain_qemu_commandline, deprecation, deprecation_names, .required = true),
        FIELDS_END,
};

static bool check_env(const xmlNode *node, const char *name, GError **error)
{
        g_autofree char *quoted = NULL;

        if ((g_ascii_isalpha(*name) || *name == '_') &&
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name))
                return true;
        quoted = error_quote(name);
        return xml_error(error, node, "invalid environment name '%s'", quoted);
}

static bool read_commandline(struct domain_reader *reader, xmlNode *node,
                             struct domain_qemu_commandline *line, GError **error)
{
        const char **args;
        struct domain_env *env;

        XML_FOREACH_CHILD (child, node) {
                line->n_args += xml_is_ns(child, DOMAIN_QEMU_NAMESPACE, "arg");
                line->n_env += xml_is_ns(child, DOMAIN_QEMU_NAMESPACE, "env");
        }
        line->args = args = domain_arena_alloc(reader->arena, (line->n_args + 1) * sizeof(*args));
        line->env = env = domain_arena_alloc(reader->arena, line->n_env * sizeof(*env));
        XML_FOREACH_CHILD (child, node) {
                struct domain_env arg = { NULL, NULL };

                if (xml_is_ns(child, DOMAIN_QEMU_NAMESPACE, "env")) {
                        if (!field_read(reader, child, env_fields, env, error) ||
                            !check_env(child, env->name, error))
                                return false;
                        env++;
                } else if (xml_is_ns(child, DOMAIN_QEMU_NAMESPACE, "arg")) {
                        if (!field_read(reader, child, arg_fields, &arg, error))
                                return false;
                        *args++ = arg.value;
                }
        }
        return true;
}

/* ---- <qemu:override> ---- */

static const char *const property_names[] = {
        [DOMAIN_PROPERTY_STRING] = "string",     [DOMAIN_PROPERTY_SIGNED] = "signed",
        [DOMAIN_PROPERTY_UNSIGNED] = "unsigned", [DOMAIN_PROPERTY_BOOL] = "bool",
        [DOMAIN_PROPERTY_REMOVE] = "remove",     [DOMAIN_PROPERTY_TYPES] = NULL,
};

static const struct field property_fields[] = {
        STRING("name", struct domain_qemu_property, name, .required = true, .max = 255),
        ENUM("type", struct domain_qemu_property, type, property_names, .required = true),
        TEXT("value", struct domain_qemu_property, text),
        FIELDS_END,
};
static const struct field number_fields[] = { SIGNED("value", struct domain_qemu_property, number),
                                              FIELDS_END };
static const struct field unsigned_fields[] = {
        UINT("value", struct domain_qemu_property, unsigned_number, .max = INT64_MAX), FIELDS_END
};

static bool read_property(struct domain_reader *reader, xmlNode *node, struct domain_qemu_property *property,
                          GError **error)
{
        static const char *const fixed[] = { "id", "driver", NULL };

        if (!field_read(reader, node, property_fields, property, error))
                return false;
        if (g_strv_contains(fixed, property->name))
                return xml_error(error, node, "property '%s' cannot be overridden", property->name);
        if (property->type == DOMAIN_PROPERTY_REMOVE && property->text)
                return xml_error(error, node, "a property that is removed has no value");
        if (property->type != DOMAIN_PROPERTY_REMOVE && !property->text)
                return xml_error(error, node, "missing attribute 'value'");
        switch (property->type) {
        case DOMAIN_PROPERTY_SIGNED:
                return field_read(reader, node, number_fields, property, error);
        case DOMAIN_PROPERTY_UNSIGNED:
                return field_read(reader, node, unsigned_fields, property, error);
        case DOMAIN_PROPERTY_BOOL:
                property->flag = strcmp(property->text, "true") == 0;
                if (property->flag || strcmp(property->text, "false") == 0)
                        return true;
                return xml_error(error, node, "invalid value of property '%s': expected 'true' or 'false'",
                                 property->name);
        default:
                return true;
        }
}

static unsigned count_properties(const xmlNode *override)
{
        unsigned n = 0;

        XML_FOREACH_CHILD (device, override) {
                XML_FOREACH_CHILD (property, xml_child_ns(device, DOMAIN_QEMU_NAMESPACE, "frontend"))
                        n += xml_is_ns(property, DOMAIN_QEMU_NAMESPACE, "property");
        }
        return n;
}

struct overridden {
        const char *alias;
};
static const struct field overridden_fields[] = {
        STRING("alias", struct overridden, alias, .required = true, .max = 255), FIELDS_END
};

static bool read_override(struct domain_reader *reader, xmlNode *node, struct domain_qemu_commandline *qemu,
                          GError **error)
{
        struct domain_qemu_property *properties;
        unsigned n = count_properties(node);

        if (n > FIELD_ARRAY_MAX)
                return xml_error(error, node, "more than %d overridden properties", FIELD_ARRAY_MAX);
        qemu->properties = properties = domain_arena_alloc(reader->arena, n * sizeof(*properties));
        XML_FOREACH_CHILD (device, node) {
                struct overridden overridden = { NULL };

                if (!xml_is_ns(device, DOMAIN_QEMU_NAMESPACE, "device"))
                        continue;
                if (!field_read(reader, device, overridden_fields, &overridden, error))
                        return false;
                XML_FOREACH_CHILD (property, xml_child_ns(device, DOMAIN_QEMU_NAMESPACE, "frontend")) {
                        if (!xml_is_ns(property, DOMAIN_QEMU_NAMESPACE, "property"))
                                continue;
                        properties[qemu->n_properties].alias = overridden.alias;
                        if (!read_property(reader, property, &properties[qemu->n_properties++], error))
                                return false;
                }
        }
        return true;
}

/* ---- all of it ---- */

/*
 * <qemu:capabilities> changes what libvirt believes of the emulator. One of them people take away for what
 * follows from it: devices are said in JSON, which QEMU makes after all others, and -set does not find.
 */
static const char json_devices[] = "device.json+hotplug";

static bool lacks_json(const xmlNode *root)
{
        XML_FOREACH_CHILD (node, xml_child_ns(root, DOMAIN_QEMU_NAMESPACE, "capabilities")) {
                g_autofree char *name =
                        xml_is_ns(node, DOMAIN_QEMU_NAMESPACE, "del") ? xml_attr(node, "capability") : NULL;

                if (g_strcmp0(name, json_devices) == 0)
                        return true;
        }
        return false;
}

bool domain_read_qemu(struct domain_reader *reader, const xmlNode *root, struct domain_qemu_commandline *qemu,
                      GError **error)
{
        xmlNode *line = xml_child_ns(root, DOMAIN_QEMU_NAMESPACE, "commandline");
        xmlNode *deprecation = xml_child_ns(root, DOMAIN_QEMU_NAMESPACE, "deprecation");
        xmlNode *override = xml_child_ns(root, DOMAIN_QEMU_NAMESPACE, "override");

        qemu->plain_devices = lacks_json(root);
        return (!line || read_commandline(reader, line, qemu, error)) &&
               (!deprecation || field_read(reader, deprecation, deprecation_fields, qemu, error)) &&
               (!override || read_override(reader, override, qemu, error));
}
