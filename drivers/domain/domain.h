/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The domain model: what every view (D-Bus, later libvirt's RPC) calls. Functions are called on the loop.
 * Those that read answer at once from the published state, whatever the guest does. Those that change
 * something take a done function, called on the loop exactly once, after the state that the change made is
 * published and its events are announced; flags are those of the libvirt API function of the same name, and
 * unknown ones fail with "unsupported flags (0x..)".
 */

#include "base/job.h"
#include "base/params.h"
#include "base/registry.h"
#include "drivers/domain/definition.h"
#include "drivers/domain/event.h"

#include <sys/types.h>

struct domain;
struct domain_arrival;
struct domain_departure;
struct domain_driver;
struct domain_power;
struct domain_image;
struct domain_takings;
struct job_list;
struct node_devices;
struct nwfilters;
struct secrets;
struct storage;

/* virDomainState */
enum domain_run_state {
        DOMAIN_NOSTATE = 0,
        DOMAIN_RUNNING = 1,
        DOMAIN_BLOCKED = 2,
        DOMAIN_PAUSED = 3,
        DOMAIN_SHUTDOWN = 4,
        DOMAIN_SHUTOFF = 5,
        DOMAIN_CRASHED = 6,
        DOMAIN_PMSUSPENDED = 7,
};

/* virDomainRunningReason ... : the reasons in use */
enum domain_run_reason {
        DOMAIN_RUNNING_UNKNOWN = 0,
        DOMAIN_RUNNING_BOOTED = 1,
        DOMAIN_RUNNING_MIGRATED = 2,
        DOMAIN_RUNNING_RESTORED = 3,
        DOMAIN_RUNNING_UNPAUSED = 5,
        DOMAIN_RUNNING_MIGRATION_CANCELED = 6,
        DOMAIN_RUNNING_SAVE_CANCELED = 7,
        DOMAIN_RUNNING_WAKEUP = 8,
        DOMAIN_RUNNING_CRASHED = 9,
        DOMAIN_RUNNING_POSTCOPY = 10,
        DOMAIN_RUNNING_POSTCOPY_FAILED = 11,
        DOMAIN_PAUSED_UNKNOWN = 0,
        DOMAIN_PAUSED_USER = 1,
        DOMAIN_PAUSED_MIGRATION = 2,
        DOMAIN_PAUSED_SAVE = 3,
        DOMAIN_PAUSED_DUMP = 4,
        DOMAIN_PAUSED_IOERROR = 5,
        DOMAIN_PAUSED_WATCHDOG = 6,
        DOMAIN_PAUSED_SHUTTING_DOWN = 8,
        DOMAIN_PAUSED_SNAPSHOT = 9,
        DOMAIN_PAUSED_CRASHED = 10,
        DOMAIN_PAUSED_STARTING_UP = 11,
        DOMAIN_PAUSED_POSTCOPY = 12,
        DOMAIN_PAUSED_POSTCOPY_FAILED = 13,
        DOMAIN_PAUSED_API_ERROR = 14,
        DOMAIN_SHUTDOWN_UNKNOWN = 0,
        DOMAIN_SHUTDOWN_USER = 1,
        DOMAIN_SHUTOFF_UNKNOWN = 0,
        DOMAIN_SHUTOFF_SHUTDOWN = 1,
        DOMAIN_SHUTOFF_DESTROYED = 2,
        DOMAIN_SHUTOFF_CRASHED = 3,
        DOMAIN_SHUTOFF_MIGRATED = 4,
        DOMAIN_SHUTOFF_SAVED = 5,
        DOMAIN_SHUTOFF_FAILED = 6,
        DOMAIN_SHUTOFF_DAEMON = 8,
        DOMAIN_CRASHED_UNKNOWN = 0,
        DOMAIN_CRASHED_PANICKED = 1,
        DOMAIN_PMSUSPENDED_UNKNOWN = 0,
};

struct domain_state {
        struct managed_state base;
        int id;                      /* 0 when inactive */
        enum domain_run_state state; /* of an active domain; an inactive one is shut off */
        int reason;
        pid_t pid;      /* of the guest's process; 0 when there is none */
        bool updated;   /* redefined while it runs */
        bool has_image; /* a managed save: the next start goes on with it */
        bool resumes;   /* made at the host's end: the next boot starts it, autostart or not */
        bool sleeps;    /* paused for the host's sleep: it goes on when that is over */
        char *owner;    /* owned; whose departure destroys the domain (autodestroy), NULL none */
};

struct domain {
        struct managed base;
        /* const */
        struct domain_driver *driver; /* borrowed */
        /* lane */
        struct domain_takings *takings; /* owned; what the guest that runs has of others, NULL: nothing */
        bool start_cancelled; /* the last start was cancelled, and the urgent job behind it is to know */
        bool has_save;        /* of its definition: there is a managed save */
        bool save_resumes;    /* and it was made at the host's end */
        uint64_t speed_mib_s; /* of its migrations, as somebody has set it; 0: nobody has */
        const char *work; /* const; what an operation does with the guest meanwhile ("save"), NULL: nothing */
        bool departs;     /* that is a migration to another host, for which its guest may be paused */
        bool may_run;     /* and let go on */
        struct domain_arrival *arrival; /* owned; the guest is on its way here (migrate.h), NULL: it is not */
        struct domain_departure
                *departure;        /* borrowed from the operation; it is on its way elsewhere, or NULL */
        struct domain_image *kept; /* owned; the managed save of a driver that keeps it in memory, or NULL */
        void *live;                /* the driver's, NULL when inactive */
        int ending_fd; /* owned; the driver's: ready when its last guest has been dealt with; -1: it has */
        /* loop */
        bool replugging, replug_again; /* its guest looks after its USB devices, and is to do it once more */
        struct domain_known *known;    /* owned; what it has been asked (stats.h), NULL: nothing yet */
};

extern const struct managed_kind domain_kind;

static inline const struct domain_state *domain_get_published(const struct domain *domain)
{
        return (const struct domain_state *)managed_get_published(&domain->base);
}

/* Lane. */
static inline const struct domain_state *domain_get_current(const struct domain *domain)
{
        return (const struct domain_state *)managed_get_current(&domain->base);
}

static inline const struct domain_def *domain_state_get_def(const struct domain_state *state)
{
        return (const struct domain_def *)managed_state_get_definition(&state->base);
}

/* ---- lookups and lists; borrowed results ---- */

struct domain *domain_lookup_id(struct domain_driver *driver, int id, GError **error);
struct domain *domain_lookup_name(struct domain_driver *driver, const char *name, GError **error);
struct domain *domain_lookup_uuid(struct domain_driver *driver, const char *uuid, GError **error);

/* virConnectListAllDomainsFlags; borrowed elements, free the array. NULL with an error for unknown flags. */
GPtrArray *domain_list(struct domain_driver *driver, unsigned flags, GError **error);

/* ---- reads ---- */

bool domain_is_active(const struct domain *domain);
/* Does the persistent definition differ from the one that runs (virDomainIsUpdated)? */
bool domain_is_updated(const struct domain *domain);

enum domain_xml_flags {
        DOMAIN_XML_SECURE = 1,
        DOMAIN_XML_INACTIVE = 2,
        DOMAIN_XML_UPDATE_CPU = 4,
        DOMAIN_XML_MIGRATABLE = 8,
};

/* text is valid for the time of the call, and NULL with an error. Called exactly once; owns data. */
typedef void (*domain_text_done)(const char *text, const GError *error, void *data);

/*
 * The domain's document; done is called before this returns, unless an emulator has to be asked what
 * a <cpu> that follows the host stands for (DOMAIN_XML_UPDATE_CPU). Whether the caller may have
 * DOMAIN_XML_SECURE is the view's to ask.
 */
void domain_get_xml(const struct domain *domain, unsigned flags, domain_text_done done, void *data);

struct domain_info {
        enum domain_run_state state;
        uint64_t max_memory_kib;
        uint64_t memory_kib;
        unsigned vcpus;
        uint64_t cpu_time_ns;
};

/* Never waits for the guest: the CPU time is that of its process (/proc). */
void domain_get_info(const struct domain *domain, struct domain_info *info);
bool domain_get_state(const struct domain *domain, unsigned flags, int *state, int *reason, GError **error);
struct domain_security_label {
        const char *label; /* borrowed from the definition, which stays as long as the loop's turn */
        bool enforcing;    /* what it forbids is refused, and not only logged */
};
/*
 * What confines a guest that runs, a struct domain_security_label for each security model, the host's first
 * one first. Empty: it does not run, or nothing does.
 */
GArray *domain_list_security_labels(const struct domain *domain);
bool domain_get_max_memory(const struct domain *domain, unsigned flags, uint64_t *kib, GError **error);
/* virDomainMetadataType; uri NULL or "" only for description and title. */
bool domain_get_metadata(const struct domain *domain, int type, const char *uri, unsigned flags, char **text,
                         GError **error);

/* virDomainInterfaceAddressesSource */
enum domain_addresses_source {
        DOMAIN_ADDRESSES_LEASE = 0, /* of its networks */
        DOMAIN_ADDRESSES_AGENT = 1, /* as the guest says, all interfaces that it has */
        DOMAIN_ADDRESSES_ARP = 2,   /* of the host's table of neighbours */
};

/* virDomainInterface */
struct domain_interface_addresses {
        char *name;  /* owned; the tap on the host ("": not known), or the name in the guest */
        char *mac;   /* owned */
        GArray *ips; /* owned; struct link_ip; prefix 0: not known */
};

/* interfaces: of struct domain_interface_addresses, borrowed during the call; NULL with error. */
typedef void (*domain_addresses_done)(const GPtrArray *interfaces, const GError *error, void *data);
/*
 * Which addresses the interfaces of a guest that runs have; those without any are left out, unless the guest
 * is asked. done is called once, maybe before this returns. flags: none.
 */
void domain_get_addresses(struct domain *domain, unsigned source, unsigned flags, domain_addresses_done done,
                          void *data);

/* ---- changes ---- */

/*
 * The change that a new document means stands in its domain's lane: from now on later changes of that domain
 * queue behind it. An emulator may have to be asked first, so this can take a while; it does not come at all
 * when the document is refused.
 */
typedef void (*domain_queued)(void *data);

void domain_define_xml(struct domain_driver *driver, const char *xml, unsigned flags, domain_queued queued,
                       managed_done done, void *data);

enum domain_define_flags {
        DOMAIN_DEFINE_VALIDATE = 1, /* refuse what the format does not know */
};

enum domain_start_flags {
        DOMAIN_START_PAUSED = 1,
        DOMAIN_START_AUTODESTROY = 2,
        DOMAIN_START_BYPASS_CACHE = 4,
        DOMAIN_START_FORCE_BOOT = 8,
        DOMAIN_START_VALIDATE = 16,
        DOMAIN_START_RESET_NVRAM = 32,
};

enum domain_destroy_flags {
        DOMAIN_DESTROY_GRACEFUL = 1,
};

enum domain_undefine_flags {
        DOMAIN_UNDEFINE_MANAGED_SAVE = 1,
        DOMAIN_UNDEFINE_SNAPSHOTS_METADATA = 2,
        DOMAIN_UNDEFINE_NVRAM = 4,
        DOMAIN_UNDEFINE_KEEP_NVRAM = 8,
        DOMAIN_UNDEFINE_CHECKPOINTS_METADATA = 16,
        DOMAIN_UNDEFINE_TPM = 32,
        DOMAIN_UNDEFINE_KEEP_TPM = 64,
};

enum domain_metadata_type {
        DOMAIN_METADATA_DESCRIPTION = 0,
        DOMAIN_METADATA_TITLE = 1,
        DOMAIN_METADATA_ELEMENT = 2,
};

/* virDomainModificationImpact */
enum domain_affect {
        DOMAIN_AFFECT_CURRENT = 0,
        DOMAIN_AFFECT_LIVE = 1,
        DOMAIN_AFFECT_CONFIG = 2,
};

/* virDomainMemoryModFlags, beyond what is affected */
enum domain_memory_flags {
        DOMAIN_MEMORY_MAXIMUM = 4,
};

/* virDomainVcpuFlags, beyond what is affected */
enum domain_vcpu_flags {
        DOMAIN_VCPU_MAXIMUM = 4,      /* those that there can be, of a definition */
        DOMAIN_VCPU_GUEST = 8,        /* by the guest's agent */
        DOMAIN_VCPU_HOTPLUGGABLE = 16 /* those that come may go while the domain runs; of a definition */
};

/* owner: an opaque name of the caller for AUTODESTROY, see domain_owner_gone(). done gets the new object. */
void domain_create_xml(struct domain_driver *driver, const char *xml, unsigned flags, const char *owner,
                       domain_queued queued, managed_done done, void *data);
void domain_create(struct domain *domain, unsigned flags, const char *owner, managed_done done, void *data);
/*
 * The same two with files for the first process of a container (n_files of them), which guests of other
 * drivers do not have: ERROR_NO_SUPPORT.
 */
void domain_create_xml_with_files(struct domain_driver *driver, const char *xml, unsigned n_files,
                                  unsigned flags, const char *owner, domain_queued queued, managed_done done,
                                  void *data);
void domain_create_with_files(struct domain *domain, unsigned n_files, unsigned flags, const char *owner,
                              managed_done done, void *data);
void domain_destroy(struct domain *domain, unsigned flags, managed_done done, void *data);
void domain_shutdown(struct domain *domain, unsigned flags, managed_done done, void *data);
void domain_reboot(struct domain *domain, unsigned flags, managed_done done, void *data);
void domain_reset(struct domain *domain, unsigned flags, managed_done done, void *data);
/*
 * Of a guest that is on its way to another host it is a pause for that, so that all of it gets there: it runs
 * when it has arrived, or stays here. While something else works on the guest it is refused.
 */
void domain_suspend(struct domain *domain, managed_done done, void *data);
void domain_resume(struct domain *domain, managed_done done, void *data);
void domain_undefine(struct domain *domain, unsigned flags, managed_done done, void *data);
void domain_rename(struct domain *domain, const char *name, unsigned flags, managed_done done, void *data);
void domain_set_autostart(struct domain *domain, bool autostart, managed_done done, void *data);
/*
 * text NULL or "" removes; key and uri only for VIR_DOMAIN_METADATA_ELEMENT. flags:
 * virDomainModificationImpact.
 */
void domain_set_metadata(struct domain *domain, int type, const char *text, const char *key, const char *uri,
                         unsigned flags, managed_done done, void *data);

/* virDomainLifecycle */
enum domain_lifecycle {
        DOMAIN_LIFECYCLE_POWEROFF = 0,
        DOMAIN_LIFECYCLE_REBOOT = 1,
        DOMAIN_LIFECYCLE_CRASH = 2,
        DOMAIN_LIFECYCLES,
};
/* virDomainLifecycleAction */
enum domain_lifecycle_action {
        DOMAIN_ACTION_DESTROY = 0,
        DOMAIN_ACTION_RESTART = 1,
        DOMAIN_ACTION_RESTART_RENAME = 2,
        DOMAIN_ACTION_PRESERVE = 3,
        DOMAIN_ACTION_COREDUMP_DESTROY = 4,
        DOMAIN_ACTION_COREDUMP_RESTART = 5,
        DOMAIN_ACTIONS,
};
/* Sets of actions, a bit each: what ends the guest or starts it over, what else there is for crashes, all. */
#define DOMAIN_ACTIONS_PLAIN (1U << DOMAIN_ACTION_DESTROY | 1U << DOMAIN_ACTION_RESTART)
#define DOMAIN_ACTIONS_CRASH                                                                                 \
        (DOMAIN_ACTIONS_PLAIN | 1U << DOMAIN_ACTION_PRESERVE | 1U << DOMAIN_ACTION_COREDUMP_DESTROY |        \
         1U << DOMAIN_ACTION_COREDUMP_RESTART)
#define DOMAIN_ACTIONS_ALL (DOMAIN_ACTIONS_CRASH | 1U << DOMAIN_ACTION_RESTART_RENAME)
/*
 * What becomes of the guest at that event. flags: virDomainModificationImpact. ERROR_CONFIG_UNSUPPORTED for
 * an action that the format or the driver does not have for it, whatever is to be changed.
 */
void domain_set_lifecycle_action(struct domain *domain, unsigned event, unsigned action, unsigned flags,
                                 managed_done done, void *data);

/* KiB of the guest (its balloon) and of the definition; with MAXIMUM of the definition's maximum. */
void domain_set_memory(struct domain *domain, uint64_t kib, unsigned flags, managed_done done, void *data);
/* How often the balloon asks the guest for its statistics; 0: never. flags: virDomainModificationImpact. */
void domain_set_memory_stats_period(struct domain *domain, int period_s, unsigned flags, managed_done done,
                                    void *data);

/*
 * A device that the element xml is comes to the guest, to the definition, or to both. flags:
 * virDomainModificationImpact.
 */
void domain_attach_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data);
/*
 * The device that has the label of xml (a disk's target, an interface's MAC address) becomes what xml says.
 * Of a guest that runs, the media of drives and the links of interfaces can change; the rest is refused by
 * name.
 */
