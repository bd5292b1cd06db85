/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who is waiting for what the monitor tells: an operation says by which name of QEMU's its events are known
 * (the id of a job, a block node, the alias of a device), and gets them before anybody else does. Belongs to
 * a guest; lane of the domain.
 */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

enum route_key {
        ROUTE_JOB,       /* id of a job: JOB_STATUS_CHANGE, BLOCK_JOB_... */
        ROUTE_NODE,      /* name of a block node: BLOCK_IO_ERROR, BLOCK_WRITE_THRESHOLD ... */
        ROUTE_DEVICE,    /* alias of a device: DEVICE_DELETED, DEVICE_UNPLUG_GUEST_ERROR ... */
        ROUTE_DUMP,      /* the one dump of memory, name "": DUMP_COMPLETED */
        ROUTE_MIGRATION, /* the one migration, name "": MIGRATION, and the STOP at its end */
};

struct route_ops {
        /* An event; true: nobody else is to handle it. May remove the route. */
        bool (*event)(const char *event, const json_t *arguments, void *data);
        /*
         * Events may have been lost: what QEMU knows of it now. info: the entry of query-jobs, the answer to
         * query-migrate; NULL: nothing (any more). For jobs and migrations; may be NULL.
         */
        void (*resync)(const json_t *info, void *data);
        /* The guest is gone; the route is removed. */
        void (*gone)(void *data);
};

struct routes {
        GPtrArray *entries; /* owned; of struct route, owned */
};

struct route;

void routes_init(struct routes *routes);
/* Tells all that are left that the guest is gone. */
void routes_done(struct routes *routes);

/* name is copied, data borrowed. At most one route has a key and a name. */
struct route *route_add(struct routes *routes, enum route_key key, const char *name,
                        const struct route_ops *ops, void *data);
bool routes_has(const struct routes *routes, enum route_key key, const char *name);
/* NULL is fine. */
void route_remove(struct route *route);

/* True: the event was somebody's. */
bool routes_deliver(const struct routes *routes, const char *event, const json_t *arguments);
/* Tells who waits for it what QEMU says of it; false: nobody does. */
bool routes_resync(const struct routes *routes, enum route_key key, const char *name, const json_t *info);
/* Those of key whose name is not among names are told that QEMU knows nothing of them. */
void routes_resync_missing(const struct routes *routes, enum route_key key, const GHashTable *names);
