/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI addresses. Addresses that the document gives are kept and checked; the chip set's devices are where the
 * chip set has them; the rest gets the next free slot of its kind. How many buses that takes is found out by
 * a rehearsal, so that bridges and root ports can be placed first. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/address-pci-bus-xml.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

struct device {
        xmlNode *node; /* borrowed */
        unsigned turn;
        enum pci_slot class;
        unsigned own; /* of a PCI controller: the bus it makes; PCI_BUSES_MAX: none */
        bool placed;
        struct pci_place place;
};

struct pci {
        struct hardware *hardware; /* borrowed */
        struct pci_map map;        /* owned */
        GArray *devices;           /* owned, of struct device, in the order in which they are placed */
        bool chosen;               /* the document has PCI controllers beside the root */
};

static void pci_clear(struct pci *pci)
{
        pci_map_clear(&pci->map);
        g_clear_pointer(&pci->devices, g_array_unref);
}

static struct device *get_device(const struct pci *pci, unsigned i)
{
        return &g_array_index(pci->devices, struct device, i);
}

/* ---- devices and buses of the document ---- */

static bool is_pci_controller(const xmlNode *node)
{
        return xml_is(node, "controller") && hardware_is(node, "type", "pci");
}

static void add_device(struct pci *pci, xmlNode *node, unsigned turn)
{
        struct device device = {
                .node = node, .turn = turn, .class = pci_class_of(pci->hardware, node), .own = PCI_BUSES_MAX
        };

        if (device.class == PCI_SLOT_NONE)
                return;
        if (is_pci_controller(node)) {
                hardware_get_uint(node, "index", PCI_BUSES_MAX - 1, &device.own, NULL);
                device.turn = 1;
        } else if (xml_is(node, "interface") && hardware_is(node, "type", "hostdev")) {
                device.turn = domain_kinds[DOMAIN_DEVICE_HOSTDEV].pci_turn - 1;
        }
        g_array_append_val(pci->devices, device);
}

static gint compare_turns(gconstpointer a, gconstpointer b)
{
        const struct device *left = a, *right = b;

        return (gint)left->turn - (gint)right->turn;
}

/* The order decides who gets which slot: buses first, an interface that is a host device just before those.
 */
static void collect_devices(struct pci *pci)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                HARDWARE_FOREACH (node, pci->hardware, kind) {
                        if (domain_kinds[kind].pci_turn > 0)
                                add_device(pci, node, domain_kinds[kind].pci_turn);
                }
        }
        g_array_sort(pci->devices, compare_turns);
}

static bool fill_bus(struct pci *pci, unsigned bus, GError **error)
{
        if (!pci_map_set(&pci->map, bus, pci->map.express ? "pcie-root-port" : "pci-bridge"))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED, "more than %u PCI buses",
                                 PCI_BUSES_MAX);
        return true;
}

/* Further roots are in no slot of another bus. */
static void collect_roots(struct pci *pci)
{
        HARDWARE_FOREACH (controller, pci->hardware, DOMAIN_DEVICE_CONTROLLER) {
                unsigned bus = 0;

                if (!is_pci_controller(controller) || !hardware_is(controller, "model", "pci-root"))
                        continue;
                hardware_get_uint(controller, "index", PCI_BUSES_MAX - 1, &bus, NULL);
                if (bus > 0 && pci_map_set(&pci->map, bus, "pci-root"))
                        pci_map_get(&pci->map, bus)->root = true;
        }
}

/* A number that no controller has becomes a bus of the usual kind. */
static bool collect_buses(struct pci *pci, GError **error)
{
        collect_roots(pci);
        for (unsigned i = 0; i < pci->devices->len; i++) {
                const struct device *device = get_device(pci, i);

                if (device->own == PCI_BUSES_MAX)
                        continue;
                pci->chosen = true;
                pci_map_set(&pci->map, device->own, hardware_peek(device->node, "model"));
                if (pci->hardware->fresh && hardware_child_is(device->node, "target", "hotplug", "off"))
                        pci_map_get(&pci->map, device->own)->accepts = 0;
        }
        if (pci->hardware->fresh)
                return true;
        for (unsigned bus = 0; bus < pci_map_count(&pci->map); bus++) {
                if (!pci_map_get(&pci->map, bus)->model && !fill_bus(pci, bus, error))
                        return false;
        }
        return true;
}

/* ---- given addresses ---- */

