/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bringing interfaces up and down as their definitions say. In the lane of the source. Either all of it is
 * done or nothing: what was done before a failure is taken back.
 */

#include "interfaces/definition.h"

struct link_source;

/*
 * Makes what is missing (bridge, bond, VLAN, with their ports), gives it MAC, MTU, addresses and routes, and
 * sets it up. Errors name the link and the reason; ERROR_NO_INTERFACE for hardware that is not there. DHCP is
 * the caller's: see dhcp.h.
 */
bool interface_set_up(struct link_source *source, const struct interface_def *def, GError **error);

/*
 * Takes addresses from the link, sets it down, and deletes what is made by us (bridge, bond, VLAN): ports are
 * released and stay as they are otherwise. def may be NULL: the link of that name is only set down, with its
 * addresses removed.
 */
bool interface_set_down(struct link_source *source, const char *name, const struct interface_def *def,
                        GError **error);

/*
 * Takes back what was done to the links that are noted (notes.h) since before. The job cannot be interrupted
 * from here on; a failure is logged.
 */
void interface_take_back(struct link_source *source, const struct link_set *before, GHashTable *notes);
