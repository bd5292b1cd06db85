/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A running guest: what hangs on domain->live while an emulator runs, and the driver behind it. Between the
 * files of this folder. Everything here belongs to the domain's lane unless said otherwise.
 */

#include "base/cleanup.h"
#include "base/lane.h"
#include "drivers/cgroup/cgroup.h"
#include "drivers/domain/answer.h"
#include "drivers/domain/driver.h"
#include "drivers/qemu/ports.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qemu-caps.h"
#include "drivers/qemu/qmp.h"
#include "drivers/qemu/route.h"
#include "drivers/qemu/save-image.h"
#include "drivers/qemu/status.h"
#include "drivers/security/svirt.h"
#include "drivers/security/account.h"

#include <assert.h>
#include <glib.h>
#include <stdbool.h>

struct guest_agent;
struct guest_question;
struct log_keeper;
struct probe_cache;

/* The last domain capabilities document, and what it is about. */
struct qemu_answer {
        const struct qemu_caps *caps;       /* ref; NULL: none yet */
        const struct qemu_machine *machine; /* borrowed from caps */
        enum qemu_accel accel;
        char *arch, *text; /* owned */
        gint64 made_us;
};

struct qemu_driver {
        struct domain_driver base;
        /* const */
        char *runtime_dir; /* owned; one directory per running guest, and the mark of autostart */
        char *state_dir;   /* owned; definitions */
        char *nvram_dir;   /* owned */
        char *memory_dir;  /* owned; where files that are guests' memory are made (resources-memory.c) */
        char *tls_dir;     /* owned; the emulators' certificates */
        char *spice_tls_dir, *vnc_tls_dir;   /* owned; of displays; NULL: without TLS */
        char *hooks_dir;                     /* owned; the administrator's programs (hooks.h); NULL: none */
        char *tpm_dir;                       /* owned; one directory per guest with a TPM, by uuid */
        char *log_dir;                       /* owned */
        enum save_format save_format;        /* of guests that are saved */
        int migration_first, migration_last; /* TCP ports for guests that come from other hosts */
        const struct account *account;       /* ref */
        struct probe_cache *probes;          /* owned */
        struct log_keeper *log_keeper;       /* owned; NULL: none */
        bool apparmor;                       /* guests are confined by AppArmor */
        struct svirt *svirt;                 /* owned; they are by SELinux; NULL: they are not */
        bool all_devices;                    /* guests may open any device node that their user may */
        char **devices;                      /* owned; device nodes that any guest may open; NULL: none */
        /* loop */
        struct qemu_answer answer;
        /* atomic */
        struct ports ports;
        gint next_macvtap; /* atomic; number in its name */
};

static inline struct qemu_driver *qemu_driver_of(const struct domain *domain)
{
        return (struct qemu_driver *)domain->driver;
}

struct guest_rx;

struct guest_socket {
        char *alias; /* owned; of the device that it is for */
        char *path;  /* owned */
};

