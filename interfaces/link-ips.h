/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Addresses and routes of the host that one of its links is to have as long as somebody uses it. Values, and
 * requests of rtnetlink(7). Lanes.
 */

#include "interfaces/link.h"

struct lane;

/*
 * An address of the host, and the other end's where the link is one between two (peer.family 0: it is not).
 */
struct link_point {
        struct link_ip ip; /* its prefix is of the network that the other end is in */
        struct link_ip peer;
};

struct link_ips {
        GArray *points; /* owned, struct link_point */
        GArray *routes; /* owned, struct link_route */
};

/* Empty. */
struct link_ips *link_ips_new(void);
struct link_ips *link_ips_copy(const struct link_ips *ips);
/* NULL is fine. */
void link_ips_free(struct link_ips *ips);
bool link_ips_is_empty(const struct link_ips *ips);

/*
 * Drops of ips what the link has already, so that what stays is what link_ips_add() adds. Errors:
 * ERROR_SYSTEM_ERROR, ERROR_OPERATION_FAILED "the host has no interface 'tap6'".
 */
bool link_ips_drop_present(struct lane *lane, const char *name, struct link_ips *ips, GError **error);

/*
 * Addresses, then routes, which the kernel takes only of a link that is up, and by way of gateways that it
 * can reach. All of them, or none is left that was not there before. Errors as above.
 */
bool link_ips_add(struct lane *lane, const char *name, const struct link_ips *ips, GError **error);

/* What is gone already is fine, and so is a link that is gone. Errors as above. */
bool link_ips_remove(struct lane *lane, const char *name, const struct link_ips *ips, GError **error);

DEFINE_CLEANUP(struct link_ips, link_ips_free);
