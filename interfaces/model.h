/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the model of interfaces. */

#include "interfaces/interfaces.h"

#include <stdatomic.h>

struct lane;
struct lane_timer;
struct transaction;

struct interfaces {
        /* const */
        struct loop *loop;                                        /* borrowed */
        struct lane *lane;                                        /* ref */
        struct link_source *source;                               /* owned; NULL: in memory */
        struct collection *collection;                            /* owned */
        char *defs_dir, *change_dir, *runtime_dir, *managers_dir; /* owned; NULL: nothing is stored */
        bool read_only;
        /* atomic */
        atomic_uint posted; /* jobs of our own in the lane */
        /* loop */
        unsigned change_timeout_s;
        /* lane */
        GHashTable *defs;                /* owned; name -> struct interface_def, ref */
        GHashTable *active;              /* owned; names that are up, in memory only */
        struct object_set *current;      /* ref; as last published */
        struct link_set *links;          /* ref; NULL before the first */
        struct link_set *held;           /* ref; newer ones, to be told when the change is over; NULL: none */
        unsigned holds;                  /* changes that are being made */
        struct transaction *transaction; /* owned; NULL: none is open */
        struct lane_timer *timer;        /* owned; NULL: the transaction has all the time */
        bool booted;                     /* what is to be up on boot was brought up */
};

/* ---- in the lane ---- */

/*
 * While something is changed in many steps none of them is told: clients see what comes of it. As often held
 * as released.
 */
void interfaces_hold(struct interfaces *interfaces);
void interfaces_release(struct interfaces *interfaces);
/* Publishes what links and definitions come to. */
void interfaces_publish(struct interfaces *interfaces);
struct host_interface *interfaces_require(const struct interfaces *interfaces, const char *name,
                                          GError **error);
/* Stores def (ref taken) durably, or forgets the one of that name. No publication. */
bool interfaces_put_def(struct interfaces *interfaces, struct interface_def *def, GError **error);
bool interfaces_drop_def(struct interfaces *interfaces, const char *name, GError **error);
/* Are def's links, or the one of that name, nobody else's? ERROR_OPERATION_INVALID names the manager. */
bool interfaces_check_managers(const struct interfaces *interfaces, const struct interface_def *def,
                               const char *name, GError **error);
/* Sets up what def says, DHCP included; takes it down. */
bool interfaces_bring_up(struct interfaces *interfaces, const struct interface_def *def, GError **error);
bool interfaces_bring_down(struct interfaces *interfaces, const struct host_interface *interface,
                           GError **error);

/* Reads all files; what is wrong with one is logged. */
void interfaces_load(struct interfaces *interfaces);

/* ---- boot.c; in the lane ---- */

/* The first set of links has come. */
void interfaces_boot_soon(struct interfaces *interfaces);
/* A link has come: what is to be set up with it is. */
void interfaces_plugged(struct interfaces *interfaces, const char *name);
/* A link has gone: what was running for it ends. */
void interfaces_unplugged(struct interfaces *interfaces, const char *name);

/* ---- transaction.c; in the lane ---- */

/* timeout_s 0: it may stay open. */
bool transaction_begin(struct interfaces *interfaces, unsigned timeout_s, GError **error);
/* The definitions and links of these names are about to be changed. */
bool transaction_note(struct interfaces *interfaces, const struct interface_def *def, const char *name,
                      GError **error);
bool transaction_commit(struct interfaces *interfaces, GError **error);
bool transaction_rollback(struct interfaces *interfaces, GError **error);
/* What an agent left behind is rolled back; the links are known. */
void transaction_recover(struct interfaces *interfaces);
void transaction_free(struct transaction *transaction);
