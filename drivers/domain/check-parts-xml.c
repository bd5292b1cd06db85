/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only devices of some types have, in the document itself: the typed view reads of a source what its
 * type has, and what stands beside that comes to nothing. What an editor leaves behind that changes the type
 * is taken, and told when the guest starts; the rest is refused. No state; any thread.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "base/log.h"
#include "base/xml.h"
#include "drivers/domain/definition-xml.h"

#include <string.h>

/* So many lines are enough to look for the rest. */
#define TOLD_MAX 16

/* What a device of a type has. Lists have blanks between the names. */
struct owner {
        const char *elements;   /* which devices */
        const char *types;      /* of which type= */
        const char *part;       /* in which child; NULL: in the device itself */
        const char *attributes; /* that it may have there */
        const char *children;   /* likewise; NULL: not looked at */
};

#define CHARS      "serial parallel console channel redirdev smartcard backend"
#define IMAGES     "disk backingStore"
#define STREAM     "mixingEngine fixedSettings voices bufferLength "
#define CONTROLLER "driver alias acpi address"
#define IMAGE      "seclabel slices encryption reservations dataStore"
/* What a disk's source has of other types and protocols, and would be missed. */
#define MISSED                                                                                               \
        "tls tlsHostname auth ssl cookies readahead timeout initiator snapshot config identity reconnect "   \
        "address"

static const struct owner owners[] = {
        { CHARS, "null vc stdio spicevmc", "source", "", "seclabel" },
        { CHARS, "qemu-vdagent", "source", "", "seclabel clipboard mouse" },
        { CHARS, "spiceport dbus", "source", "channel", "seclabel" },
        { CHARS, "dev pipe", "source", "path", "seclabel" },
        { CHARS, "file", "source", "path append", "seclabel" },
        { CHARS, "unix", "source", "mode path", "seclabel reconnect" },
        { CHARS, "tcp", "source", "mode host service tls", "seclabel reconnect" },
        { CHARS, "udp", "source", "mode host service", "seclabel" },
        { CHARS, "null vc stdio spicevmc qemu-vdagent spiceport dbus dev pipe file unix udp pty", "protocol",
          "", NULL },
        { IMAGES, "file", "source", "file startupPolicy index", IMAGE },
        { IMAGES, "block", "source", "dev startupPolicy index", IMAGE },
        { IMAGES, "dir", "source", "dir startupPolicy index", IMAGE },
        { IMAGES, "volume", "source", "pool volume mode startupPolicy index", IMAGE },
        { IMAGES, "nvme", "source", "type managed namespace startupPolicy index", IMAGE " address" },
        { IMAGES, "vhostuser", "source", "type path startupPolicy index", IMAGE " reconnect" },
        { IMAGES, "vhostvdpa", "source", "dev startupPolicy index", IMAGE },
        { "interface", "user vdpa", "source", "dev", NULL },
        { "interface", "ethernet", "source", "", NULL },
        { "interface", "bridge", "source", "bridge network portgroup portid", NULL },
        { "interface", "network", "source", "network portgroup portid bridge dev mode", NULL },
        { "interface", "direct", "source", "dev mode network portgroup portid", NULL },
        { "interface", "vhostuser", "source", "type path mode", "reconnect" },
        { "interface", "mcast server client", "source", "address port", NULL },
        { "interface", "udp", "source", "address port", "local" },
        { "interface", "hostdev", "source", "network portgroup portid", "address" },
        { "interface", "null", "source", "", NULL },
        { "input", "mouse tablet keyboard", "source", "", NULL },
        { "input", "passthrough", "source", "evdev", NULL },
        { "input", "evdev", "source", "dev grab grabToggle repeat", NULL },
        { "input", "evdev", NULL, "type", NULL },
        { "graphics", "vnc", NULL,
          "type port autoport websocket listen socket keymap sharePolicy passwd passwdValidTo connected "
          "powerControl wait",
          "listen audio" },
        { "graphics", "spice", NULL,
          "type port tlsPort autoport listen socket keymap passwd passwdValidTo connected defaultMode",
          "listen channel image jpeg zlib playback streaming mouse clipboard filetransfer gl" },
        { "graphics", "egl-headless", NULL, "type", "gl" },
        { "graphics", "dbus", NULL, "type address p2p", "gl audio" },
        { "controller", "pci", NULL, "type index model", CONTROLLER " model target pcihole64" },
        { "controller", "usb", NULL, "type index model ports", CONTROLLER " master" },
        { "controller", "virtio-serial", NULL, "type index model ports vectors", CONTROLLER },
        { "controller", "scsi sata ide fdc ccid", NULL, "type index model", CONTROLLER },
        { "controller", "nvme", NULL, "type index model", CONTROLLER " serial" },
        { "audio", "none spice", NULL, "id type timerPeriod", NULL },
        { "audio", "alsa jack", NULL, "id type timerPeriod", NULL },
        { "audio", "oss", NULL, "id type timerPeriod tryMMap exclusive dspPolicy", NULL },
        { "audio", "pulseaudio", NULL, "id type timerPeriod serverName", NULL },
        { "audio", "pipewire", NULL, "id type timerPeriod runtimeDir", NULL },
        { "audio", "sdl", NULL, "id type timerPeriod driver", NULL },
        { "audio", "file", NULL, "id type timerPeriod path", NULL },
        { "audio", "none spice file", "input", STREAM, "settings" },
        { "audio", "none spice file", "output", STREAM, "settings" },
        { "audio", "alsa", "input", STREAM "dev tryPoll", "settings" },
        { "audio", "alsa", "output", STREAM "dev tryPoll", "settings" },
        { "audio", "oss", "input", STREAM "dev bufferCount tryPoll", "settings" },
        { "audio", "oss", "output", STREAM "dev bufferCount tryPoll", "settings" },
        { "audio", "jack", "input", STREAM "serverName clientName connectPorts exactName", "settings" },
        { "audio", "jack", "output", STREAM "serverName clientName connectPorts exactName", "settings" },
        { "audio", "pipewire", "input", STREAM "name streamName latency", "settings" },
        { "audio", "pipewire", "output", STREAM "name streamName latency", "settings" },
        { "audio", "pulseaudio", "input", STREAM "name streamName latency", "settings" },
        { "audio", "pulseaudio", "output", STREAM "name streamName latency", "settings" },
        { "audio", "sdl", "input", STREAM "bufferCount", "settings" },
        { "audio", "sdl", "output", STREAM "bufferCount", "settings" },
};

