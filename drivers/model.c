/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections: what walks the table of parts (parts.c). Owns the parts of each connection. Loop thread.
 */
#include "drivers/model-private.h"

#include "base/flags.h"
#include "drivers/audit.h"
#include "drivers/authorization.h"
#include "drivers/owners.h"

#include <string.h>

struct models {
        const struct model_environment *environment; /* borrowed */
        GPtrArray *list;                             /* owned; of struct model */
        struct authorization *authorization;         /* owned */
        struct owners *owners;                       /* owned */
        struct audit *audit;                         /* owned */
};

/* ---- one connection ---- */

static void model_free(void *data)
{
        struct model *model = data;

        for (unsigned kind = MODEL_KIND_COUNT; kind-- > 0;)
                if (model->parts[kind] && model_parts[kind].free)
                        model_parts[kind].free(model, model->parts[kind]);
        listeners_done(&model->failures);
        g_free(model);
}

static struct model *model_new(const struct model_environment *environment, const struct model_driver *driver,
                               unsigned index, GError **error)
{
        struct model *model = g_new0(struct model, 1);

        model->driver = driver;
        model->environment = environment;
        model->index = index;
        model->uri = environment->system ? driver->uri : driver->session_uri;
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++) {
                model->parts[kind] = model_parts[kind].new(model, error);
                if (!model->parts[kind]) {
                        model_free(model);
                        return NULL;
                }
        }
        return model;
}

/* The next part, when the one before says so: the disks of guests may be volumes. */
static void autostart(void *data)
{
        struct model *model = data;

        while (model->autostarted < MODEL_KIND_COUNT && !model->ending) {
                unsigned kind = model->autostarted++;

                if (!model_parts[kind].autostart)
                        continue;
                model_parts[kind].autostart(model->parts[kind], autostart, model);
                return;
        }
}

static void start(struct model *model)
{
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (model_parts[kind].start)
                        model_parts[kind].start(model, model->parts[kind]);
}

static bool is_ready(const struct model *model)
{
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (model_parts[kind].is_ready && !model_parts[kind].is_ready(model->parts[kind]))
                        return false;
        return true;
}

static void quiesce(struct model *model)
{
        model->ending = true;
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (model_parts[kind].quiesce)
                        model_parts[kind].quiesce(model->parts[kind]);
}

static bool is_busy(const struct model *model, enum model_kind kind)
{
        const struct registry *registry = model_get_registry(model, kind);
        const struct collection *collection = model_get_collection(model, kind);

        return (registry && registry_get_pending(registry) > 0) ||
               (collection && collection_get_pending(collection) > 0) ||
               (model_parts[kind].is_busy && model_parts[kind].is_busy(model->parts[kind]));
}

const char *model_get_name(const struct model *model)
{
        return model->driver->name;
}

const char *model_get_type(const struct model *model)
{
        return model->driver->type;
}

const char *model_get_uri(const struct model *model)
{
        return model->uri;
}

const struct host *model_get_host(const struct model *model)
{
        return domain_driver_get_host(model_get_domains(model));
}

unsigned model_get_index(const struct model *model)
{
        return model->index;
}

struct settling {
        loop_fn done;
        void *data; /* owned by done */
};

static void settled(const char *text, const GError *error, void *data)
{
        struct settling *settling = data;

        settling->done(settling->data);
        g_free(settling);
}

bool model_settle(const struct model *model, loop_fn done, void *data)
{
        struct domain_driver *domains = model_get_domains(model);
        struct settling *settling;

        if (domain_driver_get_version(domains, NULL))
                return true;
        settling = g_new(struct settling, 1);
        *settling = (struct settling){ done, data };
        domain_get_capabilities(domains, settled, settling);
        return false;
}

uint64_t model_get_version(const struct model *model, GError **error)
{
        return domain_driver_get_version(model_get_domains(model), error);
}

struct registry *model_get_registry(const struct model *model, enum model_kind kind)
{
        return model_parts[kind].get_registry ? model_parts[kind].get_registry(model->parts[kind]) : NULL;
}

struct collection *model_get_collection(const struct model *model, enum model_kind kind)
{
        return model_parts[kind].get_collection ? model_parts[kind].get_collection(model->parts[kind]) : NULL;
}

const char *model_get_kind_name(enum model_kind kind)
{
        return kind < MODEL_KIND_COUNT && model_parts[kind].describe ? model_parts[kind].name : NULL;
}

void model_describe(const struct model *model, enum model_kind kind, void *object, model_detail add,
                    void *data)
{
        if (model_parts[kind].describe)
                model_parts[kind].describe(model->parts[kind], object, add, data);
}

struct domain_driver *model_get_domains(const struct model *model)
{
        return model->parts[MODEL_DOMAINS];
}

struct job_list *model_get_jobs(const struct model *model)
{
        return model->parts[MODEL_JOBS];
}

struct secrets *model_get_secrets(const struct model *model)
{
        return model->parts[MODEL_SECRETS];
}

struct node_devices *model_get_node_devices(const struct model *model)
{
        return model->parts[MODEL_NODE_DEVICES];
}

struct networks *model_get_networks(const struct model *model)
{
        return model->parts[MODEL_NETWORKS];
}

struct nwfilters *model_get_nwfilters(const struct model *model)
{
        return model->parts[MODEL_NWFILTERS];
}

struct storage *model_get_storage(const struct model *model)
{
        return model->parts[MODEL_POOLS];
}

struct interfaces *model_get_interfaces(const struct model *model)
{
        return model->parts[MODEL_INTERFACES];
}

