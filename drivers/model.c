/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections: the table of parts, and what walks it. Owns the parts of each connection. Loop thread.
 */
#include "drivers/model.h"

#include "base/flags.h"
#include "base/job.h"
#include "base/listeners.h"
#include "drivers/authorization.h"
#include "drivers/network/network.h"
#include "drivers/nwfilter/nwfilter.h"
#include "drivers/owners.h"
#include "interfaces/source.h"
#include "nodedev/node-devices.h"

#include <string.h>
#include <unistd.h>

struct model {
        /* const */
        const struct model_driver *driver;
        const struct model_environment *environment; /* borrowed */
        unsigned index;
        const char *uri;               /* borrowed from driver */
        void *parts[MODEL_KIND_COUNT]; /* owned, by the table */
        /* loop */
        unsigned autostarted;      /* parts that have begun */
        bool ending;               /* what was to begin does not */
        struct listeners failures; /* model_failure_listener */
};

struct models {
        const struct model_environment *environment; /* borrowed */
        GPtrArray *list;                             /* owned; of struct model */
        struct authorization *authorization;         /* owned */
        struct owners *owners;                       /* owned */
};

/* ---- parts ---- */

/* A part's directory; NULL: nothing is stored. */
static char *get_directory(const struct model *model, const char *parent, const char *name)
{
        return model->driver->in_memory ? NULL : g_build_filename(parent, name, NULL);
}

static void *new_jobs(struct model *model, GError **error)
{
        return job_list_new(model->environment->loop, model->environment->pool);
}

static void free_jobs(struct model *model, void *part)
{
        job_list_free(part);
}

static void quiesce_jobs(void *part)
{
        job_list_cancel_all(part);
}

static bool are_jobs_busy(const void *part)
{
        return job_list_get_count(part) > 0;
}

static void *new_secrets(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        g_autofree char *directory = get_directory(model, environment->state_dir, "secrets");
        struct secrets *secrets = secrets_new(environment->loop, environment->pool, directory);

        if (secrets_load(secrets, error))
                return secrets;
        secrets_free(secrets);
        return NULL;
}

static void free_secrets(struct model *model, void *part)
{
        secrets_free(part);
}

static struct registry *get_secrets(const void *part)
{
        return secrets_get_registry(part);
}

static void describe_secret(const void *part, void *object, model_detail add, void *data)
{
        static const char *const keys[SECRET_USAGE_COUNT] = {
                [SECRET_USAGE_VOLUME] = "secret_usage_volume", [SECRET_USAGE_CEPH] = "secret_usage_ceph",
                [SECRET_USAGE_ISCSI] = "secret_usage_target",  [SECRET_USAGE_TLS] = "secret_usage_name",
                [SECRET_USAGE_VTPM] = "secret_usage_name",
        };
        const struct secret *secret = object;
        const struct secret_def *def = secret->base.published ? secret_get_def(secret) : NULL;

        add("secret_uuid", secret->base.uuid_text, data);
        if (def && keys[def->usage_type])
                add(keys[def->usage_type], def->usage_id, data);
}

static struct storage *make_storage(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        g_autofree char *state_dir = get_directory(model, environment->state_dir, "storage");
        g_autofree char *runtime_dir = get_directory(model, environment->runtime_dir, "storage");
        struct job_list *jobs = model_get_jobs(model);

        if (model->driver->in_memory)
                return storage_new_test(environment->loop, environment->pool, jobs, error);
        return storage_new(environment->loop, environment->pool, jobs, state_dir, runtime_dir);
}

static void *new_storage(struct model *model, GError **error)
{
        struct storage *storage = make_storage(model, error);

        if (!storage)
                return NULL;
        storage_set_secrets(storage, model_get_secrets(model));
        if (storage_load(storage, error))
                return storage;
        storage_free(storage);
        return NULL;
}

static void free_storage(struct model *model, void *part)
{
        storage_free(part);
}

static void quiesce_storage(void *part)
{
        storage_quiesce(part);
}

static void autostart_storage(void *part, loop_fn done, void *data)
{
        storage_autostart(part, done, data);
}

static struct registry *get_pools(const void *part)
{
        return storage_get_registry(part);
}

