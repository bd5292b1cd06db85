/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of a connection, one for each kind of object: how each is made, started after boot, quiesced and
 * freed, and how access control names its objects. A row for each stands at the end. Loop thread.
 */
#include "drivers/model-private.h"

#include "base/job.h"
#include "drivers/domain/guest-agent.h"
#include "drivers/domain/stats.h"
#include "drivers/network/network.h"
#include "drivers/nwfilter/nwfilter.h"
#include "interfaces/source.h"
#include "nodedev/node-devices.h"

#include <unistd.h>

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
        g_autofree char *runtime_dir = get_directory(model, environment->runtime_dir, "nwfilter");
        g_autofree char *stock_dir =
                has_stock ? get_directory(model, environment->data_dir, "nwfilter") : NULL;
        const struct nwfilters_config config = { state_dir, stock_dir, runtime_dir };
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

static void quiesce_nwfilters(void *part)
{
        nwfilters_quiesce(part);
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
                .with_default = environment->system && environment->default_network && geteuid() == 0,
                .lease_program = environment->lease_program,
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
                networks_follow(part, links, nwfilters_get_source(model_get_nwfilters(model)));
}

static bool are_networks_ready(const void *part)
{
        return networks_are_ready(part);
}

static void free_networks(struct model *model, void *part)
{
        networks_free(part);
}

static void configure_networks(void *part, const struct model_settings *settings)
{
        networks_set_starts_for_guests(part, settings->start_networks);
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
                                                   model_get_nwfilters(model), model_get_jobs(model) });
        domain_driver_set_reporter(domains, report_domain, model);
        return domains;
}

static void free_domains(struct model *model, void *part)
{
        model->driver->free_domains(part);
}

static void configure_domains(void *part, const struct model_settings *settings)
{
        domain_power_configure(domain_driver_get_power(part), &settings->power);
}

/* A start may wait for the lane of a pool that does not answer. */
static void quiesce_domains(void *part)
{
        domain_power_cancel(domain_driver_get_power(part));
        registry_cancel(domain_driver_get_registry(part));
        domain_stats_quiesce(part);
        domain_agent_quiesce(part);
}

static bool are_domains_busy(const void *part)
{
        return domain_stats_get_pending(part) + domain_agent_get_pending(part) > 0;
}

static void autostart_domains(void *part, loop_fn done, void *data)
{
        domain_power_start(domain_driver_get_power(part));
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

const struct model_part model_parts[MODEL_KIND_COUNT] = {
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
                              .quiesce = quiesce_nwfilters,
                              .is_busy = are_nwfilters_busy,
                              .get_registry = get_nwfilters,
                              .describe = describe_nwfilter },
        [MODEL_NETWORKS] = { .name = "network",
                             .new = new_networks,
                             .start = start_networks,
                             .is_ready = are_networks_ready,
                             .free = free_networks,
                             .configure = configure_networks,
                             .quiesce = quiesce_networks,
                             .autostart = autostart_networks,
                             .get_registry = get_networks,
                             .describe = describe_network },
        [MODEL_DOMAINS] = { .name = "domain",
                            .new = new_domains,
                            .free = free_domains,
                            .configure = configure_domains,
                            .quiesce = quiesce_domains,
                            .is_busy = are_domains_busy,
                            .autostart = autostart_domains,
                            .get_registry = get_domains,
                            .describe = describe_domain },
};
