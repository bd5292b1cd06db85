/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Memory of one owner that is freed at once: the structs and strings of one definition. One thread at a time;
 * what is in it may be read by any thread when its owner is immutable.
 */

#include <stddef.h>

struct domain_arena;

struct domain_arena *domain_arena_new(void);
/* NULL is fine. */
void domain_arena_free(struct domain_arena *arena);

/* Zeroed, aligned for any type without special alignment. */
void *domain_arena_alloc(struct domain_arena *arena, size_t size);
/* A copy of text; NULL gives NULL. */
const char *domain_arena_strdup(struct domain_arena *arena, const char *text);

/* What the arena holds of the heap, in bytes. */
size_t domain_arena_get_size(const struct domain_arena *arena);
