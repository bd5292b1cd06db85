/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model, defining side: from a text to a definition, define, undefine, rename, metadata,
 * autostart. Entry points run on the loop; *_work functions in the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/edit-xml.h"
#include "drivers/domain/migrate.h"
#include "drivers/domain/modify.h"
#include "drivers/domain/save.h"

#include <string.h>

/* ---- from a text to a definition ---- */

struct parse {
        struct domain_doc *doc;    /* owned */
        struct domain_def *before; /* ref; of what is accepted: what it replaces, NULL: nothing */
        enum { NEW, ACCEPTED, SHOWN } what;
        bool validate;
        domain_parse_done done;
        void *data; /* owned by done */
};

static struct domain_def *finish(struct parse *parse, const struct domain_machine *machine, GError **error)
{
        struct domain_doc *doc = g_steal_pointer(&parse->doc);

        if (parse->what == ACCEPTED)
                return domain_doc_finish_accepted(doc, parse->before, machine, error);
        return parse->what == SHOWN ? domain_doc_finish_shown(doc, machine, error)
                                    : domain_doc_finish(doc, machine, error);
}

static void parse_prepared(const struct domain_machine *machine, const GError *failure, void *data)
{
        struct parse *parse = data;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (machine)
                def = finish(parse, machine, &error);
        else
                domain_doc_free(parse->doc);
        if (def && parse->validate && !domain_def_validate_schema(def, &error))
                g_clear_pointer(&def, domain_def_unref);
        if (def)
                parse->done(g_steal_pointer(&def), NULL, parse->data);
        else
                parse->done(NULL, machine ? error : failure, parse->data);
        domain_def_unref(parse->before);
        g_free(parse);
}

/* like: what is asked for, without doc; its reference is taken. */
static void begin(struct domain_driver *driver, const char *xml, const struct parse *like)
{
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(xml, &error);
        struct parse *parse;

        if (doc && !domain_doc_get_type(doc)) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_XML_ERROR,
                          "missing attribute 'type' of element <domain>");
                g_clear_pointer(&doc, domain_doc_free);
        }
        if (!doc) {
                like->done(NULL, error, like->data);
                domain_def_unref(like->before);
                return;
        }
        parse = g_new(struct parse, 1);
        *parse = *like;
        parse->doc = doc;
        driver->ops->prepare(driver, domain_doc_get_type(doc), domain_doc_get_arch(doc),
                             domain_doc_get_machine(doc), domain_doc_get_emulator(doc), parse_prepared,
                             parse);
}

void domain_parse(struct domain_driver *driver, const char *xml, bool validate, domain_parse_done done,
                  void *data)
{
        begin(driver, xml, &(struct parse){ .validate = validate, .done = done, .data = data });
}

void domain_parse_accepted(struct domain_driver *driver, const char *xml, struct domain_def *before,
                           domain_parse_done done, void *data)
{
        begin(driver, xml,
              &(struct parse){ .before = before ? domain_def_ref(before) : NULL,
                               .what = ACCEPTED,
                               .done = done,
                               .data = data });
}

void domain_parse_shown(struct domain_driver *driver, const char *xml, domain_parse_done done, void *data)
{
        begin(driver, xml, &(struct parse){ .what = SHOWN, .done = done, .data = data });
}

void domain_parse_replacing(const struct domain *domain, const char *xml, domain_parse_done done, void *data)
{
        const struct domain_state *state = domain_get_published(domain);
        struct definition *own = !state               ? NULL
                                 : state->base.active ? state->base.active
                                                      : state->base.persistent;

        if (own)
                domain_parse_accepted(domain->driver, xml, domain_def_of(own), done, data);
        else
                domain_parse(domain->driver, xml, false, done, data);
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

        if (!flags_check(flags, DOMAIN_DEFINE_VALIDATE, ERROR_FROM_DOMAIN, "DomainDefineXML", &error)) {
                managed_fail(error, done, data);
                return;
        }
        define = g_new(struct define, 1);
        *define = (struct define){ driver, queued, done, data };
        domain_parse(driver, xml, flags & DOMAIN_DEFINE_VALIDATE, define_parsed, define);
}

/* ---- undefine ---- */

#define UNDEFINE_FLAGS 0x7f

static bool check_undefine_flags(unsigned flags, GError **error)
{
        const unsigned nvram = DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_NVRAM;
        const unsigned tpm = DOMAIN_UNDEFINE_TPM | DOMAIN_UNDEFINE_KEEP_TPM;

        if (!flags_check(flags, UNDEFINE_FLAGS, ERROR_FROM_DOMAIN, "Undefine", error))
                return false;
        if ((flags & nvram) == nvram || (flags & tpm) == tpm)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for a state to be both removed and kept", flags);
        return true;
}

