/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The secrets of one connection: the kind of managed object that they are, lookups, lists and reads. Loop
 * thread, but for the hooks of the kind.
 */
#include "drivers/secret/secret.h"

#include "base/error.h"
#include "base/log.h"
#include "base/store.h"
#include "drivers/secret/model.h"

/* For systemd-creds at start-up: a TPM that works has answered long before. */
#define CREDS_MS 10000

/* ---- the kind ---- */

/* Of a file. */
static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        CLEANUP(secret_def_unref) struct secret_def *def = secret_def_parse(xml, error);

        if (def && def->ephemeral) {
                error_set(error, ERROR_FROM_SECRET, ERROR_CONF_SYNTAX, "it is ephemeral, and has no file");
                return NULL;
        }
        return def ? &g_steal_pointer(&def)->base : NULL;
}

static void kind_state_copy(struct managed_state *to, const struct managed_state *from)
{
        struct secret_state *state = (struct secret_state *)to;

        if (state->value)
                g_bytes_ref(state->value);
}

static void kind_state_clear(struct managed_state *base)
{
        struct secret_state *state = (struct secret_state *)base;

        if (state->value)
                g_bytes_unref(state->value);
}

static void kind_object_init(struct managed *object, void *context)
{
        secret_from(object)->secrets = context;
}

const struct managed_kind secret_kind = {
        .noun = "secret",
        .from = ERROR_FROM_SECRET,
        .missing = ERROR_NO_SECRET,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct secret),
        .state_size = sizeof(struct secret_state),
        .parse = kind_parse,
        .definition_free = secret_def_free,
        .state_copy = kind_state_copy,
        .state_clear = kind_state_clear,
        .object_init = kind_object_init,
};

/* ---- the connection's secrets ---- */

struct secrets *secrets_new(struct loop *loop, struct pool *pool, const char *state_dir)
{
        struct secrets *secrets = g_new0(struct secrets, 1);

        secrets->directory = g_strdup(state_dir);
        secrets->registry = registry_new(&secret_kind, secrets, loop, pool, state_dir);
        return secrets;
}

void secrets_free(struct secrets *secrets)
{
        if (!secrets)
                return;
        registry_free(secrets->registry);
        g_free(secrets->directory);
        secret_key_free(secrets->key);
        g_free(secrets->key_problem);
        g_free(secrets);
}

/* Nobody has seen the states yet: the value goes into the one that the registry has just made. */
static void load_value(const struct secrets *secrets, struct managed *object)
{
        struct secret_state *state = (struct secret_state *)object->published;
        g_autoptr(GError) error = NULL;

        state->value = secret_value_load(secrets, object->uuid_text, &error);
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "the value of secret '%s' is left out", object->name);
}

/* Without it there are no values, and no new ones; all else works. */
static void open_key(struct secrets *secrets)
{
        g_autoptr(GError) error = NULL;

        if (store_make_dir(secrets->directory, &error))
                secrets->key = secret_key_open(secrets->directory, CREDS_MS, &error);
        if (secrets->key)
                return;
        secrets->key_problem = g_strdup(error->message);
        log_gerror(LOG_LEVEL_ERROR, error, "NO SECRET HAS A VALUE: their key cannot be had");
}

bool secrets_load(struct secrets *secrets, GError **error)
{
        g_autoptr(GPtrArray) objects = NULL;

        if (secrets->directory)
                open_key(secrets);
        if (!registry_load(secrets->registry, error))
                return false;
        if (!secrets->directory)
                return true;
        objects = registry_list(secrets->registry);
        for (unsigned i = 0; i < objects->len; i++)
                load_value(secrets, g_ptr_array_index(objects, i));
        secret_value_clean(secrets);
        return true;
}

struct registry *secrets_get_registry(const struct secrets *secrets)
{
        return secrets->registry;
}

/* ---- lookups and lists ---- */

struct secret *secret_lookup_uuid(struct secrets *secrets, const char *uuid, GError **error)
{
        return secret_from(registry_lookup_uuid(secrets->registry, uuid, error));
}

