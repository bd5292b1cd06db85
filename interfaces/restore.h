/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Taking back: the links of some names are made what they were in an earlier set. A failed change is undone
 * by it, and so is a transaction. In the lane of the source.
 */

#include "interfaces/link.h"

#include <stdbool.h>

struct link_source;

/*
 * Makes the links whose names are in names (a set of strings) what they were in before: those that are gone
 * are made again where that is in our hands (bridge, bond, vlan), those that were not there are deleted where
 * we may have made them, and ports, MTU, MAC, addresses, routes and being up are put back. Does as much of it
 * as it can: false with the first failure.
 */
bool link_restore(struct link_source *source, const struct link_set *before, GHashTable *names,
                  GError **error);
