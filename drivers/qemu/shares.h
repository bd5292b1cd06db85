/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * <cachetune> and <memorytune> of <cputune>: vCPUs with a part of the host's caches and memory bandwidth of
 * their own, and monitors of what they use of it, by the kernel's resctrl (drivers/host/resctrl.h). Those of
 * the same vCPUs are one group, "qemu-3-web-vcpus_0-1", or none if they ask for nothing; a monitor of all
 * vCPUs of a group is that group. The status document names each before it is made. Lane of the domain, where
 * nothing else is said.
 */

#include "drivers/qemu/guest.h"

struct domain_measure;

/* Is there anything of it? Any thread. */
bool shares_are_wanted(const struct domain_def *def);

/* False with ERROR_CONFIG_UNSUPPORTED when this host has no resctrl, and def needs it. */
bool shares_require(const struct guest *guest, const struct domain_def *def, GError **error);

/* Notes in the status document, which is to be saved then, what is to be made. Errors: it is there already.
 */
bool shares_note(struct guest *guest, const struct domain_def *def, GError **error);
/* Makes what is noted. Errors: no room, a size that the host does not have. */
bool shares_make(struct guest *guest, const struct domain_def *def, GError **error);
/* The thread of a vCPU gets where it belongs; one that has nothing of it stays where it is. */
bool shares_add_vcpu(const struct guest *guest, const struct domain_def *def, unsigned id, pid_t thread,
                     GError **error);
/* The guest has ended: removes all that is noted. */
void shares_remove(struct guest *guest);

/* Notes what libvirt has made for a guest of that definition that runs. */
void shares_adopt(struct status *status, const char *root, const struct domain_def *def);

/* DOMAIN_MEASURE_MONITORS; root: as of host_new_at(). Any thread. */
void shares_measure(const char *root, const struct domain_state *state, struct domain_measure *measure);
