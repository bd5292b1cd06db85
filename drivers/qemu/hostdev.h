/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices of the host that are passed through: found, taken from their drivers for VFIO, given back. All
 * through files below /sys, at another root in tests. Lanes.
 */

#include "drivers/domain/device.h"

#include <glib.h>
#include <stdbool.h>

/* "0000:3b:00.0", the name of a PCI device below /sys/bus/pci/devices. */
char *hostdev_format_pci(const struct domain_address_pci *address);

/* Is the PCI device in the hands of vfio-pci? False, too, when there is none such. */
bool hostdev_is_vfio(const char *root, const char *pci);

/* Takes it from its driver and gives it to vfio-pci. Errors: ERROR_OPERATION_FAILED, ERROR_SYSTEM_ERROR
 * naming it. */
bool hostdev_detach(const char *root, const char *pci, GError **error);

/* Lets the kernel choose its driver again; failures are logged. */
void hostdev_reattach(const char *root, const char *pci);

/* The file that opens its IOMMU group, "/dev/vfio/7". NULL with an error when it is in none. */
char *hostdev_get_group(const char *root, const char *pci, GError **error);

/*
 * The files of the USB devices that hostdev means ("/dev/bus/usb/001/004"): by bus and device, else all of
 * that vendor and product. Owned strings; empty when there is none.
 */
GPtrArray *hostdev_find_usb(const char *root, const struct domain_hostdev *hostdev);