enum domain_update_flags {
        DOMAIN_UPDATE_FORCE = 4, /* beside virDomainModificationImpact: open the tray of a locked drive */
};
void domain_update_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data);
/*
 * The device that the element xml, or a part of one, means goes. A guest that has not let go of it after five
 * seconds is not waited for: the device leaves its definition, with DOMAIN_EVENT_DEVICE_REMOVED, when it
 * does.
 */
void domain_detach_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data);
/* The same of the device with that alias. */
void domain_detach_alias(struct domain *domain, const char *alias, unsigned flags, managed_done done,
                         void *data);

/* virDomainSaveRestoreFlags */
enum domain_save_flags {
        DOMAIN_SAVE_BYPASS_CACHE = 1,
        DOMAIN_SAVE_RUNNING = 2, /* what the guest does when it is restored, whatever it did */
        DOMAIN_SAVE_PAUSED = 4,
        DOMAIN_SAVE_RESET_NVRAM = 8, /* of a restore */
};

/*
 * The guest's state goes into the file at path (absolute; replaced when it is there), and the guest ends.
 * When that fails or is cancelled there is no file, and the guest runs on. A job. xml, NULL or "" for the
 * guest's own, is the document that it is restored with: the guest must not see the difference. flags: enum
 * domain_save_flags, without RESET_NVRAM.
 */
