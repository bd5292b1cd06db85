/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model, defining side: from a text to a definition, define, undefine, rename, metadata,
 * autostart. Entry points run on the loop; *_work functions in the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/edit-xml.h"
#include "drivers/domain/model.h"

#include <string.h>

/* ---- from a text to a definition ---- */

struct parse {
        struct domain_doc *doc; /* owned */
        bool validate;
        domain_parse_done done;
        void *data; /* owned by done */
};

static void parse_prepared(const struct domain_machine *machine, const GError *failure, void *data)
{
        struct parse *parse = data;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (machine)
                def = domain_doc_finish(g_steal_pointer(&parse->doc), machine, &error);
        else
                domain_doc_free(parse->doc);
        if (def && parse->validate && !domain_def_validate_schema(def, &error))
                g_clear_pointer(&def, domain_def_unref);
        if (def)
                parse->done(g_steal_pointer(&def), NULL, parse->data);
        else
                parse->done(NULL, machine ? error : failure, parse->data);
        g_free(parse);
}

void domain_parse(struct domain_driver *driver, const char *xml, bool validate, domain_parse_done done,
                  void *data)
{
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(xml, &error);
        struct parse *parse;

        if (!doc) {
                done(NULL, error, data);
                return;
        }
        if (!domain_doc_get_type(doc)) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_XML_ERROR,
                          "missing attribute 'type' of element <domain>");
                domain_doc_free(doc);
                done(NULL, error, data);
                return;
        }
        parse = g_new(struct parse, 1);
        *parse = (struct parse){ doc, validate, done, data };
        driver->ops->prepare(driver, domain_doc_get_type(doc), domain_doc_get_arch(doc),
                             domain_doc_get_machine(doc), domain_doc_get_emulator(doc), parse_prepared,
                             parse);
}

/* ---- define ---- */

struct define {
        struct domain_driver *driver; /* borrowed */
        domain_queued queued;
        managed_done done;
        void *data; /* owned by done */
};

static void define_parsed(struct domain_def *def, const GError *error, void *data)
{
        struct define *define = data;

        if (!def)
                define->done(NULL, error, define->data);
        else if (registry_define(define->driver->domains, &def->base, define->done, define->data))
                define->queued(define->data);
        g_free(define);
}

void domain_define_xml(struct domain_driver *driver, const char *xml, unsigned flags, domain_queued queued,
                       managed_done done, void *data)
{
        struct define *define;
        GError *error = NULL;

        if (!domain_check_flags(flags, DOMAIN_DEFINE_VALIDATE, "DomainDefineXML", &error)) {
                managed_fail(error, done, data);
                return;
        }
        define = g_new(struct define, 1);
        *define = (struct define){ driver, queued, done, data };
        domain_parse(driver, xml, flags & DOMAIN_DEFINE_VALIDATE, define_parsed, define);
}

/* ---- calls with arguments of their own ---- */

struct change {
        unsigned flags;
        int type;
        char *text, *key, *uri; /* owned; text is the new name of a rename */
        managed_done done;
        void *data; /* owned by done */
};

static struct change *change_new(unsigned flags, managed_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);

        change->flags = flags;
        change->done = done;
        change->data = data;
        return change;
}

static void change_done(struct managed *object, const GError *error, void *data)
{
        struct change *change = data;

        if (change->done)
                change->done(object, error, change->data);
        g_free(change->text);
        g_free(change->key);
        g_free(change->uri);
        g_free(change);
}

/* ---- undefine ---- */

#define UNDEFINE_FLAGS 0x7f

static bool check_undefine_flags(unsigned flags, GError **error)
{
        const unsigned nvram = DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_NVRAM;
        const unsigned tpm = DOMAIN_UNDEFINE_TPM | DOMAIN_UNDEFINE_KEEP_TPM;

        if (!domain_check_flags(flags, UNDEFINE_FLAGS, "Undefine", error))
                return false;
        if ((flags & nvram) == nvram || (flags & tpm) == tpm)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for a state to be both removed and kept", flags);
        return true;
}

/* The guest that runs keeps what belongs to it, and the object lives on as a transient one. */
static bool undefine_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct domain_state *state;

        if (!managed_require_persistent(object, error))
                return false;
        if (!object->current->active && ops->undefine &&
            !ops->undefine(domain, domain_def_of(object->current->persistent),
                           ((const struct change *)data)->flags, error))
                return false;
        if (!registry_erase(object, error))
                return false;
        state = (struct domain_state *)managed_edit(object);
        managed_state_take_persistent(&state->base, NULL);
        state->base.autostart = false;
        state->updated = false;
        domain_publish(domain, state,
                       managed_event_new(DOMAIN_EVENT_UNDEFINED, DOMAIN_EVENT_UNDEFINED_REMOVED));
        return true;
}

void domain_undefine(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (check_undefine_flags(flags, &error))
                managed_run(&domain->base, MANAGED_IN_TURN, undefine_work, change_done,
                            change_new(flags, done, data));
        else
                managed_fail(error, done, data);
}

/* ---- rename ---- */

static struct domain_def *renamed(const struct domain_def *def, const char *name, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_name(edit, name);
        return domain_edit_commit(edit, error);
}

