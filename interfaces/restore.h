/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Taking back: links are made what they were in an earlier set. A failed change is undone
 * by it, and so is a transaction. In the lane of the source.
 */

#include "interfaces/link.h"

#include <stdbool.h>

struct link_source;

/*
 * Makes the links that are noted (notes.h) what they were in before: those that are gone are made again where
 * that is in our hands (bridge, bond, vlan), those that were not there are deleted where we may have made
 * them, and ports, MTU, MAC, settings of IPv6, addresses, routes and being up are put back. Does as much of
 * it as it can: false with the first failure.
 */
bool link_restore(struct link_source *source, const struct link_set *before, GHashTable *notes,
                  GError **error);
