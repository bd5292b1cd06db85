/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Host CPUs and scheduling of the emulator's threads. Lane of the domain. */

#include "drivers/qemu/guest.h"

/* Those of the emulator as a whole, which its threads inherit; empty: all. Borrowed from def. */
const struct domain_cpuset *affinity_get_process(const struct domain_def *def);

/* Numbers of the host's CPUs as the kernel has them ("0-3"), for messages; owned. Any thread. */
char *affinity_get_host_cpus(void);

/* Have single threads CPUs, scheduling or limits of their own, so that the emulator must be asked which they
 * are? */
bool affinity_has_threads(const struct domain_def *def);

/* Asks, pins and limits them, and tells the kernel how they are scheduled. */
bool affinity_pin_threads(struct guest *guest, const struct domain_def *def, GError **error);

/* Of a guest that runs: all threads get the CPUs that def says, and what is not pinned any more has all. */
bool affinity_repin(struct guest *guest, const struct domain_def *def, GError **error);
/* Threads get the limits of their own that def says, or none. */
bool affinity_limit(struct guest *guest, const struct domain_def *def, GError **error);
/* The thread of a vCPU, or an I/O thread, that has just come gets all that it has of its own. */
bool affinity_settle_vcpu(struct guest *guest, const struct domain_def *def, unsigned id, GError **error);
bool affinity_settle_iothread(struct guest *guest, const struct domain_def *def, unsigned id, GError **error);
