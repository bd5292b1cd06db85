/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes as the bus shows them: those of active pools, by their key. Loop thread. */

#include "bus/tree.h"
#include "drivers/storage/storage.h"

extern const struct object_kind storage_vol_object_kind;

/* End of the making of a volume (storage_volume_done): replies with its path; data is the call. */
void storage_vol_created(struct storage_pool *pool, struct volume *volume, const GError *error, void *data);

/* ---- storage-vol-signals.c ---- */

/* Tells the bus about changes of volumes (storage_volumes_listener); data is the struct branch. */
void storage_vol_signals_follow(struct storage_pool *pool, struct volume_set *before,
                                struct volume_set *after, void *data);
/* Goes on with what does not fit into a turn of the loop; data is the struct bus. */
void storage_vol_signals_continue(void *data);
/* When nobody follows any more: gives up what has not been told. */
void storage_vol_signals_end(struct bus *bus);