void domain_save(struct domain *domain, const char *path, const char *xml, unsigned flags, managed_done done,
                 void *data);
/* The same into a file of the agent's, with which the next start goes on. */
void domain_managed_save(struct domain *domain, unsigned flags, managed_done done, void *data);
/* flags: none. */
void domain_managed_save_remove(struct domain *domain, unsigned flags, managed_done done, void *data);
/* flags: none. */
bool domain_has_managed_save(const struct domain *domain, unsigned flags, bool *has, GError **error);

/*
 * The guest that was saved to the file at path goes on, maybe with another document (xml, NULL or "": its
 * own); the file stays. Nobody else's call waits until it is read: its storage may not answer. flags: enum
 * domain_save_flags.
 */
void domain_restore(struct domain_driver *driver, const char *path, const char *xml, unsigned flags,
                    managed_done done, void *data);
/* The document in that file. flags: DOMAIN_XML_SECURE. */
void domain_image_get_xml(struct domain_driver *driver, const char *path, unsigned flags,
                          domain_text_done done, void *data);
/* Replaces it, and what the guest is to do. flags: DOMAIN_SAVE_RUNNING or DOMAIN_SAVE_PAUSED. */
void domain_image_set_xml(struct domain_driver *driver, const char *path, const char *xml, unsigned flags,
                          managed_done done, void *data);

