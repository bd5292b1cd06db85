/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The PCI buses of a machine as a map of slots, without any document: what is taken, what is free, which bus
 * has to be added. Private to the address steps. Any thread.
 */

#include "drivers/domain/address-pci-class-xml.h"

#include <stdint.h>

#define PCI_BUSES_MAX 256
#define PCI_SLOTS     32
#define PCI_FUNCTIONS 8

struct pci_place {
        unsigned bus, slot, function;
};

struct pci_bus {
        const char *model; /* static: that of the controller that makes the bus */
        unsigned accepts;  /* of enum pci_slot: what is put here without being told so */
        bool root;         /* no other bus leads to it */
        uint8_t min_slot, max_slot;
        uint8_t first_free;       /* no slot below it is free */
        uint8_t used[PCI_SLOTS];  /* a bit for each function */
        uint8_t ports[PCI_SLOTS]; /* those that are root ports, which share slots */
};

struct pci_map {
        GArray *buses; /* owned, of struct pci_bus */
        bool express;  /* the root bus is PCI Express */
};

void pci_map_init(struct pci_map *map, bool express);
void pci_map_clear(struct pci_map *map);
/* A map of its own. */
void pci_map_copy(struct pci_map *map, const struct pci_map *from);

static inline unsigned pci_map_count(const struct pci_map *map)
{
        return map->buses->len;
}

static inline struct pci_bus *pci_map_get(const struct pci_map *map, unsigned bus)
{
        return &g_array_index(map->buses, struct pci_bus, bus);
}

/*
 * Sets the model of a bus that is there, or of the next one. False for a model that is none or too many
 * buses.
 */
bool pci_map_set(struct pci_map *map, unsigned bus, const char *model);

/* Adds the buses that a device of this class needs where no slot is free; false when none would help. */
bool pci_map_grow(struct pci_map *map, enum pci_slot class);

/*
 * A free place for a device of this class. own: the bus that the device itself makes, so that it is not
 * plugged into itself, or PCI_BUSES_MAX.
 */
bool pci_map_find(const struct pci_map *map, enum pci_slot class, unsigned own, struct pci_place *place);

bool pci_map_is_free(const struct pci_map *map, const struct pci_place *place);
bool pci_map_is_slot_free(const struct pci_map *map, unsigned bus, unsigned slot);
void pci_map_take(struct pci_map *map, enum pci_slot class, const struct pci_place *place);
