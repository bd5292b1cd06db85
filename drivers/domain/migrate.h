/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Guests that go to another host (struct domain_departure) and that come from one (struct domain_arrival).
 * Between the model and its drivers; a view never includes this.
 *
 *     source                                           destination
 *     check, make the document        -- Prepare -->   check it; an emulator that waits, no CPU runs: incoming
 *     QEMU sends the guest's state    ------------->   that emulator takes it
 *     paused; written down: may be gone
 *                                     -- Finish -->    written down: it is here; its CPUs run
 *     ended                           -- Confirm ->    what was written down goes
 *
 * A guest is the source's until the destination has written down that it is there. Before Finish the
 * destination ends what it has when the caller of Prepare is gone, and the source goes on. After Finish the
 * source does nothing before it knows: it asks (Cancel, again and again), and goes on only when the
 * destination answers that the guest is not there; by that answer it never will be.
 *
 * In post-copy Finish comes before the last of the guest's memory, which its emulator here goes on to send.
 * It is written down, before that may begin, that the guest does not go on here by itself. When the way is
 * cut then, both sides stay as they are, until somebody wants it to go on (POSTCOPY_RESUME):
 *
 *     check                           -- Recover -->   its emulator listens anew
 *     QEMU goes on sending            ------------->   and that takes it
 *     ended                           -- Confirm ->
 */

#include "base/cleanup.h"
#include "base/operation.h"
#include "drivers/domain/domain.h"

struct remote_bus;
struct remote_place;

#define MIGRATION_INTERFACE "org.virtbus.Migration"
#define MIGRATION_PATH      "/org/libvirt/QEMU"
/* Of a document on the way, in bytes. */
#define MIGRATION_XML_MAX (1024 * 1024)

/* ---- going ---- */

/* What the source writes down before Finish. */
struct domain_departure_note {
        char *destination; /* owned; the URI */
        char *cookie;      /* owned */
        char *boot; /* owned; of the destination: after another boot nothing is known of the guest there */
        unsigned flags; /* enum domain_migrate_flags */
        bool runs;      /* the guest did, and would go on here */
        bool postcopy;  /* its state is, or is about to be, on both sides */
};

void domain_departure_note_clear(struct domain_departure_note *note);
/* A copy of all its strings. */
struct domain_departure_note domain_departure_note_copy(const struct domain_departure_note *note);

enum domain_whereabouts {
        DOMAIN_IS_HERE,    /* certainly */
        DOMAIN_HAS_LEFT,   /* certainly */
        DOMAIN_IS_UNKNOWN, /* the destination may let it run */
};

struct domain_departure {
        struct operation base;
        /* const */
        struct remote_place *place; /* owned */
        struct params *params;      /* owned */
        unsigned flags;             /* enum domain_migrate_flags */
        managed_done done;          /* NULL: nobody waits */
        void *data;                 /* owned by done */
        char *cpu_xml; /* owned; what a <cpu> that follows the host stands for; NULL: it does not */
        struct domain_def *wanted, *wanted_persistent; /* ref; the caller's documents, NULL: none */
        /* between the steps */
        char *xml, *persistent_xml; /* owned; persistent_xml NULL: it is not to be defined there */
        struct domain_def *def;     /* ref; what xml says */
        struct remote_bus *bus;     /* owned */
        char *uri;                  /* owned; where its state goes */
        GPtrArray *copies;          /* owned, struct domain_copy; disks that go along, NULL: none */
        char *disks_uri;            /* owned; where these go */
        struct domain_departure_note note;
        int id;              /* of the domain that goes; another one is another guest */
        bool has_all_of_cpu; /* this host has what its <cpu> says, so the guest does */
        enum domain_whereabouts whereabouts;
        void *work;  /* the driver's, see depart_free */
        void *disks; /* likewise; the copying of disks */
};

/* Loop, at start-up: asks after guests that an agent before this one has written down. */
void domain_departures_resume(struct domain_driver *driver);

/*
 * Is all that the guest's disks are on the same storage there, as far as this host can tell, but for what is
 * copied? False with ERROR_MIGRATE_UNSAFE, naming the disk. May wait for storage.
 */