static void describe_pool(const void *part, void *object, model_detail add, void *data)
{
        const struct managed *pool = object;

        add("pool_name", pool->name, data);
        add("pool_uuid", pool->uuid_text, data);
}

static void *new_volumes(struct model *model, GError **error)
{
        return model->parts[MODEL_POOLS];
}

static struct collection *get_volumes(const void *part)
{
        return storage_get_volumes(part);
}

static void describe_volume(const void *part, void *object, model_detail add, void *data)
{
        const struct volume *volume = object;
        struct storage_pool *pool = storage_volume_get_pool((struct storage *)part, volume, NULL);

        if (pool)
                describe_pool(part, pool, add, data);
        add("vol_name", volume->name, data);
        add("vol_key", volume->key, data);
}

static void *new_node_devices(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        g_autofree char *directory = get_directory(model, environment->state_dir, "nodedev");
        struct node_devices *devices;

        if (model->driver->in_memory)
                return node_devices_new_test(environment->loop);
        devices = node_devices_new(environment->loop, environment->pool);
        node_devices_set_directory(devices, directory);
        return devices;
}

static void free_node_devices(struct model *model, void *part)
{
        node_devices_free(part);
}

static void start_node_devices(struct model *model, void *part)
{
        node_devices_start(part);
}

static void autostart_node_devices(void *part, loop_fn done, void *data)
{
        node_devices_autostart(part, done, data);
}

static bool are_node_devices_ready(const void *part)
{
        return node_devices_are_ready(part);
}

static void quiesce_node_devices(void *part)
{
        node_devices_stop(part);
}

static bool are_node_devices_busy(const void *part)
{
        return node_devices_are_running(part);
}

static struct collection *get_node_devices(const void *part)
{
        return node_devices_get_collection(part);
}

static void describe_node_device(const void *part, void *object, model_detail add, void *data)
{
        add("node_device_name", ((const struct node_device *)object)->name, data);
}

/* A session's agent has no right to change the host's network, and neither has one that is not root. */
static void *new_interfaces(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        const struct interfaces_config config = {
                .state_dir = environment->state_dir,
                .runtime_dir = environment->runtime_dir,
                .managers_dir = "/run",
                .read_only = !environment->system || geteuid() != 0,
        };
        struct interfaces *interfaces;

        if (model->driver->in_memory)
                interfaces = interfaces_new_test(environment->loop, environment->pool, error);
        else
                interfaces = interfaces_new(environment->loop, environment->pool,
                                            link_source_new(environment->loop, environment->pool), &config);
        return interfaces;
}

static void start_interfaces(struct model *model, void *part)
{
        interfaces_start(part);
}

static bool are_interfaces_ready(const void *part)
{
        return interfaces_are_ready(part);
}

static void free_interfaces(struct model *model, void *part)
{
        interfaces_free(part);
}

static void quiesce_interfaces(void *part)
{
        interfaces_quiesce(part);
}

static bool are_interfaces_busy(const void *part)
{
        return interfaces_get_pending(part) > 0;
}

static struct collection *get_interfaces(const void *part)
{
        return interfaces_get_collection(part);
}

static void describe_interface(const void *part, void *object, model_detail add, void *data)
{
        const struct host_interface *interface = object;

        add("interface_name", interface->name, data);
        add("interface_macaddr", interface->mac, data);
}

/* A user's agent may not filter, so nothing is laid out for it. */
static void *new_nwfilters(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        bool has_stock = environment->data_dir && (environment->system || geteuid() == 0);
        g_autofree char *state_dir = get_directory(model, environment->state_dir, "nwfilter");
        g_autofree char *stock_dir =
                has_stock ? get_directory(model, environment->data_dir, "nwfilter") : NULL;
        const struct nwfilters_config config = { state_dir, stock_dir };
        struct nwfilters *nwfilters = nwfilters_new(environment->loop, environment->pool, &config);

        if (nwfilters_load(nwfilters, error))
                return nwfilters;
        nwfilters_free(nwfilters);
        return NULL;
}

static void free_nwfilters(struct model *model, void *part)
{
        nwfilters_free(part);
}

