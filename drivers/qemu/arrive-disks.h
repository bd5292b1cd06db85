/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Disks that come along with a guest: images that are missing are made, and the emulator that waits serves
 * what it has of them to the source's, by NBD, until the guest is here. Lane of the domain.
 *
 * A file that was made is noted in the status document before it has its name, and goes with a guest that has
 * not come, also when it is another agent that finds that out.
 */

#include "drivers/domain/migrate.h"
#include "drivers/qemu/guest.h"

/*
 * Of the disks of def that come, makes those image files that are not there: of the size that is needed, with
 * the backing file that def says when only what is above it comes. state: for the status document. Errors
 * name the disk.
 */
bool arrive_make_images(struct guest *guest, const struct domain_arrival *arrival,
                        const struct domain_def *def, const struct domain_state *state, GError **error);
/* def: the active one. arrival->disks_uri says where they are served. */
bool arrive_listen_disks(struct guest *guest, struct domain_arrival *arrival, const struct domain_def *def,
                         GError **error);
/* All has come: nobody else writes to them any more. */
bool arrive_close_disks(struct guest *guest, GError **error);
/* The guest is here: they are its. */
void arrive_keep_disks(struct guest *guest);
/* Its emulator has ended: removes what was made for one that has not come. */
void arrive_remove_images(struct guest *guest);
