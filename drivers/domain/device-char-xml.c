/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices, and the other devices that have one's source: smart cards, USB redirection.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define HOST_MAX    255
#define NAME_MAX_   255
#define SERVICE_MAX 64
#define PORT_MAX    65535

const char *const domain_char_type_names[] = {
        [DOMAIN_CHAR_NULL] = "null",         [DOMAIN_CHAR_VC] = "vc",
        [DOMAIN_CHAR_PTY] = "pty",           [DOMAIN_CHAR_DEV] = "dev",
        [DOMAIN_CHAR_FILE] = "file",         [DOMAIN_CHAR_PIPE] = "pipe",
        [DOMAIN_CHAR_STDIO] = "stdio",       [DOMAIN_CHAR_UDP] = "udp",
        [DOMAIN_CHAR_TCP] = "tcp",           [DOMAIN_CHAR_UNIX] = "unix",
        [DOMAIN_CHAR_SPICEVMC] = "spicevmc", [DOMAIN_CHAR_SPICEPORT] = "spiceport",
        [DOMAIN_CHAR_NMDM] = "nmdm",         [DOMAIN_CHAR_QEMU_VDAGENT] = "qemu-vdagent",
        [DOMAIN_CHAR_DBUS] = "dbus",         [DOMAIN_CHAR_LAST] = NULL,
};
const char *const domain_char_kind_names[] = {
        [DOMAIN_CHAR_SERIAL] = "serial",   [DOMAIN_CHAR_PARALLEL] = "parallel",
        [DOMAIN_CHAR_CONSOLE] = "console", [DOMAIN_CHAR_CHANNEL] = "channel",
        [DOMAIN_CHAR_KINDS] = NULL,
};

static const char *const mouse_names[] = { "server", "client", NULL };
static const char *const mode_names[] = { "connect", "bind", NULL };
static const char *const protocol_names[] = { "raw", "telnet", "telnets", "tls", NULL };

/* ---- sources ---- */

static const struct field type_fields[] = {
        ENUM("type", struct domain_char_source, type, domain_char_type_names, .required = true),
        FIELDS_END,
};
static const struct field file_fields[] = {
        PATH("path", struct domain_char_source, path),
        ON_OFF("append", struct domain_char_source, append),
        FIELDS_END,
};
static const struct field tcp_fields[] = {
        BOOL("mode", struct domain_char_source, listen, mode_names),
        STRING("host", struct domain_char_source, host, .max = HOST_MAX),
        STRING("service", struct domain_char_source, service, .max = SERVICE_MAX),
        YES_NO("tls", struct domain_char_source, tls),
        FIELDS_END,
};
static const struct field unix_fields[] = {
        BOOL("mode", struct domain_char_source, listen, mode_names),
        PATH("path", struct domain_char_source, path),
        FIELDS_END,
};
static const struct field channel_fields[] = {
        STRING("channel", struct domain_char_source, channel, .max = NAME_MAX_),
        FIELDS_END,
};
static const struct field clipboard_fields[] = {
        YES_NO("copypaste", struct domain_char_source, clipboard, .required = true), FIELDS_END
};
static const struct field mouse_fields[] = {
        NAME("mode", struct domain_char_source, mouse, mouse_names, .required = true), FIELDS_END
};
static const struct field udp_connect_fields[] = {
        STRING("host", struct domain_char_source, host, .max = HOST_MAX),
        STRING("service", struct domain_char_source, service, .max = SERVICE_MAX),
        FIELDS_END,
};
static const struct field udp_bind_fields[] = {
        STRING("host", struct domain_char_source, bind_host, .max = HOST_MAX),
        STRING("service", struct domain_char_source, bind_service, .max = SERVICE_MAX),
        FIELDS_END,
};

static const struct field *const fields_of[DOMAIN_CHAR_LAST] = {
        [DOMAIN_CHAR_PTY] = file_fields,          [DOMAIN_CHAR_DEV] = file_fields,
        [DOMAIN_CHAR_FILE] = file_fields,         [DOMAIN_CHAR_PIPE] = file_fields,
        [DOMAIN_CHAR_TCP] = tcp_fields,           [DOMAIN_CHAR_UNIX] = unix_fields,
        [DOMAIN_CHAR_SPICEPORT] = channel_fields, [DOMAIN_CHAR_DBUS] = channel_fields,
};

