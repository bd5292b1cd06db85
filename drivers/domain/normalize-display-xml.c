/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Defaults of graphics, video, sound and input devices. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"

#include <stdlib.h>

/* ---- graphics ---- */

static bool is_remote(const xmlNode *graphics)
{
        return hardware_is(graphics, "type", "vnc") || hardware_is(graphics, "type", "spice") ||
               hardware_is(graphics, "type", "rdp");
}

/*
 * A socket beside listens of other types, of which an editor changed the one and not the other: as with
 * libvirt a VNC server is at the socket alone, unless it is to listen nowhere, and one of SPICE at what it
 * listens on.
 */
static xmlNode *settle_socket(xmlNode *graphics, xmlNode *listen, const char *socket)
{
        if (!hardware_is(graphics, "type", "vnc") || hardware_is(listen, "type", "none")) {
                xml_set_attr(graphics, "socket", NULL);
                return listen;
        }
        xml_remove_children(graphics, "listen");
        xml_set_attr(graphics, "listen", NULL);
        listen = xml_add(graphics, "listen");
        xml_set_attr(listen, "type", "socket");
        xml_set_attr(listen, "socket", socket);
        return listen;
}

/* The first <listen> and the attributes "listen" and "socket" say the same; whichever is missing is made. */
static bool pair_listen(xmlNode *graphics, GError **error)
{
        xmlNode *listen = xml_child(graphics, "listen");
        const char *address = hardware_peek(graphics, "listen"), *socket = hardware_peek(graphics, "socket"),
                   *own;

        if (!listen) {
                listen = xml_add(graphics, "listen");
                xml_set_attr(listen, "type", socket ? "socket" : "address");
                xml_set_attr(listen, socket ? "socket" : "address", socket ? socket : address);
        }
        if (!xml_has_attr(listen, "type"))
                return xml_error(error, listen, "a <listen> without a type");
        if (socket && !hardware_is(listen, "type", "socket")) {
                listen = settle_socket(graphics, listen, socket);
                socket = hardware_peek(graphics, "socket");
                address = hardware_peek(graphics, "listen");
        }
        own = hardware_peek(listen, "address");
        if (hardware_is(listen, "type", "address") && address && own && strcmp(address, own) != 0) {
                g_autofree char *outer = error_quote(address), *inner = error_quote(own);

                return hardware_unsupported(error, graphics,
                                            "the graphics listen on '%s' and their first <listen> says '%s'",
                                            outer, inner);
        }
        if (hardware_is(listen, "type", "address")) {
                if (own)
                        xml_set_attr(graphics, "listen", own);
                else
                        hardware_default(listen, "address", address);
        } else if (hardware_is(listen, "type", "socket") && hardware_is(graphics, "type", "vnc")) {
                own = hardware_peek(listen, "socket");
                if (own)
                        xml_set_attr(graphics, "socket", own);
                else
                        hardware_default(listen, "socket", socket);
        }
        return true;
}

static bool has_network_listen(const xmlNode *graphics)
{
        XML_FOREACH_CHILD (listen, graphics) {
                if (xml_is(listen, "listen") &&
                    (hardware_is(listen, "type", "address") || hardware_is(listen, "type", "network")))
                        return true;
        }
        return false;
}

static bool check_port(const xmlNode *graphics, const char *attr, GError **error)
{
        int port = 0;

        if (!xml_get_int(graphics, attr, &port, error))
                return false;
        if (port < -1 || port > 65535)
                return xml_error(error, graphics, "attribute '%s' is no port number", attr);
        return true;
}

static void fill_vnc_port(xmlNode *graphics)
{
        const char *port = hardware_peek(graphics, "port");
        bool automatic = !port || strcmp(port, "-1") == 0 || hardware_is(graphics, "autoport", "yes");

        if (!has_network_listen(graphics))
                return;
        if (automatic)
                xml_set_attr(graphics, "port", "-1");
        xml_set_attr(graphics, "autoport", automatic ? "yes" : "no");
}

static void drop_absent_port(xmlNode *graphics, const char *attr)
{
        const char *port = hardware_peek(graphics, attr);

        if (port && atoi(port) == 0)
                xml_set_attr(graphics, attr, NULL);
}

