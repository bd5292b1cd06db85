/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Statistics of all domains, again and again, of which only what has changed is told. Runs while somebody
 * watches, and not faster than whoever it is takes it. Loop thread.
 */

#include "drivers/domain/stats.h"

/* Between two times, in ms. */
#define DOMAIN_STATS_PERIOD_MIN 250
#define DOMAIN_STATS_PERIOD_MAX (24 * 3600 * 1000)
/* At a time, of one driver: each keeps what it has told last. */
#define DOMAIN_STATS_WATCHES_MAX 64

struct domain_stats_watch;

struct domain_stats_watcher {
        /*
         * stats: of struct domain_stats, borrowed: of each domain of which anything is different, or that is
         * new, that. The first time all of them.
         */
        void (*tell)(const GPtrArray *stats, void *data);
        /* Should it not be told more for now? Then what changes is told the next time. */
        bool (*is_busy)(void *data);
};

/*
 * groups: enum domain_stats_group, 0 all. The first time is at once. watcher and data are borrowed until
 * domain_stats_watch_free(). NULL with an error for groups that are not known, a period out of its bounds
 * (ERROR_INVALID_ARG), and one watch too many (ERROR_OPERATION_DENIED).
 */
struct domain_stats_watch *domain_stats_watch_new(struct domain_driver *driver, unsigned groups,
                                                  unsigned period_ms,
                                                  const struct domain_stats_watcher *watcher, void *data,
                                                  GError **error);
/* Nothing is told any more. May be called while it is. NULL is fine. */
void domain_stats_watch_free(struct domain_stats_watch *watch);