bool domain_check_migration_storage(const struct domain_def *def, unsigned flags, const struct params *params,
                                    GError **error);
/* False with an error that names what of the definition is of this host alone. Any thread. */
bool domain_check_migration_devices(const struct domain_def *def, GError **error);

/* ---- migrate-disks.c: disks that are copied; any thread ---- */

#define DOMAIN_MIGRATE_COPIES (DOMAIN_MIGRATE_NON_SHARED_DISK | DOMAIN_MIGRATE_NON_SHARED_INC)

/* A disk that comes along. */
struct domain_copy {
        char *target;  /* owned; "vda" */
        uint64_t size; /* what the guest sees of it, bytes */
};

/* Is the disk copied to the other host? params: those of domain_migrate_params. */
bool domain_migrate_copies(const struct domain_disk *disk, unsigned flags, const struct params *params);
/* Blocks of zeroes are found, and not sent. */
bool domain_migrate_detects_zeroes(const struct domain_disk *disk, const struct params *params);
/* False with an error that names a disk that is to be copied and cannot be, or that def does not have. */
bool domain_check_migration_copies(const struct domain_def *def, unsigned flags, const struct params *params,
                                   GError **error);
/* What is below copied images is found out there. A new reference. */
struct domain_def *domain_def_drop_copied_chains(struct domain_def *def, unsigned flags,
                                                 const struct params *params, GError **error);

/* Lists of struct domain_copy, and how they are told to the other side. */
GPtrArray *domain_copies_new(void);
void domain_copies_add(GPtrArray *copies, const char *target, uint64_t size);
/* Borrowed; NULL: it is not among them. copies NULL: there are none. */
const struct domain_copy *domain_copies_find(const GPtrArray *copies, const char *target);
char *domain_copies_format(const GPtrArray *copies);
/* NULL with an error for what is no such list, or names what is no disk of def that can be copied. */
GPtrArray *domain_copies_parse(const char *text, const struct domain_def *def, GError **error);

/* ---- migrate-params.c ---- */

/* Flags that are driven, and that go together. */
bool domain_migrate_check_flags(unsigned flags, const struct params *params, GError **error);
/* NULL: not given. */
const char *domain_migrate_get_text(const struct params *params, const char *name);
/* 0: not given. */
uint64_t domain_migrate_get_number(const struct params *params, const char *name);

/* ---- coming ---- */

struct domain_arrival {
        /* const */
        char *cookie;                  /* owned */
        struct params *params;         /* owned */
        unsigned flags;                /* enum domain_migrate_flags */
        struct domain_def *persistent; /* ref; NULL: it is not to be defined */
        GPtrArray *copies;             /* owned, struct domain_copy; disks that come along, NULL: none */
        /* lane */
        char *uri;       /* owned; where the emulator listens; the driver's */
        char *disks_uri; /* owned; where it does for copies; likewise */
};

/* NULL is fine. Any thread. */
void domain_arrival_free(struct domain_arrival *arrival);
DEFINE_CLEANUP(struct domain_arrival, domain_arrival_free);

/* Whose it is. False with an error for what is none. Any thread. */
bool domain_arrival_read_cookie(const char *cookie, struct uuid *uuid, GError **error);
/* Has a guest of that cookie been taken, before or by this agent? Any thread. */
bool domain_arrival_is_accepted(const struct domain_driver *driver, const char *cookie);

/* ---- postcopy.c ---- */

enum domain_postcopy {
        DOMAIN_POSTCOPY_ACTIVE, /* what is missing of its memory comes */
        DOMAIN_POSTCOPY_STALLED,
        DOMAIN_POSTCOPY_COMPLETED,
};

/* Lane: what the driver knows of a guest that has come in post-copy, and that is busy with it until it is
 * over. */
void domain_arrival_tell(struct domain *domain, enum domain_postcopy what);

/* start.c; loop: an emulator waits for the guest of def (taken); arrival (taken) is the domain's from then
 * on. */
void domain_start_arrival(struct managed *object, struct domain_def *def, struct domain_arrival *arrival,
                          const char *owner, managed_done done, void *data);

/* change.c; lane: what domain_undefine() does. */
bool domain_undefine_now(struct domain *domain, unsigned flags, GError **error);