struct guest {
        /* const */
        struct domain *domain;         /* borrowed; outlives its guest */
        struct qemu_driver *driver;    /* borrowed */
        char *dir;                     /* owned: <runtime_dir>/<uuid> */
        char *who;                     /* owned: "domain 'web'" */
        const struct account *account; /* ref; whom its processes run as; const once it is chosen */
        /* lane */
        struct status *status; /* owned; what is written down */
        struct process emulator, tpm;
        struct cgroup *cgroup;     /* owned; NULL: this host gives it none */
        char *profile;             /* owned; of AppArmor, which confines the emulator; NULL: none */
        bool owns_profile;         /* it is made of status->files, and goes with the guest */
        char *profile_text;        /* owned; what it was made of last; NULL: not by this agent */
        GArray *devices;           /* owned, struct cgroup_device; what cgroup allows; NULL: not known */
        char *context;             /* owned; of SELinux, which confines the emulator; NULL: none */
        char *image_context;       /* owned; of its files; NULL: none */
        struct category_pair pair; /* of it, claimed in driver->svirt; 0: none */
        GPtrArray *helpers;        /* owned, struct helper */
        gint64 helper_us;          /* when the one for reservations was started */
        unsigned helper_failures;  /* of those, in a row */
        GPtrArray *consoles;       /* owned, struct console: that clients have, or had */
        struct qmp *qmp;           /* owned; NULL: not connected */
        struct routes routes;      /* of operations that wait for events */
        struct guest_agent *agent; /* owned; NULL: nobody in the guest has opened its port */
        GArray *perf;              /* owned, struct perf_counter; what the kernel counts for it */
        uint32_t perf_events;      /* bits by enum domain_perf_event: of perf */
        GHashTable *counter_kinds; /* owned (guest-stats-counters.c); NULL: not asked for yet */
        json_t *vcpus;             /* owned; what query-cpus-fast said last (guest-stats.c); NULL: nothing */
        GArray *ports;             /* owned, int; claimed in driver->ports */
        int arrival_port;          /* the one of ports by which it comes from another host; 0: none */
        struct route *rest;        /* owned; of its memory, which follows it here (post-copy); NULL: none */
        int disks_port;            /* the one by which its disks come; 0: none */
        bool serves_disks;         /* its emulator has a server for disks that come */
        bool has_credentials;      /* its emulator does, for a migration with TLS */
        json_t *borrowed;          /* owned; migration_borrow(): what is to be again, NULL: nothing */
        GPtrArray *sockets;        /* owned, struct guest_socket: made by us outside of dir, to be removed */
        const struct qemu_caps *caps;    /* ref; of the emulator as it runs; NULL: not asked for yet */
        struct lane_watch *exit_watch;   /* owned; NULL before guest_watch() */
        struct lane_timer *end_timer;    /* owned; NULL: none */
        struct lane_timer *closed_timer; /* owned; NULL: none */
        struct lane_timer *retry_timer;  /* owned; NULL: none */
        bool changed;                    /* fields of status that no domain_state tells have changed */
        bool exited;                     /* the emulator's end has been seen */
        bool ending;                     /* it has been told to end */
        bool inherited;                  /* an agent that is gone may have left work in it */
        bool ends_migration;             /* the migration of an agent that is gone is being cancelled */
        bool awaits_dump;                /* it goes on when that of an agent that is gone is over */
        bool restarting; /* it has been reset after it shut down, crashed or slept, and is to go on */
        int restart_reason;
        bool dumping;       /* it has crashed, and its memory is written down before anything becomes of it */
        int shutoff_reason; /* how it will have ended if it ends now */
        int stopped_detail;
        struct guest_rx *rx; /* owned (guest-rx.h); NULL: no interface is trusted */
        struct guest_question *questions[DOMAIN_PARTS]; /* owned; open ones (guest-stats.c), NULL: none */
        struct {
                int64_t since_us;
                unsigned count;
        } io_errors; /* announced in the last second */
};

/* Lane. */
static inline struct guest *guest_of(const struct domain *domain)
{
        assert(in_lane(domain->base.lane));
        return domain->live;
}

/* ---- guest.c ---- */

/* For a domain that is about to run or was found running; takes status. */
struct guest *guest_new(struct domain *domain, struct status *status);

/* Lets go of it without touching the emulator or what it uses. In the lane. NULL is fine. */
void guest_free(struct guest *guest);

/*
 * Ends what is left of its processes, gives back all that it had, removes its directory, and frees it. In the
 * lane, in a job that is shielded or urgent.
 */
void guest_release(struct guest *guest);

/*
 * A device has gone, or has never come: gives back what was taken for it, and forgets that in the status
 * document, which is to be saved then. Ownership of a file that another device uses, too, stays as it is. In
 * a shielded lane.
 */
void guest_release_device(struct guest *guest, const char *alias);

/* Removes a directory with the files in it; what else is there stays. */
void guest_remove_files(const char *path);

/* Notes a socket that is to be removed with the device. */
void guest_add_socket(struct guest *guest, const char *alias, const char *path);

/* Its directories, empty, for a start. */
bool guest_make_dirs(struct guest *guest, GError **error);
/* The part of its directory that belongs to the emulator's user: path of a file in it. Free it. */
char *guest_get_io_path(const struct guest *guest, const char *name);
char *guest_get_io_dir(const struct guest *guest);

/* A new pid file for launch_run(); -1 with an error. */
int guest_open_pid_file(const struct guest *guest, const char *name, GError **error);

/* Where files that are the guest's memory are made, by its user. Free it. */
char *guest_get_memory_dir(const struct guest *guest);

/*
 * Where the variable store of a domain is, of format "raw" or "qcow2", unless its definition says otherwise.
 * Any thread; free it.
 */