static bool double_use(const struct pci *pci, const struct device *device, GError **error)
{
        const struct pci_place *place = &device->place;
        g_autofree char *what = hardware_describe(device->node), *other = NULL;

        for (unsigned i = 0; i < pci->devices->len && !other; i++) {
                const struct device *it = get_device(pci, i);

                if (it->placed && memcmp(&it->place, place, sizeof(*place)) == 0)
                        other = hardware_describe(it->node);
        }
        return xml_error(error, device->node, "%s and %s are both at PCI address 0000:%02x:%02x.%x",
                         other ? other : "a device of the chip set", what, place->bus, place->slot,
                         place->function);
}

/* While the machine runs, a bus takes what its guest can be told of, as a whole. */
static bool check_live(const struct pci *pci, const struct device *device, GError **error)
{
        const struct pci_place *place = &device->place;
        g_autofree char *what = NULL;

        if (pci->hardware->fresh != device->node || pci->hardware->fresh_stays)
                return true;
        what = hardware_describe(device->node);
        if (place->bus >= pci_map_count(&pci->map))
                return hardware_unsupported(error, device->node, "there is no PCI bus %u for %s", place->bus,
                                            what);
        if (!(pci_map_get(&pci->map, place->bus)->accepts & device->class))
                return hardware_unsupported(error, device->node,
                                            "PCI bus %u takes no %s while the machine runs", place->bus,
                                            what);
        return place->function == 0 ||
               hardware_unsupported(error, device->node,
                                    "%s would be one of several functions, and the machine runs", what);
}

/* Buses up to the one that an address names, which has to take the device. */
static bool reach_bus(struct pci *pci, const struct device *device, GError **error)
{
        while (pci_map_count(&pci->map) <= device->place.bus) {
                unsigned bus = pci_map_count(&pci->map);

                if (!fill_bus(pci, bus, error))
                        return false;
                if (bus == device->place.bus && pci->map.express && device->class == PCI_SLOT_CONVENTIONAL)
                        pci_map_set(&pci->map, bus, "pcie-to-pci-bridge");
        }
        return true;
}

static bool refuse_slot(const struct device *device, const struct pci_bus *bus, GError **error)
{
        g_autofree char *what = hardware_describe(device->node);

        return xml_error(error, device->node,
                         "%s is to be in slot %u of PCI bus %u, and a %s has the slots %u to %u", what,
                         device->place.slot, device->place.bus, bus->model, bus->min_slot, bus->max_slot);
}

static bool check_place(struct pci *pci, struct device *device, GError **error)
{
        const struct pci_place *place = &device->place;
        const struct pci_bus *bus;

        if (place->bus == device->own)
                return xml_error(error, device->node, "PCI controller %u is on the bus that it makes itself",
                                 device->own);
        if (!check_live(pci, device, error) || !reach_bus(pci, device, error))
                return false;
        bus = pci_map_get(&pci->map, place->bus);
        if (place->slot < bus->min_slot || place->slot > bus->max_slot)
                return refuse_slot(device, bus, error);
        return pci_map_is_free(&pci->map, place) || double_use(pci, device, error);
}

static void put(struct pci *pci, struct device *device)
{
        pci_map_take(&pci->map, device->class, &device->place);
        device->placed = true;
}

/* An address of nothing but zeros leaves the choice open. */
static bool read_given(struct pci *pci, struct device *device, GError **error)
{
        const xmlNode *address = xml_child(device->node, "address");
        unsigned domain = 0;

        if (!address)
                return true;
        if (!hardware_get_uint(address, "domain", 0xffff, &domain, error) ||
            !hardware_get_uint(address, "bus", PCI_BUSES_MAX - 1, &device->place.bus, error) ||
            !hardware_get_uint(address, "slot", PCI_SLOTS - 1, &device->place.slot, error) ||
            !hardware_get_uint(address, "function", PCI_FUNCTIONS - 1, &device->place.function, error))
                return false;
        if (domain != 0)
                return xml_error(error, address, "PCI domain %u, a guest has domain 0 alone", domain);
        if (device->place.bus == 0 && device->place.slot == 0 && device->place.function == 0)
                return true;
        if (!check_place(pci, device, error))
                return false;
        put(pci, device);
        return true;
}

/* ---- the chip set ---- */

/* Places of the chip set: the functions that are its own and the controllers that may be there. */
static const struct {
        bool express;
        struct pci_place place;
        const char *type, *model; /* of controller 0; NULL: nothing that a document names */
} chips[] = {
        { false, { 0, 1, 0 }, NULL, NULL }, /* PCI to ISA */
        { false, { 0, 1, 1 }, "ide", NULL },    { false, { 0, 1, 2 }, "usb", "piix3-uhci" },
        { false, { 0, 1, 3 }, NULL, NULL },                                           /* power management */
        { true, { 0, 0x1f, 0 }, NULL, NULL },                                         /* PCI to ISA */
        { true, { 0, 0x1f, 2 }, "sata", NULL }, { true, { 0, 0x1f, 3 }, NULL, NULL }, /* SMBus */
};

