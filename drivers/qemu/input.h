/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The front of a guest's machine: functions of struct domain_driver_ops. Lane of the domain. */

#include "drivers/domain/driver.h"

bool input_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                     unsigned count, GError **error);
bool input_inject_nmi(struct domain *domain, GError **error);
bool input_wake_up(struct domain *domain, GError **error);
int input_open_graphics(struct domain *domain, unsigned index, bool skip_auth, GError **error);
int input_take_screenshot(struct domain *domain, unsigned screen, const char **mime, GError **error);
