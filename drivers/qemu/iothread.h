/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* I/O threads that come and go while a guest runs. Lane of the domain. */

#include "drivers/qemu/guest.h"

/* struct domain_driver_ops.set_iothread */
bool iothread_set(struct domain *domain, unsigned id, bool there, const struct domain_def *def,
                  GError **error);
