/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* USB devices of the host, found below /sys, at another root in tests. Lanes. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Hubs in hubs: at most seven numbers of three digits (USB 3, "hub depth"; ports are 1 to 255). */
#define USB_PORT_MAX 32

/* Which devices are meant: all that have what is given. */
struct usb_query {
        uint32_t bus; /* 0: not given, likewise device */
        uint32_t device;
        const char *port; /* where it is plugged in on its bus, "4" or "4.2"; NULL: not given */
        int vendor;       /* -1: not given, likewise product */
        int product;
};

struct usb_device {
        unsigned bus, device, vendor, product;
        char port[USB_PORT_MAX]; /* "": it is the bus's own hub */
};

/* Those devices, struct usb_device by bus and device. Owned; empty when there is none. */
GArray *usb_find(const char *root, const struct usb_query *query);

/*
 * The one device that is meant. False with ERROR_OPERATION_FAILED: it is not there; or, *several, there are
 * several. several may be NULL.
 */
bool usb_find_one(const char *root, const struct usb_query *query, struct usb_device *device, bool *several,
                  GError **error);

/* "001:004", the name of a device in messages and among what is in use; new. */
char *usb_format_name(unsigned bus, unsigned device);
/* Its file, "/dev/bus/usb/001/004"; new. */
char *usb_format_path(const char *root, unsigned bus, unsigned device);