/* The same of a disk's source of type network, by its protocol. */
#define SERVED   "protocol name startupPolicy index"
#define IN_THERE IMAGE " host auth"

static const struct owner servers[] = {
        { "source", "nbd", NULL, SERVED " tls tlsHostname", IN_THERE " reconnect" },
        { "source", "http https ftp ftps tftp", NULL, SERVED " query",
          IN_THERE " ssl cookies readahead timeout" },
        { "source", "iscsi", NULL, SERVED, IN_THERE " initiator" },
        { "source", "rbd", NULL, SERVED, IN_THERE " snapshot config" },
        { "source", "nfs", NULL, SERVED, IN_THERE " identity" },
        { "source", "ssh", NULL, SERVED, IN_THERE " identity knownHosts" },
        { "source", "gluster", NULL, SERVED, IN_THERE },
};

/*
 * Where what is of another type may stay: libvirt takes it and leaves it out, and editors and scripts that
 * make a VNC server of one for SPICE, or a user's network of a bridge, leave it behind.
 */
static const struct {
        const char *elements, *part; /* as above */
        const char *missed;          /* but not these, which somebody relies on */
} leftovers[] = {
        { CHARS, "source", "tls" },    { CHARS, "protocol", "" }, { IMAGES, "source", MISSED },
        { "interface", "source", "" }, { "graphics", NULL, "" },
};

static bool has_word(const char *list, const char *word)
{
        size_t length = strlen(word);

        for (; *list; list += strcspn(list, " "), list += *list == ' ') {
                if (strcspn(list, " ") == length && strncmp(list, word, length) == 0)
                        return true;
        }
        return false;
}

