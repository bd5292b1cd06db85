/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What has gone through the links of the host since they were made, as the kernel counts it (proc_net(5),
 * /proc/net/dev): from the host's side. Any thread; nothing here waits.
 */

#include "base/cleanup.h"

#include <stdint.h>

struct link_count {
        uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
        uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* Of all links at one moment. */
struct link_counters;

/* Empty when the kernel does not tell. */
struct link_counters *link_counters_read(void);
/* The same of a text like that of /proc/net/dev. */
struct link_counters *link_counters_parse(const char *text);
/* NULL is fine. */
void link_counters_free(struct link_counters *counters);

/* Borrowed; NULL when there is no link of that name. */
const struct link_count *link_counters_find(const struct link_counters *counters, const char *name);

DEFINE_CLEANUP(struct link_counters, link_counters_free);