/* Without any port SPICE serves those alone who get a descriptor from the driver. */
static void fill_spice_port(xmlNode *graphics)
{
        xmlNode *listen;

        drop_absent_port(graphics, "port");
        drop_absent_port(graphics, "tlsPort");
        if (hardware_is(graphics, "autoport", "yes")) {
                xml_set_attr(graphics, "port", NULL);
                xml_set_attr(graphics, "tlsPort", NULL);
                return;
        }
        if (xml_has_attr(graphics, "port") || xml_has_attr(graphics, "tlsPort")) {
                hardware_default(graphics, "autoport", "no");
                return;
        }
        listen = xml_child(graphics, "listen");
        if (!hardware_is(listen, "type", "address"))
                return;
        xml_set_attr(graphics, "autoport", NULL);
        xml_set_attr(graphics, "listen", NULL);
        xml_set_attr(listen, "address", NULL);
        xml_set_attr(listen, "type", "none");
}

bool normalize_fill_graphics(const struct hardware *hardware, xmlNode *graphics, GError **error)
{
        if (!xml_has_attr(graphics, "type"))
                return xml_error(error, graphics, "graphics without a type");
        if (!check_port(graphics, "port", error) || !check_port(graphics, "tlsPort", error) ||
            !check_port(graphics, "websocket", error))
                return false;
        if (!is_remote(graphics))
                return true;
        if (!pair_listen(graphics, error))
                return false;
        if (hardware_is(graphics, "type", "vnc"))
                fill_vnc_port(graphics);
        else if (hardware_is(graphics, "type", "spice"))
                fill_spice_port(graphics);
        return true;
}

/* ---- video ---- */

/* Memory that a model gets when nobody says how much, in KiB; heads: whether it has outputs to count. */
static const struct {
        const char *model;
        const char *ram, *vram, *vgamem;
        bool secondary; /* may be there beside the primary one */
        bool plain;     /* neither outputs nor a primary one */
} videos[] = {
        { "qxl", "65536", "65536", "16384", true, false }, { "virtio", NULL, NULL, NULL, true, false },
        { "vga", NULL, "16384", NULL, false, false },      { "cirrus", NULL, "16384", NULL, false, false },
        { "vmvga", NULL, "16384", NULL, false, false },    { "bochs", NULL, "16384", NULL, false, false },
        { "ramfb", NULL, NULL, NULL, false, false },       { "none", NULL, NULL, NULL, false, true },
};

static bool check_secondary(const xmlNode *video, const char *type, bool secondary, GError **error)
{
        g_autofree char *quoted = error_quote(type);

        if (!secondary)
                return hardware_unsupported(error, video, "video of type '%s' can only be the primary one",
                                            quoted);
        return true;
}

bool normalize_fill_video(const struct hardware *hardware, xmlNode *video, GError **error)
{
        bool first = hardware_get(hardware, DOMAIN_DEVICE_VIDEO, 0) == video;
        xmlNode *model = hardware_child(video, "model");
        const char *type;

        hardware_default(model, "type", hardware->machine->video_model);
        type = hardware_peek(model, "type");
        for (unsigned i = 0; type && i < G_N_ELEMENTS(videos); i++) {
                if (strcmp(type, videos[i].model) != 0)
                        continue;
                if (!first && !check_secondary(video, type, videos[i].secondary, error))
                        return false;
                if (videos[i].plain)
                        return true;
                hardware_default(model, "ram", videos[i].ram);
                hardware_default(model, "vram", videos[i].vram);
                hardware_default(model, "vgamem", videos[i].vgamem);
        }
        hardware_default(model, "heads", "1");
        if (first)
                hardware_default(model, "primary", "yes");
        else if (hardware_is(model, "primary", "yes"))
                return hardware_unsupported(error, video, "two primary video devices");
        return true;
}

/* The primary device is the first. */
static void move_primary(struct hardware *hardware)
{
        GPtrArray *nodes = hardware->nodes[DOMAIN_DEVICE_VIDEO];

        HARDWARE_FOREACH (video, hardware, DOMAIN_DEVICE_VIDEO) {
                if (video_i == 0 || !hardware_child_is(video, "model", "primary", "yes"))
                        continue;
                if (hardware_child_is(nodes->pdata[0], "model", "primary", "yes"))
                        return;
                xmlUnlinkNode(video);
                xmlAddPrevSibling(nodes->pdata[0], video);
                g_ptr_array_remove_index(nodes, video_i);
                g_ptr_array_insert(nodes, 0, video);
                return;
        }
}

void normalize_imply_videos(struct hardware *hardware)
{
        if (hardware_count(hardware, DOMAIN_DEVICE_GRAPHICS) > 0 &&
            hardware_count(hardware, DOMAIN_DEVICE_VIDEO) == 0 && hardware->machine->video_model)
                hardware_add(hardware, DOMAIN_DEVICE_VIDEO);
        move_primary(hardware);
}

