/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PCI devices of the host that guests get: taken from their drivers for VFIO, given back. All through files
 * below /sys, at another root in tests. Lanes.
 */

#include <glib.h>
#include <stdbool.h>

/* "0000:3b:00.0", the name of a PCI device below /sys/bus/pci/devices. */
char *pci_format_name(unsigned domain, unsigned bus, unsigned slot, unsigned function);

/* Is the PCI device in the hands of vfio-pci? False, too, when there is none such. */
bool pci_is_vfio(const char *root, const char *pci);

/* The driver that has it; owned, NULL when none has. */
char *pci_get_driver(const char *root, const char *pci);

/*
 * Takes it from its driver and gives it to vfio-pci. Errors: ERROR_OPERATION_FAILED, ERROR_SYSTEM_ERROR
 * naming it; it is given back to the driver that it had then.
 */
bool pci_detach(const char *root, const char *pci, GError **error);

/* Lets the kernel choose its driver again, unless it was not taken. */
bool pci_give_back(const char *root, const char *pci, GError **error);
/* The same; failures are logged. */
void pci_reattach(const char *root, const char *pci);

/*
 * Resets it in the best way that the kernel has for it: the function, its power state, or its bus when
 * nothing else is there. ERROR_INTERNAL_ERROR when it has none.
 */
bool pci_reset(const char *root, const char *pci, GError **error);

/*
 * The other devices of its IOMMU group that a driver of the host has, which keep guests from having it:
 * "0000:01:00.1 (igb), 0000:01:00.2 (igb)". Owned; NULL when there are none.
 */
char *pci_describe_group_holders(const char *root, const char *pci);

/* The file that opens its IOMMU group, "/dev/vfio/7". NULL with an error when it is in none. */
char *pci_get_group(const char *root, const char *pci, GError **error);
