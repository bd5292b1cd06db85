/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whom the host has talked to on its links: the kernel's table of neighbours (arp(7), ip-neighbour(8)).
 */

#include "interfaces/link.h"

#include <glib.h>

struct netlink;

/* More are not kept. */
#define NEIGHBOURS_MAX 65536

struct neighbour {
        struct link_ip ip; /* prefix: that of one host */
        uint8_t mac[6];
        int link; /* index */
};

/*
 * Those that the kernel has a MAC address of, stale ones included; of struct neighbour, owned. NULL with
 * ERROR_SYSTEM_ERROR. In the lane of the socket.
 */
GArray *neighbours_read(struct netlink *netlink, GError **error);
