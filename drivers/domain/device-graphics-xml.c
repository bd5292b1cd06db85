/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user sees and hears and where he types: graphics, video, sound, audio, input.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>
#include <time.h>

#define HOST_MAX         255
#define PORT_MAX         65535
#define VNC_PASSWORD_MAX 8
#define PASSWORD_MAX     255

const char *const domain_graphics_type_names[] = {
        [DOMAIN_GRAPHICS_SDL] = "sdl",     [DOMAIN_GRAPHICS_VNC] = "vnc",
        [DOMAIN_GRAPHICS_RDP] = "rdp",     [DOMAIN_GRAPHICS_DESKTOP] = "desktop",
        [DOMAIN_GRAPHICS_SPICE] = "spice", [DOMAIN_GRAPHICS_EGL_HEADLESS] = "egl-headless",
        [DOMAIN_GRAPHICS_DBUS] = "dbus",   [DOMAIN_GRAPHICS_LAST] = NULL,
};

static const char *const listen_type_names[] = {
        [DOMAIN_LISTEN_NONE] = "none",       [DOMAIN_LISTEN_ADDRESS] = "address",
        [DOMAIN_LISTEN_NETWORK] = "network", [DOMAIN_LISTEN_SOCKET] = "socket",
        [DOMAIN_LISTEN_LAST] = NULL,
};
static const char *const no_yes_names[] = { "no", "yes", NULL };
static const char *const share_policy_names[] = { "allow-exclusive", "force-shared", "ignore", NULL };
static const char *const connected_names[] = { "fail", "disconnect", "keep", NULL };
static const char *const channel_mode_names[] = { "any", "secure", "insecure", NULL };
static const char *const channel_names[] = { "main",   "display",   "inputs",   "cursor", "playback",
                                             "record", "smartcard", "usbredir", NULL };
static const char *const image_names[] = { "auto_glz", "auto_lz", "quic", "glz", "lz", "off", NULL };
static const char *const compression_names[] = { "auto", "never", "always", NULL };
static const char *const streaming_names[] = { "filter", "all", "off", NULL };
static const char *const mouse_names[] = { "server", "client", NULL };

/* ---- graphics ---- */

static const struct field graphics_fields[] = {
        ENUM("type", struct domain_graphics, type, domain_graphics_type_names, .required = true),
        INT("port", struct domain_graphics, port, .max = PORT_MAX),
        INT("tlsPort", struct domain_graphics, tls_port, .max = PORT_MAX),
        INT("websocket", struct domain_graphics, websocket, .max = PORT_MAX),
        BOOL("autoport", struct domain_graphics, autoport, no_yes_names),
        YES_NO("fullscreen", struct domain_graphics, full_screen),
        YES_NO("powerControl", struct domain_graphics, power_control),
        YES_NO("wait", struct domain_graphics, wait),
        YES_NO("p2p", struct domain_graphics, p2p),
        STRING("address", struct domain_graphics, bus_address, .max = PATH_MAX),
        STRING("keymap", struct domain_graphics, keymap, .max = 64),
        NAME("sharePolicy", struct domain_graphics, share_policy, share_policy_names),
        TEXT("passwd", struct domain_graphics, password, .max = PASSWORD_MAX),
        STRING("passwdValidTo", struct domain_graphics, password_valid_to, .max = 32),
        NAME("connected", struct domain_graphics, password_connected, connected_names),
        NAME("defaultMode", struct domain_graphics, default_mode, channel_mode_names),
        STRING("display", struct domain_graphics, display, .max = HOST_MAX),
        STRING("xauth", struct domain_graphics, xauth, .max = PATH_MAX),
        FIELDS_END,
};
static const struct field image_fields[] = {
        NAME("compression", struct domain_graphics, image_compression, image_names), FIELDS_END
};
static const struct field jpeg_fields[] = {
        NAME("compression", struct domain_graphics, jpeg_compression, compression_names), FIELDS_END
};
static const struct field zlib_fields[] = {
        NAME("compression", struct domain_graphics, zlib_compression, compression_names), FIELDS_END
};
static const struct field playback_fields[] = { ON_OFF("compression", struct domain_graphics, playback),
                                                FIELDS_END };
static const struct field streaming_fields[] = {
        NAME("mode", struct domain_graphics, streaming, streaming_names), FIELDS_END
};
static const struct field mouse_fields[] = { NAME("mode", struct domain_graphics, mouse, mouse_names),
                                             FIELDS_END };
static const struct field clipboard_fields[] = { YES_NO("copypaste", struct domain_graphics, clipboard),
                                                 FIELDS_END };
static const struct field filetransfer_fields[] = { YES_NO("enable", struct domain_graphics, filetransfer),
                                                    FIELDS_END };
