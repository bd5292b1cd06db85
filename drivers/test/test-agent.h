/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent inside guests that have none: it answers what tools know from test:///default of libvirt. Lane of
 * the domain.
 */

#include "drivers/domain/driver.h"

/* struct domain_driver_ops.get_agent */
struct domain_agent *test_agent_get(struct domain *domain, GError **error);
/* What it remembers of a guest (domain->live) is forgotten. */
void test_agent_forget(struct domain *domain);
