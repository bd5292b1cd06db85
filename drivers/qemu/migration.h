/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How QEMU is to migrate a guest: its own parameters, which it keeps. Lane of the domain. */

#include "drivers/qemu/guest.h"

/* No limit that anything comes near to, and that QEMU takes. Bytes per second. */
#define MIGRATION_NO_LIMIT INT64_C(0x7ffffffffff00000)

/* The functions of struct domain_driver_ops. */
bool migration_set(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                   GError **error);
bool migration_get(struct domain *domain, enum domain_migration_setting setting, uint64_t *value,
                   GError **error);

/*
 * Arguments of migrate-set-capabilities for a migration with these flags (enum domain_migrate_flags): all
 * that one may have had that is to be off is.
 */
json_t *migration_make_capabilities(unsigned flags);
/* The same for the side that a guest comes to. */
json_t *migration_make_incoming_capabilities(unsigned flags);
/*
 * What goes with the flags and has numbers or names; on both sides, or on that of the source, where it is
 * borrowed.
 */
bool migration_set_parameters(struct guest *guest, unsigned flags, const struct params *params,
                              bool is_source, GError **error);

/* What each side knows the other by, as QEMU has it: an object of certificates of the driver's tls_dir. */
#define MIGRATION_TLS_ID "objmigration_tls0"
/* With the flag TLS: the emulator has it, until the end. Errors: QEMU's, of certificates that are not there.
 */
bool migration_add_credentials(struct guest *guest, unsigned flags, bool is_source, GError **error);
/* With the flag TLS: ... and the stream is encrypted. Without it: as it was. End takes both back. */
bool migration_begin_tls(struct guest *guest, unsigned flags, const struct params *params, bool is_source,
                         GError **error);
void migration_end_tls(struct guest *guest);

/* QEMU's name for the descriptor that a guest's memory goes to, or comes from; in a URI behind "fd:". */
#define MIGRATION_FD "virtbus-state"
/* fd stays the caller's; QEMU's goes with what uses it, or migration_give_back(). Waits for QEMU. */
bool migration_hand_fd(struct guest *guest, int fd, GError **error);

/*
 * Arguments of migrate-set-parameters (taken) hold for one migration, or save. When they are given back, by a
 * guest that stays, they are what they were, or what they were set to meanwhile (migration_set()).
 */
bool migration_borrow(struct guest *guest, json_t *arguments, GError **error);
/* The same for the limit of its speed alone: there is none. */
bool migration_borrow_speed(struct guest *guest, GError **error);
/* Of a guest that stays, also when nothing is borrowed. A descriptor that QEMU has not used is closed. */
void migration_give_back(struct guest *guest);
/* Of a guest that is found: what an agent before this one has borrowed. */
void migration_take_over(struct guest *guest);