/* Where a <pstore> that names no file has one. */
char *guest_get_pstore_path(const struct qemu_driver *driver, const struct uuid *uuid);
char *guest_get_nvram_path(const struct qemu_driver *driver, const struct uuid *uuid, const char *format);

/* Writes the status document with what state says, unless that is what it says already. */
bool guest_save(struct guest *guest, const struct domain_state *state, GError **error);

/* A stream socket that the emulator is to have; -1 with an error. */
int guest_make_socket(const struct guest *guest, GError **error);
/* A listening socket at path (removed first), owned by the emulators' user; -1 with an error. */
int guest_listen(const struct guest *guest, const char *path, mode_t mode, GError **error);

/*
 * The monitor: makes the socket on which the emulator will listen (a descriptor for it, -1 on error), and
 * connects to it, which succeeds before there is an emulator.
 */
int guest_listen_monitor(struct guest *guest, GError **error);
bool guest_connect(struct guest *guest, GError **error);

/* A connection to the monitor at that path; -1 with an error that names who. Any thread. */
int guest_open_monitor(const char *path, const char *who, GError **error);

/*
 * Connects to the monitor of an emulator that runs already, and publishes what it says of its state; tried
 * again later if need be.
 */
void guest_reconnect(struct guest *guest);

/* The monitor, connected again if need be; NULL with an error when that fails. */
struct qmp *guest_get_monitor(struct guest *guest, GError **error);

/* Waits for the emulator's end in the background, which guest_ended() gets told about. */
bool guest_watch(struct guest *guest, GError **error);

/*
 * Tells the emulator to end, kindly; what has been noted in shutoff_reason and stopped_detail will be
 * announced.
 */
void guest_end(struct guest *guest, int shutoff_reason, int stopped_detail);

/* ---- guest-caps.c ---- */

/*
 * What the emulator that it runs can do, which is not what is installed under its path any more once the
 * host's packages have been updated. A reference; errors as of probe_run() and guest_get_monitor().
 */
const struct qemu_caps *guest_get_caps(struct guest *guest, GError **error);
/*
 * The same where only nodes of disks by name, and their filters, count, which any version has alike: an agent
 * that finds hundreds of guests does not ask each. NULL: nobody tells.
 */
const struct qemu_caps *guest_get_names_caps(struct guest *guest);

/* ---- resources-label.c ---- */

/*
 * What a definition says of a model; NULL: nothing. A fixed label without a model is of the host's first, and
 * so is a <baselabel>; none without a model says nothing, as in libvirt. Any thread.
 */
const struct domain_seclabel *guest_find_label(const struct qemu_driver *driver, const struct domain_def *def,
                                               const char *model);
/* Whom a guest of that definition runs as, before anything is made for it. Errors: a label that names nobody.
 */
bool guest_choose_account(struct guest *guest, const struct domain_def *def, GError **error);
/*
 * By which profile of AppArmor such a guest is confined. runs: def is what an earlier agent started it with,
 * so it has what that says. Errors: a label that cannot be.
 */
bool guest_choose_profile(struct guest *guest, const struct domain_def *def, bool runs, GError **error);

/* ---- guest-label.c ---- */

/*
 * In which context of SELinux such a guest runs, and what its files are labelled with: a new one, or where it
 * runs already (as of guest_choose_profile()) the one that it has. Before anything is made for it. Errors: a
 * label that cannot be, no pair of categories is left.
 */
bool guest_choose_context(struct guest *guest, const struct domain_def *def, bool runs, GError **error);
/* It has ended, or has never been: its pair is anybody's again. */
void guest_drop_context(struct guest *guest);
/* Can its emulator run in that context? Errors say what the policy has not. */
bool guest_check_context(const struct guest *guest, const char *program, GError **error);
/*
 * In which context a program that works for the guest alone is to run: the guest's, if the policy has it so,
 * else NULL, the agent's. Borrowed.
 */
const char *guest_get_helper_context(const struct guest *guest, const char *program);
/* Its own directory or file is labelled as its files are. Errors: the kernel does not let us. */
bool guest_label_own(const struct guest *guest, const char *path, GError **error);
/*
 * Sockets that are made in between are the emulator's, for SELinux from their beginning. Errors: the policy
 * does not let us. In one job, which does not wait in between.
 */
bool guest_begin_sockets(const struct guest *guest, GError **error);
void guest_end_sockets(const struct guest *guest);
/* Files that are noted in status->labels for the device get their labels, or their own again. NULL: all. */
bool guest_take_labels(struct guest *guest, const char *alias, GError **error);
void guest_return_labels(struct guest *guest, const char *alias);

