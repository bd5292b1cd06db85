/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A list of functions to be called when something happens, in the order in which they were added. Each list
 * has a type of function, whose last argument is the listener's data:
 *
 *     typedef void (*job_listener)(struct job *job, enum job_change change, void *data);
 *
 *     listeners_add(&list->listeners, LISTENER(listener), data);
 *     LISTENERS_TELL(&list->listeners, job_listener, job, change);
 *
 * No list changes while it is being told. Loop thread.
 */

#include <glib.h>

typedef void (*listener_fn)(void);
#define LISTENER(fn) ((listener_fn)(fn))

struct listener {
        listener_fn fn;
        void *data; /* borrowed */
};

struct listeners {
        GArray *entries; /* owned; of struct listener; NULL before the first */
};

void listeners_add(struct listeners *listeners, listener_fn fn, void *data);
/* Ends what listeners_add() with the same arguments began. */
void listeners_remove(struct listeners *listeners, listener_fn fn, void *data);
void listeners_done(struct listeners *listeners);

static inline unsigned listeners_count(const struct listeners *listeners)
{
        return listeners->entries ? listeners->entries->len : 0;
}

static inline const struct listener *listeners_get(const struct listeners *listeners, unsigned i)
{
        return &g_array_index(listeners->entries, struct listener, i);
}

#define LISTENERS_TELL(listeners, type, ...)                                                                 \
        do {                                                                                                 \
                for (unsigned i_ = 0; i_ < listeners_count(listeners); i_++) {                               \
                        const struct listener *entry_ = listeners_get(listeners, i_);                        \
                        ((type)entry_->fn)(__VA_ARGS__, entry_->data);                                       \
                }                                                                                            \
        } while (0)
