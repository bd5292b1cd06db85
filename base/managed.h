/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The managed object: what domains, networks, pools, secrets ... have in common. An object has a UUID and a
 * name, a persistent definition (a file), an active definition (it runs), or both; it is registered by uuid
 * and by name, changes in its own lane, and publishes immutable snapshots of its state that the loop reads
 * freely.
 *
 * A definition is immutable and counted, for any thread: canonical XML text and, in the kind's own struct, a
 * typed view of it. A state is immutable once published, and counted: definitions plus the kind's run-time
 * facts. Of the object itself `current` belongs to the lane, `published` and the registry's indexes to the
 * loop.
 *
 * A kind embeds these structs as the first member of its own.
 */

#include "base/arrivals.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/uuid.h"

#include <glib.h>
#include <stdbool.h>

struct lane;
struct loop;
struct managed;
struct managed_kind;
struct managed_state;
struct operation;
struct operation_report;
struct pool;
struct registry;

/* ---- definitions ---- */

struct definition {
        /* atomic */
        gint refs;
        /* const */
        const struct managed_kind *kind;
        struct uuid uuid;
        char *name;       /* owned */
        char *xml;        /* owned; canonical text, secrets included */
        char *xml_public; /* owned; the same without secrets; NULL when there are none in it */
};

/*
 * Sets up the head of a new definition with one reference. Takes nothing: the fields are filled in by the
 * kind.
 */
void definition_init(struct definition *definition, const struct managed_kind *kind);
struct definition *definition_ref(struct definition *definition);
/* NULL is fine. The last reference calls kind->definition_free. */
void definition_unref(struct definition *definition);
/* Frees name and texts; for kind->definition_free. */
void definition_clear(struct definition *definition);
/* The text without secrets. */
const char *definition_get_public_xml(const struct definition *definition);

/* ---- events ---- */

/* MANAGED_EVENT_LIFECYCLE: type and detail are the kind's lifecycle numbers (virDomainEventType ...). */
#define MANAGED_EVENT_LIFECYCLE 0

/* The head of every event; a kind adds its payload behind it. */
struct managed_event {
        int id; /* MANAGED_EVENT_LIFECYCLE or one of the kind's own, from 1 */
        int type;
        int detail;
};

/* The lifecycle numbers that all kinds share (virDomainEventType, virNetworkEventLifecycleType, ...). */
enum managed_event_type {
        MANAGED_EVENT_DEFINED = 0,
        MANAGED_EVENT_UNDEFINED = 1,
};

struct managed_event *managed_event_new(int type, int detail);

/* ---- kinds ---- */

struct managed_kind {
        const char *noun; /* "domain" */
        enum error_domain from;
        enum error_code missing; /* ERROR_NO_DOMAIN */
        enum error_code exists;  /* ERROR_OPERATION_FAILED for domains, as clients know it */
        size_t object_size;      /* of the struct that embeds struct managed */
        size_t state_size;       /* of the struct that embeds struct managed_state */

        /* Stored text to definition; context is the registry's. Start-up and lanes. */
        struct definition *(*parse)(void *context, const char *xml, GError **error);
        void (*definition_free)(struct definition *definition);
        /* `to` is a bitwise copy of `from`: take the references and copy what is owned. May be NULL. */
        void (*state_copy)(struct managed_state *to, const struct managed_state *from);
        /* Frees what the kind's part of state holds. May be NULL. */
        void (*state_clear)(struct managed_state *state);
        /* The persistent definition of this unpublished state was just replaced by a define. May be NULL. */
        void (*state_defined)(struct managed_state *state);
        /* Sets up and clears the kind's part of a new object (zeroed). May be NULL. */
        void (*object_init)(struct managed *object, void *context);
        void (*object_clear)(struct managed *object);
        void (*event_free)(struct managed_event *event); /* NULL: g_free */
};

/* ---- states ---- */

struct managed_state {
        /* atomic */
        gint refs;
        /* const once published */
        const struct managed_kind *kind;
        struct definition *persistent; /* ref; NULL when transient */
        struct definition *active;     /* ref; NULL when inactive */
        bool autostart;
};

/* An empty one, to be filled in before it is published. */
struct managed_state *managed_state_new(const struct managed_kind *kind);
struct managed_state *managed_state_ref(struct managed_state *state);
void managed_state_unref(struct managed_state *state);
/* The definition that describes the object now: the active one, else the persistent one. */
struct definition *managed_state_get_definition(const struct managed_state *state);
const char *managed_state_get_name(const struct managed_state *state);

/* How the flags of a kind's List call name what all kinds have in common. */
struct managed_flags {
        unsigned active, inactive;
        unsigned persistent, transient;
        unsigned autostart, no_autostart;
};

/* Those that are true of state; for struct filter. */
unsigned managed_state_describe(const struct managed_state *state, const struct managed_flags *flags);

/* Replaces a definition of a state that is not published yet; takes definition. */
void managed_state_take_persistent(struct managed_state *state, struct definition *definition);
void managed_state_take_active(struct managed_state *state, struct definition *definition);

