/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All filters as they were at one time: what rules are made of in a lane. Immutable, counted, any thread. */

#include "base/cleanup.h"
#include "drivers/nwfilter/nwfilter-def.h"

struct nwfilter_snapshot {
        /* atomic */
        gint refs;
        /* const */
        GHashTable *defs;    /* owned; name, borrowed -> struct nwfilter_def, ref */
        unsigned generation; /* a later one has a larger number */
};

struct nwfilter_snapshot *nwfilter_snapshot_new(unsigned generation);
/* While it is made: adds def, or puts it in the place of the one of that name. Takes a reference. */
void nwfilter_snapshot_add(struct nwfilter_snapshot *snapshot, struct nwfilter_def *def);
struct nwfilter_snapshot *nwfilter_snapshot_ref(struct nwfilter_snapshot *snapshot);
/* NULL is fine. */
void nwfilter_snapshot_unref(struct nwfilter_snapshot *snapshot);
/* Borrowed; NULL: there is none. */
const struct nwfilter_def *nwfilter_snapshot_find(const struct nwfilter_snapshot *snapshot, const char *name);
/* Is the filter called used one that name refers to, or name itself? */
bool nwfilter_snapshot_uses(const struct nwfilter_snapshot *snapshot, const char *name, const char *used);

DEFINE_CLEANUP(struct nwfilter_snapshot, nwfilter_snapshot_unref);