static void start_nwfilters(struct model *model, void *part)
{
        nwfilters_start(part);
}

static bool are_nwfilters_busy(const void *part)
{
        return nwfilters_are_busy(part);
}

static struct registry *get_nwfilters(const void *part)
{
        return nwfilters_get_registry(part);
}

static void describe_nwfilter(const void *part, void *object, model_detail add, void *data)
{
        const struct managed *nwfilter = object;

        add("nwfilter_name", nwfilter->name, data);
        add("nwfilter_uuid", nwfilter->uuid_text, data);
}

static void *new_networks(struct model *model, GError **error)
{
        const struct model_environment *environment = model->environment;
        g_autofree char *state_dir = get_directory(model, environment->state_dir, "network");
        g_autofree char *runtime_dir = get_directory(model, environment->runtime_dir, "network");
        const struct networks_config config = {
                .state_dir = state_dir,
                .runtime_dir = runtime_dir,
                .starts_for_guests = environment->start_networks,
                .with_default = environment->system && environment->default_network && geteuid() == 0,
        };
        struct networks *networks;

        if (model->driver->in_memory)
                return networks_new_test(environment->loop, environment->pool, error);
        networks = networks_new(environment->loop, environment->pool, &config);
        if (networks_load(networks, error))
                return networks;
        networks_free(networks);
        return NULL;
}

static void start_networks(struct model *model, void *part)
{
        struct link_source *links = interfaces_get_source(model_get_interfaces(model));

        if (links)
                networks_follow(part, links);
}

static bool are_networks_ready(const void *part)
{
        return networks_are_ready(part);
}

static void free_networks(struct model *model, void *part)
{
        networks_free(part);
}

static void quiesce_networks(void *part)
{
        networks_quiesce(part);
}

static void autostart_networks(void *part, loop_fn done, void *data)
{
        networks_autostart(part, done, data);
}

static struct registry *get_networks(const void *part)
{
        return networks_get_registry(part);
}

static void describe_network(const void *part, void *object, model_detail add, void *data)
{
        const struct managed *network = object;

        add("network_name", network->name, data);
        add("network_uuid", network->uuid_text, data);
}

static void report_domain(struct domain_driver *driver, const struct domain *domain, const GError *error,
                          void *data)
{
        model_report(data, MODEL_DOMAINS, (void *)domain, error);
}

static void *new_domains(struct model *model, GError **error)
{
        struct domain_driver *domains = model->driver->new_domains(model->environment, model->uri, error);

        if (!domains)
                return NULL;
        domain_driver_set_sources(domains, &(const struct domain_sources){
                                                   model_get_storage(model), model_get_secrets(model),
                                                   model_get_networks(model), model_get_node_devices(model),
                                                   model_get_nwfilters(model) });
        domain_driver_set_reporter(domains, report_domain, model);
        return domains;
}

static void free_domains(struct model *model, void *part)
{
        model->driver->free_domains(part);
}

/* A start may wait for the lane of a pool that does not answer. */
static void quiesce_domains(void *part)
{
        registry_cancel(domain_driver_get_registry(part));
}

static void autostart_domains(void *part, loop_fn done, void *data)
{
        domain_autostart(part);
        done(data);
}

static struct registry *get_domains(const void *part)
{
        return domain_driver_get_registry(part);
}

static void describe_domain(const void *part, void *object, model_detail add, void *data)
{
        const struct managed *domain = object;

        add("domain_name", domain->name, data);
        add("domain_uuid", domain->uuid_text, data);
}

