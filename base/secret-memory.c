/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that are in no dump. No state. */
#include "base/secret-memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t round_up(size_t size)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        return (MAX(size, 1) + page - 1) / page * page;
}

void *secret_memory_new(size_t size)
{
        size_t rounded = round_up(size);
        void *memory = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                g_error("no memory for a secret of %zu bytes", size);
        madvise(memory, rounded, MADV_DONTDUMP);
        madvise(memory, rounded, MADV_DONTFORK);
        /* Beyond the limit of an account it may be paged out, which is better than not to have it. */
        mlock(memory, rounded);
        return memory;
}

void secret_memory_free(void *memory, size_t size)
{
        if (!memory)
                return;
        explicit_bzero(memory, size);
        munmap(memory, round_up(size));
}

struct owned {
        void *memory;
        size_t size;
};

static void owned_free(void *data)
{
        struct owned *owned = data;

        secret_memory_free(owned->memory, owned->size);
        g_free(owned);
}

GBytes *secret_memory_take(void *memory, size_t length)
{
        struct owned *owned = g_new(struct owned, 1);

        *owned = (struct owned){ memory, length };
        return g_bytes_new_with_free_func(memory, length, owned_free, owned);
}

GBytes *secret_memory_copy(const void *data, size_t length)
{
        void *memory = secret_memory_new(length);

        if (length > 0)
                memcpy(memory, data, length);
        return secret_memory_take(memory, length);
}
