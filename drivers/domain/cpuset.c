/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of numbers between text and words.
 */
#include "drivers/domain/cpuset.h"

#include <string.h>

#define BLANKS " \t\r\n"

/* Digits at *text, which it advances past them; more than fits into the type gives its largest value. */
static bool parse_digits(const char **text, uint64_t *number)
{
        char *end;

        if (!g_ascii_isdigit(**text))
                return false;
        *number = g_ascii_strtoull(*text, &end, 10);
        *text = end;
        return true;
}

/* "N" or "N-M" at *text, which it advances past them. */
static bool parse_range(const char **text, uint64_t max, uint64_t *first, uint64_t *last)
{
        if (!parse_digits(text, first))
                return false;
        *last = *first;
        if (**text == '-') {
                ++*text;
                if (!parse_digits(text, last))
                        return false;
        }
        return *first <= *last && *last < max;
}

/* Word by word: a set may be large, and there may be many of them. */
static void change_range(uint64_t *words, uint64_t first, uint64_t last, bool remove)
{
        for (uint64_t word = first / 64; word <= last / 64; word++) {
                uint64_t mask = UINT64_MAX;

                if (word == first / 64)
                        mask &= UINT64_MAX << (first % 64);
                if (word == last / 64)
                        mask &= UINT64_MAX >> (63 - last % 64);
                words[word] = remove ? words[word] & ~mask : words[word] | mask;
        }
}

bool domain_cpuset_parse(const char *text, unsigned max, uint64_t *words)
{
        uint64_t first, last;

        for (;;) {
                bool remove;

                text += strspn(text, BLANKS);
                remove = *text == '^';
                text += remove;
                if (!parse_range(&text, max, &first, &last))
                        return false;
                change_range(words, first, last, remove);
                text += strspn(text, BLANKS);
                if (!*text)
                        return true;
                if (*text++ != ',')
                        return false;
        }
}

/* The first number from start on that is in the set, or that is not; the end of the words if there is none.
 */
static unsigned find_number(const struct domain_cpuset *set, unsigned start, bool in)
{
        for (unsigned word = start / 64; word < set->n_words; word++) {
                uint64_t bits = in ? set->words[word] : ~set->words[word];

                if (word == start / 64)
                        bits &= UINT64_MAX << (start % 64);
                if (bits)
                        return word * 64 + (unsigned)__builtin_ctzll(bits);
        }
        return set->n_words * 64;
}

char *domain_cpuset_format(const struct domain_cpuset *set)
{
        GString *text = g_string_new(NULL);
        unsigned first, end;

        for (first = find_number(set, 0, true); first < set->n_words * 64;
             first = find_number(set, end, true)) {
                end = find_number(set, first, false);
                g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
                if (end - first > 1)
                        g_string_append_printf(text, "-%u", end - 1);
        }
        return g_string_free(text, FALSE);
}

bool domain_cpuset_has_above(const struct domain_cpuset *set, unsigned first)
{
        return find_number(set, first, true) < set->n_words * 64;
}
