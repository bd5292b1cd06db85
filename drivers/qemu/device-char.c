/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serial and parallel ports, consoles, channels, USB redirection and smartcards: each a character back end
 * and the device that the guest sees. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"

#include <string.h>

/* The path of a file that start has opened; NULL: it has not. */
static char *add_file(struct device_list *list, int fd, const char *what, const char *alias)
{
        g_autofree char *name = g_strdup_printf("%s-%s", what, alias);

        return fd > 0 ? device_list_add_fdset(list, fd, name) : NULL;
}

/* Appends the back end "char<alias>" for source; spicevmc names what a SPICE channel is for. */
static bool add_backend(struct device_list *list, const struct device_context *context, const char *alias,
                        const struct domain_char_source *source, const char *spicevmc, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, alias);
        g_autofree char *id = g_strconcat("char", alias, NULL);
        struct domain_char_source given = *source;
        g_autofree char *fd = NULL, *out = NULL, *log = NULL;

        if (source->type == DOMAIN_CHAR_SPICEVMC) {
                log = add_file(list, resources ? resources->log_fd : 0, "log", alias);
                given.log_file = log ? log : source->log_file;
                device_list_add_spicevmc(list, id, &given, spicevmc);
                return true;
        }
        if (resources && resources->fds && resources->fds->len)
                fd = device_list_add_fd(list, context, g_array_index(resources->fds, int, 0), "fd-%s", id);
        out = add_file(list, resources ? resources->out_fd : 0, "out", alias);
        log = add_file(list, resources ? resources->log_fd : 0, "log", alias);
        if (out)
                given.path = out;
        if (log)
                given.log_file = log;
        return device_list_add_chardev(list, context, id, &given, fd, error);
}

static json_t *char_device(const char *driver, const char *alias)
{
        json_t *device = device_new(driver, alias);

        device_set_format(device, "chardev", "char%s", alias);
        return device;
}

/* What ports are made of; driver NULL: the machine has them. */
static const struct {
        const char *type, *model, *driver;
} serials[] = {
        { "isa-serial", "isa-serial", "isa-serial" },
        { "usb-serial", "usb-serial", "usb-serial" },
        { "pci-serial", "pci-serial", "pci-serial" },
        { "isa-debug", "isa-debugcon", "isa-debugcon" },
        { "spapr-vio-serial", "spapr-vty", "spapr-vty" },
        { "sclp-serial", "sclpconsole", "sclpconsole" },
        { "sclp-serial", "sclplmconsole", "sclplmconsole" },
        { "system-serial", "pl011", NULL },
        { "system-serial", "16550a", NULL },
};

static int find_serial(const char *type, const char *model, GError **error)
{
        bool known = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(serials); i++) {
                if (strcmp(serials[i].type, type) != 0)
                        continue;
                known = true;
                if (!model || strcmp(serials[i].model, model) == 0)
                        return (int)i;
        }
        if (known)
                device_unsupported(error, "serial port model '%s' is not supported", model);
        else
                device_unsupported(error, "serial port type '%s' is not supported", type);
        return -1;
}

/* Such ports are as many as the machine has; the first of the options is for the first of them. */
static void add_built_in(struct device_list *list, const char *alias)
{
        json_t *port = json_object();

        device_set_format(port, "chardev", "char%s", alias);
        device_list_add(list, DEVICE_SERIAL, port);
}

static bool describe_serial(struct device_list *list, const struct device_context *context,
                            const struct domain_char *chr, GError **error)
{
        const char *type = chr->target_type ? chr->target_type : "isa-serial";
        int found = find_serial(type, chr->target_model, error);
        json_t *device;

        if (found < 0 || !add_backend(list, context, chr->info.alias, &chr->source, NULL, error))
                return false;
        if (!serials[found].driver) {
                add_built_in(list, chr->info.alias);
                return true;
        }
        device = char_device(serials[found].driver, chr->info.alias);
        if (strcmp(type, "isa-serial") == 0 && chr->target_port >= 0)
                device_set_int(device, "index", chr->target_port);
        return device_list_add_at(list, context, device, &chr->info, error);
}

static bool describe_parallel(struct device_list *list, const struct device_context *context,
                              const struct domain_char *chr, GError **error)
{
        if (!add_backend(list, context, chr->info.alias, &chr->source, NULL, error))
                return false;
        return device_list_add_at(list, context, char_device("isa-parallel", chr->info.alias), &chr->info,
                                  error);
}

