/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The front of machines that are in memory: functions of struct domain_driver_ops. Lane of the domain. */

#include "drivers/domain/driver.h"

bool test_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                    unsigned count, GError **error);
bool test_send_signal(struct domain *domain, int64_t pid, unsigned signal, GError **error);
int test_take_screenshot(struct domain *domain, unsigned screen, const char **mime, GError **error);
