/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a guest gets of its host, changed while it runs. Lane of the domain. */

#include "drivers/qemu/guest.h"

/* struct domain_driver_ops.tune */
bool tune_guest(struct domain *domain, unsigned parts, const struct domain_def *def, GError **error);
