/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes as the bus shows them: those of active pools, by their key. Loop thread. */

#include "bus/tree.h"
#include "drivers/storage/storage.h"

extern const struct object_kind storage_vol_object_kind;

/* End of the making of a volume (storage_volume_done): replies with its path; data is the call. */
void storage_vol_created(struct storage_pool *pool, struct volume *volume, const GError *error, void *data);