/* virDomainCoreDumpFlags */
enum domain_dump_flags {
        DOMAIN_DUMP_CRASH = 1, /* the guest ends at the end */
        DOMAIN_DUMP_LIVE = 2,  /* it runs meanwhile, as far as that goes */
        DOMAIN_DUMP_BYPASS_CACHE = 4,
        DOMAIN_DUMP_RESET = 8,        /* it starts over at the end */
        DOMAIN_DUMP_MEMORY_ONLY = 16, /* as a core file, and not as the emulator's own stream */
};

/* virDomainCoreDumpFormat */
enum domain_dump_format {
        DOMAIN_DUMP_RAW = 0,
        DOMAIN_DUMP_KDUMP_ZLIB = 1,
        DOMAIN_DUMP_KDUMP_LZO = 2,
        DOMAIN_DUMP_KDUMP_SNAPPY = 3,
        DOMAIN_DUMP_WIN_DMP = 4,
};

/*
 * The guest's memory goes into the file at path (absolute; replaced when it is there). A job; one of memory
 * only cannot be cancelled.
 */
void domain_core_dump(struct domain *domain, const char *path, unsigned format, unsigned flags,
                      managed_done done, void *data);

/* virDomainJobType */
enum domain_job_type {
        DOMAIN_JOB_NONE = 0,
        DOMAIN_JOB_BOUNDED = 1,
        DOMAIN_JOB_UNBOUNDED = 2,
        DOMAIN_JOB_COMPLETED = 3,
        DOMAIN_JOB_FAILED = 4,
        DOMAIN_JOB_CANCELLED = 5,
};

