/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * qemu-pr-helper(8), which carries out what guests say of persistent reservations, as root: one process for a
 * guest while a disk of it has <reservations managed='yes'>. It does not end by itself; the status document
 * names it, and until that does, a file in the guest's directory. One that ends is started again: the
 * emulator connects anew with the next command. Lane of the domain.
 */

#include "drivers/domain/definition.h"

#include <glib.h>
#include <stdbool.h>

struct guest;
struct resources;

/* What the disk needs of the host: says in the active definition where the helper will be. */
bool reservations_prepare(struct resources *resources, const struct domain_disk *disk, GError **error);

/*
 * Starts the helper if a disk of def needs one that is not there. After the control group of the guest has
 * been made, and to be written down after it.
 */
bool reservations_start(struct guest *guest, const struct domain_def *def, GError **error);

/* Ends it if no disk of def but the one with that alias needs it. */
void reservations_drop(struct guest *guest, const struct domain_def *def, const char *alias);

/* It has ended by itself. */
void reservations_restart(struct guest *guest);
