/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Macvtaps: the host's end of a guest's interface that goes straight out of a device of the host. They stay
 * until somebody deletes them: who makes one writes its name down first. In the lane.
 */

#include "base/cleanup.h"
#include "interfaces/traffic.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

struct macvtap {
        struct lane *lane; /* borrowed; the caller's */
        const char *name;
        const char *lower;  /* the device of the host */
        const char *mode;   /* "vepa", "bridge", "private", "passthrough" */
        const uint8_t *mac; /* the guest's; in mode passthrough the device of the host has it, too */
        unsigned mtu;       /* 0: the default */
        bool vnet_header;   /* for virtio */
        bool up;
        struct traffic bandwidth;
};

/*
 * Makes it, and puts its n queues in the place of the descriptors in fds, which stay close-on-exec.
 * ERROR_OPERATION_FAILED when the device is not there, ERROR_SYSTEM_ERROR; nothing is left then.
 */
bool macvtap_open(const struct macvtap *macvtap, const int *fds, unsigned n, GError **error);

/*
 * Deletes it; that there is none is fine. lower_mac, unless NULL, is what the device of the host
 * had before.
 */
bool macvtap_delete(struct lane *lane, const char *name, const char *lower, const char *lower_mac,
                    GError **error);

/* The MAC address of a device of the host as text; owned, NULL with an error when it is not there. */
char *macvtap_read_mac(const char *device, GError **error);

/* Is it one of the modes? */
bool macvtap_is_mode(const char *mode);
