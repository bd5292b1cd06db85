/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a macvtap lets through to its guest, as the guest wants it: its MAC address, groups, all groups, all
 * packets (rtnetlink(7); groups are entries of the device's own forwarding table, as of `bridge fdb`). In the
 * lane that is handed in.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

/* What QEMU's virtio-net has room for; who wants more gets all groups. */
#define RX_GROUPS_MAX 64

struct rx_filter {
        uint8_t mac[6]; /* all 0: as it is */
        bool promiscuous, all_groups;
        unsigned n_groups;
        uint8_t groups[RX_GROUPS_MAX][6]; /* MAC addresses of groups */
};

/*
 * Makes it so. applied is what this function has added to the device so far (all 0 at first), and is updated:
 * what the host has there by itself is never taken away.
 */
bool rx_filter_apply(struct lane *lane, const char *device, const struct rx_filter *wanted,
                     struct rx_filter *applied, GError **error);
