/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between managed.c and registry.c: what arrives from a lane. Loop thread. */

#include "base/managed.h"

/* Makes state (taken; NULL: the object ended) the published one and tells the listeners. */
void registry_swap(struct managed *object, struct managed_state *state, const struct managed_event *event);
/* Tells the listeners about an event without a change of state. */
void registry_announce(struct managed *object, const struct managed_event *event);
/* A run ended: forgets an object that nobody knows and nothing is on the way for. */
void registry_settle(struct managed *object);
