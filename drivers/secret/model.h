/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the secret model share. */

#include "base/flags.h"
#include "drivers/secret/key.h"
#include "drivers/secret/secret.h"

struct secrets {
        struct registry *registry; /* owned */
        char *directory;           /* owned; NULL: nothing is stored */
        struct secret_key *key;    /* owned; NULL: not readable, or nothing is stored */
        char *key_problem;         /* owned; why there is no key */
};

static inline struct secret *secret_from(struct managed *object)
{
        return (struct secret *)object;
}

static inline const struct secret_state *secret_state_of(const struct managed_state *state)
{
        return (const struct secret_state *)state;
}

/* ---- values (value.c); any thread, files in the secret's lane or at start-up ---- */

/* A copy in secret memory. */
GBytes *secret_value_new(const void *value, size_t length);
/* Encrypted, durable. */
bool secret_value_store(const struct secrets *secrets, const char *uuid_text, GBytes *value, GError **error);
/* NULL without an error: there is none. A file of an older agent is encrypted by the way. */
GBytes *secret_value_load(const struct secrets *secrets, const char *uuid_text, GError **error);
bool secret_value_erase(const struct secrets *secrets, const char *uuid_text, GError **error);
/* Removes values whose secret was undefined when the agent was killed: those without an <uuid>.xml. */
void secret_value_clean(const struct secrets *secrets);
