/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual host bus adapters (NPIV): Fibre Channel ports of their own name on a port of the host, as
 * /sys/class/fc_host has them. Names are of 16 hexadecimal digits. Lanes: they wait.
 */

#include <glib.h>
#include <stdbool.h>

struct lane;

struct vport_names {
        const char *wwnn, *wwpn; /* borrowed */
};

/* Which Fibre Channel host is meant; all borrowed, NULL: any. */
struct vport_query {
        const char *wwnn, *wwpn, *fabric;
        bool has_room; /* for one more port */
};

/* The first SCSI host that fits ("host8"), owned; NULL: there is none. */
char *vport_find(const struct vport_query *query);

/*
 * Tells the kernel: in a lane that must not be kept waiting by a program, in one that does nothing else at
 * once. Errors name the file.
 */
typedef bool (*vport_write)(struct lane *lane, const char *path, const char *text, GError **error);

/*
 * Makes a port on the host ("host3"), waits until it is there, and returns its host ("host8"), owned. NULL
 * with an error: ERROR_OPERATION_FAILED when the host can have none, those of write,
 * ERROR_OPERATION_TIMEOUT, ERROR_OPERATION_ABORTED; no port stays then.
 */
char *vport_create(struct lane *lane, const char *host, const struct vport_names *names, vport_write write,
                   GError **error);
/* Removes a port from its host; the kernel does so in its own time. Errors as above. */
bool vport_delete(struct lane *lane, const char *host, const struct vport_names *names, vport_write write,
                  GError **error);
