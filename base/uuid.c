/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UUIDs: text to bytes and back, random ones, hash table keys. No state; any thread.
 */
#include "base/uuid.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static bool parse_bytes(struct uuid *uuid, const char *p)
{
        struct uuid parsed;

        while (g_ascii_isspace(*p))
                p++;
        for (unsigned i = 0; i < sizeof(parsed.bytes); i++) {
                while (*p == '-')
                        p++;
                if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1]))
                        return false;
                parsed.bytes[i] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
                p += 2;
        }
        while (g_ascii_isspace(*p))
                p++;
        if (*p)
                return false;
        *uuid = parsed;
        return true;
}

bool uuid_parse(struct uuid *uuid, const char *text, GError **error)
{
        g_autofree char *quoted = NULL;

        if (parse_bytes(uuid, text))
                return true;
        quoted = error_quote(text);
        return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG, "malformed UUID '%s'", quoted);
}

char *uuid_format(const struct uuid *uuid, char buffer[UUID_STRING_LENGTH + 1])
{
        static const char digits[] = "0123456789abcdef";
        char *p = buffer;

        for (unsigned i = 0; i < sizeof(uuid->bytes); i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *p++ = '-';
                *p++ = digits[uuid->bytes[i] >> 4];
                *p++ = digits[uuid->bytes[i] & 0xf];
        }
        *p = '\0';
        return buffer;
}

void uuid_generate(struct uuid *uuid)
{
        ssize_t got;

        /* The kernel never cuts such a short request; only a signal before the pool is seeded interrupts it.
         */
        do
                got = getrandom(uuid->bytes, sizeof(uuid->bytes), 0);
        while (got < 0 && errno == EINTR);
        g_assert(got == (ssize_t)sizeof(uuid->bytes));
        uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0f) | 0x40);
        uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3f) | 0x80);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Mixes all bytes: UUIDs come from callers and are not always random. */
guint uuid_hash(gconstpointer uuid)
{
        uint64_t half[2];

        memcpy(half, ((const struct uuid *)uuid)->bytes, sizeof(half));
        half[0] = (half[0] ^ (half[1] * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);
        return (guint)(half[0] >> 32);
}

gboolean uuid_equal_func(gconstpointer a, gconstpointer b)
{
        return uuid_equal(a, b);
}
