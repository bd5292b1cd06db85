/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports of virtio-serial controllers and slots of smartcard readers. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/normalize-steps-xml.h"

/* Ports of a virtio-serial controller that does not say how many it has, and the most that one can have. */
#define PORTS_DEFAULT  31
#define PORTS_MAX      511
#define CONTROLLER_MAX 255

/* ---- virtio-serial ---- */

struct serial_controller {
        unsigned index, ports;
        unsigned next;    /* all below it are taken */
        GHashTable *used; /* owned: port -> device */
};

struct serial_ports {
        GPtrArray *controllers; /* owned, of owned struct serial_controller, by index */
};

static void free_controller(gpointer data)
{
        struct serial_controller *controller = data;

        g_hash_table_unref(controller->used);
        g_free(controller);
}

static gint compare_controllers(gconstpointer a, gconstpointer b)
{
        const struct serial_controller *const *left = a, *const *right = b;

        return ((*left)->index > (*right)->index) - ((*left)->index < (*right)->index);
}

static struct serial_controller *find_controller(const struct serial_ports *ports, unsigned index)
{
        for (unsigned i = 0; i < ports->controllers->len; i++) {
                struct serial_controller *controller = ports->controllers->pdata[i];

                if (controller->index == index)
                        return controller;
        }
        return NULL;
}

static struct serial_controller *enter_controller(struct serial_ports *ports, unsigned index, unsigned count)
{
        struct serial_controller *controller = g_new0(struct serial_controller, 1);

        controller->index = index;
        controller->ports = count;
        controller->next = 1; /* port 0 is that of a console */
        controller->used = g_hash_table_new(NULL, NULL);
        g_ptr_array_add(ports->controllers, controller);
        g_ptr_array_sort(ports->controllers, compare_controllers);
        return controller;
}

static bool collect_controllers(struct hardware *hardware, struct serial_ports *ports, GError **error)
{
        HARDWARE_FOREACH (node, hardware, DOMAIN_DEVICE_CONTROLLER) {
                unsigned index = 0, count = PORTS_DEFAULT;

                if (!hardware_is(node, "type", "virtio-serial"))
                        continue;
                if (!hardware_get_uint(node, "index", CONTROLLER_MAX, &index, error) ||
                    !hardware_get_uint(node, "ports", PORTS_MAX, &count, error))
                        return false;
                enter_controller(ports, index, count);
        }
        return true;
}

static struct serial_controller *add_controller(struct hardware *hardware, struct serial_ports *ports,
                                                unsigned index)
{
        normalize_add_controller(hardware, "virtio-serial", index, NULL);
        return enter_controller(ports, index, PORTS_DEFAULT);
}

static void write_port(xmlNode *device, const struct serial_controller *controller, unsigned port)
{
        xmlNode *address = hardware_child(device, "address");

        hardware_set(address, "type", "virtio-serial");
        hardware_set(address, "controller", "%u", controller->index);
        hardware_set(address, "bus", "%u", 0U);
        hardware_set(address, "port", "%u", port);
}

static bool claim_port(struct serial_controller *controller, xmlNode *device, unsigned port, GError **error)
{
        const xmlNode *other = g_hash_table_lookup(controller->used, GUINT_TO_POINTER(port));

        if (port >= controller->ports) {
                g_autofree char *what = hardware_describe(device);

                return xml_error(
                        error, device,
                        "%s is to be at port %u, and virtio-serial controller %u has the ports 0 to %u", what,
                        port, controller->index, controller->ports - 1);
        }
        if (other) {
                g_autofree char *first = hardware_describe(other), *second = hardware_describe(device);

                return xml_error(error, device,
                                 "%s and %s are both at port %u of virtio-serial controller %u", first,
                                 second, port, controller->index);
        }
        g_hash_table_insert(controller->used, GUINT_TO_POINTER(port), device);
        write_port(device, controller, port);
        return true;
}

/* Port 0 in the address of a channel leaves the choice open, as no port does. */
static bool claim_given(struct hardware *hardware, struct serial_ports *ports, xmlNode *device,
                        GError **error)
{
        const xmlNode *address = xml_child(device, "address");
        struct serial_controller *controller;
        unsigned index = 0, bus = 0, port = 0;

        if (!address)
                return true;
        if (!hardware_is(address, "type", "virtio-serial"))
                return xml_error(error, address, "a virtio port needs an address of type virtio-serial");
        if (!hardware_get_uint(address, "controller", CONTROLLER_MAX, &index, error) ||
            !hardware_get_uint(address, "bus", 0, &bus, error) ||
            !hardware_get_uint(address, "port", PORTS_MAX, &port, error))
                return false;
        controller = find_controller(ports, index);
        if (!controller)
                controller = add_controller(hardware, ports, index);
        if (port == 0 && !xml_is(device, "console"))
                return true;
        return claim_port(controller, device, port, error);
}

