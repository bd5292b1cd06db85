/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB ports: a tree of hubs below every controller, filled level by level; hubs are added when the ports do
 * not suffice. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

/* Ports of an emulated hub, and how deep hubs can be plugged into hubs. */
#define HUB_PORTS 8
#define DEPTH_MAX 4
#define PORT_MAX  255

/* A controller or a hub. */
struct hub {
        unsigned n_ports;
        unsigned n_free;
        struct port {
                const xmlNode *device; /* borrowed; NULL: free */
                struct hub *hub;       /* owned; what is plugged in, when that is a hub */
        } * ports;                     /* owned, from port 1 on */
};

struct usb {
        GHashTable *buses; /* owned: index -> owned struct hub */
        GArray *indexes;   /* owned, of unsigned, ascending */
};

struct path {
        unsigned bus;
        unsigned depth;
        unsigned ports[DEPTH_MAX]; /* from 1 */
};

static struct hub *hub_new(unsigned n_ports)
{
        struct hub *hub = g_new0(struct hub, 1);

        hub->n_ports = hub->n_free = n_ports;
        hub->ports = g_new0(struct port, n_ports);
        return hub;
}

static void hub_free(gpointer data)
{
        struct hub *hub = data;

        for (unsigned i = 0; i < hub->n_ports; i++) {
                if (hub->ports[i].hub)
                        hub_free(hub->ports[i].hub);
        }
        g_free(hub->ports);
        g_free(hub);
}

/* ---- controllers ---- */

static unsigned ports_of(const char *model)
{
        static const struct {
                const char *model;
                unsigned ports;
        } models[] = {
                { "piix3-uhci", 2 }, { "piix4-uhci", 2 }, { "vt82c686b-uhci", 2 }, { "pci-ohci", 3 },
                { "ehci", 6 },       { "ich9-ehci1", 6 }, { "nec-xhci", 4 },       { "qemu-xhci", 4 },
                { "qusb1", 8 },      { "qusb2", 8 },
        };

        for (unsigned i = 0; model && i < G_N_ELEMENTS(models); i++) {
                if (strcmp(model, models[i].model) == 0)
                        return models[i].ports;
        }
        return model && g_str_has_prefix(model, "ich9-uhci") ? 2 : 0;
}

static bool collect_buses(struct hardware *hardware, struct usb *usb, GError **error)
{
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                unsigned index = 0, ports = ports_of(hardware_peek(controller, "model"));
                const struct hub *known;

                if (!hardware_is(controller, "type", "usb"))
                        continue;
                if (!hardware_get_uint(controller, "index", 65535, &index, error) ||
                    !hardware_get_uint(controller, "ports", PORT_MAX, &ports, error))
                        return false;
                /* Companions serve the ports of the main controller. */
                known = g_hash_table_lookup(usb->buses, GUINT_TO_POINTER(index));
                if (known && known->n_ports >= ports)
                        continue;
                if (!known)
                        g_array_append_val(usb->indexes, index);
                g_hash_table_insert(usb->buses, GUINT_TO_POINTER(index), hub_new(ports));
        }
        return true;
}

/* ---- given addresses ---- */

static bool parse_path(const xmlNode *address, struct path *path, GError **error)
{
        const char *text = hardware_peek(address, "port");
        g_auto(GStrv) parts = NULL;

        *path = (struct path){ 0 };
        if (!hardware_get_uint(address, "bus", 65535, &path->bus, error))
                return false;
        if (!text)
                return true;
        parts = g_strsplit(text, ".", DEPTH_MAX + 1);
        for (; parts[path->depth]; path->depth++) {
                guint64 port;

                if (path->depth == DEPTH_MAX ||
                    !g_ascii_string_to_unsigned(parts[path->depth], 10, 1, PORT_MAX, &port, NULL)) {
                        g_autofree char *quoted = error_quote(text);

                        return xml_error(error, address, "malformed USB port '%s'", quoted);
                }
                path->ports[path->depth] = (unsigned)port;
        }
        return true;
}

static char *format_ports(const struct path *path)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < path->depth; i++)
                g_string_append_printf(text, "%s%u", i > 0 ? "." : "", path->ports[i]);
        return g_string_free(text, FALSE);
}

static void write_path(xmlNode *device, const struct path *path)
{
        xmlNode *address = hardware_child(device, "address");
        g_autofree char *ports = format_ports(path);

        xml_set_attr(address, "type", "usb");
        xml_set_attr_format(address, "bus", "%u", path->bus);
        xml_set_attr(address, "port", ports);
}

