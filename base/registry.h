/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The registry of one kind of managed object on one connection: by uuid and by name, with the semantics of
 * define, undefine, rename and autostart, and their files. Loop thread unless said otherwise.
 */

#include "base/filter.h"
#include "base/managed.h"

struct registry_change {
        struct managed *object;             /* borrowed */
        const struct managed_state *before; /* NULL: the object is new */
        const struct managed_state *after;  /* NULL: the object is gone */
        const struct managed_event *event;  /* NULL: no event of its own */
};

/* Called on the loop for each publication, in the order of the changes, after the swap. */
typedef void (*registry_listener)(const struct registry_change *change, void *data);

/*
 * directory holds <uuid>.xml and autostart/<uuid>; NULL: nothing is stored (in-memory drivers). context goes
 * to the kind's hooks.
 */
struct registry *registry_new(const struct managed_kind *kind, void *context, struct loop *loop,
                              struct pool *pool, const char *directory);
void registry_free(struct registry *registry);

void registry_listen(struct registry *registry, registry_listener listener, void *data);
/* Ends what registry_listen() with the same arguments began; not from within a listener. */
void registry_unlisten(struct registry *registry, registry_listener listener, void *data);

/*
 * Start-up, before the lanes run: loads every definition in the directory. A file that cannot be read or
 * parsed is logged, kept and left out; of two files with one uuid or name the first by file name wins and
 * both are logged. False only when the directory itself cannot be made or read.
 */
bool registry_load(struct registry *registry, GError **error);

/*
 * Start-up, before the lanes run: enters a new object with state (taken), which nobody has written or
 * announced. NULL with an error when its uuid or name is taken.
 */
struct managed *registry_install(struct registry *registry, struct managed_state *state, GError **error);

const struct managed_kind *registry_get_kind(const struct registry *registry);
unsigned registry_get_count(const struct registry *registry);

/* Published objects; borrowed, NULL when there is none. */
struct managed *registry_find_uuid(const struct registry *registry, const struct uuid *uuid);
struct managed *registry_find_name(const struct registry *registry, const char *name);
/*
 * The same for a client, by what it sent: NULL with kind->missing and "no <noun> with matching uuid '..'" (or
 * name), or the error of a text that is no uuid.
 */
struct managed *registry_lookup_uuid(const struct registry *registry, const char *uuid, GError **error);
struct managed *registry_lookup_name(const struct registry *registry, const char *name, GError **error);

/*
 * Also finds an object whose definition is still on its way (published == NULL): a call that changes it
 * queues behind that in its lane.
 */
struct managed *registry_find_pending(const struct registry *registry, const struct uuid *uuid);

/* All published objects in the order they were registered; borrowed elements, free the array. */
GPtrArray *registry_list(const struct registry *registry);

/*
 * registry_list() for a List call of a client; function is its name for messages. filter describes struct
 * managed. NULL with an error for unknown flags.
 */
GPtrArray *registry_select(const struct registry *registry, const struct filter *filter, unsigned flags,
                           const char *function, GError **error);

/*
 * The object that a new definition belongs to: an existing one of that uuid, or a new one, with its name
 * reserved. Borrowed; to be followed by managed_run() at once. Fails when the name is another object's or the
 * uuid's object has another name.
 */
struct managed *registry_reserve(struct registry *registry, const struct definition *definition,
                                 GError **error);

/*
 * Stores definition (taken), publishes it, announces DEFINED (added or updated); see registry_reserve().
 * True: it is in the object's lane, and done comes later; false: it failed, and done was called.
 */
bool registry_define(struct registry *registry, struct definition *definition, managed_done done, void *data);

/*
 * Reserves a second name for an object that is to be renamed. The name of the next published definition
 * stays, the other is given up then; release gives the new name up when the change failed.
 */
bool registry_reserve_name(struct managed *object, const char *name, GError **error);
void registry_release_name(struct managed *object, const char *name);

/* Lane: writes the definition's file; removes file and autostart mark; sets the mark. No publication. */
bool registry_store(struct managed *object, const struct definition *definition, GError **error);
bool registry_erase(struct managed *object, GError **error);
bool registry_mark_autostart(struct managed *object, bool autostart, GError **error);

/* Loop: persists and publishes the flag; refused for transient objects. */
void registry_set_autostart(struct managed *object, bool autostart, managed_done done, void *data);

/* How many objects have runs on the way; for an orderly end. */
unsigned registry_get_pending(const struct registry *registry);
/* For the end of the agent: cancels the operations that keep an object to themselves. */
void registry_cancel(struct registry *registry);
