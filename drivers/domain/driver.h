/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a hypervisor driver does for the domain model. The model (domain.c) decides what an operation means:
 * flags, checks, states, events, persistence; the driver makes it happen. A view never calls these.
 */

#include "drivers/domain/definition.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/measure.h"
#include "nodedev/usb.h"

struct domain_agent;
struct domain_arrival;
struct domain_departure;
struct domain_departure_note;
struct domain_image;
struct domain_save;
struct host;
struct job_list;
struct networks;
struct node_devices;
struct nwfilters;
struct storage;

typedef void (*domain_driver_prepared)(const struct domain_machine *machine, const GError *error, void *data);
typedef void (*domain_driver_text_done)(const char *text, const GError *error, void *data);

/* virDomainShutdownFlagValues, and virDomainRebootFlagValues. */
enum domain_shutdown_mode {
        DOMAIN_SHUTDOWN_BY_ACPI = 1,
        DOMAIN_SHUTDOWN_BY_AGENT = 2,
        DOMAIN_SHUTDOWN_BY_INITCTL = 4,
        DOMAIN_SHUTDOWN_BY_SIGNAL = 8,
        DOMAIN_SHUTDOWN_BY_PARAVIRT = 16,
        DOMAIN_SHUTDOWN_MODES = 31,
};

/* How a guest is started. */
struct domain_start {
        unsigned flags;                       /* enum domain_start_flags */
        const struct domain_takings *takings; /* borrowed; what it has of other objects */
        struct domain_image *image;           /* borrowed; what it goes on with, NULL: it boots */
        struct domain_arrival *arrival; /* borrowed; the guest comes from another host (migrate.h), NULL: it
                                           does not. Its CPUs do not run on return */
};

/* A device that changes while its guest runs. */
struct domain_update {
        struct domain_edit_device device; /* the same in the active definition before and after */
        const struct domain_takings
                *takings; /* borrowed; what it needs of other objects now; NULL: nothing */
        bool force;       /* a guest that has locked its drive is not asked */
        bool limits;      /* nothing else differs but <iotune> of disks, <bandwidth> of the interface */
};

/* A USB device of the host that a guest had, and that is there again. */
struct domain_usb_return {
        char *alias; /* owned; of its <hostdev> */
        struct usb_device usb;
};

/* What of a guest that runs is to be as its definition says. */
enum domain_tune {
        DOMAIN_TUNE_PINS = 1,   /* which CPUs of the host its threads may use */
        DOMAIN_TUNE_CPU = 2,    /* shares, periods and quotas of <cputune> */
        DOMAIN_TUNE_MEMORY = 4, /* <memtune> */
        DOMAIN_TUNE_NODES = 8,  /* the nodes of <numatune> */
        DOMAIN_TUNE_BLOCK = 16, /* <blkiotune> */
        DOMAIN_TUNE_PERF = 32,  /* <perf> */
};

/* How much a guest that runs gets, as its host has it. */
struct domain_tuning {
        uint64_t shares;
        struct domain_quota quotas[DOMAIN_QUOTA_SCOPES]; /* quota -1: no limit */
        struct domain_memtune memtune;                   /* 0: no limit */
        uint32_t weight;
};

struct domain_driver_ops {
        const char *scheduler; /* "posix": the host's own; see domain_driver_get_scheduler() */

        const char *agent_channel; /* the guests' name of the channel that their agents open; NULL: none */

        /* InterfaceAddresses: whatever the source, agents answer; there is no network that could. */
        bool agents_have_addresses;

        unsigned shutdown_modes; /* enum domain_shutdown_mode: the ways in which it can ask a guest */
        /* By enum domain_lifecycle, bits by enum domain_lifecycle_action: what it can make of a guest. */
        unsigned lifecycle_actions[DOMAIN_LIFECYCLES];

        /* -- loop -- */

