/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The definition of a secret: what it is for, never its value. Immutable, counted, any thread. Its name in
 * the registry (base.name) says the usage, "volume:/srv/disk.img": there is one secret for a thing. One
 * without a usage has its uuid as its name.
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "drivers/secret/secret-ref.h"

/* Of a usage, in bytes: a path fits. More is refused by name. */
#define SECRET_USAGE_ID_MAX 4096

struct secret_def {
        struct definition base;
        bool ephemeral;  /* neither definition nor value are stored */
        bool is_private; /* the value is for the agent's use only: no client gets it */
        enum secret_usage usage_type;
        char *usage_id; /* owned; path, target or name; NULL with SECRET_USAGE_NONE */
};

/*
 * A definition from a text: read, checked, completed (a uuid), put in libvirt's order. Errors: ERROR_FROM_XML
 * or ERROR_FROM_SECRET with element and line.
 */
struct secret_def *secret_def_parse(const char *xml, GError **error);
/* Refuses elements that the format does not know. */
bool secret_def_validate(const char *xml, GError **error);

/* The registry's name of the secret for usage_id; owned. */
char *secret_def_make_name(enum secret_usage usage_type, const char *usage_id);

/* For the kind. */
void secret_def_free(struct definition *definition);

static inline struct secret_def *secret_def_of(struct definition *definition)
{
        return (struct secret_def *)definition;
}

static inline void secret_def_unref(struct secret_def *def)
{
        if (def)
                definition_unref(&def->base);
}

DEFINE_CLEANUP(struct secret_def, secret_def_unref);
