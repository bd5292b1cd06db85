/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices of the host that are taken from it, each by one user: who has which. A device in use is not taken
 * again, and neither detached, given back nor reset by anybody but its user; of an IOMMU group there is one
 * user at a time.
 *
 *     use = device_use_new(devices, DEVICE_USE_PCI, "0000:01:10.1", "domain 'web'");   any thread
 *     device_use_take(use, &error)                                                     loop
 *     ... the device is the user's: nodedev/pci.h, nodedev/usb.h ...
 *     device_use_give_back(use);                                                       any thread
 *
 * Nothing of it is written down: whoever has devices says so again after a restart (device_use_restore()).
 */

#include "base/cleanup.h"
#include "nodedev/node-devices.h"

enum device_use_kind {
        DEVICE_USE_PCI,        /* by pci_format_name() */
        DEVICE_USE_USB,        /* by usb_format_name() */
        DEVICE_USE_MDEV,       /* by UUID */
        DEVICE_USE_SCSI,       /* by "host:bus:target:unit" */
        DEVICE_USE_VHOST_SCSI, /* by the wwpn of its vhost target */
        DEVICE_USE_KINDS,
};

struct device_use;

/*
 * user: who is to have it, "domain 'web'"; both texts are copied. devices is borrowed, and outlives it. Of a
 * PCI device the IOMMU group is looked up in sysfs.
 */
struct device_use *device_use_new(struct node_devices *devices, enum device_use_kind kind,
                                  const char *address, const char *user);
/* Other users that say so, too, may have the device as well; before it is taken. */
void device_use_set_shared(struct device_use *use);
/* Any thread, but for one that is taken: loop. NULL is fine. */
void device_use_free(struct device_use *use);

/*
 * Loop. False with ERROR_OPERATION_INVALID, which names the device and who has it: it or another one of its
 * IOMMU group is another user's, or the host is just giving or taking it.
 */
bool device_use_take(struct device_use *use, GError **error);
/* Loop: the same for what its user has already, whatever there is to say about it. */
void device_use_restore(struct device_use *use);
/* Any thread: it is given back, on the loop, before all that is posted there later. Takes use; NULL is fine.
 */
void device_use_give_back(struct device_use *use);

enum device_use_kind device_use_get_kind(const struct device_use *use);
/* Borrowed. */
const char *device_use_get_address(const struct device_use *use);

/* Loop. Who has that device; borrowed, NULL: nobody. */
const char *device_use_find_user(const struct node_devices *devices, enum device_use_kind kind,
                                 const char *address);

DEFINE_CLEANUP(struct device_use, device_use_free);
