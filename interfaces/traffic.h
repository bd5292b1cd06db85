/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How much may go through a link of the host behind which guests are: traffic control of the kernel
 * (tc(8), include/uapi/linux/pkt_sched.h), as libvirt sets it up. What goes to the guests is shaped (HTB),
 * what comes from them is policed. In the lane of the netlink socket.
 */

#include "interfaces/link.h"

#include <stdbool.h>
#include <stdint.h>

struct netlink;

/* One direction. 1 kB/s is 1,000 bytes in a second, 1 KiB 1,024 bytes, as libvirt and tc(8) have it. */
struct traffic_rate {
        uint32_t average_kbps; /* kB/s; 0: no limit */
        uint32_t peak_kbps;    /* kB/s; of a burst; 0: the average */
        uint32_t burst_kib;    /* may go out at the peak's rate; 0: some */
        uint32_t floor_kbps;   /* guaranteed of what the network has; 0: nothing */
};

/* As the guests see it. */
struct traffic {
        struct traffic_rate inbound, outbound;
};

/* Is there any limit? */
bool traffic_is_limited(const struct traffic *traffic);
bool traffic_equal(const struct traffic *a, const struct traffic *b);

/* Of a macvtap: guests and their host see its two directions alike, other than with a tap in a bridge. */
struct traffic traffic_turn(const struct traffic *traffic);

/*
 * In the place of what there was. Without any limit the link has no queue of its own, which is fastest for
 * taps. Errors: ERROR_SYSTEM_ERROR naming the link; then it has no limits. floor_kbps is not looked at.
 */
bool traffic_set(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                 GError **error);

/*
 * Links that several share what goes out of them on: a network's bridge. traffic_set_shared() is
 * traffic_set() for them, with a class for what has no share.
 */
bool traffic_set_shared(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                        GError **error);

/* Classes of shares; lower ones have a meaning of their own. */
#define TRAFFIC_SHARE_MIN 3
#define TRAFFIC_SHARE_MAX 0xfff0

/* What goes to mac has at least kbps (kB/s), and more while others do not use theirs. */
struct traffic_share {
        uint16_t class; /* TRAFFIC_SHARE_MIN ... MAX, one for each share of a link */
        uint8_t mac[6];
        uint32_t kbps;
};

/* traffic is the link's. Adds the share, or changes it. */
bool traffic_add_share(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                       const struct traffic_share *share, GError **error);
/* There may be none. */
void traffic_remove_share(struct netlink *netlink, const struct link *link, uint16_t class);
/* What those without a share have at least. */
bool traffic_set_rest(struct netlink *netlink, const struct link *link, const struct traffic *traffic,
                      uint32_t kbps, GError **error);
