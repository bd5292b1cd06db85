/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * vCPUs that come and go. Those that stay are the first ones (-smp); the others are devices, "vcpu2", of
 * which QEMU says where each belongs (query-hotpluggable-cpus). Those of the definition come before the
 * guest's CPUs run, or its state comes from elsewhere, and in the order that it says; which come and go later
 * is the model's choice (vcpu-list.h). On pseries the device is a core, named by the first of its threads.
 * Lane of the domain.
 */

#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/guest.h"

/* Says in the definition of a guest that starts in which order it gets its vCPUs. */
void vcpu_number(const struct domain_def *def, struct domain_edit *edit);

/* Are there any that come before the guest's CPUs run? */
bool vcpu_has_coming(const struct domain_def *def);

/* They come, to an emulator whose CPUs do not run yet. def is the live one. */
bool vcpu_plug_coming(struct guest *guest, const struct domain_def *def, GError **error);

/* struct domain_driver_ops.set_vcpus: those of *live that the guest has not got come, those that *live has
 * not go. */
bool vcpu_set(struct domain *domain, struct domain_def **live, GError **error);

/* The guest has let go of a device with that path in QEMU's tree of objects, which may have been a vCPU. */
void vcpu_forget(struct guest *guest, const char *path);

/* Events may have been lost, or an agent that was killed was at it: publishes which there are. */
void vcpu_resync(struct guest *guest);