/* Takes device, also on failure. A port without an address goes where QEMU has room. */
static bool add_virtio_port(struct device_list *list, const struct device_context *context, json_t *device,
                            const struct domain_device_info *info, GError **error)
{
        const struct domain_controller *controller;

        if (info->address.type != DOMAIN_ADDRESS_VIRTIO_SERIAL)
                return device_list_add_device(list, context, device, error);
        controller = device_find_controller(context, DOMAIN_CONTROLLER_VIRTIO_SERIAL,
                                            info->address.virtio_serial.controller);
        if (!controller || !controller->info.alias) {
                json_decref(device);
                return device_unsupported(error, "no virtio-serial controller for device '%s'", info->alias);
        }
        device_set_format(device, "bus", "%s.%u", controller->info.alias,
                          (unsigned)info->address.virtio_serial.bus);
        device_set_int(device, "nr", info->address.virtio_serial.port);
        return device_list_add_device(list, context, device, error);
}

static bool describe_console(struct device_list *list, const struct device_context *context,
                             const struct domain_char *chr, GError **error)
{
        const char *sclp;

        if (chr->is_serial_alias)
                return true;
        if (g_strcmp0(chr->target_type, "serial") == 0)
                return describe_serial(list, context, chr, error);
        sclp = g_strcmp0(chr->target_type, "sclp") == 0     ? "sclpconsole"
               : g_strcmp0(chr->target_type, "sclplm") == 0 ? "sclplmconsole"
                                                            : NULL;
        if (!sclp && g_strcmp0(chr->target_type, "virtio") != 0)
                return device_unsupported(error, "console type '%s' is not supported", chr->target_type);
        if (!add_backend(list, context, chr->info.alias, &chr->source, NULL, error))
                return false;
        if (sclp)
                return device_list_add_device(list, context, char_device(sclp, chr->info.alias), error);
        return add_virtio_port(list, context, char_device("virtconsole", chr->info.alias), &chr->info, error);
}

static bool describe_guestfwd(struct device_list *list, const struct device_context *context,
                              const struct domain_char *chr, GError **error)
{
        json_t *netdev = json_object(), *forward = json_object(), *forwards = json_array();

        device_set_string(netdev, "type", "user");
        device_set_string(netdev, "id", chr->info.alias);
        device_set_format(forward, "str", "tcp:%s:%s-chardev:char%s", chr->target_address,
                          chr->target_port_text, chr->info.alias);
        json_array_append_new(forwards, forward);
        json_object_set_new(netdev, "guestfwd", forwards);
        if (!add_backend(list, context, chr->info.alias, &chr->source, NULL, error)) {
                json_decref(netdev);
                return false;
        }
        device_list_add(list, DEVICE_NETDEV, netdev);
        return true;
}

static bool describe_channel(struct device_list *list, const struct device_context *context,
                             const struct domain_char *chr, GError **error)
{
        json_t *device;

        if (g_strcmp0(chr->target_type, "guestfwd") == 0)
                return describe_guestfwd(list, context, chr, error);
        if (g_strcmp0(chr->target_type, "virtio") != 0)
                return device_unsupported(error, "channel type '%s' is not supported", chr->target_type);
        if (!add_backend(list, context, chr->info.alias, &chr->source, "vdagent", error))
                return false;
        device = char_device("virtserialport", chr->info.alias);
        device_set_string(device, "name", chr->target_name);
        if (!chr->target_name && chr->source.type == DOMAIN_CHAR_SPICEVMC)
                device_set_string(device, "name", "com.redhat.spice.0");
        return add_virtio_port(list, context, device, &chr->info, error);
}

bool device_describe_char(struct device_list *list, const struct device_context *context, const void *data,
                          GError **error)
{
        const struct domain_char *chr = data;

        switch (chr->kind) {
        case DOMAIN_CHAR_SERIAL:
                return describe_serial(list, context, chr, error);
        case DOMAIN_CHAR_PARALLEL:
                return describe_parallel(list, context, chr, error);
        case DOMAIN_CHAR_CONSOLE:
                return describe_console(list, context, chr, error);
        case DOMAIN_CHAR_CHANNEL:
                return describe_channel(list, context, chr, error);
        default:
                g_assert_not_reached();
        }
}

static void append_number(GString *filter, int number, int digits)
{
        if (number < 0)
                g_string_append(filter, "-1:");
        else
                g_string_append_printf(filter, "0x%0*X:", digits, (unsigned)number);
}

