/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which objects a caller may see, where the authorizer tells objects apart (authorization_tells_apart()):
 * lists and lookups reveal no others, and signals about an object go to nobody else. What is not known has to
 * be asked, so a list may be answered later. Loop thread.
 */

#include "bus/bus-private.h"
#include "bus/tree.h"

struct call;
struct caller;

/* Is there anything that this caller may not see? If not, none of what follows is for it. */
bool sight_is_limited(const struct call *call);

/* ---- lists ---- */

struct sight_entry {
        const struct branch *branch;
        char *element; /* owned; the last one of the path */
        /* of sight.c */
        enum model_kind kind;
        void *object; /* what it is asked about; ref; NULL: nothing */
        const struct branch *object_branch;
        bool seen;
};

/* The entries that the call's caller may see; valid during the call. */
typedef void (*sight_done)(struct call *call, const GArray *entries);

struct sight;

struct sight *sight_new(struct call *call);
void sight_add(struct sight *sight, const struct branch *branch, const void *object);
void sight_add_all(struct sight *sight, const struct branch *branch);
/*
 * Asks about all that was added, and ends: done is called at once or later, and never when the call was given
 * up meanwhile. The call lets go of its object.
 */
void sight_ask(struct sight *sight, sight_done done);

/* Ends the call with the paths of those that its caller may see; with one path, or a refusal. */
void sight_reply_objects(struct call *call, const struct branch *branch, const void *const *objects,
                         unsigned count);
void sight_reply_object(struct call *call, const struct branch *branch, const void *object);

/* ---- signals ---- */

/*
 * What the signals that leave now are about; until sight_end() with what it returned. An object that is gone
 * for the bus is fine, as long as it is there.
 */
struct subject sight_begin(const struct branch *branch, void *object);
void sight_end(struct bus *bus, struct subject before);

/* Must signals go to single callers, now? */
bool sight_limits_signals(const struct bus *bus);
/* To those of callers (NULL: all who have called the agent) who may see what it is about, in order. */
void sight_send(struct bus *bus, DBusMessage *message, const GPtrArray *callers);

/* A reply that has to stay behind signals which wait for an answer; false: none do. */
bool sight_keep_behind(struct caller *caller, DBusMessage *message);