/* ---- objects ---- */

struct managed {
        /* atomic */
        gint refs;
        /* const */
        const struct managed_kind *kind;
        struct registry *registry; /* borrowed; outlives its objects */
        struct uuid uuid;
        char uuid_text[UUID_STRING_LENGTH + 1];
        struct lane *lane; /* ref */
        /* lane */
        struct managed_state *current; /* ref; NULL before the first definition and after the last */
        /* loop */
        GList link;                      /* in the registry's order */
        struct managed_state *published; /* ref; NULL: clients do not know the object (yet, or any more) */
        char *name;                      /* owned; the key in the registry */
        unsigned pending;                /* runs on the way; keeps the object registered */
        struct arrivals arrivals;        /* what comes from the lane; see managed_hold() */
        struct operation *operation;     /* borrowed; the one that works on it, NULL: none (base/operation) */
        GQueue waiting; /* of struct operation, owned by themselves; for the end of that one */
        struct operation_report *report; /* owned; how the last one ended, NULL: there was none */
        struct operation *keeper;        /* borrowed; who keeps the object to itself, NULL: nobody */
        GQueue turns;                    /* of struct turn, owned; what waits for that, in order */
        unsigned urgent_turns;           /* in turns */
        bool taking_turns;               /* those in turns have theirs now */
};

/* Any thread. */
struct managed *managed_ref(struct managed *object);
void managed_unref(struct managed *object);

/*
 * The latest state, in the lane; the published one, on the loop. Borrowed, NULL as the members say. The way
 * to read them: in debug builds it is asserted that the caller is at the right place.
 */
struct managed_state *managed_get_current(const struct managed *object);
struct managed_state *managed_get_published(const struct managed *object);

/* In the lane. Returns false with an error, which the done function gets. */
typedef bool (*managed_work)(struct managed *object, void *data, GError **error);
/*
 * On the loop, after everything that the work published; error is NULL on success. Called exactly once; frees
 * data.
 */
typedef void (*managed_done)(struct managed *object, const GError *error, void *data);

enum managed_urgency {
        MANAGED_IN_TURN,
        MANAGED_URGENT, /* lane_post_urgent(): what is before it stops waiting */
};

/*
 * Loop: runs work in the object's lane, then done on the loop. done may be NULL. While an operation keeps the
 * object to itself the work waits for its turn; urgent work cancels the operation.
 */
void managed_run(struct managed *object, enum managed_urgency urgency, managed_work work, managed_done done,
                 void *data);

/* Work that has arguments of its own, beside the data of whoever waits for its end. */
struct managed_task {
        managed_work work; /* its data is args */
        enum managed_urgency urgency;
        void *args;               /* owned; freed on the loop, after done */
        GDestroyNotify free_args; /* NULL: g_free() */
};

/* The same for a task; done may be NULL. */
void managed_run_task(struct managed *object, const struct managed_task *task, managed_done done, void *data);

/* Loop: managed_run() for something that had its turn already: no operation is waited for. */
void managed_continue(struct managed *object, managed_work work, managed_done done, void *data);

/* Loop: ends a call that failed before it got to an object. Takes error. */
void managed_fail(GError *error, managed_done done, void *data);

/* Lane: fn(data) on the loop, in order with what the lane publishes. */
void managed_post(struct managed *object, void (*fn)(void *data), void *data);

/* Lane: a copy of the current state (or an empty one) to be changed and published. */
struct managed_state *managed_edit(struct managed *object);

/*
 * Lane: makes state (taken) the current one and sends it to the loop, where it is swapped in and event
 * (taken, may be NULL) is announced. A state with neither definition ends the object: it is announced and
 * then forgotten.
 */
void managed_publish(struct managed *object, struct managed_state *state, struct managed_event *event);

/* Lane: announces event (taken) without a change of state, in order with the publications. */
void managed_emit(struct managed *object, struct managed_event *event);

/*
 * Loop, by a listener of the registry while it is told of a change, for when it has more to tell than a turn
 * of the loop should take: the listeners behind it and all that comes from the lane after this change
 * (publications, ends of runs) wait until it calls release, once it is done, in a later turn. So signals keep
 * their order, and whoever gets a reply has seen them; reads find the change's state published meanwhile.
 * Several may hold an object; it lives at least as long.
 */
void managed_hold(struct managed *object);
void managed_release(struct managed *object);

/*
 * Lane: is the object defined at all, active? Fills *error with kind->missing / OPERATION_INVALID, naming the
 * object.
 */
bool managed_require_known(const struct managed *object, GError **error);
bool managed_require_active(const struct managed *object, GError **error);
bool managed_require_inactive(const struct managed *object, GError **error);
bool managed_require_persistent(const struct managed *object, GError **error);

/* The name for messages: lane variant (current), falls back to the uuid. */
const char *managed_get_current_name(const struct managed *object);

DEFINE_CLEANUP(struct definition, definition_unref);
DEFINE_CLEANUP(struct managed_state, managed_state_unref);
DEFINE_CLEANUP(struct managed, managed_unref);
