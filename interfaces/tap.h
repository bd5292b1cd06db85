/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Tap devices: the host's end of a guest's interface. They belong to whoever holds their descriptors, the
 * emulator in the end, and vanish with it: there is nothing to clean up. The kernel gives out names, and no
 * two at once get the same. Lanes.
 */

#include "interfaces/link-ips.h"
#include "interfaces/traffic.h"
#include "interfaces/vlan.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

struct tap {
        const char *name;   /* NULL: chosen by the kernel, "vnet%d" */
        const char *device; /* the file by which taps are made; NULL: /dev/net/tun */
        unsigned queues;    /* >= 1 */
        bool vnet_header;   /* for virtio */
        bool existing;      /* somebody else made it and sets it up */
        const char *bridge; /* NULL: none */
        bool is_foreign;    /* the bridge is another program's, which lets it in (openvswitch.h) */
        struct lane *lane;  /* borrowed; the caller's, for what stands below; NULL: none of it */
        struct traffic bandwidth;
        const struct vlan *vlan;    /* borrowed; of the port of the bridge; NULL: none */
        bool afresh;                /* it moves: leaves its bridge first, also for the same one */
        bool isolated;              /* from other isolated ports of the bridge */
        const uint8_t *mac;         /* the guest's; NULL: none */
        unsigned mtu;               /* 0: the bridge's or the default */
        unsigned coalesce;          /* packets that are told of at once at most; 0: as the kernel has it */
        bool coalesce_changes;      /* it moves: that counts from now on; 0 is the kernel's default then */
        bool up;                    /* is set up by us */
        const struct link_ips *ips; /* borrowed; the host's own there; NULL: none */
};

/*
 * Appends the descriptors (close-on-exec), one per queue, to fds; *name, owned by the caller, is the device's
 * name. Errors: ERROR_SYSTEM_ERROR naming device or bridge; nothing is left then.
 */
bool tap_open(const struct tap *tap, GArray *fds, char **name, GError **error);

/*
 * A tap that is there (name) becomes a port of that bridge (NULL: it is in none), isolated or not, and has
 * these limits.
 */
bool tap_move(const struct tap *tap, GError **error);

/*
 * Appends count vhost-net devices (device NULL: /dev/vhost-net) to fds; false, without error, when the host
 * has none or not enough descriptors.
 */
bool tap_open_vhost(unsigned count, const char *device, GArray *fds);