static const struct model_part parts[MODEL_KIND_COUNT] = {
        [MODEL_JOBS] = { .name = "job",
                         .new = new_jobs,
                         .free = free_jobs,
                         .quiesce = quiesce_jobs,
                         .is_busy = are_jobs_busy },
        [MODEL_SECRETS] = { .name = "secret",
                            .new = new_secrets,
                            .free = free_secrets,
                            .get_registry = get_secrets,
                            .describe = describe_secret },
        [MODEL_POOLS] = { .name = "storage-pool",
                          .new = new_storage,
                          .free = free_storage,
                          .quiesce = quiesce_storage,
                          .autostart = autostart_storage,
                          .get_registry = get_pools,
                          .describe = describe_pool },
        [MODEL_VOLUMES] = { .name = "storage-vol",
                            .new = new_volumes,
                            .get_collection = get_volumes,
                            .describe = describe_volume },
        [MODEL_NODE_DEVICES] = { .name = "node-device",
                                 .new = new_node_devices,
                                 .free = free_node_devices,
                                 .start = start_node_devices,
                                 .is_ready = are_node_devices_ready,
                                 .autostart = autostart_node_devices,
                                 .quiesce = quiesce_node_devices,
                                 .is_busy = are_node_devices_busy,
                                 .get_collection = get_node_devices,
                                 .describe = describe_node_device },
        [MODEL_INTERFACES] = { .name = "interface",
                               .new = new_interfaces,
                               .free = free_interfaces,
                               .start = start_interfaces,
                               .is_ready = are_interfaces_ready,
                               .quiesce = quiesce_interfaces,
                               .is_busy = are_interfaces_busy,
                               .get_collection = get_interfaces,
                               .describe = describe_interface },
        [MODEL_NWFILTERS] = { .name = "nwfilter",
                              .new = new_nwfilters,
                              .free = free_nwfilters,
                              .start = start_nwfilters,
                              .is_busy = are_nwfilters_busy,
                              .get_registry = get_nwfilters,
                              .describe = describe_nwfilter },
        [MODEL_NETWORKS] = { .name = "network",
                             .new = new_networks,
                             .start = start_networks,
                             .is_ready = are_networks_ready,
                             .free = free_networks,
                             .quiesce = quiesce_networks,
                             .autostart = autostart_networks,
                             .get_registry = get_networks,
                             .describe = describe_network },
        [MODEL_DOMAINS] = { .name = "domain",
                            .new = new_domains,
                            .free = free_domains,
                            .quiesce = quiesce_domains,
                            .autostart = autostart_domains,
                            .get_registry = get_domains,
                            .describe = describe_domain },
};

/* ---- one connection ---- */

static void model_free(void *data)
{
        struct model *model = data;

        for (unsigned kind = MODEL_KIND_COUNT; kind-- > 0;)
                if (model->parts[kind] && parts[kind].free)
                        parts[kind].free(model, model->parts[kind]);
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
                model->parts[kind] = parts[kind].new(model, error);
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

                if (!parts[kind].autostart)
                        continue;
                parts[kind].autostart(model->parts[kind], autostart, model);
                return;
        }
}

static void start(struct model *model)
{
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (parts[kind].start)
                        parts[kind].start(model, model->parts[kind]);
}

static bool is_ready(const struct model *model)
{
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (parts[kind].is_ready && !parts[kind].is_ready(model->parts[kind]))
                        return false;
        return true;
}

static void quiesce(struct model *model)
{
        model->ending = true;
        for (unsigned kind = 0; kind < MODEL_KIND_COUNT; kind++)
                if (parts[kind].quiesce)
                        parts[kind].quiesce(model->parts[kind]);
}

static bool is_busy(const struct model *model, enum model_kind kind)
{
        const struct registry *registry = model_get_registry(model, kind);
        const struct collection *collection = model_get_collection(model, kind);

        return (registry && registry_get_pending(registry) > 0) ||
               (collection && collection_get_pending(collection) > 0) ||
               (parts[kind].is_busy && parts[kind].is_busy(model->parts[kind]));
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
        return parts[kind].get_registry ? parts[kind].get_registry(model->parts[kind]) : NULL;
}

struct collection *model_get_collection(const struct model *model, enum model_kind kind)
{
        return parts[kind].get_collection ? parts[kind].get_collection(model->parts[kind]) : NULL;
}

const char *model_get_kind_name(enum model_kind kind)
{
        return kind < MODEL_KIND_COUNT && parts[kind].describe ? parts[kind].name : NULL;
}

void model_describe(const struct model *model, enum model_kind kind, void *object, model_detail add,
                    void *data)
{
        if (parts[kind].describe)
                parts[kind].describe(model->parts[kind], object, add, data);
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

void models_autostart(struct models *models)
{
        for (unsigned i = 0; i < models->list->len; i++)
                autostart(models_get_nth(models, i));
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
