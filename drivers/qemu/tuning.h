/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a guest gets of its host by control groups: <shares>, periods and quotas of <cputune>, <memtune>,
 * <blkiotune>, <numatune> of mode 'restrictive'. Lane of the domain, where nothing else is said. Errors name
 * the element, and the controller that is missing where the host has none for guests.
 */

#include "drivers/qemu/guest.h"

/*
 * False with ERROR_CONFIG_UNSUPPORTED, naming the element, when the definition has limits that this driver
 * does not set on any host. Any thread.
 */
bool tuning_require_supported(const struct domain_def *def, GError **error);

/* The limits of the guest as a whole, before there is a process in its group. */
bool tuning_limit_guest(struct guest *guest, const struct domain_def *def, GError **error);
/* The nodes of its memory, as soon as there is one. */
bool tuning_limit_nodes(struct guest *guest, const struct domain_def *def, GError **error);

/* Have vCPUs nodes of their own (<memnode mode='restrictive'>)? Any thread. */
bool tuning_has_vcpu_nodes(const struct domain_def *def);
/* The thread of a vCPU gets those of its NUMA cell, if that has some. */
bool tuning_limit_vcpu_nodes(struct guest *guest, const struct domain_def *def, unsigned id, pid_t thread,
                             GError **error);

/* Are threads limited on their own? Then each of them gets a group. Any thread. */
bool tuning_has_threads(const struct domain_def *def);
/*
 * Moves a thread of the emulator to the group of its own ("vcpu0", "iothread1"; scope: which of the two) and
 * limits that. What is not limited is moved nevertheless, out of the group of the emulator. runs: the group
 * may have been there, with other limits.
 */
bool tuning_limit_thread(struct guest *guest, const struct domain_def *def, enum domain_quota_scope scope,
                         unsigned id, pid_t thread, bool runs, GError **error);
/* What has not been moved: the emulator's own. */
bool tuning_limit_emulator(struct guest *guest, const struct domain_def *def, GError **error);

/*
 * Of a guest that runs, whatever it had before: how it is weighed against others; a period and a quota, or
 * none, of a group of threads (NULL: the guest); the values of a block device that differ.
 */
bool tuning_set_shares(struct guest *guest, uint64_t shares, GError **error);
bool tuning_set_quota(struct guest *guest, const struct domain_def *def, enum domain_quota_scope scope,
                      const char *threads, GError **error);
bool tuning_change_device(struct guest *guest, const struct domain_blkio_device *from,
                          const struct domain_blkio_device *to, GError **error);
