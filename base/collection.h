/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The objects of one kind on a connection that are not managed objects: they have no UUID, no definition of
 * ours and no lane of their own, and come in sets (base/object-set.h), each published as a whole by its
 * owner: volumes by their pools, node devices by udev's source, interfaces by netlink's. A collection finds
 * and lists them, and tells its listeners which of them came, changed and went.
 *
 * There may be many: a listener is told a few at once and the rest in slices of a millisecond, between which
 * the loop serves everybody else, no faster than it can take them. Meanwhile the owner is held: what its lane
 * sends later waits, so that all signals and answers keep their order, while the set itself is there for
 * reads.
 *
 * Owners are of two kinds. One that is a managed object shows its sets on the loop, as its states are
 * published (collection_show()). One that has a lane and nothing else sends them from there
 * (collection_publish()), and its calls go through collection_run(): done comes after all that the work
 * published has been told.
 *
 * Loop thread unless said otherwise.
 */

#include "base/error.h"
#include "base/loop.h"
#include "base/object-set.h"

struct collection;
struct lane;

struct collection_kind {
        const struct object_set_kind *set;
        const char *noun; /* "storage vol" */
        enum error_domain from;
        enum error_code missing; /* ERROR_NO_STORAGE_VOL */
        /* Are two of one name the same object, changed? NULL: they are. If not, one went and another came. */
        bool (*is_same)(const void *before, const void *after);
        /*
         * Holds what comes from the owner's lane, see arrivals_hold(). NULL: the collection's only owner is
         * NULL.
         */
        void (*hold)(void *owner);
        void (*release)(void *owner);
};

/* lane: of what publishes the sets, referenced; NULL when the owners have lanes of their own. */
struct collection *collection_new(const struct collection_kind *kind, struct loop *loop, struct lane *lane);
/* When collection_get_pending() is 0. NULL is fine. */
void collection_free(struct collection *collection);
const struct collection_kind *collection_get_kind(const struct collection *collection);

/* ---- what is in it; borrowed, valid until the next publication: take a reference to keep ---- */

/* The first of that name, or key; NULL when there is none. *owner (may be NULL) gets whose it is. */
void *collection_find(const struct collection *collection, const char *name, void **owner);
void *collection_find_by(const struct collection *collection, unsigned key, const char *text, void **owner);
/* For a client: NULL with kind->missing and "no <noun> with matching name '..'". */
void *collection_lookup(const struct collection *collection, const char *name, GError **error);
/* All of them, borrowed elements; free the array. */
GPtrArray *collection_list(const struct collection *collection);
unsigned collection_get_count(const struct collection *collection);
/* The sets one by one: NULL behind the last. */
const struct object_set *collection_get_nth(const struct collection *collection, unsigned n, void **owner);

/* ---- owners ---- */

/* What owner shows from now on, instead of what it showed before; NULL: nothing (any more). Borrowed. */
void collection_show(struct collection *collection, void *owner, struct object_set *set);

/* In the collection's lane: the same from there, with set taken, for the one owner NULL. */
void collection_publish(struct collection *collection, struct object_set *set);

/* In the collection's lane. Returns false with an error, which the done function gets. */
typedef bool (*collection_work)(void *args, GError **error);
/* On the loop, after all that the work published was told; once. error NULL: it succeeded. Frees data. */
typedef void (*collection_done)(const GError *error, void *data);

/* Work that has arguments of its own, as struct managed_task. */
struct collection_task {
        collection_work work;
        void *args;               /* owned; freed on the loop, after done */
        GDestroyNotify free_args; /* NULL: g_free() */
};

/* Runs a task in the collection's lane, then done on the loop. done may be NULL. */
void collection_run(struct collection *collection, const struct collection_task *task, collection_done done,
                    void *data);

/* Publications and runs on the way. */
unsigned collection_get_pending(const struct collection *collection);

/* ---- listeners ---- */

struct collection_listener {
        /* An object came (before NULL), went (after NULL), or is described differently. */
        void (*tell)(void *before, void *after, void *data);
        /* Does nobody hear it now? What there is to tell is dropped then. NULL: it always hears. */
        bool (*is_deaf)(void *data);
        /* Should it not be told more for now? It gets a slice every 100 ms all the same. NULL: never. */
        bool (*is_busy)(void *data);
};

/* listener is borrowed and outlives the listening. */
void collection_listen(struct collection *collection, const struct collection_listener *listener, void *data);
/* Ends what collection_listen() with the same arguments began; what has not been told is dropped. */
void collection_unlisten(struct collection *collection, const struct collection_listener *listener,
                         void *data);
/* A listener is not busy any more. */
void collection_resume(struct collection *collection);