struct domain_job_info {
        enum domain_job_type type;
        int operation; /* virDomainJobOperation */
        uint64_t elapsed_ms;
        struct job_progress progress;
};

/* What goes on with the guest now; never waits for it. An error: it does not run, and nothing goes on. */
bool domain_get_job_info(const struct domain *domain, struct domain_job_info *info, GError **error);
/*
 * The same by the names of the API, or, flags 1, how the last one ended, which is told once unless flags have
 * 2. NULL with an error; the caller frees it.
 */
struct params *domain_get_job_stats(struct domain *domain, unsigned flags, enum domain_job_type *type,
                                    GError **error);
/* How the last one ended, for who is told of that; empty when there was none. The caller frees it. */
struct params *domain_get_last_job(const struct domain *domain);
/* Asks it to end; true: it will, or is about to complete. */
bool domain_abort_job(struct domain *domain, GError **error);
enum domain_abort_flags {
        DOMAIN_ABORT_POSTCOPY = 1 << 0, /* VIR_DOMAIN_ABORT_JOB_POSTCOPY */
};
/*
 * The same, and with the flag POSTCOPY of a migration in post-copy alone, which has no way back: its way is
 * cut, and it fails as if that had happened by itself.
 */
void domain_abort_job_flags(struct domain *domain, unsigned flags, managed_done done, void *data);

