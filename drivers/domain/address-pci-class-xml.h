/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which devices are on PCI, and what kind of slot each wants. Private to the address steps. Any thread.
 */

#include "drivers/domain/hardware-xml.h"

/* What a slot offers and what a device wants. */
enum pci_slot {
        PCI_SLOT_NONE = 0,
        PCI_SLOT_CONVENTIONAL = 1 << 0, /* a plain PCI device */
        PCI_SLOT_EXPRESS = 1 << 1,      /* a PCI Express device, hot-pluggable */
        PCI_SLOT_INTEGRATED = 1 << 2,   /* on the root bus itself, wherever that is */
        PCI_SLOT_ROOT_PORT = 1 << 3,
        PCI_SLOT_UPSTREAM = 1 << 4,
        PCI_SLOT_DOWNSTREAM = 1 << 5,
        PCI_SLOT_PCI_BRIDGE = 1 << 6,
        PCI_SLOT_DMI_BRIDGE = 1 << 7,
        PCI_SLOT_EXPANDER = 1 << 8,
};

/*
 * What the device wants on its machine: NONE when it is not on PCI or has another kind of address already. Of
 * the PCI controllers too.
 */
enum pci_slot pci_class_of(const struct hardware *hardware, const xmlNode *device);
/* The same of a machine that has nothing but PCI, whatever address the device has. */
enum pci_slot pci_class_elsewhere(const struct hardware *hardware, const xmlNode *device);
/* Is it one of those virtio devices that are on channels where the machine has them? */
bool pci_class_is_channel(const xmlNode *device);