static const struct field gl_fields[] = {
        YES_NO("enable", struct domain_graphics, gl),
        PATH("rendernode", struct domain_graphics, rendernode),
        FIELDS_END,
};
static const struct field audio_id_fields[] = { INT("id", struct domain_graphics, audio_id, .min = 1),
                                                FIELDS_END };

static const struct field_part parts[] = {
        { NULL, graphics_fields },
        { "image", image_fields },
        { "jpeg", jpeg_fields },
        { "zlib", zlib_fields },
        { "playback", playback_fields },
        { "streaming", streaming_fields },
        { "mouse", mouse_fields },
        { "clipboard", clipboard_fields },
        { "gl", gl_fields },
        { "filetransfer", filetransfer_fields },
        { "audio", audio_id_fields },
        PARTS_END,
};

static const struct field listen_fields[] = {
        ENUM("type", struct domain_listen, type, listen_type_names, .required = true),
        STRING("address", struct domain_listen, address, .max = HOST_MAX),
        STRING("network", struct domain_listen, network, .max = DOMAIN_NAME_MAX),
        PATH("socket", struct domain_listen, socket),
        FIELDS_END,
};
static const struct field_part listen_parts[] = { { NULL, listen_fields }, PARTS_END };

static const struct field channel_fields[] = {
        NAME("name", struct domain_graphics_channel, name, channel_names, .required = true),
        NAME("mode", struct domain_graphics_channel, mode, channel_mode_names, .required = true),
        FIELDS_END,
};
static const struct field_part channel_parts[] = { { NULL, channel_fields }, PARTS_END };

static const struct field old_listen_fields[] = {
        STRING("listen", struct domain_listen, address, .max = HOST_MAX),
        PATH("socket", struct domain_listen, socket),
        FIELDS_END,
};

/* Documents that were not normalised may have the attribute alone. */
static bool read_old_listen(struct domain_reader *reader, xmlNode *node, struct domain_graphics *graphics,
                            GError **error)
{
        struct domain_listen listen = { .type = DOMAIN_LISTEN_NONE }, *kept;

        if (!field_read(reader, node, old_listen_fields, &listen, error))
                return false;
        if (!listen.address && !listen.socket)
                return true;
        listen.type = listen.socket ? DOMAIN_LISTEN_SOCKET : DOMAIN_LISTEN_ADDRESS;
        kept = domain_arena_alloc(reader->arena, sizeof(*kept));
        *kept = listen;
        graphics->listens = kept;
        graphics->n_listens = 1;
        return true;
}

static bool check_password(const struct domain_graphics *graphics, const xmlNode *node, GError **error)
{
        const char *until = graphics->password_valid_to;
        struct tm time = { .tm_year = 0 };

        if (graphics->type == DOMAIN_GRAPHICS_VNC && graphics->password &&
            strlen(graphics->password) > VNC_PASSWORD_MAX)
                return xml_error(error, node, "the VNC password is longer than %d bytes", VNC_PASSWORD_MAX);
        if (until) {
                const char *end = strptime(until, "%Y-%m-%dT%H:%M:%S", &time);

                if (!end || *end)
                        return xml_error(
                                error, node,
                                "invalid value of attribute 'passwdValidTo': expected YYYY-MM-DDTHH:MM:SS");
        }
        return true;
}

bool domain_read_graphics(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_graphics *graphics = target;

        graphics->port = graphics->tls_port = 0;
        if (!field_read_parts(reader, node, parts, graphics, error) ||
            !field_read_array(reader, node, "listen", listen_parts, sizeof(struct domain_listen),
                              &graphics->listens, &graphics->n_listens, error) ||
            !field_read_array(reader, node, "channel", channel_parts, sizeof(struct domain_graphics_channel),
                              &graphics->channels, &graphics->n_channels, error))
                return false;
        if (!graphics->listens && !read_old_listen(reader, node, graphics, error))
                return false;
        return check_password(graphics, node, error) &&
               domain_check_plain(node, "keymap", graphics->keymap, "/", error);
}

/* ---- video ---- */

static const char *const video_names[] = { "vga",    "cirrus", "vmvga", "xen",   "vbox",  "qxl", "parallels",
                                           "virtio", "gop",    "none",  "bochs", "ramfb", NULL };
static const char *const video_driver_names[] = { "qemu", "vhostuser", NULL };