/* virDomainMigrateFlags; the names are of all that there are, whether or not they are driven. */
enum domain_migrate_flags {
        DOMAIN_MIGRATE_LIVE = 1 << 0,
        DOMAIN_MIGRATE_PEER2PEER = 1 << 1,
        DOMAIN_MIGRATE_TUNNELLED = 1 << 2,
        DOMAIN_MIGRATE_PERSIST_DEST = 1 << 3,
        DOMAIN_MIGRATE_UNDEFINE_SOURCE = 1 << 4,
        DOMAIN_MIGRATE_PAUSED = 1 << 5,
        DOMAIN_MIGRATE_NON_SHARED_DISK = 1 << 6,
        DOMAIN_MIGRATE_NON_SHARED_INC = 1 << 7,
        DOMAIN_MIGRATE_CHANGE_PROTECTION = 1 << 8,
        DOMAIN_MIGRATE_UNSAFE = 1 << 9,
        DOMAIN_MIGRATE_OFFLINE = 1 << 10,
        DOMAIN_MIGRATE_COMPRESSED = 1 << 11,
        DOMAIN_MIGRATE_ABORT_ON_ERROR = 1 << 12,
        DOMAIN_MIGRATE_AUTO_CONVERGE = 1 << 13,
        DOMAIN_MIGRATE_RDMA_PIN_ALL = 1 << 14,
        DOMAIN_MIGRATE_POSTCOPY = 1 << 15,
        DOMAIN_MIGRATE_TLS = 1 << 16,
        DOMAIN_MIGRATE_PARALLEL = 1 << 17,
        DOMAIN_MIGRATE_SYNCHRONOUS_WRITES = 1 << 18,
        DOMAIN_MIGRATE_POSTCOPY_RESUME = 1 << 19,
        DOMAIN_MIGRATE_ZEROCOPY = 1 << 20,
};

/* VIR_MIGRATE_PARAM_*: what a migration may be given. */
extern const struct param_table domain_migrate_params;
/*
 * The guest goes to the agent at that URI (base/remote-bus.h), and ends here when its CPUs run there; until
 * that agent has said so it is ours, whatever fails. A job. params (taken) were accepted by
 * domain_migrate_params. With POSTCOPY_RESUME a migration that has failed in post-copy goes on; the other
 * flags are those of its beginning.
 */
void domain_migrate(struct domain *domain, const char *destination, struct params *params, unsigned flags,
                    managed_done done, void *data);

/*
 * A migration on its way, begun with POSTCOPY, comes to its end now: the guest's CPUs run there as soon as
 * may be, and what is missing of its memory follows. There is no way back. No flags.
 */
void domain_start_postcopy(struct domain *domain, unsigned flags, managed_done done, void *data);

/*
 * The other side of it, each called by the agent that the guest comes from, or for it by a view; the answers
 * are params, borrowed during the call, NULL with an error. A cookie is the secret of one migration: who has
 * it may finish and cancel it.
 */
typedef void (*domain_arrival_done)(const struct params *answer, const GError *error, void *data);
extern const struct param_table domain_arrival_params;
/*
 * An emulator waits for the guest of that document (complete, as domain_def_make_migratable() has it). params
 * (taken) were accepted by domain_arrival_params. Answer: "cookie"; "uri", where QEMU listens, with no host
 * in it if that is this host's name; "boot", of this host. owner: whose departure ends it before it is
 * finished. flags as of domain_migrate().
 */
void domain_arrival_prepare(struct domain_driver *driver, const char *xml, struct params *params,
                            unsigned flags, const char *owner, domain_arrival_done done, void *data);
/*
 * Its state is here: its CPUs run from now on, if params (of domain_finish_params, taken) say so, and it is
 * this agent's. An error says that they do not, and never will.
 */
