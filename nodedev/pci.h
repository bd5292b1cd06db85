/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PCI devices of the host that guests get: taken from their drivers for VFIO, given back. All through files
 * below /sys, at another root in tests. Lanes.
 */

#include <glib.h>
#include <stdbool.h>

struct lane;

/* "0000:3b:00.0", the name of a PCI device below /sys/bus/pci/devices. */
char *pci_format_name(unsigned domain, unsigned bus, unsigned slot, unsigned function);

/* Is the PCI device in the hands of vfio-pci? False, too, when there is none such. */
bool pci_is_vfio(const char *root, const char *pci);

/* The driver that has it; owned, NULL when none has. */
char *pci_get_driver(const char *root, const char *pci);

/* Loads the module of vfio-pci unless it is there. In the lane. */
bool pci_load_vfio(struct lane *lane, const char *root, GError **error);

/*
 * Takes it from its driver and gives it to vfio-pci. Errors: ERROR_OPERATION_FAILED, ERROR_SYSTEM_ERROR
 * naming it; it is given back to the driver that it had then. lane: see sysfs_write().
 */
bool pci_detach(struct lane *lane, const char *root, const char *pci, GError **error);

/*
 * Lets the kernel choose its driver again, unless one that is not vfio-pci has it. What a taking that was cut
 * short has left is undone, too.
 */
bool pci_give_back(struct lane *lane, const char *root, const char *pci, GError **error);
/* The same; failures are logged. */
void pci_reattach(struct lane *lane, const char *root, const char *pci);

/*
 * Resets it in the best way that the kernel has for it: the function, its power state, or its bus or slot.
 * That nobody else is hit, we leave to the kernel: it takes the bus or the slot only when no other function
 * is there
 * (-ENOTTY from pci_parent_bus_reset() and pci_dev_reset_slot_function() of drivers/pci/pci.c).
 * ERROR_INTERNAL_ERROR when it has none.
 */
bool pci_reset(struct lane *lane, const char *root, const char *pci, GError **error);

/*
 * The other devices of its IOMMU group that a driver of the host has, which keep guests from having it:
 * "0000:01:00.1 (igb), 0000:01:00.2 (igb)". Owned; NULL when there are none.
 */
char *pci_describe_group_holders(const char *root, const char *pci);

/* The addresses of the devices of its IOMMU group, itself too; owned. NULL: it is in none. */
char **pci_list_group(const char *root, const char *pci);

/*
 * May a guest that is to have these devices beside it, addresses with NULL at the end, have pci? False with
 * ERROR_OPERATION_FAILED, which names the others of its IOMMU group that drivers of the host have, and the
 * drivers.
 */
bool pci_check_group(const char *root, const char *pci, const char *const *own, GError **error);

/* The file that opens its IOMMU group, "/dev/vfio/7". NULL with an error when it is in none. */
char *pci_get_group(const char *root, const char *pci, GError **error);