static bool read_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_char_source *source = target;
        const struct field *fields = fields_of[source->type];

        return domain_read_labels(reader, node, &source->labels, error) &&
               (!fields || field_read(reader, node, fields, source, error));
}

static const struct field protocol_fields[] = {
        NAME("type", struct domain_char_source, protocol, protocol_names),
        FIELDS_END,
};
static const struct field log_fields[] = {
        PATH("file", struct domain_char_source, log_file, .required = true),
        ON_OFF("append", struct domain_char_source, log_append),
        FIELDS_END,
};
static const struct field reconnect_fields[] = {
        YES_NO("enabled", struct domain_char_source, reconnect, .required = true),
        UINT("timeout", struct domain_char_source, reconnect_timeout_s),
        FIELDS_END,
};

static const struct field_part source_parts[] = {
        { NULL, type_fields },
        { "source", NULL, read_source },
        { "source/reconnect", reconnect_fields },
        { "source/clipboard", clipboard_fields },
        { "source/mouse", mouse_fields },
        { "protocol", protocol_fields },
        { "log", log_fields },
        PARTS_END,
};

/* One <source> for each direction. */
static bool read_udp(struct domain_reader *reader, xmlNode *node, struct domain_char_source *source,
                     GError **error)
{
        for (xmlNode *end = xml_child(node, "source"); end; end = xml_next(end)) {
                struct domain_char_source mode = { .listen = false };
                const struct field fields[] = { BOOL("mode", struct domain_char_source, listen, mode_names),
                                                FIELDS_END };

                if (!field_read(reader, end, fields, &mode, error) ||
                    !field_read(reader, end, mode.listen ? udp_bind_fields : udp_connect_fields, source,
                                error))
                        return false;
        }
        return true;
}

/* What a source of this type cannot do without. */
static bool check_source(const struct domain_char_source *source, const xmlNode *node, GError **error)
{
        const char *missing = NULL;

        switch (source->type) {
        case DOMAIN_CHAR_DEV:
        case DOMAIN_CHAR_FILE:
        case DOMAIN_CHAR_PIPE:
                missing = source->path ? NULL : "path";
                break;
        case DOMAIN_CHAR_TCP:
        case DOMAIN_CHAR_UDP:
                missing = source->service ? NULL : "service";
                break;
        case DOMAIN_CHAR_SPICEPORT:
        case DOMAIN_CHAR_DBUS:
                missing = source->channel ? NULL : "channel";
                break;
        default:
                break;
        }
        if (missing)
                return xml_error(error, node, "missing attribute '%s' of the source of type '%s'", missing,
                                 domain_char_type_names[source->type]);
        return true;
}

bool domain_read_char_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_char_source *source = target;

        if (!field_read_parts(reader, node, source_parts, source, error))
                return false;
        if (source->type == DOMAIN_CHAR_UDP && !read_udp(reader, node, source, error))
                return false;
        source->telnet = g_strcmp0(source->protocol, "telnet") == 0;
        return check_source(source, node, error);
}

/* ---- serial, parallel, console, channel ---- */

static const char *const serial_targets[] = { "isa-serial",    "usb-serial",
                                              "pci-serial",    "spapr-vio-serial",
                                              "system-serial", "sclp-serial",
                                              "isa-debug",     NULL };
static const char *const console_targets[] = { "serial", "virtio", "xen",    "uml", "lxc",
                                               "openvz", "sclp",   "sclplm", NULL };
static const char *const channel_targets[] = { "guestfwd", "virtio", "xen", NULL };
static const char *const no_targets[] = { NULL };
static const char *const model_names[] = { "isa-serial",   "usb-serial",  "pci-serial",    "spapr-vty",
                                           "pl011",        "sclpconsole", "sclplmconsole", "16550a",
                                           "isa-debugcon", NULL };
