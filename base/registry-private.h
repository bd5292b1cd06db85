/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between managed.c and registry.c: what arrives from a lane. Loop thread. */

#include "base/registry.h"

/*
 * Makes state (taken; NULL: the object ended) the published one; returns the one before, with its reference.
 */
struct managed_state *registry_swap(struct managed *object, struct managed_state *state);
/* Tells the listeners from *told on; false: one of them holds the object, and those behind it wait. */
bool registry_tell(const struct registry_change *change, unsigned *told);
/* Forgets an object that nobody knows and nothing is on the way for. */
void registry_settle(struct managed *object);
