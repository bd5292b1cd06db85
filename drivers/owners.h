/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Guests that live as long as the client who started them (AUTODESTROY). An owner is the name of an identity,
 * also in the status of a guest that was taken over after a restart of the agent; the view whose client it
 * was says when it is gone. Loop thread.
 */

#include <glib.h>
#include <stdbool.h>

struct model;
struct owners;

struct owners *owners_new(void);
void owners_free(struct owners *owners);

/* Follows the guests of a connection, which outlives this. */
void owners_follow(struct owners *owners, struct model *model);

/*
 * Called when somebody comes to own a guest: the view that knows such names finds out whether it is still
 * there. Names of D-Bus begin with a colon, those of another view with a word of its own.
 */
typedef void (*owners_listener)(const char *name, void *data);
void owners_listen(struct owners *owners, owners_listener listener, void *data);
void owners_unlisten(struct owners *owners, owners_listener listener, void *data);

/* All names, borrowed until the next change; free the array. */
GPtrArray *owners_list(const struct owners *owners);

/* That client is gone: what it owns is destroyed. Nothing happens when it owns nothing. */
void owners_end(struct owners *owners, const char *name);