/* ---- sound ---- */

/*
 * The guest's sound goes where its picture goes: into SPICE, nowhere, or, with a desktop on the host,
 * wherever that plays it.
 */
void normalize_imply_audios(struct hardware *hardware)
{
        const char *type = "none";
        xmlNode *audio;

        if (hardware_count(hardware, DOMAIN_DEVICE_AUDIO) > 0 || !hardware->machine->emulator)
                return;
        HARDWARE_FOREACH (graphics, hardware, DOMAIN_DEVICE_GRAPHICS) {
                if (hardware_is(graphics, "type", "sdl") || hardware_is(graphics, "type", "dbus"))
                        return;
                if (hardware_is(graphics, "type", "spice"))
                        type = "spice";
        }
        audio = hardware_add(hardware, DOMAIN_DEVICE_AUDIO);
        xml_set_attr(audio, "id", "1");
        xml_set_attr(audio, "type", type);
}

/* ---- input ---- */

static const char *default_input_bus(const struct hardware *hardware, const xmlNode *input)
{
        if (hardware_is(input, "type", "evdev"))
                return NULL;
        if (hardware_is(input, "type", "passthrough"))
                return "virtio";
        if (!hardware_is(input, "type", "tablet") && hardware->machine->ps2)
                return "ps2";
        return "usb";
}

bool normalize_fill_input(const struct hardware *hardware, xmlNode *input, GError **error)
{
        static const char *const types[] = { "mouse", "tablet", "keyboard", "passthrough", "evdev", NULL };
        const char *type = hardware_peek(input, "type");

        if (!hardware_require(input, input, "type", types, error))
                return false;
        hardware_default(input, "bus", default_input_bus(hardware, input));
        if (!hardware_is(input, "bus", "ps2"))
                return true;
        if (strcmp(type, "mouse") != 0 && strcmp(type, "keyboard") != 0)
                return hardware_unsupported(error, input, "%s %s cannot be on the ps2 bus",
                                            error_article(type), type);
        if (!hardware->machine->ps2 && hardware->machine->machine)
                return hardware_unsupported(error, input, "the machine has no ps2 bus");
        return true;
}

static bool has_input(const struct hardware *hardware, const char *type)
{
        HARDWARE_FOREACH (input, hardware, DOMAIN_DEVICE_INPUT) {
                if (hardware_is(input, "type", type) && hardware_is(input, "bus", "ps2"))
                        return true;
        }
        return false;
}

/* Mouse and keyboard that the machine has in any case. */
static void add_builtin_input(struct hardware *hardware, const char *type)
{
        xmlNode *input;

        if (!hardware->machine->ps2 || has_input(hardware, type))
                return;
        input = hardware_add(hardware, DOMAIN_DEVICE_INPUT);
        xml_set_attr(input, "type", type);
        xml_set_attr(input, "bus", "ps2");
}

static bool has_any_input(const struct hardware *hardware, const char *type)
{
        HARDWARE_FOREACH (input, hardware, DOMAIN_DEVICE_INPUT) {
                if (hardware_is(input, "type", type))
                        return true;
        }
        return false;
}

static void add_usb_input(struct hardware *hardware, const char *type)
{
        xmlNode *input = hardware_add(hardware, DOMAIN_DEVICE_INPUT);

        xml_set_attr(input, "type", type);
        xml_set_attr(input, "bus", "usb");
}

/* What somebody in front of its screen needs, where the machine has nothing built in. */
static void add_usb_inputs(struct hardware *hardware)
{
        if (!hardware->machine->usb_input || hardware_count(hardware, DOMAIN_DEVICE_GRAPHICS) == 0)
                return;
        if (!has_any_input(hardware, "keyboard"))
                add_usb_input(hardware, "keyboard");
        if (!has_any_input(hardware, "mouse") && !has_any_input(hardware, "tablet"))
                add_usb_input(hardware, "mouse");
}

bool normalize_settle_inputs(struct hardware *hardware, GError **error)
{
        const xmlNode *ps2 = xml_child(xml_child(hardware->root, "features"), "ps2");

        if (!hardware->fresh)
                add_usb_inputs(hardware);
        if (hardware->fresh || (ps2 && hardware_is(ps2, "state", "off")))
                return true;
        add_builtin_input(hardware, "mouse");
        add_builtin_input(hardware, "keyboard");
        return true;
}