static bool is_chip(const xmlNode *node, unsigned chip)
{
        unsigned index = 0;

        return chips[chip].type && xml_is(node, "controller") &&
               hardware_is(node, "type", chips[chip].type) &&
               (!chips[chip].model || hardware_is(node, "model", chips[chip].model)) &&
               hardware_get_uint(node, "index", PCI_BUSES_MAX, &index, NULL) && index == 0;
}

static bool place_chip(struct pci *pci, struct device *device, unsigned chip, GError **error)
{
        const struct pci_place *place = &chips[chip].place;
        bool fixed = strcmp(chips[chip].type, "usb") != 0;

        if (device->placed && fixed && memcmp(&device->place, place, sizeof(*place)) != 0)
                return xml_error(error, device->node,
                                 "the first %s controller of the machine is at 0000:00:%02x.%x",
                                 chips[chip].type, place->slot, place->function);
        if (device->placed)
                return true;
        device->place = *place;
        if (!pci_map_is_free(&pci->map, place))
                return double_use(pci, device, error);
        put(pci, device);
        return true;
}

static struct device *find_placed(const struct pci *pci, const struct pci_place *place)
{
        for (unsigned i = 0; i < pci->devices->len; i++) {
                struct device *device = get_device(pci, i);

                if (device->placed && memcmp(&device->place, place, sizeof(*place)) == 0)
                        return device;
        }
        return NULL;
}

static bool place_chips(struct pci *pci, GError **error)
{
        for (unsigned chip = 0; chip < G_N_ELEMENTS(chips); chip++) {
                const struct pci_place *place = &chips[chip].place;
                const struct device *there;

                if (chips[chip].express != pci->map.express)
                        continue;
                for (unsigned i = 0; chips[chip].type && i < pci->devices->len; i++) {
                        if (is_chip(get_device(pci, i)->node, chip) &&
                            !place_chip(pci, get_device(pci, i), chip, error))
                                return false;
                }
                there = find_placed(pci, place);
                if (there && !is_chip(there->node, chip))
                        return xml_error(error, there->node,
                                         "PCI address 0000:00:%02x.%x is that of the chip set", place->slot,
                                         place->function);
                pci_map_take(&pci->map, PCI_SLOT_INTEGRATED, place);
        }
        return true;
}

/* Where a device is on real machines of the kind, if that is free. */
static bool prefer(struct pci *pci, struct device *device, unsigned slot)
{
        if (device->placed || !pci_map_is_slot_free(&pci->map, 0, slot))
                return false;
        device->place = (struct pci_place){ .slot = slot };
        put(pci, device);
        return true;
}

static void place_video(struct pci *pci, struct device *device)
{
        if (!prefer(pci, device, pci->map.express ? 1 : 2) && !device->placed &&
            pci_map_find(&pci->map, PCI_SLOT_INTEGRATED, PCI_BUSES_MAX, &device->place))
                put(pci, device);
}

static void place_preferred(struct pci *pci)
{
        bool express = pci->map.express, sound = false;

        for (unsigned i = 0; i < pci->devices->len; i++) {
                struct device *device = get_device(pci, i);

                if (xml_is(device->node, "video") && device->class == PCI_SLOT_INTEGRATED)
                        place_video(pci, device);
                else if (express && !sound && xml_is(device->node, "sound") &&
                         hardware_is(device->node, "model", "ich9"))
                        sound = prefer(pci, device, 0x1b);
                else if (express && device->class == PCI_SLOT_DMI_BRIDGE)
                        prefer(pci, device, 0x1e);
        }
}

/* ---- USB controllers that are functions of one device ---- */

static bool companion_function(const xmlNode *node, unsigned *index, unsigned *function)
{
        static const struct {
                const char *model;
                unsigned function;
        } models[] = {
                { "ich9-ehci1", 7 },
                { "ich9-uhci1", 0 },
                { "ich9-uhci2", 1 },
                { "ich9-uhci3", 2 },
        };

        *index = 0;
        hardware_get_uint(node, "index", 65535, index, NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                if (hardware_is(node, "model", models[i].model)) {
                        *function = models[i].function;
                        return true;
                }
        }
        return false;
}

