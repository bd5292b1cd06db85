/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which links a change is about, noted before it is made, with what of them is not in a struct link: a map
 * from names to what IPv6 was told (struct ipv6_settings). Owned by whoever makes it; any thread.
 */

#include "interfaces/definition.h"
#include "interfaces/ipv6.h"

GHashTable *link_notes_new(void);
/* Reads the settings; one that is noted already stays as it is. */
void link_notes_add(GHashTable *notes, const char *name);
void link_notes_add_settings(GHashTable *notes, const char *name, const struct ipv6_settings *settings);
/* All links that def is made of: itself and its ports at any depth. */
void link_notes_add_def(GHashTable *notes, const struct interface_def *def);
/* VLANs of set on those that are noted, and on these: they go, or go down, with what they are on. */
void link_notes_add_above(GHashTable *notes, const struct link_set *set);
