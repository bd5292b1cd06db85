/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a document by kind. No state of its own; any thread.
 */
#include "drivers/domain/hardware-xml.h"

#include "base/error.h"
#include "drivers/domain/kinds-xml.h"

bool hardware_init(struct hardware *hardware, xmlNode *root, const struct domain_machine *machine,
                   GError **error)
{
        enum domain_device_kind kind;
        unsigned count = 0;

        *hardware = (struct hardware){ .root = root,
                                       .devices = hardware_child(root, "devices"),
                                       .machine = machine };
        hardware->added = g_ptr_array_new();
        for (unsigned i = 0; i < DOMAIN_DEVICE_KINDS; i++)
                hardware->nodes[i] = g_ptr_array_new();
        XML_FOREACH_CHILD (node, hardware->devices) {
                if (++count > DOMAIN_DEVICES_MAX)
                        return xml_error(error, node, "more than %u devices", DOMAIN_DEVICES_MAX);
                kind = domain_kind_of(node);
                if (kind < DOMAIN_DEVICE_KINDS)
                        g_ptr_array_add(hardware->nodes[kind], node);
        }
        return true;
}

void hardware_clear(struct hardware *hardware)
{
        g_clear_pointer(&hardware->added, g_ptr_array_unref);
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++)
                g_clear_pointer(&hardware->nodes[kind], g_ptr_array_unref);
}

xmlNode *hardware_add(struct hardware *hardware, enum domain_device_kind kind)
{
        xmlNode *node = xml_add(hardware->devices, domain_kinds[kind].element);

        g_ptr_array_add(hardware->nodes[kind], node);
        g_ptr_array_add(hardware->added, node);
        return node;
}

const char *hardware_peek_text(const xmlNode *node)
{
        /* The parser joins text and resolves references, so a value is one text node or none. */
        for (const xmlNode *text = node ? node->children : NULL; text; text = text->next) {
                if (text->type == XML_TEXT_NODE)
                        return (const char *)text->content;
        }
        return node ? "" : NULL;
}

const char *hardware_peek(const xmlNode *node, const char *attr)
{
        for (const xmlAttr *it = node ? node->properties : NULL; it; it = it->next) {
                if (!it->ns && strcmp((const char *)it->name, attr) == 0)
                        return it->children ? (const char *)it->children->content : "";
        }
        return NULL;
}

const char *hardware_peek_child(const xmlNode *node, const char *child, const char *attr)
{
        return hardware_peek(xml_child(node, child), attr);
}

void hardware_default(xmlNode *node, const char *attr, const char *value)
{
        if (value && !xml_has_attr(node, attr))
                xml_set_attr(node, attr, value);
}

void hardware_set(xmlNode *node, const char *attr, const char *format, ...)
{
        char text[64];
        va_list args;

        va_start(args, format);
        g_vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (!hardware_is(node, attr, text))
                xml_set_attr(node, attr, text);
}

xmlNode *hardware_child(xmlNode *node, const char *child)
{
        xmlNode *found = xml_child(node, child);

        return found ? found : xml_add(node, child);
}

bool hardware_is_one_of(const char *text, const char *const names[])
{
        return text && g_strv_contains(names, text);
}

bool hardware_require(const xmlNode *device, const xmlNode *node, const char *attr, const char *const names[],
                      GError **error)
{
        const char *text = hardware_peek(node, attr);
        g_autofree char *what = NULL, *list = NULL, *quoted = NULL;

        if (hardware_is_one_of(text, names))
                return true;
        what = hardware_describe(device);
        list = error_list(names);
        quoted = error_quote(text);
        return text ? xml_error(error, node, "unknown %s '%s' of %s: expected %s", attr, quoted, what, list)
                    : xml_error(error, node, "%s has no %s: expected %s", what, attr, list);
}

bool hardware_get_uint(const xmlNode *node, const char *attr, unsigned max, unsigned *value, GError **error)
{
        unsigned parsed = 0;

        if (!xml_has_attr(node, attr))
                return true;
        if (!xml_get_uint_hex(node, attr, &parsed, error))
                return false;
        if (parsed > max)
                return xml_error(error, node, "attribute '%s' is %u and must be at most %u", attr, parsed,
                                 max);
        *value = parsed;
        return true;
}

bool hardware_unsupported(GError **error, const xmlNode *node, const char *format, ...)
{
        g_autofree char *detail = NULL;
        va_list args;

        va_start(args, format);
        detail = g_strdup_vprintf(format, args);
        va_end(args);
        if (!node || !xml_line(node))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "%s", detail);
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "%s at line %u (<%s>)", detail,
                         xml_line(node), node->name);
}

const char *hardware_peek_path(const xmlNode *node, const char *path)
{
        while (*path && *path != '@') {
                size_t length = strcspn(path, "/@");
                char name[32];

                g_assert(length < sizeof(name));
                g_strlcpy(name, path, length + 1);
                node = xml_child(node, name);
                path += length + (path[length] == '/');
        }
        return *path ? hardware_peek(node, path + 1) : hardware_peek_text(node);
}

/* What tells a device from others where its kind has no label, best first. */
static const char *const labels[] = { "@model", "model@type", "@type", "@mode" };

char *hardware_describe(const xmlNode *node)
{
        enum domain_device_kind kind = domain_kind_of(node);
        const char *label = kind < DOMAIN_DEVICE_KINDS ? domain_kinds[kind].label : NULL;
        const char *value = label ? hardware_peek_path(node, label) : NULL;
        const char *type = kind == DOMAIN_DEVICE_CONTROLLER ? hardware_peek(node, "type") : NULL;
        g_autofree char *quoted = NULL;

        for (unsigned i = 0; !value && i < G_N_ELEMENTS(labels); i++)
                value = hardware_peek_path(node, labels[i]);
        if (!value)
                return g_strdup((const char *)node->name);
        quoted = error_quote(value);
        if (type)
                return g_strdup_printf("%s controller %s", type, quoted);
        return g_strdup_printf("%s '%s'", (const char *)node->name, quoted);
}
