/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A list of chunks. Structs are taken from the front of a chunk and strings, which need no alignment, from
 * its back, so that neither wastes the room between.
 */
#include "drivers/domain/arena.h"

#include <glib.h>

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CHUNK_SIZE 2048

struct chunk {
        struct chunk *next;
        size_t size;  /* of data */
        size_t front; /* data below it is taken */
        size_t back;  /* data from it on is taken */
        alignas(max_align_t) char data[];
};

struct domain_arena {
        struct chunk *chunks; /* owned; the first one is used */
};

struct domain_arena *domain_arena_new(void)
{
        return g_new0(struct domain_arena, 1);
}

void domain_arena_free(struct domain_arena *arena)
{
        if (!arena)
                return;
        for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
                next = chunk->next;
                g_free(chunk);
        }
        g_free(arena);
}

/* The chunk in use if it has room, else a new one; what is larger than a chunk gets one of its own behind it.
 */
static struct chunk *get_chunk(struct domain_arena *arena, size_t size)
{
        struct chunk *chunk = arena->chunks;
        size_t data = CHUNK_SIZE - sizeof(struct chunk);
        bool own = size > data / 2;

        if (chunk && chunk->back - chunk->front >= size)
                return chunk;
        data = own ? size : data;
        chunk = g_malloc0(sizeof(struct chunk) + data);
        chunk->size = chunk->back = data;
        if (own && arena->chunks) {
                chunk->next = arena->chunks->next;
                arena->chunks->next = chunk;
        } else {
                chunk->next = arena->chunks;
                arena->chunks = chunk;
        }
        return chunk;
}

void *domain_arena_alloc(struct domain_arena *arena, size_t size)
{
        size_t rounded = (size + alignof(uint64_t) - 1) & ~(alignof(uint64_t) - 1);
        struct chunk *chunk = get_chunk(arena, rounded);
        void *memory = chunk->data + chunk->front;

        chunk->front += rounded;
        return memory;
}

const char *domain_arena_strdup(struct domain_arena *arena, const char *text)
{
        size_t size;
        struct chunk *chunk;

        if (!text)
                return NULL;
        size = strlen(text) + 1;
        chunk = get_chunk(arena, size);
        chunk->back -= size;
        return memcpy(chunk->data + chunk->back, text, size);
}

size_t domain_arena_get_size(const struct domain_arena *arena)
{
        size_t size = sizeof(*arena);

        for (const struct chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
                size += sizeof(*chunk) + chunk->size;
        return size;
}
