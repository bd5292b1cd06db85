/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Memory for what is to be in no other place: pages of its own, which are kept out of core dumps and out of
 * swap (as far as RLIMIT_MEMLOCK lets us), are not there in processes that are forked, and are overwritten
 * before they are given back. A page or more for each: for values, keys and passwords, not for what there are
 * thousands of. Any thread.
 */

#include <glib.h>
#include <stddef.h>

/* Zeroed. Ends the process when there is no memory, as g_malloc() does. */
void *secret_memory_new(size_t size);
/* size as it was asked for. NULL is fine. */
void secret_memory_free(void *memory, size_t size);

/* A copy of length bytes of data there; it goes with its last reference. */
GBytes *secret_memory_copy(const void *data, size_t length);
/* The same, of memory that secret_memory_new(length) gave; takes it. */
GBytes *secret_memory_take(void *memory, size_t length);