/* The guest that runs keeps what belongs to it, and the object lives on as a transient one. */
bool domain_undefine_now(struct domain *domain, unsigned flags, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct managed *object = &domain->base;
        struct domain_state *state;

        if (!managed_require_persistent(object, error))
                return false;
        if (domain->has_save && !(flags & DOMAIN_UNDEFINE_MANAGED_SAVE))
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                        "cannot undefine domain '%s' while it has a managed save: say that it goes, too",
                        managed_get_current_name(object));
        if (ops->undefine && !ops->undefine(domain, domain_def_of(object->current->persistent), flags, error))
                return false;
        if (!domain_managed_save_drop(domain, error) || !registry_erase(object, error))
                return false;
        state = (struct domain_state *)managed_edit(object);
        managed_state_take_persistent(&state->base, NULL);
        state->base.autostart = false;
        state->updated = false;
        domain_publish(domain, state,
                       managed_event_new(DOMAIN_EVENT_UNDEFINED, DOMAIN_EVENT_UNDEFINED_REMOVED));
        return true;
}

static bool undefine_work(struct managed *object, void *data, GError **error)
{
        return domain_undefine_now(domain_from(object), *(const unsigned *)data, error);
}

void domain_undefine(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        struct managed_task task = { .work = undefine_work };
        GError *error = NULL;

        if (!check_undefine_flags(flags, &error)) {
                managed_fail(error, done, data);
                return;
        }
        task.args = g_memdup2(&flags, sizeof(flags));
        managed_run_task(&domain->base, &task, done, data);
}

/* ---- rename ---- */

struct rename {
        struct domain *domain; /* borrowed */
        char *name;            /* owned; reserved in the registry */
        managed_done done;
        void *data; /* owned by done */
};

static bool edit_name(struct domain_edit *edit, const struct domain_def *def,
                      const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct rename *rename = change->args;

        if (rename->domain->has_save)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' has a managed save, which goes on under that name",
                                 def->base.name);
        domain_edit_set_name(edit, rename->name);
        return true;
}

static struct managed_event *undefined_event(const struct domain_change *change)
{
        return managed_event_new(DOMAIN_EVENT_UNDEFINED, DOMAIN_EVENT_UNDEFINED_RENAMED);
}

static struct managed_event *defined_event(const struct domain_change *change)
{
        return managed_event_new(DOMAIN_EVENT_DEFINED, DOMAIN_EVENT_DEFINED_RENAMED);
}

static void rename_done(struct managed *object, const GError *error, void *data)
{
        const struct rename *rename = data;

        if (object && error)
                registry_release_name(object, rename->name);
        rename->done(object, error, rename->data);
}

static void rename_free(void *data)
{
        struct rename *rename = data;

        g_free(rename->name);
        g_free(rename);
}

static const struct domain_modification rename_row = {
        .function = "Rename",
        .inactive = true,
        .edit = edit_name,
        .announce = undefined_event,
        .event = defined_event,
        .args_free = rename_free,
};

void domain_rename(struct domain *domain, const char *name, unsigned flags, managed_done done, void *data)
{
        struct rename *rename;
        GError *error = NULL;

        if (!flags_check(flags, rename_row.flags, ERROR_FROM_DOMAIN, rename_row.function, &error)) {
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
        rename = g_new(struct rename, 1);
        *rename = (struct rename){ domain, g_strdup(name), done, data };
        domain_modify(domain, &rename_row, rename, flags, rename_done, rename);
}

/* ---- autostart ---- */

void domain_set_autostart(struct domain *domain, bool autostart, managed_done done, void *data)
{
        registry_set_autostart(&domain->base, autostart, done, data);
}

/* ---- metadata ---- */

struct metadata {
        int type;               /* enum domain_metadata_type */
        char *text, *key, *uri; /* owned; NULL: none */
};

static bool edit_metadata(struct domain_edit *edit, const struct domain_def *def,
                          const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct metadata *metadata = change->args;

        switch (metadata->type) {
        case DOMAIN_METADATA_DESCRIPTION:
                domain_edit_set_description(edit, metadata->text);
                break;
        case DOMAIN_METADATA_TITLE:
                domain_edit_set_title(edit, metadata->text);
                break;
        case DOMAIN_METADATA_ELEMENT:
                domain_edit_set_metadata(edit, metadata->text, metadata->key, metadata->uri);
                break;
        }
        return true;
}

static struct managed_event *metadata_event(const struct domain_change *change)
{
        const struct metadata *metadata = change->args;
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_METADATA_CHANGE);

        event->base.type = metadata->type;
        event->text[0] = g_strdup(metadata->uri);
        return &event->base;
}

static void metadata_free(void *data)
{
        struct metadata *metadata = data;

        g_free(metadata->text);
        g_free(metadata->key);
        g_free(metadata->uri);
        g_free(metadata);
}

static const struct domain_modification metadata_row = {
        .function = "SetMetadata",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        .edit = edit_metadata,
        .event = metadata_event,
        .args_free = metadata_free,
};

static bool check_metadata(int type, const char *uri, GError **error)
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
        struct metadata *metadata;
        GError *error = NULL;

        if (!check_metadata(type, uri, &error)) {
                managed_fail(error, done, data);
                return;
        }
        metadata = g_new(struct metadata, 1);
        *metadata = (struct metadata){
                .type = type,
                .text = text && *text ? g_strdup(text) : NULL,
                .key = element ? g_strdup(key) : NULL,
                .uri = element ? g_strdup(uri) : NULL,
        };
        domain_modify(domain, &metadata_row, metadata, flags, done, data);
}