        /*
         * Finds out what the emulator, architecture and machine type of a new document mean, and calls back
         * with the resolved machine (valid during the call) or an error: at once when that is known, later
         * when an emulator has to be asked first. type, arch, machine, emulator: as in the document, NULL
         * when absent.
         */
        void (*prepare)(struct domain_driver *driver, const char *type, const char *arch, const char *machine,
                        const char *emulator, domain_driver_prepared done, void *data);
        /* The <capabilities> and <domainCapabilities> documents; "" for what the caller left open. */
        void (*capabilities)(struct domain_driver *driver, domain_driver_text_done done, void *data);
        void (*domain_capabilities)(struct domain_driver *driver, const char *emulator, const char *arch,
                                    const char *machine, const char *type, domain_driver_text_done done,
                                    void *data);
        /*
         * The <cpu> element that stands for that of def, which follows the host, on this one; def lives until
         * done is called. NULL: there is nothing to say.
         */
        void (*expand_cpu)(struct domain_driver *driver, const struct domain_def *def,
                           domain_driver_text_done done, void *data);
        /*
         * def (taken) in native_format, the one that the driver has (native.h); NULL: it has none. Nothing is
         * looked at.
         */
        const char *native_format;
        char *(*from_native)(struct domain_driver *driver, const char *text,
                             GError **error); /* a document, to be freed */
        void (*to_native)(struct domain_driver *driver, struct domain_def *def, domain_driver_text_done done,
                          void *data);
        /*
         * Hypervisor version, major * 1000000 + minor * 1000 + release; 0 with an error when it is not known.
         * May be asked for at any time.
         */
        uint64_t (*get_version)(struct domain_driver *driver, GError **error);
        unsigned (*get_max_vcpus)(struct domain_driver *driver, const char *type, GError **error);
        /* How many CPUs the host has, those that are off as well. */
        unsigned (*count_cpus)(struct domain_driver *driver);
        /* What confines guests first of all (both "": nothing does), borrowed; at most 256 bytes each. */
        void (*get_security_model)(struct domain_driver *driver, const char **model, const char **doi);

        /* -- statistics -- */

        /*
         * Any thread: fills in the parts of measure about the guest of state, which is active and has been
         * published. Waits for nothing but the kernel. NULL: the host knows nothing of its guests.
         */
        void (*measure)(const struct domain_driver *driver, const struct domain_state *state,
                        struct domain_measure *measure);
        /*
         * Lane, of a guest that runs: asks it for parts (DOMAIN_PART_BIT()) without waiting for it; each is
         * answered once by domain_answered(), now or whenever the guest does, and at its end at the latest.
         * NULL: it has none.
         */
        void (*ask)(struct domain *domain, unsigned parts);
        /* Files for a guest's first process are taken, and make no difference. */
        bool takes_files;
        /* Disks of domains that are off are files of this host, whose sizes are looked at. */
        bool has_files;

        /*
         * -- lane of the domain; each may wait, is bounded in time and ends early when the lane is
         * interrupted --
         */

