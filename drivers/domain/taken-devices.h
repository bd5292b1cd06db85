/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of its host that a guest has: found out in its lane, taken on the loop, and given back when the
 * guest or the device goes. Between the files takings*.c of the domain model.
 */

#include "drivers/domain/definition.h"
#include "nodedev/device-use.h"
#include "nodedev/usb.h"

#include <glib.h>
#include <stdbool.h>

struct taken_device {
        struct device_use *use;  /* owned; NULL: see problem */
        GError *problem;         /* owned; it is not there */
        struct usb_device usb;   /* a USB device: which one it is */
        int vendor, product;     /* by which the document names it, see struct domain_hostdev */
        unsigned bus, device;    /* likewise */
        char port[USB_PORT_MAX]; /* likewise */
        enum domain_hostdev_type type;
};

/* Of struct taken_device, owned. */
GPtrArray *taken_devices_new(void);
/* The domain's lane: adds what hostdev stands for, which need not be there. */
void taken_devices_look(GPtrArray *list, struct node_devices *devices, const struct domain_hostdev *hostdev,
                        const char *user);
/* The same for a PCI device of the host, whatever element names it. */
void taken_devices_look_pci(GPtrArray *list, struct node_devices *devices,
                            const struct domain_address_pci *address, const char *user);
/* Loop: takes all of them, or none. */
bool taken_devices_take(const GPtrArray *list, GError **error);
/* Loop: takes a USB device, and adds it. */
bool taken_devices_take_usb(GPtrArray *list, struct node_devices *devices, const struct usb_device *usb,
                            const char *user, GError **error);
/* Loop: they are in use already. */
void taken_devices_restore(const GPtrArray *list);
/* Any thread: they go back. */
void taken_devices_give_back(const GPtrArray *list);
/* The same for the one that hostdev, of the active definition, is; it leaves the list. */
void taken_devices_give_back_one(GPtrArray *list, const struct domain_hostdev *hostdev);
/* The USB device that hostdev, as it was looked at, is; borrowed, NULL with the error that says why not. */
const struct usb_device *taken_devices_find_usb(const GPtrArray *list, const struct domain_hostdev *hostdev,
                                                GError **error);
