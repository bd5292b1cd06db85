/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changes secrets: define, set a value, undefine. Entry points run on the loop, *_work functions in the
 * secret's lane. A definition's file is what counts: it is there before a value is kept for longer than the
 * agent, and goes before the value does.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/registry.h"
#include "drivers/secret/model.h"

#include <string.h>

static const struct secret_def *get_current_def(const struct managed *object)
{
        return secret_def_of(managed_state_get_definition(object->current));
}

static struct secret_state *edit(struct managed *object)
{
        return (struct secret_state *)managed_edit(object);
}

static const struct secrets *get_secrets(struct managed *object)
{
        return secret_from(object)->secrets;
}

/* ---- files ---- */

/* Definition and value; nothing or all of it. */
static bool erase_files(struct managed *object, GError **error)
{
        if (!registry_erase(object, error))
                return false;
        if (secret_value_erase(get_secrets(object), object->uuid_text, error))
                return true;
        registry_store(object, object->current->persistent, NULL);
        return false;
}

/* A secret that was ephemeral until now has a value in memory only. */
static bool store_files(struct managed *object, struct definition *definition, GError **error)
{
        bool was_ephemeral = object->current && !object->current->persistent;
        GBytes *value = was_ephemeral ? secret_state_of(object->current)->value : NULL;

        if (!registry_store(object, definition, error))
                return false;
        if (!value || secret_value_store(get_secrets(object), object->uuid_text, value, error))
                return true;
        registry_erase(object, NULL);
        return false;
}

/*
 * One that is new to us may have a value all the same: that of a secret whose file was damaged, and which is
 * defined again.
 */
static void find_value(struct managed *object, struct secret_state *state)
{
        g_autoptr(GError) error = NULL;

        if (object->current || !state->base.persistent || !get_secrets(object)->directory)
                return;
        state->value = secret_value_load(get_secrets(object), object->uuid_text, &error);
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "the value of secret '%s' is left out",
                           object->uuid_text);
}

/* ---- define ---- */

static bool check_private(const struct managed *object, const struct secret_def *def, GError **error)
{
        if (!object->current || !get_current_def(object)->is_private || def->is_private)
                return true;
        return error_set(error, ERROR_FROM_SECRET, ERROR_OPERATION_DENIED,
                         "secret '%s' is private and stays so", object->uuid_text);
}

static bool move_files(struct managed *object, struct secret_def *def, GError **error)
{
        if (!def->ephemeral)
                return store_files(object, &def->base, error);
        return !object->current || !object->current->persistent || erase_files(object, error);
}

static bool define_work(struct managed *object, void *data, GError **error)
{
        struct secret_def *def = data;
        struct definition *stored = def->ephemeral ? NULL : definition_ref(&def->base);
        struct definition *kept = def->ephemeral ? definition_ref(&def->base) : NULL;
        struct secret_state *state;

        if (!check_private(object, def, error) || !move_files(object, def, error)) {
                definition_unref(stored);
                definition_unref(kept);
                return false;
        }
        state = edit(object);
        managed_state_take_persistent(&state->base, stored);
        managed_state_take_active(&state->base, kept);
        find_value(object, state);
        managed_publish(object, &state->base, managed_event_new(SECRET_EVENT_DEFINED, 0));
        return true;
}

static void free_def(void *def)
{
        secret_def_unref(def);
}

static struct secret_def *parse(const char *xml, unsigned flags, GError **error)
{
        if (!flags_check(flags, SECRET_DEFINE_VALIDATE, ERROR_FROM_SECRET, "SecretDefineXML", error) ||
            ((flags & SECRET_DEFINE_VALIDATE) && !secret_def_validate(xml, error)))
                return NULL;
        return secret_def_parse(xml, error);
}

void secret_define_xml(struct secrets *secrets, const char *xml, unsigned flags, managed_done done,
                       void *data)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(secret_def_unref) struct secret_def *def = parse(xml, flags, &error);
        struct managed *object = def ? registry_reserve(secrets->registry, &def->base, &error) : NULL;

        if (object)
                managed_run_task(object,
                                 &(const struct managed_task){
                                         .work = define_work,
                                         .args = g_steal_pointer(&def),
                                         .free_args = free_def,
                                 },
                                 done, data);
        else
                done(NULL, error, data);
}

/* ---- values ---- */

static bool set_value_work(struct managed *object, void *data, GError **error)
{
        GBytes *value = data;
        struct managed_event *event;
        struct secret_state *state;

        if (!managed_require_known(object, error))
                return false;
        if (object->current->persistent &&
            !secret_value_store(get_secrets(object), object->uuid_text, value, error))
                return false;
        state = edit(object);
        if (state->value)
                g_bytes_unref(state->value);
        state->value = g_bytes_ref(value);
        event = managed_event_new(0, 0);
        event->id = SECRET_EVENT_VALUE_CHANGED;
        managed_publish(object, &state->base, event);
        return true;
}

void secret_set_value(struct secret *secret, const void *value, size_t length, unsigned flags,
                      managed_done done, void *data)
{
        g_autoptr(GError) error = NULL;

        if (length > SECRET_VALUE_MAX)
                error_set(&error, ERROR_FROM_SECRET, ERROR_INVALID_ARG,
                          "the value of secret '%s' has %zu bytes, more than %d", secret->base.uuid_text,
                          length, SECRET_VALUE_MAX);
        if (error || !flags_check(flags, 0, ERROR_FROM_SECRET, "SetValue", &error)) {
                done(&secret->base, error, data);
                return;
        }
        managed_run_task(&secret->base,
                         &(const struct managed_task){
                                 .work = set_value_work,
                                 .args = secret_value_new(value, length),
                                 .free_args = (GDestroyNotify)g_bytes_unref,
                         },
                         done, data);
}

/* ---- undefine ---- */

static bool undefine_work(struct managed *object, void *data, GError **error)
{
        struct secret_state *state;

        if (!managed_require_known(object, error) ||
            (object->current->persistent && !erase_files(object, error)))
                return false;
        state = edit(object);
        managed_state_take_persistent(&state->base, NULL);
        managed_state_take_active(&state->base, NULL);
        managed_publish(object, &state->base, managed_event_new(SECRET_EVENT_UNDEFINED, 0));
        return true;
}

void secret_undefine(struct secret *secret, managed_done done, void *data)
{
        managed_run(&secret->base, MANAGED_IN_TURN, undefine_work, done, data);
}
