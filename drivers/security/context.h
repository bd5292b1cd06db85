/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Contexts of SELinux as text, and the categories (MCS) that keep guests apart: each has a pair of its own,
 * "s0:c17,c802", and so have its files. Values, which need no SELinux. Any thread.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "system_u:system_r:svirt_t:s0:c17,c802" */
struct context {
        char *user, *role, *type; /* owned */
        char *range;              /* owned; NULL: none */
};

/* False: it is none. Clear it. */
bool context_parse(struct context *context, const char *text);
void context_clear(struct context *context);
/* Owned. */
char *context_format(const struct context *context);

static inline void context_clear_cleanup(struct context *context)
{
        context_clear(context);
}

/*
 * The context base for somebody else: its type, with that range; user and role are taken from like, where
 * role says so, the user alone otherwise. Owned; NULL: one of them is no context.
 */
char *context_derive(const char *base, const char *like, bool role, const char *range);
/* The range of a context; owned, NULL: it has none, or is none. */
char *context_get_range(const char *text);

/* ---- categories ---- */

#define CATEGORIES 1024

struct categories {
        uint64_t bits[CATEGORIES / 64];
        unsigned count;
};

/* low < high; both 0: none. */
struct category_pair {
        unsigned low, high;
};

/*
 * What a process of that range may give to others: its lower sensitivity (*sensitivity: owned, "s0"), and
 * the categories of its upper end; all of them when it names none, as that of an agent whose policy does not
 * say. Forms: "s0", "s0:c0.c1023", "s0-s0:c0.c255,c512", "s0:c3-s0:c0.c9". False: it is no range.
 */
bool categories_read(const char *range, char **sensitivity, struct categories *categories);
bool categories_have(const struct categories *categories, unsigned category);

/* The pair, if these are the categories of the range, no more and no fewer. */
bool category_pair_read(const char *range, struct category_pair *pair);
/* "s0:c17,c802"; owned. */
char *category_pair_format(const char *sensitivity, const struct category_pair *pair);

#define CATEGORY_PAIRS (CATEGORIES * (CATEGORIES - 1) / 2)

/* Pairs that guests have. A set of bits, each changed atomically: any thread, no lock. */
struct category_claims {
        /* atomic */
        guint words[(CATEGORY_PAIRS + 31) / 32];
};

/* False: somebody has it. */
bool category_claims_take(struct category_claims *claims, const struct category_pair *pair);
/* A pair of categories that nobody has, by chance. False: there is none left, or fewer than two categories.
 */
bool category_claims_choose(struct category_claims *claims, const struct categories *categories,
                            struct category_pair *pair);
/* Gives it back; one that is none is ignored. */
void category_claims_drop(struct category_claims *claims, const struct category_pair *pair);
