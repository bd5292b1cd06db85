/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What comes to the loop from one lane, in order, and waits there while somebody who was told of the last of
 * it has not finished telling it on: signals about ten thousand volumes take more than a turn of the loop,
 * and what comes after them must not overtake them. Loop thread.
 */

#include "base/loop.h"

#include <glib.h>

struct arrivals {
        unsigned held;
        GQueue waiting; /* of struct arrival, owned */
};

/* Does fn(data) now, or in its turn behind what waits. */
void arrivals_enter(struct arrivals *arrivals, loop_fn fn, void *data);
/* The rest of what is being done now goes on before everything that waits. */
void arrivals_resume_with(struct arrivals *arrivals, loop_fn fn, void *data);

/* What arrives from now on waits, until as many releases. Several may hold. */
void arrivals_hold(struct arrivals *arrivals);
/* Does what waits, until one of it holds again. */
void arrivals_release(struct arrivals *arrivals);
