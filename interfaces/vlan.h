/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Tags of VLANs that a guest's packets have outside of it (IEEE 802.1Q), without its knowing: values, their
 * element in documents (<vlan>, of libvirt's formatdomain and formatnetwork), and what a bridge makes of
 * them.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct link;
struct netlink;

/* More of one interface is refused by name. */
#define VLAN_TAGS_MAX 64
#define VLAN_ID_MAX   4095

struct vlan_tag {
        uint16_t id;
        enum {
                VLAN_MEMBER,          /* its packets have the tag inside the guest, too */
                VLAN_NATIVE_TAGGED,   /* likewise, and packets without a tag are of it */
                VLAN_NATIVE_UNTAGGED, /* packets without a tag are of it, in both directions */
        } native;
};

/* All 0: none. Without trunk it is one tag, which the guest never sees. */
struct vlan {
        bool trunk;
        unsigned n_tags;
        struct vlan_tag tags[VLAN_TAGS_MAX];
};

static inline bool vlan_is_set(const struct vlan *vlan)
{
        return vlan && vlan->n_tags > 0;
}

bool vlan_equal(const struct vlan *a, const struct vlan *b);

/*
 * A port of bridge has these VLANs and no others; the bridge has to tell VLANs apart (vlan_filtering), which
 * is for whoever made it to say: ERROR_CONFIG_UNSUPPORTED when it does not. In the lane of the socket.
 */
bool vlan_set_port(struct netlink *netlink, const struct link *port, const char *bridge,
                   const struct vlan *vlan, GError **error);