/* What is switched off may stand anywhere. */
static bool says_nothing(const char *value)
{
        return !value || !*value || strcmp(value, "no") == 0 || strcmp(value, "off") == 0 ||
               strcmp(value, "raw") == 0;
}

static bool is_off(const xmlNode *node)
{
        g_autofree char *enabled = xml_attr(node, "enabled"), *enable = xml_attr(node, "enable");

        return (!node->properties && !node->children) || g_strcmp0(enabled, "no") == 0 ||
               g_strcmp0(enable, "no") == 0;
}

/* One walk over a document: what is taken although it has no effect is noted, where anybody asks. */
struct walk {
        GPtrArray *noted; /* borrowed; of sentences; NULL: nobody asks */
        GError **error;
};

static bool may_stay(const struct owner *owner, const xmlNode *device, const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(leftovers); i++) {
                if (has_word(leftovers[i].elements, (const char *)device->name) &&
                    g_strcmp0(leftovers[i].part, owner->part) == 0)
                        return !has_word(leftovers[i].missed, name);
        }
        return false;
}

/* what: "tls=", "<host>" */
static bool judge(const struct walk *walk, bool stays, const xmlNode *node, const xmlNode *device,
                  const char *type, const char *what)
{
        const char *name = (const char *)device->name;
        g_autofree char *quoted = error_quote(type),
                        *inside = node == device ? g_strdup("") : g_strdup_printf("'s <%s>", node->name);
        g_autofree char *fault = g_strdup_printf("%s <%s>%s has %s, which is not for type '%s'",
                                                 error_article(name), name, inside, what, quoted);

        if (walk->noted)
                g_ptr_array_add(walk->noted, g_steal_pointer(&fault));
        else if (!stays)
                return check_refuse(walk->error,
                                    "%s: leave it out, or choose the type that has it, at line %u (<%s>)",
                                    fault, xml_line(node), (const char *)node->name);
        return true;
}

static bool check_part(const struct walk *walk, const struct owner *owner, const xmlNode *node,
                       const xmlNode *device, const char *type)
{
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                const char *name = (const char *)attr->name;
                g_autofree char *value = attr->ns ? NULL : xml_attr(node, name), *what = NULL;

                if (says_nothing(value) || has_word(owner->attributes, name))
                        continue;
                what = g_strdup_printf("%s=", name);
                if (!judge(walk, may_stay(owner, device, name), node, device, type, what))
                        return false;
        }
        if (!owner->children)
                return true;
        XML_FOREACH_CHILD (child, node) {
                const char *name = (const char *)child->name;
                g_autofree char *what = NULL;

                if (has_word(owner->children, name) || is_off(child))
                        continue;
                what = g_strdup_printf("<%s>", name);
                if (!judge(walk, may_stay(owner, device, name), node, device, type, what))
                        return false;
        }
        return true;
}

static bool check_owned(const struct walk *walk, const struct owner *owner, const xmlNode *device,
                        const char *type)
{
        if (!owner->part)
                return check_part(walk, owner, device, device, type);
        for (const xmlNode *part = xml_child(device, owner->part); part; part = xml_next(part)) {
                if (!check_part(walk, owner, part, device, type))
                        return false;
        }
        return true;
}

static bool check_served(const struct walk *walk, const xmlNode *device)
{
        const xmlNode *source = xml_child(device, "source");
        g_autofree char *protocol = xml_attr(source, "protocol");

        for (unsigned i = 0; protocol && i < G_N_ELEMENTS(servers); i++) {
                if (has_word(servers[i].types, protocol) &&
                    !check_part(walk, &servers[i], source, device, protocol))
                        return false;
        }
        return true;
}

