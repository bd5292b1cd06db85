/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Links as a document of the agent's own: what a transaction keeps of the host, so that another agent can put
 * it back. Any thread.
 */

#include "base/error.h"
#include "interfaces/link.h"

/* Owned. boot_id says which boot of the host this was. */
char *links_format(const struct link_set *set, const char *boot_id);

/*
 * Every value checked. *boot_id is owned by the caller. NULL with an error for anything that links_format()
 * did not write.
 */
struct link_set *links_parse(const char *text, char **boot_id, GError **error);
