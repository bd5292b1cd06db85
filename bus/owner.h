/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Owners of guests (drivers/owners.h) that are clients of the bus, by their unique names. Loop thread. */

#include "bus/tree.h"

/* Somebody owns a guest (owners_listener): is it still there? data is the struct bus. */
void owner_found(const char *name, void *data);

/*
 * The name on the bus is owned: finds out about owners who left while nobody looked, as of guests that
 * were taken over.
 */
void owner_check(struct bus *bus);