static const struct field video_model_fields[] = {
        NAME("type", struct domain_video, model, video_names),
        UINT("ram", struct domain_video, ram_kib),
        UINT("vram", struct domain_video, vram_kib),
        UINT("vram64", struct domain_video, vram64_kib),
        UINT("vgamem", struct domain_video, vgamem_kib),
        UINT("heads", struct domain_video, heads, .max = 64),
        BOOL("primary", struct domain_video, primary, no_yes_names),
        ON_OFF("blob", struct domain_video, blob),
        ON_OFF("edid", struct domain_video, edid),
        FIELDS_END,
};
static const struct field acceleration_fields[] = {
        YES_NO("accel3d", struct domain_video, accel3d),
        YES_NO("accel2d", struct domain_video, accel2d),
        PATH("rendernode", struct domain_video, rendernode),
        FIELDS_END,
};
static const struct field resolution_fields[] = {
        UINT("x", struct domain_video, resolution_x, .required = true, .min = 1, .max = 65535),
        UINT("y", struct domain_video, resolution_y, .required = true, .min = 1, .max = 65535),
        FIELDS_END,
};
static const struct field video_driver_fields[] = {
        NAME("name", struct domain_video, driver, video_driver_names),
        FIELDS_END,
};

static const struct field_part video_parts[] = {
        { "driver", video_driver_fields },
        VIRTIO_PART(struct domain_video),
        { "model", video_model_fields },
        { "model/acceleration", acceleration_fields },
        { "model/resolution", resolution_fields },
        INFO_PARTS(struct domain_video),
        PARTS_END,
};

bool domain_read_video(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, video_parts, target, error);
}

/* ---- sound and audio ---- */

static const char *const sound_names[] = { "sb16", "es1370", "pcspk", "ac97",   "ich6",
                                           "ich9", "usb",    "ich7",  "virtio", NULL };
static const char *const codec_names[] = { "duplex", "micro", "output", NULL };

static const struct field sound_fields[] = {
        NAME("model", struct domain_sound, model, sound_names, .required = true),
        YES_NO("multichannel", struct domain_sound, multichannel),
        UINT("streams", struct domain_sound, streams, .min = 1, .max = 64),
        FIELDS_END,
};
static const struct field sound_audio_fields[] = { UINT("id", struct domain_sound, audio_id, .min = 1),
                                                   FIELDS_END };
static const struct field_part sound_parts[] = {
        { NULL, sound_fields },
        { "audio", sound_audio_fields },
        INFO_PARTS(struct domain_sound),
        PARTS_END,
};

struct codec {
        const char *type;
};
static const struct field codec_fields[] = {
        NAME("type", struct codec, type, codec_names, .required = true),
        FIELDS_END,
};

static bool read_codecs(struct domain_reader *reader, xmlNode *node, struct domain_sound *sound,
                        GError **error)
{
        unsigned n = 0;
        const char **codecs;

        for (xmlNode *codec = xml_child(node, "codec"); codec; codec = xml_next(codec))
                n++;
        if (n == 0)
                return true;
        codecs = domain_arena_alloc(reader->arena, (n + 1) * sizeof(*codecs));
        sound->codecs = codecs;
        for (xmlNode *codec = xml_child(node, "codec"); codec; codec = xml_next(codec), codecs++) {
                if (!field_read(reader, codec, codec_fields, codecs, error))
                        return false;
        }
        return true;
}

bool domain_read_sound(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, sound_parts, target, error) &&
               read_codecs(reader, node, target, error);
}

/* ---- input ---- */

static const char *const input_type_names[] = { "mouse", "tablet", "keyboard", "passthrough", "evdev", NULL };
static const char *const input_bus_names[] = { "ps2", "usb", "xen", "parallels", "virtio", "none", NULL };
static const char *const grab_names[] = { "all", NULL };
static const char *const grab_toggle_names[] = { "ctrl-ctrl",  "alt-alt",         "shift-shift", "meta-meta",
                                                 "scrolllock", "ctrl-scrolllock", NULL };

static const struct field input_fields[] = {
        NAME("type", struct domain_input, type, input_type_names, .required = true),
        NAME("bus", struct domain_input, bus, input_bus_names),
        NAME("model", struct domain_input, model, domain_virtio_model_names),
        FIELDS_END,
};
static const struct field input_source_fields[] = {
        PATH("evdev", struct domain_input, source),
        PATH("dev", struct domain_input, source),
        NAME("grab", struct domain_input, grab, grab_names),
        NAME("grabToggle", struct domain_input, grab_toggle, grab_toggle_names),
        ON_OFF("repeat", struct domain_input, repeat),
        FIELDS_END,
};
static const struct field_part input_parts[] = {
        { NULL, input_fields },
        { "source", input_source_fields },
        VIRTIO_PART(struct domain_input),
        INFO_PARTS(struct domain_input),
        PARTS_END,
};

bool domain_read_input(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, input_parts, target, error);
}
