/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * USB devices of the host in a guest that runs: lost when they are unplugged from the host, the guest's again
 * when they are back. Lane of the domain.
 */

#include "drivers/qemu/resources.h"

struct domain_usb_return;
struct usb_device;

/* struct domain_driver_ops.lose_usb and .return_usb */
bool hostdev_lose_usb(struct domain *domain, struct domain_def **live, GArray *returns, GError **error);
bool hostdev_return_usb(struct domain *domain, const struct domain_usb_return *back, struct domain_def **live,
                        GError **error);

/*
 * QEMU was found without that device, of which the status document knows: it is missing from now on, and
 * comes back when it is looked for. False: it is none such.
 */
bool hostdev_miss_usb(struct guest *guest, const char *alias);

/* The guest is to have that one as hostdev: its file, its place in the document and the note in the status.
 */
void hostdev_use_usb(struct resources *resources, const struct domain_hostdev *hostdev,
                     const struct usb_device *usb);
