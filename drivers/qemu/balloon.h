/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The memory balloon of a running guest. */

#include "drivers/domain/driver.h"

#include <jansson.h>

/* The arguments of qom-set for how often it asks for statistics; for a start, too. */
json_t *balloon_describe_period(const struct domain_memballoon *balloon);

/* As in struct domain_driver_ops; in the domain's lane. */
bool balloon_set_memory(struct domain *domain, uint64_t kib, struct domain_def **live, GError **error);
bool balloon_set_period(struct domain *domain, const struct domain_def *live, GError **error);