        /*
         * Starts the guest that state->base.active describes: a definition as it was given, which the driver
         * replaces (managed_state_take_active()) by the live one, with id, aliases and what start decided.
         * state->id is set already; fills in pid. Its CPUs run on return unless flags have
         * DOMAIN_START_PAUSED; DOMAIN_START_RESET_NVRAM is the driver's too. On failure, an interrupt
         * included, nothing is left behind.
         */
        bool (*start)(struct domain *domain, struct domain_state *state, const struct domain_start *start,
                      GError **error);
        /*
         * Ends the guest, whatever state it is in, within 3 s and without its help; releases everything.
         * graceful: only ask the process to end (SIGTERM) and fail with an error, guest still running, when
         * it does not within 10 s.
         */
        bool (*stop)(struct domain *domain, bool graceful, GError **error);
        bool (*suspend)(struct domain *domain, GError **error);
        bool (*resume)(struct domain *domain, GError **error);
        bool (*reset)(struct domain *domain, GError **error);
        /*
         * A guest that has crashed, after domain_dump_crash(): becomes what its definition says. NULL: none
         * calls that.
         */
        void (*end_crash)(struct domain *domain);
        /*
         * Whoever answers inside the guest, a reference (guest-agent.h); NULL with an error at once when
         * nobody does. NULL: there are none.
         */
        struct domain_agent *(*get_agent)(struct domain *domain, GError **error);
        /*
         * The front of the machine, see input.h; each may be NULL, not supported. hold_ms 0: the driver's
         * choice; codes of enum domain_codeset.
         */
        bool (*send_keys)(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                          unsigned count, GError **error);
        bool (*inject_nmi)(struct domain *domain, GError **error);
        bool (*send_signal)(struct domain *domain, int64_t pid, unsigned signal, GError **error);
        bool (*wake_up)(struct domain *domain, GError **error);
        /* Descriptors for a client; -1 with an error. name "": the first. */
        int (*open_graphics)(struct domain *domain, unsigned index, bool skip_auth, GError **error);
        int (*open_char)(struct domain *domain, bool channel, const char *name, bool force, GError **error);
        /* A file that nobody writes to, at its beginning. */
        int (*take_screenshot)(struct domain *domain, unsigned screen, const char **mime, GError **error);
        /* size bytes of its memory, more than none, see peek.h. NULL: not supported, as with those below. */
        bool (*peek_memory)(struct domain *domain, uint64_t offset, void *bytes, uint64_t size, bool physical,
                            GError **error);
        /* disk and source are of the active definition. */
        bool (*resize_block)(struct domain *domain, const struct domain_disk *disk, uint64_t bytes,
                             GError **error);
        bool (*set_block_threshold)(struct domain *domain, const struct domain_storage *source,
                                    uint64_t bytes, GError **error);
        /*
         * A saved ("restore") or arriving ("migrate") guest is about to go on as def, secrets included: what
         * the administrator wants in that document's place goes to *text, to be freed; NULL: nothing. It may
         * be refused. NULL: nobody is asked.
         */
        bool (*adapt)(struct domain *domain, const struct domain_def *def, const char *operation, char **text,
                      GError **error);
        /* The guest's clock was set: what it has missed of its timers is not made up for. NULL: nothing to
         * do. */
        bool (*forget_ticks)(struct domain *domain, GError **error);
        /*
         * Its agent is asked to end the guest: nothing comes after that by itself. NULL: there are no agents
         * that could, and BY_AGENT is a mode of the functions below as the others are.
         */
        void (*forget_reboot)(struct domain *domain);
        /* Ask the guest; mode: of shutdown_modes, or 0, the driver's choice. */
        bool (*shutdown)(struct domain *domain, unsigned mode, GError **error);
        bool (*reboot)(struct domain *domain, unsigned mode, GError **error);
        /*
         * Makes sure that a running guest can be talked to (connects to it again if need be), and publishes
         * what it finds changed. Before changes of the guest that the model makes of a row
         * (drivers/domain/modify.h). NULL: it always can.
         */
        bool (*reach)(struct domain *domain, GError **error);
        /*
         * Tells the balloon how much memory the guest is to keep. A guest that has it at once gets *live
         * replaced by the definition with that current memory; of another one BALLOON_CHANGE is announced as
         * it comes. NULL: not supported.
         */
        bool (*set_memory)(struct domain *domain, uint64_t kib, struct domain_def **live, GError **error);
        /*
         * What becomes of the guest that runs at an event (enum domain_lifecycle) is another thing from now
         * on, as live says; fails where the rest of live is what it cannot do. NULL: it only has to be known.
         */
        bool (*set_lifecycle_action)(struct domain *domain, unsigned event, const struct domain_def *live,
                                     GError **error);
        /* Makes the balloon ask for statistics as often as live says. NULL: not supported. */
        bool (*set_stats_period)(struct domain *domain, const struct domain_def *live, GError **error);
        /*
         * Gives the guest as many vCPUs as *live, the active definition with another number of them, says;
         * *live is replaced by what it came to. One that cannot be reached is an error, and what was reached
         * on the way has been published (domain_update_active()). NULL: not supported.
         */
        bool (*set_vcpus)(struct domain *domain, struct domain_def **live, GError **error);
        /* No vCPU was built into a machine: those that were there at the start go, too. */
        bool all_vcpus_leave;
        /*
         * The guest gets an I/O thread of that number (there), or loses one that no device works in. def: the
         * active definition as it will be, or was. When it fails, the guest is as it was. NULL: not
         * supported.
         */
        bool (*set_iothread)(struct domain *domain, unsigned id, bool there, const struct domain_def *def,
                             GError **error);
        /*
         * Makes the guest, which is as `from` says, what `to` says of parts (enum domain_tune); both are the
         * active definition but for that. When it fails, the guest is as `from` says. NULL: not supported.
         */
        bool (*tune)(struct domain *domain, unsigned parts, const struct domain_def *from,
                     const struct domain_def *to, GError **error);
        /*
         * Fills in what the host has for the guest of parts; tuning is what its definition says. NULL: that
         * is so.
         */
        bool (*read_tuning)(struct domain *domain, unsigned parts, struct domain_tuning *tuning,
                            GError **error);
        /*
         * Calls use(machine, data), at once, with the machine that def is for; false with an error when it is
         * not known.
         */
        bool (*with_machine)(struct domain *domain, const struct domain_def *def,
                             void (*use)(const struct domain_machine *machine, void *data), void *data,
                             GError **error);
        /*
         * Plugs devices (struct domain_edit_device, in this order) of *live, the active definition with them
         * in it, into the guest that runs; *live is replaced by what it came to. takings: what they have of
         * other objects; NULL: nothing. When it fails, the guest is as it was, but for a controller that came
         * along. NULL: not supported.
         */
        bool (*attach)(struct domain *domain, const GArray *devices, const struct domain_takings *takings,
                       struct domain_def **live, GError **error);
        /*
         * Asks the guest for a device of its active definition, and waits a while. *gone: it has let go of
         * it, and all that the device had went back; otherwise domain_device_removed() comes when it does, if
         * ever. A guest that refuses is an error. NULL: not supported.
         */
        bool (*detach)(struct domain *domain, const struct domain_edit_device *device, bool *gone,
                       GError **error);
        /*
         * Makes a device of the guest what *live, the active definition with the change in it, says, or
         * refuses what cannot change by name; *live is replaced by what it came to. NULL: not supported.
         */
        bool (*update)(struct domain *domain, const struct domain_update *update, struct domain_def **live,
                       GError **error);
        /*
         * USB devices of the host that the guest has and that are not there any more: they are taken from the
         * guest, and missing in *live from then on, which is replaced. returns (struct domain_usb_return):
         * what is missing and there again. NULL: the driver has none.
         */
        bool (*lose_usb)(struct domain *domain, struct domain_def **live, GArray *returns, GError **error);
        /* The guest, for which it was taken, gets it back; *live is replaced. */
        bool (*return_usb)(struct domain *domain, const struct domain_usb_return *back,
                           struct domain_def **live, GError **error);
        /*
         * A guest's state to a file, in this order (struct domain_save, save.h); save_open NULL: not
         * supported. In the lane of the save's job: the file is made, without a name or under another one.
         */
        bool (*save_open)(struct domain_save *save, GError **error);
        /* Passive: the state of the guest, which is paused, goes there. */
        bool (*save_begin)(struct domain_save *save, GError **error);
        void (*save_cancel)(struct domain_save *save);
        /* In the lane of the save's job: it is complete, and on the disk. */
        bool (*save_finish)(struct domain_save *save, GError **error);
        /* It gets its name; the guest, which has to be there, is ended next, even by another agent. */
        bool (*save_publish)(struct domain_save *save, GError **error);
        /* That guest could not be ended, and goes on: nothing begins from the file. NULL: nothing does. */
        void (*save_retract)(struct domain_save *save);
        /* Lane of the domain; frees save->file. A file without its name goes. NULL save->file is fine. */
        void (*save_free)(struct domain_save *save);
        /* Any lane that may wait: opens and checks such a file. */
        struct domain_image *(*image_open)(struct domain_driver *driver, const char *path, GError **error);
        /* Likewise: replaces what is said in its head. */
        bool (*image_write)(struct domain_image *image, const char *xml, bool runs, GError **error);