extern const struct param_table domain_finish_params;
void domain_arrival_finish(struct domain_driver *driver, const char *cookie, struct params *params,
                           domain_arrival_done done, void *data);
/* It does not come, unless it is here already: answer "arrived". Also of cookies that nothing is known of. */
void domain_arrival_cancel(struct domain_driver *driver, const char *cookie, domain_arrival_done done,
                           void *data);
/*
 * It is here, in post-copy whose way was cut: its emulator listens for another one. params (of
 * domain_recover_params, taken) say where. Answer: "uri", as of Prepare, but when it is "complete", and lacks
 * nothing; "defined": it is persistent here.
 */
extern const struct param_table domain_recover_params;
void domain_arrival_recover(struct domain_driver *driver, const char *cookie, struct params *params,
                            unsigned flags, domain_arrival_done done, void *data);
/* The other side has let go of it: what was written down about it here is not needed any more. */
void domain_arrival_confirm(struct domain_driver *driver, const char *cookie, domain_arrival_done done,
                            void *data);

/* How a guest that runs is to be migrated. */
enum domain_migration_setting {
        DOMAIN_MIGRATION_SPEED,          /* at most, MiB/s */
        DOMAIN_MIGRATION_POSTCOPY_SPEED, /* the same once the other side runs; 0: no limit */
        DOMAIN_MIGRATION_DOWNTIME,       /* at most, ms */
        DOMAIN_MIGRATION_CACHE,          /* of compression, bytes */
};

/* flags: of the speed, 1 means the one of post-copy. */
void domain_set_migration(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                          unsigned flags, managed_done done, void *data);
/* Called once, on the loop. */
typedef void (*domain_number_done)(uint64_t value, const GError *error, void *data);
/* Not of the downtime. */
void domain_get_migration(struct domain *domain, enum domain_migration_setting setting, unsigned flags,
                          domain_number_done done, void *data);

/* ---- CPUs and what else a domain gets of its host ---- */

/*
 * How many vCPUs there are, or can be (DOMAIN_VCPU_MAXIMUM). Those of a guest that runs come at once, and go
 * when it lets them, the last ones first; ERROR_OPERATION_TIMEOUT when it has not done so in some seconds,
 * and what it does later is published then.
 */
void domain_set_vcpus(struct domain *domain, unsigned count, unsigned flags, managed_done done, void *data);
/*
 * flags: enum domain_affect, DOMAIN_VCPU_MAXIMUM; with DOMAIN_VCPU_GUEST those that the guest has in use, and
 * all that it has, also with DOMAIN_AFFECT_CONFIG (as libvirt has it); ERROR_INVALID_ARG when it does not
 * run. done is called before this returns, unless the guest is asked.
 */
void domain_get_vcpus(struct domain *domain, unsigned flags, domain_number_done done, void *data);

/* What is set and told as typed parameters. */
enum domain_parameters {
        DOMAIN_PARAMETERS_SCHEDULER, /* cpu_shares, vcpu_quota ... */
        DOMAIN_PARAMETERS_MEMORY,    /* hard_limit ... in KiB */
        DOMAIN_PARAMETERS_NUMA,      /* numa_nodeset, numa_mode */
        DOMAIN_PARAMETERS_BLKIO,     /* weight, device_weight ... */
        DOMAIN_PARAMETERS_DISK,      /* of a disk, by target or source: read_bytes_sec ... */
        DOMAIN_PARAMETERS_PERF,      /* which events of the kernel are counted: cpu_clock ... */
        DOMAIN_PARAMETERS_INTERFACE, /* of an interface, by target or MAC address: inbound.average ... */
};

/* What can be set of it; constant. */
const struct param_table *domain_get_param_table(const struct domain *domain, enum domain_parameters which);
/*
 * Sets them all or none. params is taken and went through the table; device: whose they are, NULL the
 * domain's. flags: enum domain_affect.
 */
void domain_set_parameters(struct domain *domain, enum domain_parameters which, const char *device,
                           struct params *params, unsigned flags, managed_done done, void *data);
/* params is borrowed during the call, and NULL with an error. Called once, on the loop. */
typedef void (*domain_params_done)(const struct params *params, const GError *error, void *data);
/*
 * What the guest's agent says of vCPUs: "vcpus" that there are, "online" in use, "offlinable" that it can do
 * without; each a set ("0-3"). flags: none.
 */