/* A source says where one end is; UDP has two. */
static bool check_ends(const xmlNode *device, const char *type, GError **error)
{
        const xmlNode *first = xml_child(device, "source"), *second = first ? xml_next(first) : NULL;
        g_autofree char *one = xml_attr(first, "mode"), *other = xml_attr(second, "mode");
        bool udp = strcmp(type, "udp") == 0, bound = g_strcmp0(one, "bind") == 0;
        g_autofree char *quoted = error_quote(type);

        if (!second)
                return true;
        if (!udp)
                return check_refuse(error, "<%s type='%s'> has two <source>: there is one", device->name,
                                    quoted);
        if (xml_next(second) || bound == (g_strcmp0(other, "bind") == 0))
                return check_refuse(error,
                                    "<%s type='udp'> has two <source> at most, one of mode='bind' and one of "
                                    "mode='connect'",
                                    device->name);
        return true;
}

static bool check_node(const struct walk *walk, const xmlNode *device)
{
        const char *name = (const char *)device->name;
        bool image = has_word(IMAGES, name);
        g_autofree char *type = xml_attr(device, "type");

        if (!type && image)
                type = g_strdup("file");
        if (!type)
                return true;
        if (has_word(CHARS, name) && !check_ends(device, type, walk->error))
                return false;
        if (image && strcmp(type, "network") == 0)
                return check_served(walk, device);
        for (unsigned i = 0; i < G_N_ELEMENTS(owners); i++) {
                if (has_word(owners[i].elements, name) && has_word(owners[i].types, type) &&
                    !check_owned(walk, &owners[i], device, type))
                        return false;
        }
        return true;
}

/* A device, the images behind a disk, and what a random number generator is fed by. */
static bool check_device(const struct walk *walk, const xmlNode *device)
{
        const xmlNode *image = xml_is(device, "disk") ? xml_child(device, "backingStore") : NULL,
                      *backend = xml_is(device, "rng") ? xml_child(device, "backend") : NULL;

        if (!check_node(walk, device) || (backend && !check_node(walk, backend)))
                return false;
        for (; image; image = xml_child(image, "backingStore")) {
                if (!check_node(walk, image))
                        return false;
        }
        return true;
}

static bool check_devices(const struct check *check, GError **error)
{
        const xmlNode *devices = xml_child(xml_root(domain_doc_get_xml(check->doc)), "devices");
        const struct walk walk = { NULL, error };

        XML_FOREACH_CHILD (device, devices) {
                if (!check_device(&walk, device))
                        return false;
        }
        return true;
}

const check_function domain_check_parts[] = { check_devices, NULL };

/* ---- telling what has no effect ---- */

/* A console that is a serial port repeats what the port is connected to. */
static bool is_mirrored(const xmlNode *device)
{
        g_autofree char *target = xml_attr(xml_child(device, "target"), "type");

        return xml_is(device, "console") && (!target || strcmp(target, "serial") == 0);
}

/* A document that an earlier agent took may hold more than would be taken now: that is noted as well. */
static void note_parts(const struct domain_def *def, GPtrArray *noted)
{
        CLEANUP(domain_doc_free) struct domain_doc *doc = domain_doc_parse(def->base.xml, NULL);
        const xmlNode *devices = doc ? xml_child(xml_root(domain_doc_get_xml(doc)), "devices") : NULL;

        XML_FOREACH_CHILD (device, devices) {
                g_autoptr(GError) error = NULL;
                const struct walk walk = { noted, &error };

                if (is_mirrored(device))
                        continue;
                if (!check_device(&walk, device))
                        check_note(noted, error);
        }
}

GPtrArray *domain_def_find_leftovers(const struct domain_def *def)
{
        GPtrArray *noted = g_ptr_array_new_with_free_func(g_free);

        note_parts(def, noted);
        domain_check_note_scope(def, noted);
        domain_check_note_refused(def, noted);
        return noted;
}

void domain_def_tell_leftovers(const struct domain_def *def, const char *who)
{
        g_autoptr(GPtrArray) found = domain_def_find_leftovers(def);

        for (unsigned i = 0; i < MIN(found->len, TOLD_MAX); i++)
                log_notice("%s: %s, and that has no effect", who, (const char *)found->pdata[i]);
        if (found->len > TOLD_MAX)
                log_notice("%s: %u more settings have no effect", who, found->len - TOLD_MAX);
}