static void plug(struct hub *hub, unsigned port, const xmlNode *device)
{
        struct port *slot = &hub->ports[port - 1];

        slot->device = device;
        hub->n_free--;
        if (xml_is(device, "hub"))
                slot->hub = hub_new(HUB_PORTS);
}

static bool refuse_bus(const xmlNode *device, unsigned bus, GError **error)
{
        g_autofree char *what = hardware_describe(device);

        return xml_error(error, device, "%s is to be at USB controller %u, which is not there", what, bus);
}

static bool refuse_port(const xmlNode *device, const struct path *path, const char *ports, GError **error)
{
        g_autofree char *what = hardware_describe(device);

        return xml_error(error, device, "%s is to be at port %s of USB controller %u, which has no such port",
                         what, ports, path->bus);
}

static bool claim_path(struct usb *usb, xmlNode *device, const struct path *path, GError **error)
{
        struct hub *hub = g_hash_table_lookup(usb->buses, GUINT_TO_POINTER(path->bus));
        g_autofree char *ports = format_ports(path);

        if (!hub)
                return refuse_bus(device, path->bus, error);
        for (unsigned i = 0; i < path->depth; i++) {
                struct port *port = path->ports[i] <= hub->n_ports ? &hub->ports[path->ports[i] - 1] : NULL;
                bool last = i + 1 == path->depth;

                if (!port || (!last && !port->hub))
                        return refuse_port(device, path, ports, error);
                if (last && port->device) {
                        g_autofree char *first = hardware_describe(port->device),
                                        *second = hardware_describe(device);

                        return xml_error(error, device, "%s and %s are both at port %s of USB controller %u",
                                         first, second, ports, path->bus);
                }
                if (last)
                        plug(hub, path->ports[i], device);
                else
                        hub = port->hub;
        }
        write_path(device, path);
        return true;
}

/* ---- chosen addresses ---- */

/* The first free port that is depth levels below hub. */
static bool find_port(struct hub *hub, unsigned depth, struct path *path, struct hub **holder)
{
        for (unsigned i = 0; i < hub->n_ports; i++) {
                path->ports[path->depth] = i + 1;
                path->depth++;
                if (depth == 0 && hub->n_free > 0 && !hub->ports[i].device) {
                        *holder = hub;
                        return true;
                }
                if (depth > 0 && hub->ports[i].hub && find_port(hub->ports[i].hub, depth - 1, path, holder))
                        return true;
                path->depth--;
        }
        return false;
}

static bool find_on_bus(struct usb *usb, unsigned index, struct path *path, struct hub **holder)
{
        struct hub *root = g_hash_table_lookup(usb->buses, GUINT_TO_POINTER(index));

        for (unsigned depth = 0; root && depth < DEPTH_MAX; depth++) {
                *path = (struct path){ .bus = index };
                if (find_port(root, depth, path, holder))
                        return true;
        }
        return false;
}

/* One that was left from another bus would be written over. */
static bool check_type(const xmlNode *device, const xmlNode *address, GError **error)
{
        g_autofree char *what = NULL, *quoted = NULL;

        if (!xml_has_attr(address, "type") || hardware_is(address, "type", "usb"))
                return true;
        what = hardware_describe(device);
        quoted = error_quote(hardware_peek(address, "type"));
        return hardware_unsupported(error, device, "%s is on USB and has an address of type '%s'", what,
                                    quoted);
}

static bool place(struct usb *usb, xmlNode *device, GError **error)
{
        const xmlNode *address = xml_child(device, "address");
        struct hub *holder = NULL;
        struct path path = { 0 };
        bool found = false;

        if (address && !check_type(device, address, error))
                return false;
        if (address && !parse_path(address, &path, error))
                return false;
        if (address && !g_hash_table_contains(usb->buses, GUINT_TO_POINTER(path.bus)))
                return refuse_bus(device, path.bus, error);
        if (address)
                found = find_on_bus(usb, path.bus, &path, &holder);
        for (unsigned i = 0; !address && !found && i < usb->indexes->len; i++)
                found = find_on_bus(usb, g_array_index(usb->indexes, unsigned, i), &path, &holder);
        if (!found) {
                g_autofree char *what = hardware_describe(device);

                return hardware_unsupported(error, device, "no free USB port for %s", what);
        }
        plug(holder, path.ports[path.depth - 1], device);
        write_path(device, &path);
        return true;
}

/* ---- which devices ---- */

static bool is_usb(const struct domain_kind_usb *usb, const xmlNode *device)
{
        const xmlNode *holder = usb->child ? xml_child(device, usb->child) : device;

        return (!usb->value || hardware_is(holder, usb->attr, usb->value)) &&
               !hardware_child_is(device, "address", "type", "unassigned");
}