        /* How the guest is to be migrated. NULL: not supported. */
        bool (*set_migration)(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                              GError **error);
        bool (*get_migration)(struct domain *domain, enum domain_migration_setting setting, uint64_t *value,
                              GError **error);

        /*
         * A guest goes to another host (struct domain_departure, migrate.h); depart_begin NULL: not
         * supported. Lane of the domain. Is there anything about it that cannot be moved? *whole_cpu: its CPU
         * is all that its definition says, and not what of that this host has.
         */
        bool (*depart_check)(struct domain *domain, bool *whole_cpu, GError **error);
        /* Fills in departure->copies. The functions of copies may be NULL where depart_begin is. */
        bool (*depart_measure)(struct domain_departure *departure, GError **error);
        /* Passive: they go to departure->disks_uri until all is there; what the guest writes follows. */
        bool (*depart_copy)(struct domain_departure *departure, GError **error);
        void (*depart_cancel_copy)(struct domain_departure *departure);
        /* Ends the copying, at whatever point it is, or does nothing. In a shielded lane. */
        void (*depart_uncopy)(struct domain_departure *departure);
        /* Passive: its state goes to departure->uri. It is paused, and what is copied is complete, at the
         * end.
         */
        bool (*depart_begin)(struct domain_departure *departure, GError **error);
        void (*depart_cancel)(struct domain_departure *departure);
        /* While its state goes over: the other side's CPUs may run before all of it is there. */
        bool (*depart_switch)(struct domain_departure *departure, GError **error);
        /*
         * Likewise: its guest, which is paused, goes on here until it is elsewhere. NULL: it does not.
         * Errors: it is about to be elsewhere.
         */
        bool (*depart_let_run)(struct domain_departure *departure, GError **error);
        /* Passive: the rest goes over, of a guest that has left that way. An error: it does not. */
        bool (*depart_follow)(struct domain_departure *departure, GError **error);
        /* Passive: the same of one whose way was cut, from now on to departure->uri. */
        bool (*depart_resume)(struct domain_departure *departure, GError **error);
        /* Cuts the way of a guest in post-copy. */
        bool (*depart_cut)(struct domain *domain, GError **error);
        /* Frees departure->work, whatever became of it. NULL is fine. */
        void (*depart_free)(struct domain_departure *departure);
        /* Writes down, for this agent's successor, that the other side may let it run (NULL: no more). */
        bool (*depart_note)(struct domain *domain, const struct domain_departure_note *note, GError **error);
        /* What was written down; borrowed, NULL: nothing. */
        const struct domain_departure_note *(*depart_get_note)(struct domain *domain);
        /* It has gone: what it leaves behind beside its definition is not to be removed with it. */
        void (*depart_leave)(struct domain *domain);
        /* A guest that comes has all its state, or *postcopy can run without; waits for the last of that. */
        bool (*arrive_wait)(struct domain *domain, bool *postcopy, GError **error);
        /*
         * It is a guest like any other now; of one in post-copy domain_arrival_tell() says what becomes of
         * it.
         */
        void (*arrive_end)(struct domain *domain, bool postcopy);
        /* What of it has not come is to come to *uri, for the caller to free; NULL: nothing is missing. */
        bool (*arrive_recover)(struct domain *domain, const struct params *params, unsigned flags, char **uri,
                               GError **error);

