/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a document by kind. No state of its own; any thread.
 */
#include "drivers/domain/hardware-xml.h"

#include "base/error.h"

static const char *const kind_names[DOMAIN_DEVICE_KINDS] = {
        [DOMAIN_DEVICE_DISK] = "disk",
        [DOMAIN_DEVICE_CONTROLLER] = "controller",
        [DOMAIN_DEVICE_FILESYSTEM] = "filesystem",
        [DOMAIN_DEVICE_INTERFACE] = "interface",
        [DOMAIN_DEVICE_SMARTCARD] = "smartcard",
        [DOMAIN_DEVICE_SERIAL] = "serial",
        [DOMAIN_DEVICE_PARALLEL] = "parallel",
        [DOMAIN_DEVICE_CONSOLE] = "console",
        [DOMAIN_DEVICE_CHANNEL] = "channel",
        [DOMAIN_DEVICE_INPUT] = "input",
        [DOMAIN_DEVICE_TPM] = "tpm",
        [DOMAIN_DEVICE_GRAPHICS] = "graphics",
        [DOMAIN_DEVICE_SOUND] = "sound",
        [DOMAIN_DEVICE_AUDIO] = "audio",
        [DOMAIN_DEVICE_VIDEO] = "video",
        [DOMAIN_DEVICE_HOSTDEV] = "hostdev",
        [DOMAIN_DEVICE_REDIRDEV] = "redirdev",
        [DOMAIN_DEVICE_HUB] = "hub",
        [DOMAIN_DEVICE_WATCHDOG] = "watchdog",
        [DOMAIN_DEVICE_MEMBALLOON] = "memballoon",
        [DOMAIN_DEVICE_RNG] = "rng",
        [DOMAIN_DEVICE_PANIC] = "panic",
        [DOMAIN_DEVICE_SHMEM] = "shmem",
        [DOMAIN_DEVICE_MEMORY] = "memory",
        [DOMAIN_DEVICE_IOMMU] = "iommu",
        [DOMAIN_DEVICE_VSOCK] = "vsock",
        [DOMAIN_DEVICE_CRYPTO] = "crypto",
        [DOMAIN_DEVICE_NVRAM] = "nvram",
};

const char *hardware_kind_name(enum domain_device_kind kind)
{
        return kind_names[kind];
}

bool hardware_init(struct hardware *hardware, xmlNode *root, const struct domain_machine *machine,
                   GError **error)
{
        unsigned count = 0;

        *hardware = (struct hardware){ .root = root,
                                       .devices = hardware_child(root, "devices"),
                                       .machine = machine };
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++)
                hardware->nodes[kind] = g_ptr_array_new();
        XML_FOREACH_CHILD (node, hardware->devices) {
                if (++count > DOMAIN_DEVICES_MAX)
                        return xml_error(error, node, "more than %u devices", DOMAIN_DEVICES_MAX);
                for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                        if (xml_is(node, kind_names[kind])) {
                                g_ptr_array_add(hardware->nodes[kind], node);
                                break;
                        }
                }
        }
        return true;
}

void hardware_clear(struct hardware *hardware)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++)
                g_clear_pointer(&hardware->nodes[kind], g_ptr_array_unref);
}

xmlNode *hardware_add(struct hardware *hardware, enum domain_device_kind kind)
{
        xmlNode *node = xml_add(hardware->devices, kind_names[kind]);

        g_ptr_array_add(hardware->nodes[kind], node);
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

/* What tells a device from others of its kind, best first: a child (NULL: the device itself) and its
 * attribute. */
static const struct {
        const char *kind, *child, *attr;
} names[] = {
        { "disk", "target", "dev" },
        { "interface", "mac", "address" },
        { "filesystem", "target", "dir" },
        { "channel", "target", "name" },
        { "controller", NULL, "index" },
        { "serial", "target", "port" },
        { "shmem", NULL, "name" },
        { NULL, NULL, "model" },
        { NULL, "model", "type" },
        { NULL, NULL, "type" },
        { NULL, NULL, "mode" },
};

char *hardware_describe(const xmlNode *node)
{
        const char *kind = (const char *)node->name;

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                const xmlNode *holder = names[i].child ? xml_child(node, names[i].child) : node;
                const char *value = hardware_peek(holder, names[i].attr);
                g_autofree char *quoted = error_quote(value);

                if (!value || (names[i].kind && strcmp(names[i].kind, kind) != 0))
                        continue;
                if (strcmp(kind, "controller") == 0 && hardware_peek(node, "type"))
                        return g_strdup_printf("%s controller %s", hardware_peek(node, "type"), quoted);
                return g_strdup_printf("%s '%s'", kind, quoted);
        }
        return g_strdup(kind);
}
