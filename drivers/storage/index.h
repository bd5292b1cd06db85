/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Volumes of all active pools of a connection by key or by path. Two pools may show the same volume (a
 * directory inside another's mount): the first to show it is found, and the other when that is gone. Loop.
 */

#include "drivers/storage/storage.h"

struct storage_index;

enum storage_index_field {
        STORAGE_INDEX_KEY,
        STORAGE_INDEX_PATH,
};

struct storage_index *storage_index_new(enum storage_index_field field);
void storage_index_free(struct storage_index *index);

/* pool showed the volumes of before and now shows those of after; either may be NULL. */
void storage_index_update(struct storage_index *index, struct storage_pool *pool,
                          const struct volume_set *before, const struct volume_set *after);

/* Borrowed; NULL when there is none. pool may be NULL, else gets its pool, borrowed. */
struct volume *storage_index_find(const struct storage_index *index, const char *text,
                                  struct storage_pool **pool);