/* ---- guest-confine.c ---- */

/*
 * What confines the emulator is made of what status says that it opens, before it runs (new), and in the
 * place of what confined it before when something has come. def: the guest, as it is to be. Errors: a path or
 * a host that does not allow it, an interrupt.
 */
bool guest_confine_new(struct guest *guest, const struct domain_def *def, GError **error);
bool guest_confine(struct guest *guest, const struct domain_def *def, GError **error);
/* Something has gone. Failures are logged: it can open what it could before. */
void guest_confine_again(struct guest *guest);
/* An agent has found it. */
void guest_confine_found(struct guest *guest, const struct domain_def *def);
/* It has ended. */
void guest_unconfine(struct guest *guest);
/* The path by which a profile knows the file of a descriptor, also one without a name; owned. NULL: none. */
char *guest_find_fd_path(int fd);
/* It is to get a descriptor, which goes with guest_release_device(alias). Errors: as guest_confine(). */
bool guest_allow_fd(struct guest *guest, const char *alias, int fd, GError **error);

/* ---- guest-cgroup.c ---- */

/* Where it is when its definition does not say. */
#define GUEST_PARTITION "/machine"
/*
 * Makes the control group of a guest with that definition, if this host lets us (cgroup_new()), and notes it
 * in the status document, which is to be saved then. Errors: a partition that cannot be, an interrupt.
 */
bool guest_make_cgroup(struct guest *guest, const struct domain_def *def, GError **error);
/* Tells systemd-machined of it, where that runs. Failures are logged. */
void guest_register_machine(struct guest *guest);
/* The group that an earlier agent has made. */
void guest_find_cgroup(struct guest *guest);

/* ---- guest-state.c ---- */

/* struct domain_driver_ops.undefine */
bool guest_undefine(struct domain *domain, const struct domain_def *def, unsigned flags, GError **error);

/*
 * A guest without a definition is about to be started: what is there of what it will have was kept for it,
 * and stays when it ends. Noted in its status.
 */
void guest_keep_state(const struct guest *guest);
/*
 * The guest has ended: if nothing defines it any more, removes the state of its TPM and its pstore unless
 * they are to be kept, and its variable store if that is to be removed.
 */
void guest_forget_state(const struct guest *guest);

/* ---- guest-stats.c ---- */

/* Lane: the questions that are open are answered by nothing, as the guest, or its monitor, is let go of. */
void guest_end_questions(struct guest *guest);
/* Lane: the same, but they stay open: the monitor is let go of, maybe because the guest is about to end,
 * which whoever asks is to be told first. They end when another monitor is there, or is not soon, or with the
 * guest. */
void guest_forget_calls(struct guest *guest);

/* ---- monitor.c ---- */

void monitor_event(const char *name, const json_t *arguments, int64_t time_us, void *guest);
void monitor_closed(const GError *error, void *guest);

/* Asks the emulator for its state and publishes what has changed since. Errors: those of qmp_execute(). */
bool monitor_resync(struct guest *guest, GError **error);
/* What becomes of a guest that has crashed, dumped or not. */
void monitor_end_crash(struct guest *guest);
/*
 * Resets one that sleeps (PMSUSPENDED) and lets it go on, so that it starts over. It runs when this returns
 * true; after a false one it sleeps on, or goes on when the reset happens after all.
 */
bool monitor_reset_asleep(struct guest *guest, GError **error);

/*
 * What the balloon leaves a guest of that definition, in KiB: from the event BALLOON_CHANGE or an answer to
 * query-balloon ("actual", in bytes). 0 when it makes no sense.
 */
uint64_t monitor_get_balloon(const struct domain_def *def, const json_t *answer);
/* Asks it, and keeps the answer as the current memory of the active definition; lane. */
void monitor_ask_balloon(struct guest *guest);

/* ---- start.c, takeover.c ---- */

/* struct domain_driver_ops.set_lifecycle_action */
bool guest_set_lifecycle_action(struct domain *domain, unsigned event, const struct domain_def *live,
                                GError **error);

bool guest_start(struct domain *domain, struct domain_state *state, const struct domain_start *how,
                 GError **error);

/* Start-up, loop: takes over what runs; when it returns, all of it is in the registry. */
void takeover_run(struct qemu_driver *driver);

DEFINE_CLEANUP(struct guest, guest_release);