void domain_get_guest_vcpus(struct domain *domain, unsigned flags, domain_params_done done, void *data);
/* The guest takes those of the map (of bool) into use, or, with state 0, out of it. flags: none. */
void domain_set_guest_vcpus(struct domain *domain, const GArray *map, int state, unsigned flags,
                            managed_done done, void *data);
/*
 * All of them, of a definition or, as the host has them, of a guest that runs. flags: enum domain_affect; 4,
 * that texts are welcome, is so without it.
 */
void domain_get_parameters(struct domain *domain, enum domain_parameters which, const char *device,
                           unsigned flags, domain_params_done done, void *data);

/*
 * Which CPUs of the host threads may use: cpus (of bool) has one element for each, what is missing behind its
 * end may not be used. ERROR_INVALID_ARG for none, for more than there are and for threads that the domain
 * cannot have. id: of the vCPU or I/O thread. A vCPU that is not there yet has them when it comes.
 */
void domain_set_pin(struct domain *domain, enum domain_threads who, unsigned id, const GArray *cpus,
                    unsigned flags, managed_done done, void *data);
/* Of each vCPU that there is, a GArray of bool with an element for each CPU of the host. Free the array. */
GPtrArray *domain_get_vcpu_pins(const struct domain *domain, unsigned flags, GError **error);
/* An I/O thread comes, or goes when no device works in it. flags: enum domain_affect. */
void domain_add_iothread(struct domain *domain, unsigned id, unsigned flags, managed_done done, void *data);
void domain_delete_iothread(struct domain *domain, unsigned id, unsigned flags, managed_done done,
                            void *data);
struct domain_iothread_info {
        unsigned id;
        GArray *cpus; /* owned; which CPUs of the host it may use, of bool, an element for each */
};
/* Of struct domain_iothread_info; free it. */
GArray *domain_get_iothreads(const struct domain *domain, unsigned flags, GError **error);
/* Of bool; free it. */
GArray *domain_get_emulator_pin(const struct domain *domain, unsigned flags, GError **error);

/* The caller named owner left: its autodestroy domains are destroyed. */
void domain_owner_gone(struct domain_driver *driver, const char *owner);

/* The failure that a DOMAIN_EVENT_CONTROL_ERROR is, for those who are told of failures without a call. */
void domain_event_make_error(const struct registry_change *change, GError **error);

/*
 * The name of what shares the host's processors among its domains (virDomainGetSchedulerType), and how many
 * parameters DOMAIN_PARAMETERS_SCHEDULER has there.
 */
const char *domain_driver_get_scheduler(const struct domain_driver *driver, unsigned *n_parameters);

/*
 * Told, on the loop, about failures that no call is there to take (an autostart), after they were logged.
 * NULL: nobody.
 */
typedef void (*domain_reporter)(struct domain_driver *driver, const struct domain *domain,
                                const GError *error, void *data);
void domain_driver_set_reporter(struct domain_driver *driver, domain_reporter report, void *data);

/* What guests take of other objects; borrowed, and outlives the driver. */
struct domain_sources {
        struct storage *storage;           /* the pools whose volumes disks may be */
        struct secrets *secrets;           /* that open them */
        struct networks *networks;         /* that interfaces are plugged into */
        struct node_devices *node_devices; /* the host's, that guests may get */
        struct nwfilters *nwfilters;       /* that interfaces have */
        struct job_list *jobs;             /* on which long work is shown */
};
/* Before the first start; guests that were found running have what they had. */
void domain_driver_set_sources(struct domain_driver *driver, const struct domain_sources *sources);

/* Driver-level questions, answered through done, which may be called before the function returns. */
void domain_get_capabilities(struct domain_driver *driver, domain_text_done done, void *data);
void domain_get_domain_capabilities(struct domain_driver *driver, const char *emulator, const char *arch,
                                    const char *machine, const char *type, unsigned flags,
                                    domain_text_done done, void *data);
uint64_t domain_driver_get_version(struct domain_driver *driver, GError **error);
unsigned domain_driver_get_max_vcpus(struct domain_driver *driver, const char *type, GError **error);
/* The security model that confines guests, and its domain of interpretation; borrowed, "" for none. */
void domain_driver_get_security_model(struct domain_driver *driver, const char **model, const char **doi);
/* What becomes of all its guests with the host: power.h. */
struct domain_power *domain_driver_get_power(const struct domain_driver *driver);
const struct host *domain_driver_get_host(const struct domain_driver *driver);
struct registry *domain_driver_get_registry(const struct domain_driver *driver);
