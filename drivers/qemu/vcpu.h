/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * vCPUs that come and go while a guest runs. Those that it starts with are the first ones (-smp); the others
 * are devices, "vcpu2", of which QEMU says where each belongs (query-hotpluggable-cpus). They come in the
 * order of their numbers and go in reverse, so that a guest can be started again with as many (a saved one).
 * Lane of the domain.
 */

#include "drivers/qemu/guest.h"

/* struct domain_driver_ops.set_vcpus */
bool vcpu_set_count(struct domain *domain, struct domain_def **live, GError **error);

/* The guest has let go of a device with that path in QEMU's tree of objects, which may have been a vCPU. */
void vcpu_forget(struct guest *guest, const char *path);

/* Events may have been lost, or an agent that was killed was at it: publishes how many there are. */
void vcpu_resync(struct guest *guest);
