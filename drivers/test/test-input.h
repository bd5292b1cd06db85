/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The front of machines that are in memory: functions of struct domain_driver_ops. Lane of the domain. */

#include "drivers/domain/driver.h"

bool test_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                    unsigned count, GError **error);
bool test_send_signal(struct domain *domain, int64_t pid, unsigned signal, GError **error);
/* Each byte of a guest's memory is the lowest of its own address, as in libvirt's. */
bool test_peek_memory(struct domain *domain, uint64_t offset, void *bytes, uint64_t size, bool physical,
                      GError **error);
int test_take_screenshot(struct domain *domain, unsigned screen, const char **mime, GError **error);
