/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a guest gets of its host, changed while it runs: the CPUs of its threads, and the limits of its
 * control group. What the host has no controller for, or of a guest that somebody has moved out of its group,
 * is refused (ERROR_OPERATION_INVALID). Lane of the domain.
 */

#include "drivers/domain/driver.h"
#include "drivers/qemu/guest.h"

/* struct domain_driver_ops.tune and .read_tuning */
bool tune_guest(struct domain *domain, unsigned parts, const struct domain_def *from,
                const struct domain_def *to, GError **error);
bool tune_read(struct domain *domain, unsigned parts, struct domain_tuning *tuning, GError **error);
