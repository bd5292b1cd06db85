/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The root of the model: what a view (D-Bus, libvirt's RPC) is given. A struct model is one connection of
 * libvirt's API, "qemu:///system": its facts, and its parts, one for each kind of object, from a table that
 * start-up, the end and every view walk. A new kind of object is a row of that table.
 *
 *     models = models_new(&environment, drivers, n_drivers, &error);    makes and loads everything
 *     while (!models_are_ready(models)) ...
 *     models_autostart(models);                                         when the views are there
 *     models_quiesce(models);                                           the end begins
 *     while (models_are_busy(models)) ...
 *     models_free(models);
 *
 * Loop thread.
 */

#include "base/collection.h"
#include "base/registry.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/power.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/storage.h"
#include "interfaces/interfaces.h"

struct audit;
struct authorization;
struct authorizer;
struct host;
struct job_list;
struct model;
struct models;
struct networks;
struct nwfilters;
struct node_devices;
struct owners;

/* The level of libvirt's API that is served, as clients compare it: 9.0.0. */
#define MODEL_API_VERSION UINT64_C(9000000)

/* ---- what is made ---- */

/* What confines guests beside their account; numbered as the configuration has it. */
enum model_security {
        MODEL_SECURITY_AUTO, /* what the host has enabled */
        MODEL_SECURITY_NONE,
        MODEL_SECURITY_APPARMOR,
        MODEL_SECURITY_SELINUX,
};

/* What all models are made in; borrowed, and outlives them. */
struct model_environment {
        struct loop *loop;
        struct pool *pool;
        const struct host *host;
        bool system;          /* else the agent of one user's session */
        bool default_network; /* a fresh system gets one */
        /* Directories that exist and are this agent's alone; each part has its own below them. */
        const char *state_dir, *runtime_dir, *log_dir, *cache_dir;
        const char *data_dir;      /* what comes with the agent: nwfilter/ below it; NULL: nothing */
        const char *lease_program; /* virtbus-lease, which dnsmasq runs; NULL: it is not there */
        const char
                *memory_dir;  /* where guests' memory is kept that is to be in files; NULL: below state_dir */
        const char *dump_dir; /* of guests that crash; NULL: below state_dir */
        const char *tls_dir;  /* certificates of guests' disks and character devices; NULL: the usual place */
        const char *spice_tls_dir, *vnc_tls_dir; /* of their displays; NULL: those are without TLS */
        const char *hooks_dir;                   /* programs that are told of guests; NULL: none */
        enum model_security security;
        const char *devices;  /* nodes that guests may open beside their own (drivers/qemu/driver.h) */
        unsigned save_format; /* of guests that are saved, as it is numbered in their files; 0: raw */
        unsigned migration_first, migration_last; /* TCP ports for guests that come from other hosts */
        const struct authorizer *authorizer; /* who decides what clients may do; NULL: the built-in rule */
        void *authorizer_data;               /* taken; for its hooks */
        const char *user, *group;            /* guests run as; NULL: as the agent does */
};

/* What the administrator may change while the agent runs. */
struct model_settings {
        bool start_networks; /* a network that is not active is started for the guest that needs it */
        bool audit;          /* calls that change something are recorded */
        struct domain_power_settings power;
};

/* A hypervisor: what differs between connections. */
struct model_driver {
        const char *name;              /* "QEMU", "Test": the last element of the path on D-Bus */
        const char *type;              /* "QEMU", "TEST": virConnectGetType() */
        const char *uri, *session_uri; /* of a system's agent, of a session's */
        bool in_memory;                /* nothing is stored, and nothing happens to the host */
        struct domain_driver *(*new_domains)(const struct model_environment *environment, const char *uri,
                                             GError **error);
        void (*free_domains)(struct domain_driver *domains);
};

/* ---- parts ---- */

/* In the order in which they are made: what others need comes first. */
enum model_kind {
        MODEL_JOBS,
        MODEL_SECRETS,
        MODEL_POOLS,
        MODEL_VOLUMES, /* come with the pools */
        MODEL_NODE_DEVICES,
        MODEL_INTERFACES,
        MODEL_NWFILTERS,
        MODEL_NETWORKS,
        MODEL_DOMAINS,
        MODEL_KIND_COUNT,
};

/*
 * A detail of an object, under the name that libvirt's access control has for it; both valid during the call.
 */
typedef void (*model_detail)(const char *key, const char *value, void *data);

/* ---- all connections ---- */

/* NULL with an error of the first part that cannot be made. */
struct models *models_new(const struct model_environment *environment,
                          const struct model_driver *const *drivers, unsigned n_drivers, GError **error);
/* From now on; what is on its way may still go by the settings of before. */
void models_configure(struct models *models, const struct model_settings *settings);
/* When they are not busy. NULL is fine. */
void models_free(struct models *models);
unsigned models_get_count(const struct models *models);
struct model *models_get_nth(const struct models *models, unsigned n);

const struct authorization *models_get_authorization(const struct models *models);
struct audit *models_get_audit(const struct models *models);
struct owners *models_get_owners(const struct models *models);

/* Do all parts know what there is? Before, lists would have less than that. */
bool models_are_ready(const struct models *models);
void models_autostart(struct models *models);
/*
 * What drivers/domain/power.h says, for the guests of all connections that are not in memory: the host ends,
 * is about to sleep, is awake. done(data) when all are through; once at a time.
 */
void models_end_host(struct models *models, loop_fn done, void *data);
void models_sleep_host(struct models *models, loop_fn done, void *data);
void models_wake_host(struct models *models);
void models_quiesce(struct models *models);
bool models_are_busy(const struct models *models);

/* virConnectFlags */
enum model_open_flags {
        MODEL_OPEN_READ_ONLY = 1,
        MODEL_OPEN_NO_ALIASES = 2, /* there are none */
};

/* The connection of a URI, "" is the first driver's; NULL with an error, also for unknown flags. */
struct model *models_find_uri(const struct models *models, const char *uri, unsigned flags, GError **error);
/* The connection of a type of hypervisor, in any case of letters; "" is the first. NULL with an error. */
struct model *models_find_type(const struct models *models, const char *type, GError **error);

/* ---- a connection: facts ---- */

const char *model_get_name(const struct model *model);
const char *model_get_type(const struct model *model);
const char *model_get_uri(const struct model *model);
const struct host *model_get_host(const struct model *model);
/* Its number in its models, for tables of a view's own. */
unsigned model_get_index(const struct model *model);

/*
 * What a hypervisor says of itself (its version) may have to be asked of an emulator first. True: it is
 * known. False: it is being asked, and done(data) is called when there is an answer, maybe before the
 * function returns.
 */
bool model_settle(const struct model *model, loop_fn done, void *data);
/* major * 1000000 + minor * 1000 + release; 0 with an error when it is not known (yet). */
uint64_t model_get_version(const struct model *model, GError **error);

/* ---- a connection: parts ---- */

/* NULL: that kind has none. */
struct registry *model_get_registry(const struct model *model, enum model_kind kind);
struct collection *model_get_collection(const struct model *model, enum model_kind kind);

/* As actions name objects of that kind; NULL: they have no details, and no actions of their own. */
const char *model_get_kind_name(enum model_kind kind);
void model_describe(const struct model *model, enum model_kind kind, void *object, model_detail add,
                    void *data);

struct domain_driver *model_get_domains(const struct model *model);
struct job_list *model_get_jobs(const struct model *model);
struct secrets *model_get_secrets(const struct model *model);
struct node_devices *model_get_node_devices(const struct model *model);
struct networks *model_get_networks(const struct model *model);
struct nwfilters *model_get_nwfilters(const struct model *model);
struct storage *model_get_storage(const struct model *model);
struct interfaces *model_get_interfaces(const struct model *model);

/* ---- failures that no call is there to take ---- */

/*
 * An autostart failed, or work whose caller had left before it ended. object: of that kind, borrowed; NULL:
 * the failure is the connection's. It was logged before.
 */
typedef void (*model_failure_listener)(const struct model *model, enum model_kind kind, void *object,
                                       const GError *error, void *data);
void model_listen_failures(struct model *model, model_failure_listener listener, void *data);
void model_unlisten_failures(struct model *model, model_failure_listener listener, void *data);

/* Tells the listeners, of every view. */
void model_report(const struct model *model, enum model_kind kind, void *object, const GError *error);