        /*
         * Writes the status document of a running domain after a change of state made by the model. May be
         * NULL.
         */
        void (*save_status)(struct domain *domain, const struct domain_state *state);

        /* Frees what hangs on domain->live, when the object ends. Any thread, lane idle. */
        void (*live_free)(struct domain *domain);

        /*
         * Lane: what a definition owns beside its file (NVRAM variable store, TPM state) is checked against
         * flags (enum domain_undefine_flags) and removed or kept: at once, or at the end of a guest that
         * runs. Fails, with nothing removed, when a variable store exists and flags do not say what is to
         * become of it. May be NULL.
         */
        bool (*undefine)(struct domain *domain, const struct domain_def *def, unsigned flags, GError **error);
};

struct domain_driver {
        /* const */
        const struct domain_driver_ops *ops;
        struct loop *loop;       /* borrowed */
        struct pool *pool;       /* borrowed */
        const struct host *host; /* ref */
        char *boot_mark;   /* owned; file in the runtime directory that says autostart ran since boot; NULL:
                              none */
        char *save_dir;    /* owned; of managed saves, by uuid; NULL: they are kept in memory */
        char *dump_dir;    /* owned; of the memory of guests that crashed; made when it is needed */
        char *arrival_dir; /* owned; of guests that came from other hosts, by cookie, as long as those may not
                              know; in memory. NULL: none come */
        void *context;     /* the driver's own */
        /* loop */
        struct storage
                *storage; /* borrowed; whose volumes disks may be; NULL: none. Set before the first start */
        struct secrets *secrets;     /* borrowed; what opens encrypted ones; NULL: none. Likewise */
        struct nwfilters *nwfilters; /* borrowed; what their packets pass; NULL: none. Likewise */
        struct networks *networks;   /* borrowed; what interfaces are plugged into; NULL: none. Likewise */
        struct node_devices *node_devices; /* borrowed; whose devices guests get; NULL: none. Likewise */
        struct job_list *jobs; /* borrowed; where long work is shown; NULL: there is none. Likewise */
        GSList *crashes;  /* owned, dump.c; guests that crashed and are to be dumped when there are jobs */
        bool usb_changed; /* guests are about to look after their USB devices */
        struct registry *domains;   /* owned */
        struct domain_power *power; /* owned */
        domain_reporter report;     /* NULL: nobody is told */
        void *report_data;          /* borrowed */
        GHashTable *by_id;          /* int -> struct domain, borrowed values */
        GQueue collections;         /* struct stats_collection, borrowed: on their way (stats.c) */
        gint64 telling_ns;          /* that a call for many takes for each, behind the answers (stats.c) */
        GQueue asked;               /* struct stats_slot, owned: guests that are being asked (stats-ask.c) */
        struct loop_timer *asked_timer; /* owned; while others wait for their turn, or NULL */
        unsigned asked_max, asked_ms;   /* const: how many at a time, for how long one counts as one */
        unsigned watches;               /* of statistics (stats-watch.c) */
        unsigned measuring;             /* measurements on their way (stats-query.c) */
        GQueue agent_calls;             /* struct agent_call, borrowed: on their way (guest-agent.c) */
        bool agents_quiet;              /* no guest agent is asked any more */
        /* atomic */
        gint last_id;
};

