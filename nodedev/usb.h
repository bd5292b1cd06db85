/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* USB devices of the host, found below /sys, at another root in tests. Lanes. */

#include <glib.h>
#include <stdint.h>

/* Which devices are meant: by bus and device, else all of that vendor and product. */
struct usb_query {
        uint32_t bus; /* 0: not given, likewise device */
        uint32_t device;
        int vendor; /* -1: not given, likewise product */
        int product;
};

/* The files of these devices ("/dev/bus/usb/001/004"). Owned strings; empty when there is none. */
GPtrArray *usb_find_files(const char *root, const struct usb_query *query);
