/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map of PCI slots. No state of its own; any thread.
 */
#include "drivers/domain/address-pci-bus-xml.h"

/* What each kind of bus takes, and in which of its slots. */
static const struct pci_bus models[] = {
        { .model = "pci-root",
          .accepts = PCI_SLOT_CONVENTIONAL | PCI_SLOT_INTEGRATED | PCI_SLOT_PCI_BRIDGE | PCI_SLOT_EXPANDER,
          .min_slot = 1,
          .max_slot = 31 },
        { .model = "pcie-root",
          .accepts = PCI_SLOT_INTEGRATED | PCI_SLOT_ROOT_PORT | PCI_SLOT_DMI_BRIDGE | PCI_SLOT_EXPANDER,
          .min_slot = 1,
          .max_slot = 31 },
        { .model = "pci-bridge",
          .accepts = PCI_SLOT_CONVENTIONAL | PCI_SLOT_PCI_BRIDGE,
          .min_slot = 1,
          .max_slot = 31 },
        { .model = "dmi-to-pci-bridge", .accepts = PCI_SLOT_PCI_BRIDGE, .min_slot = 0, .max_slot = 31 },
        { .model = "pcie-to-pci-bridge",
          .accepts = PCI_SLOT_CONVENTIONAL | PCI_SLOT_PCI_BRIDGE,
          .min_slot = 1,
          .max_slot = 31 },
        { .model = "pcie-root-port", .accepts = PCI_SLOT_EXPRESS | PCI_SLOT_UPSTREAM },
        { .model = "pcie-switch-upstream-port", .accepts = PCI_SLOT_DOWNSTREAM, .max_slot = 31 },
        { .model = "pcie-switch-downstream-port", .accepts = PCI_SLOT_EXPRESS | PCI_SLOT_UPSTREAM },
        { .model = "pci-expander-bus", .accepts = PCI_SLOT_PCI_BRIDGE, .max_slot = 31 },
        { .model = "pcie-expander-bus", .accepts = PCI_SLOT_ROOT_PORT | PCI_SLOT_DMI_BRIDGE, .max_slot = 31 },
};

void pci_map_init(struct pci_map *map, bool express)
{
        map->buses = g_array_new(FALSE, TRUE, sizeof(struct pci_bus));
        map->express = express;
        pci_map_set(map, 0, express ? "pcie-root" : "pci-root");
}

void pci_map_clear(struct pci_map *map)
{
        g_clear_pointer(&map->buses, g_array_unref);
}

void pci_map_copy(struct pci_map *map, const struct pci_map *from)
{
        map->express = from->express;
        map->buses = g_array_copy(from->buses);
}

bool pci_map_set(struct pci_map *map, unsigned bus, const char *model)
{
        if (bus >= PCI_BUSES_MAX)
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                if (strcmp(models[i].model, model) != 0)
                        continue;
                if (bus >= map->buses->len)
                        g_array_set_size(map->buses, bus + 1);
                *pci_map_get(map, bus) = models[i];
                pci_map_get(map, bus)->first_free = models[i].min_slot;
                return true;
        }
        return false;
}

static bool append(struct pci_map *map, const char *model)
{
        return pci_map_set(map, pci_map_count(map), model);
}

static bool has_conventional(const struct pci_map *map)
{
        for (unsigned i = 0; i < pci_map_count(map); i++) {
                if (pci_map_get(map, i)->accepts & PCI_SLOT_CONVENTIONAL)
                        return true;
        }
        return false;
}

bool pci_map_grow(struct pci_map *map, enum pci_slot class)
{
        if (class == PCI_SLOT_EXPRESS || class == PCI_SLOT_UPSTREAM)
                return map->express && append(map, "pcie-root-port");
        if (class == PCI_SLOT_CONVENTIONAL && map->express && has_conventional(map))
                return append(map, "pci-bridge");
        if ((class == PCI_SLOT_CONVENTIONAL || class == PCI_SLOT_PCI_BRIDGE) && !map->express)
                return append(map, "pci-bridge");
        /* A bridge to plain PCI comes with the root port that it is plugged into. */
        if (class == PCI_SLOT_CONVENTIONAL || class == PCI_SLOT_PCI_BRIDGE)
                return append(map, "pcie-root-port") && append(map, "pcie-to-pci-bridge");
        return false;
}

bool pci_map_is_slot_free(const struct pci_map *map, unsigned bus, unsigned slot)
{
        return pci_map_get(map, bus)->used[slot] == 0;
}

bool pci_map_is_free(const struct pci_map *map, const struct pci_place *place)
{
        return !(pci_map_get(map, place->bus)->used[place->slot] & 1U << place->function);
}

/* Root ports share a slot, eight to one. */
static bool find_shared(const struct pci_bus *bus, struct pci_place *place)
{
        for (unsigned slot = bus->min_slot; slot <= bus->max_slot; slot++) {
                if (bus->ports[slot] == 0 || bus->ports[slot] != bus->used[slot] || bus->used[slot] == 0xff)
                        continue;
                place->slot = slot;
                place->function = (unsigned)__builtin_ctz(~(unsigned)bus->used[slot]);
                return true;
        }
        return false;
}

static bool find_slot(struct pci_bus *bus, struct pci_place *place)
{
        while (bus->first_free <= bus->max_slot && bus->used[bus->first_free])
                bus->first_free++;
        place->slot = bus->first_free;
        place->function = 0;
        return bus->first_free <= bus->max_slot;
}

bool pci_map_find(const struct pci_map *map, enum pci_slot class, unsigned own, struct pci_place *place)
{
        for (place->bus = 0; place->bus < pci_map_count(map); place->bus++) {
                struct pci_bus *bus = pci_map_get(map, place->bus);

                if (!(bus->accepts & class) || place->bus == own)
                        continue;
                /* Bridges in bridges: the outer one has the smaller number. */
                if (class == PCI_SLOT_PCI_BRIDGE && own < PCI_BUSES_MAX && place->bus > own)
                        continue;
                if ((class == PCI_SLOT_ROOT_PORT && find_shared(bus, place)) || find_slot(bus, place))
                        return true;
        }
        return false;
}

void pci_map_take(struct pci_map *map, enum pci_slot class, const struct pci_place *place)
{
        struct pci_bus *bus = pci_map_get(map, place->bus);

        bus->used[place->slot] |= 1U << place->function;
        if (class == PCI_SLOT_ROOT_PORT)
                bus->ports[place->slot] |= 1U << place->function;
}
