/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who calls: a client of any view, from its first call until it leaves. The view fills in who it is, as soon
 * as it knows, and says when it leaves; nothing of it is ever taken from what the client says of itself. Loop
 * thread.
 */

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct model;

enum identity_state {
        IDENTITY_UNKNOWN, /* nobody has asked yet */
        IDENTITY_KNOWN,
        IDENTITY_UNKNOWABLE, /* it left before anybody could tell: nobody vouches for it */
};

/* What a client opened of one connection; one who opened nothing has all that it is authorized for. */
struct identity_openings {
        unsigned writable, read_only;
};

struct identity {
        unsigned refs;
        /* const */
        char *name; /* owned; unique among all clients of all views: what a guest's owner is known by
                       (owners.h) */
        /* const once state is not IDENTITY_UNKNOWN */
        enum identity_state state;
        uid_t uid;
        pid_t pid; /* 0: not known */
        /* loop */
        bool gone; /* it left: what is asked about it is not answered with yes any more */
        struct identity_openings *openings; /* owned; by index of the model */
};

/* name: on D-Bus the unique name (":1.42"); another view's begin with a word of its own and a colon. */
struct identity *identity_new(const char *name, unsigned n_models);
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity);

/* The credentials that the kernel or the bus has of it. */
void identity_set_credentials(struct identity *identity, uid_t uid, pid_t pid);
/* It left. */
void identity_leave(struct identity *identity);

/* flags: enum model_open_flags. */
void identity_open(struct identity *identity, const struct model *model, unsigned flags);
/* The unrestricted opening ends first; false with an error when there is none. */
bool identity_close(struct identity *identity, const struct model *model, GError **error);
/* Is it restricted to reads, because it asked for it? model NULL: no. */
bool identity_is_read_only(const struct identity *identity, const struct model *model);
