/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the nwfilter model share. */

#include "base/flags.h"
#include "drivers/nwfilter/nwfilter.h"
#include "drivers/nwfilter/rules.h"

struct loop_timer;
struct netlink;
struct nft_source;
struct nwfilter_work;

/* What others removed and the agent put back. */
struct nwfilter_repairs {
        gint64 since_us; /* of the first of count, monotonic */
        unsigned count;
        struct loop_timer *timer; /* owned; of the next look; NULL: none is set */
};

struct nwfilters {
        /* const */
        struct loop *loop;         /* borrowed */
        struct registry *registry; /* owned */
        struct lane *lane;         /* ref; what is done to interfaces without being asked; NULL: nothing */
        char *state_dir;           /* owned; NULL: in memory */
        char *runtime_dir;         /* owned; NULL: what was learned is not kept */
        char *stock_dir;           /* owned; NULL: none */
        /* loop */
        struct nwfilter_snapshot *snapshot; /* ref; NULL: it is not made yet */
        unsigned generation;                /* of the snapshot; each change of a filter is one more */
        GHashTable *ports;                  /* owned; device -> struct nwfilter_known, owned */
        struct nft_source *source;          /* owned; NULL: in memory */
        struct nwfilter_repairs repairs;
        struct loop_timer
                *learning_timer;        /* owned; of the next look at what was learned; NULL: not followed */
        struct loop_timer *early_timer; /* owned; of that of new interfaces; NULL: there are none */
        char *kept;                     /* owned; what is written down of that; NULL: not known */
        bool follows;                   /* what others do */
        bool looks;                     /* a look at what there is waits for its turn */
        GQueue works;                   /* of struct nwfilter_work, owned; the first has begun */
};

static inline struct nwfilter *nwfilter_from(struct managed *object)
{
        return (struct nwfilter *)object;
}

/* ---- one after another (works.c); loop ---- */

/*
 * What changes filters, or the rules of interfaces that are there, is done one at a time: it is made of what
 * is, and nobody else changes that meanwhile.
 */
struct nwfilter_work {
        struct nwfilters *nwfilters; /* borrowed */
        /* When its turn comes; it calls nwfilter_work_end() once, in a later turn or before it returns. */
        void (*begin)(struct nwfilter_work *work);
        void (*clear)(
                struct nwfilter_work *work); /* frees what the struct that embeds it has; NULL: nothing */
};

/* Takes work, which is freed with g_free() at its end. */
void nwfilter_work_run(struct nwfilter_work *work);
void nwfilter_work_end(struct nwfilter_work *work);

/* ---- filters ---- */

/* What is published has changed. */
void nwfilters_forget_snapshot(struct nwfilters *nwfilters);

/* ---- ports (ports.c) ---- */

GHashTable *nwfilters_new_ports(void);
/* Ports that use the filter of that name as the snapshot has it; of struct nwfilter_port, refs. */
GPtrArray *nwfilters_find_users(const struct nwfilters *nwfilters, const struct nwfilter_snapshot *snapshot,
                                const char *filter);
/*
 * The rules of ports are those of the present filters. What is no more, or another by now, is seen to, and so
 * is what else was made of the former filters: all of it, or what uses the filter of that name.
 */
void nwfilters_settle_ports(struct nwfilters *nwfilters, const GPtrArray *ports, const char *filter);

/* Lane: the rules of ports, in one transaction. */
bool nwfilter_ports_put(struct lane *lane, const struct nwfilter_snapshot *snapshot, const GPtrArray *ports,
                        bool fresh, GError **error);

/* All that there are; of struct nwfilter_port, refs. */
GPtrArray *nwfilters_list_ports(const struct nwfilters *nwfilters);
/*
 * Lane: one transaction's part for ports. One that cannot be made, which is logged, keeps the rules that it
 * has, and nobody else from his. learned: device to what it has learned; NULL: that is in the kernel.
 */
void nwfilter_ports_put_each(const struct nwfilter_snapshot *snapshot, const GPtrArray *ports,
                             GHashTable *learned, GString *text);
/* Loop: what the kernel has learned of ports (device to command) is remembered, and what is; owned. */
void nwfilters_note_learned(struct nwfilters *nwfilters, const GPtrArray *ports, GHashTable *learned);
GHashTable *nwfilters_copy_learned(const struct nwfilters *nwfilters);
/* Those that may learn an address any moment, up to max: some minutes old at most. */
GPtrArray *nwfilters_list_new_ports(const struct nwfilters *nwfilters, unsigned max);

/* ---- what others remove (watch.c); loop ---- */

void nwfilters_follow(struct nwfilters *nwfilters);

/* ---- what is learned (memory.c); loop ---- */

/* Looks what has been learned, as it is done now and then: the kernel does not tell. */
void nwfilters_remember(struct nwfilters *nwfilters);
/* There is an interface that is new. */
void nwfilters_expect_learning(struct nwfilters *nwfilters);
void nwfilters_begin_memory(struct nwfilters *nwfilters);
/* With a last look. */
void nwfilters_end_memory(struct nwfilters *nwfilters);
/* Any lane: what the kernel has learned of port, if anything (device to command). */
void nwfilter_memory_read(struct netlink *netlink, const struct nwfilter_port *port, GHashTable *learned);
/* Lane: what another agent has written down of ports. */
void nwfilter_memory_load(const struct nwfilters *nwfilters, const GPtrArray *ports, GHashTable *learned);

/* ---- nft (nft.c); any lane ---- */

/* One transaction. */
bool nwfilter_nft_run(struct lane *lane, const char *text, GError **error);
/* Devices that the table has rules for; owned strings. Empty also when that cannot be found out. */
GPtrArray *nwfilter_nft_list(struct lane *lane);