static const char *const state_names[] = { "connected", "disconnected", NULL };

static const char *const *const targets_of[DOMAIN_CHAR_KINDS] = {
        [DOMAIN_CHAR_SERIAL] = serial_targets,
        [DOMAIN_CHAR_PARALLEL] = no_targets,
        [DOMAIN_CHAR_CONSOLE] = console_targets,
        [DOMAIN_CHAR_CHANNEL] = channel_targets,
};

static const struct field port_fields[] = {
        INT("port", struct domain_char, target_port, .max = PORT_MAX, .min = 1), FIELDS_END
};
static const struct field channel_target_fields[] = {
        STRING("name", struct domain_char, target_name, .max = NAME_MAX_),
        NAME("state", struct domain_char, target_state, state_names),
        STRING("address", struct domain_char, target_address, .max = HOST_MAX),
        STRING("port", struct domain_char, target_port_text, .max = SERVICE_MAX),
        FIELDS_END,
};
static const struct field model_fields[] = { NAME("name", struct domain_char, target_model, model_names),
                                             FIELDS_END };

static bool read_target(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_char *chr = target;
        const bool channel = chr->kind == DOMAIN_CHAR_CHANNEL;
        const struct field type[] = {
                NAME("type", struct domain_char, target_type, targets_of[chr->kind], .required = channel),
                FIELDS_END,
        };

        return field_read(reader, node, type, chr, error) &&
               field_read(reader, node, channel ? channel_target_fields : port_fields, chr, error);
}

static const struct field_part parts[] = {
        { NULL, NULL, domain_read_char_source, offsetof(struct domain_char, source) },
        { "target", NULL, read_target },
        { "target/model", model_fields },
        INFO_PARTS(struct domain_char),
        PARTS_END,
};

static enum domain_char_kind get_kind(const xmlNode *node)
{
        enum domain_char_kind kind = DOMAIN_CHAR_SERIAL;

        while (kind < DOMAIN_CHAR_CHANNEL && !xml_is(node, domain_char_kind_names[kind]))
                kind++;
        return kind;
}

bool domain_read_char(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_char *chr = target;

        chr->kind = get_kind(node);
        chr->target_port = -1;
        if (!field_read_parts(reader, node, parts, chr, error))
                return false;
        if (chr->kind == DOMAIN_CHAR_CHANNEL && !chr->target_type)
                return xml_error(error, node, "missing element 'target' of a channel");
        chr->is_serial_alias = chr->kind == DOMAIN_CHAR_CONSOLE &&
                               (!chr->target_type || strcmp(chr->target_type, "serial") == 0);
        return domain_check_plain(node, "target name", chr->target_name, "", error);
}

/* ---- smart cards, USB redirection ---- */

static const char *const card_modes[] = { "host", "host-certificates", "passthrough", NULL };
static const char *const redir_buses[] = { "usb", NULL };

static const struct field card_fields[] = {
        NAME("mode", struct domain_smartcard, mode, card_modes, .required = true),
        FIELDS_END,
};
static const struct field_part card_parts[] = {
        { NULL, card_fields },
        INFO_PARTS(struct domain_smartcard),
        PARTS_END,
};

struct certificate {
        const char *name;
};
static const struct field certificate_fields[] = {
        STRING(NULL, struct certificate, name, .required = true, .max = NAME_MAX_), FIELDS_END
};
static const struct field database_fields[] = { PATH(NULL, struct domain_smartcard, database), FIELDS_END };

/* Three of them make a card. */
static bool read_certificates(struct domain_reader *reader, xmlNode *node, struct domain_smartcard *card,
                              GError **error)
{
        xmlNode *database = xml_child(node, "database");
        unsigned n = 0;

        for (xmlNode *child = xml_child(node, "certificate"); child; child = xml_next(child), n++) {
                struct certificate certificate = { NULL };

                if (n < G_N_ELEMENTS(card->certificates) &&
                    !field_read(reader, child, certificate_fields, &certificate, error))
                        return false;
                if (n < G_N_ELEMENTS(card->certificates))
                        card->certificates[n] = certificate.name;
        }
        if (n != G_N_ELEMENTS(card->certificates))
                return xml_error(error, node, "host-certificates mode needs exactly three certificates");
        return !database || field_read(reader, database, database_fields, card, error);
}