static bool find_free_port(struct serial_controller *controller, unsigned *port)
{
        while (controller->next < controller->ports &&
               g_hash_table_contains(controller->used, GUINT_TO_POINTER(controller->next)))
                controller->next++;
        *port = controller->next;
        return *port < controller->ports;
}

static bool place_channel(struct hardware *hardware, struct serial_ports *ports, xmlNode *channel,
                          GError **error)
{
        const xmlNode *address = xml_child(channel, "address");
        struct serial_controller *controller = NULL;
        unsigned index = 0, given = 0, port;

        if (!hardware_get_uint(address, "port", PORTS_MAX, &given, error) || given > 0)
                return given > 0;
        if (xml_has_attr(address, "controller")) {
                if (!hardware_get_uint(address, "controller", CONTROLLER_MAX, &index, error))
                        return false;
                controller = find_controller(ports, index);
                if (controller && find_free_port(controller, &port))
                        return claim_port(controller, channel, port, error);
                return xml_error(error, channel, "virtio-serial controller %u has no free port", index);
        }
        for (unsigned i = 0; i < ports->controllers->len; i++) {
                controller = ports->controllers->pdata[i];
                if (find_free_port(controller, &port))
                        return claim_port(controller, channel, port, error);
        }
        while (find_controller(ports, index))
                index++;
        controller = add_controller(hardware, ports, index);
        return find_free_port(controller, &port) && claim_port(controller, channel, port, error);
}

static bool is_virtio(const xmlNode *device)
{
        return hardware_child_is(device, "target", "type", "virtio");
}

static bool place_serial_ports(struct hardware *hardware, struct serial_ports *ports, GError **error)
{
        static const enum domain_device_kind kinds[] = { DOMAIN_DEVICE_CONSOLE, DOMAIN_DEVICE_CHANNEL };

        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                HARDWARE_FOREACH (device, hardware, kinds[i]) {
                        if (!is_virtio(device))
                                continue;
                        /* As in libvirt, whatever other controllers there are. */
                        if (!find_controller(ports, 0) && !xml_child(device, "address"))
                                add_controller(hardware, ports, 0);
                        if (!claim_given(hardware, ports, device, error))
                                return false;
                }
        }
        /* A console is found by its number, not by its port. */
        HARDWARE_FOREACH (channel, hardware, DOMAIN_DEVICE_CHANNEL) {
                if (is_virtio(channel) && !place_channel(hardware, ports, channel, error))
                        return false;
        }
        return true;
}

static bool address_serial(struct hardware *hardware, GError **error)
{
        g_autoptr(GPtrArray) controllers = g_ptr_array_new_with_free_func(free_controller);
        struct serial_ports ports = { .controllers = controllers };

        return collect_controllers(hardware, &ports, error) && place_serial_ports(hardware, &ports, error);
}

/* ---- smartcards ---- */

/* A reader takes one card. */
static bool address_smartcards(struct hardware *hardware, GError **error)
{
        g_autoptr(GHashTable) used = g_hash_table_new(NULL, NULL);
        unsigned next = 0;

        for (int given = 1; given >= 0; given--) {
                HARDWARE_FOREACH (card, hardware, DOMAIN_DEVICE_SMARTCARD) {
                        xmlNode *address = xml_child(card, "address");
                        unsigned controller = 0, slot = 0;

                        if ((address != NULL) != given)
                                continue;
                        while (!address && g_hash_table_contains(used, GUINT_TO_POINTER(next)))
                                next++;
                        controller = next;
                        if (address &&
                            (!hardware_get_uint(address, "controller", CONTROLLER_MAX, &controller, error) ||
                             !hardware_get_uint(address, "slot", 0, &slot, error)))
                                return false;
                        if (!g_hash_table_add(used, GUINT_TO_POINTER(controller)))
                                return xml_error(error, card, "two smartcards are in ccid controller %u",
                                                 controller);
                        address = hardware_child(card, "address");
                        hardware_set(address, "type", "ccid");
                        hardware_set(address, "controller", "%u", controller);
                        hardware_set(address, "slot", "%u", slot);
                        if (!normalize_find_controller(hardware, "ccid", controller))
                                normalize_add_controller(hardware, "ccid", controller, NULL);
                }
        }
        return true;
}

bool address_ports(struct hardware *hardware, GError **error)
{
        return address_serial(hardware, error) && address_smartcards(hardware, error);
}
