/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A socket of rtnetlink(7), or of nfnetlink, for one lane: requests that are answered before they return. The
 * kernel answers at once or not at all, and never waits for hardware that does not answer any longer than its
 * own locks do; the deadline is for those. In the lane that made it.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

struct lane;
struct netlink;
struct nl_msg; /* libnl's */

/* A request that is not answered by then has failed. */
#define NETLINK_TIMEOUT_MS 5000

/* NULL with ERROR_SYSTEM_ERROR when the kernel gives none. */
struct netlink *netlink_new(struct lane *lane, GError **error);
/* One of the packet filter (nfnetlink) instead of links. */
struct netlink *netlink_new_filter(struct lane *lane, GError **error);
/* NULL is fine. */
void netlink_free(struct netlink *netlink);

/*
 * Sends message (taken) and waits for the kernel's acknowledgement. False with ERROR_SYSTEM_ERROR: "cannot
 * <what>: <the kernel's own explanation, else strerror>", and *errnum, unless NULL, is the kernel's number (a
 * positive errno).
 */
bool netlink_request(struct netlink *netlink, struct nl_msg *message, const char *what, int *errnum,
                     GError **error);

/*
 * Sends messages, one behind the other, at once; the kernel does all of what they ask for or nothing. The one
 * with the number last asks for an acknowledgement. As netlink_request(); the kernel is asked in vain when
 * one of them fails.
 */
bool netlink_request_batch(struct netlink *netlink, const GByteArray *messages, uint32_t last,
                           const char *what, int *errnum, GError **error);

/*
 * A dump: sends type with an empty header of that family and calls fn for each message of the answer. Begins
 * again when the kernel's tables changed under it (NLM_F_DUMP_INTR): fn may get the same thing twice, the
 * later one counts.
 */
struct netlink_dump {
        int type;   /* RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE; of nfnetlink with its subsystem */
        int family; /* AF_UNSPEC: all */
        void (*fn)(struct nlmsghdr *header, void *data);
        void *data;
        void (*reset)(void *data); /* it begins again; may be NULL */
        uint32_t extra;            /* RTM_GETLINK: what else is told (RTEXT_FILTER_...) */
        int attr;                  /* only those that have this text there; 0: all */
        const char *value;
        int second_attr; /* likewise */
        const char *second_value;
        bool may_be_absent; /* what is asked about: then it has nothing */
        bool exact; /* it fails when the tables change under it again and again; else something may be missing
                     */
};
bool netlink_dump(struct netlink *netlink, const struct netlink_dump *dump, GError **error);

DEFINE_CLEANUP(struct netlink, netlink_free);
