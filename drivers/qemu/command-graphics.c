/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Consoles that people connect to: -vnc, -spice, -display, -audiodev, and their passwords. Values only; any
 * thread.
 */
#include "drivers/qemu/command-internal.h"

#include <string.h>

#define VNC_PORT_BASE 5900

/* ---- what VNC and SPICE share ---- */

static const struct domain_listen *first_listen(const struct domain_graphics *graphics)
{
        return graphics->n_listens ? &graphics->listens[0] : NULL;
}

static enum domain_listen_type listen_type(const struct domain_graphics *graphics)
{
        const struct domain_listen *listen = first_listen(graphics);

        return listen ? listen->type : DOMAIN_LISTEN_ADDRESS;
}

/* The address to listen at, or NULL with an error when it was not found out. */
static const char *listen_address(const struct domain_graphics *graphics, GError **error)
{
        const struct domain_listen *listen = first_listen(graphics);

        if (listen && listen->address)
                return listen->address;
        if (listen && listen->type == DOMAIN_LISTEN_NETWORK) {
                device_unsupported(error, "<listen type='network'> without an address of its network");
                return NULL;
        }
        return "127.0.0.1";
}

static const char *listen_socket(const struct domain_graphics *graphics, GError **error)
{
        const char *socket = first_listen(graphics)->socket;

        if (!socket)
                error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                          "no socket was chosen for <graphics type='%s'>",
                          domain_graphics_type_get_name(graphics->type));
        return socket;
}

static bool check_listens(const struct domain_graphics *graphics, GError **error)
{
        if (graphics->n_listens > 1)
                return device_unsupported(error, "<graphics> with more than one <listen>");
        return true;
}

json_t *graphics_set_password(const struct domain_graphics *graphics)
{
        json_t *arguments = json_object();

        device_set_string(arguments, "protocol", domain_graphics_type_get_name(graphics->type));
        device_set_string(arguments, "password", graphics->password);
        device_set_string(arguments, "connected", graphics->password_connected);
        return arguments;
}

json_t *graphics_expire_password(const struct domain_graphics *graphics)
{
        json_t *arguments = json_object();
        g_autoptr(GTimeZone) utc = NULL;
        g_autoptr(GDateTime) end = NULL;

        device_set_string(arguments, "protocol", domain_graphics_type_get_name(graphics->type));
        if (!graphics->password_valid_to) {
                device_set_string(arguments, "time", "never");
                return arguments;
        }
        utc = g_time_zone_new_utc();
        end = g_date_time_new_from_iso8601(graphics->password_valid_to, utc);
        device_set_format(arguments, "time", "%" G_GINT64_FORMAT, end ? g_date_time_to_unix(end) : 1);
        return arguments;
}

/* A password of "" lets nobody in: QEMU asks for one, and none is set. */
static void add_password(struct command_builder *builder, const struct domain_graphics *graphics)
{
        if (graphics->password && graphics->password[0])
                command_append_setup(builder, "set_password", graphics_set_password(graphics));
        if (graphics->password && graphics->password_valid_to)
                command_append_setup(builder, "expire_password", graphics_expire_password(graphics));
}

/* ---- VNC ---- */

static bool add_vnc_place(GString *option, const struct domain_graphics *graphics, GError **error)
{
        const char *place;

        switch (listen_type(graphics)) {
        case DOMAIN_LISTEN_NONE:
                g_string_append(option, "none");
                return true;
        case DOMAIN_LISTEN_SOCKET:
                place = listen_socket(graphics, error);
                if (!place)
                        return false;
                g_string_append(option, "vnc=unix:");
                device_append_escaped(option, place);
                return true;
        default:
                place = listen_address(graphics, error);
                if (!place)
                        return false;
        }
        if (graphics->port < VNC_PORT_BASE)
                return device_unsupported(error, "VNC port %d is below %d", graphics->port, VNC_PORT_BASE);
        g_string_append(option, strchr(place, ':') ? "[" : "");
        device_append_escaped(option, place);
        g_string_append_printf(option, "%s:%d", strchr(place, ':') ? "]" : "",
                               graphics->port - VNC_PORT_BASE);
        return true;
}

static unsigned vnc_audio(const struct domain_def *def, const struct domain_graphics *graphics)
{
        if (graphics->audio_id)
                return (unsigned)graphics->audio_id;
        return def->devices.n_audios ? def->devices.audios[0].id : 1;
}

/* Clients know the server by its certificate; nobody asks them for theirs. */
static void add_vnc_tls(struct command_builder *builder, GString *option)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        json_t *object;

        if (!builder->context->vnc_tls)
                return;
        object = device_object("tls-creds-x509", "vnc-tls-creds0");
        device_set_string(object, "dir", builder->context->vnc_tls);
        device_set_string(object, "endpoint", "server");
        device_set_bool(object, "verify-peer", false);
        device_list_add(list, DEVICE_OBJECT, object);
        command_append_list(builder, list);
        command_option_add(option, "tls-creds", "vnc-tls-creds0");
}