struct secret *secret_lookup_usage(struct secrets *secrets, int usage_type, const char *usage_id,
                                   GError **error)
{
        struct managed *object = NULL;

        if (usage_type > SECRET_USAGE_NONE && usage_type < SECRET_USAGE_COUNT) {
                g_autofree char *name = secret_def_make_name((enum secret_usage)usage_type, usage_id);

                object = registry_find_name(secrets->registry, name);
        }
        if (!object) {
                g_autofree char *quoted = error_quote(usage_id);

                error_set(error, ERROR_FROM_SECRET, ERROR_NO_SECRET, "no secret with matching usage '%s'",
                          quoted);
        }
        return secret_from(object);
}

static const unsigned list_groups[] = {
        SECRET_LIST_EPHEMERAL | SECRET_LIST_NO_EPHEMERAL,
        SECRET_LIST_PRIVATE | SECRET_LIST_NO_PRIVATE,
};

static unsigned describe(const void *object)
{
        const struct secret_def *def = secret_get_def(object);

        return (unsigned)(def->ephemeral ? SECRET_LIST_EPHEMERAL : SECRET_LIST_NO_EPHEMERAL) |
               (def->is_private ? SECRET_LIST_PRIVATE : SECRET_LIST_NO_PRIVATE);
}

static const struct filter list_filter = {
        .groups = list_groups,
        .n_groups = G_N_ELEMENTS(list_groups),
        .describe = describe,
};

GPtrArray *secret_list(struct secrets *secrets, unsigned flags, GError **error)
{
        return registry_select(secrets->registry, &list_filter, flags, "ListSecrets", error);
}

/* ---- reads ---- */

const struct secret_def *secret_get_def(const struct secret *secret)
{
        return secret_def_of(managed_state_get_definition(secret->base.published));
}

const char *secret_get_xml(const struct secret *secret, unsigned flags, GError **error)
{
        return flags_check(flags, 0, ERROR_FROM_SECRET, "GetXMLDesc", error)
                       ? secret_get_def(secret)->base.xml
                       : NULL;
}

static GBytes *require_value(const struct managed_state *state, const char *uuid_text, GError **error)
{
        GBytes *value = secret_state_of(state)->value;

        if (!value)
                error_set(error, ERROR_FROM_SECRET, ERROR_NO_SECRET, "secret '%s' does not have a value",
                          uuid_text);
        return value;
}

GBytes *secret_get_value(const struct secret *secret, unsigned flags, GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_SECRET, "GetValue", error))
                return NULL;
        if (secret_get_def(secret)->is_private) {
                error_set(error, ERROR_FROM_SECRET, ERROR_INVALID_SECRET, "secret '%s' is private",
                          secret->base.uuid_text);
                return NULL;
        }
        return require_value(secret->base.published, secret->base.uuid_text, error);
}

/* ---- what other objects take of them ---- */

static GBytes *take_value(const struct managed_state *state, const struct secret_ref *ref, GError **error)
{
        const struct secret_def *def = secret_def_of(managed_state_get_definition(state));
        char uuid_text[UUID_STRING_LENGTH + 1];
        GBytes *value;

        uuid_format(&def->base.uuid, uuid_text);
        if (def->usage_type != ref->usage_type) {
                error_set(error, ERROR_FROM_SECRET, ERROR_INVALID_SECRET,
                          "secret with uuid %s is of type '%s' not expected '%s' type", uuid_text,
                          secret_usage_get_name(def->usage_type), secret_usage_get_name(ref->usage_type));
                return NULL;
        }
        value = require_value(state, uuid_text, error);
        return value ? g_bytes_ref(value) : NULL;
}

GBytes *secret_find_value(struct secrets *secrets, const struct secret_ref *ref, GError **error)
{
        const struct secret *secret =
                ref->uuid ? secret_lookup_uuid(secrets, ref->uuid, error)
                          : secret_lookup_usage(secrets, (int)ref->usage_type, ref->usage, error);

        return secret ? take_value(secret->base.published, ref, error) : NULL;
}