/*
 * Sets up the parts that the model keeps: the registry (directory as in registry_new()) and the index by id.
 * The driver embeds struct domain_driver or hangs its own on context.
 */
void domain_driver_init(struct domain_driver *driver, const struct domain_driver_ops *ops, struct loop *loop,
                        struct pool *pool, const struct host *host, const char *directory);
void domain_driver_done(struct domain_driver *driver);

/*
 * Lane: the guest ended by itself or was found ended: publishes shut off (or the end of a transient domain)
 * with the reason and one STOPPED event with the detail. The driver has released its resources before.
 */
void domain_stopped(struct domain *domain, int shutoff_reason, int event_detail);

/*
 * Lane: a guest that has crashed, and is shown so, is to be dumped first: its memory goes into a file of
 * dump_dir, unless that has four of the domain's already; end_crash() of the driver is called behind that,
 * whether it went well or not, if the guest is still there, whatever its state is then. One that is found so
 * before the driver's sources are there waits for them.
 */
void domain_dump_crash(struct domain *domain);
/* Loop: those that wait are dumped; without jobs they are forgotten. */
void domain_dump_crashes(struct domain_driver *driver);

/*
 * Lane: a running guest changed by itself (paused by an I/O error, panicked, resumed by the monitor's event
 * ...): publishes state and reason with a lifecycle event, unless that is the state already.
 */
void domain_transition(struct domain *domain, enum domain_run_state state, int reason, int event_type,
                       int event_detail);
/* Lane: the same, whatever it was: the reason alone may be another one. The domain is active. */
void domain_set_state(struct domain *domain, enum domain_run_state state, int reason, int event_type,
                      int event_detail);

/*
 * Lane: publishes a new active definition of a running domain (a tray, a port, a balloon ... changed). Takes
 * def.
 */
void domain_update_active(struct domain *domain, struct domain_def *def);

/*
 * Lane: the guest that runs has let go of a device: publishes def, the active definition without it (taken),
 * and announces it.
 */
void domain_device_removed(struct domain *domain, struct domain_def *def, const char *alias);

/*
 * Lane: the guest that runs goes without USB devices of the host for now: publishes def (taken), in which
 * they are missing, and gives back what was taken for them.
 */
void domain_device_missed(struct domain *domain, struct domain_def *def);

/*
 * Start-up, lane: enters a guest that was found running into the model: publishes state (taken) without an
 * event.
 */
void domain_adopt(struct domain *domain, struct domain_state *state);

/*
 * Start-up, loop: the object that a status document describes, made when there is no persistent one.
 * Borrowed; follow with managed_run() at once (registry_reserve()).
 */
struct domain *domain_driver_reserve(struct domain_driver *driver, const struct domain_def *def,
                                     GError **error);
