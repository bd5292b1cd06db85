/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Domains that live as long as the client who started them (AUTODESTROY). The owner is known by its unique
 * name on the bus; when that leaves, the model is told. Loop thread.
 */

#include "bus/tree.h"

/* Follows the domains of a connection (registry_listener); data is the struct connect. */
void owner_follow(const struct registry_change *change, void *data);

/*
 * The name on the bus is owned: finds out about owners who left while nobody looked, as of guests that
 * were taken over.
 */
void owner_check(struct bus *bus);