/* Which devices a client may hand in: class, vendor, product, version, and whether; the first that fits
 * counts. */
static void set_filter(json_t *device, const struct domain_devices *devices)
{
        g_autoptr(GString) filter = g_string_new(NULL);

        for (unsigned i = 0; i < devices->n_redir_rules; i++) {
                const struct domain_redir_rule *rule = &devices->redir_rules[i];

                g_string_append(filter, i ? "|" : "");
                append_number(filter, rule->usb_class, 2);
                append_number(filter, rule->vendor, 4);
                append_number(filter, rule->product, 4);
                append_number(filter, rule->version, 4);
                g_string_append_c(filter, rule->allow ? '1' : '0');
        }
        if (devices->n_redir_rules > 0)
                device_set_string(device, "filter", filter->str);
}

bool device_describe_redirdev(struct device_list *list, const struct device_context *context,
                              const void *data, GError **error)
{
        const struct domain_redirdev *redirdev = data;
        json_t *device;

        if (!add_backend(list, context, redirdev->info.alias, &redirdev->source, "usbredir", error))
                return false;
        device = char_device("usb-redir", redirdev->info.alias);
        device_set_uint(device, "bootindex", redirdev->info.boot_order);
        set_filter(device, &context->def->devices);
        return device_list_add_at(list, context, device, &redirdev->info, error);
}

#define NSS_DATABASE "/etc/pki/nssdb"

/* A card of the host's, or one that is made of certificates. */
static json_t *emulated_card(const struct domain_smartcard *smartcard)
{
        json_t *device = device_new("ccid-card-emulated", smartcard->info.alias);

        if (!smartcard->certificates[0]) {
                device_set_string(device, "backend", "nss-emulated");
                return device;
        }
        device_set_string(device, "backend", "certificates");
        device_set_string(device, "cert1", smartcard->certificates[0]);
        device_set_string(device, "cert2", smartcard->certificates[1]);
        device_set_string(device, "cert3", smartcard->certificates[2]);
        device_set_string(device, "db", smartcard->database ? smartcard->database : NSS_DATABASE);
        return device;
}

bool device_describe_smartcard(struct device_list *list, const struct device_context *context,
                               const void *data, GError **error)
{
        const struct domain_smartcard *smartcard = data;
        const struct domain_controller *reader = NULL;
        json_t *device;

        if (smartcard->info.address.type == DOMAIN_ADDRESS_CCID)
                reader = device_find_controller(context, DOMAIN_CONTROLLER_CCID,
                                                smartcard->info.address.ccid.controller);
        if (!reader || !reader->info.alias)
                return device_unsupported(error, "no ccid controller for device '%s'", smartcard->info.alias);
        if (smartcard->source &&
            !add_backend(list, context, smartcard->info.alias, smartcard->source, "smartcard", error))
                return false;
        device = smartcard->source ? char_device("ccid-card-passthru", smartcard->info.alias)
                                   : emulated_card(smartcard);
        device_set_format(device, "bus", "%s.0", reader->info.alias);
        return device_list_add_device(list, context, device, error);
}

/* ---- SPICE ---- */

static bool has_spice(const struct domain_devices *devices)
{
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].type == DOMAIN_GRAPHICS_SPICE)
                        return true;
        }
        return false;
}

static bool needs_spice(enum domain_char_type type)
{
        return type == DOMAIN_CHAR_SPICEVMC || type == DOMAIN_CHAR_SPICEPORT;
}

bool device_require_spice(const struct domain_devices *devices, GError **error)
{
        static const char message[] = "device '%s' needs <graphics type='spice'>";

        if (has_spice(devices))
                return true;
        for (unsigned i = 0; i < devices->n_chars; i++) {
                if (needs_spice(devices->chars[i].source.type))
                        return device_unsupported(error, message, devices->chars[i].info.alias);
        }
        for (unsigned i = 0; i < devices->n_redirdevs; i++) {
                if (needs_spice(devices->redirdevs[i].source.type))
                        return device_unsupported(error, message, devices->redirdevs[i].info.alias);
        }
        for (unsigned i = 0; i < devices->n_smartcards; i++) {
                if (devices->smartcards[i].source && needs_spice(devices->smartcards[i].source->type))
                        return device_unsupported(error, message, devices->smartcards[i].info.alias);
        }
        return true;
}
