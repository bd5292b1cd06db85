/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual host bus adapters (NPIV): Fibre Channel ports of their own name on a port of the host. Pool's lane.
 */

#include "drivers/storage/pool-def.h"

struct lane;

/* The number of the SCSI host with these names ("20000000c9831b4b"); false when there is none. */
bool vhba_find(const char *wwnn, const char *wwpn, unsigned *number);
/* Makes the one that adapter describes, on its parent, and waits until it is there. */
bool vhba_create(struct lane *lane, const struct pool_adapter *adapter, unsigned *number, GError **error);
/* Removes it from its parent. */
bool vhba_delete(struct lane *lane, const struct pool_adapter *adapter, unsigned number, GError **error);
