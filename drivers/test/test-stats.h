/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Statistics of guests that live in memory. */

#include "drivers/domain/driver.h"

/* As in struct domain_driver_ops. */
void test_stats_measure(const struct domain_driver *driver, const struct domain_state *state,
                        struct domain_measure *measure);
void test_stats_ask(struct domain *domain, unsigned parts);