static bool add_vnc(struct command_builder *builder, const struct domain_graphics *graphics, GError **error)
{
        g_autoptr(GString) option = g_string_new(NULL);

        if (!check_listens(graphics, error) || !add_vnc_place(option, graphics, error))
                return false;
        if (graphics->websocket > 0)
                g_string_append_printf(option, ",websocket=%d", graphics->websocket);
        command_option_add(option, "share", graphics->share_policy);
        command_option_add_switch(option, "power-control", graphics->power_control);
        if (graphics->password)
                command_option_add(option, "password", "on");
        add_vnc_tls(builder, option);
        g_string_append_printf(option, ",audiodev=audio%u", vnc_audio(builder->def, graphics));
        command_append(builder, "-vnc", option->str);
        if (graphics->keymap)
                command_append(builder, "-k", graphics->keymap);
        add_password(builder, graphics);
        return true;
}

/* ---- SPICE ---- */

void graphics_find_ports(const struct domain_graphics *graphics, bool has_tls, bool *plain, bool *tls)
{
        const char *mode = graphics->default_mode;

        *plain = graphics->port == -1;
        *tls = graphics->tls_port == -1;
        if (!graphics->autoport)
                return;
        *plain = g_strcmp0(mode, "secure") != 0;
        *tls = g_strcmp0(mode, "secure") == 0 || (has_tls && g_strcmp0(mode, "insecure") != 0);
        for (unsigned i = 0; i < graphics->n_channels; i++) {
                *tls = *tls || g_strcmp0(graphics->channels[i].mode, "secure") == 0;
                *plain = *plain || g_strcmp0(graphics->channels[i].mode, "insecure") == 0;
        }
}

