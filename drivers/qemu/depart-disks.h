/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Disks that go along with a guest: QEMU mirrors them to the emulator that waits, by NBD. Lane of the domain.
 *
 *     depart_copy()          a node and a job for each; over when all is there
 *     depart_disks_follow()  what the guest writes goes to both sides, while its memory goes
 *     depart_disks_finish()  the guest is paused: the last of it goes, jobs and nodes are removed
 *     depart_uncopy()        instead, at any moment: they are removed, and what is there is worth nothing
 *
 * A host that takes nothing any more holds up QEMU, and with it the guest, as soon as anything of the disk
 * has to be waited for (a pause, a reset of the device): then it is cut off, and the guest goes on here.
 *
 * Node and job have one name, "migration-vda". What an agent that is gone has left of them is ended by the
 * next one (guest_jobs_resync()).
 */

#include "base/job.h"
#include "drivers/domain/migrate.h"
#include "drivers/qemu/guest.h"

#define DEPART_DISKS_PREFIX "migration-"

/* The functions of struct domain_driver_ops. */
bool depart_measure(struct domain_departure *departure, GError **error);
bool depart_copy(struct domain_departure *departure, GError **error);
void depart_cancel_copy(struct domain_departure *departure);
void depart_uncopy(struct domain_departure *departure);

/* error (taken) NULL: what was asked for is done. */
typedef void (*depart_disks_fn)(GError *error, void *data);

/*
 * fn is told, at most once, when a disk cannot be copied any more, or when depart_disks_finish() is done.
 * False with an error when that is so already. fn NULL: nobody, from now on.
 */
bool depart_disks_follow(struct domain_departure *departure, depart_disks_fn fn, void *data, GError **error);
void depart_disks_finish(struct domain_departure *departure);
/* How much of all disks is there. */
struct job_amount depart_disks_get_amount(const struct domain_departure *departure);
/*
 * The connection of that node ends at once, whatever QEMU waits for: what is on its way fails, and so does
 * what comes after it. Where QEMU cannot do that (before version 6.0) it goes on.
 */
void depart_disks_cut(struct guest *guest, const char *node);
/* Frees what is behind it; nothing of it is at work any more. NULL is fine. */
void depart_disks_free(struct domain_departure *departure);