/* In the order in which they get their ports. */
static GPtrArray *list_devices(struct hardware *hardware)
{
        GPtrArray *devices = g_ptr_array_new();

        for (unsigned turn = 1; turn <= DOMAIN_DEVICE_KINDS; turn++) {
                for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                        if (domain_kinds[kind].usb.turn != turn)
                                continue;
                        HARDWARE_FOREACH (device, hardware, kind) {
                                if (is_usb(&domain_kinds[kind].usb, device))
                                        g_ptr_array_add(devices, device);
                        }
                }
        }
        return devices;
}

static bool has_port(const xmlNode *device)
{
        return xml_has_attr(xml_child(device, "address"), "port");
}

static gint compare_depths(gconstpointer a, gconstpointer b)
{
        const xmlNode *left = *(const xmlNode *const *)a, *right = *(const xmlNode *const *)b;

        return (gint)strlen(hardware_peek_child(left, "address", "port")) -
               (gint)strlen(hardware_peek_child(right, "address", "port"));
}

/* Hubs come before what is plugged into them. */
static bool claim_given(struct usb *usb, GPtrArray *devices, GError **error)
{
        g_autoptr(GPtrArray) given = g_ptr_array_new();
        struct path path;

        for (unsigned i = 0; i < devices->len; i++) {
                if (xml_is(devices->pdata[i], "hub") && has_port(devices->pdata[i]))
                        g_ptr_array_add(given, devices->pdata[i]);
        }
        g_ptr_array_sort(given, compare_depths);
        for (unsigned i = 0; i < devices->len; i++) {
                if (!xml_is(devices->pdata[i], "hub") && has_port(devices->pdata[i]))
                        g_ptr_array_add(given, devices->pdata[i]);
        }
        for (unsigned i = 0; i < given->len; i++) {
                if (!parse_path(xml_child(given->pdata[i], "address"), &path, error) ||
                    !claim_path(usb, given->pdata[i], &path, error))
                        return false;
        }
        return true;
}

static unsigned count_hub(const struct hub *hub)
{
        unsigned free = hub->n_free;

        for (unsigned i = 0; i < hub->n_ports; i++) {
                if (hub->ports[i].hub)
                        free += count_hub(hub->ports[i].hub);
        }
        return free;
}

static unsigned count_free(const struct usb *usb)
{
        unsigned free = 0;

        for (unsigned i = 0; i < usb->indexes->len; i++) {
                unsigned index = g_array_index(usb->indexes, unsigned, i);

                free += count_hub(g_hash_table_lookup(usb->buses, GUINT_TO_POINTER(index)));
        }
        return free;
}

/* Adds hubs until the ports suffice: each takes one port and brings eight. Hubs are at the head of devices.
 */
static void add_hubs(struct hardware *hardware, const struct usb *usb, GPtrArray *devices)
{
        unsigned free = count_free(usb), wanted = 0, hubs = 0;

        for (unsigned i = 0; i < devices->len; i++) {
                bool hub = xml_is(devices->pdata[i], "hub");

                hubs += hub;
                if (has_port(devices->pdata[i]))
                        continue;
                wanted++;
                free += hub ? HUB_PORTS : 0;
        }
        while (wanted > free && free > 0) {
                xmlNode *hub = hardware_add(hardware, DOMAIN_DEVICE_HUB);

                xml_set_attr(hub, "type", "usb");
                g_ptr_array_insert(devices, (gint)hubs++, hub);
                wanted++;
                free += HUB_PORTS;
        }
}

static bool place_all(struct hardware *hardware, struct usb *usb, GError **error)
{
        g_autoptr(GPtrArray) devices = list_devices(hardware);

        if (devices->len > 0 && g_hash_table_size(usb->buses) > 0 && count_free(usb) == 0) {
                g_autofree char *what = hardware_describe(devices->pdata[0]);

                return hardware_unsupported(error, devices->pdata[0], "USB is disabled, %s cannot be there",
                                            what);
        }
        if (!claim_given(usb, devices, error))
                return false;
        if (!hardware->fresh)
                add_hubs(hardware, usb, devices);
        for (unsigned i = 0; i < devices->len; i++) {
                if (!has_port(devices->pdata[i]) && !place(usb, devices->pdata[i], error))
                        return false;
        }
        return true;
}

bool address_usb(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) buses = g_hash_table_new_full(NULL, NULL, NULL, hub_free);
        g_autoptr(GArray) indexes = g_array_new(FALSE, FALSE, sizeof(unsigned));
        struct usb usb = { .buses = buses, .indexes = indexes };

        return collect_buses(hardware, &usb, error) && place_all(hardware, &usb, error);
}