static bool join_companions(struct pci *pci, struct device *device)
{
        unsigned index, function, other_index, other_function;

        if (!xml_is(device->node, "controller") || !companion_function(device->node, &index, &function))
                return false;
        for (unsigned i = 0; i < pci->devices->len; i++) {
                const struct device *other = get_device(pci, i);

                if (!other->placed || !companion_function(other->node, &other_index, &other_function) ||
                    other_index != index)
                        continue;
                device->place = other->place;
                device->place.function = function;
                return pci_map_is_free(&pci->map, &device->place);
        }
        /* Beside the sound device, as on real ones; the map is left to find a slot otherwise. */
        if (!pci->map.express || !pci->hardware->machine->isa)
                return false;
        device->place = (struct pci_place){ .slot = pci_map_is_slot_free(&pci->map, 0, 0x1d) ? 0x1d : 0x1a,
                                            .function = function };
        return pci_map_is_slot_free(&pci->map, 0, device->place.slot);
}

/* ---- placing ---- */

static bool find_place(struct pci *pci, struct device *device, bool rehearsal)
{
        unsigned index, function;

        if (join_companions(pci, device))
                return true;
        if (!pci_map_find(&pci->map, device->class, rehearsal ? PCI_BUSES_MAX : device->own, &device->place))
                return false;
        if (xml_is(device->node, "controller") && companion_function(device->node, &index, &function))
                device->place.function = function;
        return true;
}

static bool no_slot(const struct device *device, GError **error)
{
        g_autofree char *what = hardware_describe(device->node);

        return hardware_unsupported(error, device->node, "no free PCI slot for %s", what);
}

static bool place_rest(struct pci *pci, bool rehearsal, GError **error)
{
        for (unsigned i = 0; i < pci->devices->len; i++) {
                struct device *device = get_device(pci, i);

                while (!device->placed) {
                        if (find_place(pci, device, rehearsal))
                                put(pci, device);
                        else if (!rehearsal || !pci_map_grow(&pci->map, device->class))
                                return no_slot(device, error);
                }
        }
        return true;
}

/* ---- the rehearsal ---- */

static bool reserve(struct pci_map *map, enum pci_slot class)
{
        struct pci_place place;

        while (!pci_map_find(map, class, PCI_BUSES_MAX, &place)) {
                if (!pci_map_grow(map, class))
                        return false;
        }
        pci_map_take(map, class, &place);
        return true;
}

static enum pci_slot class_of_bus(const char *model)
{
        if (strcmp(model, "pcie-root-port") == 0)
                return PCI_SLOT_ROOT_PORT;
        return strcmp(model, "pci-bridge") == 0 ? PCI_SLOT_PCI_BRIDGE : PCI_SLOT_EXPRESS;
}

/* Slots for the buses themselves that come in addition, which may take more buses. */
static bool reserve_buses(struct pci_map *map, const bool known[PCI_BUSES_MAX])
{
        for (unsigned bus = 1; bus < pci_map_count(map); bus++) {
                if (!known[bus] && !reserve(map, class_of_bus(pci_map_get(map, bus)->model)))
                        return false;
        }
        return true;
}

static bool has_free_slot(const struct pci_map *map)
{
        struct pci_place place;

        return pci_map_find(map, PCI_SLOT_CONVENTIONAL, PCI_BUSES_MAX, &place);
}

/*
 * One slot stays free for a device to be plugged in later: a root port, unless the document chose its ports
 * itself; on conventional PCI the place for another bridge, unless it has filled all slots by itself.
 */
static bool reserve_spare(struct pci *pci, bool was_full)
{
        if (pci->map.express)
                return pci->chosen || pci_map_count(&pci->map) == 1 || reserve(&pci->map, PCI_SLOT_EXPRESS);
        return was_full || reserve(&pci->map, PCI_SLOT_CONVENTIONAL);
}

static void find_known(const struct pci *pci, bool known[PCI_BUSES_MAX])
{
        for (unsigned i = 0; i < pci->devices->len; i++) {
                const struct device *device = get_device(pci, i);

                if (device->own < PCI_BUSES_MAX)
                        known[device->own] = true;
        }
        for (unsigned bus = 0; bus < pci_map_count(&pci->map); bus++)
                known[bus] = known[bus] || pci_map_get(&pci->map, bus)->root;
}

