/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict numbers and sizes with units. No state; any thread.
 */
#include "base/units.h"

#include "base/error.h"

#include <string.h>

static bool parse_digits(const char *text, uint64_t max, uint64_t *value)
{
        uint64_t sum = 0;

        if (!*text)
                return false;
        for (const char *p = text; *p; p++) {
                if (!g_ascii_isdigit(*p) || __builtin_mul_overflow(sum, 10, &sum) ||
                    __builtin_add_overflow(sum, (uint64_t)(*p - '0'), &sum) || sum > max)
                        return false;
        }
        *value = sum;
        return true;
}

bool units_parse_uint64(const char *text, const char *what, uint64_t max, uint64_t *value, GError **error)
{
        g_autofree char *quoted = NULL;

        if (parse_digits(text, max, value))
                return true;
        /* Most callers that probe pass no error: spare them the sentence. */
        if (!error)
                return false;
        quoted = error_quote(text);
        return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG,
                         "invalid %s '%s': expected a number from 0 to %" G_GUINT64_FORMAT, what, quoted,
                         max);
}

/* The bytes that unit stands for, 0 if it is not known. */
static uint64_t unit_bytes(const char *unit)
{
        static const char letters[] = "kmgtpe";
        const char *letter;
        uint64_t base, bytes = 1;

        if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
            g_ascii_strcasecmp(unit, "bytes") == 0)
                return 1;
        letter = strchr(letters, g_ascii_tolower(*unit));
        if (!letter || !*letter)
                return 0;
        if (!unit[1] || g_ascii_strcasecmp(unit + 1, "ib") == 0)
                base = 1024;
        else if (g_ascii_strcasecmp(unit + 1, "b") == 0)
                base = 1000;
        else
                return 0;
        for (long i = 0; i <= letter - letters; i++)
                bytes *= base;
        return bytes;
}

bool units_scale(uint64_t value, const char *unit, uint64_t default_unit, uint64_t limit, uint64_t *bytes,
                 GError **error)
{
        uint64_t scale = unit && *unit ? unit_bytes(unit) : default_unit, product;
        g_autofree char *quoted = NULL;

        if (scale == 0) {
                quoted = error_quote(unit);
                return error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG, "unknown unit '%s'", quoted);
        }
        if (__builtin_mul_overflow(value, scale, &product) || product > limit)
                return error_set(error, ERROR_FROM_NONE, ERROR_OVERFLOW,
                                 "%" G_GUINT64_FORMAT " %s is more than the limit of %" G_GUINT64_FORMAT
                                 " bytes",
                                 value, unit && *unit ? unit : "units", limit);
        *bytes = product;
        return true;
}