static bool rename_work(struct managed *object, void *data, GError **error)
{
        const struct change *change = data;
        struct managed_state *state;
        struct domain_def *def;

        if (!managed_require_inactive(object, error) || !managed_require_persistent(object, error))
                return false;
        def = renamed(domain_def_of(object->current->persistent), change->text, error);
        if (!def)
                return false;
        if (!registry_store(object, &def->base, error)) {
                domain_def_unref(def);
                return false;
        }
        managed_emit(object, managed_event_new(DOMAIN_EVENT_UNDEFINED, DOMAIN_EVENT_UNDEFINED_RENAMED));
        state = managed_edit(object);
        managed_state_take_persistent(state, &def->base);
        managed_publish(object, state, managed_event_new(DOMAIN_EVENT_DEFINED, DOMAIN_EVENT_DEFINED_RENAMED));
        return true;
}

static void rename_done(struct managed *object, const GError *error, void *data)
{
        struct change *change = data;

        if (error)
                registry_release_name(object, change->text);
        change_done(object, error, data);
}

void domain_rename(struct domain *domain, const char *name, unsigned flags, managed_done done, void *data)
{
        struct change *change;
        GError *error = NULL;

        if (!domain_check_flags(flags, 0, "Rename", &error)) {
                managed_fail(error, done, data);
                return;
        }
        if (strcmp(domain->base.name, name) == 0) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has that name already",
                          name);
                managed_fail(error, done, data);
                return;
        }
        if (!registry_reserve_name(&domain->base, name, &error)) {
                managed_fail(error, done, data);
                return;
        }
        change = change_new(flags, done, data);
        change->text = g_strdup(name);
        managed_run(&domain->base, MANAGED_IN_TURN, rename_work, rename_done, change);
}

/* ---- autostart ---- */

void domain_set_autostart(struct domain *domain, bool autostart, managed_done done, void *data)
{
        registry_set_autostart(&domain->base, autostart, done, data);
}

/* ---- metadata ---- */

static struct domain_def *with_metadata(const struct definition *definition, const struct change *change,
                                        GError **error)
{
        struct domain_edit *edit = domain_edit_new((const struct domain_def *)definition, error);

        if (!edit)
                return NULL;
        switch (change->type) {
        case DOMAIN_METADATA_DESCRIPTION:
                domain_edit_set_description(edit, change->text);
                break;
        case DOMAIN_METADATA_TITLE:
                domain_edit_set_title(edit, change->text);
                break;
        case DOMAIN_METADATA_ELEMENT:
                domain_edit_set_metadata(edit, change->text, change->key, change->uri);
                break;
        }
        return domain_edit_commit(edit, error);
}

static struct managed_event *metadata_event(const struct change *change)
{
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_METADATA_CHANGE);

        event->base.type = change->type;
        event->text[0] = g_strdup(change->uri);
        return &event->base;
}

static bool metadata_work(struct managed *object, void *data, GError **error)
{
        const struct change *change = data;
        unsigned affect = change->flags;
        CLEANUP(definition_unref) struct definition *live = NULL;
        CLEANUP(definition_unref) struct definition *config = NULL;
        struct managed_state *state;

        if (!managed_require_known(object, error))
                return false;
        if (affect == DOMAIN_AFFECT_CURRENT)
                affect = object->current->active ? DOMAIN_AFFECT_LIVE : DOMAIN_AFFECT_CONFIG;
        if ((affect & DOMAIN_AFFECT_LIVE) && !managed_require_active(object, error))
                return false;
        if ((affect & DOMAIN_AFFECT_CONFIG) && !managed_require_persistent(object, error))
                return false;
        if (affect & DOMAIN_AFFECT_LIVE) {
                live = (struct definition *)with_metadata(object->current->active, change, error);
                if (!live)
                        return false;
        }
        if (affect & DOMAIN_AFFECT_CONFIG) {
                config = (struct definition *)with_metadata(object->current->persistent, change, error);
                if (!config || !registry_store(object, config, error))
                        return false;
        }
        state = managed_edit(object);
        if (live)
                managed_state_take_active(state, g_steal_pointer(&live));
        if (config)
                managed_state_take_persistent(state, g_steal_pointer(&config));
        domain_publish(domain_from(object), (struct domain_state *)state, metadata_event(change));
        return true;
}

static bool check_metadata(int type, const char *key, const char *uri, GError **error)
{
        if (type < DOMAIN_METADATA_DESCRIPTION || type > DOMAIN_METADATA_ELEMENT)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown metadata type %d",
                                 type);
        if (type == DOMAIN_METADATA_ELEMENT && !(uri && *uri))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "a metadata element is addressed by its namespace uri, which is missing");
        return true;
}

void domain_set_metadata(struct domain *domain, int type, const char *text, const char *key, const char *uri,
                         unsigned flags, managed_done done, void *data)
{
        bool element = type == DOMAIN_METADATA_ELEMENT;
        struct change *change;
        GError *error = NULL;

        if (!domain_check_flags(flags, DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, "SetMetadata", &error) ||
            !check_metadata(type, key, uri, &error)) {
                managed_fail(error, done, data);
                return;
        }
        change = change_new(flags, done, data);
        change->type = type;
        change->text = text && *text ? g_strdup(text) : NULL;
        change->key = element ? g_strdup(key) : NULL;
        change->uri = element ? g_strdup(uri) : NULL;
        managed_run(&domain->base, MANAGED_IN_TURN, metadata_work, change_done, change);
}
