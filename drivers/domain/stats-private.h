/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files stats*.c. */

#include "drivers/domain/driver.h"
#include "drivers/domain/measure.h"
#include "drivers/domain/model.h"
#include "drivers/domain/stats.h"

/* What a domain has been asked. Loop. */
struct domain_known {
        struct domain_answer *answers[DOMAIN_PARTS]; /* ref; the last ones, NULL: none yet */
        gint64 asked_us[DOMAIN_PARTS];               /* when the open question was asked; 0: none is open */
        gint64 good_until_us[DOMAIN_PARTS];          /* of the answers; 0: they are to be asked for */
        GPtrArray *waiting;                          /* owned; struct stats_entry, borrowed */
};

struct stats_collection;

/* One domain on its way through a collection. */
struct stats_entry {
        struct domain_stats stats;
        /* const: its lane has them, too */
        struct stats_collection *collection; /* borrowed */
        struct domain_state *state;          /* ref; as published when it was asked for */
        /* loop, then the collection's lane */
        struct domain_answer *answers[DOMAIN_PARTS]; /* ref; NULL: not asked for, or not known */
        unsigned stale;                              /* parts whose answer is of an earlier question */
        /* loop */
        unsigned parts;   /* that are asked for */
        unsigned awaited; /* of these: whose answers are waited for */
        unsigned held;    /* of these: whose last answer is as good as a new one */
};

/* Any thread: writes what the entry has, and what the host knows, into stats.params. */
struct stats_request {
        unsigned groups; /* enum domain_stats_group */
        bool backing;
};
void stats_write(struct stats_entry *entry, const struct stats_request *request,
                 const struct link_counters *links, gint64 now_us);

/* Any thread: the same as OpenMetrics text, of struct domain_stats that have been written. Free it. */
char *stats_write_metrics(const GPtrArray *list);

/* Which parts of the state's domain belong to groups. */
unsigned stats_choose_parts(const struct domain_state *state, unsigned groups);

/*
 * Looks at the disks of domains that are off (of GPtrArray of struct stats_entry, taken with its entries'
 * states), and posts what they are.
 */
void stats_look_at_disks(struct domain_driver *driver, GPtrArray *domains);

/*
 * Lane: what the guest has answered of that part is no longer as good as a new answer, because something has
 * been changed.
 */
void stats_forget(struct domain *domain, enum domain_part part);

/* Any thread: the answer (taken, NULL: none) goes to the loop. */
void stats_post_answer(struct domain *domain, enum domain_part part, struct domain_answer *answer);