static bool add_spice_ports(const struct command_builder *builder, GString *option,
                            const struct domain_graphics *graphics, GError **error)
{
        const char *address = listen_address(graphics, error);

        if (!address)
                return false;
        if (graphics->port <= 0 && graphics->tls_port <= 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no port was chosen for <graphics type='spice'>");
        if (graphics->port > 0)
                g_string_append_printf(option, "port=%d,", graphics->port);
        if (graphics->tls_port > 0) {
                if (!builder->context->spice_tls)
                        return device_unsupported(error, "SPICE with TLS, for which this host has no "
                                                         "certificates (spice_tls_dir= in virtbusd.conf)");
                g_string_append_printf(option, "tls-port=%d,", graphics->tls_port);
        }
        g_string_append(option, "addr=");
        device_append_escaped(option, address);
        if (graphics->tls_port > 0)
                command_option_add(option, "x509-dir", builder->context->spice_tls);
        return true;
}

static bool add_spice_place(const struct command_builder *builder, GString *option,
                            const struct domain_graphics *graphics, GError **error)
{
        const char *path;

        switch (listen_type(graphics)) {
        case DOMAIN_LISTEN_NONE:
                g_string_append(option, "port=0");
                return true;
        case DOMAIN_LISTEN_SOCKET:
                path = listen_socket(graphics, error);
                if (!path)
                        return false;
                g_string_append(option, "unix=on");
                command_option_add(option, "addr", path);
                return true;
        default:
                return add_spice_ports(builder, option, graphics, error);
        }
}

static bool add_spice_channels(GString *option, const struct domain_graphics *graphics, GError **error)
{
        const char *mode = graphics->default_mode;

        if (g_strcmp0(mode, "secure") == 0 && graphics->tls_port <= 0)
                return device_unsupported(error, "<graphics defaultMode='secure'> without a TLS port");
        if (g_strcmp0(mode, "secure") == 0 || g_strcmp0(mode, "insecure") == 0)
                command_option_add(option, mode[0] == 's' ? "tls-channel" : "plaintext-channel", "default");
        for (unsigned i = 0; i < graphics->n_channels; i++) {
                const struct domain_graphics_channel *channel = &graphics->channels[i];

                if (g_strcmp0(channel->mode, "secure") == 0 && graphics->tls_port <= 0)
                        return device_unsupported(error,
                                                  "SPICE channel '%s' that needs TLS, without a TLS port",
                                                  channel->name);
                if (g_strcmp0(channel->mode, "secure") == 0)
                        command_option_add(option, "tls-channel", channel->name);
                else if (g_strcmp0(channel->mode, "insecure") == 0)
                        command_option_add(option, "plaintext-channel", channel->name);
        }
        return true;
}

static void add_spice_options(GString *option, const struct domain_graphics *graphics)
{
        if (graphics->mouse)
                command_option_add(option, "agent-mouse",
                                   strcmp(graphics->mouse, "client") == 0 ? "on" : "off");
        command_option_add(option, "image-compression", graphics->image_compression);
        command_option_add(option, "jpeg-wan-compression", graphics->jpeg_compression);
        command_option_add(option, "zlib-glz-wan-compression", graphics->zlib_compression);
        command_option_add_switch(option, "playback-compression", graphics->playback);
        command_option_add(option, "streaming-video", graphics->streaming);
        if (graphics->clipboard == DOMAIN_SWITCH_OFF)
                command_option_add(option, "disable-copy-paste", "on");
        if (graphics->filetransfer == DOMAIN_SWITCH_OFF)
                command_option_add(option, "disable-agent-file-xfer", "on");
        if (graphics->gl == DOMAIN_SWITCH_ON) {
                command_option_add(option, "gl", "on");
                command_option_add(option, "rendernode", graphics->rendernode);
        }
        command_option_add(option, "seamless-migration", "on");
}

static bool add_spice(struct command_builder *builder, const struct domain_graphics *graphics, GError **error)
{
        g_autoptr(GString) option = g_string_new(NULL);

        if (!qemu_caps_has_option(builder->caps, "spice", NULL))
                return device_unsupported(error, "emulator '%s' has no SPICE",
                                          qemu_caps_get_path(builder->caps));
        if (!check_listens(graphics, error) || !add_spice_place(builder, option, graphics, error))
                return false;
        if (!graphics->password)
                command_option_add(option, "disable-ticketing", "on");
        if (!add_spice_channels(option, graphics, error))
                return false;
        add_spice_options(option, graphics);
        command_append(builder, "-spice", option->str);
        if (graphics->keymap)
                command_append(builder, "-k", graphics->keymap);
        add_password(builder, graphics);
        return true;
}

/* ---- the rest ---- */

static void add_egl_headless(struct command_builder *builder, const struct domain_graphics *graphics)
{
        g_autoptr(GString) option = g_string_new("egl-headless");

        command_option_add(option, "rendernode", graphics->rendernode);
        command_append(builder, "-display", option->str);
}

/* The bus of the document, or the connection that a client hands in through the monitor. */
static bool add_dbus(struct command_builder *builder, const struct domain_graphics *graphics, GError **error)
{
        g_autoptr(GString) option = g_string_new("dbus");

        if (graphics->p2p != DOMAIN_SWITCH_ON && !graphics->bus_address)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no bus was made for <graphics type='dbus'>");
        if (graphics->p2p == DOMAIN_SWITCH_ON)
                command_option_add(option, "p2p", "on");
        else
                command_option_add(option, "addr", graphics->bus_address);
        command_option_add_switch(option, "gl", graphics->gl);
        command_option_add(option, "rendernode", graphics->rendernode);
        if (graphics->audio_id)
                g_string_append_printf(option, ",audiodev=audio%d", graphics->audio_id);
        command_append(builder, "-display", option->str);
        return true;
}

static bool add_display(struct command_builder *builder, const struct domain_graphics *graphics,
                        GError **error)
{
        switch (graphics->type) {
        case DOMAIN_GRAPHICS_VNC:
                return add_vnc(builder, graphics, error);
        case DOMAIN_GRAPHICS_SPICE:
                return add_spice(builder, graphics, error);
        case DOMAIN_GRAPHICS_DBUS:
                return add_dbus(builder, graphics, error);
        case DOMAIN_GRAPHICS_EGL_HEADLESS:
                add_egl_headless(builder, graphics);
                return true;
        default:
                return device_unsupported(error, "<graphics type='%s'> is not supported",
                                          domain_graphics_type_get_name(graphics->type));
        }
}

static unsigned count_graphics(const struct domain_def *def, enum domain_graphics_type type)
{
        unsigned count = 0;

        for (unsigned i = 0; i < def->devices.n_graphics; i++)
                count += def->devices.graphics[i].type == type;
        return count;
}

static bool check_counts(const struct domain_def *def, GError **error)
{
        for (unsigned type = 0; type < DOMAIN_GRAPHICS_LAST; type++) {
                if (count_graphics(def, (enum domain_graphics_type)type) > 1)
                        return device_unsupported(
                                error, "more than one <graphics type='%s'>",
                                domain_graphics_type_get_name((enum domain_graphics_type)type));
        }
        return true;
}

bool command_graphics_add(struct command_builder *builder, GError **error)
{
        const struct domain_devices *devices = &builder->def->devices;

        if (!check_counts(builder->def, error) || !command_audio_add(builder, error))
                return false;
        if (!count_graphics(builder->def, DOMAIN_GRAPHICS_EGL_HEADLESS) &&
            !count_graphics(builder->def, DOMAIN_GRAPHICS_DBUS))
                command_append(builder, "-display", "none");
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (!add_display(builder, &devices->graphics[i], error))
                        return false;
        }
        return true;
}