/* ---- failures ---- */

void model_listen_failures(struct model *model, model_failure_listener listener, void *data)
{
        listeners_add(&model->failures, LISTENER(listener), data);
}

void model_unlisten_failures(struct model *model, model_failure_listener listener, void *data)
{
        listeners_remove(&model->failures, LISTENER(listener), data);
}

void model_report(const struct model *model, enum model_kind kind, void *object, const GError *error)
{
        LISTENERS_TELL(&model->failures, model_failure_listener, model, kind, object, error);
}

/* ---- all connections ---- */

struct models *models_new(const struct model_environment *environment,
                          const struct model_driver *const *drivers, unsigned n_drivers, GError **error)
{
        struct models *models = g_new(struct models, 1);

        models->environment = environment;
        models->list = g_ptr_array_new_with_free_func(model_free);
        models->owners = owners_new();
        models->audit = audit_new(environment->loop);
        models->authorization = authorization_new(environment->authorizer, environment->authorizer_data);
        for (unsigned i = 0; i < n_drivers; i++) {
                struct model *model = model_new(environment, drivers[i], i, error);

                if (!model) {
                        models_free(models);
                        return NULL;
                }
                g_ptr_array_add(models->list, model);
                owners_follow(models->owners, model);
        }
        for (unsigned i = 0; i < n_drivers; i++)
                start(models_get_nth(models, i));
        return models;
}

void models_free(struct models *models)
{
        if (!models)
                return;
        owners_free(models->owners);
        g_ptr_array_unref(models->list);
        authorization_free(models->authorization);
        audit_free(models->audit);
        g_free(models);
}

unsigned models_get_count(const struct models *models)
{
        return models->list->len;
}

struct model *models_get_nth(const struct models *models, unsigned n)
{
        return g_ptr_array_index(models->list, n);
}

const struct authorization *models_get_authorization(const struct models *models)
{
        return models->authorization;
}

struct audit *models_get_audit(const struct models *models)
{
        return models->audit;
}

struct owners *models_get_owners(const struct models *models)
{
        return models->owners;
}

bool models_are_ready(const struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                if (!is_ready(models_get_nth(models, i)))
                        return false;
        return true;
}

static void configure(struct model *model, const struct model_settings *settings)
{
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (model_parts[kind].configure)
                        model_parts[kind].configure(model->parts[kind], settings);
}

void models_configure(struct models *models, const struct model_settings *settings)
{
        audit_set_enabled(models->audit, settings->audit);
        for (unsigned i = 0; i < models->list->len; i++)
                configure(models_get_nth(models, i), settings);
}

void models_autostart(struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                autostart(models_get_nth(models, i));
}

struct gathering {
        unsigned open;
        loop_fn done;
        void *data; /* owned by done */
};

static void gather(void *data)
{
        struct gathering *gathering = data;

        if (--gathering->open > 0)
                return;
        gathering->done(gathering->data);
        g_free(gathering);
}

/* fn for the guests of each host that is real; done behind all of them. */
static void for_all_guests(struct models *models,
                           void (*fn)(struct domain_power *power, loop_fn done, void *data), loop_fn done,
                           void *data)
{
        struct gathering *gathering = g_new(struct gathering, 1);

        *gathering = (struct gathering){ 1, done, data };
        for (unsigned i = 0; i < models->list->len; i++) {
                struct model *model = models_get_nth(models, i);

                if (model->driver->in_memory)
                        continue;
                gathering->open++;
                fn(domain_driver_get_power(model_get_domains(model)), gather, gathering);
        }
        gather(gathering);
}

void models_end_host(struct models *models, loop_fn done, void *data)
{
        for_all_guests(models, domain_power_stop, done, data);
}

void models_sleep_host(struct models *models, loop_fn done, void *data)
{
        for_all_guests(models, domain_power_sleep, done, data);
}

void models_wake_host(struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                if (!models_get_nth(models, i)->driver->in_memory)
                        domain_power_wake(
                                domain_driver_get_power(model_get_domains(models_get_nth(models, i))));
}

void models_quiesce(struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                quiesce(models_get_nth(models, i));
}

bool models_are_busy(const struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                        if (is_busy(models_get_nth(models, i), kind))
                                return true;
        return false;
}

struct model *models_find_uri(const struct models *models, const char *uri, unsigned flags, GError **error)
{
        g_autofree char *quoted = NULL;

        if (!flags_check(flags, MODEL_OPEN_READ_ONLY | MODEL_OPEN_NO_ALIASES, ERROR_FROM_NONE, "ConnectOpen",
                         error))
                return NULL;
        for (unsigned i = 0; i < models->list->len; i++) {
                struct model *model = models_get_nth(models, i);

                if (!*uri || strcmp(uri, model->uri) == 0)
                        return model;
        }
        quoted = error_quote(uri);
        error_set(error, ERROR_FROM_NONE, ERROR_NO_CONNECT, "%s", quoted);
        return NULL;
}

struct model *models_find_type(const struct models *models, const char *type, GError **error)
{
        g_autofree char *quoted = NULL;

        for (unsigned i = 0; i < models->list->len; i++) {
                struct model *model = models_get_nth(models, i);

                if (!*type || g_ascii_strcasecmp(type, model->driver->type) == 0)
                        return model;
        }
        quoted = error_quote(type);
        error_set(error, ERROR_FROM_NONE, ERROR_INVALID_ARG, "there is no driver of the type '%s'", quoted);
        return NULL;
}