bool domain_read_smartcard(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_smartcard *card = target;
        struct domain_char_source *source;

        if (!field_read_parts(reader, node, card_parts, card, error))
                return false;
        if (strcmp(card->mode, "host-certificates") == 0)
                return read_certificates(reader, node, card, error);
        if (strcmp(card->mode, "passthrough") != 0)
                return true;
        source = domain_arena_alloc(reader->arena, sizeof(*source));
        card->source = source;
        return domain_read_char_source(reader, node, source, error);
}

static const struct field redir_fields[] = { NAME("bus", struct domain_redirdev, bus, redir_buses),
                                             FIELDS_END };
static const struct field_part redir_parts[] = {
        { NULL, redir_fields },
        { NULL, NULL, domain_read_char_source, offsetof(struct domain_redirdev, source) },
        INFO_PARTS(struct domain_redirdev),
        PARTS_END,
};

bool domain_read_redirdev(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, redir_parts, target, error);
}

/* ---- <redirfilter> ---- */

static const char *const no_yes_names[] = { "no", "yes", NULL };

static const struct field rule_fields[] = {
        BOOL("allow", struct domain_redir_rule, allow, no_yes_names, .required = true), FIELDS_END
};

/* "0x08", "8", "-1"; absent: any. */
static bool read_id(const xmlNode *node, const char *attr, unsigned max, int *id, GError **error)
{
        g_autofree char *text = xml_attr(node, attr), *quoted = NULL;
        char *end = NULL;
        guint64 number;

        *id = -1;
        if (!text || strcmp(text, "-1") == 0)
                return true;
        number = g_ascii_isdigit(*text) ? g_ascii_strtoull(text, &end, 0) : UINT64_MAX;
        *id = (int)number;
        if (end && !*end && number <= max)
                return true;
        quoted = error_quote(text);
        return xml_error(error, node,
                         "invalid value '%s' of attribute '%s': expected a number up to 0x%x, or -1", quoted,
                         attr, max);
}

/* "2.56": both parts decimal, as they are printed on devices. */
static bool read_version(const xmlNode *node, int *version, GError **error)
{
        g_autofree char *text = xml_attr(node, "version"), *quoted = NULL;
        unsigned major, minor;
        char tail;

        *version = -1;
        if (!text || strcmp(text, "-1") == 0)
                return true;
        if (strspn(text, "0123456789.") == strlen(text) && strlen(text) <= 5 &&
            sscanf(text, "%2u.%2u%c", &major, &minor, &tail) == 2) {
                *version = (int)((major / 10) << 12 | (major % 10) << 8 | (minor / 10) << 4 | minor % 10);
                return true;
        }
        quoted = error_quote(text);
        return xml_error(error, node, "invalid value '%s' of attribute 'version': expected one like '1.10'",
                         quoted);
}

static bool read_rule(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_redir_rule *rule = target;

        return field_read(reader, node, rule_fields, rule, error) &&
               read_id(node, "class", 0xff, &rule->usb_class, error) &&
               read_id(node, "vendor", 0xffff, &rule->vendor, error) &&
               read_id(node, "product", 0xffff, &rule->product, error) &&
               read_version(node, &rule->version, error);
}

bool domain_read_redirfilter(struct domain_reader *reader, xmlNode *node, struct domain_devices *devices,
                             GError **error)
{
        static const struct field_part rule_parts[] = { { NULL, NULL, read_rule }, PARTS_END };
        xmlNode *filter = xml_child(node, "redirfilter");

        if (filter && xml_next(filter))
                return xml_error(error, xml_next(filter), "more than one <redirfilter>");
        return !filter ||
               field_read_array(reader, filter, "usbdev", rule_parts, sizeof(struct domain_redir_rule),
                                &devices->redir_rules, &devices->n_redir_rules, error);
}
