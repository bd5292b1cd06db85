/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An immutable set of descriptions, sorted by name: the volumes of a pool, the devices or interfaces of a
 * host. A list of ten thousand is an array that exists; a change copies pointers; what differs between two
 * sets is found by walking both. Each set brings its orders by the kind's keys along, so that nobody has to
 * keep an index in step. The objects are immutable and counted as well. Any thread.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>

/* Keys beside the name that objects of one kind can be found by. */
#define OBJECT_SET_KEYS_MAX 3

struct object_set_kind {
        void *(*ref)(void *object);
        void (*unref)(void *object);
        /* Unique in a set. */
        const char *(*get_name)(const void *object);
        /* NULL: the object does not have that key. Of several with one key, the first by name is found. */
        unsigned n_keys;
        const char *(*get_key)(const void *object, unsigned key);
};

/* The objects that have the key, sorted by it (strcmp()). */
struct object_order {
        unsigned count;
        void **objects; /* borrowed from the set */
};

struct object_set {
        /* atomic */
        gint refs;
        /* const */
        const struct object_set_kind *kind;
        unsigned count;
        struct object_order orders[OBJECT_SET_KEYS_MAX];
        void *objects[]; /* refs; sorted by name (strcmp()) */
};

/* Of the objects in list, which is sorted (refs are taken); of several with one name the first counts. */
struct object_set *object_set_new(const struct object_set_kind *kind, GPtrArray *list);
struct object_set *object_set_ref(struct object_set *set);
void object_set_unref(struct object_set *set); /* NULL is fine */

/* Borrowed; NULL when there is none. set may be NULL (empty), here and below. */
void *object_set_find(const struct object_set *set, const char *name);
void *object_set_find_by(const struct object_set *set, unsigned key, const char *text);

/* A new set with object (ref taken) added, or in the place of the one with its name. */
struct object_set *object_set_with(const struct object_set_kind *kind, const struct object_set *set,
                                   void *object);
struct object_set *object_set_without(const struct object_set_kind *kind, const struct object_set *set,
                                      const char *name);

/*
 * Which descriptions differ (not the same struct), in order of names: set before and after (borrowed), and
 * call next until it returns false. *before NULL: added, *after NULL: removed.
 */
struct object_set_walk {
        const struct object_set *before, *after;
        unsigned n_before, n_after; /* walked past */
};
bool object_set_walk_next(struct object_set_walk *walk, void **before, void **after);

DEFINE_CLEANUP(struct object_set, object_set_unref);
