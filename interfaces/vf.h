/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual functions of SR-IOV as their physical function's driver has them (IFLA_VF_MAC and IFLA_VF_VLAN of
 * rtnetlink(7), include/uapi/linux/if_link.h): whoever has one cannot change what is set here. In the lane
 * that is handed in.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;

struct vf_config {
        uint8_t mac[6]; /* all 0: none is set */
        unsigned vlan;  /* 0: no tag */
        unsigned qos;   /* priority in the tag */
};

/*
 * physical: the interface of the physical function; number: that of the virtual one. ERROR_CONFIG_UNSUPPORTED
 * when it does not tell of such a one.
 */
bool vf_read(struct lane *lane, const char *physical, unsigned number, struct vf_config *config,
             GError **error);
/* MAC and tag; errors are the kernel's. */
bool vf_write(struct lane *lane, const char *physical, unsigned number, const struct vf_config *config,
              GError **error);
