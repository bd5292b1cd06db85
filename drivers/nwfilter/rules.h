/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From filters to nftables: what the files that do it share. Any thread.
 *
 * All filtered interfaces are in one table of the bridge family. Four base chains look a packet's port up in
 * a map and go to the chain of that port: where it comes in from a guest ("out", as the guest sees it) and
 * where it goes to one ("in"), each for the two layers of rules (enum nwfilter_layer). The last rule of a
 * port's chain does nothing, and says in its comment how many there are before it, so that the table itself
 * tells whether somebody has removed some.
 */

#include "base/cleanup.h"
#include "drivers/nwfilter/nwfilter-def.h"

#include <glib.h>
#include <stdbool.h>

struct lane;
struct netlink;
struct nwfilter_port;
struct nwfilter_snapshot;

#define NWFILTER_TABLE_NAME "virtbus_nwfilter"
#define NWFILTER_TABLE      "bridge " NWFILTER_TABLE_NAME

/* What one interface may come to; more is refused by name. */
#define NWFILTER_RULES_MAX 16384
#define NWFILTER_DEPTH_MAX 64 /* of references */

/* ---- one rule (match.c) ---- */

/* A value of an attribute of a rule. */
struct nwfilter_bound {
        const struct nwfilter_match *match;
        struct nwfilter_value value;
        const char *set; /* borrowed; the set of addresses that are learned, instead of a value; NULL: none */
};

/* How a rule reads for one direction. */
struct nwfilter_reading {
        const struct nwfilter_rule *rule;
        const struct nwfilter_bound *bounds;
        unsigned n_bounds;
        bool swapped;      /* source and destination */
        const char *state; /* of connections, before the verdict; NULL: whatever the rule says */
};

/*
 * Appends the expressions of nft, each with a blank behind it. False with an error that says what of the rule
 * does not go together, or cannot be done with nftables.
 */
bool nwfilter_match_format(const struct nwfilter_reading *reading, GString *out, GError **error);
/* Has it an attribute that is about that? */
bool nwfilter_has_field(const struct nwfilter_reading *reading, enum nwfilter_field field);

/* ---- all rules of an interface (instantiate.c) ---- */

/*
 * Appends a command of nft for each rule that the port's filter comes to. learned: "@set", what variable IP
 * stands for when it has no value; NULL: it needs one. *needs_learned: a rule has it. False with an error
 * that names filter or interface.
 */
bool nwfilter_instantiate(const struct nwfilter_snapshot *snapshot, const struct nwfilter_port *port,
                          const struct nwfilter_params *params, const char *learned, bool *needs_learned,
                          GString *out, GError **error);

/* ---- the table (table.c) ---- */

/* What comes first in each transaction: table, maps and base chains, made when they are not there. */
void nwfilter_table_begin(GString *out);
/*
 * One transaction's part for port: its rules in the place of those that there are. fresh: nothing has been
 * learned. learned: what nwfilter_table_read_learned() said, to be learned again; NULL: what is there stays.
 * False with an error that names interface and filter.
 */
bool nwfilter_table_put(const struct nwfilter_snapshot *snapshot, const struct nwfilter_port *port,
                        bool fresh, const char *learned, GString *out, GError **error);
/* The base chains, each with a map of the same name. */
#define NWFILTER_BASES 4
extern const struct nwfilter_base {
        const char *name, *letters, *hook, *end;
        int priority;
} nwfilter_bases[NWFILTER_BASES];

/* What the kernel has of the table (sight.c). */
struct nwfilter_sight;
/* Lane of the socket; NULL with an error. */
struct nwfilter_sight *nwfilter_sight_new(struct netlink *netlink, GError **error);
void nwfilter_sight_free(struct nwfilter_sight *sight);
/* Are all rules of a port of that device there, and do packets get to them? */
bool nwfilter_sight_has(const struct nwfilter_sight *sight, const char *device);
/* Lane: it is gone, unless it has a port. */
void nwfilter_table_remove_empty(struct lane *lane);
DEFINE_CLEANUP(struct nwfilter_sight, nwfilter_sight_free);
/* Lane of the socket: the command that puts back what the kernel has learned; owned, NULL: nothing. */
char *nwfilter_table_read_learned(struct netlink *netlink, const char *device);
/* The same for the end of a port. */
void nwfilter_table_drop(const char *device, GString *out);
