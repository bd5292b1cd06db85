/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices that come and go while a guest runs. What QEMU and the host are asked is described with the device
 * itself (device-rows.h); here it is said in order, and taken back in reverse. Lane of the domain.
 *
 * Nothing is written down but the status document, which names a device from before QEMU is told of it until
 * after QEMU has let go of it: whoever finds a guest asks QEMU what it has (plug_resync()), and what it has
 * not is cleared away as if it had just gone.
 */

#include "drivers/qemu/guest.h"

struct domain_edit_device;
struct domain_update;

/* struct domain_driver_ops.attach, .detach and .update */
bool plug_attach(struct domain *domain, const GArray *devices, const struct domain_takings *takings,
                 struct domain_def **live, GError **error);
bool plug_detach(struct domain *domain, const struct domain_edit_device *device, bool *gone, GError **error);

bool plug_update(struct domain *domain, const struct domain_update *update, struct domain_def **live,
                 GError **error);

/* The guest has let go of the device with that alias, whenever: clears away what is left of it. */
void plug_forget(struct guest *guest, const char *alias);

/* The same of one of which QEMU may have a part still, because what made it or took it apart was cut short.
 */
void plug_forget_rest(struct guest *guest, const char *alias);

/* The guest has refused to let go of it. */
void plug_refused(struct guest *guest, const char *alias);

/* peripherals: what QEMU has (qom-list /machine/peripheral); what it has not any more is forgotten. */
void plug_resync(struct guest *guest, const json_t *peripherals);

/*
 * Of a guest whose last agent may have been killed: the channels of type 'guestfwd' that nothing listens for
 * are forgotten. chardevs: what QEMU has (query-chardev).
 */
void plug_resync_forwards(struct guest *guest, const json_t *chardevs);

/*
 * Of a guest whose last agent may have been killed, or whose QEMU has not answered all of a change in time
 * (status.medium, status.limits): has the media in its drives and the limits of its disks that its definition
 * names, and nothing left of others.
 */
void plug_resync_disks(struct guest *guest);
