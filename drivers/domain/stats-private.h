/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files stats*.c. */

#include "drivers/domain/driver.h"
#include "drivers/domain/measure.h"
#include "drivers/domain/model.h"
#include "drivers/domain/stats.h"

/* When a domain is asked about a part, among others (stats-ask.c). */
struct stats_turn {
        gint64 due_us;   /* the least comes first; 0: it has never been asked */
        gint64 asked_us; /* the last time */
};

struct stats_slot;

/* What a domain has been asked. Loop. */
struct domain_known {
        struct domain_answer *answers[DOMAIN_PARTS]; /* ref; the last ones, NULL: none yet */
        gint64 asked_us[DOMAIN_PARTS];               /* when the open question was asked; 0: none is open */
        gint64 good_until_us[DOMAIN_PARTS];          /* of the answers; 0: they are to be asked for */
        struct definition
                *looked; /* ref; whose disks are being looked at; NULL: none, or the guest is asked */
        struct stats_turn turns[DOMAIN_PARTS];
        struct stats_slot *slot; /* owned; NULL: it is none of those that are being asked for many */
        GPtrArray *waiting;      /* owned; struct stats_entry, borrowed */
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
        gint64 due_us;    /* its turn: of the parts to be asked for, the first */
        unsigned place;   /* in the collection */
};

struct stats_request {
        unsigned groups; /* enum domain_stats_group */
        bool backing;
};

/* A call on its way. */
struct stats_collection {
        /* const */
        struct domain_driver *driver; /* borrowed */
        struct stats_request request;
        bool no_wait;
        GPtrArray *entries; /* owned; struct stats_entry */
        /* loop */
        GList link; /* in driver->collections */
        gint64 begun_us, finished_us;
        GPtrArray *queue;         /* owned; struct stats_entry, borrowed: guests to be asked, in turn */
        unsigned next;            /* in queue */
        unsigned open;            /* entries that wait */
        struct loop_timer *timer; /* owned; NULL: nobody is waited for */
        domain_stats_done done;
        void *data;
        domain_answer_done answer_done; /* of domain_ask(), instead of done */
        domain_text_done text_done;     /* of domain_get_metrics(), likewise */
        char *text;                     /* owned; for it */
        enum domain_part part;
};

/* ---- stats-ask.c ---- */

/*
 * Asks for what the entries need that nobody knows better, and sees to it that they wait; not longer than
 * until stats_stop_asking(). When all have what they are going to get, stats_finish() is called, later than
 * this; but not if nobody has to wait.
 */
void stats_ask(struct stats_collection *collection, unsigned patience_ms);
void stats_stop_asking(struct stats_collection *collection);

/*
 * The last answer; borrowed. NULL: there is none of the guest of state. What was said of disks as a whole has
 * their counters as well.
 */
struct domain_answer *stats_find_answer(const struct domain *domain, const struct domain_state *state,
                                        enum domain_part part);

/* ---- stats.c ---- */

/* All have answered that are going to. */
void stats_finish(struct stats_collection *collection);

/* Any thread: writes what the entry has, and what the host knows, into stats.params. */
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

/* Any thread: what a look at the disks of that definition has come to (answer is taken) goes to the loop. */
void stats_post_look(struct domain *domain, struct definition *looked, struct domain_answer *answer);
