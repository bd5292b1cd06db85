/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The model of network filters, and the filtering of guests' interfaces. A filter is a managed object that
 * only has a persistent definition, a file <uuid>.xml in the state directory. Functions are called on the
 * loop unless said otherwise. Those that read answer at once from the published state; those that change
 * something take a done function, called on the loop exactly once, after the change is on disk, in the kernel
 * and published. Flags are those of the libvirt API function of the same name.
 *
 * An interface is filtered by rules in a table of nftables (rules.h). Whoever makes it ready takes a snapshot
 * of all filters on the loop, and applies them in a lane of its own; from then on a filter that changes
 * changes the rules of all interfaces that have it, in one transaction, or does not change.
 */

#include "base/loop.h"
#include "base/registry.h"
#include "drivers/nwfilter/nwfilter-def.h"
#include "drivers/nwfilter/port.h"
#include "drivers/nwfilter/snapshot.h"

struct lane;
struct nft_source;
struct nwfilters;
struct pool;

struct nwfilter {
        struct managed base;
        struct nwfilters *nwfilters; /* borrowed; const */
};

/* ---- the connection's filters ---- */

struct nwfilters_config {
        const char *state_dir; /* NULL: in memory, nothing is filtered */
        const char *stock_dir; /* documents of filters that a fresh system has; NULL: none */
        /* Addresses that interfaces have learned are kept in its file `learned`; NULL: nowhere. */
        const char *runtime_dir;
};

struct nwfilters *nwfilters_new(struct loop *loop, struct pool *pool, const struct nwfilters_config *config);
/* When nothing is on its way, after nwfilters_quiesce(). */
void nwfilters_free(struct nwfilters *nwfilters);
/* Start-up, before the lanes run. The filters of stock_dir are defined once in the life of the state
 * directory. */
bool nwfilters_load(struct nwfilters *nwfilters, GError **error);
struct registry *nwfilters_get_registry(const struct nwfilters *nwfilters);
/* Follows the packet filter of the host; borrowed. NULL: they are in memory. */
struct nft_source *nwfilters_get_source(const struct nwfilters *nwfilters);
/* The end of the agent: rules stay, and nobody looks after them any more. */
void nwfilters_quiesce(struct nwfilters *nwfilters);
/* Is something on its way, beside what the registry knows of? */
bool nwfilters_are_busy(const struct nwfilters *nwfilters);

/* ---- lookups, lists, reads; borrowed results ---- */

struct nwfilter *nwfilter_lookup_name(struct nwfilters *nwfilters, const char *name, GError **error);
struct nwfilter *nwfilter_lookup_uuid(struct nwfilters *nwfilters, const char *uuid, GError **error);
/* Borrowed elements, free the array; NULL with an error for unknown flags. flags: none. */
GPtrArray *nwfilter_list(struct nwfilters *nwfilters, unsigned flags, GError **error);
/* Borrowed text. flags: none. */
const char *nwfilter_get_xml(const struct nwfilter *nwfilter, unsigned flags, GError **error);

/* ---- changes ---- */

/*
 * A document with the name and uuid of a filter replaces its definition. It fails with ERROR_OPERATION_FAILED
 * when filters would refer to each other in a circle, and when the rules of an interface that is filtered by
 * it cannot be made.
 */
void nwfilter_define_xml(struct nwfilters *nwfilters, const char *xml, managed_done done, void *data);
/* Refused with ERROR_OPERATION_INVALID, naming guests, while interfaces are filtered by it. */
void nwfilter_undefine(struct nwfilter *nwfilter, managed_done done, void *data);

/* ---- interfaces ---- */

/* All filters as they are published now; a reference. */
struct nwfilter_snapshot *nwfilters_get_snapshot(struct nwfilters *nwfilters);

/*
 * Any lane, which waits: nothing passes port's device from here on that its filter does not let pass; what
 * was learned about a port of that device before is forgotten. The device need not be there yet.
 * ERROR_FROM_NWFILTER with what is missing: a filter, a value, a tool.
 */
bool nwfilter_port_apply(struct nwfilters *nwfilters, struct nwfilter_snapshot *snapshot, struct lane *lane,
                         struct nwfilter_port *port, GError **error);
/*
 * Any thread: the device is filtered no more, unless it has been another port's since. The rules go a little
 * later; failures are logged.
 */
void nwfilter_port_forget(struct nwfilters *nwfilters, struct nwfilter_port *port);

/*
 * Start-up: an interface of a guest that was found running. Its rules are looked after from nwfilters_start()
 * on, which puts back what is not there, and removes what belongs to no interface. From then on rules that
 * others remove are put back as well, until nwfilters_quiesce().
 */
void nwfilters_restore_port(struct nwfilters *nwfilters, struct nwfilter_port *port);
void nwfilters_start(struct nwfilters *nwfilters);
