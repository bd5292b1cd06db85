/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SCSI hosts and their units as sysfs shows them. Lanes only.
 */

#include "drivers/storage/backend.h"

/* The first line of a file in sysfs, without its end. Owned; NULL when it cannot be read. */
char *scsi_read_text(const char *dir, const char *name);
/* Writes to a file in sysfs by a child, as the kernel may take its time over it. */
bool scsi_write_text(struct lane *lane, const char *path, const char *text, GError **error);

/* "host3" and "scsi_host3" */
bool scsi_parse_host(const char *name, unsigned *number);
/* Calls fn for each entry of a class ("scsi_host") until it returns true; false when it never did. */
bool scsi_foreach(const char *class, bool (*fn)(const char *dir, const char *name, void *data), void *data);

/* Lets the host look for new units. */
bool scsi_scan(struct lane *lane, unsigned number, GError **error);
/*
 * Adds the disks of the host as volumes "unit:<bus>:<target>:<lun>" with the names that the pool's target has
 * for them; one without a name there is left out.
 */
bool scsi_read_units(const struct backend_context *context, unsigned number, struct pool_scan *scan,
                     GError **error);
