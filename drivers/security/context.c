/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts and categories. No state.
 */
#include "drivers/security/context.h"

#include "base/cleanup.h"

#include <string.h>

#define CONTEXT_MAX 4096

/* ---- contexts ---- */

bool context_parse(struct context *context, const char *text)
{
        enum { PARTS = 4 };
        char **parts;
        bool ok;

        *context = (struct context){ 0 };
        if (strlen(text) > CONTEXT_MAX)
                return false;
        /* There are more colons in the range. */
        parts = g_strsplit(text, ":", PARTS);
        ok = g_strv_length(parts) >= PARTS - 1;
        for (unsigned i = 0; ok && parts[i]; i++)
                ok = *parts[i] && !strpbrk(parts[i], " \t\n");
        if (ok)
                *context = (struct context){ g_steal_pointer(&parts[0]), g_steal_pointer(&parts[1]),
                                             g_steal_pointer(&parts[2]), g_steal_pointer(&parts[3]) };
        /* Those that were taken end the array for g_strfreev(). */
        if (!ok)
                g_strfreev(parts);
        else
                g_free(parts);
        return ok;
}

void context_clear(struct context *context)
{
        g_clear_pointer(&context->user, g_free);
        g_clear_pointer(&context->role, g_free);
        g_clear_pointer(&context->type, g_free);
        g_clear_pointer(&context->range, g_free);
}

char *context_format(const struct context *context)
{
        return g_strjoin(":", context->user, context->role, context->type, context->range, NULL);
}

char *context_derive(const char *base, const char *like, bool role, const char *range)
{
        CLEANUP(context_clear) struct context from = { 0 }, other = { 0 };
        struct context derived;

        if (!context_parse(&from, base) || !context_parse(&other, like))
                return NULL;
        derived = (struct context){ other.user, role ? other.role : from.role, from.type, (char *)range };
        return context_format(&derived);
}

char *context_get_range(const char *text)
{
        CLEANUP(context_clear) struct context context = { 0 };

        return context_parse(&context, text) ? g_steal_pointer(&context.range) : NULL;
}

/* ---- categories ---- */

static void add(struct categories *categories, unsigned category)
{
        if (categories_have(categories, category))
                return;
        categories->bits[category / 64] |= UINT64_C(1) << (category % 64);
        categories->count++;
}

bool categories_have(const struct categories *categories, unsigned category)
{
        return category < CATEGORIES && (categories->bits[category / 64] >> (category % 64) & 1);
}

/* "c17"; *end is behind it. */
static bool read_category(const char *text, unsigned *category, const char **end)
{
        char *behind = NULL;
        guint64 number;

        if (*text != 'c' || !g_ascii_isdigit(text[1]))
                return false;
        number = g_ascii_strtoull(text + 1, &behind, 10);
        *category = (unsigned)number;
        *end = behind;
        return number < CATEGORIES;
}

/* "c17" or "c0.c255" */
static bool read_span(const char *text, struct categories *categories)
{
        unsigned first, last;

        if (!read_category(text, &first, &text))
                return false;
        last = first;
        if (*text == '.' && !read_category(text + 1, &last, &text))
                return false;
        for (unsigned i = first; i <= last; i++)
                add(categories, i);
        return *text == '\0' && last >= first;
}

/* "c0.c255,c512" */
static bool read_list(const char *text, struct categories *categories)
{
        g_auto(GStrv) spans = g_strsplit(text, ",", -1);

        for (unsigned i = 0; spans[i]; i++) {
                if (!read_span(spans[i], categories))
                        return false;
        }
        return spans[0] != NULL;
}

/* "s0" or "s0:c0.c255"; *sensitivity: owned. */
static bool read_level(const char *text, char **sensitivity, struct categories *categories)
{
        const char *colon = strchr(text, ':');

        *categories = (struct categories){ 0 };
        *sensitivity = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);
        if (**sensitivity && (!colon || read_list(colon + 1, categories)))
                return true;
        g_clear_pointer(sensitivity, g_free);
        return false;
}

bool categories_read(const char *range, char **sensitivity, struct categories *categories)
{
        g_auto(GStrv) levels = g_strsplit(range, "-", 2);
        g_autofree char *upper = NULL;

        *sensitivity = NULL;
        if (!levels[0] || !read_level(levels[0], sensitivity, categories))
                return false;
        if (levels[1] && !read_level(levels[1], &upper, categories)) {
                g_clear_pointer(sensitivity, g_free);
                return false;
        }
        for (unsigned i = 0; categories->count == 0 && i < G_N_ELEMENTS(categories->bits); i++)
                categories->bits[i] = UINT64_MAX;
        if (categories->count == 0)
                categories->count = CATEGORIES;
        return true;
}

bool category_pair_read(const char *range, struct category_pair *pair)
{
        struct categories categories;
        g_autofree char *sensitivity = NULL;
        unsigned found[2] = { 0 }, n = 0;

        if (!range || strchr(range, '-') || !read_level(range, &sensitivity, &categories) ||
            categories.count != 2)
                return false;
        for (unsigned i = 0; i < CATEGORIES; i++)
                if (categories_have(&categories, i))
                        found[n++] = i;
        *pair = (struct category_pair){ found[0], found[1] };
        return true;
}

char *category_pair_format(const char *sensitivity, const struct category_pair *pair)
{
        return g_strdup_printf("%s:c%u,c%u", sensitivity, pair->low, pair->high);
}

/* ---- who has which ---- */

/* Pairs in a triangle: (0,1), (0,2), (1,2), (0,3) ... */
static bool get_number(const struct category_pair *pair, unsigned *number)
{
        *number = pair->high * (pair->high - 1) / 2 + pair->low;
        return pair->low < pair->high && pair->high < CATEGORIES;
}

bool category_claims_take(struct category_claims *claims, const struct category_pair *pair)
{
        unsigned number;

        if (pair->high == 0 || !get_number(pair, &number))
                return false;
        return !(g_atomic_int_or(&claims->words[number / 32], 1U << (number % 32)) & 1U << (number % 32));
}

void category_claims_drop(struct category_claims *claims, const struct category_pair *pair)
{
        unsigned number;

        if (pair->high > 0 && get_number(pair, &number))
                g_atomic_int_and(&claims->words[number / 32], ~(1U << (number % 32)));
}

/* The next pair of n things, from the last to the first. */
static void step(unsigned *low, unsigned *high, unsigned n)
{
        if (++*low < *high)
                return;
        *low = 0;
        if (++*high == n)
                *high = 1;
}

bool category_claims_choose(struct category_claims *claims, const struct categories *categories,
                            struct category_pair *pair)
{
        unsigned list[CATEGORIES], n = 0, low, high;

        for (unsigned i = 0; i < CATEGORIES; i++)
                if (categories_have(categories, i))
                        list[n++] = i;
        if (n < 2)
                return false;
        /* By chance, so that what is left labelled somewhere is not the next guest's. */
        high = (unsigned)g_random_int_range(1, (gint32)n);
        low = (unsigned)g_random_int_range(0, (gint32)high);
        for (unsigned i = 0; i < n * (n - 1) / 2; i++) {
                *pair = (struct category_pair){ list[low], list[high] };
                if (category_claims_take(claims, pair))
                        return true;
                step(&low, &high, n);
        }
        *pair = (struct category_pair){ 0 };
        return false;
}