/* Places everything, adding buses as it goes, and keeps of that only the buses. */
static bool rehearse(struct pci *pci, GError **error)
{
        bool known[PCI_BUSES_MAX] = { true }, was_full = !has_free_slot(&pci->map), done;
        g_autoptr(GArray) devices = g_array_copy(pci->devices);
        struct pci_map map = pci->map;

        pci_map_copy(&pci->map, &map);
        find_known(pci, known);
        done = place_rest(pci, true, error);
        if (done && (!reserve_buses(&pci->map, known) || !reserve_spare(pci, was_full)))
                done = error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "no free PCI slot for a bridge");
        for (unsigned bus = pci_map_count(&map); done && bus < pci_map_count(&pci->map); bus++)
                pci_map_set(&map, bus, pci_map_get(&pci->map, bus)->model);
        pci_map_clear(&pci->map);
        pci->map = map;
        g_array_unref(pci->devices);
        pci->devices = g_steal_pointer(&devices);
        return done;
}

/* Adds the controllers of the buses that came in addition, to be placed before all others. */
static bool add_buses(struct pci *pci, GError **error)
{
        bool known[PCI_BUSES_MAX] = { true };
        unsigned at = 0;

        find_known(pci, known);
        while (at < pci->devices->len && get_device(pci, at)->own < PCI_BUSES_MAX)
                at++;
        for (unsigned bus = 1; bus < pci_map_count(&pci->map); bus++) {
                struct device device = { .own = bus };

                if (known[bus])
                        continue;
                device.node = normalize_add_controller(pci->hardware, "pci", bus,
                                                       pci_map_get(&pci->map, bus)->model);
                if (!normalize_fill_controller(pci->hardware, device.node, error))
                        return false;
                device.class = pci_class_of(pci->hardware, device.node);
                g_array_insert_val(pci->devices, at, device);
                at++;
        }
        return true;
}

/* ---- writing ---- */

static void write_target(const struct device *device, unsigned *next_bus_nr)
{
        xmlNode *target;

        if (device->class == PCI_SLOT_EXPANDER) {
                target = hardware_child(device->node, "target");
                if (!xml_has_attr(target, "busNr"))
                        hardware_set(target, "busNr", "%u", *next_bus_nr);
                *next_bus_nr -= 2;
        }
        if (device->class != PCI_SLOT_ROOT_PORT && device->class != PCI_SLOT_DOWNSTREAM)
                return;
        target = hardware_child(device->node, "target");
        if (!xml_has_attr(target, "port"))
                hardware_set(target, "port", "0x%x",
                             device->class == PCI_SLOT_ROOT_PORT
                                     ? device->place.slot << 3 | device->place.function
                                     : device->place.slot);
}

static void write_places(const struct pci *pci)
{
        unsigned next_bus_nr = 254;

        for (unsigned i = 0; i < pci->devices->len; i++) {
                const struct device *device = get_device(pci, i);
                const struct pci_place *place = &device->place;
                xmlNode *address = hardware_child(device->node, "address");
                uint8_t used = pci_map_get(&pci->map, place->bus)->used[place->slot];

                write_target(device, &next_bus_nr);
                hardware_default(address, "type", "pci");
                hardware_set(address, "domain", "0x%04x", 0);
                hardware_set(address, "bus", "0x%02x", place->bus);
                hardware_set(address, "slot", "0x%02x", place->slot);
                hardware_set(address, "function", "0x%x", place->function);
                if (place->function == 0 && used != 1)
                        hardware_default(address, "multifunction", "on");
        }
}

static bool place_given(struct pci *pci, GError **error)
{
        for (unsigned i = 0; i < pci->devices->len; i++) {
                if (!read_given(pci, get_device(pci, i), error))
                        return false;
        }
        return true;
}

static bool address_all(struct pci *pci, GError **error)
{
        bool running = pci->hardware->fresh;

        collect_devices(pci);
        if (!collect_buses(pci, error) || !place_given(pci, error))
                return false;
        if (pci->hardware->machine->isa && !place_chips(pci, error))
                return false;
        if (pci->hardware->machine->isa && !running)
                place_preferred(pci);
        if (!running && (!rehearse(pci, error) || !add_buses(pci, error)))
                return false;
        if (!place_rest(pci, false, error))
                return false;
        write_places(pci);
        return true;
}

bool address_pci(struct hardware *hardware, GError **error)
{
        __attribute__((cleanup(pci_clear))) struct pci pci = { .hardware = hardware };

        if (!hardware->machine->pcie_root && !hardware->machine->pci_root && !hardware->machine->ccw)
                return true;
        pci.devices = g_array_new(FALSE, FALSE, sizeof(struct device));
        pci_map_init(&pci.map, hardware->machine->pcie_root);
        return address_all(&pci, error);
}
